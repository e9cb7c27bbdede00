//! What can go wrong with a repository as a whole.

use super::chunk::ChunkError;
use super::crypto::CryptoError;
use super::envelope::ManifestError;
use super::id::SnapshotId;
use super::store::StoreError;
use crate::model::words;

/// Why a repository did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Its place did not.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its keys did not.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// An object is not sound.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A manifest is not believed.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is none.
    #[error("{place} holds no repository")]
    NoRepository {
        /// Where.
        place: String,
    },
    /// There is something else.
    #[error("{place} is not empty and holds no repository")]
    NotEmpty {
        /// Where.
        place: String,
    },
    /// Its config cannot be understood.
    #[error("the repository in {place} cannot be understood: {why}")]
    BadConfig {
        /// Where.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A newer program made it.
    #[error(
        "the repository in {place} has format {found}, and this goodcache reads {}",
        super::config::FORMAT
    )]
    Newer {
        /// Where.
        place: String,
        /// What it says.
        found: u32,
    },
    /// It has a passphrase, and none was given.
    #[error("the repository in {place} needs its passphrase")]
    NeedsPassphrase {
        /// Where.
        place: String,
    },
    /// It has none, and one was given.
    #[error("the repository in {place} was made without a passphrase: nothing in it is protected")]
    NotProtected {
        /// Where.
        place: String,
    },
    /// It holds no snapshot.
    #[error("there is no snapshot in {place}")]
    NoSnapshots {
        /// Where.
        place: String,
    },
    /// It holds none of that name.
    #[error("there is no snapshot '{asked}' in {place}{}", that_is_latest(.latest.as_ref()))]
    NoSuchSnapshot {
        /// Where.
        place: String,
        /// What was asked for.
        asked: String,
        /// The latest that there is.
        latest: Option<SnapshotId>,
    },
    /// Several begin so.
    #[error("'{asked}' may be any of {} snapshots: {}", found.len(), words::listed(found.iter().map(ToString::to_string), 3))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// Those that begin so.
        found: Vec<SnapshotId>,
    },
    /// There is one of that name.
    #[error("snapshot {id} is in {place} already")]
    SnapshotExists {
        /// Where.
        place: String,
        /// Which.
        id: SnapshotId,
    },
    /// A manifest lists what was not written, or leaves out what was.
    #[error("the manifest does not list what was written: {why}")]
    NotWritten {
        /// Which object.
        why: String,
    },
    /// It was swept, or deleted, while it was written.
    #[error("snapshot {id} was taken away while it was written")]
    Swept {
        /// Which.
        id: SnapshotId,
    },
}

impl ArchiveError {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            ArchiveError::Store(error) => error.hint(),
            ArchiveError::Crypto(error) => error.hint(),
            ArchiveError::Chunk(error) => error.hint(),
            ArchiveError::Manifest(error) => error.hint(),
            ArchiveError::NoRepository { .. } => {
                "mend the path, or take a backup there first".into()
            }
            ArchiveError::NotEmpty { .. } => "choose an empty folder or prefix".into(),
            ArchiveError::BadConfig { .. } => {
                "put config.json back from a copy of the repository".into()
            }
            ArchiveError::Newer { .. } => "use the goodcache that made it, or a newer one".into(),
            ArchiveError::NeedsPassphrase { .. } => {
                "give it by file or by environment; it is never an argument".into()
            }
            ArchiveError::NotProtected { .. } => {
                "open it without one, or begin another repository with one".into()
            }
            ArchiveError::NoSnapshots { .. } => "take a backup first".into(),
            ArchiveError::NoSuchSnapshot { .. } => "see what there is, or ask for 'latest'".into(),
            ArchiveError::Ambiguous { .. } => "give more of its name".into(),
            ArchiveError::SnapshotExists { .. } => "nothing was overwritten; run again".into(),
            ArchiveError::NotWritten { .. } => "this is a fault of goodcache: report it".into(),
            ArchiveError::Swept { .. } => {
                "take it again, and sweep with a grace that is longer than a backup takes".into()
            }
        }
    }
}

fn that_is_latest(id: Option<&SnapshotId>) -> String {
    id.map_or_else(String::new, |id| format!(" (the latest is {id})"))
}
