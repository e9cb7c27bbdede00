//! Each fault on local processes: what it does to the cluster, and that it is put back.

use super::*;

#[test]
fn a_killed_master_is_replaced_and_comes_back_matrix() {
    let cluster = Drilled::of(1);
    let report = sound(cluster.run(&["--fault", "kill"]));
    expect_promotion(&report, &cluster.addr(0));
    assert_eq!(report["promotions"][0]["to"], cluster.addr(3), "{report:#}");
    let outage = number(&report, "/outages/0/unavailable_ms");
    // Node timeout 1 s: no sooner, and with an election and some luck not much later.
    assert!((900.0..6000.0).contains(&outage), "{outage} ms");
    for term in ["detection", "agreement", "election", "total"] {
        let terms = report["terms"].as_array().unwrap();
        let found = terms.iter().find(|found| found["name"] == term);
        assert!(
            found.unwrap()["measured_ms"].is_number(),
            "{term}: {report:#}"
        );
    }
    cluster.expect_whole();
}

#[test]
fn frozen_stopped_and_shut_down_masters_are_replaced_and_lead_again() {
    let cluster = Drilled::of(1);
    for fault in ["pause", "stop", "shutdown"] {
        let report = sound(cluster.run(&["--fault", fault, "--restore-roles"]));
        expect_promotion(&report, &cluster.addr(0));
        cluster.expect_whole();
    }
}

#[test]
fn places_changed_in_agreement_are_hardly_felt_matrix() {
    let cluster = Drilled::of(1);
    let report = sound(cluster.run(&["--fault", "failover", "--max-outage", "1s"]));
    assert_eq!(report["promotions"][0]["to"], cluster.addr(3), "{report:#}");
    cluster.expect_whole();
}

#[test]
fn a_lost_replica_costs_no_write() {
    let cluster = Drilled::of(1);
    let report = sound(cluster.run(&["--role", "replica", "--max-outage", "200ms"]));
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    assert_ne!(report["recovery"]["resync"], "none", "{report:#}");
    cluster.expect_whole();
}

#[test]
fn a_restart_before_anybody_notices_keeps_what_the_append_only_file_has() {
    let cluster = Drilled::of(1);
    let report = sound(cluster.run(&["--fault", "fast-restart", "--shard", "2"]));
    // The server's own wait of 2 s, which makes up nearly all of it, has a name.
    let terms = report["terms"].as_array().unwrap();
    let delay = terms.iter().find(|term| term["name"] == "delay").unwrap();
    assert!(number(delay, "/measured_ms") > 1500.0, "{report:#}");
    assert_eq!(report["dominant"]["name"], "delay", "{report:#}");
    assert_eq!(report["writes"]["lost"], 0, "{report:#}");
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    cluster.expect_whole();
}

#[test]
fn every_node_is_restarted_in_turn_with_hardly_a_gap() {
    let cluster = Drilled::of(1);
    let report = sound(cluster.run(&["--rolling-restart", "--max-outage", "1s"]));
    // A round for each of six nodes, and three in which a master hands over.
    assert_eq!(report["rounds"].as_array().unwrap().len(), 9, "{report:#}");
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        3,
        "{report:#}"
    );
    assert_eq!(report["writes"]["lost"], 0, "{report:#}");
    cluster.expect_whole();
}

#[test]
fn a_slow_master_stays_master() {
    let cluster = Drilled::of(1);
    let outcome = cluster.run(&["--fault", "slow", "--down-for", "2s"]);
    let report = report(&outcome);
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    let during = |latency: &&Value| latency["shard"] == 1 && latency["phase"] == "during";
    let latencies = report["latencies"].as_array().unwrap();
    let slow = latencies.iter().find(during).unwrap();
    assert!(slow["p99_ms"].as_f64().unwrap() > 20.0, "{report:#}");
    cluster.expect_whole();
}

#[test]
fn a_second_failure_during_the_recovery_and_the_loss_of_a_whole_shard_heal() {
    let cluster = Drilled::of(1);
    let two = ["--fault", "kill", "--then", "kill", "--then-shard", "2"];
    let refused = cluster.run(&two).expect(5);
    assert!(
        refused.stderr.contains("--accept quorum-loss"),
        "{}",
        refused.stderr
    );
    let mut accepted = two.to_vec();
    accepted.extend(["--accept", "quorum-loss", "--max-outage", "60s"]);
    let report_ = sound(cluster.run(&accepted));
    assert_eq!(report_["writes"]["lost"], 0, "{report_:#}");
    cluster.expect_whole();
    let whole = ["--whole-shard", "--shard", "3", "--max-outage", "60s"];
    let refused = cluster.run(&whole).expect(5);
    assert!(
        refused.stderr.contains("--accept shard-loss"),
        "{}",
        refused.stderr
    );
    let mut accepted = whole.to_vec();
    accepted.extend(["--accept", "shard-loss"]);
    let report = sound(cluster.run(&accepted));
    let struck = |outage: &&Value| outage["shard"] == 3;
    let outages = report["outages"].as_array().unwrap();
    assert!(outages.iter().any(|outage| struck(&outage)), "{report:#}");
    cluster.expect_whole();
}
