//! Planted losses: replication is held back while writes are acknowledged, then the master dies. What
//! is gone is counted again by a reader that looks into the dead master's own append-only file.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;
use crate::support::resp::encode;
use crate::support::until;

/// The keys of the load that an append-only file has.
fn keys_in(folder: &Path) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let bytes = std::fs::read(file.path()).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.split("\r\n");
        keys.extend(
            lines
                .filter(|line| line.starts_with("goodcache:drill:"))
                .map(str::to_owned),
        );
    }
    keys
}

#[test]
fn planted_losses_are_counted_exactly_large() {
    let cluster = Drilled::of(1);
    let mut master = cluster.wire(0);
    let aof = cluster
        .home
        .path()
        .join("state/goodcache/data")
        .join(NAME)
        .join(cluster.base.to_string())
        .join("appendonlydir");
    let running = cluster.drill(&["--fault", "kill", "--shard", "1"]).spawn();
    until("the load writes", LIMIT, || {
        let size = master
            .ask(&["DBSIZE"])
            .ok()
            .and_then(|size| size.text().ok());
        size.is_some_and(|size| size.parse::<u64>().unwrap() > 20)
    });
    // From here on nothing that is acknowledged reaches the replica.
    master
        .ask(&["CONFIG", "SET", "repl-diskless-sync-delay", "60"])
        .unwrap();
    master
        .ask(&["CONFIG", "SET", "repl-backlog-size", "16kb"])
        .unwrap();
    hold_back(&mut master);
    until("the master is dead", LIMIT, || {
        Wire::plain(&cluster.addr(0), Duration::from_millis(100)).is_err()
    });
    let written = keys_in(&aof);
    let mut promoted = cluster.wire(3);
    until("the replica leads", LIMIT, || {
        let info = promoted.ask(&["INFO", "replication"]).unwrap();
        info.text().unwrap().contains("role:master")
    });
    let counted = written
        .iter()
        .filter(|key| {
            let there = promoted.ask(&["EXISTS", key]).unwrap();
            there.text().unwrap() == "0"
        })
        .count();
    let outcome = running.wait().expect(3);
    let report = report(&outcome);
    let lost = number(&report, "/writes/lost");
    let unknown = number(&report, "/writes/indeterminate");
    assert!(counted > 50, "too little was held back: {counted}");
    let counted = counted as f64;
    assert!(
        (lost..=lost + unknown).contains(&counted),
        "{lost} lost and {unknown} unknown by the report, {counted} by the reader: {report:#}"
    );
    assert_eq!(report["verdict"], "failed");
    cluster.expect_whole();
}

/// The replica's link is cut, and its next one needs more than the backlog has: a full copy, which the
/// master delays by a minute. All of it in one flight, so that the replica cannot be back in between.
fn hold_back(master: &mut Wire) {
    let filler = "x".repeat(64 * 1024);
    let mut flight = Vec::new();
    encode(&mut flight, &[b"CLIENT", b"KILL", b"TYPE", b"replica"]);
    for _ in 0..8 {
        let set = [
            b"SET".as_slice(),
            b"{06S}filler",
            filler.as_bytes(),
            b"EX",
            b"60",
        ];
        encode(&mut flight, &set);
    }
    master.send(&flight).unwrap();
    for _ in 0..9 {
        master.read().unwrap().text().unwrap();
    }
}
