//! Where a repository lies: a folder or a bucket, which look alike from above.
//!
//! Objects are written whole: in a folder into a file beside it that is fsynced and then renamed, so
//! that an object is there with all its bytes or not at all. Every call has a deadline and a few
//! tries; what cannot pass by waiting (credentials, permissions, a full disk) is not tried again.

mod error;
mod folder;
mod open;

use std::fmt;
use std::future::Future;
use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path as Name;
use object_store::{GetResult, GetResultPayload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use error::Asked;
pub use error::StoreError;
pub use open::StoreOptions;

use super::buffers::Buffers;

/// How long a call may take and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To connect.
    pub connect: Duration,
    /// One try of a call that moves no data.
    pub call: Duration,
    /// What is waited for data at least, bytes a second: it lengthens the deadline of large objects.
    pub slowest: u64,
    /// Tries in all.
    pub tries: u32,
    /// The pause after the first failed try; each further one is twice as long.
    pub pause: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(30),
            slowest: 256 << 10,
            tries: 4,
            pause: Duration::from_millis(250),
        }
    }
}

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its name, from the repository's root.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// When it was written, ms since the epoch by the store's clock.
    pub written_ms: u64,
}

/// A folder or a bucket under a prefix.
#[derive(Clone)]
pub struct Store {
    inner: Arc<dyn ObjectStore>,
    prefix: Name,
    /// The root, of a folder.
    folder: Option<PathBuf>,
    place: String,
    limits: Limits,
    /// For objects that are read.
    buffers: Buffers,
}

impl Store {
    /// The store at an address: a path, `file://`, `s3://bucket/prefix`, `gs://` or `az://`. A folder
    /// that is missing is made (0700) only when asked; a bucket never.
    pub fn open(url: &str, create: bool, options: &StoreOptions) -> Result<Store, StoreError> {
        open::open(url, create, options)
    }

    /// One that lives as long as the value and its clones.
    pub fn memory() -> Store {
        open::memory(Limits::default())
    }

    /// Its address, as people know it.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Writes an object whole, over one that may be there.
    pub async fn put(&self, name: &str, body: Bytes) -> Result<(), StoreError> {
        self.put_as(name, &body, PutMode::Overwrite).await
    }

    /// Writes an object whole, unless there is one: that is [`StoreError::Exists`].
    pub async fn create(&self, name: &str, body: Bytes) -> Result<(), StoreError> {
        match self.put_as(name, &body, PutMode::Create).await {
            // An earlier try may have been carried out with its answer lost.
            Err(StoreError::Exists { .. })
                if self
                    .get(name, body.len() as u64)
                    .await
                    .is_ok_and(|there| there == body) =>
            {
                Ok(())
            }
            // Not every S3-compatible server knows If-None-Match.
            Err(StoreError::Failed { why, .. }) if is_not_implemented(&why) => {
                match self.head(name).await {
                    Err(StoreError::NotFound { .. }) => self.put(name, body).await,
                    Ok(_) => Err(StoreError::Exists {
                        name: name.to_owned(),
                        place: self.place.clone(),
                    }),
                    Err(error) => Err(error),
                }
            }
            result => result,
        }
    }

    async fn put_as(&self, name: &str, body: &Bytes, mode: PutMode) -> Result<(), StoreError> {
        self.must_be_there()?;
        let path = self.path(name);
        let moved = body.len() as u64;
        self.tried("write", name, moved, || async {
            let payload = PutPayload::from_bytes(body.clone());
            let options = mode.clone().into();
            self.inner.put_opts(&path, payload, options).await.map(drop)
        })
        .await
    }

    /// Reads an object whole; its size is asked for first, so that the deadline fits it and more than
    /// `most` bytes are [`StoreError::TooLarge`].
    pub async fn get(&self, name: &str, most: u64) -> Result<Bytes, StoreError> {
        let bytes = self.head(name).await?.bytes;
        if bytes > most {
            return Err(self.too_large(name, bytes));
        }
        self.get_sized(name, bytes).await
    }

    /// Reads an object that should have so many bytes whole. One that has more is not taken into memory:
    /// that is [`StoreError::TooLarge`].
    pub async fn get_sized(&self, name: &str, bytes: u64) -> Result<Bytes, StoreError> {
        let path = self.path(name);
        let read = || async {
            let got = self.inner.get(&path).await?;
            match got.meta.size {
                size if size > bytes => Ok(Err(size)),
                _ => self.whole(got).await.map(Ok),
            }
        };
        self.named(self.tried("read", name, bytes, read).await)?
            .map_err(|size| self.too_large(name, size))
    }

    /// Where what is read lies, and goes back to.
    pub(super) fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    async fn whole(&self, got: GetResult) -> object_store::Result<Bytes> {
        let size = got.range.end - got.range.start;
        let mut bytes = self.buffers.take(usize::try_from(size).unwrap_or(0));
        match got.payload {
            GetResultPayload::File(file, _) => {
                let reading = spawn_blocking(move || {
                    file.take(size).read_to_end(&mut bytes)?;
                    Ok::<_, io::Error>(bytes)
                });
                bytes = reading
                    .await?
                    .map_err(|source| object_store::Error::Generic {
                        store: "folder",
                        source: Box::new(source),
                    })?;
            }
            GetResultPayload::Stream(mut parts) => {
                while let Some(part) = parts.try_next().await? {
                    bytes.extend_from_slice(&part);
                }
            }
        }
        Ok(self.buffers.lend(bytes))
    }

    fn too_large(&self, name: &str, bytes: u64) -> StoreError {
        StoreError::TooLarge {
            name: name.to_owned(),
            place: self.place.clone(),
            bytes,
        }
    }

    /// Reads the bytes of a range; fewer when the object ends before.
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        let path = self.path(name);
        let moved = range.end.saturating_sub(range.start);
        let read = || async { self.inner.get_range(&path, range.clone()).await };
        self.named(self.tried("read", name, moved, read).await)
    }

    /// What is known of an object.
    pub async fn head(&self, name: &str) -> Result<Object, StoreError> {
        let path = self.path(name);
        let ask = || async { self.inner.head(&path).await };
        let meta = self.named(self.tried("read", name, 0, ask).await)?;
        Ok(self.object(&meta))
    }

    /// The objects under a beginning of names (whole parts between slashes), by name.
    pub async fn list(&self, under: &str) -> Result<Vec<Object>, StoreError> {
        self.must_be_there()?;
        let path = self.path(under);
        // A listing of hundreds of thousands takes its time: as if each thousand moved 256 KiB.
        let list = || async { self.inner.list(Some(&path)).try_collect::<Vec<_>>().await };
        let found = self.tried("list", under, 8 << 20, list).await?;
        let mut objects: Vec<Object> = found.iter().map(|meta| self.object(meta)).collect();
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// Whether nothing at all is there.
    pub async fn is_empty(&self) -> Result<bool, StoreError> {
        self.must_be_there()?;
        let first = || async { self.inner.list(Some(&self.prefix)).next().await.transpose() };
        Ok(self.tried("list", "anything", 0, first).await?.is_none())
    }

    /// Deletes an object. One that is not there is deleted already.
    pub async fn delete(&self, name: &str) -> Result<(), StoreError> {
        self.must_be_there()?;
        let path = self.path(name);
        let delete = || async { self.inner.delete(&path).await };
        match self.tried("delete", name, 0, delete).await {
            Err(StoreError::NotFound { .. }) => Ok(()),
            result => result,
        }
    }

    /// Deletes what a process that was killed while it wrote left beside the objects of a folder,
    /// under that beginning of names; says how many files and bytes.
    pub async fn delete_torn(&self, under: &str) -> Result<(u64, u64), StoreError> {
        match &self.folder {
            None => Ok((0, 0)),
            Some(root) => folder::delete_torn(root.join(under), self.place.clone()).await,
        }
    }

    /// Those files without deleting them: how many, how many bytes, and the latest's time in ms.
    pub(super) async fn torn(&self, under: &str) -> Result<folder::Torn, StoreError> {
        match &self.folder {
            None => Ok(folder::Torn::default()),
            Some(root) => folder::torn(root.join(under), self.place.clone()).await,
        }
    }

    /// A folder that is gone would be made anew by the next write: on the disk below, when it was
    /// a volume that is not mounted any more.
    fn must_be_there(&self) -> Result<(), StoreError> {
        match &self.folder {
            Some(root) if !root.is_dir() => Err(StoreError::Vanished {
                place: self.place.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// What is not found in a folder that is gone has not been deleted.
    fn named<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match result {
            Err(StoreError::NotFound { .. }) => {
                self.must_be_there()?;
                result
            }
            _ => result,
        }
    }

    async fn tried<T, F>(
        &self,
        what: &'static str,
        name: &str,
        moved: u64,
        call: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let asked = Asked {
            what,
            name,
            place: &self.place,
        };
        let after = self.deadline(moved);
        let mut pause = self.limits.pause;
        for _ in 1..self.limits.tries {
            match self.once(&asked, after, &call).await {
                Err(error) if error.is_passing() => sleep(pause).await,
                result => return result,
            }
            pause *= 2;
        }
        self.once(&asked, after, &call).await
    }

    async fn once<T, F>(
        &self,
        asked: &Asked<'_>,
        after: Duration,
        call: impl Fn() -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        match timeout(after, call()).await {
            Ok(result) => result.map_err(|error| asked.failed(&error)),
            Err(_) => Err(StoreError::Timeout {
                what: asked.what,
                name: asked.name.to_owned(),
                place: self.place.clone(),
                after,
            }),
        }
    }

    fn deadline(&self, moved: u64) -> Duration {
        self.limits.call + Duration::from_secs(moved / self.limits.slowest.max(1))
    }

    fn path(&self, name: &str) -> Name {
        let parts = self.prefix.parts().map(|part| part.as_ref().to_owned());
        let own = name
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned);
        Name::from_iter(parts.chain(own))
    }

    fn object(&self, meta: &object_store::ObjectMeta) -> Object {
        let name = meta
            .location
            .prefix_match(&self.prefix)
            .map(|parts| {
                parts
                    .map(|part| part.as_ref().to_owned())
                    .collect::<Vec<_>>()
                    .join("/")
            })
            .unwrap_or_default();
        Object {
            name,
            bytes: meta.size,
            written_ms: u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.place)
    }
}

fn is_not_implemented(why: &str) -> bool {
    why.contains("NotImplemented") || why.contains("not implemented") || why.contains("501")
}

#[cfg(test)]
mod tests;
