//! `import`: plain files, and the folder that redis-cli leaves.

use std::fs;

use super::{PASSPHRASE, Repo, dumps};
use crate::support::Fleet;

#[test]
fn files_become_shards_and_are_sound() {
    let (repo, [first, second]) = (Repo::new(Some(PASSPHRASE)), dumps());
    let paths = [("a.rdb", first), ("b.rdb", second)].map(|(name, bytes)| {
        let path = repo.home.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    });
    let nameless = repo.backup(&["import", &paths[0]]).expect(2);
    assert!(
        nameless.stderr.contains("--cluster NAME"),
        "{}",
        nameless.stderr
    );
    let args = [
        "import",
        &paths[0],
        &paths[1],
        "--cluster",
        "shop",
        "-o",
        "json",
    ];
    let report = repo.backup(&args).expect(0).json();
    let snapshot = &report["report"]["snapshot"];
    assert_eq!(
        (&snapshot["keys"], &snapshot["cut"]),
        (&1127.into(), &"scan".into())
    );
    assert_eq!(snapshot["consistent"], false);
    repo.backup(&["verify", "latest", "--cluster", "shop", "--read-data"])
        .expect(0);
}

#[test]
fn what_is_no_whole_file_leaves_nothing() {
    let (repo, [first, _]) = (Repo::new(None), dumps());
    let mut flipped = first.clone();
    let at = flipped.len() - 4;
    flipped[at] ^= 1;
    for (bytes, why) in [
        (first[..first.len() - 100].to_vec(), "ends too early"),
        (b"#!/bin/sh\necho no\n".to_vec(), "no RDB file"),
        ([&first[..], b"more"].concat(), "after its end"),
        (flipped, "checksum"),
    ] {
        let path = repo.home.path().join("dump.rdb");
        fs::write(&path, bytes).unwrap();
        let path = path.display().to_string();
        let told = repo
            .backup(&["import", &path, "--cluster", "shop"])
            .expect(1);
        assert!(
            told.stderr.contains(why) && told.stderr.contains(&path),
            "{}",
            told.stderr
        );
        let listed = repo.backup(&["list"]).expect(0);
        assert!(listed.stdout.contains("no snapshots"), "{}", listed.stdout);
    }
    repo.backup(&["prune", "--keep-last", "1", "--yes"])
        .expect(0);
    assert_eq!(
        fs::read_dir(repo.path().join("data")).map_or(0, Iterator::count),
        0
    );
    let empty = repo.home.path().join("empty");
    fs::create_dir(&empty).unwrap();
    let empty = empty.display().to_string();
    let told = repo
        .backup(&["import", &empty, "--cluster", "shop"])
        .expect(2);
    assert!(told.stderr.contains("no *.rdb file"), "{}", told.stderr);
}

#[test]
fn the_folder_that_redis_cli_leaves_is_known() {
    let (repo, fleet) = (Repo::new(None), Fleet::start(3));
    fleet.join(3);
    fleet.wait_usable(3);
    for (number, node) in (0..).zip(fleet.iter()) {
        for key in 0..50 {
            // Those that belong to other nodes are refused, which does not matter here.
            let _ = node.ask(&["SET", &format!("k{number}:{key}"), "v"]);
        }
    }
    let folder = repo.home.path().join("saved");
    fs::create_dir(&folder).unwrap();
    let folder = folder.display().to_string();
    let addr = fleet.addrs().remove(0);
    let save = ["--cluster", "backup", &addr, &folder];
    repo.home.program("redis-cli", &save).run().expect(0);
    let told = repo
        .backup(&["import", &folder, "--cluster", "shop"])
        .expect(0)
        .stdout;
    assert!(told.contains("IMPORTED — 3 shards of shop"), "{told}");
    let shown = repo.backup(&["show"]).expect(0).stdout;
    assert!(shown.contains("not a snapshot"), "{shown}");
    for addr in fleet.addrs() {
        let read_from = format!("{addr} (master)");
        assert!(shown.contains(&read_from), "{read_from} in {shown}");
    }
    let json = repo.backup(&["show", "-o", "json"]).expect(0).json();
    let shards = json["report"]["manifest"]["shards"].as_array().unwrap();
    assert!(shards[0]["slots"].as_str().unwrap().starts_with("0-"));
    assert!(shards[2]["slots"].as_str().unwrap().ends_with("-16383"));
    repo.backup(&["verify", "--read-data"]).expect(0);
}
