//! One shard under load: what is sent to it, tick by tick, and what comes of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::keys::Keys;
use super::line::Line;
use super::{LoadOptions, ShardAtStart, Write, Written, outcome_of};
use crate::cluster::access::Access;
use crate::cluster::node::Command;
use crate::model::{Op, Outcome, Trace};

/// A read asks for what was acknowledged so long ago: younger than that a replica may lack it.
const SETTLED_US: u64 = 100_000;
/// How many seconds of operations may be under way on a shard before new ones are not sent.
const MOST_SECONDS_UNDER_WAY: usize = 15;

/// A shard under load.
pub(super) struct Shard {
    pub(super) number: usize,
    began: Instant,
    keys: Keys,
    lines: Vec<Line>,
    client: Arc<Client>,
    options: LoadOptions,
    value: Vec<u8>,
    last_good_us: AtomicU64,
    room: Semaphore,
    met: Mutex<Met>,
}

/// All that happened.
#[derive(Default)]
struct Met {
    trace: Trace,
    writes: Vec<Write>,
    missed_reads: Vec<u64>,
    /// When a write of the witness was accepted, and by which line.
    accepted: Vec<(u64, usize)>,
    /// Acknowledged by the client, not yet settled: when, and which.
    settling: VecDeque<(u64, u64)>,
    readable: Option<u64>,
    slips_us: Vec<u32>,
}

impl Shard {
    pub(super) fn of(
        access: &Access,
        shard: &ShardAtStart,
        options: &LoadOptions,
        began: Instant,
    ) -> Shard {
        let keys = Keys::of(&options.run, &shard.slots);
        let lines = shard.nodes.iter().map(|addr| Line::to(access, addr));
        let slot = keys.slots().next();
        Shard {
            number: shard.number,
            began,
            lines: lines.collect(),
            client: Client::of(access, &shard.nodes, slot, options),
            keys,
            options: options.clone(),
            value: vec![b'x'; options.value_bytes],
            last_good_us: AtomicU64::new(0),
            room: Semaphore::new(options.rate as usize * 2 * MOST_SECONDS_UNDER_WAY),
            met: Mutex::default(),
        }
    }

    /// When the witness was last answered well.
    pub(super) fn last_good_us(&self) -> Option<u64> {
        match self.last_good_us.load(Ordering::Relaxed) {
            0 => None,
            at => Some(at),
        }
    }

    /// Sends a write to every node of the shard, never again (the witness), and a write and a read of
    /// the client, which leave together.
    pub(super) fn tick(self: &Arc<Shard>, number: u64, due_us: u64, under_way: &TaskTracker) {
        let [witness, write, read] = [(); 3].map(|()| Arc::clone(self));
        under_way.spawn(async move { witness.witness(number, due_us).await });
        under_way.spawn(async move { write.write(number, due_us).await });
        under_way.spawn(async move { read.read(due_us).await });
    }

    fn now_us(&self) -> u64 {
        micros_of(self.began.elapsed())
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn op(&self, due_us: u64, outcome: Outcome) -> Op {
        Op {
            due_us,
            took_us: self.now_us().saturating_sub(due_us),
            outcome,
        }
    }

    /// How late it is sent.
    fn slipped(&self, due_us: u64) {
        let slip = self.now_us().saturating_sub(due_us);
        let slip = u32::try_from(slip).unwrap_or(u32::MAX);
        self.met().slips_us.push(slip);
    }

    fn set(&self, number: u64, is_witness: bool) -> Command {
        Command::words("SET")
            .arg(self.keys.key(number, is_witness))
            .arg(&self.value)
            .arg("EX")
            .arg(self.options.expire.as_secs().max(1).to_string())
    }

    /// Good as soon as one node accepts it; who else accepts it is noted too, for then two lead.
    async fn witness(&self, number: u64, due_us: u64) {
        self.slipped(due_us);
        let set = self.set(number, true);
        let asked = self.lines.iter().enumerate();
        let mut answers: FuturesUnordered<_> = asked
            .map(|(n, line)| {
                let set = &set;
                async move { (n, line.ask(set).await) }
            })
            .collect();
        let mut outcomes = Vec::new();
        let mut good = None;
        while let Some((line, answer)) = answers.next().await {
            match answer {
                Ok(_) => {
                    let op = self.op(due_us, Outcome::Good);
                    let at = op.due_us + op.took_us;
                    self.met().accepted.push((at, line));
                    if good.is_none() {
                        self.last_good_us.fetch_max(at, Ordering::Relaxed);
                        good = Some(op);
                    }
                }
                Err(error) => outcomes.push(outcome_of(&error)),
            }
        }
        let op = good.unwrap_or_else(|| self.op(due_us, most_telling(&outcomes)));
        let mut met = self.met();
        met.trace.witness.push(op);
        met.writes.push(Write::of(number, true, op));
    }

    async fn write(&self, number: u64, due_us: u64) {
        self.slipped(due_us);
        let Ok(_place) = self.room.try_acquire() else {
            let op = self.op(due_us, Outcome::Unsent);
            self.met().trace.writes.push(op);
            return;
        };
        let (outcome, _) = self.client.ask(&self.set(number, false)).await;
        let op = self.op(due_us, outcome);
        let mut met = self.met();
        met.trace.writes.push(op);
        met.writes.push(Write::of(number, false, op));
        if outcome == Outcome::Good {
            met.settling.push_back((op.due_us + op.took_us, number));
        }
    }

    async fn read(&self, due_us: u64) {
        self.slipped(due_us);
        let Some(number) = self.readable() else {
            return;
        };
        let Ok(_place) = self.room.try_acquire() else {
            let op = self.op(due_us, Outcome::Unsent);
            self.met().trace.reads.push(op);
            return;
        };
        let get = Command::words("GET").arg(self.keys.key(number, false));
        let (mut outcome, reply) = self.client.ask(&get).await;
        let is_there = reply.is_some_and(|reply| reply.text().is_some());
        if outcome == Outcome::Good && !is_there {
            outcome = Outcome::Stale;
        }
        let op = self.op(due_us, outcome);
        let mut met = self.met();
        met.trace.reads.push(op);
        if outcome == Outcome::Stale {
            met.missed_reads.push(number);
        }
    }

    /// The latest write that was acknowledged long enough ago.
    fn readable(&self) -> Option<u64> {
        let before = self.now_us().checked_sub(SETTLED_US)?;
        let mut met = self.met();
        while let Some(&(at, number)) = met.settling.front().filter(|(at, _)| *at < before) {
            debug_assert!(at < before);
            met.settling.pop_front();
            met.readable = Some(number);
        }
        met.readable
    }

    /// What happened so far, taken out.
    pub(super) fn take(&self) -> (Trace, Written, Vec<u32>) {
        let mut met = std::mem::take(&mut *self.met());
        let by_due = |op: &Op| op.due_us;
        met.trace.witness.sort_by_key(by_due);
        met.trace.writes.sort_by_key(by_due);
        met.trace.reads.sort_by_key(by_due);
        met.trace.shard = self.number;
        met.accepted.sort_unstable();
        let written = Written {
            number: self.number,
            writes: met.writes,
            missed_reads: met.missed_reads,
            keys: self.keys.clone(),
            accepted: met.accepted,
        };
        (met.trace, written, met.slips_us)
    }
}

/// A write that may have been applied outweighs one that was not: nobody knows of it.
fn most_telling(outcomes: &[Outcome]) -> Outcome {
    let order = [
        Outcome::Timeout,
        Outcome::Broken,
        Outcome::Down,
        Outcome::Refused,
        Outcome::NoConnection,
        Outcome::Moved,
    ];
    order
        .into_iter()
        .find(|outcome| outcomes.contains(outcome))
        .unwrap_or(Outcome::NoConnection)
}

pub(super) fn micros_of(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
