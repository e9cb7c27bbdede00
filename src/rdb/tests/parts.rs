//! Values in parts come to the same as values that are whole: their bytes, their digests, and the commands
//! that build them up.

use super::*;

const VALKEY: Dialect = Dialect::valkey(80);

/// Every record of the file, values from so many bytes on put together of their parts; and how many there
/// were of those.
fn read_in_parts(file: &[u8], piece: usize, window: usize) -> (Vec<Record>, usize) {
    let mut reader = Reader::in_parts(window);
    let (mut found, mut value, mut parts) = (Vec::new(), Vec::new(), 0);
    for (n, bytes) in file.chunks(piece).enumerate() {
        // Lent and copied pieces in turns, two and two.
        match n % 4 < 2 {
            true => reader.lend(bytes::Bytes::copy_from_slice(bytes)),
            false => reader.push(bytes),
        }
        while let Step::Item(item) = reader.step().unwrap() {
            let Item::Part(part) = item else {
                found.extend(owned(&item));
                continue;
            };
            assert!(part.entry.value.len() <= piece + window);
            assert_eq!(value.is_empty(), part.place == Place::First);
            value.extend_from_slice(part.entry.value);
            parts += 1;
            if part.place == Place::Last {
                let end = part.entry.range.end as usize;
                assert_eq!(file[end - value.len()..end], value);
                let whole = Entry {
                    value: &value,
                    ..part.entry
                };
                found.extend(owned(&Item::Entry(whole)));
                value.clear();
            }
        }
    }
    reader.finish().unwrap();
    (found.into_iter().skip(1).collect(), parts)
}

#[test]
fn a_long_value_is_never_held() {
    let mut text = Vec::new();
    payload::append_string(&[b'x'; 3_000_000], &mut text);
    let mut list = Vec::new();
    payload::append_length(500_000, &mut list);
    list.extend(b"\x03abc".repeat(500_000));
    let mut writer = Writer::new(REDIS);
    for (kind, value) in [(0, &text), (1, &list)] {
        let bare = entry_of(REDIS, kind);
        writer.entry(&Entry { value, ..bare }).unwrap();
    }
    let file = writer.finish();
    let mut reader = Reader::in_parts(10_000);
    let (mut found, mut most) = (Vec::new(), 0);
    for piece in file.chunks(5000) {
        reader.push(piece);
        while let Step::Item(item) = reader.step().unwrap() {
            if let Item::Part(part) = item {
                found.push((part.entry.kind, part.place));
                most = most.max(part.entry.value.len());
            }
        }
        assert!(reader.rest().len() <= 5000);
    }
    assert_eq!(reader.finish(), Ok(()));
    assert!(most <= 15_000, "{most}");
    for kind in [0, 1] {
        let places: Vec<Place> = found
            .iter()
            .filter(|found| found.0 == kind)
            .map(|found| found.1)
            .collect();
        assert!(places.len() > 300);
        let (ends, middle) = (
            [places[0], places[places.len() - 1]],
            &places[1..places.len() - 1],
        );
        assert_eq!(ends, [Place::First, Place::Last]);
        assert!(middle.iter().all(|place| *place == Place::Middle));
    }
}

fn string(blob: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    payload::append_string(blob, &mut out);
    out
}

fn listpack(elements: &[u8], count: u8) -> Vec<u8> {
    let length = (elements.len() + 7) as u32;
    string(&[&length.to_le_bytes()[..], &[count, 0], elements, &[255]].concat())
}

fn ziplist(elements: &[u8]) -> Vec<u8> {
    let length = (elements.len() + 11) as u32;
    string(&[&length.to_le_bytes()[..], &[0; 6], elements, &[255]].concat())
}

/// Two nodes of an entry each, a group with two pending entries and two consumers, and what follows.
fn stream(kind: u8) -> Vec<u8> {
    let mut value = vec![2];
    for ms in [5_u64, 6] {
        value.extend([&[16][..], &ms.to_be_bytes(), &[0; 8]].concat());
        let master = [1, 1, 0, 1, 1, 1, 0x81, b'f', 2, 0, 1];
        let entry = [2, 1, 0, 1, 0, 1, 0x81, b'v', 2, 4, 1];
        value.extend(listpack(&[master, entry].concat(), 11));
    }
    value.extend([2, 6, 0]);
    if kind != 15 {
        value.extend([5, 0, 4, 4, 9]);
    }
    value.extend([1, 1, b'g', 6, 0]);
    if kind != 15 {
        value.push(2);
    }
    let id = |ms: u64| [&ms.to_be_bytes()[..], &[0; 8]].concat();
    value.push(2);
    for ms in [5, 6] {
        value.extend([id(ms), 77_u64.to_le_bytes().to_vec(), vec![3]].concat());
    }
    value.push(2);
    for (name, ms) in [(b'c', 5), (b'd', 6)] {
        let seen = if kind >= 21 { 16 } else { 8 };
        value.extend([1, name].into_iter().chain(vec![9; seen]));
        value.extend([vec![1], id(ms)].concat());
    }
    if kind == 27 {
        value.extend([vec![1], id(4)].concat());
    }
    if kind >= 26 {
        value.extend([1, 2, 1, 1, b'p', 1, 2, b'i', b'i', 1, 2, 1, 2]);
    }
    value
}

/// A value of every encoding.
fn values() -> Vec<(Dialect, u8, Vec<u8>)> {
    let least = 1000_u64.to_le_bytes();
    let timed = listpack(
        &[
            0x81, b'f', 2, 1, 1, 0xc3, 0xe8, 2, 0x81, b'g', 2, 2, 1, 0, 1,
        ],
        6,
    );
    let pair = listpack(&[0x81, b'f', 2, 1, 1], 2);
    let zip_pair = ziplist(&[0, 1, b'f', 3, 0xf2]);
    let module = [
        &[0x81][..],
        &[1; 8],
        &[2, 5, 5, 2, b'a', b'b', 4],
        &[7; 8],
        &[0],
    ]
    .concat();
    let mut all = vec![
        (REDIS, 0, vec![0]),
        (REDIS, 0, string(b"plain text of some length")),
        (REDIS, 0, vec![0xc1, 0x39, 0x30]),
        (REDIS, 0, vec![0xc3, 5, 30, 0, b'a', 0xe0, 20, 0]),
        (REDIS, 1, vec![3, 1, b'a', 0xc0, 1, 1, b'c']),
        (
            REDIS,
            2,
            vec![2, 1, b'a', 0xc3, 5, 30, 0, b'a', 0xe0, 20, 0],
        ),
        (
            REDIS,
            3,
            vec![3, 1, b'a', 1, b'1', 1, b'c', 254, 1, b'd', 255],
        ),
        (REDIS, 4, vec![2, 1, b'f', 1, b'v', 1, b'g', 0xc0, 9]),
        (
            REDIS,
            5,
            [&b"\x02\x01m"[..], &[0; 8], b"\x01n", &1_f64.to_le_bytes()].concat(),
        ),
        (REDIS, 7, module),
        (REDIS, 9, string(&[1, 1, b'f', 1, 2, b'1', b'_', b'_', 255])),
        (REDIS, 10, ziplist(&[0, 2, b'h', b'i', 4, 0xf3])),
        (REDIS, 11, string(&[2, 0, 0, 0, 2, 0, 0, 0, 255, 255, 7, 0])),
        (REDIS, 12, zip_pair.clone()),
        (REDIS, 13, zip_pair),
        (
            REDIS,
            14,
            [vec![2], ziplist(&[0, 0xf2]), ziplist(&[0, 0xf3])].concat(),
        ),
        (REDIS, 16, pair.clone()),
        (REDIS, 17, pair),
        (
            REDIS,
            18,
            [&[2, 1][..], &string(b"big"), &[2], &listpack(&[1, 1], 1)].concat(),
        ),
        (REDIS, 20, listpack(&[5, 1, 0x82, b'h', b'i', 3], 2)),
        (
            REDIS,
            22,
            b"\x02\x43\xe8\x01f\xc0\x01\x00\x01g\xc0\x02".to_vec(),
        ),
        (REDIS, 23, timed.clone()),
        (
            VALKEY,
            22,
            [
                &b"\x02\x01f\xc0\x01"[..],
                &least,
                b"\x01g\xc0\x02",
                &[255; 8],
            ]
            .concat(),
        ),
        (
            REDIS,
            24,
            [&least[..], b"\x02\x01\x01f\xc0\x01\x00\x01g\xc0\x02"].concat(),
        ),
        (REDIS, 25, [&least[..], &timed].concat()),
        (
            REDIS,
            28,
            [
                &[3, 1, 9, 0, 1][..],
                &[0; 8],
                &[1, 0, 1, b'a', 2, 3, 1, b'b'],
            ]
            .concat(),
        ),
    ];
    all.extend([15, 19, 21, 26, 27].map(|kind| (REDIS, kind, stream(kind))));
    all
}

/// Gives a value part by part.
fn in_parts(entry: &Entry<'_>, piece: usize, mut take: impl FnMut(&Part<'_>)) {
    let count = entry.value.len().div_ceil(piece).max(2);
    for n in 0..count {
        let from = (n * piece).min(entry.value.len());
        let to = (from + piece).min(entry.value.len());
        let value = &entry.value[from..to];
        let place = match n {
            0 => Place::First,
            _ if n + 1 == count => Place::Last,
            _ => Place::Middle,
        };
        let entry = entry.clone();
        take(&Part {
            entry: Entry { value, ..entry },
            place,
        });
    }
}

#[test]
fn every_encoding_has_the_same_digest_in_parts() {
    for (dialect, kind, value) in values() {
        let bare = entry_of(dialect, kind);
        let entry = Entry {
            value: &value,
            db: 3,
            expires_ms: Some(9),
            meta: b"\xf3\x01abcd\x02\x05\x00",
            ..bare
        };
        let mut digester = Digester::new();
        let whole = digester.hash(&entry).unwrap();
        for piece in 1..=value.len() {
            let mut found = None;
            in_parts(&entry, piece, |part| found = digester.part(part).unwrap());
            let found = found.unwrap();
            assert_eq!(found.hash, whole, "type {kind} by {piece}");
            assert_eq!(
                found.fields_expire,
                (22..=25).contains(&kind),
                "type {kind}"
            );
        }
    }
}

#[test]
fn a_value_in_parts_that_is_damaged_has_no_digest() {
    for (dialect, kind, value) in values() {
        let longer = [&value[..], b"x"].concat();
        let mut damaged = vec![&value[..value.len() - 1]];
        // A module's value is not looked into: where it ends its reader knows.
        if matches!(kind, 7 | 28) {
            damaged.clear();
        } else {
            damaged.push(&longer);
        }
        for value in damaged {
            let bare = entry_of(dialect, kind);
            let mut digester = Digester::new();
            let mut last = Ok(None);
            in_parts(&Entry { value, ..bare }, 1, |part| {
                if last.is_ok() {
                    last = digester.part(part);
                }
            });
            assert!(last.is_err(), "type {kind} of {}", value.len());
        }
    }
}

/// All commands of a value, each as its words, those of strings put together.
fn commands(entry: &Entry<'_>, piece: usize, limits: Limits) -> Vec<Vec<Vec<u8>>> {
    let mut outline = Outline::of(entry).unwrap();
    if outline.wants_bytes() {
        in_parts(entry, piece, |part| outline.push(part.entry.value).unwrap());
    }
    let accepts = Accepts::of_server(Vendor::Redis, "8.2.0");
    let mut elements = Elements::begin(&outline, accepts, limits).unwrap().unwrap();
    let mut found: Vec<Vec<Vec<u8>>> = Vec::new();
    in_parts(entry, piece, |part| {
        elements.push(part.entry.value);
        if part.place == Place::Last {
            elements.close();
        }
        while let Some(batch) = elements.next_batch().unwrap() {
            for command in batch.commands() {
                let words: Vec<Vec<u8>> = command.arguments().map(<[u8]>::to_vec).collect();
                match (command.name(), found.last_mut()) {
                    (b"APPEND" | b"RPUSH" | b"SADD" | b"ZADD" | b"HSET", Some(last))
                        if command.name() == b"APPEND" || last[0] == command.name() =>
                    {
                        match command.name() {
                            b"APPEND" => last[1].extend_from_slice(&words[0]),
                            _ => last.extend(words),
                        }
                    }
                    (name, _) => found.push([vec![name.to_vec()], words].concat()),
                }
            }
        }
    });
    found
}

#[test]
fn every_encoding_is_built_up_by_the_same_commands_in_parts() {
    let limits = Limits {
        bytes: 1000,
        items: 100,
    };
    for (dialect, kind, value) in values() {
        if matches!(kind, 7 | 26..=28) {
            continue;
        }
        let bare = entry_of(dialect, kind);
        let entry = Entry {
            value: &value,
            ..bare
        };
        let whole = commands(&entry, value.len(), limits);
        assert!(!whole.is_empty());
        // A field's expiry follows its command, and commands may be smaller: sorted they are the same.
        let words = |commands: Vec<Vec<Vec<u8>>>| {
            let mut words: Vec<Vec<u8>> = commands.into_iter().flatten().collect();
            words.sort();
            words.dedup();
            words
        };
        let expected = words(whole);
        for piece in 1..=value.len() {
            let found = words(commands(&entry, piece, limits));
            assert_eq!(found, expected, "type {kind} by {piece}");
        }
    }
}

proptest! {
    #[test]
    fn in_parts_the_same_records_are_read(
        records in records(),
        piece in 1..3000_usize,
        window in 1..5000_usize,
    ) {
        let file = write(&records);
        let (found, parts) = read_in_parts(&file, piece, window);
        prop_assert_eq!(&found, &records);
        let is_long = |record: &Record| matches!(
            record,
            Record::Entry(key) if key.value.len() > window + piece
        );
        prop_assert!(parts > 0 || !records.iter().any(is_long));
    }

    #[test]
    fn in_parts_the_digest_is_that_of_the_whole(key in key(), piece in 1..3000_usize) {
        let entry = entry(&key, 0);
        let mut digester = Digester::new();
        let whole = digester.hash(&entry).unwrap();
        let mut found = None;
        in_parts(&entry, piece, |part| found = digester.part(part).unwrap());
        prop_assert_eq!(found.unwrap().hash, whole);
    }

    #[test]
    fn no_bytes_in_parts_make_it_panic(kind in 0..34_u8, value: Vec<u8>, piece in 1..20_usize) {
        for dialect in [REDIS, VALKEY] {
            let bare = entry_of(dialect, kind);
            let entry = Entry { value: &value, ..bare };
            let mut digester = Digester::new();
            in_parts(&entry, piece, |part| {
                let _ = digester.part(part);
            });
            if let Ok(mut outline) = Outline::of(&entry) {
                in_parts(&entry, piece, |part| {
                    let _ = outline.push(part.entry.value);
                });
            }
        }
    }
}
