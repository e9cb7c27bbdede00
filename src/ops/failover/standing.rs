//! The cluster as it stands before a round: what the driver needs to know of it.

use std::collections::BTreeSet;

use crate::cluster::load::ShardAtStart;
use crate::cluster::sentinel_id;
use crate::host::drill::NodeAtHost;
use crate::model::{NodeAddr, NodeId, Sentinels, Survey, Topology};

/// A survey and the picture that it makes.
pub(super) struct Standing {
    pub(super) seen: Survey,
    pub(super) topology: Topology,
}

impl Standing {
    pub(super) fn of(seen: Survey) -> Standing {
        let topology = Topology::of(&seen);
        Standing { seen, topology }
    }

    pub(super) fn ids(&self) -> BTreeSet<NodeId> {
        self.topology.members.keys().cloned().collect()
    }

    pub(super) fn addr(&self, id: &NodeId) -> Option<NodeAddr> {
        self.seen.node(id).map(|node| node.addr.clone())
    }

    /// The address, or as much of the id as people read.
    pub(super) fn name(&self, id: &NodeId) -> String {
        self.addr(id)
            .map_or_else(|| id.short().to_owned(), |addr| addr.to_string())
    }

    /// Every node with its address.
    pub(super) fn nodes(&self) -> Vec<(NodeId, NodeAddr)> {
        let ids = self.topology.members.keys();
        ids.filter_map(|id| Some((id.clone(), self.addr(id)?)))
            .collect()
    }

    /// The Sentinels that answer, with what stands for their ids.
    pub(super) fn sentinels(&self) -> Vec<(NodeId, NodeAddr)> {
        let all = self.seen.sentinels.iter().flat_map(Sentinels::watching);
        all.map(|(report, ..)| (sentinel_id(&report.addr), report.addr.clone()))
            .collect()
    }

    /// How many have a say in who leads, when those are struck.
    pub(super) fn observers(&self, struck: usize) -> usize {
        match self.seen.form.is_cluster() {
            true => self.ids().len() - struck,
            false => self.sentinels().len(),
        }
    }

    /// Every node of the shard that this node belongs to.
    pub(super) fn shard_of(&self, id: &NodeId) -> Vec<NodeId> {
        let Some(number) = self.topology.shard_number(id) else {
            return Vec::new();
        };
        let shard = &self.topology.shards[number - 1];
        std::iter::once(&shard.master)
            .chain(&shard.replicas)
            .cloned()
            .collect()
    }

    /// What the load is to be sent to.
    pub(super) fn shards_at_start(&self) -> Vec<ShardAtStart> {
        let shards = self.topology.shards.iter().zip(1..);
        shards
            .filter(|(shard, _)| !shard.slots.is_empty())
            .map(|(shard, number)| ShardAtStart {
                number,
                slots: shard.slots.clone(),
                nodes: std::iter::once(&shard.master)
                    .chain(&shard.replicas)
                    .filter_map(|id| self.addr(id))
                    .collect(),
            })
            .collect()
    }
}

/// What the machines need to know to find a node; `None` for one that does not answer.
pub fn at_host(
    seen: &Survey,
    topology: &Topology,
    id: &NodeId,
    cluster: &str,
) -> Option<NodeAtHost> {
    let report = seen.node(id)?;
    let facts = report.facts()?;
    let member = topology.member(id)?;
    Some(NodeAtHost {
        id: id.clone(),
        addr: report.addr.clone(),
        announced: member.announced.clone(),
        role: member.role,
        shard: topology.shard_number(id).unwrap_or(0),
        cluster: cluster.to_owned(),
        info: facts.info.clone(),
        settings: facts.config.clone(),
    })
}
