//! What a fault would break, and whether anything survives it: asked before each fault, of what was
//! just seen. What would lose data or quorum is refused, unless that is the declared purpose.

mod unwatched;

use std::collections::BTreeSet;

use super::plan::Step;
use crate::health;
use crate::model::words;
use crate::model::{Facts, Fault, Member, NodeId, NodeReport, Role, Severity, Survey, Topology};

/// What the user accepts on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepted {
    /// Fewer masters than a majority are left: nobody can be elected.
    QuorumLoss,
    /// No node of a shard is left.
    ShardLoss,
    /// A master without a replica that could take over.
    NoSuccessor,
    /// A restart without persistence, which empties the shard.
    Wipe,
}

impl Accepted {
    /// Every one, as they are named on the command line.
    pub const ALL: [Accepted; 4] = [
        Accepted::QuorumLoss,
        Accepted::ShardLoss,
        Accepted::NoSuccessor,
        Accepted::Wipe,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Accepted::QuorumLoss => "quorum-loss",
            Accepted::ShardLoss => "shard-loss",
            Accepted::NoSuccessor => "no-successor",
            Accepted::Wipe => "wipe",
        }
    }
}

/// Why a fault is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What would happen.
    pub why: String,
    /// What to do instead.
    pub next: String,
}

/// More bytes than this behind its master, and a replica is no successor to rely on.
const MOST_LAG_BYTES: u64 = 1 << 20;

/// Critical findings of a check, except those that the user waives by code: a cluster that is not
/// sound teaches nothing, and may not heal.
pub fn unsound(survey: &Survey, topology: &Topology, even_if: &BTreeSet<String>) -> Vec<Refusal> {
    let verdict = health::judge(survey, topology, &health::Options::default());
    verdict
        .findings
        .into_iter()
        .filter(|finding| finding.severity == Severity::Critical)
        .filter(|finding| !even_if.contains(&finding.code))
        .map(|finding| Refusal {
            why: format!("{} {}: {}", finding.code, finding.subject, finding.summary),
            next: format!(
                "put it right ({}), or drill all the same with --even-if {}",
                finding.next, finding.code
            ),
        })
        .collect()
}

/// Why this fault to these nodes is refused; empty when it may be done.
pub fn refusals(
    survey: &Survey,
    topology: &Topology,
    step: &Step,
    accepted: &BTreeSet<Accepted>,
) -> Vec<Refusal> {
    let victims = step.all_victims();
    let mut refusals = Vec::new();
    let mut refuse = |what: Accepted, why: String| {
        if !accepted.contains(&what) {
            refusals.push(Refusal {
                why,
                next: match what {
                    Accepted::NoSuccessor if survey.is_unwatched() => unwatched::next(),
                    Accepted::NoSuccessor => format!(
                        "wait until a replica follows (goodcache check shows when); only if that is the \
                         purpose: --accept {}",
                        what.name()
                    ),
                    _ => format!("if that is the purpose: --accept {}", what.name()),
                },
            });
        }
    };
    if let Some(why) = quorum_lost(survey, topology, step.fault, &victims) {
        refuse(Accepted::QuorumLoss, why);
    }
    for id in &victims {
        let harm = match survey.is_unwatched() {
            true => unwatched::harm(survey, topology, step.fault, id),
            false => Vec::from_iter(shard_harm(survey, topology, step.fault, id, &victims)),
        };
        for (what, why) in harm {
            refuse(what, why);
        }
    }
    refusals.extend(needs_cluster(survey, step));
    refusals.extend(debug_refused(survey, step));
    refusals
}

/// What cannot be drilled without cluster mode.
fn needs_cluster(survey: &Survey, step: &Step) -> Option<Refusal> {
    if survey.form.is_cluster() {
        return None;
    }
    let second = step.second.iter().map(|second| second.fault);
    let mut faults = std::iter::once(step.fault).chain(second);
    if survey.is_unwatched() {
        return faults.find_map(unwatched::cannot);
    }
    let of_clusters = [
        Fault::Force,
        Fault::Takeover,
        Fault::IsolateBus,
        Fault::IsolatePeers,
    ];
    let fault = faults.find(|fault| of_clusters.contains(fault))?;
    Some(Refusal {
        why: format!("{fault} is a matter of the cluster bus, and these servers have none"),
        next: "with Sentinels drill kill, stop, pause, shutdown, sleep or failover".to_owned(),
    })
}

/// What the fault would do to the shard of a node that leads it.
fn shard_harm(
    survey: &Survey,
    topology: &Topology,
    fault: Fault,
    id: &NodeId,
    victims: &[NodeId],
) -> Option<(Accepted, String)> {
    let member = topology.member(id)?;
    let number = topology.shard_number(id)?;
    if member.role != Role::Master || member.slots.is_empty() || fault == Fault::Slow {
        return None;
    }
    if fault == Fault::FastRestart {
        let why = format!(
            "the master of shard {number} writes neither an append-only file nor snapshots: back \
             before the node timeout it is empty, and its replicas copy that"
        );
        return (!is_persistent(survey, id)).then_some((Accepted::Wipe, why));
    }
    let replicas: Vec<&Member> = topology.replicas(id).collect();
    let mut others = replicas.iter().filter(|other| !victims.contains(&other.id));
    if others.next().is_none() && !replicas.is_empty() && !fault.ends_by_itself() {
        let why = format!("shard {number} would have no node left");
        return Some((Accepted::ShardLoss, why));
    }
    if !successors(survey, topology, id, victims).is_empty() {
        return None;
    }
    let barred: Vec<String> = replicas
        .iter()
        .filter_map(|replica| unfit(survey, replica))
        .collect();
    let reasons = match barred.is_empty() {
        true => "it has no replica".to_owned(),
        false => barred.join("; "),
    };
    let why = format!("nobody could take over shard {number}: {reasons}");
    Some((Accepted::NoSuccessor, why))
}

/// The replicas that could take a master's place when all of those are struck.
pub(super) fn successors(
    survey: &Survey,
    topology: &Topology,
    master: &NodeId,
    victims: &[NodeId],
) -> Vec<NodeId> {
    topology
        .replicas(master)
        .filter(|replica| !victims.contains(&replica.id) && unfit(survey, replica).is_none())
        .map(|replica| replica.id.clone())
        .collect()
}

/// What takes DEBUG where the server forbids it, as it does by itself from 7.0 on.
fn debug_refused(survey: &Survey, step: &Step) -> Option<Refusal> {
    let forbids = |id: &&NodeId| {
        let facts = survey.facts(id);
        facts.and_then(|facts| facts.setting("enable-debug-command")) == Some("no")
    };
    let takes_debug = |fault: Fault| matches!(fault, Fault::Sleep | Fault::IsolateBus);
    let second = step
        .second
        .iter()
        .map(|second| (second.fault, &second.victims));
    let (fault, victims) = std::iter::once((step.fault, &step.victims))
        .chain(second)
        .find(|(fault, victims)| takes_debug(*fault) && victims.iter().any(|id| forbids(&id)))?;
    let first = victims.iter().find(forbids)?;
    let name = survey.node(first).map(|node| node.addr.to_string());
    Some(Refusal {
        why: format!(
            "{} forbids DEBUG (enable-debug-command no)",
            name.unwrap_or_default()
        ),
        next: match fault {
            Fault::IsolateBus => {
                "start it with enable-debug-command local, or cut it off from outside: --fault \
                 isolate-peers (Docker)"
            }
            _ => {
                "start it with enable-debug-command local, or freeze it from outside: --fault pause"
            }
        }
        .to_owned(),
    })
}

/// Whether fewer than a majority of the masters would be left.
pub(super) fn quorum_lost(
    survey: &Survey,
    topology: &Topology,
    fault: Fault,
    victims: &[NodeId],
) -> Option<String> {
    if !survey.form.is_cluster() {
        // Sentinels vote there, and none of them is struck.
        return None;
    }
    if fault.is_handover() || matches!(fault, Fault::FastRestart | Fault::Slow) {
        return None;
    }
    let voters = topology.voters().count();
    let left = topology
        .voters()
        .filter(|voter| voter.is_answering && voter.failed_by == 0 && !victims.contains(&voter.id))
        .count();
    let majority = voters / 2 + 1;
    let strikes_voter = topology.voters().any(|voter| victims.contains(&voter.id));
    (strikes_voter && left < majority).then(|| {
        format!(
            "{left} of {voters} masters would be left, and {majority} are needed to elect anybody"
        )
    })
}

/// Why a replica could not take over; `None` when it could.
fn unfit(survey: &Survey, replica: &Member) -> Option<String> {
    let report = survey.node(&replica.id);
    let name = || {
        report.map_or_else(
            || replica.id.short().to_owned(),
            |node: &NodeReport| node.addr.to_string(),
        )
    };
    let Some(facts) = report.and_then(NodeReport::facts) else {
        return Some(format!("{} does not answer", name()));
    };
    if replica.is_nofailover {
        return Some(format!("{} is barred from election (nofailover)", name()));
    }
    if facts.info.get("master_link_status") != Some("up") {
        return Some(format!("{} has no link to its master", name()));
    }
    let lacks = too_far_behind(survey, replica)?;
    Some(format!(
        "{} is {} behind its master",
        name(),
        words::bytes(lacks)
    ))
}

/// How much a replica lacks, when that is too much to rely on it.
fn too_far_behind(survey: &Survey, replica: &Member) -> Option<u64> {
    let master = replica.master.as_ref().and_then(|id| survey.facts(id))?;
    health::lag::bytes(master, replica).filter(|&bytes| bytes > MOST_LAG_BYTES)
}

/// Whether some replica only has to catch up: a look a moment later may well see another state.
pub fn is_catching_up(survey: &Survey, topology: &Topology) -> bool {
    let mut members = topology.members.values();
    members.any(|member| too_far_behind(survey, member).is_some())
}

fn is_persistent(survey: &Survey, id: &NodeId) -> bool {
    let saves = |facts: &Facts| facts.setting("save").is_some_and(|save| !save.is_empty());
    is_append_only(survey, id) || survey.facts(id).is_some_and(saves)
}

/// Whether it writes an append-only file.
fn is_append_only(survey: &Survey, id: &NodeId) -> bool {
    let facts = survey.facts(id);
    facts.and_then(|facts| facts.info.number("aof_enabled")) == Some(1)
}
