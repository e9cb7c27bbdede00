//! All that came after the bases, command by command in order, with the database and the time of each:
//! the snapshot's own logs, then, for a moment, what was archived of the time line up to it.
//!
//! On a time line slots move. A key that moves comes to its taker by RESTORE-ASKING and is deleted by its
//! giver; played into one place that would delete what has moved. So nothing that a shard does to a key
//! counts any more once another shard took it over, and no deletion in slots that the shard has not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{TryStreamExt, pin_mut};

use super::select::Select;
use super::touched::{Touched, hash};
use super::trouble::Trouble;
use crate::archive::{Logged as Archived, Manifest, Moment, Owners, Repository, Stretch, Write};
use crate::model::{Slot, SlotSet};
use crate::rdb::{Changes, LogCommand, LogReader};

/// Pieces read ahead.
const AHEAD: usize = 2;
/// Who has a slot is known so late at the most, ms.
const LAG_MS: u64 = 2500;

/// A command in its place.
pub(super) struct Logged<'a> {
    /// Its place in the whole, from 1.
    pub seq: u64,
    pub db: u64,
    /// When it was received, at the latest, ms since the epoch.
    pub came_ms: i64,
    pub command: LogCommand<'a>,
    /// The slots that its shard had.
    pub slots: Arc<SlotSet>,
}

/// A key of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub db: u64,
    pub name: &'a [u8],
    /// Its place among the command's words.
    pub place: usize,
    /// Whether the command changes it, or only reads it.
    pub is_changed: bool,
}

impl<'a> Logged<'a> {
    /// Its keys: those that it changes, then those that it reads.
    pub(super) fn keys(&self) -> Vec<Key<'a>> {
        let key = |(place, is_changed)| Key {
            db: self.db,
            name: self.command.words[place],
            place,
            is_changed,
        };
        let mut keys: Vec<Key<'a>> = self.command.keys().map(key).collect();
        // MOVE, and COPY to another database: the key that is made is first.
        if let (Some(db), Some(first)) = (self.command.other_db(), keys.first_mut()) {
            let made = Key { db, ..*first };
            match self.command.name() == "move" {
                true => keys.push(made),
                false => *first = made,
            }
        }
        keys
    }
}

/// The logs of all shards.
#[derive(Clone, Copy)]
pub(super) struct Logs<'a> {
    pub repository: &'a Repository,
    pub manifest: &'a Manifest,
}

/// Who had which slots when, as far as a time line says.
#[derive(Debug, Default)]
pub(super) struct Ownership {
    seen: Vec<(u64, BTreeMap<u32, Arc<SlotSet>>)>,
    /// Whether slots move as a whole, without RESTORE-ASKING (Valkey 9).
    moves_whole_slots: bool,
}

impl Logs<'_> {
    /// What they touch, of what is meant.
    pub(super) async fn touched(
        &self,
        moment: Option<Arc<Moment>>,
        select: &Select,
    ) -> Result<Touched, Trouble> {
        let mut touched = Touched::default();
        let ownership = match &moment {
            Some(moment) => self.ownership(moment).await?,
            None => Ownership::default(),
        };
        let mut found = Touched::default();
        touched.moment = moment;
        touched.ownership = ownership;
        self.walk(&touched, async |logged: Logged<'_>| {
            found.note(&logged, select);
            Ok(())
        })
        .await?;
        found.moment = touched.moment.take();
        found.ownership = std::mem::take(&mut touched.ownership);
        Ok(found)
    }

    /// Gives each command away, in order.
    pub(super) async fn walk(
        &self,
        touched: &Touched,
        mut take: impl AsyncFnMut(Logged<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut at = At::default();
        for shard in 0..self.manifest.shards.len() {
            self.own(shard, &mut at, &mut take).await?;
        }
        match &touched.moment {
            Some(moment) => {
                self.archived(moment, &touched.ownership, &mut at, &mut take)
                    .await
            }
            None => Ok(()),
        }
    }

    /// The snapshot's own log of a shard. Slots do not move while a snapshot is taken.
    async fn own(
        &self,
        shard: usize,
        at: &mut At,
        take: &mut impl AsyncFnMut(Logged<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let Some(of) = self.manifest.shards.get(shard) else {
            return Ok(());
        };
        let unreadable = |error| Trouble::Unreadable {
            shard: shard + 1,
            error,
        };
        let slots = Arc::new(of.slots.clone());
        let mut reader = LogReader::new(of.base_offset);
        let pieces = self
            .repository
            .pieces(self.manifest, shard, Stretch::Log, None, AHEAD);
        pin_mut!(pieces);
        while let Some(piece) = pieces.try_next().await? {
            reader.push(&piece.raw);
            let came_ms = piece.chunk.span.map_or(0, |span| span.last_ms);
            while let Some(command) = reader.step().map_err(unreadable)? {
                let (seq, db) = at.next(shard, &command);
                let logged = Logged {
                    seq,
                    db,
                    came_ms: i64::try_from(came_ms).unwrap_or(i64::MAX),
                    command,
                    slots: slots.clone(),
                };
                take(logged).await?;
            }
        }
        Ok(())
    }

    /// What was archived after it, merged over all shards by the one clock that stamped it.
    async fn archived(
        &self,
        moment: &Moment,
        ownership: &Ownership,
        at: &mut At,
        take: &mut impl AsyncFnMut(Logged<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let mut replay = self.repository.replay(moment);
        let mut taken = HashMap::<u128, u32>::new();
        while let Some(logged) = replay.next().await? {
            let Archived::Write(write) = logged else {
                continue;
            };
            let words: Vec<&[u8]> = write.words.iter().map(Bytes::as_ref).collect();
            let end = write.offset;
            let command = LogCommand { words, end };
            let shard = place(moment, self.manifest, write.shard);
            let (seq, db) = at.next(shard, &command);
            note_taken(&mut taken, &write, db, &command);
            if is_void(&taken, ownership, &write, db, &command) {
                continue;
            }
            let logged = Logged {
                seq,
                db,
                came_ms: i64::try_from(write.at_ms).unwrap_or(i64::MAX),
                command,
                slots: self.slots(ownership, &write, shard),
            };
            take(logged).await?;
        }
        Ok(())
    }

    fn slots(&self, ownership: &Ownership, write: &Write, shard: usize) -> Arc<SlotSet> {
        let of_base = || self.manifest.shards.get(shard).map(|of| of.slots.clone());
        ownership
            .slots(write.shard, write.at_ms)
            .unwrap_or_else(|| Arc::new(of_base().unwrap_or_default()))
    }

    async fn ownership(&self, moment: &Moment) -> Result<Ownership, Trouble> {
        let mut ownership = Ownership::default();
        let mut replay = self.repository.replay(moment);
        while let Some(logged) = replay.next().await? {
            match logged {
                Archived::Owners(owners) => ownership.note(&owners),
                Archived::Write(write) => {
                    let is = |n: usize, word: &[u8]| {
                        let has: Option<&Bytes> = write.words.get(n);
                        has.is_some_and(|has| has.eq_ignore_ascii_case(word))
                    };
                    ownership.moves_whole_slots |= is(0, b"cluster") && is(1, b"syncslots");
                }
            }
        }
        Ok(ownership)
    }
}

/// How far a walk is.
#[derive(Default)]
struct At {
    seq: u64,
    /// The database that each shard's log is in.
    dbs: BTreeMap<usize, u64>,
}

impl At {
    fn next(&mut self, shard: usize, command: &LogCommand<'_>) -> (u64, u64) {
        self.seq += 1;
        let db = self.dbs.entry(shard).or_default();
        if command.name() == "select" {
            *db = selected(command).unwrap_or(*db);
        }
        (self.seq, *db)
    }
}

fn selected(command: &LogCommand<'_>) -> Option<u64> {
    std::str::from_utf8(command.words.get(1)?)
        .ok()?
        .parse()
        .ok()
}

/// The place in the manifest of a shard of a line; behind all of them when it had no slots then.
fn place(moment: &Moment, manifest: &Manifest, shard: u32) -> usize {
    let starts = moment.anchored.iter().flat_map(|anchored| &anchored.starts);
    let base = starts
        .filter(|start| start.shard == shard)
        .find_map(|start| start.base);
    base.unwrap_or(manifest.shards.len() + shard as usize)
}

/// A key that comes by RESTORE-ASKING belongs to that shard from then on.
fn note_taken(taken: &mut HashMap<u128, u32>, write: &Write, db: u64, command: &LogCommand<'_>) {
    if command.name() == "restore-asking"
        && let Some(key) = command.words.get(1)
    {
        taken.insert(hash(db, key), write.shard);
    }
}

/// Whether it counts for nothing: its keys have gone to another shard.
fn is_void(
    taken: &HashMap<u128, u32>,
    ownership: &Ownership,
    write: &Write,
    db: u64,
    command: &LogCommand<'_>,
) -> bool {
    let Changes::Keys(keys) = command.changes() else {
        return false;
    };
    let is_deletion = matches!(command.name().as_str(), "del" | "unlink");
    let has_gone = |key: &&[u8]| match taken.get(&hash(db, key)) {
        Some(taker) => *taker != write.shard,
        None => is_deletion && ownership.has_lost(write.shard, Slot::of_key(key), write.at_ms),
    };
    // A command of a cluster has its keys in one slot; they go together or, one by one, by themselves.
    !keys.is_empty() && keys.iter().all(has_gone)
}

impl Ownership {
    fn note(&mut self, owners: &Owners) {
        let slots = owners
            .shards
            .iter()
            .map(|owner| (owner.shard, Arc::new(owner.slots.clone())));
        self.seen.push((owners.at_ms, slots.collect()));
    }

    /// What a shard had at that time.
    fn slots(&self, shard: u32, at_ms: u64) -> Option<Arc<SlotSet>> {
        let known = self
            .seen
            .iter()
            .rev()
            .find(|(seen_ms, _)| *seen_ms <= at_ms)?;
        known.1.get(&shard).cloned()
    }

    /// Whether a shard has not that slot any more. It may have got it just now, which is seen a little
    /// later; and where whole slots move it cleans up before it is seen that it gave one away.
    fn has_lost(&self, shard: u32, slot: Slot, at_ms: u64) -> bool {
        let lacks = |at_ms| {
            let slots = self.slots(shard, at_ms);
            slots.is_some_and(|slots| !slots.contains(slot))
        };
        lacks(at_ms.saturating_add(LAG_MS)) && (self.moves_whole_slots || lacks(at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(shard: u32, at_ms: u64) -> Write {
        Write {
            shard,
            at_ms,
            offset: 1,
            words: Vec::new(),
        }
    }

    fn command<'a>(words: &[&'a str]) -> LogCommand<'a> {
        LogCommand {
            words: words.iter().map(|word| word.as_bytes()).collect(),
            end: 1,
        }
    }

    #[test]
    fn what_a_giver_deletes_after_it_gave_a_key_away_deletes_nothing() {
        let (mut taken, none) = (HashMap::new(), Ownership::default());
        let del = command(&["DEL", "k"]);
        assert!(!is_void(&taken, &none, &write(0, 5), 0, &del));
        let restored = command(&["RESTORE-ASKING", "k", "0", "payload"]);
        note_taken(&mut taken, &write(1, 6), 0, &restored);
        assert!(is_void(&taken, &none, &write(0, 7), 0, &del));
        assert!(!is_void(&taken, &none, &write(1, 7), 0, &del));
        assert!(!is_void(&taken, &none, &write(0, 7), 3, &del));
        assert!(!is_void(
            &taken,
            &none,
            &write(0, 7),
            0,
            &command(&["DEL", "k", "other"])
        ));
    }

    #[test]
    fn deletions_in_slots_that_a_shard_has_lost_count_for_nothing() {
        let slot = Slot::of_key(b"k");
        let mut ownership = Ownership::default();
        let with = Arc::new(SlotSet::range(slot, slot));
        let without = Arc::new(SlotSet::new());
        ownership.seen.push((
            10,
            BTreeMap::from([(0, with.clone()), (1, without.clone())]),
        ));
        ownership
            .seen
            .push((5000, BTreeMap::from([(0, without), (1, with)])));
        let (taken, del) = (HashMap::new(), command(&["UNLINK", "k"]));
        assert!(!is_void(&taken, &ownership, &write(0, 4000), 0, &del));
        assert!(is_void(&taken, &ownership, &write(0, 6000), 0, &del));
        assert!(!is_void(&taken, &ownership, &write(1, 6000), 0, &del));
        // The taker's, before it is seen that it has the slot.
        assert!(!is_void(&taken, &ownership, &write(1, 4000), 0, &del));
        let set = command(&["SET", "k", "v"]);
        assert!(!is_void(&taken, &ownership, &write(0, 6000), 0, &set));
        ownership.moves_whole_slots = true;
        assert!(is_void(&taken, &ownership, &write(0, 4000), 0, &del));
        assert!(!is_void(&taken, &ownership, &write(0, 1000), 0, &del));
    }
}
