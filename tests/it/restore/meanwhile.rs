//! What happens to the target's keys while it is restored.

use super::handmade::{dump, now_ms, take};
use super::*;
use crate::support::until;

/// A home with a snapshot of some thousand keys, one that ends soon, and a log.
fn snapshot(ends_ms: u64, log: &[&str]) -> Home {
    let (server, home) = (alone(), Home::new());
    let mut wire = server.connect().unwrap();
    for n in 0..4000 {
        let value = "v".repeat(100);
        wire.ask(&["SET", &format!("seed:{n}"), &value]).unwrap();
    }
    wire.ask(&["SET", "soon", "1", "PXAT", &ends_ms.to_string()])
        .unwrap();
    take(&home, &dump(&server), log);
    home
}

fn restore(home: &Home, target: &str, more: &[&str]) -> Goodcache {
    let url = home.path().join("repository").display().to_string();
    let mut words = vec!["restore", "latest", target, "--repo", &url, "-o", "json"];
    words.extend(more);
    home.goodcache(&words).within(LIMIT)
}

#[test]
fn a_key_that_ends_in_the_middle_is_no_fault() {
    let home = snapshot(now_ms() + 5000, &[]);
    let target = alone();
    let report = proven(restore(&home, &target.addr(), &["--rate", "100KiB"]).run());
    let sent = report["keys"].as_u64().unwrap() + report["expired"].as_u64().unwrap();
    assert_eq!(sent, 4001, "{report:#}");
    until("it is over", LIMIT, || {
        target.cli(&["EXISTS", "soon"]).trim() == "0"
    });
    assert_eq!(report["proof"]["keys_equal"], 4000, "{report:#}");
}

#[test]
fn keys_that_somebody_writes_meanwhile_stay_and_are_told() {
    let log = ["APPEND played x", "APPEND seed:1 x", "SET fresh 1"];
    let home = snapshot(now_ms() + 3_600_000, &log);
    let target = alone();
    let running = restore(&home, &target.addr(), &["--rate", "100KiB"]).spawn();
    until("keys arrive", LIMIT, || keys(&[&target]) > 100);
    let mut wire = target.connect().unwrap();
    let mut set = |key: &str, word: &str| {
        let said = wire.ask(&["SET", key, "app", word]).unwrap();
        said.text().is_ok_and(|said| said == "OK")
    };
    assert!(set("own", "NX") && set("played", "NX"));
    // One of the keys that have not come yet.
    let early = (0..4000).rev().map(|n| format!("seed:{n}"));
    let early = early.filter(|key| key != "seed:1");
    let early = early.into_iter().find(|key| set(key, "NX")).unwrap();
    let report = running.wait().expect(3).json()["report"].clone();
    for key in ["own", "played", &early] {
        assert_eq!(target.cli(&["GET", key]).trim(), "app", "{key}");
    }
    let first = report["proof"]["first"].as_array().unwrap();
    let found = |key: &str| first.iter().find(|fault| fault["key"] == key).unwrap()["how"].clone();
    assert_eq!(
        (found("own"), found(&early)),
        ("extra".into(), "different".into())
    );
    assert_eq!(
        (&report["in_the_way"], &report["kept"]),
        (&1.into(), &2.into())
    );
    assert_eq!(target.cli(&["GET", "fresh"]).trim(), "1");
    assert!(target.cli(&["GET", "seed:1"]).trim().ends_with("vx"));
    assert_eq!(keys(&[&target]), 4004);
}
