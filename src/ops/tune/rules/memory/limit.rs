//! Rules about the memory limit: what maxmemory should be, and who minds it.

use super::budget::Source;
use super::weigh::{Weighed, evidence, is_cramped, is_over, weigh};
use crate::health::Profile;
use crate::model::Severity;
use crate::model::words::bytes;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const LIMIT: Rule = Rule {
    id: "memory.limit",
    title: "how much a node may use",
    parameters: &["maxmemory"],
    kind: Kind::Setting,
    why: "Without a limit, or with one that its machine cannot hold, a server grows until the kernel kills it, rather than evicting keys or refusing writes. What it uses is more than what maxmemory counts: a forked child makes the kernel copy pages that change, the allocator rounds up, and replication and clients have buffers. A limit far below what the machine can spare evicts or refuses too early.",
    how: "(L - 100 MiB or a tenth of L - backlog - client, replica and append-only buffers) / (fragmentation x (1 + copy-on-write)), in whole MiB. L is --memory-limit, else the container's limit, else the machine's memory shared by the nodes on it, else INFO total_system_memory shared alike. Fragmentation is as measured, 1.05 to 1.5; copy-on-write as measured, at least 0.25 (0.10 where nearly all is read, 0.50 where most is written, 0 where nothing ever forks). Nodes with the same L get the same value, the least. It is not set where more than 90 % of it is in use already.",
    cost: "when the limit is reached keys are evicted or, with noeviction, writes are refused",
    risk: Risk::Medium,
    source: "INFO memory: used_memory, used_memory_rss, mem_clients_normal, allocator ratios; INFO persistence: rdb_last_cow_size, aof_last_cow_size; the container's and the machine's memory",
    judge: limits,
};

pub(super) const REPLICAS: Rule = Rule {
    id: "memory.replica_limit",
    title: "replicas that evict by themselves",
    parameters: &["replica-ignore-maxmemory"],
    kind: Kind::Setting,
    why: "A replica that minds its own maxmemory evicts keys that its master still has: the two differ, and after a failover the keys are gone. A replica follows its master's evictions; what must fit is the machine.",
    how: "yes",
    cost: "a replica may pass its maxmemory by its buffers: memory.limit leaves room for that",
    risk: Risk::Low,
    source: "CONFIG replica-ignore-maxmemory (default yes); redis.conf",
    judge: |case| {
        let wanted = case.nodes.iter().map(|node| (node, "yes".to_owned()));
        let changes = changes("replica-ignore-maxmemory", wanted);
        let why = "as a replica it evicts by itself, and no longer has what its master has";
        let evidence = vec!["CONFIG replica-ignore-maxmemory no".to_owned()];
        let set = Opinion::set(
            Severity::Warning,
            "replica-ignore-maxmemory",
            changes,
            why,
            evidence,
        );
        set.into_iter().collect()
    },
};

/// Raising the limit by less than this is not worth a change.
const WORTH_RAISING: f64 = 1.1;
/// From this share of the limit on a node counts as full, as in check (`memory.high`).
pub(super) const FULL: f64 = 0.8;
/// From this share of the machine's memory on, resident, the kernel's kill is near.
pub(super) const NEARLY_KILLED: f64 = 0.9;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Unlimited,
    TooHigh,
    TooLow,
}

/// What one node needs.
enum Verdict {
    Fits,
    Wrong(Fault, Severity),
    Skipped(String),
}

fn limits(case: &Case) -> Vec<Opinion> {
    let (weighed, mut opinions) = weigh(case);
    let mut wrong: Vec<(Fault, Severity, Vec<&Weighed>)> = Vec::new();
    for one in &weighed {
        match verdict(case, one) {
            Verdict::Fits => {}
            Verdict::Skipped(reason) => opinions.push(Opinion::skip(one.node, reason)),
            Verdict::Wrong(fault, severity) => {
                let same = |(f, s, _): &&mut (Fault, Severity, _)| (*f, *s) == (fault, severity);
                match wrong.iter_mut().find(same) {
                    Some((_, _, nodes)) => nodes.push(one),
                    None => wrong.push((fault, severity, vec![one])),
                }
            }
        }
    }
    let advised = wrong.iter();
    opinions
        .extend(advised.filter_map(|(fault, severity, nodes)| advise(*fault, *severity, nodes)));
    opinions
}

fn verdict(case: &Case, one: &Weighed) -> Verdict {
    let Some(present) = one.node.maxmemory() else {
        return Verdict::Skipped("the server does not tell its maxmemory".to_owned());
    };
    let Some(safe) = one.safe else {
        let reason = "what it may take is less than its reserves alone: see memory.room";
        return Verdict::Skipped(reason.to_owned());
    };
    let is_unlimited = present == 0;
    let is_over = is_over(present, safe);
    if is_over && is_cramped(one) {
        return Verdict::Skipped(format!(
            "it holds {} already, and the safe limit of {} would evict or refuse before long: it needs more room, not a limit",
            bytes(one.used),
            bytes(safe)
        ));
    }
    if is_over {
        let fault = if is_unlimited {
            Fault::Unlimited
        } else {
            Fault::TooHigh
        };
        return Verdict::Wrong(fault, over(one, present, safe));
    }
    let is_full = one.used as f64 > present as f64 * FULL;
    if !is_full || (safe as f64) < present as f64 * WORTH_RAISING {
        return Verdict::Fits;
    }
    if matches!(one.source, Source::Told(_) | Source::Group(_)) {
        return Verdict::Skipped(format!(
            "it uses {} of its maxmemory {}, and whether there is more for it cannot be seen; give --memory-limit",
            bytes(one.used),
            bytes(present)
        ));
    }
    Verdict::Wrong(Fault::TooLow, short(case, one.node))
}

/// How grave it is to have no limit or too high a one.
fn over(one: &Weighed, present: u64, safe: u64) -> Severity {
    let is_soon = one.used as f64 > safe as f64 * FULL || present >= one.reserves.limit;
    match one.source {
        _ if one.pressure > NEARLY_KILLED => Severity::Critical,
        _ if present == 0 => Severity::Warning,
        // What is not sure is no alarm.
        Source::Told(_) | Source::Group(_) => Severity::Info,
        _ if is_soon => Severity::Warning,
        _ => Severity::Info,
    }
}

/// How grave it is to be full with room to spare: a cache is full by design.
fn short(case: &Case, node: &NodeCase) -> Severity {
    let evicts = node
        .setting("maxmemory-policy")
        .is_some_and(|policy| policy.starts_with("allkeys"));
    match case.profile() == Profile::Cache && evicts {
        true => Severity::Info,
        false => Severity::Warning,
    }
}

fn advise(fault: Fault, severity: Severity, nodes: &[&Weighed]) -> Option<Opinion> {
    let wanted = nodes
        .iter()
        .filter_map(|one| Some((one.node, one.safe?.to_string())));
    let changes = changes("maxmemory", wanted);
    let first = nodes.first()?;
    let safe = bytes(first.safe.unwrap_or(0));
    let limit = bytes(first.reserves.limit);
    let present = bytes(first.node.maxmemory().unwrap_or(0));
    let used = bytes(first.used);
    let why = match fault {
        Fault::Unlimited => {
            format!("nothing limits what it uses, and of {limit} it can hold {safe} safely")
        }
        Fault::TooHigh => format!(
            "maxmemory {present} of {limit} leaves too little for forks and buffers: {safe} is safe"
        ),
        Fault::TooLow => {
            format!("it uses {used} of its maxmemory {present}, and {safe} would be safe")
        }
    };
    let set = Opinion::set(severity, "maxmemory", changes, why, evidence(nodes));
    set.map(|advice| advice.risking(risk(fault, nodes)))
}

/// A limit that the peak came near to will be met.
fn risk(fault: Fault, nodes: &[&Weighed]) -> Option<Risk> {
    let is_met = |one: &&Weighed| {
        let peak = one
            .node
            .number("used_memory_peak")
            .unwrap_or(0)
            .max(one.used);
        one.safe
            .is_some_and(|safe| peak as f64 > safe as f64 * FULL)
    };
    (fault != Fault::TooLow && nodes.iter().any(is_met)).then_some(Risk::High)
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
