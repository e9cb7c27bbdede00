//! The report of a drill: made from a recording and budgets alone, so that it can be made again.
//!
//! Times are milliseconds from the beginning of their round unless their names say otherwise. What
//! was not seen is `None`, never zero.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Conditions, DrilledShard, Fault, LoadShape, NodeAddr, Outcome};

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every budget was kept, and the cluster became whole.
    Passed,
    /// Too little was seen, or a limit lies within what the measurement may be off by.
    Unknown,
    /// A budget was not kept, or the cluster did not become whole.
    Failed,
}

/// A whole drill, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What came out.
    pub verdict: Verdict,
    /// Why it is not `passed`, a line each, the gravest first.
    pub reasons: Vec<String>,
    /// What to do to get an answer, when the verdict is `unknown`.
    pub next: Vec<String>,
    /// The cluster's name, or the seed that was given.
    pub cluster: String,
    /// What a scenario calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What the servers' timing depends on.
    pub conditions: Conditions,
    /// The probe load.
    pub load: LoadShape,
    /// The shards before the drill.
    pub shards: Vec<DrilledShard>,
    /// The rounds in short, in order.
    pub rounds: Vec<RoundReport>,
    /// Each time that a shard took no writes, a row per round and shard; shards that always did are
    /// not here.
    pub outages: Vec<Outage>,
    /// Every change of a master that was seen to be a real one.
    pub promotions: Vec<Promotion>,
    /// What became of the writes, all shards and rounds together.
    pub writes: Writes,
    /// The same, a row per round and shard.
    pub writes_by_shard: Vec<ShardWrites>,
    /// How redundancy came back.
    pub recovery: Recovery,
    /// The outage of the struck shards, term by term, as the servers' rules predict it and as it was.
    pub terms: Vec<Term>,
    /// The term that took the longest, and what would shorten it.
    pub dominant: Option<Dominant>,
    /// Outage of the struck shards over all rounds.
    pub statistics: Option<Statistics>,
    /// Latency of the client's operations, a row per shard and phase.
    pub latencies: Vec<Latency>,
    /// How operations of the client ended, over all shards and rounds.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// What a client must bear to ride this out.
    pub advice: Vec<String>,
    /// Against a recorded drill.
    pub comparison: Option<Comparison>,
    /// What was held against what.
    pub budgets: Vec<BudgetLine>,
    /// What a reader should know besides: repairs by hand, faults that a foreign hand undid.
    pub notes: Vec<String>,
}

/// One round in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoundReport {
    /// 1 is the first.
    pub round: usize,
    /// What a scenario calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was done.
    pub fault: Fault,
    /// To whom: `127.0.0.1:7001 (master of shard 1, process 4711)`.
    pub targets: Vec<String>,
    /// What happened, in the order of time.
    pub timeline: Vec<Moment>,
    /// What was still wrong at the end; empty when the cluster was whole.
    pub not_whole: Vec<String>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Moment {
    /// When.
    pub at_ms: f64,
    /// What: a stable word such as `fault`, `first_failed_write`, `suspected`, `failed`, `promoted`,
    /// `first_good_write`, `heal`, `back`, `whole`, `roles_restored`.
    pub what: &'static str,
    /// In which shard, when it is about one.
    pub shard: Option<usize>,
    /// In words, with who saw it.
    pub words: String,
}

/// A shard that took no writes for a while.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outage {
    /// 1 is the first.
    pub round: usize,
    /// 1 is the first.
    pub shard: usize,
    /// Whether the fault struck this shard; others suffer by `cluster-require-full-coverage`.
    pub is_struck: bool,
    /// How long in all nobody in the shard took the witness' writes.
    pub unavailable_ms: f64,
    /// The longest stretch of it.
    pub longest_ms: f64,
    /// When the first write was due that failed.
    #[serde(rename = "first_error_at_ms")]
    pub first_error_at: f64,
    /// When writes were taken again, for good; `None` when they were not to the end of the round.
    #[serde(rename = "restored_at_ms")]
    pub restored_at: Option<f64>,
    /// The former by this machine's clock, as RFC 3339.
    #[serde(rename = "first_error_at")]
    pub first_error_time: String,
    /// The latter, likewise.
    #[serde(rename = "restored_at")]
    pub restored_time: Option<String>,
    /// How long the client, which follows and tries again, saw nothing succeed.
    pub client_unavailable_ms: f64,
    /// The grid that all of this is measured on: the time between two writes.
    pub resolution_ms: f64,
    /// How the witness' writes failed.
    pub errors: BTreeMap<Outcome, u64>,
}

/// A master was replaced, by a higher epoch, in a majority of views, and writes went to the new one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Promotion {
    /// 1 is the first.
    pub round: usize,
    /// 1 is the first.
    pub shard: usize,
    /// Who led.
    pub from: NodeAddr,
    /// Who leads.
    pub to: NodeAddr,
    /// When the first node suspected the old one (`fail?`), after the fault.
    pub suspected_ms: Option<f64>,
    /// By whom.
    pub suspected_by: Option<NodeAddr>,
    /// When the first view had it as failed (`fail`), after the fault.
    pub failed_ms: Option<f64>,
    /// When a majority of views had the new master, after the fault.
    pub promoted_ms: f64,
    /// When the first write was taken after that, after the fault.
    pub first_write_ms: Option<f64>,
    /// The new config epoch.
    pub epoch: u64,
}

/// What became of writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Writes {
    /// Acknowledged.
    pub acknowledged: u64,
    /// Acknowledged, and gone.
    pub lost: u64,
    /// Missed by a read once, and there at the end.
    pub resurrected: u64,
    /// Neither acknowledged nor refused.
    pub indeterminate: u64,
    /// Of those: there at the end.
    pub indeterminate_present: u64,
    /// Refused, and there at the end.
    pub phantom: u64,
    /// Accepted by an old master after a new one had begun to accept.
    pub split_brain: u64,
    /// Reads that missed an acknowledged write.
    pub stale_reads: u64,
    /// Acknowledged, and could not be read back.
    pub unread: u64,
}

/// What became of the writes of one shard in one round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShardWrites {
    /// 1 is the first.
    pub round: usize,
    /// 1 is the first.
    pub shard: usize,
    /// The counts.
    #[serde(flatten)]
    pub writes: Writes,
    /// The acknowledged writes that are gone span so much time.
    pub lost_span_ms: Option<f64>,
}

/// How redundancy came back.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Recovery {
    /// `none` when no node had to get into step, else the costliest: `partial` or `full`.
    pub resync: &'static str,
    /// Bytes over the replication links for it.
    pub resync_bytes: Option<u64>,
    /// From the end of the healing until all was whole: the worst round. `None` when a round did not
    /// become whole.
    pub redundancy_ms: Option<f64>,
    /// From the fault until all was whole, the worst round.
    pub whole_after_fault_ms: Option<f64>,
}

/// A term of the outage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Term {
    /// `detection`, `agreement`, `election`, `client`, `total`; for stops also `shutdown`.
    pub name: &'static str,
    /// The least that the servers' rules allow.
    pub expected_low_ms: f64,
    /// What is to be expected in the middle.
    pub expected_ms: f64,
    /// The most, but for repeated elections.
    pub expected_high_ms: f64,
    /// The median of the rounds in which it was seen.
    pub measured_ms: Option<f64>,
    /// Where the expectation comes from, in words with the settings in force.
    pub because: String,
}

impl Term {
    /// Whether what was measured lies within what was expected; `None` when it was not seen.
    pub fn is_within(&self) -> Option<bool> {
        let measured = self.measured_ms?;
        Some((self.expected_low_ms..=self.expected_high_ms).contains(&measured))
    }
}

/// The longest term.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dominant {
    /// Its name.
    pub name: &'static str,
    /// Its share of the whole outage, 0 to 1.
    pub share: f64,
    /// What would shorten it, and at what price.
    pub next: String,
}

/// Of several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Statistics {
    /// How many outages it is made of; a struck shard that took every write counts with 0.
    pub count: usize,
    /// The shortest.
    pub min_ms: f64,
    /// Half are shorter.
    pub median_ms: f64,
    /// 95 % are shorter.
    pub p95_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// When in a round an operation was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the fault.
    Before,
    /// From the fault until writes were taken again (in shards that always took them: until healing).
    During,
    /// After that.
    After,
}

/// How long the client's good operations took, counted from when they were due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// 1 is the first.
    pub shard: usize,
    /// When.
    pub phase: Phase,
    /// How many, good or not.
    pub operations: u64,
    /// How many were not good.
    pub errors: u64,
    /// Half are faster.
    pub p50_ms: Option<f64>,
    /// 99 % are faster.
    pub p99_ms: Option<f64>,
    /// The slowest.
    pub max_ms: Option<f64>,
}

/// Today against a recorded drill, by the Mann-Whitney rank test over the struck shards' outages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// When the other was recorded.
    pub baseline_taken_at_ms: u64,
    /// Outages of today, and of then.
    pub counts: (usize, usize),
    /// Their medians.
    pub medians_ms: (f64, f64),
    /// How likely so long or longer outages are if nothing had changed, 0 to 1.
    pub p_value: f64,
    /// Whether today is slower by more than chance explains (p below 0.05).
    pub is_slower: bool,
    /// In words; also when there are too few to tell.
    pub words: String,
}

/// A budget and what was held against it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetLine {
    /// `max_outage`, `max_lost_writes`, `max_redundancy`, `max_p99`, `whole`, `promotion`, `slower`.
    pub budget: &'static str,
    /// In which round; `None` when it is about all.
    pub round: Option<usize>,
    /// What that round was, where rounds differ: what a scenario calls the step, else its fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// In which shard; `None` when it is about all.
    pub shard: Option<usize>,
    /// The limit, in words: `10 s`.
    pub limit: String,
    /// What was measured, in words.
    pub measured: String,
    /// What came out.
    pub verdict: Verdict,
}
