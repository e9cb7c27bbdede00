//! What a restore is asked for.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::select::Select;
use crate::archive::{Manifest, Moment, Repository};
use crate::cluster::{Access, Momentary};
use crate::model::Events;
use crate::ops::backup::Ground;

/// What becomes of keys that the target holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Existing {
    /// There must be none.
    #[default]
    Refuse,
    /// They are replaced by those of the snapshot; others stay.
    Replace,
    /// They stay as they are.
    Skip,
    /// All go first, those that the snapshot does not have too.
    Flush,
}

/// In which order keys go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As they lie, so that every master is busy.
    #[default]
    Slots,
    /// The most used first.
    Hottest,
}

/// How it is restored.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which keys.
    pub select: Select,
    /// What becomes of those that are there.
    pub existing: Existing,
    /// In which order.
    pub order: Order,
    /// Bring the ACL users back too.
    pub with_acl: bool,
    /// Read the target back and compare.
    pub is_proven: bool,
    /// Bytes a second at the most.
    pub rate: Option<u64>,
    /// The latency of the target that must not be passed.
    pub max_latency: Option<Duration>,
    /// How long one command may hold a master up: larger values go in parts.
    pub max_stall: Duration,
    /// The name of the target, for the journal.
    pub target: String,
    /// The clock, ms since the epoch.
    pub now_ms: fn() -> u64,
}

/// What is restored and where to.
#[derive(Clone)]
pub struct Place {
    /// The way to the target.
    pub access: Access,
    /// What is there.
    pub ground: Ground,
    /// Where the snapshot is.
    pub repository: Repository,
    /// The snapshot.
    pub manifest: Arc<Manifest>,
    /// The moment that is wanted, where it comes after the snapshot.
    pub moment: Option<Arc<Moment>>,
    /// Where is noted how far it came; `None` notes nothing.
    pub journal: Option<std::path::PathBuf>,
    /// Whether the snapshot was made for this run alone, of files: another run's is known by what it holds.
    pub is_passing: bool,
    /// The settings that are changed while the target is read back.
    pub settings: Momentary,
    /// Where it is told what happens.
    pub events: Events,
}
