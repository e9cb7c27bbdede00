//! What is to be made: a cluster's nodes as containers, before any of them exists.
//!
//! Both makers read it: the engine (`docker`) and the compose file (`compose`), and the names and
//! labels that they give are decided here, so that either finds what the other made. It never holds
//! the password: that goes from the caller into a file of the container and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// A cluster to be made of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    /// Its name, which is the compose project's as well.
    pub name: String,
    /// The image, such as `redis:7-alpine`.
    pub image: String,
    /// The nodes, in the order in which they are shown.
    pub nodes: Vec<NodeSpec>,
    /// The address of the engine's machine on which the ports are published.
    pub bind: IpAddr,
    /// What the nodes announce to clients (`cluster-announce-hostname`); `None` announces nothing,
    /// for servers before 7.0, which know no such setting.
    pub announce_host: Option<String>,
    /// `cluster-node-timeout`.
    pub node_timeout_ms: u64,
    /// Whether the append-only file is on.
    pub is_aof: bool,
    /// Whether the nodes speak TLS and nothing else.
    pub is_tls: bool,
    /// Whom the health check of a container logs in as; `None` is the default user.
    pub health_user: Option<String>,
    /// Further lines of the node's configuration, as name and value.
    pub settings: Vec<(String, String)>,
}

/// A node to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name in the cluster, such as `redis-1`; the compose service is called so.
    pub name: String,
    /// The port on which it listens, inside the container and outside.
    pub port: u16,
    /// The zone that it counts to.
    pub zone: Option<String>,
}

/// Why no containers can be made of a description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Docker and compose would not take the name.
    #[error(
        "'{0}' cannot name a cluster in Docker (lower-case letters, digits, '-' and '_', a letter or digit first, at most 40)"
    )]
    BadName(String),
    /// No node at all.
    #[error("a cluster needs at least one node")]
    NoNodes,
    /// Two nodes with one name or port.
    #[error("two nodes share the {what} {value}")]
    Twice {
        /// `name` or `port`.
        what: &'static str,
        /// The name or port.
        value: String,
    },
    /// The cluster bus would be beyond the last port.
    #[error(
        "port {0} leaves no room for the cluster bus, which is 10000 above it (take ports up to 55535)"
    )]
    NoBusPort(u16),
    /// A setting that would break out of its line, or that is ours to set.
    #[error("setting '{0}' cannot be given here: {1}")]
    BadSetting(String, &'static str),
}

/// Who made a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy {
    /// `goodcache create --docker`.
    Create,
    /// `docker compose up`, from a file that goodcache wrote.
    Compose,
}

/// The names of the labels by which goodcache knows its own.
#[derive(Debug)]
pub struct Labels;

impl Labels {
    /// The cluster's name; on containers, volumes and the network.
    pub const CLUSTER: &'static str = "io.goodcache.cluster";
    /// The node's name; on its container and volume.
    pub const NODE: &'static str = "io.goodcache.node";
    /// The node's port; on its container.
    pub const PORT: &'static str = "io.goodcache.port";
    /// The node's zone; on its container.
    pub const ZONE: &'static str = "io.goodcache.zone";
    /// The id of a container; on the network that it has for itself while a drill keeps its peers away.
    pub const DRILL: &'static str = "io.goodcache.drill";
    /// `create` or `compose`.
    pub const MADE_BY: &'static str = "io.goodcache.made-by";
}

impl MadeBy {
    /// As it stands in the label.
    pub fn as_str(self) -> &'static str {
        match self {
            MadeBy::Create => "create",
            MadeBy::Compose => "compose",
        }
    }
}

impl ClusterSpec {
    /// A cluster of as many nodes as asked, `redis-1` on the base port and so on upwards, published
    /// on loopback, with the defaults of the deployment guide.
    pub fn new(name: &str, image: &str, nodes: u16, base_port: u16) -> ClusterSpec {
        let node = |i: u16| NodeSpec {
            name: format!("redis-{}", i + 1),
            port: base_port.saturating_add(i),
            zone: None,
        };
        ClusterSpec {
            name: name.to_owned(),
            image: image.to_owned(),
            nodes: (0..nodes).map(node).collect(),
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            announce_host: Some("127.0.0.1".to_owned()),
            node_timeout_ms: 5000,
            is_aof: true,
            is_tls: false,
            health_user: None,
            settings: Vec::new(),
        }
    }

    /// Whether containers can be made of it.
    pub fn validate(&self) -> Result<(), SpecError> {
        if !is_project_name(&self.name) {
            return Err(SpecError::BadName(self.name.clone()));
        }
        if self.nodes.is_empty() {
            return Err(SpecError::NoNodes);
        }
        let (mut names, mut ports) = (BTreeSet::new(), BTreeSet::new());
        for node in &self.nodes {
            if !is_project_name(&node.name) {
                return Err(SpecError::BadName(node.name.clone()));
            }
            if !names.insert(&node.name) {
                return Err(twice("name", &node.name));
            }
            if !ports.insert(node.port) {
                return Err(twice("port", node.port));
            }
            if node.port == 0 || node.port > 55_535 {
                return Err(SpecError::NoBusPort(node.port));
            }
        }
        self.settings
            .iter()
            .try_for_each(|(name, value)| check_setting(name, value))
    }

    /// The container of a node.
    pub fn container_name(&self, node: &NodeSpec) -> String {
        format!("{}-{}", self.name, node.name)
    }

    /// The volume of a node, as compose would call it.
    pub fn volume_name(&self, node: &NodeSpec) -> String {
        format!("{}_{}", self.name, node.name)
    }

    /// The network, as compose would call it.
    pub fn network_name(&self) -> String {
        format!("{}_default", self.name)
    }

    /// Our own labels of a node's container.
    pub fn node_labels(&self, node: &NodeSpec, made_by: MadeBy) -> BTreeMap<String, String> {
        let mut labels = self.shared_labels(made_by);
        labels.insert(Labels::NODE.to_owned(), node.name.clone());
        labels.insert(Labels::PORT.to_owned(), node.port.to_string());
        if let Some(zone) = &node.zone {
            labels.insert(Labels::ZONE.to_owned(), zone.clone());
        }
        labels
    }

    /// Our own labels of what belongs to the whole cluster.
    pub fn shared_labels(&self, made_by: MadeBy) -> BTreeMap<String, String> {
        BTreeMap::from([
            (Labels::CLUSTER.to_owned(), self.name.clone()),
            (Labels::MADE_BY.to_owned(), made_by.as_str().to_owned()),
        ])
    }
}

fn twice(what: &'static str, value: impl ToString) -> SpecError {
    let value = value.to_string();
    SpecError::Twice { what, value }
}

/// The rule of compose, which is narrower than Docker's own for containers and volumes.
fn is_project_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= 40
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().all(|b| is_plain(b) || b == b'-' || b == b'_')
}

/// Settings that the description itself decides.
const OURS: &[&str] = &[
    "port",
    "cluster-enabled",
    "requirepass",
    "masterauth",
    "masteruser",
    "aclfile",
    "dir",
    "daemonize",
];

fn check_setting(name: &str, value: &str) -> Result<(), SpecError> {
    let bad = |why| Err(SpecError::BadSetting(name.to_owned(), why));
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || !name.chars().all(is_word) {
        return bad("a setting's name is letters, digits and '-'");
    }
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return bad("goodcache sets it itself");
    }
    if value.chars().any(char::is_control) {
        return bad("its value holds a line break or control character");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_count_up_from_the_base_port() {
        let spec = ClusterSpec::new("goodbooks", "redis:7", 3, 7001);
        assert_eq!(spec.validate(), Ok(()));
        assert_eq!(spec.container_name(&spec.nodes[2]), "goodbooks-redis-3");
        assert_eq!(spec.nodes[2].port, 7003);
    }

    #[test]
    fn what_docker_would_refuse_is_refused_first() {
        let good = || ClusterSpec::new("shop", "redis:7", 2, 7001);
        let with = |change: fn(&mut ClusterSpec)| {
            let mut spec = good();
            change(&mut spec);
            spec.validate().unwrap_err().to_string()
        };
        for (error, part) in [
            (with(|s| s.name = "Good Books".into()), "cannot name"),
            (with(|s| s.name = "-x".into()), "cannot name"),
            (with(|s| s.name = String::new()), "cannot name"),
            (with(|s| s.nodes.clear()), "at least one"),
            (with(|s| s.nodes[1].port = 7001), "share the port 7001"),
            (
                with(|s| s.nodes[1].name = "redis-1".into()),
                "share the name",
            ),
            (with(|s| s.nodes[1].port = 60_000), "no room"),
            (
                with(|s| s.settings.push(("save".into(), "1\nrename".into()))),
                "line break",
            ),
            (
                with(|s| s.settings.push(("Port".into(), "1".into()))),
                "itself",
            ),
            (
                with(|s| s.settings.push(("a b".into(), "1".into()))),
                "letters",
            ),
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
