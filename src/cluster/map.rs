//! The node map: announced address to reachable address, for clusters behind NAT or in Docker.

use std::collections::BTreeMap;

use crate::model::{Announced, NodeAddr};

/// Where to connect for what a node announces. Given by hand or found by asking Docker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeMap(BTreeMap<NodeAddr, NodeAddr>);

impl NodeMap {
    /// A map of those pairs, announced first.
    pub fn new(pairs: impl IntoIterator<Item = (NodeAddr, NodeAddr)>) -> NodeMap {
        NodeMap(pairs.into_iter().collect())
    }

    /// Whether it maps nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds pairs, those already there winning.
    pub fn extend(&mut self, pairs: impl IntoIterator<Item = (NodeAddr, NodeAddr)>) {
        for (announced, reachable) in pairs {
            self.0.entry(announced).or_insert(reachable);
        }
    }

    /// Where that address is reached.
    pub fn reach(&self, addr: &NodeAddr) -> NodeAddr {
        self.0.get(addr).unwrap_or(addr).clone()
    }

    /// Whether somebody is reached at that address by the map's word.
    pub fn leads_to(&self, reachable: &NodeAddr) -> bool {
        self.announced_as(reachable).is_some()
    }

    /// Whether the map speaks of that address.
    pub fn knows(&self, addr: &NodeAddr) -> bool {
        self.0.contains_key(addr)
    }

    /// Where a node is reached that announces itself so: by its hostname or its IP, whichever the
    /// map knows; as announced when it knows neither; `None` when the node has no address.
    pub fn locate(&self, announced: &Announced) -> Option<NodeAddr> {
        let endpoint = announced.endpoint();
        let by_ip = announced.ip_endpoint();
        let mapped = [&endpoint, &by_ip]
            .into_iter()
            .flatten()
            .find_map(|addr| self.0.get(addr).cloned());
        mapped.or(endpoint)
    }

    /// The other way round: what the node reached at that address announces.
    pub fn announced_as(&self, reachable: &NodeAddr) -> Option<&NodeAddr> {
        self.0
            .iter()
            .find(|(_, reached)| *reached == reachable)
            .map(|(announced, _)| announced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_found_by_hostname_or_ip_or_as_announced() {
        let addr = |text: &str| text.parse::<NodeAddr>().unwrap();
        let map = NodeMap::new([(addr("10.0.0.1:6379"), addr("127.0.0.1:7001"))]);
        let announced = |ip: &str, hostname: Option<&str>| Announced {
            ip: ip.into(),
            port: 6379,
            hostname: hostname.map(Into::into),
            ..Announced::default()
        };
        let at = |announced| map.locate(&announced).map(|addr| addr.to_string());
        assert_eq!(
            at(announced("10.0.0.1", Some("a"))).unwrap(),
            "127.0.0.1:7001"
        );
        assert_eq!(at(announced("10.0.0.2", Some("b"))).unwrap(), "b:6379");
        assert_eq!(at(announced("", None)), None);
    }
}
