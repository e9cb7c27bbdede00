//! What one shard of so many takes on a node of a size, term by term, and how near that comes to
//! what the node gives.
//!
//! Two limits hold memory: `maxmemory`, of which only a part is to be full so that a burst does not
//! evict; and the memory of the node, in which fragmentation, what a fork copies and what a
//! resynchronisation buffers must fit as well.

use serde::Serialize;

use super::catalogue::NodeSize;
use super::demand::{Demand, USUAL_COPY_ON_WRITE};
use crate::health::Profile;

/// Of CPU, network and connections only so much is to be used: the rest is for bursts.
pub const BUSY: f64 = 0.7;
/// What the process and the system take besides, without modules.
const FIXED_BYTES: f64 = 100e6;
/// A full resynchronisation goes at 25 GB in 10 minutes, or at that part of a slower network.
const SYNC_BYTES_PER_SECOND: f64 = 25e9 / 600.0;
const SYNC_NETWORK_PART: f64 = 0.3;

/// What is to be held, and with what in hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask {
    /// Data at the end of the horizon for each byte today.
    pub growth: f64,
    /// Load at its busiest for each operation of the sample, growth included.
    pub load: f64,
    /// Replicas of each shard.
    pub replicas: usize,
    /// Of `maxmemory`, so much may be full at the end.
    pub full: f64,
}

/// What binds: the term that asks for this many shards and no fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Data, against what of `maxmemory` may be full.
    Memory,
    /// A single key, which no number of shards divides.
    LargestKey,
    /// Data with what forks copy and buffers take, against the memory of the node.
    Headroom,
    /// The thread that runs commands.
    Cpu,
    /// Bytes in and out.
    Network,
    /// Clients of a node, which more shards do not lower: each client connects to every master.
    Connections,
    /// Three masters at the least, so that two can elect when one is gone.
    Quorum,
    /// The number of shards that such an instance has.
    Instance,
}

/// The memory of one node at the end of the horizon, term by term.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Memory {
    /// Data today, of a shard that has exactly its share.
    pub data_bytes: f64,
    /// What it grows by.
    pub growth_bytes: f64,
    /// What the fullest shard has beyond its share.
    pub skew_bytes: f64,
    /// Backlog and buffers of clients.
    pub buffers_bytes: f64,
    /// Slots on their way in while the number of shards changes.
    pub reshard_bytes: f64,
    /// What the allocator cannot use.
    pub fragmentation_bytes: f64,
    /// What a fork copies while data changes.
    pub copy_on_write_bytes: f64,
    /// Writes kept for a replica that is built anew after a node was lost.
    pub resync_bytes: f64,
    /// The server, the system.
    pub fixed_bytes: f64,
    /// All of it.
    pub total_bytes: f64,
    /// What is left of the node.
    pub spare_bytes: f64,
}

/// How near a shard comes to what a node gives; 1 is all that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Load {
    /// Data against what of `maxmemory` may be full.
    pub memory: f64,
    /// All memory against the node's.
    pub headroom: f64,
    /// Whether a single key is more than half of that.
    pub is_one_key: bool,
    /// CPU against 70 % of the thread that runs commands; `None` when not measured.
    pub cpu: Option<f64>,
    /// Bytes against 70 % of the baseline; `None` when not measured or not published.
    pub network: Option<f64>,
    /// Clients against 70 % of the limit; `None` when not measured or not published.
    pub connections: Option<f64>,
}

/// How full `maxmemory` may be: a cache may evict when it must, sessions and data may not.
pub fn full(profile: Profile) -> f64 {
    match profile {
        Profile::Cache => 0.8,
        Profile::Session | Profile::Durable | Profile::Queue => 0.7,
    }
}

/// The memory of one node when there are so many shards.
pub fn memory(demand: &Demand, size: &NodeSize, ask: &Ask, shards: usize) -> Memory {
    let data = demand.data_bytes as f64 / shards as f64;
    let grown = data * ask.growth;
    let fullest = fullest(demand, grown);
    let buffers = demand.buffers_bytes as f64;
    // While a shard is added each of the others hands over a part of its own, slot by slot.
    let reshard = fullest / (shards + 1) as f64;
    let fragmentation = fullest * (demand.fragmentation - 1.0);
    let forks = match (demand.copy_on_write > 0.0, ask.replicas > 0) {
        (true, _) => demand.copy_on_write,
        // A replica is built from a fork even where nothing is saved.
        (false, true) => USUAL_COPY_ON_WRITE,
        (false, false) => 0.0,
    };
    let copied = fullest * demand.fragmentation * forks;
    let fixed = FIXED_BYTES + demand.startup_bytes as f64;
    let resync = resync_bytes(demand, size, ask, shards, fullest);
    let total = fullest + buffers + reshard + fragmentation + copied + resync + fixed;
    Memory {
        data_bytes: data,
        growth_bytes: grown - data,
        skew_bytes: fullest - grown,
        buffers_bytes: buffers,
        reshard_bytes: reshard,
        fragmentation_bytes: fragmentation,
        copy_on_write_bytes: copied,
        resync_bytes: resync,
        fixed_bytes: fixed,
        total_bytes: total,
        spare_bytes: size.memory_bytes - total,
    }
}

/// The fullest shard: its share by the skew seen, or its share and the largest key.
fn fullest(demand: &Demand, share: f64) -> f64 {
    let key = demand.largest_key_bytes.unwrap_or(0) as f64;
    (share * demand.memory_skew).max(share + key)
}

/// What is written while a replica is built anew, which its master must keep for it.
fn resync_bytes(demand: &Demand, size: &NodeSize, ask: &Ask, shards: usize, data: f64) -> f64 {
    if ask.replicas == 0 {
        return 0.0;
    }
    let written = demand.written_bytes_per_second.unwrap_or(0.0) * ask.load;
    written / shards as f64 * demand.load_skew * full_sync_seconds(size, data)
}

/// How long a replica takes that gets all data of its shard anew.
pub fn full_sync_seconds(size: &NodeSize, data_bytes: f64) -> f64 {
    let network = size.network_bytes_per_second.unwrap_or(f64::INFINITY);
    data_bytes / SYNC_BYTES_PER_SECOND.min(network * SYNC_NETWORK_PART)
}

/// How near one shard of so many comes to what the node gives.
pub fn load(demand: &Demand, size: &NodeSize, ask: &Ask, shards: usize) -> Load {
    let memory = memory(demand, size, ask, shards);
    let counted = memory.data_bytes
        + memory.growth_bytes
        + memory.skew_bytes
        + memory.buffers_bytes
        + memory.reshard_bytes;
    let share = demand.load_skew * ask.load / shards as f64;
    let against = |used: Option<f64>, given: Option<f64>| Some(used? / (given? * BUSY));
    Load {
        memory: counted / (size.maxmemory_bytes * ask.full),
        headroom: memory.total_bytes / size.memory_bytes,
        is_one_key: demand.largest_key_bytes.unwrap_or(0) as f64 * 2.0 > counted,
        cpu: against(
            demand.cores_busy.map(|cores| cores * share),
            Some(size.engine_cores),
        ),
        network: against(
            network(demand, ask).map(|bytes| bytes * share),
            size.network_bytes_per_second,
        ),
        connections: against(
            demand.connections_per_node.map(|clients| clients as f64),
            size.connections.map(|most| most as f64),
        ),
    }
}

/// Bytes a second of all masters, with as many replicas as are asked for.
fn network(demand: &Demand, ask: &Ask) -> Option<f64> {
    let both = demand.network_in_bytes_per_second? + demand.network_out_bytes_per_second?;
    let to_one = demand.written_bytes_per_second.unwrap_or(0.0);
    let counted = to_one * demand.replicas as f64;
    Some((both - counted).max(0.0) + to_one * ask.replicas as f64)
}

impl Load {
    /// The terms with how near each comes, in a fixed order; those that are not known are left out.
    pub fn terms(&self) -> Vec<(Term, f64)> {
        let memory = match self.is_one_key {
            true => Term::LargestKey,
            false => Term::Memory,
        };
        let known = |term, load: Option<f64>| load.map(|load| (term, load));
        [
            Some((memory, self.memory)),
            Some((Term::Headroom, self.headroom)),
            known(Term::Cpu, self.cpu),
            known(Term::Network, self.network),
            known(Term::Connections, self.connections),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The term that comes nearest, and how near.
    pub fn nearest(&self) -> (Term, f64) {
        let terms = self.terms().into_iter();
        let nearest = terms.max_by(|a, b| a.1.total_cmp(&b.1));
        nearest.unwrap_or((Term::Memory, self.memory))
    }

    /// Whether all of it fits.
    pub fn holds(&self) -> bool {
        self.nearest().1 <= 1.0
    }
}

impl Term {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Term::Memory => "memory",
            Term::LargestKey => "largest key",
            Term::Headroom => "headroom",
            Term::Cpu => "cpu",
            Term::Network => "network",
            Term::Connections => "connections",
            Term::Quorum => "quorum",
            Term::Instance => "instance",
        }
    }
}
