//! No file makes the reader, the decoder or the digest panic, and pieces make no difference.
#![no_main]

use goodcache::rdb::{Dialect, Digester, Entry, Item, Payload, Reader, Step, append_payload};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Payload::parse(bytes);
    for dialect in [Dialect::redis(13), Dialect::valkey(80)] {
        sealed(dialect, bytes);
    }
    for magic in [&b""[..], b"REDIS0013", b"VALKEY080"] {
        let file = [magic, bytes].concat();
        assert_eq!(read(&file, file.len().max(1)), read(&file, 3));
    }
});

/// A value behind its type, with a footer that is right, so that more than the checksum is tried.
fn sealed(dialect: Dialect, bytes: &[u8]) {
    let [kind, value @ ..] = bytes else { return };
    let entry = Entry {
        dialect,
        db: 0,
        key: b"k",
        kind: *kind,
        value,
        meta: b"",
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    };
    let mut payload = Vec::new();
    if append_payload(&entry, &mut payload).is_ok()
        && let Ok(parsed) = Payload::parse(&payload)
    {
        assert_eq!((parsed.kind, parsed.value), (*kind, value));
    }
}

/// What came of it: the sum of the keys' hashes, and the last error in words. A table of all slots would
/// take most of the time.
fn read(file: &[u8], piece: usize) -> (u128, String) {
    let (mut reader, mut digester) = (Reader::new(), Digester::new());
    let mut sum = 0_u128;
    for piece in file.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.step() {
                Ok(Step::Item(Item::Entry(entry))) => {
                    let hash = digester.hash(&entry).unwrap_or(u128::MAX / 3);
                    sum = sum.wrapping_add(hash);
                }
                Ok(Step::Item(_)) => {}
                Ok(_) => break,
                Err(error) => return (sum, error.to_string()),
            }
        }
    }
    (sum, format!("{:?}", reader.finish()))
}
