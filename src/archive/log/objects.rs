//! A time line's objects in the store. They stand in no manifest, so each proves itself: sealed, by its
//! key; signed, by a frame behind it; and in either case only under its own name.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::chunk::{self, ChunkError, MOST_ADDED, SKIP};
use super::super::crypto::{Keys, Protection};
use super::super::error::ArchiveError;
use super::super::repository::{Repository, blocking};
use super::super::store::StoreError;
use super::line::TimeLine;
use super::name::{EventName, LineId, LogName, SegmentName, folder_of};
use super::segment::{MOST_SEGMENT, Segment};

/// What a raw object of a line has at the most: frames and the first line lie around the commands.
const MOST: u64 = 2 * MOST_SEGMENT as u64;
/// What the frame behind a signed object says before the signature.
const MAC: &[u8] = b"goodcache-mac/1 ";
/// The frame in all: its head, its words and 64 digits.
const TRAILER: usize = 8 + MAC.len() + 64;

/// What went over to another repository.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopiedLog {
    /// Objects that went over.
    pub objects: u64,
    /// Their bytes as stored over there.
    pub bytes: u64,
    /// Objects that were there already.
    pub already: u64,
}

impl Repository {
    /// The time lines of a cluster, or of all, the oldest first. No object is read.
    pub async fn time_lines(&self, cluster: Option<&str>) -> Result<Vec<TimeLine>, ArchiveError> {
        let under = match cluster {
            Some(cluster) => format!("log/{}", folder_of(cluster)),
            None => "log".to_owned(),
        };
        let mut lines: BTreeMap<LineId, Vec<(LogName, u64)>> = BTreeMap::new();
        for object in self.store.list(&under).await? {
            if let Some(name) = LogName::parse(&object.name) {
                let line = lines.entry(name.line().clone()).or_default();
                line.push((name, object.bytes));
            }
        }
        let lines = lines.into_iter();
        Ok(lines.map(|(id, names)| TimeLine::of(id, names)).collect())
    }

    /// Stores a segment. When this returns it is durable.
    pub async fn put_segment(&self, name: &SegmentName, raw: Bytes) -> Result<u64, ArchiveError> {
        self.put_log(name.name(), raw).await
    }

    /// Stores an event.
    pub async fn put_event<T: Serialize>(
        &self,
        name: &EventName,
        event: &T,
    ) -> Result<(), ArchiveError> {
        let raw = serde_json::to_vec(event).map_err(|why| ChunkError::NotPacked {
            name: name.name(),
            why: why.to_string(),
        })?;
        self.put_log(name.name(), raw.into()).await.map(drop)
    }

    /// A segment, proven and taken apart.
    pub async fn segment(&self, name: &SegmentName) -> Result<Segment, ArchiveError> {
        let raw = self.log_object(name.name()).await?;
        Ok(Segment::parse(name, raw)?)
    }

    /// An event, proven.
    pub async fn event<T: DeserializeOwned>(&self, name: &EventName) -> Result<T, ArchiveError> {
        let name = name.name();
        let raw = self.log_object(name.clone()).await?;
        let event = serde_json::from_slice(&raw).map_err(|why| ChunkError::Unpacked {
            name,
            why: why.to_string(),
        })?;
        Ok(event)
    }

    /// Deletes objects of a time line. What is gone already is no error.
    pub async fn delete_log(&self, name: &LogName) -> Result<(), ArchiveError> {
        Ok(self.store.delete(&name.name()).await?)
    }

    /// Copies a line's objects that the other repository does not have; each is proven on the way.
    pub async fn copy_line(
        &self,
        to: &Repository,
        line: &TimeLine,
    ) -> Result<CopiedLog, ArchiveError> {
        let there = to.store.list(&line.id.place()).await?;
        let there: BTreeMap<&str, u64> = there
            .iter()
            .map(|object| (object.name.as_str(), object.bytes))
            .collect();
        let mut copied = CopiedLog::default();
        for (name, _) in &line.objects {
            let name = name.name();
            if there.contains_key(name.as_str()) {
                copied.already += 1;
                continue;
            }
            let raw = self.log_object(name.clone()).await?;
            copied.bytes += to.put_log(name, raw.into()).await?;
            copied.objects += 1;
        }
        Ok(copied)
    }

    async fn put_log(&self, name: String, raw: Bytes) -> Result<u64, ArchiveError> {
        let (level, keys, protection) = (self.level, self.keys.clone(), self.config.protection);
        let packing = name.clone();
        let packed = blocking(move || pack(&packing, &raw, level, protection, keys));
        let stored = packed.await?;
        let bytes = stored.len() as u64;
        self.store.put(&name, Bytes::from(stored)).await?;
        Ok(bytes)
    }

    async fn log_object(&self, name: String) -> Result<Vec<u8>, ArchiveError> {
        let stored = match self.store.get(&name, MOST + MOST_ADDED).await {
            Err(StoreError::NotFound { name, .. }) => {
                return Err(ChunkError::Missing { name }.into());
            }
            stored => stored?,
        };
        let (keys, protection) = (self.keys.clone(), self.config.protection);
        let raw = blocking(move || unpack(&name, &stored, protection, keys));
        Ok(raw.await?)
    }
}

fn pack(
    name: &str,
    raw: &[u8],
    level: i32,
    protection: Protection,
    keys: Option<Arc<Keys>>,
) -> Result<Vec<u8>, ChunkError> {
    match (protection, keys) {
        (Protection::Sealed, keys) => Ok(chunk::pack_as(name, raw, level, keys.as_deref())?.0),
        (Protection::Signed, Some(keys)) => {
            let (mut stored, _) = chunk::pack_as(name, raw, level, None)?;
            let signature = keys.sign_log(&stored);
            let length = (MAC.len() + signature.len()) as u32;
            stored.extend_from_slice(&SKIP);
            stored.extend_from_slice(&length.to_le_bytes());
            stored.extend_from_slice(MAC);
            stored.extend_from_slice(signature.as_bytes());
            Ok(stored)
        }
        _ => Ok(chunk::pack_as(name, raw, level, None)?.0),
    }
}

fn unpack(
    name: &str,
    stored: &[u8],
    protection: Protection,
    keys: Option<Arc<Keys>>,
) -> Result<Vec<u8>, ChunkError> {
    match (protection, keys) {
        (Protection::Sealed, keys) => chunk::unpack_as(name, stored, MOST, keys.as_deref()),
        (Protection::Signed, Some(keys)) => {
            let not_ours = || ChunkError::NotOurs {
                name: name.to_owned(),
            };
            let end = stored.len().checked_sub(TRAILER).ok_or_else(not_ours)?;
            let (stored, trailer) = stored.split_at(end);
            let signature = trailer.get(8..).and_then(|words| words.strip_prefix(MAC));
            let signature = signature.and_then(|digits| str::from_utf8(digits).ok());
            match signature.is_some_and(|signature| keys.is_log_signature(stored, signature)) {
                true => chunk::unpack_as(name, stored, MOST, None),
                false => Err(not_ours()),
            }
        }
        _ => chunk::unpack_as(name, stored, MOST, None),
    }
}
