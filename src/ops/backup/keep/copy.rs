//! Snapshots over to another repository, one after the other, and then the time lines on which they lie.

use serde::Serialize;

use crate::archive::{Anchor, ArchiveError, Repository, Run, SnapshotId};
use crate::model::{Event, Events};

/// What went over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CopyReport {
    /// From where.
    pub from: String,
    /// To where.
    pub to: String,
    /// Snapshot by snapshot, in the order in which they went.
    pub snapshots: Vec<CopiedSnapshot>,
    /// The time lines on which they lie, which went with them.
    pub lines: Vec<CopiedLine>,
}

/// A time line that is there now, as far as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedLine {
    /// Which.
    pub run: SnapshotId,
    /// Objects that went over.
    pub objects: u64,
    /// Their bytes, as stored there.
    pub bytes: u64,
    /// Objects that were there already.
    pub already: u64,
}

/// A snapshot that is there now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CopiedSnapshot {
    /// Which.
    pub id: SnapshotId,
    /// Objects that went over.
    pub objects: u64,
    /// Their bytes, as stored there.
    pub bytes: u64,
    /// Objects that were there already.
    pub already: u64,
}

/// Copies them. What went over until then comes with an error.
pub async fn copy(
    from: &Repository,
    to: &Repository,
    ids: &[SnapshotId],
    run: &Run,
    events: &Events,
) -> (CopyReport, Result<(), ArchiveError>) {
    let mut report = CopyReport {
        from: from.place().to_owned(),
        to: to.place().to_owned(),
        snapshots: Vec::new(),
        lines: Vec::new(),
    };
    events.begin("copying snapshots");
    for id in ids {
        match from.copy_to(to, id, run).await {
            Ok(copied) => report.snapshots.push(CopiedSnapshot {
                id: id.clone(),
                objects: copied.objects,
                bytes: copied.bytes,
                already: copied.already,
            }),
            Err(error) => return (report, Err(error)),
        }
        let done = report.snapshots.len() as u64;
        events.tell(Event::Progress(done, ids.len() as u64));
    }
    let lines = copy_lines(from, to, ids, &mut report.lines).await;
    (report, lines)
}

/// Without what came after it a snapshot is one moment; with it, any.
async fn copy_lines(
    from: &Repository,
    to: &Repository,
    ids: &[SnapshotId],
    copied: &mut Vec<CopiedLine>,
) -> Result<(), ArchiveError> {
    let mut anchors = Vec::new();
    for id in ids {
        anchors.extend(Anchor::of(&from.manifest_of(id).await?));
    }
    for line in from.time_lines(None).await? {
        if !anchors.iter().any(|anchor| line.anchored(anchor).is_some()) {
            continue;
        }
        let went = from.copy_line(to, &line).await?;
        copied.push(CopiedLine {
            run: line.id.run.clone(),
            objects: went.objects,
            bytes: went.bytes,
            already: went.already,
        });
    }
    Ok(())
}
