//! The steps of a plan, each one command to one node, or a wait.

use std::fmt;

use serde::Serialize;

use super::candidate::Meeting;
use crate::model::{NodeAddr, NodeId, SlotSet};

/// One step. Those of one kind may be taken side by side; a kind is finished before the next begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Give slots to a master (ADDSLOTSRANGE; ADDSLOTS before 7.0). All or nothing on the server.
    AddSlots {
        /// The master.
        node: NodeAddr,
        /// What it still lacks.
        slots: Box<SlotSet>,
    },
    /// Give a master an epoch of its own. Servers take it only while they know nobody and their
    /// epoch is 0, so this comes before any meeting.
    SetEpoch {
        /// The master.
        node: NodeAddr,
        /// Its epoch, 1 for the first shard.
        epoch: u64,
    },
    /// Introduce a node to another.
    Meet {
        /// Who is told.
        node: NodeAddr,
        /// Whom it is to meet.
        peer: NodeAddr,
        /// Where.
        at: Meeting,
    },
    /// Wait until every node knows so many, itself included, with none in handshake.
    AwaitJoin {
        /// How many.
        nodes: usize,
    },
    /// Make a node follow a master that it knows.
    Replicate {
        /// The replica.
        node: NodeAddr,
        /// Its master.
        master: NodeAddr,
        /// The master's id, which is what the command takes.
        master_id: NodeId,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::AddSlots { node, slots } => {
                write!(f, "{node}: CLUSTER ADDSLOTSRANGE")?;
                for (first, last) in slots.ranges() {
                    write!(f, " {first} {last}")?;
                }
                Ok(())
            }
            Step::SetEpoch { node, epoch } => {
                write!(f, "{node}: CLUSTER SET-CONFIG-EPOCH {epoch}")
            }
            Step::Meet { node, at, .. } => {
                write!(
                    f,
                    "{node}: CLUSTER MEET {} {} {}",
                    at.ip, at.port, at.bus_port
                )
            }
            Step::AwaitJoin { nodes } => write!(f, "wait until every node knows all {nodes}"),
            Step::Replicate {
                node, master_id, ..
            } => write!(f, "{node}: CLUSTER REPLICATE {master_id}"),
        }
    }
}

impl Step {
    /// The node that is told; none for a wait.
    pub fn node(&self) -> Option<&NodeAddr> {
        match self {
            Step::AddSlots { node, .. }
            | Step::SetEpoch { node, .. }
            | Step::Meet { node, .. }
            | Step::Replicate { node, .. } => Some(node),
            Step::AwaitJoin { .. } => None,
        }
    }
}
