//! What a sizing and the advice to clients look like, by snapshot.

use super::drill_samples::failed;
use super::*;
use crate::ops::tune::resilience::{self, Drill, Evidence};
use crate::ops::tune::size::{self, Demand, Growth, Prices};

const GIB: u64 = 1 << 30;

fn told(doc: &Doc, width: usize) -> String {
    let look = Look {
        width: Some(width),
        colour: false,
    };
    terminal::text(doc, look)
}

fn demand() -> Demand {
    Demand {
        cluster: "goodbooks".into(),
        shards: 3,
        shards_measured: 3,
        replicas: 1,
        sample_ms: 60_000,
        used_bytes: 48 * GIB,
        peak_bytes: 51 * GIB,
        data_bytes: 50 * GIB,
        overhead_bytes: 6 * GIB,
        buffers_bytes: 64 << 20,
        startup_bytes: 1 << 20,
        fragmentation: 1.08,
        copy_on_write: 0.18,
        is_copy_on_write_measured: true,
        memory_skew: 1.12,
        load_skew: 1.3,
        operations_per_second: Some(84_000.0),
        cores_busy: Some(1.4),
        operations_per_core_second: Some(60_000.0),
        network_in_bytes_per_second: Some(12e6),
        network_out_bytes_per_second: Some(60e6),
        replication_bytes_per_second: Some(9e6),
        written_bytes_per_second: Some(9e6),
        connections_per_node: Some(900),
        keys: 78_000_000,
        largest_key_bytes: None,
        growth: Growth::default(),
        unknown: vec![
            "the largest key, which no number of shards divides: it was not looked for".into(),
        ],
    }
}

fn options() -> size::Options {
    size::Options {
        growth: Some(Growth::parse("10%/month").unwrap()),
        families: vec!["elasticache".into(), "managed redis".into()],
        ..size::Options::default()
    }
}

fn priced() -> size::Options {
    size::Options {
        prices: Some(serde_json::from_str(PRICES).unwrap()),
        ..options()
    }
}

const PRICES: &str = r#"{"date": "2026-11-01", "currency": "EUR", "region": "eu-central-1", "sizes": {
    "cache.r7g.large": {"on_demand_per_hour": 1.0, "reserved": {"years": 1, "upfront": 2000, "per_hour": 0.4}},
    "cache.r7g.xlarge": {"on_demand_per_hour": 2.0, "reserved": {"years": 1, "per_hour": 1.2}}}}"#;

#[test]
fn a_sizing_without_prices() {
    let report = size::judge(&demand(), &options());
    let doc = sizing(&report, Detail::default());
    for width in [80, 140] {
        insta::assert_snapshot!(format!("sizing_{width}"), told(&doc, width));
    }
    let text = told(&doc, 140);
    assert!(text.contains("--prices FILE"));
}

#[test]
fn a_sizing_with_prices() {
    let report = size::judge(&demand(), &priced());
    insta::assert_snapshot!(
        "sizing_priced",
        told(&sizing(&report, Detail::default()), 160)
    );
    insta::assert_snapshot!(
        "sizing_markdown",
        markdown::text(&sizing(&report, Detail::default()))
    );
    let json = json::envelope("tune", None, &report);
    for key in [
        "\"memory_paid_bytes\"",
        "\"on_demand_per_month\"",
        "\"growth_factor\"",
    ] {
        assert!(json.contains(key), "{key}");
    }
}

#[test]
fn nothing_that_holds_it_is_told_with_its_reasons() {
    let huge = Demand {
        data_bytes: 1 << 50,
        ..demand()
    };
    let options = size::Options {
        families: vec!["managed redis".into()],
        ..options()
    };
    let report = size::judge(&huge, &options);
    insta::assert_snapshot!(
        "sizing_none",
        told(&sizing(&report, Detail::default()), 100)
    );
}

#[test]
fn the_example_of_prices_is_the_one_in_the_code() {
    assert!(Prices::example().contains("on_demand_per_hour"));
}

/// What a drill writes as JSON is what the advice reads.
fn drilled() -> Drill {
    let (mut report, _) = failed();
    for outage in &mut report.outages {
        outage.restored_at.get_or_insert(40_000.0);
    }
    let text = json::envelope("failover-test", None, &report);
    json::open("failover-test", &text).unwrap()
}

fn evidence(drill: Option<Drill>) -> Evidence {
    let servers = drilled().conditions;
    Evidence {
        cluster: "goodbooks".into(),
        drill,
        servers,
        is_timeout_told: true,
        operations_per_second: Some(3_000.0),
        written_bytes_per_second: Some(2e6),
        keys: 780_000,
        expiring_keys: 400_000,
        bytes_per_key: Some(540.0),
        data_bytes: 421 << 20,
    }
}

#[test]
fn advice_after_a_drill() {
    let report = resilience::judge(&evidence(Some(drilled())), &resilience::Options::default());
    let doc = degradation(&report, Detail::default());
    for width in [80, 140] {
        insta::assert_snapshot!(format!("degradation_{width}"), told(&doc, width));
    }
    insta::assert_snapshot!("degradation_markdown", markdown::text(&doc));
}

#[test]
fn advice_without_a_drill() {
    let options = resilience::Options {
        max_redirections: Some(5),
        retry_on_fail: Some(false),
        processes: 4,
        ..resilience::Options::default()
    };
    let report = resilience::judge(&evidence(None), &options);
    let doc = degradation(&report, Detail::default());
    insta::assert_snapshot!("degradation_predicted", told(&doc, 100));
}
