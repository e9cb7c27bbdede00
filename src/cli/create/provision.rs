//! Where the nodes come from: servers that run already, containers, or processes of this machine.
//! All three end as the same list of addresses.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::anyhow;

use super::Running;
use super::remember::{forget, is_remembered, remember};
use super::{tls, users};
use crate::cli::acl::CHECK_USER;
use crate::cli::exit::{Exit, Failure};
use crate::cli::profile::Shape;
use crate::cli::reach;
use crate::cli::settings::Source;
use crate::cluster::{Access, Secret};
use crate::host::ClusterSpec;
use crate::host::docker::{self, Contents, DockerError, Engine};
use crate::host::process::{self, LocalSpec, ProcessError};
use crate::model::{NodeAddr, Site};
use crate::ops::create::{self, Meeting, Options, Origin, Plan};

/// Masters when nobody says how many.
const MASTERS: u16 = 3;
/// Server programs that are looked for in PATH, in this order.
const SERVERS: [&str; 2] = ["redis-server", "valkey-server"];

/// How far nodes that are to be started are.
pub(super) struct Stand {
    /// Those that are there, running or not.
    pub(super) made: usize,
    /// Those that run.
    pub(super) up: usize,
    /// Those that are wanted.
    pub(super) of: usize,
}

/// The nodes to be had.
pub(super) enum Provision {
    /// They run already.
    Nodes(Vec<NodeAddr>),
    /// Containers.
    Docker(Box<ClusterSpec>),
    /// Processes.
    Local(Box<LocalSpec>),
}

impl Provision {
    /// What the settings ask for.
    pub(super) fn of(running: &Running<'_>) -> Result<Provision, Failure> {
        match running.source() {
            Source::Nodes => {
                running.settings.require_nodes()?;
                Ok(Provision::Nodes(running.settings.nodes.value.clone()))
            }
            Source::Docker => Ok(Provision::Docker(Box::new(docker_spec(running)))),
            Source::Local => Ok(Provision::Local(Box::new(local_spec(running)?))),
        }
    }

    /// Who will be what, of nodes that are yet to be started.
    pub(super) fn draft(&self, running: &Running<'_>) -> Result<Option<Plan>, Failure> {
        let Some(shape) = self.shape(running) else {
            return Ok(None);
        };
        if shape.masters < 3 && !running.create.allow_small.value {
            return Err(too_small(shape.masters));
        }
        let addrs: Vec<NodeAddr> = ports(&shape)
            .map(|port| NodeAddr::new(reached_at(shape.bind), port))
            .collect();
        let site = |addr: &NodeAddr| Site {
            host: addr.host.clone(),
            zone: running.settings.zones.value.get(addr).cloned(),
        };
        let sites: Vec<Site> = addrs.iter().map(site).collect();
        let options = Options {
            name: running.name().to_owned(),
            masters: shape.masters.into(),
            replicas: shape.replicas.into(),
            allow_small: running.create.allow_small.value,
            layout: None,
        };
        create::draft(&addrs, &sites, &options)
            .map(Some)
            .map_err(Failure::usage)
    }

    fn shape(&self, running: &Running<'_>) -> Option<Shape> {
        match self {
            Provision::Nodes(_) => None,
            Provision::Docker(_) | Provision::Local(_) => Some(shape(running)),
        }
    }

    /// How many of the nodes are there, and how many of these run.
    pub(super) async fn stand(&self, running: &Running<'_>) -> Result<Stand, Failure> {
        match self {
            Provision::Nodes(nodes) => Ok(Stand {
                made: nodes.len(),
                up: nodes.len(),
                of: nodes.len(),
            }),
            Provision::Docker(spec) => {
                let engine = Engine::connect().await.map_err(docker_failure)?;
                let found = docker::find(&engine, running.name())
                    .await
                    .map_err(docker_failure)?;
                Ok(Stand {
                    made: found.nodes.len(),
                    up: found.nodes.iter().filter(|node| node.is_running).count(),
                    of: spec.nodes.len(),
                })
            }
            Provision::Local(spec) => {
                let made = process::ports(&spec.folder);
                let is_made = |port: &&u16| made.contains(port);
                let is_up = |port: &&u16| process::running(&spec.folder, **port).is_some();
                Ok(Stand {
                    made: spec.ports.iter().filter(is_made).count(),
                    up: spec.ports.iter().filter(is_up).count(),
                    of: spec.ports.len(),
                })
            }
        }
    }

    /// What is asked before anything is started.
    pub(super) fn question(&self, running: &Running<'_>) -> String {
        match self {
            Provision::Nodes(nodes) => format!("join these {} servers?", nodes.len()),
            Provision::Docker(spec) => format!(
                "make {} containers of {} on {} {}?",
                spec.nodes.len(),
                spec.image,
                spec.bind,
                port_range(&shape(running))
            ),
            Provision::Local(spec) => format!(
                "start {} servers ({}) on 127.0.0.1 {}, with their data in {}?",
                spec.ports.len(),
                spec.server.display(),
                port_range(&shape(running)),
                spec.folder.display()
            ),
        }
    }

    /// How they will be reached. Containers always get a password: the given one, the one of an
    /// earlier run, or a new one.
    pub(super) fn access(&self, running: &Running<'_>) -> Result<Access, Failure> {
        tls::make(running)?;
        let mut access = reach::access(running.settings)?;
        if running.create.acl_users.value {
            users::make(running, &mut access)?;
            return Ok(access);
        }
        if matches!(self, Provision::Docker(_)) && access.credentials.password.is_none() {
            let made = Secret::generate().ok_or_else(|| {
                Failure::new(
                    Exit::Failed,
                    anyhow!("the system gave no randomness for a password"),
                )
                .next("give one with --password-file FILE")
            })?;
            access.credentials.password = Some(made);
        }
        Ok(access)
    }

    /// Starts what does not run, and tells where the nodes are.
    pub(super) async fn start(
        &self,
        running: &Running<'_>,
        access: &mut Access,
    ) -> Result<Vec<Origin>, Failure> {
        match self {
            Provision::Nodes(nodes) => Ok(nodes
                .iter()
                .map(|addr| origin(running, addr.clone()))
                .collect()),
            Provision::Docker(spec) => start_containers(running, spec, access).await,
            Provision::Local(spec) => start_processes(running, spec, access),
        }
    }
}

fn origin(running: &Running<'_>, addr: NodeAddr) -> Origin {
    Origin {
        zone: running.settings.zones.value.get(&addr).cloned(),
        ..Origin::at(addr)
    }
}

async fn start_containers(
    running: &Running<'_>,
    spec: &ClusterSpec,
    access: &Access,
) -> Result<Vec<Origin>, Failure> {
    let engine = Engine::connect().await.map_err(docker_failure)?;
    // Before the first container exists: whatever happens, destroy knows the name, and the password
    // is not lost.
    let is_new = !is_remembered(running);
    remember(running, access)?;
    let (users, authority) = (users::wanted(running)?, tls::authority(running));
    let contents = Contents {
        password: access.credentials.password.as_ref().map(Secret::expose),
        users: users.as_ref(),
        authority: authority.as_ref(),
    };
    let launched = docker::launch_with(&engine, spec, &contents, &running.screen.events()).await;
    if launched.is_err() && is_new {
        let left = docker::find(&engine, running.name()).await;
        if left.is_ok_and(|left| left.is_empty()) {
            forget(running);
        }
    }
    let nodes = launched.map_err(docker_failure)?;
    Ok(nodes
        .into_iter()
        .map(|node| Origin {
            host: Some(reached_at(spec.bind)),
            zone: node.zone.clone(),
            meet_at: Some(Meeting {
                ip: node.ip.to_string(),
                port: node.port,
                bus_port: node.port + 10_000,
            }),
            ..origin(running, node.addr)
        })
        .collect())
}

fn start_processes(
    running: &Running<'_>,
    spec: &LocalSpec,
    access: &Access,
) -> Result<Vec<Origin>, Failure> {
    let is_new = !is_remembered(running);
    remember(running, access)?;
    let spec = &LocalSpec {
        users: users::wanted(running)?,
        ..spec.clone()
    };
    let events = running.screen.events();
    events.begin(format!("starting {} servers", spec.ports.len()));
    let started = process::start(spec);
    if started.is_err() && is_new && process::ports(&spec.folder).is_empty() {
        forget(running);
    }
    let started = started.map_err(|error| {
        running.screen.clear();
        // What did not work is not to be taken over by the next try.
        if let (Some(profiles), Some(before)) = (&running.layers.profiles, &running.layers.profile)
        {
            let _ = profiles.save(before);
        }
        process_failure(&error)
    })?;
    let now = started
        .iter()
        .filter(|&&started| started == process::Started::Now)
        .count();
    match now {
        0 => events.done(format!(
            "all {} servers were running already",
            started.len()
        )),
        1 => events.done("1 server started"),
        now => events.done(format!("{now} servers started")),
    }
    Ok(spec
        .ports
        .iter()
        .map(|&port| origin(running, NodeAddr::new("127.0.0.1", port)))
        .collect())
}

/// Said before anything is started; servers that run already are judged by preflight.
fn too_small(masters: u16) -> Failure {
    let noun = if masters == 1 { "master" } else { "masters" };
    Failure::new(
        Exit::Refused,
        anyhow!(
            "refused: {masters} {noun} cannot elect a new one when one dies: three are the least; nothing was changed"
        ),
    )
    .next("give --masters 3 or more, or say --allow-small for a cluster to develop with")
}

pub(super) fn shape(running: &Running<'_>) -> Shape {
    Shape {
        masters: running.create.masters.value.unwrap_or(MASTERS),
        replicas: running.create.replicas.value,
        base_port: running.create.base_port.value,
        bind: running.create.bind.value,
        node_timeout_ms: u64::try_from(running.create.node_timeout.value.as_millis()).ok(),
    }
}

/// The ports of the nodes; settings have made sure that they exist.
pub(super) fn ports(shape: &Shape) -> impl Iterator<Item = u16> {
    let nodes = shape
        .masters
        .saturating_mul(shape.replicas.saturating_add(1));
    shape.base_port..shape.base_port.saturating_add(nodes)
}

fn port_range(shape: &Shape) -> String {
    let ports: Vec<u16> = ports(shape).collect();
    match (ports.first(), ports.last()) {
        (Some(first), Some(last)) if first != last => format!("ports {first} to {last}"),
        (Some(first), _) => format!("port {first}"),
        _ => "no port".into(),
    }
}

/// Where what is bound to that address is reached from this machine.
pub(super) fn reached_at(bind: IpAddr) -> String {
    match bind.is_unspecified() {
        true => "127.0.0.1".to_owned(),
        false => bind.to_string(),
    }
}

fn docker_spec(running: &Running<'_>) -> ClusterSpec {
    let shape = shape(running);
    let nodes = u16::try_from(ports(&shape).count()).unwrap_or(u16::MAX);
    let mut spec = ClusterSpec::new(
        running.name(),
        &running.create.image.value,
        nodes,
        shape.base_port,
    );
    spec.bind = shape.bind;
    spec.announce_host = Some(reached_at(shape.bind));
    spec.is_tls = running.settings.tls.value.is_some();
    let is_apart = running.create.acl_users.value;
    spec.health_user = is_apart.then(|| CHECK_USER.to_owned());
    spec.node_timeout_ms =
        u64::try_from(running.create.node_timeout.value.as_millis()).unwrap_or(u64::MAX);
    for node in &mut spec.nodes {
        let addr = NodeAddr::new(reached_at(shape.bind), node.port);
        node.zone = running.settings.zones.value.get(&addr).cloned();
    }
    spec
}

pub(super) fn local_spec(running: &Running<'_>) -> Result<LocalSpec, Failure> {
    let create = running.create;
    let folder = create.dir.value.clone().ok_or_else(|| {
        Failure::usage("neither --dir nor a home folder says where the nodes' data is to be")
            .next("add --dir FOLDER")
    })?;
    Ok(LocalSpec {
        folder: std::path::absolute(&folder).unwrap_or(folder),
        server: server(create.server.value.as_ref())?,
        ports: ports(&shape(running)).collect(),
        node_timeout: create.node_timeout.value,
        password: running
            .settings
            .password
            .value
            .as_ref()
            .map(|secret| secret.expose().to_owned()),
        authority: tls::authority(running),
        // Once their passwords are made.
        users: None,
    })
}

/// The server program: the one that was named, else the first in PATH.
pub(in crate::cli) fn server(given: Option<&PathBuf>) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    SERVERS
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
        .ok_or_else(|| {
            Failure::new(
                Exit::Failed,
                anyhow!("neither redis-server nor valkey-server is in PATH"),
            )
            .next(
                "install one (Debian: apt-get install redis-server), or name it with --server PATH",
            )
        })
}

/// Docker's failures: an engine that cannot be asked is not the same as one that refuses.
pub(in crate::cli) fn docker_failure(error: DockerError) -> Failure {
    let exit = match &error {
        DockerError::NoEngine { .. } => Exit::CouldNotLook,
        DockerError::PortsTaken(_) | DockerError::Remote { .. } => Exit::Refused,
        _ => Exit::Failed,
    };
    let hint = error.hint();
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.next(hint),
        None => failure,
    }
}

pub(in crate::cli) fn process_failure(error: &ProcessError) -> Failure {
    let exit = match error {
        ProcessError::PortTaken { .. }
        | ProcessError::PortTooHigh(_)
        | ProcessError::NotOurs(_)
        | ProcessError::Occupied(_) => Exit::Refused,
        _ => Exit::Failed,
    };
    Failure::new(exit, anyhow!("{error}")).next(error.hint())
}
