//! Large values, of which only what stands in front is held: their bytes are read once more, from the
//! snapshot, by whoever sends them, and again where a try failed. So a value of any size takes no more than a
//! piece of the snapshot, or two, in memory.

use super::bases::Bases;
use super::trouble::Trouble;
use crate::rdb::{Dialect, Entry, Item, Reader, Step, preamble};

/// How much is given at once.
const STRIDE: usize = 256 << 10;

/// A value that is sent on its own.
pub(super) struct Large<'a> {
    pub key: Vec<u8>,
    pub db: u64,
    pub kind: u8,
    pub dialect: Dialect,
    pub meta: Vec<u8>,
    pub expires_ms: Option<i64>,
    pub freq: Option<u8>,
    pub idle_s: Option<u64>,
    pub slot: u16,
    /// How many bytes it has.
    pub bytes: u64,
    pub source: Source<'a>,
}

/// Where its bytes are.
pub(super) enum Source<'a> {
    /// In memory: it is hardly larger than what others take.
    Held(Vec<u8>),
    /// In the snapshot.
    Stored(Stored<'a>),
}

/// A place in a base.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub bases: Bases<'a>,
    pub shard: usize,
    /// The piece in which the entry begins, and how many bytes of it come before.
    pub piece: usize,
    pub offset: usize,
}

impl<'a> Large<'a> {
    pub(super) fn new(entry: &Entry<'_>, bytes: u64, source: Source<'a>) -> Large<'a> {
        Large {
            key: entry.key.to_vec(),
            db: entry.db,
            kind: entry.kind,
            dialect: entry.dialect,
            meta: entry.meta.to_vec(),
            expires_ms: entry.expires_ms,
            freq: entry.freq,
            idle_s: entry.idle_s,
            slot: entry.slot(),
            bytes,
            source,
        }
    }

    /// The entry without its value.
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            dialect: self.dialect,
            db: self.db,
            key: &self.key,
            kind: self.kind,
            value: &[],
            meta: &self.meta,
            expires_ms: self.expires_ms,
            freq: self.freq,
            idle_s: self.idle_s,
            range: 0..self.key.len() as u64 + self.bytes,
        }
    }

    /// Gives the bytes of the value away, one part after the other, and says which is the last.
    pub(super) async fn parts(
        &self,
        mut take: impl AsyncFnMut(&[u8], bool) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        match &self.source {
            Source::Held(value) => take(value, true).await,
            Source::Stored(stored) => stored.parts(self.db, take).await,
        }
    }
}

impl Stored<'_> {
    async fn parts(
        &self,
        db: u64,
        mut take: impl AsyncFnMut(&[u8], bool) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let unreadable = |error| Trouble::Unreadable {
            shard: self.shard + 1,
            error,
        };
        let shard = &self.bases.manifest.shards[self.shard];
        let mut reader = Reader::in_parts(1).unsummed();
        reader.push(&preamble(&shard.rdb, db));
        let mut before = self.offset;
        for piece in self.piece..shard.base.len() {
            let raw = self.bases.read(self.shard, piece).await?;
            let begin = raw.len().min(std::mem::take(&mut before));
            for from in (begin..raw.len()).step_by(STRIDE) {
                reader.lend(raw.slice(from..raw.len().min(from + STRIDE)));
                loop {
                    let (value, is_last) = match reader.step().map_err(unreadable)? {
                        Step::Item(Item::Entry(entry)) => (entry.value, true),
                        Step::Item(Item::Part(part)) => {
                            (part.entry.value, part.place == crate::rdb::Place::Last)
                        }
                        Step::Item(_) => continue,
                        Step::NeedMore | Step::Done => break,
                    };
                    take(value, is_last).await?;
                    if is_last {
                        return Ok(());
                    }
                }
            }
        }
        // It was read to its end before, so it cannot end too early.
        reader.finish().map_err(unreadable)
    }
}
