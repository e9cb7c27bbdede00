//! Rules about memory: how much a node may use, what it does when that is used up, and what is
//! wasted.
//!
//! | file | what |
//! |---|---|
//! | `safe` | the formula of the memory limit, numbers in, number out |
//! | `budget` | the numbers that it takes, read from a node and its machine |
//! | `weigh` | every node with what the formula makes of it |
//! | `limit`, `room` | maxmemory by that formula, and machines too small for what they hold |
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
mod room;
mod safe;
mod waste;
mod weigh;

use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    limit::LIMIT,
    room::ROOM,
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

#[cfg(test)]
mod tests {
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    /// Six new processes on one machine, nothing set and nothing in them.
    #[test]
    fn of_a_new_local_cluster_only_the_missing_limit_is_told() {
        let host = HostSeen {
            machine: "here".into(),
            by: "proc".into(),
            memory_bytes: Some(8 << 30),
            ..HostSeen::default()
        };
        let new = Setup::sound().info(
            "redis_version:7.0.15\nmem_allocator:jemalloc-5.3.0\nmaxmemory:0\nuptime_in_seconds:90\n\
             used_memory:1700000\nused_memory_rss:9000000\nallocator_frag_ratio:1.3\n\
             allocator_frag_bytes:500000\nallocator_rss_ratio:3.1\nallocator_rss_bytes:4000000\n\
             current_eviction_exceeded_time:0\nexpired_stale_perc:0.00",
        );
        let new = (0..6).fold(new, |setup, n| {
            setup.seen(n, |seen| seen.host = Some(host.clone()))
        });
        let new = new.clients(&crate::model::ClientsSeen::default());
        for group in ["memory", "encodings"] {
            let told = new.rules_of(group);
            let told: Vec<_> = (told.recommendations.iter())
                .map(|one| (one.severity, one.rule.as_str()))
                .collect();
            let limit = [(Severity::Warning, "memory.limit")];
            assert_eq!(
                told,
                limit.get(..usize::from(group == "memory")).unwrap_or(&[])
            );
            assert_eq!(new.rules_of(group).skipped, []);
        }
    }
}
