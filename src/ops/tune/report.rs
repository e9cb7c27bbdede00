//! What tune answers: recommendations, the gravest first, and what stands beside them.

use serde::{Deserialize, Serialize};

use super::profile::Guess;
use crate::model::{NodeAddr, NodeId, Role, Service, Severity, Skipped};

/// All that tune has to say of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The cluster's name, or the address that was given.
    pub cluster: String,
    /// Nodes that answered, and nodes that anybody knows.
    pub nodes_answering: usize,
    /// Nodes that anybody knows.
    pub nodes_known: usize,
    /// What the cluster is for, and how that is known.
    pub profile: Guess,
    /// Whether the deployment guide's settings are proposed as they are written.
    pub is_guide: bool,
    /// What was looked at, and at what cost.
    pub sampling: Sampling,
    /// What to change, the gravest first.
    pub recommendations: Vec<Recommendation>,
    /// What a rule wanted and another, which has its way, wants otherwise.
    pub overruled: Vec<Overruled>,
    /// What could not be looked at.
    pub skipped: Vec<Skipped>,
    /// Rules that looked and found nothing to change.
    pub satisfied: Vec<String>,
    /// The managed service, where it is one: its settings are changed by its own commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
}

/// How the evidence was taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Milliseconds between the two samples of the counters; 0 where only one was taken.
    pub between_ms: u64,
    /// The shortest time that a node has been up, in seconds.
    pub shortest_uptime_s: Option<u64>,
    /// Keys that were looked at.
    pub keys: u64,
    /// Whether sizes and encodings were looked at too.
    pub is_deep: bool,
    /// The share of one core that the looking cost the busiest server over the time it took, in
    /// percent, by the server's own COMMANDSTATS.
    pub cost_percent: Option<f64>,
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The rule's id, such as `memory.policy`; `tune --explain` knows it.
    pub rule: String,
    /// How much it matters: critical loses data or service, warning will hurt, info is worth having.
    pub severity: Severity,
    /// What is to be changed.
    pub kind: Kind,
    /// The setting's name, as the server, the kernel or the client knows it.
    pub parameter: String,
    /// Where, from what, to what; one a node, in the order of their addresses.
    pub changes: Vec<Change>,
    /// Why here, in one sentence without a full stop, lower case.
    pub why: String,
    /// The numbers that say so, a line each.
    pub evidence: Vec<String>,
    /// What it costs, and what may go wrong.
    pub cost: String,
    /// How likely and how bad that is.
    pub risk: Risk,
    /// How it takes effect.
    pub takes: Takes,
    /// Whether CONFIG REWRITE makes it last beyond a restart.
    pub persists: bool,
    /// Commands or steps, where `--apply` does not do it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// What the evidence says against it, when it was asked for all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
}

/// A value on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The node.
    pub addr: NodeAddr,
    /// Its id.
    pub id: Option<NodeId>,
    /// Its part.
    pub role: Role,
    /// The present value, as the server writes it; `None` where it is not known.
    pub present: Option<String>,
    /// The proposed value, as the server would write it.
    pub proposed: String,
}

/// A recommendation that did not have its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overruled {
    /// What was wanted, with the nodes on which it was overruled.
    pub recommendation: Recommendation,
    /// The rule that has its way.
    pub by: String,
}

/// What is to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A setting of the server.
    Setting,
    /// A setting of the machine or the container.
    Host,
    /// A command to be run once.
    Action,
    /// Something in the application or its clients.
    Application,
}

/// How likely it is that something goes wrong, and how bad that would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Risk {
    /// Nothing that anybody notices.
    Low,
    /// Latency, memory or work for a while.
    Medium,
    /// Data or service, if the reason is wrong.
    High,
}

/// How a change takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// At once, by CONFIG SET.
    Online,
    /// At the next start: the server reads it from its file only.
    Restart,
    /// When somebody does it: on the machine, in the application.
    ByHand,
}
