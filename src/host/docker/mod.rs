//! Nodes in containers, through a Docker Engine from 20.10 on.
//!
//! Each file is one story: how the engine is reached (here), how an image comes to be there
//! (`image`), how nodes are launched (`launch`, with `container`, `network` and `ports`), how they
//! are found and taken away again (`found`), how an address inside maps to one outside (`map`), what
//! limits a node's container has (`seen`), and how a node is found for a drill, broken and put back
//! (`locate`, `inspect`, `drill`, `isolate`).
//! Every question to the engine has a deadline, and everything made is labelled before it exists.

mod answer;
mod container;
mod drill;
mod error;
mod found;
mod image;
mod inspect;
mod isolate;
mod launch;
mod locate;
mod map;
mod network;
mod ports;
mod seen;

use std::collections::HashMap;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;

use super::context::{Surroundings, Target, TlsFiles};

pub use super::node_conf::Contents;
pub use container::{change_certificate, change_password};
pub(in crate::host) use drill::{pause, strike, undo, unpause};
pub use error::{Absence, DockerError, TakenPort};
pub use found::{Found, FoundNode, Removed, find, remove, start_stopped};
pub(in crate::host) use inspect::prepare;
pub use inspect::{Container, ContainerUndo};
pub use isolate::Endpoint;
pub use launch::{RunningNode, launch, launch_with};
pub(in crate::host) use locate::{Containers, containers, locate, nodes_inside};
pub use map::{Mapped, node_map};
pub(in crate::host) use seen::{machine, see};

/// How long the engine may think about one question.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take to answer at all: a dead one is told apart soon.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);

/// An engine that answered.
#[derive(Debug, Clone)]
pub struct Engine {
    docker: Docker,
    target: Target,
}

impl Engine {
    /// The engine that the `docker` command of this user would use.
    pub async fn connect() -> Result<Engine, DockerError> {
        Engine::connect_to(Target::resolve(&Surroundings::of_this_process())?).await
    }

    /// That engine.
    pub async fn connect_to(target: Target) -> Result<Engine, DockerError> {
        let at = describe(&target);
        let absent = |why| DockerError::NoEngine {
            at: at.clone(),
            why,
        };
        let unreachable = |error: bollard::errors::Error| {
            absent(Absence::of(&error).unwrap_or_else(|| Absence::Other(error.to_string())))
        };
        let docker = open(&target).map_err(unreachable)?;
        // Today's library sends no version with its questions; the next one does, and an old engine
        // refuses a version that is newer than itself.
        let negotiated = tokio::time::timeout(FIRST_PATIENCE, docker.negotiate_version()).await;
        let docker = negotiated
            .map_err(|_| absent(Absence::Silent(FIRST_PATIENCE.as_secs())))?
            .map_err(unreachable)?;
        Ok(Engine { docker, target })
    }

    /// Its address, and who named it: `unix:///var/run/docker.sock (the default)`.
    pub fn describe(&self) -> String {
        describe(&self.target)
    }

    /// The other machine's name, when the engine is not on this one.
    pub fn remote_host(&self) -> Option<String> {
        self.target.remote_host()
    }

    /// Asks one question, under a deadline. `what` completes "could not".
    async fn ask<T>(
        &self,
        what: impl Display,
        answer: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T, DockerError> {
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|error| self.understand(&what, error)),
            Err(_) => Err(DockerError::Silent {
                what: what.to_string(),
                seconds: PATIENCE.as_secs(),
            }),
        }
    }

    /// What an error of the library means.
    fn understand(&self, what: impl Display, error: bollard::errors::Error) -> DockerError {
        use bollard::errors::Error as Lib;
        if let Some(why) = Absence::of(&error) {
            return DockerError::NoEngine {
                at: self.describe(),
                why,
            };
        }
        let what = what.to_string();
        match error {
            Lib::DockerResponseServerError {
                status_code,
                message,
            } => DockerError::Refused {
                what,
                status: status_code,
                message,
            },
            other => DockerError::Broken {
                what,
                why: other.to_string(),
            },
        }
    }

    /// The last lines of a container's log, both streams, oldest first.
    pub async fn last_log_lines(
        &self,
        container: &str,
        count: usize,
    ) -> Result<Vec<String>, DockerError> {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail(&count.to_string())
            .build();
        let mut pieces = self.docker.logs(container, Some(options));
        let read = async {
            let mut text = Vec::new();
            while let Some(piece) = pieces.next().await {
                text.extend_from_slice(&piece?.into_bytes());
            }
            Ok(text)
        };
        let text = self
            .ask(format!("read the log of {container}"), read)
            .await?;
        let text = String::from_utf8_lossy(&text);
        Ok(text
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect())
    }
}

fn describe(target: &Target) -> String {
    format!("{} ({})", target.host, target.origin)
}

fn open(target: &Target) -> Result<Docker, bollard::errors::Error> {
    match &target.tls {
        Some(TlsFiles { ca, cert, key }) => Docker::connect_with_ssl(
            &target.host,
            key,
            cert,
            ca,
            PATIENCE.as_secs(),
            bollard::API_DEFAULT_VERSION,
        ),
        None => Docker::connect_with_host(&target.host),
    }
}

/// A filter for lists: only what carries this label.
fn labelled(name: &str, value: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![format!("{name}={value}")])])
}
