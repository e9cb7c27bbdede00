//! Which engine is meant: what the `docker` command would use, decided as it decides.
//!
//! In its order: `DOCKER_HOST`, then the context that `DOCKER_CONTEXT` or `config.json` names, then
//! the usual sockets. The engine's library reads the first only, so contexts (which Desktop, Colima
//! and many others live by) are resolved here by hand. Nothing is connected to.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// An engine's address, and how to speak to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `unix:///path`, `tcp://host:port` or `npipe://...`.
    pub host: String,
    /// The files for TLS, when it is to be used.
    pub tls: Option<TlsFiles>,
    /// Who said so, for error texts: `DOCKER_HOST`, `context 'x'`, `the default`.
    pub origin: String,
}

/// The three files that TLS to an engine takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whom to trust.
    pub ca: PathBuf,
    /// The client's certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why it cannot be told which engine is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// The context has no stored description.
    #[error("there is no Docker context '{name}' ({path} cannot be read: {why})")]
    Unknown {
        /// The context.
        name: String,
        /// Where its description should be.
        path: String,
        /// What the system said.
        why: String,
    },
    /// A file that is no JSON, or not of that shape.
    #[error("{path} cannot be understood: {why}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A scheme that is not supported.
    #[error(
        "an engine at '{0}' cannot be used: only unix://, tcp:// and npipe:// are spoken (forward its socket: ssh -NL /tmp/docker.sock:/var/run/docker.sock HOST, then DOCKER_HOST=unix:///tmp/docker.sock)"
    )]
    Scheme(String),
}

/// What the decision is made from.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_TLS_VERIFY`; any value but the empty one means yes.
    pub tls_verify: Option<String>,
    /// `DOCKER_CERT_PATH`.
    pub cert_path: Option<PathBuf>,
    /// `DOCKER_CONFIG`, or `~/.docker`.
    pub config: Option<PathBuf>,
    /// Sockets to look for when nothing is said, in this order.
    pub sockets: Vec<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Surroundings {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let home = set("HOME")
            .or_else(|| set("USERPROFILE"))
            .map(PathBuf::from);
        let dot_docker = home.as_ref().map(|home| home.join(".docker"));
        let mut sockets = vec![PathBuf::from("/var/run/docker.sock")];
        sockets.extend(dot_docker.as_ref().map(|dir| dir.join("run/docker.sock")));
        sockets.extend(set("XDG_RUNTIME_DIR").map(|dir| Path::new(&dir).join("docker.sock")));
        Surroundings {
            docker_host: set("DOCKER_HOST"),
            docker_context: set("DOCKER_CONTEXT"),
            tls_verify: set("DOCKER_TLS_VERIFY"),
            cert_path: set("DOCKER_CERT_PATH").map(PathBuf::from),
            config: set("DOCKER_CONFIG").map(PathBuf::from).or(dot_docker),
            sockets,
        }
    }
}

impl Target {
    /// The engine that is meant.
    pub fn resolve(around: &Surroundings) -> Result<Target, ContextError> {
        let target = match (&around.docker_host, context_name(around)?) {
            (Some(host), _) => from_variable(host, around),
            (None, Some(name)) => from_context(&name, around)?,
            (None, None) => default_socket(around),
        };
        let is_spoken = ["unix://", "tcp://", "http://", "https://", "npipe://"]
            .iter()
            .any(|scheme| target.host.starts_with(scheme));
        if is_spoken {
            Ok(target)
        } else {
            Err(ContextError::Scheme(target.host))
        }
    }

    /// The other machine's name, when the engine is not on this one: its published ports are there.
    pub fn remote_host(&self) -> Option<String> {
        let (scheme, rest) = self.host.split_once("://")?;
        if matches!(scheme, "unix" | "npipe") {
            return None;
        }
        let authority = rest.split('/').next().unwrap_or(rest);
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or(v6),
            None => authority
                .rsplit_once(':')
                .map_or(authority, |(host, _)| host),
        };
        let address = crate::model::NodeAddr::new(host, 1);
        (!address.is_loopback()).then(|| host.to_owned())
    }
}

fn from_variable(host: &str, around: &Surroundings) -> Target {
    let wants_tls = around.tls_verify.is_some() && host.starts_with("tcp://");
    let folder = around.cert_path.clone().or_else(|| around.config.clone());
    Target {
        host: host.to_owned(),
        tls: folder
            .filter(|_| wants_tls)
            .map(|dir| TlsFiles::in_folder(&dir)),
        origin: "DOCKER_HOST".to_owned(),
    }
}

impl TlsFiles {
    fn in_folder(dir: &Path) -> TlsFiles {
        TlsFiles {
            ca: dir.join("ca.pem"),
            cert: dir.join("cert.pem"),
            key: dir.join("key.pem"),
        }
    }
}

fn default_socket(around: &Surroundings) -> Target {
    let found = around.sockets.iter().find(|path| path.exists());
    let path = found.or(around.sockets.first());
    Target {
        host: path.map_or_else(
            || "unix:///var/run/docker.sock".to_owned(),
            |path| format!("unix://{}", path.display()),
        ),
        tls: None,
        origin: "the default".to_owned(),
    }
}

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "currentContext")]
    current_context: Option<String>,
}

/// The context in use; `default` is the word for none. `DOCKER_HOST` wins over the one of the file.
fn context_name(around: &Surroundings) -> Result<Option<String>, ContextError> {
    let named = match (&around.docker_host, &around.docker_context, &around.config) {
        (Some(_), ..) => None,
        (None, Some(name), _) => Some(name.clone()),
        (None, None, Some(dir)) => {
            let path = dir.join("config.json");
            match std::fs::read(&path) {
                Ok(text) => parse::<Config>(&path, &text)?.current_context,
                Err(_) => None,
            }
        }
        (None, None, None) => None,
    };
    Ok(named.filter(|name| !name.is_empty() && name != "default"))
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Endpoint,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host")]
    host: String,
}

/// A context's description lies under the SHA-256 of its name.
fn from_context(name: &str, around: &Surroundings) -> Result<Target, ContextError> {
    let folder = around.config.clone().unwrap_or_default().join("contexts");
    let digest = Sha256::digest(name.as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = folder.join("meta").join(&hash).join("meta.json");
    let text = std::fs::read(&path).map_err(|error| ContextError::Unknown {
        name: name.to_owned(),
        path: path.display().to_string(),
        why: error.to_string(),
    })?;
    let meta: Meta = parse(&path, &text)?;
    let tls = TlsFiles::in_folder(&folder.join("tls").join(&hash).join("docker"));
    Ok(Target {
        host: meta.endpoints.docker.host,
        tls: tls.cert.exists().then_some(tls),
        origin: format!("context '{name}'"),
    })
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T, ContextError> {
    serde_json::from_slice(text).map_err(|error| ContextError::Broken {
        path: path.display().to_string(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(current: &str, name: &str, host: &str) -> (tempfile::TempDir, Surroundings) {
        let dir = tempfile::tempdir().unwrap();
        let config = format!("{{\"auths\":{{}},\"currentContext\":\"{current}\"}}");
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        let hash: String = Sha256::digest(name.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let meta = dir.path().join("contexts/meta").join(hash);
        std::fs::create_dir_all(&meta).unwrap();
        let text = format!(
            "{{\"Name\":\"{name}\",\"Metadata\":{{}},\"Endpoints\":{{\"docker\":{{\"Host\":\"{host}\",\"SkipTLSVerify\":false}}}}}}"
        );
        std::fs::write(meta.join("meta.json"), text).unwrap();
        let around = Surroundings {
            config: Some(dir.path().to_owned()),
            ..Surroundings::default()
        };
        (dir, around)
    }

    #[test]
    fn the_context_of_the_configuration_is_used() {
        let (_dir, around) = stored("colima", "colima", "unix:///tmp/colima.sock");
        let target = Target::resolve(&around).unwrap();
        assert_eq!(target.host, "unix:///tmp/colima.sock");
        assert_eq!(target.origin, "context 'colima'");
    }

    #[test]
    fn variables_win_over_the_configuration() {
        let (_dir, mut around) = stored("colima", "far", "tcp://far.example:2376");
        around.docker_context = Some("far".into());
        let target = Target::resolve(&around).unwrap();
        assert_eq!(target.remote_host().as_deref(), Some("far.example"));
        around.docker_host = Some("unix:///here.sock".into());
        assert_eq!(Target::resolve(&around).unwrap().host, "unix:///here.sock");
    }

    #[test]
    fn a_context_that_is_not_there_is_named() {
        let (_dir, mut around) = stored("default", "x", "unix:///x");
        assert_eq!(Target::resolve(&around).unwrap().origin, "the default");
        around.docker_context = Some("gone".into());
        let error = Target::resolve(&around).unwrap_err().to_string();
        assert!(error.contains("no Docker context 'gone'"), "{error}");
    }

    #[test]
    fn a_broken_configuration_is_said_to_be_broken() {
        let (dir, around) = stored("x", "x", "unix:///x");
        std::fs::write(dir.path().join("config.json"), "{").unwrap();
        let error = Target::resolve(&around).unwrap_err().to_string();
        assert!(
            error.contains("config.json cannot be understood"),
            "{error}"
        );
    }

    #[test]
    fn tls_is_for_tcp_with_the_variable_set() {
        let around = |host: &str, verify: Option<&str>| Surroundings {
            docker_host: Some(host.into()),
            tls_verify: verify.map(Into::into),
            cert_path: Some("/certs".into()),
            ..Surroundings::default()
        };
        let tls = |around| Target::resolve(&around).unwrap().tls;
        assert_eq!(
            tls(around("tcp://h:2376", Some("1"))).unwrap().ca,
            Path::new("/certs/ca.pem")
        );
        assert_eq!(tls(around("tcp://h:2375", None)), None);
        assert_eq!(tls(around("unix:///s", Some("1"))), None);
    }

    #[test]
    fn where_the_published_ports_are() {
        for (host, remote) in [
            ("unix:///var/run/docker.sock", None),
            ("tcp://127.0.0.1:2375", None),
            ("tcp://[::1]:2375", None),
            ("tcp://localhost:2375", None),
            ("tcp://10.0.0.7:2375", Some("10.0.0.7")),
            ("tcp://build.example:2376/", Some("build.example")),
        ] {
            let target = Target {
                host: host.into(),
                tls: None,
                origin: String::new(),
            };
            assert_eq!(target.remote_host().as_deref(), remote, "{host}");
        }
    }

    #[test]
    fn ssh_is_refused_with_a_way_out() {
        let around = Surroundings {
            docker_host: Some("ssh://me@far".into()),
            ..Surroundings::default()
        };
        let error = Target::resolve(&around).unwrap_err().to_string();
        assert!(error.contains("ssh -NL"), "{error}");
    }
}
