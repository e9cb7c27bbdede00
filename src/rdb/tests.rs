//! Reader and writer against each other: what one writes the other reads, in pieces of any size.

mod parts;

use proptest::prelude::*;

use super::*;

/// An item that owns its bytes.
#[derive(Debug, Clone, PartialEq)]
enum Record {
    Aux(Vec<u8>, Vec<u8>),
    SelectDb(u64),
    Resize(u64, u64),
    Slot(u16, u64),
    Function(Vec<u8>),
    ModuleAux(Vec<u8>),
    Entry(Key),
}

#[derive(Debug, Clone, PartialEq)]
struct Key {
    key: Vec<u8>,
    kind: u8,
    value: Vec<u8>,
    expires_ms: Option<i64>,
    freq: Option<u8>,
    idle_s: Option<u64>,
    meta: Vec<u8>,
}

const REDIS: Dialect = Dialect::redis(13);

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..most),
        (0..20_000_usize).prop_map(|length| vec![b'x'; length]),
    ]
}

/// A count and so many strings, and the type that they are.
fn value() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let strings = |kind: u8, group: usize| {
        prop::collection::vec(bytes(70), 0..10).prop_map(move |parts| {
            let parts = &parts[..parts.len() / group * group];
            let mut value = Vec::new();
            payload::append_length((parts.len() / group) as u64, &mut value);
            for part in parts {
                payload::append_string(part, &mut value);
            }
            (kind, value)
        })
    };
    prop_oneof![
        bytes(70).prop_map(|text| {
            let mut value = Vec::new();
            payload::append_string(&text, &mut value);
            (0, value)
        }),
        any::<i32>().prop_map(|number| (0, [&[0xc2][..], &number.to_le_bytes()].concat())),
        strings(1, 1),
        strings(2, 1),
        strings(4, 2),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    let meta = prop_oneof![Just(vec![]), Just(b"\xf3\x01abcd\x02\x05\x00".to_vec())];
    let facts = (
        any::<Option<i64>>(),
        any::<Option<u8>>(),
        any::<Option<u64>>(),
    );
    (bytes(30), value(), facts, meta).prop_map(|(key, (kind, value), facts, meta)| Key {
        key,
        kind,
        value,
        expires_ms: facts.0,
        freq: facts.1,
        idle_s: facts.2,
        meta,
    })
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let record = prop_oneof![
        (bytes(20), bytes(20)).prop_map(|(key, value)| Record::Aux(key, value)),
        any::<u64>().prop_map(Record::SelectDb),
        any::<(u64, u64)>().prop_map(|(keys, expires)| Record::Resize(keys, expires)),
        (0..16_384_u16, any::<u64>()).prop_map(|(slot, keys)| Record::Slot(slot, keys)),
        bytes(99).prop_map(Record::Function),
        Just(Record::ModuleAux(vec![0x40, 100, 2, 1, 5, 1, b's', 0])),
        key().prop_map(Record::Entry),
        key().prop_map(Record::Entry),
    ];
    prop::collection::vec(record, 0..12)
}

fn write(records: &[Record]) -> Vec<u8> {
    let mut writer = Writer::new(REDIS);
    writer.select_db(0);
    let (mut db, mut file) = (0, Vec::new());
    for record in records {
        match record {
            Record::Aux(key, value) => writer.aux(key, value),
            Record::SelectDb(number) => {
                db = *number;
                writer.select_db(db);
            }
            Record::Resize(keys, expires) => writer.resize(*keys, *expires),
            Record::Slot(slot, keys) => writer.slot(SlotInfo {
                slot: *slot,
                keys: *keys,
                expires: 0,
            }),
            Record::Function(source) => writer.function(source),
            Record::ModuleAux(body) => writer.item(&Item::ModuleAux(body)).unwrap(),
            Record::Entry(key) => writer.entry(&entry(key, db)).unwrap(),
        }
        if file.len() < 9 {
            file.extend(writer.take());
        }
    }
    file.extend(writer.finish());
    file
}

fn entry(key: &Key, db: u64) -> Entry<'_> {
    Entry {
        dialect: REDIS,
        db,
        key: &key.key,
        kind: key.kind,
        value: &key.value,
        meta: &key.meta,
        expires_ms: key.expires_ms,
        freq: key.freq,
        idle_s: key.idle_s,
        range: 0..0,
    }
}

fn owned(item: &Item<'_>) -> Option<Record> {
    Some(match item {
        Item::Header(_) | Item::End { .. } | Item::SlotImport(_) | Item::Part(_) => return None,
        Item::Aux { key, value } => Record::Aux(key.to_vec(), value.to_vec()),
        Item::SelectDb(db) => Record::SelectDb(*db),
        Item::Resize { keys, expires } => Record::Resize(*keys, *expires),
        Item::Slot(info) => Record::Slot(info.slot, info.keys),
        Item::Function(source) => Record::Function(source.to_vec()),
        Item::ModuleAux(body) => Record::ModuleAux(body.to_vec()),
        Item::Entry(entry) => Record::Entry(Key {
            key: entry.key.to_vec(),
            kind: entry.kind,
            value: entry.value.to_vec(),
            expires_ms: entry.expires_ms,
            freq: entry.freq,
            idle_s: entry.idle_s,
            meta: entry.meta.to_vec(),
        }),
    })
}

/// Reads the file in pieces that end at these places.
fn read(file: &[u8], cuts: &[usize]) -> Result<Vec<Record>, RdbError> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (file.len() + 1)).collect();
    ends.extend([0, file.len()]);
    ends.sort_unstable();
    let (mut reader, mut found, mut last) = (Reader::new(), Vec::new(), 0);
    for (n, piece) in ends.windows(2).enumerate() {
        let bytes = &file[piece[0]..piece[1]];
        // Copied and lent pieces in any order.
        match (cuts.len() + n) % 3 {
            0 => reader.push(bytes),
            _ => reader.lend(bytes::Bytes::copy_from_slice(bytes)),
        }
        while let Step::Item(item) = reader.step()? {
            if let Item::Entry(entry) = &item {
                assert!(entry.range.start >= last, "{:?}", entry.range);
                let end = entry.range.end as usize;
                assert_eq!(file[end - entry.value.len()..end], *entry.value);
                last = entry.range.end;
            }
            found.extend(owned(&item));
        }
    }
    reader.finish()?;
    // The writer says which database comes first.
    Ok(found.into_iter().skip(1).collect())
}

#[test]
fn keys_may_be_numbers_or_compressed() {
    let mut file = b"REDIS0011".to_vec();
    file.extend(b"\xfd\x01\x00\x00\x00\x00\xc1\x39\x30\x01a");
    file.extend(b"\x00\xc3\x05\x1e\x00a\xe0\x14\x00\x01b\xff\0\0\0\0\0\0\0\0");
    let mut reader = Reader::new();
    reader.push(&file);
    let mut keys = Vec::new();
    let mut end = None;
    while let Step::Item(item) = reader.step().unwrap() {
        match item {
            Item::Entry(entry) => keys.push((entry.key.to_vec(), entry.expires_ms)),
            Item::End { crc } => end = Some(crc),
            _ => {}
        }
    }
    assert_eq!(
        keys,
        [(b"12345".to_vec(), Some(1000)), (vec![b'a'; 30], None)]
    );
    // All zero: the writer had checksums off.
    assert_eq!(end, Some(None));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let valkey = Dialect::valkey(80);
    for (bytes, at, fault) in [
        (
            &b"REDIS0012\xf6"[..],
            9,
            Fault::Refused {
                number: 246,
                what: "a function of a Redis 7.0 pre-release",
                next: "load its functions into a released Redis 7.0 or later, and save from there",
            },
        ),
        (
            b"REDIS0012\xf2",
            9,
            Fault::Refused {
                number: 242,
                what: "a hash template of Redis 8.10",
                next: kind::NO_TEMPLATES,
            },
        ),
        (
            b"VALKEY080\xf4",
            9,
            Fault::UnknownOpcode {
                dialect: valkey,
                number: 244,
            },
        ),
        (
            b"REDIS0011\xfe\x00\x28\x01k",
            11,
            Fault::UnknownType {
                dialect: Dialect::redis(11),
                number: 40,
            },
        ),
        (b"REDIS0011\x00\x01k\x82", 12, Fault::Length),
        (
            b"REDIS0012\xfc\0\0\0\0\0\0\0\0\xfe\x00",
            18,
            Fault::Malformed("key"),
        ),
        (
            b"REDIS0012\xf4\x80\0\0\x40\0\0\0",
            9,
            Fault::Malformed("slot"),
        ),
        (b"REDIS0017", 0, Fault::UnknownVersion(Dialect::redis(17))),
    ] {
        let mut reader = Reader::new();
        reader.push(bytes);
        let error = loop {
            match reader.step() {
                Ok(Step::Item(_)) => {}
                Ok(other) => panic!("{other:?}: {bytes:?}"),
                Err(error) => break error,
            }
        };
        assert_eq!(error, fault.at(at), "{bytes:?}");
        assert_eq!(reader.step().unwrap_err(), error);
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn a_slot_that_is_being_imported_is_passed_over() {
    let mut reader = Reader::new();
    reader.push(b"VALKEY080\xf3\x03job\x01\x00\x40\x64\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0rest");
    let mut seen = Vec::new();
    while let Step::Item(item) = reader.step().unwrap() {
        match item {
            Item::SlotImport(body) => seen.push(body.to_vec()),
            Item::Entry(entry) => seen.push(entry.key.to_vec()),
            _ => {}
        }
    }
    assert_eq!(seen, [b"\x03job\x01\x00\x40\x64".to_vec(), b"k".to_vec()]);
    assert_eq!(reader.rest(), b"rest");
}

#[test]
fn a_long_value_in_small_pieces_is_walked_once() {
    // A list of 2 million elements in pieces of 100 bytes would take hours if each began anew.
    let mut list = Vec::new();
    payload::append_length(2_000_000, &mut list);
    list.extend(b"\x03abc".repeat(2_000_000));
    let key = Key {
        key: b"k".to_vec(),
        kind: 1,
        value: list,
        expires_ms: Some(1),
        freq: None,
        idle_s: None,
        meta: vec![],
    };
    let mut writer = Writer::new(REDIS);
    writer.entry(&entry(&key, 0)).unwrap();
    let file = writer.finish();
    let mut reader = Reader::new();
    let mut found = 0;
    for piece in file.chunks(100) {
        reader.push(piece);
        while let Step::Item(item) = reader.step().unwrap() {
            if let Item::Entry(entry) = item {
                assert!(entry.value == key.value);
                found += 1;
            }
        }
    }
    assert_eq!((found, reader.finish()), (1, Ok(())));
}

#[test]
fn a_type_is_not_written_where_it_is_not_known() {
    let mut key = entry_of(Dialect::redis(12), 24);
    for (dialect, is_fine) in [
        (Dialect::redis(12), true),
        (Dialect::redis(11), false),
        (Dialect::valkey(80), false),
    ] {
        assert_eq!(
            Writer::new(dialect).entry(&key).is_ok(),
            is_fine,
            "{dialect}"
        );
    }
    key = entry_of(Dialect::redis(12), 20);
    for (dialect, is_fine) in [
        (Dialect::redis(10), false),
        (Dialect::redis(11), true),
        (Dialect::valkey(80), true),
    ] {
        assert_eq!(
            Writer::new(dialect).entry(&key).is_ok(),
            is_fine,
            "{dialect}"
        );
    }
    // 22 is one thing to Valkey and another to Redis.
    key = entry_of(Dialect::valkey(80), 22);
    assert!(Writer::new(Dialect::valkey(80)).entry(&key).is_ok());
    assert!(Writer::new(Dialect::redis(13)).entry(&key).is_err());
}

fn entry_of(dialect: Dialect, kind: u8) -> Entry<'static> {
    Entry {
        dialect,
        db: 0,
        key: b"k",
        kind,
        value: b"",
        meta: b"",
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_however_it_is_split(records in records(), cuts: Vec<usize>) {
        let file = write(&records);
        prop_assert_eq!(&read(&file, &[]).unwrap(), &records);
        prop_assert_eq!(&read(&file, &cuts).unwrap(), &records);
    }

    #[test]
    fn a_changed_byte_never_passes(records in records(), at: usize, bit in 0..8_u8) {
        let mut file = write(&records);
        let at = 9 + at % (file.len() - 9);
        file[at] ^= 1 << bit;
        let read = read(&file, &[]);
        // Only the checksum itself can be turned off, by becoming all zero, and no one bit does that.
        prop_assert!(read.is_err(), "{:?}", read);
    }

    #[test]
    fn a_short_file_is_never_whole(records in records(), at: usize) {
        let file = write(&records);
        prop_assert!(read(&file[..at % file.len()], &[]).is_err());
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body: Vec<u8>, is_valkey: bool, cuts: Vec<usize>) {
        let magic = if is_valkey { &b"VALKEY080"[..] } else { b"REDIS0013" };
        let file = [magic, &body].concat();
        let _ = read(&file, &cuts);
        let _ = Payload::parse(&body);
    }
}
