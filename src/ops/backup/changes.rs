//! Whether a cluster is still what it was: pure.

use crate::model::{NodeId, Slot, Topology};

/// The first thing that changed between two looks, in words; `None` when every slot still has the
/// master that it had.
pub fn changed(before: &Topology, after: &Topology) -> Option<String> {
    let moved = Slot::all().find(|&slot| owner(before, slot) != owner(after, slot))?;
    let name = |topology: &Topology| {
        let owner = topology.owner(moved)?;
        Some(
            owner
                .addr
                .as_ref()
                .map_or(owner.id.to_string(), ToString::to_string),
        )
    };
    let number = moved.number();
    Some(match (name(before), name(after)) {
        (Some(from), Some(to)) => format!("slot {number} went from {from} to {to}"),
        (Some(from), None) => format!("{from} no longer serves slot {number}"),
        (None, Some(to)) => format!("slot {number} is served by {to} now"),
        (None, None) => format!("slot {number} changed"),
    })
}

fn owner(topology: &Topology, slot: Slot) -> Option<&NodeId> {
    topology.owner(slot).map(|owner| &owner.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::testing::Cluster;
    use crate::model::SlotSet;

    #[test]
    fn a_slot_that_moved_is_named() {
        let before = Topology::of(&Cluster::sound().survey());
        assert_eq!(changed(&before, &before), None);
        let mut after = before.clone();
        let slot = Slot::new(5460).unwrap();
        after.shards[0].slots.remove(slot);
        assert_eq!(
            changed(&before, &after).unwrap(),
            "10.0.0.1:7000 no longer serves slot 5460"
        );
        after.shards[1].slots = after.shards[1].slots.union(&SlotSet::range(slot, slot));
        assert_eq!(
            changed(&before, &after).unwrap(),
            "slot 5460 went from 10.0.0.1:7000 to 10.0.0.2:7000"
        );
    }
}
