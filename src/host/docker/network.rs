//! The cluster's own network, on which each node has the same address for ever.
//!
//! Fixed addresses, since nodes that all come back with other ones (a reboot is enough) may stay
//! without an address for each other for good, with `cluster_state:ok` everywhere. An engine gives
//! fixed addresses only on a network whose subnet was named, so it is first asked which it would
//! take, by making a network and looking.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect};

use super::{DockerError, Engine};
use crate::host::spec::{ClusterSpec, Labels, MadeBy};

/// How often another network may snatch the subnet away between asking and taking.
const ATTEMPTS: usize = 3;

/// The addresses of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subnet {
    name: String,
    text: String,
    base: u32,
    size: u32,
}

impl Subnet {
    fn parse(network: &str, text: &str) -> Option<Subnet> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u32 = prefix.parse().ok().filter(|bits| (8..=30).contains(bits))?;
        let size = 1u32 << (32 - prefix);
        Some(Subnet {
            name: network.to_owned(),
            text: text.to_owned(),
            base: u32::from(address.parse::<Ipv4Addr>().ok()?) & !(size - 1),
            size,
        })
    }

    /// The address of the node with that index. The first address is the gateway's.
    pub fn address(&self, index: usize) -> Option<Ipv4Addr> {
        let offset = u32::try_from(index).ok()?.checked_add(2)?;
        (offset < self.size - 1).then(|| Ipv4Addr::from(self.base + offset))
    }

    /// The address of each node.
    pub fn addresses(&self, nodes: usize) -> Result<Vec<Ipv4Addr>, DockerError> {
        (0..nodes)
            .map(|index| self.address(index))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| DockerError::SmallNetwork {
                network: self.name.clone(),
                subnet: self.text.clone(),
                nodes,
            })
    }
}

/// The network of the cluster, made when it is not there.
pub(super) async fn ensure(engine: &Engine, spec: &ClusterSpec) -> Result<Subnet, DockerError> {
    let name = spec.network_name();
    if let Some(known) = inspect(engine, &name).await? {
        return of_ours(spec, &known).ok_or(DockerError::NameTaken {
            kind: "network",
            name,
        });
    }
    let mut attempt = 1;
    loop {
        let subnet = free_subnet(engine, spec).await?;
        match create(engine, spec, &name, Some(&subnet.text)).await {
            Ok(()) => return Ok(Subnet { name, ..subnet }),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

/// The network of that name as it is; `None` when there is none.
pub(super) async fn inspect(
    engine: &Engine,
    name: &str,
) -> Result<Option<NetworkInspect>, DockerError> {
    let asked = engine.docker.inspect_network(name, None);
    match engine.ask(format!("look at network {name}"), asked).await {
        Ok(network) => Ok(Some(network)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_ours(spec: &ClusterSpec, network: &NetworkInspect) -> Option<Subnet> {
    let labels = network.labels.as_ref()?;
    if labels.get(Labels::CLUSTER) != Some(&spec.name) {
        return None;
    }
    subnet_of(&spec.network_name(), network)
}

fn subnet_of(name: &str, network: &NetworkInspect) -> Option<Subnet> {
    let configs = network.ipam.as_ref()?.config.as_ref()?;
    configs
        .iter()
        .filter_map(|config| config.subnet.as_deref())
        .find_map(|text| Subnet::parse(name, text))
}

/// A subnet that the engine would take by itself: it knows the machine's routes.
async fn free_subnet(engine: &Engine, spec: &ClusterSpec) -> Result<Subnet, DockerError> {
    let probe = format!("{}-probe", spec.network_name());
    remove_if_there(engine, &probe).await?;
    create(engine, spec, &probe, None).await?;
    let seen = inspect(engine, &probe).await;
    remove_if_there(engine, &probe).await?;
    seen?
        .and_then(|network| subnet_of(&probe, &network))
        .ok_or_else(|| DockerError::Broken {
            what: format!("find a subnet for {}", spec.network_name()),
            why: "the engine made a network without an IPv4 subnet".to_owned(),
        })
}

async fn remove_if_there(engine: &Engine, name: &str) -> Result<(), DockerError> {
    let asked = engine.docker.remove_network(name);
    match engine.ask(format!("remove network {name}"), asked).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

async fn create(
    engine: &Engine,
    spec: &ClusterSpec,
    name: &str,
    subnet: Option<&str>,
) -> Result<(), DockerError> {
    let ipam = subnet.map(|subnet| Ipam {
        config: Some(vec![IpamConfig {
            subnet: Some(subnet.to_owned()),
            ..IpamConfig::default()
        }]),
        ..Ipam::default()
    });
    let mut labels: HashMap<String, String> =
        spec.shared_labels(MadeBy::Create).into_iter().collect();
    labels.insert("com.docker.compose.project".into(), spec.name.clone());
    labels.insert("com.docker.compose.network".into(), "default".into());
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        labels: Some(labels),
        ipam,
        ..NetworkCreateRequest::default()
    };
    let asked = engine.docker.create_network(request);
    engine
        .ask(format!("create network {name}"), asked)
        .await
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_follow_the_gateway() {
        let subnet = Subnet::parse("shop_default", "172.18.0.0/16").unwrap();
        assert_eq!(subnet.address(0), Some(Ipv4Addr::new(172, 18, 0, 2)));
        assert_eq!(subnet.address(299), Some(Ipv4Addr::new(172, 18, 1, 45)));
    }

    #[test]
    fn a_small_subnet_is_full_before_its_broadcast_address() {
        let subnet = Subnet::parse("shop_default", "10.9.8.16/29").unwrap();
        assert_eq!(subnet.address(4), Some(Ipv4Addr::new(10, 9, 8, 22)));
        assert_eq!(subnet.address(5), None);
        let error = subnet.addresses(6).unwrap_err().to_string();
        assert!(error.contains("no room for 6 nodes"), "{error}");
    }

    #[test]
    fn what_is_no_subnet() {
        for text in ["", "10.0.0.0", "fd00::/64", "10.0.0.0/31", "10.0.0.0/x"] {
            assert_eq!(Subnet::parse("n", text), None, "{text}");
        }
    }
}
