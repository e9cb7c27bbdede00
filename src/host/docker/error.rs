//! What can go wrong with an engine, said so that the reader can mend it.

use std::error::Error as _;
use std::io;

use crate::host::context::ContextError;
use crate::host::spec::SpecError;

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// No engine answers.
    #[error("no Docker Engine answers at {at}: {why}")]
    NoEngine {
        /// Its address, and who named it.
        at: String,
        /// What is in the way.
        why: Absence,
    },
    /// It cannot be told which engine is meant.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The engine did not answer one question in time.
    #[error("could not {what}: the Docker Engine gave no answer within {seconds} s")]
    Silent {
        /// The question.
        what: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The engine said no.
    #[error("could not {what}: the Docker Engine says: {message}")]
    Refused {
        /// What was asked.
        what: String,
        /// The status of its answer.
        status: u16,
        /// Its words.
        message: String,
    },
    /// What the engine answered, or the way to it, is broken.
    #[error("could not {what}: {why}")]
    Broken {
        /// What was asked.
        what: String,
        /// What came instead.
        why: String,
    },
    /// The description cannot be made into containers.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The image is not there and cannot be fetched.
    #[error("image {image} is not on the engine, and pulling it failed: {why}")]
    NoImage {
        /// The image.
        image: String,
        /// What the engine said.
        why: String,
        /// Images of Redis or Valkey that the engine does have.
        local: Vec<String>,
    },
    /// Ports are in use.
    #[error("{}", ports_in_words(.0))]
    PortsTaken(Vec<TakenPort>),
    /// Something that goodcache did not make for this cluster has the name.
    #[error("there is already a {kind} called {name}, and it is not goodcache's")]
    NameTaken {
        /// `container`, `volume` or `network`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// What stands under this name is another cluster than the one described.
    #[error("a cluster called {name} is there already, and differs: {difference}")]
    Different {
        /// The cluster.
        name: String,
        /// How it differs.
        difference: String,
    },
    /// The ports would be opened on the loopback of another machine.
    #[error(
        "the Docker Engine at {at} is on another machine, and the ports would be published on the loopback of that machine, where nobody here reaches them"
    )]
    Remote {
        /// The engine.
        at: String,
    },
    /// The network has too few addresses.
    #[error("network {network} ({subnet}) has no room for {nodes} nodes")]
    SmallNetwork {
        /// The network.
        network: String,
        /// Its subnet.
        subnet: String,
        /// Nodes asked for.
        nodes: usize,
    },
    /// A node ended right after its start.
    #[error("container {container} ended right after its start (exit code {exit_code}){}", log_in_words(.log))]
    Died {
        /// The container.
        container: String,
        /// With what code.
        exit_code: i64,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// A node runs, and does not answer.
    #[error("container {container} runs, but nothing answers on {addr} after {seconds} s{}", log_in_words(.log))]
    Mute {
        /// The container.
        container: String,
        /// Where it should answer.
        addr: String,
        /// How long it was waited for.
        seconds: u64,
        /// The last lines of its log.
        log: Vec<String>,
    },
    /// The cluster was started from a compose file, so it is compose's to take away.
    #[error("cluster {0} was started with docker compose, not by goodcache create")]
    MadeByCompose(String),
}

/// What is in the way of an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absence {
    /// No such socket.
    #[error("there is no such socket")]
    NoSocket,
    /// The socket may not be used.
    #[error("this user may not use the socket (permission denied)")]
    Denied,
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// No answer.
    #[error("no answer within {0} s")]
    Silent(u64),
    /// Anything else, as it came.
    #[error("{0}")]
    Other(String),
}

/// A port that is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPort {
    /// The port.
    pub port: u16,
    /// By whom, when it can be told.
    pub by: Option<String>,
}

impl DockerError {
    /// The next step to take, when there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            DockerError::NoEngine { why, .. } => why.hint().to_owned(),
            DockerError::NoImage { image, local, .. } => image_hint(image, local),
            DockerError::PortsTaken(_) => {
                "take other ports with --base-port, or stop what holds these".to_owned()
            }
            DockerError::NameTaken { kind, name } => {
                format!("take another --name, or remove it: docker {kind} rm {name}")
            }
            DockerError::Different { name, .. } => {
                format!("take another --name, or remove that one: goodcache destroy {name}")
            }
            DockerError::Remote { .. } => {
                "publish on an address of that machine with --bind, or use an engine on this one \
                 (docker context use default)"
                    .to_owned()
            }
            DockerError::Died { log, .. } if is_too_old(log) => {
                "servers before 7.0 cannot announce a host name to clients: take an image of \
                 Redis 7 or newer, or of Valkey"
                    .to_owned()
            }
            DockerError::Died { container, .. } | DockerError::Mute { container, .. } => {
                format!("read its whole log: docker logs {container}")
            }
            DockerError::MadeByCompose(name) => {
                format!("remove it with docker compose -p {name} down (with -v, its data as well)")
            }
            DockerError::Context(_)
            | DockerError::Spec(_)
            | DockerError::Silent { .. }
            | DockerError::Refused { .. }
            | DockerError::SmallNetwork { .. }
            | DockerError::Broken { .. } => return None,
        })
    }

    /// Whether an engine was to be expected: somebody named one, or there is a socket that leads to
    /// none that works. Where Docker was never installed there is only no socket at the usual place.
    pub(in crate::host) fn is_of_an_expected_engine(&self) -> bool {
        match self {
            DockerError::NoEngine { at, why } => {
                *why != Absence::NoSocket || !at.ends_with("(the default)")
            }
            _ => true,
        }
    }

    /// Whether the engine says that there is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, DockerError::Refused { status: 404, .. })
    }
}

impl Absence {
    /// What an error of the library says about the way to the engine, when it says anything.
    pub(super) fn of(error: &bollard::errors::Error) -> Option<Absence> {
        if let bollard::errors::Error::SocketNotFoundError(_) = error {
            return Some(Absence::NoSocket);
        }
        let mut cause = error.source();
        if let bollard::errors::Error::IOError { err } = error {
            return Some(Absence::of_io(err));
        }
        while let Some(inner) = cause {
            if let Some(io) = inner.downcast_ref::<io::Error>() {
                return Some(Absence::of_io(io));
            }
            cause = inner.source();
        }
        None
    }

    fn of_io(error: &io::Error) -> Absence {
        match error.kind() {
            io::ErrorKind::NotFound => Absence::NoSocket,
            io::ErrorKind::PermissionDenied => Absence::Denied,
            io::ErrorKind::ConnectionRefused => Absence::Refused,
            _ => Absence::Other(error.to_string()),
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Absence::NoSocket => {
                "install or start Docker, or name the engine with DOCKER_HOST; without Docker: \
                 goodcache create --local"
            }
            Absence::Denied => {
                "add the user to the group docker (sudo usermod -aG docker USER, then log in \
                 again), or run as root"
            }
            Absence::Refused | Absence::Silent(_) => {
                "start the engine (systemctl start docker), or name another with DOCKER_HOST"
            }
            Absence::Other(_) => "see whether 'docker version' works",
        }
    }
}

fn image_hint(image: &str, local: &[String]) -> String {
    let have = if local.is_empty() {
        "'make image' makes one of this machine's redis-server".to_owned()
    } else {
        format!("the engine has {}", local.join(", "))
    };
    format!(
        "name an image that the engine has with --image ({have}), or fetch it yourself: docker pull {image}"
    )
}

/// How 6.2 and older refuse a setting that they do not know.
fn is_too_old(log: &[String]) -> bool {
    let says = |part: &str| log.iter().any(|line| line.contains(part));
    says("Bad directive") && says("cluster-")
}

fn ports_in_words(ports: &[TakenPort]) -> String {
    let each = ports.iter().map(|taken| match &taken.by {
        Some(by) => format!("{} (by {by})", taken.port),
        None => taken.port.to_string(),
    });
    let list: Vec<String> = each.collect();
    let (noun, verb) = if list.len() == 1 {
        ("port", "is")
    } else {
        ("ports", "are")
    };
    format!("{noun} {} {verb} already in use", list.join(", "))
}

fn log_in_words(log: &[String]) -> String {
    if log.is_empty() {
        return "; its log is empty".to_owned();
    }
    format!("; the end of its log:\n  {}", log.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_told_in_one_breath() {
        let taken = |port, by: Option<&str>| TakenPort {
            port,
            by: by.map(Into::into),
        };
        assert_eq!(
            DockerError::PortsTaken(vec![taken(7001, Some("container shop")), taken(7002, None)])
                .to_string(),
            "ports 7001 (by container shop), 7002 are already in use"
        );
        assert_eq!(
            DockerError::PortsTaken(vec![taken(7001, None)]).to_string(),
            "port 7001 is already in use"
        );
    }

    #[test]
    fn a_server_too_old_to_announce_a_name_is_recognised() {
        let died = |lines: &[&str]| DockerError::Died {
            container: "shop-redis-1".into(),
            exit_code: 1,
            log: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let old = died(&[
            "*** FATAL CONFIG FILE ERROR (Redis 6.2.14) ***",
            ">>> 'cluster-announce-hostname 127.0.0.1'",
            "Bad directive or wrong number of arguments",
        ]);
        assert!(old.hint().unwrap().contains("before 7.0"));
        assert!(died(&["Killed"]).hint().unwrap().contains("docker logs"));
    }
}
