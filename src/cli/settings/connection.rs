//! How the cluster is reached: the settings that every subcommand needs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::layers::Layers;
use super::origin::{First, Row, Setting, show_list, show_option};
use super::{login, tls};
use crate::cli::exit::Failure;
use crate::cli::options::{Color, DockerMap, Shared};
use crate::cli::seed::Seed;
use crate::cli::values;
use crate::cluster::{Credentials, Secret, SentinelAccess, TlsSettings};
use crate::model::{NodeAddr, Provider};

const DEADLINE: Duration = Duration::from_secs(2);
/// As many as cluster clients commonly follow.
const MAX_REDIRECTIONS: u32 = 16;

/// How the cluster is reached, and how loud the program is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's name, when it is meant by name.
    pub cluster: Setting<Option<String>>,
    /// Where to begin; empty when nobody said.
    pub nodes: Setting<Vec<NodeAddr>>,
    /// The ACL user.
    pub user: Setting<Option<String>>,
    /// The password.
    pub password: Setting<Option<Secret>>,
    /// The file that the password was read from; `None` when it came another way.
    pub password_file: Option<PathBuf>,
    /// Of several masters that a Sentinel watches, the one that is meant.
    pub master_name: Setting<Option<String>>,
    /// The ACL user of the Sentinels, where they have a login of their own.
    pub sentinel_user: Setting<Option<String>>,
    /// Their password.
    pub sentinel_password: Setting<Option<Secret>>,
    /// TLS, when it is spoken.
    pub tls: Setting<Option<TlsSettings>>,
    /// Announced address to reachable address.
    pub node_map: Setting<BTreeMap<NodeAddr, NodeAddr>>,
    /// Whether Docker is asked where announced addresses can be reached.
    pub docker_map: Setting<DockerMap>,
    /// Which managed service it is.
    pub provider: Setting<Provider>,
    /// Which zone a node stands in, as far as somebody said.
    pub zones: Setting<BTreeMap<NodeAddr, String>>,
    /// Whether the login is sent to whatever address a node announces.
    pub is_trusting: bool,
    /// How long each call to a node may take.
    pub deadline: Setting<Duration>,
    /// How many redirections a routed command follows.
    pub max_redirections: Setting<u32>,
    /// Whether a connection that failed is tried once more.
    pub retry_on_fail: Setting<bool>,
    /// When to colour.
    pub color: Setting<Color>,
    /// `-v`.
    pub is_verbose: bool,
    /// `-q`.
    pub is_quiet: bool,
    /// What the user should know, a line each.
    pub notices: Vec<String>,
    /// Clusters that could have been named.
    pub known_names: Vec<String>,
}

impl Settings {
    /// Lays the layers over each other. `zones` are those that were typed.
    pub fn resolve(
        layers: &Layers,
        shared: &Shared,
        zones: &[(NodeAddr, String)],
    ) -> Result<Settings, Failure> {
        let mut notices = layers.notices.clone();
        let seeds = seeds(layers, &mut notices)?;
        let nodes = Setting {
            value: seeds.value.iter().map(|seed| seed.addr.clone()).collect(),
            origin: seeds.origin.clone(),
        };
        let login = login::login(layers, shared, &seeds, &mut notices)?;
        Ok(Settings {
            cluster: named(layers),
            master_name: login::master_name(layers, shared)?,
            sentinel_user: login::sentinel_user(layers, shared)?,
            sentinel_password: login::sentinel_password(layers, shared, &mut notices)?,
            user: login.user,
            password: login.password,
            password_file: login.file,
            tls: tls::tls(layers, shared, &seeds)?,
            nodes,
            node_map: node_map(layers, shared)?,
            docker_map: docker_map(layers, shared)?,
            provider: provider(layers, shared)?,
            zones: zones_of(layers, zones)?,
            is_trusting: is_trusting(layers, shared)?,
            deadline: deadline(layers, shared)?,
            max_redirections: First::nothing()
                .variable(
                    &layers.environment,
                    "REDIS_CLUSTER_MAX_REDIRECTIONS",
                    values::number,
                )?
                .or_default(MAX_REDIRECTIONS),
            retry_on_fail: First::nothing()
                .variable(
                    &layers.environment,
                    "REDIS_CLUSTER_RETRY_ON_FAIL",
                    values::yes_or_no,
                )?
                .or_default(false),
            color: color(layers, shared)?,
            is_verbose: shared.verbose,
            is_quiet: shared.quiet,
            notices,
            known_names: layers.known_names(),
        })
    }

    /// Who logs in, and with what.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            user: self.user.value.clone(),
            password: self.password.value.clone(),
        }
    }

    /// How Sentinels are asked.
    pub fn sentinel(&self) -> SentinelAccess {
        let own = Credentials {
            user: self.sentinel_user.value.clone(),
            password: self.sentinel_password.value.clone(),
        };
        SentinelAccess {
            known: Vec::new(),
            credentials: own.password.is_some().then_some(own),
            master: self.master_name.value.clone(),
        }
    }

    /// What the cluster is called: its name, else the first address that was given.
    pub fn called(&self) -> String {
        let first = || self.nodes.value.first().map(ToString::to_string);
        self.cluster
            .value
            .clone()
            .or_else(first)
            .unwrap_or_default()
    }

    /// An error that says how to name a cluster, when none is.
    pub fn require_nodes(&self) -> Result<(), Failure> {
        if !self.nodes.value.is_empty() {
            return Ok(());
        }
        let what = match &self.cluster.value {
            Some(name) => format!(
                "the cluster '{name}' has no nodes ({})",
                self.cluster.origin
            ),
            None if !self.known_names.is_empty() => {
                let failure = Failure::usage("no cluster is named");
                return Err(failure.next(format!(
                    "name one of those that are known: {}",
                    self.known_names.join(", ")
                )));
            }
            None => "no cluster is named, and none was made here yet".to_string(),
        };
        Err(Failure::usage(what).next(
            "give an address (goodcache check 10.0.0.5:6379), set REDIS_CLUSTER_NODES, \
             name a cluster in goodcache.yaml, or make one (goodcache create --help)",
        ))
    }

    /// A row for each setting, for `-v`.
    pub fn rows(&self) -> Vec<Row> {
        let map = |map: &BTreeMap<NodeAddr, NodeAddr>| {
            show_list(map.iter().map(|(from, to)| format!("{from}={to}")))
        };
        vec![
            self.cluster.row("cluster", show_option),
            self.nodes.row("nodes", |nodes| show_list(nodes)),
            self.user.row("user", show_option),
            self.password.row("password", show_option),
            self.master_name.row("master name", show_option),
            self.sentinel_user.row("sentinel user", show_option),
            self.sentinel_password.row("sentinel password", show_option),
            self.tls.row("tls", tls::show_tls),
            self.node_map.row("node map", map),
            self.docker_map.row("docker map", |when| word(*when)),
            self.provider.row("provider", Provider::to_string),
            self.zones.row("zones", |zones| {
                show_list(zones.iter().map(|(addr, zone)| format!("{addr}={zone}")))
            }),
            self.deadline.row("deadline", values::show_duration),
            self.max_redirections
                .row("max redirections", u32::to_string),
            self.retry_on_fail.row("retry on fail", bool::to_string),
            self.color.row("color", |when| word(*when)),
        ]
    }
}

/// The word that a flag takes for a value.
pub(super) fn word<T: clap::ValueEnum>(value: T) -> String {
    value
        .to_possible_value()
        .map(|possible| possible.get_name().to_string())
        .unwrap_or_default()
}

fn named(layers: &Layers) -> Setting<Option<String>> {
    match &layers.name {
        Some(name) => Setting {
            value: Some(name.value.clone()),
            origin: name.origin.clone(),
        },
        None => First::nothing().or_none(),
    }
}

/// Where to begin. A name that was given outweighs the addresses in the environment.
fn seeds(layers: &Layers, notices: &mut Vec<String>) -> Result<Setting<Vec<Seed>>, Failure> {
    let environment = &layers.environment;
    let filled = |seeds: Vec<Seed>| (!seeds.is_empty()).then_some(seeds);
    let saved = layers.profile.as_ref().map(|profile| {
        profile
            .nodes
            .iter()
            .map(|addr| Seed {
                addr: addr.clone(),
                user: None,
                is_tls: false,
            })
            .collect()
    });
    let mut found = First::argument(filled(layers.typed.clone()), "address")
        .section(
            layers,
            "nodes",
            layers
                .section()
                .and_then(|section| filled(section.nodes.clone())),
        )
        .profile(layers, saved)
        .variable(environment, "GOODCACHE_NODES", read_seeds)?;
    if let Some(text) = environment.get("REDIS_CLUSTER_ENABLED") {
        values::yes_or_no(text).map_err(|why| {
            Failure::usage(format!(
                "could not read the variable REDIS_CLUSTER_ENABLED: {why}"
            ))
        })?;
    }
    if layers.is_disabled() {
        notices.push(
            "REDIS_CLUSTER_ENABLED is false: this deployment uses no cluster, so REDIS_CLUSTER_NODES is not read"
                .to_string(),
        );
    } else {
        found = found.variable(environment, "REDIS_CLUSTER_NODES", read_seeds)?;
    }
    Ok(found.or_default(Vec::new()))
}

fn read_seeds(text: &str) -> Result<Vec<Seed>, String> {
    let items = values::list(text);
    items
        .iter()
        .map(|item| item.parse::<Seed>().map_err(|error| error.to_string()))
        .collect()
}

fn node_map(
    layers: &Layers,
    shared: &Shared,
) -> Result<Setting<BTreeMap<NodeAddr, NodeAddr>>, Failure> {
    let typed = &shared.connection.node_map;
    let filled = |map: BTreeMap<NodeAddr, NodeAddr>| (!map.is_empty()).then_some(map);
    Ok(
        First::argument(filled(typed.iter().cloned().collect()), "--node-map")
            .variable(&layers.environment, "GOODCACHE_NODE_MAP", |text| {
                values::pairs(text, values::node_pair)
            })?
            .section(
                layers,
                "node_map",
                layers
                    .section()
                    .and_then(|section| filled(section.node_map.clone())),
            )
            .profile(
                layers,
                layers
                    .profile
                    .as_ref()
                    .and_then(|profile| filled(profile.node_map.clone())),
            )
            .or_default(BTreeMap::new()),
    )
}

fn zones_of(
    layers: &Layers,
    typed: &[(NodeAddr, String)],
) -> Result<Setting<BTreeMap<NodeAddr, String>>, Failure> {
    let filled = |map: BTreeMap<NodeAddr, String>| (!map.is_empty()).then_some(map);
    Ok(
        First::argument(filled(typed.iter().cloned().collect()), "--zone")
            .variable(&layers.environment, "GOODCACHE_ZONES", |text| {
                values::pairs(text, values::zone_pair)
            })?
            .section(
                layers,
                "zones",
                layers
                    .section()
                    .and_then(|section| filled(section.zones.clone())),
            )
            .profile(
                layers,
                layers
                    .profile
                    .as_ref()
                    .and_then(|profile| filled(profile.zones.clone())),
            )
            .or_default(BTreeMap::new()),
    )
}

fn docker_map(layers: &Layers, shared: &Shared) -> Result<Setting<DockerMap>, Failure> {
    let in_section = layers
        .section()
        .and_then(|section| section.docker_map.as_ref());
    Ok(
        First::argument(shared.connection.docker_map, "--docker-map")
            .variable(&layers.environment, "GOODCACHE_DOCKER_MAP", values::choice)?
            .section_text(layers, "docker_map", in_section, values::choice)?
            .or_default(DockerMap::Auto),
    )
}

fn provider(layers: &Layers, shared: &Shared) -> Result<Setting<Provider>, Failure> {
    let in_section = layers
        .section()
        .and_then(|section| section.provider.as_ref());
    Ok(First::argument(shared.connection.provider, "--provider")
        .variable(&layers.environment, "GOODCACHE_PROVIDER", values::provider)?
        .section_text(layers, "provider", in_section, values::provider)?
        .or_default(Provider::Auto))
}

fn is_trusting(layers: &Layers, shared: &Shared) -> Result<bool, Failure> {
    let typed = shared.connection.trust_announced.then_some(true);
    let variable = "GOODCACHE_TRUST_ANNOUNCED";
    Ok(First::argument(typed, "--trust-announced")
        .variable(&layers.environment, variable, values::yes_or_no)?
        .or_default(false)
        .value)
}

fn deadline(layers: &Layers, shared: &Shared) -> Result<Setting<Duration>, Failure> {
    let in_section = layers.section().and_then(|section| section.deadline);
    Ok(First::argument(shared.connection.deadline, "--deadline")
        .variable(&layers.environment, "GOODCACHE_DEADLINE", values::span)?
        .section(layers, "deadline", in_section)
        .or_default(DEADLINE))
}

/// When to colour.
pub fn color(layers: &Layers, shared: &Shared) -> Result<Setting<Color>, Failure> {
    Ok(First::argument(shared.color, "--color")
        .variable(&layers.environment, "GOODCACHE_COLOR", values::choice)?
        .variable(&layers.environment, "NO_COLOR", |_| Ok(Color::Never))?
        .or_default(Color::Auto))
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
