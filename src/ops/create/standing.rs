//! How far the candidates are: nothing begun, a part done, or a whole cluster.

use serde::Serialize;

use super::candidate::Candidate;
use super::plan::Options;
use crate::model::{Layout, NodeId, Placement, SlotSet};

/// How far the nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was begun.
    Fresh,
    /// A part of this very plan is done.
    HalfMade,
    /// A whole cluster of these nodes.
    AlreadySo,
}

/// The layout of a whole cluster of exactly these nodes, when that is what stands: everybody knows
/// everybody and nobody else, all slots are owned once, and masters and replicas are as many as
/// wanted. Health is not asked here; the wait at the end of create does that.
pub(super) fn formed(candidates: &[Candidate], options: &Options) -> Option<Layout> {
    let ids: Vec<&NodeId> = candidates
        .iter()
        .map(Candidate::id)
        .collect::<Option<_>>()?;
    let is_closed = candidates.iter().all(|node| {
        node.known().count() + 1 == ids.len() && node.known().all(|peer| ids.contains(&&peer.id))
    });
    if !is_closed {
        return None;
    }
    let mut masters: Vec<usize> = (0..ids.len())
        .filter(|&n| candidates[n].master().is_none())
        .collect();
    masters.sort_by_key(|&n| (candidates[n].slots().iter().next(), n));
    let (wanted_masters, wanted_replicas) = match &options.layout {
        Some(written) => (written.layout.shards.len(), 0),
        None => (options.masters, options.replicas),
    };
    let shards: Vec<(usize, Vec<usize>)> = masters
        .into_iter()
        .map(|n| (n, replicas_of(candidates, ids[n])))
        .collect();
    let total: usize = shards
        .iter()
        .map(|(n, _)| candidates[*n].slots().len())
        .sum();
    let covered = shards.iter().fold(SlotSet::new(), |all, (n, _)| {
        all.union(&candidates[*n].slots())
    });
    let is_whole = total == covered.len()
        && covered.is_full()
        && shards.len() == wanted_masters
        && shards
            .iter()
            .map(|(_, replicas)| 1 + replicas.len())
            .sum::<usize>()
            == ids.len()
        && shards.iter().all(|(n, replicas)| {
            !candidates[*n].slots().is_empty() && replicas.len() >= wanted_replicas
        });
    is_whole.then_some(Layout { shards })
}

fn replicas_of(candidates: &[Candidate], id: &NodeId) -> Vec<usize> {
    (0..candidates.len())
        .filter(|&n| candidates[n].master() == Some(id))
        .collect()
}

/// Whether a cluster that stands is the written layout, but for who is master within a shard.
pub(super) fn keeps_to(candidates: &[Candidate], layout: &Layout, wanted: &Placement) -> bool {
    let nodes = |(master, replicas): &(usize, Vec<usize>)| {
        let mut nodes = replicas.clone();
        nodes.push(*master);
        nodes.sort_unstable();
        nodes
    };
    wanted
        .layout
        .shards
        .iter()
        .zip(&wanted.slots)
        .all(|(shard, slots)| {
            layout
                .shards
                .iter()
                .any(|other| nodes(other) == nodes(shard) && candidates[other.0].slots() == *slots)
        })
}

/// Of nodes that are no whole cluster: whether anything was begun.
pub(super) fn standing(candidates: &[Candidate]) -> Standing {
    let is_untouched = |node: &Candidate| node.slots().is_empty() && node.known().next().is_none();
    if candidates.iter().all(is_untouched) {
        Standing::Fresh
    } else {
        Standing::HalfMade
    }
}
