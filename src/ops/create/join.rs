//! The joining: a plan's steps taken, every reply looked at, and then the wait until the cluster is
//! usable. What is missing when the time is up is the answer then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::candidate::Candidate;
use super::causes::causes;
use super::plan::Plan;
use super::report::Report;
use super::standing::Standing;
use super::step::Step;
use super::verify::write_everywhere;
use crate::cluster::{
    Access, Ask, Command, Momentary, Node, NodeError, Settled, Waited, Wanted, settle,
};
use crate::health::ready::{missing_for_use, missing_introductions};
use crate::model::{Consent, Events, NodeAddr, NodeId, SlotSet, Survey};

/// Nodes that have not met after so long will hardly meet; the likely cause is told then.
const SUSPICION: Duration = Duration::from_secs(4);

/// What a joining works with, besides the plan.
pub struct Joining<'a> {
    /// The servers, as they were looked at.
    pub candidates: &'a [Candidate],
    /// How to reach them; its seeds are all of them.
    pub access: &'a Access,
    /// The servers' settings that are changed on the way.
    pub settings: &'a Momentary,
    /// What happens on the way.
    pub events: &'a Events,
    /// The bound on it all.
    pub timeout: Duration,
}

/// Takes the plan's steps and waits until the cluster is usable.
pub async fn apply(joining: &Joining<'_>, plan: &Plan, consent: Consent) -> Report {
    let _ = consent.how();
    let begun = Instant::now();
    let mut report = Report::of(plan);
    let steps = take_steps(joining, plan, begun).await;
    report.is_changed = !plan.steps.is_empty();
    let outcome = match steps {
        Ok(()) => finish(joining, plan, begun).await,
        Err(missing) => Err(missing),
    };
    if let Err(missing) = outcome {
        report.causes = causes(joining.access, joining.candidates).await;
        report.missing = missing;
    }
    report
        .notes
        .extend(joining.settings.put_back(joining.access).await);
    report.is_usable = report.missing.is_empty();
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

/// Waits for what is already there to be usable, and changes nothing.
pub async fn confirm(joining: &Joining<'_>, plan: &Plan) -> Report {
    let begun = Instant::now();
    let mut report = Report::of(plan);
    report.missing = wait_for_use(joining, begun).await.err().unwrap_or_default();
    report.is_usable = report.missing.is_empty();
    report.took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    report
}

async fn take_steps(joining: &Joining<'_>, plan: &Plan, begun: Instant) -> Result<(), Vec<String>> {
    if plan.steps.is_empty() {
        return Ok(());
    }
    let nodes = connect_all(joining).await?;
    for steps in plan
        .steps
        .chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b))
    {
        match &steps[0] {
            Step::AddSlots { .. } => joining.events.begin("giving out the slots"),
            Step::SetEpoch { .. } => {}
            Step::Meet { .. } => joining.events.begin("introducing the nodes"),
            Step::AwaitJoin { .. } => {
                wait_for_introductions(joining, begun).await?;
                continue;
            }
            Step::Replicate { .. } => {
                joining.events.begin("setting up the replicas");
                let wanted = [Wanted::NO_SYNC_DELAY];
                let masters = masters_of(steps);
                (joining.settings)
                    .set(joining.access, &masters, &wanted)
                    .await;
            }
        }
        take(&nodes, steps).await?;
    }
    Ok(())
}

async fn connect_all(joining: &Joining<'_>) -> Result<BTreeMap<NodeAddr, Node>, Vec<String>> {
    let connecting = joining
        .candidates
        .iter()
        .map(|candidate| Node::connect(joining.access, &candidate.addr));
    let mut nodes = BTreeMap::new();
    let mut failed = Vec::new();
    for node in join_all(connecting).await {
        match node {
            Ok(node) => {
                nodes.insert(node.addr().clone(), node);
            }
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() {
        Ok(nodes)
    } else {
        Err(failed)
    }
}

/// Takes steps of one kind, each node's in one flight, all nodes side by side.
async fn take(nodes: &BTreeMap<NodeAddr, Node>, steps: &[Step]) -> Result<(), Vec<String>> {
    let mut by_node: BTreeMap<&NodeAddr, Vec<&Step>> = BTreeMap::new();
    for step in steps {
        if let Some(node) = step.node() {
            by_node.entry(node).or_default().push(step);
        }
    }
    let taking = by_node
        .iter()
        .filter_map(|(addr, steps)| Some(take_on(nodes.get(addr)?, steps)));
    let failed: Vec<String> = join_all(taking).await.into_iter().flatten().collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed)
    }
}

async fn take_on(node: &Node, steps: &[&Step]) -> Vec<String> {
    let commands: Vec<Command> = steps.iter().filter_map(|step| command(step)).collect();
    let replies = match node.ask_all(&commands).await {
        Ok(replies) => replies,
        Err(error) => return vec![error.to_string()],
    };
    let mut failed = Vec::new();
    for (step, reply) in steps.iter().zip(replies) {
        if let Err(error) = reply
            && let Err(error) = try_older_form(node, step, error).await
        {
            failed.push(format!("{error} (to {step})"));
        }
    }
    failed
}

fn command(step: &Step) -> Option<Command> {
    Some(match step {
        Step::AddSlots { slots, .. } => slots.ranges().into_iter().fold(
            Command::words("CLUSTER ADDSLOTSRANGE"),
            |command, (first, last)| command.arg(first.to_string()).arg(last.to_string()),
        ),
        Step::SetEpoch { epoch, .. } => {
            Command::words("CLUSTER SET-CONFIG-EPOCH").arg(epoch.to_string())
        }
        Step::Meet { at, .. } => Command::words("CLUSTER MEET")
            .arg(&at.ip)
            .arg(at.port.to_string())
            .arg(at.bus_port.to_string()),
        Step::Replicate { master_id, .. } => {
            Command::words("CLUSTER REPLICATE").arg(master_id.as_str())
        }
        Step::AwaitJoin { .. } => return None,
    })
}

/// Servers before 7.0 know no ADDSLOTSRANGE.
async fn try_older_form(node: &Node, step: &Step, error: NodeError) -> Result<(), NodeError> {
    match (step, &error) {
        (Step::AddSlots { slots, .. }, NodeError::Server { said, .. })
            if said.contains("nknown subcommand") =>
        {
            let add = slots
                .iter()
                .fold(Command::words("CLUSTER ADDSLOTS"), |command, slot| {
                    command.arg(slot.to_string())
                });
            node.ask(&add).await.map(|_| ())
        }
        _ => Err(error),
    }
}

fn masters_of(steps: &[Step]) -> Vec<NodeAddr> {
    let masters: BTreeSet<&NodeAddr> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Replicate { master, .. } => Some(master),
            _ => None,
        })
        .collect();
    masters.into_iter().cloned().collect()
}

async fn wait_for_introductions(joining: &Joining<'_>, begun: Instant) -> Result<(), Vec<String>> {
    let ids = ids(joining.candidates);
    let waited = wait(joining, begun, |survey| missing_introductions(survey, &ids)).await;
    outcome(waited).inspect(|survey| {
        joining
            .events
            .done(format!("{} nodes know each other", survey.nodes.len()));
    })?;
    Ok(())
}

/// The wait for state, views and replicas.
async fn wait_for_use(joining: &Joining<'_>, begun: Instant) -> Result<Survey, Vec<String>> {
    let ids = ids(joining.candidates);
    outcome(wait(joining, begun, |survey| missing_for_use(survey, &ids)).await)
}

/// Waits until the cluster is usable, and proves it by writing.
async fn finish(joining: &Joining<'_>, plan: &Plan, begun: Instant) -> Result<(), Vec<String>> {
    joining
        .events
        .begin("waiting until every node says ok and every replica is in sync");
    wait_for_use(joining, begun).await?;
    if plan.standing != Standing::AlreadySo {
        let masters: Vec<(NodeAddr, SlotSet)> = plan
            .shards
            .iter()
            .map(|shard| (shard.master.clone(), shard.slots.clone()))
            .collect();
        let failed = write_everywhere(joining.access, &masters).await;
        if !failed.is_empty() {
            return Err(failed);
        }
        joining.events.done(format!(
            "usable: a write to each of {} shards was read back",
            masters.len()
        ));
    }
    Ok(())
}

async fn wait(
    joining: &Joining<'_>,
    begun: Instant,
    missing: impl Fn(&Survey) -> Vec<String>,
) -> Waited {
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    let patience = joining.timeout.saturating_sub(begun.elapsed());
    let waiting = settle(joining.access, &ask, patience, missing);
    tokio::pin!(waiting);
    match tokio::time::timeout(SUSPICION, &mut waiting).await {
        Ok(waited) => waited,
        Err(_) => {
            for cause in causes(joining.access, joining.candidates).await {
                joining
                    .events
                    .note(format!("this takes long; a likely cause: {cause}"));
            }
            waiting.await
        }
    }
}

fn outcome(waited: Waited) -> Result<Survey, Vec<String>> {
    match waited.settled {
        Settled::Held => Ok(waited.survey),
        Settled::Missing(missing) => Err(missing),
    }
}

fn ids(candidates: &[Candidate]) -> BTreeSet<NodeId> {
    candidates
        .iter()
        .filter_map(Candidate::id)
        .cloned()
        .collect()
}
