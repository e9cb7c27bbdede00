//! `tune --resilience`: what clients are told before a drill, and after one that really was.

use serde_json::Value;

use crate::failover::{Drilled, NAME};
use crate::support::Outcome;

fn advice(outcome: Outcome) -> Value {
    outcome.expect(0).json()["report"]["resilience"].clone()
}

/// The longest outage that ended, as the drill itself tells it.
fn longest(drill: &Value) -> f64 {
    let met = |outage: &Value| {
        let of = |key: &str| outage[key].as_f64().unwrap_or(0.0);
        of("longest_ms").max(of("client_unavailable_ms"))
    };
    let outages = drill["outages"].as_array().unwrap().iter();
    let ended = outages.filter(|outage| !outage["restored_at_ms"].is_null());
    ended.map(met).fold(0.0, f64::max)
}

#[test]
fn clients_ride_out_what_the_last_drill_measured() {
    let cluster = Drilled::of(1);
    let ask = ["tune", NAME, "--resilience", "--sample", "0s"];
    let json = [&ask[..], &["-o", "json"]].concat();
    let before = advice(cluster.home.goodcache(&json).run());
    let because = before["outage"]["source"]["predicted"]["because"].as_str();
    assert!(
        because.is_some_and(|text| text.contains("cluster-node-timeout 1000 ms (as set)")),
        "{before:#}"
    );
    let table = cluster.home.goodcache(&ask).run().expect(0).stdout;
    assert!(table.contains("PREDICTED"), "{table}");
    assert!(table.contains("goodcache failover-test drilled"), "{table}");

    // Whether it keeps its budgets on a busy machine is not asked here: it measures in any case.
    let drill = cluster.run(&["--fault", "kill"]);
    let report = drill.json()["report"].clone();
    let longest = longest(&report);
    assert!(longest > 0.0, "{report:#}");
    let after = advice(cluster.home.goodcache(&json).run());
    let measured = &after["outage"]["source"]["measured"];
    assert_eq!(measured["faults"], serde_json::json!(["kill"]), "{after:#}");
    assert_eq!(after["outage"]["longest_ms"], longest);
    let least = after["backoff"]["least_ms"].as_f64().unwrap();
    assert!(least >= longest * 1.5, "{after:#}");
    let table = cluster.home.goodcache(&ask).run().expect(0).stdout;
    assert!(table.contains("MEASURED"), "{table}");
    assert!(
        table.contains("measured in the last drill (kill)"),
        "{table}"
    );

    // The same from a file, and held against what the application is set to.
    cluster.home.file("drill.json", &drill.stdout);
    let given = [&json[..], &["--drill", "drill.json"]].concat();
    let given = cluster.home.goodcache(&given);
    let given = given.env("REDIS_CLUSTER_MAX_REDIRECTIONS", "1");
    let given = advice(given.env("REDIS_CLUSTER_RETRY_ON_FAIL", "false").run());
    assert_eq!(given["outage"], after["outage"]);
    let today = given["today"].as_array().unwrap();
    assert_eq!(today.len(), 2, "{given:#}");
    assert!(after["today"].as_array().unwrap().is_empty());

    cluster.home.file("none.json", "{}");
    let none = [&json[..], &["--drill", "none.json"]].concat();
    let none = cluster.home.goodcache(&none).run().expect(2);
    assert!(none.stderr.contains("failover-test NAME -o json"));
    assert_eq!(none.stdout, "");
}
