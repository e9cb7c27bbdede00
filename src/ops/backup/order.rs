//! What a capture is asked for, what it works with, and what comes of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use super::gauge::Gauges;
use super::look::Ground;
use super::sources::{From, Source};
use crate::archive::{Manifest, Repository, Run, SnapshotId};
use crate::cluster::{Access, Momentary};
use crate::model::Events;

/// How long clearing away may take: a store that hangs has cost enough time already.
const CLEARING: Duration = Duration::from_secs(10);

/// How a snapshot is taken.
#[derive(Debug, Clone)]
pub struct Options {
    /// The cluster's name.
    pub cluster: String,
    /// Which nodes may be read.
    pub from: From,
    /// How they are read.
    pub via: Via,
    /// How values come over the wire.
    pub wire: Wire,
    /// How the cut is made.
    pub cut: Cut,
    /// The most that is read a second, in bytes.
    pub rate: Option<u64>,
    /// How many nodes of one machine fork at once, when not as its memory allows.
    pub parallel: Option<usize>,
    /// Take what is served although slots are served by nobody.
    pub is_partial: bool,
    /// Who runs this.
    pub run: Run,
    /// Words put on the snapshot.
    pub labels: BTreeMap<String, String>,
    /// The clock, ms since the epoch.
    pub now_ms: fn() -> u64,
}

/// How nodes are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Via {
    /// By replication; key by key where that is not permitted.
    #[default]
    Auto,
    /// By replication only.
    Replication,
    /// Key by key.
    Scan,
}

/// How the values of a base come over the wire. Servers pack long ones (LZF), which may cost their
/// child more than all the rest, and ours are packed again, and better.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wire {
    /// As they are from a node on this machine, as its settings say from any other.
    #[default]
    Auto,
    /// As they are.
    Plain,
    /// Packed.
    Packed,
}

/// How the cut through all shards is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Writes are paused on all masters for a few round trips. The servers themselves end the pause
    /// after so long, whatever becomes of us.
    Barrier(Duration),
    /// So where pausing is permitted, else by the clock.
    Best(Duration),
    /// At one time of our clock, without asking anybody: apart by what is on its way.
    Clock,
}

/// Where it is taken from and where it goes.
#[derive(Clone)]
pub struct Place {
    /// The way to the cluster.
    pub access: Access,
    /// What is there.
    pub ground: Ground,
    /// Where it is stored.
    pub repository: Repository,
    /// The servers' settings that are changed on the way.
    pub settings: Momentary,
    /// The snapshot under way: what is dropped half-way is given up by this name.
    pub under_way: UnderWay,
    /// Where it is told what happens.
    pub events: Events,
    /// Where it is shown how far it is.
    pub watch: Watching,
    /// Who hears of each base that begins, as long as it can still be gone on with.
    pub begun: Option<BaseWatch>,
}

/// Hears of bases that begin.
pub type BaseWatch = Arc<dyn Fn(Beginning) + Send + Sync>;

/// A shard's base has begun.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// Of which snapshot: another try has another name.
    pub snapshot: SnapshotId,
    /// Which shard, from 0.
    pub shard: usize,
    /// How many there are.
    pub shards: usize,
    /// Where it is read.
    pub source: Source,
    /// The history that it belongs to.
    pub replid: String,
    /// The offset at which its log goes on.
    pub offset: u64,
}

/// What is under way and outlives a capture that is dropped. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct UnderWay {
    id: Arc<Mutex<Option<SnapshotId>>>,
    /// Held while writes are paused.
    pub(super) pause: Arc<tokio::sync::Mutex<()>>,
}

/// Gets the gauges of each try.
pub type Watching = Arc<dyn Fn(&Arc<Gauges>) + Send + Sync>;

/// A snapshot that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// All about it.
    pub manifest: Manifest,
    /// What had to be told on the way.
    pub remarks: Vec<String>,
    /// How many tries it took.
    pub tries: u32,
    /// Slots that the logs change after the bases.
    pub logged_slots: usize,
    /// Bytes of the logs.
    pub log_bytes: u64,
}

impl UnderWay {
    /// The snapshot that was begun and neither finished nor given up.
    pub fn id(&self) -> Option<SnapshotId> {
        let id = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        id.clone()
    }

    /// Ends it after the capture was dropped: writes are let go, and what was stored is thrown away.
    /// What cannot be cleared away now is swept by a later run.
    pub async fn end(&self, repository: &Repository) {
        drop(self.pause.lock().await);
        let Some(id) = self.id() else { return };
        let _ = timeout(CLEARING, repository.discard(&id)).await;
        self.set(None);
    }

    pub(super) fn set(&self, id: Option<SnapshotId>) {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = id;
    }
}
