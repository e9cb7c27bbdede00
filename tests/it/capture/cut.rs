//! The cut through all shards: cause and effect stay together, and a cluster that changes before it is
//! taken again and never glued.

use super::*;
use crate::support::Spec;

#[test]
fn in_every_snapshot_two_counters_differ_by_one() {
    let stage = Stage::of(3, 1);
    stage.sow(30);
    let counting = stage.count();
    for n in 0..20 {
        let outcome = stage.backup(&[]).run().expect(0);
        expect_together(&stage.proven(&outcome), n);
    }
    counting.end();
    stage.expect_as_before();
}

#[test]
fn with_long_logs_too_two_counters_differ_by_one() {
    let stage = Stage::of(3, 1);
    stage.sow(20);
    stage.slow(Duration::from_millis(20));
    let counting = stage.count();
    for n in 0..3 {
        let outcome = stage.backup(&["--parallel", "1"]).run().expect(0);
        let taken = stage.proven(&outcome);
        expect_together(&taken, n);
        let logged: i64 = (taken.shards.iter())
            .map(|shard| shard.increments(b"a") + shard.increments(b"b"))
            .sum();
        assert!(logged > 100, "{logged} increments came after their bases");
        assert!(snapshot(&outcome)["logged_slots"].as_u64().unwrap() >= 1);
    }
    counting.end();
}

#[track_caller]
fn expect_together(taken: &Snapshot, n: usize) {
    let (a, b) = (taken.counter("a"), taken.counter("b"));
    assert!(
        (0..=1).contains(&(a - b)),
        "snapshot {n}: a is {a}, b is {b}"
    );
}

#[test]
fn where_pausing_is_not_permitted_the_clock_cuts() {
    let stage = Stage::of(3, 0);
    stage.sow(10);
    for server in stage.fleet.iter() {
        let rights = [
            "on",
            ">pw",
            "~*",
            "&*",
            "+@all",
            "-client|pause",
            "-client|unpause",
        ];
        server.cli(&[&["ACL", "SETUSER", "weak"][..], &rights].concat());
    }
    let backup = |args: &[&str]| {
        let args = [&["--user", "weak"][..], args].concat();
        stage.backup(&args).env("REDIS_PASSWORD", "pw").run()
    };
    let refused = backup(&["--cut", "barrier"]).expect(1);
    assert_eq!(refused.stdout, "");
    for words in [
        "no snapshot was taken",
        "client|pause",
        "next: ",
        "--cut clock",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    stage.expect_as_before();
    // Who names no cut gets the best that is permitted, and is told which.
    let outcome = backup(&[]).expect(0);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    let words =
        "does not let writes be paused (the rule of user 'weak' does not allow client|pause)";
    assert!(remarks.contains(words), "{remarks}");
    assert_eq!(snapshot(&outcome)["cut"], "clock");
    let outcome = backup(&["--cut", "clock"]).expect(0);
    let report = snapshot(&outcome);
    assert_eq!(
        (&report["cut"], &report["consistent"]),
        (&"clock".into(), &false.into())
    );
    assert_eq!(report["write_stall_ms"], serde_json::Value::Null);
    assert_eq!(stage.proven(&outcome).keys(), 30);
    stage.expect_as_before();
}

#[test]
fn a_user_who_may_not_replicate_is_told_what_is_lacking() {
    let stage = Stage::of(3, 0);
    for server in stage.fleet.iter() {
        server.cli(&[
            "ACL", "SETUSER", "weak", "on", ">pw", "~*", "+@all", "-psync",
        ]);
    }
    let backup = |more: &[&str]| {
        let args = [&["--user", "weak"], more].concat();
        stage.backup(&args).env("REDIS_PASSWORD", "pw")
    };
    let refused = backup(&["--via", "psync"]).run().expect(1);
    for words in ["no snapshot was taken", "psync", "next: ", "+psync"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(run(stage.repository().snapshots()).unwrap(), []);
    stage.expect_as_before();

    // Without the option the keys are read one by one, and it is not called a snapshot.
    stage.sow(50);
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    for server in stage.fleet.iter() {
        server.cli(&["FUNCTION", "LOAD", library]);
    }
    let outcome = backup(&[]).run().expect(0);
    let report = &outcome.json()["report"];
    assert_eq!(report["snapshot"]["cut"], "scan");
    assert_eq!(report["snapshot"]["consistent"], false);
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("one by one"), "{remarks}");
    let repository = stage.repository();
    let scanned = run(repository.manifest("latest")).unwrap();
    let verified = run(repository.verify_objects(&scanned.id, true)).unwrap();
    assert_eq!(verified.faults, []);
    let functions = |part: &&goodcache::archive::Part| part.kind.as_str() == "functions";
    let part = scanned.parts.iter().find(functions).expect("the functions");
    assert_eq!(part.chunk.entries, 1);
    let outcome = stage.backup(&[]).run().expect(0);
    let replicated = stage.proven(&outcome).manifest;
    for shard in 0..3 {
        let table = |manifest| {
            run(repository.slot_table(manifest, shard))
                .unwrap()
                .unwrap()
        };
        let what = |manifest| -> Vec<_> {
            let rows = table(manifest).rows.into_iter();
            rows.map(|row| (row.slot, row.keys, row.expires, row.digest))
                .collect()
        };
        assert_eq!(what(&scanned), what(&replicated));
    }
}

/// Begins a snapshot shard by shard and stops it in the first base.
fn begun(stage: &Stage) -> (crate::support::Running, Held) {
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&["--parallel", "1"]).spawn();
    let held = stage.hold_base();
    stage.slow(Duration::ZERO);
    (running, held)
}

#[test]
fn after_a_failover_before_the_cut_it_is_taken_again() {
    let stage = Stage::of(3, 1);
    let (running, held) = begun(&stage);
    let promoted = &stage.fleet[if held.server == 3 { 4 } else { 3 }];
    promoted.cli(&["CLUSTER", "FAILOVER"]);
    until("the replica is a master", LIMIT, || {
        promoted.field(&["INFO", "replication"], "role").as_deref() == Some("master")
    });
    drop(held);
    expect_taken_again(&stage, &running.wait().expect(0));
    stage.expect_as_before();
}

#[test]
fn after_a_slot_moved_before_the_cut_it_is_taken_again() {
    let stage = Stage::of(3, 1);
    let (running, held) = begun(&stage);
    let from = &stage.fleet[0];
    let is_empty = |slot: &u16| from.cli(&["CLUSTER", "COUNTKEYSINSLOT", &slot.to_string()]) == "0";
    let slot = (1..1000).find(is_empty).unwrap().to_string();
    let to = stage.fleet[1].id();
    for n in [1, 0, 2] {
        stage.fleet[n].cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &to]);
    }
    stage.fleet.wait("the slot moved", |server| {
        let nodes = server.cli(&["CLUSTER", "NODES"]);
        let line = nodes.lines().find(|line| line.starts_with(&to)).unwrap();
        line.split(' ').any(|word| word == slot)
    });
    drop(held);
    let outcome = running.wait().expect(0);
    let taken = expect_taken_again(&stage, &outcome);
    let slot = goodcache::model::Slot::new(slot.parse().unwrap()).unwrap();
    assert!(!taken.manifest.shards[0].slots.contains(slot));
    assert!(taken.manifest.shards[1].slots.contains(slot));
    stage.expect_as_before();
}

#[track_caller]
fn expect_taken_again(stage: &Stage, outcome: &Outcome) -> Snapshot {
    let tries = snapshot(outcome)["tries"].as_u64().unwrap();
    assert!(tries >= 2, "{} {}", outcome.stdout, outcome.stderr);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    assert!(remarks.contains("taken again: "), "{remarks}");
    assert_eq!(run(stage.repository().snapshots()).unwrap().len(), 1);
    let taken = stage.proven(outcome);
    assert_eq!(taken.keys(), 60);
    taken
}

#[test]
fn a_replica_whose_master_does_not_answer_is_cut_by_the_clock() {
    let alone = |args: &[&str]| {
        Server::start_with(Spec {
            is_cluster: false,
            ..Spec::with_args(args)
        })
    };
    let mut master = alone(&[]);
    let follows = ["--replicaof", "127.0.0.1", &master.port().to_string()];
    let replica = alone(&follows);
    master.cli(&["SET", "a", "1"]);
    until("the replica has it", LIMIT, || {
        replica.cli(&["DBSIZE"]).trim() == "1"
    });
    // Frozen, so that the link still stands.
    master.pause();
    let home = Home::new();
    let folder = home.path().join("repository");
    let path = folder.display().to_string();
    let args = ["backup", &replica.addr(), "--repo", &path, "-o", "json"];
    let outcome = home.goodcache(&args).run().expect(0);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    let told = format!(
        "it is a replica of {}, where no write is paused: it is cut by the clock",
        master.addr()
    );
    assert!(remarks.contains(&told), "{remarks}");
    assert_eq!(snapshot(&outcome)["cut"], "clock");
    assert_eq!(prove(&open(&folder, None), "latest").keys(), 1);

    // Gone for good, it can still be read, if no longer by replication.
    master.kill();
    until("the replica notices", LIMIT, || {
        let link = replica.field(&["INFO", "replication"], "master_link_status");
        link.as_deref() == Some("down")
    });
    let outcome = home.goodcache(&args).run().expect(0);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    assert!(remarks.contains("keys are read one by one"), "{remarks}");
    assert_eq!(snapshot(&outcome)["keys"], 1);
}
