//! A snapshot holds all there is, was read where it should be, and leaves nothing changed.

use std::sync::Arc;

use super::*;
use crate::support::{Certificates, Spec};

const FUNCTION: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";

#[test]
fn a_snapshot_is_whole_and_only_replicas_were_read() {
    let stage = Stage::of(3, 1);
    let filled = stage.fill(None);
    for master in stage.fleet.iter().take(3) {
        master.cli(&["FUNCTION", "LOAD", FUNCTION]);
        master.cli(&["ACL", "SETUSER", "reader", "on", ">hush", "~*", "+get"]);
    }
    let syncs = || -> Vec<_> {
        let masters = stage.fleet.iter().take(3);
        let fields = masters.map(|server| server.field(&["INFO", "stats"], "sync_full"));
        fields.map(Option::unwrap).collect()
    };
    let before = syncs();
    let outcome = stage.backup(&["--label", "why=test"]).run().expect(0);
    let report = snapshot(&outcome);
    let stored: u64 = (stage.fleet.iter().take(3))
        .map(|server| server.cli(&["DBSIZE"]).parse::<u64>().unwrap())
        .sum();
    assert_eq!((stored, report["keys"].as_u64()), (filled, Some(filled)));
    assert_eq!(
        (&report["shards"], &report["tries"]),
        (&3.into(), &1.into())
    );
    assert_eq!(report["consistent"], true);
    assert!(report["write_stall_ms"].as_f64().unwrap() > 0.0);
    assert!(report["bytes_raw"].as_u64().unwrap() > report["bytes_stored"].as_u64().unwrap());
    let mut remarks = outcome.json()["report"]["remarks"].take();
    // How much else this machine has to do is not the test's matter.
    let remarks = remarks.as_array_mut().unwrap();
    remarks.retain(|remark| !remark.as_str().unwrap().contains("busy"));
    assert_eq!(*remarks, Vec::<serde_json::Value>::new());

    let taken = stage.proven(&outcome);
    assert_eq!(taken.keys(), filled);
    assert_eq!(taken.manifest.labels["why"], "test");
    let functions = taken.parts("functions").remove(0);
    let is_there = functions.windows(8).any(|window| window == b"name=lib");
    assert!(is_there, "the library is in its part");
    let users = String::from_utf8(taken.parts("acl").remove(0)).unwrap();
    assert!(
        users.contains("user reader on") && users.contains("user default"),
        "{users}"
    );
    assert!(
        users.contains("#(not kept)"),
        "an open repository has no hashes: {users}"
    );
    assert_eq!(syncs(), before, "no master was read");
    stage.expect_as_before();
}

#[test]
fn which_nodes_are_read_can_be_told() {
    let fleet = Fleet::start(5);
    fleet.join(3);
    let stage = Stage::with(fleet, 3);
    stage.fill(None);
    let outcome = stage.backup(&["--from", "masters"]).run().expect(0);
    for (shard, n) in stage.proven(&outcome).manifest.shards.iter().zip(0..) {
        let read = shard.read_from.as_ref().unwrap().to_string();
        assert_eq!(read, stage.fleet[n].id());
    }
    let refused = stage.backup(&["--from", "replicas"]).run().expect(5);
    assert_eq!(refused.stdout, "");
    for words in ["shard 3: ", "has no replica", "next: ", "--from masters"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let best = stage.proven(&stage.backup(&[]).run().expect(0));
    let third = best.manifest.shards[2].read_from.as_ref().unwrap();
    assert_eq!(third.to_string(), stage.fleet[2].id());
    stage.expect_as_before();
}

#[test]
fn a_cluster_with_tls_and_a_user_of_few_rights_is_taken() {
    let certificates = Arc::new(Certificates::new());
    let spec = |_| Spec {
        tls: Some(certificates.clone()),
        ..Spec::default()
    };
    let fleet = Fleet::start_with(3, spec);
    fleet.join(3);
    let stage = Stage::with(fleet, 3);
    stage.sow(20);
    for server in stage.fleet.iter() {
        server.cli(&[
            "ACL",
            "SETUSER",
            "saver",
            "on",
            ">pw",
            "-@all",
            "+psync",
            "+replconf",
            "+ping",
            "+info",
            "+cluster",
            "+client|pause",
            "+client|unpause",
        ]);
    }
    let paths = ["ca.crt", "client.crt", "client.key"]
        .map(|file| certificates.path(file).display().to_string());
    let args = [
        "--tls", "--cacert", &paths[0], "--cert", &paths[1], "--key", &paths[2], "--user", "saver",
    ];
    let outcome = stage
        .backup(&args)
        .env("REDIS_PASSWORD", "pw")
        .run()
        .expect(0);
    assert_eq!(stage.proven(&outcome).keys(), 60);
    let remarks = outcome.json()["report"]["remarks"].to_string();
    assert!(
        remarks.contains("the users are not in the snapshot"),
        "{remarks}"
    );
    stage.expect_as_before();
}
