//! What can go wrong with a capture, and whether trying again can help.

use super::sources::NoSource;
use crate::archive::ArchiveError;
use crate::archive::lease::Holder;
use crate::cluster::{NoBarrier, NodeError};
use crate::model::words::timestamp;
use crate::model::{NodeAddr, is_refusal};
use crate::rdb::RdbError;

/// Why there is no snapshot. Nothing is left behind but objects that the next run sweeps.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A shard cannot be read at all.
    #[error(transparent)]
    NoSource(#[from] NoSource),
    /// Not one node answers, or it is no server that can be backed up.
    #[error("{0}")]
    NoLook(String),
    /// A source failed on the way.
    #[error("shard {shard}: {error}")]
    Source {
        /// Which, from 1.
        shard: usize,
        /// How.
        error: NodeError,
    },
    /// A source may not be read by replication.
    #[error("shard {shard}: {error}")]
    NoReplication {
        /// Which, from 1.
        shard: usize,
        /// What the server said.
        error: NodeError,
    },
    /// A source is known not to let itself be read by replication: nothing was begun.
    #[error("shard {shard}: {addr} does not let itself be replicated: {why}")]
    Withheld {
        /// Which, from 1.
        shard: usize,
        /// Which node.
        addr: NodeAddr,
        /// How that is known.
        why: String,
    },
    /// A master is known not to let writes be paused: nothing was begun.
    #[error("no common cut: {addr} does not let writes be paused: {why}")]
    NoPause {
        /// Which node.
        addr: NodeAddr,
        /// How that is known.
        why: String,
    },
    /// The log does not go on where the base ends.
    #[error("shard {shard}: the log of {addr} does not go on where the base ends")]
    Gap {
        /// Which, from 1.
        shard: usize,
        /// Of which node.
        addr: NodeAddr,
    },
    /// A log did not reach the cut in time.
    #[error("shard {shard}: {addr} did not send its log up to the cut within {seconds} s")]
    LogLate {
        /// Which, from 1.
        shard: usize,
        /// From which node.
        addr: NodeAddr,
        /// How long was waited.
        seconds: u64,
    },
    /// What was sent is damaged, or of a format that is not known.
    #[error("shard {shard}: what {addr} sent cannot be read: {error}")]
    Sent {
        /// Which, from 1.
        shard: usize,
        /// Which node.
        addr: NodeAddr,
        /// What is wrong.
        error: RdbError,
    },
    /// The topology was another at the cut than at the beginning.
    #[error("the cluster changed during the capture: {0}")]
    Changed(String),
    /// Writes could not be paused for the cut.
    #[error("no common cut: {0}")]
    NoCut(#[from] NoBarrier),
    /// Another follows the cluster into this repository instead, since this one was silent for too long.
    #[error("{}", ousted(.0.as_ref()))]
    Ousted(Option<Holder>),
    /// The repository failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

fn ousted(by: Option<&Holder>) -> String {
    let silent = "the repository was not heard from here for too long";
    match by {
        Some(holder) => format!(
            "{silent}: process {} on {} follows the cluster since {}",
            holder.pid,
            holder.host,
            timestamp(holder.since_ms)
        ),
        None => format!("{silent}: another followed the cluster meanwhile"),
    }
}

impl Trouble {
    /// Why that shard, from 1, does not begin to send its data.
    pub(super) fn of_asking(shard: usize, error: NodeError) -> Trouble {
        match error {
            NodeError::Forbidden { .. } => Trouble::NoReplication { shard, error },
            // A service that took PSYNC away, or gave it another name.
            NodeError::Server { ref said, .. } if is_refusal(said) => {
                Trouble::NoReplication { shard, error }
            }
            error => Trouble::Source { shard, error },
        }
    }

    /// Whether a master refused to pause writes, of which nothing was known before.
    pub(super) fn is_no_pause(&self) -> bool {
        match self {
            Trouble::NoCut(NoBarrier::Node(NodeError::Forbidden { .. })) => true,
            Trouble::NoCut(NoBarrier::Node(NodeError::Server { said, .. })) => is_refusal(said),
            _ => false,
        }
    }

    /// Whether the whole may be tried again at once.
    pub fn may_pass(&self) -> bool {
        match self {
            Trouble::Source { error, .. } => !matches!(
                error,
                NodeError::PasswordWanted { .. }
                    | NodeError::PasswordWrong { .. }
                    | NodeError::Forbidden { .. }
            ),
            Trouble::NoCut(NoBarrier::Node(NodeError::Forbidden { .. })) => false,
            Trouble::Gap { .. }
            | Trouble::LogLate { .. }
            | Trouble::Changed(_)
            | Trouble::NoCut(_) => true,
            Trouble::NoSource(_)
            | Trouble::NoLook(_)
            | Trouble::NoReplication { .. }
            | Trouble::Withheld { .. }
            | Trouble::NoPause { .. }
            | Trouble::Sent { .. }
            | Trouble::Ousted(_)
            | Trouble::Archive(_) => false,
        }
    }

    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            Trouble::NoSource(why) => why.hint(),
            Trouble::Archive(error) => error.hint(),
            Trouble::NoReplication { .. } | Trouble::Withheld { .. } => {
                "give the user the right to replicate (+psync +replconf), or read key by key: --via scan"
                    .to_owned()
            }
            // It was in the middle of sending: neither its address nor TLS is the matter.
            Trouble::Source {
                error: NodeError::Closed { .. } | NodeError::Refused { .. },
                ..
            } => "see why it ended or closed the link (its log says), then run it again".to_owned(),
            Trouble::Source { error, .. } => error.hint(),
            Trouble::NoPause { .. } | Trouble::NoCut(NoBarrier::Node(NodeError::Forbidden { .. })) => {
                "give the user +client|pause +client|unpause, or cut by the clock: --cut clock"
                    .to_owned()
            }
            Trouble::Sent { error, .. } => error.hint().to_owned(),
            Trouble::Ousted(_) => {
                "leave it to that one; started again, this one waits and takes over when it ends"
                    .to_owned()
            }
            Trouble::Changed(_) => "run it again when no failover or resharding goes on".to_owned(),
            Trouble::Gap { .. } | Trouble::LogLate { .. } => {
                "enlarge repl-backlog-size, or read other nodes: --from masters".to_owned()
            }
            Trouble::NoLook(_) | Trouble::NoCut(_) => "see goodcache check".to_owned(),
        }
    }
}
