//! Striking and putting back: through the machines, with the journal written first, or through the
//! servers themselves when they are asked over their own connections.

use std::time::Duration;

use futures_util::future::join_all;

use super::bus;
use super::drive::{DrillError, Drilling};
use super::handover::hand_over;
use super::plan::SecondStep;
use super::round::Seeing;
use super::standing::{Standing, at_host};
use crate::cluster::{Access, Command, Node, NodeError};
use crate::host::drill::{NodeAtHost, Place, Undo, Undone};
use crate::host::journal::Entry;
use crate::model::{Act, Fault, NodeAddr, NodeId, Second, Victim};

/// How a node will be put back.
pub(super) type Prepared = (NodeId, Place, Undo);

impl Drilling<'_> {
    /// How each node will be put back; nothing is broken yet. Nodes are looked for anew each time, for
    /// a process that was started again is another one.
    pub(super) async fn prepare(
        &self,
        fault: Fault,
        ids: &[NodeId],
        now: &Standing,
    ) -> Result<Vec<Prepared>, DrillError> {
        if fault == Fault::IsolateBus {
            return self.prepare_bus(ids, now).await;
        }
        let Some(hosts) = self.hosts.filter(|_| may_need_host(fault)) else {
            return Ok(Vec::new());
        };
        let name = now.seen.name.as_deref().unwrap_or_default();
        let nodes = ids
            .iter()
            .filter_map(|id| at_host(&now.seen, &now.topology, id, name));
        let nodes: Vec<NodeAtHost> = nodes.collect();
        let places = hosts.find(&nodes).await?;
        let mut undos = Vec::new();
        for (node, place) in nodes.into_iter().zip(places) {
            if needs_host(fault, &place) {
                let undo = hosts.prepare(&place, fault).await?;
                undos.push((node.id, place, undo));
            }
        }
        Ok(undos)
    }

    async fn prepare_bus(
        &self,
        ids: &[NodeId],
        now: &Standing,
    ) -> Result<Vec<Prepared>, DrillError> {
        let refused = bus::bus_refusals(self.access, &now.seen, ids).await;
        if !refused.is_empty() {
            return Err(DrillError::Refused(refused));
        }
        let prepared = |id: &NodeId| {
            let undo = Undo::Bus(bus::undo(&now.seen, id)?);
            Some((id.clone(), Place::Server(id.clone()), undo))
        };
        Ok(ids.iter().filter_map(prepared).collect())
    }

    pub(super) async fn strike(
        &self,
        fault: Fault,
        victims: &[Victim],
        undos: Vec<Prepared>,
        now: &Standing,
        seeing: &mut Seeing,
    ) -> Result<(), DrillError> {
        for (id, place, undo) in &undos {
            self.journal.add(&Entry {
                node: id.clone(),
                addr: now.addr(id).unwrap_or_else(|| NodeAddr::new("?", 0)),
                place: place.clone(),
                fault,
                undo: undo.clone(),
                is_held: false,
            })?;
        }
        seeing.did(Act::FaultAsked);
        let struck = match (fault.is_handover() && undos.is_empty(), fault) {
            (true, _) => {
                let asked = victims.iter().map(|victim| {
                    hand_over(self.access, &now.seen, &now.topology, &victim.id, fault)
                });
                first_error(join_all(asked).await).map_err(DrillError::from)
            }
            (false, Fault::Sleep | Fault::Shutdown) => {
                let asked = victims
                    .iter()
                    .map(|victim| in_band(self.access, &victim.addr, fault, self.sleep_length()));
                first_error(join_all(asked).await).map_err(DrillError::from)
            }
            (false, Fault::IsolateBus) => {
                let addrs = undos.iter().filter_map(|(id, ..)| now.addr(id));
                let addrs: Vec<NodeAddr> = addrs.collect();
                let asked = addrs.iter().map(|addr| bus::cut(self.access, addr));
                first_error(join_all(asked).await).map_err(DrillError::from)
            }
            (false, _) => self.strike_hosts(fault, &undos, seeing).await,
        };
        seeing.did(Act::FaultDone);
        let is_to_be_undone_now = fault == Fault::FastRestart || struck.is_err();
        if is_to_be_undone_now && !undos.is_empty() {
            let ids: Vec<NodeId> = undos.into_iter().map(|(id, ..)| id).collect();
            self.heal(&ids, seeing).await?;
        }
        struck
    }

    async fn strike_hosts(
        &self,
        fault: Fault,
        undos: &[Prepared],
        seeing: &mut Seeing,
    ) -> Result<(), DrillError> {
        let Some(hosts) = self.hosts else {
            return Ok(());
        };
        let struck = undos.iter().map(|(_, place, _)| hosts.strike(place, fault));
        for struck in join_all(struck).await {
            seeing
                .notes
                .extend(struck.map_err(DrillError::Struck)?.notes);
        }
        Ok(())
    }

    /// DEBUG SLEEP outlasts the election.
    fn sleep_length(&self) -> Duration {
        self.options.sleep_for
    }

    pub(super) async fn strike_again(
        &self,
        title: &str,
        second: &SecondStep,
        targets: Vec<Victim>,
        undos: Vec<Prepared>,
        now: &Standing,
        seeing: &mut Seeing,
    ) -> Result<Second, DrillError> {
        tokio::time::sleep(second.after).await;
        self.events
            .begin(format!("{title}{}", told(second.fault, &targets)));
        let at_us = seeing.now_us();
        let deeds = seeing.deeds.len();
        self.strike(second.fault, &targets, undos, now, seeing)
            .await?;
        // The round's own fault is the first; this one has a row of its own.
        seeing.deeds.truncate(deeds);
        Ok(Second {
            fault: second.fault,
            targets,
            at_us,
        })
    }

    /// Puts those nodes back, and takes them out of the journal.
    pub(super) async fn heal(&self, ids: &[NodeId], seeing: &mut Seeing) -> Result<(), DrillError> {
        let entries = self.journal.entries()?;
        let broken = entries.into_iter().rev();
        let broken: Vec<Entry> = broken.filter(|entry| ids.contains(&entry.node)).collect();
        if broken.is_empty() {
            return Ok(());
        }
        // A handover by the user's own command leaves nothing to put back.
        let is_broken = broken.iter().any(|entry| !entry.fault.ends_by_itself());
        if is_broken {
            seeing.did(Act::HealAsked);
        }
        let undone = join_all(broken.iter().map(|entry| self.undo(entry))).await;
        for (entry, undone) in broken.iter().zip(undone) {
            let undone = undone?;
            self.journal.remove(&entry.node)?;
            seeing.notes.extend(undone.notes);
            seeing.notes.extend(undone.by_others);
        }
        if is_broken {
            seeing.did(Act::HealDone);
        }
        Ok(())
    }
}

impl Drilling<'_> {
    /// Through the machine, or through the server itself.
    async fn undo(&self, entry: &Entry) -> Result<Undone, DrillError> {
        match (&entry.undo, self.hosts) {
            (Undo::Bus(undo), _) => Ok(Undone {
                by_others: bus::mend(self.access, undo).await?,
                ..Undone::default()
            }),
            (undo, Some(hosts)) => hosts.undo(undo).await.map_err(DrillError::Struck),
            (_, None) => Ok(Undone::default()),
        }
    }
}

pub(super) fn told(fault: Fault, victims: &[Victim]) -> String {
    let whom: Vec<String> = victims
        .iter()
        .map(|victim| {
            format!(
                "{} ({} of shard {})",
                victim.addr, victim.role, victim.shard
            )
        })
        .collect();
    format!("{fault} {}", whom.join(", "))
}

fn first_error<E>(outcomes: Vec<Result<(), E>>) -> Result<(), E> {
    outcomes.into_iter().collect()
}

/// Whether a node's machine may have a part in it. A provider's own failover call stands in for the
/// servers' command.
fn may_need_host(fault: Fault) -> bool {
    !fault.is_in_band() || fault == Fault::Failover
}

/// Whether the node's machine has a part in it: it breaks the node, or starts it again.
fn needs_host(fault: Fault, place: &Place) -> bool {
    !fault.is_in_band() || matches!(place, Place::Hooks(_))
}

/// Sends DEBUG SLEEP or SHUTDOWN NOSAVE, which are not answered: what is, is a refusal.
async fn in_band(
    access: &Access,
    addr: &NodeAddr,
    fault: Fault,
    sleep: Duration,
) -> Result<(), NodeError> {
    let node = Node::connect(access, addr).await?;
    let command = match fault {
        Fault::Sleep => Command::words("DEBUG SLEEP").arg(sleep.as_secs_f64().to_string()),
        _ => Command::words("SHUTDOWN NOSAVE"),
    };
    let patience = Duration::from_millis(300);
    match node.with_deadline(patience).ask(&command).await {
        Ok(_) | Err(NodeError::Timeout { .. } | NodeError::Closed { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
