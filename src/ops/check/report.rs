//! What a check found, ready to be shown: the tables that a person reads are the lists that JSON
//! carries. `None` is "unknown" everywhere.

use serde::{Deserialize, Serialize};

use crate::model::{Finding, Form, Health, Losses, NodeAddr, NodeId, Role, Skipped, Withheld};

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The verdict.
    pub health: Health,
    /// The cluster in one row.
    pub cluster: ClusterRow,
    /// A row a node: shard by shard, the master first, then its replicas; strangers last.
    pub nodes: Vec<NodeRow>,
    /// A row a shard.
    pub shards: Vec<ShardRow>,
    /// A row a Sentinel, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sentinels: Vec<SentinelRow>,
    /// What is wrong, the gravest first.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub skipped: Vec<Skipped>,
}

/// The cluster in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// Its name in the settings, or the seed that was given.
    pub name: String,
    /// The managed service that it is, and by what that is known; `None` for servers of one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// What servers refuse to whoever asked, as far as that is known without trying.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<Withheld>,
    /// In which form the servers stand together. Outside of a cluster the master counts as the owner
    /// of all slots.
    #[serde(default, skip_serializing_if = "Form::is_cluster")]
    pub form: Form,
    /// `ok` when every node that answered says `cluster_state:ok`, `fail` when one says `fail`.
    pub state: Option<String>,
    /// Nodes that anybody knows.
    pub nodes_known: usize,
    /// Nodes that answered.
    pub nodes_answering: usize,
    /// Masters that own slots.
    pub masters: usize,
    /// Replicas.
    pub replicas: usize,
    /// Slots whose owner answers, of 16,384.
    pub slots_served: usize,
    /// Slots that somebody owns, of 16,384.
    pub slots_covered: usize,
    /// The highest epoch that anybody knows.
    pub current_epoch: Option<u64>,
    /// Keys in all masters.
    pub keys: Option<u64>,
    /// Memory in use by all masters.
    pub used_memory_bytes: Option<u64>,
    /// The sum of the masters' limits; `None` when one has none.
    pub maxmemory_bytes: Option<u64>,
    /// Commands a second, over the sample.
    pub ops_per_second: Option<f64>,
    /// Failed operations, in percent of operations; redirections are not failures.
    pub failed_percent: Option<f64>,
    /// Redirections (MOVED and ASK), in percent of operations.
    pub redirected_percent: Option<f64>,
    /// The versions met, such as `Redis 7.0.15`, each once.
    pub versions: Vec<String>,
    /// What each single loss of a host or zone would mean.
    pub survives: Losses,
}

/// A node in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Its id.
    pub id: Option<NodeId>,
    /// Where it was asked.
    pub addr: Option<NodeAddr>,
    /// Where it sends clients.
    pub announced: Option<NodeAddr>,
    /// Its host.
    pub host: String,
    /// Its zone.
    pub zone: Option<String>,
    /// Its role.
    pub role: Role,
    /// The number of its shard.
    pub shard: Option<usize>,
    /// Of a replica: its master's address.
    pub master: Option<NodeAddr>,
    /// `ok`, or what is the matter: `fail`, `fail?`, `timeout`, `refused`, `loading`...
    pub state: String,
    /// Its slots as ranges; empty for replicas.
    pub slots: String,
    /// How many slots.
    pub slot_count: usize,
    /// Its config epoch.
    pub epoch: Option<u64>,
    /// Of a replica: whether its link to the master is up.
    pub is_link_up: Option<bool>,
    /// Of a replica: bytes behind its master.
    pub lag_bytes: Option<u64>,
    /// Of a replica: estimated seconds behind (the larger of acknowledgement age beyond the usual second, and bytes over write rate).
    pub lag_seconds: Option<f64>,
    /// Keys.
    pub keys: Option<u64>,
    /// Memory in use.
    pub used_memory_bytes: Option<u64>,
    /// Its limit; `Some(0)` is no limit.
    pub maxmemory_bytes: Option<u64>,
    /// Connected clients.
    pub clients: Option<u64>,
    /// Commands a second, over the sample.
    pub ops_per_second: Option<f64>,
    /// Round trip of a PING: the fastest.
    pub ping_min_us: Option<u64>,
    /// The median.
    pub ping_p50_us: Option<u64>,
    /// The 99th percentile.
    pub ping_p99_us: Option<u64>,
    /// `Redis 7.0.15`.
    pub version: Option<String>,
    /// Since its start.
    pub uptime_seconds: Option<u64>,
}

/// A shard in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShardRow {
    /// Its number, 1 is the first.
    pub shard: usize,
    /// Its master's address.
    pub master: Option<NodeAddr>,
    /// Its replicas' addresses.
    pub replicas: Vec<NodeAddr>,
    /// Replicas that answer and whose link is up.
    pub replicas_in_sync: usize,
    /// Its slots as ranges.
    pub slots: String,
    /// How many.
    pub slot_count: usize,
    /// Keys.
    pub keys: Option<u64>,
    /// Memory in use by the master.
    pub used_memory_bytes: Option<u64>,
    /// Commands a second at the master, over the sample.
    pub ops_per_second: Option<f64>,
}

/// A Sentinel in one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentinelRow {
    /// Where it was asked.
    pub addr: NodeAddr,
    /// `ok`, or how it was silent.
    pub state: String,
    /// The name of the master that is meant.
    pub name: Option<String>,
    /// Where it sees that master, as the master announces itself.
    pub master: Option<NodeAddr>,
    /// How it flags the master when it holds it for down: `s_down`, `o_down`.
    pub master_flags: Option<String>,
    /// How many Sentinels must call the master dead.
    pub quorum: Option<u64>,
    /// How many Sentinels it knows, itself included.
    pub sentinels: Option<usize>,
    /// How many replicas it knows.
    pub replicas: Option<usize>,
    /// After how long without a sound reply it holds a server for down.
    pub down_after_ms: Option<u64>,
    /// How long a failover may take.
    pub failover_timeout_ms: Option<u64>,
    /// `Redis 7.0.15`.
    pub version: Option<String>,
}
