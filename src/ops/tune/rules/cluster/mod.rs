//! Rules about the cluster: when a node is taken for dead, what is served when one is, and how
//! clients and spares find their way.
//!
//! | file | what |
//! |---|---|
//! | `timeout` | the node timeout |
//! | `serving` | what is served when something is down, and how old a successor may be |
//! | `migration` | replicas that move to where they are needed |
//! | `names` | hostnames for TLS, zones |
//! | `bus` | links between nodes, statistics of slots, forgetting |
//! | `stop` | what a node does when it is stopped or told to hand over |

mod bus;
mod migration;
mod names;
mod serving;
mod stop;
mod timeout;

use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    timeout::TIMEOUT,
    serving::COVERAGE,
    serving::READS,
    serving::VALIDITY,
    migration::MIGRATION,
    migration::BARRIER,
    names::HOSTNAME,
    names::ZONE,
    bus::LINK_BUFFER,
    bus::SLOT_STATS,
    bus::BLACKLIST,
    stop::SHUTDOWN,
    stop::SIGNAL,
    stop::MANUAL,
];
