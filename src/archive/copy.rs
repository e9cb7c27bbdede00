//! A second repository: only what is missing goes over, and nothing that was not proven.
//!
//! Between repositories that seal nothing the stored bytes go as they are. Where one of them is sealed,
//! each object is opened with the one's keys and sealed with the other's: each repository has its own.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::chunk::{self, MOST_ADDED, Sizes, sha256};
use super::crypto::Protection;
use super::error::ArchiveError;
use super::id::{Identity, SnapshotId};
use super::manifest::{Chunk, Manifest};
use super::repository::{Repository, blocking};
use super::writer::{Run, Writer};

const AT_ONCE: usize = 4;

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Objects that went over.
    pub objects: u64,
    /// Their bytes as stored over there.
    pub bytes: u64,
    /// Objects that were there already, and were proven there.
    pub already: u64,
}

impl Repository {
    /// Copies a snapshot, and says how much went over. One that was copied in part goes on; one that is
    /// whole over there is only proven there, and what is broken of it is an error that names it.
    pub async fn copy_to(
        &self,
        to: &Repository,
        id: &SnapshotId,
        run: &Run,
    ) -> Result<Copied, ArchiveError> {
        let manifest = self.manifest_of(id).await?;
        match to.manifest_of(id).await {
            Err(ArchiveError::NoSuchSnapshot { .. }) => {}
            Err(error) => return Err(error),
            Ok(_) => return to.proven_whole(id).await,
        }
        let writer = to.begin_again(id.clone(), run).await?;
        let there = to.objects_of(id).await?;
        let one = |(identity, chunk): (Identity, Chunk)| {
            let is_there = there.contains_key(&chunk.name);
            let writer = &writer;
            async move { self.copy_one(to, writer, &identity, &chunk, is_there).await }
        };
        let objects: Vec<(Identity, Chunk)> = manifest
            .objects()
            .map(|(identity, chunk)| (identity, chunk.clone()))
            .collect();
        let done: Vec<(String, Sizes, bool)> = stream::iter(objects)
            .map(one)
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let copied = count(&done);
        let sizes = done
            .into_iter()
            .map(|(name, sizes, _)| (name, sizes))
            .collect();
        writer.finish(&resized(manifest, &sizes)).await?;
        Ok(copied)
    }

    async fn proven_whole(&self, id: &SnapshotId) -> Result<Copied, ArchiveError> {
        let verified = self.verify_objects(id, false).await?;
        match verified.faults.into_iter().next() {
            Some(fault) => Err(fault.into()),
            None => Ok(Copied {
                already: verified.objects,
                ..Copied::default()
            }),
        }
    }

    /// Gives the object's name, its sizes over there, and whether it went over.
    async fn copy_one(
        &self,
        to: &Repository,
        writer: &Writer,
        identity: &Identity,
        chunk: &Chunk,
        is_there: bool,
    ) -> Result<(String, Sizes, bool), ArchiveError> {
        if is_there && let Some(sizes) = to.same_there(self, identity, chunk).await? {
            writer.note(identity.name(), sizes.stored_bytes);
            return Ok((identity.name(), sizes, false));
        }
        let is_verbatim = [self, to]
            .iter()
            .all(|side| side.config.protection != Protection::Sealed);
        if is_verbatim {
            let stored = self.fetch(identity, chunk.stored_bytes).await?;
            let (of, sizes, bytes) = (identity.clone(), chunk.sizes(), stored.clone());
            blocking(move || chunk::unpack(&of, &bytes, &sizes, None)).await?;
            writer.put_stored(identity, stored).await?;
            return Ok((identity.name(), chunk.sizes(), true));
        }
        let raw = self.read(identity, chunk).await?;
        let (of, level, keys) = (identity.clone(), to.level, to.keys_for_objects());
        let packed = blocking(move || chunk::pack(&of, &raw, level, keys.as_deref()));
        let (stored, sizes) = packed.await?;
        writer.put_stored(identity, stored.into()).await?;
        Ok((identity.name(), sizes, true))
    }

    /// The sizes of the object here when it holds the very bytes of that one over there.
    async fn same_there(
        &self,
        there: &Repository,
        identity: &Identity,
        theirs: &Chunk,
    ) -> Result<Option<Sizes>, ArchiveError> {
        // Packed or sealed otherwise it has another size, but never one that much larger.
        let most = theirs.stored_bytes.max(theirs.raw_bytes) + MOST_ADDED;
        let stored = match self.fetch(identity, most).await {
            Err(ArchiveError::Chunk(_)) => return Ok(None),
            stored => stored?,
        };
        let sizes = Sizes {
            stored_bytes: stored.len() as u64,
            stored_sha256: sha256(&stored),
            ..theirs.sizes()
        };
        if sizes == theirs.sizes() {
            return Ok(Some(sizes));
        }
        // Packed or sealed otherwise: only what comes out can be compared.
        let raw = there.read(identity, theirs).await?;
        let (of, keys) = (identity.clone(), self.keys_for_objects());
        let same = blocking(move || {
            let own = chunk::unpack_unlisted(&of, &stored, sizes.raw_bytes, keys.as_deref());
            own.is_ok_and(|own| own == raw).then_some(sizes)
        });
        Ok(same.await)
    }
}

fn count(done: &[(String, Sizes, bool)]) -> Copied {
    let moved = done.iter().filter(|(_, _, is_moved)| *is_moved);
    Copied {
        objects: moved.clone().count() as u64,
        bytes: moved.map(|(_, sizes, _)| sizes.stored_bytes).sum(),
        already: done.iter().filter(|(_, _, is_moved)| !is_moved).count() as u64,
    }
}

/// The manifest with the sizes that its objects have over there.
fn resized(mut manifest: Manifest, sizes: &BTreeMap<String, Sizes>) -> Manifest {
    let shards = manifest.shards.iter_mut().flat_map(|shard| {
        shard
            .base
            .iter_mut()
            .chain(&mut shard.log)
            .chain(&mut shard.slot_table)
    });
    let parts = manifest.parts.iter_mut().map(|part| &mut part.chunk);
    for chunk in shards.chain(parts) {
        if let Some(sizes) = sizes.get(&chunk.name) {
            chunk.stored_bytes = sizes.stored_bytes;
            chunk.stored_sha256.clone_from(&sizes.stored_sha256);
        }
    }
    manifest
}
