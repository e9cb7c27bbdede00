//! A placement that the user wrote down: taken as it is, or refused with what is wrong in it.

use super::super::slot::SlotSet;
use super::{Layout, Placement, PlacementError, Site, even_slots, losses};

/// What is wrong with a layout that was written down. Shards and nodes are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// It cannot be a cluster at all.
    #[error(transparent)]
    Impossible(#[from] PlacementError),
    /// A node that was not given.
    #[error("shard {shard} names node {node}, but only {nodes} nodes are given")]
    NoSuchNode {
        /// The shard.
        shard: usize,
        /// The node.
        node: usize,
        /// Nodes given.
        nodes: usize,
    },
    /// A node in two places.
    #[error(
        "node {node} stands in shard {first} and again in shard {second}: each node has one place"
    )]
    Twice {
        /// The node.
        node: usize,
        /// Where it stands first.
        first: usize,
        /// Where it stands again; may be the same shard.
        second: usize,
    },
    /// A node in no place.
    #[error("node {0} stands in no shard: give it a place or leave it out")]
    Unplaced(usize),
    /// Slots for more or fewer shards than there are.
    #[error("slots are given for {given} of {shards} shards: give them for all or for none")]
    SlotsForSome {
        /// Shards with slots.
        given: usize,
        /// Shards.
        shards: usize,
    },
    /// A shard without slots.
    #[error("shard {0} has no slots: a master without slots serves nothing")]
    NoSlots(usize),
    /// Slots with two owners.
    #[error("slots {slots} are given to shard {first} and to shard {second}")]
    SlotsTwice {
        /// The slots, as ranges.
        slots: String,
        /// The one owner.
        first: usize,
        /// The other.
        second: usize,
    },
    /// Slots with no owner.
    #[error("slots {0} are given to no shard: all of 0-16383 need an owner")]
    Uncovered(String),
}

impl Placement {
    /// The placement that a written layout describes: every node once, and either no slots (then
    /// they are dealt evenly) or the slots of each shard in the layout's order, all 16,384 of them.
    pub fn from_layout(
        sites: &[Site],
        layout: Layout,
        slots: Option<Vec<SlotSet>>,
    ) -> Result<Placement, LayoutError> {
        if layout.shards.is_empty() {
            return Err(PlacementError::NoMaster.into());
        }
        check_nodes(sites.len(), &layout)?;
        let slots = match slots {
            Some(slots) => check_slots(slots, layout.shards.len())?,
            None if layout.shards.len() > SlotSet::full().len() => {
                return Err(PlacementError::TooManyMasters(layout.shards.len()).into());
            }
            None => even_slots(layout.shards.len()),
        };
        Ok(Placement {
            losses: losses(sites, &layout),
            layout,
            slots,
        })
    }
}

fn check_nodes(nodes: usize, layout: &Layout) -> Result<(), LayoutError> {
    let mut shard_of: Vec<Option<usize>> = vec![None; nodes];
    for (n, (master, replicas)) in layout.shards.iter().enumerate() {
        let shard = n + 1;
        for &node in std::iter::once(master).chain(replicas) {
            let no_such_node = LayoutError::NoSuchNode {
                shard,
                node: node + 1,
                nodes,
            };
            let place = shard_of.get_mut(node).ok_or(no_such_node)?;
            if let Some(first) = place.replace(shard) {
                return Err(LayoutError::Twice {
                    node: node + 1,
                    first,
                    second: shard,
                });
            }
        }
    }
    match shard_of.iter().position(Option::is_none) {
        Some(node) => Err(LayoutError::Unplaced(node + 1)),
        None => Ok(()),
    }
}

fn check_slots(slots: Vec<SlotSet>, shards: usize) -> Result<Vec<SlotSet>, LayoutError> {
    if slots.len() != shards {
        return Err(LayoutError::SlotsForSome {
            given: slots.len(),
            shards,
        });
    }
    let mut taken = SlotSet::new();
    for (n, set) in slots.iter().enumerate() {
        if set.is_empty() {
            return Err(LayoutError::NoSlots(n + 1));
        }
        let twice = taken.intersection(set);
        if !twice.is_empty() {
            let first = slots
                .iter()
                .position(|other| !other.intersection(&twice).is_empty());
            return Err(LayoutError::SlotsTwice {
                slots: twice.to_string(),
                first: first.unwrap_or(0) + 1,
                second: n + 1,
            });
        }
        taken = taken.union(set);
    }
    if !taken.is_full() {
        return Err(LayoutError::Uncovered(
            SlotSet::full().difference(&taken).to_string(),
        ));
    }
    Ok(slots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(count: usize) -> Vec<Site> {
        vec![Site::default(); count]
    }

    fn layout(shards: &[(usize, &[usize])]) -> Layout {
        Layout {
            shards: shards.iter().map(|(m, r)| (*m, r.to_vec())).collect(),
        }
    }

    fn sets(texts: &[&str]) -> Option<Vec<SlotSet>> {
        Some(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    #[test]
    fn a_sound_layout_is_taken_as_it_is() {
        let asked = layout(&[(3, &[0]), (1, &[])]);
        let placement = Placement::from_layout(&sites(3), layout(&[(2, &[0]), (1, &[])]), None);
        assert_eq!(placement.unwrap().slots, even_slots(2));
        let slots = sets(&["0-99 200-16383", "100-199"]);
        let placement = Placement::from_layout(&sites(4), layout(&[(3, &[0]), (1, &[2])]), slots);
        assert_eq!(placement.unwrap().slots[1].to_string(), "100-199");
        assert!(Placement::from_layout(&sites(4), asked, None).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (nodes, shards, slots, why) in [
            (1, layout(&[]), None, "at least one master"),
            (
                2,
                layout(&[(0, &[2])]),
                None,
                "shard 1 names node 3, but only 2 nodes",
            ),
            (
                2,
                layout(&[(0, &[1]), (1, &[])]),
                None,
                "node 2 stands in shard 1 and again in shard 2",
            ),
            (2, layout(&[(0, &[])]), None, "node 2 stands in no shard"),
            (
                2,
                layout(&[(0, &[]), (1, &[])]),
                sets(&["0-16383"]),
                "for 1 of 2 shards",
            ),
            (
                2,
                layout(&[(0, &[]), (1, &[])]),
                sets(&["0-16383", ""]),
                "shard 2 has no slots",
            ),
            (
                2,
                layout(&[(0, &[]), (1, &[])]),
                sets(&["0-9000", "8999-16383"]),
                "slots 8999-9000 are given to shard 1 and to shard 2",
            ),
            (
                2,
                layout(&[(0, &[]), (1, &[])]),
                sets(&["0-8999", "9001-16383"]),
                "slots 9000 are given to no shard",
            ),
        ] {
            let error = Placement::from_layout(&sites(nodes), shards, slots).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
