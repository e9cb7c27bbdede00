//! The survey: from any one seed to every node that anybody knows, each asked in parallel.
//!
//! A node that hangs, refuses or wants a password costs one deadline and becomes a row; it never
//! holds up the others. Two names for one node (a seed `localhost`, an announced IP) become one row.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::access::Access;
use super::error::NodeError;
use super::node::Node;
use super::probe::{first_look, second_look};
use super::stream::dial;
use crate::model::{
    Announced, Answer, Dialled, Facts, NodeAddr, NodeId, NodeReport, Peer, Silence, Site, Survey,
    View,
};

/// What a survey asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The time between the two samples of the counters; zero takes one only.
    pub sample: Duration,
    /// PINGs in the burst; zero also leaves out the clock and the open door.
    pub pings: u32,
    /// Write a canary to every master.
    pub is_canary: bool,
    /// Count keys that lie in slots of others.
    pub is_deep: bool,
    /// Only the view, CLUSTER INFO and replication: for waiting.
    pub is_brief: bool,
    /// Dial announced endpoints that differ from where a node was asked.
    pub is_dialling: bool,
    /// Zones by address.
    pub zones: BTreeMap<NodeAddr, String>,
}

/// What a step of the exploration came to.
enum Step {
    /// A node answered the first look; its connection goes on to the second.
    Seen(NodeAddr, Box<(Node, Facts, Instant)>),
    /// A node is done, one way or the other.
    Finished(NodeAddr, Answer),
}

/// Asks every node, and returns when the last has answered or its deadline is over.
pub async fn survey(access: &Access, ask: &Ask) -> Survey {
    let taken_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut found = Found::default();
    let mut steps: FuturesUnordered<BoxFuture<'_, Step>> = FuturesUnordered::new();
    for seed in &access.seeds {
        if found.targets.insert(seed.clone()) {
            steps.push(Box::pin(look(access, ask, seed.clone())));
        }
    }
    while let Some(step) = steps.next().await {
        match step {
            Step::Finished(addr, answer) => found.answers.push((addr, answer)),
            Step::Seen(addr, seen) => {
                for addr in found.note(access, &addr, &seen.1.view) {
                    steps.push(Box::pin(look(access, ask, addr)));
                }
                if found.is_first_look_at(&addr, &seen.1.view) {
                    steps.push(Box::pin(look_again(access, ask, addr, *seen)));
                }
            }
        }
    }
    drop(steps);
    let nodes = found.rows(ask);
    let dialled = if ask.is_dialling {
        dial_announced(access, &nodes).await
    } else {
        Vec::new()
    };
    Survey {
        taken_at_ms: u64::try_from(taken_at.as_millis()).unwrap_or(0),
        goodcache: env!("CARGO_PKG_VERSION").to_owned(),
        name: None,
        seeds: access.seeds.clone(),
        deadline_ms: u64::try_from(access.deadline.as_millis()).unwrap_or(u64::MAX),
        nodes,
        dialled,
    }
}

/// Asks one node alone, whatever it knows of others.
pub async fn look_at(access: &Access, addr: &NodeAddr, ask: &Ask) -> Answer {
    match look(access, ask, addr.clone()).await {
        Step::Finished(_, answer) => answer,
        Step::Seen(addr, seen) => match look_again(access, ask, addr, *seen).await {
            Step::Finished(_, answer) => answer,
            // The second look always finishes.
            Step::Seen(_, seen) => Answer::Facts(Box::new(seen.1)),
        },
    }
}

async fn look(access: &Access, ask: &Ask, addr: NodeAddr) -> Step {
    let begun = Instant::now();
    let looked = async {
        let node = Node::connect(access, &addr).await?;
        let facts = first_look(&node, ask).await?;
        Ok::<_, NodeError>((node, facts))
    };
    match looked.await {
        Ok((node, facts)) => Step::Seen(addr, Box::new((node, facts, begun))),
        Err(error) => {
            let answer = silent(&error, begun);
            Step::Finished(addr, answer)
        }
    }
}

async fn look_again(
    access: &Access,
    ask: &Ask,
    addr: NodeAddr,
    seen: (Node, Facts, Instant),
) -> Step {
    let (node, mut facts, begun) = seen;
    if !ask.is_brief {
        second_look(access, &node, &mut facts, ask, begun).await;
    }
    Step::Finished(addr, Answer::Facts(Box::new(facts)))
}

fn silent(error: &NodeError, begun: Instant) -> Answer {
    Answer::Silent {
        silence: error.silence().unwrap_or(Silence::NotRedis),
        detail: error.to_string(),
        after_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

/// What the exploration has found so far.
#[derive(Default)]
struct Found {
    /// Addresses asked, or being asked.
    targets: BTreeSet<NodeAddr>,
    /// Which address gave the first look at a node.
    asked_at: BTreeMap<NodeId, NodeAddr>,
    /// What the views say of each node's address.
    announced: BTreeMap<NodeId, (Announced, NodeAddr)>,
    answers: Vec<(NodeAddr, Answer)>,
}

impl Found {
    /// Takes note of a view, and returns the addresses that are new.
    fn note(&mut self, access: &Access, asked: &NodeAddr, view: &View) -> Vec<NodeAddr> {
        let mut fresh = Vec::new();
        if let Some(me) = view.myself() {
            self.asked_at
                .entry(me.id.clone())
                .or_insert_with(|| asked.clone());
        }
        for peer in view.peers.iter().filter(|peer| !peer.flags.handshake) {
            // A peer without an address (noaddr) cannot be asked; the rules find it in the views.
            let Some(addr) = self.locate(access, asked, peer) else {
                continue;
            };
            self.announced
                .insert(peer.id.clone(), (peer.announced.clone(), addr.clone()));
            let is_known = self.asked_at.contains_key(&peer.id);
            if !is_known && !peer.flags.myself && self.targets.insert(addr.clone()) {
                fresh.push(addr);
            }
        }
        fresh
    }

    /// Where a peer is reached. `noaddr` peers keep a stale address or none; they are not dialled.
    fn locate(&self, access: &Access, asked: &NodeAddr, peer: &Peer) -> Option<NodeAddr> {
        if peer.flags.myself {
            return Some(asked.clone());
        }
        if peer.flags.noaddr {
            return None;
        }
        access.map.locate(&peer.announced)
    }

    /// Whether this address is the one at which the node was first met; a second name for the same
    /// node is dropped here.
    fn is_first_look_at(&self, addr: &NodeAddr, view: &View) -> bool {
        view.myself()
            .is_none_or(|me| self.asked_at.get(&me.id) == Some(addr))
    }

    /// A row for every node, and for every seed that is none.
    fn rows(self, ask: &Ask) -> Vec<NodeReport> {
        let ids: BTreeMap<&NodeAddr, &NodeId> = self
            .announced
            .iter()
            .map(|(id, (_, addr))| (addr, id))
            .chain(self.asked_at.iter().map(|(id, addr)| (addr, id)))
            .collect();
        let mut rows: Vec<NodeReport> = self
            .answers
            .iter()
            .map(|(addr, answer)| {
                let own = match answer {
                    Answer::Facts(facts) => facts.view.myself().map(|me| me.id.clone()),
                    Answer::Silent { .. } => None,
                };
                let id = own.or_else(|| ids.get(addr).map(|&id| id.clone()));
                let announced = id
                    .as_ref()
                    .and_then(|id| self.announced.get(id))
                    .map(|(announced, _)| announced);
                let site = site(addr, announced, answer, &ask.zones);
                NodeReport {
                    id,
                    addr: addr.clone(),
                    site,
                    answer: answer.clone(),
                }
            })
            .collect();
        // A silent seed may be a second name of a node that was met elsewhere.
        let met: BTreeSet<NodeId> = rows
            .iter()
            .filter(|row| row.facts().is_some())
            .filter_map(|row| row.id.clone())
            .collect();
        rows.retain(|row| {
            row.facts().is_some() || row.id.as_ref().is_none_or(|id| !met.contains(id))
        });
        rows.sort_by(|a, b| a.addr.cmp(&b.addr));
        rows
    }
}

/// Host and zone. The host is the announced IP, for that is what dies together; a node that sends
/// clients to a loopback name stands on this machine, whatever its container's address.
fn site(
    addr: &NodeAddr,
    announced: Option<&Announced>,
    answer: &Answer,
    zones: &BTreeMap<NodeAddr, String>,
) -> Site {
    let endpoint = announced.and_then(Announced::endpoint);
    let host = match (&endpoint, announced) {
        (Some(endpoint), _) if endpoint.is_loopback() => endpoint.host.clone(),
        (_, Some(announced)) if !announced.ip.is_empty() => announced.ip.clone(),
        _ => addr.host.clone(),
    };
    let given = [Some(addr), endpoint.as_ref()]
        .into_iter()
        .flatten()
        .find_map(|addr| zones.get(addr));
    let own = match answer {
        Answer::Facts(facts) => facts
            .info
            .get("availability_zone")
            .filter(|zone| !zone.is_empty()),
        Answer::Silent { .. } => None,
    };
    let zone = given.map(String::as_str).or(own).map(str::to_owned);
    Site { host, zone }
}

/// Dials the endpoints that clients are sent to, where these are not where the node was asked and
/// no node map accounts for the difference.
async fn dial_announced(access: &Access, nodes: &[NodeReport]) -> Vec<Dialled> {
    let others = nodes.iter().filter_map(|node| {
        let me = node.facts()?.view.myself()?;
        let endpoint = me.announced.endpoint()?;
        let is_mapped = access.map.locate(&me.announced) != Some(endpoint.clone());
        (endpoint != node.addr && !is_mapped).then(|| (me.id.clone(), endpoint))
    });
    join_all(others.map(|(id, endpoint)| async move {
        let error = dial(access, &endpoint)
            .await
            .err()
            .map(|error| error.to_string());
        Dialled {
            id,
            endpoint,
            error,
        }
    }))
    .await
}
