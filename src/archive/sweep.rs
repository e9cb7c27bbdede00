//! Taking away: what runs without a manifest left behind, and snapshots that are not wanted any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::error::ArchiveError;
use super::id::SnapshotId;
use super::repository::Repository;
use super::store::StoreError;
use super::writer::dead_name;

const AT_ONCE: usize = 8;

/// Objects of a run that has no manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The snapshot it would have become.
    pub id: SnapshotId,
    /// How many objects, half-written files included.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the latest was written, ms since the epoch by the store's clock.
    pub latest_ms: u64,
    /// What is to be thought of the run.
    pub state: RunState,
}

/// What is to be thought of a run without a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It said that it gave up.
    Dead,
    /// Nothing was written for longer than the grace.
    Silent,
    /// It may be going on.
    MayLive,
}

impl Repository {
    /// What runs without a manifest left behind. Take the grace longer than the pause between two
    /// objects of a backup can be: hours.
    pub async fn leftovers(
        &self,
        now_ms: u64,
        grace: Duration,
    ) -> Result<Vec<Leftover>, ArchiveError> {
        let objects = self.store.list("data").await?;
        let mut runs: BTreeMap<SnapshotId, Leftover> = BTreeMap::new();
        for object in &objects {
            let Some((id, name)) = owner(&object.name) else {
                continue;
            };
            let run = runs.entry(id.clone()).or_insert_with(|| Leftover::of(id));
            run.objects += 1;
            run.bytes += object.bytes;
            run.latest_ms = run.latest_ms.max(object.written_ms);
            if name == "dead" {
                run.state = RunState::Dead;
            }
        }
        // Asked after the objects: a run that ends in between has its manifest by now.
        let whole: BTreeSet<SnapshotId> = self.snapshots().await?.into_iter().collect();
        runs.retain(|id, _| !whole.contains(id));
        let mut found = Vec::new();
        for (id, mut run) in runs {
            let torn = self.store.torn(&format!("data/{id}")).await?;
            run.objects += torn.files.len() as u64;
            run.bytes += torn.bytes;
            run.latest_ms = run.latest_ms.max(torn.latest_ms);
            let silence = Duration::from_millis(now_ms.saturating_sub(run.latest_ms));
            if run.state == RunState::MayLive && silence > grace {
                run.state = RunState::Silent;
            }
            found.push(run);
        }
        Ok(found)
    }

    /// Takes away what is dead or silent of these, and gives what was taken.
    pub async fn sweep(&self, leftovers: &[Leftover]) -> Result<Vec<Leftover>, ArchiveError> {
        let mut swept = Vec::new();
        for run in leftovers
            .iter()
            .filter(|run| run.state != RunState::MayLive)
        {
            // A plan may be old by the time it is carried out.
            match self.store.head(&self.manifest_name(&run.id)).await {
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => continue,
            }
            self.clear(&run.id).await?;
            swept.push(run.clone());
        }
        Ok(swept)
    }

    /// Deletes a snapshot: the manifest first, so that it never exists without its objects. What a
    /// process killed here leaves is taken by the next sweep, without a grace.
    pub async fn delete(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        let name = self.manifest_name(id);
        if let Err(StoreError::NotFound { place, .. }) = self.store.head(&name).await {
            let (asked, latest) = (id.to_string(), None);
            return Err(ArchiveError::NoSuchSnapshot {
                place,
                asked,
                latest,
            });
        }
        self.mark(id).await?;
        self.store.delete(&name).await?;
        self.clear(id).await
    }

    /// Throws away what was written of a snapshot that has no manifest. The mark stays for whatever is
    /// being written at this moment: the next sweep takes both.
    ///
    /// A writer that was dropped in its last step may have finished: then the snapshot stays. When its
    /// manifest comes only while the objects go, it goes with them.
    pub async fn discard(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        self.give_up(id).await?;
        let manifest = self.manifest_name(id);
        match self.store.head(&manifest).await {
            Ok(_) => return Ok(self.store.delete(&dead_name(id)).await?),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        self.clear_but_mark(id).await?;
        Ok(self.store.delete(&manifest).await?)
    }

    async fn mark(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        let body = Bytes::from_static(b"deleted\n");
        Ok(self.store.put(&dead_name(id), body).await?)
    }

    /// Deletes all objects of a snapshot that has no manifest; the mark goes last.
    async fn clear(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        self.mark(id).await?;
        self.clear_but_mark(id).await?;
        Ok(self.store.delete(&dead_name(id)).await?)
    }

    async fn clear_but_mark(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        let folder = format!("data/{id}");
        let mark = dead_name(id);
        self.store.delete_torn(&folder).await?;
        let objects = self.store.list(&folder).await?;
        stream::iter(objects.iter().filter(|object| object.name != mark))
            .map(|object| self.store.delete(&object.name))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(())
    }
}

impl Leftover {
    fn of(id: SnapshotId) -> Leftover {
        Leftover {
            id,
            objects: 0,
            bytes: 0,
            latest_ms: 0,
            state: RunState::MayLive,
        }
    }
}

/// Whose object it is, and its name there.
fn owner(name: &str) -> Option<(SnapshotId, &str)> {
    let (id, rest) = name.strip_prefix("data/")?.split_once('/')?;
    Some((id.parse().ok()?, rest))
}
