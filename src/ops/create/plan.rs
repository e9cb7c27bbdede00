//! From what is to what is wanted, in the fewest steps that may be taken in order.
//!
//! A create may be killed anywhere, and the same command must then complete it: so the steps are
//! worked out from the nodes' own words each time, never from a memory of what was done. Three
//! things can stand there: nothing yet, a part of just this plan, or a whole cluster of just these
//! nodes (whose roles may have moved since). Anything else is the user's, and is refused: to wipe
//! a node is never our decision.

use serde::Serialize;

use super::candidate::Candidate;
use super::step::Step;
use crate::model::{
    Finding, Layout, Losses, NodeAddr, NodeId, Placement, Severity, Site, SlotSet, Subject, losses,
    place,
};

/// Up to so many nodes each is introduced to each, which joins them soonest. Beyond, everybody
/// meets the first node and gossip does the rest: the handshakes of a mesh grow with the square.
const MESH_UP_TO: usize = 50;

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// How many masters.
    pub masters: usize,
    /// How many replicas each, at least.
    pub replicas: usize,
    /// Whether fewer than three masters will do.
    pub allow_small: bool,
    /// Who is what, when the user wrote it down; indices into the candidates.
    pub layout: Option<WrittenLayout>,
}

/// A layout that the user wrote down.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WrittenLayout {
    /// Who is what.
    pub layout: Layout,
    /// The slots of each shard; `None` deals them evenly.
    pub slots: Option<Vec<SlotSet>>,
}

/// What create will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What stands there now.
    pub standing: Standing,
    /// What there will be (or is, when all is done).
    pub shards: Vec<PlannedShard>,
    /// What may then be lost.
    pub survives: Losses,
    /// What is to be done, in this order; empty when all is done.
    pub steps: Vec<Step>,
}

/// How far the nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing was begun.
    Fresh,
    /// A part of this very plan is done.
    HalfMade,
    /// A whole cluster of these nodes.
    AlreadySo,
}

/// A shard to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedShard {
    /// Its master.
    pub master: NodeAddr,
    /// Its replicas.
    pub replicas: Vec<NodeAddr>,
    /// Its slots.
    pub slots: SlotSet,
}

/// Compares and plans. The faults are all that stands in the way; run [`super::preflight`] for
/// what else may be wrong with the nodes.
pub fn plan(candidates: &[Candidate], options: &Options) -> Result<Plan, Vec<Finding>> {
    let wanted = wanted(candidates, options).map_err(|fault| vec![fault])?;
    if let Some(layout) = formed(candidates, options) {
        if options.layout.is_none() || keeps_to(candidates, &layout, &wanted) {
            return Ok(already_so(candidates, &layout));
        }
        return Err(vec![other_layout()]);
    }
    let faults = contradictions(candidates, &wanted);
    if !faults.is_empty() {
        return Err(faults);
    }
    let slots = wanted.slots.clone();
    Ok(Plan {
        standing: standing(candidates),
        shards: planned(candidates, &wanted.layout, slots),
        survives: wanted.losses.clone(),
        steps: steps(candidates, &wanted).map_err(|fault| vec![fault])?,
    })
}

/// The placement that is asked for; the fault when there can be none.
pub(super) fn wanted(candidates: &[Candidate], options: &Options) -> Result<Placement, Finding> {
    let sites = sites(candidates);
    let fault = |code: &str, why: String, next: &str| {
        let subject = Subject::Cluster("create".into());
        let evidence = format!("{} nodes were given", candidates.len());
        finding(code, subject, why, evidence, next)
    };
    match &options.layout {
        Some(written) => {
            Placement::from_layout(&sites, written.layout.clone(), written.slots.clone())
                .map_err(|error| fault("preflight.layout", error.to_string(), "correct the layout"))
        }
        None => place(&sites, options.masters, options.replicas).map_err(|error| {
            let next = "give more nodes, or ask for fewer masters or replicas";
            fault("preflight.too_few", error.to_string(), next)
        }),
    }
}

fn sites(candidates: &[Candidate]) -> Vec<Site> {
    candidates.iter().map(|node| node.site.clone()).collect()
}

fn planned(candidates: &[Candidate], layout: &Layout, slots: Vec<SlotSet>) -> Vec<PlannedShard> {
    let addr = |n: &usize| candidates[*n].addr.clone();
    layout
        .shards
        .iter()
        .zip(slots)
        .map(|((master, replicas), slots)| PlannedShard {
            master: addr(master),
            replicas: replicas.iter().map(addr).collect(),
            slots,
        })
        .collect()
}

/// The layout of a whole cluster of exactly these nodes, when that is what stands: everybody knows
/// everybody and nobody else, all slots are owned once, and masters and replicas are as many as
/// wanted. Health is not asked here; the wait at the end of create does that.
pub(super) fn formed(candidates: &[Candidate], options: &Options) -> Option<Layout> {
    let ids: Vec<&NodeId> = candidates
        .iter()
        .map(Candidate::id)
        .collect::<Option<_>>()?;
    let is_closed = candidates.iter().all(|node| {
        node.known().count() + 1 == ids.len() && node.known().all(|peer| ids.contains(&&peer.id))
    });
    if !is_closed {
        return None;
    }
    let mut masters: Vec<usize> = (0..ids.len())
        .filter(|&n| candidates[n].master().is_none())
        .collect();
    masters.sort_by_key(|&n| (candidates[n].slots().iter().next(), n));
    let (wanted_masters, wanted_replicas) = match &options.layout {
        Some(written) => (written.layout.shards.len(), 0),
        None => (options.masters, options.replicas),
    };
    let shards: Vec<(usize, Vec<usize>)> = masters
        .into_iter()
        .map(|n| (n, replicas_of(candidates, ids[n])))
        .collect();
    let total: usize = shards
        .iter()
        .map(|(n, _)| candidates[*n].slots().len())
        .sum();
    let covered = shards.iter().fold(SlotSet::new(), |all, (n, _)| {
        all.union(&candidates[*n].slots())
    });
    let is_whole = total == covered.len()
        && covered.is_full()
        && shards.len() == wanted_masters
        && shards
            .iter()
            .map(|(_, replicas)| 1 + replicas.len())
            .sum::<usize>()
            == ids.len()
        && shards.iter().all(|(n, replicas)| {
            !candidates[*n].slots().is_empty() && replicas.len() >= wanted_replicas
        });
    is_whole.then_some(Layout { shards })
}

fn replicas_of(candidates: &[Candidate], id: &NodeId) -> Vec<usize> {
    (0..candidates.len())
        .filter(|&n| candidates[n].master() == Some(id))
        .collect()
}

/// Whether a cluster that stands is the written layout, but for who is master within a shard.
fn keeps_to(candidates: &[Candidate], layout: &Layout, wanted: &Placement) -> bool {
    let nodes = |(master, replicas): &(usize, Vec<usize>)| {
        let mut nodes = replicas.clone();
        nodes.push(*master);
        nodes.sort_unstable();
        nodes
    };
    wanted
        .layout
        .shards
        .iter()
        .zip(&wanted.slots)
        .all(|(shard, slots)| {
            layout
                .shards
                .iter()
                .any(|other| nodes(other) == nodes(shard) && candidates[other.0].slots() == *slots)
        })
}

fn already_so(candidates: &[Candidate], layout: &Layout) -> Plan {
    let slots = layout
        .shards
        .iter()
        .map(|(n, _)| candidates[*n].slots())
        .collect();
    Plan {
        standing: Standing::AlreadySo,
        shards: planned(candidates, layout, slots),
        survives: losses(&sites(candidates), layout),
        steps: Vec::new(),
    }
}

fn standing(candidates: &[Candidate]) -> Standing {
    let is_untouched = |node: &Candidate| node.slots().is_empty() && node.known().next().is_none();
    if candidates.iter().all(is_untouched) {
        Standing::Fresh
    } else {
        Standing::HalfMade
    }
}

fn steps(candidates: &[Candidate], wanted: &Placement) -> Result<Vec<Step>, Finding> {
    let mut steps = Vec::new();
    for (n, ((master, _), slots)) in wanted.layout.shards.iter().zip(&wanted.slots).enumerate() {
        let node = &candidates[*master];
        let missing = slots.difference(&node.slots());
        if !missing.is_empty() {
            steps.push(Step::AddSlots {
                node: node.addr.clone(),
                slots: Box::new(missing),
            });
        }
        // A master that knows somebody and still has epoch 0 gets one from the servers' own rule
        // for epochs that collide.
        let has_epoch = node.myself().is_some_and(|myself| myself.epoch != 0);
        if !has_epoch && node.known().next().is_none() {
            steps.push(Step::SetEpoch {
                node: node.addr.clone(),
                epoch: n as u64 + 1,
            });
        }
    }
    steps.sort_by_key(|step| matches!(step, Step::SetEpoch { .. }));
    meetings(candidates, &mut steps)?;
    for (master, replicas) in &wanted.layout.shards {
        let master = &candidates[*master];
        for node in replicas.iter().map(|&n| &candidates[n]) {
            if let Some(id) = master.id().filter(|id| node.master() != Some(id)) {
                steps.push(Step::Replicate {
                    node: node.addr.clone(),
                    master: master.addr.clone(),
                    master_id: id.clone(),
                });
            }
        }
    }
    Ok(steps)
}

fn meetings(candidates: &[Candidate], steps: &mut Vec<Step>) -> Result<(), Finding> {
    let is_mesh = candidates.len() <= MESH_UP_TO;
    let before = steps.len();
    for (n, node) in candidates.iter().enumerate() {
        for (m, peer) in candidates.iter().enumerate() {
            let is_known = peer.id().is_some_and(|id| node.knows(id));
            if n == m || is_known || !(is_mesh || n == 0 || m == 0) {
                continue;
            }
            steps.push(Step::Meet {
                node: node.addr.clone(),
                peer: peer.addr.clone(),
                at: peer.meeting().ok_or_else(|| no_meeting(peer))?,
            });
        }
    }
    let knows_all = |node: &Candidate| node.known().count() + 1 >= candidates.len();
    if steps.len() > before || !candidates.iter().all(knows_all) {
        steps.push(Step::AwaitJoin {
            nodes: candidates.len(),
        });
    }
    Ok(())
}

/// All that stands in the way of this plan: traces of another life, and other plans begun.
/// Candidates that did not answer are passed over; preflight tells of them.
pub(super) fn contradictions(candidates: &[Candidate], wanted: &Placement) -> Vec<Finding> {
    let mut wanted_slots = vec![SlotSet::new(); candidates.len()];
    for ((master, _), slots) in wanted.layout.shards.iter().zip(&wanted.slots) {
        wanted_slots[*master] = slots.clone();
    }
    candidates
        .iter()
        .zip(&wanted_slots)
        .filter(|(node, _)| node.facts().is_some())
        .filter_map(|(node, slots)| {
            let reasons: Vec<String> = [
                strangers(node, candidates),
                data(node, candidates),
                functions(node),
                foreign_slots(node, slots),
                role(node, slots),
            ]
            .into_iter()
            .flatten()
            .collect();
            (!reasons.is_empty()).then(|| not_empty(node, &reasons))
        })
        .collect()
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
            count(names.len(), "node")
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
    let word = if libraries == 1 {
        "library"
    } else {
        "libraries"
    };
    Some(format!("holds {libraries} function {word}"))
}

fn foreign_slots(node: &Candidate, wanted: &SlotSet) -> Option<String> {
    let foreign = node.slots().difference(wanted);
    (!foreign.is_empty())
        .then(|| format!("owns slots {foreign}, which the plan gives to another or to nobody here"))
}

fn role(node: &Candidate, wanted: &SlotSet) -> Option<String> {
    let master = node.master().filter(|_| !wanted.is_empty())?;
    Some(format!(
        "is a replica of {}, and the plan makes it a master",
        master.short()
    ))
}

fn count(n: usize, what: &str) -> String {
    if n == 1 {
        format!("1 {what}")
    } else {
        format!("{n} {what}s")
    }
}

fn not_empty(node: &Candidate, reasons: &[String]) -> Finding {
    let (host, port) = (&node.addr.host, node.addr.port);
    let known = node.known().count() + 1;
    let epoch = node.myself().map_or(0, |myself| myself.epoch);
    finding(
        "preflight.not_empty",
        Subject::Node(node.addr.to_string()),
        format!("is not empty: {}", reasons.join("; ")),
        format!(
            "INFO keyspace: {}; CLUSTER NODES: {}, {}, epoch {epoch}",
            count(usize::try_from(node.keys()).unwrap_or(usize::MAX), "key"),
            count(known, "node"),
            count(node.slots().len(), "slot"),
        ),
        &format!(
            "leave the node out; or, if a create was stopped here, give the same nodes in the same \
             order as then; or, if nothing on it is needed: redis-cli -h {host} -p {port} FLUSHALL, \
             then redis-cli -h {host} -p {port} CLUSTER RESET HARD"
        ),
    )
}

fn other_layout() -> Finding {
    finding(
        "preflight.other_layout",
        Subject::Cluster("create".into()),
        "these nodes form a cluster already, but not in the layout that is written down".into(),
        "CLUSTER NODES of every node: all slots are owned, everybody knows everybody".into(),
        "correct the layout to what stands, or leave it out",
    )
}

fn no_meeting(node: &Candidate) -> Finding {
    finding(
        "preflight.no_address",
        Subject::Node(node.addr.to_string()),
        "has no IP at which the others could meet it".into(),
        "the name does not resolve here and the node announces no IP".into(),
        "give its IP, or set cluster-announce-ip on it",
    )
}

/// A fault that stops create.
pub(super) fn finding(
    code: &str,
    subject: Subject,
    summary: String,
    evidence: String,
    next: &str,
) -> Finding {
    Finding {
        code: code.to_owned(),
        severity: Severity::Critical,
        subject,
        summary,
        evidence,
        next: next.to_owned(),
    }
}
