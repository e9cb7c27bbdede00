//! Access: all that is needed to connect to any node of one cluster.

use std::sync::Arc;
use std::time::Duration;

use super::credentials::{Credentials, TlsSettings};
use super::map::NodeMap;
use super::tls::{Tls, TlsError};
use crate::model::NodeAddr;

/// Seeds, login, TLS, the node map and the deadline. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where to begin; any one that answers suffices.
    pub seeds: Vec<NodeAddr>,
    /// The login.
    pub credentials: Credentials,
    /// Announced addresses to reachable ones.
    pub map: NodeMap,
    /// The bound on every single wait for a node.
    pub deadline: Duration,
    /// Whether servers without cluster mode are taken as well, and Sentinels followed to what they
    /// watch. Without it they are silent rows, as befits what only a cluster can do.
    pub takes_every_form: bool,
    /// How Sentinels are asked.
    pub sentinel: SentinelAccess,
    pub(super) tls: Option<Arc<Tls>>,
}

/// How Sentinels are asked.
#[derive(Debug, Clone, Default)]
pub struct SentinelAccess {
    /// Their own login; without one the servers' is tried, then none.
    pub credentials: Option<Credentials>,
    /// Where they are asked, once that is known: for clients of theirs.
    pub known: Vec<NodeAddr>,
    /// The name of the master that is meant; the only one needs no name.
    pub master: Option<String>,
}

impl Access {
    /// Plain, without a login, 2 s deadline.
    pub fn to(seeds: impl IntoIterator<Item = NodeAddr>) -> Access {
        Access {
            seeds: seeds.into_iter().collect(),
            credentials: Credentials::default(),
            map: NodeMap::default(),
            deadline: Duration::from_secs(2),
            takes_every_form: false,
            sentinel: SentinelAccess::default(),
            tls: None,
        }
    }

    /// The same over TLS; reads the files that the settings name.
    pub fn over_tls(mut self, settings: &TlsSettings) -> Result<Access, TlsError> {
        self.tls = Some(Arc::new(Tls::load(settings)?));
        Ok(self)
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}
