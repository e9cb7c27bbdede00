//! The machines of nodes, as far as they can be seen from here: read, never changed.
//!
//! A node whose address is this machine's and whose process is found under `/proc` is read there; any
//! other may be a container of the Docker Engine. Everything else is out of sight, and the reason says
//! what to do about it. What tuning cannot see, it must not guess: each fact stands alone, and one
//! that cannot be read is `None`.
//!
//! | file | what |
//! |---|---|
//! | `process` | which process of this machine a node is, and all that is read of it |
//! | `cgroup` | memory limits, CPU quotas and throttling, in both versions of control groups |
//! | `texts` | what single files under `/proc` and `/sys` say |
//! | `../docker/seen` | containers |

mod cgroup;
mod process;
mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use super::docker::{self, Engine};
use super::drill::NodeAtHost;
use super::here::is_here;
use crate::model::{HostSeen, NodeAddr};

pub(in crate::host) use process::{Tree, of_container};

/// Nodes that are looked at in the same moment.
const AT_ONCE: usize = 32;

/// What can be seen of each node's machine; else why not, in words that name the next step. Takes no
/// longer than `patience`: what an engine has not told by then stays unseen.
pub async fn see(
    nodes: &[NodeAtHost],
    patience: Duration,
) -> BTreeMap<NodeAddr, Result<HostSeen, String>> {
    let until = Instant::now() + patience;
    let looks = stream::iter(nodes).map(|node| async move {
        let seen = timeout_at(until, as_process(node, patience)).await;
        let seen = seen.unwrap_or_else(|_| Err("this machine did not answer in time".to_owned()));
        (node, seen)
    });
    let looked: Vec<_> = looks.buffer_unordered(AT_ONCE).collect().await;
    let mut seen = BTreeMap::new();
    let mut left = Vec::new();
    for (node, outcome) in looked {
        match outcome {
            Ok(host) => {
                seen.insert(node.addr.clone(), Ok(host));
            }
            Err(why) => left.push((node, why)),
        }
    }
    seen.extend(as_containers(&left, until).await);
    seen
}

/// As a process of this machine.
async fn as_process(node: &NodeAtHost, patience: Duration) -> Result<HostSeen, String> {
    if !is_here(&node.addr, patience).await {
        return Err("it is on another machine".to_owned());
    }
    let pid = node.info.number("process_id");
    let ports = ports(node);
    let dir = node.settings.get("dir").map(PathBuf::from);
    let called = node.info.get("executable").map(PathBuf::from);
    // A file system that hangs must not hold up the others.
    let look = spawn_blocking(move || {
        process::of_node(
            &Tree::root(),
            pid,
            &ports,
            dir.as_deref(),
            called.as_deref(),
        )
    });
    look.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// The ports on which the server itself may listen: the one that is dialled may be forwarded to it.
fn ports(node: &NodeAtHost) -> Vec<u16> {
    let setting = |name: &str| node.settings.get(name)?.parse().ok();
    let told = ["port", "tls-port"].into_iter().filter_map(setting);
    told.chain([node.addr.port])
        .filter(|&port| port > 0)
        .collect()
}

/// A node that is no process of this machine, and why not.
type Left<'a> = (&'a NodeAtHost, String);

async fn as_containers(
    left: &[Left<'_>],
    until: Instant,
) -> Vec<(NodeAddr, Result<HostSeen, String>)> {
    if left.is_empty() {
        return Vec::new();
    }
    let reached = async {
        let engine = Engine::connect().await?;
        let all = docker::containers(&engine).await?;
        let machine = docker::machine(&engine).await?;
        Ok::<_, docker::DockerError>((engine, all, machine))
    };
    let engine = match timeout_at(until, reached).await {
        Ok(Ok(engine)) => Ok(engine),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the Docker Engine gave no answer in time".to_owned()),
    };
    let looks = stream::iter(left).map(|(node, why)| {
        let engine = engine.as_ref();
        async move {
            let seen = match engine {
                Ok((engine, all, machine)) => {
                    let look = docker::see(engine, all, machine, node);
                    timeout_at(until, look)
                        .await
                        .unwrap_or_else(|_| Err("the Docker Engine gave no answer in time".into()))
                }
                Err(why) => Err(why.clone()),
            };
            (
                node.addr.clone(),
                seen.map_err(|docker| unseen(why, &docker)),
            )
        }
    });
    looks.buffer_unordered(AT_ONCE).collect().await
}

fn unseen(why: &str, docker: &str) -> String {
    format!("{why}, and in no container that is seen ({docker}); run goodcache where the node runs")
}
