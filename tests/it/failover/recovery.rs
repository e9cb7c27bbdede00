//! What a drill does when the cluster does not do its part: bounded waiting, healing all the same, and
//! repairs that the servers do not make themselves.

use super::*;
use crate::support::until;

#[test]
fn a_cluster_that_never_recovers_is_healed_when_the_time_is_up_and_fails() {
    let cluster = Drilled::of(1);
    let mut replica = cluster.wire(3);
    let running = cluster
        .drill(&["--fault", "pause", "--timeout", "8s"])
        .spawn();
    until("something is broken", LIMIT, || cluster.is_broken());
    let barred = ["CONFIG", "SET", "cluster-replica-no-failover", "yes"];
    replica.ask(&barred).unwrap().text().unwrap();
    let outcome = running.wait().expect(3);
    let report = report(&outcome);
    assert_eq!(report["verdict"], "failed");
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("shard 1"), "{report:#}");
    replica
        .ask(&["CONFIG", "SET", "cluster-replica-no-failover", "no"])
        .unwrap();
    cluster.expect_whole();
}

#[test]
fn nodes_that_forgot_each_other_are_introduced_again() {
    let cluster = Drilled::of(1);
    let (forgetful, forgotten) = (cluster.wire(1), cluster.wire(5));
    let (mut forgetful, mut forgotten) = (forgetful, forgotten);
    let id = forgotten.ask(&["CLUSTER", "MYID"]).unwrap().text().unwrap();
    let running = cluster
        .drill(&["--fault", "pause", "--timeout", "30s"])
        .spawn();
    until("something is broken", LIMIT, || cluster.is_broken());
    // For a minute gossip does not bring it back; up to 7.0 only this one node forgets it.
    forgetful
        .ask(&["CLUSTER", "FORGET", &id])
        .unwrap()
        .text()
        .unwrap();
    let outcome = running.wait();
    let report = report(&outcome);
    assert!(
        report["notes"].to_string().contains("CLUSTER MEET"),
        "{report:#}"
    );
    assert_eq!(
        report["rounds"][0]["not_whole"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    cluster.expect_whole();
}

#[test]
fn the_loss_of_a_zone_is_survived_when_masters_and_replicas_stand_apart() {
    let cluster = Drilled::of(1);
    // Zone a holds the master of shard 1 and the replica of shard 2.
    let zones: Vec<String> = (0..6)
        .map(|n| {
            format!(
                "{}={}",
                cluster.addr(n),
                if n == 0 || n == 4 { "a" } else { "b" }
            )
        })
        .collect();
    let mut args = vec!["--fault", "pause", "--on-zone", "a"];
    for zone in &zones {
        args.extend(["--zone", zone]);
    }
    let report = sound(cluster.run(&args));
    expect_promotion(&report, &cluster.addr(0));
    assert_eq!(
        report["rounds"][0]["targets"].as_array().unwrap().len(),
        2,
        "{report:#}"
    );
    cluster.expect_whole();
}
