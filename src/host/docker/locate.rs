//! Which container holds a node: candidates by labels and addresses, and then proof, for which the
//! node's own cluster file is read out of the container.
//!
//! The file is read through the engine, so the image needs neither a shell nor redis-cli. What INFO
//! tells is no proof: inside, every pid is 1.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, TopOptionsBuilder};

use super::container::read;
use super::found::name_of;
use super::inspect::Container;
use super::{DockerError, Engine, launch};
use crate::host::drill::{NodeAtHost, cluster_file, prove_by_file};
use crate::host::spec::Labels;

/// Where the images of Redis and Valkey keep their data.
const DEFAULT_DIR: &str = "/data";

/// What the engine has for one node.
#[derive(Debug, Default)]
pub struct Located {
    /// The containers that proved to hold it.
    pub proven: Vec<Container>,
    /// Those that seemed to, and why they do not.
    pub refuted: Vec<String>,
}

/// Every container, running or not.
pub struct Containers(Vec<ContainerSummary>);

/// Lists them once for all nodes.
pub async fn containers(engine: &Engine) -> Result<Containers, DockerError> {
    let options = ListContainersOptionsBuilder::new().all(true).build();
    let asked = engine.docker.list_containers(Some(options));
    Ok(Containers(engine.ask("list containers", asked).await?))
}

/// The containers that hold the node.
pub async fn locate(engine: &Engine, all: &Containers, node: &NodeAtHost) -> Located {
    let mut located = Located::default();
    let reach = |bind| launch::reachable_host(engine, bind);
    for candidate in all.0.iter().filter(|c| is_candidate(c, node, reach)) {
        let container = Container {
            node: node.id.clone(),
            id: candidate.id.clone().unwrap_or_default(),
            name: name_of(candidate),
            announced_ip: node.announced.ip.clone(),
        };
        match prove(engine, &container, node).await {
            Ok(()) => located.proven.push(container),
            Err(why) => located.refuted.push(format!("{container} {why}")),
        }
    }
    located
}

/// Whether anything about it speaks for the node.
fn is_candidate(
    container: &ContainerSummary,
    node: &NodeAtHost,
    reach: impl Fn(IpAddr) -> String,
) -> bool {
    is_labelled(container, node)
        || is_published(container, node, reach)
        || is_announced(container, node)
        || is_on_the_host(container)
}

fn is_labelled(container: &ContainerSummary, node: &NodeAtHost) -> bool {
    let label = |name| {
        container
            .labels
            .as_ref()
            .and_then(|labels| labels.get(name))
    };
    let port = label(Labels::PORT).and_then(|port| port.parse::<u16>().ok());
    label(Labels::CLUSTER).is_some()
        && port.is_some_and(|port| port == node.addr.port || port == node.announced.port)
}

fn is_published(
    container: &ContainerSummary,
    node: &NodeAtHost,
    reach: impl Fn(IpAddr) -> String,
) -> bool {
    container.ports.iter().flatten().any(|port| {
        let bind = port.ip.as_deref().and_then(|ip| ip.parse::<IpAddr>().ok());
        let is_there = |bind: IpAddr| {
            let host = reach(bind);
            let are_loopback =
                node.addr.is_loopback() && host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
            // One that is published everywhere is reached at every address of its machine.
            host == node.addr.host || are_loopback || bind.is_unspecified()
        };
        port.public_port == Some(node.addr.port) && bind.is_some_and(is_there)
    })
}

fn is_announced(container: &ContainerSummary, node: &NodeAtHost) -> bool {
    let networks = container.network_settings.as_ref();
    let networks = networks.and_then(|settings| settings.networks.as_ref());
    networks
        .into_iter()
        .flat_map(|n| n.values())
        .any(|endpoint| {
            let fixed = endpoint.ipam_config.as_ref();
            let ips = [
                endpoint.ip_address.as_deref(),
                endpoint.global_ipv6_address.as_deref(),
                fixed.and_then(|ipam| ipam.ipv4_address.as_deref()),
            ];
            let is_it =
                |ip: &str| !ip.is_empty() && (ip == node.announced.ip || ip == node.addr.host);
            ips.into_iter().flatten().any(is_it)
        })
}

/// It has the machine's own addresses, so only its files tell.
fn is_on_the_host(container: &ContainerSummary) -> bool {
    let host = container.host_config.as_ref();
    host.and_then(|host| host.network_mode.as_deref()) == Some("host")
}

/// Reads the node's cluster file in the container; says why it is not the node's.
async fn prove(engine: &Engine, container: &Container, node: &NodeAtHost) -> Result<(), String> {
    let dir = node.settings.get("dir").map_or(DEFAULT_DIR, String::as_str);
    let path = Path::new(dir).join(cluster_file(&node.settings));
    let path = path.to_string_lossy();
    let text = read(engine, &container.id, &path)
        .await
        .map_err(|error| format!("does not let its {path} be read: {error}"))?;
    if text.is_empty() {
        return Err(format!("has no {path}"));
    }
    prove_by_file(&node.id, &text).map_err(|why| format!("has in {path} {why}"))
}

/// How many cluster nodes run in the container, as far as its processes show: servers call
/// themselves `redis-server *:7001 [cluster]`. Their children call themselves otherwise, but by the
/// same address.
pub async fn nodes_inside(engine: &Engine, container: &Container) -> Option<usize> {
    let options = TopOptionsBuilder::new().ps_args("-ef").build();
    let asked = engine.docker.top_processes(&container.id, Some(options));
    let what = format!("list the processes of {container}");
    // What cannot be listed, as in a container that does not run, says nothing against it.
    let listed = engine.ask(what, asked).await.ok()?;
    let titles = listed.titles?;
    let command = titles.iter().position(|title| title == "CMD")?;
    let rows = listed.processes?;
    let commands = rows.iter().filter_map(|row| row.get(command));
    Some(addresses(commands.map(String::as_str)).len())
}

/// The addresses of the cluster nodes among these processes.
fn addresses<'a>(commands: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let nodes = commands.filter(|command| command.contains("[cluster]"));
    nodes
        .filter_map(|command| command.split_ascii_whitespace().nth(1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Announced, Info, Role};

    fn node() -> NodeAtHost {
        NodeAtHost {
            id: "a".repeat(40).parse().unwrap(),
            addr: "127.0.0.1:27001".parse().unwrap(),
            announced: Announced {
                ip: "172.18.0.2".into(),
                port: 7001,
                ..Announced::default()
            },
            role: Role::Master,
            shard: 1,
            cluster: "shop".into(),
            info: Info::default(),
            settings: Default::default(),
        }
    }

    #[test]
    fn what_speaks_for_a_container() {
        for (text, wanted) in [
            (
                r#"{"Labels":{"io.goodcache.cluster":"x","io.goodcache.port":"7001"}}"#,
                true,
            ),
            (
                r#"{"Labels":{"io.goodcache.cluster":"x","io.goodcache.port":"7002"}}"#,
                false,
            ),
            (
                r#"{"Ports":[{"IP":"127.0.0.1","PublicPort":27001,"PrivatePort":6379,"Type":"tcp"}]}"#,
                true,
            ),
            (
                r#"{"Ports":[{"IP":"0.0.0.0","PublicPort":27001,"PrivatePort":6379,"Type":"tcp"}]}"#,
                true,
            ),
            (
                r#"{"Ports":[{"IP":"127.0.0.1","PublicPort":27002,"PrivatePort":6379,"Type":"tcp"}]}"#,
                false,
            ),
            (r#"{"Ports":[{"PrivatePort":27001,"Type":"tcp"}]}"#, false),
            (
                r#"{"NetworkSettings":{"Networks":{"n":{"IPAddress":"172.18.0.2"}}}}"#,
                true,
            ),
            (
                r#"{"NetworkSettings":{"Networks":{"n":{"IPAddress":"172.18.0.3"}}}}"#,
                false,
            ),
            (
                r#"{"NetworkSettings":{"Networks":{"n":{"IPAddress":"","IPAMConfig":{"IPv4Address":"172.18.0.2"}}}}}"#,
                true,
            ),
            (r#"{"HostConfig":{"NetworkMode":"host"}}"#, true),
            (r"{}", false),
        ] {
            let container: ContainerSummary = serde_json::from_str(text).unwrap();
            let reach = |bind: IpAddr| bind.to_string();
            assert_eq!(is_candidate(&container, &node(), reach), wanted, "{text}");
        }
    }

    #[test]
    fn a_child_that_saves_is_no_second_node() {
        let (first, second) = (
            "redis-server *:7001 [cluster]",
            "redis-server *:7002 [cluster]",
        );
        let child = "redis-rdb-bgsave *:7001 [cluster]";
        let count = |commands: &[&'static str]| addresses(commands.iter().copied()).len();
        assert_eq!(count(&["sh -c redis-server", first, child]), 1);
        assert_eq!(count(&[first, second]), 2);
    }
}
