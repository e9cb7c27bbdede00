//! Changing places by the servers' own commands, and making sure that it came about: OK to CLUSTER
//! FAILOVER only means that it was heard.

use std::time::{Duration, Instant};

use crate::cluster::{Access, Ask, Command, Node, NodeError, fail_over, survey};
use crate::model::{Fault, NodeId, Role, Survey, Topology};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(100);
/// Servers give a manual failover 5 s; only then is it asked for again.
const AGAIN: Duration = Duration::from_secs(6);

/// Asks the replica of that master that is furthest to take over; where there are Sentinels they choose.
pub async fn hand_over(
    access: &Access,
    seen: &Survey,
    topology: &Topology,
    master: &NodeId,
    fault: Fault,
) -> Result<(), NodeError> {
    if !seen.form.is_cluster() {
        return fail_over(access).await;
    }
    let offset = |id: &NodeId| {
        let facts = seen.facts(id)?;
        facts.info.number("slave_repl_offset")
    };
    let replicas = topology.replicas(master).map(|replica| &replica.id);
    let Some(best) = replicas.max_by_key(|id| offset(id)) else {
        return Ok(());
    };
    let Some(report) = seen.node(best) else {
        return Ok(());
    };
    let node = Node::connect(access, &report.addr).await?;
    node.ask(&command(fault)).await.map(|_| ())
}

fn command(fault: Fault) -> Command {
    Command::words(match fault {
        Fault::Force => "CLUSTER FAILOVER FORCE",
        Fault::Takeover => "CLUSTER FAILOVER TAKEOVER",
        _ => "CLUSTER FAILOVER",
    })
}

/// Asks a replica to lead, and waits until most views say that it does; `Err` says what is missing.
pub async fn wait_to_lead(access: &Access, id: &NodeId, patience: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let mut asked: Option<Instant> = None;
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    loop {
        let seen = survey(access, &ask).await;
        let says = seen
            .answered()
            .filter_map(|(_, facts)| facts.view.peer(id))
            .filter(|peer| peer.flags.master && !peer.slots.is_empty())
            .count();
        if says * 2 > seen.answered().count()
            && Topology::of(&seen).member(id).map(|m| m.role) == Some(Role::Master)
        {
            return Ok(());
        }
        if begun.elapsed() > patience {
            return Err(format!("{} does not lead again", id.short()));
        }
        let is_time = asked.is_none_or(|at| at.elapsed() > AGAIN);
        if let (true, Some(report)) = (is_time, seen.node(id)) {
            if let Ok(node) = Node::connect(access, &report.addr).await {
                // A refusal is seen by its having no effect, and it is asked again.
                let _ = node.ask(&command(Fault::Failover)).await;
            }
            asked = Some(Instant::now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}
