//! Placement: which node becomes master, which replica of whom, and what may then be lost.
//!
//! Create asks for one; check asks what an existing layout can bear. What is best is said in one
//! place, `cost.rs`; the search tries deals and swaps until no swap helps, and up to twelve nodes
//! `exact.rs` goes on until nothing better is possible. Nothing is left to chance: the same nodes
//! in the same order give the same placement, and the first nodes become masters where nothing
//! speaks against it.

mod cost;
mod even;
mod exact;
mod explicit;
mod losses;
mod search;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::slot::{SLOT_COUNT, SlotSet};
use super::words::{counted, plural};
use cost::Ground;

pub use even::even_slots;
pub use explicit::LayoutError;
pub use losses::losses;

/// The machine that a node runs on, as far as can be told.
pub type Host = String;

/// Where a node stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Site {
    /// Its machine. Nodes with equal hosts die together; an empty name is a machine of its own.
    pub host: Host,
    /// Its zone, when one is known (`--zone`, or Valkey's `availability-zone`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// Masters and their replicas, as indices into the sites that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// A shard each: the master's index, then its replicas' in rising order.
    pub shards: Vec<(usize, Vec<usize>)>,
}

/// A layout, its slots, and what it can bear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// Who is what.
    pub layout: Layout,
    /// The slots of each shard, in the order of the layout.
    pub slots: Vec<SlotSet>,
    /// What each single loss would mean.
    pub losses: Losses,
}

/// What the loss of each single host, or zone, would mean: `true` when every slot would still be
/// served and a majority of the masters would be left to elect. Keyed by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// By host.
    pub hosts: BTreeMap<Host, bool>,
    /// By zone; empty when no zones are known.
    pub zones: BTreeMap<String, bool>,
}

/// Why no placement can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// Too few nodes.
    #[error(
        "{} too few for {}: {needed} are needed",
        plural(*nodes, "node is", "nodes are"),
        shape(*masters, *replicas)
    )]
    TooFew {
        /// Nodes given.
        nodes: usize,
        /// Masters wanted.
        masters: usize,
        /// Replicas a master wanted.
        replicas: usize,
        /// Nodes needed.
        needed: usize,
    },
    /// No master at all.
    #[error("a cluster needs at least one master")]
    NoMaster,
    /// More masters than there are slots.
    #[error("{0} masters are too many: there are 16384 slots, and each master needs one")]
    TooManyMasters(usize),
}

/// Places `masters` masters and, on all other nodes, replicas (at least `replicas` each; spare
/// nodes go one each to the first shards). Deterministic.
pub fn place(sites: &[Site], masters: usize, replicas: usize) -> Result<Placement, PlacementError> {
    // Nodes that are too few for a single master are to be told that, and not to ask for one.
    let least = replicas.saturating_add(1);
    if masters == 0 && sites.len() >= least {
        return Err(PlacementError::NoMaster);
    }
    let masters = masters.max(1);
    if masters > usize::from(SLOT_COUNT) {
        return Err(PlacementError::TooManyMasters(masters));
    }
    let needed = masters.saturating_mul(least);
    if sites.len() < needed {
        return Err(PlacementError::TooFew {
            nodes: sites.len(),
            masters,
            replicas,
            needed,
        });
    }
    let layout = search::best(&Ground::of(sites), masters);
    Ok(Placement {
        slots: even_slots(masters),
        losses: losses(sites, &layout),
        layout,
    })
}

/// `3 masters with 1 replica each`, `a master with 2 replicas`, `3 masters`.
fn shape(masters: usize, replicas: usize) -> String {
    match (masters, replicas) {
        (1, 0) => "a master".to_owned(),
        (1, 1) => "a master with a replica".to_owned(),
        (1, _) => format!("a master with {}", counted(replicas, "replica")),
        (_, 0) => counted(masters, "master"),
        _ => format!(
            "{} with {} each",
            counted(masters, "master"),
            counted(replicas, "replica")
        ),
    }
}

#[cfg(test)]
mod tests;
