//! Rules about memory: how much a node may use, what it does when that is used up, and what is
//! wasted.
//!
//! | file | what |
//! |---|---|
//! | `safe` | the formula of the memory limit, numbers in, number out |
//! | `budget` | the numbers that it takes, read from a node and its machine |
//! | `limit` | maxmemory by that formula, and machines too small for what they hold |
//! | `policy`, `mixed` | what is evicted, and what should not stand beside it |
//! | `eviction` | how well and how fast it is chosen |
//! | `buffers`, `output` | memory that clients take |
//! | `waste` | fragmentation, and memory that the allocator keeps |
//! | `release` | how deleted and expired keys give their memory back |
//! | `load` | how busy the main thread is, and how long the server has been up |

mod budget;
mod buffers;
mod eviction;
mod limit;
mod load;
mod mixed;
mod output;
mod policy;
mod release;
mod safe;
mod waste;

use super::super::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    limit::LIMIT,
    limit::ROOM,
    limit::REPLICAS,
    policy::POLICY,
    mixed::MIXED,
    eviction::SAMPLES,
    eviction::TENACITY,
    eviction::LFU,
    buffers::CLIENTS,
    output::OUTPUT,
    buffers::QUERY,
    buffers::TRACKING,
    waste::DEFRAG,
    waste::PURGE,
    waste::BACKGROUND,
    release::LAZY,
    release::EXPIRE,
];
