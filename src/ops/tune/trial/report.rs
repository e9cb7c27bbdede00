//! What a trial came to.

use serde::Serialize;

use super::judge::{Figure, Overall};
use super::pick::Tried;
use super::shape::Group;
use crate::model::NodeAddr;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The cluster's name, or the address that was given.
    pub cluster: String,
    /// The node that was copied.
    pub node: NodeAddr,
    /// Vendor and version of the copies.
    pub server: String,
    /// Vendor and version of the node.
    pub node_server: String,
    /// The changes, all together on one of the copies.
    pub tried: Vec<Tried>,
    /// What of the rules that were named was not tried.
    pub left: Vec<Left>,
    /// How the copies came about.
    pub told: Told,
    /// The commands that were sent, in percent, the commonest first.
    pub commands: Vec<Share>,
    /// Connections that sent and waited, each for itself.
    pub connections: usize,
    /// Turns on each copy.
    pub turns_each: usize,
    /// How long one turn was.
    pub turn_ms: u64,
    /// What was measured.
    pub figures: Vec<Figure>,
    /// Commands that were refused, without the change and with it.
    pub refused_without: Count,
    /// With it.
    pub refused_with: Count,
    /// What all that allows to say.
    pub verdict: Overall,
}

/// How the copies came about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// The load, in a sentence.
    pub load: String,
    /// Keys on each copy.
    pub keys: u64,
    /// Keys on the node.
    pub keys_there: u64,
    /// Their families.
    pub families: Vec<Group>,
    /// Settings of the node that were set on both copies, for they differ from the server's own.
    pub settings: Vec<String>,
    /// Those that the copies would not take, and why.
    pub not_taken: Vec<Left>,
    /// `maxmemory` of both copies without the change, in bytes: as full as the node is. 0 is none.
    pub limit_bytes: u64,
    /// What could not be taken from what was seen.
    pub notes: Vec<String>,
}

/// Something that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// A rule, or a setting.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A command's share.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Share {
    /// Its name.
    pub command: String,
    /// How often, in percent of all.
    pub percent: f64,
}

/// Refusals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// How many.
    pub count: u64,
    /// The server's words for one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}
