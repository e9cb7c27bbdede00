//! What a cluster holds now, to be compared with a snapshot: every shard's base is walked over as it
//! comes, and nothing of it is kept.
//!
//! Nothing is changed on the servers either, so a base begins as late as their own
//! `repl-diskless-sync-delay` wants. No cut is made: each shard is of the moment at which its base began.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::base::{Cutter, PieceSize};
use super::busy::Busy;
use super::capture::joined;
use super::changes::changed;
use super::keep::keys::{Keys, take};
use super::keywise::Keywise;
use super::look::{Depth, Ground, look};
use super::sources::{From, Source, sources};
use super::trouble::Trouble;
use super::turns::turns;
use crate::archive::SlotTable;
use crate::cluster::Access;
use crate::cluster::replica::Base;
use crate::model::{Events, NodeAddr, SlotSet, Topology};
use crate::rdb::{Digester, LONG, RdbError, Reader};

/// A cluster, and where each of its shards is read.
pub struct Live {
    access: Access,
    ground: Ground,
    topology: Topology,
    sources: Vec<Source>,
    /// How many of a machine's nodes fork at once.
    turns: BTreeMap<String, Arc<Semaphore>>,
}

impl Live {
    /// Looks at the cluster and chooses as a capture does.
    ///
    /// # Errors
    /// When it cannot be looked at, or a shard cannot be read.
    pub async fn choose(access: Access, ground: Ground) -> Result<Live, Trouble> {
        Live::choose_from(access, ground, From::Best).await
    }

    /// The same, from such nodes.
    ///
    /// # Errors
    /// When it cannot be looked at, or a shard cannot be read.
    pub async fn choose_from(access: Access, ground: Ground, from: From) -> Result<Live, Trouble> {
        let survey = look(&access, &ground, Depth::Load).await?;
        let topology = Topology::of(&survey);
        let busy = Busy::of(&survey, None);
        let sources = sources(&survey, &topology, from, false, &busy)?;
        let turns = turns(&survey, &sources, None).into_iter();
        Ok(Live {
            turns: turns
                .map(|(host, at_once)| (host, Arc::new(Semaphore::new(at_once))))
                .collect(),
            access,
            ground,
            topology,
            sources,
        })
    }

    /// Where it is read.
    pub fn addrs(&self) -> Vec<NodeAddr> {
        let addrs = self.sources.iter().map(|source| source.addr.clone());
        addrs.collect()
    }

    /// How many shards it has.
    pub fn shards(&self) -> usize {
        self.sources.len()
    }

    /// What each shard holds, slot by slot.
    pub(super) async fn tables(&self, events: &Events) -> Result<Vec<SlotTable>, Trouble> {
        let size = PieceSize::for_shards(self.shards());
        let tables = self.each(events, move |link| async move {
            let mut cutter = Cutter::new(size);
            let walk = |bytes: &[u8]| {
                cutter.push(bytes)?;
                while cutter.piece().is_some() {}
                Ok(())
            };
            link.walk(walk).await?;
            let finished = cutter.finish().map_err(|error| link.unreadable(error))?;
            Ok(finished.1.table)
        });
        tables.await
    }

    /// The keys of some slots, each with its hash.
    pub(super) async fn keys(&self, slots: &SlotSet, events: &Events) -> Result<Keys, Trouble> {
        let slots = Arc::new(slots.clone());
        let keys = self.each(events, move |link| {
            let slots = slots.clone();
            async move {
                let (mut reader, mut digester) = (Reader::in_parts(LONG), Digester::new());
                let mut keys = Keys::new();
                let walk = |bytes: &[u8]| {
                    reader.push(bytes);
                    take(&mut reader, &slots, &mut digester, &mut keys, false)
                };
                link.walk(walk).await?;
                reader.finish().map_err(|error| link.unreadable(error))?;
                Ok(keys)
            }
        });
        Ok(keys.await?.into_iter().flatten().collect())
    }

    /// Reads every shard, each in a task of its own. Slots that moved meanwhile would be seen twice, or
    /// not at all.
    pub(in crate::ops) async fn each<T: Send + 'static, F>(
        &self,
        events: &Events,
        read: impl Fn(Arc<Link>) -> F,
    ) -> Result<Vec<T>, Trouble>
    where
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        events.begin("reading what the cluster holds");
        let tasks = self.sources.iter().enumerate().map(|(shard, source)| {
            let link = Arc::new(Link {
                access: self.access.clone(),
                source: source.clone(),
                shard: shard + 1,
                now_ms: clock_ms,
            });
            let turn = self.turns.get(&source.host).cloned();
            let reading = read(link);
            AbortOnDropHandle::new(tokio::spawn(async move {
                let _turn = match &turn {
                    Some(turn) => turn.acquire().await.ok(),
                    None => None,
                };
                reading.await
            }))
        });
        let read = joined(tasks.collect()).await?;
        let after = look(&self.access, &self.ground, Depth::Brief).await?;
        match changed(&self.topology, &Topology::of(&after)) {
            Some(what) => Err(Trouble::Changed(what)),
            None => Ok(read),
        }
    }
}

/// Milliseconds since the epoch, by this machine's clock.
fn clock_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.ok()
        .and_then(|now| u64::try_from(now.as_millis()).ok())
        .unwrap_or(0)
}

/// The way to one shard.
pub(in crate::ops) struct Link {
    access: Access,
    source: Source,
    /// From 1.
    shard: usize,
    now_ms: fn() -> u64,
}

impl Link {
    /// Gives every byte of its base away as it comes.
    pub(in crate::ops) async fn walk(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), RdbError>,
    ) -> Result<(), Trouble> {
        let asked = Base::ask(&self.access, &self.source.addr).await;
        let mut base = match asked.map_err(|error| Trouble::of_asking(self.shard, error)) {
            Ok(base) => base,
            Err(Trouble::NoReplication { .. }) => return self.walk_keywise(take).await,
            Err(trouble) => return Err(trouble),
        };
        loop {
            let next = base.next().await;
            let shard = self.shard;
            let Some(bytes) = next.map_err(|error| Trouble::Source { shard, error })? else {
                return Ok(());
            };
            take(&bytes).map_err(|error| self.unreadable(error))?;
        }
    }

    /// The same where replication is refused: key by key, so of no one moment.
    async fn walk_keywise(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), RdbError>,
    ) -> Result<(), Trouble> {
        let opened = Keywise::open(&self.access, &self.source, self.shard, self.now_ms);
        let mut keywise = opened.await?;
        while let Some(flight) = keywise.next().await? {
            take(&flight.rdb).map_err(|error| self.unreadable(error))?;
        }
        Ok(())
    }

    fn unreadable(&self, error: RdbError) -> Trouble {
        Trouble::Sent {
            shard: self.shard,
            addr: self.source.addr.clone(),
            error,
        }
    }
}
