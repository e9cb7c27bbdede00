//! What can go wrong with a restore, and what to do then.

use std::sync::Arc;

use super::plan::Refusal;
use super::refusal::Refused;
use crate::archive::ArchiveError;
use crate::cluster::NodeError;
use crate::model::NodeAddr;
use crate::rdb::RdbError;

/// Why a restore did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It must not begin; nothing was changed.
    #[error("{}", first(.0))]
    Refused(Vec<Refusal>),
    /// The target cannot be looked at.
    #[error("{0}")]
    NoLook(String),
    /// The repository failed, or an object is not what was written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What was proven to be what was written cannot be read all the same.
    #[error("shard {shard} of the snapshot cannot be read: {error}")]
    Unreadable {
        /// Which, from 1.
        shard: usize,
        /// What is wrong.
        error: RdbError,
    },
    /// A value cannot be taken apart.
    #[error("the value of {key} cannot be read: {error}")]
    Value {
        /// Its key, printable.
        key: String,
        /// What is wrong.
        error: RdbError,
    },
    /// A node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A master takes no more.
    #[error("{addr} takes no more: {said}")]
    NotTaken {
        /// Which.
        addr: NodeAddr,
        /// Its words.
        said: String,
    },
    /// A master does not take this value; it may take others.
    #[error("{} of {} was refused: {}", .0.command, .0.key, .0.said)]
    NotThis(Refused),
    /// A slot had no owner for too long.
    #[error("the target did not become whole within {seconds} s: {why}")]
    Lost {
        /// What came last.
        why: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The target changed while the order of commands counted.
    #[error("the target changed while the log was played: {0}")]
    Disturbed(String),
    /// What was read back cannot be read.
    #[error("what {addr} sent back cannot be read: {error}")]
    ReadBack {
        /// From which node.
        addr: NodeAddr,
        /// What is wrong.
        error: RdbError,
    },
    /// The journal cannot be written.
    #[error("the journal {path}: {why}")]
    Journal {
        /// Which file.
        path: String,
        /// The system's words.
        why: String,
    },
    /// Another restore goes into that target.
    #[error("another goodcache restores into this target at the moment ({0}); nothing was changed")]
    Taken(String),
    /// Another part failed first.
    #[error("stopped")]
    Stopped,
    /// As another that is shared.
    #[error("{0}")]
    Shared(Arc<Trouble>),
}

fn first(refusals: &[Refusal]) -> String {
    refusals
        .iter()
        .map(|refusal| refusal.what.clone())
        .collect::<Vec<_>>()
        .join("; ")
}

impl From<Arc<Trouble>> for Trouble {
    fn from(shared: Arc<Trouble>) -> Trouble {
        Arc::try_unwrap(shared).unwrap_or_else(Trouble::Shared)
    }
}

impl Trouble {
    /// The trouble itself, however often it is shared.
    pub fn inner(&self) -> &Trouble {
        match self {
            Trouble::Shared(shared) => shared.inner(),
            trouble => trouble,
        }
    }

    /// Whether the same may well go when it is begun again.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self.inner(),
            Trouble::Disturbed(_)
                | Trouble::Node(
                    NodeError::Timeout { .. }
                        | NodeError::NoConnection { .. }
                        | NodeError::Refused { .. }
                        | NodeError::Closed { .. }
                        | NodeError::Loading { .. }
                        | NodeError::Server { .. }
                )
        )
    }

    /// The next step to take.
    pub fn hint(&self) -> String {
        match self.inner() {
            Trouble::Refused(refusals) => refusals
                .iter()
                .map(|refusal| refusal.next.clone())
                .collect::<Vec<_>>()
                .join("; "),
            Trouble::Archive(error) => error.hint(),
            Trouble::Node(error) => error.hint(),
            Trouble::NotTaken { said, .. } if said.starts_with("OOM") => {
                "raise maxmemory there or add masters, then type the same command again: it goes on \
                 where it stopped"
                    .to_owned()
            }
            Trouble::NotTaken { said, .. } if said.starts_with("NOPERM") => {
                "give the user +restore ~*, then type the same command again".to_owned()
            }
            Trouble::NotTaken { .. }
            | Trouble::NotThis(_)
            | Trouble::Lost { .. }
            | Trouble::Disturbed(_) => {
                "see goodcache check; then type the same command again: it goes on where it stopped"
                    .to_owned()
            }
            Trouble::Unreadable { .. } | Trouble::Value { .. } => {
                "prove the snapshot: goodcache backup verify ID --read-data; then take another, or \
                 its copy elsewhere"
                    .to_owned()
            }
            Trouble::Journal { .. } => {
                "make that folder writable, or set XDG_STATE_HOME to another".to_owned()
            }
            Trouble::Taken(_) => "wait for it, or interrupt it there".to_owned(),
            Trouble::NoLook(_) | Trouble::ReadBack { .. } | Trouble::Stopped | Trouble::Shared(_) => {
                "see goodcache check".to_owned()
            }
        }
    }
}
