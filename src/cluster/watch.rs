//! The watch: what every node says of every other, sampled quickly, and only changes kept.
//!
//! Each node is watched by a task of its own over a connection of its own, so one that hangs holds
//! up nobody; it shows as silent until it answers again. All of them run on one thread of their own.
//! Hardly any of the replies says anything new, so each is first compared with the one before, and
//! read only when more than the times in it differ.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::aside::Aside;
use super::node::{Node, Reply};
use super::view::read_view;
use super::{alone, sentinel};
use crate::model::{Change, Form, NodeAddr, NodeId, Peer, Sighting, form};

/// Which fields of a line are times.
const TIMES: std::ops::RangeInclusive<usize> = 4..=5;

/// A watch under way. Dropped, it ends.
pub struct Watch {
    seen: Arc<Mutex<Vec<Sighting>>>,
    watching: Vec<AbortOnDropHandle<()>>,
    _aside: Aside,
}

impl Watch {
    /// Begins to watch; times count from `t0`. What each node says first is taken as known. Outside of a
    /// cluster it is Sentinels, if any, who say what becomes of nodes, and of the servers only whether
    /// they answer is watched.
    pub fn start(
        access: &Access,
        nodes: &[(NodeId, NodeAddr)],
        sentinels: &[(NodeId, NodeAddr)],
        form: Form,
        t0: Instant,
        every: Duration,
    ) -> Watch {
        let aside = Aside::start("watch");
        let entered = aside.enter();
        let seen = Arc::new(Mutex::default());
        let witness = match form.is_cluster() {
            true => Witness::Node,
            false => Witness::Server,
        };
        let servers = nodes.iter().map(|node| (node, witness));
        let sentinels = sentinels.iter().map(|node| (node, Witness::Sentinel));
        let watching = servers.chain(sentinels).map(|((id, addr), witness)| {
            let observer = Observer {
                witness,
                access: access.clone(),
                id: id.clone(),
                addr: addr.clone(),
                t0,
                every,
                seen: Arc::clone(&seen),
            };
            AbortOnDropHandle::new(tokio::spawn(observer.watch()))
        });
        let watching = watching.collect();
        drop(entered);
        Watch {
            watching,
            seen,
            _aside: aside,
        }
    }

    /// What was seen so far, in the order of time.
    pub fn sightings_so_far(&self) -> Vec<Sighting> {
        let mut seen = self
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        seen.sort_by_key(|sighting| sighting.at_us);
        seen
    }

    /// Ends it.
    pub fn stop(self) -> Vec<Sighting> {
        let seen = self.sightings_so_far();
        drop(self.watching);
        seen
    }
}

/// What can be learnt from whom is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Witness {
    /// A cluster's node, which says something of every other.
    Node,
    /// A server that others watch.
    Server,
    /// A Sentinel.
    Sentinel,
}

struct Observer {
    witness: Witness,
    access: Access,
    id: NodeId,
    addr: NodeAddr,
    t0: Instant,
    every: Duration,
    seen: Arc<Mutex<Vec<Sighting>>>,
}

/// What is known of what a node says.
#[derive(Default)]
struct Known {
    /// Its last reply, without the times.
    said: Vec<u8>,
    /// What that meant; `None` before the first.
    states: Option<States>,
}

type States = BTreeMap<NodeId, State>;

/// What of a line is watched.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    is_suspected: bool,
    has_failed: bool,
    /// The epoch by which it leads.
    leads: Option<u64>,
}

impl State {
    fn of(peer: &Peer) -> State {
        let is_leading = peer.flags.master && !peer.slots.is_empty();
        State {
            is_suspected: peer.flags.suspected,
            has_failed: peer.flags.failed,
            leads: is_leading.then_some(peer.epoch),
        }
    }

    /// What is new since another.
    fn changes_since(self, before: State) -> Vec<Change> {
        let mut changes = Vec::new();
        if self.has_failed && !before.has_failed {
            changes.push(Change::Failed);
        } else if self.is_suspected && !before.is_suspected {
            changes.push(Change::Suspected);
        }
        let is_flagged = |state: State| state.has_failed || state.is_suspected;
        if is_flagged(before) && !is_flagged(self) {
            changes.push(Change::Cleared);
        }
        match (before.leads, self.leads) {
            (Some(_), None) => changes.push(Change::Follows),
            (was, Some(epoch)) if was != Some(epoch) => changes.push(Change::Leads(epoch)),
            _ => {}
        }
        changes
    }
}

impl Observer {
    async fn watch(self) {
        let mut known = Known::default();
        let mut node: Option<Node> = None;
        let mut is_silent = false;
        loop {
            let next = tokio::time::Instant::now() + self.every;
            match self.look(&mut node, &mut known.said).await {
                Some(said) => {
                    if is_silent {
                        self.saw(self.id.clone(), Change::Answers);
                        is_silent = false;
                    }
                    if let Some(now) = said {
                        if let Some(before) = &known.states {
                            self.compare(before, &now);
                        }
                        known.states = Some(now);
                    }
                }
                None if !is_silent => {
                    self.saw(self.id.clone(), Change::Silent);
                    is_silent = true;
                }
                None => {}
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// What the node says now: `None` when it says nothing, and nothing within when it says what it
    /// said before.
    async fn look(&self, node: &mut Option<Node>, said: &mut Vec<u8>) -> Option<Option<States>> {
        if node.is_none() {
            let connected = match self.witness {
                Witness::Sentinel => sentinel::connect(&self.access, &self.addr).await,
                _ => Node::connect(&self.access, &self.addr).await,
            };
            *node = connected.ok();
        }
        if self.witness != Witness::Node {
            let looked = self.look_outside(node.as_ref()?, said).await;
            if looked.is_none() {
                *node = None;
            }
            return looked;
        }
        let reply = node.as_ref()?.say("CLUSTER NODES").await;
        let looked = reply.ok().and_then(|reply| self.read(&reply, said));
        if looked.is_none() {
            *node = None;
        }
        looked
    }

    /// The same of a server without a view, and of a Sentinel, whose view is of one master.
    async fn look_outside(&self, node: &Node, said: &mut Vec<u8>) -> Option<Option<States>> {
        if self.witness == Witness::Server {
            return node.say("PING").await.is_ok().then_some(None);
        }
        let name = self.access.sentinel.master.as_deref()?;
        let master = sentinel::master(node, name).await?;
        let at = form::address(&master)?;
        let config_epoch = master.number("config-epoch").unwrap_or(0);
        let flags = master.get("flags").unwrap_or_default();
        let now = format!("{at} {config_epoch} {flags}").into_bytes();
        if now == *said {
            return Some(None);
        }
        *said = now;
        let state = State {
            is_suspected: form::is_flagged(&master, "s_down"),
            has_failed: form::is_flagged(&master, "o_down"),
            leads: Some(alone::epoch_of(config_epoch)),
        };
        let id = alone::id_of(&self.access, &at).await;
        Some(Some(States::from([(id, state)])))
    }

    fn read(&self, reply: &Reply, said: &mut Vec<u8>) -> Option<Option<States>> {
        let now = match reply {
            Reply::Bytes(text) => timeless(text),
            _ => Vec::new(),
        };
        if !now.is_empty() && now == *said {
            return Some(None);
        }
        let view = read_view(&self.addr, reply).ok()?;
        *said = now;
        let state = |peer: &Peer| (peer.id.clone(), State::of(peer));
        Some(Some(view.peers.iter().map(state).collect()))
    }

    fn compare(&self, before: &States, now: &States) {
        for (id, state) in now {
            let was = before.get(id).copied().unwrap_or(State {
                is_suspected: false,
                has_failed: false,
                leads: None,
            });
            for change in state.changes_since(was) {
                self.saw(id.clone(), change);
            }
        }
    }

    fn saw(&self, of: NodeId, what: Change) {
        let sighting = Sighting {
            at_us: u64::try_from(self.t0.elapsed().as_micros()).unwrap_or(u64::MAX),
            by: self.id.clone(),
            of,
            what,
        };
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(sighting);
    }
}

/// The reply without the two times of each line, which change all the while: when a ping left, and
/// when a pong came.
fn timeless(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len());
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        for (n, field) in line.split_inclusive(|&byte| byte == b' ').enumerate() {
            if !TIMES.contains(&n) {
                kept.extend_from_slice(field);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_times_of_a_reply_may_differ_for_it_to_be_the_same() {
        let said = |flags: &str, ping: u32, pong: u32, slots: &str| {
            let line = format!("07c3 127.0.0.1:7001@17001 {flags} - {ping} {pong} 3 connected");
            timeless(format!("{line}{slots}\n{line}\n").as_bytes())
        };
        let before = said("master", 0, 1426238316, " 0-5460");
        assert_eq!(said("master", 1426238317, 7, " 0-5460"), before);
        assert_ne!(said("master,fail?", 0, 1426238316, " 0-5460"), before);
        assert_ne!(said("master", 0, 1426238316, ""), before);
    }
}
