//! Proves a snapshot: that it is there whole and, when the data is read (`reading`), that every byte is
//! the one that was written and that what it all holds is what was counted and digested when it was
//! taken. What came after it on its time line is proven with it.

use super::line;
use super::list::Snapshot;
use super::proof::{Verification, VerifyFault};
use super::reading::Reading;
use crate::archive::{ArchiveError, ChunkError, Manifest, Repository, Shard, SnapshotId};
use crate::model::{Events, SlotSet};

/// Proves it.
///
/// # Errors
/// When the repository cannot be read. Whatever is wrong with the snapshot stands in the answer.
pub async fn verify(
    repository: &Repository,
    id: &SnapshotId,
    read_data: bool,
    events: &Events,
) -> Result<Verification, ArchiveError> {
    let mut found = Verification {
        id: id.clone(),
        repository: repository.place().to_owned(),
        snapshot: None,
        is_data_read: read_data,
        objects: 0,
        bytes_stored: 0,
        shards: Vec::new(),
        line: None,
        boot: None,
        faults: Vec::new(),
        strays: Vec::new(),
        duration_ms: 0,
    };
    let manifest = match repository.manifest_of(id).await {
        Ok(manifest) => manifest,
        Err(ArchiveError::Manifest(error)) => {
            found.faults.push(VerifyFault {
                code: "manifest",
                object: repository.manifest_place(id),
                shard: None,
                slots: SlotSet::new(),
                what: error.to_string(),
                next: error.hint(),
            });
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    found.snapshot = Some(Snapshot::of(&manifest));
    let there = repository.verify_objects(id, false).await?;
    (found.objects, found.bytes_stored) = (there.objects, there.bytes);
    found.strays = there.strays;
    for (number, shard) in (1..).zip(&manifest.shards) {
        found.faults.extend(log_joins(number, shard));
    }
    if read_data {
        let missing = there.faults.into_iter().filter(is_missing).collect();
        let mut reading = Reading::new(repository, &manifest, missing, events);
        reading.read_all().await?;
        found.shards = reading.shards;
        found.faults.extend(reading.faults);
    } else {
        let faults = there.faults.iter();
        found
            .faults
            .extend(faults.map(|error| of_object(&manifest, error)));
    }
    found.line = line::prove(repository, &manifest, read_data, &mut found.faults).await?;
    Ok(found)
}

pub(super) fn is_missing(error: &ChunkError) -> bool {
    matches!(error, ChunkError::Missing { .. })
}

pub(super) fn of_object(manifest: &Manifest, error: &ChunkError) -> VerifyFault {
    let shard = manifest
        .objects()
        .find(|(_, chunk)| chunk.name == error.name())
        .and_then(|(identity, _)| identity.shard);
    VerifyFault::of_object(error, shard.map(|shard| shard as usize + 1))
}

/// Each piece of a log must begin where the one before ended, and all of them span from the base to
/// the cut.
fn log_joins(number: usize, shard: &Shard) -> Vec<VerifyFault> {
    let mut faults = Vec::new();
    let mut at = shard.base_offset;
    for chunk in &shard.log {
        let what = match chunk.span {
            None => "it does not say what it spans".to_owned(),
            Some(span) if span.first_offset != at => format!(
                "the log has a gap: it begins at offset {}, and what comes before ends at {at}",
                span.first_offset
            ),
            Some(span) if span.last_offset.checked_sub(at) != Some(chunk.raw_bytes) => format!(
                "it spans offsets {at} to {}, and has {} bytes",
                span.last_offset, chunk.raw_bytes
            ),
            Some(span) => {
                at = span.last_offset;
                continue;
            }
        };
        faults.push(VerifyFault::inside("log.gap", &chunk.name, number, what));
        at = chunk.span.map_or(at, |span| span.last_offset);
    }
    if at != shard.cut_offset && faults.is_empty() {
        let last = shard.log.last().or(shard.base.last());
        let name = last.map_or("its log", |chunk| &chunk.name);
        let what = format!(
            "the log ends at offset {at}, and the cut is at {}",
            shard.cut_offset
        );
        faults.push(VerifyFault::inside("log.gap", name, number, what));
    }
    faults
}
