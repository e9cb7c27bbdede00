//! What a node may take of its machine, and what of that is not for data: the numbers of the memory
//! formula, read from INFO, settings and the machine.

use std::fmt;

use super::load;
use super::safe::Reserves;
use crate::health::rates;
use crate::model::Role;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::form;

const MIB: u64 = 1 << 20;
/// What a process takes beside its data: code, shared tables, stacks, its child's own work; of a small
/// machine a tenth, for an empty server is content with ten MiB.
const FIXED: (u64, u64) = (100 * MIB, 10);
/// Below this much in use the allocator's ratios say nothing (as in check).
pub const SMALL: u64 = 100 * MIB;
/// Even a fresh allocator rounds sizes up; and past one and a half, defragment instead of reserving.
const FRAGMENTATION: (f64, f64) = (1.05, 1.5);
/// Copied share where nearly all is read, where nothing is known, and where most is written. Managed
/// services reserve 20 to 25 % on the whole, which the middle one comes to.
const COPIED: (f64, f64, f64) = (0.10, 0.25, 0.50);
/// Writes among writes and reads, in percent: below is read mostly, above is write heavy.
const WRITES: (f64, f64) = (5.0, 50.0);

/// Where the limit of a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It was given.
    Given,
    /// The container's or control group's limit.
    Limit,
    /// The limit of a control group that so many nodes seem to share: a limit holds for all
    /// processes in a group, and that of a node that is no container may be of a group above.
    Group(u64),
    /// The machine's memory, shared by so many nodes.
    Machine(u64),
    /// INFO's total_system_memory, shared by so many nodes: a container's limit does not show there.
    Told(u64),
}

/// What a node may take in all, in bytes; `None` where nothing tells.
pub fn limit(case: &Case, node: &NodeCase) -> Option<(u64, Source)> {
    if let Some(given) = case.options.memory_limit {
        return Some((given, Source::Given));
    }
    let sharing = case.on_machine_of(node).count().max(1) as u64;
    let memory = node.host().and_then(|host| host.memory_bytes);
    let capped = node.host().and_then(|host| host.limit_bytes);
    let grouped = grouped(case, node);
    match (capped, memory) {
        (Some(limit), _) if grouped > 1 => Some((limit / grouped, Source::Group(grouped))),
        // Limits that together are more than the machine has do not hold.
        (Some(limit), Some(memory)) if limit.saturating_mul(sharing) > memory => {
            let share = memory / sharing;
            Some((limit.min(share), Source::Machine(sharing)))
        }
        (Some(limit), _) => Some((limit, Source::Limit)),
        (None, Some(memory)) => Some((memory / sharing, Source::Machine(sharing))),
        (None, None) => {
            let told = node
                .number("total_system_memory")
                .filter(|told| *told > 0)?;
            Some((told / sharing, Source::Told(sharing)))
        }
    }
}

/// Nodes of the machine that may be in one control group with that one: processes, no containers,
/// with the same limit.
fn grouped(case: &Case, node: &NodeCase) -> u64 {
    let capped = |node: &NodeCase| node.host().filter(|host| host.by != "docker")?.limit_bytes;
    let Some(limit) = capped(node) else { return 1 };
    let alike = case
        .on_machine_of(node)
        .filter(|other| capped(other) == Some(limit));
    alike.count().max(1) as u64
}

/// The formula's numbers for that node.
pub fn reserves(case: &Case, node: &NodeCase, limit: u64) -> Reserves {
    let number = |name: &str| node.number(name).unwrap_or(0);
    let backlog = node.setting_number("repl-backlog-size");
    let backlog = backlog.unwrap_or_else(|| number("repl_backlog_size"));
    let beyond_backlog = number("mem_total_replication_buffers").saturating_sub(backlog);
    Reserves {
        limit,
        fixed: FIXED.0.min(limit / FIXED.1),
        backlog,
        clients: number("mem_clients_normal").max(client_limit(node, limit)),
        replicas: number("mem_clients_slaves").max(beyond_backlog),
        aof: number("mem_aof_buffer").max(number("aof_rewrite_buffer_length")),
        fragmentation: fragmentation(node),
        copied: copied(case, node),
    }
}

/// What all clients together may take by `maxmemory-clients`, a percentage of the limit or bytes.
fn client_limit(node: &NodeCase, limit: u64) -> u64 {
    let Some(text) = node.setting("maxmemory-clients") else {
        return 0;
    };
    match text
        .strip_suffix('%')
        .and_then(|percent| percent.parse::<u64>().ok())
    {
        Some(percent) => limit / 100 * percent,
        None => form::size(text).unwrap_or(0),
    }
}

fn fragmentation(node: &NodeCase) -> f64 {
    let (least, most) = FRAGMENTATION;
    if node.number("used_memory").unwrap_or(0) < SMALL {
        return least;
    }
    let ratio = |name: &str| node.float(name).unwrap_or(1.0);
    (ratio("allocator_frag_ratio") * ratio("allocator_rss_ratio")).clamp(least, most)
}

/// The larger of what was measured and what the mix of work lets expect.
fn copied(case: &Case, node: &NodeCase) -> f64 {
    if never_forks(case, node) {
        return 0.0;
    }
    let used = node.number("used_memory").unwrap_or(0);
    let copies =
        ["rdb_last_cow_size", "aof_last_cow_size"].map(|name| node.number(name).unwrap_or(0));
    let largest = copies.into_iter().max().unwrap_or(0);
    // On a nearly empty server the child's own pages are most of what it copies.
    let measured = match used < SMALL {
        true => 0.0,
        false => largest as f64 / used as f64,
    };
    measured.clamp(expected(node), 1.0)
}

fn never_forks(case: &Case, node: &NodeCase) -> bool {
    let saves = node.setting("save") != Some("") || node.setting("appendonly") != Some("no");
    // Replication forks too, and any node may become a master with replicas.
    !saves
        && case
            .topology
            .members
            .values()
            .all(|member| member.role != Role::Replica)
}

fn expected(node: &NodeCase) -> f64 {
    let (mostly_read, unknown, mostly_written) = COPIED;
    let Some(writes) = writes_percent(node) else {
        return unknown;
    };
    match writes {
        share if share > WRITES.1 => mostly_written,
        // A quiet minute of a young server promises nothing.
        share if share < WRITES.0 && load::has_history(node) => mostly_read,
        _ => unknown,
    }
}

/// Keys changed among keys changed and looked up between the samples; `None` where that was little,
/// or a save in between set the count of changes back.
fn writes_percent(node: &NodeCase) -> Option<f64> {
    let writes = node.growth("rdb_changes_since_last_save")?;
    let reads = node.growth("keyspace_hits")? + node.growth("keyspace_misses")?;
    let all = writes + reads;
    (all >= rates::ENOUGH).then(|| writes as f64 * 100.0 / all as f64)
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = |n: &u64| match n {
            1 => String::new(),
            n => format!(", shared by {n} nodes"),
        };
        match self {
            Source::Given => f.write_str("the limit that was given"),
            Source::Limit => f.write_str("the limit of its container or control group"),
            Source::Group(n) => write!(
                f,
                "the limit of a control group{}; if each has it for itself, give --memory-limit",
                shared(n)
            ),
            Source::Machine(n) => write!(f, "the memory of its machine{}", shared(n)),
            Source::Told(n) => write!(
                f,
                "INFO total_system_memory{}; a container's limit would not show there, so be less sure, or give --memory-limit",
                shared(n)
            ),
        }
    }
}
