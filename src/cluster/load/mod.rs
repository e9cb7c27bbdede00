//! The probe load of a drill: writes and reads on every shard, open loop by schedule, so that a server
//! that stalls cannot hide its stall, and every write remembered, so that it can be looked for later.
//!
//! Two see each shard. The *client* follows redirections and tries again, as the deployment's own
//! clients do; the *witness* sends each tick one write to every node of the shard and never again,
//! so it tells to the tick when the shard itself took writes. One clock serves all of it, and one
//! thread of its own, so that nothing else that a drill does makes it late.
//!
//! | file | what |
//! |---|---|
//! | `shard` | what is sent to one shard, tick by tick, and what comes of it |
//! | `client`, `line` | the client; connections that keep themselves up |
//! | `keys` | the names of its keys |
//! | `account` | every write looked for where it belongs now |
//! | `sweep` | what a drill that was cut off has left |

mod account;
mod client;
mod keys;
mod line;
mod shard;
mod sweep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::access::Access;
use super::aside::Aside;
use super::error::NodeError;
use super::node::Node;
use crate::model::{NodeAddr, Op, Outcome, SlotSet, Trace};

pub use account::{clean_up, read_back};
use keys::Keys;
use shard::Shard;
pub use sweep::sweep;

/// What the load is like.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// Writes, and as many reads, a second on each shard.
    pub rate: u32,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// How long each waits for one reply.
    pub client_timeout: Duration,
    /// How often the client follows a redirection or tries again.
    pub max_redirections: u32,
    /// How often the client asks for the slots anew without being told to.
    pub refresh: Duration,
    /// Whether the client tries again after an error that is no redirection.
    pub is_retrying: bool,
    /// What the keys of this round carry in their names.
    pub run: String,
    /// When keys that nobody removes go by themselves.
    pub expire: Duration,
}

/// A shard when the load begins.
#[derive(Debug, Clone)]
pub struct ShardAtStart {
    /// 1 is the first.
    pub number: usize,
    /// Its slots.
    pub slots: SlotSet,
    /// Its nodes, the master first.
    pub nodes: Vec<NodeAddr>,
}

/// A load under way. Dropped, it stops; its keys expire.
pub struct Load {
    began: Instant,
    shards: Vec<Arc<Shard>>,
    under_way: TaskTracker,
    driving: AbortOnDropHandle<()>,
    _aside: Aside,
}

/// All that happened.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What each shard met.
    pub traces: Vec<Trace>,
    /// 99th percentile of how late operations were sent.
    pub schedule_slip_p99_us: u64,
    written: Vec<Written>,
}

/// The writes on one shard.
#[derive(Debug, Default)]
struct Written {
    number: usize,
    writes: Vec<Write>,
    missed_reads: Vec<u64>,
    keys: Keys,
    accepted: Vec<(u64, usize)>,
}

/// A write that was tried.
#[derive(Debug, Clone, Copy)]
struct Write {
    number: u64,
    is_witness: bool,
    outcome: Outcome,
    ended_us: u64,
}

impl Write {
    fn of(number: u64, is_witness: bool, op: Op) -> Write {
        Write {
            number,
            is_witness,
            outcome: op.outcome,
            ended_us: op.due_us + op.took_us,
        }
    }
}

impl Load {
    /// Begins, once every shard's master was connected to.
    pub async fn start(
        access: &Access,
        shards: &[ShardAtStart],
        options: LoadOptions,
    ) -> Result<Load, NodeError> {
        for master in shards.iter().filter_map(|shard| shard.nodes.first()) {
            Node::connect(access, master).await?;
        }
        let access = Access {
            deadline: options.client_timeout,
            ..access.clone()
        };
        Ok(Load::on(Aside::start("load"), &access, shards, &options))
    }

    fn on(aside: Aside, access: &Access, shards: &[ShardAtStart], options: &LoadOptions) -> Load {
        let entered = aside.enter();
        // The lines come up while the first ticks are waited for.
        let began = Instant::now() + Duration::from_millis(100);
        let made: Vec<Arc<Shard>> = shards
            .iter()
            .map(|shard| Arc::new(Shard::of(access, shard, options, began)))
            .collect();
        let under_way = TaskTracker::new();
        let drive = drive(made.clone(), began, options.rate.max(1), under_way.clone());
        let driving = AbortOnDropHandle::new(tokio::spawn(drive));
        drop(entered);
        Load {
            began,
            driving,
            shards: made,
            under_way,
            _aside: aside,
        }
    }

    /// Where its clock began: every `_us` counts from here. A tenth of a second ahead at the start.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// When the witness was last answered well on that shard.
    pub fn last_good_us(&self, shard: usize) -> Option<u64> {
        let mut shards = self.shards.iter();
        shards.find(|own| own.number == shard)?.last_good_us()
    }

    /// Ends it, once what is under way has ended too.
    pub async fn stop(self) -> Ledger {
        drop(self.driving);
        self.under_way.close();
        // A client that tries again and again has its own end; this one is for the unforeseen.
        let end = Duration::from_secs(30);
        let _ = tokio::time::timeout(end, self.under_way.wait()).await;
        let mut ledger = Ledger::default();
        let mut slips = Vec::new();
        for shard in &self.shards {
            let (trace, written, shard_slips) = shard.take();
            ledger.traces.push(trace);
            ledger.written.push(written);
            slips.extend(shard_slips);
        }
        slips.sort_unstable();
        let at = slips.len().saturating_sub(1) * 99 / 100;
        ledger.schedule_slip_p99_us = slips.get(at).copied().map_or(0, u64::from);
        ledger
    }
}

/// Sends what is due, when it is due, on all shards at once: one waking serves them all. After a
/// hold-up all that was missed is sent at once and counts from when it was due.
async fn drive(shards: Vec<Arc<Shard>>, began: Instant, rate: u32, under_way: TaskTracker) {
    for number in 0_u64.. {
        let due_us = number * 1_000_000 / u64::from(rate);
        let due = began + Duration::from_micros(due_us);
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        for shard in &shards {
            shard.tick(number, due_us, &under_way);
        }
        // Whoever is far behind lets the answers in now and then.
        tokio::task::coop::consume_budget().await;
    }
}

/// How an operation ended that the server or the network refused.
fn outcome_of(error: &NodeError) -> Outcome {
    match error {
        NodeError::Timeout { .. } => Outcome::Timeout,
        NodeError::Refused { .. }
        | NodeError::Unreachable { .. }
        | NodeError::NoConnection { .. } => Outcome::NoConnection,
        NodeError::Server { said, .. } if said.starts_with("CLUSTERDOWN") => Outcome::Down,
        NodeError::Server { said, .. } if said.starts_with("MOVED") || said.starts_with("ASK") => {
            Outcome::Moved
        }
        NodeError::Server { .. } | NodeError::Loading { .. } | NodeError::Forbidden { .. } => {
            Outcome::Refused
        }
        _ => Outcome::Broken,
    }
}
