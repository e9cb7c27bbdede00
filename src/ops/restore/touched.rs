//! What the logs behind the bases change: found before anything is sent, so that what cannot be played
//! is known then, and every key that a log changes is treated as one.
//!
//! A key may have expired by now in its base and have been renewed in the log. So keys that a log
//! touches get their expiries shifted by a hundred years, in the base as in the log; when the log is
//! played they are shifted back, and those expire whose time is over. Fields of hashes are treated alike.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::log::{Logged, Ownership};
use crate::archive::Moment;
use crate::model::{Slot, SlotSet};
use crate::rdb::Changes;

/// A hundred years.
pub(super) const SHIFT_MS: i64 = 100 * 365 * 86_400_000;

/// What the logs touch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Keys by their hash: two of one hash are as good as impossible.
    keys: HashSet<u128>,
    /// Those of them that the target had before and that must stay as they are.
    spared: HashSet<u128>,
    /// Those that may be hashes with fields whose expiries are shifted.
    expiring: Mutex<HashSet<u128>>,
    /// Where slots were emptied: what their bases hold, and what comes before, counts for nothing.
    flushes: Vec<Flush>,
    /// Commands in all.
    pub commands: u64,
    /// Whether any of them is about functions.
    pub has_functions: bool,
    /// Commands of which nobody knows what they change.
    pub unknown: BTreeSet<String>,
    /// The moment that is restored, where it is not that of the snapshot.
    pub moment: Option<Arc<Moment>>,
    pub ownership: Ownership,
}

/// Slots that were emptied.
#[derive(Debug)]
struct Flush {
    /// By which command.
    seq: u64,
    /// In which database; `None` for all.
    db: Option<u64>,
    slots: Arc<SlotSet>,
}

impl Flush {
    fn is_of(&self, db: u64, slot: Slot) -> bool {
        self.db.is_none_or(|own| own == db) && self.slots.contains(slot)
    }
}

impl Touched {
    /// Whether no log changes anything.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.flushes.is_empty()
    }

    /// Whether no log changes a key; one may still empty all.
    pub(super) fn has_no_keys(&self) -> bool {
        self.keys.is_empty()
    }

    /// How many keys.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn has(&self, db: u64, key: &[u8]) -> bool {
        !self.keys.is_empty() && self.keys.contains(&hash(db, key))
    }

    /// Whether a key that a log changes must stay as the target has it.
    pub(super) fn is_spared(&self, db: u64, key: &[u8]) -> bool {
        !self.spared.is_empty() && self.spared.contains(&hash(db, key))
    }

    /// From now on that key stays as the target has it.
    pub(super) fn spare(&mut self, db: u64, key: &[u8]) {
        self.spared.insert(hash(db, key));
    }

    /// The keys that are spared, for a journal.
    pub(super) fn spared(&self) -> Vec<String> {
        self.spared
            .iter()
            .map(|hash| format!("{hash:032x}"))
            .collect()
    }

    /// Those that a journal says.
    pub(super) fn spare_all(&mut self, hashes: &[String]) {
        let hashes = hashes
            .iter()
            .filter_map(|hash| u128::from_str_radix(hash, 16).ok());
        self.spared.extend(hashes);
    }

    /// That key may have fields whose expiries are shifted.
    pub(super) fn note_fields(&self, db: u64, key: &[u8]) {
        let mut expiring = self.expiring.lock().unwrap_or_else(PoisonError::into_inner);
        expiring.insert(hash(db, key));
    }

    /// Whether it may.
    pub(super) fn may_have_fields(&self, db: u64, key: &[u8]) -> bool {
        let expiring = self.expiring.lock().unwrap_or_else(PoisonError::into_inner);
        !expiring.is_empty() && expiring.contains(&hash(db, key))
    }

    /// Whether what the base has in that slot counts for nothing.
    pub(super) fn is_flushed(&self, db: u64, slot: impl FnOnce() -> u16) -> bool {
        !self.flushes.is_empty()
            && Slot::new(slot())
                .is_some_and(|slot| self.flushes.iter().any(|flush| flush.is_of(db, slot)))
    }

    /// Whether that place comes before the slot was emptied.
    pub(super) fn is_before_flush(&self, seq: u64, db: u64, slot: Slot) -> bool {
        let mut flushes = self.flushes.iter();
        flushes.any(|flush| seq <= flush.seq && flush.is_of(db, slot))
    }

    /// Notes a command.
    pub(super) fn note(&mut self, logged: &Logged<'_>) {
        self.commands += 1;
        self.has_functions |= logged.command.name() == "function";
        let flush = |db| Flush {
            seq: logged.seq,
            db,
            slots: logged.slots.clone(),
        };
        match logged.command.changes() {
            Changes::Nothing => {}
            Changes::Keys(keys) => {
                self.keys
                    .extend(keys.iter().map(|key| hash(logged.db, key)));
            }
            Changes::All => match logged.command.name().as_str() {
                "flushall" => self.flushes.push(flush(None)),
                "flushdb" => self.flushes.push(flush(Some(logged.db))),
                name => {
                    self.unknown.insert(name.to_owned());
                }
            },
        }
    }
}

pub(super) fn hash(db: u64, key: &[u8]) -> u128 {
    xxh3_128_with_seed(key, db)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::LogCommand;

    fn logged<'a>(words: &[&'a str], seq: u64, db: u64, slots: SlotSet) -> Logged<'a> {
        Logged {
            seq,
            db,
            came_ms: 0,
            command: LogCommand {
                words: words.iter().map(|word| word.as_bytes()).collect(),
                end: seq,
            },
            slots: Arc::new(slots),
        }
    }

    #[test]
    fn what_a_log_touches_is_known_by_database() {
        let mut touched = Touched::default();
        let all = SlotSet::full;
        touched.note(&logged(&["SET", "a", "1"], 1, 0, all()));
        touched.note(&logged(&["DEL", "b", "c"], 2, 3, all()));
        touched.note(&logged(&["PING"], 3, 0, all()));
        assert!(touched.has(0, b"a") && touched.has(3, b"b") && touched.has(3, b"c"));
        assert!(!touched.has(0, b"b") && !touched.has(3, b"a"));
        assert_eq!((touched.len(), touched.commands), (3, 3));
        touched.note(&logged(&["SWAPDB", "0", "1"], 4, 0, all()));
        assert_eq!(touched.unknown.iter().collect::<Vec<_>>(), ["swapdb"]);
    }

    #[test]
    fn what_was_emptied_counts_for_nothing() {
        let (slot, other) = (Slot::new(7).unwrap(), Slot::new(8).unwrap());
        let mut touched = Touched::default();
        touched.note(&logged(&["FLUSHDB"], 10, 2, SlotSet::range(slot, slot)));
        assert!(touched.is_flushed(2, || 7));
        assert!(!touched.is_flushed(0, || 7) && !touched.is_flushed(2, || 8));
        assert!(touched.is_before_flush(10, 2, slot) && !touched.is_before_flush(11, 2, slot));
        touched.note(&logged(&["FLUSHALL"], 40, 0, SlotSet::range(other, other)));
        assert!(touched.is_flushed(5, || 8) && touched.is_before_flush(39, 2, other));
    }
}
