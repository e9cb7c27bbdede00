//! Snapshots over to another repository, one after the other.

use serde::Serialize;

use crate::archive::{ArchiveError, Repository, Run, SnapshotId};
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
    (report, Ok(()))
}
