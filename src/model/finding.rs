//! Findings: what is wrong, how grave it is, who it is about, what was seen, and what to do next.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; never changes the verdict.
    Info,
    /// Will hurt later, or hurts a little.
    Warning,
    /// Hurts now, or will at the next failure.
    Critical,
}

/// The verdict on a whole cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No finding above `info`.
    Ok,
    /// At least one warning.
    Warning,
    /// At least one critical finding.
    Critical,
    /// It could not be looked at.
    Unknown,
}

/// Whom a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Subject {
    /// The cluster.
    Cluster(String),
    /// A shard, by its number in the shard table.
    Shard(String),
    /// A node, by its address.
    Node(String),
    /// A host, by name.
    Host(String),
    /// A zone, by name.
    Zone(String),
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable name, such as `slots.uncovered`; `check --explain` knows it.
    pub code: String,
    /// How grave.
    pub severity: Severity,
    /// Who.
    pub subject: Subject,
    /// One sentence without a full stop, lower case.
    pub summary: String,
    /// What was seen, and by whom: the command and the field.
    pub evidence: String,
    /// The next command to paste or step to take.
    pub next: String,
}

/// A check that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The code of the finding that might have been.
    pub code: String,
    /// Where it was not looked.
    pub subject: Subject,
    /// Why not.
    pub reason: String,
}

impl Subject {
    /// `node`, `shard`...
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::Cluster(_) => "cluster",
            Subject::Shard(_) => "shard",
            Subject::Node(_) => "node",
            Subject::Host(_) => "host",
            Subject::Zone(_) => "zone",
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Subject::Cluster(name)
            | Subject::Shard(name)
            | Subject::Node(name)
            | Subject::Host(name)
            | Subject::Zone(name) => name,
        }
    }
}

impl Health {
    /// The verdict that these findings make.
    pub fn of(findings: &[Finding]) -> Health {
        match findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Critical) => Health::Critical,
            Some(Severity::Warning) => Health::Warning,
            Some(Severity::Info) | None => Health::Ok,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        })
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Health::Ok => "ok",
            Health::Warning => "warning",
            Health::Critical => "critical",
            Health::Unknown => "unknown",
        })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Cluster(name) => f.write_str(name),
            Subject::Shard(name) => write!(f, "shard {name}"),
            Subject::Node(name) => f.write_str(name),
            Subject::Host(name) => write!(f, "host {name}"),
            Subject::Zone(name) => write!(f, "zone {name}"),
        }
    }
}
