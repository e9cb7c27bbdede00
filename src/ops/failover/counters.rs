//! Counters of replication, read before and after a node comes back: how much of it had to be copied.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::cluster::{Access, Node};
use crate::model::{Info, NodeAddr};

/// What one node has counted since it started (INFO stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counters {
    /// `sync_full`: replicas that all data was copied to.
    pub full_syncs: u64,
    /// `total_net_repl_output_bytes`, from 7.0 on.
    pub replicated_bytes: Option<u64>,
}

/// Reads them; a node that does not answer is left out.
pub async fn read<'a>(
    access: &Access,
    nodes: impl Iterator<Item = &'a NodeAddr>,
) -> BTreeMap<NodeAddr, Counters> {
    let reading = nodes.map(|addr| async move {
        let node = Node::connect(access, addr).await.ok()?;
        let info = Info::parse(&node.say("INFO stats").await.ok()?.text()?);
        let counters = Counters {
            full_syncs: info.number("sync_full")?,
            replicated_bytes: info.number("total_net_repl_output_bytes"),
        };
        Some((addr.clone(), counters))
    });
    join_all(reading).await.into_iter().flatten().collect()
}
