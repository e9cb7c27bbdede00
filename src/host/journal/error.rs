//! Why the journal could not be used, and what to do about it.

use std::io;
use std::path::PathBuf;

use super::SCHEMA;

/// Why the journal could not be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system did not let it be read or written.
    #[error("could not {what} {}: {source}", path.display())]
    File {
        /// `read`, `write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// It cannot be understood.
    #[error("{} is no journal of a drill: {why}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A newer or older program wrote it.
    #[error("{} has schema {found}, and this goodcache reads {SCHEMA}", path.display())]
    Schema {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: u64,
    },
    /// It is another cluster's.
    #[error("{} is the journal of cluster '{found}'", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Whose it says that it is.
        found: String,
    },
    /// Somebody else drills the cluster.
    #[error("{by} is drilling this cluster already (it holds {})", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// `process 4711, since 2026-01-31T12:00:00Z,`.
        by: String,
    },
}

impl JournalError {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            JournalError::File { path, .. } => {
                let folder = path.parent().unwrap_or(path);
                format!("check the owner and the space of {}", folder.display())
            }
            JournalError::Damaged { path, .. } | JournalError::Foreign { path, .. } => format!(
                "see in it what may still be broken and mend that by hand, then move {} away",
                path.display()
            ),
            JournalError::Schema { .. } => {
                "heal with the goodcache that drilled: goodcache failover-test --heal".to_owned()
            }
            JournalError::Locked { .. } => "wait for it to end, or interrupt it there".to_owned(),
        }
    }
}
