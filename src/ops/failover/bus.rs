//! The cluster bus of a node, cut and mended by the server itself: a partition of the peers alone, for
//! which neither a machine nor a privilege on it is needed.
//!
//! From Valkey 9 on a node drops every packet that its peers send (`DROP-CLUSTER-PACKET-FILTER -2`),
//! closes the link that brought it, and opens none again, while clients and replicas are served as
//! before. Redis and Valkey 8 answer OK to the same filter and drop nothing, so what a server can do
//! is read from its DEBUG HELP. A server that was started again has forgotten it all.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::plan::Plan;
use super::preflight::Refusal;
use crate::cluster::{Access, Command, Node, NodeError};
use crate::host::drill::{BusUndo, Undo};
use crate::host::journal::{Entry, Journal, JournalError};
use crate::model::{Fault, NodeAddr, NodeId, Survey};

/// What cuts it; the filter last, since from then on nothing passes.
const CUT: [&str; 3] = [
    "DEBUG DISABLE-CLUSTER-RECONNECTION 1",
    "DEBUG CLOSE-CLUSTER-LINK-ON-PACKET-DROP 1",
    "DEBUG DROP-CLUSTER-PACKET-FILTER -2",
];
/// What mends it. Asked of a whole bus it changes nothing.
const MEND: [&str; 3] = [
    "DEBUG DROP-CLUSTER-PACKET-FILTER -1",
    "DEBUG CLOSE-CLUSTER-LINK-ON-PACKET-DROP 0",
    "DEBUG DISABLE-CLUSTER-RECONNECTION 0",
];
/// What DEBUG HELP says of a server that can.
const KNOWN: [&str; 3] = [
    "DISABLE-CLUSTER-RECONNECTION",
    "CLOSE-CLUSTER-LINK-ON-PACKET-DROP",
    "-2 to drop all",
];

/// The nodes whose bus the plan cuts.
pub fn cut_off(plan: &Plan) -> BTreeSet<NodeId> {
    let mut ids = BTreeSet::new();
    for step in &plan.steps {
        if step.fault == Fault::IsolateBus {
            ids.extend(step.victims.iter().cloned());
        }
        let second = step.second.iter();
        let second = second.filter(|second| second.fault == Fault::IsolateBus);
        ids.extend(second.flat_map(|second| second.victims.iter().cloned()));
    }
    ids
}

/// Why the bus of these nodes cannot be cut; changes nothing.
pub async fn bus_refusals<'a>(
    access: &Access,
    survey: &Survey,
    ids: impl IntoIterator<Item = &'a NodeId>,
) -> Vec<Refusal> {
    let asked = ids.into_iter().filter_map(|id| {
        let addr = &survey.node(id)?.addr;
        let version = survey.facts(id).and_then(|facts| facts.info.version());
        let version = version.map(|version| version.to_string());
        Some(refusal(access, addr, version.unwrap_or_default()))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn refusal(access: &Access, addr: &NodeAddr, version: String) -> Option<Refusal> {
    let help = async {
        let node = Node::connect(access, addr).await?;
        node.say("DEBUG HELP").await
    };
    let why = match help.await {
        Err(error) => format!("the bus of {addr} cannot be cut: {error}"),
        Ok(reply) => {
            let lines: Vec<String> = reply.list().iter().filter_map(|l| l.text()).collect();
            let help = lines.join("\n");
            if KNOWN.iter().all(|known| help.contains(known)) {
                return None;
            }
            format!("{addr} ({version}) cannot cut its own bus: that takes Valkey 9 or later")
        }
    };
    Some(Refusal {
        why,
        next:
            "cut it off from outside: --fault isolate-peers (Docker), or freeze it: --fault pause; \
               where DEBUG is refused, start the server with enable-debug-command local or yes"
                .to_owned(),
    })
}

/// What mending will take; `None` for a node that did not answer.
pub(super) fn undo(survey: &Survey, id: &NodeId) -> Option<BusUndo> {
    let run = survey.facts(id)?.info.get("run_id")?;
    Some(BusUndo {
        node: id.clone(),
        addr: survey.node(id)?.addr.clone(),
        run: run.to_owned(),
    })
}

/// Cuts it.
pub(super) async fn cut(access: &Access, addr: &NodeAddr) -> Result<(), NodeError> {
    ask(&Node::connect(access, addr).await?, CUT).await
}

/// Mends it; gives what is worth a word.
pub(super) async fn mend(access: &Access, undo: &BusUndo) -> Result<Option<String>, NodeError> {
    let node = Node::connect(access, &undo.addr).await?;
    let info = node.ask(&Command::words("INFO server")).await?;
    let is_same = info.text().is_some_and(|text| text.contains(&undo.run));
    if !is_same {
        let addr = &undo.addr;
        return Ok(Some(format!(
            "{addr} was started again meanwhile, with a whole bus"
        )));
    }
    ask(&node, MEND).await.map(|()| None)
}

async fn ask(node: &Node, commands: [&str; 3]) -> Result<(), NodeError> {
    for command in commands {
        node.say(command).await?;
    }
    Ok(())
}

/// What came of mending.
#[derive(Debug, Default)]
pub struct Mended {
    /// Mended, and taken from the journal, with what is worth a word.
    pub done: Vec<(Entry, Option<String>)>,
    /// Still cut, and still in the journal.
    pub failed: Vec<(Entry, NodeError)>,
}

/// Whether the journal lists a bus that is cut.
pub fn is_bus_cut(entries: &[Entry]) -> bool {
    let mut undos = entries.iter().map(|entry| &entry.undo);
    undos.any(|undo| matches!(undo, Undo::Bus(_)))
}

/// Mends every bus that the journal lists as cut.
pub async fn mend_all(access: &Access, journal: &Journal) -> Result<Mended, JournalError> {
    let mut mended = Mended::default();
    for entry in journal.entries()? {
        let Undo::Bus(undo) = &entry.undo else {
            continue;
        };
        match mend(access, undo).await {
            Ok(note) => {
                journal.forget(&entry)?;
                mended.done.push((entry, note));
            }
            Err(error) => mended.failed.push((entry, error)),
        }
    }
    Ok(mended)
}
