//! Which container holds a node: candidates by labels and addresses, and then proof, for which the
//! node's own cluster file is read out of the container.
//!
//! The file is read through the engine, so the image needs neither a shell nor redis-cli. What INFO
//! tells is no proof: inside, every pid is 1.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptionsBuilder, TopOptionsBuilder};

use super::container::read;
use super::found::name_of;
use super::inspect::Container;
use super::{DockerError, Engine, launch};
use crate::host::drill::{NodeAtHost, cluster_file, prove_by_file};
use crate::host::spec::Labels;
use crate::model::Info;

/// Where the images of Redis and Valkey keep their data.
const DEFAULT_DIR: &str = "/data";

/// What the clocks of a server and of the engine, which is on the same machine, may differ by.
const CLOCKS: Duration = Duration::from_secs(3);

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
        let proven = match node.info.mode() {
            Some("standalone") => prove_alone(engine, &container, candidate, node).await,
            _ => prove(engine, &container, node).await,
        };
        match proven {
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

/// The same without a cluster file: the container is what answers at the node's address, and the server
/// began in this run of it. The address proves much, for the engine alone gives it away; the times tell
/// when something else has it all the same.
async fn prove_alone(
    engine: &Engine,
    container: &Container,
    summary: &ContainerSummary,
    node: &NodeAtHost,
) -> Result<(), String> {
    let reach = |bind| launch::reachable_host(engine, bind);
    if !is_published(summary, node, reach) && !is_announced(summary, node) {
        return Err(format!("does not answer at {}", node.addr));
    }
    let asked = engine.docker.inspect_container(&container.id, None);
    let inspected = engine.ask(format!("look at {container}"), asked).await;
    let inspected = inspected.map_err(|error| error.to_string())?;
    let state = inspected.state.unwrap_or_default();
    let started = state.started_at.unwrap_or_default();
    match is_of_this_run(&started, &node.info) {
        Some(true) => Ok(()),
        Some(false) => Err(format!(
            "was started at {started}, after the server that answers at {}",
            node.addr
        )),
        None => Err("cannot be proven to hold it: its INFO tells no time".to_owned()),
    }
}

/// Whether a server can have begun in a container that was started then, in the engine's words; `None`
/// when one of the times is not told.
fn is_of_this_run(started: &str, info: &Info) -> Option<bool> {
    let started = humantime::parse_rfc3339_weak(started).ok()?;
    let now = Duration::from_micros(info.number("server_time_usec")?);
    let begun =
        UNIX_EPOCH + now.checked_sub(Duration::from_secs(info.number("uptime_in_seconds")?))?;
    // The uptime is told in whole seconds, of a clock that is read once a cycle.
    Some(begun + CLOCKS >= started)
}

/// How many servers run in the container, as far as its processes show: they call themselves
/// `redis-server *:7001 [cluster]`. Their children call themselves otherwise, but by the same address.
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

/// The addresses of the servers among these processes, Sentinels too.
fn addresses<'a>(commands: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let is_server = |command: &&str| {
        let program = command.split(' ').next().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        ["redis-", "valkey-"]
            .iter()
            .any(|start| name.starts_with(start))
            || command.contains("[cluster]")
            || command.contains("[sentinel]")
    };
    let has_port = |address: &&str| {
        let port = address
            .rsplit_once(':')
            .map(|(_, port)| port.parse::<u16>());
        port.is_some_and(|port| port.is_ok())
    };
    commands
        .filter(is_server)
        .filter_map(|command| command.split_ascii_whitespace().nth(1))
        .filter(has_port)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Announced, Role};

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
        let alone = "/usr/bin/redis-server *:6379";
        assert_eq!(count(&["redis-cli -h db:x ping", alone]), 1);
        assert_eq!(count(&[alone, "redis-sentinel *:26379 [sentinel]"]), 2);
    }

    #[test]
    fn a_server_is_not_older_than_its_container() {
        let started = "2026-11-28T16:00:00.123456789Z";
        let at = |uptime: u64| {
            // 2026-11-28T16:10:00Z
            let text = format!("server_time_usec:1795882200000000\nuptime_in_seconds:{uptime}\n");
            is_of_this_run(started, &Info::parse(&text))
        };
        assert_eq!(at(599), Some(true));
        assert_eq!(at(601), Some(true), "clocks differ a little");
        assert_eq!(at(660), Some(false));
        let mute = Info::parse("uptime_in_seconds:7\n");
        assert_eq!(is_of_this_run(started, &mute), None);
        assert_eq!(is_of_this_run("", &mute), None);
    }
}
