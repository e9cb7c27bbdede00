//! The snapshots of a repository, the newest first, and what was left unfinished in it.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;

use super::line::{Line, lines};
use crate::archive::{
    ArchiveError, Consistency, Leftover, Manifest, Protection, Repository, RunState, SnapshotId,
};

/// Manifests that are read at once.
const AT_ONCE: usize = 8;

/// What is in a repository.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listing {
    /// Where it is.
    pub repository: String,
    /// What its passphrase protects.
    pub protection: Protection,
    /// The snapshots, the newest first.
    pub snapshots: Vec<Snapshot>,
    /// The time lines, the newest first.
    pub lines: Vec<Line>,
    /// Those whose manifest is not what was written.
    pub unreadable: Vec<Unreadable>,
    /// What backups without an end left behind.
    pub unfinished: Vec<Unfinished>,
}

/// A snapshot in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Its name.
    pub id: SnapshotId,
    /// Of which cluster.
    pub cluster: String,
    /// The moment that it is of, ms since the epoch.
    pub taken_at_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// How many shards.
    pub shards: usize,
    /// Keys of the bases.
    pub keys: u64,
    /// Bytes before packing.
    pub bytes_raw: u64,
    /// Bytes as stored.
    pub bytes_stored: u64,
    /// What holds between the shards.
    pub cut: Consistency,
    /// Whether that makes it a snapshot of one moment.
    pub consistent: bool,
    /// How long writes stood still at most; `None` when nobody measured.
    pub write_stall_ms: Option<f64>,
}

/// A snapshot whose manifest is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unreadable {
    /// Which.
    pub id: SnapshotId,
    /// Why not.
    pub why: String,
}

/// What a backup without an end left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// What it would have become.
    pub id: SnapshotId,
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the latest was written, ms since the epoch.
    pub latest_ms: u64,
    /// Whether it may still be going on.
    pub may_go_on: bool,
}

impl Snapshot {
    /// What the manifest says in short.
    pub fn of(manifest: &Manifest) -> Snapshot {
        let objects = manifest.objects();
        Snapshot {
            id: manifest.id.clone(),
            cluster: manifest.cluster.clone(),
            taken_at_ms: manifest.taken_at_ms,
            duration_ms: manifest.took_ms,
            shards: manifest.shards.len(),
            keys: manifest.keys(),
            bytes_raw: objects.fold(0, |sum, (_, chunk)| sum.saturating_add(chunk.raw_bytes)),
            bytes_stored: manifest.stored_bytes(),
            cut: manifest.consistency,
            consistent: manifest.consistency == Consistency::Barrier,
            write_stall_ms: manifest.write_stall_us.map(|us| us as f64 / 1e3),
        }
    }
}

impl From<&Leftover> for Unfinished {
    fn from(left: &Leftover) -> Unfinished {
        Unfinished {
            id: left.id.clone(),
            objects: left.objects,
            bytes: left.bytes,
            latest_ms: left.latest_ms,
            may_go_on: left.state == RunState::MayLive,
        }
    }
}

/// Lists them, of one cluster or of all.
///
/// # Errors
/// When the repository cannot be read; a manifest that is not believed is a row of the listing.
pub async fn list(
    repository: &Repository,
    cluster: Option<&str>,
    now_ms: u64,
    grace: Duration,
) -> Result<Listing, ArchiveError> {
    let (manifests, unreadable) = manifests(repository).await?;
    let lines = lines(repository, cluster, &manifests).await?;
    let snapshots = manifests
        .iter()
        .filter(|manifest| cluster.is_none_or(|cluster| manifest.cluster == cluster))
        .map(Snapshot::of)
        .collect();
    let leftovers = repository.leftovers(now_ms, grace).await?;
    Ok(Listing {
        repository: repository.place().to_owned(),
        protection: repository.protection(),
        snapshots,
        lines,
        unreadable,
        unfinished: leftovers.iter().map(Unfinished::from).collect(),
    })
}

/// All manifests, the newest first, and those that are not believed.
pub(super) async fn manifests(
    repository: &Repository,
) -> Result<(Vec<Manifest>, Vec<Unreadable>), ArchiveError> {
    let mut ids = repository.snapshots().await?;
    ids.reverse();
    let mut read = stream::iter(ids)
        .map(|id| async move {
            let manifest = repository.manifest_of(&id).await;
            (id, manifest)
        })
        .buffered(AT_ONCE);
    let (mut manifests, mut unreadable) = (Vec::new(), Vec::new());
    while let Some((id, manifest)) = read.next().await {
        match manifest {
            Ok(manifest) => manifests.push(manifest),
            // Deleted since it was listed.
            Err(ArchiveError::NoSuchSnapshot { .. }) => {}
            Err(ArchiveError::Manifest(error)) => {
                let why = error.to_string();
                unreadable.push(Unreadable { id, why });
            }
            Err(error) => return Err(error),
        }
    }
    manifests.sort_by(|a, b| (b.taken_at_ms, &b.id).cmp(&(a.taken_at_ms, &a.id)));
    Ok((manifests, unreadable))
}
