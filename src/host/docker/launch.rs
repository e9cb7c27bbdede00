//! How nodes come to run: everything that may be in the way is asked first, then the network, the
//! containers, and last a PING that each node answers.
//!
//! What is there already is kept, so a launch that was killed at any step is finished by the next
//! one. Joining the nodes is not done here.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use tokio::time::{Instant, sleep, timeout};

use super::found::{Found, FoundNode, find};
use super::image::{self, Image};
use super::network::Subnet;
use super::{DockerError, Engine, TakenPort, answer, container, network, ports};
use crate::host::node_conf::Contents;
use crate::host::spec::{ClusterSpec, Labels, NodeSpec};
use crate::model::{Event, Events, NodeAddr};

/// How long a started server may take to answer its first PING.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long the engine may take to finish what a launch that was cut off had asked for.
const SETTLING: Duration = Duration::from_secs(15);
/// How often it is asked.
const PAUSE: Duration = Duration::from_millis(50);
/// How much of a log goes into an error.
const LOG_LINES: usize = 8;

/// A node that runs and answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningNode {
    /// Its name in the cluster.
    pub name: String,
    /// Its container.
    pub container: String,
    /// Its address on the cluster's network: what the others must MEET.
    pub ip: IpAddr,
    /// Its port, inside and outside.
    pub port: u16,
    /// Where this program reaches it: the published port.
    pub addr: NodeAddr,
    /// Its zone.
    pub zone: Option<String>,
}

/// Has every node of the description run and answer. The password goes into a file of each
/// container that is new; those that are there keep theirs.
///
/// Fails with nothing made when the description, the engine, the image, a name or a port is in the
/// way. What a later failure leaves behind is labelled, and [`super::remove`] takes it away.
pub async fn launch(
    engine: &Engine,
    spec: &ClusterSpec,
    password: Option<&str>,
    events: &Events,
) -> Result<Vec<RunningNode>, DockerError> {
    let contents = Contents {
        password,
        ..Contents::default()
    };
    launch_with(engine, spec, &contents, events).await
}

/// The same, with all that may be put into a container.
pub async fn launch_with(
    engine: &Engine,
    spec: &ClusterSpec,
    contents: &Contents<'_>,
    events: &Events,
) -> Result<Vec<RunningNode>, DockerError> {
    spec.validate()?;
    if engine.remote_host().is_some() && spec.bind.is_loopback() {
        return Err(DockerError::Remote {
            at: engine.describe(),
        });
    }
    check_volumes(engine, spec).await?;
    let found = find_at_rest(engine, spec).await?;
    let image = image::ensure(engine, &spec.image, events).await?;

    events.begin(format!("starting {} containers", spec.nodes.len()));
    let subnet = network::ensure(engine, spec).await?;
    let addresses = subnet.addresses(spec.nodes.len())?;
    let made = spec.nodes.iter().zip(addresses).map(|(node, ip)| {
        let site = Site {
            engine,
            spec,
            node,
            subnet: &subnet,
        };
        site.bring_up(known(&found, node), &image, ip, contents)
    });
    let raised = try_join_all(made).await?;
    await_answers(engine, &raised, spec.is_tls, events).await?;
    events.done(format!("{} containers run and answer", raised.len()));
    Ok(raised.into_iter().map(|raised| raised.node).collect())
}

/// What is there under the name, with every port free that is yet to be published. A launch that was
/// cut off leaves the engine starting our own containers: for a moment their ports are taken while
/// they are not listed as running, and that is waited for.
async fn find_at_rest(engine: &Engine, spec: &ClusterSpec) -> Result<Found, DockerError> {
    let begun = Instant::now();
    loop {
        let found = find(engine, &spec.name).await?;
        check_same(spec, &found)?;
        let idle: Vec<u16> = spec
            .nodes
            .iter()
            .filter(|node| !known(&found, node).is_some_and(|node| node.is_running))
            .map(|node| node.port)
            .collect();
        match ports::check_free(engine, spec.bind, &idle).await {
            Ok(()) => return Ok(found),
            Err(DockerError::PortsTaken(taken))
                if begun.elapsed() < SETTLING && taken.iter().all(|port| is_ours(&found, port)) =>
            {
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether the port is that of a container of ours, and nobody else is known to hold it.
fn is_ours(found: &Found, taken: &TakenPort) -> bool {
    found.nodes.iter().any(|node| {
        let own = format!("container {}", node.container);
        node.port == taken.port && taken.by.as_ref().is_none_or(|by| *by == own)
    })
}

/// A node whose container runs.
struct Raised {
    node: RunningNode,
    /// Whether this launch started it.
    is_started_now: bool,
}

fn known<'a>(found: &'a Found, node: &NodeSpec) -> Option<&'a FoundNode> {
    found.nodes.iter().find(|there| there.name == node.name)
}

/// What is there under the name must be a part of what is described.
fn check_same(spec: &ClusterSpec, found: &Found) -> Result<(), DockerError> {
    if found.is_made_by_compose() {
        return Err(DockerError::MadeByCompose(spec.name.clone()));
    }
    let difference = found.nodes.iter().find_map(|there| {
        let Some(node) = spec.nodes.iter().find(|node| node.name == there.name) else {
            return Some(format!("it has a node {} as well", there.name));
        };
        if node.port != there.port {
            return Some(format!(
                "its node {} is on port {}, not {}",
                node.name, there.port, node.port
            ));
        }
        (there.image != spec.image).then(|| {
            format!(
                "its node {} runs image {}, not {}",
                node.name, there.image, spec.image
            )
        })
    });
    match difference {
        Some(difference) => Err(DockerError::Different {
            name: spec.name.clone(),
            difference,
        }),
        None => Ok(()),
    }
}

/// The engine would silently mount any volume that has the name.
async fn check_volumes(engine: &Engine, spec: &ClusterSpec) -> Result<(), DockerError> {
    let check = |node| async move {
        let name = spec.volume_name(node);
        let asked = engine.docker.inspect_volume(&name);
        match engine.ask(format!("look at volume {name}"), asked).await {
            Ok(volume) if volume.labels.get(Labels::CLUSTER) == Some(&spec.name) => Ok(()),
            Ok(_) => Err(DockerError::NameTaken {
                kind: "volume",
                name,
            }),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    };
    try_join_all(spec.nodes.iter().map(check)).await.map(|_| ())
}

/// One node's place in the making.
#[derive(Clone, Copy)]
struct Site<'a> {
    engine: &'a Engine,
    spec: &'a ClusterSpec,
    node: &'a NodeSpec,
    subnet: &'a Subnet,
}

impl Site<'_> {
    async fn start(self) -> Result<(), DockerError> {
        let name = self.spec.container_name(self.node);
        match start(self.engine, &name, self.node.port).await {
            Err(DockerError::Refused { message, .. }) if message.contains("is ambiguous") => {
                network::remove_twins(self.engine, self.spec, self.subnet).await?;
                start(self.engine, &name, self.node.port).await
            }
            other => other,
        }
    }

    async fn bring_up(
        self,
        there: Option<&FoundNode>,
        image: &Image,
        ip: Ipv4Addr,
        contents: &Contents<'_>,
    ) -> Result<Raised, DockerError> {
        let Site {
            engine, spec, node, ..
        } = self;
        // One that was made and never started comes from a run that was cut off: it may lack its
        // files or be meant for another network, and holds nothing yet.
        let there = there.filter(|there| !there.is_new);
        if there.is_none() {
            container::create(engine, spec, node, image, ip).await?;
            container::furnish(engine, spec, node, image, contents).await?;
        }
        let is_started_now = !there.is_some_and(|there| there.is_running);
        if is_started_now {
            self.start().await?;
        }
        let node = RunningNode {
            name: node.name.clone(),
            container: spec.container_name(node),
            ip: there.and_then(|there| there.ip).unwrap_or(ip.into()),
            port: node.port,
            addr: NodeAddr::new(reachable_host(engine, spec.bind), node.port),
            zone: node.zone.clone(),
        };
        Ok(Raised {
            node,
            is_started_now,
        })
    }
}

/// Starts a container; a port that somebody took since it was looked at is said to be taken.
pub(super) async fn start(engine: &Engine, name: &str, port: u16) -> Result<(), DockerError> {
    let asked = engine.docker.start_container(name, None);
    match engine.ask(format!("start container {name}"), asked).await {
        Err(DockerError::Refused { message, .. }) if is_about_a_port(&message) => {
            Err(DockerError::PortsTaken(vec![TakenPort { port, by: None }]))
        }
        other => other,
    }
}

fn is_about_a_port(message: &str) -> bool {
    message.contains("port is already allocated") || message.contains("address already in use")
}

/// Where this program finds a port that is published on that address of the engine's machine.
pub(super) fn reachable_host(engine: &Engine, bind: IpAddr) -> String {
    match (engine.remote_host(), bind) {
        (Some(host), bind) if bind.is_unspecified() => host,
        (None, IpAddr::V4(bind)) if bind.is_unspecified() => "127.0.0.1".to_owned(),
        (None, IpAddr::V6(bind)) if bind.is_unspecified() => "::1".to_owned(),
        (_, bind) => bind.to_string(),
    }
}

async fn await_answers(
    engine: &Engine,
    raised: &[Raised],
    is_tls: bool,
    events: &Events,
) -> Result<(), DockerError> {
    let (all, answered) = (raised.len() as u64, AtomicU64::new(0));
    let waits = raised.iter().map(|raised| async {
        await_answer(engine, raised, is_tls).await?;
        let count = answered.fetch_add(1, Ordering::Relaxed) + 1;
        events.tell(Event::Progress(count, all));
        Ok(())
    });
    join_all(waits).await.into_iter().collect()
}

/// A published port accepts connections before the server does, so only a reply counts; any reply.
async fn await_answer(engine: &Engine, raised: &Raised, is_tls: bool) -> Result<(), DockerError> {
    let node = &raised.node;
    let deadline = Instant::now() + START_PATIENCE;
    let mut restarts = None;
    while Instant::now() < deadline {
        let reply = timeout(Duration::from_secs(1), answer::replies(&node.addr, is_tls)).await;
        if reply.unwrap_or(false) {
            return Ok(());
        }
        let seen = check_alive(engine, raised, restarts).await?;
        restarts = restarts.or(Some(seen));
        sleep(PAUSE).await;
    }
    Err(DockerError::Mute {
        container: node.container.clone(),
        addr: node.addr.to_string(),
        seconds: START_PATIENCE.as_secs(),
        log: log_of(engine, &node.container).await,
    })
}

/// How often the container was restarted so far. Fails when it ended, or was restarted since that
/// many restarts were seen: then it ends time and again.
async fn check_alive(
    engine: &Engine,
    raised: &Raised,
    restarts_before: Option<i64>,
) -> Result<i64, DockerError> {
    let container = &raised.node.container;
    let asked = engine.docker.inspect_container(container, None);
    let inspected = engine.ask(format!("look at {container}"), asked).await?;
    let state = inspected.state.unwrap_or_default();
    let restarts = inspected.restart_count.unwrap_or(0);
    let is_up = state.running == Some(true) && state.restarting != Some(true);
    if is_up && restarts_before.is_none_or(|before| restarts <= before) {
        return Ok(restarts);
    }
    // A new server that cannot live with its settings would be restarted for ever.
    if raised.is_started_now {
        let asked = engine.docker.stop_container(container, None);
        let _ = engine.ask(format!("stop {container}"), asked).await;
    }
    let mut exit_code = state.exit_code;
    if is_up {
        // One that was just started again has no code; its last one has, now that it was stopped.
        let asked = engine.docker.inspect_container(container, None);
        let again = engine.ask(format!("look at {container}"), asked).await;
        let state = again.ok().and_then(|inspected| inspected.state);
        exit_code = state.and_then(|state| state.exit_code).or(exit_code);
    }
    Err(DockerError::Died {
        container: container.clone(),
        exit_code: exit_code.unwrap_or(-1),
        log: log_of(engine, container).await,
    })
}

/// The log is an ornament of another error: when it cannot be read, that error goes without.
async fn log_of(engine: &Engine, container: &str) -> Vec<String> {
    let lines = engine.last_log_lines(container, LOG_LINES).await;
    let mut lines = lines.unwrap_or_default();
    lines.retain(|line| !line.is_empty());
    lines
}
