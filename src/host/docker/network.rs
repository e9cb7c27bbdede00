//! The cluster's own network, on which each node has the same address for ever.
//!
//! Fixed addresses, since nodes that all come back with other ones (a reboot is enough) may stay
//! without an address for each other for good, with `cluster_state:ok` everywhere. An engine gives
//! fixed addresses only on a network whose subnet was named, so it is first asked which it would
//! take, by making a network and looking.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptionsBuilder;

use super::{DockerError, Engine};
use crate::host::spec::{ClusterSpec, Labels, MadeBy};

/// How often another network may snatch the subnet away between asking and taking.
const ATTEMPTS: usize = 3;

/// The addresses of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subnet {
    id: String,
    name: String,
    text: String,
    base: u32,
    size: u32,
}

impl Subnet {
    fn parse(id: &str, network: &str, text: &str) -> Option<Subnet> {
        let (address, prefix) = text.split_once('/')?;
        let prefix: u32 = prefix.parse().ok().filter(|bits| (8..=30).contains(bits))?;
        let size = 1u32 << (32 - prefix);
        Some(Subnet {
            id: id.to_owned(),
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
    if let Some(known) = known(engine, spec, &name, None).await? {
        return inspect(engine, &name, &known)
            .await?
            .ok_or(DockerError::NameTaken {
                kind: "network",
                name,
            });
    }
    let mut attempt = 1;
    loop {
        let subnet = free_subnet(engine, spec).await?;
        match create(engine, spec, &name, Some(&subnet.text)).await {
            Ok(id) => return Ok(Subnet { id, name, ..subnet }),
            Err(error) if attempt == ATTEMPTS => return Err(error),
            Err(_) => attempt += 1,
        }
    }
}

/// Removes other networks of the same name, which hinder every start: the engine may still have been
/// making one for a run that was cut off when this one looked.
pub(super) async fn remove_twins(
    engine: &Engine,
    spec: &ClusterSpec,
    subnet: &Subnet,
) -> Result<(), DockerError> {
    known(engine, spec, &subnet.name, Some(&subnet.id))
        .await
        .map(|_| ())
}

/// The cluster's network of that name, by its id. Engines before 23 allow several networks of one
/// name: but for the preferred one, or else the first, the empty ones are removed.
async fn known(
    engine: &Engine,
    spec: &ClusterSpec,
    name: &str,
    preferred: Option<&str>,
) -> Result<Option<String>, DockerError> {
    let filters = HashMap::from([("name".to_owned(), vec![name.to_owned()])]);
    let named = list(engine, &filters).await?;
    let named: Vec<Network> = named
        .into_iter()
        .filter(|network| network.name.as_deref() == Some(name))
        .collect();
    let is_ours = |network: &Network| {
        let labels = network.labels.as_ref();
        labels.and_then(|labels| labels.get(Labels::CLUSTER)) == Some(&spec.name)
    };
    if !named.iter().all(is_ours) {
        return Err(DockerError::NameTaken {
            kind: "network",
            name: name.to_owned(),
        });
    }
    let mut ids: Vec<String> = named.into_iter().filter_map(|network| network.id).collect();
    ids.sort_by_key(|id| Some(id.as_str()) != preferred);
    let mut ids = ids.into_iter();
    let mut kept = ids.next();
    for twin in ids {
        if remove(engine, &twin).await.is_err() {
            // It is the one in use, so the one kept so far is not.
            if let Some(unused) = kept.replace(twin) {
                remove(engine, &unused).await?;
            }
        }
    }
    Ok(kept)
}

/// The networks that pass a filter.
pub(super) async fn list(
    engine: &Engine,
    filters: &HashMap<String, Vec<String>>,
) -> Result<Vec<Network>, DockerError> {
    let options = ListNetworksOptionsBuilder::new().filters(filters).build();
    let asked = engine.docker.list_networks(Some(options));
    engine.ask("list networks", asked).await
}

/// Removes a network by its id; one that is gone already is gone.
pub(super) async fn remove(engine: &Engine, id: &str) -> Result<(), DockerError> {
    let asked = engine.docker.remove_network(id);
    match engine.ask(format!("remove network {id}"), asked).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// The subnet of a network.
async fn inspect(engine: &Engine, name: &str, id: &str) -> Result<Option<Subnet>, DockerError> {
    let asked = engine.docker.inspect_network(id, None);
    let network = engine.ask(format!("look at network {name}"), asked).await?;
    let configs = network.ipam.and_then(|ipam| ipam.config);
    Ok(configs
        .unwrap_or_default()
        .iter()
        .filter_map(|config| config.subnet.as_deref())
        .find_map(|text| Subnet::parse(id, name, text)))
}

/// A subnet that the engine would take by itself: it knows the machine's routes.
async fn free_subnet(engine: &Engine, spec: &ClusterSpec) -> Result<Subnet, DockerError> {
    let name = format!("{}-probe", spec.network_name());
    if let Some(left) = known(engine, spec, &name, None).await? {
        remove(engine, &left).await?;
    }
    let probe = create(engine, spec, &name, None).await?;
    let seen = inspect(engine, &name, &probe).await;
    remove(engine, &probe).await?;
    seen?.ok_or_else(|| DockerError::Broken {
        what: format!("find a subnet for {}", spec.network_name()),
        why: "the engine made a network without an IPv4 subnet".to_owned(),
    })
}

/// Makes a network; gives its id.
async fn create(
    engine: &Engine,
    spec: &ClusterSpec,
    name: &str,
    subnet: Option<&str>,
) -> Result<String, DockerError> {
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
    // Compose keeps networks by this label, so one that a killed run left must not pass for ours.
    let key = if subnet.is_some() { "default" } else { "probe" };
    labels.insert("com.docker.compose.network".into(), key.into());
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
        .map(|made| made.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_follow_the_gateway() {
        let subnet = Subnet::parse("id", "shop_default", "172.18.0.0/16").unwrap();
        assert_eq!(subnet.address(0), Some(Ipv4Addr::new(172, 18, 0, 2)));
        assert_eq!(subnet.address(299), Some(Ipv4Addr::new(172, 18, 1, 45)));
    }

    #[test]
    fn a_small_subnet_is_full_before_its_broadcast_address() {
        let subnet = Subnet::parse("id", "shop_default", "10.9.8.16/29").unwrap();
        assert_eq!(subnet.address(4), Some(Ipv4Addr::new(10, 9, 8, 22)));
        assert_eq!(subnet.address(5), None);
        let error = subnet.addresses(6).unwrap_err().to_string();
        assert!(error.contains("no room for 6 nodes"), "{error}");
    }

    #[test]
    fn what_is_no_subnet() {
        for text in ["", "10.0.0.0", "fd00::/64", "10.0.0.0/31", "10.0.0.0/x"] {
            assert_eq!(Subnet::parse("id", "n", text), None, "{text}");
        }
    }
}
