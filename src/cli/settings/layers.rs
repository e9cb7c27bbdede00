//! The layers below the command line: which settings file, and which cluster is meant.
//!
//! A cluster is meant as a whole: a name that was given outweighs addresses in the environment, and
//! addresses that were typed outweigh any name that nobody typed. So settings of one cluster, its
//! password above all, never meet the nodes of another.

use std::path::PathBuf;

use super::origin::{First, Origin, Setting};
use crate::cli::config::{Cluster, ConfigFile};
use crate::cli::environment::Environment;
use crate::cli::exit::Failure;
use crate::cli::nearest::nearest;
use crate::cli::options::Shared;
use crate::cli::profile::{Profile, Profiles};
use crate::cli::seed::{DEFAULT_PORT, Seed};
use crate::cli::values;

/// The name of a cluster that is made without one.
pub(super) const NEW_NAME: &str = "goodcache";

/// What the program finds around it.
#[derive(Clone)]
pub struct Surroundings {
    /// The variables.
    pub environment: Environment,
    /// The folder it was started in.
    pub folder: PathBuf,
    /// The codes of all findings, for which thresholds may be set.
    pub codes: Vec<&'static str>,
}

/// What the command line says about the cluster that is meant.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Words that are either one name or addresses.
    pub words: Vec<String>,
    /// A name and nothing else: of a cluster to be made, which need not be known.
    pub new_name: Option<String>,
    /// Whether a cluster is to be made: nothing needs to be known of it, and what was made last is
    /// another one.
    pub is_new: bool,
    /// The user that was set apart for the command, if the cluster has such a one.
    pub role: Option<&'static str>,
    /// Whether it is going to be broken: then only what was plainly meant will do.
    pub is_at_risk: bool,
}

/// All layers, and the cluster that is meant.
pub struct Layers {
    /// The variables.
    pub environment: Environment,
    /// The settings file.
    pub file: Option<ConfigFile>,
    /// The cluster's name, if it is meant by name.
    pub name: Option<Setting<String>>,
    /// What create saved for this name.
    pub profile: Option<Profile>,
    /// The user that was set apart for the command, if the cluster has such a one.
    pub role: Option<&'static str>,
    /// Where profiles lie.
    pub profiles: Option<Profiles>,
    /// Addresses that were typed.
    pub typed: Vec<Seed>,
    /// What the user should know, a line each.
    pub notices: Vec<String>,
}

impl Layers {
    /// Reads the settings file, finds out which cluster is meant, and reads its profile.
    pub fn find(
        shared: &Shared,
        target: &Target,
        around: &Surroundings,
    ) -> Result<Layers, Failure> {
        let mut layers = Layers {
            environment: around.environment.clone(),
            file: read_file(shared, around)?,
            name: None,
            profile: None,
            role: target.role,
            profiles: Profiles::of(&around.environment),
            typed: Vec::new(),
            notices: around.environment.strangers(),
        };
        let word = match target.is_new {
            true => layers.read_addresses(&target.words).map(|()| None)?,
            false => layers.sort_words(target)?,
        };
        layers.name = layers.pick_name(shared, target, word)?;
        if let (Some(name), Some(profiles)) = (&layers.name, &layers.profiles) {
            layers.profile = profiles
                .load(&name.value)
                .map_err(|error| Failure::new(crate::cli::exit::Exit::Usage, error))?;
        }
        Ok(layers)
    }

    /// Names of all clusters that the settings file or a profile knows.
    pub fn known_names(&self) -> Vec<String> {
        let in_file = self
            .file
            .iter()
            .flat_map(|file| file.config.clusters.keys().cloned());
        let saved = self
            .profiles
            .as_ref()
            .and_then(|profiles| profiles.list().ok());
        let mut names: Vec<String> = in_file.chain(saved.into_iter().flatten()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The cluster's own section of the settings file.
    pub fn section(&self) -> Option<&Cluster> {
        let name = &self.name.as_ref()?.value;
        self.file.as_ref()?.config.clusters.get(name)
    }

    /// Reads the words: a known name, or addresses.
    fn sort_words(&mut self, target: &Target) -> Result<Option<String>, Failure> {
        let (words, known) = (&target.words, self.known_names());
        if let Some(name) = words.iter().find(|word| known.contains(word)) {
            return match words.len() {
                1 => Ok(Some(name.clone())),
                _ => Err(Failure::usage(format!(
                    "'{name}' is the name of a cluster, and a name stands alone"
                ))),
            };
        }
        self.read_addresses(words)?;
        let bare = words
            .iter()
            .filter(|word| values::cluster_name(word).is_ok() && *word != "localhost");
        if let Some(word) = bare.clone().next().filter(|_| target.is_at_risk) {
            return Err(no_such_name(word, &known));
        }
        self.notices
            .extend(bare.map(|word| taken_as_host(word, &known)));
        Ok(None)
    }

    fn read_addresses(&mut self, words: &[String]) -> Result<(), Failure> {
        for word in words {
            self.typed.push(word.parse().map_err(Failure::usage)?);
        }
        Ok(())
    }

    fn pick_name(
        &self,
        shared: &Shared,
        target: &Target,
        word: Option<String>,
    ) -> Result<Option<Setting<String>>, Failure> {
        let named = First::argument(target.new_name.clone().or(word), "NAME")
            .or(shared.connection.cluster.clone(), || {
                Origin::Argument("--cluster")
            });
        // An address that was typed is meant; what lies around only helps those who type nothing.
        let named = match self.typed.is_empty() {
            false => named,
            true => self.pick_lying_around(named, target.is_new)?,
        };
        let new = target.is_new.then(|| NEW_NAME.to_string());
        let named = named.or(new, || Origin::Default);
        let named = named.found();
        if let Some(name) = named.as_ref().filter(|_| !target.is_new) {
            self.require_known(name)?;
        }
        if let Some(name) = named.as_ref().filter(|_| target.is_at_risk) {
            self.require_meant(name)?;
        }
        Ok(named)
    }

    fn pick_lying_around(
        &self,
        named: First<String>,
        is_new: bool,
    ) -> Result<First<String>, Failure> {
        let has_nodes = !is_new && self.environment_names_nodes();
        let read = |text: &str| values::cluster_name(text);
        let named = named.variable(&self.environment, "GOODCACHE_CLUSTER", read)?;
        if has_nodes {
            return Ok(named);
        }
        let by_file = self.file.as_ref().and_then(|file| {
            let default = file.config.default.clone().map(|name| (name, "default"));
            let mut names = file.config.clusters.keys();
            let only = match (names.next(), names.next()) {
                (Some(name), None) => Some((name.clone(), "the only cluster")),
                _ => None,
            };
            let (name, key) = default.or(only)?;
            Some((name, Origin::File(file.path.clone(), key.to_string())))
        });
        let named = match by_file {
            Some((name, origin)) => named.or(Some(name), || origin),
            None => named,
        };
        let made_last = self
            .profiles
            .as_ref()
            .filter(|_| !is_new)
            .and_then(Profiles::current);
        let origin = Origin::Profile(made_last.clone().unwrap_or_default());
        Ok(named.or(made_last, || origin))
    }

    fn environment_names_nodes(&self) -> bool {
        self.environment.get("GOODCACHE_NODES").is_some()
            || (self.environment.get("REDIS_CLUSTER_NODES").is_some() && !self.is_disabled())
    }

    /// Whether the deployment says that it uses no cluster; its list of nodes then means nothing.
    pub fn is_disabled(&self) -> bool {
        let enabled = self.environment.get("REDIS_CLUSTER_ENABLED");
        enabled.is_some_and(|text| values::yes_or_no(text) == Ok(false))
    }

    fn require_known(&self, name: &Setting<String>) -> Result<(), Failure> {
        let known = self.known_names();
        if known.contains(&name.value) {
            return Ok(());
        }
        let near = nearest(&name.value, known.iter().map(String::as_str));
        let step = match (near, known.is_empty()) {
            (Some(near), _) => format!("did you mean '{near}'?"),
            (None, true) => "give an address, or make a cluster: goodcache create".to_string(),
            (None, false) => format!("known are: {}", known.join(", ")),
        };
        let what = format!(
            "could not find the cluster '{}' ({})",
            name.value, name.origin
        );
        Err(Failure::usage(what).next(step))
    }

    /// That a cluster was made last says nothing of which of several is to be broken.
    fn require_meant(&self, name: &Setting<String>) -> Result<(), Failure> {
        let known = self.known_names();
        if known.len() < 2 || !matches!(name.origin, Origin::Profile(_)) {
            return Ok(());
        }
        let what = format!(
            "which cluster? several are known, and failover-test breaks one: {}",
            known.join(", ")
        );
        let step = format!("name it: goodcache failover-test {}", name.value);
        Err(Failure::usage(what).next(step))
    }

    pub(super) fn origin_in_section(&self, key: &str) -> Origin {
        match (&self.file, &self.name) {
            (Some(file), Some(name)) => {
                Origin::File(file.path.clone(), format!("clusters.{}.{key}", name.value))
            }
            _ => Origin::Default,
        }
    }

    pub(super) fn origin_in_file(&self, key: &str) -> Origin {
        self.file.as_ref().map_or(Origin::Default, |file| {
            Origin::File(file.path.clone(), key.to_string())
        })
    }

    pub(super) fn origin_in_profile(&self) -> Origin {
        let name = self.profile.as_ref().map(|profile| profile.name.clone());
        name.map_or(Origin::Default, Origin::Profile)
    }

    /// A path named in the settings file, made whole.
    pub(super) fn path_in_file(&self, named: Option<&PathBuf>) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        named.map(|named| file.path_of(named, self.environment.get("HOME")))
    }
}

fn taken_as_host(word: &str, known: &[String]) -> String {
    let near = nearest(word, known.iter().map(String::as_str))
        .map(|near| format!(" (did you mean '{near}'?)"))
        .unwrap_or_default();
    format!("no cluster is named '{word}'{near}; looking at the host {word}, port {DEFAULT_PORT}")
}

/// A cluster that is to be broken is named, or given by a whole address.
fn no_such_name(word: &str, known: &[String]) -> Failure {
    let failure = Failure::usage(format!("no cluster is named '{word}'"));
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    let near = nearest(word, names.iter().copied());
    names.sort_by_key(|name| Some(*name) != near);
    let failure = match (near, names.is_empty()) {
        (_, true) => failure.next("none was made here yet: goodcache create"),
        (Some(near), _) => failure.next(format!(
            "did you mean '{near}'? known are: {}",
            names.join(", ")
        )),
        (None, _) => failure.next(format!("known are: {}", names.join(", "))),
    };
    failure.next(format!(
        "if it is a host, give the port as well: {word}:{DEFAULT_PORT}"
    ))
}

/// The file that was named, else the project's, else the user's own.
fn read_file(shared: &Shared, around: &Surroundings) -> Result<Option<ConfigFile>, Failure> {
    let named = shared.config.clone().or_else(|| {
        around
            .environment
            .get("GOODCACHE_CONFIG")
            .map(PathBuf::from)
    });
    if let Some(path) = named {
        return ConfigFile::read(&around.folder.join(path), &around.codes).map(Some);
    }
    let users = match (
        around.environment.get("XDG_CONFIG_HOME"),
        around.environment.get("HOME"),
    ) {
        (Some(config), _) => Some(PathBuf::from(config)),
        (None, Some(home)) => Some(PathBuf::from(home).join(".config")),
        (None, None) => None,
    };
    let users = users.map(|folder| folder.join("goodcache/goodcache.yaml"));
    [Some(around.folder.join("goodcache.yaml")), users]
        .into_iter()
        .flatten()
        .find(|path| path.exists())
        .map(|path| ConfigFile::read(&path, &around.codes))
        .transpose()
}
