//! The nightly runbook of the README, run as it is printed.

use std::fs;
use std::path::{Path, PathBuf};

use super::PASSPHRASE;
use crate::load::goodbooks::{Books, Load, fill};
use crate::support::s3::S3;
use crate::support::{Fleet, Home, Outcome};

const SCRIPT: &str = "tests/backup-runbook.sh";

fn of_the_sources(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A cluster that is known as shop, and the passphrase in a file.
fn shop() -> (Home, Fleet) {
    let (home, fleet) = (Home::new(), Fleet::cluster(3, 0));
    let load = Load {
        books: &Books::excerpt(),
        scale: 0.0005,
        seed: 1,
        now: 4_000_000_000,
    };
    fill(&fleet[0].addr(), None, &load).unwrap();
    let settings = format!(
        "clusters:\n  shop:\n    nodes: {:?}\n    passphrase_file: key\n",
        fleet.addrs()
    );
    home.file("goodcache.yaml", &settings);
    home.file("key", &format!("{PASSPHRASE}\n"));
    (home, fleet)
}

/// A night: with the two repositories and what else is in the environment.
fn night(home: &Home, near: &str, far: &str, more: &[(&str, &str)]) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_goodcache")).parent().unwrap();
    let path = format!(
        "{}:{}",
        program.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let script = of_the_sources(SCRIPT);
    let run = home.program("sh", &[script.to_str().unwrap()]);
    let run = run.env("PATH", path).env("GOODCACHE_REPO", near);
    let named = more
        .iter()
        .fold(run, |run, (name, value)| run.env(name, *value));
    named.env("FAR", far).run()
}

/// How many snapshots are in a repository, each proven.
#[track_caller]
fn sound(home: &Home, url: &str, more: &[(&str, &str)]) -> usize {
    let run = |args: &[&str]| {
        let repo = ["backup", "--repo", url, "--passphrase-file", "key"];
        let run = home.goodcache(&[&repo[..], args].concat());
        let named = more
            .iter()
            .fold(run, |run, (name, value)| run.env(name, *value));
        named.run().expect(0)
    };
    let listed = run(&["list", "-o", "json"]).json();
    let ids = listed["report"]["snapshots"].as_array().unwrap().clone();
    for row in &ids {
        run(&["verify", row["id"].as_str().unwrap(), "--read-data"]);
    }
    ids.len()
}

#[test]
fn the_readme_prints_the_runbook_that_is_tested() {
    let readme = fs::read_to_string(of_the_sources("README.md")).unwrap();
    let script = fs::read_to_string(of_the_sources(SCRIPT)).unwrap();
    assert!(
        readme.contains(&format!("```sh\n{script}```\n")),
        "{script}"
    );
}

#[test]
fn the_runbook_works_from_a_folder_night_after_night() {
    let (home, fleet) = shop();
    for nights in 1..=4 {
        night(&home, "near", "far", &[]).expect(0);
        // Of one day are kept the last three.
        assert_eq!(sound(&home, "near", &[]), nights.min(3));
        assert_eq!(sound(&home, "far", &[]), nights);
    }
    drop(fleet);
    let failed = night(&home, "near", "far", &[]).expect(4);
    assert!(failed.stderr.contains("next: "), "{}", failed.stderr);
    assert_eq!(failed.stdout, "");
    assert_eq!(sound(&home, "near", &[]), 3);
}

/// Both stores answer at addresses and by regions of their own.
#[test]
fn the_runbook_works_from_s3_to_another_region() {
    let (home, _fleet) = shop();
    let (near, far) = (S3::start(), S3::start());
    let (here, there) = (near.endpoint(), far.endpoint());
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAGOODCACHE"),
        ("AWS_SECRET_ACCESS_KEY", "very-secret-key"),
    ];
    let at = |endpoint, region| [("AWS_ENDPOINT_URL", endpoint), ("AWS_REGION", region)];
    let to = [
        ("GOODCACHE_TO_AWS_ENDPOINT_URL", there.as_str()),
        ("GOODCACHE_TO_AWS_REGION", "us-west-2"),
    ];
    let (near, far) = (
        [&keys[..], &at(here.as_str(), "us-east-1")].concat(),
        [&keys[..], &at(there.as_str(), "us-west-2")].concat(),
    );
    let both = [&near[..], &to].concat();
    let told = night(&home, "s3://goodcache/shop", "s3://goodcache/far", &both).expect(0);
    assert!(!told.stderr.contains("sets nothing"), "{}", told.stderr);
    assert!(!told.stderr.contains("very-secret-key"), "{}", told.stderr);
    assert_eq!(sound(&home, "s3://goodcache/shop", &near), 1);
    assert_eq!(sound(&home, "s3://goodcache/far", &far), 1);
}
