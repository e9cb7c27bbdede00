//! Access: all that is needed to connect to any node of one cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use super::credentials::{Credentials, TlsSettings};
use super::map::NodeMap;
use super::tls::{Tls, TlsError};
use super::trust::Vouched;
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
    /// Send the login to whatever address a node announces.
    pub is_trusting: bool,
    /// The addresses that somebody named: seeds may be more of them later, as the nodes tell.
    pub(super) named: BTreeSet<NodeAddr>,
    pub(super) vouched: Vouched,
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
        let seeds: Vec<NodeAddr> = seeds.into_iter().collect();
        let access = Access {
            named: BTreeSet::new(),
            vouched: Vouched::default(),
            is_trusting: false,
            seeds,
            credentials: Credentials::default(),
            map: NodeMap::default(),
            deadline: Duration::from_secs(2),
            takes_every_form: false,
            sentinel: SentinelAccess::default(),
            tls: None,
        };
        let seeds = access.seeds.clone();
        access.naming(seeds)
    }

    /// The same, these addresses being named here as well.
    #[must_use]
    pub fn naming(mut self, addrs: impl IntoIterator<Item = NodeAddr>) -> Access {
        for addr in addrs {
            if let Ok(ip) = addr.host.parse() {
                self.vouched.add(ip);
            }
            self.named.insert(addr);
        }
        self
    }

    /// Whether the login may be sent over a connection to that address, which came about between
    /// these two.
    pub(super) fn trusts(&self, addr: &NodeAddr, peer: IpAddr, local: IpAddr) -> bool {
        let is_vouched = self.tls.as_ref().is_some_and(|tls| tls.is_verifying);
        if self.is_trusting || is_vouched || self.credentials.password.is_none() {
            return true;
        }
        // This machine, by whatever address.
        let peer = match peer == local {
            true => IpAddr::V4(Ipv4Addr::LOCALHOST),
            false => peer,
        };
        if self.named.contains(addr) {
            self.vouched.add(peer);
            return true;
        }
        self.map.leads_to(addr) || self.vouched.covers(peer)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn guarded(seed: &str) -> Access {
        let mut access = Access::to([NodeAddr::new(seed, 7001)]);
        access.credentials.password = Some(Secret::new("secret"));
        access
    }

    fn announced() -> NodeAddr {
        NodeAddr::new("elsewhere", 7002)
    }

    #[test]
    fn the_login_goes_into_the_networks_of_the_addresses_that_were_named_only() {
        let access = guarded("10.0.0.1");
        let own = ip("10.0.0.77");
        assert!(access.trusts(&announced(), ip("10.3.0.2"), own));
        assert!(!access.trusts(&announced(), ip("203.0.113.9"), own));
        assert!(!access.trusts(&announced(), ip("127.0.0.1"), ip("127.0.0.1")));
        assert!(
            !access.trusts(&announced(), own, own),
            "this machine was not named"
        );
        let trusting = Access {
            is_trusting: true,
            ..access.clone()
        };
        assert!(trusting.trusts(&announced(), ip("203.0.113.9"), own));
        let mut open = access;
        open.credentials.password = None;
        assert!(
            open.trusts(&announced(), ip("203.0.113.9"), own),
            "there is nothing to lose"
        );
    }

    #[test]
    fn where_a_named_host_leads_counts_as_named() {
        let access = guarded("redis.shop");
        let (seed, own) = (NodeAddr::new("redis.shop", 7001), ip("10.0.0.77"));
        assert!(!access.trusts(&announced(), ip("10.0.0.2"), own));
        assert!(access.trusts(&seed, ip("10.0.0.1"), own));
        assert!(access.clone().trusts(&announced(), ip("10.0.0.2"), own));
    }

    #[test]
    fn this_machine_is_named_by_any_of_its_addresses() {
        let access = guarded("127.0.0.1");
        let own = ip("192.168.0.7");
        assert!(access.trusts(&announced(), own, own));
        assert!(!access.trusts(&announced(), ip("192.168.0.8"), own));
    }

    #[test]
    fn what_the_node_map_names_is_named() {
        let mut access = guarded("127.0.0.1");
        let to = NodeAddr::new("203.0.113.9", 7002);
        assert!(!access.trusts(&to, ip("203.0.113.9"), ip("10.0.0.7")));
        access.map = NodeMap::new([(announced(), to.clone())]);
        assert!(access.trusts(&to, ip("203.0.113.9"), ip("10.0.0.7")));
    }
}
