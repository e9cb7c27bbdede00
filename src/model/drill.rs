//! A drill as it was recorded: what was done, what the probe load met, what the nodes said of each
//! other meanwhile. Verdicts are made from this alone, so a recorded drill can be judged again.
//!
//! All moments of a round are microseconds on one monotonic clock that began with its load.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::form::Form;
use super::node::{NodeAddr, NodeId};
use super::topology::Role;

/// One run of `failover-test`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The version that recorded it.
    pub goodcache: String,
    /// When it began, in ms since the epoch.
    pub taken_at_ms: u64,
    /// The cluster's name, or the seed that was given.
    pub cluster: String,
    /// What a scenario calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What the servers' timing depends on.
    pub conditions: Conditions,
    /// The probe load.
    pub load: LoadShape,
    /// The shards as they were before the first round.
    pub shards: Vec<DrilledShard>,
    /// Every node that a sighting may name. Empty in recordings that name only victims.
    #[serde(default)]
    pub nodes: Vec<DrilledNode>,
    /// The rounds, in order.
    pub rounds: Vec<Round>,
}

/// What the servers' timing depends on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// `redis` or `valkey`.
    pub vendor: String,
    /// `7.0.15`.
    pub version: String,
    /// `cluster-node-timeout`; of Sentinels their `down-after-milliseconds`; 0 where nobody watches.
    pub node_timeout_ms: u64,
    /// `cluster-ping-interval`, where the server has it (Redis 8, Valkey 8).
    pub ping_interval_ms: Option<u64>,
    /// Masters with slots, which vote.
    pub masters: usize,
    /// All nodes.
    pub nodes: usize,
    /// `cluster-require-full-coverage`.
    pub is_full_coverage: bool,
    /// Whether every node writes an append-only file.
    pub is_append_only: bool,
    /// `min-replicas-to-write`: a new master with fewer linked replicas takes no writes.
    #[serde(default)]
    pub min_replicas_to_write: u64,
    /// In which form the servers stand together.
    #[serde(default, skip_serializing_if = "Form::is_cluster")]
    pub form: Form,
    /// The Sentinels, where they and not the nodes replace a master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<Watch>,
    /// `shutdown-timeout`, which a master that is stopped waits for its replicas at most.
    #[serde(default)]
    pub shutdown_timeout_ms: u64,
}

/// The Sentinels that replace a master.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// How many answered.
    pub sentinels: usize,
    /// How many must call the master dead.
    pub quorum: u64,
    /// How long a failover may take.
    pub failover_timeout_ms: u64,
}

impl Conditions {
    /// Whether nobody is there who would replace a master.
    pub fn is_unwatched(&self) -> bool {
        !self.form.is_cluster() && self.watched.is_none()
    }

    /// The setting behind `node_timeout_ms`: after so long without an answer a node is suspected.
    pub fn timeout_name(&self) -> &'static str {
        match self.watched {
            Some(_) => "down-after-milliseconds",
            None => "cluster-node-timeout",
        }
    }
}

/// The probe load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LoadShape {
    /// Writes, and as many reads, a second on each shard.
    pub rate: u32,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// How long the client waits for one reply.
    pub client_timeout_ms: u64,
    /// How often the client follows a redirection or tries again (`REDIS_CLUSTER_MAX_REDIRECTIONS`).
    pub max_redirections: u32,
}

/// A shard before the drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrilledShard {
    /// 1 is the first.
    pub number: usize,
    /// Its slots, as ranges: `0-5460`.
    pub slots: String,
    /// Its master.
    pub master: NodeAddr,
    /// Its replicas.
    pub replicas: Vec<NodeAddr>,
}

/// A node before the drill: sightings name nodes by id alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrilledNode {
    /// Its id.
    pub id: NodeId,
    /// The address by which it is reached from here.
    pub addr: NodeAddr,
    /// Its role before the first round.
    pub role: Role,
    /// Its shard, 1 is the first; `None` for a node without slots whose master has none either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<usize>,
    /// Its config epoch before the first round: only a higher one makes a promotion.
    #[serde(default)]
    pub epoch: u64,
}

/// One fault, from the load's first operation to the last reading back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// 1 is the first.
    pub number: usize,
    /// When its clock began, in ms since the epoch by this machine's clock.
    #[serde(default)]
    pub began_at_ms: u64,
    /// What a scenario calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a scenario allows it, where the command line does not say otherwise.
    #[serde(default)]
    pub budgets: Budgets,
    /// What was done.
    pub fault: Fault,
    /// To whom.
    pub targets: Vec<Victim>,
    /// A second fault that struck while the cluster was still recovering from the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
    /// Whether a master was expected to be replaced: `false` for the loss of a replica, of a whole
    /// shard or of the majority, and for faults that end before the node timeout.
    pub expects_promotion: bool,
    /// What goodcache did, and when.
    pub deeds: Vec<Deed>,
    /// What nodes said of nodes, each change once.
    pub sightings: Vec<Sighting>,
    /// What the probe load met, a shard each.
    pub traces: Vec<Trace>,
    /// What became of the writes, a shard each.
    pub writes: Vec<Account>,
    /// How the returned nodes got back into step.
    pub resyncs: Vec<Resync>,
    /// What the machines said: output of hooks, what somebody else had put back already.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// What had to be repaired by hand, such as a missing introduction.
    pub repairs: Vec<String>,
    /// What was still wrong at the end; empty when the cluster was whole.
    pub not_whole: Vec<String>,
    /// How far the probe's own schedule slipped, 99th percentile: times may be off by as much.
    pub schedule_slip_p99_us: u64,
}

/// What a drill may cost. An absent limit is not asked for here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// The longest time in all that a shard may take no writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_outage_ms: Option<u64>,
    /// Acknowledged writes that may be gone, in all shards together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lost_writes: Option<u64>,
    /// The longest time from the end of the healing until every shard has all its replicas again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_redundancy_ms: Option<u64>,
    /// The longest 99th percentile of write latency before the fault and after the outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_p99_ms: Option<u64>,
}

impl Budgets {
    /// What the deployment promises: promotion is automatic (10 s), replicated writes survive (none
    /// lost), and redundancy is back within a minute.
    pub fn promised() -> Budgets {
        Budgets {
            max_outage_ms: Some(10_000),
            max_lost_writes: Some(0),
            max_redundancy_ms: Some(60_000),
            max_p99_ms: None,
        }
    }

    /// These, and where they are silent those.
    #[must_use]
    pub fn or(self, those: Budgets) -> Budgets {
        Budgets {
            max_outage_ms: self.max_outage_ms.or(those.max_outage_ms),
            max_lost_writes: self.max_lost_writes.or(those.max_lost_writes),
            max_redundancy_ms: self.max_redundancy_ms.or(those.max_redundancy_ms),
            max_p99_ms: self.max_p99_ms.or(those.max_p99_ms),
        }
    }
}

/// A second failure during the recovery from a first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// What.
    pub fault: Fault,
    /// To whom.
    pub targets: Vec<Victim>,
    /// When it was asked for, in microseconds since the round began.
    pub at_us: u64,
}

/// A node that a fault was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Victim {
    /// Its id.
    pub id: NodeId,
    /// Its address.
    pub addr: NodeAddr,
    /// Its role before.
    pub role: Role,
    /// Its shard, 1 is the first.
    pub shard: usize,
    /// What it runs on: `container gc-redis-1`, `process 4711`, `hooks`.
    pub place: String,
}

/// Something that goodcache did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// When, in microseconds since the round began.
    pub at_us: u64,
    /// What.
    pub what: Act,
}

/// What goodcache does in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// The fault was asked for.
    FaultAsked,
    /// The engine, the system or the server said that it is done.
    FaultDone,
    /// Putting back was asked for.
    HealAsked,
    /// Putting back is done: the process runs, the network is connected.
    HealDone,
    /// Every view is sound and equal, and every replica is in step.
    Whole,
    /// The masters of before lead again.
    RolesRestored,
}

/// A change in what one node says of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When the answer that showed it came, in microseconds since the round began.
    pub at_us: u64,
    /// Who says so.
    pub by: NodeId,
    /// Of whom.
    pub of: NodeId,
    /// What.
    pub what: Change,
}

/// What a view may newly say of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// `fail?`.
    Suspected,
    /// `fail`.
    Failed,
    /// Neither any more.
    Cleared,
    /// A master with slots, by that config epoch.
    Leads(u64),
    /// A replica, or a master without slots.
    Follows,
    /// The observer itself answers no more.
    Silent,
    /// The observer itself answers again.
    Answers,
}

/// What the probe load met on one shard.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// 1 is the first.
    pub shard: usize,
    /// The bare witness: every tick one write to every node of the shard, never again; good as soon as
    /// one node accepts it.
    pub witness: Vec<Op>,
    /// Writes of the client, which follows redirections and tries again.
    pub writes: Vec<Op>,
    /// Its reads.
    pub reads: Vec<Op>,
}

/// One operation of the probe load. A recording holds tens of thousands, so each is written as a short
/// list: `[due_us, took_us, outcome]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u64, u64, Outcome)", from = "(u64, u64, Outcome)")]
pub struct Op {
    /// When it was due by the schedule; from here its latency counts.
    pub due_us: u64,
    /// How long after that it ended.
    pub took_us: u64,
    /// How.
    pub outcome: Outcome,
}

impl From<Op> for (u64, u64, Outcome) {
    fn from(op: Op) -> (u64, u64, Outcome) {
        (op.due_us, op.took_us, op.outcome)
    }
}

impl From<(u64, u64, Outcome)> for Op {
    fn from((due_us, took_us, outcome): (u64, u64, Outcome)) -> Op {
        Op {
            due_us,
            took_us,
            outcome,
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Acknowledged, or read as written.
    Good,
    /// CLUSTERDOWN.
    Down,
    /// MOVED or ASK, followed as often as allowed.
    Moved,
    /// READONLY, LOADING, MASTERDOWN, NOREPLICAS, TRYAGAIN or another refusal by the server.
    Refused,
    /// The connection could not be made.
    NoConnection,
    /// The connection ended in the middle: nobody knows what became of it.
    Broken,
    /// No reply in time: nobody knows what became of it.
    Timeout,
    /// A read that misses what was acknowledged before it began.
    Stale,
    /// Not sent: the client still had as much under way as it may.
    Unsent,
}

/// What became of the writes on one shard, read back after healing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// 1 is the first.
    pub shard: usize,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Acknowledged, and not there at the end.
    pub lost: u64,
    /// When the first and the last of the lost were acknowledged, in microseconds since the round began.
    pub lost_between_us: Option<(u64, u64)>,
    /// Missed by a read after the promotion, and there at the end.
    pub resurrected: u64,
    /// Neither acknowledged nor refused.
    pub indeterminate: u64,
    /// Of those: there at the end.
    pub indeterminate_present: u64,
    /// Refused, and there at the end.
    pub phantom: u64,
    /// Accepted by an old master when a new one had accepted writes already.
    pub split_brain: u64,
    /// Reads that missed an acknowledged write.
    pub stale_reads: u64,
    /// Keys that could not be read back.
    pub unread: u64,
}

/// How a node got back into step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resync {
    /// Who.
    pub node: NodeAddr,
    /// Whether all data was copied again.
    pub is_full: bool,
    /// Bytes that came over the replication link, as far as its master counts them.
    pub bytes: Option<u64>,
}

impl Round {
    /// When that was done first.
    pub fn first(&self, what: Act) -> Option<u64> {
        let mut deeds = self.deeds.iter().filter(|deed| deed.what == what);
        deeds.next().map(|deed| deed.at_us)
    }
}
