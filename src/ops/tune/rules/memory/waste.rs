//! Memory that is neither data nor buffer: holes between the data, and free pages that the allocator
//! keeps.

use super::budget::SMALL;
use super::load;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change, changes};
use std::time::Duration;

use crate::model::words::{bytes, three_digits};
use crate::model::{Severity, Vendor, Version};

pub(super) const DEFRAG: Rule = Rule {
    id: "memory.defrag",
    title: "holes between the data",
    parameters: &["activedefrag"],
    kind: Kind::Setting,
    why: "Values of changing sizes leave half-used pages behind. They count against the machine, not against maxmemory, so a node may be killed although it keeps its limit. With the allocator that the server brings along it can move data together while it works.",
    how: "yes, where allocator_frag_ratio is over 1.3 with more than 100 MiB and more than 5 % of the memory lost, the server has been up for 15 minutes, uses jemalloc, and its main thread is less than 60 % busy",
    cost: "1 to 25 % of the main thread while it works (active-defrag-cycle-min and -max); a server built against the system's jemalloc refuses it",
    risk: Risk::Medium,
    source: "INFO memory: allocator_frag_ratio, allocator_frag_bytes, mem_allocator; INFO cpu; MEMORY MALLOC-STATS: quantum size (8 of the jemalloc that servers bring along, 16 of the system's); redis.conf. Debian's Redis 7.0.15 and Valkey 8.0 (jemalloc 5.3.0, quantum 16) were seen to refuse it, Redis 6.2.5 and 8.2 (quantum 8) to take it",
    judge: defrag,
};

pub(super) const PURGE: Rule = Rule {
    id: "memory.purge",
    title: "free pages that the allocator keeps",
    parameters: &["MEMORY PURGE"],
    kind: Kind::Action,
    why: "After large deletions the allocator has not given pages back to the system. That is no fragmentation: defragmentation does not help, asking it to let go does.",
    how: "MEMORY PURGE where allocator_rss_ratio is over 1.3 with more than 100 MiB kept, under jemalloc",
    cost: "the server stops for some milliseconds while it gives the pages back",
    risk: Risk::Low,
    source: "INFO memory: allocator_rss_ratio, allocator_rss_bytes, mem_allocator",
    judge: purge,
};

pub(super) const BACKGROUND: Rule = Rule {
    id: "memory.purge_thread",
    title: "the thread that gives free pages back",
    parameters: &["jemalloc-bg-thread"],
    kind: Kind::Setting,
    why: "jemalloc gives free pages back in a thread of its own. Without it they are given back only when the server next allocates much, and a node that shrank stays large.",
    how: "yes (the default) under jemalloc",
    cost: "none that was seen",
    risk: Risk::Low,
    source: "CONFIG jemalloc-bg-thread (6.0, default yes); INFO memory: mem_allocator",
    judge: background,
};

/// From here on defragmenting pays; check warns from the second on (`memory.fragmented`).
const FRAGMENTED: (f64, f64) = (1.3, 1.4);
/// Less than this share of the memory in use is not worth the work.
const WORTH_PERCENT: u64 = 5;
/// A server that has just started has not settled.
const SETTLED: Duration = Duration::from_secs(15 * 60);
/// Above this the main thread has no time for it.
const BUSY: f64 = 60.0;
/// As in check (`memory.rss_kept`).
const KEPT: f64 = 1.3;

fn is_jemalloc(node: &NodeCase) -> bool {
    let allocator = node.info().get("mem_allocator").unwrap_or_default();
    allocator.starts_with("jemalloc")
}

/// The quantum of the jemalloc that servers bring along.
const OWN_QUANTUM: u64 = 8;

/// Whether the server is built against the system's jemalloc, which cannot defragment: by its quantum
/// where that was asked for. Else Redis before 7.2 brings 5.1.0 or 5.2.1 along, so a newer one is the
/// system's; later servers do not show it in INFO.
fn is_system_jemalloc(node: &NodeCase) -> bool {
    if let Some(quantum) = node.seen.and_then(|seen| seen.quantum_bytes) {
        return quantum != OWN_QUANTUM;
    }
    let allocator = node.info().get("mem_allocator").unwrap_or_default();
    let own = allocator.starts_with("jemalloc-5.1")
        || allocator.starts_with("jemalloc-5.2")
        || allocator.starts_with("jemalloc-4");
    node.vendor() == Vendor::Redis && node.version() < Version(7, 2, 0) && !own
}

/// The ratio and the bytes lost, where both are worth the work.
fn fragmented(node: &NodeCase) -> Option<(f64, u64)> {
    let ratio = node
        .float("allocator_frag_ratio")
        .filter(|ratio| *ratio > FRAGMENTED.0)?;
    let lost = node.number("allocator_frag_bytes")?;
    let used = node.number("used_memory").unwrap_or(0);
    (lost > SMALL.max(used / 100 * WORTH_PERCENT)).then_some((ratio, lost))
}

fn defrag(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut worth: Vec<(&NodeCase, f64, u64, f64)> = Vec::new();
    for node in case
        .nodes
        .iter()
        .filter(|node| node.is_on("activedefrag") == Some(false))
    {
        let Some((ratio, lost)) = fragmented(node) else {
            continue;
        };
        match hindered(node) {
            Some(reason) => opinions.push(Opinion::skip(
                node,
                format!("{} are lost to fragmentation, but {reason}", bytes(lost)),
            )),
            None => worth.push((node, ratio, lost, load::busy_percent(node).unwrap_or(0.0))),
        }
    }
    for severity in [Severity::Warning, Severity::Info] {
        let grave = worth
            .iter()
            .filter(|(_, ratio, _, _)| (*ratio > FRAGMENTED.1) == (severity == Severity::Warning));
        let grave: Vec<_> = grave.collect();
        let Some((node, ratio, lost, busy)) = grave.iter().max_by_key(|(_, _, lost, _)| *lost)
        else {
            continue;
        };
        let why = format!(
            "it loses {} to fragmentation and has time to mend it",
            bytes(*lost)
        );
        let evidence = vec![format!(
            "{}: allocator_frag_ratio {}, {}, its main thread {busy:.0} % busy",
            node.addr,
            three_digits(*ratio),
            bytes(*lost)
        )];
        let changes = changes(
            "activedefrag",
            grave.iter().map(|(node, ..)| (*node, "yes".to_owned())),
        );
        opinions.extend(Opinion::set(
            severity,
            "activedefrag",
            changes,
            why,
            evidence,
        ));
    }
    opinions
}

/// Why defragmenting is not possible, or not now.
fn hindered(node: &NodeCase) -> Option<String> {
    let restart = "restart it, replica first, with a failover between";
    if !is_jemalloc(node) {
        let allocator = node.info().get("mem_allocator").unwrap_or("?");
        return Some(format!(
            "its allocator ({allocator}) cannot be defragmented: {restart}"
        ));
    }
    if is_system_jemalloc(node) {
        return Some(format!(
            "it was built against the system's jemalloc, which cannot be defragmented: {restart}"
        ));
    }
    if node.uptime().is_some_and(|uptime| uptime < SETTLED) {
        return Some("it has been up for less than 15 minutes".to_owned());
    }
    match load::busy_percent(node) {
        None => Some("how busy it is needs two samples (--sample 60s)".to_owned()),
        Some(busy) if busy >= BUSY => {
            Some(format!("its main thread is {busy:.0} % busy: {restart}"))
        }
        Some(_) => None,
    }
}

fn purge(case: &Case) -> Vec<Opinion> {
    let kept = case
        .nodes
        .iter()
        .filter(|node| is_jemalloc(node))
        .filter_map(|node| {
            let ratio = node
                .float("allocator_rss_ratio")
                .filter(|ratio| *ratio > KEPT)?;
            let kept = node
                .number("allocator_rss_bytes")
                .filter(|kept| *kept > SMALL)?;
            Some((node, ratio, kept))
        });
    let kept: Vec<_> = kept.collect();
    let Some((_, _, most)) = kept.iter().max_by_key(|(_, _, kept)| *kept) else {
        return Vec::new();
    };
    let evidence = kept.iter().take(5).map(|(node, ratio, kept)| {
        format!(
            "{}: allocator_rss_ratio {}, {}",
            node.addr,
            three_digits(*ratio),
            bytes(*kept)
        )
    });
    let is_tls = (case.nodes.iter()).any(|node| node.facts.certificate_days_left.is_some());
    let tls = if is_tls { "--tls " } else { "" };
    let next = kept.iter().map(|(node, ..)| {
        format!(
            "redis-cli {tls}-h {} -p {} memory purge",
            node.addr.host, node.addr.port
        )
    });
    let changes = kept
        .iter()
        .map(|(node, ..)| change(node, None, "MEMORY PURGE"));
    let set = Opinion::set(
        Severity::Warning,
        "MEMORY PURGE",
        changes.collect(),
        format!("its allocator keeps {} that are free", bytes(*most)),
        evidence.collect(),
    );
    set.map(|advice| advice.then(next)).into_iter().collect()
}

fn background(case: &Case) -> Vec<Opinion> {
    let nodes = case.nodes.iter().filter(|node| is_jemalloc(node));
    let changes = changes(
        "jemalloc-bg-thread",
        nodes.map(|node| (node, "yes".to_owned())),
    );
    let why = "memory that is freed is not given back while the server is quiet";
    let evidence = vec!["CONFIG jemalloc-bg-thread no".to_owned()];
    let set = Opinion::set(Severity::Info, "jemalloc-bg-thread", changes, why, evidence);
    set.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    fn holes(ratio: &str) -> Setup {
        Setup::sound().info_of(
            1,
            &format!("mem_allocator:jemalloc-5.3.0\nused_memory:800000000\nallocator_frag_ratio:{ratio}\nallocator_frag_bytes:400000000"),
        )
    }

    #[test]
    fn holes_are_mended_where_there_is_time() {
        for (ratio, severity) in [("1.5", Severity::Warning), ("1.35", Severity::Info)] {
            let advice = holes(ratio).rule("memory.defrag");
            assert_eq!((advice[0].severity, advice[0].changes.len()), (severity, 1));
            assert_eq!(advice[0].changes[0].proposed, "yes");
        }
        for silent in [
            Setup::sound(),
            holes("1.2"),
            holes("1.5").info_of(1, "allocator_frag_bytes:90000000"),
            holes("1.5").info_of(1, "used_memory:9000000000"),
            holes("1.5").config("activedefrag", "yes"),
        ] {
            assert_eq!(silent.rule("memory.defrag"), []);
            assert_eq!(silent.skipped("memory.defrag"), []);
        }
    }

    #[test]
    fn where_it_cannot_be_mended_the_reason_is_told() {
        for (hindrance, told) in [
            ("mem_allocator:libc", "its allocator (libc)"),
            ("redis_version:7.0.15", "the system's jemalloc"),
            ("uptime_in_seconds:300", "less than 15 minutes"),
        ] {
            let setup = holes("1.5").info_of(1, hindrance);
            assert_eq!(setup.rule("memory.defrag"), [], "{hindrance}");
            let skipped = setup.skipped("memory.defrag");
            assert!(skipped[0].reason.contains(told), "{}", skipped[0].reason);
        }
        let busy = holes("1.5").later_of(1, "used_cpu_user_main_thread:50.0");
        assert!(
            busy.skipped("memory.defrag")[0]
                .reason
                .contains("82 % busy")
        );
        // A later server does not show it in INFO; its allocator does.
        let quantum = |bytes| {
            let later = holes("1.5").info_of(1, "redis_version:8.2.1");
            later.seen(1, |seen| seen.quantum_bytes = Some(bytes))
        };
        assert_eq!(quantum(8).rule("memory.defrag").len(), 1);
        let skipped = quantum(16).skipped("memory.defrag");
        assert!(skipped[0].reason.contains("the system's jemalloc"));
        // Redis 7.0 with the jemalloc that it brings along.
        let own = holes("1.5").info_of(1, "redis_version:7.0.15\nmem_allocator:jemalloc-5.2.1");
        assert_eq!(own.rule("memory.defrag").len(), 1);
    }

    #[test]
    fn free_pages_are_given_back_by_hand() {
        let kept =
            "mem_allocator:jemalloc-5.3.0\nallocator_rss_ratio:1.6\nallocator_rss_bytes:500000000";
        let advice = Setup::sound().info_of(2, kept).rule("memory.purge");
        assert_eq!(
            advice[0].next,
            ["redis-cli --tls -h 10.0.0.3 -p 7000 memory purge"]
        );
        assert_eq!(
            advice[0].evidence,
            ["10.0.0.3:7000: allocator_rss_ratio 1.60, 477 MiB"]
        );
        let other = Setup::sound()
            .info_of(2, kept)
            .info_of(2, "mem_allocator:libc");
        assert_eq!(other.rule("memory.purge"), []);
        assert_eq!(Setup::sound().rule("memory.purge"), []);
    }

    #[test]
    fn the_thread_that_gives_pages_back_should_run() {
        let setup = Setup::sound().info("mem_allocator:jemalloc-5.3.0");
        assert_eq!(setup.rule("memory.purge_thread"), []);
        let off = setup.config_of(0, "jemalloc-bg-thread", "no");
        assert_eq!(off.rule("memory.purge_thread")[0].changes.len(), 1);
        let other = off.info("mem_allocator:libc");
        assert_eq!(other.rule("memory.purge_thread"), []);
    }
}
