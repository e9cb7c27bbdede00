//! Why a node could not be struck or put back, said so that the reader can mend it.

use super::hint_of;
use crate::host::docker::DockerError;
use crate::model::{Fault, NodeAddr, NodeId};

/// Why a machine did not do what a drill asked of it.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Nothing that goodcache can reach proved to be the node.
    #[error("could not find what node {addr} ({}) runs on: {}", .id.short(), tried_in_words(.tried))]
    NotFound {
        /// The node.
        id: NodeId,
        /// Where it is reached.
        addr: NodeAddr,
        /// What was looked at, and why it is not the node.
        tried: Vec<String>,
    },
    /// The engine that may hold it does not answer, and nothing else proved to be the node.
    #[error("could not find what node {addr} runs on: {why}")]
    NoEngine {
        /// Where the node is reached.
        addr: NodeAddr,
        /// What is the matter with the engine.
        why: String,
        /// What to do about that.
        hint: String,
    },
    /// The engine that holds it does not answer.
    #[error("could not reach {place}: {why}")]
    Unreached {
        /// The container.
        place: String,
        /// What is the matter with the engine.
        why: String,
        /// What to do about that.
        hint: String,
    },
    /// More than one thing proved to be the node.
    #[error(
        "could not tell what node {addr} ({}) runs on: {} all hold its id", .id.short(), .candidates.join(" and ")
    )]
    Ambiguous {
        /// The node.
        id: NodeId,
        /// Where it is reached.
        addr: NodeAddr,
        /// Each of them.
        candidates: Vec<String>,
    },
    /// A container that holds several nodes.
    #[error("{place} holds {nodes} nodes, so none of them can be struck alone")]
    Shared {
        /// The container.
        place: String,
        /// How many it holds at least.
        nodes: usize,
    },
    /// The node is down before the drill did anything.
    #[error("{place} is already down, and not by this drill: {state}")]
    AlreadyDown {
        /// What the node runs on.
        place: String,
        /// In what state it is.
        state: String,
        /// How it is put right by hand.
        by_hand: String,
    },
    /// This host has no way to do that.
    #[error("{fault} cannot be done to {place}: {why}")]
    CannotDo {
        /// What the node runs on.
        place: String,
        /// What was asked.
        fault: Fault,
        /// Why not.
        why: String,
        /// What can be done to it.
        can: Vec<Fault>,
    },
    /// It is not there any more, so nothing can be put back.
    #[error("{place} is gone: somebody removed it since the drill struck it")]
    Gone {
        /// What the node ran on.
        place: String,
    },
    /// What was asked for did not come to be in time.
    #[error("{place} {what} after {seconds} s")]
    Stuck {
        /// What the node runs on.
        place: String,
        /// What it did not do: `did not end`.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The server could not be started again.
    #[error("could not start the server of {place} again: {why}")]
    NotStarted {
        /// What the node ran on.
        place: String,
        /// What happened instead.
        why: String,
        /// How it is started by hand.
        by_hand: String,
    },
    /// The system did not let a signal through, or had no answer.
    #[error("could not {what}: {why}")]
    System {
        /// What was asked of it.
        what: String,
        /// Its words.
        why: String,
    },
    /// A command that the settings do not name.
    #[error("no command is configured that would {key} node {addr}")]
    NoHook {
        /// The node.
        addr: NodeAddr,
        /// The cluster.
        cluster: String,
        /// The key of the missing command: `stop`.
        key: &'static str,
    },
    /// No command at all.
    #[error("no hook is configured")]
    NoHooks,
    /// A command that failed, or took too long.
    #[error("the {key} hook for node {addr} {how}{}", output_in_words(.output))]
    Hook {
        /// The node.
        addr: NodeAddr,
        /// Which command.
        key: String,
        /// `ended with status 3`.
        how: String,
        /// The last lines that it wrote.
        output: Vec<String>,
    },
    /// The engine did not do it.
    #[error(transparent)]
    Docker(#[from] DockerError),
}

impl HostError {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            HostError::NotFound { .. } => "run it on the machine where the node runs, or name commands that \
                 reach it: clusters.NAME.hooks.stop, start and so on in goodcache.yaml"
                .to_owned(),
            HostError::Ambiguous { .. } => "stop what is a copy of the node, or remove it; two with one id must never \
                 run anyway"
                .to_owned(),
            HostError::Shared { .. } => "name commands that strike one node: clusters.NAME.hooks in goodcache.yaml".to_owned(),
            HostError::AlreadyDown { by_hand, .. } => format!(
                "{by_hand}; or, if an earlier drill did it: goodcache failover-test --heal"
            ),
            HostError::NoEngine { hint, .. } | HostError::Unreached { hint, .. } => hint.clone(),
            HostError::CannotDo { can, .. } => can_hint(can),
            HostError::Gone { .. } => "make the node again as it was first made, with the data that is left, and see \
                 with goodcache check whether the cluster knows it"
                .to_owned(),
            HostError::Stuck { .. } => {
                "look at the node; it may wait for a disk, or save its data".to_owned()
            }
            HostError::NotStarted { by_hand, .. } => format!("see why by hand: {by_hand}"),
            HostError::System { .. } => "run it as the user that the server runs as, or as root".to_owned(),
            HostError::NoHook { cluster, key, .. } => {
                format!("add the command to goodcache.yaml: clusters.{cluster}.hooks.{key}")
            }
            HostError::NoHooks => "add commands to goodcache.yaml: clusters.NAME.hooks.stop, start and so on".to_owned(),
            HostError::Hook { .. } => {
                "run the command by hand; it sees GOODCACHE_NODE_ADDR, GOODCACHE_NODE_ID and the like"
                    .to_owned()
            }
            HostError::Docker(error) => hint_of(error),
        }
    }
}

fn can_hint(can: &[Fault]) -> String {
    let hooks = "name a command for it: clusters.NAME.hooks in goodcache.yaml";
    if can.is_empty() {
        return hooks.to_owned();
    }
    let names: Vec<&str> = can.iter().map(|fault| fault.name()).collect();
    format!("here it can take {}; or {hooks}", names.join(", "))
}

fn tried_in_words(tried: &[String]) -> String {
    if tried.is_empty() {
        return "nothing was there to look at".to_owned();
    }
    tried.join("; ")
}

fn output_in_words(output: &[String]) -> String {
    if output.is_empty() {
        return " and wrote nothing".to_owned();
    }
    format!("; the end of its output:\n  {}", output.join("\n  "))
}
