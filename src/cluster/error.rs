//! What can go wrong between here and one node, told apart as far as it can be.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{NodeAddr, Secret, Silence};

/// Why a node did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// No answer within the deadline.
    #[error("{addr} did not answer within {}", seconds(.after))]
    Timeout {
        /// Who.
        addr: NodeAddr,
        /// How long was waited.
        after: Duration,
    },
    /// No connection within the deadline: the first packets came to nothing.
    #[error("{addr} took no connection within {}", seconds(.after))]
    NoConnection {
        /// Who.
        addr: NodeAddr,
        /// How long was waited.
        after: Duration,
    },
    /// Nothing listens there.
    #[error("{addr} refused the connection")]
    Refused {
        /// Who.
        addr: NodeAddr,
    },
    /// No way there.
    #[error("{addr} cannot be reached: {why}")]
    Unreachable {
        /// Who.
        addr: NodeAddr,
        /// The system's words.
        why: String,
    },
    /// It closed the connection.
    #[error("{addr} closed the connection{}", after(.why))]
    Closed {
        /// Who.
        addr: NodeAddr,
        /// The system's words, when there were any.
        why: String,
    },
    /// Its address was announced by a node and vouched for by nobody.
    #[error("{addr} ({ip}) was only announced by a node: the password was not sent there")]
    NotTrusted {
        /// Who.
        addr: NodeAddr,
        /// Where that led.
        ip: IpAddr,
    },
    /// TLS failed.
    #[error("TLS with {addr} failed: {why}")]
    Tls {
        /// Who.
        addr: NodeAddr,
        /// The TLS library's words.
        why: String,
    },
    /// What came back is not the servers' protocol.
    #[error("{addr} does not speak the Redis protocol: it sent {saw}")]
    NotRedis {
        /// Who.
        addr: NodeAddr,
        /// The beginning of what it sent, quoted.
        saw: String,
    },
    /// It speaks the protocol, but what it answered cannot be what was asked for.
    #[error("{addr} gave no sound answer to {to}: {why}")]
    BadReply {
        /// Who.
        addr: NodeAddr,
        /// The question.
        to: &'static str,
        /// What is wrong with the answer.
        why: String,
    },
    /// It answers, but more than any sound server would.
    #[error("{addr} sent more than {} MiB in one answer and was cut off", limit / (1 << 20))]
    Flood {
        /// Who.
        addr: NodeAddr,
        /// The limit, bytes.
        limit: u64,
    },
    /// It wants a password.
    #[error("{addr} wants a password")]
    PasswordWanted {
        /// Who.
        addr: NodeAddr,
    },
    /// It does not take the password or the user.
    #[error("{addr} does not accept the password of user '{user}'")]
    PasswordWrong {
        /// Who.
        addr: NodeAddr,
        /// For whom.
        user: String,
    },
    /// The user may not do that.
    #[error("{addr} does not permit this: {said}")]
    Forbidden {
        /// Who.
        addr: NodeAddr,
        /// The server's words.
        said: String,
    },
    /// It is loading its data.
    #[error("{addr} is still loading its data")]
    Loading {
        /// Who.
        addr: NodeAddr,
    },
    /// It is not in cluster mode.
    #[error("{addr} is not in cluster mode")]
    NotCluster {
        /// Who.
        addr: NodeAddr,
    },
    /// It is a Sentinel.
    #[error("{addr} is a Sentinel, which holds no data")]
    Sentinel {
        /// Who.
        addr: NodeAddr,
    },
    /// Any other error reply.
    #[error("{addr} answered: {said}")]
    Server {
        /// Who.
        addr: NodeAddr,
        /// The server's words, its code first.
        said: String,
    },
}

impl NodeError {
    /// The state of a row for a node that failed so; `None` when it does answer.
    pub fn silence(&self) -> Option<Silence> {
        Some(match self {
            NodeError::Timeout { .. } => Silence::Timeout,
            NodeError::NoConnection { .. } => Silence::NoConnection,
            NodeError::Refused { .. } => Silence::Refused,
            NodeError::Unreachable { .. } => Silence::Unreachable,
            NodeError::Closed { .. } => Silence::Closed,
            NodeError::Tls { .. } => Silence::Tls,
            NodeError::NotTrusted { .. } => Silence::NotAsked,
            NodeError::NotRedis { .. } | NodeError::BadReply { .. } | NodeError::Flood { .. } => {
                Silence::NotRedis
            }
            NodeError::PasswordWanted { .. } => Silence::PasswordWanted,
            NodeError::PasswordWrong { .. } => Silence::PasswordWrong,
            NodeError::Forbidden { .. } => Silence::Forbidden,
            NodeError::Loading { .. } => Silence::Loading,
            NodeError::NotCluster { .. } => Silence::NotCluster,
            NodeError::Sentinel { .. } => Silence::Sentinel,
            NodeError::Server { .. } => return None,
        })
    }

    /// The next step.
    pub fn hint(&self) -> String {
        match self {
            NodeError::Timeout { addr, .. } | NodeError::NoConnection { addr, .. } => format!(
                "see whether the process hangs or packets are dropped: redis-cli -h {} -p {} ping",
                addr.host, addr.port
            ),
            NodeError::Refused { .. } => {
                "start the server, or give the address it listens on".into()
            }
            NodeError::NotTrusted { .. } => Silence::NotAsked.hint().into(),
            NodeError::Unreachable { .. } => "check the name, the route and the firewall".into(),
            NodeError::Closed { why, .. } if why.contains(FULL) => {
                "close idle clients or raise maxclients".into()
            }
            NodeError::Closed { .. } => {
                "a server that speaks TLS closes plain connections: try --tls".into()
            }
            NodeError::Tls { .. } => {
                "check --cacert, --cert, --key and --sni, or leave --tls out for a plain server"
                    .into()
            }
            NodeError::NotRedis { .. } | NodeError::BadReply { .. } | NodeError::Flood { .. } => {
                "give the address of a Redis or Valkey server (its client port, not the bus port)"
                    .into()
            }
            NodeError::PasswordWanted { .. } => {
                "give it with --password-file FILE or in REDIS_PASSWORD".into()
            }
            NodeError::PasswordWrong { .. } => {
                "check --user and the password; every node must know the same".into()
            }
            NodeError::Forbidden { .. } => {
                "log in as a user with the right to it: --user NAME".into()
            }
            NodeError::Loading { .. } => "wait until it has loaded, then try again".into(),
            NodeError::NotCluster { .. } => "start it with cluster-enabled yes".into(),
            NodeError::Sentinel { .. } => Silence::Sentinel.hint().into(),
            NodeError::Server { .. } => "the server's log may say more".into(),
        }
    }

    /// Whether the connection is of no more use: later questions would fare the same.
    pub(super) fn is_end(&self) -> bool {
        !matches!(
            self,
            NodeError::Server { .. }
                | NodeError::Forbidden { .. }
                | NodeError::PasswordWanted { .. }
                | NodeError::PasswordWrong { .. }
                | NodeError::Loading { .. }
                | NodeError::NotCluster { .. }
                | NodeError::Sentinel { .. }
        )
    }

    /// The same, with that secret taken out of the server's words: what does not know a command, such as
    /// a proxy, quotes all that it was sent.
    #[must_use]
    pub fn without(mut self, secret: &Secret) -> NodeError {
        let words = match &mut self {
            NodeError::Server { said, .. } | NodeError::Forbidden { said, .. } => said,
            NodeError::Closed { why, .. } => why,
            NodeError::NotRedis { saw, .. } => saw,
            _ => return self,
        };
        for shown in [secret.expose().to_owned(), printable(secret.expose())] {
            if !shown.is_empty() {
                *words = words.replace(&shown, &secret.to_string());
            }
        }
        self
    }

    /// Reads an error reply.
    pub(super) fn from_reply(
        addr: &NodeAddr,
        code: &str,
        detail: &str,
        user: Option<&str>,
    ) -> NodeError {
        let addr = addr.clone();
        let said = printable(format!("{code} {detail}").trim_end());
        match code {
            "NOAUTH" => NodeError::PasswordWanted { addr },
            "WRONGPASS" => NodeError::PasswordWrong {
                addr,
                user: user.unwrap_or("default").to_owned(),
            },
            // As servers before 6.0 put it.
            "ERR" if detail == "invalid password" => NodeError::PasswordWrong {
                addr,
                user: user.unwrap_or("default").to_owned(),
            },
            "NOPERM" => NodeError::Forbidden { addr, said },
            "LOADING" => NodeError::Loading { addr },
            "ERR" if detail.contains("cluster support disabled") => NodeError::NotCluster { addr },
            "ERR" if detail.starts_with(FULL) => NodeError::Closed { addr, why: said },
            // What follows the first sentence is a page of advice.
            "DENIED" => NodeError::Forbidden {
                addr,
                said: said.split(". ").next().unwrap_or_default().to_owned(),
            },
            _ => NodeError::Server { addr, said },
        }
    }
}

/// What a server says before it closes when it has too many clients.
const FULL: &str = "max number of clients";

/// The longest piece of a server's words that is shown.
const LONGEST: usize = 400;

/// A server's words fit for a terminal: control characters written out, and cut when they run on.
pub(super) fn printable(words: &str) -> String {
    let mut text = String::new();
    for c in words.chars() {
        if text.len() > LONGEST {
            text.push_str("...");
            break;
        }
        match c.is_control() {
            true => text.extend(c.escape_default()),
            false => text.push(c),
        }
    }
    text
}

fn seconds(after: &Duration) -> String {
    format!("{} s", after.as_secs_f64())
}

fn after(why: &str) -> String {
    if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, detail: &str) -> NodeError {
        NodeError::from_reply(&NodeAddr::new("a", 1), code, detail, Some("app"))
    }

    #[test]
    fn error_replies_become_states() {
        for (code, detail, silence, text) in [
            (
                "NOAUTH",
                "Authentication required.",
                Some(Silence::PasswordWanted),
                "a:1 wants a password",
            ),
            (
                "WRONGPASS",
                "invalid username-password pair or user is disabled.",
                Some(Silence::PasswordWrong),
                "a:1 does not accept the password of user 'app'",
            ),
            (
                "ERR",
                "invalid password",
                Some(Silence::PasswordWrong),
                "a:1 does not accept the password of user 'app'",
            ),
            (
                "ERR",
                "max number of clients reached",
                Some(Silence::Closed),
                "a:1 closed the connection: ERR max number of clients reached",
            ),
            (
                "DENIED",
                "Redis is running in protected mode because of this. In this mode do that.",
                Some(Silence::Forbidden),
                "a:1 does not permit this: DENIED Redis is running in protected mode because of this",
            ),
            ("OOPS", "", None, "a:1 answered: OOPS"),
            (
                "ERR",
                "\u{1b}[2J\r\nx",
                None,
                "a:1 answered: ERR \\u{1b}[2J\\r\\nx",
            ),
        ] {
            let error = read(code, detail);
            assert_eq!(error.silence(), silence, "{code} {detail}");
            assert_eq!(error.to_string(), text);
        }
        assert!(read("ERR", &"x".repeat(10_000)).to_string().len() < 500);
    }
}
