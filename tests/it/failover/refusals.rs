//! What would lose data or quorum, what nobody agreed to, and what makes no sense: told, and nothing
//! changed.

use super::*;
use crate::support::{signal, until};

#[test]
fn what_nobody_could_survive_is_refused() {
    let cluster = Drilled::of(0);
    let lonely = cluster.run(&["--even-if", "shard.no_replica"]).expect(5);
    assert!(
        lonely
            .stderr
            .contains("nobody could take over shard 1: it has no replica"),
        "{}",
        lonely.stderr
    );
    assert!(
        lonely.stderr.contains("--accept no-successor"),
        "{}",
        lonely.stderr
    );
    let rolling = ["--rolling-restart", "--even-if", "shard.no_replica"];
    let rolling = cluster.run(&rolling).expect(5);
    assert!(
        rolling.stderr.contains("nobody could take over"),
        "{}",
        rolling.stderr
    );
    let accepted = ["failover-test", NAME, "--accept", "no-successor"];
    let nobody = cluster.home.goodcache(&accepted).run().expect(5);
    assert!(
        nobody.stderr.contains(&format!("--confirm {NAME}")),
        "{}",
        nobody.stderr
    );
    let other = cluster
        .home
        .goodcache(&[accepted.as_slice(), &["--confirm", "other"]].concat());
    let other = other.run().expect(5);
    assert!(
        other.stderr.contains("is called 'drilled'"),
        "{}",
        other.stderr
    );
    assert!(other.stdout.is_empty());
    assert!(!cluster.is_broken());
}

#[test]
fn names_that_nobody_has_are_told_with_those_that_there_are() {
    let cluster = Drilled::of(0);
    for (args, words) in [
        (&["--shard", "9"][..], "numbered 1 to 3"),
        (&["--node", "127.0.0.1:1"], "its nodes are 127.0.0.1:"),
        (&["--on-host", "elsewhere"], "there are 127.0.0.1"),
        (&["--on-zone", "a"], "there are none"),
        (&["--fault", "explode"], "[possible values: stop, kill"),
        (&["--seed", "1"], "--random"),
        (&["--scenario", "none.yaml"], "could not read none.yaml"),
        (&["--role", "replica"], "has no replica"),
        (&["--max-outage", "5"], "has no unit"),
        (&["--fault", "pauze"], "a similar value exists: 'pause'"),
        (&["--even-if", "node.dwon"], "did you mean 'node.down'?"),
        (&["--even-if", "x,y"], "no finding with the code 'x'"),
    ] {
        let outcome = cluster.run(args).expect(2);
        assert!(
            outcome.stderr.contains(words),
            "{args:?}: {}",
            outcome.stderr
        );
        assert_eq!(outcome.stdout, "");
    }
}

#[test]
fn faults_that_a_process_cannot_have_are_refused_with_where_they_can() {
    let cluster = Drilled::of(1);
    let isolated = cluster.run(&["--fault", "isolate"]).expect(5);
    assert!(isolated.stderr.contains("Docker"), "{}", isolated.stderr);
    let asleep = cluster.run(&["--fault", "sleep"]).expect(5);
    assert!(
        asleep.stderr.contains("enable-debug-command"),
        "{}",
        asleep.stderr
    );
    let deaf = cluster.run(&["--fault", "isolate-bus"]).expect(5);
    assert!(
        deaf.stderr.contains("enable-debug-command") && deaf.stderr.contains("isolate-peers"),
        "{}",
        deaf.stderr
    );
    let via = cluster.run(&["--via", "hooks"]).expect(5);
    assert!(via.stderr.contains("hooks"), "{}", via.stderr);
}

#[test]
fn an_unsound_cluster_is_not_drilled() {
    let cluster = Drilled::of(1);
    let frozen = cluster.pid(4);
    signal(frozen, "STOP");
    let refused = cluster.run(&["--shard", "1"]);
    signal(frozen, "CONT");
    let refused = refused.expect(5);
    assert!(refused.stderr.contains("node.down"), "{}", refused.stderr);
    assert!(refused.stderr.contains("--even-if"), "{}", refused.stderr);
}

#[test]
fn a_restart_that_would_empty_the_shard_is_refused_and_done_when_that_is_the_purpose() {
    let cluster = Drilled::of(1);
    for n in 0..cluster.nodes {
        let mut wire = cluster.wire(n);
        for (name, value) in [("appendonly", "no"), ("save", "")] {
            wire.ask(&["CONFIG", "SET", name, value])
                .unwrap()
                .text()
                .unwrap();
        }
        // A started process reads its file, which create wrote.
        wire.ask(&["CONFIG", "REWRITE"]).unwrap().text().unwrap();
    }
    let refused = cluster.run(&["--fault", "fast-restart"]).expect(5);
    assert!(refused.stderr.contains("it is empty"), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("--accept wipe"),
        "{}",
        refused.stderr
    );
    let wiped = cluster
        .run(&["--fault", "fast-restart", "--accept", "wipe"])
        .expect(3);
    let report = report(&wiped);
    assert_eq!(report["verdict"], "failed");
    // All that was acknowledged in the second before it was there, and is gone.
    assert!(number(&report, "/writes/lost") > 300.0, "{report:#}");
    cluster.expect_whole();
}

#[test]
fn a_cluster_that_nobody_answers_for_is_not_drilled() {
    let home = Home::new();
    let args = ["failover-test", "127.0.0.1:1", "--confirm", "127.0.0.1:1"];
    let outcome = home.goodcache(&args).run().expect(4);
    assert!(outcome.stderr.contains("refused"), "{}", outcome.stderr);
}

#[test]
fn a_replica_that_may_not_stand_is_no_successor() {
    let cluster = Drilled::of(1);
    let barred = ["CONFIG", "SET", "cluster-replica-no-failover", "yes"];
    cluster.wire(3).ask(&barred).unwrap().text().unwrap();
    let is_seen = || {
        let nodes = cluster.wire(1).ask(&["CLUSTER", "NODES"]).unwrap();
        nodes.text().unwrap().contains("nofailover")
    };
    until("the others know it", LIMIT, is_seen);
    let even_if = ["--even-if", "shard.no_replica"];
    let refused = cluster.run(&even_if).expect(5);
    assert!(
        refused.stderr.contains("barred from election"),
        "{}",
        refused.stderr
    );
}

#[test]
fn an_engine_that_is_not_there_is_told() {
    let cluster = Drilled::of(1);
    let drill = cluster.drill(&["--via", "docker"]);
    let refused = drill
        .env("DOCKER_HOST", "unix:///no/such/socket")
        .run()
        .expect(5);
    assert!(
        refused.stderr.contains("no such socket"),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("next:"), "{}", refused.stderr);
}
