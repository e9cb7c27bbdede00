//! Values carried from one server to another: every type that this server makes is restored on each
//! of the others, whole and by elements, and is the same there.
//!
//! `tests/matrix.sh` names all servers in `GOODCACHE_TEST_SERVERS`; without it a server stands in for
//! the others, since it reads all that is made for older ones.

use std::env;

use goodcache::rdb::{Accepts, Bridged, Elements, Family, Limits, Reason, bridge, family};

use super::*;

/// Small, so that most values take many commands.
const LIMITS: Limits = Limits {
    bytes: 2000,
    items: 50,
};

/// So that a server looks through every payload before it takes it.
const CAREFUL: [&str; 2] = ["--sanitize-dump-payload", "yes"];

/// A key's digest without its expiry, which RESTORE gives by itself.
fn digest(entry: &Entry<'_>) -> u128 {
    let bare = Entry {
        expires_ms: None,
        meta: &[],
        ..entry.clone()
    };
    Digester::new().hash(&bare).unwrap()
}

/// What a server holds under that key, as the same key.
fn found(wire: &mut Wire, at: &[u8], key: &[u8]) -> u128 {
    let dumped = bulk(ask(wire, &[b"DUMP", at]));
    let payload = Payload::parse(&dumped).unwrap();
    digest(&Entry {
        dialect: payload.dialect,
        db: 0,
        key,
        kind: payload.kind,
        value: payload.value,
        meta: &[],
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    })
}

/// What is in no other test: scores of every size, gaps, deleted entries that are pending, hashes
/// whose fields no longer expire.
fn fill_more(server: &Server) {
    fill(server);
    let mut wire = server.connect().unwrap();
    let mut commands = [
        "ZADD z:exact 0.1 a 0.30000000000000004 b 5e-324 c 1.7976931348623157e308 d -0 e 1e-7 f",
        "XADD x:gone 1-1 a b",
        "XADD x:gone 2-1 a c",
        "XADD x:gone 3-1 a d",
        "XGROUP CREATE x:gone g 0",
        "XREADGROUP GROUP g c COUNT 2 STREAMS x:gone >",
        "XDEL x:gone 1-1 3-1",
        "XGROUP CREATE x:none g $ MKSTREAM",
    ]
    .map(str::to_owned)
    .to_vec();
    commands.push(numbered("ZADD z:many:exact", 500, |n| {
        format!("{} m{n}", 1.0 / (n as f64 + 3.0))
    }));
    commands.push(format!("SET s:long {}", "long-text-".repeat(5000)));
    if knows(server, "HPEXPIREAT") {
        commands.extend([
            "HSET h:kept a 1 b 2".to_owned(),
            format!("HPEXPIREAT h:kept {LATER_MS} FIELDS 1 a"),
            "HPERSIST h:kept FIELDS 1 a".to_owned(),
        ]);
    }
    if knows(server, "VADD") {
        commands.push("VADD v VALUES 3 1 2 3 one".to_owned());
    }
    run(&mut wire, &commands);
}

fn accepts(server: &Server) -> Accepts {
    let field = |name| server.field(&["INFO", "server"], name);
    let accepts = match field("valkey_version") {
        Some(version) => Accepts::of_server(Vendor::Valkey, &version),
        None => Accepts::of_server(Vendor::Redis, &field("redis_version").unwrap()),
    };
    let listed = server.ask(&["MODULE", "LIST"]).unwrap().to_string();
    accepts.with_modules(
        ["vectorset", "lua"]
            .into_iter()
            .filter(|name| listed.contains(name)),
    )
}

/// The servers that values go to, and what each is taken for.
fn targets() -> Vec<(Server, Vec<Accepts>)> {
    let Ok(programs) = env::var("GOODCACHE_TEST_SERVERS") else {
        let server = single(&CAREFUL);
        let own = accepts(&server);
        let older = ["6.2.5", "7.0.15", "7.2.4", "8.2.3"].map(|version| Accepts {
            modules: own.modules,
            ..Accepts::of_server(own.vendor, version)
        });
        let taken_for = older.into_iter().filter(|older| older.rdb < own.rdb);
        return vec![(server, taken_for.chain([own]).collect())];
    };
    let start = |program: &str| {
        let server = Server::start_with(Spec {
            is_cluster: false,
            binary: program.into(),
            ..Spec::with_args(&CAREFUL)
        });
        let own = accepts(&server);
        (server, vec![own])
    };
    let servers: Vec<_> = programs.split(':').map(start).collect();
    assert!(!servers.is_empty());
    servers
}

/// Whether that value, and only such a one, may be refused by such a server.
fn may_be_refused(entry: &Entry<'_>, accepts: Accepts) -> Option<Reason> {
    let knows_expiry = match accepts.vendor {
        Vendor::Redis => accepts.rdb >= 12,
        Vendor::Valkey => accepts.rdb >= 80,
    };
    match family(entry.dialect, entry.kind).unwrap() {
        Family::Hash if entry.key.starts_with(b"h:timed") && !knows_expiry => {
            Some(Reason::FieldExpiry)
        }
        Family::Module if !accepts.modules => Some(Reason::Module),
        _ => None,
    }
}

#[test]
fn every_value_restores_on_every_server_matrix() {
    let source = single(&[]);
    fill_more(&source);
    let held = dump(&source);
    for (target, taken_for) in targets() {
        let mut wire = target.connect().unwrap();
        for accepts in taken_for {
            ask(&mut wire, &[b"FLUSHALL"]);
            let (mut restored, mut refused) = (0, 0);
            for (key, kept) in &held.keys {
                let entry = held.entry(key, kept);
                let mut payload = Vec::new();
                let done = bridge(&entry, accepts, &mut payload).unwrap();
                let name = format!(
                    "{:?} type {} to {accepts:?}",
                    key.escape_ascii().to_string(),
                    kept.kind
                );
                if let Bridged::Impossible(reason) = done {
                    assert_eq!(Some(reason), may_be_refused(&entry, accepts), "{name}");
                    refused += 1;
                    continue;
                }
                assert_eq!(None, may_be_refused(&entry, accepts), "{name}");
                let reply = ask(&mut wire, &[b"RESTORE", key, b"0", &payload]);
                assert_eq!(reply, Reply::Simple("OK".into()), "{name}: {done:?}");
                assert_eq!(
                    found(&mut wire, key, key),
                    digest(&entry),
                    "{name}: {done:?}"
                );
                restored += 1;
            }
            assert!(
                restored > 30 && restored + refused == held.keys.len(),
                "{restored}"
            );
            println!(
                "{:?} to {accepts:?}: {restored} restored, {refused} refused",
                held.dialect
            );
        }
    }
}

#[test]
fn values_built_by_elements_are_the_same_on_every_server_matrix() {
    let source = single(&[]);
    fill_more(&source);
    let held = dump(&source);
    for (target, taken_for) in targets() {
        let mut wire = target.connect().unwrap();
        for accepts in taken_for {
            ask(&mut wire, &[b"FLUSHALL"]);
            let mut built = 0;
            for (key, kept) in &held.keys {
                let entry = held.entry(key, kept);
                let name = format!(
                    "{:?} type {} to {accepts:?}",
                    key.escape_ascii().to_string(),
                    kept.kind
                );
                let mut elements = match Elements::of(&entry, accepts, LIMITS).unwrap() {
                    Ok(elements) => elements,
                    Err(Reason::OnlyWhole) => {
                        assert_eq!(family(entry.dialect, kept.kind).unwrap(), Family::Module);
                        continue;
                    }
                    Err(reason) => {
                        assert_eq!(Some(reason), may_be_refused(&entry, accepts), "{name}");
                        continue;
                    }
                };
                assert!(elements.lost().is_empty(), "{name}");
                // Left behind by a build that was interrupted.
                ask(&mut wire, &[b"DEL", b"building"]);
                ask(&mut wire, &[b"RPUSH", b"building", b"old"]);
                while let Some(batch) = elements.next_batch().unwrap() {
                    for command in batch.commands() {
                        let mut words = vec![command.name(), b"building"];
                        words.extend(command.arguments());
                        if let Reply::Error(error) = ask(&mut wire, &words) {
                            panic!(
                                "{name}: {error}: {:?}",
                                command.name().escape_ascii().to_string()
                            );
                        }
                    }
                }
                let reply = ask(&mut wire, &[b"RENAME", b"building", key]);
                assert_eq!(reply, Reply::Simple("OK".into()), "{name}");
                assert_eq!(found(&mut wire, key, key), digest(&entry), "{name}");
                built += 1;
            }
            assert!(built > 30, "{built}");
        }
    }
}

/// What a server tells of a stream, but not how it is laid out.
fn told(wire: &mut Wire, key: &[u8]) -> Vec<Reply> {
    let Reply::Array(facts) = ask(wire, &[b"XINFO", b"STREAM", key]) else {
        panic!("no stream: {}", key.escape_ascii());
    };
    let is_layout =
        |name: &Reply| matches!(name, Reply::Bulk(Some(name)) if name.starts_with(b"radix-tree"));
    let pairs = facts.chunks(2).filter(|pair| !is_layout(&pair[0]));
    let mut told: Vec<Reply> = pairs.flatten().cloned().collect();
    assert!(told.len() >= 10, "{told:?}");
    told.push(ask(wire, &[b"XINFO", b"GROUPS", key]));
    told
}

#[test]
fn a_rebuilt_stream_counts_as_before_matrix() {
    let server = single(&[]);
    fill_more(&server);
    let held = dump(&server);
    let mut wire = server.connect().unwrap();
    let mut streams = 0;
    for (key, kept) in &held.keys {
        let entry = held.entry(key, kept);
        if family(entry.dialect, kept.kind).unwrap() != Family::Stream {
            continue;
        }
        let before = told(&mut wire, key);
        let elements = Elements::of(&entry, accepts(&server), LIMITS).unwrap();
        let mut elements = elements.ok().unwrap();
        while let Some(batch) = elements.next_batch().unwrap() {
            for command in batch.commands() {
                let mut words = vec![command.name(), b"again"];
                words.extend(command.arguments());
                let reply = ask(&mut wire, &words);
                assert!(!matches!(reply, Reply::Error(_)), "{reply}");
            }
        }
        assert_eq!(
            told(&mut wire, b"again"),
            before,
            "{:?}",
            key.escape_ascii().to_string()
        );
        ask(&mut wire, &[b"DEL", b"again"]);
        streams += 1;
    }
    assert!(streams >= 5, "{streams}");
}

#[test]
fn fields_that_expired_and_that_expire_late_are_taken_matrix() {
    // 2^48 - 1 is the last that Redis takes.
    let value = |first_ms: i64, second_ms: i64| {
        let (first, second) = (first_ms.to_le_bytes(), second_ms.to_le_bytes());
        [&b"\x02\x01f\x01v"[..], &first, b"\x01g\x01w", &second].concat()
    };
    let values = [value(-1, (1 << 48) - 1), value(1000, -1), value(1000, 1000)];
    for (target, taken_for) in targets() {
        let mut wire = target.connect().unwrap();
        for accepts in taken_for {
            for (value, left) in values.iter().zip(["2", "1", "0"]) {
                let entry = Entry {
                    dialect: Dialect::valkey(80),
                    db: 0,
                    key: b"h:timed",
                    kind: 22,
                    value,
                    meta: &[],
                    expires_ms: None,
                    freq: None,
                    idle_s: None,
                    range: 0..0,
                };
                let mut payload = Vec::new();
                let done = bridge(&entry, accepts, &mut payload).unwrap();
                if let Some(reason) = may_be_refused(&entry, accepts) {
                    assert_eq!(done, Bridged::Impossible(reason));
                    continue;
                }
                let reply = ask(
                    &mut wire,
                    &[b"RESTORE", b"h:timed", b"0", &payload, b"REPLACE"],
                );
                assert_eq!(reply, Reply::Simple("OK".into()), "{accepts:?} {left}");
                // The server itself takes away what is past.
                crate::support::until(
                    "expired fields are gone",
                    std::time::Duration::from_secs(15),
                    || target.cli(&["HLEN", "h:timed"]) == left,
                );
            }
        }
    }
}
