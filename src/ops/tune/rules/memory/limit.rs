//! Rules about the memory limit: what maxmemory should be, and where the machine itself is too small.

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Advice, Opinion, Rule, change, changes};
use super::budget::{self, Source};
use super::load;
use super::safe::{Reserves, formula, needed, safe_maxmemory};
use crate::health::Profile;
use crate::model::words::bytes;
use crate::model::{NodeAddr, Severity};

pub(super) const LIMIT: Rule = Rule {
    id: "memory.limit",
    title: "how much a node may use",
    parameters: &["maxmemory"],
    kind: Kind::Setting,
    why: "Without a limit, or with one that its machine cannot hold, a server grows until the kernel kills it, rather than evicting keys or refusing writes. What it uses is more than what maxmemory counts: a forked child makes the kernel copy pages that change, the allocator rounds up, and replication and clients have buffers. A limit far below what the machine can spare evicts or refuses too early.",
    how: "(L - 100 MiB - backlog - client, replica and append-only buffers) / (fragmentation x (1 + copy-on-write)), in whole MiB. L is --memory-limit, else the container's limit, else the machine's memory shared by the nodes on it, else INFO total_system_memory shared alike. Fragmentation is as measured, 1.05 to 1.5; copy-on-write as measured, at least 0.25 (0.10 where nearly all is read, 0.50 where most is written, 0 where nothing ever forks). Nodes with the same L get the same value, the least. It is not set where more than 90 % of it is in use already.",
    cost: "when the limit is reached keys are evicted or, with noeviction, writes are refused",
    risk: Risk::Medium,
    source: "INFO memory: used_memory, used_memory_rss, mem_clients_normal, allocator ratios; INFO persistence: rdb_last_cow_size, aof_last_cow_size; the container's and the machine's memory",
    judge: limits,
};

pub(super) const ROOM: Rule = Rule {
    id: "memory.room",
    title: "a machine too small for what it holds",
    parameters: &["memory"],
    kind: Kind::Host,
    why: "A node that holds more than its machine can hold safely has no good maxmemory: a lower one evicts or refuses at once, and this one or none ends in a kill by the kernel at the next fork or burst.",
    how: "the formula of memory.limit turned round, for what is in use at 80 % of the limit; told of nodes that use more than 90 % of what is safe, and where nodes share a machine only when they do so together",
    cost: "a larger machine or container, or one shard more",
    risk: Risk::Low,
    source: "as memory.limit",
    judge: rooms,
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

/// A limit this much over or under the formula's is left as it is.
const TOLERANCE: f64 = 1.05;
/// Raising the limit by less than this is not worth a change.
const WORTH_RAISING: f64 = 1.1;
/// From this share of the limit on a node counts as full, as in check (`memory.high`).
const FULL: f64 = 0.8;
/// With more than this share of the safe limit in use, setting it would do harm.
const CRAMPED: f64 = 0.9;
/// From this share of the machine's memory on, resident, the kernel's kill is near.
const NEARLY_KILLED: f64 = 0.9;

/// A node with the formula's numbers.
struct Weighed<'c, 'a> {
    node: &'c NodeCase<'a>,
    source: Source,
    reserves: Reserves,
    /// `None` where the reserves leave nothing.
    safe: Option<u64>,
    /// Bytes that count against maxmemory.
    used: u64,
    /// How much of what there is, is resident: over all nodes where they share it.
    pressure: f64,
}

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

fn weigh<'c, 'a>(case: &'c Case<'a>) -> (Vec<Weighed<'c, 'a>>, Vec<Opinion>) {
    let mut weighed: Vec<Weighed> = Vec::new();
    let mut skipped = Vec::new();
    for node in &case.nodes {
        let (Some((limit, source)), Some(used)) =
            (budget::limit(case, node), node.number("used_memory"))
        else {
            let reason = "neither a container's limit nor the machine's memory can be seen; give --memory-limit";
            skipped.push(Opinion::skip(node, reason));
            continue;
        };
        let reserves = budget::reserves(case, node, limit);
        weighed.push(Weighed {
            node,
            source,
            safe: safe_maxmemory(&reserves),
            reserves,
            used: used.saturating_sub(node.number("mem_not_counted_for_evict").unwrap_or(0)),
            pressure: pressure(case, node, limit, source),
        });
    }
    level(&mut weighed);
    (weighed, skipped)
}

/// Nodes with the same limit get the least of their values: different ones on like machines would be
/// a surprise after a failover, which check warns of.
fn level(weighed: &mut [Weighed]) {
    for at in 0..weighed.len() {
        let limit = weighed[at].reserves.limit;
        let alike = weighed.iter().filter(|other| other.reserves.limit == limit);
        let least = alike.filter_map(|other| other.safe).min();
        weighed[at].safe = weighed[at].safe.and(least);
    }
}

fn pressure(case: &Case, node: &NodeCase, limit: u64, source: Source) -> f64 {
    let resident = |node: &NodeCase| node.number("used_memory_rss").unwrap_or(0);
    let (resident, of) = match source {
        Source::Given | Source::Limit => (resident(node), limit),
        Source::Group(n) | Source::Machine(n) | Source::Told(n) => (
            case.on_machine_of(node).map(resident).sum(),
            limit.saturating_mul(n),
        ),
    };
    resident as f64 / of.max(1) as f64
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
    let is_over = is_unlimited || present as f64 > safe as f64 * TOLERANCE;
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

/// Whether it holds so much that the safe limit would be met at once or soon.
fn is_cramped(one: &Weighed) -> bool {
    one.safe
        .is_none_or(|safe| one.used as f64 > safe as f64 * CRAMPED)
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
    if changes.is_empty() {
        return None;
    }
    Some(Opinion::Advise(Advice {
        severity,
        parameter: "maxmemory",
        changes,
        why,
        evidence: evidence(nodes),
        risk: risk(fault, nodes),
        next: Vec::new(),
    }))
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

/// Each limit once, with the formula of the node that has the least, then who uses most.
fn evidence(nodes: &[&Weighed]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut told: Vec<u64> = Vec::new();
    for one in nodes {
        let limit = one.reserves.limit;
        if told.contains(&limit) {
            continue;
        }
        told.push(limit);
        let alike = nodes.iter().filter(|other| other.reserves.limit == limit);
        let least = alike.min_by_key(|other| safe_maxmemory(&other.reserves));
        lines.push(format!("{} is {}", bytes(limit), one.source));
        lines.extend(least.map(|least| formula(&least.reserves)));
    }
    lines.extend(fullest(nodes));
    let nodes: Vec<&NodeCase> = nodes.iter().map(|one| one.node).collect();
    lines.extend(load::youth(&nodes));
    lines
}

fn fullest(nodes: &[&Weighed]) -> Option<String> {
    let fullest = nodes.iter().max_by_key(|one| one.used)?;
    let number = |name: &str| fullest.node.number(name).unwrap_or(0);
    Some(format!(
        "the fullest, {}, uses {}, at its peak {}, {} resident",
        fullest.node.addr,
        bytes(fullest.used),
        bytes(number("used_memory_peak").max(fullest.used)),
        bytes(number("used_memory_rss")),
    ))
}

fn rooms(case: &Case) -> Vec<Opinion> {
    let (weighed, mut opinions) = weigh(case);
    let short: Vec<&Weighed> = (weighed.iter())
        .filter(|one| is_cramped(one) && is_crowded(case, one, &weighed))
        .collect();
    for severity in [Severity::Critical, Severity::Warning] {
        let grave =
            |one: &&&Weighed| (one.pressure > NEARLY_KILLED) == (severity == Severity::Critical);
        let nodes: Vec<&Weighed> = short.iter().filter(grave).copied().collect();
        opinions.extend(room(severity, &nodes));
    }
    opinions
}

/// Whether those that share a machine hold more together than would be safe together: where a
/// neighbour leaves room, limits that differ are enough.
fn is_crowded(case: &Case, one: &Weighed, weighed: &[Weighed]) -> bool {
    if matches!(one.source, Source::Given | Source::Limit) {
        return true;
    }
    let machine: Vec<_> = case.on_machine_of(one.node).map(|node| node.addr).collect();
    let sharing = weighed
        .iter()
        .filter(|other| machine.contains(&other.node.addr));
    let (used, safe) = sharing.fold((0, 0), |(used, safe), other| {
        (used + other.used, safe + other.safe.unwrap_or(0))
    });
    used as f64 > safe as f64 * CRAMPED
}

fn room(severity: Severity, nodes: &[&Weighed]) -> Option<Opinion> {
    let wanted = |one: &Weighed| {
        let needed = needed(&one.reserves, (one.used as f64 / FULL) as u64);
        needed.div_ceil(1 << 20) << 20
    };
    let changes = nodes.iter().map(|one| {
        let present = Some(one.reserves.limit.to_string());
        change(one.node, present, wanted(one).to_string())
    });
    let first = nodes.first()?;
    let why = format!(
        "it holds {}, and of {} no more than {} is safe",
        bytes(first.used),
        bytes(first.reserves.limit),
        bytes(safe_maxmemory(&first.reserves).unwrap_or(0)),
    );
    Some(Opinion::Advise(Advice {
        severity,
        parameter: "memory",
        changes: changes.collect(),
        why,
        evidence: evidence(nodes),
        risk: None,
        next: next(first.source, first.node.addr, wanted(first)),
    }))
}

fn next(source: Source, addr: &NodeAddr, wanted: u64) -> Vec<String> {
    let larger = match source {
        Source::Limit => format!(
            "on the machine of {addr}: docker update --memory {wanted} --memory-swap {wanted} CONTAINER (systemd: MemoryMax={wanted})"
        ),
        Source::Given | Source::Machine(1) | Source::Told(1) => {
            format!("give {addr} a machine that has {} for it", bytes(wanted))
        }
        Source::Group(_) | Source::Machine(_) | Source::Told(_) => {
            format!("move {addr} or one of its neighbours to another machine")
        }
    };
    vec![larger, "or add a shard, so that each holds less".to_owned()]
}

#[cfg(test)]
#[path = "limit_tests.rs"]
mod tests;
