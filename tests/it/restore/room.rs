//! Room in the target: what is there already must not be held against what comes again.

use super::faults::sown;
use super::*;
use crate::support::until;

fn used(server: &Server) -> u64 {
    let told = server.cli(&["INFO", "memory"]);
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("used_memory:"));
    line.unwrap().trim().parse().unwrap()
}

fn limited(server: &Server, bytes: u64) {
    server.cli(&["CONFIG", "SET", "maxmemory", &bytes.to_string()]);
}

/// What all of the snapshot needs in the only master of the target, by the plan.
fn needs(stage: &Stage, addr: &str) -> u64 {
    let plan = stage.restore(addr, &["--dry-run"]).run().expect(0).json();
    plan["report"]["masters"][0]["needs_memory"]
        .as_u64()
        .unwrap()
}

/// A limit that all has room below, once, in an empty server that uses so much.
fn just_enough(needs: u64, empty: u64) -> u64 {
    (needs * 13 / 10).max(needs + empty + (256 << 10))
}

#[test]
fn lost_keys_come_back_into_a_cluster_that_is_more_than_half_full() {
    let stage = sown(6000);
    for server in stage.source.iter() {
        limited(server, used(server) * 10 / 7);
        for n in 0..60 {
            // Those of other slots are refused.
            let _ = server.ask(&["DEL", &format!("seed:{n}")]);
        }
    }
    let servers: Vec<&Server> = stage.source.iter().collect();
    let before = keys(&servers);
    let addr = stage.source[0].addr();
    let outcome = stage.restore(&addr, &["--undelete"]).run();
    assert!(outcome.stderr.contains("twice"), "{}", outcome.stderr);
    proven(outcome);
    assert_eq!(keys(&servers), before + 60);
    let replaced = ["--replace", "--confirm", &addr, "--dry-run"];
    stage.restore(&addr, &replaced).run().expect(0);
}

#[test]
fn killed_in_the_middle_it_goes_on_though_the_rest_alone_would_fit() {
    let stage = sown(6000);
    let target = empty(1);
    let addr = target[0].addr();
    let needs = needs(&stage, &addr);
    let limit = just_enough(needs, used(&target[0]));
    limited(&target[0], limit);
    let mut running = stage.restore(&addr, &["--rate", "500KiB"]).spawn();
    until("what is there and all again is too much", LIMIT, || {
        used(&target[0]) + needs > limit + (64 << 10)
    });
    running.kill();
    drop(running);
    let outcome = stage.restore(&addr, &[]).run();
    assert!(outcome.stderr.contains("going on"), "{}", outcome.stderr);
    proven(outcome);
}

#[test]
fn after_running_out_of_memory_a_limit_that_all_fits_below_is_enough() {
    let stage = sown(6000);
    let target = empty(1);
    let addr = target[0].addr();
    let needs = needs(&stage, &addr);
    let empty = used(&target[0]);
    let running = stage.restore(&addr, &["--rate", "500KiB"]).spawn();
    until("some of it is there", LIMIT, || {
        used(&target[0]) > empty + (1 << 20)
    });
    limited(&target[0], 1 << 20);
    let outcome = running.wait().expect(6);
    assert!(
        outcome.stderr.contains("raise maxmemory"),
        "{}",
        outcome.stderr
    );
    limited(&target[0], just_enough(needs, empty));
    proven(stage.restore(&addr, &[]).run());
}

/// Of some slots the snapshot knows what they hold; of a pattern it is known only when it was read.
#[test]
fn a_part_that_is_known_is_held_against_the_limit_and_another_is_told_with_its_bound() {
    let stage = sown(6000);
    let target = empty(1);
    let addr = target[0].addr();
    let policy = ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"];
    target[0].cli(&policy);
    limited(&target[0], used(&target[0]) + (256 << 10));
    let planned = |code: i32, part: [&str; 2]| {
        let plan = stage.restore(&addr, &[&part[..], &["--dry-run"]].concat());
        plan.run().expect(code).stdout
    };
    let most = planned(5, ["--slots", "0-16000"]);
    assert!(most.contains("drop keys without a word"), "{most}");
    let few = planned(0, ["--slots", "0-100"]);
    assert!(!few.contains("(allkeys-lru)"), "{few}");
    let fitting = planned(0, ["--keys", "seed:1?"]);
    assert!(fitting.contains("(allkeys-lru)"), "{fitting}");
}
