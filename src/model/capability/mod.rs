//! Capabilities: what a server permits, whoever runs it. A survey fills them in once, from what the
//! server says of its commands, the rule of the user who asks, and what became of the questions that are
//! asked anyhow; every command asks here before it decides.
//!
//! No capability is tried out. What cannot be told without trying is unknown, and whoever needs it
//! tries, as if nothing had been asked: a table that says no is believed, one that says yes is not a
//! promise.

mod rule;
mod seen;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::facts::{Facts, Probe};
use super::survey::{NodeReport, Survey};

pub use seen::{Known, Signs};

/// Something that a command of goodcache needs of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// CLUSTER NODES.
    Cluster,
    /// COMMAND INFO, by which most of the others are known.
    Commands,
    /// CONFIG GET.
    ConfigGet,
    /// CONFIG SET.
    ConfigSet,
    /// CONFIG REWRITE.
    ConfigRewrite,
    /// ACL LIST.
    AclList,
    /// ACL SETUSER.
    AclSetUser,
    /// SLOWLOG GET.
    SlowLog,
    /// LATENCY LATEST.
    Latency,
    /// MODULE LIST.
    Modules,
    /// PSYNC and REPLCONF: to be sent what a replica is sent.
    Replication,
    /// CLIENT LIST.
    ClientList,
    /// CLIENT PAUSE and CLIENT UNPAUSE.
    ClientPause,
    /// CLUSTER FAILOVER.
    ClusterFailover,
    /// CLUSTER MEET.
    ClusterMeet,
    /// CLUSTER ADDSLOTS.
    ClusterAddSlots,
    /// CLUSTER REPLICATE.
    ClusterReplicate,
    /// DEBUG.
    Debug,
    /// SHUTDOWN.
    Shutdown,
    /// SCAN.
    Scan,
    /// DUMP.
    Dump,
    /// RESTORE.
    Restore,
    /// SET.
    Set,
    /// FLUSHALL.
    FlushAll,
    /// FUNCTION DUMP.
    FunctionDump,
    /// FUNCTION RESTORE.
    FunctionRestore,
}

/// By what a capability is known.
enum Sign {
    /// By the answer to a question that is asked anyhow.
    Answer(Probe),
    /// By what COMMAND INFO and the user's rule say of these commands, all of which it takes.
    Commands(&'static [&'static str]),
    /// By what became of a question that no probe stands for.
    Noted,
}

const ROWS: &[(Capability, &str, Sign)] = &[
    (Capability::Cluster, "CLUSTER NODES", Sign::Noted),
    (Capability::Commands, "COMMAND INFO", Sign::Noted),
    (
        Capability::ConfigGet,
        "CONFIG GET",
        Sign::Answer(Probe::Config),
    ),
    (
        Capability::ConfigSet,
        "CONFIG SET",
        Sign::Commands(&["config|set"]),
    ),
    (
        Capability::ConfigRewrite,
        "CONFIG REWRITE",
        Sign::Commands(&["config|rewrite"]),
    ),
    (Capability::AclList, "ACL LIST", Sign::Answer(Probe::Acl)),
    (
        Capability::AclSetUser,
        "ACL SETUSER",
        Sign::Commands(&["acl|setuser"]),
    ),
    (
        Capability::SlowLog,
        "SLOWLOG GET",
        Sign::Answer(Probe::SlowLog),
    ),
    (
        Capability::Latency,
        "LATENCY LATEST",
        Sign::Answer(Probe::Latency),
    ),
    (
        Capability::Modules,
        "MODULE LIST",
        Sign::Answer(Probe::Modules),
    ),
    (
        Capability::Replication,
        "PSYNC",
        Sign::Commands(&["psync", "replconf"]),
    ),
    (
        Capability::ClientList,
        "CLIENT LIST",
        Sign::Commands(&["client|list"]),
    ),
    (
        Capability::ClientPause,
        "CLIENT PAUSE",
        Sign::Commands(&["client|pause", "client|unpause"]),
    ),
    (
        Capability::ClusterFailover,
        "CLUSTER FAILOVER",
        Sign::Commands(&["cluster|failover"]),
    ),
    (
        Capability::ClusterMeet,
        "CLUSTER MEET",
        Sign::Commands(&["cluster|meet"]),
    ),
    (
        Capability::ClusterAddSlots,
        "CLUSTER ADDSLOTS",
        Sign::Commands(&["cluster|addslots"]),
    ),
    (
        Capability::ClusterReplicate,
        "CLUSTER REPLICATE",
        Sign::Commands(&["cluster|replicate"]),
    ),
    (Capability::Debug, "DEBUG", Sign::Commands(&["debug"])),
    (
        Capability::Shutdown,
        "SHUTDOWN",
        Sign::Commands(&["shutdown"]),
    ),
    (Capability::Scan, "SCAN", Sign::Commands(&["scan"])),
    (Capability::Dump, "DUMP", Sign::Commands(&["dump"])),
    (Capability::Restore, "RESTORE", Sign::Commands(&["restore"])),
    (Capability::Set, "SET", Sign::Commands(&["set"])),
    (
        Capability::FlushAll,
        "FLUSHALL",
        Sign::Commands(&["flushall"]),
    ),
    (
        Capability::FunctionDump,
        "FUNCTION DUMP",
        Sign::Commands(&["function|dump"]),
    ),
    (
        Capability::FunctionRestore,
        "FUNCTION RESTORE",
        Sign::Commands(&["function|restore"]),
    ),
];

/// Whether a server permits something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit<'a> {
    /// It answered, or has the command and the user's rule allows it.
    Yes,
    /// It does not, and why: its own words where it was asked.
    No(&'a str),
    /// It cannot be told without trying.
    Unknown,
}

/// What one server permits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    permitted: BTreeSet<Capability>,
    refused: BTreeMap<Capability, String>,
}

impl Capability {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Capability> {
        ROWS.iter().map(|&(capability, _, _)| capability)
    }

    /// The command, as people write it.
    pub fn words(self) -> &'static str {
        let row = ROWS.iter().find(|(capability, _, _)| *capability == self);
        row.map_or("", |(_, words, _)| words)
    }

    /// The commands about which COMMAND INFO is asked.
    pub fn commands() -> impl Iterator<Item = &'static str> {
        ROWS.iter()
            .flat_map(|(_, _, sign)| sign.commands())
            .copied()
    }

    /// Whether goodcache only looks by it, and changes nothing.
    pub fn is_looking(self) -> bool {
        matches!(self.sign(), Some(Sign::Answer(_))) || self == Capability::Cluster
    }

    /// What gives a user the right to it: `+config|set`.
    pub fn rule(self) -> String {
        let commands = self.sign().map(Sign::commands).unwrap_or_default();
        let plain = self.words().to_ascii_lowercase().replace(' ', "|");
        let words: Vec<String> = match commands {
            [] => vec![format!("+{plain}")],
            commands => commands.iter().map(|name| format!("+{name}")).collect(),
        };
        words.join(" ")
    }

    fn sign(self) -> Option<&'static Sign> {
        let row = ROWS.iter().find(|(capability, _, _)| *capability == self);
        row.map(|(_, _, sign)| sign)
    }
}

impl Sign {
    fn commands(&self) -> &'static [&'static str] {
        match self {
            Sign::Commands(names) => names,
            Sign::Answer(_) | Sign::Noted => &[],
        }
    }
}

impl Capabilities {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.refused.is_empty()
    }

    /// Notes that the server refused it, with its words.
    pub fn refuse(&mut self, capability: Capability, why: impl Into<String>) {
        self.permitted.remove(&capability);
        self.refused.insert(capability, why.into());
    }

    /// Notes that nothing stands against it.
    pub fn permit(&mut self, capability: Capability) {
        if !self.refused.contains_key(&capability) {
            self.permitted.insert(capability);
        }
    }

    /// What is known.
    pub fn of(&self, capability: Capability) -> Permit<'_> {
        match self.refused.get(&capability) {
            Some(why) => Permit::No(why),
            None if self.permitted.contains(&capability) => Permit::Yes,
            None => Permit::Unknown,
        }
    }
}

impl Facts {
    /// Whether the server permits it. Surveys that were recorded before capabilities were noted tell
    /// what their questions came to.
    pub fn permit(&self, capability: Capability) -> Permit<'_> {
        match (self.capabilities.of(capability), capability.sign()) {
            (Permit::Unknown, Some(Sign::Answer(probe))) => match self.why_not(*probe) {
                Some(why) if is_refusal(why) => Permit::No(why),
                _ => Permit::Unknown,
            },
            (known, _) => known,
        }
    }

    /// Why the server does not permit it; `None` when it does, and when that is not known.
    pub fn refusal(&self, capability: Capability) -> Option<&str> {
        match self.permit(capability) {
            Permit::No(why) => Some(why),
            Permit::Yes | Permit::Unknown => None,
        }
    }
}

/// What some servers of a survey refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// What.
    pub capability: Capability,
    /// How many of the servers that answered refuse it.
    pub nodes: usize,
    /// The first one's reason.
    pub why: String,
}

impl Survey {
    /// The first server that refuses it, and why.
    pub fn refusal(&self, capability: Capability) -> Option<(&NodeReport, &str)> {
        self.answered()
            .find_map(|(node, facts)| Some((node, facts.refusal(capability)?)))
    }

    /// All that is refused somewhere.
    pub fn withheld(&self) -> Vec<Withheld> {
        let of = |capability| {
            let (_, why) = self.refusal(capability)?;
            let refusing = |facts: &Facts| facts.refusal(capability).is_some();
            Some(Withheld {
                capability,
                nodes: self.answered().filter(|(_, f)| refusing(f)).count(),
                why: why.to_owned(),
            })
        };
        Capability::all().filter_map(of).collect()
    }
}

/// Whether a server's words are a refusal of the command itself, in one of the three shapes in which
/// services and servers refuse: it does not know the command, this user may not give it, or it is not
/// supported there. Anything else (a timeout, a wrong argument, a state that passes) is none.
pub fn is_refusal(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    let shapes = [
        "unknown command",
        "unknown subcommand",
        "noperm",
        "not supported",
        "not allowed",
        "unsupported command",
        "no permissions to run",
    ];
    shapes.iter().any(|shape| said.contains(shape)) && !said.starts_with("oom ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NotRead;

    #[test]
    fn every_capability_has_a_row_and_words() {
        let all: BTreeSet<Capability> = Capability::all().collect();
        assert_eq!(all.len(), ROWS.len(), "each once");
        for capability in all {
            assert!(!capability.words().is_empty());
            assert!(capability.rule().starts_with('+'));
        }
        assert_eq!(Capability::Replication.rule(), "+psync +replconf");
        assert_eq!(Capability::SlowLog.rule(), "+slowlog|get");
    }

    #[test]
    fn the_shapes_of_refusal_are_told_from_other_troubles() {
        for said in [
            "ERR unknown command 'CONFIG', with args beginning with: 'GET'",
            "ERR unknown command `config`",
            "NOPERM User default has no permissions to run the 'config|get' command",
            "NOPERM this user has no permissions to run the 'config' command or its subcommand",
            "ERR unknown subcommand 'LINKS'. Try CLUSTER HELP.",
            "ERR Unknown subcommand or wrong number of arguments for 'DRYRUN'",
            "ERR command is not supported",
            "ERR command is not allowed",
        ] {
            assert!(is_refusal(said), "{said}");
        }
        for said in [
            "BUSY Redis is busy running a script.",
            "ERR wrong number of arguments for 'config|get' command",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "10.0.0.1:6379 did not answer within 2 s",
            "looked only once (--sample 0s)",
        ] {
            assert!(!is_refusal(said), "{said}");
        }
    }

    #[test]
    fn an_old_recording_tells_what_its_questions_came_to() {
        let text = r#"{"not_read":[{"probe":"config","why":"ERR unknown command 'CONFIG'"}]}"#;
        let facts: Facts = serde_json::from_str(text).unwrap();
        assert_eq!(
            facts.permit(Capability::ConfigGet),
            Permit::No("ERR unknown command 'CONFIG'")
        );
        assert_eq!(facts.permit(Capability::ConfigSet), Permit::Unknown);
        assert_eq!(facts.permit(Capability::SlowLog), Permit::Unknown);
        let written = serde_json::to_string(&facts).unwrap();
        assert!(!written.contains("capabilities"), "{written}");
    }

    #[test]
    fn what_was_noted_is_kept_and_a_refusal_outweighs() {
        let mut facts = Facts::default();
        facts.capabilities.permit(Capability::Debug);
        facts.capabilities.refuse(Capability::Debug, "gone");
        facts.capabilities.permit(Capability::Debug);
        facts.capabilities.permit(Capability::Scan);
        facts.not_read.push(NotRead {
            probe: Probe::Latency,
            why: "10.0.0.1:6379 did not answer within 2 s".to_owned(),
        });
        let text = serde_json::to_string(&facts).unwrap();
        let again: Facts = serde_json::from_str(&text).unwrap();
        assert_eq!(again.permit(Capability::Debug), Permit::No("gone"));
        assert_eq!(again.permit(Capability::Scan), Permit::Yes);
        assert_eq!(again.permit(Capability::Latency), Permit::Unknown);
    }
}
