//! Who is who: sightings name nodes by id, reports by address.

use std::collections::BTreeMap;

use super::when::all_targets;
use crate::model::{NodeAddr, NodeId, Recording, Role};

/// The nodes of a recording, by id.
pub struct Names {
    nodes: BTreeMap<NodeId, Known>,
}

struct Known {
    addr: NodeAddr,
    shard: Option<usize>,
    role: Role,
    epoch: u64,
}

impl Names {
    /// Those that the recording lists, and the victims, which it names in any case.
    pub fn of(recording: &Recording) -> Names {
        let mut nodes = BTreeMap::new();
        for victim in recording.rounds.iter().flat_map(all_targets) {
            nodes.entry(victim.id.clone()).or_insert_with(|| Known {
                addr: victim.addr.clone(),
                shard: (victim.shard > 0).then_some(victim.shard),
                role: victim.role,
                epoch: 0,
            });
        }
        for node in &recording.nodes {
            let known = Known {
                addr: node.addr.clone(),
                shard: node.shard,
                role: node.role,
                epoch: node.epoch,
            };
            nodes.insert(node.id.clone(), known);
        }
        Names { nodes }
    }

    /// How many nodes are known by name.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Its address.
    pub fn addr(&self, id: &NodeId) -> Option<&NodeAddr> {
        self.nodes.get(id).map(|known| &known.addr)
    }

    /// Its address in words; the beginning of its id when that is all that is known.
    pub fn word(&self, id: &NodeId) -> String {
        let addr = self.addr(id).map(NodeAddr::to_string);
        addr.unwrap_or_else(|| id.short().to_owned())
    }

    /// The nodes of a shard, as they were before the first round.
    pub fn shard(&self, number: usize) -> Vec<NodeId> {
        let inside = |known: &Known| known.shard == Some(number);
        let nodes = self.nodes.iter().filter(|(_, known)| inside(known));
        nodes.map(|(id, _)| id.clone()).collect()
    }

    /// The masters before the first round, by shard.
    pub fn masters(&self) -> BTreeMap<usize, NodeId> {
        let masters = self.nodes.iter();
        masters
            .filter(|(_, known)| known.role == Role::Master)
            .filter_map(|(id, known)| Some((known.shard?, id.clone())))
            .collect()
    }

    /// The highest config epoch before the first round; 0 when none was recorded.
    pub fn epoch(&self) -> u64 {
        let epochs = self.nodes.values().map(|known| known.epoch);
        epochs.max().unwrap_or(0)
    }
}
