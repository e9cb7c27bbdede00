//! Servers that nobody watches: one alone, or a master and its replicas without a Sentinel. Nobody
//! replaces a master there, so what a drill of one can show is how long it is missed and what a start
//! loses; and nothing but its own files brings its data back.

use super::{Accepted, Refusal, is_append_only, is_persistent};
use crate::model::{Fault, NodeId, Role, Survey, Topology};

/// What is missing for somebody to take over.
const NOBODY: &str = "these servers are not in cluster mode, and no Sentinel was asked that would replace the master";

/// What to do instead of striking a master that nobody replaces.
pub(super) fn next() -> String {
    "give the address of a Sentinel that watches them; to see what a quick restart costs: --fault \
     fast-restart; to see how long the master is missed: --accept no-successor"
        .to_owned()
}

/// A fault that takes others to have any meaning.
pub(super) fn cannot(fault: Fault) -> Option<Refusal> {
    let takes_others =
        fault.is_handover() || matches!(fault, Fault::IsolateBus | Fault::IsolatePeers);
    takes_others.then(|| Refusal {
        why: format!("{fault} is not possible: {NOBODY}"),
        next: next(),
    })
}

/// What striking that server does.
pub(super) fn harm(
    survey: &Survey,
    topology: &Topology,
    fault: Fault,
    id: &NodeId,
) -> Vec<(Accepted, String)> {
    let is_master = topology
        .member(id)
        .is_some_and(|member| member.role == Role::Master);
    if !is_master {
        return Vec::new();
    }
    let mut harm = Vec::new();
    let stays = matches!(fault, Fault::FastRestart | Fault::Slow | Fault::Sleep);
    if !stays {
        harm.push((
            Accepted::NoSuccessor,
            format!("nobody takes over while it is away: {NOBODY}"),
        ));
    }
    harm.extend(loss(survey, topology, fault, id).map(|why| (Accepted::Wipe, why)));
    harm
}

/// What a start loses for good. Whoever is told to end may save first; whoever is killed has only what
/// was appended.
fn loss(survey: &Survey, topology: &Topology, fault: Fault, id: &NodeId) -> Option<String> {
    let copied = match topology.replicas(id).next() {
        Some(_) => ", and its replicas copy that",
        None => "",
    };
    if !fault.ends_process() || is_append_only(survey, id) {
        return None;
    }
    if !is_persistent(survey, id) {
        return Some(format!(
            "it writes neither an append-only file nor snapshots: started again it is empty{copied}"
        ));
    }
    (fault != Fault::Stop).then(|| {
        format!(
            "it writes no append-only file: started again it has what its last snapshot holds{copied}"
        )
    })
}
