//! How many shards of each node size hold what is asked, what binds, and what one shard more or
//! less would change.
//!
//! For each size the fewest shards are sought that hold: three at the least, since two masters
//! cannot elect when one is gone. Everything but connections eases with each shard, so that a search
//! by halves finds the fewest; a property test holds it to that.

use serde::Serialize;

use super::catalogue::{Kind, NodeSize};
use super::demand::Demand;
use super::prices::{Cost, Prices};
use super::shard::{self, Ask, Load, Memory, Term, load, memory};
use crate::model::words::counted;

/// Two of three masters elect.
const LEAST_SHARDS: usize = 3;

/// So many shards of a size, which hold what is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layout {
    /// The node size.
    pub size: String,
    /// Its family.
    pub family: String,
    /// Whose it is.
    pub service: String,
    /// Who runs the servers.
    pub kind: Kind,
    /// Masters.
    pub shards: usize,
    /// All nodes, replicas included; of a size that is a whole instance: instances.
    pub nodes: usize,
    /// What asks for this many and no fewer.
    pub binds: Term,
    /// How near the fullest shard comes, at the end of the horizon.
    pub load: Load,
    /// Its memory, term by term.
    pub memory: Memory,
    /// Whether its thread has less than a core: a burst is paid from credits that run out.
    pub is_burstable: bool,
    /// Memory of all nodes together, which is what is paid for.
    pub memory_paid_bytes: f64,
    /// Of that: what the servers, buffers and the service take, however little data there is.
    pub overhead_bytes: f64,
    /// Keys that one node's loss touches, in percent.
    pub blast_percent: f64,
    /// How long a lost node's replacement takes to get its data.
    pub full_sync_s: f64,
    /// What it costs, when prices are given.
    pub cost: Option<Cost>,
}

/// A size of which no number of shards holds what is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unfit {
    /// The node size.
    pub size: String,
    /// Whose it is.
    pub service: String,
    /// What does not fit.
    pub binds: Term,
    /// How far the most that may be had is from holding it: 2 is twice too much.
    pub over: f64,
    /// In words.
    pub why: String,
}

/// One shard more, or one less.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Neighbour {
    /// Masters.
    pub shards: usize,
    /// Whether that would hold it.
    pub holds: bool,
    /// What would come nearest, or would not fit.
    pub binds: Term,
    /// How near each term would come.
    pub load: Load,
    /// What it would cost, when prices are given.
    pub cost: Option<Cost>,
}

/// The fewest shards of that size that hold what is asked.
pub fn layout(
    demand: &Demand,
    size: &NodeSize,
    ask: &Ask,
    prices: Option<&Prices>,
) -> Result<Layout, Unfit> {
    let most = most_shards(size, ask);
    let least = size.fixed_shards.unwrap_or(LEAST_SHARDS);
    let holds = |shards: usize| load(demand, size, ask, shards).holds();
    if least > most || !holds(most) {
        return Err(unfit(demand, size, ask, most.max(1)));
    }
    let (mut low, mut high) = (least, most);
    while low < high {
        let middle = low.midpoint(high);
        match holds(middle) {
            true => high = middle,
            false => low = middle + 1,
        }
    }
    Ok(laid_out(demand, size, ask, low, prices))
}

/// One shard less and one more than a layout has; nothing where an instance fixes their number.
pub fn neighbours(
    demand: &Demand,
    size: &NodeSize,
    ask: &Ask,
    shards: usize,
    prices: Option<&Prices>,
) -> Vec<Neighbour> {
    if size.fixed_shards.is_some() {
        return Vec::new();
    }
    let counts = [shards.saturating_sub(1), shards + 1];
    let possible = counts
        .into_iter()
        .filter(|n| *n > 0 && *n <= most_shards(size, ask));
    possible
        .map(|shards| {
            let load = load(demand, size, ask, shards);
            let is_quorum = shards >= LEAST_SHARDS;
            Neighbour {
                shards,
                holds: load.holds() && is_quorum,
                binds: match is_quorum {
                    true => load.nearest().0,
                    false => Term::Quorum,
                },
                load,
                cost: prices.and_then(|p| p.cost(&size.name, nodes(size, ask, shards))),
            }
        })
        .collect()
}

fn most_shards(size: &NodeSize, ask: &Ask) -> usize {
    let of_nodes = size.max_nodes / (1 + ask.replicas);
    size.fixed_shards.unwrap_or(of_nodes.min(size.max_shards))
}

fn nodes(size: &NodeSize, ask: &Ask, shards: usize) -> usize {
    match size.fixed_shards {
        Some(_) => 1,
        None => shards * (1 + ask.replicas),
    }
}

fn laid_out(
    demand: &Demand,
    size: &NodeSize,
    ask: &Ask,
    shards: usize,
    prices: Option<&Prices>,
) -> Layout {
    let memory = memory(demand, size, ask, shards);
    let nodes = nodes(size, ask, shards);
    let data = memory.data_bytes + memory.growth_bytes + memory.skew_bytes;
    // An instance's size counts what may be stored; its replicas' memory is not sold apart.
    let held_back = size.memory_bytes - size.maxmemory_bytes;
    let idle = (memory.buffers_bytes + memory.fixed_bytes).max(held_back);
    let all = size.fixed_shards.map_or(nodes, |shards| shards) as f64;
    Layout {
        size: size.name.clone(),
        family: size.family.clone(),
        service: size.service.clone(),
        kind: size.kind,
        shards,
        nodes,
        binds: binds(demand, size, ask, shards),
        load: load(demand, size, ask, shards),
        memory,
        is_burstable: size.engine_cores < 1.0,
        memory_paid_bytes: size.memory_bytes * all,
        overhead_bytes: idle * all,
        blast_percent: 100.0 / shards as f64,
        full_sync_s: shard::full_sync_seconds(size, data),
        cost: prices.and_then(|prices| prices.cost(&size.name, nodes)),
    }
}

/// What would not fit with one shard less.
fn binds(demand: &Demand, size: &NodeSize, ask: &Ask, shards: usize) -> Term {
    match (size.fixed_shards, shards <= LEAST_SHARDS) {
        (Some(_), _) => Term::Instance,
        (None, true) => Term::Quorum,
        (None, false) => load(demand, size, ask, shards - 1).nearest().0,
    }
}

fn unfit(demand: &Demand, size: &NodeSize, ask: &Ask, most: usize) -> Unfit {
    let (term, over) = load(demand, size, ask, most).nearest();
    let why = match (term, size.fixed_shards) {
        (Term::LargestKey, _) => {
            "one key and its share of the data are more than a node holds".into()
        }
        (Term::Connections, _) => {
            "more clients connect to a node than it takes, and more shards do not change that"
                .into()
        }
        (_, Some(_)) => format!("{}, as it has, is too little", counted(most, "shard")),
        (_, None) if most < LEAST_SHARDS => "a cluster of it may not have three shards".into(),
        (_, None) => format!("{most} shards, the most that it may have, are too few"),
    };
    Unfit {
        size: size.name.clone(),
        service: size.service.clone(),
        binds: term,
        over,
        why,
    }
}

#[cfg(test)]
#[path = "layouts_tests.rs"]
mod tests;
