//! Cutting a container off: from everybody, or from its peers while clients still reach its
//! published port. And connecting it again, at the very address that it had.
//!
//! For the second, the container is first put on a bridge network of its own and then taken off the
//! others. The engine moves the published ports to what network remains (seen on 20.10: 0.2 s, after
//! which new connections are answered; those that were open end, as the proxies are made anew).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::models::{
    EndpointIpamConfig, EndpointSettings, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest,
};
use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::drill::ended;
use super::inspect::{Container, ContainerUndo, look};
use super::{DockerError, Engine, labelled, network};
use crate::host::drill::{History, HostError, Undone};
use crate::host::spec::Labels;

/// How many digits of its id a container has as an alias of its own, which the engine adds.
const SHORT_ID: usize = 12;
/// How long the engine may take to finish what a run that was cut off had asked for. Connecting and
/// disconnecting take 0.05 to 0.2 s on an engine with little else to do.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// A container's place on one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The network's id.
    pub network_id: String,
    /// Its name.
    pub network: String,
    /// The address there.
    pub ipv4: Option<String>,
    /// The IPv6 address there.
    pub ipv6: Option<String>,
    /// The names by which its neighbours know it.
    pub aliases: Vec<String>,
    /// Containers that it is linked to.
    pub links: Vec<String>,
    /// The hardware address, which engines before 25 do not take back.
    pub mac: Option<String>,
    /// What the network's driver was told.
    pub driver_options: BTreeMap<String, String>,
    /// Which network is the way out, from API 1.48 on.
    pub gateway_priority: Option<i64>,
}

impl Endpoint {
    /// Whether that is its address.
    pub(super) fn has(&self, ip: &str) -> bool {
        self.ipv4.as_deref() == Some(ip) || self.ipv6.as_deref() == Some(ip)
    }

    fn is_same_network(&self, other: &Endpoint) -> bool {
        self.network_id == other.network_id || self.network == other.network
    }

    /// What connecting it again takes.
    fn settings(&self, has_address: bool) -> EndpointSettings {
        let ipam = has_address.then(|| EndpointIpamConfig {
            ipv4_address: self.ipv4.clone(),
            ipv6_address: self.ipv6.clone(),
            ..EndpointIpamConfig::default()
        });
        let options = &self.driver_options;
        EndpointSettings {
            ipam_config: ipam,
            aliases: some(self.aliases.clone()),
            links: some(self.links.clone()),
            mac_address: self.mac.clone(),
            driver_opts: (!options.is_empty()).then(|| options.clone().into_iter().collect()),
            gw_priority: self.gateway_priority.filter(|&priority| priority != 0),
            ..EndpointSettings::default()
        }
    }
}

fn some(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

/// The networks of a container, by name.
pub(super) fn endpoints(
    container: &str,
    networks: HashMap<String, EndpointSettings>,
) -> Vec<Endpoint> {
    let text = |value: Option<String>| value.filter(|value| !value.is_empty());
    let own = &container[..container.len().min(SHORT_ID)];
    let mut endpoints: Vec<Endpoint> = networks
        .into_iter()
        .map(|(network, seen)| {
            let mut aliases = seen.aliases.unwrap_or_default();
            aliases.retain(|alias| alias != own);
            Endpoint {
                network_id: seen.network_id.unwrap_or_default(),
                network,
                ipv4: text(seen.ip_address),
                ipv6: text(seen.global_ipv6_address),
                aliases,
                links: seen.links.unwrap_or_default(),
                mac: text(seen.mac_address),
                driver_options: seen.driver_opts.unwrap_or_default().into_iter().collect(),
                gateway_priority: seen.gw_priority,
            }
        })
        .collect();
    endpoints.sort_by(|a, b| a.network.cmp(&b.network));
    endpoints
}

/// Takes it off all its networks.
pub(super) async fn isolate(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let present = look(engine, container).await?;
    take_off(engine, container, &present.endpoints).await
}

/// Takes it off all its networks but one that it has for itself.
pub(super) async fn isolate_from_peers(
    engine: &Engine,
    container: &Container,
) -> Result<(), HostError> {
    remove_own_networks(engine, container).await?;
    let present = look(engine, container).await?;
    let own = create_own_network(engine, container).await?;
    connect(engine, container, &own, EndpointSettings::default())
        .await
        .map_err(|error| container.error(error))?;
    take_off(engine, container, &present.endpoints).await?;
    if look(engine, container).await?.is_publishing {
        return Ok(());
    }
    Err(HostError::Docker(DockerError::Broken {
        what: format!("cut {container} off from its peers only"),
        why: "this engine does not keep its ports published on another network".to_owned(),
    }))
}

async fn take_off(
    engine: &Engine,
    container: &Container,
    endpoints: &[Endpoint],
) -> Result<(), HostError> {
    let each = endpoints
        .iter()
        .map(|endpoint| disconnect(engine, container, &endpoint.network_id, &endpoint.network));
    try_join_all(each).await.map(|_| ())
}

async fn disconnect(
    engine: &Engine,
    container: &Container,
    id: &str,
    name: &str,
) -> Result<(), HostError> {
    let request = NetworkDisconnectRequest {
        container: container.id.clone(),
        force: Some(false),
    };
    let asked = engine.docker.disconnect_network(id, request);
    let what = format!("take {container} off network {name}");
    engine
        .ask(what, asked)
        .await
        .map_err(|error| container.error(error))
}

async fn connect(
    engine: &Engine,
    container: &Container,
    network: &str,
    settings: EndpointSettings,
) -> Result<(), DockerError> {
    let request = NetworkConnectRequest {
        container: container.id.clone(),
        endpoint_config: Some(settings),
    };
    let asked = engine.docker.connect_network(network, request);
    let what = format!("connect {container} to network {network}");
    engine.ask(what, asked).await
}

/// The network that a container has for itself while its peers do not reach it.
async fn create_own_network(engine: &Engine, container: &Container) -> Result<String, HostError> {
    let name = format!("goodcache-drill-{}", container.name);
    let request = NetworkCreateRequest {
        name: name.clone(),
        driver: Some("bridge".to_owned()),
        labels: Some(HashMap::from([(
            Labels::DRILL.to_owned(),
            container.id.clone(),
        )])),
        ..NetworkCreateRequest::default()
    };
    let asked = engine.docker.create_network(request);
    let made = engine.ask(format!("create network {name}"), asked).await?;
    Ok(made.id)
}

/// Takes away the networks that were made for this container: those of a drill that was cut off may
/// be several.
async fn remove_own_networks(engine: &Engine, container: &Container) -> Result<(), HostError> {
    let own = network::list(engine, &labelled(Labels::DRILL, &container.id)).await?;
    let ids = own.into_iter().filter_map(|network| network.id);
    for id in ids {
        let present = look(engine, container).await?;
        if let Some(own) = present.endpoints.iter().find(|e| e.network_id == id) {
            disconnect(engine, container, &id, &own.network).await?;
        }
        network::remove(engine, &id).await?;
    }
    Ok(())
}

/// Connects it to the networks that it had and is off now, and takes away the one it had for itself.
pub(super) async fn reconnect(
    engine: &Engine,
    undo: &ContainerUndo,
    history: History,
) -> Result<Undone, HostError> {
    let container = &undo.container;
    let mut foreign = rejoin(engine, undo).await?;
    if history == History::Unknown {
        // What a run asked for that was cut off may still be on its way to the engine.
        sleep(ON_ITS_WAY).await;
        rejoin(engine, undo).await?;
    }
    let after = look(engine, container).await?;
    foreign.extend(moved(container, &undo.endpoints, &after.endpoints));
    if !after.is_running {
        foreign.push(ended(container, &after));
    }
    match foreign.is_empty() {
        true => Ok(Undone::default()),
        false => Ok(Undone::found(history, foreign.join("; "))),
    }
}

/// Gives the networks that it was on already.
async fn rejoin(engine: &Engine, undo: &ContainerUndo) -> Result<Vec<String>, HostError> {
    let container = &undo.container;
    let present = look(engine, container).await?;
    let mut already = Vec::new();
    for endpoint in &undo.endpoints {
        let is_it = |there: &Endpoint| there.is_same_network(endpoint);
        if present.endpoints.iter().any(is_it) {
            already.push(format!(
                "{container} had been connected to network {} again already",
                endpoint.network
            ));
        } else {
            join_again(engine, container, endpoint).await?;
        }
    }
    remove_own_networks(engine, container).await?;
    Ok(already)
}

/// At the address that it had; where the network gives fixed addresses to nobody, or another has it
/// by now, at any. The network may have been made anew under its name.
async fn join_again(
    engine: &Engine,
    container: &Container,
    endpoint: &Endpoint,
) -> Result<(), HostError> {
    let mut network = &endpoint.network_id;
    let mut joined = connect(engine, container, network, endpoint.settings(true)).await;
    if matches!(&joined, Err(error) if error.is_not_found()) {
        network = &endpoint.network;
        joined = connect(engine, container, network, endpoint.settings(true)).await;
    }
    if matches!(&joined, Err(error) if is_about_the_address(error)) {
        joined = connect(engine, container, network, endpoint.settings(false)).await;
    }
    match joined {
        Err(error) if is_joined_already(&error) => Ok(()),
        other => other.map_err(|error| container.error(error)),
    }
}

fn is_about_the_address(error: &DockerError) -> bool {
    refusal(error).is_some_and(|message| {
        message.contains("user specified IP address")
            || message.contains("user configured subnet")
            || message.contains("ddress already in use")
    })
}

fn is_joined_already(error: &DockerError) -> bool {
    refusal(error).is_some_and(|message| message.contains("already exists in network"))
}

fn refusal(error: &DockerError) -> Option<&str> {
    match error {
        DockerError::Refused { message, .. } => Some(message),
        _ => None,
    }
}

/// Each network on which it has another address than before.
fn moved(container: &Container, before: &[Endpoint], after: &[Endpoint]) -> Vec<String> {
    let change = |old: &Endpoint| {
        let new = after.iter().find(|new| new.is_same_network(old))?;
        let (was, is) = (old.ipv4.as_deref()?, new.ipv4.as_deref()?);
        (was != is).then(|| {
            format!(
                "{container} has the address {is} on network {} now, not {was}",
                old.network
            )
        })
    };
    before.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_it_had_is_made_fixed_and_its_names_are_kept() {
        let id = "0123456789abcdef";
        let seen = EndpointSettings {
            network_id: Some("n1".into()),
            ip_address: Some("172.18.0.2".into()),
            global_ipv6_address: Some(String::new()),
            aliases: Some(vec!["redis-1".into(), "0123456789ab".into()]),
            mac_address: Some("02:42:ac:12:00:02".into()),
            ..EndpointSettings::default()
        };
        let saved = endpoints(id, HashMap::from([("shop_default".to_owned(), seen)]));
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Endpoint>>(&text).unwrap(), saved);
        let settings = saved[0].settings(true);
        let ipam = settings.ipam_config.unwrap();
        assert_eq!(ipam.ipv4_address.as_deref(), Some("172.18.0.2"));
        assert_eq!(ipam.ipv6_address, None);
        assert_eq!(settings.aliases.unwrap(), ["redis-1"]);
        assert_eq!(settings.mac_address.as_deref(), Some("02:42:ac:12:00:02"));
        assert!(saved[0].settings(false).ipam_config.is_none());
    }
}
