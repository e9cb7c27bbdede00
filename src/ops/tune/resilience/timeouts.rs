//! How long a client waits for one try. A frozen node, or an address behind which packets vanish,
//! answers nothing at all: every try costs the whole timeout, so it must be short against the node
//! timeout; and long against what operations take when all is well.

use serde::Serialize;

use super::evidence::Evidence;
use crate::model::words::seconds;

/// No timeout is shorter: a page fault or a lost packet (200 ms to send it again) is no failure.
const LEAST_MS: f64 = 250.0;
/// None is longer: an operation of a cache takes less.
const MOST_MS: f64 = 1_000.0;
/// So many times the slowest operations when all is well.
const ABOVE_P99: f64 = 4.0;
/// An idle client's slot map is never older, and never fetched more often, than that.
const REFRESH_MS: (u64, u64) = (5_000, 30_000);

/// How long a client waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// For a connection.
    pub connect_ms: u64,
    /// For a reply.
    pub command_ms: u64,
    /// Between two fetches of the slot map.
    pub refresh_ms: u64,
    /// What the first rests on.
    pub because_connect: String,
    /// What the second rests on.
    pub because_command: String,
}

/// Timeouts for this cluster.
pub fn timeouts(evidence: &Evidence) -> Timeouts {
    let node_timeout = evidence.servers.node_timeout_ms as f64;
    let connect = (node_timeout / 4.0).clamp(LEAST_MS, MOST_MS);
    let p99 = evidence
        .drill
        .as_ref()
        .and_then(|drill| drill.calm_p99_ms());
    let command = p99.map_or(connect, |p99| connect.max(p99 * ABOVE_P99));
    let against = format!(
        "well below cluster-node-timeout {}",
        seconds(node_timeout / 1000.0)
    );
    Timeouts {
        connect_ms: connect.round() as u64,
        command_ms: command.round() as u64,
        refresh_ms: evidence
            .servers
            .node_timeout_ms
            .clamp(REFRESH_MS.0, REFRESH_MS.1),
        because_connect: format!("a frozen node takes the whole of it: {against}"),
        because_command: match p99 {
            Some(p99) => format!(
                "at least four times what 99 % of operations took in the drill ({}), else {against}",
                seconds(p99 / 1000.0)
            ),
            None => format!("what operations take was not measured: {against}"),
        },
    }
}

impl Timeouts {
    /// The first in seconds, as clients write it: `0.5`.
    pub fn connect_s(&self) -> String {
        (self.connect_ms as f64 / 1000.0).to_string()
    }

    /// The second in seconds.
    pub fn command_s(&self) -> String {
        (self.command_ms as f64 / 1000.0).to_string()
    }
}
