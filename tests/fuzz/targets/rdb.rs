//! No file makes the reader, the decoder or the digest panic, and pieces make no difference.
#![no_main]

use goodcache::rdb::{Digester, Item, Payload, Reader, SlotDigests, Step};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Payload::parse(bytes);
    for magic in [&b""[..], b"REDIS0013", b"VALKEY080"] {
        let file = [magic, bytes].concat();
        assert_eq!(read(&file, file.len().max(1)), read(&file, 3));
    }
});

/// What came of it: what was summed, and the last error in words.
fn read(file: &[u8], piece: usize) -> (SlotDigests, String) {
    let (mut reader, mut digester) = (Reader::new(), Digester::new());
    let mut digests = SlotDigests::new();
    for piece in file.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.step() {
                Ok(Step::Item(Item::Entry(entry))) => {
                    let _ = digests.add(&mut digester, &entry);
                }
                Ok(Step::Item(_)) => {}
                Ok(_) => break,
                Err(error) => return (digests, error.to_string()),
            }
        }
    }
    (digests, format!("{:?}", reader.finish()))
}
