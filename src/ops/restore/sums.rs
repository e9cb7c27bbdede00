//! What the target must hold, by the sums that were taken when the snapshot was: so the proof need not
//! unpack and sum the snapshot a second time.
//!
//! The snapshot has a sum for each slot of its bases, and sums can be taken from each other. So the load
//! only keeps, beside its way, the hashes of those keys that the proof leaves out: such as are over, or
//! will be when it begins. What the target's own sums then equal is what was on the servers that were
//! backed up, whatever lay between. Where it differs, where only some keys were meant or where logs
//! change some, the snapshot is summed as it lies there (see `prove`), and keys are named.

use std::sync::{Mutex, PoisonError};

use crate::archive::SlotTable;
use crate::rdb::{Digester, Entry, RdbError, SlotDigests};

/// Keys that end sooner than so many ms after the load began are kept; a proof that comes later than that
/// sums the snapshot itself.
const HORIZON_MS: u64 = 3_600_000;
/// Keys that are kept, 32 bytes each.
const MOST: usize = 250_000;

/// The sums of a snapshot, and the keys that end soon.
#[derive(Debug)]
pub(super) struct Sums {
    all: SlotDigests,
    horizon_ms: i64,
    /// `None` when they are not all known.
    ending: Mutex<Option<Vec<Ending>>>,
}

/// A key that ends soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    slot: u16,
    expires_ms: i64,
    hash: u128,
}

/// What must be there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expected {
    /// Slot by slot.
    pub digests: SlotDigests,
    /// Keys that are not over and are left out.
    pub ending: u64,
}

impl Sums {
    /// The sums of those tables; `None` when a shard has none.
    pub(super) fn of(tables: &[Option<SlotTable>], now_ms: u64) -> Option<Sums> {
        let mut all = SlotDigests::new();
        for table in tables {
            let mut own = SlotDigests::new();
            for row in &table.as_ref()?.rows {
                own.set(
                    row.slot.number(),
                    crate::rdb::SlotDigest {
                        sum: u128::from_be_bytes(row.digest),
                        keys: row.keys,
                    },
                );
            }
            all.merge(&own);
        }
        Some(Sums {
            all,
            horizon_ms: signed(now_ms.saturating_add(HORIZON_MS)),
            ending: Mutex::new(Some(Vec::new())),
        })
    }

    /// The hash of a whole entry that ends soon; `None` for others.
    ///
    /// # Errors
    /// When its value is damaged.
    pub(super) fn ending(
        &self,
        entry: &Entry<'_>,
        digester: &mut Digester,
    ) -> Result<Option<Ending>, RdbError> {
        let Some(expires_ms) = entry.expires_ms.filter(|ms| *ms < self.horizon_ms) else {
            return Ok(None);
        };
        Ok(Some(Ending {
            slot: entry.slot(),
            expires_ms,
            hash: digester.hash(entry)?,
        }))
    }

    /// Whether an entry ends soon.
    pub(super) fn ends(&self, entry: &Entry<'_>) -> bool {
        entry.expires_ms.is_some_and(|ms| ms < self.horizon_ms)
    }

    /// Keeps those.
    pub(super) fn keep(&self, more: &mut Vec<Ending>) {
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *ending {
            Some(kept) if kept.len() + more.len() <= MOST => kept.append(more),
            _ => *ending = None,
        }
        more.clear();
    }

    /// There are some whose hashes nobody knows: the sums are good for nothing.
    pub(super) fn void(&self) {
        *self.ending.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What must be there of keys that do not end before that horizon; `None` when it cannot be told.
    pub(super) fn expected(&self, now_ms: u64, horizon_ms: i64) -> Option<Expected> {
        if horizon_ms > self.horizon_ms {
            return None;
        }
        let kept = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = || {
            kept.iter()
                .flatten()
                .filter(|key| key.expires_ms < horizon_ms)
        };
        kept.as_ref()?;
        let mut sums = SlotDigests::new();
        left_out().for_each(|key| sums.add_hash(key.slot, key.hash));
        let mut digests = self.all.clone();
        digests.subtract(&sums);
        let lives = |key: &&Ending| key.expires_ms > signed(now_ms);
        Some(Expected {
            digests,
            ending: left_out().filter(lives).count() as u64,
        })
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::SlotRow;
    use crate::model::Slot;
    use crate::rdb::Dialect;

    const NOW: u64 = 1_000_000;

    fn entry(key: &'static [u8], expires_ms: Option<i64>) -> Entry<'static> {
        Entry {
            dialect: Dialect::redis(10),
            db: 0,
            key,
            kind: 0,
            value: b"\x05hello",
            meta: b"",
            expires_ms,
            freq: None,
            idle_s: None,
            range: 0..0,
        }
    }

    fn entries() -> [Entry<'static>; 4] {
        [
            entry(b"stays", None),
            entry(b"over", Some(999_000)),
            entry(b"soon", Some(1_010_000)),
            entry(b"later", Some(9_000_000)),
        ]
    }

    fn digests<'a>(entries: impl IntoIterator<Item = &'a Entry<'static>>) -> SlotDigests {
        let (mut digests, mut digester) = (SlotDigests::new(), Digester::new());
        for entry in entries {
            digests.add(&mut digester, entry).unwrap();
        }
        digests
    }

    fn sums() -> Sums {
        let all = digests(&entries());
        let rows = all.iter().map(|(slot, digest)| SlotRow {
            slot: Slot::new(slot).unwrap(),
            keys: digest.keys,
            expires: 0,
            bytes: 0,
            digest: digest.sum.to_be_bytes(),
            chunks: (0, 0),
            logged: 0,
        });
        let table = SlotTable {
            rows: rows.collect(),
        };
        Sums::of(&[Some(table)], NOW).unwrap()
    }

    #[test]
    fn keys_that_are_over_or_end_soon_are_taken_out() {
        let sums = sums();
        let mut kept = Vec::new();
        for entry in &entries() {
            let ending = sums.ending(entry, &mut Digester::new()).unwrap();
            assert_eq!(ending.is_some(), sums.ends(entry));
            kept.extend(ending);
        }
        assert_eq!(kept.len(), 2);
        sums.keep(&mut kept);
        let expected = sums.expected(NOW, 1_030_000).unwrap();
        let [stays, _, soon, later] = entries();
        assert_eq!(expected.digests, digests([&stays, &later]));
        assert_eq!(expected.ending, 1);
        let expected = sums.expected(NOW, 1_005_000).unwrap();
        assert_eq!(expected.digests, digests([&stays, &soon, &later]));
        assert_eq!(expected.ending, 0);
    }

    #[test]
    fn without_all_that_it_takes_nothing_is_said() {
        let sums = sums();
        assert_eq!(sums.expected(NOW, i64::MAX), None);
        sums.void();
        sums.keep(&mut Vec::new());
        assert_eq!(sums.expected(NOW, 1_030_000), None);
        assert!(Sums::of(&[None], NOW).is_none());
    }
}
