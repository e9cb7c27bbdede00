//! A snapshot as plain files: for each shard the RDB as the server sent it and, where there is a log, the
//! commands after it. A file has its name only when it is whole, and takes no other's.

use std::io::Write;
use std::path::{Path, PathBuf};

use futures_util::{TryStreamExt, pin_mut};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::archive::{ArchiveError, Manifest, Repository, SnapshotId, Stretch};
use crate::model::{Event, Events};

const AHEAD: usize = 2;

/// The files that were written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Of which snapshot.
    pub id: SnapshotId,
    /// The files.
    pub files: Vec<Exported>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Of which shard, from 1.
    pub shard: usize,
    /// Where it is.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
    /// Keys of a base, commands of a log.
    pub entries: u64,
    /// Whether it is a log.
    pub is_log: bool,
}

/// Why no files were written, or not all.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The repository.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is no such shard.
    #[error("the snapshot has {} and no shard {asked}", crate::model::words::counted(*.shards, "shard"))]
    NoShard {
        /// What was asked for.
        asked: usize,
        /// How many there are.
        shards: usize,
    },
    /// A file of that name is there.
    #[error("{} is there already", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// A file could not be written.
    #[error("could not write {}: {why}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
}

/// Writes them; of one shard (from 1) or of all.
///
/// # Errors
/// As [`ExportError`]; whole files that were written before stay.
pub async fn export(
    repository: &Repository,
    manifest: &Manifest,
    folder: &Path,
    shard: Option<usize>,
    events: &Events,
) -> Result<ExportReport, ExportError> {
    let shards = manifest.shards.len();
    if let Some(asked) = shard.filter(|shard| *shard > shards) {
        return Err(ExportError::NoShard { asked, shards });
    }
    let planned: Vec<(usize, Stretch, PathBuf)> = (1..=shards)
        .filter(|number| shard.is_none_or(|shard| shard == *number))
        .flat_map(|number| files(manifest, folder, number))
        .collect();
    for (_, _, path) in &planned {
        if path.exists() {
            return Err(ExportError::Exists { path: path.clone() });
        }
    }
    std::fs::create_dir_all(folder).map_err(|why| ExportError::Write {
        path: folder.to_path_buf(),
        why,
    })?;
    let mut report = ExportReport {
        id: manifest.id.clone(),
        files: Vec::new(),
    };
    events.begin("writing files");
    let of = planned.len() as u64;
    for (number, stretch, path) in planned {
        let file = write(repository, manifest, number, stretch, path).await?;
        report.files.push(file);
        events.tell(Event::Progress(report.files.len() as u64, of));
    }
    Ok(report)
}

fn files(
    manifest: &Manifest,
    folder: &Path,
    number: usize,
) -> impl Iterator<Item = (usize, Stretch, PathBuf)> {
    let has_log = !manifest.shards[number - 1].log.is_empty();
    let name = |ending: &str| folder.join(format!("shard-{number}.{ending}"));
    let base = (number, Stretch::Base, name("rdb"));
    let log = has_log.then(|| (number, Stretch::Log, name("aof")));
    std::iter::once(base).chain(log)
}

async fn write(
    repository: &Repository,
    manifest: &Manifest,
    number: usize,
    stretch: Stretch,
    path: PathBuf,
) -> Result<Exported, ExportError> {
    let failed = |why| ExportError::Write {
        path: path.clone(),
        why,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    let (mut bytes, mut entries) = (0, 0);
    let pieces = repository.pieces(manifest, number - 1, stretch, None, AHEAD);
    pin_mut!(pieces);
    while let Some(piece) = pieces.try_next().await? {
        file.write_all(&piece.raw).map_err(failed)?;
        bytes += piece.raw.len() as u64;
        entries += piece.chunk.entries;
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(&path).map_err(|error| {
        let path = path.clone();
        match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => ExportError::Exists { path },
            _ => ExportError::Write {
                path,
                why: error.error,
            },
        }
    })?;
    Ok(Exported {
        shard: number,
        path,
        bytes,
        entries,
        is_log: stretch == Stretch::Log,
    })
}
