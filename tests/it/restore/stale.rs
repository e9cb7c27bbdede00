//! What an earlier run noted is believed only where it is still about this target, and still meant.

use std::path::PathBuf;

use super::faults::sown;
use super::*;
use crate::support::until;

/// A stage whose targets are called shop, as that cluster is now.
fn named(stage: &Stage, target: &Fleet) {
    let settings = format!("clusters:\n  shop:\n    nodes: {:?}\n", target.addrs());
    stage.home.file("goodcache.yaml", &settings);
}

fn journal(stage: &Stage) -> PathBuf {
    let state = stage.home.path().join("state/goodcache/data");
    state.join("shop.restore")
}

fn noted(stage: &Stage) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(journal(stage)).ok()?).ok()
}

/// Kills a restore into shop once some of the pieces are noted as being in.
fn killed(stage: &Stage, flags: &[&str]) {
    let words = [flags, &["--rate", "400KiB"]].concat();
    let mut running = stage.restore("shop", &words).spawn();
    until("a piece is noted", LIMIT, || {
        noted(stage).is_some_and(|noted| noted["done"].as_object().is_some_and(|d| !d.is_empty()))
    });
    running.kill();
    drop(running);
}

fn all(servers: &Fleet) -> u64 {
    keys(&servers.iter().collect::<Vec<_>>())
}

#[test]
fn another_cluster_of_that_name_is_given_all_of_it() {
    let stage = sown(6000);
    let first = empty(1);
    named(&stage, &first);
    killed(&stage, &[]);
    let second = empty(1);
    named(&stage, &second);
    let outcome = stage.restore("shop", &["--no-verify"]).run().expect(0);
    assert!(
        outcome.stderr.contains("none of the nodes"),
        "{}",
        outcome.stderr
    );
    assert_eq!(all(&second), all(&stage.source));
}

#[test]
fn a_target_that_was_emptied_since_is_given_all_of_it() {
    let stage = sown(6000);
    let target = empty(1);
    named(&stage, &target);
    killed(&stage, &[]);
    target[0].cli(&["FLUSHALL"]);
    let outcome = stage.restore("shop", &["--no-verify"]).run().expect(0);
    assert!(
        outcome.stderr.contains("emptied since"),
        "{}",
        outcome.stderr
    );
    assert_eq!(all(&target), all(&stage.source));
}

#[test]
fn more_than_a_day_later_it_must_be_meant_again() {
    let stage = sown(6000);
    let target = empty(1);
    named(&stage, &target);
    target[0].cli(&["SET", "own", "1"]);
    let flags = ["--replace", "--confirm", "shop"];
    killed(&stage, &flags);
    let mut old = noted(&stage).unwrap();
    for name in ["began_ms", "noted_ms"] {
        let ms = old[name].as_u64().unwrap();
        old[name] = (ms - 2 * 24 * 3_600_000).into();
    }
    std::fs::write(journal(&stage), old.to_string()).unwrap();
    let refused = stage.restore("shop", &["--replace"]).run().expect(5);
    assert!(
        refused.stderr.contains("--confirm shop"),
        "{}",
        refused.stderr
    );
    let outcome = stage.restore("shop", &flags).run();
    let told = outcome.stderr.clone();
    assert!(told.contains("which began 20"), "{told}");
    assert_eq!(proven(outcome)["is_resumed"], true);
    assert_eq!(all(&target), all(&stage.source) + 1);
}

#[test]
fn two_restores_into_one_target_do_not_run_at_once() {
    let stage = sown(6000);
    let target = empty(1);
    named(&stage, &target);
    let running = stage.restore("shop", &["--rate", "400KiB"]).spawn();
    until("keys arrive", LIMIT, || all(&target) > 100);
    let refused = stage.restore("shop", &[]).run().expect(5);
    let told = &refused.stderr;
    let holder = format!("process {}, since", running.pid());
    assert!(
        told.contains(&holder) && told.contains("next: wait"),
        "{told}"
    );
    // A look waits for nobody, and leaves the journal alone.
    let look = ["--dry-run", "--restart", "--skip-existing"];
    stage.restore("shop", &look).run().expect(0);
    assert!(journal(&stage).exists());
    proven(running.wait());
}
