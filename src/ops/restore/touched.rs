//! What the logs behind the bases change: found before anything is sent, so that what cannot be played
//! is known then, and every key that a log changes, or makes others from, is treated as one.
//!
//! A key may have expired by now in its base and have been renewed in the log. So keys that a log
//! touches get their expiries shifted by a hundred years, in the base as in the log; when the log is
//! played they are shifted back, and those expire whose time is over. Fields of hashes are treated alike.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::log::{Logged, Ownership};
use super::select::Select;
use super::ties::Ties;
use crate::archive::Moment;
use crate::model::{Slot, SlotSet};
use crate::rdb::{Changes, Reason};

/// A hundred years.
pub(super) const SHIFT_MS: i64 = 100 * 365 * 86_400_000;

/// What the logs touch.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Keys by their hash: two of one hash are as good as impossible.
    keys: HashSet<u128>,
    /// Those of them that are only read: at the end they are what the bases have.
    only_read: HashSet<u128>,
    /// Those of them that are not meant, and that others are made from.
    unmeant: HashSet<u128>,
    /// Which of them were made from each other.
    ties: Ties,
    /// Those of them that the target had before and that must stay as they are.
    spared: HashSet<u128>,
    /// Those that the target had before and that stay until what they become is there.
    held: HashSet<u128>,
    /// Those that are played under names beside.
    aside: HashSet<u128>,
    /// Those that the target cannot hold as they come to be played, and why: by the names that they have then.
    lost: Mutex<HashMap<u128, Reason>>,
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

    /// How many keys are changed that are meant.
    pub(super) fn len(&self) -> usize {
        let unmeant = self.unmeant.difference(&self.only_read).count();
        self.keys.len() - self.only_read.len() - unmeant
    }

    pub(super) fn has(&self, db: u64, key: &[u8]) -> bool {
        !self.keys.is_empty() && self.keys.contains(&hash(db, key))
    }

    /// Whether what the bases have of it is what must be there at the end, where it is meant.
    pub(super) fn is_as_in_base(&self, db: u64, key: &[u8]) -> bool {
        if self.keys.is_empty() {
            return true;
        }
        let hash = hash(db, key);
        !self.keys.contains(&hash)
            || (self.only_read.contains(&hash) && !self.spared.contains(&hash))
    }

    /// Whether a key that a log changes must stay as the target has it.
    pub(super) fn is_spared(&self, db: u64, key: &[u8]) -> bool {
        !self.spared.is_empty() && self.spared.contains(&hash(db, key))
    }

    /// From now on that key stays as the target has it.
    pub(super) fn spare(&mut self, db: u64, key: &[u8]) {
        self.spared.insert(hash(db, key));
    }

    /// From now on that key stays as the target has it until what it becomes is there.
    pub(super) fn hold(&mut self, db: u64, key: &[u8]) {
        self.held.insert(hash(db, key));
    }

    /// The keys that are spared, for a journal.
    pub(super) fn spared(&self) -> Vec<String> {
        words(&self.spared)
    }

    /// The keys that stay until the end, for a journal.
    pub(super) fn held(&self) -> Vec<String> {
        words(&self.held)
    }

    /// Spares those that a journal says.
    pub(super) fn spare_all(&mut self, words: &[String]) {
        self.spared.extend(hashes(words));
    }

    /// Holds those that a journal says.
    pub(super) fn hold_all(&mut self, words: &[String]) {
        self.held.extend(hashes(words));
    }

    /// Whether that key stays until the end.
    pub(super) fn is_held(&self, db: u64, key: &[u8]) -> bool {
        !self.held.is_empty() && self.held.contains(&hash(db, key))
    }

    /// Finds which keys are played beside, when it is known what the target has: all of a group of which
    /// some are meant, and some must not be touched or not yet.
    pub(super) fn set_aside(&mut self) {
        let root = |hash: &u128| self.ties.root(*hash);
        let apart = self.unmeant.iter().chain(&self.spared).chain(&self.held);
        let apart: HashSet<u128> = apart.map(root).collect();
        if apart.is_empty() {
            return;
        }
        let is_wanted = |hash: &&u128| !self.unmeant.contains(hash) && !self.spared.contains(hash);
        let wanted: HashSet<u128> = self.keys.iter().filter(is_wanted).map(root).collect();
        let is_aside = |hash: &&u128| {
            let root = root(hash);
            apart.contains(&root) && wanted.contains(&root)
        };
        self.aside = self.keys.iter().filter(is_aside).copied().collect();
    }

    /// Whether any is played beside.
    pub(super) fn has_any_aside(&self) -> bool {
        !self.aside.is_empty()
    }

    /// Whether it is played beside.
    pub(super) fn is_aside(&self, db: u64, key: &[u8]) -> bool {
        !self.aside.is_empty() && self.aside.contains(&hash(db, key))
    }

    /// The key of that name cannot be in the target.
    pub(super) fn lose(&self, db: u64, name: &[u8], reason: Reason) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.insert(hash(db, name), reason);
    }

    /// It is made anew.
    pub(super) fn find(&self, db: u64, name: &[u8]) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if !lost.is_empty() {
            lost.remove(&hash(db, name));
        }
    }

    /// Why it cannot be there.
    pub(super) fn why_lost(&self, db: u64, name: &[u8]) -> Option<Reason> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        match lost.is_empty() {
            true => None,
            false => lost.get(&hash(db, name)).copied(),
        }
    }

    /// A play begins: nothing is lost yet.
    pub(super) fn begin(&self) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clear();
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

    /// Notes a command. Of keys that are not meant count those that others come from, or may.
    pub(super) fn note(&mut self, logged: &Logged<'_>, select: &Select) {
        self.commands += 1;
        self.has_functions |= logged.command.name() == "function";
        let flush = |db| Flush {
            seq: logged.seq,
            db,
            slots: logged.slots.clone(),
        };
        match (logged.command.changes(), logged.command.name().as_str()) {
            (Changes::All, "flushall") => self.flushes.push(flush(None)),
            (Changes::All, "flushdb") => self.flushes.push(flush(Some(logged.db))),
            (Changes::All, name) => drop(self.unknown.insert(name.to_owned())),
            (Changes::Nothing | Changes::Keys(_), _) => self.note_keys(logged, select),
        }
    }

    fn note_keys(&mut self, logged: &Logged<'_>, select: &Select) {
        let keys = logged.keys();
        let is_tie = keys.len() > 1 && !logged.command.is_separable();
        for key in &keys {
            let is_meant = select.takes_key(key.name);
            if !is_meant && !is_tie {
                continue;
            }
            let hash = hash(key.db, key.name);
            match (self.keys.insert(hash), key.is_changed) {
                (_, true) => drop(self.only_read.remove(&hash)),
                (true, false) => drop(self.only_read.insert(hash)),
                (false, false) => {}
            }
            if !is_meant {
                self.unmeant.insert(hash);
            }
        }
        if is_tie {
            let hashes: Vec<u128> = keys.iter().map(|key| hash(key.db, key.name)).collect();
            self.ties.tie(&hashes);
        }
    }
}

fn words(hashes: &HashSet<u128>) -> Vec<String> {
    hashes.iter().map(|hash| format!("{hash:032x}")).collect()
}

fn hashes(words: &[String]) -> impl Iterator<Item = u128> {
    words
        .iter()
        .filter_map(|word| u128::from_str_radix(word, 16).ok())
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

    fn note(touched: &mut Touched, logged: Logged<'_>) {
        touched.note(&logged, &Select::default());
    }

    #[test]
    fn what_a_log_touches_is_known_by_database() {
        let mut touched = Touched::default();
        let all = SlotSet::full;
        note(&mut touched, logged(&["SET", "a", "1"], 1, 0, all()));
        note(&mut touched, logged(&["DEL", "b", "c"], 2, 3, all()));
        note(&mut touched, logged(&["PING"], 3, 0, all()));
        assert!(touched.has(0, b"a") && touched.has(3, b"b") && touched.has(3, b"c"));
        assert!(!touched.has(0, b"b") && !touched.has(3, b"a"));
        assert_eq!((touched.len(), touched.commands), (3, 3));
        note(&mut touched, logged(&["SWAPDB", "0", "1"], 4, 0, all()));
        assert_eq!(touched.unknown.iter().collect::<Vec<_>>(), ["swapdb"]);
    }

    #[test]
    fn what_was_emptied_counts_for_nothing() {
        let (slot, other) = (Slot::new(7).unwrap(), Slot::new(8).unwrap());
        let mut touched = Touched::default();
        note(
            &mut touched,
            logged(&["FLUSHDB"], 10, 2, SlotSet::range(slot, slot)),
        );
        assert!(touched.is_flushed(2, || 7));
        assert!(!touched.is_flushed(0, || 7) && !touched.is_flushed(2, || 8));
        assert!(touched.is_before_flush(10, 2, slot) && !touched.is_before_flush(11, 2, slot));
        note(
            &mut touched,
            logged(&["FLUSHALL"], 40, 0, SlotSet::range(other, other)),
        );
        assert!(touched.is_flushed(5, || 8) && touched.is_before_flush(39, 2, other));
    }

    /// Which of those are played beside.
    fn aside(touched: &mut Touched, keys: &[&'static str]) -> Vec<&'static str> {
        touched.set_aside();
        let is_aside = |key: &&&str| touched.is_aside(0, key.as_bytes());
        keys.iter().filter(is_aside).copied().collect()
    }

    #[test]
    fn only_groups_of_which_some_are_meant_are_played_beside() {
        let keys = ["a:1", "a:2", "b:1", "b:2", "b:3", "c:1", "c:2"];
        let lines = [
            &["RENAME", "a:1", "b:1"][..],
            &["COPY", "a:2", "c:2"],
            &["SUNIONSTORE", "b:3", "b:2"],
            &["DEL", "b:2", "c:1"],
            &["APPEND", "c:1", "x"],
        ];
        let noted = |glob: &str| {
            let mut touched = Touched::default();
            let select = Select {
                globs: vec![glob.to_owned()],
                ..Select::default()
            };
            for (n, words) in lines.iter().enumerate() {
                touched.note(&logged(words, n as u64, 0, SlotSet::full()), &select);
            }
            touched
        };
        assert_eq!(aside(&mut noted("b:*"), &keys), ["a:1", "b:1"]);
        assert_eq!(
            aside(&mut noted("a:*"), &keys),
            ["a:1", "a:2", "b:1", "c:2"]
        );
        assert_eq!(aside(&mut noted("*"), &keys), [""; 0]);
        assert!(!noted("a:*").has(0, b"c:1") && noted("c:*").has(0, b"c:1"));
        assert_eq!((noted("b:*").len(), noted("*").len()), (3, 6));
        let mut touched = noted("*");
        touched.spare(0, b"b:1");
        touched.spare(0, b"c:1");
        assert_eq!(aside(&mut touched, &keys), ["a:1", "b:1"]);
        let mut touched = noted("*");
        touched.hold(0, b"b:3");
        touched.hold(0, b"c:1");
        assert_eq!(aside(&mut touched, &keys), ["b:2", "b:3", "c:1"]);
    }

    #[test]
    fn what_is_only_read_is_as_the_bases_have_it() {
        let mut touched = Touched::default();
        note(
            &mut touched,
            logged(&["COPY", "a", "b"], 1, 0, SlotSet::full()),
        );
        assert!(touched.has(0, b"a") && touched.is_as_in_base(0, b"a"));
        assert!(!touched.is_as_in_base(0, b"b") && touched.is_as_in_base(0, b"c"));
        touched.spare(0, b"a");
        assert!(!touched.is_as_in_base(0, b"a"));
        note(
            &mut touched,
            logged(&["APPEND", "a", "x"], 2, 0, SlotSet::full()),
        );
        assert_eq!(touched.len(), 2);
    }
}
