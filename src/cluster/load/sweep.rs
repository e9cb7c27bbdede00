//! The keys of drills that were cut off, found where such keys lie: in three slots of each shard.
//!
//! No drill remembers what one that was killed has written. The slots are few and always the same, so
//! that they can be looked through without scanning the cluster.

use super::keys::Keys;
use crate::cluster::access::Access;
use crate::cluster::error::NodeError;
use crate::cluster::explore::{Ask, survey};
use crate::cluster::node::{Command, Node, Reply};
use crate::model::{NodeAddr, Slot, SlotSet, Topology};

/// Keys that one call may list: a slot with more is the user's own hash tag, and listing it would
/// hold the server up.
const MOST: i64 = 50_000;
/// How many keys go in one call.
const BATCH: usize = 500;

/// Removes what drills left; tells whether nothing is left for sure. What stays expires.
pub async fn sweep(access: &Access) -> bool {
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    let topology = Topology::of(&survey(access, &ask).await);
    let mut is_clean = !topology.shards.is_empty();
    for shard in &topology.shards {
        let master = topology.member(&shard.master);
        let swept = match master.and_then(|master| master.addr.as_ref()) {
            Some(addr) => sweep_shard(access, addr, &shard.slots).await,
            None => Ok(false),
        };
        is_clean &= swept.unwrap_or(false);
    }
    is_clean
}

async fn sweep_shard(
    access: &Access,
    master: &NodeAddr,
    slots: &SlotSet,
) -> Result<bool, NodeError> {
    let node = Node::connect(access, master).await?;
    let mut is_clean = true;
    for slot in Keys::of("", slots).slots() {
        is_clean &= sweep_slot(&node, slot).await?;
    }
    Ok(is_clean)
}

async fn sweep_slot(node: &Node, slot: Slot) -> Result<bool, NodeError> {
    let counted = node.say(&format!("CLUSTER COUNTKEYSINSLOT {slot}")).await?;
    let count = counted.integer().unwrap_or(0);
    if count > MOST {
        return Ok(false);
    }
    let listed = format!("CLUSTER GETKEYSINSLOT {slot} {count}");
    let listed = node.say(&listed).await?;
    let keys = listed.list().iter().filter_map(Reply::text);
    let ours: Vec<String> = keys.filter(|key| Keys::is_one(key)).collect();
    for batch in ours.chunks(BATCH) {
        let unlink = batch.iter().fold(Command::words("UNLINK"), Command::arg);
        node.ask(&unlink).await?;
    }
    Ok(true)
}
