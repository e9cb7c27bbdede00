//! Bases cut, and what is found in them.

use std::collections::BTreeMap;

use super::*;
use crate::rdb::{Dialect, Entry, Writer, preamble};

fn entry<'a>(key: &'a [u8], value: &'a [u8]) -> Entry<'a> {
    Entry {
        dialect: Dialect::redis(12),
        db: 0,
        key,
        kind: 0,
        value,
        meta: &[],
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    }
}

/// A file of these keys in the order of their slots; each value has so many bytes.
fn file(keys: usize, bytes: usize) -> Vec<u8> {
    let mut names: Vec<String> = (0..keys).map(|n| format!("key:{n}")).collect();
    names.sort_by_key(|name| Slot::of_key(name.as_bytes()));
    let mut value = vec![0x80];
    value.extend_from_slice(&u32::try_from(bytes).unwrap().to_be_bytes());
    value.extend(std::iter::repeat_n(b'v', bytes));
    let mut writer = Writer::new(Dialect::redis(12));
    writer.aux(b"redis-ver", b"7.4.0");
    writer.resize(keys as u64, 0);
    writer.function(b"#!lua name=lib\n");
    for name in &names {
        writer.entry(&entry(name.as_bytes(), &value)).unwrap();
    }
    writer.finish()
}

fn cut(file: &[u8], step: usize, size: PieceSize) -> (Vec<RawPiece>, Contents) {
    let mut cutter = Cutter::new(size);
    let mut pieces = Vec::new();
    for bytes in file.chunks(step) {
        cutter.push(bytes).unwrap();
        pieces.extend(std::iter::from_fn(|| cutter.piece()));
    }
    let (rest, contents) = cutter.finish().unwrap();
    pieces.extend(rest);
    (pieces, contents)
}

const SMALL: PieceSize = PieceSize {
    wanted: 2000,
    most: 4000,
};

#[test]
fn pieces_are_the_bytes_that_came_and_say_what_they_hold() {
    let file = file(200, 100);
    let (one, whole) = cut(&file, file.len(), PieceSize::for_shards(1));
    assert_eq!((one.len(), one[0].raw.as_ref()), (1, file.as_slice()));
    assert_eq!((whole.keys, whole.rdb.as_str()), (200, "REDIS0012"));
    assert_eq!(whole.functions, [b"#!lua name=lib\n"]);
    assert_eq!(whole.aux["redis-ver"], "7.4.0");
    for step in [1, 7, 333, file.len()] {
        let (pieces, contents) = cut(&file, step, SMALL);
        let raw: Vec<u8> = pieces.iter().flat_map(|piece| piece.raw.clone()).collect();
        assert_eq!(raw, file);
        assert!(pieces.len() > 5);
        assert!(
            pieces
                .iter()
                .map(|piece| piece.seq)
                .eq(0..pieces.len() as u32)
        );
        let entries: u64 = pieces.iter().map(|piece| piece.held.entries).sum();
        assert_eq!(entries, 200);
        for (row, expected) in contents.table.rows.iter().zip(&whole.table.rows) {
            assert_eq!(
                (row.slot, row.keys, row.digest),
                (expected.slot, expected.keys, expected.digest)
            );
            for seq in row.chunks.0..=row.chunks.1 {
                let Some((low, high)) = pieces[seq as usize].held.slots else {
                    continue;
                };
                assert!(low <= row.slot && row.slot <= high);
            }
        }
    }
}

#[test]
fn a_piece_says_in_which_database_it_begins() {
    let mut writer = Writer::new(Dialect::redis(12));
    let value = [&b"\x40\x80"[..], &[b'v'; 128]].concat();
    let mut names: Vec<String> = (0..100).map(|n| format!("key:{n}")).collect();
    names.sort_by_key(|name| Slot::of_key(name.as_bytes()));
    for db in [0, 3] {
        for name in &names {
            let entry = entry(name.as_bytes(), &value);
            writer.entry(&Entry { db, ..entry }).unwrap();
        }
    }
    let (pieces, contents) = cut(&writer.finish(), 100, SMALL);
    assert_eq!(contents.keys, 200);
    let mut found = [0; 4];
    for piece in &pieces {
        // Each is read on its own, the stream's beginning put before it.
        let mut reader = Reader::new();
        if piece.seq > 0 {
            reader.push(&preamble("REDIS0012", piece.held.db));
        }
        reader.push(&piece.raw);
        while let Ok(Step::Item(item)) = reader.step() {
            if let Item::Entry(entry) = item {
                found[usize::try_from(entry.db).unwrap()] += 1;
            }
        }
    }
    assert_eq!(found, [100, 0, 0, 100]);
    let begun: Vec<u64> = pieces.iter().map(|piece| piece.held.db).collect();
    assert!(
        begun.contains(&0) && begun.contains(&3) && begun.is_sorted(),
        "{begun:?}"
    );
}

#[test]
fn a_value_longer_than_a_piece_is_cut_inside_and_found_again() {
    let file = file(3, 20_000);
    let (pieces, contents) = cut(&file, 512, SMALL);
    assert!(pieces.len() > 10);
    assert!(
        pieces
            .iter()
            .all(|piece| piece.raw.len() <= SMALL.most + 512)
    );
    for row in &contents.table.rows {
        assert!(row.chunks.1 > row.chunks.0, "{row:?}");
    }
}

#[test]
fn half_a_file_is_an_error() {
    let file = file(3, 10);
    let mut cutter = Cutter::new(SMALL);
    cutter.push(&file[..file.len() - 9]).unwrap();
    assert!(cutter.finish().is_err());
    let mut cutter = Cutter::new(SMALL);
    cutter.push(&[file, b"more".to_vec()].concat()).unwrap();
    assert!(cutter.finish().is_err());
    assert!(Cutter::new(SMALL).push(b"no file at all").is_err());
}

#[test]
fn each_slot_has_its_own_row() {
    let names: Vec<String> = (0..50).map(|n| format!("{{tag}}key:{n}")).collect();
    let mut writer = Writer::new(Dialect::redis(12));
    writer.aux(b"used-mem", b"123456");
    writer.resize(52, 25);
    for (n, name) in names.iter().enumerate() {
        let entry = entry(name.as_bytes(), b"\x01v");
        let expires_ms = (n % 2 == 0).then_some(4_102_444_800_000);
        writer
            .entry(&Entry {
                expires_ms,
                ..entry
            })
            .unwrap();
    }
    let file = writer.finish();
    let (pieces, contents) = cut(&file, 64, SMALL);
    let slot = Slot::of_key(b"{tag}");
    let [row] = contents.table.rows.as_slice() else {
        panic!("{:?}", contents.table.rows);
    };
    assert_eq!((row.slot, row.keys, row.expires), (slot, 50, 25));
    assert_eq!((contents.keys, contents.expires), (50, 25));
    assert_eq!(row.chunks, (0, pieces.len() as u32 - 1));
    assert_eq!(contents.kinds, BTreeMap::from([(0, 50)]));
    assert_eq!(contents.used_memory(), Some(123_456));
    assert_eq!(contents.bytes, file.len() as u64);
    // What lies there is what the row counts.
    let range = &contents.ranges[&slot];
    assert!(range.end - range.start >= row.bytes && range.end < file.len() as u64);
}

#[test]
fn how_many_keys_there_will_be_is_known_from_the_file_or_told() {
    let file = file(20, 10);
    let mut cutter = Cutter::new(SMALL);
    cutter.push(&file).unwrap();
    assert_eq!(cutter.keys(), (20, 20));
    let mut writer = Writer::new(Dialect::redis(12));
    writer.entry(&entry(b"k", b"\x01v")).unwrap();
    let mut cutter = Cutter::new(SMALL);
    cutter.announce(3);
    assert_eq!(cutter.keys(), (0, 3));
    cutter.push(&writer.finish()).unwrap();
    assert_eq!(cutter.keys(), (1, 3));
    assert_eq!(Contents::default().used_memory(), None);
}

#[test]
fn pieces_become_smaller_where_many_bases_are_taken_at_once() {
    let sizes = [0, 1, 2, 6, 100].map(|shards| PieceSize::for_shards(shards).wanted);
    assert_eq!(sizes, [4 << 20, 4 << 20, 3 << 20, 1 << 20, 512 << 10]);
}
