//! Facts: what one node says of itself, as raw as it is useful.
//!
//! Rules read them long after the node was asked, perhaps from a file, so nothing here needs the
//! node again. Secrets are blanked before they get here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::capability::Capabilities;
use super::info::Info;
use super::node::{NodeAddr, NodeId};
use super::slot::Slot;
use super::view::View;

/// Everything that one node answered. A part that could not be read is empty, and `not_read` says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// CLUSTER NODES. Of a server outside of a cluster: what its INFO says of its master and its
    /// replicas, in the same form.
    pub view: View,
    /// Whether the server runs without cluster mode.
    #[serde(skip_serializing_if = "is_false")]
    pub stands_alone: bool,
    /// Of a server outside of a cluster: how many listen to what Sentinels tell each other through it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watchers: Option<u64>,
    /// CLUSTER INFO.
    pub cluster: Info,
    /// INFO (server, clients, memory, persistence, stats, replication, cpu, commandstats, errorstats, cluster, keyspace).
    pub info: Info,
    /// The second sample of the same INFO; absent when only one was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<Info>,
    /// Milliseconds between the two samples, by this machine's clock.
    pub sample_ms: u64,
    /// CONFIG GET, names in lower case. The values of secrets (`requirepass`, `masterauth`,
    /// `tls-key-file-pass`...) are `(set)` or empty.
    pub config: BTreeMap<String, String>,
    /// ACL users, without their password hashes.
    pub users: Vec<AclUser>,
    /// SHA-256 (hex) over the sorted ACL LIST, hashes included: equal on nodes with equal rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acl_digest: Option<String>,
    /// The newest slow log entries, newest first (128 at most).
    pub slow: Vec<SlowEntry>,
    /// LATENCY LATEST; empty too when `latency-monitor-threshold` is 0.
    pub stalls: Vec<Stall>,
    /// Round trips of a burst of PINGs on a warm connection, in the order sent, in microseconds.
    pub pings_us: Vec<u64>,
    /// Master to replica: how long WAIT took after a canary write, less the fastest PING, in
    /// microseconds. Only on masters with replicas, only when a canary was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Reply>,
    /// How far the node's clock (TIME) is ahead of this machine's, half a round trip taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_ms: Option<i64>,
    /// Whether a PING on a connection without AUTH was answered with PONG.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers_without_password: Option<bool>,
    /// Loaded modules, name and version.
    pub modules: BTreeMap<String, u64>,
    /// Slots in which this node holds keys although another owns them (`--deep` only).
    pub foreign_keys: Vec<OpenSlot>,
    /// Whether the foreign slots were looked at.
    pub is_deep: bool,
    /// Days until the server's TLS certificate expires; negative when it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_days_left: Option<i64>,
    /// What could not be read, and why.
    pub not_read: Vec<NotRead>,
    /// What the server permits, as far as it is known.
    #[serde(skip_serializing_if = "Capabilities::is_empty")]
    pub capabilities: Capabilities,
    /// How long the asking took, in ms.
    pub took_ms: u64,
}

fn is_false(is: &bool) -> bool {
    !is
}

/// An ACL user as ACL LIST describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclUser {
    /// Its name.
    pub name: String,
    /// `on`.
    pub is_on: bool,
    /// `nopass`: any password is accepted.
    pub is_nopass: bool,
    /// How many passwords it has.
    pub passwords: u32,
    /// The rest of the rule: keys, channels, commands, selectors.
    pub rules: String,
}

/// An entry of the slow log; arguments are left out, for they are the user's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowEntry {
    /// The log's running number.
    pub id: u64,
    /// When, in seconds since the epoch by the node's clock.
    pub at_s: u64,
    /// How long, in microseconds.
    pub took_us: u64,
    /// The command's name, in upper case, with the subcommand where there is one.
    pub command: String,
}

/// An event of the server's latency monitor (LATENCY LATEST).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stall {
    /// Its name, such as `fork` or `aof-write`.
    pub event: String,
    /// When the latest was, in seconds since the epoch by the node's clock.
    pub at_s: u64,
    /// How long the latest was.
    pub latest_ms: u64,
    /// How long the longest was.
    pub max_ms: u64,
}

/// Keys of one slot in a node that does not own the slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSlot {
    /// The slot.
    pub slot: Slot,
    /// How many keys of it the node holds.
    pub keys: u64,
}

/// How a canary (a short-lived key of goodcache's own) fared on a master.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Written, and acknowledged by so many replicas within so many microseconds.
    Acknowledged {
        /// Replicas that had it.
        replicas: u64,
        /// WAIT's duration less the fastest PING.
        took_us: u64,
    },
    /// Refused, with the server's words.
    Refused(String),
}

/// A question put to a node; the name under which `not_read` lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// INFO.
    Info,
    /// The second INFO.
    Sample,
    /// CLUSTER INFO.
    ClusterInfo,
    /// CONFIG GET.
    Config,
    /// ACL LIST.
    Acl,
    /// SLOWLOG GET.
    SlowLog,
    /// LATENCY LATEST.
    Latency,
    /// The burst of PINGs.
    Pings,
    /// The canary write.
    Canary,
    /// TIME.
    Clock,
    /// PING on a connection without AUTH.
    OpenDoor,
    /// MODULE LIST.
    Modules,
    /// COUNTKEYSINSLOT over all foreign slots.
    ForeignKeys,
}

/// Something that could not be read from a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotRead {
    /// What.
    pub probe: Probe,
    /// Why: the server's words, or `not asked (--sample 0s)` and the like.
    pub why: String,
}

/// An announced endpoint, dialled from here as any client would, without the node map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialled {
    /// Whose it is.
    pub id: NodeId,
    /// Where clients are sent.
    pub endpoint: NodeAddr,
    /// What went wrong; `None` when a connection stood.
    pub error: Option<String>,
}

impl Facts {
    /// Why that could not be read; `None` when it was.
    pub fn why_not(&self, probe: Probe) -> Option<&str> {
        self.not_read
            .iter()
            .find(|not_read| not_read.probe == probe)
            .map(|not_read| not_read.why.as_str())
    }

    /// How much a counter grew between the samples. `None` without a second sample, without the
    /// counter, or when it went backwards (CONFIG RESETSTAT, a restart): then nothing is known.
    pub fn growth(&self, name: &str) -> Option<u64> {
        let later = self.later.as_ref().filter(|_| !self.has_restarted())?;
        later.number(name)?.checked_sub(self.info.number(name)?)
    }

    /// As [`Facts::growth`], for the sum of a field over all names with a prefix. Names that were
    /// not there in the first sample count from 0.
    pub fn growth_of_sum(&self, prefix: &str, field: &str) -> Option<u64> {
        let later = self.later.as_ref().filter(|_| !self.has_restarted())?;
        later
            .sum(prefix, field)
            .checked_sub(self.info.sum(prefix, field))
    }

    /// Whether the process was replaced between the samples.
    pub fn has_restarted(&self) -> bool {
        self.later
            .as_ref()
            .is_some_and(|later| later.get("run_id") != self.info.get("run_id"))
    }

    /// A CONFIG value; also `None` when CONFIG could not be read.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.config.get(name).map(String::as_str)
    }

    /// The few settings that INFO tells too, for servers that keep CONFIG to themselves. That CONFIG
    /// was refused stays noted: a setting that is missing is unknown then, not absent.
    pub fn take_settings_from_info(&mut self) {
        let pairs = [
            ("maxmemory", "maxmemory"),
            ("maxmemory-policy", "maxmemory_policy"),
            ("maxclients", "maxclients"),
        ];
        for (setting, field) in pairs {
            if let Some(value) = self.info.get(field) {
                let value = value.to_owned();
                self.config.entry(setting.to_owned()).or_insert(value);
            }
        }
    }

    /// A CONFIG value as a whole number.
    pub fn setting_number(&self, name: &str) -> Option<u64> {
        self.setting(name)?.parse().ok()
    }
}
