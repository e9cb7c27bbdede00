//! Writing a snapshot: objects in any order and several at a time, then the manifest, which makes it be.
//!
//! While it is written, `data/<id>/run.json` says by whom. A writer that gives up leaves `dead` beside
//! it, so that the next sweep need not wait; one that is killed leaves nothing more, and its objects are
//! swept when the last of them is old.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::buffers::Buffers;
use super::chunk::{self, ChunkError, Sizes};
use super::crypto;
use super::envelope;
use super::error::ArchiveError;
use super::hex;
use super::id::{Identity, Kind, SnapshotId};
use super::manifest::{self, Chunk, Manifest, More, Span};
use super::repository::{Repository, blocking};
use super::slots::SlotTable;
use super::store::StoreError;
use crate::model::Slot;

/// Who writes, as `run.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// When it began, ms since the epoch.
    pub started_at_ms: u64,
    /// The machine's name.
    pub host: String,
    /// The process there.
    pub pid: u32,
}

/// What a piece holds, besides its bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Held {
    /// The lowest and the highest slot; `None` when it belongs to every slot.
    pub slots: Option<(Slot, Slot)>,
    /// Keys of a base, commands of a log.
    pub entries: u64,
    /// Of a log: what it spans.
    pub span: Option<Span>,
    /// Of a base: the database that its first entry is in.
    pub db: u64,
}

/// A snapshot that does not exist yet.
#[derive(Debug)]
pub struct Writer {
    repository: Repository,
    id: SnapshotId,
    /// Name and stored bytes of all that was put.
    put: Mutex<BTreeMap<String, u64>>,
    /// For packed objects on their way.
    buffers: Buffers,
}

impl Repository {
    /// A name for a snapshot of that moment.
    pub fn name_snapshot(&self, at_ms: u64) -> Result<SnapshotId, ArchiveError> {
        let random = u32::from_le_bytes(crypto::random::<4>()?);
        Ok(SnapshotId::new(at_ms, random))
    }

    /// Begins to write a snapshot. One of that name must not exist, whole or half.
    pub async fn begin(&self, id: SnapshotId, run: &Run) -> Result<Writer, ArchiveError> {
        self.must_be_new(&id).await?;
        let name = run_name(&id);
        match self.store.create(&name, run_body(run)?).await {
            Err(StoreError::Exists { place, .. }) => {
                return Err(ArchiveError::SnapshotExists { place, id });
            }
            result => result?,
        }
        Ok(self.writer(id))
    }

    /// Says of a snapshot that nobody writes it any more, so that the next sweep need not wait.
    pub async fn give_up(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        let body = Bytes::from_static(b"given up\n");
        Ok(self.store.put(&dead_name(id), body).await?)
    }

    /// Begins, or goes on where another writer of the same bytes ended: for a copy.
    pub(super) async fn begin_again(
        &self,
        id: SnapshotId,
        run: &Run,
    ) -> Result<Writer, ArchiveError> {
        self.must_be_new(&id).await?;
        self.store.put(&run_name(&id), run_body(run)?).await?;
        self.store.delete(&dead_name(&id)).await?;
        Ok(self.writer(id))
    }

    async fn must_be_new(&self, id: &SnapshotId) -> Result<(), ArchiveError> {
        match self.store.head(&self.manifest_name(id)).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(_) => Err(ArchiveError::SnapshotExists {
                place: self.place().to_owned(),
                id: id.clone(),
            }),
        }
    }

    fn writer(&self, id: SnapshotId) -> Writer {
        Writer {
            repository: self.clone(),
            id,
            put: Mutex::default(),
            buffers: Buffers::default(),
        }
    }
}

impl Writer {
    /// The snapshot's name.
    pub fn id(&self) -> &SnapshotId {
        &self.id
    }

    /// Writes a piece and gives what the manifest must say of it. `shard` is the place in the
    /// manifest's list, `None` for the cluster as a whole; `seq` counts from 0 within the shard's kind.
    /// What is returned is on the disk, or in the bucket.
    pub async fn put(
        &self,
        shard: Option<u32>,
        kind: Kind,
        seq: u32,
        raw: impl Into<Bytes>,
        held: Held,
    ) -> Result<Chunk, ArchiveError> {
        let identity = self.identity(shard, kind, seq);
        let (name, raw) = (identity.name(), raw.into());
        let (level, keys) = (self.repository.level, self.repository.keys_for_objects());
        let room = self.buffers.take(chunk::room(raw.len()));
        let packed = blocking(move || chunk::pack_into(room, &name, &raw, level, keys.as_deref()));
        let (stored, sizes) = packed.await?;
        self.put_stored(&identity, self.buffers.lend(stored))
            .await?;
        Ok(described(&identity, sizes, held))
    }

    /// Writes a shard's table of slots.
    pub async fn put_slot_table(
        &self,
        shard: u32,
        table: &SlotTable,
    ) -> Result<Chunk, ArchiveError> {
        let identity = self.identity(Some(shard), Kind::slots(), 0);
        let raw = serde_json::to_vec(table).map_err(|why| ChunkError::NotPacked {
            name: identity.name(),
            why: why.to_string(),
        })?;
        self.put(Some(shard), Kind::slots(), 0, raw, Held::default())
            .await
    }

    fn identity(&self, shard: Option<u32>, kind: Kind, seq: u32) -> Identity {
        let snapshot = self.id.clone();
        Identity {
            snapshot,
            shard,
            kind,
            seq,
        }
    }

    pub(super) async fn put_stored(
        &self,
        identity: &Identity,
        stored: Bytes,
    ) -> Result<(), ArchiveError> {
        let (name, bytes) = (identity.name(), stored.len() as u64);
        self.repository.store.put(&name, stored).await?;
        self.note(name, bytes);
        Ok(())
    }

    /// Counts an object that is there already as put.
    pub(super) fn note(&self, name: String, bytes: u64) {
        let mut put = self.put.lock().unwrap_or_else(PoisonError::into_inner);
        put.insert(name, bytes);
    }

    /// Writes the manifest, once every object that it lists is seen to be there, and none that was put
    /// is left out. With this the snapshot exists.
    pub async fn finish(self, manifest: &Manifest) -> Result<(), ArchiveError> {
        self.prove(manifest).await?;
        let repository = &self.repository;
        let (protection, keys) = (repository.config.protection, repository.keys.as_deref());
        let body = envelope::encode(manifest, protection, keys)?;
        let name = repository.manifest_name(&self.id);
        match repository.store.create(&name, body.into()).await {
            Err(StoreError::Exists { place, .. }) => {
                return Err(ArchiveError::SnapshotExists { place, id: self.id });
            }
            result => result?,
        }
        // The snapshot is whole whether or not this file stays.
        let _ = repository.store.delete(&run_name(&self.id)).await;
        Ok(())
    }

    /// Gives up: what was written may be swept at once.
    pub async fn abandon(self) -> Result<(), ArchiveError> {
        self.repository.give_up(&self.id).await
    }

    async fn prove(&self, manifest: &Manifest) -> Result<(), ArchiveError> {
        let not_written = |why: String| ArchiveError::NotWritten { why };
        if manifest.id != self.id {
            return Err(not_written(format!("it is that of {}", manifest.id)));
        }
        if let Some(why) = manifest.fault() {
            return Err(not_written(why));
        }
        let listed: BTreeMap<String, u64> = manifest
            .objects()
            .map(|(_, chunk)| (chunk.name.clone(), chunk.stored_bytes))
            .collect();
        let put = self
            .put
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(name) = put.keys().find(|name| !listed.contains_key(*name)) {
            return Err(not_written(format!("{name} was written and is not listed")));
        }
        if let Some(name) = listed
            .iter()
            .find(|&(name, bytes)| put.get(name) != Some(bytes))
        {
            return Err(not_written(format!(
                "{} is listed and was not written so",
                name.0
            )));
        }
        self.prove_there(&listed).await
    }

    /// Somebody may have swept, deleted or unmounted it meanwhile.
    async fn prove_there(&self, listed: &BTreeMap<String, u64>) -> Result<(), ArchiveError> {
        let folder = format!("data/{}", self.id);
        let there = self.repository.store.list(&folder).await?;
        let sizes: BTreeMap<&str, u64> = there
            .iter()
            .map(|object| (object.name.as_str(), object.bytes))
            .collect();
        let is_marked = sizes.contains_key(dead_name(&self.id).as_str());
        let is_ours = sizes.contains_key(run_name(&self.id).as_str()) && !is_marked;
        let is_whole = listed
            .iter()
            .all(|(name, bytes)| sizes.get(name.as_str()) == Some(bytes));
        if is_ours && is_whole {
            return Ok(());
        }
        Err(ArchiveError::Swept {
            id: self.id.clone(),
        })
    }
}

/// What the manifest says of an object.
pub(super) fn described(identity: &Identity, sizes: Sizes, held: Held) -> Chunk {
    Chunk {
        name: identity.name(),
        raw_bytes: sizes.raw_bytes,
        stored_bytes: sizes.stored_bytes,
        raw_sha256: sizes.raw_sha256,
        stored_sha256: sizes.stored_sha256,
        first_slot: held.slots.map(|(first, _)| first),
        last_slot: held.slots.map(|(_, last)| last),
        entries: held.entries,
        span: held.span,
        more: match held.db {
            0 => More::new(),
            db => More::from([(manifest::DB.to_owned(), db.into())]),
        },
    }
}

/// The name of what says who writes a snapshot.
pub(super) fn run_name(id: &SnapshotId) -> String {
    format!("data/{id}/run.json")
}

/// The name of what says that nobody writes it any more.
pub(super) fn dead_name(id: &SnapshotId) -> String {
    format!("data/{id}/dead")
}

/// With a random word, so that no two runs write the same.
fn run_body(run: &Run) -> Result<Bytes, ArchiveError> {
    let token = hex::encode(&crypto::random::<16>()?);
    let Run {
        started_at_ms,
        host,
        pid,
    } = run;
    let body = serde_json::json!({
        "started_at_ms": started_at_ms, "host": host, "pid": pid, "token": token,
    });
    Ok(body.to_string().into())
}
