//! What sound means: rules over a survey, pure.
//!
//! Check, create, failover-test, restore and tune all ask these rules. A rule reads a survey and
//! thresholds, never a socket or a clock, so a saved survey gives the same verdict on any day.
//!
//! A file a group of rules; each file opens with the documents of its codes (what a finding means,
//! what to do, where the fact is from), so that the words and the rule change together.

mod advisories;
mod agreement;
mod answers;
mod case;
mod clients;
mod code;
mod errors;
#[cfg(test)]
mod faults;
pub mod lag;
pub mod latency;
mod memory;
mod nodes;
mod notes;
mod persistence;
mod progress;
pub mod rates;
pub mod ready;
mod remedies;
mod replication;
mod resilience;
mod security;
mod sentinel;
mod settings;
mod slots;
#[cfg(test)]
pub(crate) mod testing;
mod thresholds;
mod versions;

use std::str::FromStr;

use crate::model::{Finding, Skipped, Survey, Topology};

pub use case::{Asked, Case};
pub use code::{CodeDoc, LimitDoc, Unit, codes, explain, nearest};
pub use notes::Notes;
pub use thresholds::{Limit, Thresholds, UnknownCode};

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
    /// Now, in ms since the epoch; 0 is the moment of the survey. Only the ends of support of
    /// server versions are counted from it.
    pub now_ms: u64,
}

/// All that the rules found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong, the gravest first, then by code and subject.
    pub findings: Vec<Finding>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
}

/// A group of rules: the codes that it may give, and the function that gives them.
#[derive(Clone, Copy)]
pub struct Rule {
    /// The group's name, such as `slots`.
    pub group: &'static str,
    /// Every code that it can give.
    pub codes: &'static [&'static CodeDoc],
    /// Looks at the case and notes what it finds, and what it could not look at.
    pub judge: fn(&Case, &mut Notes),
}

/// All rules, in the order in which a person would ask.
pub const RULES: &[Rule] = &[
    answers::RULE,
    nodes::RULE,
    slots::RULE,
    agreement::RULE,
    replication::RULE,
    progress::RULE,
    resilience::RULE,
    memory::RULE,
    persistence::RULE,
    clients::RULE,
    latency::RULE,
    errors::RULE,
    settings::RULE,
    versions::RULE,
    security::RULE,
    sentinel::RULE,
];

/// Asks every rule; the topology is the survey's own.
pub fn judge(survey: &Survey, topology: &Topology, options: &Options) -> Verdict {
    let case = Case::new(survey, topology, options);
    let mut notes = Notes::new(options);
    for rule in RULES {
        (rule.judge)(&case, &mut notes);
    }
    let mut verdict = notes.into_verdict(&case);
    if let Some(service) = survey.service {
        remedies::adapt(&mut verdict.findings, service);
    }
    verdict
}

impl FromStr for Profile {
    type Err = String;
    fn from_str(text: &str) -> Result<Profile, String> {
        match text.trim().to_ascii_lowercase().as_str() {
            "cache" => Ok(Profile::Cache),
            "session" => Ok(Profile::Session),
            "durable" => Ok(Profile::Durable),
            "queue" => Ok(Profile::Queue),
            _ => Err(format!(
                "'{text}' is no profile: write cache, session, durable or queue"
            )),
        }
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Profile::Cache => "cache",
            Profile::Session => "session",
            Profile::Durable => "durable",
            Profile::Queue => "queue",
        })
    }
}

#[cfg(test)]
mod tests;
