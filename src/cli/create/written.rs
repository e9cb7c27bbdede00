//! A layout that the settings file prescribes, in terms of the nodes that were given.

use crate::cli::config::LayoutShard;
use crate::cli::exit::Failure;
use crate::model::{Layout, NodeAddr, SlotSet};
use crate::ops::create::{Origin, WrittenLayout};

/// The layout; `None` when none is prescribed.
pub(super) fn layout(
    shards: &[LayoutShard],
    origins: &[Origin],
) -> Result<Option<WrittenLayout>, Failure> {
    if shards.is_empty() {
        return Ok(None);
    }
    let index = |addr: &NodeAddr| {
        origins
            .iter()
            .position(|origin| &origin.addr == addr)
            .ok_or_else(|| {
                Failure::usage(format!(
                    "the layout names {addr}, which is none of the nodes"
                ))
                .next("write it as it stands under nodes, or add it there")
            })
    };
    let mut written = Vec::new();
    for shard in shards {
        let replicas = shard
            .replicas
            .iter()
            .map(index)
            .collect::<Result<Vec<usize>, Failure>>()?;
        written.push((index(&shard.master)?, replicas));
    }
    Ok(Some(WrittenLayout {
        layout: Layout { shards: written },
        slots: slots(shards)?,
    }))
}

/// Slots are written for every shard or for none.
fn slots(shards: &[LayoutShard]) -> Result<Option<Vec<SlotSet>>, Failure> {
    let written: Vec<SlotSet> = shards
        .iter()
        .filter_map(|shard| shard.slots.clone())
        .collect();
    match written.len() {
        0 => Ok(None),
        count if count == shards.len() => Ok(Some(written)),
        count => Err(Failure::usage(format!(
            "the layout gives slots to {count} of {} shards; give them to all or to none",
            shards.len()
        ))),
    }
}
