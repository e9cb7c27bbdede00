//! How far a rotation has come, in a file of mode 0600. Hashes only: whoever finds it learns no
//! password.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::standing::Standing;
use crate::cluster::Kept;
use crate::model::{NodeAddr, NodeId};

/// The file's form.
const SCHEMA: u32 = 1;

/// What was done on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Noted {
    /// Where it was reached.
    pub addr: NodeAddr,
    /// The new password was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Kept>,
    /// It was made what the node logs in with at its master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorised: Option<Kept>,
    /// Of a replica: how it came back with the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnected: Option<String>,
    /// The old one was removed, or on the way back the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Kept>,
}

/// One rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    schema: u32,
    /// What the cluster was called.
    pub cluster: String,
    /// Whose password.
    pub user: String,
    /// When it began, ms since the epoch.
    pub begun_at_ms: u64,
    /// The hash of the new password.
    pub new: String,
    /// The hashes that the user had.
    pub old: Vec<String>,
    /// The file that holds the new password; `None` when it was typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_file: Option<PathBuf>,
    /// Whether replicas log in at their masters as this user.
    pub is_for_replication: bool,
    /// The nodes.
    pub nodes: BTreeMap<NodeId, Noted>,
    /// When every node had the new password, ms since the epoch: connections that are older were made
    /// with the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_at_ms: Option<u64>,
    /// Every node was seen to take the new password, and the old one still.
    #[serde(default)]
    pub is_verified: bool,
    /// Goodcache's own files follow.
    #[serde(default)]
    pub is_followed: bool,
    /// The password file that the saved cluster named before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followed_from: Option<PathBuf>,
    /// The old password is being removed: there is no way back from here.
    #[serde(default)]
    pub is_removing: bool,
    /// Every node was seen to refuse the old password.
    #[serde(default)]
    pub is_confirmed: bool,
    /// It is on its way back.
    #[serde(default)]
    pub is_undoing: bool,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("could not {what} the journal {}: {why}", path.display())]
    File {
        /// `read`, `write` or `remove`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// A newer program wrote it.
    #[error("could not read the journal {}: its form is {found}, and this goodcache knows {SCHEMA}", path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// Its form.
        found: u32,
    },
}

impl Journal {
    /// One that begins: nothing is done yet.
    pub fn new(cluster: &str, user: &str, now_ms: u64, new: &str, nodes: &[Standing]) -> Journal {
        let mut old: Vec<String> = nodes.iter().flat_map(|node| node.hashes.clone()).collect();
        old.sort();
        old.dedup();
        old.retain(|hash| hash != new);
        Journal {
            schema: SCHEMA,
            cluster: cluster.to_owned(),
            user: user.to_owned(),
            begun_at_ms: now_ms,
            new: new.to_owned(),
            old,
            new_file: None,
            is_for_replication: false,
            nodes: nodes
                .iter()
                .map(|node| (node.id.clone(), noted(node)))
                .collect(),
            added_at_ms: None,
            is_verified: false,
            is_followed: false,
            followed_from: None,
            is_removing: false,
            is_confirmed: false,
            is_undoing: false,
        }
    }

    /// The node's line, made when it is new to the cluster.
    pub fn note(&mut self, node: &Standing) -> &mut Noted {
        self.nodes
            .entry(node.id.clone())
            .or_insert_with(|| noted(node))
    }

    /// The node's line.
    pub fn noted(&self, node: &Standing) -> Option<&Noted> {
        self.nodes.get(&node.id)
    }

    /// Whether anything was done.
    pub fn is_begun(&self) -> bool {
        self.nodes.values().any(|node| node.added.is_some())
    }

    /// Reads it; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Journal>, JournalError> {
        let fail = |why: String| JournalError::File {
            what: "read",
            path: path.to_owned(),
            why,
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error.to_string())),
        };
        let journal: Journal =
            serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        match journal.schema {
            SCHEMA => Ok(Some(journal)),
            found => Err(JournalError::Newer {
                path: path.to_owned(),
                found,
            }),
        }
    }

    /// Writes it whole or not at all; when this returns, it is on disk.
    pub fn write(&self, path: &Path) -> Result<(), JournalError> {
        let write = || {
            // A temporary file has mode 0600, and keeps it under its new name.
            let folder = path.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        };
        write().map_err(|error| JournalError::File {
            what: "write",
            path: path.to_owned(),
            why: error.to_string(),
        })
    }

    /// Removes it: the rotation is over.
    pub fn remove(path: &Path) -> Result<(), JournalError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(JournalError::File {
                what: "remove",
                path: path.to_owned(),
                why: error.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

fn noted(node: &Standing) -> Noted {
    Noted {
        addr: node.addr.clone(),
        added: None,
        authorised: None,
        reconnected: None,
        removed: None,
    }
}
