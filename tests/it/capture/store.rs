//! A repository that fails in the middle: a clear error, a next step, the cluster as before.

use std::process::{Command, Stdio};

use goodcache::archive::{ArchiveError, Creation, Limits, Run, StoreError, StoreOptions};
use goodcache::cluster::Momentary;
use goodcache::model::Events;
use goodcache::ops::backup::{
    Cut, From, Ground, Options, Place, Trouble, UnderWay, Via, Wire, capture,
};
use tempfile::TempDir;

use super::*;
use crate::support::s3::S3;

/// A file system of its own, as root; ended with the test.
struct Disk(TempDir);

impl Disk {
    /// `None` where nothing may be mounted.
    fn of(size: &str) -> Option<Disk> {
        let dir = TempDir::new().unwrap();
        let options = format!("size={size}");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "goodcache-test"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        match status.is_ok_and(|status| status.success()) {
            true => Some(Disk(dir)),
            false => {
                eprintln!("nothing may be mounted here: this is not tried");
                None
            }
        }
    }

    fn make_read_only(&self) {
        let remount = ["-o", "remount,ro"];
        let status = Command::new("mount")
            .args(remount)
            .arg(self.0.path())
            .status();
        assert!(status.unwrap().success());
    }

    fn url(&self) -> String {
        self.0.path().display().to_string()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[track_caller]
fn expect_said(outcome: &Outcome, words: &[&str]) {
    assert_eq!(outcome.stdout, "");
    for words in words {
        assert!(
            outcome.stderr.contains(words),
            "{words}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn a_read_only_folder_is_named() {
    let Some(disk) = Disk::of("4m") else { return };
    let stage = Stage::of(1, 0);
    stage.sow(5);
    stage.backup_to(&disk.url(), &[]).run().expect(0);
    disk.make_read_only();
    let outcome = stage.backup_to(&disk.url(), &[]).run().expect(1);
    expect_said(&outcome, &["read-only", "next: ", "writable"]);
    stage.expect_as_before();
    assert_eq!(prove(&open(disk.0.path(), None), "latest").keys(), 5);
}

#[test]
fn a_full_disk_is_named_and_given_back() {
    let Some(disk) = Disk::of("2m") else { return };
    let stage = Stage::of(1, 0);
    stage.sow(5);
    stage.backup_to(&disk.url(), &[]).run().expect(0);
    let mut wire = stage.fleet[0].connect().unwrap();
    for n in 0..40 {
        let noise = crate::support::resp::Reply::Simple("OK".to_owned());
        assert_eq!(
            wire.ask(&["SET", &format!("noise:{n}"), &noise_of(n)])
                .unwrap(),
            noise
        );
    }
    let outcome = stage.backup_to(&disk.url(), &[]).run().expect(1);
    expect_said(&outcome, &["is full", "next: "]);
    stage.expect_as_before();
    for n in 0..40 {
        wire.ask(&["DEL", &format!("noise:{n}")]).unwrap();
    }
    stage.backup_to(&disk.url(), &[]).run().expect(0);
    assert_eq!(prove(&open(disk.0.path(), None), "latest").keys(), 5);
}

/// 100,000 characters that do not pack to less than three quarters.
fn noise_of(seed: u64) -> String {
    let mut state = seed + 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(33 + (state >> 58) as u8)
    };
    (0..100_000).map(|_| next()).collect()
}

#[test]
fn a_folder_that_vanishes_is_named() {
    let stage = Stage::of(1, 0);
    stage.sow(20);
    stage.slow(Duration::from_millis(50));
    let running = stage.backup(&[]).spawn();
    let held = stage.hold_base();
    fs::remove_dir_all(stage.folder()).unwrap();
    drop(held);
    let outcome = running.wait().expect(1);
    let folder = stage.folder().display().to_string();
    expect_said(
        &outcome,
        &["no snapshot was taken", &folder, "has vanished", "next: "],
    );
    stage.expect_as_before();
}

fn s3_options(s3: &S3) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", s3.endpoint().as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIAGOODCACHE"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret-key"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

#[test]
fn an_s3_bucket_takes_a_snapshot_and_one_that_hangs_is_left() {
    let s3 = S3::start();
    let stage = Stage::of(1, 0);
    stage.sow(20);
    let mut backup = stage.backup_to("s3://goodcache/nightly", &[]);
    for (name, value) in s3_options(&s3) {
        backup = backup.env(&name, value);
    }
    let outcome = backup.run().expect(0);
    assert_eq!(snapshot(&outcome)["keys"], 20);

    let access = Access {
        url: "s3://goodcache/nightly".to_owned(),
        passphrase: None,
        options: StoreOptions {
            variables: s3_options(&s3),
            allow_http: false,
            limits: Limits {
                call: Duration::from_millis(500),
                tries: 2,
                ..Limits::default()
            },
        },
    };
    let repository = run(Repository::create_or_open(&access, &Creation::default())).unwrap();
    assert_eq!(prove(&repository, "latest").keys(), 20);
    stage.slow(Duration::from_millis(50));
    let place = Place {
        access: goodcache::cluster::Access::to([stage.fleet[0].addr().parse().unwrap()]),
        ground: Ground::Cluster,
        repository,
        settings: Momentary::default(),
        under_way: UnderWay::default(),
        events: Events::ignored(),
        watch: Arc::new(|_: &Arc<goodcache::ops::backup::Gauges>| {}),
        begun: None,
    };
    let begun = std::time::Instant::now();
    let trouble = std::thread::scope(|scope| {
        let capturing = scope.spawn(|| run(capture(&place, &options())).unwrap_err());
        let held = stage.hold_base();
        s3.pause();
        drop(held);
        capturing.join().unwrap()
    });
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
    let Trouble::Archive(ArchiveError::Store(StoreError::Timeout { .. })) = trouble else {
        panic!("{trouble}");
    };
    stage.expect_as_before();
}

#[test]
fn a_second_store_has_credentials_and_a_passphrase_of_its_own() {
    let (near, far) = (S3::start(), S3::start());
    let stage = Stage::of(1, 0);
    stage.sow(20);
    let mut backup = stage.backup_to("s3://goodcache/near", &["--also", "s3://goodcache/far"]);
    for (name, value) in s3_options(&near) {
        backup = backup.env(&name, value);
    }
    let backup = backup
        .env("GOODCACHE_ALSO_AWS_ENDPOINT_URL", far.endpoint())
        .env("GOODCACHE_ALSO_AWS_SECRET_ACCESS_KEY", "another-secret")
        .env("GOODCACHE_PASSPHRASE", "of the near one")
        .env("GOODCACHE_ALSO_PASSPHRASE", "of the far one");
    let outcome = backup.run().expect(0);
    assert!(!outcome.stderr.contains("sets nothing"));
    let keys_in = |s3: &S3, url: &str, passphrase: &str| {
        let access = Access {
            url: url.to_owned(),
            passphrase: Some(Secret::new(passphrase)),
            options: StoreOptions {
                variables: s3_options(s3),
                ..StoreOptions::default()
            },
        };
        run(Repository::open(&access)).map(|opened| prove(&opened, "latest").keys())
    };
    let far_url = "s3://goodcache/far";
    assert_eq!(
        keys_in(&near, "s3://goodcache/near", "of the near one"),
        Ok(20)
    );
    assert_eq!(keys_in(&far, far_url, "of the far one"), Ok(20));
    for (s3, passphrase) in [(&near, "of the far one"), (&far, "of the near one")] {
        assert!(keys_in(s3, far_url, passphrase).is_err());
    }
}

fn options() -> Options {
    Options {
        cluster: "shop".to_owned(),
        from: From::Best,
        via: Via::Replication,
        wire: Wire::Auto,
        cut: Cut::Barrier(Duration::from_secs(1)),
        rate: None,
        parallel: None,
        is_partial: false,
        run: Run {
            started_at_ms: 1,
            host: "here".to_owned(),
            pid: std::process::id(),
        },
        labels: std::collections::BTreeMap::new(),
        now_ms: || 1_800_000_000_000,
    }
}
