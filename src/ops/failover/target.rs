//! Whom a drill strikes: from what the user asked to the nodes' ids. Pure, and the same seed gives
//! the same choice.

use crate::model::{Member, NodeAddr, NodeId, Role, Topology};

/// What the user asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Those nodes, all at once.
    pub nodes: Vec<NodeAddr>,
    /// That shard; 1 is the first.
    pub shard: Option<usize>,
    /// Its replicas instead of its master.
    pub is_replica: bool,
    /// All nodes of the shard at once.
    pub is_whole_shard: bool,
    /// All nodes of that host.
    pub host: Option<String>,
    /// All nodes of that zone.
    pub zone: Option<String>,
    /// Every shard, one after another.
    pub is_every_shard: bool,
    /// A shard by chance, by this seed.
    pub seed: Option<u64>,
}

/// Why nobody can be struck.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// No such shard.
    #[error("there is no shard {asked}: they are numbered 1 to {most}")]
    NoShard {
        /// What was asked for.
        asked: usize,
        /// The last.
        most: usize,
    },
    /// No such node.
    #[error("{asked} is no node of this cluster; its nodes are {known}")]
    NoNode {
        /// What was asked for.
        asked: NodeAddr,
        /// All of them.
        known: String,
    },
    /// No node there.
    #[error("no node stands on {kind} '{asked}'; there are {known}")]
    NoPlace {
        /// `host` or `zone`.
        kind: &'static str,
        /// What was asked for.
        asked: String,
        /// All of them.
        known: String,
    },
    /// A shard without replicas.
    #[error("shard {0} has no replica")]
    NoReplica(usize),
    /// Two faults to one node.
    #[error("{0} is struck already: a second failure must strike another node")]
    Twice(String),
    /// Nothing owns slots.
    #[error("no master owns slots, so there is nothing to drill")]
    NoShards,
}

/// The same target for each group of nodes that it strikes, one after another. A shard stays the same
/// while its master changes, so that "the master of shard 1" is whoever leads it when its turn comes.
pub fn aims(topology: &Topology, target: &Target) -> Vec<Target> {
    let of_shard = |shard| Target {
        shard: Some(shard),
        is_every_shard: false,
        seed: None,
        ..target.clone()
    };
    let is_fixed = !target.nodes.is_empty() || target.host.is_some() || target.zone.is_some();
    let owning = topology.shards.iter().zip(1..);
    let numbers = owning.filter(|(shard, _)| !shard.slots.is_empty());
    let numbers: Vec<usize> = numbers.map(|(_, number)| number).collect();
    match (target.is_every_shard, target.seed) {
        _ if is_fixed => vec![target.clone()],
        (true, _) => numbers.into_iter().map(of_shard).collect(),
        (false, Some(seed)) if !numbers.is_empty() => {
            let chance = usize::try_from(mixed(seed) % numbers.len() as u64).unwrap_or(0);
            vec![of_shard(numbers[chance])]
        }
        _ => vec![target.clone()],
    }
}

/// The groups of nodes to strike, one group after another, each group at once.
pub fn targets(topology: &Topology, target: &Target) -> Result<Vec<Vec<NodeId>>, TargetError> {
    if !target.nodes.is_empty() {
        let found = target.nodes.iter().map(|addr| named(topology, addr));
        return Ok(vec![found.collect::<Result<_, _>>()?]);
    }
    if let Some(host) = &target.host {
        let at = |member: &Member| Some(member.site.host.clone());
        return placed(topology, "host", host, at);
    }
    if let Some(zone) = &target.zone {
        return placed(topology, "zone", zone, |member| member.site.zone.clone());
    }
    let shards: Vec<usize> = topology
        .shards
        .iter()
        .enumerate()
        .filter(|(_, shard)| !shard.slots.is_empty())
        .map(|(n, _)| n + 1)
        .collect();
    let first = *shards.first().ok_or(TargetError::NoShards)?;
    let wanted = match (target.shard, target.seed) {
        _ if target.is_every_shard => shards,
        (Some(asked), _) if shards.contains(&asked) => vec![asked],
        (Some(asked), _) => {
            let most = shards.len();
            return Err(TargetError::NoShard { asked, most });
        }
        (None, Some(seed)) => {
            let chance = usize::try_from(mixed(seed) % shards.len() as u64).unwrap_or(0);
            vec![shards[chance]]
        }
        (None, None) => vec![first],
    };
    wanted
        .into_iter()
        .map(|number| of_shard(topology, number, target))
        .collect()
}

fn of_shard(
    topology: &Topology,
    number: usize,
    target: &Target,
) -> Result<Vec<NodeId>, TargetError> {
    let shard = &topology.shards[number - 1];
    if target.is_whole_shard {
        let all = std::iter::once(&shard.master).chain(&shard.replicas);
        return Ok(all.cloned().collect());
    }
    match (target.is_replica, shard.replicas.first()) {
        (false, _) => Ok(vec![shard.master.clone()]),
        (true, Some(replica)) => Ok(vec![replica.clone()]),
        (true, None) => Err(TargetError::NoReplica(number)),
    }
}

fn named(topology: &Topology, asked: &NodeAddr) -> Result<NodeId, TargetError> {
    let is_it = |member: &&Member| {
        member.addr.as_ref() == Some(asked)
            || member.announced.endpoint().as_ref() == Some(asked)
            || member.announced.ip_endpoint().as_ref() == Some(asked)
    };
    let found = topology.members.values().find(is_it);
    found.map(|member| member.id.clone()).ok_or_else(|| {
        let mut known: Vec<String> = topology
            .members
            .values()
            .filter_map(|member| member.addr.as_ref().map(NodeAddr::to_string))
            .collect();
        known.sort();
        TargetError::NoNode {
            asked: asked.clone(),
            known: known.join(", "),
        }
    })
}

fn placed(
    topology: &Topology,
    kind: &'static str,
    asked: &str,
    at: impl Fn(&Member) -> Option<String>,
) -> Result<Vec<Vec<NodeId>>, TargetError> {
    let members = topology.members.values();
    let mut found: Vec<&Member> = members
        .clone()
        .filter(|member| at(member).as_deref() == Some(asked))
        .collect();
    if !found.is_empty() {
        // Ids come in no order that a reader knows.
        found.sort_by_key(|m| (topology.shard_number(&m.id), m.role != Role::Master));
        return Ok(vec![found.into_iter().map(|m| m.id.clone()).collect()]);
    }
    let mut known: Vec<String> = members.filter_map(at).collect();
    known.sort();
    known.dedup();
    Err(TargetError::NoPlace {
        kind,
        asked: asked.to_owned(),
        known: if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        },
    })
}

/// A number that depends on every bit of the seed (splitmix64).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every node once, replicas first: the order in which a rolling restart goes.
pub fn rolling(topology: &Topology) -> Vec<NodeId> {
    let replicas = topology
        .members
        .values()
        .filter(|member| member.role == Role::Replica);
    let masters = topology.masters();
    replicas
        .chain(masters)
        .map(|member| member.id.clone())
        .collect()
}
