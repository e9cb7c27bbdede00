//! What sound means: rules over a survey, pure.
//!
//! Check, create, failover-test, restore and tune all ask these rules. A rule reads a survey and
//! thresholds, never a socket or a clock, so a saved survey gives the same verdict on any day.

use std::collections::BTreeMap;

use crate::model::{Finding, Severity, Skipped, Survey};

/// What the cluster is for; changes what counts as a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Data that can be made again; full memory and eviction are normal.
    #[default]
    Cache,
    /// Sessions: losing one logs a user out; eviction is a fault.
    Session,
    /// Data of record: persistence and redundancy are required.
    Durable,
    /// Queues and streams: blocked clients are normal, eviction is a fault.
    Queue,
}

/// What the rules are asked with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What the cluster is for.
    pub profile: Profile,
    /// Where the limits lie, when not at their defaults.
    pub thresholds: Thresholds,
    /// Now, in ms since the epoch.
    pub now_ms: u64,
}

/// Limits and severities that the user changed, by code.
#[derive(Debug, Clone, Default)]
pub struct Thresholds {
    limits: BTreeMap<String, Limit>,
    severities: BTreeMap<String, Option<Severity>>,
}

/// From where on a measured value is a warning, and from where on critical, in the code's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limit {
    /// Above this it is a warning; `None` never.
    pub warning: Option<f64>,
    /// Above this it is critical; `None` never.
    pub critical: Option<f64>,
}

/// All that the rules found.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// What is wrong, the gravest first, then by code and subject.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
}

/// Asks every rule.
pub fn judge(survey: &Survey, options: &Options) -> Verdict {
    let _ = (survey, options, Thresholds::default());
    Verdict::default()
}
