//! A base, cut into pieces: an RDB stream comes in as it arrives, pieces of some MiB go out, and at
//! the end stands what is in it, slot by slot.
//!
//! Pieces one after the other are the very bytes that came. They end between entries, where it can be
//! at the border of a slot (newer servers write slot by slot), so that a part can be read without the
//! rest; only a value longer than a piece is cut inside, and no value is held whole that is longer than a
//! MiB: it is summed as it comes. Where a piece holds keys of another database than
//! the first it is said to hold any slot, so that nobody passes over what names the database. Used by the capture, by import, and by verify,
//! which walks stored pieces again and compares.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use crate::archive::{Buffers, Held, SlotRow, SlotTable};
use crate::model::{SLOT_COUNT, Slot};
use crate::rdb::{
    Digester, Entry, Fault, Item, LONG, Part, Place, RdbError, Reader, SlotDigests, Step,
};

/// How much is taken at once, which is how far what came may go beyond the piece that ends in it.
const SLACK: usize = 512 << 10;

/// How large pieces become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceSize {
    /// From this size on a piece ends at the next border of a slot.
    pub wanted: usize,
    /// At this size it ends wherever it is.
    pub most: usize,
}

/// A piece of a base.
#[derive(Debug, Clone, PartialEq)]
pub struct RawPiece {
    /// Its place, from 0.
    pub seq: u32,
    /// Its bytes.
    pub raw: Bytes,
    /// What it holds.
    pub held: Held,
}

/// What a base was found to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// Slot by slot.
    pub table: SlotTable,
    /// Keys in all.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// The sources of the function libraries.
    pub functions: Vec<Vec<u8>>,
    /// What the file says of itself: `redis-ver`, `repl-offset`, `used-mem`.
    pub aux: BTreeMap<String, String>,
    /// How many keys of each type byte.
    pub kinds: BTreeMap<u8, u64>,
    /// Its magic, such as `REDIS0012`.
    pub rdb: String,
    /// Bytes in all.
    pub bytes: u64,
    /// From where to where in the stream the entries of each slot lie.
    pub ranges: BTreeMap<Slot, Range<u64>>,
}

/// Cuts one base.
pub struct Cutter {
    reader: Reader,
    size: PieceSize,
    walk: Walk,
    ready: VecDeque<RawPiece>,
}

/// All but the reader, from which what is looked at is borrowed.
struct Walk {
    digester: Digester,
    digests: SlotDigests,
    rows: Vec<Row>,
    contents: Contents,
    /// What came since the last piece.
    pending: Vec<u8>,
    /// Where pieces come from, and go to when they are done with.
    buffers: Buffers,
    /// What a piece takes as a rule.
    room: usize,
    /// Where in the stream that begins.
    begins: u64,
    seq: u32,
    held: Held,
    last_slot: Option<u16>,
    /// Keys of each type byte.
    kinds: [u64; 256],
    /// The database under way.
    db: u64,
    /// The piece that the value under way began in, when it was cut inside.
    began_in: Option<u32>,
    /// Keys that the file says it has.
    announced: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Row {
    keys: u64,
    expires: u64,
    bytes: u64,
    chunks: (u32, u32),
    range: (u64, u64),
}

impl PieceSize {
    /// For so many bases at once: the memory that they take together is bounded, small pieces cost
    /// the store more requests.
    pub fn for_shards(shards: usize) -> PieceSize {
        let share = (6 << 20) / shards.max(1);
        let wanted = share.clamp(512 << 10, 4 << 20);
        PieceSize {
            wanted,
            // Little more: a buffer that has to grow for a long value stays that large.
            most: wanted + wanted / 4,
        }
    }
}

impl Contents {
    /// Bytes of memory that the data took, by the server's own account.
    pub fn used_memory(&self) -> Option<u64> {
        self.aux.get("used-mem")?.parse().ok()
    }
}

impl Cutter {
    /// At the beginning of a base.
    pub fn new(size: PieceSize) -> Cutter {
        Cutter {
            reader: Reader::in_parts(LONG.min(size.most)),
            size,
            walk: Walk {
                digester: Digester::new(),
                digests: SlotDigests::new(),
                rows: vec![Row::default(); usize::from(SLOT_COUNT)],
                contents: Contents::default(),
                pending: Vec::new(),
                buffers: Buffers::default(),
                room: size.most + SLACK,
                begins: 0,
                seq: 0,
                held: Held::default(),
                last_slot: None,
                kinds: [0; 256],
                db: 0,
                began_in: None,
                announced: 0,
            },
            ready: VecDeque::new(),
        }
    }

    /// With buffers that others use as well.
    #[must_use]
    pub fn sharing(mut self, buffers: &Buffers) -> Cutter {
        self.walk.buffers = buffers.clone();
        self
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are damaged, or of a format that is not known.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), RdbError> {
        bytes.chunks(SLACK).try_for_each(|bytes| self.take(bytes))
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), RdbError> {
        let Cutter {
            reader,
            size,
            walk,
            ready,
        } = self;
        reader.push(bytes);
        walk.keep(bytes);
        loop {
            match reader.step()? {
                Step::Item(Item::Entry(entry)) => {
                    ready.extend(walk.border(*size, &entry));
                    walk.entry(&entry)?;
                }
                Step::Item(Item::Part(part)) => {
                    if part.place == Place::First {
                        ready.extend(walk.border(*size, &part.entry));
                    }
                    walk.part(&part)?;
                }
                Step::Item(item) => walk.item(&item),
                Step::NeedMore | Step::Done => break,
            }
        }
        if walk.pending.len() >= size.most {
            // In the middle of a value, as far as is known: it may be of any slot.
            walk.held.slots = None;
            walk.began_in.get_or_insert(walk.seq);
            ready.extend(walk.cut(walk.pending.len()));
        }
        Ok(())
    }

    /// The next piece that is complete.
    pub fn piece(&mut self) -> Option<RawPiece> {
        self.ready.pop_front()
    }

    /// Keys walked over, and those that there are to be as far as the server said.
    pub fn keys(&self) -> (u64, u64) {
        (self.walk.contents.keys, self.walk.announced)
    }

    /// Says how many keys more there will be, where the stream does not.
    pub fn announce(&mut self, keys: u64) {
        self.walk.announced += keys;
    }

    /// The end of the stream: gives what is left, and what it all held.
    ///
    /// # Errors
    /// When the end was not due.
    pub fn finish(mut self) -> Result<(Vec<RawPiece>, Contents), RdbError> {
        self.reader.finish()?;
        if !self.reader.rest().is_empty() {
            let at = self.reader.position();
            return Err(RdbError {
                at,
                fault: Fault::Trailing,
            });
        }
        let walk = &mut self.walk;
        self.ready.extend(walk.cut(walk.pending.len()));
        Ok((self.ready.into(), self.walk.contents()))
    }
}

impl Walk {
    fn keep(&mut self, bytes: &[u8]) {
        if self.pending.capacity() == 0 {
            self.pending = self.buffers.take(self.room);
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Ends the piece before this entry, where it is large enough.
    fn border(&mut self, size: PieceSize, entry: &Entry<'_>) -> Option<RawPiece> {
        let before = usize::try_from(entry.range.start.saturating_sub(self.begins)).unwrap_or(0);
        let is_border = self.last_slot != Some(entry.slot());
        let is_due = before >= size.most || (before >= size.wanted && is_border);
        if is_due { self.cut(before) } else { None }
    }

    fn cut(&mut self, at: usize) -> Option<RawPiece> {
        if at == 0 {
            return None;
        }
        // Never more than an entry and what is taken at once: copied, so that the buffer goes whole.
        let behind = self.pending.len() - at;
        let mut next = self.buffers.take(self.room.max(behind + SLACK));
        next.extend_from_slice(&self.pending[at..]);
        let mut raw = std::mem::replace(&mut self.pending, next);
        raw.truncate(at);
        let piece = RawPiece {
            seq: self.seq,
            raw: self.buffers.lend(raw),
            held: std::mem::take(&mut self.held),
        };
        self.held.db = self.db;
        self.begins += at as u64;
        self.seq += 1;
        Some(piece)
    }

    fn entry(&mut self, entry: &Entry<'_>) -> Result<(), RdbError> {
        let hash = self.digester.hash(entry)?;
        self.note(entry, hash);
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>) -> Result<(), RdbError> {
        if let Some(folded) = self.digester.part(part)? {
            self.note(&part.entry, folded.hash);
        }
        Ok(())
    }

    /// Notes an entry that ends here.
    fn note(&mut self, entry: &Entry<'_>, hash: u128) {
        let number = entry.slot();
        self.digests.add_hash(number, hash);
        let first = self.began_in.take().unwrap_or(self.seq);
        if let Some(row) = self.rows.get_mut(usize::from(number)) {
            row.chunks.0 = if row.keys == 0 { first } else { row.chunks.0 };
            row.chunks.1 = self.seq;
            row.range.0 = if row.keys == 0 {
                entry.range.start
            } else {
                row.range.0
            };
            row.range.1 = entry.range.end;
            row.keys += 1;
            row.expires += u64::from(entry.expires_ms.is_some());
            row.bytes += entry.range.end - entry.range.start;
        }
        if let Some(slot) = Slot::new(number) {
            let (low, high) = self.held.slots.unwrap_or((slot, slot));
            self.held.slots = Some((low.min(slot), high.max(slot)));
        }
        self.held.entries += 1;
        self.last_slot = Some(number);
        self.kinds[usize::from(entry.kind)] += 1;
        self.contents.keys += 1;
        self.contents.expires += u64::from(entry.expires_ms.is_some());
    }

    fn item(&mut self, item: &Item<'_>) {
        match item {
            Item::Header(dialect) => self.contents.rdb = dialect.to_string(),
            Item::SelectDb(db) => {
                self.db = *db;
                // Only a piece that holds nothing so far begins in it.
                if self.held.entries == 0 {
                    self.held.db = *db;
                }
            }
            Item::Resize { keys, .. } => self.announced += keys,
            Item::Function(source) => self.contents.functions.push(source.to_vec()),
            // Once a slot: its numbers are counted here anyway.
            Item::Aux {
                key: b"slot-info", ..
            } => {}
            Item::Aux { key, value } => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                self.contents.aux.insert(text(key), text(value));
            }
            _ => {}
        }
    }

    fn contents(self) -> Contents {
        let mut contents = self.contents;
        contents.bytes = self.begins;
        contents.kinds = (0..=255)
            .zip(self.kinds)
            .filter(|(_, keys)| *keys > 0)
            .collect();
        contents.ranges = Slot::all()
            .zip(&self.rows)
            .filter(|(_, row)| row.keys > 0)
            .map(|(slot, row)| (slot, row.range.0..row.range.1))
            .collect();
        contents.table.rows = Slot::all()
            .zip(self.rows)
            .filter(|(_, row)| row.keys > 0)
            .map(|(slot, row)| SlotRow {
                slot,
                keys: row.keys,
                expires: row.expires,
                bytes: row.bytes,
                digest: self.digests.slot(slot.number()).sum.to_be_bytes(),
                chunks: row.chunks,
                logged: 0,
            })
            .collect();
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Dialect, Writer, preamble};

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
}
