use proptest::prelude::*;

use super::*;
use crate::rdb::payload::{append_length, append_string};
use crate::rdb::{Dialect, Payload, Vendor};

const REDIS: Dialect = Dialect::redis(12);
const SMALL: Limits = Limits { bytes: 8, items: 3 };

fn redis(version: &str) -> Accepts {
    Accepts::of_server(Vendor::Redis, version)
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

fn strings(group: usize, texts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    append_length((texts.len() / group) as u64, &mut out);
    texts.iter().for_each(|text| append_string(text, &mut out));
    out
}

/// Each batch's commands as lines of words, the key as `K`; what is not text as its length.
fn batches(from: &Entry<'_>, accepts: Accepts, limits: Limits) -> Vec<Vec<String>> {
    let mut elements = Elements::of(from, accepts, limits).unwrap().unwrap();
    let mut found = Vec::new();
    while let Some(batch) = elements.next_batch().unwrap() {
        found.push(batch.commands().map(|command| line(&command)).collect());
    }
    found
}

fn line(command: &Command<'_>) -> String {
    let word = |word: &[u8]| match std::str::from_utf8(word) {
        Ok(text) if !text.contains('\0') => text.to_owned(),
        _ => format!("<{}>", word.len()),
    };
    let arguments = command.arguments().map(word).collect::<Vec<_>>().join(" ");
    format!("{} K {arguments}", word(command.name()))
}

fn commands(kind: u8, value: &[u8]) -> Vec<String> {
    batches(&entry(REDIS, kind, value), redis("8.2.0"), SMALL).concat()
}

#[test]
fn plain_values_come_in_pieces_that_keep_within_the_limits() {
    let list = strings(1, &[b"a", b"b", b"c", b"d", b"", b"0123456789", b"e"]);
    assert_eq!(
        batches(&entry(REDIS, 1, &list), redis("8.2.0"), SMALL),
        [
            &["UNLINK K ", "RPUSH K a b c"][..],
            &["RPUSH K d ", "RPUSH K 0123456789"],
            &["RPUSH K e"],
        ]
    );
    let pairs = strings(2, &[b"f", b"1", b"g", b"2"]);
    assert_eq!(commands(4, &pairs), ["UNLINK K ", "HSET K f 1 g 2"]);
    assert_eq!(commands(2, &strings(1, &[b"m"])), ["UNLINK K ", "SADD K m"]);
}

#[test]
fn a_string_is_set_and_appended_to() {
    assert_eq!(commands(0, &[0]), ["SET K "]);
    assert_eq!(commands(0, b"\x08abcdefgh"), ["SET K abcdefgh"]);
    assert_eq!(
        batches(&entry(REDIS, 0, b"\x0aabcdefghij"), redis("8.2.0"), SMALL),
        [["SET K abcdefgh", "APPEND K ij"]]
    );
    assert_eq!(commands(0, &[0xc1, 0x39, 0x30]), ["SET K 12345"]);
    let packed = [0xc3, 5, 30, 0, b'a', 0xe0, 20, 0];
    assert_eq!(commands(0, &packed).len(), 4);
    let longer = entry(REDIS, 0, b"\x01ab");
    let mut elements = Elements::of(&longer, redis("8.2.0"), SMALL)
        .unwrap()
        .unwrap();
    assert!(elements.next_batch().is_err());
}

#[test]
fn a_score_comes_back_as_it_was() {
    for score in [
        0.1,
        -2.5,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ] {
        let value = [&b"\x01\x01m"[..], &score.to_le_bytes()].concat();
        let found = commands(5, &value);
        let words: Vec<&str> = found[1].split(' ').collect();
        assert_eq!(words[0], "ZADD");
        assert_eq!(words[2].parse::<f64>().unwrap().to_bits(), score.to_bits());
    }
    assert_eq!(build::number(0.1), "1e-1");
    assert_eq!(build::number(f64::NEG_INFINITY), "-inf");
}

#[test]
fn fields_are_set_to_expire_behind_their_command() {
    let mut value = vec![3];
    for (field, ms) in [(b"f", 9_i64), (b"g", -1), (b"h", 9)] {
        append_string(field, &mut value);
        append_string(b"v", &mut value);
        value.extend(ms.to_le_bytes());
    }
    let from = entry(Dialect::valkey(80), 22, &value);
    assert_eq!(
        batches(&from, redis("8.2.0"), SMALL),
        [[
            "UNLINK K ",
            "HSET K f v g v h v",
            "HPEXPIREAT K 9 FIELDS 2 f h"
        ]]
    );
    let refused = Elements::of(&from, redis("7.0.0"), SMALL).unwrap();
    assert_eq!(refused.err(), Some(Reason::FieldExpiry));
    // What Redis loads is more than what its command takes.
    let at = value.len() - 8;
    value[at..].copy_from_slice(&(1_u64 << 47).to_le_bytes());
    let from = entry(Dialect::valkey(80), 22, &value);
    let refused = Elements::of(&from, redis("8.2.0"), SMALL).unwrap();
    assert_eq!(refused.err(), Some(Reason::FieldExpiryTooLate));
}

#[test]
fn what_is_opaque_only_goes_whole() {
    let value = [0x81, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let refused = Elements::of(&entry(REDIS, 7, &value), redis("8.2.0"), SMALL).unwrap();
    assert_eq!(refused.err(), Some(Reason::OnlyWhole));
    assert!(Elements::of(&entry(REDIS, 30, &value), redis("8.2.0"), SMALL).is_err());
}

/// Two entries under 5-0; last id 9-9, first 5-0, deleted 4-4, five added; a group.
fn stream() -> Vec<u8> {
    let id = [&[16][..], &5_u64.to_be_bytes(), &[0; 8]].concat();
    let elements = [
        2, 1, 0, 1, 1, 1, 0x81, b'f', 2, 0, 1, 2, 1, 0, 1, 0, 1, 0x81, b'v', 2, 4, 1, 2, 1, 1, 1,
        2, 1, 0x81, b'w', 2, 4, 1,
    ];
    let blob = [&40_u32.to_le_bytes()[..], &[15, 0], &elements, &[255]].concat();
    let mut value = [&[1][..], &id, &[blob.len() as u8], &blob].concat();
    value.extend([2, 9, 9, 5, 0, 4, 4, 5, 1, 1, b'g', 9, 9, 5, 0, 0]);
    value
}

#[test]
fn a_stream_begins_without_its_entries_and_ends_with_its_counters() {
    let value = stream();
    let from = entry(REDIS, 21, &value);
    for (server, kind, last) in [
        ("8.2.0", 21, "XSETID K 9-9 ENTRIESADDED 5 MAXDELETEDID 4-4"),
        ("7.0.0", 19, "XSETID K 9-9 ENTRIESADDED 5 MAXDELETEDID 4-4"),
        ("6.2.0", 15, "XSETID K 9-9"),
    ] {
        let found = batches(&from, redis(server), SMALL).concat();
        assert!(found[0].starts_with("RESTORE K 0 <"), "{found:?}");
        assert_eq!(found[1..], ["XADD K 5-0 f v", "XADD K 6-2 f w", last]);
        let mut elements = Elements::of(&from, redis(server), SMALL).unwrap().unwrap();
        let batch = elements.next_batch().unwrap().unwrap();
        let command = batch.commands().next().unwrap();
        let payload = Payload::parse(command.arguments().nth(1).unwrap()).unwrap();
        assert_eq!((payload.kind, &payload.value[..4]), (kind, &[0; 4][..]));
    }
    // Without entries the payload says it all.
    let mut empty = vec![0];
    empty.extend(&value[value.len() - 16..]);
    empty[1] = 0;
    assert_eq!(
        batches(&entry(REDIS, 21, &empty), redis("6.2.0"), SMALL)
            .concat()
            .len(),
        1
    );
}

#[test]
fn damage_ends_it() {
    let value = stream();
    for end in 0..value.len() {
        let cut = &value[..end];
        assert!(
            Elements::of(&entry(REDIS, 21, cut), redis("8.2.0"), SMALL).is_err(),
            "{end}"
        );
    }
    let list = strings(1, &[b"a", b"b"]);
    for cut in [&list[..list.len() - 1], &[&list[..], &[0]].concat()] {
        let from = entry(REDIS, 1, cut);
        let mut elements = Elements::of(&from, redis("8.2.0"), SMALL).unwrap().unwrap();
        let mut last = elements.next_batch().map(|batch| batch.is_some());
        while last == Ok(true) {
            last = elements.next_batch().map(|batch| batch.is_some());
        }
        assert!(last.is_err());
    }
}

proptest! {
    #[test]
    fn no_element_is_lost_and_no_limit_passed(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..60),
        bytes in 1..60_usize,
        items in 1..20_usize,
    ) {
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let value = strings(1, &texts);
        let from = entry(REDIS, 1, &value);
        let mut elements = Elements::of(&from, redis("8.2.0"), Limits { bytes, items }).unwrap().unwrap();
        let mut found: Vec<Vec<u8>> = Vec::new();
        while let Some(batch) = elements.next_batch().unwrap() {
            prop_assert!(batch.commands().len() > 0);
            for command in batch.commands().filter(|command| command.name() != b"UNLINK") {
                prop_assert_eq!(command.name(), b"RPUSH");
                let words: Vec<&[u8]> = command.arguments().collect();
                let sum: usize = words.iter().map(|word| word.len()).sum();
                prop_assert!(words.len() == 1 || (words.len() <= items && sum <= bytes));
                found.extend(words.iter().map(|word| word.to_vec()));
            }
        }
        prop_assert_eq!(found, texts);
    }

    #[test]
    fn no_bytes_make_it_panic(kind in 0..34_u8, value: Vec<u8>) {
        for dialect in [REDIS, Dialect::redis(16), Dialect::valkey(80)] {
            let from = entry(dialect, kind, &value);
            if let Ok(Ok(mut elements)) = Elements::of(&from, redis("6.2.0"), SMALL) {
                while let Ok(Some(batch)) = elements.next_batch() {
                    prop_assert!(batch.commands().all(|command| !command.name().is_empty()));
                }
            }
        }
    }
}
