//! How an address inside Docker is reached from outside: the table that a client on this machine
//! needs for any cluster in containers, whoever made it.

use std::net::IpAddr;

use bollard::models::{ContainerSummary, PortSummaryTypeEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::found::name_of;
use super::{DockerError, Engine, launch};
use crate::model::NodeAddr;

/// An address that a node in a container may announce, and where it is reached from here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapped {
    /// A container's IP, name or compose service, and the port inside.
    pub announced: NodeAddr,
    /// The published port.
    pub reachable: NodeAddr,
    /// The container.
    pub container: String,
}

/// Every published TCP port of every running container, by each address that stands for it inside.
/// Empty where nothing is published. Two projects may both have a service of the same name: such a
/// name stands for neither, and is left out.
pub async fn node_map(engine: &Engine) -> Result<Vec<Mapped>, DockerError> {
    let options = ListContainersOptionsBuilder::new().build();
    let asked = engine.docker.list_containers(Some(options));
    let containers = engine.ask("list containers", asked).await?;
    let reach = |bind| launch::reachable_host(engine, bind);
    let mut map: Vec<Mapped> = containers
        .iter()
        .flat_map(|container| entries(container, reach))
        .collect();
    map.sort();
    map.dedup_by(|a, b| a.announced == b.announced && a.container == b.container);
    Ok(unambiguous(map))
}

fn entries(container: &ContainerSummary, reach: impl Fn(IpAddr) -> String) -> Vec<Mapped> {
    let name = name_of(container);
    let mut entries = Vec::new();
    for port in container.ports.iter().flatten() {
        let outside = port.ip.as_deref().and_then(|ip| ip.parse().ok());
        let (Some(bind), Some(public), Some(PortSummaryTypeEnum::TCP)) =
            (outside, port.public_port, port.typ)
        else {
            continue;
        };
        for host in hosts(container) {
            entries.push(Mapped {
                announced: NodeAddr::new(host, port.private_port),
                reachable: NodeAddr::new(reach(bind), public),
                container: name.clone(),
            });
        }
    }
    entries
}

/// By what a container is known to its neighbours.
fn hosts(container: &ContainerSummary) -> Vec<String> {
    let networks = container
        .network_settings
        .as_ref()
        .and_then(|settings| settings.networks.as_ref());
    let mut hosts = vec![name_of(container)];
    let labels = container.labels.as_ref();
    hosts.extend(labels.and_then(|l| l.get("com.docker.compose.service").cloned()));
    for endpoint in networks.into_iter().flat_map(|networks| networks.values()) {
        let ips = [&endpoint.ip_address, &endpoint.global_ipv6_address];
        hosts.extend(
            ips.into_iter()
                .flatten()
                .filter(|ip| !ip.is_empty())
                .cloned(),
        );
    }
    hosts
}

/// Without the addresses that stand for ports of more than one container.
fn unambiguous(map: Vec<Mapped>) -> Vec<Mapped> {
    let is_single = |entry: &&Mapped| {
        map.iter()
            .filter(|other| other.announced == entry.announced)
            .count()
            == 1
    };
    map.iter().filter(is_single).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::{ContainerSummaryNetworkSettings, EndpointSettings, PortSummary};
    use std::collections::HashMap;

    fn container(name: &str, ip: &str, service: &str, bind: &str) -> ContainerSummary {
        let endpoint = EndpointSettings {
            ip_address: Some(ip.into()),
            ..EndpointSettings::default()
        };
        ContainerSummary {
            names: Some(vec![format!("/{name}")]),
            labels: Some(HashMap::from([(
                "com.docker.compose.service".into(),
                service.into(),
            )])),
            ports: Some(vec![PortSummary {
                ip: Some(bind.into()),
                private_port: 6379,
                public_port: Some(27001),
                typ: Some(PortSummaryTypeEnum::TCP),
            }]),
            network_settings: Some(ContainerSummaryNetworkSettings {
                networks: Some(HashMap::from([("net".into(), endpoint)])),
            }),
            ..ContainerSummary::default()
        }
    }

    fn texts(containers: &[ContainerSummary]) -> Vec<String> {
        let map = containers
            .iter()
            .flat_map(|c| entries(c, |bind| bind.to_string()))
            .collect();
        unambiguous(map)
            .iter()
            .map(|m| format!("{} -> {}", m.announced, m.reachable))
            .collect()
    }

    #[test]
    fn ip_name_and_service_lead_to_the_published_port() {
        assert_eq!(
            texts(&[container(
                "shop-redis-1",
                "172.18.0.2",
                "redis-1",
                "127.0.0.1"
            )]),
            [
                "shop-redis-1:6379 -> 127.0.0.1:27001",
                "redis-1:6379 -> 127.0.0.1:27001",
                "172.18.0.2:6379 -> 127.0.0.1:27001",
            ]
        );
    }

    #[test]
    fn a_service_of_two_projects_stands_for_neither() {
        let both = [
            container("a-redis-1", "172.18.0.2", "redis-1", "127.0.0.1"),
            container("b-redis-1", "172.19.0.2", "redis-1", "127.0.0.1"),
        ];
        assert!(!texts(&both).iter().any(|line| line.starts_with("redis-1:")));
    }

    #[test]
    fn what_is_not_published_is_not_there() {
        let mut hidden = container("x", "172.18.0.2", "x", "127.0.0.1");
        hidden.ports.as_mut().unwrap()[0].public_port = None;
        assert!(texts(&[hidden]).is_empty());
    }
}
