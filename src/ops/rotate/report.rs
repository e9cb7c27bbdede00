//! What is told of a rotation.

use serde::Serialize;

use super::journal::Journal;
use super::standing::Standing;
use crate::cluster::Kept;
use crate::model::{NodeAddr, NodeId};

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing was done: this is the plan.
    Planned,
    /// Both passwords are good, everywhere; the clients are to take the new one.
    ClientsTurn,
    /// The old password is refused everywhere.
    Done,
    /// All is as it was.
    Undone,
    /// It stopped before a step was whole.
    Stopped,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The cluster.
    pub cluster: String,
    /// Whose password.
    pub user: String,
    /// Where it stands.
    pub state: State,
    /// Why it stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// How many passwords the user had before; these go.
    pub old_passwords: usize,
    /// Whether replicas log in at their masters as this user.
    pub is_for_replication: bool,
    /// The file that holds the new password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_password_file: Option<String>,
    /// Whether goodcache logs in with the new one from now on.
    pub is_followed: bool,
    /// The nodes: replicas first.
    pub nodes: Vec<NodeRow>,
    /// Connections that were made with the old password; only at the clients' turn.
    pub lingering: Vec<Lingering>,
    /// What is still to be known, a line each.
    pub notes: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRow {
    /// Its id.
    pub id: NodeId,
    /// Where it is reached.
    pub addr: NodeAddr,
    /// Whether it replicates another.
    pub is_replica: bool,
    /// Whether it takes the new password.
    pub takes_new: bool,
    /// Whether it takes one of the old.
    pub takes_old: bool,
    /// How its link came back with the new password; `None` where it has none, or was not asked to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnected: Option<String>,
    /// Where the change is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// Connections of one node that are older than the new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lingering {
    /// The node.
    pub addr: NodeAddr,
    /// Connections of the user that were made before.
    pub older: usize,
    /// All connections of the user.
    pub connections: usize,
    /// What the older ones call themselves, or where they come from; each once.
    pub names: Vec<String>,
}

impl Report {
    /// What the journal and the nodes tell.
    pub fn of(journal: &Journal, nodes: &[Standing], state: State) -> Report {
        Report {
            cluster: journal.cluster.clone(),
            user: journal.user.clone(),
            state,
            stopped: None,
            old_passwords: journal.old.len(),
            is_for_replication: journal.is_for_replication,
            new_password_file: journal
                .new_file
                .as_ref()
                .map(|file| file.display().to_string()),
            is_followed: journal.is_followed,
            nodes: nodes.iter().map(|node| row(journal, node)).collect(),
            lingering: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// How many connections were made before the new password was everywhere.
    pub fn older(&self) -> usize {
        self.lingering.iter().map(|node| node.older).sum()
    }

    /// The nodes whose change a restart takes back, and why.
    pub fn forgetful(&self) -> impl Iterator<Item = (&NodeAddr, &str)> {
        self.nodes.iter().filter_map(|node| match &node.kept {
            Some(Kept::Not(why)) => Some((&node.addr, why.as_str())),
            _ => None,
        })
    }
}

fn row(journal: &Journal, node: &Standing) -> NodeRow {
    let noted = journal.noted(node);
    let kept = noted.and_then(|noted| {
        let all = [&noted.removed, &noted.authorised, &noted.added];
        let is_lost = |kept: &&Option<Kept>| matches!(kept, Some(Kept::Not(_)));
        all.iter()
            .copied()
            .find(is_lost)
            .or(all.into_iter().find(|kept| kept.is_some()))
    });
    NodeRow {
        id: node.id.clone(),
        addr: node.addr.clone(),
        is_replica: node.is_replica(),
        takes_new: node.has(&journal.new),
        takes_old: journal.old.iter().any(|hash| node.has(hash)),
        reconnected: noted.and_then(|noted| noted.reconnected.clone()),
        kept: kept.cloned().flatten(),
    }
}
