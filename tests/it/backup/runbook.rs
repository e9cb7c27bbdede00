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

/// A block of the README that begins so, up to its end.
fn printed(beginning: &str) -> String {
    let readme = fs::read_to_string(of_the_sources("README.md")).unwrap();
    let (_, rest) = readme.split_once(beginning).unwrap();
    format!("{beginning}{}", rest.split_once("```").unwrap().0)
}

/// As cron does it: settings line by line, then the command by `sh -c`, in an environment of its own.
#[test]
fn the_crontab_of_the_readme_runs() {
    let (home, _fleet) = shop();
    let program = Path::new(env!("CARGO_BIN_EXE_goodcache")).parent().unwrap();
    home.file("etc/passphrase", &format!("{PASSPHRASE}\n"));
    home.file("etc/backup.env", "AWS_ACCESS_KEY_ID=unused\n");
    let at_home = |name: &str| home.path().join(name).display().to_string();
    let crontab = printed("PATH=/usr/local/bin:")
        .replace("/usr/local/bin:", &format!("{}:", program.display()))
        .replace("/usr/local/sbin", of_the_sources("tests").to_str().unwrap())
        .replace("/etc/goodcache", &at_home("etc"))
        .replace("s3://backups/shop", &at_home("near"))
        .replace("s3://backups-far/shop", &at_home("far"));
    let mut settings = vec!["-i".to_owned(), format!("HOME={}", at_home(""))];
    let mut command = None;
    for line in crontab.lines() {
        match line.split_once("* * *  ") {
            Some((_, line)) => command = Some(line.to_owned()),
            None => settings.push(line.to_owned()),
        }
    }
    settings.extend(["sh".to_owned(), "-c".to_owned(), command.unwrap()]);
    let args: Vec<&str> = settings.iter().map(String::as_str).collect();
    let told = home.program("env", &args).run().expect(0);
    assert_eq!(told.stdout, "");
    let log = fs::read_to_string(home.path().join("goodcache-backup.log")).unwrap();
    assert!(log.contains("TAKEN") && log.contains("SOUND"), "{log}");
    for url in ["near", "far"] {
        assert_eq!(sound(&home, url, &[]), 1);
    }
}

#[test]
fn systemd_understands_the_units_of_the_readme() {
    let home = Home::new();
    let script = of_the_sources(SCRIPT).display().to_string();
    let folder = "# /etc/systemd/system/";
    let both = printed("# /etc/systemd/system/goodcache-backup.service");
    let mut args = vec!["verify".to_owned()];
    for unit in both.split(folder).filter(|unit| !unit.is_empty()) {
        let (name, text) = unit.split_once('\n').unwrap();
        let text = text.replace("/usr/local/sbin/backup-runbook.sh", &script);
        args.push(home.file(name, &text).display().to_string());
    }
    assert_eq!(args.len(), 3);
    let is_there = std::process::Command::new("systemd-analyze")
        .arg("--version")
        .output();
    if is_there.is_err() {
        eprintln!("there is no systemd-analyze here: this is not tried");
        return;
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let told = home.program("systemd-analyze", &args).run().expect(0);
    assert_eq!((told.stdout, told.stderr), (String::new(), String::new()));
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
