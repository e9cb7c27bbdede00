//! What goes wrong on the way: it stops, puts back what it did, and says so.

use std::time::Duration;

use super::{apply, configs, run, setting};
use crate::support::{Fleet, Home, until};

const SOON: Duration = Duration::from_secs(30);

/// A user that may look and not set.
const LOOKER: &[&str] = &[
    "ACL",
    "SETUSER",
    "looker",
    "on",
    ">secret",
    "~*",
    "&*",
    "+@all",
    "-config|set",
];

#[test]
fn a_server_that_refuses_leaves_nothing_changed() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    for server in fleet.iter() {
        assert_eq!(server.cli(LOOKER), "OK");
    }
    let before = configs(&fleet);
    home.file("password", "secret");
    let words = apply(&fleet, &["--user", "looker", "--password-file", "password"]);
    let refused = run(&home, &words).expect(5);
    assert!(refused.stdout.contains("STOPPED"), "{}", refused.stdout);
    assert!(
        refused.stdout.contains("nothing is changed"),
        "{}",
        refused.stdout
    );
    assert_eq!(configs(&fleet), before);
}

#[test]
fn where_settings_cannot_be_read_there_is_no_advice_on_them_and_that_is_said() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    for server in fleet.iter() {
        let blind: Vec<&str> = (LOOKER.iter())
            .map(|word| match *word {
                "-config|set" => "-config",
                word => word,
            })
            .collect();
        assert_eq!(server.cli(&blind), "OK");
    }
    home.file("password", "secret");
    let first = fleet[0].addr();
    let words = [
        "tune",
        &first,
        "--sample",
        "0s",
        "--user",
        "looker",
        "--password-file",
        "password",
        "-o",
        "json",
    ];
    let answer = home.goodcache(&words).run().expect(0).json();
    let skipped = answer["report"]["skipped"].as_array().unwrap();
    assert!(
        skipped
            .iter()
            .any(|one| one["reason"].as_str().unwrap().contains("CONFIG")),
        "{skipped:#?}"
    );
    for one in answer["report"]["recommendations"].as_array().unwrap() {
        assert_ne!(one["kind"], "setting", "{one:#}");
    }
}

#[test]
fn a_node_that_is_away_refuses_the_whole() {
    let mut fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    fleet[5].kill();
    let first = fleet[0].addr();
    let before = fleet[0].cli(&["CONFIG", "GET", "*"]);
    let refused = run(&home, &apply(&fleet, &[])).expect(5);
    assert!(
        refused.stderr.contains("1 of 6 nodes"),
        "{}",
        refused.stderr
    );
    assert_eq!(fleet[0].cli(&["CONFIG", "GET", "*"]), before, "{first}");
}

#[test]
fn a_node_that_dies_on_the_way_stops_it_and_the_others_are_put_back() {
    let mut fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let words = apply(&fleet, &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = home.goodcache(&words).spawn();
    until("the first replica is set", SOON, || {
        fleet
            .iter()
            .any(|server| setting(server, "timeout") == "300")
    });
    fleet[0].kill();
    let stopped = running.wait();
    assert!(stopped.stdout.contains("STOPPED"), "{}", stopped.stdout);
    assert!([5, 6].contains(&stopped.code), "{}", stopped.code);
    // Its replica may be a master by now, so not all of CONFIG is as it was.
    for server in fleet.iter().skip(1) {
        assert_eq!(setting(server, "timeout"), "0");
        assert_eq!(setting(server, "maxmemory"), "0");
        assert_eq!(setting(server, "maxmemory-policy"), "noeviction");
    }
}

#[test]
fn ctrl_c_puts_back_what_was_set() {
    let fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    let before = configs(&fleet);
    let words = apply(&fleet, &[]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let running = home.goodcache(&words).spawn();
    until("the first replica is set", SOON, || {
        fleet
            .iter()
            .any(|server| setting(server, "timeout") == "300")
    });
    running.interrupt();
    let stopped = running.wait().expect(130);
    assert!(stopped.stdout.contains("put back"), "{}", stopped.stdout);
    assert_eq!(configs(&fleet), before);
}
