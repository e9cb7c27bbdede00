//! Finding a good placement: deal the nodes out, then swap while that helps.
//!
//! The deal: nodes sorted so that those of one zone, and in it those of one host, stand together,
//! then dealt to the shards in turn like cards. A run of equal neighbours falls on as many shards
//! as there are, so hosts and zones come apart by themselves. The swaps do the rest, within a
//! budget that keeps a thousand nodes quick.

use super::Layout;
use super::cost::{Cost, Ground, Group};
use super::exact;

/// Up to so many nodes the search ends only when nothing better is possible.
const EXACT_UP_TO: usize = 12;

/// How many nodes may be looked at in weighing swaps, over all swaps of one placement.
const BUDGET: usize = 500_000;

/// The best layout that can be found, in its final order: larger shards first, then by master.
pub(super) fn best(ground: &Ground, masters: usize) -> Layout {
    let mut groups = orders(ground)
        .into_iter()
        .map(|order| improve(ground, deal(ground, &order, masters)))
        .min_by_key(|groups| rank(ground, groups))
        .unwrap_or_default();
    if ground.len() <= EXACT_UP_TO {
        let cost = Cost::of(ground, &groups, masters);
        if let Some(better) = exact::better_than(ground, masters, cost) {
            groups = improve(ground, better);
        }
    }
    finish(groups)
}

/// How many nodes each shard gets; the spare ones go to the first shards.
pub(super) fn sizes(nodes: usize, masters: usize) -> Vec<usize> {
    (0..masters)
        .map(|n| nodes / masters + usize::from(n < nodes % masters))
        .collect()
}

/// Orders in which dealing is worth trying: by zone and host as first mentioned, by zone and host
/// with the most crowded first, and as given.
fn orders(ground: &Ground) -> Vec<Vec<usize>> {
    let crowd = |of: &[usize], at: usize| of.iter().filter(|&&other| other == at).count();
    let host_crowd: Vec<usize> = (0..ground.hosts).map(|h| crowd(&ground.host, h)).collect();
    let zone_crowd: Vec<usize> = (0..ground.zones).map(|z| crowd(&ground.zone, z)).collect();
    let given: Vec<usize> = (0..ground.len()).collect();
    let mut mentioned = given.clone();
    mentioned.sort_by_key(|&n| (ground.zone[n], ground.host[n]));
    let mut crowded = given.clone();
    crowded.sort_by_key(|&n| {
        let (zone, host) = (ground.zone[n], ground.host[n]);
        (
            usize::MAX - zone_crowd[zone],
            zone,
            usize::MAX - host_crowd[host],
            host,
        )
    });
    let mut orders = vec![mentioned, crowded, given];
    orders.dedup();
    orders
}

fn deal(ground: &Ground, order: &[usize], masters: usize) -> Vec<Group> {
    let mut groups = vec![Group::new(); masters];
    for (n, &node) in order.iter().enumerate() {
        groups[n % masters].push(node);
    }
    crown(ground, &mut groups);
    groups
}

/// Chooses a master in each shard: one that shares its host with few of the shard, on a host that
/// has few masters yet, and the same for zones.
fn crown(ground: &Ground, groups: &mut [Group]) {
    let mut on_host = vec![0; ground.hosts];
    let mut in_zone = vec![0; ground.zones];
    for group in groups {
        let sharing = |of: &[usize], n: usize| group.iter().filter(|&&m| of[m] == of[n]).count();
        // Sharing is counted per place, so a shard of a thousand nodes is looked at a million times
        // at worst; beyond a few dozen nodes a shard the loads alone decide.
        let is_small = group.len() <= 64;
        let chosen = (0..group.len()).min_by_key(|&at| {
            let node = group[at];
            let (host, zone) = (ground.host[node], ground.zone[node]);
            let shared = if is_small {
                (sharing(&ground.host, node), sharing(&ground.zone, node))
            } else {
                (0, 0)
            };
            (shared, on_host[host], in_zone[zone], node)
        });
        if let Some(at) = chosen {
            group.swap(0, at);
            on_host[ground.host[group[0]]] += 1;
            in_zone[ground.zone[group[0]]] += 1;
        }
    }
}

/// Cost first, then the wish that the first nodes given be the masters.
fn rank(ground: &Ground, groups: &[Group]) -> (Cost, usize) {
    let masters = groups.iter().filter_map(|group| group.first()).sum();
    (Cost::of(ground, groups, groups.len()), masters)
}

/// Swaps nodes, pair by pair in a fixed order, while that helps and the budget lasts. Masters
/// change place with nodes of their own shard first: that is cheap and mends the most.
fn improve(ground: &Ground, mut groups: Vec<Group>) -> Vec<Group> {
    let mut budget = BUDGET / ground.len().max(1);
    let mut best = rank(ground, &groups);
    loop {
        let before = best;
        crown_again(ground, &mut groups, &mut best, &mut budget);
        swap_all(ground, &mut groups, &mut best, &mut budget);
        if best == before || budget == 0 {
            return groups;
        }
    }
}

type Rank = (Cost, usize);

fn crown_again(ground: &Ground, groups: &mut [Group], best: &mut Rank, budget: &mut usize) {
    for shard in 0..groups.len() {
        for at in 1..groups[shard].len() {
            try_swap(ground, groups, (shard, 0), (shard, at), best, budget);
        }
    }
}

fn swap_all(ground: &Ground, groups: &mut [Group], best: &mut Rank, budget: &mut usize) {
    for one in 0..groups.len() {
        for other in one + 1..groups.len() {
            for a in 0..groups[one].len() {
                for b in 0..groups[other].len() {
                    try_swap(ground, groups, (one, a), (other, b), best, budget);
                    if *budget == 0 {
                        return;
                    }
                }
            }
        }
    }
}

fn try_swap(
    ground: &Ground,
    groups: &mut [Group],
    one: (usize, usize),
    other: (usize, usize),
    best: &mut Rank,
    budget: &mut usize,
) {
    if *budget == 0 {
        return;
    }
    *budget -= 1;
    exchange(groups, one, other);
    let rank = rank(ground, groups);
    if rank < *best {
        *best = rank;
    } else {
        exchange(groups, one, other);
    }
}

fn exchange(groups: &mut [Group], one: (usize, usize), other: (usize, usize)) {
    let (a, b) = (groups[one.0][one.1], groups[other.0][other.1]);
    groups[one.0][one.1] = b;
    groups[other.0][other.1] = a;
}

fn finish(groups: Vec<Group>) -> Layout {
    let mut shards: Vec<(usize, Vec<usize>)> = groups
        .into_iter()
        .filter_map(|group| {
            let (&master, replicas) = group.split_first()?;
            let mut replicas = replicas.to_vec();
            replicas.sort_unstable();
            Some((master, replicas))
        })
        .collect();
    shards.sort_by_key(|(master, replicas)| (usize::MAX - replicas.len(), *master));
    Layout { shards }
}
