//! Whether all that a manifest lists is there, and is what was written.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::chunk::ChunkError;
use super::error::ArchiveError;
use super::id::{Identity, SnapshotId};
use super::manifest::Chunk;
use super::repository::Repository;
use super::writer::run_name;

const AT_ONCE: usize = 4;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Objects that the manifest lists.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
    /// Whether they were read and unpacked, not only listed.
    pub is_read: bool,
    /// What is wrong, in the manifest's order.
    pub faults: Vec<ChunkError>,
    /// Objects in its folder that the manifest does not list. They do no harm.
    pub strays: Vec<String>,
}

impl Repository {
    /// Proves a snapshot's objects: that they are there with their sizes, and with `read_data` that each
    /// unpacks to the very bytes that were packed. A manifest that is not believed is an error.
    pub async fn verify_objects(
        &self,
        id: &SnapshotId,
        read_data: bool,
    ) -> Result<Verified, ArchiveError> {
        let manifest = self.manifest_of(id).await?;
        let mut there = self.objects_of(id).await?;
        there.remove(&run_name(id));
        let mut verified = Verified {
            is_read: read_data,
            ..Verified::default()
        };
        let mut to_read = Vec::new();
        for (identity, chunk) in manifest.objects() {
            verified.objects += 1;
            verified.bytes += chunk.stored_bytes;
            match (size_fault(chunk, there.remove(&chunk.name)), read_data) {
                // A swapped object tells its name only when it is read.
                (Some(fault @ ChunkError::Missing { .. }), _) | (Some(fault), false) => {
                    verified.faults.push(fault);
                }
                (_, true) => to_read.push((identity, chunk)),
                (None, false) => {}
            }
        }
        verified.strays = there.into_keys().collect();
        verified.faults.extend(self.read_faults(to_read).await?);
        Ok(verified)
    }

    async fn read_faults(
        &self,
        objects: Vec<(Identity, &Chunk)>,
    ) -> Result<Vec<ChunkError>, ArchiveError> {
        let found: Vec<Option<ChunkError>> = stream::iter(objects)
            .map(|(identity, chunk)| async move {
                match self.read(&identity, chunk).await {
                    Ok(_) => Ok(None),
                    Err(ArchiveError::Chunk(fault)) => Ok(Some(fault)),
                    Err(error) => Err(error),
                }
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Names and sizes of all that lies in a snapshot's folder.
    pub(super) async fn objects_of(
        &self,
        id: &SnapshotId,
    ) -> Result<BTreeMap<String, u64>, ArchiveError> {
        let objects = self.store.list(&format!("data/{id}")).await?;
        Ok(objects
            .into_iter()
            .map(|object| (object.name, object.bytes))
            .collect())
    }
}

/// What the listing alone says of an object.
pub(super) fn size_fault(chunk: &Chunk, there: Option<u64>) -> Option<ChunkError> {
    let (name, expected) = (chunk.name.clone(), chunk.stored_bytes);
    match there {
        None => Some(ChunkError::Missing { name }),
        Some(found) if found < expected => Some(ChunkError::Truncated {
            name,
            expected,
            found,
        }),
        Some(found) if found > expected => Some(ChunkError::TooLong {
            name,
            expected,
            found,
        }),
        Some(_) => None,
    }
}
