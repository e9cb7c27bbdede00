//! What a restore was asked for, as a journal keeps it: only the same command goes on with what one left.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::order::Options;
use crate::archive::{Manifest, Moment, SlotTable};
use crate::model::SlotSet;

/// What was asked for: another command does not go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The snapshot: its name, or what it holds where it was made for one run.
    pub snapshot: String,
    /// The target's name.
    pub target: String,
    /// Which keys and what becomes of those that are there, in words.
    pub how: String,
}

/// What a snapshot holds and how it is cut, as one word: the same files give the same, whenever they are
/// taken in.
pub(super) fn content(manifest: &Manifest, tables: &[Option<SlotTable>]) -> String {
    let mut digest = Sha256::new();
    for (shard, table) in manifest.shards.iter().zip(tables) {
        for chunk in &shard.base {
            digest.update(chunk.raw_bytes.to_le_bytes());
            digest.update(chunk.entries.to_le_bytes());
        }
        for row in table.iter().flat_map(|table| &table.rows) {
            digest.update(row.slot.number().to_le_bytes());
            digest.update(row.digest);
        }
        digest.update([0xff; 16]);
    }
    let digits = digest.finalize();
    let digits: Vec<String> = digits.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// What is asked for, in words that only the same command has.
pub(super) fn how(options: &Options, moment: Option<&Moment>) -> String {
    let select = &options.select;
    let slots = select.slots.as_ref().map(SlotSet::to_string);
    let at_ms = moment.map(|moment| moment.at_ms);
    format!(
        "{:?} {:?} {:?} {:?} {:?} {slots:?} {:?} {at_ms:?}",
        options.existing,
        options.order,
        select.globs,
        select.tag,
        select.families,
        select.min_ttl_ms
    )
}
