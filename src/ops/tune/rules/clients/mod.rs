//! Rules about clients and the network: how long connections are kept, how many are let in and how
//! fast, when a slow reader is cut off, and what is published that nobody reads.
//!
//! Most of these settings must be the same on every node (check's `settings.drift` says so), so what
//! one node shows is answered on all.

mod accept;
mod buffers;
mod events;
mod idle;
mod limit;

pub(super) use limit::{RESERVED_FILES, taken_percent};

use std::time::Duration;

use crate::model::words::duration;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::Change;
use crate::ops::tune::rule::{Rule, changes};

/// The rules.
pub const RULES: &[Rule] = &[
    idle::TIMEOUT,
    idle::KEEPALIVE,
    limit::MAXCLIENTS,
    accept::BACKLOG,
    accept::PER_CYCLE,
    accept::POOLING,
    buffers::NORMAL,
    buffers::PUBSUB,
    events::UNUSED,
];

/// One value on every node that does not have it yet.
pub(super) fn everywhere(case: &Case, parameter: &str, value: &str) -> Vec<Change> {
    let wanted = case.nodes.iter().map(|node| (node, value.to_owned()));
    changes(parameter, wanted)
}

/// Connections that were opened in a second; `None` without two samples.
pub(super) fn connects_per_second(node: &NodeCase) -> Option<f64> {
    node.per_second("total_connections_received")
}

/// Whether the node has been up for that long; what to say where it has not.
pub(super) fn up_for(node: &NodeCase, least: Duration) -> Result<Duration, String> {
    match node.uptime() {
        Some(uptime) if uptime >= least => Ok(uptime),
        Some(uptime) => Err(format!(
            "up for {} only; ask again after {}",
            duration(uptime),
            duration(least)
        )),
        None => Err("INFO does not tell its uptime".to_owned()),
    }
}
