//! All that is known of one snapshot.

use serde::Serialize;

use super::line::{ShownLine, shown};
use super::list::Snapshot;
use crate::archive::{ArchiveError, Manifest, Protection, Repository};

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Where it is.
    pub repository: String,
    /// What the repository's passphrase protects.
    pub protection: Protection,
    /// In short.
    pub snapshot: Snapshot,
    /// Its shards.
    pub shards: Vec<ShownShard>,
    /// What was archived after it; `None` where nothing was.
    pub line: Option<ShownLine>,
    /// All that its manifest says.
    pub manifest: Manifest,
}

/// A shard in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownShard {
    /// Its number, from 1.
    pub number: usize,
    /// Objects of its base.
    pub base_objects: usize,
    /// Their bytes before packing.
    pub base_bytes_raw: u64,
    /// Commands after the base.
    pub log_commands: u64,
    /// Their bytes before packing.
    pub log_bytes_raw: u64,
    /// Bytes as stored, of all its objects.
    pub bytes_stored: u64,
}

/// Puts it together.
///
/// # Errors
/// When the repository cannot be read.
pub async fn show(repository: &Repository, manifest: Manifest) -> Result<Shown, ArchiveError> {
    let line = shown(repository, &manifest).await?;
    let shards = (1..)
        .zip(&manifest.shards)
        .map(|(number, shard)| {
            let raw = |chunks: &[crate::archive::Chunk]| chunks.iter().map(|c| c.raw_bytes).sum();
            let all = shard.base.iter().chain(&shard.log).chain(&shard.slot_table);
            ShownShard {
                number,
                base_objects: shard.base.len(),
                base_bytes_raw: raw(&shard.base),
                log_commands: shard.log.iter().map(|chunk| chunk.entries).sum(),
                log_bytes_raw: raw(&shard.log),
                bytes_stored: all.map(|chunk| chunk.stored_bytes).sum(),
            }
        })
        .collect();
    Ok(Shown {
        repository: repository.place().to_owned(),
        protection: repository.protection(),
        snapshot: Snapshot::of(&manifest),
        shards,
        line,
        manifest,
    })
}
