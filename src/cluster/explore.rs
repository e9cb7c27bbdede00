//! The survey: from any one seed to every node that anybody knows, each asked in parallel.
//!
//! A node that hangs, refuses or wants a password costs one deadline and becomes a row; it never
//! holds up the others. Two names for one node (a seed `localhost`, an announced IP) become one row.
//! What a server says of others is not trusted to be modest: how many nodes are asked, how many at
//! once and how much is kept are bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::error::NodeError;
use super::node::Node;
use super::probe::{first_look, second_look};
use super::stream::dial;
use super::{alone, sentinel, watched};
use crate::model::{
    Announced, Answer, Dialled, Facts, NodeAddr, NodeId, NodeReport, Peer, SentinelReport, Silence,
    Site, Survey, View,
};

/// The most nodes that are asked: twice what servers call the upper end. A view may name more,
/// when a server is broken or hostile; those become rows that say that they were not asked.
const MOST_NODES: usize = 2000;

/// The most nodes that are asked at the same moment, each with up to two connections; the usual
/// limit is 1,024 open files.
const MOST_AT_ONCE: usize = 256;

/// The most lines of views that are kept: 1,000 nodes that know 1,000 each.
const MOST_LINES: usize = 1_000_000;

/// How many nodes are pinged at the same moment; more would measure each other.
const MOST_PINGED_AT_ONCE: usize = 20;

/// PINGs of all bursts together, and of each at the least.
const PINGS_AT_ONCE: usize = 300;
const FEWEST_PINGS: u32 = 3;

/// What a survey asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// The time between the two samples of the counters; zero takes one only.
    pub sample: Duration,
    /// PINGs in the burst; zero also leaves out the open door.
    pub pings: u32,
    /// Write a canary to every master.
    pub is_canary: bool,
    /// Count keys that lie in slots of others.
    pub is_deep: bool,
    /// Only the view, CLUSTER INFO and replication: for waiting.
    pub is_brief: bool,
    /// Ask for every setting, not only those that rules read: for a survey that is kept.
    pub has_all_settings: bool,
    /// Dial announced endpoints that differ from where a node was asked.
    pub is_dialling: bool,
    /// Zones by address.
    pub zones: BTreeMap<NodeAddr, String>,
}

/// Second looks wait until every first look is in, so that a PING does not queue behind the answers
/// of a hundred others; for silent nodes they wait no longer than this.
const FIRST_LOOKS: Duration = Duration::from_millis(250);

/// What a step of the exploration came to.
enum Step<'a> {
    /// Second looks have waited long enough.
    Waited,
    /// A node answered the first look; its connection goes on to the second.
    Seen(NodeAddr, Box<Look<'a>>),
    /// A node is done, one way or the other.
    Finished(NodeAddr, Answer),
    /// It is a Sentinel.
    Watching(Box<SentinelReport>),
}

/// A node that answered the first look. It keeps its place until its connection is closed.
struct Look<'a> {
    _place: Option<SemaphorePermit<'a>>,
    node: Node,
    facts: Facts,
    begun: Instant,
}

/// Asks every node, and returns when the last has answered or its deadline is over.
pub async fn survey(access: &Access, ask: &Ask) -> Survey {
    let taken_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut found = Found::default();
    let shared = Shared::of(access, ask);
    let gate = Semaphore::new(MOST_AT_ONCE);
    let turns = Semaphore::new(MOST_PINGED_AT_ONCE);
    let mut steps: FuturesUnordered<BoxFuture<'_, Step<'_>>> = FuturesUnordered::new();
    for seed in &access.seeds {
        if found.targets.insert(seed.clone()) {
            steps.push(Box::pin(look(&shared, &gate, seed.clone())));
        }
    }
    let mut out = steps.len();
    let mut waiting = Vec::new();
    let mut is_open = false;
    steps.push(Box::pin(async {
        tokio::time::sleep(FIRST_LOOKS).await;
        Step::Waited
    }));
    while out > 0 || !waiting.is_empty() {
        let Some(step) = steps.next().await else {
            break;
        };
        match step {
            Step::Waited => is_open = true,
            Step::Finished(addr, answer) => {
                out -= 1;
                match found.way_around(&addr, &answer) {
                    Some(ip) => {
                        out += 1;
                        steps.push(Box::pin(look(&shared, &gate, ip)));
                    }
                    None => found.answers.push((addr, answer)),
                }
            }
            Step::Watching(report) => {
                out -= 1;
                let (servers, sentinels) = found.watched.note(access, *report);
                for addr in servers {
                    if found.targets.insert(addr.clone()) {
                        out += 1;
                        steps.push(Box::pin(look(&shared, &gate, addr)));
                    }
                }
                for addr in sentinels {
                    if found.targets.insert(addr.clone()) {
                        out += 1;
                        steps.push(Box::pin(look_at_sentinel(access, &gate, addr)));
                    }
                }
            }
            Step::Seen(addr, seen) => {
                out -= 1;
                if !found.has_room_for(&seen.facts.view) {
                    found.answers.push((addr, too_much(seen.begun)));
                    continue;
                }
                for addr in found.note(access, &addr, &seen.facts.view) {
                    out += 1;
                    steps.push(Box::pin(look(&shared, &gate, addr)));
                }
                if found.is_first_look_at(&addr, &seen.facts.view) {
                    waiting.push((addr, seen));
                }
            }
        }
        if is_open || out == 0 {
            let burst = burst(ask, found.targets.len());
            for (addr, seen) in waiting.drain(..) {
                out += 1;
                steps.push(Box::pin(look_again(access, ask, &turns, burst, addr, seen)));
            }
        }
    }
    drop(steps);
    let sentinels = std::mem::take(&mut found.watched).told(access);
    let mut nodes = found.rows(ask);
    let form = alone::settle(access, &mut nodes, sentinels.as_ref()).await;
    let dialled = if ask.is_dialling {
        dial_announced(access, &nodes).await
    } else {
        Vec::new()
    };
    Survey {
        taken_at_ms: u64::try_from(taken_at.as_millis()).unwrap_or(0),
        goodcache: env!("CARGO_PKG_VERSION").to_owned(),
        name: None,
        form,
        sentinels,
        seeds: access.seeds.clone(),
        deadline_ms: u64::try_from(access.deadline.as_millis()).unwrap_or(u64::MAX),
        nodes,
        dialled,
        service: None,
        service_by: None,
    }
}

/// Asks one node alone, whatever it knows of others.
pub async fn look_at(access: &Access, addr: &NodeAddr, ask: &Ask) -> Answer {
    let (gate, gate_of_one) = (Semaphore::new(1), Semaphore::new(1));
    match look(&Shared::of(access, ask), &gate, addr.clone()).await {
        Step::Finished(_, answer) => answer,
        Step::Seen(_, look) => finish(access, ask, &gate_of_one, ask.pings, look).await,
        Step::Watching(report) => row(
            Silence::Sentinel,
            format!("{} is a Sentinel, which holds no data", report.addr),
            Duration::ZERO,
        ),
        // Only a survey of many waits.
        Step::Waited => not_asked(),
    }
}

/// What every first look needs, in a form that a task of its own can hold.
struct Shared {
    access: Access,
    ask: Ask,
}

impl Shared {
    fn of(access: &Access, ask: &Ask) -> Arc<Shared> {
        Arc::new(Shared {
            access: access.clone(),
            ask: ask.clone(),
        })
    }
}

/// The first look at a node, in a task of its own: reading a hundred answers is work for all cores.
async fn look<'a>(shared: &Arc<Shared>, gate: &'a Semaphore, addr: NodeAddr) -> Step<'a> {
    // Never closed, so there is always a place in the end.
    let place = gate.acquire().await.ok();
    let begun = Instant::now();
    let (task, to) = (shared.clone(), addr.clone());
    let looking = async move {
        let until = tokio::time::Instant::from_std(begun) + task.access.deadline;
        let node = Node::connect_until(&task.access, &to, until).await?;
        let facts = first_look(&task.access, &node.before(until), &task.ask).await?;
        Ok::<_, NodeError>((node, facts))
    };
    // Dropped with this future, the task ends too.
    let looked = match AbortOnDropHandle::new(tokio::spawn(looking)).await {
        Ok(looked) => looked,
        Err(_) => Err(NodeError::Closed {
            addr: addr.clone(),
            why: "goodcache itself failed while reading its answer".into(),
        }),
    };
    match looked {
        Ok((node, facts)) => {
            let look = Look {
                _place: place,
                node,
                facts,
                begun,
            };
            Step::Seen(addr, Box::new(look))
        }
        Err(error) => match sentinel::behind(&shared.access, &addr, &error).await {
            Some(report) => Step::Watching(Box::new(report)),
            None => Step::Finished(addr, silent(&error, begun)),
        },
    }
}

async fn look_at_sentinel<'a>(access: &Access, gate: &'a Semaphore, addr: NodeAddr) -> Step<'a> {
    let _place = gate.acquire().await.ok();
    Step::Watching(Box::new(sentinel::look_at(access, &addr).await))
}

/// How many PINGs each node gets: fewer where many nodes are pinged at once, for then they would
/// measure each other.
fn burst(ask: &Ask, nodes: usize) -> u32 {
    let share = u32::try_from(PINGS_AT_ONCE / nodes.max(1)).unwrap_or(u32::MAX);
    share.max(FEWEST_PINGS).min(ask.pings)
}

async fn look_again<'a>(
    access: &Access,
    ask: &Ask,
    turns: &Semaphore,
    burst: u32,
    addr: NodeAddr,
    look: Box<Look<'a>>,
) -> Step<'a> {
    Step::Finished(addr, finish(access, ask, turns, burst, look).await)
}

async fn finish(
    access: &Access,
    ask: &Ask,
    turns: &Semaphore,
    burst: u32,
    mut look: Box<Look<'_>>,
) -> Answer {
    if !ask.is_brief {
        second_look(
            access,
            &look.node,
            &mut look.facts,
            ask,
            turns,
            burst,
            look.begun,
        )
        .await;
    }
    Answer::Facts(Box::new(look.facts))
}

fn silent(error: &NodeError, begun: Instant) -> Answer {
    let silence = match error {
        // A script or a module keeps the server from everything else.
        NodeError::Server { said, .. } if said.starts_with("BUSY") => Silence::Timeout,
        // CLUSTER NODES was answered with an error: a renamed command, a proxy's own rule.
        error => error.silence().unwrap_or(Silence::Forbidden),
    };
    row(silence, error.to_string(), begun.elapsed())
}

fn too_much(begun: Instant) -> Answer {
    let detail = format!("its view was dropped: all views together pass {MOST_LINES} lines");
    row(Silence::NotRedis, detail, begun.elapsed())
}

fn not_asked() -> Answer {
    let detail = format!("not asked: the views name more than {MOST_NODES} nodes");
    row(Silence::Unreachable, detail, Duration::ZERO)
}

fn row(silence: Silence, detail: String, after: Duration) -> Answer {
    Answer::Silent {
        silence,
        detail,
        after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
    }
}

/// What the exploration has found so far.
#[derive(Default)]
struct Found {
    /// Addresses asked, or being asked.
    targets: BTreeSet<NodeAddr>,
    /// Lines of all views so far.
    lines: usize,
    /// Which address gave the first look at a node.
    asked_at: BTreeMap<NodeId, NodeAddr>,
    /// What the views say of each node's address.
    announced: BTreeMap<NodeId, (Announced, NodeAddr)>,
    answers: Vec<(NodeAddr, Answer)>,
    /// The Sentinels.
    watched: watched::Watched,
}

impl Found {
    /// Whether that view can be kept as well.
    fn has_room_for(&self, view: &View) -> bool {
        self.lines + view.peers.len() <= MOST_LINES
    }

    /// Takes note of a view, and returns the addresses that are new.
    fn note(&mut self, access: &Access, asked: &NodeAddr, view: &View) -> Vec<NodeAddr> {
        let mut fresh = Vec::new();
        self.lines += view.peers.len();
        if let Some(me) = view.myself() {
            self.asked_at
                .entry(me.id.clone())
                .or_insert_with(|| asked.clone());
        }
        for peer in view.peers.iter().filter(|peer| !peer.flags.handshake) {
            // Most lines repeat what an earlier view said, and nothing new comes of them.
            let known = self.announced.get(&peer.id);
            if !peer.flags.myself && known.is_some_and(|(known, _)| *known == peer.announced) {
                continue;
            }
            // A peer without an address (noaddr) cannot be asked; the rules find it in the views.
            let Some(addr) = self.locate(access, asked, peer) else {
                continue;
            };
            let place = (peer.announced.clone(), addr.clone());
            if peer.flags.myself {
                self.announced.insert(peer.id.clone(), place);
            } else {
                self.announced.entry(peer.id.clone()).or_insert(place);
            }
            let is_known = self.asked_at.contains_key(&peer.id);
            if is_known || peer.flags.myself || self.targets.contains(&addr) {
                continue;
            }
            self.targets.insert(addr.clone());
            if self.targets.len() <= MOST_NODES {
                fresh.push(addr);
            } else {
                self.answers.push((addr, not_asked()));
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

    /// The IP to ask instead, when the hostname that a node announces leads nowhere from here. That
    /// clients are sent there in vain is found when the announced endpoints are dialled.
    fn way_around(&mut self, addr: &NodeAddr, answer: &Answer) -> Option<NodeAddr> {
        let Answer::Silent {
            silence: Silence::Unreachable,
            ..
        } = answer
        else {
            return None;
        };
        let mut places = self.announced.values_mut();
        let (announced, place) = places.find(|(_, place)| place == addr)?;
        let ip = announced.ip_endpoint()?;
        if announced.endpoint().as_ref() != Some(addr) || !self.targets.insert(ip.clone()) {
            return None;
        }
        *place = ip.clone();
        Some(ip)
    }

    /// Whether this address is the one at which the node was first met; a second name for the same
    /// node is dropped here.
    fn is_first_look_at(&self, addr: &NodeAddr, view: &View) -> bool {
        view.myself()
            .is_none_or(|me| self.asked_at.get(&me.id) == Some(addr))
    }

    /// A row for every node, and for every seed that is none.
    fn rows(self, ask: &Ask) -> Vec<NodeReport> {
        let Found {
            announced: places,
            asked_at,
            answers,
            ..
        } = self;
        let ids: BTreeMap<&NodeAddr, &NodeId> = places
            .iter()
            .map(|(id, (_, addr))| (addr, id))
            .chain(asked_at.iter().map(|(id, addr)| (addr, id)))
            .collect();
        let mut rows: Vec<NodeReport> = answers
            .into_iter()
            .map(|(addr, answer)| {
                let own = match &answer {
                    Answer::Facts(facts) => facts.view.myself().map(|me| me.id.clone()),
                    Answer::Silent { .. } => None,
                };
                let id = own.or_else(|| ids.get(&addr).map(|&id| id.clone()));
                let announced = id
                    .as_ref()
                    .and_then(|id| places.get(id))
                    .map(|(announced, _)| announced);
                let site = site(&addr, announced, &answer, &ask.zones);
                NodeReport {
                    id,
                    addr,
                    site,
                    answer,
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
    let dialling = others.map(|(id, endpoint)| async move {
        let outcome = dial(access, &endpoint).await;
        Dialled {
            id,
            endpoint,
            error: outcome.err().map(|error| error.to_string()),
        }
    });
    stream::iter(dialling)
        .buffered(MOST_AT_ONCE)
        .collect()
        .await
}
