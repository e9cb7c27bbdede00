//! Commands of a log that make one key from others: of these, some may be over by now, not meant, or held by
//! the target with other values, and none of that may show in what is made.

use super::handmade::{dump, now_ms, take};
use super::*;
use crate::support::until;

/// A home with one snapshot: what the commands made, then the log.
fn snapshot(made: &[&str], log: &[&str]) -> Home {
    let (server, home) = (alone(), Home::new());
    ask_all(&server, made);
    take(&home, &dump(&server), log);
    home
}

fn ask_all(server: &Server, lines: &[&str]) {
    let mut wire = server.connect().unwrap();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        wire.ask(&words).unwrap().text().unwrap();
    }
}

fn restore(home: &Home, target: &str, more: &[&str]) -> Goodcache {
    let url = home.path().join("repository").display().to_string();
    let mut words = vec!["restore", "latest", target, "--repo", &url, "-o", "json"];
    words.extend(more);
    home.goodcache(&words).within(LIMIT)
}

/// What that server says, elements in one line.
fn said(server: &Server, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    server.cli(&words).trim().replace('\n', " ")
}

/// Sources of every kind, which end at that time, and what is made of them.
fn made(ends_ms: u64) -> (Vec<String>, Vec<&'static str>) {
    let mut base: Vec<String> = [
        "SADD {t}a 1 2",
        "SADD {t}b 2 3",
        "ZADD {t}z 1 x 2 y",
        "PFADD {t}p u v w",
        "SET {t}s \\x01",
        "RPUSH {t}l 3 1 2",
        "GEOADD {t}g 13 38 here",
    ]
    .map(str::to_owned)
    .to_vec();
    for key in ["a", "z", "p", "s", "l", "g"] {
        base.push(format!("PEXPIREAT {{t}}{key} {ends_ms}"));
    }
    let log = vec![
        "SELECT 0",
        "SUNIONSTORE {t}union {t}a {t}b",
        "SDIFFSTORE {t}diff {t}b {t}a",
        "SINTERSTORE {t}inter {t}a {t}b",
        "ZUNIONSTORE {t}zunion 1 {t}z WEIGHTS 3",
        "ZRANGESTORE {t}zrange {t}z 1 1",
        "PFMERGE {t}merged {t}p",
        "BITOP NOT {t}bits {t}s",
        "SORT {t}l STORE {t}sorted",
        "GEOSEARCHSTORE {t}found {t}g FROMLONLAT 13 38 BYRADIUS 1 km",
        "COPY {t}a {t}copy",
        "PERSIST {t}copy",
    ];
    (base, log)
}

/// What all of it came to.
fn is_all_made(server: &Server) {
    for (line, expected) in [
        ("SORT {t}union", "1 2 3"),
        ("SORT {t}diff", "3"),
        ("SORT {t}inter", "2"),
        ("ZRANGE {t}zunion 0 -1 WITHSCORES", "x 3 y 6"),
        ("ZRANGE {t}zrange 0 -1 WITHSCORES", "y 2"),
        ("PFCOUNT {t}merged", "3"),
        ("STRLEN {t}bits", "4"),
        ("LRANGE {t}sorted 0 -1", "1 2 3"),
        ("ZCARD {t}found", "1"),
        ("SORT {t}copy", "1 2"),
        ("PTTL {t}copy", "-1"),
        ("PTTL {t}union", "-1"),
    ] {
        assert_eq!(said(server, line), expected, "{line}");
    }
}

fn lines(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

#[test]
fn what_was_made_of_keys_that_ended_since_is_whole() {
    let soon = now_ms() + 1500;
    let (base, log) = made(soon);
    let home = snapshot(&lines(&base), &log);
    until("the sources are over", LIMIT, || now_ms() > soon + 50);
    let target = alone();
    let report = proven(restore(&home, &target.addr(), &[]).run());
    is_all_made(&target);
    for key in ["a", "z", "p", "s", "l", "g"] {
        assert_eq!(said(&target, &format!("EXISTS {{t}}{key}")), "0", "{key}");
    }
    assert_eq!(said(&target, "SORT {t}b"), "2 3");
    // What the log only reads is what the base has, and compared.
    assert_eq!(report["proof"]["keys_equal"], 1, "{report:#}");
    assert_eq!(report["proof"]["played"], 10, "{report:#}");
}

#[test]
fn what_was_made_of_keys_that_are_not_meant_is_whole_all_the_same() {
    let (base, log) = made(now_ms() + 3_600_000);
    let home = snapshot(&lines(&base), &log);
    let target = empty(2);
    let names = [
        "union", "diff", "inter", "zunion", "zrange", "merged", "bits", "sorted", "found", "copy",
    ];
    let globs = names.map(|name| format!("{{t}}{name}"));
    let mut more = Vec::new();
    for glob in &globs {
        more.extend(["--keys", glob]);
    }
    proven(restore(&home, &target[0].addr(), &more).run());
    let has = |server: &&Server| said(server, "DBSIZE") != "0";
    let owner = target.iter().find(has).unwrap();
    is_all_made(owner);
    assert_eq!(keys(&[&target[0], &target[1]]), 10);
}

#[test]
fn what_the_target_holds_is_no_source_of_what_was_lost() {
    let (base, log) = made(now_ms() + 3_600_000);
    let home = snapshot(&lines(&base), &log);
    let target = alone();
    let own = [
        "SADD {t}a own",
        "SADD {t}b own",
        "RPUSH {t}l 9",
        "SET {t}diff own",
    ];
    ask_all(&target, &own);
    proven(restore(&home, &target.addr(), &["--undelete"]).run());
    for (line, expected) in [
        ("SMEMBERS {t}a", "own"),
        ("SMEMBERS {t}b", "own"),
        ("LRANGE {t}l 0 -1", "9"),
        ("GET {t}diff", "own"),
        ("SORT {t}union", "1 2 3"),
        ("SORT {t}inter", "2"),
        ("LRANGE {t}sorted 0 -1", "1 2 3"),
        ("SORT {t}copy", "1 2"),
        ("ZRANGE {t}zunion 0 -1 WITHSCORES", "x 3 y 6"),
    ] {
        assert_eq!(said(&target, line), expected, "{line}");
    }
    assert_eq!(said(&target, "KEYS *goodcache*"), "");
}

/// A log that moves keys over each other.
fn moved(later_ms: u64) -> Home {
    snapshot(
        &[
            "SET {x}final old",
            "SADD {x}from 1 2",
            "RPUSH {x}queue a b",
            "SET {x}apart 1",
        ],
        &[
            "SELECT 0",
            &format!("SET {{x}}tmp new PXAT {later_ms}"),
            "RENAME {x}tmp {x}final",
            "SMOVE {x}from {x}to 1",
            "RPOPLPUSH {x}queue {x}done",
            "LMOVE {x}queue {x}done LEFT LEFT",
            "APPEND {x}apart 2",
        ],
    )
}

#[test]
fn what_was_renamed_or_moved_comes_without_what_it_was() {
    let later = now_ms() + 3_600_000;
    let home = moved(later);
    let target = alone();
    let own = ["SET {x}tmp own", "SADD {x}from own", "RPUSH {x}queue own"];
    ask_all(&target, &own);
    let addr = target.addr();
    let more = [
        "--replace",
        "--confirm",
        &addr,
        "--keys",
        "*final",
        "--keys",
        "*to",
        "--keys",
        "*done",
    ];
    proven(restore(&home, &addr, &more).run());
    for (line, expected) in [
        ("GET {x}final", "new"),
        ("PEXPIRETIME {x}final", later.to_string().as_str()),
        ("SMEMBERS {x}to", "1"),
        ("LRANGE {x}done 0 -1", "a b"),
        ("GET {x}tmp", "own"),
        ("SMEMBERS {x}from", "own"),
        ("LRANGE {x}queue 0 -1", "own"),
        ("DBSIZE", "6"),
    ] {
        assert_eq!(said(&target, line), expected, "{line}");
    }
}

#[test]
fn what_is_there_is_neither_renamed_away_nor_written_over() {
    let later = now_ms() + 3_600_000;
    let home = moved(later);
    let target = alone();
    let own = ["SET {x}tmp own", "SADD {x}to own", "RPUSH {x}done own"];
    ask_all(&target, &own);
    proven(restore(&home, &target.addr(), &["--undelete"]).run());
    for (line, expected) in [
        ("GET {x}tmp", "own"),
        ("SMEMBERS {x}to", "own"),
        ("LRANGE {x}done 0 -1", "own"),
        ("GET {x}final", "new"),
        ("PEXPIRETIME {x}final", later.to_string().as_str()),
        ("SMEMBERS {x}from", "2"),
        ("GET {x}apart", "12"),
        // Nothing was left in it.
        ("EXISTS {x}queue", "0"),
        ("DBSIZE", "6"),
    ] {
        assert_eq!(said(&target, line), expected, "{line}");
    }
}

#[test]
fn a_key_that_goes_to_another_database_is_that_of_its_time() {
    let later = now_ms() + 3_600_000;
    let home = snapshot(
        &[
            &format!("SET moved 1 PXAT {later}"),
            &format!("SET copied 1 PXAT {later}"),
        ],
        &["SELECT 0", "MOVE moved 3", "COPY copied other DB 4"],
    );
    let target = alone();
    proven(restore(&home, &target.addr(), &[]).run());
    let mut wire = target.connect().unwrap();
    for (db, key) in [("3", "moved"), ("4", "other"), ("0", "copied")] {
        wire.ask(&["SELECT", db]).unwrap();
        let ends = wire.ask(&["PEXPIRETIME", key]).unwrap();
        assert_eq!(ends.text().unwrap(), later.to_string(), "{key}");
    }
    assert_eq!(keys(&[&target]), 1);
}

#[test]
fn a_type_that_is_meant_is_what_the_base_and_the_log_make_of_it() {
    let home = snapshot(&["HSET h f 1 g 2", "SET s v"], &["SELECT 0", "HSET h g 3"]);
    let target = alone();
    proven(restore(&home, &target.addr(), &["--type", "string"]).run());
    // What the logs change comes whatever its type, and then whole.
    assert_eq!(said(&target, "HGETALL h"), "f 1 g 3");
    assert_eq!(said(&target, "GET s"), "v");
}

#[test]
fn a_command_without_effect_is_no_success() {
    // Nothing that a server logs is about a key that it has not.
    let home = snapshot(
        &["SET s v"],
        &["SELECT 0", "RENAME none other", "APPEND s x"],
    );
    let target = alone();
    let report = restore(&home, &target.addr(), &[]).run().expect(3).json()["report"].clone();
    assert_eq!(report["log_overtaken"], 1, "{report:#}");
    assert_eq!(said(&target, "GET s"), "vx");
}
