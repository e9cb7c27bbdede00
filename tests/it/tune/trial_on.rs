//! What a trial runs on and with: the cluster's own vendor and version, and the load that was asked for.

use std::time::Duration;

use serde_json::Value;

use super::bad::{send, string};
use crate::support::{Fleet, Home};

const SOON: Duration = Duration::from_secs(60);

/// `tune --profile guide --trial guide.timeout` for a second, as JSON, and more.
fn words<'a>(first: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let ask = ["tune", first, "--sample", "0s", "--profile", "guide"];
    let trial = ["--trial", "guide.timeout", "--for", "1s", "-o", "json"];
    [&ask, &trial, more].concat()
}

fn try_it(home: &Home, fleet: &Fleet, more: &[&str]) -> Value {
    let first = fleet[0].addr();
    let words = words(&first, more);
    let tried = home.goodcache(&words).within(SOON).run().expect(0);
    let trial = tried.json()["report"]["trial"].clone();
    // Found by itself: what the nodes run, not whatever stands first in PATH.
    assert_eq!(trial["server"], trial["node_server"], "{trial:#}");
    for side in ["refused_without", "refused_with"] {
        assert_eq!(trial[side]["count"], 0, "{trial:#}");
    }
    let speed = &trial["figures"][0];
    assert!(speed["without"]["min"].as_f64().unwrap() > 0.0, "{speed:#}");
    assert!(speed["with"]["min"].as_f64().unwrap() > 0.0, "{speed:#}");
    trial
}

fn share(trial: &Value, command: &str) -> f64 {
    let mut all = trial["commands"].as_array().unwrap().iter();
    let found = all.find(|one| one["command"] == command);
    let found = found.unwrap_or_else(|| panic!("{:#}", trial["commands"]));
    found["percent"].as_f64().unwrap()
}

#[test]
fn matrix_the_load_is_the_clusters_own_or_that_of_a_file() {
    let fleet = Fleet::cluster(3, 0);
    let key = |n: usize| format!("session:{}", n % 600);
    let sets = (0..600).map(|n| string(key(n), &["EX", "3600"]));
    let gets = (0..2_400).map(|n| vec!["GET".to_owned(), key(n)]);
    send(&fleet, 3, sets.chain(gets));
    let home = Home::new();

    let trial = try_it(&home, &fleet, &["--load", "recorded"]);
    // Four reads to a write. What goodcache itself asks is no part of the load.
    assert!((share(&trial, "GET") - 80.0).abs() < 1.0, "{trial:#}");
    assert!((share(&trial, "SET") - 20.0).abs() < 1.0, "{trial:#}");
    assert_eq!(trial["commands"].as_array().unwrap().len(), 2);

    home.file(
        "load",
        "# a Monday morning\n\
         {\"command\": \"GET {key:session:*}\", \"weight\": 1}\n\
         {\"command\": \"SET {key:session:*} {value:400} EX 3600\", \"weight\": 3}\n",
    );
    let trial = try_it(&home, &fleet, &["--load", "load"]);
    let of = |name: &str| {
        let all = trial["commands"].as_array().unwrap();
        let mut own = all.iter().filter(|one| {
            let command = one["command"].as_str().unwrap();
            command.starts_with(name)
        });
        own.next().unwrap()["percent"].as_f64().unwrap()
    };
    assert_eq!((of("GET"), of("SET")), (25.0, 75.0), "{trial:#}");
    assert!(
        trial["told"]["load"].to_string().contains("file"),
        "{trial:#}"
    );
}

#[test]
fn a_copy_that_cannot_be_made_says_what_to_give() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let first = fleet[0].addr();
    let save = ["tune", &first, "--sample", "0s", "--save-evidence", "seen"];
    home.goodcache(&save).run().expect(0);
    let from = ["tune", "--from", "seen", "--profile", "guide"];
    let from = [&from[..], &["--trial", "guide.timeout", "--for", "1s"]].concat();
    let try_in = |path: &str| home.goodcache(&from).env("PATH", path).run().expect(1);

    // Evidence may be of another machine: whose programs it names is not looked at.
    let none = try_in("/nowhere");
    assert!(none.stderr.contains("is in PATH"), "{}", none.stderr);
    assert!(none.stderr.contains("apt-get install"), "{}", none.stderr);
    assert!(none.stderr.contains("--server PATH"), "{}", none.stderr);

    // A server of another vendor is named, and not taken unasked.
    let other = home.file(
        "bin/redis-server",
        "#!/bin/sh\necho Redis server v=7.0.15 sha=0\n",
    );
    let valkey = std::fs::read_to_string(home.path().join("seen")).unwrap();
    let valkey = valkey.replace("\"redis_version\"", "\"valkey_version\"");
    home.file("seen", &valkey);
    let chmod = home.program("chmod", &["+x", other.to_str().unwrap()]);
    chmod.run().expect(0);
    let folder = home.path().join("bin");
    let other = try_in(folder.to_str().unwrap());
    assert!(
        other.stderr.contains("runs Valkey") && other.stderr.contains("(Redis 7.0.15)"),
        "{}",
        other.stderr
    );
    assert_eq!(other.stdout, "");
}
