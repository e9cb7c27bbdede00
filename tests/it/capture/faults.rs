//! A source that dies or freezes in the middle of its base.

use super::*;

#[test]
fn a_source_killed_in_the_middle_is_replaced() {
    let mut stage = Stage::of(3, 1);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&["--parallel", "1"]).spawn();
    let held = stage.hold_base();
    stage.slow(Duration::ZERO);
    let killed = stage.fleet[held.server].addr();
    stage.fleet[held.server].kill();
    drop(held);
    let outcome = running.wait().expect(0);
    assert!(snapshot(&outcome)["tries"].as_u64().unwrap() >= 2);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    assert!(remarks.contains("taken again: shard"), "{remarks}");
    assert!(remarks.contains(&killed), "{remarks}");
    assert_eq!(stage.proven(&outcome).keys(), 60);
    stage.expect_no_pause();
}

#[test]
fn a_master_killed_in_the_middle_is_replaced_when_another_was_elected() {
    let mut stage = Stage::of(3, 1);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage
        .backup(&["--from", "masters", "--parallel", "1"])
        .spawn();
    let held = stage.hold_base();
    stage.slow(Duration::ZERO);
    let n = held.server;
    stage.fleet[n].kill();
    drop(held);
    let outcome = running.wait().expect(0);
    assert!(snapshot(&outcome)["tries"].as_u64().unwrap() >= 2);
    let taken = stage.proven(&outcome);
    assert_eq!(taken.keys(), 60);
    let elected = stage.fleet[n + 3].id();
    let read = taken
        .manifest
        .shards
        .iter()
        .filter_map(|shard| shard.read_from.as_ref());
    assert!(read.into_iter().any(|node| node.to_string() == elected));
}

#[test]
fn a_cluster_that_stays_broken_is_the_reason_within_a_bounded_time() {
    let mut stage = Stage::of(3, 0);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&["--parallel", "1"]).spawn();
    let held = stage.hold_base();
    let addr = stage.fleet[held.server].addr();
    stage.fleet[held.server].kill();
    drop(held);
    let outcome = running.wait().expect(1);
    assert_eq!(outcome.stdout, "");
    for words in ["no snapshot was taken", &addr, "next: "] {
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
    }
    assert!(
        outcome.elapsed < Duration::from_secs(45),
        "{:?}",
        outcome.elapsed
    );
    assert_eq!(run(stage.repository().snapshots()).unwrap(), []);
}

#[test]
fn a_source_frozen_in_the_middle_is_noticed_and_has_its_settings_back() {
    let stage = Stage::of(3, 1);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&["--parallel", "1"]).within(LIMIT * 2).spawn();
    let held = stage.hold_base();
    let n = held.server;
    // They are put back while its child writes, so that nothing is left to do on a node that hangs.
    until("the settings are as before", LIMIT, || {
        let server = &stage.fleet[n];
        stage.setting(server, DELAY) == "5" && stage.setting(server, COMPRESSION) == "yes"
    });
    stage.fleet[n].pause();
    for server in stage
        .fleet
        .iter()
        .filter(|server| server.addr() != stage.fleet[n].addr())
    {
        server.cli(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    }
    let outcome = running.wait();
    drop(held);
    stage.fleet[n].resume();
    let outcome = outcome.expect(0);
    assert!(
        outcome.elapsed < Duration::from_secs(60),
        "{:?}",
        outcome.elapsed
    );
    assert_eq!(stage.proven(&outcome).keys(), 60);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    assert!(remarks.contains("did not answer within"), "{remarks}");
    assert!(!remarks.contains("config set"), "{remarks}");
    stage.set("rdb-key-save-delay", "0");
    stage.fleet.wait_usable(3);
    stage.backup(&[]).run().expect(0);
    stage.expect_as_before();
}
