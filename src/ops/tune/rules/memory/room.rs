//! Machines too small for what they hold.

use super::budget::Source;
use super::limit::{FULL, NEARLY_KILLED};
use super::safe::{needed, safe_maxmemory};
use super::weigh::{CRAMPED, Weighed, evidence, is_cramped, is_over, weigh};
use crate::model::words::bytes;
use crate::model::{NodeAddr, Severity};
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change};

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

fn rooms(case: &Case) -> Vec<Opinion> {
    let (weighed, mut opinions) = weigh(case);
    let short: Vec<&Weighed> = (weighed.iter())
        .filter(|one| is_unheld(one) && is_cramped(one) && is_crowded(case, one, &weighed))
        .collect();
    for severity in [Severity::Critical, Severity::Warning] {
        let grave =
            |one: &&&Weighed| (one.pressure > NEARLY_KILLED) == (severity == Severity::Critical);
        let nodes: Vec<&Weighed> = short.iter().filter(grave).copied().collect();
        opinions.extend(room(severity, &nodes));
    }
    opinions
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
    let set = Opinion::set(severity, "memory", changes.collect(), why, evidence(nodes));
    set.map(|advice| advice.then(next(first.source, first.node.addr, wanted(first))))
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

/// Whether its limit, if it has one, is more than its machine can hold.
fn is_unheld(one: &Weighed) -> bool {
    let present = one.node.maxmemory().unwrap_or(0);
    one.safe.is_none_or(|safe| is_over(present, safe))
}
