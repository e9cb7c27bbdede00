//! `tune --size`: a real cluster laid out on node sizes, ordered by the prices of a file.

use serde_json::Value;

use crate::support::{Fleet, Home, Server, goodcache};

/// Half a MiB in a key of a slot that this master has, the `n`th of three.
fn fill((n, server): (usize, &Server)) {
    let is_own = |key: &String| {
        let slot: usize = server.cli(&["CLUSTER", "KEYSLOT", key]).parse().unwrap();
        (n * 16_384 / 3..(n + 1) * 16_384 / 3).contains(&slot)
    };
    let mut keys = (0..200).map(|n| format!("book:{n}"));
    let key = keys.find(is_own).expect("a slot of 200 is its own");
    server.cli(&["SETRANGE", &key, "524288", "x"]);
}

fn sizes(report: &Value) -> Vec<&str> {
    let layouts = report["layouts"].as_array().unwrap().iter();
    layouts.map(|one| one["size"].as_str().unwrap()).collect()
}

const TWO_PRICES: &str = "date: 2026-11-01\ncurrency: EUR\nregion: here\nsizes:\n  \
    cache.m6g.large: {on_demand_per_hour: 2.0}\n  \
    cache.r7g.large: {on_demand_per_hour: 1.0}\n";

#[test]
fn a_cluster_is_laid_out_and_a_price_file_orders_by_cost() {
    let fleet = Fleet::cluster(3, 1);
    fleet.iter().take(3).enumerate().for_each(fill);
    let home = Home::new();
    home.file("prices.yaml", TWO_PRICES);
    let first = fleet[0].addr();
    let look = ["tune", &first, "--size", "--sample", "1s", "-o", "json"];
    let kept = ["--save-evidence", "seen.json", "--family", "elasticache"];
    let look = [&look[..], &kept].concat();
    let json = home.goodcache(&look).run().expect(0).json();
    let report = &json["report"]["size"];
    assert_eq!(json["command"], "tune");
    assert_eq!(report["demand"]["shards"], 3, "{report:#}");
    assert_eq!(report["demand"]["replicas"], 1, "{report:#}");
    let data = report["demand"]["data_bytes"].as_u64().unwrap();
    assert!((3 << 19..64 << 20).contains(&data), "{data}");
    assert!(report["demand"]["operations_per_second"].is_f64());
    for layout in report["layouts"].as_array().unwrap() {
        assert!(layout["load"]["memory"].as_f64().unwrap() <= 1.0);
        assert!(layout["cost"].is_null(), "{layout:#}");
    }
    // So little data is held by three of any size that is no instance as a whole.
    assert_eq!(report["layouts"][0]["shards"], 3, "{report:#}");

    let priced = ["tune", "--from", "seen.json", "--size"];
    let priced = [&priced[..], &["--prices", "prices.yaml"]].concat();
    let json = [&priced[..], &["-o", "json"]].concat();
    let json = home.goodcache(&json).run().expect(0).json();
    let report = &json["report"]["size"];
    assert_eq!(
        sizes(report)[..2],
        ["cache.r7g.large", "cache.m6g.large"],
        "{report:#}"
    );
    let cost = &report["layouts"][0]["cost"];
    assert_eq!(cost["on_demand_per_month"], 6.0 * 730.0);
    let table = home.goodcache(&priced).run().expect(0).stdout;
    assert!(table.contains("EUR of 2026-11-01, here"), "{table}");
    assert!(table.contains("4,380/month"), "{table}");
    let markdown = [&priced[..], &["-o", "markdown"]].concat();
    let markdown = home.goodcache(&markdown).run().expect(0).stdout;
    assert!(markdown.contains("| SIZE |"), "{markdown}");
}

#[test]
fn growth_is_measured_between_two_days_and_what_nothing_holds_ends_with_3() {
    let fleet = Fleet::cluster(3, 0);
    fleet.iter().enumerate().for_each(fill);
    let home = Home::new();
    let first = fleet[0].addr();
    let survey = ["check", &first, "--sample", "0s", "--save-survey"];
    home.goodcache(&[&survey[..], &["now.json"]].concat()).run();
    let mut earlier: Value =
        serde_json::from_slice(&std::fs::read(home.path().join("now.json")).unwrap()).unwrap();
    let day = &mut earlier["survey"]["taken_at_ms"];
    *day = (day.as_u64().unwrap() - 10 * 86_400_000).into();
    home.file("earlier.json", &earlier.to_string());
    let size = |more: &[&str]| {
        let words = ["tune", "--from", "now.json", "--size", "-o", "json"];
        home.goodcache(&[&words[..], more].concat()).run()
    };
    let told = size(&["--growth-since", "earlier.json"]).expect(0).json();
    let growth = &told["report"]["size"]["demand"]["growth"];
    assert_eq!(growth["source"]["measured"]["days_apart"], 10.0);
    assert_eq!(growth["percent_per_day"], 0.0);
    // The same day twice shows nothing, and that is said.
    let same = size(&["--growth-since", "now.json"]).expect(0);
    assert!(same.stderr.contains("shows no growth"), "{}", same.stderr);
    let told = &same.json()["report"]["size"]["demand"]["growth"];
    assert_eq!(told["source"], "unknown");

    let flood = ["--growth", "100%/day", "--horizon", "90d"];
    let none = size(&[&flood[..], &["--family", "t4g"]].concat()).expect(3);
    let none = none.json();
    let report = &none["report"]["size"];
    assert!(sizes(report).is_empty(), "{report:#}");
    assert_eq!(report["unfit"].as_array().unwrap().len(), 2);
}

#[test]
fn what_makes_no_sense_is_refused_before_a_node_is_asked() {
    let home = Home::new();
    let typo = TWO_PRICES.replace("r7g.large", "r7g.larg");
    home.file("typo.yaml", &typo);
    // Nobody listens there: exit 4 would mean that it had looked.
    let refused = |more: &[&str]| {
        let words = [&["tune", "127.0.0.1:1"], more].concat();
        home.goodcache(&words).run().expect(2).stderr
    };
    let told = refused(&["--size", "--prices", "typo.yaml"]);
    assert!(told.contains("'cache.r7g.larg'"), "{told}");
    assert!(told.contains("next: write 'cache.r7g.large'"), "{told}");
    let told = refused(&["--size", "--family", "r7h"]);
    assert!(told.contains("did you mean 'r7g'?"), "{told}");
    let told = refused(&["--size", "--growth", "10%"]);
    assert!(told.contains("10%/month"), "{told}");
    for more in [
        ["--size", "--apply"],
        ["--size", "--undo=x"],
        ["--size", "--resilience"],
        ["--resilience", "--apply"],
        ["--prices=x", "--sample=0s"],
        ["--drill=x", "--sample=0s"],
    ] {
        refused(&more);
    }
    let away = goodcache(&["tune", "127.0.0.1:1", "--size"]).run();
    assert_eq!(away.expect(4).stdout, "");
}
