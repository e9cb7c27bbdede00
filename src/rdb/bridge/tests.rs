use proptest::prelude::*;

use super::*;
use crate::rdb::payload::append_string;
use crate::rdb::{Digester, Payload};

const REDIS: Dialect = Dialect::redis(16);
const VALKEY: Dialect = Dialect::valkey(80);

/// Servers by their version, from the oldest.
fn redis(version: &str) -> Accepts {
    Accepts::of_server(Vendor::Redis, version)
}

fn valkey(version: &str) -> Accepts {
    Accepts::of_server(Vendor::Valkey, version)
}

fn every_server() -> Vec<Accepts> {
    let redis = [
        "6.2.5", "7.0.15", "7.2.0", "8.2.3", "8.6.0", "8.8.0", "8.10.0",
    ]
    .map(redis);
    let valkey = ["8.0.1", "9.1.2"].map(valkey);
    redis.into_iter().chain(valkey).collect()
}

fn entry(dialect: Dialect, kind: u8, value: &[u8]) -> Entry<'_> {
    Entry {
        dialect,
        db: 0,
        key: b"k",
        kind,
        value,
        meta: &[],
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    }
}

fn string(blob: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append_string(blob, &mut out);
    out
}

fn listpack(elements: &[u8], count: u8) -> Vec<u8> {
    let length = (elements.len() + 7) as u32;
    string(&[&length.to_le_bytes()[..], &[count, 0], elements, &[255]].concat())
}

/// A hash of two fields, f that expires at `ms` and g that does not, in every layout.
fn timed(ms: u16) -> Vec<(Dialect, u8, Vec<u8>)> {
    let [high, low] = ms.to_be_bytes();
    let least = u64::from(ms).to_le_bytes();
    let packed = listpack(
        &[
            0x81,
            b'f',
            2,
            1,
            1,
            0xc0 | high,
            low,
            2,
            0x81,
            b'g',
            2,
            2,
            1,
            0,
            1,
        ],
        6,
    );
    let valkey = [
        &b"\x02\x01f\xc0\x01"[..],
        &least,
        b"\x01g\xc0\x02",
        &[255; 8],
    ]
    .concat();
    let redis = [&least[..], b"\x02\x01\x01f\xc0\x01\x00\x01g\xc0\x02"].concat();
    let candidate = [
        &[2, 0x40 | high, low][..],
        b"\x01f\xc0\x01\x00\x01g\xc0\x02",
    ]
    .concat();
    vec![
        (REDIS, 24, redis),
        (REDIS, 25, [&least[..], &packed].concat()),
        (VALKEY, 22, valkey),
        (REDIS, 22, candidate),
        (REDIS, 23, packed),
    ]
}

/// The same when no field of it expires any more.
fn untimed() -> Vec<(Dialect, u8, Vec<u8>)> {
    let packed = listpack(&[0x81, b'f', 2, 1, 1, 0, 1], 3);
    vec![
        (REDIS, 24, [&[0; 8][..], b"\x01\x00\x01f\xc0\x01"].concat()),
        (REDIS, 25, [&[0; 8][..], &packed].concat()),
        (VALKEY, 22, [&b"\x01\x01f\xc0\x01"[..], &[255; 8]].concat()),
    ]
}

/// A stream of one entry with two pending in a group of one consumer; in 27 one is handed back.
fn stream(kind: u8) -> Vec<u8> {
    let entry = [
        1, 1, 0, 1, 1, 1, 0x81, b'f', 2, 0, 1, 2, 1, 0, 1, 0, 1, 0x81, b'v', 2, 4, 1,
    ];
    let node = [
        &string(&[0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1])[..],
        &listpack(&entry, 10),
    ];
    let later = kind != 15;
    let mut out = [&[1][..], &node.concat(), &[1, 5, 1]].concat();
    out.extend(if later { &[5, 1, 4, 9, 7][..] } else { &[] });
    out.extend([1, 1, b'g', 5, 1]);
    out.extend(if later { &[7][..] } else { &[] });
    out.push(2);
    for id in [5_u8, 6] {
        out.extend(id_of(id));
        out.extend([1, 2, 3, 4, 5, 6, 7, 0, 9]);
    }
    out.extend([1, 1, b'c']);
    out.extend(vec![3; if kind >= 21 { 16 } else { 8 }]);
    if kind == 27 {
        out.push(1);
        out.extend(id_of(5));
        out.push(1);
        out.extend(id_of(6));
    } else {
        out.push(2);
        out.extend(id_of(5));
        out.extend(id_of(6));
    }
    if kind >= 26 {
        out.extend([1, 2, 1, 1, b'p', 1, 2, b'i', b'i', 1, 2, 1, 2]);
    }
    out
}

fn id_of(ms: u8) -> [u8; 16] {
    let mut id = [0; 16];
    (id[7], id[15]) = (ms, 1);
    id
}

fn hash(entry: &Entry<'_>) -> u128 {
    Digester::new().hash(entry).unwrap()
}

/// Bridges; gives what became of it and the digest of what came out.
fn bridged(from: &Entry<'_>, accepts: Accepts) -> (Bridged, Option<u128>) {
    let mut out = b"before".to_vec();
    let done = bridge(from, accepts, &mut out).unwrap();
    if matches!(done, Bridged::Impossible(_)) {
        assert_eq!(out, b"before");
        return (done, None);
    }
    let payload = Payload::parse(&out[6..]).unwrap();
    assert!(
        accepts.knows(payload.dialect, payload.kind).unwrap() || payload.kind < 22,
        "{accepts:?} got type {}",
        payload.kind
    );
    // Versions 1 to 11 are stamped on what both vendors read.
    let dialect = if payload.kind >= 22 {
        payload.dialect
    } else {
        REDIS
    };
    (
        done,
        Some(hash(&entry(dialect, payload.kind, payload.value))),
    )
}

#[test]
fn a_servers_version_says_what_it_reads() {
    for (version, rdb) in [
        ("2.8.0", 6),
        ("3.2.1", 7),
        ("4.0.0", 8),
        ("5.0.14", 9),
        ("6.2.5", 9),
        ("7.0.15", 10),
        ("7.2.4", 11),
        ("7.4.0", 12),
        ("8.0.0", 12),
        ("8.4.0", 12),
        ("8.6.1", 13),
        ("8.8.0", 14),
        ("8.10.0", 16),
        ("255.255.255", 16),
        ("nonsense", 6),
    ] {
        assert_eq!(redis(version).rdb, rdb, "Redis {version}");
    }
    for (version, rdb) in [
        ("7.2.5", 11),
        ("8.1.3", 11),
        ("9.0.0", 80),
        ("9.1.2", 80),
        ("9.2.0", 81),
    ] {
        assert_eq!(valkey(version).rdb, rdb, "Valkey {version}");
    }
}

#[test]
fn the_type_alone_tells_how_it_goes() {
    use Way::{Impossible, Stamped, Transcoded, UnlessFieldsExpire};
    let array = Reason::UnknownType {
        number: 28,
        family: Family::Array,
    };
    let (old, seven, new) = (redis("6.2.5"), redis("7.0.15"), redis("8.2.3"));
    for (dialect, number, accepts, expected) in [
        (REDIS, 0, old, Stamped),
        (REDIS, 14, valkey("9.1.2"), Stamped),
        (REDIS, 16, old, Transcoded),
        (REDIS, 20, seven, Transcoded),
        (REDIS, 20, valkey("8.0.1"), Stamped),
        (REDIS, 21, seven, Transcoded),
        (REDIS, 27, valkey("9.1.2"), Transcoded),
        (REDIS, 25, new, Stamped),
        (REDIS, 25, valkey("9.1.2"), Transcoded),
        (REDIS, 25, valkey("8.0.1"), UnlessFieldsExpire),
        (VALKEY, 22, seven, UnlessFieldsExpire),
        (VALKEY, 22, new, Transcoded),
        (VALKEY, 22, valkey("9.1.2"), Stamped),
        (REDIS, 22, new, Stamped),
        (REDIS, 7, new, Stamped),
        (REDIS, 7, new.with_modules([]), Impossible(Reason::Module)),
        (
            REDIS,
            7,
            valkey("9.1.2").with_modules(["lua"]),
            Impossible(Reason::Module),
        ),
        (REDIS, 7, old.with_modules(["lua", "bf"]), Stamped),
        (REDIS, 28, new, Impossible(array)),
        (REDIS, 28, redis("8.8.0"), Stamped),
        (REDIS, 28, valkey("9.1.2"), Impossible(array)),
    ] {
        assert_eq!(
            can_go(dialect, number, accepts),
            Ok(expected),
            "{dialect} {number} to {accepts:?}"
        );
    }
    assert!(can_go(REDIS, 30, new).is_err());
}

#[test]
fn expiring_fields_go_between_the_vendors() {
    let expected = hash(&entry(REDIS, 24, &timed(1000)[0].2));
    for (dialect, kind, value) in timed(1000) {
        let from = entry(dialect, kind, &value);
        for accepts in every_server() {
            let (done, digest) = bridged(&from, accepts);
            match done {
                Bridged::Impossible(reason) => {
                    assert_eq!(reason, Reason::FieldExpiry);
                    assert!(accepts.rdb < 12, "{accepts:?}");
                }
                Bridged::Transcoded { to, .. } => {
                    assert_eq!(Some(to), accepts.expiring_hash());
                    assert_eq!(digest, Some(expected));
                }
                Bridged::Stamped => assert_eq!(accepts.vendor, dialect.vendor),
            }
        }
    }
    let mut out = Vec::new();
    bridge(
        &entry(VALKEY, 22, &timed(1000)[2].2),
        redis("8.2.3"),
        &mut out,
    )
    .unwrap();
    let payload = Payload::parse(&out).unwrap();
    assert_eq!((payload.kind, payload.value), (24, &timed(1000)[0].2[..]));
}

#[test]
fn a_hash_whose_fields_no_longer_expire_goes_anywhere() {
    let expected = hash(&entry(REDIS, 4, b"\x01\x01f\xc0\x01"));
    for (dialect, kind, value) in untimed() {
        let from = entry(dialect, kind, &value);
        for accepts in every_server() {
            let (done, digest) = bridged(&from, accepts);
            assert!(!matches!(done, Bridged::Impossible(_)), "{accepts:?}");
            assert_eq!(digest, Some(expected), "{kind} to {accepts:?}");
        }
    }
}

#[test]
fn an_expiry_that_redis_cannot_count_is_refused() {
    let value = |ms: u64| [&b"\x01\x01f\xc0\x01"[..], &ms.to_le_bytes()].concat();
    let (most, more) = (value((1 << 48) - 1), value(1 << 48));
    let to = redis("8.2.3");
    assert!(matches!(
        bridged(&entry(VALKEY, 22, &most), to).0,
        Bridged::Transcoded { .. }
    ));
    let refused = Bridged::Impossible(Reason::FieldExpiryTooLate);
    assert_eq!(bridged(&entry(VALKEY, 22, &more), to).0, refused);
}

#[test]
fn packed_values_are_laid_out_plainly() {
    let pairs = listpack(&[0x81, b'f', 2, 1, 1], 2);
    let quick = [
        &[2, 1][..],
        &string(b"big"),
        &[2],
        &listpack(&[1, 1, 2, 1], 2),
    ]
    .concat();
    for (kind, to, value, server) in [
        (16, 4, &pairs, "6.2.5"),
        (17, 5, &pairs, "6.2.5"),
        (20, 2, &pairs, "7.0.15"),
        (18, 1, &quick, "6.2.5"),
    ] {
        let from = entry(REDIS, kind, value);
        let (done, digest) = bridged(&from, redis(server));
        let lost = Losses::default();
        assert_eq!(
            done,
            Bridged::Transcoded {
                from: kind,
                to,
                lost
            }
        );
        assert_eq!(digest, Some(hash(&from)), "type {kind}");
    }
}

#[test]
fn streams_go_down_to_the_first_layout() {
    let expected = hash(&entry(REDIS, 15, &stream(15)));
    for kind in [15, 19, 21, 26, 27] {
        let value = stream(kind);
        let from = entry(REDIS, kind, &value);
        for accepts in every_server() {
            let (done, digest) = bridged(&from, accepts);
            let is_kept = kind == 27 && digest == Some(hash(&from));
            assert!(
                is_kept || digest == Some(expected),
                "{kind} to {accepts:?}: {done:?}"
            );
            if let Bridged::Transcoded { to, lost, .. } = done {
                assert_eq!(lost.handed_back, kind == 27);
                assert_eq!(lost.idempotence, kind >= 26 && to < 26);
            }
        }
        // Layouts are the same but for what each adds.
        let mut out = Vec::new();
        let done = bridge(&from, redis("6.2.5"), &mut out).unwrap();
        let payload = Payload::parse(&out).unwrap();
        assert_eq!(
            (payload.kind, payload.value),
            (15, &stream(15)[..]),
            "{done:?}"
        );
    }
}

#[test]
fn what_was_handed_back_without_consumers_gets_one() {
    let mut value = stream(27);
    let at = value.windows(2).position(|pair| pair == [1, b'c']).unwrap() - 1;
    // No consumers, both handed back.
    let nacked: Vec<u8> = [2].into_iter().chain(id_of(5)).chain(id_of(6)).collect();
    let tail = value.split_off(value.len() - 13);
    value.truncate(at);
    value.push(0);
    value.extend(nacked);
    value.extend(tail);
    for server in ["6.2.5", "8.2.3"] {
        let (done, digest) = bridged(&entry(REDIS, 27, &value), redis(server));
        assert!(matches!(done, Bridged::Transcoded { lost, .. } if lost.handed_back));
        assert!(digest.is_some());
    }
}

#[test]
fn metadata_goes_where_it_is_known_and_is_missed_elsewhere() {
    let mut from = entry(Dialect::redis(13), 0, b"\x01v");
    from.meta = b"\xf3\x01abcd\x02\x05\x00";
    assert_eq!(bridged(&from, redis("8.6.0")).0, Bridged::Stamped);
    let (done, _) = bridged(&from, redis("8.2.3"));
    assert!(matches!(done, Bridged::Transcoded { from: 0, to: 0, lost } if lost.metadata));
    let value = stream(27);
    let handed_back = Entry {
        meta: from.meta,
        ..entry(REDIS, 27, &value)
    };
    let mut out = Vec::new();
    bridge(&handed_back, redis("8.6.0"), &mut out).unwrap();
    assert_eq!(Payload::parse(&out).unwrap().meta, from.meta);
}

#[test]
fn damage_is_an_error_and_leaves_nothing() {
    let value = stream(27);
    for end in 0..value.len() {
        let mut out = b"before".to_vec();
        assert!(bridge(&entry(REDIS, 27, &value[..end]), redis("6.2.5"), &mut out).is_err());
        assert_eq!(out, b"before");
    }
    for (dialect, kind, value) in timed(500) {
        let to = if dialect == VALKEY {
            redis("8.2.3")
        } else {
            valkey("9.1.2")
        };
        for end in 0..value.len() {
            let mut out = b"before".to_vec();
            assert!(bridge(&entry(dialect, kind, &value[..end]), to, &mut out).is_err());
            assert_eq!(out, b"before");
        }
    }
}

#[test]
fn every_reason_says_what_to_do() {
    let array = Reason::UnknownType {
        number: 28,
        family: Family::Array,
    };
    assert_eq!(
        array.to_string(),
        "the server does not know this type of array (number 28)"
    );
    for reason in [
        Reason::Module,
        Reason::FieldExpiry,
        Reason::FieldExpiryTooLate,
        array,
    ] {
        assert!(!reason.to_string().is_empty() && !reason.hint().is_empty());
    }
    let lost = Losses {
        idempotence: true,
        metadata: true,
        handed_back: false,
    };
    let text = "what its producers sent before, what modules kept with the key";
    assert_eq!(lost.to_string(), text);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(kind in 0..34_u8, bytes: Vec<u8>) {
        for value in [bytes.clone(), listpack(&bytes, 1)] {
            for dialect in [REDIS, VALKEY] {
                for accepts in every_server() {
                    let mut out = Vec::new();
                    let done = bridge(&entry(dialect, kind, &value), accepts, &mut out);
                    let has_bytes = matches!(done, Ok(Bridged::Stamped | Bridged::Transcoded { .. }));
                    prop_assert_eq!(has_bytes, !out.is_empty());
                }
            }
        }
    }

    #[test]
    fn fields_survive_a_journey_there_and_back(
        fields in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>(), prop::option::of(1..1_u64 << 48)), 1..9)
    ) {
        let mut value = Vec::new();
        crate::rdb::payload::append_length(fields.len() as u64, &mut value);
        for (field, text, ms) in &fields {
            append_string(field, &mut value);
            append_string(text, &mut value);
            value.extend(ms.map_or(-1, |ms| ms as i64).to_le_bytes());
        }
        let from = entry(VALKEY, 22, &value);
        let mut there = Vec::new();
        bridge(&from, redis("8.2.3"), &mut there).unwrap();
        let payload = Payload::parse(&there).unwrap();
        prop_assert_eq!(hash(&entry(REDIS, payload.kind, payload.value)), hash(&from));
        if payload.kind == 24 {
            let mut back = Vec::new();
            bridge(&entry(REDIS, 24, payload.value), valkey("9.1.2"), &mut back).unwrap();
            prop_assert_eq!(Payload::parse(&back).unwrap().value, &value[..]);
        }
    }
}
