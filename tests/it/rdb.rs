//! The RDB room on real servers: what they save is read, what is made of it they take, and digests
//! do not depend on how a server lays data out.

mod bridge;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use goodcache::model::Slot;
use goodcache::rdb::{
    Dialect, Digester, Entry, Fault, Item, Part, Payload, Reader, SlotDigests, SlotInfo, Step,
    Vendor, Writer, append_payload, function_payload,
};

use crate::support::resp::encode;
use crate::support::{Reply, Server, Spec, Wire};

/// In 2100: nothing expires while a test looks.
const LATER_MS: i64 = 4_102_444_800_000;

const FUNCTION: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";

/// A key as the reader gave it.
#[derive(Debug, Clone)]
struct Kept {
    kind: u8,
    value: Vec<u8>,
    expires_ms: Option<i64>,
    freq: Option<u8>,
    idle_s: Option<u64>,
    slot: u16,
    payload: Vec<u8>,
}

/// All that a file holds.
#[derive(Default)]
struct Dump {
    dialect: Option<Dialect>,
    keys: BTreeMap<Vec<u8>, Kept>,
    aux: BTreeMap<Vec<u8>, Vec<u8>>,
    functions: Vec<Vec<u8>>,
    slots: Vec<SlotInfo>,
    resized: u64,
    digests: SlotDigests,
    has_crc: bool,
}

impl Dump {
    fn entry<'a>(&self, key: &'a [u8], kept: &'a Kept) -> Entry<'a> {
        Entry {
            dialect: self.dialect.unwrap(),
            db: 0,
            key,
            kind: kept.kind,
            value: &kept.value,
            meta: &[],
            expires_ms: kept.expires_ms,
            freq: kept.freq,
            idle_s: kept.idle_s,
            range: 0..0,
        }
    }

    fn kind(&self, key: &str) -> u8 {
        self.keys[key.as_bytes()].kind
    }
}

/// Reads a file in pieces of that size.
fn read(file: &[u8], piece: usize) -> Dump {
    let (mut reader, mut digester) = (Reader::new(), Digester::new());
    let mut dump = Dump::default();
    for piece in file.chunks(piece) {
        reader.push(piece);
        while let Step::Item(item) = reader.step().unwrap() {
            dump.slots.extend(item.slot_info());
            match item {
                Item::Header(dialect) => dump.dialect = Some(dialect),
                Item::Aux { key, value } => {
                    dump.aux.insert(key.to_vec(), value.to_vec());
                }
                Item::Resize { keys, .. } => dump.resized = keys,
                Item::Function(source) => dump.functions.push(source.to_vec()),
                Item::Entry(entry) => keep(&mut dump, &mut digester, &entry),
                Item::End { crc } => dump.has_crc = crc.is_some(),
                Item::Part(part) => panic!("{part:?} was not asked for"),
                Item::SelectDb(_) | Item::Slot(_) | Item::SlotImport(_) | Item::ModuleAux(_) => {}
            }
        }
    }
    reader.finish().unwrap();
    assert_eq!(reader.rest(), b"");
    dump
}

/// The digests of a file of which no value is held whole that does not come in one piece.
fn digests_in_parts(file: &[u8], piece: usize) -> SlotDigests {
    let (mut reader, mut digester) = (Reader::in_parts(1), Digester::new());
    let mut digests = SlotDigests::new();
    for piece in file.chunks(piece) {
        reader.push(piece);
        while let Step::Item(item) = reader.step().unwrap() {
            let folded = match &item {
                Item::Entry(entry) => digester.fold(entry, None),
                Item::Part(part) => digester.fold(&part.entry, Some(part.place)),
                _ => continue,
            };
            let (Item::Entry(entry) | Item::Part(Part { entry, .. })) = &item else {
                continue;
            };
            if let Some(hash) = folded.unwrap() {
                digests.add_hash(entry.slot(), hash);
            }
        }
    }
    reader.finish().unwrap();
    digests
}

fn keep(dump: &mut Dump, digester: &mut Digester, entry: &Entry<'_>) {
    dump.digests
        .add(digester, entry)
        .unwrap_or_else(|error| panic!("{error}: type {} {:?}", entry.kind, entry.key));
    let mut payload = Vec::new();
    append_payload(entry, &mut payload).unwrap();
    let kept = Kept {
        kind: entry.kind,
        value: entry.value.to_vec(),
        expires_ms: entry.expires_ms,
        freq: entry.freq,
        idle_s: entry.idle_s,
        slot: entry.slot(),
        payload,
    };
    assert!(dump.keys.insert(entry.key.to_vec(), kept).is_none());
}

fn saved(server: &Server) -> Vec<u8> {
    server.cli(&["SAVE"]);
    fs::read(server.dir().join("dump.rdb")).unwrap()
}

fn dump(server: &Server) -> Dump {
    read(&saved(server), 1 << 16)
}

fn ask(wire: &mut Wire, command: &[&[u8]]) -> Reply {
    let mut out = Vec::new();
    encode(&mut out, command);
    wire.send(&out).unwrap();
    wire.read().unwrap()
}

fn bulk(reply: Reply) -> Vec<u8> {
    match reply {
        Reply::Bulk(Some(bytes)) => bytes,
        other => panic!("no string: {other:?}"),
    }
}

/// Runs commands given as words; an error is a failed test.
fn run(wire: &mut Wire, commands: &[String]) {
    for command in commands {
        let words: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        if let Reply::Error(error) = ask(wire, &words) {
            panic!("{error}: {command:.200}");
        }
    }
}

fn numbered(command: &str, count: usize, element: impl Fn(usize) -> String) -> String {
    (0..count).fold(command.to_owned(), |text, n| text + " " + &element(n))
}

/// A server that is no cluster node: every key at hand, and nothing to set up.
fn single(args: &[&str]) -> Server {
    Server::start_with(Spec {
        is_cluster: false,
        ..Spec::with_args(args)
    })
}

/// Whether this server has such a command.
pub fn knows(server: &Server, command: &str) -> bool {
    server
        .ask(&["COMMAND", "INFO", command])
        .is_ok_and(|reply| match reply {
            Reply::Array(found) => found
                .iter()
                .any(|one| matches!(one, Reply::Array(parts) if !parts.is_empty())),
            _ => false,
        })
}

/// Every type in every size that makes another encoding of it.
pub fn fill(server: &Server) {
    let mut wire = server.connect().unwrap();
    let long = "x".repeat(3000);
    let mixed: String = (0..4000)
        .map(|n| char::from(b'a' + (n * n % 23) as u8))
        .collect();
    let mut commands = vec![
        "SET s:int8 -100".to_owned(),
        "SET s:int16 12345".to_owned(),
        "SET s:int32 -2000000000".to_owned(),
        "SET s:int64 9000000000000000000".to_owned(),
        "SET s:raw hello".to_owned(),
        "SET s:empty ".to_owned(),
        format!("SET s:lzf {long}"),
        format!("SET s:mixed {mixed}"),
        "SET 12345 int-key".to_owned(),
        format!("SET {} lzf-key", "k".repeat(200)),
        format!("SET s:ttl 1 PXAT {LATER_MS}"),
        numbered("RPUSH l:small", 5, |n| n.to_string()),
        numbered("RPUSH l:mixed", 200, |n| format!("item-{n}")),
        numbered("RPUSH l:many", 20_000, |n| (n * 1_000_003).to_string()),
        format!("RPUSH l:big {} tail", "y".repeat(20_000)),
        numbered("SADD set:ints", 100, |n| (n * 7).to_string()),
        "SADD set:wide -9000000000000000000 1 70000".to_owned(),
        numbered("SADD set:small", 5, |n| format!("m{n}")),
        numbered("SADD set:many", 3000, |n| format!("member-{n}")),
        numbered("HSET h:small", 5, |n| format!("f{n} {n}")),
        numbered("HSET h:many", 3000, |n| format!("field-{n} value-{n}")),
        format!("HSET h:long f {long}"),
        "ZADD z:small 1 a -2.5 b inf c -inf d 1e300 e 3.14159265358979 f 0.1 g 100000 h".to_owned(),
        numbered("ZADD z:many", 3000, |n| format!("{}.25 m{n}", n / 7)),
        "HSET {t}a:b f v".to_owned(),
        "EXPIREAT h:small 4102444800".to_owned(),
    ];
    commands.extend((1..=300).map(|n| format!("XADD x {n}-1 field {n} other text-{n}")));
    commands.extend((1..=20).map(|n| format!("XADD x 1000-{n} only{n} {}", "z".repeat(n * 20))));
    commands.extend(
        [
            "XADD x:plain 5-5 a b",
            "XADD x:empty 1-1 a b",
            "XDEL x:empty 1-1",
            "XDEL x 7-1 8-1 1000-3",
            "XGROUP CREATE x:plain g 5-5",
            "XGROUP CREATECONSUMER x:plain g nobody",
            "XGROUP CREATE x g 0",
            "XGROUP CREATE x idle $",
            "XREADGROUP GROUP g one COUNT 20 STREAMS x >",
            "XREADGROUP GROUP g two COUNT 5 STREAMS x >",
            "XACK x g 1-1 2-1",
        ]
        .map(str::to_owned),
    );
    run(&mut wire, &commands);
    ask(&mut wire, &[b"SET", b"s:binary", &[0, 255, 13, 10, 7]]);
    if knows(server, "HPEXPIREAT") {
        let at = format!("HPEXPIREAT h:timed {LATER_MS} FIELDS 1 f1");
        let later = format!("HPEXPIREAT h:timed {} FIELDS 1 f2", LATER_MS + 77);
        let many = format!("HPEXPIREAT h:timed:many {LATER_MS} FIELDS 2 field-5 field-6");
        run(
            &mut wire,
            &[
                numbered("HSET h:timed", 5, |n| format!("f{n} {n}")),
                at,
                later,
                numbered("HSET h:timed:many", 2000, |n| format!("field-{n} {n}")),
                many,
            ],
        );
    }
    if knows(server, "FUNCTION") {
        server.cli(&["FUNCTION", "LOAD", FUNCTION]);
    }
}

#[test]
fn every_key_is_found_with_its_expiry_and_its_dump_matrix() {
    let server = single(&[]);
    fill(&server);
    let dump = dump(&server);
    let mut wire = server.connect().unwrap();
    assert_eq!(dump.keys.len().to_string(), server.cli(&["DBSIZE"]));
    assert_eq!(dump.resized, dump.keys.len() as u64);
    assert!(dump.has_crc && !dump.aux.is_empty());
    for (key, kept) in &dump.keys {
        let expiry = kept.expires_ms.map_or(-1, |ms| ms - LATER_MS);
        let expected = ["s:ttl", "h:small"]
            .iter()
            .any(|name| name.as_bytes() == key);
        assert_eq!(expiry == 0, expected, "{key:?}: {:?}", kept.expires_ms);
        let ttl = ask(&mut wire, &[b"TTL", key]);
        assert_eq!(ttl == Reply::Integer(-1), !expected, "{key:?}: {ttl}");
        let dumped = bulk(ask(&mut wire, &[b"DUMP", key]));
        let payload = Payload::parse(&dumped).unwrap();
        assert_eq!(
            (payload.kind, payload.value),
            (kept.kind, &kept.value[..]),
            "{key:?}"
        );
    }
    if knows(&server, "FUNCTION") {
        assert_eq!(dump.functions, [FUNCTION.as_bytes()]);
        let payload = function_payload(dump.functions.iter().map(Vec::as_slice));
        server.cli(&["FUNCTION", "FLUSH"]);
        let reply = ask(&mut wire, &[b"FUNCTION", b"RESTORE", &payload]);
        assert_eq!(reply, Reply::Simple("OK".into()));
        assert_eq!(server.cli(&["FCALL", "f", "0"]), "1");
    }
}

#[test]
fn the_types_are_those_of_the_version_matrix() {
    let server = single(&[]);
    fill(&server);
    let dump = dump(&server);
    let Dialect { vendor, version } = dump.dialect.unwrap();
    let (list, small_hash, small_zset, small_set, stream) = match version {
        9 => (14, 13, 12, 2, 15),
        10 => (18, 16, 17, 2, 19),
        _ => (18, 16, 17, 20, 21),
    };
    for (key, kind) in [
        ("s:int8", 0),
        ("set:ints", 11),
        ("set:many", 2),
        ("h:many", 4),
        ("z:many", 5),
        ("l:many", list),
        ("h:small", small_hash),
        ("z:small", small_zset),
        ("set:small", small_set),
        ("x", stream),
    ] {
        assert_eq!(dump.kind(key), kind, "{key}");
    }
    if knows(&server, "HPEXPIREAT") {
        let (packed, many) = match vendor {
            Vendor::Redis => (25, 24),
            Vendor::Valkey => (22, 22),
        };
        assert_eq!(
            (dump.kind("h:timed"), dump.kind("h:timed:many")),
            (packed, many)
        );
    }
}

#[test]
fn a_restored_payload_gives_an_equal_value_matrix() {
    let server = single(&[]);
    fill(&server);
    let before = dump(&server);
    let mut wire = server.connect().unwrap();
    server.cli(&["FLUSHALL"]);
    for (key, kept) in &before.keys {
        let ttl = kept.expires_ms.unwrap_or(0).to_string();
        let command: [&[u8]; 5] = [b"RESTORE", key, ttl.as_bytes(), &kept.payload, b"ABSTTL"];
        let reply = ask(&mut wire, &command);
        assert_eq!(
            reply,
            Reply::Simple("OK".into()),
            "{key:?} type {}",
            kept.kind
        );
    }
    let after = dump(&server);
    assert_eq!(after.keys.len(), before.keys.len());
    assert_eq!(after.digests.differing(&before.digests), Vec::<u16>::new());
    // And it is no digest of nothing: one changed element shows in its slot, and only there.
    server.cli(&["HSET", "h:many", "field-7", "changed"]);
    let changed = dump(&server);
    let slot = Slot::of_key(b"h:many").number();
    assert_eq!(changed.digests.differing(&before.digests), [slot]);
}

#[test]
fn a_digest_does_not_depend_on_the_encoding_matrix() {
    let digests: Vec<SlotDigests> = [
        &[][..],
        &[
            "--hash-max-ziplist-entries",
            "0",
            "--zset-max-ziplist-entries",
            "0",
            "--set-max-intset-entries",
            "0",
        ],
        &[
            "--hash-max-ziplist-entries",
            "100000",
            "--hash-max-ziplist-value",
            "100000",
            "--zset-max-ziplist-entries",
            "100000",
            "--set-max-intset-entries",
            "100000",
            "--list-max-ziplist-size",
            "3",
            "--rdbcompression",
            "no",
            "--stream-node-max-entries",
            "7",
        ],
    ]
    .iter()
    .map(|args| {
        let server = single(args);
        fill(&server);
        // When a consumer was served is the one thing that two runs cannot have in common.
        let last = dump(&server);
        if args.is_empty() {
            assert!(last.keys.len() > 20);
        }
        server.cli(&["DEL", "x"]);
        dump(&server).digests
    })
    .collect();
    for other in &digests[1..] {
        assert_eq!(digests[0].differing(other), Vec::<u16>::new());
    }
}

/// The sum over all slots.
fn total(dump: &Dump) -> u128 {
    let slots = dump.digests.iter();
    slots.fold(0, |sum, (_, slot)| sum.wrapping_add(slot.sum))
}

#[test]
fn every_server_version_gives_the_same_digest_matrix() {
    let server = single(&[]);
    fill(&server);
    // What it holds depends on when it was made.
    server.cli(&["DEL", "x"]);
    let all = total(&dump(&server));
    server.cli(&["DEL", "h:timed", "h:timed:many"]);
    let plain = total(&dump(&server));
    // Digests are kept in manifests: these numbers must never change.
    assert_eq!(plain, PLAIN, "{plain:#x}");
    if knows(&server, "HPEXPIREAT") {
        let timed = all.wrapping_sub(plain);
        assert_eq!(timed, TIMED, "{timed:#x}");
    }
}

const PLAIN: u128 = 0x1faa_2094_8861_f4af_b0a5_52db_fa9c_565f;
const TIMED: u128 = 0x1881_13ba_ea33_4b46_db46_0664_2b76_1c95;

#[test]
fn a_stream_is_the_same_in_other_nodes_matrix() {
    let server = single(&[]);
    fill(&server);
    let before = dump(&server).digests;
    let mut wire = server.connect().unwrap();
    // A copy by RESTORE keeps groups and times; a reload writes the same again.
    let payload = bulk(ask(&mut wire, &[b"DUMP", b"x"]));
    server.cli(&["DEL", "x"]);
    assert_ne!(dump(&server).digests, before);
    ask(&mut wire, &[b"RESTORE", b"x", b"0", &payload]);
    assert_eq!(dump(&server).digests, before);
    // An acknowledged entry changes what is pending.
    server.cli(&["XACK", "x", "g", "3-1"]);
    assert_eq!(
        dump(&server).digests.differing(&before),
        [Slot::of_key(b"x").number()]
    );
}

#[test]
fn slots_and_how_often_a_key_was_used_are_read_matrix() {
    let server = Server::start_with(Spec::with_args(&["--maxmemory-policy", "allkeys-lfu"]));
    let mut wire = server.connect().unwrap();
    // Redis 6.2 knows no ranges.
    run(
        &mut wire,
        &[numbered("CLUSTER ADDSLOTS", 16_384, |slot| {
            slot.to_string()
        })],
    );
    crate::support::until(
        "the cluster is usable",
        std::time::Duration::from_secs(15),
        || {
            server
                .cli(&["CLUSTER", "INFO"])
                .contains("cluster_state:ok")
        },
    );
    for n in 0..300 {
        run(
            &mut wire,
            &[format!("SET key:{n} {n}"), format!("SET {{tag}}:{n} {n}")],
        );
    }
    let dump = dump(&server);
    assert_eq!(dump.keys.len(), 600);
    for (key, kept) in &dump.keys {
        let text = String::from_utf8_lossy(key);
        assert_eq!(
            server.cli(&["CLUSTER", "KEYSLOT", &text]),
            kept.slot.to_string(),
            "{text}"
        );
        assert!(kept.freq.is_some() && kept.idle_s.is_none());
    }
    let says_slots = match dump.dialect.unwrap() {
        Dialect {
            vendor: Vendor::Redis,
            version,
        } if version < 11 => false,
        Dialect {
            vendor: Vendor::Redis,
            version: 11,
        } => dump.aux.contains_key(&b"valkey-ver"[..]),
        _ => true,
    };
    assert_eq!(!dump.slots.is_empty(), says_slots, "{:?}", dump.dialect);
    for info in &dump.slots {
        assert_eq!(
            dump.digests.slot(info.slot).keys,
            info.keys,
            "slot {}",
            info.slot
        );
    }
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert!(
        read(&saved(&server), 999)
            .keys
            .values()
            .all(|kept| kept.idle_s.is_some())
    );
}

#[test]
fn a_written_file_is_accepted_by_the_servers_own_check_matrix() {
    let server = single(&[]);
    fill(&server);
    let before = dump(&server);
    let dialect = before.dialect.unwrap();
    let mut writer = Writer::new(dialect);
    writer.aux(b"goodcache", b"1");
    for source in &before.functions {
        writer.function(source);
    }
    writer.select_db(0);
    writer.resize(before.keys.len() as u64, 2);
    for (key, kept) in &before.keys {
        writer.entry(&before.entry(key, kept)).unwrap();
    }
    let file = writer.finish();
    let path = server.dir().join("written.rdb");
    fs::write(&path, &file).unwrap();
    // The check looks at the name that it is started by.
    let program = fs::canonicalize(which(&Spec::default().binary)).unwrap();
    let check = server.dir().join(
        match server.cli(&["INFO", "server"]).contains("valkey_version") {
            true => "valkey-check-rdb",
            false => "redis-check-rdb",
        },
    );
    symlink(program, &check).unwrap();
    let output = Command::new(&check).arg(&path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("Checksum OK"),
        "{text}"
    );
    assert!(
        text.contains(&format!("{} keys read", before.keys.len())),
        "{text}"
    );

    // And a server loads it.
    let mut server = server;
    server.kill();
    fs::copy(&path, server.dir().join("dump.rdb")).unwrap();
    server.start_again();
    let after = dump(&server);
    assert_eq!(after.digests, before.digests);
    assert_eq!(after.functions, before.functions);
}

#[test]
fn pieces_of_one_byte_and_damage_matrix() {
    let server = single(&[]);
    fill(&server);
    let file = saved(&server);
    let whole = read(&file, file.len());
    assert_eq!(read(&file, 7).digests, whole.digests);
    for piece in [1, 7, 100, 5000] {
        assert_eq!(digests_in_parts(&file, piece), whole.digests, "by {piece}");
    }
    let mut bad = file.clone();
    let at = bad.len() / 2;
    bad[at] ^= 4;
    let mut reader = Reader::new();
    reader.push(&bad);
    let error = loop {
        match reader.step() {
            Ok(Step::Item(_)) => {}
            Ok(_) => break None,
            Err(error) => break Some(error.fault),
        }
    };
    assert!(error.is_some() || reader.finish().is_err());
    let mut reader = Reader::new();
    reader.push(&file[..file.len() - 1]);
    while let Step::Item(_) = reader.step().unwrap() {}
    assert_eq!(reader.finish().unwrap_err().fault, Fault::Truncated);
}

/// The full path of a program.
fn which(program: &std::path::Path) -> std::path::PathBuf {
    if program.components().count() > 1 {
        return program.to_owned();
    }
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.exists())
        .unwrap()
}
