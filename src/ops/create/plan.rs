//! From what is to what is wanted, in the fewest steps that may be taken in order.
//!
//! A create may be killed anywhere, and the same command must then complete it: so the steps are
//! worked out from the nodes' own words each time, never from a memory of what was done. Three
//! things can stand there: nothing yet, a part of just this plan, or a whole cluster of just these
//! nodes (whose roles may have moved since). Anything else is the user's, and is refused: to wipe
//! a node is never our decision.

use serde::Serialize;

use super::candidate::Candidate;
use super::foreign::contradictions;
use super::inside::folded;
use super::standing::{Standing, formed, keeps_to, standing};
use super::step::Step;
use crate::model::words::plural;
use crate::model::{
    Finding, Layout, Losses, NodeAddr, Placement, Severity, Site, SlotSet, Subject, losses, place,
};

/// Up to so many nodes each is introduced to each, which joins them soonest. Beyond, everybody
/// meets the first node and gossip does the rest: the handshakes of a mesh grow with the square.
const MESH_UP_TO: usize = 50;

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// What the cluster is to be called.
    pub name: String,
    /// How many masters.
    pub masters: usize,
    /// How many replicas each, at least.
    pub replicas: usize,
    /// Whether fewer than three masters will do.
    pub allow_small: bool,
    /// Who is what, when the user wrote it down; indices into the candidates.
    pub layout: Option<WrittenLayout>,
}

impl Options {
    /// The cluster to be, as the subject of what is wrong with its nodes together.
    pub(super) fn subject(&self) -> Subject {
        Subject::Cluster(self.name.clone())
    }
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
    let unsure: Vec<Finding> = (0..candidates.len())
        .filter_map(|n| without_identity(candidates, n))
        .collect();
    if !unsure.is_empty() {
        return Err(unsure);
    }
    let wanted = wanted(candidates, options).map_err(|fault| vec![*fault])?;
    if let Some(layout) = formed(candidates, options) {
        if options.layout.is_none() || keeps_to(candidates, &layout, &wanted) {
            return Ok(already_so(candidates, &layout));
        }
        return Err(vec![other_layout(options)]);
    }
    let faults = contradictions(candidates, Some(&wanted));
    if !faults.is_empty() {
        return Err(folded(faults, candidates, options));
    }
    let slots = wanted.slots.clone();
    Ok(Plan {
        standing: standing(candidates),
        shards: planned(candidates, &wanted.layout, slots),
        survives: wanted.losses.clone(),
        steps: steps(candidates, &wanted).map_err(|fault| vec![*fault])?,
    })
}

/// The placement that is asked for; the fault when there can be none.
pub(super) fn wanted(
    candidates: &[Candidate],
    options: &Options,
) -> Result<Placement, Box<Finding>> {
    let sites = sites(candidates);
    let fault = |code: &str, why: String, next: &str| {
        Box::new(finding(
            code,
            options.subject(),
            why,
            given(candidates),
            next,
        ))
    };
    match &options.layout {
        Some(written) => {
            Placement::from_layout(&sites, written.layout.clone(), written.slots.clone())
                .map_err(|error| fault("preflight.layout", error.to_string(), "correct the layout"))
        }
        None => place(&sites, options.masters, options.replicas).map_err(|error| {
            let next = match options.masters {
                // The number of masters came of the number of nodes, which is too few for any.
                0 => "give more nodes, at least 6 for 3 masters with a replica each; or, for a single master to develop with, say --replicas 0 --allow-small",
                _ => "give more nodes, or ask for fewer masters or replicas",
            };
            fault("preflight.too_few", error.to_string(), next)
        }),
    }
}

/// How many nodes there were to plan with.
pub(super) fn given(candidates: &[Candidate]) -> String {
    plural(candidates.len(), "node was given", "nodes were given")
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

fn steps(candidates: &[Candidate], wanted: &Placement) -> Result<Vec<Step>, Box<Finding>> {
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

fn meetings(candidates: &[Candidate], steps: &mut Vec<Step>) -> Result<(), Box<Finding>> {
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

fn other_layout(options: &Options) -> Finding {
    finding(
        "preflight.other_layout",
        options.subject(),
        "these nodes form a cluster already, but not in the layout that is written down".into(),
        "CLUSTER NODES of every node: all slots are owned, everybody knows everybody".into(),
        "correct the layout to what stands, or leave it out",
    )
}

fn no_meeting(node: &Candidate) -> Box<Finding> {
    Box::new(finding(
        "preflight.no_address",
        Subject::Node(node.addr.to_string()),
        "has no IP at which the others could meet it".into(),
        "the name does not resolve here and the node announces no IP".into(),
        "give its IP, or set cluster-announce-ip on it",
    ))
}

/// A plan needs the word of every node, and ids to tell them apart; preflight says more of why not.
fn without_identity(candidates: &[Candidate], n: usize) -> Option<Finding> {
    let node = &candidates[n];
    let summary = match node.id() {
        None => "did not say who it is, so nothing can be planned for it".to_owned(),
        Some(id) => {
            let twin = candidates[..n]
                .iter()
                .find(|other| other.id() == Some(id))?;
            format!("has the same node id as {}", twin.addr)
        }
    };
    Some(finding(
        "preflight.no_identity",
        Subject::Node(node.addr.to_string()),
        summary,
        "CLUSTER NODES, the line about itself".into(),
        "give each node once, and see that all of them answer",
    ))
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
