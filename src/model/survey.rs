//! A survey: views, facts and the silent, at one moment. It serialises, so that a verdict can be
//! given without the cluster (`check --from`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::facts::{Dialled, Facts};
use super::form::{Form, Sentinels};
use super::node::{NodeAddr, NodeId};
use super::placement::Site;
use super::service::{Provider, Service, recognise};

/// What a whole cluster answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Survey {
    /// When the asking began, ms since the epoch by this machine's clock.
    pub taken_at_ms: u64,
    /// The version of goodcache that asked.
    pub goodcache: String,
    /// The name of the cluster in the settings, when it has one.
    pub name: Option<String>,
    /// In which form the servers stand together.
    #[serde(default, skip_serializing_if = "Form::is_cluster")]
    pub form: Form,
    /// The Sentinels, where one was given or led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentinels: Option<Sentinels>,
    /// The addresses that were given.
    pub seeds: Vec<NodeAddr>,
    /// The deadline of each call, ms.
    pub deadline_ms: u64,
    /// A row for every node that anybody named: the seeds, and all that any view knows. Sorted by
    /// address.
    pub nodes: Vec<NodeReport>,
    /// Announced endpoints that differ from the address a node was asked at, or all of them when
    /// no node map was in use; dialled as a client would.
    pub dialled: Vec<Dialled>,
    /// The managed service that it is rented from, and by what that is known; `None` for servers of
    /// one's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// By what the service is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_by: Option<String>,
}

/// One node: who it is, where it was asked, what it answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its id: its own word, or another's when it was silent; `None` for a silent seed that no view knows.
    pub id: Option<NodeId>,
    /// Where it was asked (after the node map).
    pub addr: NodeAddr,
    /// Where it stands: host and zone, for what-if questions.
    pub site: Site,
    /// What came back.
    pub answer: Answer,
}

/// What came back from a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It answered.
    Facts(Box<Facts>),
    /// It did not, or not usefully.
    Silent {
        /// In what way.
        silence: Silence,
        /// In words, with what the server or the system said.
        detail: String,
        /// After how long, ms.
        after_ms: u64,
    },
}

/// The ways of not answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// It took the connection and answered nothing within the deadline: hung or frozen.
    Timeout,
    /// No connection came about within the deadline: packets are dropped, or the host is gone.
    NoConnection,
    /// The connection was refused: nothing listens there.
    Refused,
    /// No route, or a name that does not resolve.
    Unreachable,
    /// The connection was closed on us.
    Closed,
    /// It wants a password and none was given.
    PasswordWanted,
    /// It does not take the password or user that was given.
    PasswordWrong,
    /// The user may not ask what must be asked.
    Forbidden,
    /// It is loading its data set.
    Loading,
    /// TLS failed, or is spoken on one side only.
    Tls,
    /// What answers is no Redis or Valkey server, or answers out of form.
    NotRedis,
    /// A server without cluster mode.
    NotCluster,
    /// A Sentinel, which holds no data.
    Sentinel,
    /// Its address is not known (`noaddr`), so it could not be asked.
    NoAddress,
    /// Only a node announced its address, and the password is not sent to just anybody.
    NotAsked,
}

impl Silence {
    /// What to try next.
    pub fn hint(self) -> &'static str {
        match self {
            Silence::Timeout => "see whether the process hangs; --deadline waits longer",
            Silence::NoConnection => {
                "see whether the host is up and a firewall drops packets; --deadline waits longer"
            }
            Silence::Refused => "start the server, or give the address that it listens on",
            Silence::Unreachable => "check the name, the route and the firewall",
            Silence::Closed => "a server that speaks TLS closes plain connections: try --tls",
            Silence::PasswordWanted => {
                "give the password by --password-file FILE or in REDIS_PASSWORD"
            }
            Silence::PasswordWrong => {
                "check --user and the password; every node must know the same"
            }
            Silence::Forbidden => "log in as a user with the right to it: --user NAME",
            Silence::Loading => "wait until it has loaded: goodcache check --wait healthy",
            Silence::Tls => {
                "check --cacert, --cert, --key and --sni, or leave TLS out for a plain server"
            }
            Silence::NotRedis => {
                "give the client port of a Redis or Valkey server (not the bus port)"
            }
            Silence::NotCluster => {
                "start the server with cluster-enabled yes; without it check, backup, restore and tune work"
            }
            Silence::Sentinel => {
                "give the address of a cluster node; a Sentinel leads check, backup, restore and tune to what it watches"
            }
            Silence::NotAsked => {
                "name its address here as well (--nodes, or as a further address), speak TLS, or say --trust-announced"
            }
            Silence::NoAddress => "let the node meet the cluster again: CLUSTER MEET",
        }
    }
}

impl NodeReport {
    /// Its facts, when it answered.
    pub fn facts(&self) -> Option<&Facts> {
        match &self.answer {
            Answer::Facts(facts) => Some(facts),
            Answer::Silent { .. } => None,
        }
    }

    /// How it was silent, when it was.
    pub fn silence(&self) -> Option<Silence> {
        match &self.answer {
            Answer::Facts(_) => None,
            Answer::Silent { silence, .. } => Some(*silence),
        }
    }
}

impl Survey {
    /// Whether these are servers without cluster mode of which no Sentinel was asked, so that nobody is
    /// known who would replace a master.
    pub fn is_unwatched(&self) -> bool {
        !self.form.is_cluster() && self.sentinels.is_none()
    }

    /// Notes which service this is, as the user says or as it shows.
    pub fn note_service(&mut self, provider: Provider) {
        let found = match provider {
            Provider::Auto => recognise(self).map(|found| (found.service, found.by)),
            Provider::None => None,
            Provider::Is(service) => Some((service, "--provider".to_owned())),
        };
        (self.service, self.service_by) = found.unzip();
    }

    /// The nodes that answered, with their facts.
    pub fn answered(&self) -> impl Iterator<Item = (&NodeReport, &Facts)> {
        self.nodes
            .iter()
            .filter_map(|node| node.facts().map(|facts| (node, facts)))
    }

    /// The row of that node.
    pub fn node(&self, id: &NodeId) -> Option<&NodeReport> {
        self.nodes.iter().find(|node| node.id.as_ref() == Some(id))
    }

    /// The facts of that node, when it answered.
    pub fn facts(&self, id: &NodeId) -> Option<&Facts> {
        self.node(id).and_then(NodeReport::facts)
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Silence::Timeout => "timeout",
            Silence::NoConnection => "no connection",
            Silence::Refused => "refused",
            Silence::Unreachable => "unreachable",
            Silence::Closed => "closed",
            Silence::PasswordWanted => "password wanted",
            Silence::PasswordWrong => "password wrong",
            Silence::Forbidden => "forbidden",
            Silence::Loading => "loading",
            Silence::Tls => "tls",
            Silence::NotRedis => "not redis",
            Silence::NotCluster => "not a cluster",
            Silence::Sentinel => "sentinel",
            Silence::NoAddress => "no address",
            Silence::NotAsked => "not asked",
        })
    }
}
