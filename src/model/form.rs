//! In which form servers stand together: a cluster, a master with replicas, or one alone; and what
//! Sentinels, where there are any, say of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::info::Info;
use super::node::NodeAddr;
use super::survey::Silence;

/// In which form servers stand together.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Servers in cluster mode.
    #[default]
    Cluster,
    /// A master and its replicas, without cluster mode.
    Replication,
    /// One server that nobody follows.
    Standalone,
}

impl Form {
    /// Whether it is a cluster.
    pub fn is_cluster(&self) -> bool {
        *self == Form::Cluster
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Cluster => "cluster",
            Form::Replication => "replication",
            Form::Standalone => "standalone",
        })
    }
}

/// The Sentinels that were asked, and of which master.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sentinels {
    /// The master's name, the one given or the only one; `None` when several are watched and none
    /// was named.
    pub name: Option<String>,
    /// A row each, sorted by address.
    pub asked: Vec<SentinelReport>,
}

/// One Sentinel: where it was asked, what it answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentinelReport {
    /// Where it was asked (after the node map).
    pub addr: NodeAddr,
    /// What came back.
    pub answer: SentinelAnswer,
}

/// What came back from a Sentinel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentinelAnswer {
    /// It answered.
    Facts(Box<SentinelFacts>),
    /// It did not, or not usefully.
    Silent {
        /// In what way.
        silence: Silence,
        /// In words.
        detail: String,
        /// After how long, ms.
        after_ms: u64,
    },
}

/// What a Sentinel says. The tables are as it prints them: names and values.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SentinelFacts {
    /// By which other Sentinels know it (SENTINEL MYID); empty before 6.2.
    pub id: String,
    /// INFO.
    pub info: Info,
    /// The names of all masters that it watches.
    pub watches: Vec<String>,
    /// SENTINEL MASTER of the one that is meant; `None` when it does not watch that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Info>,
    /// SENTINEL REPLICAS.
    pub replicas: Vec<Info>,
    /// SENTINEL SENTINELS: the others that it knows.
    pub others: Vec<Info>,
    /// SENTINEL CKQUORUM: the reply, or the error (`NOQUORUM ...`).
    pub quorum: String,
    /// Whether a PING on a connection without AUTH was answered with PONG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers_without_password: Option<bool>,
}

impl SentinelReport {
    /// Its facts, when it answered.
    pub fn facts(&self) -> Option<&SentinelFacts> {
        match &self.answer {
            SentinelAnswer::Facts(facts) => Some(facts),
            SentinelAnswer::Silent { .. } => None,
        }
    }
}

impl Sentinels {
    /// Those that answered.
    pub fn answered(&self) -> impl Iterator<Item = (&SentinelReport, &SentinelFacts)> {
        self.asked
            .iter()
            .filter_map(|report| Some((report, report.facts()?)))
    }

    /// Those that answered and watch the master, with what they say of it.
    pub fn watching(&self) -> impl Iterator<Item = (&SentinelReport, &SentinelFacts, &Info)> {
        self.answered()
            .filter_map(|(report, facts)| Some((report, facts, facts.master.as_ref()?)))
    }

    /// Where most of them see the master, as they announce it.
    pub fn master(&self) -> Option<NodeAddr> {
        let mut votes: Vec<(NodeAddr, u64, usize)> = Vec::new();
        for (_, _, master) in self.watching() {
            let Some(addr) = address(master) else {
                continue;
            };
            let epoch = master.number("config-epoch").unwrap_or(0);
            match votes.iter_mut().find(|(known, ..)| *known == addr) {
                Some((_, highest, count)) => {
                    *highest = epoch.max(*highest);
                    *count += 1;
                }
                None => votes.push((addr, epoch, 1)),
            }
        }
        // As among them: the newest configuration counts, however many lag behind.
        let best = votes
            .into_iter()
            .max_by_key(|(_, epoch, count)| (*epoch, *count));
        best.map(|(addr, ..)| addr)
    }
}

/// The address that a line of a Sentinel names.
pub fn address(line: &Info) -> Option<NodeAddr> {
    let port = line.get("port")?.parse().ok().filter(|port| *port > 0)?;
    let host = line.get("ip").filter(|host| !host.is_empty())?;
    let addr = NodeAddr::new(host, port);
    // What a server says is dialled and printed later.
    (addr.to_string().parse::<NodeAddr>().as_ref() == Ok(&addr)).then_some(addr)
}

/// Whether a line of a Sentinel has that flag, such as `s_down`.
pub fn is_flagged(line: &Info, flag: &str) -> bool {
    let flags = line.get("flags").unwrap_or_default();
    flags.split(',').any(|known| known == flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_configuration_names_the_master_however_many_lag_behind() {
        let says = |n: u16, port: u16, epoch: u64| SentinelReport {
            addr: NodeAddr::new("10.0.0.9", n),
            answer: SentinelAnswer::Facts(Box::new(SentinelFacts {
                master: Some(Info::parse(&format!(
                    "ip:10.0.0.1\nport:{port}\nconfig-epoch:{epoch}\n"
                ))),
                ..SentinelFacts::default()
            })),
        };
        let sentinels = |asked| Sentinels { name: None, asked };
        let told = sentinels(vec![says(1, 1, 0), says(2, 1, 0), says(3, 2, 1)]);
        assert_eq!(told.master().unwrap().port, 2);
        let told = sentinels(vec![says(1, 1, 0), says(2, 2, 0), says(3, 2, 0)]);
        assert_eq!(told.master().unwrap().port, 2);
        assert!(Sentinels::default().master().is_none());
    }

    #[test]
    fn what_cannot_be_an_address_is_none() {
        for (line, expected) in [
            ("ip:10.0.0.1\nport:7\n", Some("10.0.0.1:7")),
            ("ip:::1\nport:7\n", Some("[::1]:7")),
            ("ip:\nport:7\n", None),
            ("ip:10.0.0.1\nport:0\n", None),
            ("ip:a b\nport:7\n", None),
        ] {
            let found = address(&Info::parse(line)).map(|addr| addr.to_string());
            assert_eq!(found.as_deref(), expected, "{line}");
        }
    }
}
