//! How values come over the wire: as they are or packed by the servers, what is stored holds the same,
//! and the servers' settings are changed only until their children are there.

use goodcache::cluster::{Access as Way, Momentary, Wanted};
use goodcache::model::NodeAddr;

use super::*;

#[test]
fn plain_or_compressed_a_snapshot_holds_the_same() {
    let stage = Stage::of(3, 0);
    stage.fill(None);
    // This looks by writing a key, which every snapshot is to have.
    stage.expect_as_before();
    let taken = |args: &[&str]| {
        let outcome = stage.backup(args).run().expect(0);
        stage.expect_as_before();
        let raw = snapshot(&outcome)["bytes_raw"].as_u64().unwrap();
        (raw, stage.proven(&outcome))
    };
    let (plain, plainly) = taken(&["--wire", "plain"]);
    let (packed, packedly) = taken(&["--wire", "compressed"]);
    let (by_itself, _) = taken(&[]);
    assert!(plain > packed, "{plain} and {packed} bytes came");
    assert!(by_itself > packed, "these servers are on this machine");
    for (a, b) in plainly.shards.iter().zip(&packedly.shards) {
        let digests = |walked: &Walked| -> Vec<_> {
            let rows = walked.contents.table.rows.iter();
            rows.map(|row| (row.slot, row.keys, row.expires, row.digest))
                .collect()
        };
        assert!(digests(a) == digests(b), "what is in them differs");
    }

    // What somebody has set is used, and is what stands there again.
    stage.set(COMPRESSION, "no");
    let outcome = stage.backup(&["--wire", "compressed"]).run().expect(0);
    let raw = snapshot(&outcome)["bytes_raw"].as_u64().unwrap();
    assert!(raw < plain, "{raw} of {plain} bytes came");
    for server in stage.fleet.iter() {
        assert_eq!(stage.setting(server, COMPRESSION), "no");
    }
}

#[test]
fn settings_are_back_as_soon_as_the_child_is_there() {
    let stage = Stage::of(1, 0);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&[]).spawn();
    let held = stage.hold_base();
    until("the settings are as before", LIMIT, || {
        let server = &stage.fleet[0];
        stage.setting(server, DELAY) == "5" && stage.setting(server, COMPRESSION) == "yes"
    });
    drop(held);
    stage.proven(&running.wait().expect(0));
}

#[test]
fn where_settings_may_not_be_changed_nothing_is_said() {
    let stage = Stage::of(1, 0);
    stage.set(DELAY, "0");
    stage.sow(5);
    let user = ["on", ">pw", "~*", "&*", "+@all", "-config|set"];
    stage.fleet[0].cli(&[&["ACL", "SETUSER", "weak"][..], &user].concat());
    let backup = stage.backup(&["--user", "weak"]);
    let outcome = backup.env("REDIS_PASSWORD", "pw").run().expect(0);
    let report = outcome.json();
    let remarks = report["report"]["remarks"].as_array().unwrap().iter();
    // How busy the machine of these tests is stands on another page.
    let of_settings = remarks.filter(|remark| !remark.to_string().contains("is busy"));
    assert_eq!(of_settings.count(), 0, "{report:#}");
    assert!(!outcome.stderr.contains("setting"), "{}", outcome.stderr);
    assert_eq!(stage.setting(&stage.fleet[0], COMPRESSION), "yes");
}

#[test]
fn what_a_killed_run_has_changed_the_next_puts_back() {
    let stage = Stage::of(2, 0);
    let addrs: Vec<NodeAddr> = (stage.fleet.iter())
        .map(|server| server.addr().parse().unwrap())
        .collect();
    let journal = stage.home.path().join("settings");
    let access = Way::to(addrs.clone());
    let wanted = [Wanted::NO_SYNC_DELAY, Wanted::PLAIN_VALUES];
    run(async {
        let killed = Momentary::journalled(journal.clone());
        killed.set(&access, &addrs, &wanted).await;
    });
    for server in stage.fleet.iter() {
        assert_eq!(stage.setting(server, DELAY), "0");
        assert_eq!(stage.setting(server, COMPRESSION), "no");
    }
    run(async {
        let next = Momentary::journalled(journal.clone());
        assert!(next.is_changed());
        // It wants the same, and must not take what it finds for what was before.
        next.set(&access, &addrs, &wanted).await;
        next.put_back_on(&access, &addrs[0]).await;
        // A node that hangs keeps them until it answers again.
        stage.fleet[1].pause();
        let told = next.put_back(&access).await.join("; ");
        stage.fleet[1].resume();
        for words in [
            "config set repl-diskless-sync-delay 5",
            "config set rdbcompression yes",
        ] {
            assert!(told.contains(words), "{told}");
        }
        assert!(journal.exists());
        assert_eq!(next.put_back(&access).await, Vec::<String>::new());
        assert!(!next.is_changed());
    });
    assert!(!journal.exists());
    stage.expect_as_before();
}
