//! What is known of the cluster and its load, on which the advice to clients rests.

use super::drill::{Drill, Servers};
use crate::health::rates;
use crate::model::{Facts, Info, Survey, Topology};

/// A setting that no node tells is as the servers ship it.
const SHIPPED_NODE_TIMEOUT_MS: u64 = 15_000;

/// What is known.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// The cluster's name, or the seed that was given.
    pub cluster: String,
    /// The last drill; `None` when there was none.
    pub drill: Option<Drill>,
    /// What the servers' timing depends on, as they told it now.
    pub servers: Servers,
    /// Whether any node told its timeout; else it is the shipped one.
    pub is_timeout_told: bool,
    /// Commands a second, all masters.
    pub operations_per_second: Option<f64>,
    /// Bytes a second that masters write to their replication stream, all together.
    pub written_bytes_per_second: Option<f64>,
    /// Keys of all masters.
    pub keys: u64,
    /// Keys with an expiry, of all masters.
    pub expiring_keys: u64,
    /// What a key and its value take on average in the server.
    pub bytes_per_key: Option<f64>,
    /// Data of all masters.
    pub data_bytes: u64,
}

impl Evidence {
    /// Folds a survey and the last drill, when there is one.
    pub fn from_survey(survey: &Survey, drill: Option<Drill>) -> Evidence {
        let topology = Topology::of(survey);
        let masters: Vec<&Facts> = topology
            .voters()
            .filter_map(|member| survey.facts(&member.id))
            .collect();
        let keys: u64 = masters.iter().map(|facts| newest(facts).keys()).sum();
        let data: u64 = masters.iter().map(|facts| data(facts)).sum();
        let timeouts = masters
            .iter()
            .filter_map(|f| f.setting_number("cluster-node-timeout"));
        let timeout = timeouts.max();
        let sum = |rate: fn(&Facts) -> Option<f64>| -> Option<f64> {
            let rates: Option<f64> = masters.iter().map(|facts| rate(facts)).sum();
            rates.filter(|_| !masters.is_empty())
        };
        let seed = || survey.seeds.first().map(ToString::to_string);
        Evidence {
            cluster: survey
                .name
                .clone()
                .or_else(seed)
                .unwrap_or_else(|| "cluster".into()),
            drill,
            servers: servers(&masters, &topology, timeout),
            is_timeout_told: timeout.is_some(),
            operations_per_second: sum(rates::operations_per_second),
            written_bytes_per_second: sum(rates::written_per_second),
            keys,
            expiring_keys: masters.iter().map(|facts| expiring(facts)).sum(),
            bytes_per_key: (keys > 0).then(|| data as f64 / keys as f64),
            data_bytes: data,
        }
    }
}

fn servers(masters: &[&Facts], topology: &Topology, timeout_ms: Option<u64>) -> Servers {
    let info = masters.first().map(|facts| newest(facts));
    let version = info.and_then(Info::version);
    let is_off = |facts: &&&Facts| facts.setting("cluster-require-full-coverage") == Some("no");
    Servers {
        vendor: info.map_or("redis".into(), |i| i.vendor().to_string().to_lowercase()),
        version: version.map_or_else(String::new, |version| version.to_string()),
        node_timeout_ms: timeout_ms.unwrap_or(SHIPPED_NODE_TIMEOUT_MS),
        masters: topology.voters().count(),
        // One node that insists is enough to refuse what it is asked.
        is_full_coverage: masters.is_empty()
            || masters.iter().filter(is_off).count() < masters.len(),
    }
}

fn newest(facts: &Facts) -> &Info {
    facts.later.as_ref().unwrap_or(&facts.info)
}

fn data(facts: &Facts) -> u64 {
    let info = newest(facts);
    let net = || {
        let own = info.number("used_memory_startup").unwrap_or(1 << 20);
        info.number("used_memory").unwrap_or(0).saturating_sub(own)
    };
    info.number("used_memory_dataset").unwrap_or_else(net)
}

fn expiring(facts: &Facts) -> u64 {
    newest(facts)
        .databases()
        .map(|(_, _, expiring)| expiring)
        .sum()
}
