//! What is found on the way over a base, and where its pieces end.

use super::{Contents, PieceSize, RawPiece, SLACK};
use crate::archive::{Buffers, Held, SlotRow};
use crate::model::{SLOT_COUNT, Slot};
use crate::rdb::{Digester, Entry, Item, Part, RdbError};

/// All but the reader, from which what is looked at is borrowed.
pub(super) struct Walk {
    digester: Digester,
    rows: Vec<Row>,
    pub(super) contents: Contents,
    /// What came since the last piece.
    pub(super) pending: Vec<u8>,
    /// Where pieces come from, and go to when they are done with.
    pub(super) buffers: Buffers,
    /// What a piece takes as a rule.
    room: usize,
    /// Where in the stream that begins.
    begins: u64,
    pub(super) seq: u32,
    pub(super) held: Held,
    last_slot: Option<u16>,
    /// Keys of each type byte.
    kinds: [u64; 256],
    /// The database under way.
    db: u64,
    /// The piece that the value under way began in, when it was cut inside.
    pub(super) began_in: Option<u32>,
    /// Keys that the file says it has.
    pub(super) announced: u64,
}

/// What was found of a slot. Keys come in no order of slots, and each finds its row cold: a row is one line
/// of the processor's cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Row {
    digest: u128,
    keys: u32,
    expires: u32,
    bytes: u64,
    chunks: (u32, u32),
    range: (u64, u64),
}

impl Walk {
    pub(super) fn new(room: usize) -> Walk {
        Walk {
            digester: Digester::new(),
            rows: vec![Row::default(); usize::from(SLOT_COUNT)],
            contents: Contents::default(),
            pending: Vec::new(),
            buffers: Buffers::default(),
            room,
            begins: 0,
            seq: 0,
            held: Held::default(),
            last_slot: None,
            kinds: [0; 256],
            db: 0,
            began_in: None,
            announced: 0,
        }
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) {
        if self.pending.capacity() == 0 {
            self.pending = self.buffers.take(self.room);
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Ends the piece before this entry, where it is large enough.
    pub(super) fn border(&mut self, size: PieceSize, entry: &Entry<'_>) -> Option<RawPiece> {
        let before = usize::try_from(entry.range.start.saturating_sub(self.begins)).unwrap_or(0);
        let is_border = || self.last_slot != Some(entry.slot());
        let is_due = before >= size.most || (before >= size.wanted && is_border());
        if is_due { self.cut(before) } else { None }
    }

    pub(super) fn cut(&mut self, at: usize) -> Option<RawPiece> {
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

    pub(super) fn entry(&mut self, entry: &Entry<'_>) -> Result<(), RdbError> {
        let hash = self.digester.hash(entry)?;
        self.note(entry, hash);
        Ok(())
    }

    pub(super) fn part(&mut self, part: &Part<'_>) -> Result<(), RdbError> {
        if let Some(folded) = self.digester.part(part)? {
            self.note(&part.entry, folded.hash);
        }
        Ok(())
    }

    /// Notes an entry that ends here.
    fn note(&mut self, entry: &Entry<'_>, hash: u128) {
        let number = entry.slot();
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
            row.digest = row.digest.wrapping_add(hash);
            row.keys += 1;
            row.expires += u32::from(entry.expires_ms.is_some());
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

    pub(super) fn item(&mut self, item: &Item<'_>) {
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

    pub(super) fn contents(self) -> Contents {
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
                keys: row.keys.into(),
                expires: row.expires.into(),
                bytes: row.bytes,
                digest: row.digest.to_be_bytes(),
                chunks: row.chunks,
                logged: 0,
            })
            .collect();
        contents
    }
}
