//! What the cluster needs, folded from two INFO samples of every node.
//!
//! Masters are what is counted: a replica holds the same data, and its counters include the stream
//! of its master. What no node told is `None` and named in `unknown`; a master that did not answer
//! is taken to be like the mean of the others, and that is said as well.

use serde::Serialize;

use super::growth::Growth;
use crate::health::rates;
use crate::model::words::{bytes, count};
use crate::model::{Facts, Info, KeysSeen, Survey, Topology};

/// Where no sample told the largest key.
const NO_LARGEST: &str =
    "the largest key, which no number of shards divides: --deep looks for it in a sample";
/// With less data in a shard than that, which one is the largest is chance.
const TELLING_BYTES: f64 = 1024.0 * 1024.0;
/// Copy-on-write to count on when nothing was measured (the middle of three: 0.10 for caches that
/// are mostly read, 0.50 where all is rewritten).
pub(super) const USUAL_COPY_ON_WRITE: f64 = 0.25;
/// Fragmentation is never below and never above that: a small heap shows wild figures.
const FRAGMENTATION: (f64, f64) = (1.05, 1.5);
/// No shard is exactly the mean: the least that the largest is counted above it.
const LEAST_SKEW: f64 = 1.1;

/// What the cluster needs, today.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Demand {
    /// The cluster's name, or the seed that was given.
    pub cluster: String,
    /// Masters with slots.
    pub shards: usize,
    /// Of those: answered.
    pub shards_measured: usize,
    /// Replicas of the shard that has the fewest.
    pub replicas: usize,
    /// Between the two samples; 0 when there was only one.
    pub sample_ms: u64,
    /// Memory in use, all masters.
    pub used_bytes: u64,
    /// The most that was ever in use since the start, all masters.
    pub peak_bytes: u64,
    /// Data at its peak, without buffers and the server's own: all masters.
    pub data_bytes: u64,
    /// Of the memory in use: what the server spends on keeping data (`used_memory_overhead`).
    pub overhead_bytes: u64,
    /// Replication backlog, clients' and append-only buffers of the node that has most.
    pub buffers_bytes: u64,
    /// What an empty server takes.
    pub startup_bytes: u64,
    /// Memory taken from the system for each byte in use, at least 1.05 and at most 1.5.
    pub fragmentation: f64,
    /// Memory that a save or a full resynchronisation copies, for each byte in use; 0 where the
    /// server never forks.
    pub copy_on_write: f64,
    /// Whether that was measured; else it is the usual 0.25.
    pub is_copy_on_write_measured: bool,
    /// Bytes a slot of the fullest shard against the mean, at least 1.1.
    pub memory_skew: f64,
    /// Operations of the busiest shard against the mean, at least 1.1.
    pub load_skew: f64,
    /// Commands a second, all masters.
    pub operations_per_second: Option<f64>,
    /// Cores that the masters' main threads keep busy, all masters.
    pub cores_busy: Option<f64>,
    /// Commands a second that one core would do at that.
    pub operations_per_core_second: Option<f64>,
    /// Into all masters.
    pub network_in_bytes_per_second: Option<f64>,
    /// Out of all masters, replication included.
    pub network_out_bytes_per_second: Option<f64>,
    /// Of that: to replicas; `None` before Redis 7.0, which counts it with the rest.
    pub replication_bytes_per_second: Option<f64>,
    /// What masters write to one replica each; where there is none, no more than what comes in.
    pub written_bytes_per_second: Option<f64>,
    /// Clients of the master that has most. Each client connects to every master.
    pub connections_per_node: Option<u64>,
    /// Keys of all masters.
    pub keys: u64,
    /// The largest key of a sample, when keys were looked at closely.
    pub largest_key_bytes: Option<u64>,
    /// How fast the data grows.
    pub growth: Growth,
    /// What could not be told, a line each.
    pub unknown: Vec<String>,
}

/// Why nothing can be told of what the cluster needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoDemand {
    /// No master told its memory.
    #[error("no master with slots told its memory, so nothing is known of what it holds")]
    Silent,
}

impl NoDemand {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            NoDemand::Silent => "see what is wrong: goodcache check",
        }
    }
}

/// One master, as it told.
struct Measured<'a> {
    facts: &'a Facts,
    slots: usize,
}

impl Demand {
    /// Folds a survey; an earlier one, saved at least a day before, shows how fast the data grows.
    pub fn from_surveys(survey: &Survey, earlier: Option<&Survey>) -> Result<Demand, NoDemand> {
        let topology = Topology::of(survey);
        let masters = measured(survey, &topology);
        if masters.is_empty() {
            return Err(NoDemand::Silent);
        }
        let shards = topology.voters().count().max(masters.len());
        let mut demand = Demand {
            cluster: called(survey),
            shards,
            shards_measured: masters.len(),
            replicas: fewest_replicas(&topology),
            sample_ms: least(&masters, |facts| Some(facts.sample_ms)).unwrap_or(0),
            ..Demand::default()
        };
        demand.fold_memory(&masters);
        demand.fold_load(&masters);
        demand.growth = grown(survey, earlier, demand.data_bytes);
        demand.tell_unknown(&masters);
        Ok(demand)
    }

    /// The same with the largest key of the masters' samples, and how much a sample says.
    pub fn with_keys<'a>(mut self, samples: impl IntoIterator<Item = &'a KeysSeen>) -> Demand {
        let deep: Vec<&KeysSeen> = (samples.into_iter())
            .filter(|keys| keys.largest_bytes.is_some())
            .collect();
        let Some(largest) = deep.iter().filter_map(|keys| keys.largest_bytes).max() else {
            return self;
        };
        self.largest_key_bytes = Some(largest);
        self.unknown.retain(|line| line != NO_LARGEST);
        let sampled: u64 = deep.iter().map(|keys| keys.sampled).sum();
        if sampled < self.keys {
            self.unknown.push(format!(
                "whether a key is larger than {}, the largest of {} that were sampled of {}",
                bytes(largest),
                count(sampled),
                count(self.keys)
            ));
        }
        self
    }

    /// What the sum over the masters that answered is raised by, for those that did not.
    fn raised(&self) -> f64 {
        self.shards as f64 / self.shards_measured as f64
    }

    fn fold_memory(&mut self, masters: &[Measured]) {
        let raised = self.raised();
        let sum = |amount: fn(&Facts) -> u64| -> u64 {
            let sum: f64 = masters.iter().map(|m| amount(m.facts) as f64).sum();
            (sum * raised) as u64
        };
        self.used_bytes = sum(|facts| newest(facts).number("used_memory").unwrap_or(0));
        self.peak_bytes = sum(peak);
        self.data_bytes = sum(data);
        self.overhead_bytes = sum(|f| newest(f).number("used_memory_overhead").unwrap_or(0));
        self.keys = sum(|facts| newest(facts).keys());
        self.buffers_bytes = most(masters, |facts| Some(buffers(facts))).unwrap_or(0);
        self.startup_bytes = most(masters, startup).unwrap_or(0);
        self.fragmentation = fragmentation(masters);
        let measured = masters.iter().filter_map(|m| copied(m.facts));
        let measured = measured.max_by(f64::total_cmp);
        self.is_copy_on_write_measured = measured.is_some();
        let never_forks = self.replicas == 0 && masters.iter().all(|m| is_without_saves(m.facts));
        self.copy_on_write = match (never_forks, measured) {
            (true, _) => 0.0,
            (false, Some(measured)) => measured.clamp(0.1, 1.0),
            (false, None) => USUAL_COPY_ON_WRITE,
        };
        self.memory_skew = skew(masters, TELLING_BYTES, |facts| Some(data(facts) as f64));
    }

    fn fold_load(&mut self, masters: &[Measured]) {
        let raised = self.raised();
        let rate = |name: &str| {
            sum(masters, raised, |facts| {
                rates::per_second(facts, facts.growth(name)?)
            })
        };
        self.network_in_bytes_per_second = rate("total_net_input_bytes");
        self.network_out_bytes_per_second = rate("total_net_output_bytes");
        self.replication_bytes_per_second = rate("total_net_repl_output_bytes");
        self.written_bytes_per_second = match self.replicas {
            0 => self.network_in_bytes_per_second,
            _ => sum(masters, raised, rates::written_per_second),
        };
        self.operations_per_second = sum(masters, raised, rates::operations_per_second);
        self.cores_busy = sum(masters, raised, busy);
        let (operations, cores) = (self.operations_per_second, self.cores_busy);
        let per_core = operations.zip(cores.filter(|cores| *cores > 0.001));
        self.operations_per_core_second = per_core.map(|(operations, cores)| operations / cores);
        self.connections_per_node =
            most(masters, |facts| newest(facts).number("connected_clients"));
        self.load_skew = skew(masters, 1.0, rates::operations_per_second);
    }

    fn tell_unknown(&mut self, masters: &[Measured]) {
        let silent = self.shards - self.shards_measured;
        let mut unknown = Vec::new();
        if silent > 0 {
            unknown.push(format!(
                "{silent} of {} masters did not answer: each is taken to be like the mean of the others",
                self.shards
            ));
        }
        if masters.iter().any(|m| m.facts.later.is_none()) {
            unknown
                .push("operations, CPU and network: two samples are needed (--sample 60s)".into());
        } else {
            if self.cores_busy.is_none() {
                unknown.push("CPU: not told, or a node was restarted between the samples".into());
            }
            if self.network_in_bytes_per_second.is_none() {
                unknown
                    .push("network: not told, or counters were reset between the samples".into());
            }
        }
        if self.largest_key_bytes.is_none() {
            unknown.push(NO_LARGEST.to_owned());
        }
        self.unknown = unknown;
    }
}

fn measured<'a>(survey: &'a Survey, topology: &Topology) -> Vec<Measured<'a>> {
    let voters = topology.voters();
    voters
        .filter_map(|member| {
            let facts = survey.facts(&member.id)?;
            newest(facts).number("used_memory")?;
            Some(Measured {
                facts,
                slots: member.slots.len(),
            })
        })
        .collect()
}

fn called(survey: &Survey) -> String {
    let seed = || survey.seeds.first().map(ToString::to_string);
    survey
        .name
        .clone()
        .or_else(seed)
        .unwrap_or_else(|| "cluster".to_owned())
}

fn fewest_replicas(topology: &Topology) -> usize {
    let shards = topology
        .shards
        .iter()
        .filter(|shard| !shard.slots.is_empty());
    shards.map(|shard| shard.replicas.len()).min().unwrap_or(0)
}

fn grown(survey: &Survey, earlier: Option<&Survey>, data_bytes: u64) -> Growth {
    let Some(earlier) = earlier else {
        return Growth::default();
    };
    let topology = Topology::of(earlier);
    let masters = measured(earlier, &topology);
    if masters.is_empty() || masters.len() < topology.voters().count() {
        return Growth::default();
    }
    let before = masters.iter().map(|m| data(m.facts)).sum();
    Growth::between(
        (earlier.taken_at_ms, before),
        (survey.taken_at_ms, data_bytes),
    )
}

/// The second sample, else the first.
fn newest(facts: &Facts) -> &Info {
    facts.later.as_ref().unwrap_or(&facts.info)
}

fn peak(facts: &Facts) -> u64 {
    let info = newest(facts);
    let used = info.number("used_memory").unwrap_or(0);
    info.number("used_memory_peak").unwrap_or(used).max(used)
}

/// What an empty server takes; 1 MiB where it does not tell, as every version takes about that.
fn startup(facts: &Facts) -> Option<u64> {
    newest(facts)
        .number("used_memory_startup")
        .or(Some(1 << 20))
}

fn buffers(facts: &Facts) -> u64 {
    const NAMES: [&str; 4] = [
        "mem_clients_normal",
        "mem_clients_slaves",
        "mem_replication_backlog",
        "mem_aof_buffer",
    ];
    let info = newest(facts);
    NAMES
        .iter()
        .filter_map(|name| info.number(name))
        .fold(0, u64::saturating_add)
}

fn data(facts: &Facts) -> u64 {
    let own = startup(facts).unwrap_or(0).saturating_add(buffers(facts));
    peak(facts).saturating_sub(own)
}

/// Neither RDB save points nor an append-only file; unknown settings count as saves.
fn is_without_saves(facts: &Facts) -> bool {
    facts.setting("save").is_some_and(str::is_empty) && facts.setting("appendonly") == Some("no")
}

/// What the last save or rewrite copied, for each byte in use.
fn copied(facts: &Facts) -> Option<f64> {
    let info = newest(facts);
    let last = |name| info.number(name).filter(|bytes| *bytes > 0);
    let bytes = last("rdb_last_cow_size").max(last("aof_last_cow_size"))?;
    let used = info.number("used_memory").filter(|used| *used > 0)?;
    // Of a small heap the pages of the process itself are most of it.
    (used as f64 >= TELLING_BYTES * 64.0).then(|| bytes as f64 / used as f64)
}

fn fragmentation(masters: &[Measured]) -> f64 {
    let of = |facts: &Facts| -> Option<f64> {
        let info = newest(facts);
        let inside = info.float("allocator_frag_ratio");
        let outside = info.float("allocator_rss_ratio");
        match (inside, outside) {
            (Some(inside), Some(outside)) => Some(inside * outside),
            _ => info.float("mem_fragmentation_ratio"),
        }
    };
    // A heap below 64 MiB shows what the process takes for itself, not fragmentation.
    let large = masters.iter().filter(|m| peak(m.facts) >= 64 << 20);
    let worst = large.filter_map(|m| of(m.facts)).max_by(f64::total_cmp);
    worst
        .unwrap_or(FRAGMENTATION.0)
        .clamp(FRAGMENTATION.0, FRAGMENTATION.1)
}

/// Cores that the main thread kept busy; of the whole process where the server does not tell.
fn busy(facts: &Facts) -> Option<f64> {
    let seconds = rates::main_thread_seconds(facts).or_else(|| rates::process_seconds(facts))?;
    (facts.sample_ms > 0 && seconds >= 0.0 && !facts.has_restarted())
        .then(|| seconds * 1000.0 / facts.sample_ms as f64)
}

/// An amount a slot of the shard that has most, against the mean over all slots.
fn skew(masters: &[Measured], telling: f64, amount: impl Fn(&Facts) -> Option<f64>) -> f64 {
    let amounts: Vec<(f64, f64)> = masters
        .iter()
        .filter_map(|m| Some((amount(m.facts)?, m.slots as f64)))
        .collect();
    let total: f64 = amounts.iter().map(|(amount, _)| amount).sum();
    let slots: f64 = amounts.iter().map(|(_, slots)| slots).sum();
    if total < telling * amounts.len() as f64 || slots <= 0.0 || total <= 0.0 {
        return LEAST_SKEW;
    }
    let mean = total / slots;
    let dense = amounts.iter().filter(|(_, slots)| *slots > 0.0);
    let largest = dense
        .map(|(amount, slots)| amount / slots)
        .max_by(f64::total_cmp);
    (largest.unwrap_or(mean) / mean).max(LEAST_SKEW)
}

/// The sum over all masters; `None` when one of those that answered does not tell.
fn sum(masters: &[Measured], raised: f64, amount: impl Fn(&Facts) -> Option<f64>) -> Option<f64> {
    let sum: Option<f64> = masters.iter().map(|m| amount(m.facts)).sum();
    Some(sum? * raised).filter(|sum| sum.is_finite() && *sum >= 0.0)
}

fn most(masters: &[Measured], amount: impl Fn(&Facts) -> Option<u64>) -> Option<u64> {
    masters.iter().filter_map(|m| amount(m.facts)).max()
}

fn least(masters: &[Measured], amount: impl Fn(&Facts) -> Option<u64>) -> Option<u64> {
    masters.iter().filter_map(|m| amount(m.facts)).min()
}

#[cfg(test)]
#[path = "demand_tests.rs"]
mod tests;
