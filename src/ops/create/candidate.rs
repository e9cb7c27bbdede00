//! A candidate: a server that is to become a node, with all that was seen of it before anything is
//! changed. The prober fills it in; preflight and plan read it and need no socket.

use std::net::IpAddr;

use crate::model::{Answer, Facts, NodeAddr, NodeId, Peer, Silence, Site, SlotSet};

/// A server that is to become a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// As the user gave it, or as the host floor made it.
    pub addr: NodeAddr,
    /// What its name resolves to here; empty when it does not.
    pub resolved: Vec<IpAddr>,
    /// Where it stands.
    pub site: Site,
    /// What came back. Read are: `view`, `cluster`, `info` (server, persistence, cluster,
    /// keyspace), `config` and `answers_without_password`.
    pub answer: Answer,
    /// How many libraries FUNCTION LIST names; `None` when it was not read (servers before 7.0).
    pub functions: Option<usize>,
    /// Whether it could log in to the others as their replica.
    pub replica_login: ReplicaLogin,
    /// The doors that were dialled. One that was not (behind Docker, say) is left out.
    pub dialled: Vec<Dialling>,
    /// Where its peers must meet it, when that is neither what it announces nor what its name
    /// resolves to here (containers).
    pub meet_at: Option<Meeting>,
}

/// Whether a node's own `masteruser` and `masterauth` open the other nodes' doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaLogin {
    /// They did, or equal what we logged in with, or nobody wants a password.
    Works,
    /// `masterauth` is empty, and another node wants a password.
    Missing,
    /// Another node refused them.
    Refused {
        /// Which.
        by: NodeAddr,
        /// In the server's words.
        detail: String,
    },
    /// It could not be tried, and why (CONFIG forbidden, say).
    NotTried(String),
}

/// A port that others must be able to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// The cluster bus, at the address given and the port the server listens on.
    Bus,
    /// The announced IP and client port.
    AnnouncedClient,
    /// The announced IP and bus port.
    AnnouncedBus,
}

/// One attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialling {
    /// Which door.
    pub door: Door,
    /// Where.
    pub at: NodeAddr,
    /// What went wrong; `None` when a connection stood.
    pub error: Option<String>,
}

/// Where CLUSTER MEET finds a node: always a literal IP.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Meeting {
    /// Its IP, as its peers reach it.
    pub ip: String,
    /// Its client port.
    pub port: u16,
    /// Its bus port.
    pub bus_port: u16,
}

impl Candidate {
    /// Its facts, when it answered.
    pub fn facts(&self) -> Option<&Facts> {
        match &self.answer {
            Answer::Facts(facts) => Some(facts),
            Answer::Silent { .. } => None,
        }
    }

    /// How it was silent, and in whose words, when it was.
    pub fn silence(&self) -> Option<(Silence, &str)> {
        match &self.answer {
            Answer::Facts(_) => None,
            Answer::Silent {
                silence, detail, ..
            } => Some((*silence, detail)),
        }
    }

    /// Its word of itself.
    pub fn myself(&self) -> Option<&Peer> {
        self.facts()?.view.myself()
    }

    /// Its id.
    pub fn id(&self) -> Option<&NodeId> {
        self.myself().map(|myself| &myself.id)
    }

    /// The slots that it says it owns.
    pub fn slots(&self) -> SlotSet {
        self.myself()
            .map(|myself| myself.slots.clone())
            .unwrap_or_default()
    }

    /// Of a replica: its master.
    pub fn master(&self) -> Option<&NodeId> {
        let myself = self.myself()?;
        myself.master.as_ref().filter(|_| myself.flags.replica)
    }

    /// Those it knows besides itself; handshakes come and go and do not count.
    pub fn known(&self) -> impl Iterator<Item = &Peer> {
        self.facts()
            .into_iter()
            .flat_map(|facts| &facts.view.peers)
            .filter(|peer| !peer.flags.myself && !peer.flags.handshake)
    }

    /// Whether it knows that node.
    pub fn knows(&self, id: &NodeId) -> bool {
        self.known().any(|peer| &peer.id == id)
    }

    /// Keys over all databases.
    pub fn keys(&self) -> u64 {
        self.facts().map_or(0, |facts| facts.info.keys())
    }

    /// Where its peers meet it: what the caller knows better, else what it announces, else what
    /// its name resolves to; `None` when all three are silent.
    pub fn meeting(&self) -> Option<Meeting> {
        if let Some(meeting) = &self.meet_at {
            return Some(meeting.clone());
        }
        let announced = self.myself().map(|myself| &myself.announced)?;
        let ip = match announced.ip.as_str() {
            "" => self.resolved.first()?.to_string(),
            ip => ip.to_owned(),
        };
        let port = match announced.port {
            0 => self.addr.port,
            port => port,
        };
        let bus_port = match announced.bus_port {
            0 => port.checked_add(10_000)?,
            bus_port => bus_port,
        };
        Some(Meeting { ip, port, bus_port })
    }
}
