//! A repository: opened or made, asked for its snapshots, read from.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::task::spawn_blocking;

use super::buffers::Buffers;
use super::chunk::{self, ChunkError, Proof};
use super::config::{self, Config};
use super::crypto::{self, Cost, CryptoError, DataKey, Keys, Protection};
use super::envelope;
use super::error::ArchiveError;
use super::hex;
use super::id::{Identity, Kind, SnapshotId};
use super::identity;
use super::manifest::{Chunk, Manifest};
use super::slots::SlotTable;
use super::store::{Store, StoreError, StoreOptions};
use crate::model::{Secret, SlotSet};

/// How to reach a repository.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// A folder, `file://`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`.
    pub url: String,
    /// Its passphrase.
    pub passphrase: Option<Secret>,
    /// How to reach the store.
    pub options: StoreOptions,
}

/// How a repository is made when there is none yet.
#[derive(Debug, Clone, Default)]
pub struct Creation {
    /// What the passphrase protects; by default all when there is one.
    pub protection: Option<Protection>,
    /// What deriving a key from it costs.
    pub cost: Cost,
    /// Age recipients (`age1...`) whose identities open it too.
    pub recipients: Vec<String>,
    /// Now, ms since the epoch.
    pub now_ms: u64,
}

/// An opened repository. Clones share it.
#[derive(Debug, Clone)]
pub struct Repository {
    pub(super) store: Store,
    pub(super) config: Arc<Config>,
    pub(super) keys: Option<Arc<Keys>>,
    pub(super) level: i32,
    /// For objects that are read.
    buffers: Buffers,
}

/// What of a shard is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// Its base.
    Base,
    /// Its log.
    Log,
}

/// One object of a shard, proven and unpacked.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece<'a> {
    /// What the manifest says of it.
    pub chunk: &'a Chunk,
    /// Its raw bytes.
    pub raw: Bytes,
}

impl Repository {
    /// Opens the one at that place.
    pub async fn open(access: &Access) -> Result<Repository, ArchiveError> {
        let store = Store::open(&access.url, false, &access.options)?;
        Repository::open_in(store, access.passphrase.as_ref()).await
    }

    /// Opens the one at that place, or makes one where nothing is. A folder is made with it; a bucket
    /// must be there.
    pub async fn create_or_open(
        access: &Access,
        creation: &Creation,
    ) -> Result<Repository, ArchiveError> {
        let store = Store::open(&access.url, true, &access.options)?;
        Repository::create_or_open_in(store, access.passphrase.as_ref(), creation).await
    }

    /// The same in a store that is open already.
    pub async fn create_or_open_in(
        store: Store,
        passphrase: Option<&Secret>,
        creation: &Creation,
    ) -> Result<Repository, ArchiveError> {
        match Repository::open_in(store.clone(), passphrase).await {
            Err(ArchiveError::NoRepository { place }) => {
                if !store.is_empty().await? {
                    return Err(ArchiveError::NotEmpty { place });
                }
                make(&store, passphrase, creation).await?;
                // Whoever was first has made it.
                Repository::open_in(store, passphrase).await
            }
            result => result,
        }
    }

    /// Opens the one in a store that is open already.
    pub async fn open_in(
        store: Store,
        passphrase: Option<&Secret>,
    ) -> Result<Repository, ArchiveError> {
        let place = store.place().to_owned();
        let stored = match store.get(config::NAME, config::MOST).await {
            Err(StoreError::NotFound { .. }) => return Err(ArchiveError::NoRepository { place }),
            stored => stored?,
        };
        let config = parse(&stored, &place)?;
        let keys = keys_of(&config, passphrase, place).await?;
        Ok(Repository {
            config: Arc::new(config),
            keys: keys.map(Arc::new),
            buffers: store.buffers().clone(),
            store,
            level: 1,
        })
    }

    /// With another zstd level than 1.
    pub fn with_level(mut self, level: i32) -> Repository {
        self.level = level.clamp(1, 19);
        self
    }

    /// Where it lies.
    pub fn place(&self) -> &str {
        self.store.place()
    }

    /// What its passphrase protects.
    pub fn protection(&self) -> Protection {
        self.config.protection
    }

    /// The snapshots, oldest first. Their manifests are not read.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotId>, ArchiveError> {
        let objects = self.store.list("snapshots").await?;
        let suffix = self.suffix();
        Ok(objects
            .iter()
            .filter_map(|object| {
                let name = object.name.strip_prefix("snapshots/")?;
                name.strip_suffix(suffix)?.parse().ok()
            })
            .collect())
    }

    /// The snapshot that is meant by its name, by a beginning that no other has, or by `latest`.
    pub async fn find(&self, asked: &str) -> Result<SnapshotId, ArchiveError> {
        let place = || self.place().to_owned();
        let mut all = self.snapshots().await?;
        let Some(latest) = all.last().cloned() else {
            return Err(ArchiveError::NoSnapshots { place: place() });
        };
        if asked == "latest" {
            return Ok(latest);
        }
        all.retain(|id| !asked.is_empty() && id.as_str().starts_with(asked));
        match (all.pop(), all.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(ArchiveError::NoSuchSnapshot {
                place: place(),
                asked: asked.to_owned(),
                latest: Some(latest),
            }),
            (Some(last), false) => {
                all.push(last);
                let asked = asked.to_owned();
                Err(ArchiveError::Ambiguous { asked, found: all })
            }
        }
    }

    /// The manifest of a snapshot named as for [`Repository::find`], proven.
    pub async fn manifest(&self, asked: &str) -> Result<Manifest, ArchiveError> {
        let id = self.find(asked).await?;
        self.manifest_of(&id).await
    }

    /// The manifest of that very snapshot, proven.
    pub async fn manifest_of(&self, id: &SnapshotId) -> Result<Manifest, ArchiveError> {
        let stored = match self
            .store
            .get(&self.manifest_name(id), envelope::MOST)
            .await
        {
            Err(StoreError::NotFound { place, .. }) => {
                let (asked, latest) = (id.to_string(), None);
                return Err(ArchiveError::NoSuchSnapshot {
                    place,
                    asked,
                    latest,
                });
            }
            stored => stored?,
        };
        let keys = self.keys.as_deref();
        Ok(envelope::decode(id, &stored, self.config.protection, keys)?)
    }

    /// The objects of a shard in order, each proven and unpacked, `ahead` of them read at a time; of a
    /// set of slots, those objects that may hold any of them. The memory it takes is `ahead` objects.
    pub fn pieces<'a>(
        &'a self,
        manifest: &'a Manifest,
        shard: usize,
        stretch: Stretch,
        slots: Option<&SlotSet>,
        ahead: usize,
    ) -> impl Stream<Item = Result<Piece<'a>, ArchiveError>> + 'a {
        let (chunks, kind) = match (manifest.shards.get(shard), stretch) {
            (None, _) => (&[][..], Kind::base()),
            (Some(shard), Stretch::Base) => (shard.base.as_slice(), Kind::base()),
            (Some(shard), Stretch::Log) => (shard.log.as_slice(), Kind::log()),
        };
        let chosen: Vec<(Identity, &Chunk)> = (0..)
            .zip(chunks)
            .filter(|(_, chunk)| slots.is_none_or(|slots| chunk.touches(slots)))
            .map(|(seq, chunk)| {
                let identity = Identity {
                    snapshot: manifest.id.clone(),
                    shard: u32::try_from(shard).ok(),
                    kind: kind.clone(),
                    seq,
                };
                (identity, chunk)
            })
            .collect();
        stream::iter(chosen)
            .map(move |(identity, chunk)| async move {
                let raw = self.read(&identity, chunk).await?;
                Ok(Piece { chunk, raw })
            })
            .buffered(ahead.max(1))
    }

    /// A shard's table of slots; `None` when the snapshot has none of it.
    pub async fn slot_table(
        &self,
        manifest: &Manifest,
        shard: usize,
    ) -> Result<Option<SlotTable>, ArchiveError> {
        let Some(chunk) = manifest
            .shards
            .get(shard)
            .and_then(|shard| shard.slot_table.as_ref())
        else {
            return Ok(None);
        };
        let identity = Identity {
            snapshot: manifest.id.clone(),
            shard: u32::try_from(shard).ok(),
            kind: Kind::slots(),
            seq: 0,
        };
        let raw = self.read(&identity, chunk).await?;
        let table = serde_json::from_slice(&raw).map_err(|why| ChunkError::Unpacked {
            name: identity.name(),
            why: why.to_string(),
        })?;
        Ok(Some(table))
    }

    /// What the snapshot keeps of that kind for the cluster as a whole, in order.
    pub async fn parts(
        &self,
        manifest: &Manifest,
        kind: &Kind,
    ) -> Result<Vec<Vec<u8>>, ArchiveError> {
        let mut found = Vec::new();
        for (identity, chunk) in manifest.objects() {
            if identity.shard.is_none() && identity.kind == *kind {
                found.push(self.read(&identity, chunk).await?.to_vec());
            }
        }
        Ok(found)
    }

    /// One object, proven and unpacked.
    pub async fn read(&self, identity: &Identity, chunk: &Chunk) -> Result<Bytes, ArchiveError> {
        self.read_by(identity, chunk, Proof::StoredAndRaw).await
    }

    /// The same, proven so far.
    pub async fn read_by(
        &self,
        identity: &Identity,
        chunk: &Chunk,
        proof: Proof,
    ) -> Result<Bytes, ArchiveError> {
        let stored = self.fetch(identity, chunk.stored_bytes).await?;
        let (identity, sizes, keys) = (identity.clone(), chunk.sizes(), self.keys_for_objects());
        let buffers = self.buffers.clone();
        let raw = blocking(move || {
            let keys = keys.as_deref();
            chunk::unpack_within(&buffers, &identity, &stored, &sizes, keys, proof)
        });
        Ok(raw.await?)
    }

    /// One object's stored bytes, unproven.
    pub(super) async fn fetch(
        &self,
        identity: &Identity,
        bytes: u64,
    ) -> Result<Bytes, ArchiveError> {
        match self.store.get_sized(&identity.name(), bytes).await {
            Err(StoreError::NotFound { name, .. }) => Err(ChunkError::Missing { name }.into()),
            Err(StoreError::TooLarge {
                name, bytes: found, ..
            }) => {
                let expected = bytes;
                let swapped = self.whose(identity, &name).await?;
                let too_long = ChunkError::TooLong {
                    name,
                    expected,
                    found,
                };
                Err(swapped.unwrap_or(too_long).into())
            }
            stored => Ok(stored?),
        }
    }

    /// An object that is too long to be taken whole may be another, which its first bytes tell.
    async fn whose(
        &self,
        identity: &Identity,
        name: &str,
    ) -> Result<Option<ChunkError>, ArchiveError> {
        let head = self.store.get_range(name, 0..chunk::LONGEST_HEAD).await?;
        Ok(chunk::other_than(identity, &head))
    }

    pub(super) fn keys_for_objects(&self) -> Option<Arc<Keys>> {
        match self.config.protection {
            Protection::Sealed => self.keys.clone(),
            Protection::None | Protection::Signed => None,
        }
    }

    /// The name of a snapshot's manifest in the repository.
    pub fn manifest_place(&self, id: &SnapshotId) -> String {
        self.manifest_name(id)
    }

    pub(super) fn manifest_name(&self, id: &SnapshotId) -> String {
        format!("snapshots/{id}{}", self.suffix())
    }

    fn suffix(&self) -> &'static str {
        match self.config.protection {
            Protection::Sealed => ".sealed",
            Protection::None | Protection::Signed => ".json",
        }
    }
}

/// Work that takes a core, away from the async threads. It does not panic; were it to, so would this.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends: nobody waits for the answer.
            Err(_) => std::future::pending().await,
        },
    }
}

fn parse(stored: &[u8], place: &str) -> Result<Config, ArchiveError> {
    let bad = |why: String| ArchiveError::BadConfig {
        place: place.to_owned(),
        why,
    };
    // The format first: a newer one may have other keys altogether.
    let value: serde_json::Value =
        serde_json::from_slice(stored).map_err(|why| bad(why.to_string()))?;
    let format = value
        .get("goodcache_repository")
        .and_then(serde_json::Value::as_u64);
    match format.map(u32::try_from) {
        None => Err(bad("it is no config of goodcache's".to_owned())),
        Some(found) if found != Ok(config::FORMAT) => Err(ArchiveError::Newer {
            place: place.to_owned(),
            found: found.unwrap_or(u32::MAX),
        }),
        Some(_) => serde_json::from_value(value).map_err(|why| bad(why.to_string())),
    }
}

async fn keys_of(
    config: &Config,
    passphrase: Option<&Secret>,
    place: String,
) -> Result<Option<Keys>, ArchiveError> {
    match (config.protection, passphrase, &config.key) {
        (Protection::None, None, _) => Ok(None),
        (Protection::None, Some(_), _) => Err(ArchiveError::NotProtected { place }),
        (_, None, _) => Err(ArchiveError::NeedsPassphrase { place }),
        (_, Some(secret), _) if identity::is_identity(secret) => {
            let data = identity::unwrap(&config.recipients, secret, &config.bound())?;
            Ok(Some(data.keys()))
        }
        (_, Some(_), None) if !config.recipients.is_empty() => {
            Err(CryptoError::WrongIdentity.into())
        }
        (_, Some(_), None) => Err(ArchiveError::BadConfig {
            place,
            why: "it has no key".to_owned(),
        }),
        (_, Some(passphrase), Some(wrapped)) => {
            let (passphrase, wrapped, bound) =
                (passphrase.clone(), wrapped.clone(), config.bound());
            let keys = blocking(move || Keys::open(&passphrase, &wrapped, &bound)).await?;
            Ok(Some(keys))
        }
    }
}

async fn make(
    store: &Store,
    passphrase: Option<&Secret>,
    creation: &Creation,
) -> Result<(), ArchiveError> {
    let protection = match (creation.protection, passphrase) {
        (Some(Protection::None) | None, None) => Protection::None,
        (Some(_), None) => {
            let place = store.place().to_owned();
            return Err(ArchiveError::NeedsPassphrase { place });
        }
        (chosen, Some(_)) => chosen.unwrap_or(Protection::Sealed),
    };
    let mut config = Config {
        goodcache_repository: config::FORMAT,
        id: hex::encode(&crypto::random::<16>()?),
        goodcache: env!("CARGO_PKG_VERSION").to_owned(),
        created_at_ms: creation.now_ms,
        protection,
        key: None,
        recipients: Vec::new(),
    };
    if let (Protection::Signed | Protection::Sealed, Some(secret)) = (protection, passphrase) {
        let (data, bound) = (DataKey::new()?, config.bound());
        let mut recipients = creation.recipients.clone();
        if identity::is_identity(secret) {
            recipients.push(identity::recipient_of(secret)?);
        }
        recipients.sort();
        recipients.dedup();
        let wrap = |recipient: &String| identity::wrap(&data, recipient, &bound);
        config.recipients = recipients.iter().map(wrap).collect::<Result<_, _>>()?;
        if !identity::is_identity(secret) {
            let (secret, cost) = (secret.clone(), creation.cost);
            config.key = Some(blocking(move || data.wrap(&secret, cost, &bound)).await?);
        }
    }
    let body = serde_json::to_vec_pretty(&config).map_err(|why| ArchiveError::BadConfig {
        place: store.place().to_owned(),
        why: why.to_string(),
    })?;
    match store.create(config::NAME, body.into()).await {
        Err(StoreError::Exists { .. }) => Ok(()),
        result => Ok(result?),
    }
}
