//! Whether the last line of a cluster can be gone on with: after a restart of the follower, or of its
//! machine.

use super::pump::Point;
use super::shards::Shards;
use crate::archive::{Anchor, ArchiveError, EventKind, LineId, Owners, Repository, TimeLine};

/// A line that was left.
pub(super) struct Standing {
    pub id: LineId,
    pub shards: Shards,
    /// Where each shard ended.
    pub points: Vec<Point>,
    /// All of it came before then.
    pub last_ms: u64,
    /// The number of the next event.
    pub event_seq: u32,
    /// When the last base on it was taken.
    pub base_ms: u64,
}

/// Looks for one.
///
/// # Errors
/// When the repository cannot be read. A line that is damaged is not gone on with.
pub(super) async fn standing(
    repository: &Repository,
    cluster: &str,
) -> Result<Option<Standing>, ArchiveError> {
    let lines = repository.time_lines(Some(cluster)).await?;
    let Some(line) = lines.last().filter(|line| line.end().is_none()) else {
        return Ok(None);
    };
    match taken_up(repository, line).await {
        Err(ArchiveError::Chunk(_)) => Ok(None),
        result => result,
    }
}

async fn taken_up(
    repository: &Repository,
    line: &TimeLine,
) -> Result<Option<Standing>, ArchiveError> {
    let Some(base_ms) = last_base(repository, line).await? else {
        return Ok(None);
    };
    let mut events = line.events.iter().rev();
    let Some(owners) = events.find(|event| event.kind == EventKind::Owners) else {
        return Ok(None);
    };
    let owners: Owners = repository.event(owners).await?;
    let mut points = Vec::new();
    let mut last_ms = line
        .events
        .iter()
        .map(|event| event.at_ms)
        .max()
        .unwrap_or(0);
    for owner in &owners.shards {
        let Some(strand) = line.strand(owner.shard) else {
            return Ok(None);
        };
        let Some(last) = strand.last() else {
            return Ok(None);
        };
        let head = repository.segment(&last.name).await?.head;
        if head.ends_inside {
            return Ok(None);
        }
        let all = strand.joined.iter().flat_map(|joined| &joined.segments);
        let seq = all.map(|listed| listed.name.seq).max().unwrap_or(0);
        last_ms = last_ms.max(last.name.span.last_ms);
        points.push(Point {
            replid: head.replid,
            offset: last.name.span.last_offset,
            seq: seq.saturating_add(1),
        });
    }
    let event_seq = line.events.iter().map(|event| event.seq).max().unwrap_or(0);
    Ok(Some(Standing {
        id: line.id.clone(),
        shards: Shards::again(owners),
        points,
        last_ms,
        event_seq: event_seq.saturating_add(1),
        base_ms,
    }))
}

/// When the last base that lies on a line was taken.
async fn last_base(repository: &Repository, line: &TimeLine) -> Result<Option<u64>, ArchiveError> {
    for id in repository.snapshots().await?.iter().rev() {
        let manifest = match repository.manifest_of(id).await {
            Ok(manifest) => manifest,
            Err(ArchiveError::NoSuchSnapshot { .. } | ArchiveError::Manifest(_)) => continue,
            Err(error) => return Err(error),
        };
        let anchor = Anchor::of(&manifest);
        if anchor.is_some_and(|anchor| line.anchored(&anchor).is_some()) {
            return Ok(Some(manifest.taken_at_ms));
        }
    }
    Ok(None)
}
