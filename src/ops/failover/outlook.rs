//! The outlook: what a plan will break, and what survives it, before anything is done. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::{course_of, expected_outage_ms};
use super::plan::{Options, Plan, Step, awaited, conditions, is_leading, victims};
use super::preflight::successors;
use crate::health;
use crate::model::words;
use crate::model::{Fault, Member, NodeId, Survey, Topology};

/// What a drill will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outlook {
    /// The cluster's name.
    pub cluster: String,
    /// What a scenario calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// The steps in order, those of all rounds.
    pub steps: Vec<Prospect>,
    /// By what seed shards were chosen, where they were chosen by chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Writes, and as many reads, a second on each shard.
    pub rate: u32,
    /// How long at most each step waits for the recovery, and again for the cluster to be whole.
    pub timeout_ms: u64,
    /// Whether it is left broken.
    pub is_held: bool,
    /// What else to know before it begins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What one step will do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prospect {
    /// 1 is the first.
    pub step: usize,
    /// What a scenario calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The fault.
    pub fault: Fault,
    /// To whom: `127.0.0.1:7001, master of shard 1, container shop-redis-1`.
    pub targets: Vec<String>,
    /// What strikes besides, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
    /// Whether a master has handed over before, in a rolling restart, so that it is none by then.
    pub is_replica_by_then: bool,
    /// What survives it, a line each.
    pub survives: Vec<String>,
    /// The outage of a struck shard that the servers' rules let expect: least and most.
    pub expected_outage_ms: Option<(f64, f64)>,
}

/// What a plan will do, by the cluster as it was seen. `places` says what nodes run on.
pub fn outlook(
    name: &str,
    survey: &Survey,
    plan: &Plan,
    options: &Options,
    places: &BTreeMap<NodeId, String>,
) -> Outlook {
    let topology = Topology::of(survey);
    let restarts = |step: &Step| options.is_rolling && !step.is_handover;
    // A replica has nothing to hand over, as things stand.
    let is_due = |step: &&Step| !step.is_handover || is_leading(&topology, &step.victims[0]);
    let prospect = |(step, number): (&Step, usize)| Prospect {
        step: number,
        name: step.name.clone(),
        fault: step.fault,
        targets: told(survey, &topology, &step.victims, places),
        then: step.second.as_ref().map(|second| {
            let whom = told(survey, &topology, &second.victims, places);
            let after = words::duration(second.after);
            format!("{after} later {} {}", second.fault, whom.join(" and "))
        }),
        is_replica_by_then: restarts(step) && is_leading(&topology, &step.victims[0]),
        survives: match restarts(step) {
            true => Vec::new(),
            false => survivors(survey, &topology, step),
        },
        expected_outage_ms: expected(survey, &topology, step, options).filter(|_| !restarts(step)),
    };
    Outlook {
        cluster: name.to_owned(),
        scenario: options.scenario.clone(),
        steps: plan
            .steps
            .iter()
            .filter(is_due)
            .zip(1..)
            .map(prospect)
            .collect(),
        seed: options.orders.iter().find_map(|order| order.target.seed),
        rate: options.load.rate,
        timeout_ms: u64::try_from(options.timeout.as_millis()).unwrap_or(u64::MAX),
        is_held: options.is_held,
        notes: Vec::new(),
    }
}

fn expected(
    survey: &Survey,
    topology: &Topology,
    step: &Step,
    options: &Options,
) -> Option<(f64, f64)> {
    let struck = step
        .victims
        .iter()
        .filter(|id| is_leading(topology, id))
        .count();
    if struck == 0 || step.second.is_some() {
        return None;
    }
    let is_promoted = !awaited(survey, topology, step).is_empty();
    let course = course_of(step.fault, is_promoted)?;
    expected_outage_ms(&conditions(survey, topology), &options.load, course, struck)
}

fn told(
    survey: &Survey,
    topology: &Topology,
    ids: &[NodeId],
    places: &BTreeMap<NodeId, String>,
) -> Vec<String> {
    victims(survey, topology, ids)
        .iter()
        .map(|victim| {
            let place = places.get(&victim.id);
            let place = place.map(|place| format!(", {place}")).unwrap_or_default();
            format!(
                "{}, {} of shard {}{place}",
                victim.addr, victim.role, victim.shard
            )
        })
        .collect()
}

fn survivors(survey: &Survey, topology: &Topology, step: &Step) -> Vec<String> {
    let all = step.all_victims();
    let mut lines = Vec::new();
    let voters = topology.voters().count();
    let struck = topology.voters().filter(|voter| all.contains(&voter.id));
    let left = voters - struck.count();
    if left < voters && step.fault.causes_promotion() && !step.fault.is_handover() {
        lines.push(match conditions(survey, topology).watched {
            None if survey.is_unwatched() => "nobody replaces the master".to_owned(),
            Some(watch) => format!(
                "of {} {} must hold the master for down, and a majority elects who leads the failover",
                words::counted(watch.sentinels, "Sentinel"),
                watch.quorum
            ),
            None => {
                let needed = voters / 2 + 1;
                format!("{left} of {voters} masters are left, and {needed} elect")
            }
        });
    }
    lines.extend(
        all.iter()
            .filter_map(|id| topology.member(id))
            .filter_map(|member| shard_after(survey, topology, step, member, &all)),
    );
    lines.dedup();
    lines
}

/// What becomes of the shard of a node that is struck.
fn shard_after(
    survey: &Survey,
    topology: &Topology,
    step: &Step,
    member: &Member,
    all: &[NodeId],
) -> Option<String> {
    let number = topology.shard_number(&member.id)?;
    if !is_leading(topology, &member.id) {
        return (!member.slots.is_empty() || member.master.is_some())
            .then(|| format!("shard {number} goes on without {}", name(survey, member)))
            .filter(|_| member.slots.is_empty());
    }
    if survey.is_unwatched() && step.fault.causes_promotion() {
        let replicas = topology.replicas(&member.id);
        let left = replicas
            .filter(|replica| !all.contains(&replica.id))
            .count();
        return Some(format!(
            "{} can still be read while the master is away",
            words::counted(left, "replica")
        ));
    }
    if !step.fault.causes_promotion() {
        return Some(format!("the master of shard {number} stays its master"));
    }
    let fit = successors(survey, topology, &member.id, all);
    let best = fit.iter().filter_map(|id| topology.member(id));
    let master = survey.facts(&member.id);
    let behind = |replica: &Member| master.and_then(|facts| health::lag::bytes(facts, replica));
    let Some(best) = best.min_by_key(|replica| behind(replica).unwrap_or(u64::MAX)) else {
        return Some(format!("nobody takes over shard {number}"));
    };
    let behind = behind(best).map_or_else(
        || "how far behind is not known".to_owned(),
        |bytes| format!("at most {} behind", words::bytes(bytes)),
    );
    Some(format!(
        "{} takes over shard {number} ({behind})",
        name(survey, best)
    ))
}

fn name(survey: &Survey, member: &Member) -> String {
    survey.node(&member.id).map_or_else(
        || member.id.short().to_owned(),
        |node| node.addr.to_string(),
    )
}
