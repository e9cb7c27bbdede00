//! Whole again: waiting until every view knows every node at its address and all replicas are in
//! step, and introducing nodes that have lost each other.
//!
//! `cluster_state:ok` says nothing of this: after restarts with other addresses servers stay `ok` for
//! ever while their views hold nodes without one (Redis 7.0 and 8.0, Valkey 8.0).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::cluster::{Access, Ask, Command, Node, Settled, settle};
use crate::health::ready::missing_for_use;
use crate::model::{Facts, NodeId, NodeReport, Survey};

/// How long the servers may find each other by themselves before they are introduced.
const BY_THEMSELVES: Duration = Duration::from_secs(6);

/// How it ended.
pub struct Wholeness {
    /// The last look.
    pub survey: Survey,
    /// What was still missing.
    pub missing: Vec<String>,
    /// What was repaired by hand.
    pub repairs: Vec<String>,
}

/// Waits until a cluster that was just put back is whole, or the time is up.
pub async fn settled(access: &Access, seen: &Survey, patience: Duration) {
    let topology = crate::model::Topology::of(seen);
    let ids = topology.members.into_keys().collect();
    wait_whole(access, &ids, patience).await;
}

/// Waits until the cluster is whole.
pub(super) async fn wait_whole(
    access: &Access,
    ids: &BTreeSet<NodeId>,
    patience: Duration,
) -> Wholeness {
    let first = BY_THEMSELVES.min(patience);
    let mut repairs = Vec::new();
    let (survey, missing) = look_until(access, ids, first).await;
    if missing.is_empty() || patience <= first {
        return Wholeness {
            survey,
            missing,
            repairs,
        };
    }
    if survey.form.is_cluster() {
        repairs.extend(introduce(access, &survey).await);
    }
    let (survey, missing) = look_until(access, ids, patience - first).await;
    Wholeness {
        survey,
        missing,
        repairs,
    }
}

async fn look_until(
    access: &Access,
    ids: &BTreeSet<NodeId>,
    patience: Duration,
) -> (Survey, Vec<String>) {
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    let before = Mutex::new(BTreeMap::new());
    let waited = settle(access, &ask, patience, |survey| {
        let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missing = missing(survey, ids);
        missing.extend(behind(survey, &before));
        *before = histories(survey);
        missing
    })
    .await;
    match waited.settled {
        Settled::Held => (waited.survey, Vec::new()),
        Settled::Missing(missing) => (waited.survey, missing),
    }
}

/// How far each master's history went.
fn histories(survey: &Survey) -> BTreeMap<NodeId, u64> {
    let of = |(node, facts): (&NodeReport, &Facts)| {
        let offset = facts.info.number("master_repl_offset")?;
        let is_master = facts.info.get("role") == Some("master");
        Some((node.id.clone()?, offset)).filter(|_| is_master)
    };
    survey.answered().filter_map(of).collect()
}

/// Replicas that do not have what their masters had at the look before. A link that is up says
/// nothing of that: Redis 6.2 keeps its own pause of a manual failover for up to ten seconds, and
/// applies nothing meanwhile.
fn behind(survey: &Survey, before: &BTreeMap<NodeId, u64>) -> Vec<String> {
    let of = |(node, facts): (&NodeReport, &Facts)| {
        let master = facts.view.myself()?.master.as_ref()?;
        let has = facts.info.number("slave_repl_offset")?;
        let wanted = before.get(master);
        let is_behind = wanted.is_none_or(|wanted| has < *wanted);
        is_behind.then(|| match wanted {
            Some(wanted) => {
                let bytes = crate::model::words::bytes(wanted - has);
                format!("{} is {bytes} behind its master", node.addr)
            }
            None => format!("{} was not seen to follow yet", node.addr),
        })
    };
    survey.answered().filter_map(of).collect()
}

/// What keeps the cluster from being whole, a line each.
pub fn missing(survey: &Survey, ids: &BTreeSet<NodeId>) -> Vec<String> {
    let mut missing = missing_for_use(survey, ids);
    for (node, facts) in survey.answered() {
        let flagged = facts
            .view
            .peers
            .iter()
            .filter(|peer| ids.contains(&peer.id) && (peer.flags.failed || peer.flags.suspected))
            .count();
        if flagged > 0 {
            let nodes = crate::model::words::counted(flagged, "node");
            missing.push(format!("{} flags {nodes} as failing", node.addr));
        }
    }
    if survey.form.is_cluster() {
        missing.extend(ids.iter().filter_map(|id| moved(survey, id)));
    }
    missing
}

/// A node that others know at different addresses. Its own word does not count: after a restart it
/// may still hold the address of before.
fn moved(survey: &Survey, id: &NodeId) -> Option<String> {
    let known: BTreeSet<String> = survey
        .answered()
        .filter_map(|(_, facts)| facts.view.peer(id))
        .filter(|peer| !peer.flags.myself && peer.is_member())
        .map(|peer| format!("{}:{}", peer.announced.ip, peer.announced.port))
        .collect();
    (known.len() > 1).then(|| {
        let known: Vec<String> = known.into_iter().collect();
        format!("node {} is known at {}", id.short(), known.join(" and "))
    })
}

/// CLUSTER MEET from every node that lacks an address of another to that other: one introduction is
/// not enough, for gossip does not mend an entry without address.
async fn introduce(access: &Access, survey: &Survey) -> Vec<String> {
    let mut told = Vec::new();
    for (viewer, facts) in survey.answered() {
        for (other, theirs) in survey.answered() {
            let Some(me) = theirs.view.myself().filter(|_| other.addr != viewer.addr) else {
                continue;
            };
            let known = facts.view.peer(&me.id);
            if known.is_some_and(|peer| peer.is_member() && peer.is_linked) {
                continue;
            }
            // What others see of it, for its own view may hold the address of before.
            let seen = survey
                .answered()
                .filter(|(node, _)| node.addr != other.addr)
                .filter_map(|(_, facts)| facts.view.peer(&me.id))
                .find(|peer| peer.is_member() && !peer.announced.ip.is_empty());
            let at = seen.map_or(&me.announced, |peer| &peer.announced);
            if at.ip.is_empty() {
                continue;
            }
            let meet = Command::words("CLUSTER MEET")
                .arg(&at.ip)
                .arg(at.port.to_string())
                .arg(at.bus_port.to_string());
            let Ok(node) = Node::connect(access, &viewer.addr).await else {
                continue;
            };
            if node.ask(&meet).await.is_ok() {
                told.push(format!(
                    "introduced {} to {} (CLUSTER MEET {} {})",
                    other.addr, viewer.addr, at.ip, at.port
                ));
            }
        }
    }
    told
}
