//! The flags that every subcommand takes.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::cli::values;
use crate::model::{NodeAddr, Provider};

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned columns for a person.
    Table,
    /// Markdown.
    Markdown,
    /// One versioned JSON document.
    Json,
    /// Prometheus text exposition.
    Prometheus,
    /// One line and an exit code of 0 to 3, as monitoring plugins do.
    Nagios,
    /// JUnit XML.
    Junit,
}

impl Format {
    /// Every format and its name.
    pub const ALL: [(&'static str, Format); 6] = [
        ("table", Format::Table),
        ("markdown", Format::Markdown),
        ("json", Format::Json),
        ("prometheus", Format::Prometheus),
        ("nagios", Format::Nagios),
        ("junit", Format::Junit),
    ];

    /// The format of that name.
    pub fn named(name: &str) -> Option<Format> {
        Format::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, format)| *format)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Format::ALL
            .iter()
            .find(|(_, format)| *format == self)
            .map_or("table", |(name, _)| name)
    }

    /// Reads one of the formats that a subcommand can write.
    pub(super) fn one_of(names: &'static [&'static str]) -> impl TypedValueParser<Value = Format> {
        PossibleValuesParser::new(names).map(|name| Format::named(&name).unwrap_or(Format::Table))
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Whether Docker is asked where announced addresses can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DockerMap {
    /// When an announced address cannot be reached and an engine is there
    Auto,
    /// Always; no engine is an error
    On,
    /// Never
    Off,
}

/// The flags that every subcommand takes.
#[derive(Debug, Clone, Default, Args)]
pub struct Shared {
    /// Read settings from FILE instead of ./goodcache.yaml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show on stderr each setting and where it came from
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = false)]
    pub color: Option<Color>,
    /// How the cluster is reached.
    #[command(flatten)]
    pub connection: Connection,
}

/// How the cluster is reached.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// Take this cluster's settings, from goodcache.yaml or from what create saved
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// Log in as this ACL user
    #[arg(long, global = true, value_name = "USER")]
    pub user: Option<String>,
    /// Read the password from the first line of FILE ('-' is stdin)
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Of several masters that a Sentinel watches, the one that is meant
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true)]
    pub master_name: Option<String>,
    /// Log in to Sentinels as this ACL user, where they have a login of their own
    #[arg(long, global = true, value_name = "USER", hide_short_help = true)]
    pub sentinel_user: Option<String>,
    /// Read the Sentinels' own password from the first line of FILE
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub sentinel_password_file: Option<PathBuf>,
    /// Speak TLS (any of the flags below, or a rediss:// address, says so too)
    #[arg(long, global = true)]
    pub tls: bool,
    /// Trust the certificates in FILE (PEM) instead of the system's
    #[arg(long, global = true, value_name = "FILE")]
    pub cacert: Option<PathBuf>,
    /// Show the servers this client certificate (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    pub cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, global = true, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Ask for, and verify, this server name instead of the address's host
    #[arg(long, global = true, value_name = "NAME")]
    pub sni: Option<String>,
    /// Accept any certificate: no protection against an impostor
    #[arg(long, global = true)]
    pub insecure: bool,
    /// Send the password to every address that a node announces, also without TLS
    #[arg(long, global = true, hide_short_help = true)]
    pub trust_announced: bool,
    /// Print the ACL rule that this command's user needs, and do nothing
    #[arg(long, global = true, hide_short_help = true)]
    pub print_acl: bool,
    /// Reach an announced address at another one; may be repeated
    #[arg(long, global = true, value_name = "ANNOUNCED=REACHABLE",
          value_parser = values::node_pair, hide_short_help = true)]
    pub node_map: Vec<(NodeAddr, NodeAddr)>,
    /// Ask Docker where announced addresses can be reached [default: auto]
    #[arg(long, global = true, value_name = "WHEN", hide_short_help = true)]
    pub docker_map: Option<DockerMap>,
    /// Take it for that managed service: auto, none, aws, gcp, azure, or a service [default: auto]
    #[arg(long, global = true, value_name = "NAME", value_parser = values::provider, hide_short_help = true)]
    pub provider: Option<Provider>,
    /// Give each call to a node this long [default: 2s]
    #[arg(long, global = true, value_name = "TIME", value_parser = values::span)]
    pub deadline: Option<Duration>,
}
