//! What create did, or found to be so already, or refused and why.

use serde::Serialize;

use super::plan::{Plan, PlannedShard};
use super::standing::Standing;
use crate::model::{Finding, Losses};

/// The answer when nothing stood in the way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What stood there before.
    pub standing: Standing,
    /// Whether anything was changed.
    pub is_changed: bool,
    /// Whether every node says ok, all views agree, every replica is in sync, and a write to each
    /// shard was read back (not written when it was already so).
    pub is_usable: bool,
    /// The shards.
    pub shards: Vec<PlannedShard>,
    /// What may be lost.
    pub survives: Losses,
    /// What was missing when the time was up.
    pub missing: Vec<String>,
    /// Why, as far as it can be told.
    pub causes: Vec<String>,
    /// What else the user should know, such as a setting that could not be put back.
    pub notes: Vec<String>,
    /// From the first step to the last look, ms.
    pub took_ms: u64,
}

/// The answer when something did: all faults at once, the gravest first. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Refusal {
    /// What stands in the way.
    pub faults: Vec<Finding>,
}

impl Report {
    pub(super) fn of(plan: &Plan) -> Report {
        Report {
            standing: plan.standing,
            is_changed: false,
            is_usable: false,
            shards: plan.shards.clone(),
            survives: plan.survives.clone(),
            missing: Vec::new(),
            causes: Vec::new(),
            notes: Vec::new(),
            took_ms: 0,
        }
    }
}
