//! The plan of a drill: which faults, to whom, in which order. Roles change while it runs, so a step
//! names nodes, and what they are is looked up when its turn comes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::preflight::{Accepted, Refusal, quorum_lost, refusals, successors, unsound};
use super::target::{Target, TargetError, aims, rolling, targets};
use crate::model::{
    Budgets, Conditions, DrilledShard, Fault, LoadShape, NodeId, NodeReport, Role, Survey,
    Topology, Vendor, Victim, Watch,
};

/// One fault that the user asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// What a scenario calls it.
    pub name: Option<String>,
    /// The fault.
    pub fault: Fault,
    /// Whom it strikes.
    pub target: Target,
    /// What strikes besides, while the cluster is still recovering.
    pub second: Option<SecondOrder>,
    /// What a scenario allows it.
    pub budgets: Budgets,
    /// How long a fault that needs no recovery lasts, such as the loss of a replica.
    pub down_for: Duration,
}

/// A second failure during the recovery from the first.
#[derive(Debug, Clone)]
pub struct SecondOrder {
    /// The fault.
    pub fault: Fault,
    /// Whom it strikes; `None` is the master of the shard after the one that is struck first.
    pub target: Option<Target>,
    /// How long after the first.
    pub after: Duration,
}

/// What the user asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// What a scenario calls itself.
    pub scenario: Option<String>,
    /// The faults, one after another.
    pub orders: Vec<Order>,
    /// Restart every node in turn instead: replicas first, masters after handing over.
    pub is_rolling: bool,
    /// How often all of it is done.
    pub rounds: usize,
    /// What would be refused otherwise, and is the purpose.
    pub accepted: BTreeSet<Accepted>,
    /// Codes of critical findings that do not stop the drill.
    pub even_if: BTreeSet<String>,
    /// The probe load.
    pub load: LoadShape,
    /// How long a round waits for the cluster to recover, and again for it to be whole.
    pub timeout: Duration,
    /// How long DEBUG SLEEP holds a node up: longer than an election takes.
    pub sleep_for: Duration,
    /// Whether the masters of before are to lead again.
    pub restores_roles: bool,
    /// Leave it broken.
    pub is_held: bool,
}

/// One fault, to nodes that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What a scenario calls it.
    pub name: Option<String>,
    /// What.
    pub fault: Fault,
    /// To whom, all at once, as things stand; looked up again by `aim` when its turn comes.
    pub victims: Vec<NodeId>,
    /// What was asked for; `None` where the nodes themselves are meant (a rolling restart).
    pub aim: Option<Target>,
    /// What strikes besides: what, whom, how long after.
    pub second: Option<SecondStep>,
    /// What a scenario allows it.
    pub budgets: Budgets,
    /// How long it lasts when it needs no recovery.
    pub down_for: Duration,
    /// Only when the node is a master with replicas by then: the handing over before a restart.
    pub is_handover: bool,
}

/// A second failure, to nodes that are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondStep {
    /// What.
    pub fault: Fault,
    /// To whom.
    pub victims: Vec<NodeId>,
    /// What was asked for; `None` is the master of the next shard.
    pub aim: Option<Target>,
    /// How long after the first.
    pub after: Duration,
}

impl Step {
    /// The same step at whoever is meant now: roles have changed since the plan was made.
    pub(super) fn aimed(&self, topology: &Topology) -> Result<Step, TargetError> {
        let mut step = self.clone();
        // Who stands where does not change, and the look before a round is not told of zones.
        let is_fixed = |aim: &&Target| aim.zone.is_some() || aim.host.is_some();
        if let Some(aim) = self.aim.as_ref().filter(|aim| !is_fixed(aim)) {
            step.victims = targets(topology, aim)?.concat();
        }
        if let Some(second) = &mut step.second {
            second.victims = second_victims(topology, second.aim.as_ref(), &step.victims)?;
        }
        Ok(step)
    }

    /// All that are down at the worst moment.
    pub fn all_victims(&self) -> Vec<NodeId> {
        let second = self.second.iter().flat_map(|second| &second.victims);
        self.victims.iter().chain(second).cloned().collect()
    }
}

/// What will be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The steps of all rounds.
    pub steps: Vec<Step>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPlan {
    /// Nobody to strike.
    Target(TargetError),
    /// It would harm, or the cluster is not sound.
    Refused(Vec<Refusal>),
}

/// Plans the drill, or says why not.
pub fn plan(survey: &Survey, topology: &Topology, options: &Options) -> Result<Plan, NoPlan> {
    let once = match options.is_rolling {
        true => restarts(topology, options),
        false => ordered(topology, &options.orders).map_err(NoPlan::Target)?,
    };
    let mut refused = unsound(survey, topology, &options.even_if);
    for step in &once {
        let is_leading = is_leading(topology, &step.victims[0]);
        // A master that nobody could take over from has no harmless restart.
        let is_lone = topology.voters().any(|voter| voter.id == step.victims[0]) && !is_leading;
        let is_mere_restart = options.is_rolling && !step.is_handover && !is_lone;
        let is_needless = step.is_handover && !is_leading;
        if !is_mere_restart && !is_needless {
            refused.extend(refusals(survey, topology, step, &options.accepted));
        }
    }
    if options.restores_roles && !survey.form.is_cluster() {
        refused.push(Refusal {
            why: "outside of a cluster the master of before cannot be made to lead again"
                .to_owned(),
            next: "leave --restore-roles out".to_owned(),
        });
    }
    refused.dedup();
    if !refused.is_empty() {
        return Err(NoPlan::Refused(refused));
    }
    let steps = (0..options.rounds.max(1)).flat_map(|_| once.clone());
    Ok(Plan {
        steps: steps.collect(),
    })
}

fn ordered(topology: &Topology, orders: &[Order]) -> Result<Vec<Step>, TargetError> {
    let mut steps = Vec::new();
    for order in orders {
        for aim in aims(topology, &order.target) {
            let victims = targets(topology, &aim)?.concat();
            let second = match &order.second {
                None => None,
                Some(second) => Some(SecondStep {
                    fault: second.fault,
                    victims: second_victims(topology, second.target.as_ref(), &victims)?,
                    aim: second.target.clone(),
                    after: second.after,
                }),
            };
            steps.push(Step {
                name: order.name.clone(),
                fault: order.fault,
                victims,
                aim: Some(aim),
                second,
                budgets: order.budgets,
                down_for: order.down_for,
                is_handover: false,
            });
        }
    }
    Ok(steps)
}

/// Whom the second failure strikes: nobody who is struck already.
fn second_victims(
    topology: &Topology,
    second: Option<&Target>,
    first: &[NodeId],
) -> Result<Vec<NodeId>, TargetError> {
    let victims = match second {
        Some(target) => targets(topology, target)?.concat(),
        None => vec![master_after(topology, first).ok_or(TargetError::NoShards)?],
    };
    match victims.iter().find(|id| first.contains(id)) {
        None => Ok(victims),
        Some(twice) => {
            let addr = topology
                .member(twice)
                .and_then(|member| member.addr.clone());
            Err(TargetError::Twice(addr.map_or_else(
                || twice.short().to_owned(),
                |addr| addr.to_string(),
            )))
        }
    }
}

/// The master of the next shard, the first after the last.
fn master_after(topology: &Topology, struck: &[NodeId]) -> Option<NodeId> {
    let last = struck
        .iter()
        .filter_map(|id| topology.shard_number(id))
        .max()?;
    let owning = topology
        .shards
        .iter()
        .filter(|shard| !shard.slots.is_empty());
    let masters: Vec<&NodeId> = owning.map(|shard| &shard.master).collect();
    masters
        .get(last % masters.len().max(1))
        .map(|&id| id.clone())
}

/// Every node in turn, replicas first; a master hands over before its turn.
fn restarts(topology: &Topology, options: &Options) -> Vec<Step> {
    let (budgets, down_for) = options.orders.first().map_or_else(
        || (Budgets::default(), Duration::ZERO),
        |order| (order.budgets, order.down_for),
    );
    let step = |id: &NodeId, fault, is_handover| Step {
        name: None,
        fault,
        victims: vec![id.clone()],
        aim: None,
        second: None,
        budgets,
        down_for,
        is_handover,
    };
    rolling(topology)
        .iter()
        .flat_map(|id| {
            [
                step(id, Fault::Failover, true),
                step(id, Fault::Stop, false),
            ]
        })
        .collect()
}

/// Whether it is a master with slots and replicas.
pub(super) fn is_leading(topology: &Topology, id: &NodeId) -> bool {
    let is_master =
        |member: &crate::model::Member| member.role == Role::Master && !member.slots.is_empty();
    topology.member(id).is_some_and(is_master) && topology.replicas(id).next().is_some()
}

/// The masters among those struck that are to be replaced: somebody fit is left in their shard, and a
/// majority to elect it. Empty when nobody is.
pub(super) fn awaited(survey: &Survey, topology: &Topology, step: &Step) -> Vec<NodeId> {
    let all = step.all_victims();
    if survey.is_unwatched() {
        return Vec::new();
    }
    if !step.fault.causes_promotion() || quorum_lost(survey, topology, step.fault, &all).is_some() {
        return Vec::new();
    }
    let has_successor = |id: &NodeId| !successors(survey, topology, id, &all).is_empty();
    all.iter()
        .filter(|id| is_leading(topology, id) && has_successor(id))
        .cloned()
        .collect()
}

/// The faults that a machine has a part in for that node, each once.
pub fn faults_to(plan: &Plan, id: &NodeId) -> BTreeSet<Fault> {
    let first = |step: &Step| step.victims.contains(id).then_some(step.fault);
    let second = |step: &Step| {
        let second = step.second.as_ref()?;
        second.victims.contains(id).then_some(second.fault)
    };
    plan.steps
        .iter()
        .flat_map(|step| [first(step), second(step)])
        .flatten()
        .filter(|fault| !fault.is_in_band())
        .collect()
}

/// Those nodes as victims; a node that nobody knows is left out.
pub fn victims(survey: &Survey, topology: &Topology, ids: &[NodeId]) -> Vec<Victim> {
    let victim = |id: &NodeId| {
        let member = topology.member(id)?;
        Some(Victim {
            id: id.clone(),
            addr: survey.node(id)?.addr.clone(),
            role: member.role,
            shard: topology.shard_number(id).unwrap_or(0),
            place: String::new(),
        })
    };
    ids.iter().filter_map(victim).collect()
}

/// What the servers' timing depends on, as far as the survey tells.
pub fn conditions(survey: &Survey, topology: &Topology) -> Conditions {
    let first = survey.answered().next().map(|(_, facts)| facts);
    let setting = |name: &str| first.and_then(|facts| facts.setting_number(name));
    let word = |name: &str| first.and_then(|facts| facts.setting(name));
    let watched = survey.sentinels.as_ref().and_then(|s| s.watching().next());
    let sentinel = |name: &str| watched.and_then(|(_, _, master)| master.number(name));
    let vendor = match first.map(|facts| facts.info.vendor()) {
        Some(Vendor::Valkey) => "valkey",
        _ => "redis",
    };
    let version = first.and_then(|facts| facts.info.version());
    Conditions {
        vendor: vendor.to_owned(),
        version: version
            .map(|version| version.to_string())
            .unwrap_or_default(),
        node_timeout_ms: match sentinel("down-after-milliseconds") {
            Some(down_after) => down_after,
            // Nobody waits for anything.
            None if survey.is_unwatched() => 0,
            None => setting("cluster-node-timeout").unwrap_or(15_000),
        },
        watched: survey.sentinels.as_ref().map(|sentinels| Watch {
            sentinels: sentinels.watching().count(),
            quorum: sentinel("quorum").unwrap_or(0),
            failover_timeout_ms: sentinel("failover-timeout").unwrap_or(180_000),
        }),
        ping_interval_ms: setting("cluster-ping-interval"),
        form: survey.form,
        masters: topology.voters().count(),
        nodes: topology.members.len(),
        is_full_coverage: word("cluster-require-full-coverage") != Some("no"),
        min_replicas_to_write: setting("min-replicas-to-write").unwrap_or(0),
        shutdown_timeout_ms: setting("shutdown-timeout").unwrap_or(10) * 1000,
        is_append_only: survey
            .answered()
            .all(|(_, facts)| facts.info.number("aof_enabled") == Some(1)),
    }
}

/// The shards as they are.
pub fn shards(survey: &Survey, topology: &Topology) -> Vec<DrilledShard> {
    let addr = |id: &NodeId| survey.node(id).map(|node: &NodeReport| node.addr.clone());
    let shard = |(n, shard): (usize, &crate::model::Shard)| {
        Some(DrilledShard {
            number: n + 1,
            slots: shard.slots.to_string(),
            master: addr(&shard.master)?,
            replicas: shard.replicas.iter().filter_map(addr).collect(),
        })
    };
    topology
        .shards
        .iter()
        .enumerate()
        .filter(|(_, shard)| !shard.slots.is_empty())
        .filter_map(shard)
        .collect()
}
