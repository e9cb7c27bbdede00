//! What the logs behind the bases change: found before anything is sent, so that what cannot be played
//! is known then, and every key that a log changes is treated as one.
//!
//! A key may have expired by now in its base and have been renewed in the log. So keys that a log
//! touches get their expiries shifted by a hundred years, in the base as in the log; when the log is
//! played they are shifted back, and those expire whose time is over.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use crate::rdb::{Changes, LogCommand};

/// A hundred years.
pub(super) const SHIFT_MS: i64 = 100 * 365 * 86_400_000;

/// What the logs touch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Keys by their hash: two of one hash are as good as impossible.
    keys: HashSet<u128>,
    /// Those of them that the target had before and that must stay as they are.
    spared: HashSet<u128>,
    /// Where the log of a shard empties a database for the last time: the base, and what comes before,
    /// counts for nothing there.
    flushes: BTreeMap<(usize, u64), u64>,
    /// Where it empties all.
    flushes_all: BTreeMap<usize, u64>,
    /// Commands in all.
    pub commands: u64,
    /// Commands of which nobody knows what they change.
    pub unknown: BTreeSet<String>,
}

impl Touched {
    /// Whether no log changes anything.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.flushes.is_empty() && self.flushes_all.is_empty()
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

    /// Whether the base of that shard counts for nothing in that database.
    pub(super) fn is_flushed(&self, shard: usize, db: u64) -> bool {
        self.flushes_all.contains_key(&shard) || self.flushes.contains_key(&(shard, db))
    }

    /// Whether that command comes before the database was emptied, or is what empties it.
    pub(super) fn is_before_flush(&self, shard: usize, db: u64, end: u64) -> bool {
        let all = self.flushes_all.get(&shard);
        let one = self.flushes.get(&(shard, db));
        all.into_iter().chain(one).any(|flush| end <= *flush)
    }

    /// Notes a command of the log of that shard.
    pub(super) fn note(&mut self, shard: usize, db: u64, command: &LogCommand<'_>) {
        self.commands += 1;
        match command.changes() {
            Changes::Nothing => {}
            Changes::Keys(keys) => {
                self.keys.extend(keys.iter().map(|key| hash(db, key)));
            }
            Changes::All => match command.name().as_str() {
                "flushall" => {
                    self.flushes_all.insert(shard, command.end);
                }
                "flushdb" => {
                    self.flushes.insert((shard, db), command.end);
                }
                name => {
                    self.unknown.insert(name.to_owned());
                }
            },
        }
    }
}

fn hash(db: u64, key: &[u8]) -> u128 {
    xxh3_128_with_seed(key, db)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command<'a>(words: &[&'a str], end: u64) -> LogCommand<'a> {
        LogCommand {
            words: words.iter().map(|word| word.as_bytes()).collect(),
            end,
        }
    }

    #[test]
    fn what_a_log_touches_is_known_by_database() {
        let mut touched = Touched::default();
        touched.note(0, 0, &command(&["SET", "a", "1"], 10));
        touched.note(0, 3, &command(&["DEL", "b", "c"], 20));
        touched.note(0, 0, &command(&["PING"], 25));
        assert!(touched.has(0, b"a") && touched.has(3, b"b") && touched.has(3, b"c"));
        assert!(!touched.has(0, b"b") && !touched.has(3, b"a"));
        assert_eq!((touched.len(), touched.commands), (3, 3));
        touched.note(0, 0, &command(&["SWAPDB", "0", "1"], 30));
        assert_eq!(touched.unknown.iter().collect::<Vec<_>>(), ["swapdb"]);
    }

    #[test]
    fn what_was_emptied_counts_for_nothing() {
        let mut touched = Touched::default();
        touched.note(1, 2, &command(&["FLUSHDB"], 10));
        assert!(touched.is_flushed(1, 2) && !touched.is_flushed(1, 0) && !touched.is_flushed(0, 2));
        assert!(touched.is_before_flush(1, 2, 10) && !touched.is_before_flush(1, 2, 11));
        touched.note(1, 0, &command(&["FLUSHALL"], 40));
        assert!(touched.is_flushed(1, 0) && touched.is_before_flush(1, 2, 39));
    }
}
