//! Which master takes the keys of a slot, as the target says at the moment.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{NodeAddr, SLOT_COUNT, Slot, Topology};

/// Nobody.
const NONE: u16 = u16::MAX;

/// Where each slot goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    owners: Vec<u16>,
    pub masters: Vec<NodeAddr>,
    /// The places in `masters` of those to whom slots are on their way.
    takers: BTreeMap<u16, usize>,
}

/// The table that holds now; it is replaced when the target changes.
#[derive(Debug)]
pub(super) struct Routes(RwLock<Arc<Table>>);

impl Table {
    /// By the topology; slots without a master that answers go nowhere.
    pub(super) fn of(topology: &Topology) -> Table {
        let mut table = Table {
            owners: vec![NONE; usize::from(SLOT_COUNT)],
            masters: Vec::new(),
            takers: BTreeMap::new(),
        };
        for shard in &topology.shards {
            let Some(member) = topology.member(&shard.master) else {
                continue;
            };
            let Some(addr) = member.addr.clone().filter(|_| member.is_answering) else {
                continue;
            };
            let index = u16::try_from(table.masters.len()).unwrap_or(NONE);
            table.masters.push(addr);
            for slot in shard.slots.iter() {
                table.owners[usize::from(slot.number())] = index;
            }
        }
        table.takers = table.takers_of(topology);
        table
    }

    fn takers_of(&self, topology: &Topology) -> BTreeMap<u16, usize> {
        let leaving = topology.masters().flat_map(|member| &member.migrating);
        let taken = leaving.filter_map(|(slot, to)| {
            let addr = topology.member(to)?.addr.as_ref()?;
            let index = self.masters.iter().position(|master| master == addr)?;
            Some((slot.number(), index))
        });
        taken.collect()
    }

    #[cfg(test)]
    pub(super) fn give(&mut self, addr: &NodeAddr, slot: u16) {
        self.owners[usize::from(slot)] = u16::try_from(self.masters.len()).unwrap_or(NONE);
        self.masters.push(addr.clone());
    }

    /// The place of the slot's master in `masters`.
    pub(super) fn owner(&self, slot: u16) -> Option<usize> {
        let owner = *self.owners.get(usize::from(slot))?;
        (owner != NONE).then_some(usize::from(owner))
    }

    /// Where a slot goes.
    pub(super) fn addr(&self, slot: u16) -> Option<&NodeAddr> {
        self.masters.get(self.owner(slot)?)
    }

    /// The place in `masters` of the one to which a slot is on its way: keys that are new there go to it.
    pub(super) fn taker(&self, slot: u16) -> Option<usize> {
        self.takers.get(&slot).copied()
    }

    /// The same without any slot on its way.
    pub(super) fn without_takers(&self) -> Table {
        Table {
            takers: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// Slots that go nowhere.
    pub(super) fn uncovered(&self) -> impl Iterator<Item = Slot> + '_ {
        Slot::all().filter(|slot| self.owner(slot.number()).is_none())
    }
}

impl Routes {
    pub(super) fn new(table: Table) -> Routes {
        Routes(RwLock::new(Arc::new(table)))
    }

    pub(super) fn now(&self) -> Arc<Table> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, table: Table) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }
}
