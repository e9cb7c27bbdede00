//! A base, cut into pieces: an RDB stream comes in as it arrives, pieces of some MiB go out, and at
//! the end stands what is in it, slot by slot.
//!
//! Pieces one after the other are the very bytes that came. They end between entries, where it can be
//! at the border of a slot (newer servers write slot by slot), so that a part can be read without the
//! rest; only a value longer than a piece is cut inside, and no value is held whole that is longer than a
//! MiB: it is summed as it comes. Where a piece holds keys of another database than
//! the first it is said to hold any slot, so that nobody passes over what names the database. Used by the capture, by import, and by verify,
//! which walks stored pieces again and compares.

mod walk;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use self::walk::Walk;
use crate::archive::{Buffers, Held, SlotTable};
use crate::model::Slot;
use crate::rdb::{Fault, Item, LONG, Place, RdbError, Reader, Step};

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
            walk: Walk::new(size.most + SLACK),
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

#[cfg(test)]
mod tests;
