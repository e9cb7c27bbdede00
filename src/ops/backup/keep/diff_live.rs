//! In what a cluster differs now from a snapshot of it: the same comparison as between two snapshots,
//! with one side read from the servers.
//!
//! Slots that the snapshot's log changes after the base are not judged: what they held at its moment is
//! in no digest.

use std::collections::BTreeMap;

use super::diff::{
    After, DiffReport, KeyDiff, LiveSide, Sums, add, compared, slot_diffs, sums, turns,
};
use super::keys::keys_of;
use super::list::Snapshot;
use crate::archive::{Manifest, Repository};
use crate::model::{Events, SlotSet};
use crate::ops::backup::live::Live;
use crate::ops::backup::trouble::Trouble;

/// Compares them; `cluster` is the name by which the live side is told, `now_ms` when it is looked at.
///
/// # Errors
/// When the repository or the cluster cannot be read, or the cluster changes meanwhile.
pub async fn diff_live(
    repository: &Repository,
    before: &Manifest,
    live: &Live,
    (cluster, now_ms): (String, u64),
    with_keys: bool,
    events: &Events,
) -> Result<DiffReport, Trouble> {
    let (mut logged, mut without) = (SlotSet::new(), SlotSet::new());
    let mut old = sums(repository, before, &mut logged, &mut without).await?;
    let mut new = Sums::new();
    for table in live.tables(events).await? {
        add(&mut new, &table);
    }
    let keys = new.values().map(|(keys, _)| keys).sum();
    for sums in [&mut old, &mut new] {
        sums.retain(|slot, _| !logged.contains(*slot) && !without.contains(*slot));
    }
    let (slots_compared, slots) = slot_diffs(&old, &new);
    let mut report = DiffReport {
        before: Snapshot::of(before),
        after: After::Live(LiveSide {
            id: "live",
            cluster,
            looked_at_ms: now_ms,
            shards: live.shards(),
            keys,
        }),
        slots_compared,
        slots,
        logged,
        shards_without_table: before
            .shards
            .iter()
            .filter(|shard| shard.slot_table.is_none())
            .count(),
        keys: None,
    };
    if with_keys {
        let keys = key_diffs(repository, before, live, &report, events).await?;
        report.keys = Some(keys);
    }
    Ok(report)
}

/// Every turn reads the whole of the cluster once more, and keeps the keys of its slots only.
async fn key_diffs(
    repository: &Repository,
    before: &Manifest,
    live: &Live,
    report: &DiffReport,
    events: &Events,
) -> Result<Vec<KeyDiff>, Trouble> {
    let mut found = BTreeMap::new();
    for turn in turns(&report.slots) {
        let new = live.keys(&turn, events).await?;
        let mut old = keys_of(repository, before, &turn).await?;
        let diffs = compared(&mut old, &new).into_iter();
        found.extend(diffs.map(|diff| ((diff.slot, diff.key.clone(), diff.db), diff)));
    }
    Ok(found.into_values().collect())
}
