//! `goodcache create`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{ArgGroup, Args as ClapArgs, ValueEnum, value_parser};

use super::shared::Format;
use crate::cli::values;
use crate::model::NodeAddr;

const AFTER: &str = "\
Examples:
  goodcache create shop --docker --masters 3 --replicas 1
  goodcache create shop --nodes 10.0.0.1:6379,10.0.0.2:6379,10.0.0.3:6379 --replicas 0
  goodcache create demo --local --dir ./demo --yes
  goodcache create shop --provider aws --emit terraform > shop.tf

Made means usable: every node says cluster_state:ok, all nodes agree on who owns which slot, every
replica is linked to its master, and a write to each shard was read back. The same command on the
finished cluster changes nothing; after an interruption it finishes what was begun.

Exit codes:
  0  the cluster is usable (or was already)
  2  the command line, a variable or a settings file makes no sense
  4  a node could not be reached or asked
  5  refused, nothing was changed: the nodes are not fit, or nobody said yes
  6  stopped half-way; the report tells each node's state and the likely cause
  130  interrupted (143 by SIGTERM)";

/// Which single loss the cluster must bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tolerate {
    /// Any one host
    Host,
    /// Any one zone
    Zone,
}

/// In which language a managed cluster is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// Terraform
    Terraform,
    /// A shell script of the service's own command line
    Cli,
}

/// What was typed after `goodcache create`.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(
    after_long_help = AFTER,
    group = ArgGroup::new("source").args(["nodes", "docker", "local"])
)]
pub struct Args {
    /// The new cluster's name [default: goodcache]
    #[arg(value_parser = values::cluster_name)]
    pub name: Option<String>,

    /// Join these servers, which run already and are empty (comma-separated)
    #[arg(
        long,
        value_name = "ADDR,...",
        value_delimiter = ',',
        help_heading = "Where the nodes come from"
    )]
    pub nodes: Vec<String>,
    /// Make a container for each node
    #[arg(long, help_heading = "Where the nodes come from")]
    pub docker: bool,
    /// Start a server process on this machine for each node
    #[arg(long, help_heading = "Where the nodes come from")]
    pub local: bool,

    /// Masters [default: 3, or as many as --nodes allow]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1000), help_heading = "Shape")]
    pub masters: Option<u16>,
    /// Replicas of each master [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(0..=100), help_heading = "Shape")]
    pub replicas: Option<u16>,
    /// Tell which zone a node stands in; may be repeated
    #[arg(long = "zone", value_name = "ADDR=ZONE", value_parser = values::zone_pair, help_heading = "Shape")]
    pub zones: Vec<(NodeAddr, String)>,
    /// Refuse unless the loss of any one host, or zone, can be borne
    #[arg(long, value_name = "WHAT", help_heading = "Shape")]
    pub require_tolerate: Option<Tolerate>,
    /// Allow one or two masters, which cannot elect a successor
    #[arg(long, help_heading = "Shape")]
    pub allow_small: bool,
    /// Call a node failing when it was silent for this long [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "Shape")]
    pub node_timeout: Option<Duration>,

    /// With --docker: the image [default: redis:7-alpine]
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["local", "nodes"], help_heading = "Docker and local nodes")]
    pub image: Option<String>,
    /// The first node's port, the others follow [default: 7001]
    #[arg(long, value_name = "PORT", value_parser = value_parser!(u16).range(1..=55535), conflicts_with = "nodes", help_heading = "Docker and local nodes")]
    pub base_port: Option<u16>,
    /// Listen, or publish ports, on this address [default: 127.0.0.1]
    #[arg(
        long,
        value_name = "IP",
        conflicts_with = "nodes",
        help_heading = "Docker and local nodes"
    )]
    pub bind: Option<IpAddr>,
    /// With --docker: write a compose file instead of making anything
    #[arg(
        long,
        value_name = "FILE",
        requires = "docker",
        help_heading = "Docker and local nodes"
    )]
    pub write_compose: Option<PathBuf>,
    /// With --local: the redis-server or valkey-server to run [default: the one in PATH]
    #[arg(long, value_name = "PATH", conflicts_with_all = ["docker", "nodes"], help_heading = "Docker and local nodes")]
    pub server: Option<PathBuf>,
    /// With --local: the folder that holds the nodes' data
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["docker", "nodes"], help_heading = "Docker and local nodes")]
    pub dir: Option<PathBuf>,

    /// With --provider aws, gcp or azure: write the definition of such a cluster, and make nothing
    #[arg(long, value_name = "LANGUAGE", conflicts_with_all = ["nodes", "docker", "local"], help_heading = "At a managed service")]
    pub emit: Option<Emit>,
    /// With --emit: the service's name of a node's size [default: a small one]
    #[arg(
        long,
        value_name = "SIZE",
        requires = "emit",
        help_heading = "At a managed service"
    )]
    pub node_size: Option<String>,
    /// With --emit: the region [default: a variable]
    #[arg(
        long,
        value_name = "REGION",
        requires = "emit",
        help_heading = "At a managed service"
    )]
    pub region: Option<String>,
    /// Set users apart for application, replication, backup, check and admin, each with the least it
    /// needs and a password of its own, and turn the default user off
    #[arg(long, help_heading = "Security")]
    pub acl_users: bool,
    /// Of a cluster that create --tls made: give each node a new certificate while it runs
    #[arg(long, requires = "name", conflicts_with_all = ["nodes", "docker", "local", "masters", "replicas"], help_heading = "Security")]
    pub renew_tls: bool,

    /// Give up when the cluster is not usable after this long [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub timeout: Option<Duration>,
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before changing anything
    #[arg(short, long)]
    pub yes: bool,
    /// Write the answer as [default: table]
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,
}

/// The formats that create can write.
pub const FORMATS: &[&str] = &["table", "markdown", "json"];

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(FORMATS)
}
