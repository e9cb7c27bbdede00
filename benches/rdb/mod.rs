//! How fast an RDB is read, and how fast it is digested, on one core.
#![allow(
    dead_code,
    reason = "shared by two programs, each of which uses a part"
)]

use std::time::Instant;

use goodcache::rdb::{Dialect, Digester, Entry, Item, RdbError, Reader, SlotDigests, Step, Writer};

const PIECE: usize = 256 * 1024;
const ROUNDS: usize = 5;

/// The best of some rounds over one file.
pub struct Speed {
    /// How many keys it has.
    pub keys: u64,
    /// Reading, in MB a second.
    pub read: f64,
    /// Reading and digesting, in MB a second.
    pub digested: f64,
}

/// Walks a file some times over.
pub fn measure(file: &[u8]) -> Result<Speed, RdbError> {
    let mut best = [f64::MAX; 2];
    let mut keys = 0;
    for _ in 0..ROUNDS {
        for (is_digested, best) in [false, true].into_iter().zip(&mut best) {
            let start = Instant::now();
            keys = walk(file, is_digested)?;
            *best = best.min(start.elapsed().as_secs_f64());
        }
    }
    let [read, digested] = best.map(|seconds| file.len() as f64 / seconds / 1e6);
    Ok(Speed {
        keys,
        read,
        digested,
    })
}

/// Files of about 200 MB that are made up, one after the other.
pub fn made_up() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    [
        ("strings of 100 bytes", 0, strings(&[&[b'v'; 100][..]])),
        ("hashes of 10 fields", 16, packed(20)),
        ("sets of 100 members", 2, counted(100)),
    ]
    .into_iter()
    .map(|(name, kind, value)| (name, file(kind, &value)))
}

/// How many keys the file has.
fn walk(file: &[u8], is_digested: bool) -> Result<u64, RdbError> {
    let (mut reader, mut digester) = (Reader::new(), Digester::new());
    let (mut digests, mut keys) = (SlotDigests::new(), 0);
    for piece in file.chunks(PIECE) {
        reader.push(piece);
        while let Step::Item(item) = reader.step()? {
            if let Item::Entry(entry) = item {
                keys += 1;
                if is_digested {
                    digests.add(&mut digester, &entry)?;
                }
            }
        }
    }
    reader.finish()?;
    Ok(keys)
}

/// About 200 MB of keys of that value.
fn file(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Dialect::redis(11));
    for n in 0..200_000_000 / (value.len() + 30) {
        let key = format!("session:user:{n:09}");
        let entry = Entry {
            dialect: Dialect::redis(11),
            db: 0,
            key: key.as_bytes(),
            kind,
            value,
            meta: &[],
            expires_ms: n.is_multiple_of(2).then_some(4_102_444_800_000),
            freq: None,
            idle_s: None,
            range: 0..0,
        };
        if let Err(error) = writer.entry(&entry) {
            eprintln!("{error}");
        }
    }
    writer.finish()
}

/// Strings as an RDB has them, each shorter than 16 KiB.
fn strings(texts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        out.extend_from_slice(&(0x4000 | text.len() as u16).to_be_bytes());
        out.extend_from_slice(text);
    }
    out
}

/// A listpack of so many strings of ten bytes.
fn packed(count: u16) -> Vec<u8> {
    let mut body = Vec::new();
    for n in 0..count {
        body.push(0x80 | 10);
        body.extend_from_slice(format!("field-{n:04}").as_bytes());
        body.push(11);
    }
    let length = body.len() as u32 + 7;
    let pack = [
        &length.to_le_bytes()[..],
        &count.to_le_bytes(),
        &body,
        &[255],
    ]
    .concat();
    strings(&[&pack])
}

/// A count, and so many strings of eleven bytes.
fn counted(count: u16) -> Vec<u8> {
    let members: Vec<String> = (0..count).map(|n| format!("member-{n:04}")).collect();
    let texts: Vec<&[u8]> = members.iter().map(|member| member.as_bytes()).collect();
    [&(0x4000 | count).to_be_bytes()[..], &strings(&texts)].concat()
}
