//! Values and times that a log carries, played into servers of other versions than the one that wrote it.

use goodcache::rdb::{Dialect, Entry, append_payload};

use super::handmade::{dump, now_ms, take_wire, wire};
use super::matrix::targets;
use super::*;
use crate::rdb::knows;
use crate::support::resp::{Reply, Wire, encode};

/// Makes the value of a key, and asks for it in an order that does not depend on its layout.
const VALUES: [(&str, &str, &str); 7] = [
    ("text", "SET text hello", "GET text"),
    ("list", "RPUSH list a b 12", "LRANGE list 0 -1"),
    ("set", "SADD set b a c", "SORT set ALPHA"),
    ("numbers", "SADD numbers 3 1 2", "SORT numbers"),
    ("hash", "HSET hash f 1", "HGETALL hash"),
    (
        "sorted",
        "ZADD sorted 1 a 2 b",
        "ZRANGE sorted 0 -1 WITHSCORES",
    ),
    ("stream", "XADD stream 5-1 f v", "XRANGE stream - +"),
];

fn alone_on(program: &std::path::Path) -> Server {
    Server::start_with(Spec {
        binary: program.to_path_buf(),
        ..Spec::with_args(&["--cluster-enabled", "no"])
    })
}

fn said(wire: &mut Wire, line: &str) -> Reply {
    let words: Vec<&str> = line.split(' ').collect();
    wire.ask(&words).unwrap()
}

fn payload(wire: &mut Wire, key: &str) -> Vec<u8> {
    match wire.ask(&["DUMP", key]).unwrap() {
        Reply::Bulk(Some(bytes)) => bytes,
        other => panic!("{key}: {other:?}"),
    }
}

fn restored(home: &Home, target: &Server, more: &[&str]) -> Outcome {
    let (url, addr) = (
        home.path().join("repository").display().to_string(),
        target.addr(),
    );
    let mut words = vec!["restore", "latest", &addr, "--repo", &url, "-o", "json"];
    words.extend(more);
    home.goodcache(&words).within(LIMIT).run()
}

#[test]
fn a_value_inside_a_log_goes_to_every_server_matrix() {
    let (source, empty) = (alone(), alone());
    let mut wire_to = source.connect().unwrap();
    let mut log = wire(&["SELECT 0"]);
    for (n, (key, made, _)) in VALUES.iter().enumerate() {
        said(&mut wire_to, made).text().unwrap();
        let value = payload(&mut wire_to, key);
        // As MIGRATE sends it, and as a client does.
        let name: &[u8] = [&b"RESTORE-ASKING"[..], b"RESTORE"][n % 2];
        encode(&mut log, &[name, key.as_bytes(), b"0", &value]);
    }
    let has_fields = knows(&source, "HPEXPIREAT");
    let later = now_ms() + 3_600_000;
    if has_fields {
        said(&mut wire_to, "HSET timed f 1 g 2").text().unwrap();
        said(
            &mut wire_to,
            &format!("HPEXPIREAT timed {later} FIELDS 1 f"),
        );
        let value = payload(&mut wire_to, "timed");
        encode(&mut log, &[b"RESTORE", b"timed", b"0", &value]);
    }
    log.extend(wire(&["RPUSH list last", "XADD stream 6-1 f w"]));
    said(&mut wire_to, "RPUSH list last").text().unwrap();
    said(&mut wire_to, "XADD stream 6-1 f w").text().unwrap();
    let home = Home::new();
    take_wire(&home, &dump(&empty), &log, VALUES.len() as u64 + 2);
    for program in targets() {
        let (target, name) = (alone_on(&program), program.display());
        let can_all = !has_fields || knows(&target, "HPEXPIREAT");
        let outcome = restored(&home, &target, &[]);
        let report = outcome.expect(if can_all { 0 } else { 3 }).json()["report"].clone();
        assert_eq!(report["refused"], 0, "{name}: {report:#}");
        let impossible = &report["impossible"];
        match can_all {
            true => assert_eq!(impossible.as_array().unwrap().len(), 0, "{report:#}"),
            false => assert_eq!(impossible[0]["named"][0], "timed", "{report:#}"),
        }
        let mut to = target.connect().unwrap();
        for (key, _, asked) in VALUES {
            let (found, expected) = (said(&mut to, asked), said(&mut wire_to, asked));
            assert_eq!(found, expected, "{name}: {key}");
        }
        let asked = "HPEXPIRETIME timed FIELDS 2 f g";
        let is_there = said(&mut to, "EXISTS timed").text().unwrap() == "1";
        assert_eq!(is_there, has_fields && can_all, "{name}");
        if is_there {
            assert_eq!(said(&mut to, asked), said(&mut wire_to, asked), "{name}");
        }
    }
}

#[test]
fn a_field_that_was_renewed_in_the_log_survives_its_first_expiry_matrix() {
    let source = alone();
    let mut to = source.connect().unwrap();
    let (soon, later) = (now_ms() + 1500, now_ms() + 3_600_000);
    if !knows(&source, "HPEXPIREAT") {
        // What no server here knows is refused by name, and not passed over.
        said(&mut to, "HSET h f 1").text().unwrap();
        let home = Home::new();
        let log = wire(&[&format!("HPEXPIREAT h {later} FIELDS 1 f")]);
        take_wire(&home, &dump(&source), &log, 1);
        let target = alone();
        let report = restored(&home, &target, &[]).expect(3).json()["report"].clone();
        assert_eq!(report["refused"], 1, "{report:#}");
        assert_eq!(report["first_refused"][0]["command"], "HPEXPIREAT");
        return;
    }
    let many: String = (0..3000).map(|n| format!(" field-{n} {n:040}")).collect();
    for line in [
        "HSET h renewed 1 over 1 lasting 1 plain 1",
        &format!("HPEXPIREAT h {soon} FIELDS 2 renewed over"),
        &format!("HPEXPIREAT h {later} FIELDS 1 lasting"),
        "HSET first moved 1 plain 1",
        &format!("HPEXPIREAT first {soon} FIELDS 1 moved"),
        &format!("HSET big{many}"),
        &format!("HPEXPIREAT big {soon} FIELDS 2 field-5 field-6"),
        &format!("HPEXPIREAT big {later} FIELDS 1 field-7"),
        "HSET untouched f 1",
        &format!("HPEXPIREAT untouched {later} FIELDS 1 f"),
        "HSET carried f 1 g 1",
        &format!("HPEXPIREAT carried {soon} FIELDS 2 f g"),
    ] {
        said(&mut to, line).text().unwrap();
    }
    let base = {
        let value = payload(&mut to, "carried");
        said(&mut to, "DEL carried").text().unwrap();
        (dump(&source), value)
    };
    let mut log = wire(&[
        &format!("HPEXPIREAT h {later} FIELDS 1 renewed"),
        "HSET h plain 2",
        &format!("HSETEX h PXAT {later} FIELDS 1 new v"),
        "RENAME first second",
        &format!("HPEXPIREAT second {later} FIELDS 1 moved"),
        &format!("HPEXPIREAT big {later} FIELDS 1 field-5"),
    ]);
    encode(&mut log, &[b"RESTORE", b"carried", b"0", &base.1]);
    log.extend(wire(&[&format!("HPEXPIREAT carried {later} FIELDS 1 f")]));
    let home = Home::new();
    take_wire(&home, &base.0, &log, 8);
    crate::support::until("the first times are over", LIMIT, || now_ms() > soon + 50);
    for program in targets() {
        let (target, name) = (alone_on(&program), program.display());
        if !knows(&target, "HPEXPIREAT") {
            continue;
        }
        let outcome = restored(&home, &target, &["--max-stall", "1ms"]);
        let report = proven(outcome);
        assert_eq!(report["in_parts"], 1, "{name}: {report:#}");
        let mut at = target.connect().unwrap();
        let mut times = |key: &str, fields: &[&str]| {
            let mut words = vec!["HPEXPIRETIME", key, "FIELDS"];
            let count = fields.len().to_string();
            words.push(&count);
            words.extend(fields);
            let said = at.ask(&words).unwrap().to_string();
            said.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let (later, none, gone) = (later.to_string(), "-1".to_owned(), "-2".to_owned());
        assert_eq!(
            times("h", &["renewed", "over", "lasting", "plain", "new"]),
            [&later, &gone, &later, &none, &later].map(String::clone),
            "{name}"
        );
        assert_eq!(
            times("second", &["moved", "plain"]),
            [later.clone(), none.clone()]
        );
        assert_eq!(
            times("big", &["field-5", "field-6", "field-7", "field-8"]),
            [&later, &gone, &later, &none].map(String::clone),
            "{name}"
        );
        assert_eq!(times("untouched", &["f"]), std::slice::from_ref(&later));
        assert_eq!(times("carried", &["f", "g"]), [later.clone(), gone.clone()]);
        assert_eq!(target.cli(&["HLEN", "big"]).trim(), "2999", "{name}");
    }
}

#[test]
fn what_comes_of_a_value_that_cannot_go_is_left_out_and_named() {
    let source = alone();
    // A hash of which a field expires, as Redis 7.4 writes it.
    let mut value = Vec::new();
    let entry = Entry {
        dialect: Dialect::redis(12),
        db: 0,
        key: b"timed",
        kind: 24,
        value: &[&now_ms().to_le_bytes()[..], b"\x01\x01\x01f\x01v"].concat(),
        meta: &[],
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    };
    append_payload(&entry, &mut value).unwrap();
    let mut log = wire(&["SELECT 0", "HSET third own 1"]);
    encode(&mut log, &[b"RESTORE", b"timed", b"0", &value]);
    let after = [
        "HSET timed g 1",
        "RENAME timed other",
        "HSET other h 1",
        "COPY other third REPLACE",
        "HSET third i 1",
        "SET other anew",
        "SET timed anew",
        "APPEND other x",
    ];
    log.extend(wire(&after));
    let home = Home::new();
    take_wire(&home, &dump(&source), &log, after.len() as u64 + 3);
    let target = alone();
    if knows(&target, "HPEXPIREAT") {
        return;
    }
    let report = restored(&home, &target, &[]).expect(3).json()["report"].clone();
    assert_eq!(report["impossible"][0]["keys"], 1, "{report:#}");
    assert_eq!(report["impossible"][0]["named"][0], "third", "{report:#}");
    assert_eq!(report["refused"], 0, "{report:#}");
    let get = |key: &str| target.cli(&["GET", key]).trim().to_owned();
    assert_eq!(
        (get("other"), get("timed")),
        ("anewx".to_owned(), "anew".to_owned())
    );
    assert_eq!(target.cli(&["EXISTS", "third"]).trim(), "0");
}
