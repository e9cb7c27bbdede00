//! The plan for nodes that do not exist yet: who will be what, before anything is started.

use super::plan::{Options, Plan, PlannedShard};
use super::standing::Standing;
use crate::model::{NodeAddr, Placement, PlacementError, Site, place};

/// Places nodes that are yet to be started. The steps are worked out when they run.
pub fn draft(
    addrs: &[NodeAddr],
    sites: &[Site],
    options: &Options,
) -> Result<Plan, PlacementError> {
    let Placement {
        layout,
        slots,
        losses,
    } = place(sites, options.masters, options.replicas)?;
    let shards = layout
        .shards
        .iter()
        .zip(slots)
        .map(|((master, replicas), slots)| PlannedShard {
            master: addrs[*master].clone(),
            replicas: replicas.iter().map(|&n| addrs[n].clone()).collect(),
            slots,
        })
        .collect();
    Ok(Plan {
        standing: Standing::Fresh,
        shards,
        survives: losses,
        steps: Vec::new(),
    })
}
