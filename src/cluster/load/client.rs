//! The client: it knows which node leads, follows where it is sent, and tries again with growing
//! pauses, as the libraries do that applications use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;

use super::line::Line;
use super::{LoadOptions, outcome_of};
use crate::cluster::access::Access;
use crate::cluster::error::NodeError;
use crate::cluster::node::{Command, Reply};
use crate::cluster::sentinel;
use crate::model::{NodeAddr, Outcome, Slot, View};

/// The first pause before another try; each is twice the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How long a Sentinel's word counts.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// A client of one shard.
pub(super) struct Client {
    access: Access,
    max_redirections: u32,
    is_retrying: bool,
    nodes: Vec<NodeAddr>,
    state: Mutex<State>,
    refreshing: Mutex<Option<AbortOnDropHandle<()>>>,
    /// When Sentinels were asked last, and what they told.
    asked: tokio::sync::Mutex<(Option<Instant>, Option<NodeAddr>)>,
}

struct State {
    /// Who is believed to lead.
    leader: NodeAddr,
    lines: BTreeMap<NodeAddr, Arc<Line>>,
}

impl Client {
    /// A client that believes the first of the nodes to lead, and asks who owns `slot` now and then.
    pub(super) fn of(
        access: &Access,
        nodes: &[NodeAddr],
        slot: Option<Slot>,
        options: &LoadOptions,
    ) -> Arc<Client> {
        let leader = nodes
            .first()
            .cloned()
            .unwrap_or_else(|| NodeAddr::new("127.0.0.1", 0));
        let lines = nodes
            .iter()
            .map(|addr| (addr.clone(), Arc::new(Line::to(access, addr))))
            .collect();
        let client = Arc::new(Client {
            access: access.clone(),
            max_redirections: options.max_redirections,
            is_retrying: options.is_retrying,
            nodes: nodes.to_vec(),
            state: Mutex::new(State { leader, lines }),
            refreshing: Mutex::default(),
            asked: tokio::sync::Mutex::default(),
        });
        if let Some(slot) = slot {
            let refresh = refresh(Arc::downgrade(&client), slot, options.refresh);
            let task = AbortOnDropHandle::new(tokio::spawn(refresh));
            *client
                .refreshing
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(task);
        }
        client
    }

    fn leader(&self) -> Arc<Line> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let addr = state.leader.clone();
        let line = state
            .lines
            .entry(addr.clone())
            .or_insert_with(|| Arc::new(Line::to(&self.access, &addr)));
        line.clone()
    }

    /// Where the Sentinels send clients, where there are any. Many that ask at once get one answer, as
    /// from the pool of a client's library.
    async fn told(&self) -> Option<NodeAddr> {
        if self.access.sentinel.known.is_empty() {
            return None;
        }
        let mut asked = self.asked.lock().await;
        if asked.0.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
            let told = sentinel::leader(&self.access).await;
            *asked = (Some(Instant::now()), told);
        }
        asked.1.clone()
    }

    fn believe(&self, leader: NodeAddr) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .leader = leader;
    }

    /// Asks whoever leads, as often as it is allowed to.
    pub(super) async fn ask(&self, command: &Command) -> (Outcome, Option<Reply>) {
        let mut pause = FIRST_PAUSE;
        let mut last = Outcome::NoConnection;
        for _ in 0..=self.max_redirections {
            let line = self.leader();
            let error = match line.ask(command).await {
                Ok(reply) => return (Outcome::Good, Some(reply)),
                Err(error) => error,
            };
            last = outcome_of(&error);
            if let Some(leader) = self.sent_to(&error) {
                if leader != *line.addr() {
                    self.believe(leader);
                    continue;
                }
            } else {
                if error.is_end() || is_no_leader(&error) {
                    // Another node of the shard knows who leads, or leads itself by now.
                    let told = self.told().await;
                    self.believe(told.unwrap_or_else(|| self.next_to(line.addr())));
                }
                if !self.is_retrying {
                    break;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        (last, None)
    }

    /// Where `MOVED slot host:port` sends; the node map applies.
    fn sent_to(&self, error: &NodeError) -> Option<NodeAddr> {
        let NodeError::Server { said, .. } = error else {
            return None;
        };
        let mut words = said.split_ascii_whitespace();
        let is_sent = matches!(words.next(), Some("MOVED" | "ASK"));
        let addr: NodeAddr = words.nth(1).filter(|_| is_sent)?.parse().ok()?;
        Some(self.access.map.reach(&addr))
    }

    fn next_to(&self, addr: &NodeAddr) -> NodeAddr {
        let at = self.nodes.iter().position(|own| own == addr);
        let next = at.map_or(0, |at| (at + 1) % self.nodes.len());
        self.nodes.get(next).unwrap_or(addr).clone()
    }
}

/// Whether a replica answered, outside of a cluster: it sends nobody anywhere.
fn is_no_leader(error: &NodeError) -> bool {
    matches!(error, NodeError::Server { said, .. } if said.starts_with("READONLY"))
}

/// Asks for the slots anew at every interval, as clients do that are told to, and believes whoever
/// owns the slot then.
async fn refresh(client: Weak<Client>, slot: Slot, every: Duration) {
    loop {
        tokio::time::sleep(every.max(FIRST_PAUSE)).await;
        let Some(client) = client.upgrade() else {
            return;
        };
        if !client.access.sentinel.known.is_empty() {
            if let Some(leader) = client.told().await {
                client.believe(leader);
            }
            continue;
        }
        let line = client.leader();
        let line = match line.view().await {
            Ok(view) => owner(&view, slot),
            Err(_) => continue,
        };
        if let Some(addr) = line {
            client.believe(client.access.map.reach(&addr));
        }
    }
}

fn owner(view: &View, slot: Slot) -> Option<NodeAddr> {
    let owns = |peer: &&crate::model::Peer| peer.flags.master && peer.slots.contains(slot);
    view.peers.iter().find(owns)?.announced.endpoint()
}
