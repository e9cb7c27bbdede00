//! `verify --boot`: a real server loads a snapshot and holds what was kept, however long ago it was
//! taken; what does not load is told with the reason, and nothing is left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use goodcache::archive::{Manifest, Repository, Stretch};
use goodcache::rdb::LogReader;

use super::verify::with_table;
use super::{Repo, dumps, now_ms, take};
use crate::support::{Fleet, Outcome, Running, Server, until};

const LIMIT: Duration = Duration::from_secs(60);

/// Takes a snapshot of a cluster.
#[track_caller]
pub fn capture(repo: &Repo, fleet: &Fleet, args: &[&str]) {
    let addr = fleet[0].addr();
    repo.backup(&[&[&addr as &str][..], args].concat())
        .expect(0);
}

/// The server of the cluster that has the key.
pub fn owner<'a>(fleet: &'a Fleet, key: &str) -> &'a Server {
    let mut servers = fleet.iter();
    let has = |server: &&Server| server.ask(&["EXISTS", key]).unwrap().text().is_ok();
    servers.find(has).unwrap()
}

fn boot(repo: &Repo, args: &[&str]) -> Outcome {
    repo.backup(&[&["verify", "--boot"][..], args].concat())
}

/// No folder and no process is left of a boot.
#[track_caller]
fn expect_nothing_left(repo: &Repo) {
    assert_eq!(left(repo), (vec![], 0));
}

/// The folders and processes of boots.
fn left(repo: &Repo) -> (Vec<String>, usize) {
    let home = repo.home.path();
    let names = fs::read_dir(home).unwrap().flatten();
    let folders = names
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.starts_with("goodcache-boot"))
        .collect();
    (folders, processes_in(home))
}

fn processes_in(folder: &Path) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let folders = processes.filter_map(|process| fs::read_link(process.path().join("cwd")).ok());
    folders
        .filter(|cwd| cwd.starts_with(folder) && cwd != folder)
        .count()
}

/// A program that stands in for a server.
fn program(repo: &Repo, text: &str) -> PathBuf {
    let path = repo.home.file("program", &format!("#!/bin/sh\n{text}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Commands of a log that a client can play.
async fn playable(repository: &Repository, manifest: &Manifest, shard: usize) -> u64 {
    let pieces = repository.pieces(manifest, shard, Stretch::Log, None, 2);
    let pieces: Vec<_> = pieces.try_collect().await.unwrap();
    let mut reader = LogReader::new(0);
    let mut count = 0;
    for piece in pieces {
        reader.push(&piece.raw);
        while let Some(command) = reader.step().unwrap() {
            count += u64::from(!matches!(command.name().as_str(), "ping" | "replconf"));
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_taken_under_writes_boots_whenever_that_is() {
    let (repo, fleet) = (Repo::new(None), Fleet::cluster(3, 0));
    for key in 0..120 {
        let key = format!("seed:{key}");
        owner(&fleet, &key).cli(&["SET", &key, "v"]);
    }
    for server in fleet.iter() {
        server.cli(&[
            "FUNCTION",
            "LOAD",
            "#!lua name=l\nredis.register_function('f', function() end)",
        ]);
        server.cli(&["CONFIG", "SET", "rdb-key-save-delay", "15000"]);
    }
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .map(|key| {
            let (mut wire, over) = (owner(&fleet, key).connect().unwrap(), over.clone());
            std::thread::spawn(move || {
                let [old, new] = ["old", "new"].map(|name| format!("{{{key}}}{name}"));
                while !over.load(Ordering::Relaxed) {
                    wire.ask(&["INCR", key]).unwrap().text().unwrap();
                    wire.ask(&["SET", &old, "v", "PX", "800"]).unwrap();
                    wire.ask(&["RENAME", &old, &new]).unwrap().text().unwrap();
                    wire.ask(&["MULTI"]).unwrap();
                    wire.ask(&["INCR", key]).unwrap();
                    wire.ask(&["APPEND", &format!("{{{key}}}log"), "x"])
                        .unwrap();
                    wire.ask(&["EXEC"]).unwrap();
                }
            })
        })
        .collect();
    for key in ["fleeting:1", "fleeting:2", "fleeting:3"] {
        owner(&fleet, key).cli(&["SET", key, "v", "PX", "15000"]);
    }
    capture(&repo, &fleet, &["--parallel", "1"]);
    over.store(true, Ordering::Relaxed);
    writers
        .into_iter()
        .for_each(|writer| writer.join().unwrap());
    until("keys have expired", LIMIT, || {
        let server = owner(&fleet, "fleeting:1");
        server.cli(&["EXISTS", "fleeting:1"]).trim() == "0"
    });

    let outcome = boot(&repo, &["-o", "json"]).expect(0).json();
    let booted = &outcome["report"]["boot"];
    let version = owner(&fleet, "a").field(&["INFO", "server"], "redis_version");
    let server = booted["server"].as_str().unwrap();
    assert!(server.ends_with(&version.unwrap()), "{server}");
    assert!(server.starts_with("Redis ") || server.starts_with("Valkey "));
    let repository = repo.open().await;
    let manifest = repository.manifest("latest").await.unwrap();
    let shards = booted["shards"].as_array().unwrap();
    let sum = |name: &str| -> u64 {
        shards
            .iter()
            .map(|shard| shard[name].as_u64().unwrap())
            .sum()
    };
    for (index, shard) in shards.iter().enumerate() {
        assert!(shard["slots_proven"].as_u64().unwrap() > 20, "{shard}");
        let expected = playable(&repository, &manifest, index).await;
        assert_eq!(shard["played"], expected);
    }
    assert!(sum("played") > 50 && sum("slots_logged") > 0, "{booted}");
    assert!(sum("overtaken") > 0, "{booted}");
    expect_nothing_left(&repo);
    let told = boot(&repo, &[]).expect(0).stdout;
    let title = format!("Booted by {server}");
    for words in [": SOUND", &title, "keys whose time is over"] {
        assert!(told.contains(words), "{told}");
    }
    repo.backup(&["verify", "--read-data"]).expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_server_is_named_and_says_nothing_of_the_snapshot() {
    let repo = Repo::new(None);
    take(&repo.open().await, now_ms(), &dumps()[..1]).await;
    let failing = program(&repo, "cat > /dev/null; echo of no use >&2; exit 7");
    for (server, words) in [
        ("/no/such/server", &["could not start /no/such/server"][..]),
        ("/bin/false", &["/bin/false is no server", "exit status: 1"]),
        (failing.to_str().unwrap(), &["exit status: 7", "of no use"]),
    ] {
        let outcome = boot(&repo, &["--server", server]).expect(4);
        assert_eq!(outcome.stdout, "");
        for words in words.iter().chain(&["next: ", "--server"]) {
            assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        }
        expect_nothing_left(&repo);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_does_not_load_is_not_restorable() {
    let repo = Repo::new(None);
    take(&repo.open().await, now_ms(), &dumps()[..1]).await;
    let log = "# Server initialized\\n# Can't handle RDB format version 10\\n# Fatal error loading the DB";
    let server = program(&repo, &format!("printf \"{log}\\n\" > log; exit 1"));
    let outcome = boot(&repo, &["--server", server.to_str().unwrap()]).expect(3);
    for words in [
        "NOT RESTORABLE",
        "Not booted",
        "shard 1 was not loaded",
        "RDB format version 10",
    ] {
        assert!(outcome.stdout.contains(words), "{}", outcome.stdout);
    }
    expect_nothing_left(&repo);
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_hold_something_else_are_named() {
    let repo = Repo::new(None);
    let mut slot = String::new();
    with_table(&repo, &dumps()[0], |table| {
        table.rows[3].digest[0] ^= 1;
        slot = table.rows[3].slot.to_string();
    })
    .await;
    let outcome = boot(&repo, &["-o", "json"]).expect(3).json();
    let shard = &outcome["report"]["boot"]["shards"][0];
    assert_eq!(shard["slots_differing"], slot);
    let told = boot(&repo, &[]).expect(3).stdout;
    let differing = format!("other data than was kept, in slots {slot}");
    for words in ["NOT RESTORABLE", &differing] {
        assert!(told.contains(words), "{told}");
    }
}

/// A boot whose server takes its time to load.
async fn begun(repo: &Repo) -> Running {
    take(&repo.open().await, now_ms(), &dumps()).await;
    let server = program(repo, "exec redis-server - --key-load-delay 20000");
    let url = repo.url();
    let server = server.to_str().unwrap();
    let args = [
        "backup", "--repo", &url, "verify", "--boot", "--server", server,
    ];
    let running = repo.home.goodcache(&args).within(LIMIT).spawn();
    until("a server loads", LIMIT, || {
        processes_in(repo.home.path()) > 0
    });
    std::thread::sleep(Duration::from_millis(300));
    running
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_server_loads_it_leaves_nothing() {
    let repo = Repo::new(None);
    let mut running = begun(&repo).await;
    assert_eq!((left(&repo).0.len(), left(&repo).1), (1, 1));
    running.kill();
    until("its server and folder are gone", LIMIT, || {
        left(&repo) == (vec![], 0)
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_while_a_server_loads_it_leaves_nothing() {
    let repo = Repo::new(None);
    let running = begun(&repo).await;
    running.interrupt();
    let outcome = running.wait().expect(130);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.elapsed < Duration::from_secs(10));
    expect_nothing_left(&repo);
}
