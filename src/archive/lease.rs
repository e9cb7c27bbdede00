//! Who follows a cluster into this repository: one at a time.
//!
//! A lease is an object that only one can create: `leases/<cluster>/<generation>.json`. Whoever holds it
//! writes it again and again with a higher count. When the count stands still for long enough another
//! creates the next generation; the store decides who was first, and the one before sees it at its next
//! beat. No clock of another machine is believed: whoever waits sees by its own how long the count stands.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::crypto;
use super::error::ArchiveError;
use super::hex;
use super::log::folder_of;
use super::repository::Repository;
use super::store::StoreError;

/// How often a holder says that it is there.
pub const BEAT: Duration = Duration::from_secs(5);
/// How long its count stands still before another takes over.
pub const STALE: Duration = Duration::from_secs(20);

/// The longest lease.
const MOST: u64 = 64 << 10;

/// Who holds a lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Since when, ms since the epoch by its own clock.
    pub since_ms: u64,
    /// Its machine's name.
    pub host: String,
    /// The process there.
    pub pid: u32,
    /// What only that machine can make something of: whether the process still runs.
    pub mark: Option<String>,
}

/// A lease as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it.
    #[serde(flatten)]
    pub holder: Holder,
    /// Which of the leases on that cluster.
    pub generation: u64,
    /// How often it was written.
    pub beat: u64,
    /// No two are alike.
    token: String,
}

/// What a beat found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beaten {
    /// It is still held.
    Held,
    /// It is not any more, and by whom that is so, where that is known.
    Lost(Option<Holder>),
}

impl Repository {
    /// The lease on a cluster; `None` when nobody has one.
    pub async fn lease(&self, cluster: &str) -> Result<Option<Lease>, ArchiveError> {
        let folder = folder(cluster);
        let Some(object) = self.store.list(&folder).await?.pop() else {
            return Ok(None);
        };
        match self.store.get(&object.name, MOST).await {
            // Given back since it was listed.
            Err(StoreError::NotFound { .. }) => Ok(None),
            stored => Ok(Some(parsed(&object.name, &stored?))),
        }
    }

    /// Takes the lease on a cluster behind the one that stands there; `None` when another was first.
    pub async fn take_lease(
        &self,
        cluster: &str,
        behind: Option<&Lease>,
        holder: Holder,
    ) -> Result<Option<Lease>, ArchiveError> {
        let lease = Lease {
            holder,
            generation: behind.map_or(1, |lease| lease.generation.saturating_add(1)),
            beat: 0,
            token: hex::encode(&crypto::random::<16>()?),
        };
        let name = name(cluster, lease.generation);
        match self.store.create(&name, body(&lease)).await {
            Err(StoreError::Exists { .. }) => return Ok(None),
            result => result?,
        }
        for object in self.store.list(&folder(cluster)).await? {
            if object.name < name {
                self.store.delete(&object.name).await?;
            }
        }
        Ok(Some(lease))
    }

    /// Says that the holder is there, if it still holds it.
    pub async fn beat_lease(
        &self,
        cluster: &str,
        lease: &mut Lease,
    ) -> Result<Beaten, ArchiveError> {
        match self.lease(cluster).await? {
            Some(now) if now.token == lease.token => {}
            now => return Ok(Beaten::Lost(now.map(|lease| lease.holder))),
        }
        lease.beat += 1;
        let own = name(cluster, lease.generation);
        self.store.put(&own, body(lease)).await?;
        Ok(Beaten::Held)
    }

    /// Gives it back, or takes away what is left of it.
    pub async fn release_lease(&self, cluster: &str, lease: &Lease) -> Result<(), ArchiveError> {
        let name = name(cluster, lease.generation);
        match self.store.get(&name, MOST).await {
            Ok(stored) if parsed(&name, &stored).token == lease.token => {
                Ok(self.store.delete(&name).await?)
            }
            _ => Ok(()),
        }
    }
}

fn folder(cluster: &str) -> String {
    format!("leases/{}", folder_of(cluster))
}

fn name(cluster: &str, generation: u64) -> String {
    format!("{}/{generation:020}.json", folder(cluster))
}

fn body(lease: &Lease) -> Bytes {
    serde_json::to_vec(lease).unwrap_or_default().into()
}

/// One that cannot be read is held by nobody known, until it is stale.
fn parsed(name: &str, stored: &[u8]) -> Lease {
    serde_json::from_slice(stored).unwrap_or_else(|_| {
        let number = name.rsplit('/').next().unwrap_or_default();
        let number = number.strip_suffix(".json").unwrap_or_default();
        Lease {
            holder: Holder::default(),
            generation: number.parse().unwrap_or(0),
            beat: 0,
            token: String::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::repository::Creation;
    use super::super::store::Store;
    use super::*;

    async fn plain() -> Repository {
        let creation = Creation::default();
        let made = Repository::create_or_open_in(Store::memory(), None, &creation).await;
        made.unwrap()
    }

    fn holder(pid: u32) -> Holder {
        Holder {
            pid,
            ..Holder::default()
        }
    }

    #[tokio::test]
    async fn one_at_a_time_holds_it() {
        let repository = plain().await;
        let take = async |behind: Option<&Lease>, pid| {
            let taken = repository.take_lease("shop", behind, holder(pid)).await;
            taken.unwrap()
        };
        assert_eq!(repository.lease("shop").await, Ok(None));
        let mut first = take(None, 1).await.unwrap();
        assert_eq!(take(None, 2).await, None);
        assert_eq!(
            repository.beat_lease("shop", &mut first).await,
            Ok(Beaten::Held)
        );
        let seen = repository.lease("shop").await.unwrap().unwrap();
        assert_eq!((seen.holder.pid, seen.beat), (1, 1));
        // It was silent for too long: of two that wait one is first.
        let mut second = take(Some(&seen), 2).await.unwrap();
        assert_eq!(take(Some(&seen), 3).await, None);
        assert_eq!(
            repository.beat_lease("shop", &mut first).await,
            Ok(Beaten::Lost(Some(holder(2))))
        );
        // What it gives back is its own.
        repository.release_lease("shop", &first).await.unwrap();
        assert_eq!(
            repository.beat_lease("shop", &mut second).await,
            Ok(Beaten::Held)
        );
        repository.release_lease("shop", &second).await.unwrap();
        assert_eq!(repository.lease("shop").await, Ok(None));
        // One that slept through all this finds nothing of its own, or another's of its number.
        assert_eq!(
            repository.beat_lease("shop", &mut first).await,
            Ok(Beaten::Lost(None))
        );
        take(None, 4).await.unwrap();
        assert_eq!(
            repository.beat_lease("shop", &mut first).await,
            Ok(Beaten::Lost(Some(holder(4))))
        );
        assert_eq!(repository.lease("other").await, Ok(None));
    }
}
