//! What create made earlier: found again by its labels, started again, and taken away, with
//! nothing else ever touched.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};
use bollard::query_parameters::{
    ListContainersOptionsBuilder, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions,
};
use futures_util::future::{join_all, try_join_all};

use super::{DockerError, Engine, labelled, launch, network};
use crate::host::spec::{Labels, MadeBy};
use crate::model::NodeAddr;

/// All that carries a cluster's label.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Its nodes, running or not, by port.
    pub nodes: Vec<FoundNode>,
    /// Its volumes.
    pub volumes: Vec<String>,
    /// Its networks.
    pub networks: Vec<String>,
    network_ids: Vec<String>,
    is_made_by_compose: bool,
}

/// A node's container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundNode {
    /// The node's name in the cluster.
    pub name: String,
    /// Its container.
    pub container: String,
    /// The image that it was made of.
    pub image: String,
    /// Its port, inside and outside.
    pub port: u16,
    /// Its address on the cluster's network, when it has one.
    pub ip: Option<IpAddr>,
    /// Where this program reaches it; `None` while it does not run.
    pub addr: Option<NodeAddr>,
    /// Its zone.
    pub zone: Option<String>,
    /// Whether it runs (a paused one does).
    pub is_running: bool,
    /// Whether it was made and never started.
    pub is_new: bool,
    /// The engine's words: `Up 3 minutes (healthy)`.
    pub status: String,
}

/// What was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers.
    pub containers: Vec<String>,
    /// Volumes.
    pub volumes: Vec<String>,
    /// Networks.
    pub networks: Vec<String>,
}

impl Found {
    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.volumes.is_empty() && self.networks.is_empty()
    }

    /// Whether `docker compose up` made it from a file that goodcache wrote.
    pub fn is_made_by_compose(&self) -> bool {
        self.is_made_by_compose
    }
}

/// What there is of a cluster, stopped containers included. Empty when there is nothing.
pub async fn find(engine: &Engine, cluster: &str) -> Result<Found, DockerError> {
    let labels = labelled(Labels::CLUSTER, cluster);
    let options = ListContainersOptionsBuilder::new()
        .all(true)
        .filters(&labels)
        .build();
    let asked = engine.docker.list_containers(Some(options));
    let containers = engine.ask("list containers", asked).await?;
    let volumes = volumes(engine, &labels).await?;
    let networks = network::list(engine, &labels).await?;
    let compose = MadeBy::Compose.as_str();
    let is_made_by_compose = containers
        .iter()
        .any(|container| label(container, Labels::MADE_BY) == Some(compose));
    let mut nodes: Vec<FoundNode> = containers
        .into_iter()
        .filter_map(|container| node_of(engine, container))
        .collect();
    nodes.sort_by_key(|node| node.port);
    Ok(Found {
        nodes,
        volumes,
        networks: networks.iter().filter_map(|n| n.name.clone()).collect(),
        network_ids: networks.into_iter().filter_map(|n| n.id).collect(),
        is_made_by_compose,
    })
}

async fn volumes(
    engine: &Engine,
    labels: &HashMap<String, Vec<String>>,
) -> Result<Vec<String>, DockerError> {
    let options = ListVolumesOptionsBuilder::new().filters(labels).build();
    let asked = engine.docker.list_volumes(Some(options));
    let listed = engine.ask("list volumes", asked).await?.volumes;
    let names = listed
        .unwrap_or_default()
        .into_iter()
        .map(|volume| volume.name);
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

/// A container's name without the slash that the engine puts before it.
pub(super) fn name_of(container: &ContainerSummary) -> String {
    let names = container.names.as_deref().unwrap_or_default();
    names.first().map_or_else(
        || container.id.clone().unwrap_or_default(),
        |name| name.trim_start_matches('/').to_owned(),
    )
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

fn node_of(engine: &Engine, container: ContainerSummary) -> Option<FoundNode> {
    let name = label(&container, Labels::NODE)?.to_owned();
    let port: u16 = label(&container, Labels::PORT)?.parse().ok()?;
    let zone = label(&container, Labels::ZONE).map(str::to_owned);
    let state = container.state;
    Some(FoundNode {
        name,
        port,
        zone,
        container: name_of(&container),
        ip: ip_of(&container),
        addr: published(engine, &container, port),
        is_running: matches!(
            state,
            Some(ContainerSummaryStateEnum::RUNNING | ContainerSummaryStateEnum::PAUSED)
        ),
        is_new: state == Some(ContainerSummaryStateEnum::CREATED),
        image: container.image.unwrap_or_default(),
        status: container.status.unwrap_or_default(),
    })
}

/// The address in use, or else the one that it will have.
fn ip_of(container: &ContainerSummary) -> Option<IpAddr> {
    let networks = container.network_settings.as_ref()?.networks.as_ref()?;
    networks.values().find_map(|endpoint| {
        let wanted = || endpoint.ipam_config.as_ref()?.ipv4_address.clone();
        let in_use = endpoint.ip_address.clone().filter(|ip| !ip.is_empty());
        in_use.or_else(wanted)?.parse().ok()
    })
}

fn published(engine: &Engine, container: &ContainerSummary, port: u16) -> Option<NodeAddr> {
    let ports = container.ports.as_deref().unwrap_or_default();
    let outside = ports.iter().find(|p| p.private_port == port)?;
    let bind = outside.ip.as_deref()?.parse().ok()?;
    let host = launch::reachable_host(engine, bind);
    Some(NodeAddr::new(host, outside.public_port?))
}

/// Starts what is stopped of a cluster; gives the containers that it started.
pub async fn start_stopped(engine: &Engine, cluster: &str) -> Result<Vec<String>, DockerError> {
    let found = find(engine, cluster).await?;
    let stopped = found.nodes.into_iter().filter(|node| !node.is_running);
    let start = |node: FoundNode| async move {
        launch::start(engine, &node.container, node.port).await?;
        Ok(node.container)
    };
    try_join_all(stopped.map(start)).await
}

/// Takes away the containers, volumes and networks that create made for a cluster, data included.
/// Asked for again, it takes away what is left. Refuses a cluster that compose started.
pub async fn remove(engine: &Engine, cluster: &str) -> Result<Removed, DockerError> {
    let found = find(engine, cluster).await?;
    if found.is_made_by_compose {
        return Err(DockerError::MadeByCompose(cluster.to_owned()));
    }
    let containers: Vec<String> = found.nodes.into_iter().map(|node| node.container).collect();
    all(containers.iter().map(|name| remove_container(engine, name))).await?;
    all(found.volumes.iter().map(|name| async move {
        let asked = engine
            .docker
            .remove_volume(name, None::<RemoveVolumeOptions>);
        gone(engine.ask(format!("remove volume {name}"), asked).await)
    }))
    .await?;
    all(found
        .network_ids
        .iter()
        .map(|id| network::remove(engine, id)))
    .await?;
    Ok(Removed {
        containers,
        volumes: found.volumes,
        networks: found.networks,
    })
}

async fn remove_container(engine: &Engine, name: &str) -> Result<(), DockerError> {
    let options = RemoveContainerOptionsBuilder::new()
        .force(true)
        .v(true)
        .build();
    let asked = engine.docker.remove_container(name, Some(options));
    gone(engine.ask(format!("remove container {name}"), asked).await)
}

/// What is gone already is gone.
fn gone(outcome: Result<(), DockerError>) -> Result<(), DockerError> {
    match outcome {
        Err(error) if error.is_not_found() => Ok(()),
        other => other,
    }
}

/// Tries every one before it fails with the first that failed.
async fn all(
    removals: impl Iterator<Item = impl Future<Output = Result<(), DockerError>>>,
) -> Result<(), DockerError> {
    join_all(removals).await.into_iter().collect()
}
