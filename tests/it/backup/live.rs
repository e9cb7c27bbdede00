//! `diff ID live`: what a cluster holds now, compared with a snapshot of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use goodcache::model::{Slot, SlotSet};

use super::Repo;
use super::boot::{capture, owner};
use crate::support::{Fleet, Outcome};

/// A cluster with some keys, and a snapshot of it.
fn taken() -> (Repo, Fleet) {
    let (repo, fleet) = (Repo::new(None), Fleet::cluster(3, 0));
    for key in 0..60 {
        let key = format!("key:{key}");
        owner(&fleet, &key).cli(&["SET", &key, "v"]);
    }
    for key in ["set", "hash", "list"] {
        let command = match key {
            "set" => &["SADD", key, "1", "2"][..],
            "hash" => &["HSET", key, "f", "1"],
            _ => &["RPUSH", key, "1"],
        };
        owner(&fleet, key).cli(command);
    }
    capture(&repo, &fleet, &[]);
    (repo, fleet)
}

fn diff(repo: &Repo, fleet: &Fleet, args: &[&str]) -> Outcome {
    let addr = fleet[1].addr();
    repo.backup(&[&["diff", "latest", "live", &addr][..], args].concat())
}

/// The keys that differ, each with what became of it.
fn keys(outcome: &Outcome) -> Vec<String> {
    let report = &outcome.json()["report"];
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let keys = report["keys"].as_array().unwrap().iter();
    let mut keys: Vec<_> = keys
        .map(|key| format!("{} {}", text(&key["key"]), text(&key["change"])))
        .collect();
    keys.sort();
    keys
}

#[test]
fn the_keys_that_the_cluster_has_changed_are_named() {
    let (repo, fleet) = taken();
    let settings = |name: &str| -> Vec<String> {
        let servers = fleet.iter();
        servers
            .map(|server| server.cli(&["CONFIG", "GET", name]))
            .collect()
    };
    let before = settings("repl-diskless-sync-delay");
    let same = diff(&repo, &fleet, &[]).expect(0);
    for words in [": SAME", "63 slots with keys", "not of one moment"] {
        assert!(same.stdout.contains(words), "{}", same.stdout);
    }
    diff(&repo, &fleet, &["--keys"]).expect(0);
    for (key, command) in [
        ("key:17", &["SET", "key:17", "other"][..]),
        ("key:18", &["DEL", "key:18"]),
        ("hash", &["HSET", "hash", "f", "2"]),
        ("key:5", &["PEXPIREAT", "key:5", "4102444800000"]),
        ("fresh", &["SET", "fresh", "1"]),
        // The same value again is no difference.
        ("set", &["SADD", "set", "1"]),
    ] {
        owner(&fleet, key).cli(command);
    }
    let slots = diff(&repo, &fleet, &[]).expect(3).stdout;
    assert!(slots.contains(": DIFFERENT — 5 of 64 slots"), "{slots}");
    let outcome = diff(&repo, &fleet, &["--keys", "-o", "json"]).expect(3);
    let expected = [
        "fresh added",
        "hash changed",
        "key:17 changed",
        "key:18 removed",
        "key:5 changed",
    ];
    assert_eq!(keys(&outcome), expected);
    let after = &outcome.json()["report"]["after"];
    assert_eq!((&after["id"], &after["keys"]), (&"live".into(), &63.into()));
    assert_eq!(
        (&after["shards"], &after["cluster"]),
        (&3.into(), &fleet[1].addr().into())
    );
    // Nothing was stored, and nothing was set.
    let listed = repo.backup(&["list", "-o", "json"]).expect(0).json();
    assert_eq!(listed["report"]["snapshots"].as_array().unwrap().len(), 1);
    assert_eq!(listed["report"]["unfinished"].as_array().unwrap().len(), 0);
    assert_eq!(settings("repl-diskless-sync-delay"), before);
}

#[test]
fn slots_that_the_log_changes_are_not_judged() {
    let (repo, fleet) = taken();
    for server in fleet.iter() {
        server.cli(&["CONFIG", "SET", "rdb-key-save-delay", "20000"]);
    }
    let over = Arc::new(AtomicBool::new(false));
    let is_over = over.clone();
    let mut wires: Vec<_> = fleet
        .iter()
        .map(|server| server.connect().unwrap())
        .collect();
    let writer = std::thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            for wire in &mut wires {
                // One of them has it.
                for key in ["x", "y", "z"] {
                    wire.ask(&["INCR", key]).unwrap();
                }
            }
        }
    });
    capture(&repo, &fleet, &["--parallel", "1"]);
    over.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    for server in fleet.iter() {
        server.cli(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    }
    let report = diff(&repo, &fleet, &["-o", "json"]).json()["report"].clone();
    let logged: SlotSet = report["logged"].as_str().unwrap().parse().unwrap();
    assert!(!logged.is_empty());
    let slots = report["slots"].as_array().unwrap().iter();
    let slots = slots.map(|diff| Slot::new(diff["slot"].as_u64().unwrap() as u16).unwrap());
    assert_eq!(slots.filter(|slot| logged.contains(*slot)).count(), 0);
    let told = diff(&repo, &fleet, &[]).stdout;
    assert!(told.contains("and are not judged: "), "{told}");
}

#[test]
fn the_snapshots_own_cluster_is_meant_where_it_is_known() {
    let (repo, fleet) = taken();
    // Taken by its address, which nobody follows from a snapshot.
    let refused = repo.backup(&["diff", "latest", "live"]).expect(2);
    assert!(
        refused.stderr.contains("no cluster is named"),
        "{}",
        refused.stderr
    );
    let nodes = fleet.addrs().join(", ");
    let text =
        format!("clusters:\n  shop:\n    nodes: [{nodes}]\n  other:\n    nodes: [127.0.0.1:1]\n");
    repo.home.file("goodcache.yaml", &text);
    repo.backup(&["shop"]).expect(0);
    let told = repo.backup(&["diff", "latest", "live"]).expect(0).stdout;
    assert!(told.contains("the cluster shop now: SAME"), "{told}");
    let failed = repo.backup(&["--cluster", "other", "diff", "latest", "live"]);
    assert_ne!(failed.code, 0, "{}", failed.stdout);
    let id = told.split(' ').next().unwrap();
    let failed = repo.backup(&["diff", id, "live", "other"]).expect(4);
    assert_eq!(failed.stdout, "");
    assert!(failed.stderr.contains("127.0.0.1:1"), "{}", failed.stderr);
    let misplaced = repo.backup(&["diff", id, id, "shop"]).expect(2);
    assert!(
        misplaced.stderr.contains("'shop' names a cluster"),
        "{}",
        misplaced.stderr
    );
}
