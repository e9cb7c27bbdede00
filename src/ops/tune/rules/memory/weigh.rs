//! Every node with what the formula of the limit makes of it; what the rules about the limit and about
//! too small machines both start from.

use super::budget::{self, Source};
use super::load;
use super::safe::{Reserves, formula, safe_maxmemory};
use crate::model::words::bytes;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::rule::Opinion;

/// A limit this much over or under the formula's is left as it is.
const TOLERANCE: f64 = 1.05;

/// With more than this share of the safe limit in use, setting it would do harm.
pub(super) const CRAMPED: f64 = 0.9;

/// A node with the formula's numbers.
pub(super) struct Weighed<'c, 'a> {
    /// The node.
    pub(super) node: &'c NodeCase<'a>,
    /// Where its limit comes from.
    pub(super) source: Source,
    /// The formula's numbers.
    pub(super) reserves: Reserves,
    /// `None` where the reserves leave nothing.
    pub(super) safe: Option<u64>,
    /// Bytes that count against maxmemory.
    pub(super) used: u64,
    /// How much of what there is, is resident: over all nodes where they share it.
    pub(super) pressure: f64,
}

/// Every node that tells enough; an opinion for each that does not.
pub(super) fn weigh<'c, 'a>(case: &'c Case<'a>) -> (Vec<Weighed<'c, 'a>>, Vec<Opinion>) {
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

/// Whether a limit (0 is none) is more than what is safe.
pub(super) fn is_over(present: u64, safe: u64) -> bool {
    present == 0 || present as f64 > safe as f64 * TOLERANCE
}

/// Whether it holds so much that the safe limit would be met at once or soon.
pub(super) fn is_cramped(one: &Weighed) -> bool {
    one.safe
        .is_none_or(|safe| one.used as f64 > safe as f64 * CRAMPED)
}

/// Each limit once, with the formula of the node that has the least, then who uses most.
pub(super) fn evidence(nodes: &[&Weighed]) -> Vec<String> {
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
