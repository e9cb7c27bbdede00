//! How long a node was seen to stand still. The rules on time-outs ask here: a time-out that is
//! shorter than what the server does by itself takes a busy server for a dead one.

use std::time::Duration;

use crate::model::words::duration;
use crate::ops::tune::case::NodeCase;

/// The longest that a node stood still.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stall {
    /// How long, in ms.
    pub ms: u64,
    /// What did it.
    pub by: String,
}

impl Stall {
    /// Of the latency monitor's events, the slow log and the last fork; `None` when none of them
    /// tells of a whole millisecond.
    pub fn worst(node: &NodeCase) -> Option<Stall> {
        let facts = node.facts;
        let events = facts.stalls.iter().map(|stall| Stall {
            ms: stall.max_ms,
            by: format!("LATENCY LATEST: {}", stall.event),
        });
        // DEBUG SLEEP is somebody trying just this.
        let real = (facts.slow.iter()).filter(|entry| !entry.command.starts_with("DEBUG"));
        let slow = real.map(|entry| Stall {
            ms: entry.took_us / 1_000,
            by: format!("SLOWLOG: {}", entry.command),
        });
        let fork = node.number("latest_fork_usec").map(|us| Stall {
            ms: us / 1_000,
            by: "latest_fork_usec".to_owned(),
        });
        let all = events.chain(slow).chain(fork);
        all.filter(|stall| stall.ms > 0).max()
    }

    /// As a line of evidence about that node.
    pub fn line(&self, node: &NodeCase) -> String {
        let long = duration(Duration::from_millis(self.ms));
        format!("{}: stood still for {long} ({})", node.addr, self.by)
    }
}

/// Whether the server keeps a record of its stalls.
pub fn is_watched(node: &NodeCase) -> bool {
    (node.setting_number("latency-monitor-threshold")).is_some_and(|threshold| threshold > 0)
}
