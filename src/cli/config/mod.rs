//! `goodcache.yaml`: named clusters, and how check judges.
//!
//! A key that is not known is an error that names its line and the nearest known key: a setting that
//! is silently ignored is worse than none. Passwords are not read from here, since such files are
//! committed and copied; `password_file` names the file that holds one.

mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use super::exit::Failure;
use super::nearest::nearest;
use super::scenario::{Hooks, Limits};
use super::seed::Seed;
use super::values;
use crate::cluster::TlsSettings;
use crate::model::{NodeAddr, Severity};

pub(super) use yaml::read_yaml;
use yaml::unreadable;

/// A settings file that was read.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub config: Config,
}

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The cluster that is meant when none is named.
    pub default: Option<String>,
    /// Where snapshots are kept, of clusters that do not say it themselves.
    pub repo: Option<String>,
    /// The file whose first line is that repository's passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
    /// How check judges.
    pub check: Check,
    /// What drills may cost, where neither the command line nor the scenario says it.
    pub failover_test: Limits,
}

/// One cluster.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Where to begin.
    pub nodes: Vec<Seed>,
    /// The ACL user.
    pub user: Option<String>,
    /// The file whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Of several masters that its Sentinels watch, the one that is meant.
    pub master_name: Option<String>,
    /// The ACL user of its Sentinels, where they have a login of their own.
    pub sentinel_user: Option<String>,
    /// The file whose first line is their password.
    pub sentinel_password_file: Option<PathBuf>,
    /// TLS; that the section is there turns it on.
    pub tls: Option<Tls>,
    /// Announced address to reachable address.
    pub node_map: BTreeMap<NodeAddr, NodeAddr>,
    /// `auto`, `on` or `off`.
    pub docker_map: Option<String>,
    /// Which managed service it is: `auto`, `none`, or a name that `--provider` takes.
    pub provider: Option<String>,
    /// How long each call to a node may take.
    #[serde(deserialize_with = "duration")]
    pub deadline: Option<Duration>,
    /// Which zone a node stands in.
    pub zones: BTreeMap<NodeAddr, String>,
    /// What the cluster is for.
    pub profile: Option<String>,
    /// The layout that create is to make, instead of one of its own.
    pub layout: Vec<LayoutShard>,
    /// What create is to make.
    pub create: Create,
    /// Where its snapshots are kept.
    pub repo: Option<String>,
    /// The file whose first line is that repository's passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// The user's own commands that break nodes and put them back, for drills.
    pub hooks: Option<Hooks>,
}

/// TLS files and names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates to trust (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The client's certificate (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The server name to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<String>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
}

impl From<&TlsSettings> for Tls {
    fn from(tls: &TlsSettings) -> Tls {
        let whole = |path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            Some(std::path::absolute(path).unwrap_or_else(|_| path.clone()))
        };
        Tls {
            ca: whole(&tls.ca),
            cert: whole(&tls.cert),
            key: whole(&tls.key),
            sni: tls.sni.clone(),
            insecure: tls.is_insecure,
        }
    }
}

/// One shard of an explicit layout.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayoutShard {
    /// The master.
    pub master: NodeAddr,
    /// Its replicas.
    #[serde(default)]
    pub replicas: Vec<NodeAddr>,
    /// Its slots, such as `0-5460`; an equal share when absent.
    #[serde(default)]
    pub slots: Option<crate::model::SlotSet>,
}

/// What create is to make.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Create {
    /// `nodes`, `docker` or `local`.
    pub source: Option<String>,
    /// Masters.
    pub masters: Option<u16>,
    /// Replicas of each master.
    pub replicas: Option<u16>,
    /// The image.
    pub image: Option<String>,
    /// The first port.
    pub base_port: Option<u16>,
    /// The address to listen on or publish at.
    pub bind: Option<std::net::IpAddr>,
    /// The server program.
    pub server: Option<PathBuf>,
    /// The folder of local nodes.
    pub dir: Option<PathBuf>,
    /// Node timeout.
    #[serde(deserialize_with = "duration")]
    pub node_timeout: Option<Duration>,
    /// `host` or `zone`.
    pub require_tolerate: Option<String>,
    /// Whether users are set apart for application, replication, backup, check and admin.
    pub acl_users: Option<bool>,
    /// Whether one or two masters are allowed.
    pub allow_small: Option<bool>,
    /// How long to wait for it to be usable.
    #[serde(deserialize_with = "duration")]
    pub timeout: Option<Duration>,
}

/// How check judges.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Check {
    /// What clusters are for, where they do not say it themselves.
    pub profile: Option<String>,
    /// Time between the two looks.
    #[serde(deserialize_with = "duration")]
    pub sample: Option<Duration>,
    /// `critical`, `warning` or `never`.
    pub fail_on: Option<String>,
    /// Limits and severities by code.
    pub thresholds: BTreeMap<String, Threshold>,
}

/// What is changed about one code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Threshold {
    /// From where on it is a warning, in the code's own unit.
    pub warning: Option<f64>,
    /// From where on it is critical.
    pub critical: Option<f64>,
    /// How grave it is, whatever was measured.
    pub severity: Option<Gravity>,
}

/// A severity, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gravity {
    /// The code is never reported.
    Off,
    /// Reported as information.
    Info,
    /// Reported as a warning.
    Warning,
    /// Reported as critical.
    Critical,
}

impl Gravity {
    /// The severity; `None` is never reported.
    pub fn severity(self) -> Option<Severity> {
        match self {
            Gravity::Off => None,
            Gravity::Info => Some(Severity::Info),
            Gravity::Warning => Some(Severity::Warning),
            Gravity::Critical => Some(Severity::Critical),
        }
    }
}

/// A duration with its unit.
pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)
        .map_err(|_| D::Error::custom("a duration is written with its unit, such as 5s"))?;
    values::duration(&text).map(Some).map_err(D::Error::custom)
}

impl ConfigFile {
    /// Reads a file. `codes` are the codes that a threshold may be set for.
    pub fn read(path: &Path, codes: &[&str]) -> Result<ConfigFile, Failure> {
        let config: Config = read_yaml(path)?;
        verify(&config, codes).map_err(|why| unreadable(path, &why))?;
        Ok(ConfigFile {
            path: path.to_path_buf(),
            config,
        })
    }

    /// A path that the file names: `~/` is the home folder, and a relative one starts at the file.
    pub fn path_of(&self, named: &Path, home: Option<&str>) -> PathBuf {
        match (named.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => Path::new(home).join(rest),
            _ => self.path.parent().unwrap_or(Path::new("")).join(named),
        }
    }
}

/// What no type can say: names, codes, and limits that contradict each other.
fn verify(config: &Config, codes: &[&str]) -> Result<(), String> {
    let names = || config.clusters.keys().map(String::as_str);
    for name in names() {
        values::cluster_name(name).map_err(|why| format!("clusters.{name}: {why}"))?;
    }
    if let Some(default) = config.default.as_deref()
        && !config.clusters.contains_key(default)
    {
        return Err(unknown("default names the cluster", default, names()));
    }
    for (code, threshold) in &config.check.thresholds {
        if !codes.contains(&code.as_str()) {
            let what = "check.thresholds: unknown code";
            return Err(unknown(what, code, codes.iter().copied()));
        }
        verify_limits(threshold).map_err(|why| format!("check.thresholds.{code}: {why}"))?;
    }
    Ok(())
}

fn verify_limits(threshold: &Threshold) -> Result<(), String> {
    let limits = [threshold.warning, threshold.critical];
    if limits.iter().flatten().any(|limit| !limit.is_finite()) {
        return Err("a limit must be a number".to_string());
    }
    match limits {
        [Some(warning), Some(critical)] if warning > critical => Err(format!(
            "warning ({warning}) must not lie above critical ({critical})"
        )),
        _ => Ok(()),
    }
}

fn unknown<'a>(what: &str, word: &'a str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(word, known) {
        Some(near) => format!("{what} '{word}', which is not known; did you mean '{near}'?"),
        None => format!("{what} '{word}', which is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODES: &[&str] = &["slots.uncovered", "replica.lag", "memory.high"];

    #[test]
    fn no_word_of_the_reader_s_language_is_shown() {
        for (text, why) in [
            ("x", "expected sections such as clusters and check"),
            ("clusters: [1]", "a list does not fit here"),
            ("clusters: {a: {nodes: b}}", "expected a list, such as"),
            (
                "clusters: {a: {tls: 5}}",
                "this does not fit here: integer `5`",
            ),
            ("clusters: {a: {}, a: {}}", "written twice: \"a\""),
            (
                "check: {thresholds: {memory.high: {severity: grave}}}",
                "unknown word `grave`",
            ),
        ] {
            let told = read(text).unwrap_err().text();
            assert!(told.contains(why), "{told}");
            assert!(
                !told.contains("struct") && !told.contains("invalid type"),
                "{told}"
            );
        }
    }

    fn read(text: &str) -> Result<ConfigFile, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("goodcache.yaml");
        std::fs::write(&path, text).unwrap();
        ConfigFile::read(&path, CODES)
    }

    #[test]
    fn a_whole_file_is_understood() {
        let config = read(
            "default: shop
clusters:
  shop:
    nodes: [10.0.0.1:7001, 'rediss://ops@10.0.0.2:7001', '[::1]']
    user: ops
    password_file: ~/.shop
    tls: {ca: ca.pem, cert: c.pem, key: k.pem, sni: shop.example, insecure: false}
    node_map: {'172.18.0.2:7001': '127.0.0.1:7001'}
    docker_map: off
    deadline: 500ms
    zones: {'10.0.0.1:7001': a}
    profile: session
    layout:
      - {master: '10.0.0.1:7001', replicas: ['10.0.0.2:7001'], slots: '0-16383'}
    create: {source: docker, masters: 3, replicas: 1, image: 'redis:7', base_port: 7001, bind: 127.0.0.1, node_timeout: 5s}
check:
  profile: cache
  sample: 0s
  fail_on: warning
  thresholds:
    replica.lag: {warning: 5, critical: 10.5}
    memory.high: {severity: off}
",
        )
        .unwrap()
        .config;
        let shop = &config.clusters["shop"];
        assert_eq!(shop.nodes.len(), 3);
        assert_eq!(shop.nodes[2].addr.to_string(), "[::1]:6379");
        assert_eq!(shop.deadline, Some(Duration::from_millis(500)));
        assert!(shop.layout[0].slots.as_ref().unwrap().is_full());
        assert_eq!(config.check.sample, Some(Duration::ZERO));
        let off = config.check.thresholds["memory.high"].severity.unwrap();
        assert_eq!(off.severity(), None);
    }

    #[test]
    fn nothing_is_a_file_too() {
        for text in ["", "\n", "# only a comment\n", "clusters: {}\n"] {
            assert!(
                read(text).is_ok(),
                "{text:?}: {}",
                read(text).unwrap_err().text()
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, parts) in [
            (
                "clusters:\n  shop:\n    nods: [a:1]\n",
                &[
                    "line 3 column 5",
                    "'clusters.shop.nods'",
                    "did you mean 'nodes'",
                ][..],
            ),
            (
                "chek: {}\n",
                &["line 1 column 1", "'chek'", "did you mean 'check'"],
            ),
            (
                "bananas: 1\n",
                &[
                    "unknown key 'bananas'; known here: default, repo, passphrase_file, clusters, check",
                ],
            ),
            (
                "clusters: {shop: {password: s3cret}}\n",
                &[
                    "line 1 column",
                    "'clusters.shop.password' is refused",
                    "password_file",
                ],
            ),
            (
                "clusters: {shop: {nodes: ['redis://:s3cret@h']}}\n",
                &["a password in a URL"],
            ),
            (
                "clusters: {shop: {nodes: [h:0]}}\n",
                &["the port is not", "line 1"],
            ),
            ("clusters: {Shop: {}}\n", &["clusters.Shop", "a-z"]),
            (
                "clusters: {shop: {}}\ndefault: shpo\n",
                &["'shpo'", "did you mean 'shop'"],
            ),
            ("clusters: {shop: {deadline: 2}}\n", &["write 2s", "line 1"]),
            (
                "clusters: {shop: {deadline: '2'}}\n",
                &["write 2s", "line 1"],
            ),
            (
                "check: {thresholds: {replica.lagg: {}}}\n",
                &["'replica.lagg'", "did you mean 'replica.lag'"],
            ),
            (
                "check: {thresholds: {replica.lag: {warning: 9, critical: 3}}}\n",
                &["must not lie above"],
            ),
            (
                "check: {thresholds: {replica.lag: {warning: .nan}}}\n",
                &["replica.lag", "must be a number"],
            ),
            (
                "check: {thresholds: {replica.lag: {severity: bad}}}\n",
                &["bad", "line 1"],
            ),
            ("a: [\n", &["line"]),
            ("default: a\ndefault: b\n", &["written twice", "default"]),
            ("clusters: {a: {}, a: {}}\n", &["written twice", "a"]),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.exit, super::super::exit::Exit::Usage);
            let error = error.text();
            for part in parts {
                assert!(error.contains(part), "{text}\n{error}\nlacks {part}");
            }
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn paths_start_at_the_file_or_at_home() {
        let file = ConfigFile {
            path: "/etc/shop/goodcache.yaml".into(),
            config: Config::default(),
        };
        for (named, path) in [
            ("ca.pem", "/etc/shop/ca.pem"),
            ("/x/ca.pem", "/x/ca.pem"),
            ("~/ca.pem", "/home/ann/ca.pem"),
        ] {
            assert_eq!(
                file.path_of(Path::new(named), Some("/home/ann")),
                Path::new(path)
            );
        }
    }
}
