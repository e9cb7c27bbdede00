//! Runs that fail or are killed half-way: what they say, what they leave behind, and that no image of
//! their memory is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Watching, expect_hidden, expect_silence, keep, sow};
use crate::support::s3::S3;
use crate::support::{Home, eventually, free_ports, signal, until};

const PASSWORD: &str = "PlantedPassword-d3e7";
const NEW: &str = "PlantedNewPassword-70fa";
const KEY: &str = "PlantedBucketKey-86c2";
const PASSPHRASE: &str = "PlantedPassphrase-1f5b";
const TOKEN: &str = "PlantedHookToken-c98d";
const VALUE: &str = "PlantedValue-e60b";
const SECRETS: [&str; 6] = [PASSWORD, NEW, KEY, PASSPHRASE, TOKEN, VALUE];
const LIMIT: Duration = Duration::from_secs(60);

fn may_hold(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    let is_server_s = path.to_str().unwrap().contains("/goodcache/data/shop/");
    let is_kept = [
        "password.txt",
        "new.txt",
        "shop.password",
        "shop.default.old-password",
        "shop.default.old-masterauth",
    ];
    is_server_s || is_kept.contains(&name)
}

/// A cluster of three masters with a replica each, and a key that is secret.
fn shop() -> Home {
    let home = Home::new();
    keep(&home, "password.txt", PASSWORD);
    keep(&home, "new.txt", NEW);
    let first = free_ports(6);
    let base = first.to_string();
    let create = [
        "create",
        "shop",
        "--local",
        "--base-port",
        &base,
        "--password-file",
        "password.txt",
        "--yes",
    ];
    home.goodcache(&create).run().expect(0);
    sow(first..first + 6, PASSWORD, VALUE);
    home
}

/// The first file with that ending that holds something, in a folder of the state.
fn written(home: &Home, folder: &str, ending: &str) -> Option<PathBuf> {
    let folder = home.path().join("state/goodcache").join(folder);
    let files = fs::read_dir(folder).ok()?.flatten();
    files
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == ending))
        .filter(|path| fs::metadata(path).is_ok_and(|file| file.len() > 0))
}

const DRILL: [&str; 7] = [
    "failover-test",
    "shop",
    "--fault",
    "pause",
    "--confirm",
    "shop",
    "-v",
];

/// Only debug builds fail when they are told to.
#[cfg(debug_assertions)]
#[test]
fn a_panic_prints_no_secret() {
    let home = shop();
    let watching = Watching::start(&SECRETS);
    let outcome = home
        .goodcache(&DRILL)
        .env("DEBUG_PANIC_IN_DRILL", "1")
        .env("RUST_BACKTRACE", "full")
        .env("REDIS_PASSWORD", PASSWORD)
        .run()
        .expect(1);
    assert!(outcome.stderr.contains("panicked at"), "{}", outcome.stderr);
    expect_silence(&"a panic", &outcome, &SECRETS);
    expect_hidden(&"a panic", home.path(), &SECRETS, may_hold);
    watching.end();
}

#[test]
fn killed_drills_and_rotations_leave_no_secret_but_what_the_way_back_needs() {
    let home = shop();
    let watching = Watching::start(&SECRETS);
    let pid = "$(cat $HOME/state/goodcache/data/shop/$GOODCACHE_NODE_PORT/pid)";
    home.file(
        "goodcache.yaml",
        &format!(
            "clusters:\n  shop:\n    hooks:\n      \
             pause: test -n \"$HOOK_TOKEN\" && kill -STOP {pid}\n      \
             resume: test -n \"$HOOK_TOKEN\" && kill -CONT {pid}\n"
        ),
    );
    let by_hooks = [&DRILL[..], &["--via", "hooks"]].concat();
    let mut drill = home.goodcache(&by_hooks).env("HOOK_TOKEN", TOKEN).spawn();
    until("something is broken", LIMIT, || {
        written(&home, "drills", "json").is_some_and(|path| {
            fs::read_to_string(path).is_ok_and(|text| text.contains("HOOK_TOKEN"))
        })
    });
    drill.kill();
    expect_silence(&"a killed drill", &drill.wait(), &SECRETS);
    expect_hidden(&"a killed drill", home.path(), &SECRETS, may_hold);
    let heal = ["failover-test", "shop", "--heal", "-v"];
    eventually("it is healed", LIMIT, || {
        // The watchdog may hold the lock just now.
        let healed = home.goodcache(&heal).env("HOOK_TOKEN", TOKEN).run();
        expect_silence(&"healing", &healed, &SECRETS);
        (healed.code == 0).then_some(())
    });

    let rotate = [
        "rotate-password",
        "shop",
        "--new-password-file",
        "new.txt",
        "--yes",
        "-v",
    ];
    let mut run = home.goodcache(&rotate).spawn();
    until("the rotation has begun", LIMIT, || {
        written(&home, "rotations", "json").is_some()
    });
    run.kill();
    expect_silence(&"a killed rotation", &run.wait(), &SECRETS);
    expect_hidden(&"a killed rotation", home.path(), &SECRETS, may_hold);
    let rest = [&rotate[..], &["--finish"]].concat();
    let done = home.goodcache(&rest).run().expect(0);
    expect_silence(&"its rest", &done, &SECRETS);
    expect_hidden(&"its rest", home.path(), &SECRETS, may_hold);
    watching.end();
}

#[test]
fn an_s3_backup_that_is_aborted_leaves_no_image_of_its_memory() {
    let (home, s3) = (shop(), S3::start());
    let watching = Watching::start(&SECRETS);
    s3.pause();
    let program = env!("CARGO_BIN_EXE_goodcache");
    let script =
        format!("ulimit -c unlimited; exec {program} backup shop --repo s3://goodcache/near -v");
    let run = home
        .program("sh", &["-c", &script])
        .env("AWS_ENDPOINT_URL", s3.endpoint())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "AKIAGOODCACHE")
        .env("AWS_SECRET_ACCESS_KEY", KEY)
        .env("GOODCACHE_PASSPHRASE", PASSPHRASE)
        .spawn();
    // The shell has one thread: with more it is the program itself that waits for the store now.
    let threads = format!("/proc/{}/task", run.pid());
    let tcp = format!("/proc/{}/net/tcp", run.pid());
    let port = s3.endpoint().rsplit(':').next().unwrap().parse::<u16>();
    let to = format!("0100007F:{:04X} 01", port.unwrap());
    until("it is connected to the store", LIMIT, || {
        fs::read_dir(&threads).is_ok_and(|threads| threads.count() > 1)
            && fs::read_to_string(&tcp).is_ok_and(|text| text.contains(&to))
    });
    signal(run.pid(), "ABRT");
    let outcome = run.wait().expect(128 + 6);
    expect_silence(&"an aborted backup", &outcome, &SECRETS);
    expect_hidden(&"an aborted backup", home.path(), &SECRETS, may_hold);
    let cores = fs::read_dir(home.path()).unwrap().flatten();
    let cores = cores.filter(|entry| entry.file_name().to_str().unwrap().starts_with("core"));
    assert_eq!(cores.count(), 0);
    watching.end();
}
