//! Which shard of the line is where: pure, from one look after another. A shard is known by its nodes,
//! so a promoted replica goes on what its master began; slots may move between shards that are followed,
//! and to no others.

use std::collections::BTreeSet;

use super::pump::Where;
use crate::archive::{Owner, Owners};
use crate::model::{NodeAddr, NodeId, Shard, SlotSet, Survey, Topology};
use crate::ops::backup::sources::Source;

/// The shards that are followed, as the line numbers them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shards(Vec<Followed>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Followed {
    nodes: BTreeSet<NodeId>,
    master: NodeId,
    addr: NodeAddr,
    slots: SlotSet,
    leaving: SlotSet,
}

/// What a look showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What is other than it was, in words.
    pub changes: Vec<String>,
    /// Slots that went to nodes that are not followed, in words.
    pub strangers: Option<String>,
}

impl Shards {
    /// Those of a base that has begun.
    pub(super) fn begin<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Shards {
        let sources = sources.into_iter();
        Shards(
            sources
                .map(|source| Followed {
                    nodes: BTreeSet::from([source.master.clone(), source.node.clone()]),
                    master: source.master.clone(),
                    addr: source.master_addr.clone(),
                    slots: source.slots.clone(),
                    leaving: SlotSet::new(),
                })
                .collect(),
        )
    }

    /// Those that a line was left with.
    pub(super) fn again(owners: Owners) -> Shards {
        let mut shards = owners.shards;
        shards.sort_by_key(|owner| owner.shard);
        let shards = shards.into_iter();
        Shards(
            shards
                .map(|owner| Followed {
                    nodes: owner
                        .nodes
                        .into_iter()
                        .chain([owner.master.clone()])
                        .collect(),
                    master: owner.master,
                    addr: owner.addr,
                    slots: owner.slots,
                    leaving: owner.leaving,
                })
                .collect(),
        )
    }

    /// Where one of them is.
    pub(super) fn place(&self, shard: usize) -> Option<Where> {
        let followed = self.0.get(shard)?;
        Some(Where {
            addr: followed.addr.clone(),
            slots: followed.slots.clone(),
        })
    }

    /// Where all of them are.
    pub(super) fn addrs(&self) -> Vec<NodeAddr> {
        let addrs = self.0.iter().map(|followed| followed.addr.clone());
        addrs.collect()
    }

    /// Who has which slots, for the line.
    pub(super) fn owners(&self, cluster: &str, at_ms: u64) -> Owners {
        let shards = (0..).zip(&self.0).map(|(shard, followed)| Owner {
            shard,
            slots: followed.slots.clone(),
            leaving: followed.leaving.clone(),
            master: followed.master.clone(),
            addr: followed.addr.clone(),
            nodes: followed.nodes.iter().cloned().collect(),
        });
        Owners::new(cluster, at_ms, shards.collect())
    }

    /// The offset of each shard's master, where it answered.
    pub(super) fn offsets(&self, survey: &Survey) -> Vec<Option<u64>> {
        let masters = self.0.iter().map(|followed| survey.facts(&followed.master));
        masters
            .map(|facts| facts?.info.number("master_repl_offset"))
            .collect()
    }

    /// Takes a look in. A shard of which nothing is seen stays what it was.
    pub(super) fn look(&mut self, survey: &Survey, topology: &Topology) -> Seen {
        let mut seen = Seen::default();
        let mut taken: BTreeSet<&NodeId> = BTreeSet::new();
        let mut after = Vec::new();
        for followed in &self.0 {
            let shard = followed.among(topology);
            taken.extend(shard.map(|shard| &shard.master));
            let now = shard.and_then(|shard| followed.now(shard, survey, topology));
            after.push(now.unwrap_or_else(|| followed.clone()));
        }
        for (number, (before, after)) in (1..).zip(self.0.iter().zip(&after)) {
            seen.changes.extend(before.changed(after, number));
        }
        self.0 = after;
        let strangers = topology
            .shards
            .iter()
            .filter(|shard| !shard.slots.is_empty() && !taken.contains(&shard.master));
        let mut strangers = strangers.map(|shard| {
            let addr = topology
                .member(&shard.master)
                .and_then(|member| member.addr.as_ref());
            let addr = addr.map_or_else(|| shard.master.to_string(), ToString::to_string);
            format!(
                "slots {} went to {addr}, which is not followed",
                shard.slots
            )
        });
        seen.strangers = strangers.next();
        seen
    }
}

impl Followed {
    /// What of the topology it is: where its master is with slots, else where one of its nodes is master
    /// with slots, else where its master is.
    fn among<'a>(&self, topology: &'a Topology) -> Option<&'a Shard> {
        let own = topology
            .shards
            .iter()
            .filter(|shard| self.nodes.contains(&shard.master));
        own.max_by_key(|shard| {
            let is_same = shard.master == self.master;
            (!shard.slots.is_empty(), is_same, shard.slots.len())
        })
    }

    fn now(&self, shard: &Shard, survey: &Survey, topology: &Topology) -> Option<Followed> {
        let member = topology.member(&shard.master)?;
        let report = survey.node(&shard.master).map(|report| report.addr.clone());
        let view = survey
            .facts(&shard.master)
            .and_then(|facts| facts.view.myself());
        let leaving = view.map(|own| own.migrating.iter().map(|(slot, _)| *slot).collect());
        let mut nodes: BTreeSet<NodeId> = shard.replicas.iter().cloned().collect();
        nodes.insert(shard.master.clone());
        // A master that failed comes back as a replica; until then it is one of them.
        nodes.insert(self.master.clone());
        Some(Followed {
            nodes,
            master: shard.master.clone(),
            addr: report.or_else(|| member.addr.clone())?,
            slots: shard.slots.clone(),
            leaving: leaving.unwrap_or_else(|| self.leaving.clone()),
        })
    }

    fn changed(&self, after: &Followed, number: usize) -> Option<String> {
        if self.master != after.master {
            return Some(format!("shard {number}: {} is the master now", after.addr));
        }
        if self.slots != after.slots {
            let (lost, won) = (
                self.slots.difference(&after.slots),
                after.slots.difference(&self.slots),
            );
            let mut words = Vec::new();
            for (what, slots) in [("gave away", lost), ("got", won)] {
                if !slots.is_empty() {
                    words.push(format!("{what} slots {slots}"));
                }
            }
            return Some(format!("shard {number} {}", words.join(" and ")));
        }
        if self.leaving != after.leaving {
            return Some(match after.leaving.is_empty() {
                true => format!("shard {number} gives no slots away any more"),
                false => format!("shard {number} is giving away slots {}", after.leaving),
            });
        }
        (self.addr != after.addr).then(|| format!("shard {number} is at {} now", after.addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::testing::Cluster;
    use crate::model::Slot;
    use crate::ops::backup::busy::Busy;
    use crate::ops::backup::sources::{From, sources};

    fn begun() -> (Shards, Survey, Topology) {
        let survey = Cluster::sound().survey();
        let topology = Topology::of(&survey);
        let sources = sources(
            &survey,
            &topology,
            From::Best,
            false,
            &Busy::of(&survey, None),
        )
        .unwrap();
        let mut shards = Shards::begin(&sources);
        shards.look(&survey, &topology);
        (shards, survey, topology)
    }

    #[test]
    fn nothing_changed() {
        let (mut shards, survey, topology) = begun();
        assert_eq!(shards.look(&survey, &topology), Seen::default());
        let owners = shards.owners("shop", 5);
        assert_eq!(Shards::again(owners), shards);
    }

    #[test]
    fn slots_move_between_those_that_are_followed() {
        let (mut shards, survey, mut topology) = begun();
        let slot = Slot::new(5460).unwrap();
        topology.shards[0].slots.remove(slot);
        topology.shards[1].slots.insert(slot);
        let seen = shards.look(&survey, &topology);
        assert_eq!(
            seen.changes,
            ["shard 1 gave away slots 5460", "shard 2 got slots 5460"]
        );
        assert_eq!(seen.strangers, None);
    }

    #[test]
    fn a_replica_that_was_promoted_goes_on() {
        let (mut shards, survey, mut topology) = begun();
        let promoted = topology.shards[0].replicas[0].clone();
        let failed = std::mem::replace(&mut topology.shards[0].master, promoted.clone());
        topology.shards[0].replicas.clear();
        topology.shards.push(Shard {
            master: failed,
            replicas: Vec::new(),
            slots: SlotSet::new(),
        });
        let seen = shards.look(&survey, &topology);
        assert_eq!(seen.changes.len(), 1, "{seen:?}");
        assert!(seen.changes[0].contains("is the master now"), "{seen:?}");
        assert_eq!(seen.strangers, None);
        assert_eq!(shards.owners("shop", 5).shards[0].master, promoted);
    }

    #[test]
    fn a_node_that_is_not_followed_must_not_have_slots() {
        let (mut shards, survey, mut topology) = begun();
        let slot = Slot::new(5460).unwrap();
        topology.shards[0].slots.remove(slot);
        topology.shards.push(Shard {
            master: "ffffffffffffffffffffffffffffffffffffffff".parse().unwrap(),
            replicas: Vec::new(),
            slots: SlotSet::range(slot, slot),
        });
        let seen = shards.look(&survey, &topology);
        assert!(seen.strangers.unwrap().starts_with("slots 5460 went to"));
    }
}
