//! A snapshot of whatever server version there is, with data of each type that it knows.

use super::*;
use crate::support::Spec;

#[test]
fn matrix_a_cluster_is_taken_with_every_type() {
    let stage = Stage::of(3, 0);
    let filled = stage.fill(None);
    let owner = stage.owner("{x}h");
    owner.cli(&["DEL", "{x}h"]);
    let mut more = 0;
    for command in [
        &["HSET", "{x}h", "f", "1", "g", "2"][..],
        &["PFADD", "{x}p", "a", "b"],
        &["GEOADD", "{x}g", "1", "2", "here"],
        &["SETBIT", "{x}b", "7", "1"],
        &["SADD", "{x}i", "1", "2", "3"],
        &["XADD", "{x}s", "1-1", "f", "v"],
    ] {
        owner.cli(command);
        more += 1;
    }
    // Redis from 7.4 on, Valkey from 9 on.
    let _ = owner.ask(&["HPEXPIRE", "{x}h", "10000000", "FIELDS", "1", "f"]);
    let taken = stage.proven(&stage.backup(&[]).run().expect(0));
    assert_eq!(taken.keys(), filled + more);
    let slots = taken
        .shards
        .iter()
        .map(|shard| shard.contents.table.rows.len());
    assert!(slots.sum::<usize>() > 300);
    stage.expect_as_before();
}

#[test]
fn matrix_a_server_on_its_own_is_a_cluster_of_one_shard() {
    let server = Server::start_with(Spec {
        is_cluster: false,
        ..Spec::default()
    });
    server.cli(&["CONFIG", "SET", DELAY, "5"]);
    server.cli(&["SET", "a", "1"]);
    server.cli(&["RPUSH", "b", "1", "2"]);
    server.cli(&["SET", "c", "1", "EX", "10000"]);
    let home = Home::new();
    let folder = home.path().join("repository");
    let path = folder.display().to_string();
    let args = ["backup", &server.addr(), "--repo", &path, "-o", "json"];
    let outcome = home.goodcache(&args).run().expect(0);
    let report = snapshot(&outcome);
    assert_eq!((&report["shards"], &report["keys"]), (&1.into(), &3.into()));
    assert_eq!(
        (&report["expires"], &report["consistent"]),
        (&1.into(), &true.into())
    );
    let taken = prove(&open(&folder, None), "latest");
    assert_eq!(taken.manifest.shards[0].slots.len(), 16_384);
    assert_eq!(taken.counter("a"), 1);
    assert_eq!(
        server.cli(&["CONFIG", "GET", DELAY]).lines().nth(1),
        Some("5")
    );
}
