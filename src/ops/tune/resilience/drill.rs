//! The last drill, as far as clients are concerned: read from what `failover-test -o json` wrote.
//!
//! Only the keys that are needed here are read, so that a report of another version is understood as
//! long as it has them. Floors keep the rooms of `ops` apart; a report in JSON is what crosses.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The report of a drill (the `report` of the answer in JSON).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Drill {
    /// Of which cluster.
    pub cluster: String,
    /// What the servers' timing depends on.
    pub conditions: Servers,
    /// The probe load.
    pub load: Load,
    /// The rounds.
    pub rounds: Vec<Round>,
    /// Each time that a shard took no writes.
    pub outages: Vec<Outage>,
    /// How long the client's operations took.
    #[serde(default)]
    pub latencies: Vec<Latency>,
    /// How the client's operations ended.
    #[serde(default)]
    pub outcomes: BTreeMap<String, u64>,
    /// Acknowledged, lost and the like.
    pub writes: Writes,
}

/// What the servers' timing depends on.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Servers {
    /// `redis` or `valkey`.
    pub vendor: String,
    /// `7.0.15`.
    pub version: String,
    /// `cluster-node-timeout`.
    pub node_timeout_ms: u64,
    /// Masters with slots.
    pub masters: usize,
    /// `cluster-require-full-coverage`.
    pub is_full_coverage: bool,
}

/// The probe load.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
pub struct Load {
    /// How long its client waited for a reply.
    pub client_timeout_ms: u64,
    /// How often it tried again.
    pub max_redirections: u32,
}

/// A round in short.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Round {
    /// What was done.
    pub fault: String,
}

/// A shard that took no writes for a while.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Outage {
    /// 1 is the first.
    pub round: usize,
    /// 1 is the first.
    pub shard: usize,
    /// The longest stretch in which nobody took its writes.
    pub longest_ms: f64,
    /// How long the client saw nothing succeed.
    pub client_unavailable_ms: f64,
    /// When writes were taken again; `None` when they were not.
    pub restored_at_ms: Option<f64>,
}

/// How long operations took.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Latency {
    /// `before`, `during` or `after`.
    pub phase: String,
    /// 99 % are faster.
    pub p99_ms: Option<f64>,
}

/// What became of the writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Writes {
    /// Acknowledged.
    pub acknowledged: u64,
    /// Acknowledged, and gone.
    pub lost: u64,
    /// Neither acknowledged nor refused.
    pub indeterminate: u64,
}

impl Drill {
    /// The longest outage that ended, as the client and the probes met it, in ms; `None` when none
    /// did.
    pub fn longest_ms(&self) -> Option<f64> {
        let ended = self.outages.iter().filter(|outage| outage.has_ended());
        ended.map(Outage::met_ms).max_by(f64::total_cmp)
    }

    /// Outages that lasted to the end of their round: no patience rides those out.
    pub fn endless(&self) -> usize {
        self.outages
            .iter()
            .filter(|outage| !outage.has_ended())
            .count()
    }

    /// The slowest 99th percentile of operations outside the outages, in ms.
    pub fn calm_p99_ms(&self) -> Option<f64> {
        let calm = self
            .latencies
            .iter()
            .filter(|latency| latency.phase != "during");
        calm.filter_map(|latency| latency.p99_ms)
            .max_by(f64::total_cmp)
    }

    /// The faults that were tried, each once, in order.
    pub fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = Vec::new();
        for round in &self.rounds {
            if !faults.contains(&round.fault) {
                faults.push(round.fault.clone());
            }
        }
        faults
    }
}

impl Outage {
    fn has_ended(&self) -> bool {
        self.restored_at_ms.is_some()
    }

    fn met_ms(&self) -> f64 {
        self.longest_ms.max(self.client_unavailable_ms)
    }
}
