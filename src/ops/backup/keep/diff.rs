//! In what two snapshots differ: the slots by the digests that were kept, the keys by reading the slots
//! that differ, of both.
//!
//! Compared is what was in the bases. Where a log changes a slot after them, that is said.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::keys::{Keys, keys_of};
use super::list::Snapshot;
use crate::archive::{ArchiveError, Manifest, Repository, SlotTable};
use crate::model::{Event, Events, Slot, SlotSet};

/// Keys that are held in memory at once, of each side; more slots are read in several turns.
const MOST_KEYS: u64 = 1 << 20;

/// What differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffReport {
    /// The earlier one.
    pub before: Snapshot,
    /// The later one.
    pub after: After,
    /// Slots with keys, in either.
    pub slots_compared: usize,
    /// The slots that differ.
    pub slots: Vec<SlotDiff>,
    /// Slots that commands after a base may have changed, in either.
    pub logged: SlotSet,
    /// Shards without a table of slots, in either: nothing can be said of them.
    pub shards_without_table: usize,
    /// The keys that differ; `None` when nobody asked.
    pub keys: Option<Vec<KeyDiff>>,
}

/// What a snapshot is compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum After {
    /// Another snapshot.
    Snapshot(Snapshot),
    /// What a cluster holds now.
    Live(LiveSide),
}

/// A cluster as it was found. It is not of one moment: each shard is of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveSide {
    /// `live`, where a snapshot has its name.
    pub id: &'static str,
    /// Its name, or the address that was given.
    pub cluster: String,
    /// When reading it began, ms since the epoch.
    pub looked_at_ms: u64,
    /// How many shards.
    pub shards: usize,
    /// How many keys.
    pub keys: u64,
}

/// A slot that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotDiff {
    /// Which.
    pub slot: Slot,
    /// Its keys before.
    pub keys_before: u64,
    /// Its keys after.
    pub keys_after: u64,
}

/// A key that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyDiff {
    /// Its slot.
    pub slot: Slot,
    /// Its database.
    pub db: u64,
    /// The key; bytes that are no text stand as `\xff`.
    pub key: String,
    /// What became of it.
    pub change: KeyChange,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyChange {
    /// It is in the later one only.
    Added,
    /// It is in the earlier one only.
    Removed,
    /// It has another value, type or expiry.
    Changed,
}

/// What is in a slot: how many keys, and the sum over them.
pub(super) type Sums = BTreeMap<Slot, (u64, u128)>;

impl After {
    /// How it is named.
    pub fn name(&self) -> String {
        match self {
            After::Snapshot(snapshot) => snapshot.id.to_string(),
            After::Live(live) => format!("the cluster {} now", live.cluster),
        }
    }
}

impl DiffReport {
    /// Whether all could be compared and no difference was found.
    pub fn is_same(&self) -> bool {
        self.slots.is_empty() && self.shards_without_table == 0
    }
}

/// Compares them.
///
/// # Errors
/// When the repository cannot be read, or something in it is not what was written.
pub async fn diff(
    repository: &Repository,
    before: &Manifest,
    after: &Manifest,
    with_keys: bool,
    events: &Events,
) -> Result<DiffReport, ArchiveError> {
    let (mut logged, mut without) = (SlotSet::new(), SlotSet::new());
    let old = sums(repository, before, &mut logged, &mut without).await?;
    let new = sums(repository, after, &mut logged, &mut without).await?;
    let (slots_compared, slots) = slot_diffs(&old, &new);
    let keys = match with_keys {
        true => Some(key_diffs(repository, before, after, &slots, events).await?),
        false => None,
    };
    Ok(DiffReport {
        before: Snapshot::of(before),
        after: After::Snapshot(Snapshot::of(after)),
        slots_compared,
        slots,
        logged,
        shards_without_table: [before, after]
            .iter()
            .flat_map(|manifest| &manifest.shards)
            .filter(|shard| shard.slot_table.is_none())
            .count(),
        keys,
    })
}

/// How many slots hold keys in either, and those that differ.
pub(super) fn slot_diffs(old: &Sums, new: &Sums) -> (usize, Vec<SlotDiff>) {
    let all: BTreeSet<Slot> = old.keys().chain(new.keys()).copied().collect();
    let of = |sums: &Sums, slot: Slot| sums.get(&slot).copied().unwrap_or_default();
    let slots = all
        .iter()
        .filter(|slot| of(old, **slot) != of(new, **slot))
        .map(|slot| SlotDiff {
            slot: *slot,
            keys_before: of(old, *slot).0,
            keys_after: of(new, *slot).0,
        })
        .collect();
    (all.len(), slots)
}

/// What is in a snapshot's bases; notes the slots that its logs change, and those of shards that have
/// no table.
pub(super) async fn sums(
    repository: &Repository,
    manifest: &Manifest,
    logged: &mut SlotSet,
    without: &mut SlotSet,
) -> Result<Sums, ArchiveError> {
    let mut sums = Sums::new();
    for (index, shard) in manifest.shards.iter().enumerate() {
        let Some(table) = repository.slot_table(manifest, index).await? else {
            *without = without.union(&shard.slots);
            continue;
        };
        let changed = table.rows.iter().filter(|row| row.logged > 0);
        changed.for_each(|row| logged.insert(row.slot));
        add(&mut sums, &table);
    }
    Ok(sums)
}

/// A slot may lie in two shards while it moves.
pub(super) fn add(sums: &mut Sums, table: &SlotTable) {
    for row in table.rows.iter().filter(|row| row.keys > 0) {
        let sum = sums.entry(row.slot).or_default();
        sum.0 += row.keys;
        sum.1 = sum.1.wrapping_add(u128::from_be_bytes(row.digest));
    }
}

async fn key_diffs(
    repository: &Repository,
    before: &Manifest,
    after: &Manifest,
    slots: &[SlotDiff],
    events: &Events,
) -> Result<Vec<KeyDiff>, ArchiveError> {
    let turns = turns(slots);
    let mut found = Vec::new();
    if !turns.is_empty() {
        events.begin("reading the slots that differ");
    }
    for (done, turn) in (1..).zip(&turns) {
        let mut old = keys_of(repository, before, turn).await?;
        let new = keys_of(repository, after, turn).await?;
        found.extend(compared(&mut old, &new));
        events.tell(Event::Progress(done, turns.len() as u64));
    }
    found.sort_by(|a, b| (a.slot, &a.key, a.db).cmp(&(b.slot, &b.key, b.db)));
    Ok(found)
}

/// Slots that are read together.
pub(super) fn turns(slots: &[SlotDiff]) -> Vec<SlotSet> {
    let mut turns: Vec<(u64, SlotSet)> = Vec::new();
    for diff in slots {
        let keys = diff.keys_before.max(diff.keys_after);
        match turns.last_mut() {
            Some((sum, turn)) if *sum + keys <= MOST_KEYS => {
                *sum += keys;
                turn.insert(diff.slot);
            }
            _ => turns.push((keys, SlotSet::range(diff.slot, diff.slot))),
        }
    }
    turns.into_iter().map(|(_, turn)| turn).collect()
}

pub(super) fn compared(old: &mut Keys, new: &Keys) -> Vec<KeyDiff> {
    let mut found = Vec::new();
    for (key, hash) in new {
        let change = match old.remove(key) {
            Some(before) if before == *hash => continue,
            Some(_) => KeyChange::Changed,
            None => KeyChange::Added,
        };
        found.push(key_diff(key, change));
    }
    let gone = old.keys().map(|key| key_diff(key, KeyChange::Removed));
    found.extend(gone);
    found
}

fn key_diff((db, key): &(u64, Vec<u8>), change: KeyChange) -> KeyDiff {
    KeyDiff {
        slot: Slot::of_key(key),
        db: *db,
        key: shown(key),
        change,
    }
}

/// Text as it is; what is no UTF-8, byte by byte.
fn shown(key: &[u8]) -> String {
    let mut text = String::new();
    for chunk in key.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_keys_are_read_in_turns() {
        let diff = |slot: u16, keys| SlotDiff {
            slot: Slot::new(slot).unwrap(),
            keys_before: keys,
            keys_after: 1,
        };
        let slots = [diff(1, 10), diff(2, MOST_KEYS), diff(3, 5), diff(9, 5)];
        let turns: Vec<String> = turns(&slots).iter().map(SlotSet::to_string).collect();
        assert_eq!(turns, ["1", "2", "3 9"]);
    }

    #[test]
    fn each_key_is_told_once() {
        let keys = |pairs: &[(u64, &str, u128)]| -> Keys {
            let pairs = pairs.iter();
            pairs
                .map(|(db, key, hash)| ((*db, key.as_bytes().to_vec()), *hash))
                .collect()
        };
        let mut old = keys(&[
            (0, "same", 1),
            (0, "changed", 2),
            (0, "gone", 3),
            (3, "moved", 5),
        ]);
        let new = keys(&[
            (0, "same", 1),
            (0, "changed", 9),
            (0, "new", 4),
            (0, "moved", 5),
        ]);
        let mut found: Vec<String> = compared(&mut old, &new)
            .iter()
            .map(|diff| format!("{} {} {:?}", diff.db, diff.key, diff.change))
            .collect();
        found.sort();
        assert_eq!(
            found,
            [
                "0 changed Changed",
                "0 gone Removed",
                "0 moved Added",
                "0 new Added",
                "3 moved Removed"
            ]
        );
        assert_eq!(shown(b"a\\\xff\xc3\xa4"), "a\\\\\\xff\u{e4}");
    }
}
