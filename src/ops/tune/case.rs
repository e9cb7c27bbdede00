//! The case before the rules: the evidence node by node, and the questions that many rules ask.

use std::time::Duration;

use super::judge::Options;
use super::profile::Guess;
use crate::health::{Profile, rates};
use crate::model::{
    ClientsSeen, Evidence, Facts, HostSeen, Info, KeysSeen, NodeAddr, NodeId, Role, Seen, Site,
    Topology, Vendor, Version,
};

/// The evidence with all that rules need to judge it.
pub struct Case<'a> {
    /// What was seen.
    pub evidence: &'a Evidence,
    /// The views laid over each other.
    pub topology: &'a Topology,
    /// What was asked for.
    pub options: &'a Options,
    /// What the cluster is for.
    pub guess: &'a Guess,
    /// The nodes that answered, in the order of their addresses.
    pub nodes: Vec<NodeCase<'a>>,
}

/// A node that answered.
pub struct NodeCase<'a> {
    /// Where it was asked.
    pub addr: &'a NodeAddr,
    /// Its id.
    pub id: Option<&'a NodeId>,
    /// Its part.
    pub role: Role,
    /// The shard it belongs to, by its number.
    pub shard: Option<usize>,
    /// Where it stands.
    pub site: &'a Site,
    /// What it says of itself; settings included.
    pub facts: &'a Facts,
    /// What was seen beside its facts.
    pub seen: Option<&'a Seen>,
}

impl<'a> Case<'a> {
    /// Lays the evidence out.
    pub fn new(
        evidence: &'a Evidence,
        topology: &'a Topology,
        options: &'a Options,
        guess: &'a Guess,
    ) -> Case<'a> {
        let answered = evidence.survey.answered();
        let nodes = answered.map(|(report, facts)| {
            let id = report.id.as_ref();
            let member = id.and_then(|id| topology.member(id));
            NodeCase {
                addr: &report.addr,
                id,
                role: member.map_or(Role::Unknown, |member| member.role),
                shard: id.and_then(|id| topology.shard_number(id)),
                site: &report.site,
                facts,
                seen: evidence.nodes.get(&report.addr),
            }
        });
        Case {
            evidence,
            topology,
            options,
            guess,
            nodes: nodes.collect(),
        }
    }

    /// What the cluster is for.
    pub fn profile(&self) -> Profile {
        self.guess.profile
    }

    /// The masters that answered.
    pub fn masters(&self) -> impl Iterator<Item = &NodeCase<'a>> {
        self.nodes.iter().filter(|node| node.role == Role::Master)
    }

    /// The replicas that answered.
    pub fn replicas(&self) -> impl Iterator<Item = &NodeCase<'a>> {
        self.nodes.iter().filter(|node| node.role == Role::Replica)
    }

    /// The replicas of that node that answered.
    pub fn replicas_of(&self, master: &NodeCase<'a>) -> impl Iterator<Item = &NodeCase<'a>> {
        let shard = master.shard;
        self.replicas()
            .filter(move |node| shard.is_some() && node.shard == shard)
    }

    /// The master of the node's shard, itself when it is one.
    pub fn master_of(&self, node: &NodeCase<'a>) -> Option<&NodeCase<'a>> {
        let shard = node.shard?;
        self.masters().find(|master| master.shard == Some(shard))
    }

    /// Nodes that share a machine with that one, itself included: by what tells machines apart
    /// where that was seen, else by host name.
    pub fn on_machine_of(&self, node: &NodeCase<'a>) -> impl Iterator<Item = &NodeCase<'a>> {
        let of = |node: &NodeCase<'a>| node.machine().to_owned();
        let machine = of(node);
        self.nodes.iter().filter(move |other| of(other) == machine)
    }

    /// The samples of keys of all masters.
    pub fn keys(&self) -> impl Iterator<Item = (&NodeCase<'a>, &'a KeysSeen)> {
        self.masters().filter_map(|node| Some((node, node.keys()?)))
    }

    /// Whether every master's keys were sampled deeply; what is missing otherwise.
    pub fn deep_keys(&self) -> Result<Vec<(&NodeCase<'a>, &'a KeysSeen)>, &'static str> {
        let deep: Vec<_> = self.keys().filter(|(_, keys)| keys.is_deep).collect();
        match deep.is_empty() {
            true => Err("keys were not looked at closely (--deep)"),
            false => Ok(deep),
        }
    }
}

impl<'a> NodeCase<'a> {
    /// The newer of the two samples of INFO.
    pub fn info(&self) -> &'a Info {
        self.facts.later.as_ref().unwrap_or(&self.facts.info)
    }

    /// A number of the newest INFO.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.info().number(name)
    }

    /// A fraction of the newest INFO.
    pub fn float(&self, name: &str) -> Option<f64> {
        self.info().float(name)
    }

    /// A setting as CONFIG GET writes it; `None` when this server does not know it or CONFIG could
    /// not be read.
    pub fn setting(&self, name: &str) -> Option<&'a str> {
        self.facts.setting(name)
    }

    /// A setting as a whole number.
    pub fn setting_number(&self, name: &str) -> Option<u64> {
        self.facts.setting_number(name)
    }

    /// Whether the setting is `yes`.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        self.setting(name).map(|value| value == "yes")
    }

    /// How much a counter grew between the two samples.
    pub fn growth(&self, name: &str) -> Option<u64> {
        self.facts.growth(name)
    }

    /// How much a counter grows in a second; `None` without two samples.
    pub fn per_second(&self, name: &str) -> Option<f64> {
        rates::per_second(self.facts, self.growth(name)?)
    }

    /// Bytes that the replication stream grows in a second; only of masters.
    pub fn written_per_second(&self) -> Option<f64> {
        rates::written_per_second(self.facts)
    }

    /// The time between the samples; zero where there is one only.
    pub fn sample(&self) -> Duration {
        Duration::from_millis(self.facts.sample_ms)
    }

    /// How long the server has been up.
    pub fn uptime(&self) -> Option<Duration> {
        self.number("uptime_in_seconds").map(Duration::from_secs)
    }

    /// A counter's mean in a second since the server started; for what is too rare for a sample.
    pub fn mean_per_second(&self, name: &str) -> Option<f64> {
        let uptime = self.uptime()?.as_secs_f64();
        let count = self.number(name)? as f64;
        (uptime > 0.0).then(|| count / uptime)
    }

    /// Redis or Valkey.
    pub fn vendor(&self) -> Vendor {
        self.facts.info.vendor()
    }

    /// The server's version.
    pub fn version(&self) -> Version {
        self.facts.info.version().unwrap_or(Version(0, 0, 0))
    }

    /// Its memory limit in bytes; 0 is none.
    pub fn maxmemory(&self) -> Option<u64> {
        self.number("maxmemory")
            .or_else(|| self.setting_number("maxmemory"))
    }

    /// Its clients, where they could be counted.
    pub fn clients(&self) -> Option<&'a ClientsSeen> {
        self.seen?.clients.as_ref()
    }

    /// The sample of its keys.
    pub fn keys(&self) -> Option<&'a KeysSeen> {
        self.seen?.keys.as_ref()
    }

    /// Its machine, where it could be seen.
    pub fn host(&self) -> Option<&'a HostSeen> {
        self.seen?.host.as_ref()
    }

    /// What tells its machine apart from others.
    pub fn machine(&self) -> &'a str {
        match self.host() {
            Some(host) if !host.machine.is_empty() => &host.machine,
            _ => &self.site.host,
        }
    }

    /// Why that was not seen: `clients`, `keys` or `host`.
    pub fn why_not_seen(&self, what: &str) -> &'a str {
        let told = self.seen.and_then(|seen| seen.not_seen.get(what));
        told.map_or("not looked at", String::as_str)
    }

    /// Microseconds of PING round trips from here.
    pub fn pings_us(&self) -> &'a [u64] {
        &self.facts.pings_us
    }
}
