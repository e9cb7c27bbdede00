//! Placement: which node becomes master, which replica of whom, and what may then be lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::slot::SlotSet;

/// The machine that a node runs on, as far as can be told.
pub type Host = String;

/// Where a node stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Site {
    /// Its machine. Nodes with equal hosts die together.
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
        "{nodes} nodes are too few for {masters} masters with {replicas} replicas each ({needed} needed)"
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
}

/// Places `masters` masters and, on all other nodes, replicas (at least `replicas` each; spare
/// nodes go one each to the first shards). Deterministic.
pub fn place(sites: &[Site], masters: usize, replicas: usize) -> Result<Placement, PlacementError> {
    let _ = (sites, masters, replicas);
    Err(PlacementError::NoMaster)
}

/// What each single loss of a host or zone would mean for a layout.
pub fn losses(sites: &[Site], layout: &Layout) -> Losses {
    let _ = (sites, layout);
    Losses::default()
}
