//! How far a restore came, in a file beside it: the same command goes on from there after whatever
//! ended the one before.
//!
//! Noted are the pieces of the bases that every master has answered. Whatever was under way besides is
//! sent again, which does no harm. The play of the logs begins anew, keys that they change being set back
//! first; so only that it began is noted.
//!
//! A name says little about a target: another cluster may be called the same by now. So the nodes are
//! noted too, and where none of them is left, or nothing of what was sent, it begins anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::asked::Asked;
use super::heat::Wave;
use super::ranges::Ranges;
use super::replicas::Histories;
use super::target::Target;
use super::trouble::Trouble;
use crate::model::NodeId;
use crate::model::words::timestamp;

/// The journal's form. A newer one is not read.
const FORMAT: u32 = 1;
/// What nobody went on with for so long may have been forgotten, and others may have written since, ms.
const FRESH: u64 = 24 * 3_600_000;

/// What to do where it stopped.
pub const GO_ON: &str = "the same command goes on where it stopped";
/// What to do where it stopped while it played: expiries are shifted then (see `touched`).
const FINISH: &str = "type the same command again, which finishes it: until then keys that the archived writes \
                      change do not expire, for their expiries are put off by 100 years";

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    format: u32,
    /// What was asked for.
    pub asked: Asked,
    /// When it began, ms since the epoch.
    pub began_ms: u64,
    /// When it was written last, ms since the epoch.
    #[serde(default)]
    pub noted_ms: u64,
    /// The nodes of the target, masters and replicas.
    #[serde(default)]
    pub nodes: BTreeSet<NodeId>,
    /// Whether the target was emptied, where that was asked for.
    pub is_flushed: bool,
    /// Whether the target held other keys when it began.
    pub had_keys: bool,
    /// Whether every base is in.
    pub is_loaded: bool,
    /// Whether the play of the logs began.
    pub is_playing: bool,
    /// What whoever finds this is to do, once more than going on depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
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

/// What a journal is held against: whether it is still about this target.
pub(super) struct Seen {
    pub nodes: BTreeSet<NodeId>,
    pub has_keys: bool,
}

/// The journal of a run.
#[derive(Debug)]
pub(super) struct Journal {
    path: Option<PathBuf>,
    clock: fn() -> u64,
    pub noted: Noted,
    pub is_resumed: bool,
    /// Whether what is gone on with was left so long ago that it must be meant again.
    pub is_old: bool,
    /// What should be known of an earlier run that is not gone on with.
    pub begins_anew: Option<String>,
}

impl Seen {
    pub(super) fn of(target: &Target) -> Seen {
        Seen {
            nodes: target.topology.members.keys().cloned().collect(),
            has_keys: target.keys() > 0,
        }
    }
}

impl Noted {
    fn new(asked: Asked, nodes: &BTreeSet<NodeId>, now_ms: u64) -> Noted {
        Noted {
            format: FORMAT,
            asked,
            began_ms: now_ms,
            noted_ms: now_ms,
            nodes: nodes.clone(),
            is_flushed: false,
            had_keys: false,
            is_loaded: false,
            is_playing: false,
            next: None,
            spared: Vec::new(),
            histories: None,
            held: Vec::new(),
            warm: None,
            done: BTreeMap::new(),
        }
    }

    /// What is lost when another command than that one begins in this target; `None` where nothing is.
    fn is_left(&self, seen: &Seen) -> Option<String> {
        let is_due = self.is_playing && seen.has_keys && !self.nodes.is_disjoint(&seen.nodes);
        let (snapshot, began) = (&self.asked.snapshot, timestamp(self.began_ms));
        is_due.then(|| {
            format!(
                "another restore into this target ({snapshot}, which began {began}) stopped while it \
                 played the archived writes: keys that they change keep expiries put off by 100 years, \
                 unless that command is typed again first"
            )
        })
    }

    /// Why it says nothing about that target; `None` where it does.
    fn is_over(&self, seen: &Seen) -> Option<String> {
        let is_sent = self.is_loaded || !self.done.is_empty();
        let why = if self.nodes.is_disjoint(&seen.nodes) {
            "the target has none of the nodes that it had then"
        } else if is_sent && !seen.has_keys {
            "the target was emptied since"
        } else {
            return None;
        };
        let began = timestamp(self.began_ms);
        Some(format!(
            "an earlier run of the same command ({began}) does not count, for {why}: it begins anew"
        ))
    }
}

impl Journal {
    /// Begins one, or goes on with what an earlier run of the same left.
    pub(super) fn open(
        path: Option<&Path>,
        asked: Asked,
        seen: &Seen,
        clock: fn() -> u64,
    ) -> Journal {
        let left = path
            .and_then(|path| std::fs::read(path).ok())
            .and_then(|bytes| serde_json::from_slice::<Noted>(&bytes).ok())
            .filter(|noted| noted.format == FORMAT);
        let now_ms = clock();
        let begins_anew = left.as_ref().and_then(|noted| match noted.asked == asked {
            true => noted.is_over(seen),
            false => noted.is_left(seen),
        });
        let left = left.filter(|noted| noted.asked == asked && begins_anew.is_none());
        let last_ms = left.as_ref().map(|left| left.noted_ms.max(left.began_ms));
        Journal {
            path: path.map(Path::to_path_buf),
            clock,
            is_resumed: left.is_some(),
            is_old: last_ms.is_some_and(|last_ms| now_ms.saturating_sub(last_ms) > FRESH),
            begins_anew,
            noted: left.unwrap_or_else(|| Noted::new(asked, &seen.nodes, now_ms)),
        }
    }

    pub(super) fn is_done(&self, shard: usize, piece: usize) -> bool {
        let done = self.noted.done.get(&shard);
        done.is_some_and(|done| done.contains(piece))
    }

    pub(super) fn done(&mut self, shard: usize, piece: usize) {
        self.noted.done.entry(shard).or_default().insert(piece);
    }

    pub(super) fn plays(&mut self) {
        self.noted.is_playing = true;
        self.noted.next = Some(FINISH.to_owned());
    }

    pub(super) fn pieces_done(&self) -> usize {
        self.noted.done.values().map(Ranges::count).sum()
    }

    /// Writes it whole or not at all; when this returns, it is on disk.
    pub(super) fn write(&mut self) -> Result<(), Trouble> {
        self.noted.noted_ms = (self.clock)();
        let Some(path) = &self.path else {
            return Ok(());
        };
        let write = || {
            let folder = path.parent().unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            // A temporary file has mode 0600, and keeps it under its new name.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec(&self.noted)?)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        };
        write().map_err(|why| Trouble::Journal {
            path: path.display().to_string(),
            why: why.to_string(),
        })
    }

    /// The end: there is nothing to go on with.
    pub(super) fn remove(&self) {
        if let Some(path) = &self.path {
            // It is not read again: another snapshot, or another target, has another.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// How far a restore came, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HowFar {
    /// In words.
    pub told: String,
    /// The next step to take.
    pub next: &'static str,
}

/// How far the restore came that notes it there, of so many pieces in all; `None` when nothing can be read
/// there.
pub fn how_far(path: &Path, pieces: usize) -> Option<HowFar> {
    let bytes = std::fs::read(path).ok()?;
    let noted: Noted = serde_json::from_slice(&bytes).ok()?;
    let done: usize = noted.done.values().map(Ranges::count).sum();
    let next = match noted.is_playing {
        true => FINISH,
        false => GO_ON,
    };
    let told = match noted {
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
    };
    Some(HowFar { told, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600_000;

    fn seen(nodes: &[char], has_keys: bool) -> Seen {
        let id = |digit: &char| digit.to_string().repeat(40).parse().unwrap();
        Seen {
            nodes: nodes.iter().map(id).collect(),
            has_keys,
        }
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
        let mut journal = Journal::open(Some(&path), asked, &seen(&['a'], false), || 5);
        journal.done(0, 1);
        journal.done(1, 7);
        let told = |journal: &mut Journal| {
            journal.write().unwrap();
            how_far(&path, 9).unwrap().told
        };
        assert_eq!(told(&mut journal), "2 of 9 pieces are in");
        journal.noted.is_loaded = true;
        assert!(told(&mut journal).contains("compared"));
        assert_eq!(how_far(&path, 9).unwrap().next, GO_ON);
        journal.plays();
        assert!(told(&mut journal).contains("played"));
        let next = how_far(&path, 9).unwrap().next;
        assert!(next.contains("type the same command again"), "{next}");
        assert!(std::fs::read_to_string(&path).unwrap().contains(next));
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
        let there = seen(&['a', 'b'], true);
        let open = |what, clock| Journal::open(Some(&path), asked(what), &there, clock);
        let mut journal = open("a", || 5);
        assert!(!journal.is_resumed);
        journal.done(1, 4);
        journal.write().unwrap();
        let again = open("a", || 9);
        assert!(again.is_resumed && again.is_done(1, 4) && !again.is_done(1, 5));
        assert_eq!(again.noted.began_ms, 5);
        assert!(!open("b", || 9).is_resumed);
        std::fs::write(&path, b"{").unwrap();
        assert!(!open("a", || 9).is_resumed);
        again.remove();
        assert!(!path.exists());
    }

    #[test]
    fn what_another_target_was_given_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.json");
        let asked = || Asked {
            snapshot: "a".to_owned(),
            target: "shop".to_owned(),
            how: String::new(),
        };
        let open =
            |seen: &Seen, clock: fn() -> u64| Journal::open(Some(&path), asked(), seen, clock);
        let mut journal = open(&seen(&['a', 'b'], false), || 5);
        journal.write().unwrap();
        // Nothing was sent, so nothing need be there.
        assert!(open(&seen(&['a', 'b'], false), || 9).is_resumed);
        journal.done(0, 0);
        journal.write().unwrap();
        for (nodes, has_keys, why) in [
            (&['a', 'b'][..], true, None),
            // One was replaced since.
            (&['b', 'c'], true, None),
            (&['c', 'd'], true, Some("none of the nodes")),
            (&['a', 'b'], false, Some("emptied")),
        ] {
            let again = open(&seen(nodes, has_keys), || 9);
            assert_eq!(again.is_resumed, why.is_none(), "{nodes:?}");
            assert_eq!(again.pieces_done(), usize::from(why.is_none()));
            let told = again.begins_anew.unwrap_or_default();
            assert!(told.contains(why.unwrap_or_default()), "{told}");
        }
    }

    #[test]
    fn another_command_is_told_what_the_one_before_leaves_unfinished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.json");
        let open = |snapshot: &str, nodes: &[char]| {
            let asked = Asked {
                snapshot: snapshot.to_owned(),
                target: "shop".to_owned(),
                how: String::new(),
            };
            Journal::open(Some(&path), asked, &seen(nodes, true), || 5)
        };
        let mut journal = open("a", &['a']);
        journal.write().unwrap();
        assert_eq!(open("b", &['a']).begins_anew, None);
        journal.plays();
        journal.write().unwrap();
        let told = open("b", &['a']).begins_anew.unwrap();
        assert!(told.contains("put off by 100 years"), "{told}");
        assert_eq!(open("b", &['c']).begins_anew, None);
        assert!(open("a", &['a']).is_resumed);
    }

    #[test]
    fn after_a_day_without_a_note_it_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j.json");
        let open = |clock| {
            let asked = Asked {
                snapshot: "a".to_owned(),
                target: "shop".to_owned(),
                how: String::new(),
            };
            Journal::open(Some(&path), asked, &seen(&['a'], true), clock)
        };
        let mut journal = open(|| 5);
        journal.write().unwrap();
        assert!(!open(|| 5 + DAY).is_old && open(|| 6 + DAY).is_old);
        journal.clock = || 2 * DAY;
        journal.write().unwrap();
        let again = open(|| 3 * DAY);
        assert!(again.is_resumed && !again.is_old);
    }
}
