//! How many nodes of one machine may fork at the same time, and what a fork might cost there: pure.
//!
//! A fork shares its memory with the server until one of them writes; at worst it copies all of it.
//! So nodes of one machine are read together only where even that would fit.

use std::collections::BTreeMap;

use super::sources::{Source, host_of};
use crate::model::words::bytes;
use crate::model::{Facts, Survey};

/// How much of the memory that is left on a machine forks may take at worst.
const SHARE: f64 = 0.8;

/// What is known of a machine's memory.
#[derive(Debug, Default)]
struct Machine {
    total: u64,
    used: u64,
    /// What each source on it would copy at worst.
    sources: Vec<u64>,
}

impl Machine {
    fn left(&self) -> u64 {
        (self.total.saturating_sub(self.used) as f64 * SHARE) as u64
    }
}

/// For each machine how many of its sources are read at once, one at least; `wanted` overrides.
pub fn turns(
    survey: &Survey,
    sources: &[Source],
    wanted: Option<usize>,
) -> BTreeMap<String, usize> {
    let machines = machines(survey, sources);
    machines
        .into_iter()
        .map(|(host, machine)| (host, wanted.unwrap_or_else(|| at_once(&machine)).max(1)))
        .collect()
}

/// The largest first, for whoever comes first may be any of them.
fn at_once(machine: &Machine) -> usize {
    let mut sizes = machine.sources.clone();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let (mut taken, left) = (0, machine.left());
    sizes
        .iter()
        .take_while(|size| {
            taken += **size;
            taken <= left
        })
        .count()
}

/// Where not even one fork would surely fit.
pub fn dangers(survey: &Survey, sources: &[Source]) -> Vec<String> {
    let machines = machines(survey, sources);
    let tight = sources.iter().filter_map(|source| {
        let (machine, facts) = (machines.get(&source.host)?, survey.facts(&source.node)?);
        let needs = worst(facts);
        (machine.total > 0 && needs > machine.left()).then(|| {
            let last = facts.info.number("rdb_last_cow_size").unwrap_or(0);
            format!(
                "a fork of {} may copy up to {} and its machine has {} left; the last one copied {}",
                source.addr,
                bytes(needs),
                bytes(machine.total.saturating_sub(machine.used)),
                bytes(last)
            )
        })
    });
    tight.collect()
}

fn machines(survey: &Survey, sources: &[Source]) -> BTreeMap<String, Machine> {
    let mut machines: BTreeMap<String, Machine> = BTreeMap::new();
    for source in sources {
        let machine = machines.entry(source.host.clone()).or_default();
        if let Some(facts) = survey.facts(&source.node) {
            machine.total = facts.info.number("total_system_memory").unwrap_or(0);
            machine.sources.push(worst(facts));
        }
    }
    for (report, facts) in survey.answered() {
        if let Some(machine) = machines.get_mut(host_of(report)) {
            machine.used += facts.info.number("used_memory_rss").unwrap_or(0);
        }
    }
    machines
}

fn worst(facts: &Facts) -> u64 {
    facts.info.number("used_memory").unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::testing::Cluster;
    use crate::model::Topology;
    use crate::ops::backup::busy::Busy;
    use crate::ops::backup::{From, sources};

    fn on_one_host(total: u64, each: u64) -> (Survey, Vec<Source>) {
        let memory = format!(
            "total_system_memory:{total}\nused_memory:{each}\nused_memory_rss:{each}\nrdb_last_cow_size:1000"
        );
        let cluster = (0..6).fold(Cluster::sound(), |cluster, n| {
            cluster.host(n, "one").info(n, &memory)
        });
        let survey = cluster.survey();
        let (topology, busy) = (Topology::of(&survey), Busy::of(&survey, None));
        let from = sources(&survey, &topology, From::Best, false, &busy).unwrap();
        (survey, from)
    }

    #[test]
    fn nodes_of_one_machine_fork_together_only_where_all_of_it_would_fit() {
        const GB: u64 = 1_000_000_000;
        for (total, at_once) in [(64 * GB, 3), (9 * GB, 2), (7 * GB, 1)] {
            let (survey, sources) = on_one_host(total, GB);
            assert_eq!(turns(&survey, &sources, None)["one"], at_once, "{total}");
            assert_eq!(turns(&survey, &sources, Some(2))["one"], 2);
            let dangers = dangers(&survey, &sources);
            assert_eq!(dangers.len(), if total == 7 * GB { 3 } else { 0 });
        }
    }
}
