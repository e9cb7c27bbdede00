//! Evidence: what tuning reads beside a survey, so that advice rests on what a cluster really does.
//!
//! Clients as CLIENT LIST counts them, keys as a sample shows them, machines as far as they can be
//! seen. It serialises with its survey, so that the same advice can be given again without the
//! cluster. No key, value or client address is kept: a family of keys is a pattern, such as
//! `session:*`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::node::NodeAddr;
use super::survey::Survey;

/// A survey, and what was seen beside it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evidence {
    /// Views, facts (all settings, two samples) and the silent.
    pub survey: Survey,
    /// What was seen of each node beside its facts, by the address it was asked at.
    pub nodes: BTreeMap<NodeAddr, Seen>,
}

/// What was seen of one node beside its facts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    /// Its clients; `None` when CLIENT LIST could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientsSeen>,
    /// A sample of its keys; only of masters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeysSeen>,
    /// The step of jemalloc's small sizes in bytes, of a node that loses memory to fragmentation: 8 of
    /// the one that servers bring along, which can be defragmented, 16 of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantum_bytes: Option<u64>,
    /// Its machine; `None` when it is out of sight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostSeen>,
    /// What could not be seen, and why: `clients`, `keys` or `host`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub not_seen: BTreeMap<String, String>,
}

/// The clients of a node, counted from CLIENT LIST. Goodcache's own connections are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientsSeen {
    /// Ordinary clients: neither replicas, nor masters, nor subscribers.
    pub normal: u64,
    /// Subscribers.
    pub subscribers: u64,
    /// Clients that wait in a blocking command.
    pub blocked: u64,
    /// Ordinary clients that said nothing for five minutes or longer.
    pub idle_over_5min: u64,
    /// The longest that an ordinary client has been idle, in seconds.
    pub longest_idle_s: u64,
    /// Ordinary clients whose connection is younger than a minute.
    pub younger_than_1min: u64,
    /// The largest output buffer of an ordinary client (`omem`), in bytes.
    pub largest_output_bytes: u64,
    /// The largest query buffer in use (`qbuf`), in bytes.
    pub largest_query_bytes: u64,
    /// The most memory that one ordinary client takes (`tot-mem`), in bytes; 0 where the server
    /// does not tell (6.2.5 does already).
    pub largest_memory_bytes: u64,
    /// The memory of all ordinary clients (`tot-mem`), in bytes.
    pub memory_bytes: u64,
    /// Libraries by name and how many clients use each (`lib-name`, from 7.2 on).
    pub libraries: BTreeMap<String, u64>,
}

/// A sample of the keys of a master.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeysSeen {
    /// Keys in the sample.
    pub sampled: u64,
    /// Keys that the node holds.
    pub keys: u64,
    /// Whether sizes, encodings and frequencies were asked for (`--deep`), not only types and expiries.
    pub is_deep: bool,
    /// By type, as TYPE names it.
    pub types: BTreeMap<String, TypeSeen>,
    /// By family, the largest first, 32 at the most. What belongs to no family of three or more keys
    /// is in none.
    pub families: Vec<Family>,
    /// How often keys are read (OBJECT FREQ), under an LFU policy: counters from 0 to 255, a key each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequencies: Option<Spread>,
    /// How long keys have been idle in seconds (OBJECT IDLETIME), under any other policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_s: Option<Spread>,
    /// How much of the recorded frequency the most frequented tenth of the keys has, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hottest_tenth_percent: Option<f64>,
    /// Bytes that the largest key in the sample takes (MEMORY USAGE); only in a deep sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_bytes: Option<u64>,
    /// What the sampling cost the server: microseconds in its commands, by its own COMMANDSTATS.
    pub cost_us: u64,
    /// How long the sampling took, in ms.
    pub took_ms: u64,
}

/// The keys of one type in a sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TypeSeen {
    /// How many.
    pub count: u64,
    /// How many have an expiry.
    pub with_expiry: u64,
    /// The expiries that lie ahead, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_s: Option<Spread>,
    /// By encoding, as OBJECT ENCODING names it; only in a deep sample.
    pub encodings: BTreeMap<String, EncodingSeen>,
}

/// The keys of one encoding in a deep sample.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EncodingSeen {
    /// How many.
    pub count: u64,
    /// Bytes that they take (MEMORY USAGE), together.
    pub memory_bytes: u64,
    /// Elements of each (HLEN, ZCARD and so on); of strings their length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elements: Option<Spread>,
    /// The longest field or value of each, in bytes, as far as a few elements of each show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_bytes: Option<Spread>,
}

/// Keys that are named alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Family {
    /// Their pattern, such as `session:*`.
    pub pattern: String,
    /// How many in the sample.
    pub count: u64,
    /// How many of them have an expiry.
    pub with_expiry: u64,
    /// The type of most.
    pub kind: String,
    /// The middle one of their expiries, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry_s: Option<u64>,
    /// Bytes that one takes on average (MEMORY USAGE); only in a deep sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_bytes: Option<u64>,
}

/// How numbers are spread, by nearest rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// The middle.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The greatest.
    pub max: u64,
}

/// The machine of a node, as far as it can be seen. `None` is not known, never "none".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostSeen {
    /// What tells machines apart: nodes with the same name share one.
    pub machine: String,
    /// How it was seen: `proc` or `docker`.
    pub by: String,
    /// Cores that the process may use, a container's share counted (`1.5`).
    pub cores: Option<f64>,
    /// The machine's memory, in bytes.
    pub memory_bytes: Option<u64>,
    /// The limit of the process' control group or container, in bytes; `None` when there is none.
    pub limit_bytes: Option<u64>,
    /// `vm.overcommit_memory`: 0, 1 or 2.
    pub overcommit: Option<u64>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub huge_pages: Option<String>,
    /// `vm.swappiness`.
    pub swappiness: Option<u64>,
    /// Swap, in bytes; 0 is none.
    pub swap_bytes: Option<u64>,
    /// `net.core.somaxconn`, in the node's own network namespace.
    pub somaxconn: Option<u64>,
    /// `net.ipv4.tcp_max_syn_backlog`.
    pub syn_backlog: Option<u64>,
    /// Connections that were dropped since boot because an accept queue was full (`ListenOverflows`).
    pub listen_overflows: Option<u64>,
    /// Soft limit of open files of the process.
    pub open_files: Option<u64>,
    /// The kernel's clock source.
    pub clock_source: Option<String>,
    /// Periods in which the control group was throttled, and all periods.
    pub throttled: Option<(u64, u64)>,
    /// Free bytes of the file system that holds the node's `dir`.
    pub disk_free_bytes: Option<u64>,
    /// The server program that the process runs, where that may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

impl Spread {
    /// The spread of those numbers; `None` of none.
    pub fn of(numbers: impl IntoIterator<Item = u64>) -> Option<Spread> {
        let mut sorted: Vec<u64> = numbers.into_iter().collect();
        sorted.sort_unstable();
        let rank = |percent: usize| (sorted.len() * percent).div_ceil(100).max(1) - 1;
        Some(Spread {
            min: *sorted.first()?,
            p50: sorted[rank(50)],
            p95: sorted[rank(95)],
            max: *sorted.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_by_nearest_rank() {
        let spread = |least, p50, p95, max| Spread {
            min: least,
            p50,
            p95,
            max,
        };
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([7]), Some(spread(7, 7, 7, 7)));
        assert_eq!(Spread::of([4, 1, 3, 2]), Some(spread(1, 2, 4, 4)));
        assert_eq!(Spread::of(1..=100), Some(spread(1, 50, 95, 100)));
    }
}
