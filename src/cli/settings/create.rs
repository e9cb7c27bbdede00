//! The settings of create.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::check::output;
use super::connection::word;
use super::layers::{Layers, NEW_NAME, Target};
use super::origin::{First, Origin, Row, Setting, show_option};
use crate::cli::config::{Create, LayoutShard};
use crate::cli::exit::Failure;
use crate::cli::options::Format;
use crate::cli::options::create::{Args, Emit, FORMATS, Tolerate};
use crate::cli::profile::{Made, Shape};
use crate::cli::values;

const IMAGE: &str = "redis:7-alpine";
const BASE_PORT: u16 = 7001;
/// The bus listens 10,000 above a node's port, so nothing higher can be in a cluster.
const HIGHEST_PORT: u32 = 55_535;

/// Where the nodes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// Servers that run already.
    Nodes,
    /// Containers.
    Docker,
    /// Processes on this machine.
    Local,
}

/// What is written of a managed cluster.
#[derive(Debug, Clone)]
pub struct Emitting {
    /// In which language.
    pub language: Emit,
    /// The service's name of a node's size.
    pub node_size: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// What create makes.
#[derive(Debug, Clone)]
pub struct CreateSettings {
    /// Its name.
    pub name: Setting<String>,
    /// Where its nodes come from.
    pub source: Setting<Source>,
    /// Masters; `None` leaves it to the number of nodes.
    pub masters: Setting<Option<u16>>,
    /// Replicas of each.
    pub replicas: Setting<u16>,
    /// The image of containers.
    pub image: Setting<String>,
    /// The first node's port.
    pub base_port: Setting<u16>,
    /// Where nodes listen, or are published.
    pub bind: Setting<IpAddr>,
    /// The server program of local nodes; `None` is the one in `PATH`.
    pub server: Setting<Option<PathBuf>>,
    /// The folder of local nodes; `None` when neither it nor a home folder is known.
    pub dir: Setting<Option<PathBuf>>,
    /// How long a node may be silent before the others call it failing.
    pub node_timeout: Setting<Duration>,
    /// The single loss that must be borne.
    pub require_tolerate: Setting<Option<Tolerate>>,
    /// Whether one or two masters are allowed.
    pub allow_small: Setting<bool>,
    /// Whether users are set apart for application, replication, backup, check and admin.
    pub acl_users: Setting<bool>,
    /// How long it may take to become usable.
    pub timeout: Setting<Duration>,
    /// How the answer is written.
    pub output: Setting<Format>,
    /// The layout that the settings file prescribes; empty leaves it to placement.
    pub layout: Vec<LayoutShard>,
    /// Where to write a compose file instead of making anything.
    pub write_compose: Option<PathBuf>,
    /// The definition of a managed cluster that is to be written, instead of making anything.
    pub emit: Option<Emitting>,
    /// Whether only the plan is shown.
    pub is_dry_run: bool,
    /// Whether yes was said on the command line.
    pub is_agreed: bool,
    /// Whether the nodes of a cluster that is there get new certificates.
    pub is_renewing: bool,
}

impl CreateSettings {
    /// The cluster that the arguments mean.
    pub fn target(args: &Args) -> Target {
        Target {
            words: args.nodes.clone(),
            new_name: args.name.clone(),
            is_new: true,
            ..Target::default()
        }
    }

    /// Lays the layers over each other. `has_nodes` says whether any layer names nodes.
    pub fn resolve(
        layers: &Layers,
        args: &Args,
        has_nodes: bool,
    ) -> Result<CreateSettings, Failure> {
        let environment = &layers.environment;
        let wish = layers
            .section()
            .map(|section| section.create.clone())
            .unwrap_or_default();
        let made = layers.profile.as_ref().map(|profile| &profile.made);
        let shape = made.and_then(shape_of);
        let profile = layers.profile.as_ref();
        let has_users = profile.is_some_and(|profile| !profile.users.is_empty());
        let name = layers.name.clone().unwrap_or(Setting {
            value: NEW_NAME.to_string(),
            origin: Origin::Default,
        });
        let data = layers
            .profiles
            .as_ref()
            .map(|profiles| profiles.data_folder(&name.value));
        let path = |text: &str| Ok(PathBuf::from(text));
        let settings = CreateSettings {
            source: source(layers, args, &wish, has_nodes)?,
            masters: First::argument(args.masters, "--masters")
                .variable(environment, "GOODCACHE_MASTERS", values::number)?
                .section(layers, "create.masters", wish.masters)
                .profile(layers, shape.map(|shape| shape.masters))
                .or_none(),
            replicas: First::argument(args.replicas, "--replicas")
                .variable(environment, "GOODCACHE_REPLICAS", values::number)?
                .section(layers, "create.replicas", wish.replicas)
                .profile(layers, shape.map(|shape| shape.replicas))
                .or_default(1),
            image: First::argument(args.image.clone(), "--image")
                .variable(environment, "GOODCACHE_IMAGE", |text| {
                    Ok(text.trim().to_string())
                })?
                .section(layers, "create.image", wish.image.clone())
                .profile(layers, made.and_then(image_of))
                .or_default(IMAGE.to_string()),
            base_port: First::argument(args.base_port, "--base-port")
                .variable(environment, "GOODCACHE_BASE_PORT", values::number)?
                .section(layers, "create.base_port", wish.base_port)
                .profile(layers, shape.map(|shape| shape.base_port))
                .or_default(BASE_PORT),
            bind: First::argument(args.bind, "--bind")
                .variable(environment, "GOODCACHE_BIND", values::number)?
                .section(layers, "create.bind", wish.bind)
                .profile(layers, shape.map(|shape| shape.bind))
                .or_default(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            server: First::argument(args.server.clone(), "--server")
                .variable(environment, "GOODCACHE_SERVER", path)?
                .section(
                    layers,
                    "create.server",
                    layers.path_in_file(wish.server.as_ref()),
                )
                .profile(layers, made.and_then(server_of))
                .or_none(),
            dir: First::argument(args.dir.clone(), "--dir")
                .variable(environment, "GOODCACHE_DIR", path)?
                .section(layers, "create.dir", layers.path_in_file(wish.dir.as_ref()))
                .profile(layers, made.and_then(dir_of))
                .or(data, || Origin::Default)
                .or_none(),
            node_timeout: First::argument(args.node_timeout, "--node-timeout")
                .variable(environment, "GOODCACHE_NODE_TIMEOUT", values::span)?
                .section(layers, "create.node_timeout", wish.node_timeout)
                .profile(
                    layers,
                    shape
                        .and_then(|shape| shape.node_timeout_ms)
                        .map(Duration::from_millis),
                )
                .or_default(Duration::from_secs(5)),
            require_tolerate: First::argument(args.require_tolerate, "--require-tolerate")
                .variable(environment, "GOODCACHE_REQUIRE_TOLERATE", values::choice)?
                .section_text(
                    layers,
                    "create.require_tolerate",
                    wish.require_tolerate.as_ref(),
                    values::choice,
                )?
                .or_none(),
            allow_small: First::argument(args.allow_small.then_some(true), "--allow-small")
                .variable(environment, "GOODCACHE_ALLOW_SMALL", values::yes_or_no)?
                .section(layers, "create.allow_small", wish.allow_small)
                .or_default(false),
            acl_users: First::argument(args.acl_users.then_some(true), "--acl-users")
                .variable(environment, "GOODCACHE_ACL_USERS", values::yes_or_no)?
                .section(layers, "create.acl_users", wish.acl_users)
                .profile(layers, has_users.then_some(true))
                .or_default(false),
            timeout: First::argument(args.timeout, "--timeout")
                .variable(environment, "GOODCACHE_TIMEOUT", values::span)?
                .section(layers, "create.timeout", wish.timeout)
                .or_default(Duration::from_secs(60)),
            output: output(layers, args.output, FORMATS)?,
            layout: layers
                .section()
                .map(|section| section.layout.clone())
                .unwrap_or_default(),
            write_compose: args.write_compose.clone(),
            emit: args.emit.map(|language| Emitting {
                language,
                node_size: args.node_size.clone(),
                region: args.region.clone(),
            }),
            is_dry_run: args.dry_run,
            is_agreed: args.yes,
            is_renewing: args.renew_tls,
            name,
        };
        settings.require_ports()?;
        Ok(settings)
    }

    /// A row for each setting, for `-v`.
    pub fn rows(&self) -> Vec<Row> {
        let path = |path: &Option<PathBuf>| show_option(&path.as_ref().map(|path| path.display()));
        let mut rows = vec![
            self.source.row("source", |source| word(*source)),
            self.masters.row("masters", show_option),
            self.replicas.row("replicas", u16::to_string),
            self.node_timeout.row("node timeout", values::show_duration),
            self.require_tolerate
                .row("require tolerate", |what| show_option(&what.map(word))),
            self.allow_small.row("allow small", bool::to_string),
            self.acl_users.row("acl users", bool::to_string),
            self.timeout.row("timeout", values::show_duration),
            self.output
                .row("output", |format| format.name().to_string()),
        ];
        if self.source.value != Source::Nodes {
            rows.push(self.base_port.row("base port", u16::to_string));
            rows.push(self.bind.row("bind", IpAddr::to_string));
        }
        match self.source.value {
            Source::Nodes => {}
            Source::Docker => rows.push(self.image.row("image", String::clone)),
            Source::Local => {
                rows.push(self.server.row("server", path));
                rows.push(self.dir.row("dir", path));
            }
        }
        rows
    }

    /// Masters and replicas must fit between the first port and the highest that has a bus.
    fn require_ports(&self) -> Result<(), Failure> {
        if self.source.value == Source::Nodes {
            return Ok(());
        }
        let masters = u32::from(self.masters.value.unwrap_or(3));
        let nodes = masters * (1 + u32::from(self.replicas.value));
        let first = u32::from(self.base_port.value);
        if masters == 0 || first == 0 || first + nodes > HIGHEST_PORT + 1 {
            return Err(Failure::usage(format!(
                "{nodes} nodes from port {first} on do not fit: ports run from 1 to {HIGHEST_PORT}, \
                 since the cluster bus listens 10000 above each"
            )));
        }
        Ok(())
    }
}

fn source(
    layers: &Layers,
    args: &Args,
    wish: &Create,
    has_nodes: bool,
) -> Result<Setting<Source>, Failure> {
    let made = layers.profile.as_ref().map(|profile| match profile.made {
        Made::Nodes => Source::Nodes,
        Made::Docker { .. } => Source::Docker,
        Made::Local { .. } => Source::Local,
    });
    First::argument((!args.nodes.is_empty()).then_some(Source::Nodes), "--nodes")
        .or(args.docker.then_some(Source::Docker), || {
            Origin::Argument("--docker")
        })
        .or(args.local.then_some(Source::Local), || {
            Origin::Argument("--local")
        })
        .section_text(
            layers,
            "create.source",
            wish.source.as_ref(),
            values::choice,
        )?
        .profile(layers, made)
        .or(has_nodes.then_some(Source::Nodes), || Origin::Default)
        // What is written down comes from nowhere.
        .or(args.emit.map(|_| Source::Nodes), || Origin::Default)
        .found()
        .ok_or_else(|| {
            Failure::usage("create was not told where the nodes come from")
                .next("add --docker, --local, or --nodes host:port,host:port,...")
        })
}

fn shape_of(made: &Made) -> Option<Shape> {
    match made {
        Made::Nodes => None,
        Made::Docker { shape, .. } | Made::Local { shape, .. } => Some(*shape),
    }
}

fn image_of(made: &Made) -> Option<String> {
    match made {
        Made::Docker { image, .. } => Some(image.clone()),
        Made::Nodes | Made::Local { .. } => None,
    }
}

fn server_of(made: &Made) -> Option<PathBuf> {
    match made {
        Made::Local { server, .. } => Some(server.clone()),
        Made::Nodes | Made::Docker { .. } => None,
    }
}

fn dir_of(made: &Made) -> Option<PathBuf> {
    match made {
        Made::Local { dir, .. } => Some(dir.clone()),
        Made::Nodes | Made::Docker { .. } => None,
    }
}
