//! Where a node was found to run, and what putting it back takes: values that go into the journal,
//! so that another process can undo what this one did.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::hooks::{HookUndo, Subject};
use super::process::{Process, ProcessUndo};
use crate::host::docker::{Container, ContainerUndo};
use crate::model::{Fault, NodeAddr, NodeId};

/// What a node runs on, as far as a drill can lay hands on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A container that proved to hold the node.
    Container(Container),
    /// A process of this machine that proved to be the node.
    Process(Process),
    /// Commands that the user wrote; nothing was proven.
    Hooks(Subject),
    /// The server itself, asked over a connection.
    Server(NodeId),
}

impl Place {
    /// The node.
    pub fn node(&self) -> &NodeId {
        match self {
            Place::Container(container) => &container.node,
            Place::Process(process) => &process.node,
            Place::Hooks(subject) => &subject.node,
            Place::Server(node) => node,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Container(container) => container.fmt(f),
            Place::Process(process) => process.fmt(f),
            Place::Hooks(_) => f.write_str("hooks"),
            Place::Server(_) => f.write_str("by DEBUG"),
        }
    }
}

/// Everything that putting a node back takes. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// Of a container.
    Container(ContainerUndo),
    /// Of a process.
    Process(ProcessUndo),
    /// By a command.
    Hook(HookUndo),
    /// By the server itself, which takes a connection: whoever drills undoes it, not the machine.
    Bus(BusUndo),
}

/// What mending a node's cluster bus takes besides a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusUndo {
    /// The node.
    pub node: NodeId,
    /// Where it is reached.
    pub addr: NodeAddr,
    /// Its process as it calls itself (`run_id`): another one was never cut off.
    pub run: String,
}

impl Undo {
    /// The node.
    pub fn node(&self) -> &NodeId {
        match self {
            Undo::Container(undo) => &undo.container.node,
            Undo::Process(undo) => &undo.process.node,
            Undo::Hook(undo) => &undo.subject.node,
            Undo::Bus(undo) => &undo.node,
        }
    }

    /// The fault that it undoes.
    pub fn fault(&self) -> Fault {
        match self {
            Undo::Container(undo) => undo.fault,
            Undo::Process(undo) => undo.fault,
            Undo::Hook(undo) => undo.fault,
            Undo::Bus(_) => Fault::IsolateBus,
        }
    }
}

/// What came of a strike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Struck {
    /// Worth keeping, such as the output of a hook.
    pub notes: Vec<String>,
}

/// What came of putting back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undone {
    /// Worth keeping, such as the output of a hook.
    pub notes: Vec<String>,
    /// What somebody else had done meanwhile, so that the drill was not the one that was planned:
    /// `container shop-redis-1 had been started again by somebody else (restart policy always)`.
    /// Only said by the process that struck; another one cannot know, and notes it.
    pub by_others: Option<String>,
}

/// What is known of a strike that is to be undone. It decides how long an ending is waited for, and
/// whether a state that was put back already is worth a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) enum History {
    /// This process struck, and was told that it is done.
    Struck,
    /// Prepared by this process and never struck, or put back by it already.
    Untouched,
    /// Another process's, or a strike that failed or was cut off half-way.
    Unknown,
}

impl Undone {
    /// With what somebody seems to have done, said as firmly as it is known.
    pub(in crate::host) fn found(history: History, what: String) -> Undone {
        let mut undone = Undone::default();
        match history {
            History::Struck => undone.by_others = Some(what),
            History::Unknown => undone.notes.push(what),
            History::Untouched => {}
        }
        undone
    }
}
