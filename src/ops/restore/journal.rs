//! How far a restore came, in a file beside it: the same command goes on from there after whatever
//! ended the one before.
//!
//! Noted are the pieces of the bases that every master has answered. Whatever was under way besides is
//! sent again, which does no harm. The play of the logs begins anew, keys that they change being set back
//! first; so only that it began is noted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::heat::Wave;
use super::order::Options;
use super::replicas::Histories;
use super::trouble::Trouble;
use crate::archive::Moment;
use crate::model::SlotSet;

/// The journal's form. A newer one is not read.
const FORMAT: u32 = 1;

/// What was asked for: another command does not go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The snapshot.
    pub snapshot: String,
    /// The target's name.
    pub target: String,
    /// Which keys and what becomes of those that are there, in words.
    pub how: String,
}

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    format: u32,
    /// What was asked for.
    pub asked: Asked,
    /// When it began, ms since the epoch.
    pub began_ms: u64,
    /// Whether the target was emptied, where that was asked for.
    pub is_flushed: bool,
    /// Whether the target held other keys when it began.
    pub had_keys: bool,
    /// Whether every base is in.
    pub is_loaded: bool,
    /// Whether the play of the logs began.
    pub is_playing: bool,
    /// Keys that a log changes and that stay as the target had them, by their hash.
    pub spared: Vec<String>,
    /// The masters when it began and the histories that they go on with; `None` when that is not known.
    #[serde(default)]
    pub(super) histories: Option<Histories>,
    /// Such that stay until what they become is there, likewise.
    #[serde(default)]
    pub held: Vec<String>,
    /// Which wave of keys is under way, where the most used come first.
    #[serde(default)]
    pub(super) warm: Option<Wave>,
    /// The pieces that are in, of each shard; of that wave.
    pub done: BTreeMap<usize, Ranges>,
}

/// Numbers, as ranges: pieces come nearly in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(usize, usize)>);

/// The journal of a run.
#[derive(Debug)]
pub(super) struct Journal {
    path: Option<PathBuf>,
    pub noted: Noted,
    pub is_resumed: bool,
}

impl Ranges {
    /// Adds one.
    pub fn insert(&mut self, number: usize) {
        if self.contains(number) {
            return;
        }
        let at = self.0.partition_point(|(first, _)| *first < number);
        self.0.insert(at, (number, number));
        self.0 = self.0.drain(..).fold(Vec::new(), |mut joined, range| {
            match joined.last_mut() {
                Some((_, last)) if *last + 1 == range.0 => *last = range.1,
                _ => joined.push(range),
            }
            joined
        });
    }

    /// Whether it is in.
    pub fn contains(&self, number: usize) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }
}

impl Journal {
    /// Begins one, or goes on with what an earlier run of the same left.
    pub(super) fn open(path: Option<&Path>, asked: Asked, now_ms: u64) -> Journal {
        let left = path
            .and_then(|path| std::fs::read(path).ok())
            .and_then(|bytes| serde_json::from_slice::<Noted>(&bytes).ok())
            .filter(|noted| noted.format == FORMAT && noted.asked == asked);
        Journal {
            path: path.map(Path::to_path_buf),
            is_resumed: left.is_some(),
            noted: left.unwrap_or(Noted {
                format: FORMAT,
                asked,
                began_ms: now_ms,
                is_flushed: false,
                had_keys: false,
                is_loaded: false,
                is_playing: false,
                spared: Vec::new(),
                histories: None,
                held: Vec::new(),
                warm: None,
                done: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn is_done(&self, shard: usize, piece: usize) -> bool {
        let done = self.noted.done.get(&shard);
        done.is_some_and(|done| done.contains(piece))
    }

    pub(super) fn done(&mut self, shard: usize, piece: usize) {
        self.noted.done.entry(shard).or_default().insert(piece);
    }

    pub(super) fn pieces_done(&self) -> usize {
        self.noted.done.values().map(Ranges::count).sum()
    }

    /// Writes it beside and puts it in its place.
    pub(super) fn write(&self) -> Result<(), Trouble> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let failed = |why: std::io::Error| Trouble::Journal {
            path: path.display().to_string(),
            why: why.to_string(),
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let beside = path.with_extension("new");
        let text = serde_json::to_vec(&self.noted).map_err(|why| failed(why.into()))?;
        std::fs::write(&beside, text).map_err(failed)?;
        std::fs::rename(&beside, path).map_err(failed)
    }

    /// The end: there is nothing to go on with.
    pub(super) fn remove(&self) {
        if let Some(path) = &self.path {
            // It is not read again: another snapshot, or another target, has another.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// How far the restore came that notes it there, of so many pieces in all: in words; `None` when
/// nothing can be read there.
pub fn how_far(path: &Path, pieces: usize) -> Option<String> {
    let bytes = std::fs::read(path).ok()?;
    let noted: Noted = serde_json::from_slice(&bytes).ok()?;
    let done: usize = noted.done.values().map(Ranges::count).sum();
    Some(match noted {
        Noted {
            is_playing: true, ..
        } => "every piece is in, and the archived writes were being played".to_owned(),
        Noted {
            is_loaded: true, ..
        } => "every piece is in, and it was being compared".to_owned(),
        Noted { warm: Some(_), .. } => {
            format!("{done} of {pieces} pieces were gone through for the keys in turn")
        }
        _ => format!("{done} of {pieces} pieces are in"),
    })
}

/// What is asked for, in words that only the same command has.
pub(super) fn how(options: &Options, moment: Option<&Moment>) -> String {
    let select = &options.select;
    let slots = select.slots.as_ref().map(SlotSet::to_string);
    let at_ms = moment.map(|moment| moment.at_ms);
    format!(
        "{:?} {:?} {:?} {:?} {slots:?} {:?} {at_ms:?}",
        options.existing, options.order, select.globs, select.families, select.min_ttl_ms
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join() {
        let mut ranges = Ranges::default();
        for number in [3, 1, 2, 7, 3] {
            ranges.insert(number);
        }
        assert_eq!(ranges.0, [(1, 3), (7, 7)]);
        assert_eq!(ranges.count(), 4);
        assert!(ranges.contains(2) && !ranges.contains(4));
    }

    #[test]
    fn it_is_told_how_far_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.json");
        assert_eq!(how_far(&path, 9), None);
        let asked = Asked {
            snapshot: "s".to_owned(),
            target: "shop".to_owned(),
            how: String::new(),
        };
        let mut journal = Journal::open(Some(&path), asked, 5);
        journal.done(0, 1);
        journal.done(1, 7);
        let told = |journal: &Journal| {
            journal.write().unwrap();
            how_far(&path, 9).unwrap()
        };
        assert_eq!(told(&journal), "2 of 9 pieces are in");
        journal.noted.is_loaded = true;
        assert!(told(&journal).contains("compared"));
        journal.noted.is_playing = true;
        assert!(told(&journal).contains("played"));
    }

    #[test]
    fn only_the_same_command_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/j.json");
        let asked = |snapshot: &str| Asked {
            snapshot: snapshot.to_owned(),
            target: "shop".to_owned(),
            how: String::new(),
        };
        let mut journal = Journal::open(Some(&path), asked("a"), 5);
        assert!(!journal.is_resumed);
        journal.done(1, 4);
        journal.write().unwrap();
        let again = Journal::open(Some(&path), asked("a"), 9);
        assert!(again.is_resumed && again.is_done(1, 4) && !again.is_done(1, 5));
        assert_eq!(again.noted.began_ms, 5);
        assert!(!Journal::open(Some(&path), asked("b"), 9).is_resumed);
        std::fs::write(&path, b"{").unwrap();
        assert!(!Journal::open(Some(&path), asked("a"), 9).is_resumed);
        again.remove();
        assert!(!path.exists());
    }
}
