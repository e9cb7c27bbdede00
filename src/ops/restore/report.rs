//! What a restore came to.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::brake::HeldBack;
use super::load::{Counts, Database, Impossible};
use super::parcel::Tally;
use super::plan::Plan;
use super::prove::Proof;
use super::refusal::Refused;
use super::warming::Warmth;
use crate::archive::{Manifest, SnapshotId};

/// What it came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Restored {
    /// Which snapshot.
    pub snapshot: SnapshotId,
    /// Of which cluster.
    pub cluster: String,
    /// When that was taken, ms since the epoch.
    pub taken_at_ms: u64,
    /// The moment that was restored, ms since the epoch: that of the snapshot, or a later one.
    pub moment_ms: u64,
    /// Keys that were sent.
    pub keys: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Keys whose time was over: not sent.
    pub expired: u64,
    /// Keys that the target had already, and that stay as they were.
    pub kept: u64,
    /// Large keys that went in parts.
    pub in_parts: u64,
    /// Keys in databases that the target does not have.
    pub without_database: u64,
    /// Those databases.
    pub databases: Vec<Database>,
    /// Of the kept ones, those that the logs change and that came into the target meanwhile.
    pub in_the_way: u64,
    /// Whether functions of the snapshot are not there.
    pub lacks_functions: bool,
    /// Whether ACL users that were meant are not there, or not on every node.
    pub lacks_users: bool,
    /// Keys that cannot go to the target, by the reason.
    pub impossible: Vec<Impossible>,
    /// Commands that the target refused.
    pub refused: u64,
    /// The first of them.
    pub first_refused: Vec<Refused>,
    /// Commands of the logs that were played.
    pub log_commands: u64,
    /// Those about keys, or fields, that were not there: what they made is not what it was.
    pub log_overtaken: u64,
    /// Commands that went out again, for the target had changed.
    pub sent_again: u64,
    /// Whether an earlier run was gone on with: its keys are not counted.
    pub is_resumed: bool,
    /// How long the keys took.
    pub load_ms: u64,
    /// How long it took in all.
    pub duration_ms: u64,
    /// The slowest answer that a master gave beside the load, ms; only where a limit was set.
    pub slowest_answer_ms: Option<f64>,
    /// How far such answers held the load back; only where a limit was set.
    pub held_back: Option<HeldBack>,
    /// When how much of the recorded heat was back, where the most used keys came first.
    pub warmth: Vec<Warmth>,
    /// What was read back.
    pub proof: Option<Proof>,
    /// What should be known.
    pub remarks: Vec<String>,
    /// What was planned.
    pub plan: Plan,
}

/// What a report is made of.
pub(super) struct Told<'a> {
    pub manifest: &'a Manifest,
    pub moment_ms: Option<u64>,
    pub plan: Plan,
    pub counts: Counts,
    pub tally: &'a Tally,
    pub played: u64,
    pub load_ms: u64,
    pub duration_ms: u64,
    pub proof: Option<Proof>,
    pub remarks: Vec<String>,
    pub slowest: Option<Duration>,
    pub held_back: Option<HeldBack>,
    pub warmth: Vec<Warmth>,
    pub is_resumed: bool,
    pub lacks_functions: bool,
    pub lacks_users: bool,
    pub spared: u64,
    pub may_keep: bool,
}

impl Restored {
    pub(super) fn new(told: Told<'_>) -> Restored {
        let (counts, tally) = (told.counts, told.tally);
        let of = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
        let mut words = tally
            .words
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let log_words = counts.log_words.into_inner();
        words.extend(log_words.unwrap_or_else(PoisonError::into_inner));
        let impossible = counts.impossible.into_inner();
        let databases = counts.databases.into_inner();
        let databases = databases.unwrap_or_else(PoisonError::into_inner);
        let databases: Vec<Database> = databases.into_values().collect();
        Restored {
            snapshot: told.manifest.id.clone(),
            cluster: told.manifest.cluster.clone(),
            taken_at_ms: told.manifest.taken_at_ms,
            moment_ms: told.moment_ms.unwrap_or(told.manifest.taken_at_ms),
            keys: of(&counts.entries).saturating_sub(of(&tally.busy)),
            bytes: of(&counts.bytes),
            expired: of(&counts.expired),
            kept: of(&tally.busy) + told.spared,
            in_the_way: match told.may_keep {
                true => 0,
                false => told.spared,
            },
            lacks_functions: told.lacks_functions,
            lacks_users: told.lacks_users,
            in_parts: of(&counts.large),
            without_database: databases.iter().map(|database| database.keys).sum(),
            databases,
            impossible: impossible
                .unwrap_or_else(PoisonError::into_inner)
                .into_values()
                .collect(),
            refused: of(&tally.refused) + of(&counts.log_refused),
            first_refused: words,
            log_commands: told.played,
            log_overtaken: of(&counts.overtaken),
            sent_again: of(&tally.again),
            is_resumed: told.is_resumed,
            load_ms: told.load_ms,
            duration_ms: told.duration_ms,
            held_back: told.held_back,
            slowest_answer_ms: told.slowest.map(|slowest| slowest.as_secs_f64() * 1000.0),
            warmth: told.warmth,
            proof: told.proof,
            remarks: told.remarks,
            plan: told.plan,
        }
    }

    /// Whether all that was meant is there.
    pub fn is_whole(&self) -> bool {
        self.refused == 0
            && self.log_overtaken == 0
            && self.impossible.is_empty()
            && self.without_database == 0
            && self.in_the_way == 0
            && !self.lacks_functions
            && !self.lacks_users
            && self.proof.as_ref().is_none_or(Proof::is_equal)
    }
}
