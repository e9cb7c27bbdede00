//! What verifying a snapshot came to.

use serde::Serialize;

use super::line::LineProof;
use super::list::Snapshot;
use crate::archive::{ChunkError, SnapshotId};
use crate::model::SlotSet;
use crate::ops::backup::boot::{Booted, BootedShard};

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Which snapshot.
    pub id: SnapshotId,
    /// Where it is.
    pub repository: String,
    /// It in short; `None` when its manifest is not believed.
    pub snapshot: Option<Snapshot>,
    /// Whether every byte was read, and not the sizes alone.
    pub is_data_read: bool,
    /// Objects that the manifest lists.
    pub objects: u64,
    /// Their bytes as stored.
    pub bytes_stored: u64,
    /// What was found in each shard; empty unless the data was read.
    pub shards: Vec<ShardProof>,
    /// The time line on which it lies; `None` when it lies on none.
    pub line: Option<LineProof>,
    /// What became of it when real servers loaded it; `None` when nobody asked.
    pub boot: Option<Booted>,
    /// What is wrong.
    pub faults: Vec<VerifyFault>,
    /// Objects in its folder that the manifest does not list. They do no harm.
    pub strays: Vec<String>,
    /// How long it took.
    pub duration_ms: u64,
}

/// What was found in a shard.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ShardProof {
    /// Its number, from 1.
    pub number: usize,
    /// Keys walked over.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// Slots whose digest was computed from the data and is the one that was kept; `None` when the
    /// snapshot keeps none, or the data could not be read to its end.
    pub slots_proven: Option<usize>,
    /// Commands of the log.
    pub log_commands: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifyFault {
    /// What kind of thing, such as `object.missing`.
    pub code: &'static str,
    /// The object in which it is.
    pub object: String,
    /// The shard, from 1.
    pub shard: Option<usize>,
    /// The slots that it is about; empty when it is about others or all.
    pub slots: SlotSet,
    /// What is wrong, of the object as 'it'.
    pub what: String,
    /// What to do.
    pub next: String,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        let boots = self.boot.iter().flat_map(|boot| &boot.shards);
        self.faults.is_empty() && boots.into_iter().all(BootedShard::is_sound)
    }
}

/// The next step for a fault that the storage did not cause alone.
const TAKE_ANOTHER: &str =
    "restore another snapshot, or this one's copy in another repository, and report this";

impl VerifyFault {
    /// One about an object as a whole.
    pub(super) fn of_object(error: &ChunkError, shard: Option<usize>) -> VerifyFault {
        let code = match error {
            ChunkError::Missing { .. } => "object.missing",
            ChunkError::Truncated { .. } => "object.truncated",
            ChunkError::TooLong { .. } => "object.too_long",
            ChunkError::Swapped { .. } => "object.swapped",
            ChunkError::Damaged { .. } => "object.damaged",
            ChunkError::NotOurs { .. } | ChunkError::Unlike { .. } => "object.foreign",
            _ => "object.unreadable",
        };
        let text = error.to_string();
        let what = text.strip_prefix(error.name()).unwrap_or(&text).trim();
        VerifyFault {
            code,
            object: error.name().to_owned(),
            shard,
            slots: SlotSet::new(),
            what: format!("it {what}"),
            next: error.hint(),
        }
    }

    /// One about what is in it.
    pub(super) fn inside(
        code: &'static str,
        object: &str,
        shard: usize,
        what: String,
    ) -> VerifyFault {
        VerifyFault {
            code,
            object: object.to_owned(),
            shard: Some(shard),
            slots: SlotSet::new(),
            what,
            next: TAKE_ANOTHER.to_owned(),
        }
    }
}
