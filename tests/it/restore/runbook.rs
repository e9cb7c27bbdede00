//! The recovery runbook of the README, run as it is printed.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::support::until;

const SCRIPT: &str = "tests/recovery-runbook.sh";

fn of_the_sources(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A cluster that is known as shop, with an application that logs in, and a snapshot of it.
fn shop() -> Stage {
    let stage = open_shop();
    let url = stage.repository();
    let words = ["backup", "shop", "--repo", &url];
    stage.home.goodcache(&words).within(LIMIT).run().expect(0);
    stage
}

/// The same without a snapshot.
fn open_shop() -> Stage {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(3, 0),
    };
    let settings = format!(
        "clusters:\n  shop:\n    nodes: {:?}\n",
        stage.source.addrs()
    );
    stage.home.file("goodcache.yaml", &settings);
    for server in stage.source.iter() {
        server.cli(&["ACL", "SETUSER", "app", "on", ">any", "~*", "+@all"]);
    }
    stage.fill();
    app(&stage, &["SET", "cart:7", "full"]);
    stage
}

/// What the application is answered by the node that has the key's slot.
fn app(stage: &Stage, words: &[&str]) -> String {
    let url = format!("redis://app:any@{}", stage.source[0].addr());
    let login = ["-c", "--no-auth-warning", "-u", &url];
    let run = stage
        .home
        .program("redis-cli", &[&login[..], words].concat());
    run.run().stdout.trim().to_owned()
}

/// The runbook, by that way, from the latest snapshot.
fn recover(stage: &Stage, how: &str) -> Outcome {
    recover_to(stage, how, ("latest", ""))
}

/// The runbook, to that snapshot or that moment.
fn recover_to(stage: &Stage, how: &str, (snapshot, at): (&str, &str)) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_goodcache")).parent().unwrap();
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = of_the_sources(SCRIPT);
    let run = stage.home.program("sh", &[script.to_str().unwrap()]);
    run.env("PATH", path)
        .env("GOODCACHE_REPO", stage.repository())
        .env("SNAPSHOT", snapshot)
        .env("AT", at)
        .env("KEY", "cart:7")
        .env("NODE", stage.source[0].addr())
        .env("HOW", how)
        .within(2 * LIMIT)
        .run()
}

#[test]
fn the_readme_prints_the_recovery_that_is_tested() {
    let readme = fs::read_to_string(of_the_sources("README.md")).unwrap();
    let script = fs::read_to_string(of_the_sources(SCRIPT)).unwrap();
    assert!(
        readme.contains(&format!("```sh\n{script}```\n")),
        "{script}"
    );
}

#[test]
fn lost_keys_come_back_and_what_was_written_since_stays() {
    let stage = shop();
    app(&stage, &["DEL", "cart:7"]);
    app(&stage, &["SET", "cart:8", "new"]);
    let told = recover(&stage, "--undelete").expect(0);
    assert!(told.stdout.contains("RESTORED"), "{}", told.stdout);
    // Before it the lost key is among what differs, afterwards only the new one is.
    let (before, after) = told.stdout.split_once("RESTORED").unwrap();
    assert!(before.contains("cart:7"), "{before}");
    assert!(!after.contains("cart:7"), "{after}");
    assert!(after.contains("cart:8"), "{after}");
    assert_eq!(app(&stage, &["GET", "cart:7"]), "full");
    assert_eq!(app(&stage, &["GET", "cart:8"]), "new");
    assert_eq!(app(&stage, &["SET", "cart:9", "open"]), "OK");
}

#[test]
fn after_a_flush_all_is_as_it_was_in_the_snapshot() {
    let stage = shop();
    let servers: Vec<&Server> = stage.source.iter().collect();
    let before = keys(&servers);
    app(&stage, &["SET", "cart:7", "spoilt"]);
    servers[0].cli(&["FLUSHALL"]);
    app(&stage, &["SET", "cart:8", "new"]);
    recover(&stage, "--flush --confirm shop").expect(0);
    assert_eq!(app(&stage, &["GET", "cart:7"]), "full");
    assert_eq!(keys(&servers), before);
    let url = stage.repository();
    let words = ["backup", "diff", "latest", "live", "shop", "--repo", &url];
    stage.home.goodcache(&words).within(LIMIT).run().expect(0);
}

/// Follows shop while that is done, until all that was written is in the archive.
fn followed(stage: &Stage, done: impl FnOnce()) {
    for server in stage.source.iter() {
        server.cli(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]);
    }
    let url = stage.repository();
    let words = ["backup", "shop", "--follow", "--repo", &url];
    let running = stage.home.goodcache(&words).within(LIMIT).spawn();
    let snapshots = stage.home.path().join("repository/snapshots");
    until("a base is there", LIMIT, || {
        fs::read_dir(&snapshots).is_ok_and(|found| found.count() > 0)
    });
    done();
    for server in stage.source.iter() {
        let mut wire = server.connect().unwrap();
        // Slots of others are refused: one of these is its own.
        for tag in 0..40 {
            let _ = wire.ask(&["SET", &format!("{{{tag}}}end"), "1"]).unwrap();
        }
        let acknowledged = wire.ask(&["WAIT", "1", "20000"]).unwrap().text().unwrap();
        assert_ne!(acknowledged, "0");
    }
    running.interrupt();
    running.wait().expect(130);
}

#[test]
fn a_key_comes_back_as_it_was_the_second_before_the_log_says_it_went() {
    let stage = open_shop();
    followed(&stage, || {
        app(&stage, &["SET", "cart:7", "fuller"]);
        // The second before it is one in which it was there.
        std::thread::sleep(Duration::from_millis(1500));
        app(&stage, &["DEL", "cart:7"]);
        app(&stage, &["SET", "cart:8", "new"]);
    });
    // With neither a snapshot nor a moment it tells what happened, and changes nothing.
    let told = recover_to(&stage, "--undelete", ("", "")).expect(0).stdout;
    let lines = told.lines();
    let gone = lines.rev().find(|line| line.ends_with("DEL cart:7"));
    let gone = gone.unwrap_or_else(|| panic!("{told}"));
    let gone = humantime::parse_rfc3339(gone.split(' ').next().unwrap()).unwrap();
    let second_before = gone - Duration::from_secs(1);
    let at = humantime::format_rfc3339_millis(second_before).to_string();
    assert_eq!(app(&stage, &["GET", "cart:7"]), "");
    let told = recover_to(&stage, "--undelete", ("", &at)).expect(0).stdout;
    assert!(told.contains(&format!("as it was at {at}")), "{told}");
    assert_eq!(app(&stage, &["GET", "cart:7"]), "fuller");
    assert_eq!(app(&stage, &["GET", "cart:8"]), "new");
    assert_eq!(app(&stage, &["SET", "cart:9", "open"]), "OK");
}

/// What fails in the middle leaves the writes stopped, and says what to do.
#[test]
fn a_restore_that_is_refused_ends_the_recovery_before_writes_go_on() {
    let stage = shop();
    let refused = recover(&stage, "--flush --confirm another").expect(5);
    assert!(
        refused.stderr.contains("--confirm shop"),
        "{}",
        refused.stderr
    );
    let said = app(&stage, &["SET", "cart:8", "new"]);
    assert!(said.contains("NOPERM"), "{said}");
    assert_eq!(app(&stage, &["GET", "cart:8"]), "");
}
