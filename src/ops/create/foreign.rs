//! What a node carries that is no part of the plan: another cluster's nodes, another plan's slots,
//! data. Whoever finds it decides what becomes of it; goodcache does not wipe nodes.

use super::candidate::Candidate;
use super::plan::finding;
use crate::model::words::{counted, plural};
use crate::model::{Finding, NodeAddr, NodeId, Placement, SlotSet, Subject};

/// All that stands in the way of this plan: traces of another life, and other plans begun.
/// Candidates that did not answer are passed over; preflight tells of them. Where there can be no
/// plan, slots and roles cannot be judged, the rest can.
pub(super) fn contradictions(candidates: &[Candidate], wanted: Option<&Placement>) -> Vec<Finding> {
    let parts = parts(candidates, wanted);
    candidates
        .iter()
        .zip(&parts)
        .filter(|(node, _)| node.facts().is_some())
        .filter_map(|(node, part)| {
            let reasons: Vec<String> = [
                strangers(node, candidates),
                data(node, candidates),
                functions(node),
                wanted.and_then(|_| foreign_slots(node, &part.slots)),
                wanted.and_then(|_| role(node, part)),
            ]
            .into_iter()
            .flatten()
            .collect();
            (!reasons.is_empty()).then(|| not_empty(node, &reasons))
        })
        .collect()
}

/// The part that the plan gives to a node.
#[derive(Clone, Default)]
struct Part<'a> {
    /// Of a master: its slots.
    slots: SlotSet,
    /// Of a replica: its master, when that answered.
    master: Option<&'a NodeId>,
}

fn parts<'a>(candidates: &'a [Candidate], wanted: Option<&Placement>) -> Vec<Part<'a>> {
    let mut parts = vec![Part::default(); candidates.len()];
    if let Some(placement) = wanted {
        for ((master, replicas), slots) in placement.layout.shards.iter().zip(&placement.slots) {
            parts[*master].slots = slots.clone();
            for &replica in replicas {
                parts[replica].master = candidates[*master].id();
            }
        }
    }
    parts
}

/// Nodes in its table that are not to be in the cluster. A candidate that did not answer may be
/// one of them, and is known by its address only.
fn strangers(node: &Candidate, candidates: &[Candidate]) -> Option<String> {
    let is_candidate = |id: &NodeId, at: Option<NodeAddr>| {
        candidates.iter().any(|other| match other.id() {
            Some(other) => other == id,
            None => {
                at.as_ref() == Some(&other.addr)
                    || at.as_ref().is_some_and(|at| {
                        at.port == other.addr.port
                            && other.resolved.iter().any(|ip| ip.to_string() == at.host)
                    })
            }
        })
    };
    let names: Vec<String> = node
        .known()
        .filter(|peer| !is_candidate(&peer.id, peer.announced.ip_endpoint()))
        .map(|peer| match peer.announced.ip_endpoint() {
            Some(at) => at.to_string(),
            None => peer.id.short().to_owned(),
        })
        .collect();
    let shown = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
    let more = if names.len() > 3 { " and others" } else { "" };
    (!names.is_empty()).then(|| {
        format!(
            "knows {} that are not to be in this cluster ({shown}{more})",
            counted(names.len(), "node")
        )
    })
}

/// Keys may only be where a cluster already serves them: on a node that knows all the others and
/// owns slots or follows one that does.
fn data(node: &Candidate, candidates: &[Candidate]) -> Option<String> {
    let is_joined = node.known().count() + 1 >= candidates.len();
    let serves = node.master().is_some() || !node.slots().is_empty();
    if node.keys() == 0 || is_joined && serves {
        return None;
    }
    let databases: Vec<String> = node
        .facts()?
        .info
        .databases()
        .map(|(db, keys, _)| format!("{keys} in db{db}"))
        .collect();
    Some(format!("holds keys ({})", databases.join(", ")))
}

fn functions(node: &Candidate) -> Option<String> {
    let libraries = node
        .functions
        .filter(|&n| n > 0 && node.known().next().is_none())?;
    let libraries = plural(libraries, "function library", "function libraries");
    Some(format!("holds {libraries}"))
}

fn foreign_slots(node: &Candidate, wanted: &SlotSet) -> Option<String> {
    let foreign = node.slots().difference(wanted);
    (!foreign.is_empty())
        .then(|| format!("owns slots {foreign}, which the plan gives to another or to nobody here"))
}

/// A replica without data may be moved to another master; one with data is part of a cluster that
/// lives, and not ours to rearrange.
fn role(node: &Candidate, part: &Part) -> Option<String> {
    let master = node.master()?;
    if !part.slots.is_empty() {
        let master = master.short();
        return Some(format!(
            "is a replica of {master}, and the plan makes it a master"
        ));
    }
    let other = part
        .master
        .filter(|&wanted| wanted != master && node.keys() > 0)?;
    Some(format!(
        "has the data of {}, and the plan makes it a replica of {}",
        master.short(),
        other.short()
    ))
}

fn not_empty(node: &Candidate, reasons: &[String]) -> Finding {
    let known = node.known().count() + 1;
    let epoch = node.myself().map_or(0, |myself| myself.epoch);
    finding(
        "preflight.not_empty",
        Subject::Node(node.addr.to_string()),
        format!("is not empty: {}", reasons.join("; ")),
        format!(
            "INFO keyspace: {}; CLUSTER NODES: {}, {}, epoch {epoch}",
            counted(usize::try_from(node.keys()).unwrap_or(usize::MAX), "key"),
            counted(known, "node"),
            counted(node.slots().len(), "slot"),
        ),
        &format!(
            "leave the node out; or, if a create was stopped here, give the same nodes in the same \
             order as then; or, if nothing on it is needed: {}",
            cleaning(node)
        ),
    )
}

/// The commands that empty a node: a master with keys refuses the reset, a replica the flush.
fn cleaning(node: &Candidate) -> String {
    let cli = format!("redis-cli -h {} -p {}", node.addr.host, node.addr.port);
    let is_master = node.master().is_none();
    let mut commands = Vec::new();
    if is_master && node.keys() > 0 {
        commands.push(format!("{cli} FLUSHALL"));
    }
    commands.push(format!("{cli} CLUSTER RESET HARD"));
    if node.functions.is_some_and(|libraries| libraries > 0) {
        commands.push(format!("{cli} FUNCTION FLUSH"));
    }
    commands.join(", then ")
}
