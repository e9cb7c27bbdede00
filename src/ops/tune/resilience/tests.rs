use super::*;
use crate::health::testing::Cluster;

/// As `failover-test -o json` writes it, with keys that are not read.
fn report(outages: &str) -> String {
    format!(
        r#"{{
            "verdict": "passed", "cluster": "shop", "something_new": [1],
            "conditions": {{"vendor": "redis", "version": "8.10.1", "node_timeout_ms": 5000,
                "masters": 3, "nodes": 6, "is_full_coverage": true}},
            "load": {{"rate": 100, "client_timeout_ms": 200, "max_redirections": 5}},
            "rounds": [{{"round": 1, "fault": "kill"}}, {{"round": 2, "fault": "stop"}},
                {{"round": 3, "fault": "kill"}}],
            "outages": [{outages}],
            "latencies": [
                {{"shard": 1, "phase": "before", "p99_ms": 4.5}},
                {{"shard": 1, "phase": "during", "p99_ms": 2000.0}},
                {{"shard": 1, "phase": "after", "p99_ms": null}}],
            "outcomes": {{"good": 900, "no-connection": 100}},
            "writes": {{"acknowledged": 900, "lost": 3, "indeterminate": 1, "phantom": 0}}
        }}"#
    )
}

fn outage(shard: usize, longest_ms: f64, client_ms: f64, restored: &str) -> String {
    format!(
        r#"{{"round": 1, "shard": {shard}, "longest_ms": {longest_ms}, "client_unavailable_ms": {client_ms},
            "restored_at_ms": {restored}, "first_error_at": "2026-11-22T22:00:00Z"}}"#
    )
}

fn drill(outages: &[String]) -> Drill {
    serde_json::from_str(&report(&outages.join(","))).unwrap()
}

fn evidence(drill: Option<Drill>) -> Evidence {
    let masters = "used_memory_dataset:50000000\ndb0:keys=100000,expires=90000,avg_ttl=0\n";
    let cluster = (0..3).fold(Cluster::sound(), |cluster, n| {
        cluster.info(n, masters).later(
            n,
            "total_commands_processed:1001000\nmaster_repl_offset:201000\n",
        )
    });
    Evidence::from_survey(&cluster.survey(), drill)
}

fn setting<'a>(report: &'a Report, client: &str, name: &str) -> &'a Setting {
    let client = report.clients.iter().find(|c| c.name == client).unwrap();
    client.settings.iter().find(|s| s.name == name).unwrap()
}

#[test]
fn the_longest_outage_that_ended_is_ridden_out() {
    let drill = drill(&[
        outage(1, 7_000.0, 7_300.0, "9000.0"),
        outage(2, 8_000.0, 6_000.0, "9000.0"),
        outage(3, 32_000.0, 32_000.0, "null"),
    ]);
    let report = judge(&evidence(Some(drill)), &Options::default());
    assert!((report.outage.longest_ms - 8_000.0).abs() < 1e-9);
    assert!((report.outage.ride_out_ms - 12_000.0).abs() < 1e-9);
    let source = Source::Measured {
        outages: 3,
        faults: vec!["kill".into(), "stop".into()],
        endless: 1,
    };
    assert_eq!(report.outage.source, source);
    assert!(report.backoff.least_ms >= 12_000.0);
    assert!(report.notes[0].starts_with("1 outage did not end"));
    assert!(
        report.warm_up[1]
            .because
            .contains("3 of 900 acknowledged writes")
    );
}

#[test]
fn without_an_outage_that_ended_the_prediction_stands_in() {
    for (drill, note) in [
        (None, "measure it: goodcache failover-test shop"),
        (Some(drill(&[])), "met no outage"),
        (
            Some(drill(&[outage(1, 1.0, 1.0, "null")])),
            "no outage of the last drill ended",
        ),
    ] {
        let report = judge(&evidence(drill), &Options::default());
        // Node timeout 5 s: 1.6 T + 1.6 s.
        assert!((report.outage.longest_ms - 9_600.0).abs() < 1e-6);
        assert!(
            report.notes.iter().any(|n| n.contains(note)),
            "{note}: {:?}",
            report.notes
        );
    }
}

#[test]
fn the_settings_of_today_are_judged() {
    let today = |max_redirections, retry_on_fail| {
        let options = Options {
            max_redirections,
            retry_on_fail,
            ..Options::default()
        };
        judge(&evidence(None), &options).today
    };
    let told = today(Some(5), Some(false));
    assert!(told[0].starts_with("REDIS_CLUSTER_MAX_REDIRECTIONS=5 gives up before"));
    assert!(told[1].starts_with("REDIS_CLUSTER_RETRY_ON_FAIL=false"));
    assert!(today(Some(1000), Some(true)).is_empty());
    assert!(
        today(None, None).is_empty(),
        "what is not known is not blamed"
    );
}

#[test]
fn every_client_is_told_to_outlast_it() {
    let report = judge(&evidence(None), &Options::default());
    let number = |client, name| setting(&report, client, name).value.parse::<f64>().unwrap();
    let needed = report.outage.ride_out_ms;
    let pauses =
        number("ioredis", "maxRedirections") / 2.0 * number("ioredis", "retryDelayOnFailover");
    assert!(pauses >= needed);
    let limit = number("environment", "REDIS_CLUSTER_MAX_REDIRECTIONS");
    assert!(limit > f64::from(report.backoff.attempts) * 2.0);
    let lettuce = &setting(&report, "Lettuce", "TimeoutOptions.fixedTimeout").value;
    assert_eq!(*lettuce, format!("{} ms", needed.ceil()));
    // Its first pause is 2 x base, so that its pauses are those of the schedule.
    let python = &report.clients[1].paste.join("\n");
    let tries = report.backoff.attempts;
    assert!(
        python.contains(&format!("EqualJitterBackoff(cap=2, base=0.025), {tries},")),
        "{python}"
    );
    for client in &report.clients {
        assert!(!client.paste.is_empty());
        assert!(
            client.settings.iter().all(|s| !s.because.is_empty()),
            "{}",
            client.name
        );
    }
}

#[test]
fn timeouts_lie_between_operations_and_the_node_timeout() {
    let of = |node_timeout_ms, p99_ms: Option<f64>| {
        let mut evidence = evidence(p99_ms.map(|p99| {
            let mut drill = drill(&[]);
            drill.latencies[0].p99_ms = Some(p99);
            drill
        }));
        evidence.servers.node_timeout_ms = node_timeout_ms;
        timeouts::timeouts(&evidence)
    };
    for (node_timeout, p99, connect, command, refresh) in [
        (2_000, None, 500, 500, 5_000),
        (15_000, None, 1_000, 1_000, 15_000),
        (500, Some(1.0), 250, 250, 5_000),
        (2_000, Some(400.0), 500, 1_600, 5_000),
        (60_000, Some(1.0), 1_000, 1_000, 30_000),
    ] {
        let told = of(node_timeout, p99);
        assert_eq!(
            (told.connect_ms, told.command_ms, told.refresh_ms),
            (connect, command, refresh)
        );
    }
    assert_eq!(of(2_000, None).connect_s(), "0.5");
}

#[test]
fn the_fallback_holds_what_is_asked_for_meanwhile() {
    // 3,000 operations a second for 14.4 s, all shards, as full coverage is required.
    let told = judge(&evidence(None), &Options::default()).fallback;
    assert_eq!(told.requests, Some(43_200));
    assert_eq!((told.entries, told.sessions), (Some(43_200), Some(270_000)));
    assert_eq!(told.session_bytes, Some(500));
    assert_eq!(told.bytes, Some(43_200 * 700));
    assert_eq!(told.keep_s, 15);
    let shared = Options {
        processes: 8,
        sessions: Some(2_000),
        session_bytes: Some(800),
        ..Options::default()
    };
    let told = judge(&evidence(None), &shared).fallback;
    assert_eq!((told.entries, told.bytes), (Some(2_000), Some(2_000_000)));
    let mut partly = evidence(None);
    partly.servers.is_full_coverage = false;
    assert_eq!(
        judge(&partly, &Options::default()).fallback.requests,
        Some(14_400)
    );
    let mut unknown = evidence(None);
    unknown.operations_per_second = None;
    let told = judge(&unknown, &Options::default()).fallback;
    assert_eq!(
        (told.requests, told.entries),
        (None, Some(270_000)),
        "all of them, to be safe"
    );
}

#[test]
fn a_restore_takes_a_part_of_the_usual_writes() {
    let mut evidence = evidence(None);
    evidence.written_bytes_per_second = Some(100.0 * 1024.0 * 1024.0);
    let steps = judge(&evidence, &Options::default()).warm_up;
    let restore = steps[2].command.as_ref().unwrap();
    assert_eq!(
        restore,
        "goodcache restore latest shop --undelete --order hottest --rate 30720KiB --max-latency 20ms"
    );
    assert!(steps[2].because.contains("30 % of what is written"));
    evidence.written_bytes_per_second = None;
    let steps = judge(&evidence, &Options::default()).warm_up;
    assert!(
        steps[2]
            .command
            .as_ref()
            .unwrap()
            .contains("--rate 1024KiB")
    );
}

#[test]
fn a_drill_of_another_day_is_told_as_such() {
    let mut old = drill(&[outage(1, 3_000.0, 3_000.0, "5000.0")]);
    old.conditions.node_timeout_ms = 1000;
    old.conditions.masters = 5;
    old.cluster = "warehouse".into();
    let notes = judge(&evidence(Some(old)), &Options::default())
        .notes
        .join("\n");
    assert!(
        notes.contains("with cluster-node-timeout 1000 ms, now it is 5000 ms"),
        "{notes}"
    );
    assert!(notes.contains("with 5 masters, now there are 3"), "{notes}");
    assert!(notes.contains("a cluster called warehouse"), "{notes}");
}

#[test]
fn a_silent_cluster_gives_unknowns_and_not_zeros() {
    use crate::model::Silence;
    let silent = (0..6).fold(Cluster::sound(), |c, n| c.silent(n, Silence::Refused));
    let evidence = Evidence::from_survey(&silent.survey(), None);
    assert_eq!(evidence.operations_per_second, None);
    assert_eq!(evidence.bytes_per_key, None);
    assert!(!evidence.is_timeout_told);
    assert_eq!(evidence.servers.node_timeout_ms, 15_000);
    let told = judge(&evidence, &Options::default()).fallback;
    assert_eq!((told.entries, told.bytes), (None, None));
}
