//! Rules about replication: how long a replica may be away, what a full copy needs, and who may
//! take over.
//!
//! | file | what |
//! |---|---|
//! | `backlog` | how much of the stream a master keeps, and for how long |
//! | `sync` | full copies: what waits for them meanwhile |
//! | `copying` | full copies: through the disk or past it, and when they begin |
//! | `link` | time-outs, pings and packets of the stream |
//! | `writes` | how many replicas a write needs, and who may write to a replica |
//! | `heirs` | which replicas may and should take over |

mod backlog;
mod copying;
mod heirs;
mod link;
mod sync;
mod writes;

use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    backlog::SIZE,
    backlog::TTL,
    sync::BUFFER,
    sync::DUAL_CHANNEL,
    copying::DISKLESS,
    copying::DELAY,
    copying::LOAD,
    link::TIMEOUT,
    link::PING_PERIOD,
    link::NODELAY,
    writes::MIN_REPLICAS,
    writes::MAX_LAG,
    writes::READ_ONLY,
    heirs::BARRED,
    heirs::PRIORITY,
    heirs::MACHINE,
];

/// Under so many bytes a second the stream carries PINGs only (as in check).
const PINGS_ONLY: f64 = 64.0;

/// A master that answered, with the nodes of its shard that did (itself first) and the number of
/// replicas that anybody knows.
struct ShardCase<'b, 'a> {
    master: &'b NodeCase<'a>,
    nodes: Vec<&'b NodeCase<'a>>,
    replicas: usize,
}

/// The shards whose master answered and let its settings be read.
fn shards<'b, 'a>(case: &'b Case<'a>) -> Vec<ShardCase<'b, 'a>> {
    let readable = case.masters().filter(|node| !node.facts.config.is_empty());
    let shards = readable.map(|master| {
        let replicas = master.id.map(|id| case.topology.replicas(id).count());
        ShardCase {
            master,
            nodes: std::iter::once(master)
                .chain(case.replicas_of(master))
                .collect(),
            replicas: replicas.unwrap_or(0),
        }
    });
    shards.collect()
}
