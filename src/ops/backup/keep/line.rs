//! The time lines of a repository in short: from when to when a cluster can be restored, and why a line
//! ended.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::proof::VerifyFault;
use crate::archive::{
    Anchor, Anchored, ArchiveError, End, LogName, Manifest, Repository, SegmentName, SnapshotId,
    TimeLine,
};

/// Segments that are read at once.
const AT_ONCE: usize = 4;

/// A time line in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// Which.
    pub run: SnapshotId,
    /// Of which cluster.
    pub cluster: String,
    /// What can be restored, in order; empty without a base that lies on it.
    pub ranges: Vec<Range>,
    /// Snapshots that lie on it.
    pub snapshots: usize,
    /// How many shards.
    pub shards: usize,
    /// Sealed stretches of commands.
    pub segments: u64,
    /// Bytes of all its objects as stored.
    pub bytes_stored: u64,
    /// Why it ended; `None` when it goes on, or was left.
    pub ended: Option<String>,
}

/// A stretch of time; any moment in it can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The first moment, ms since the epoch.
    pub from_ms: u64,
    /// The last.
    pub until_ms: u64,
}

/// What came of proving the line on which a snapshot lies.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LineProof {
    /// Which.
    pub run: SnapshotId,
    /// What can be restored with the snapshot.
    pub range: Range,
    /// Segments from the snapshot on.
    pub segments: u64,
    /// Their bytes as stored.
    pub bytes_stored: u64,
    /// The commands in them, where they were read.
    pub commands: Option<u64>,
}

/// The line on which a snapshot lies, from the snapshot on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownLine {
    /// Which.
    pub run: SnapshotId,
    /// What can be restored with the snapshot.
    pub range: Range,
    /// Segments from the snapshot on.
    pub segments: u64,
    /// Their bytes as stored.
    pub bytes_stored: u64,
    /// Why it ended; `None` when it goes on, or was left.
    pub ended: Option<String>,
    /// What is missing in it, a line each.
    pub gaps: Vec<String>,
    /// When the next line of the cluster can be restored from, ms since the epoch: what lies between is
    /// lost.
    pub next_from_ms: Option<u64>,
}

/// All lines, the newest first, of one cluster or of all.
pub(super) async fn lines(
    repository: &Repository,
    cluster: Option<&str>,
    manifests: &[Manifest],
) -> Result<Vec<Line>, ArchiveError> {
    let anchors: Vec<Anchor> = manifests.iter().filter_map(Anchor::of).collect();
    let mut found = Vec::new();
    for line in repository.time_lines(cluster).await?.iter().rev() {
        let anchored = anchors
            .iter()
            .filter(|anchor| line.anchored(anchor).is_some());
        let ranges = line.ranges(&anchors).into_iter();
        found.push(Line {
            run: line.id.run.clone(),
            cluster: line.cluster(),
            ranges: ranges
                .map(|(from_ms, until_ms)| Range { from_ms, until_ms })
                .collect(),
            snapshots: anchored.count(),
            shards: line.strands.len(),
            segments: line.segments(),
            bytes_stored: line.bytes(),
            ended: ended(repository, line).await?,
        });
    }
    Ok(found)
}

async fn ended(repository: &Repository, line: &TimeLine) -> Result<Option<String>, ArchiveError> {
    let Some(name) = line.end() else {
        return Ok(None);
    };
    match repository.event::<End>(name).await {
        Ok(end) => Ok(Some(end.why)),
        Err(ArchiveError::Chunk(error)) => Ok(Some(format!("why is not to be believed: {error}"))),
        Err(error) => Err(error),
    }
}

/// The line on which a snapshot lies, and where.
async fn line_of(
    repository: &Repository,
    manifest: &Manifest,
) -> Result<Option<(TimeLine, Anchored)>, ArchiveError> {
    let Some(anchor) = Anchor::of(manifest) else {
        return Ok(None);
    };
    let lines = repository.time_lines(Some(&manifest.cluster)).await?;
    Ok(lines.into_iter().rev().find_map(|line| {
        let anchored = line.anchored(&anchor)?;
        Some((line, anchored))
    }))
}

/// Proves what came after a snapshot: that it joins, and with `read_data` that every segment is what was
/// sealed. What is wrong is added to the faults.
pub(super) async fn prove(
    repository: &Repository,
    manifest: &Manifest,
    read_data: bool,
    faults: &mut Vec<VerifyFault>,
) -> Result<Option<LineProof>, ArchiveError> {
    let Some((line, anchored)) = line_of(repository, manifest).await? else {
        return Ok(None);
    };
    faults.extend(gaps(&line));
    let after = after(&line, &anchored);
    let mut proof = LineProof {
        run: line.id.run.clone(),
        range: Range {
            from_ms: anchored.from_ms,
            until_ms: anchored.until_ms,
        },
        segments: after.len() as u64,
        bytes_stored: after.iter().map(|(_, bytes)| bytes).sum(),
        commands: None,
    };
    if read_data {
        let read = read(repository, after).await?;
        let shard = |segment: &SegmentName| Some(segment.shard as usize + 1);
        proof.commands = Some(read.iter().filter_map(|(_, read)| read.as_ref().ok()).sum());
        faults.extend(read.iter().filter_map(|(segment, read)| {
            let error = read.as_ref().err()?;
            Some(VerifyFault::of_object(error, shard(segment)))
        }));
    }
    Ok(Some(proof))
}

/// What came after the snapshot that lies there: segments with their bytes as stored.
fn after(line: &TimeLine, anchored: &Anchored) -> Vec<(SegmentName, u64)> {
    let is_after = |segment: &SegmentName| {
        let starts = &anchored.starts;
        let start = starts.iter().find(|start| start.shard == segment.shard);
        start.is_some_and(|start| match start.offset {
            Some(offset) => segment.span.last_offset > offset,
            None => segment.span.last_ms >= anchored.from_ms,
        })
    };
    let objects = line.objects.iter();
    objects
        .filter_map(|(name, bytes)| match name {
            LogName::Segment(segment) if is_after(segment) => Some((segment.clone(), *bytes)),
            _ => None,
        })
        .collect()
}

/// The line on which a snapshot lies, as it is shown; `None` where it lies on none.
pub(super) async fn shown(
    repository: &Repository,
    manifest: &Manifest,
) -> Result<Option<ShownLine>, ArchiveError> {
    let Some((line, anchored)) = line_of(repository, manifest).await? else {
        return Ok(None);
    };
    let after = after(&line, &anchored);
    let ended = ended(repository, &line).await?;
    let next_from_ms = match ended {
        Some(_) => next_from(repository, &line).await?,
        None => None,
    };
    Ok(Some(ShownLine {
        run: line.id.run.clone(),
        range: Range {
            from_ms: anchored.from_ms,
            until_ms: anchored.until_ms,
        },
        segments: after.len() as u64,
        bytes_stored: after.iter().map(|(_, bytes)| bytes).sum(),
        ended,
        gaps: gaps(&line)
            .iter()
            .map(|gap| {
                format!(
                    "shard {}: {} ({})",
                    gap.shard.unwrap_or(0),
                    gap.what,
                    gap.object
                )
            })
            .collect(),
        next_from_ms,
    }))
}

/// From when on the line behind that one can be restored.
async fn next_from(repository: &Repository, line: &TimeLine) -> Result<Option<u64>, ArchiveError> {
    let lines = repository.time_lines(Some(&line.cluster())).await?;
    let mut later = lines.iter().filter(|other| other.id.run > line.id.run);
    let Some(next) = later.next() else {
        return Ok(None);
    };
    let (manifests, _) = super::list::manifests(repository).await?;
    let anchors: Vec<Anchor> = manifests.iter().filter_map(Anchor::of).collect();
    Ok(next.ranges(&anchors).first().map(|(from_ms, _)| *from_ms))
}

type Read = (SegmentName, Result<u64, crate::archive::ChunkError>);

async fn read(
    repository: &Repository,
    segments: Vec<(SegmentName, u64)>,
) -> Result<Vec<Read>, ArchiveError> {
    stream::iter(segments)
        .map(|(name, _)| async move {
            match repository.segment(&name).await {
                Ok(segment) => Ok((name, Ok(segment.head.commands))),
                Err(ArchiveError::Chunk(fault)) => Ok((name, Err(fault))),
                Err(error) => Err(error),
            }
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// A line is unbroken when it is written: a hole was made later.
fn gaps(line: &TimeLine) -> Vec<VerifyFault> {
    let strands = line.strands.iter();
    strands
        .flat_map(|strand| {
            strand.joined.windows(2).map(|two| {
                let (ends, begins) = (two[0].last_offset(), two[1].first_offset());
                let name = two[1].segments.first().map(|segment| segment.name.name());
                let what = format!(
                    "the time line has a gap before it: it begins at offset {begins}, and what comes \
                     before ends at {ends}"
                );
                let name = name.unwrap_or_default();
                VerifyFault::inside("line.gap", &name, strand.shard as usize + 1, what)
            })
        })
        .collect()
}
