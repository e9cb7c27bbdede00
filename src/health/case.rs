//! The case before the rules: a survey, the topology read from it, and the few questions
//! about them that many rules ask.

use crate::model::words::listed;
use crate::model::{
    Facts, Flags, Member, NodeAddr, NodeId, NodeReport, Peer, Probe, Role, Silence, Subject,
    Survey, Topology,
};

use super::{Options, Profile};

/// A survey with all that the rules need to judge it.
pub struct Case<'a> {
    /// What was seen.
    pub survey: &'a Survey,
    /// The views laid over each other.
    pub topology: &'a Topology,
    /// What was asked for.
    pub options: &'a Options,
}

/// A node that answered.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its row.
    pub report: &'a NodeReport,
    /// Its answer.
    pub facts: &'a Facts,
    /// Its place in the topology; `None` when it gave no view.
    pub member: Option<&'a Member>,
}

impl<'a> Case<'a> {
    /// Lays them side by side; the topology is the survey's own.
    pub fn new(survey: &'a Survey, topology: &'a Topology, options: &'a Options) -> Case<'a> {
        Case {
            survey,
            topology,
            options,
        }
    }

    /// Whether the servers are in cluster mode.
    pub fn is_cluster(&self) -> bool {
        self.survey.form.is_cluster()
    }

    /// What the cluster is for.
    pub fn profile(&self) -> Profile {
        self.options.profile
    }

    /// Now, or the moment of the survey.
    pub fn now_ms(&self) -> u64 {
        match self.options.now_ms {
            0 => self.survey.taken_at_ms,
            now => now,
        }
    }

    /// The cluster as a subject: by its name, else by the seed that was given.
    pub fn cluster(&self) -> Subject {
        let first = || self.survey.seeds.first().map(NodeAddr::to_string);
        Subject::Cluster(
            (self.survey.name.clone())
                .or_else(first)
                .or_else(|| self.survey.nodes.first().map(|node| node.addr.to_string()))
                .unwrap_or_else(|| "cluster".to_owned()),
        )
    }

    /// The shard that the node belongs to, as a subject.
    pub fn shard(&self, id: &NodeId) -> Subject {
        match self.topology.shard_number(id) {
            Some(number) => Subject::Shard(number.to_string()),
            None => Subject::Node(self.name(id)),
        }
    }

    /// What to call a node: its address, else the head of its id.
    pub fn name(&self, id: &NodeId) -> String {
        let addr = self.survey.node(id).map(|node| node.addr.to_string());
        addr.or_else(|| {
            self.topology
                .member(id)?
                .addr
                .as_ref()
                .map(NodeAddr::to_string)
        })
        .unwrap_or_else(|| id.short().to_owned())
    }

    /// The names of several nodes, at most `most` of them.
    pub fn names<'b>(&self, ids: impl IntoIterator<Item = &'b NodeId>, most: usize) -> String {
        listed(ids.into_iter().map(|id| self.name(id)), most)
    }

    /// The nodes that answered.
    pub fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        self.survey.answered().map(|(report, facts)| Asked {
            report,
            facts,
            member: report.id.as_ref().and_then(|id| self.topology.member(id)),
        })
    }

    /// The masters with slots that answered.
    pub fn masters(&self) -> impl Iterator<Item = Asked<'_>> {
        self.asked().filter(|asked| {
            asked
                .member
                .is_some_and(|member| member.role == Role::Master && !member.slots.is_empty())
        })
    }

    /// The replicas that answered.
    pub fn replicas(&self) -> impl Iterator<Item = Asked<'_>> {
        self.asked().filter(Asked::is_replica)
    }

    /// The facts of the node's master.
    pub fn master_of(&self, asked: &Asked) -> Option<Asked<'_>> {
        let id = asked.member?.master.as_ref()?;
        self.asked()
            .find(|other| other.report.id.as_ref() == Some(id))
    }

    /// Whether the node is known to be down: silent in a way that a dead server is, or `fail` in
    /// another's eyes. A wrong password is not that, nor an address that only leads nowhere.
    pub fn is_down(&self, member: &Member) -> bool {
        let node = self.survey.node(&member.id);
        node.is_some_and(|node| self.seems_dead(node)) || member.failed_by > 0
    }

    /// Whether the node is silent as a dead one is, and its peers do not know better.
    pub fn seems_dead(&self, node: &NodeReport) -> bool {
        node.silence().is_some_and(is_dead) && self.lives_for(node).is_none()
    }

    /// Of a node to which no connection came about from here: how many peers are in touch with it,
    /// when all are that know it. The bus link of a process that died is cut within milliseconds,
    /// and pings to a machine that died wait for their answer. One that takes the connection and
    /// then says nothing is hung, whatever its peers have yet noticed.
    pub fn lives_for(&self, node: &NodeReport) -> Option<usize> {
        let is_out_of_reach = matches!(
            node.silence()?,
            Silence::Refused | Silence::Unreachable | Silence::NoConnection
        );
        let id = node.id.as_ref().filter(|_| is_out_of_reach)?;
        let lines = self.survey.answered();
        let lines: Vec<&Peer> = lines.filter_map(|(_, facts)| facts.view.peer(id)).collect();
        let is_in_touch = |peer: &&Peer| {
            let Flags {
                failed, suspected, ..
            } = peer.flags;
            peer.is_member() && peer.is_linked && peer.ping_sent_ms == 0 && !failed && !suspected
        };
        (!lines.is_empty() && lines.iter().all(is_in_touch)).then_some(lines.len())
    }

    /// Any node that answers, for a command that any node can take.
    pub fn any_addr(&self) -> NodeAddr {
        let answered = self.survey.answered().next().map(|(node, _)| &node.addr);
        answered
            .or(self.survey.seeds.first())
            .cloned()
            .unwrap_or_else(|| NodeAddr::new("127.0.0.1", 6379))
    }

    /// The command line that gives that node a secret as the last argument: out of a file named
    /// FILE, since a command line is there for all to read.
    pub fn secret_cli(&self, addr: &NodeAddr, command: &str) -> String {
        let asked = self.cli(addr, command);
        let asked = asked.replacen("redis-cli ", "redis-cli -x ", 1);
        format!("tr -d '\\n' < FILE | {asked}")
    }

    /// The command line that asks that node; never with a password.
    pub fn cli(&self, addr: &NodeAddr, command: &str) -> String {
        let speaks_tls = |(_, facts): (&NodeReport, &Facts)| facts.certificate_days_left.is_some();
        let tls = if self.survey.answered().any(speaks_tls) {
            "--tls "
        } else {
            ""
        };
        format!("redis-cli {tls}-h {} -p {} {command}", addr.host, addr.port)
    }
}

impl Asked<'_> {
    /// The node as a subject.
    pub fn subject(&self) -> Subject {
        Subject::Node(self.report.addr.to_string())
    }

    /// Whether it follows a master, by its own word.
    pub fn is_replica(&self) -> bool {
        self.member
            .is_some_and(|member| member.role == Role::Replica)
    }

    /// Its memory limit in bytes; 0 is none. From INFO, since CONFIG may be blocked.
    pub fn maxmemory(&self) -> Option<u64> {
        let info = self.facts.info.number("maxmemory");
        info.or_else(|| self.facts.setting_number("maxmemory"))
    }

    /// `cluster-node-timeout` in ms; the server's default when it cannot be read.
    pub fn node_timeout_ms(&self) -> u64 {
        self.facts
            .setting_number("cluster-node-timeout")
            .unwrap_or(15_000)
    }

    /// Why that probe tells nothing here; `None` when it was read.
    pub fn unread(&self, probe: Probe) -> Option<String> {
        let facts = self.facts;
        if let Some(why) = facts.why_not(probe) {
            return Some(why.to_owned());
        }
        let missing = match probe {
            Probe::Info => (facts.info.is_empty(), "INFO was not answered"),
            Probe::Sample if facts.has_restarted() => {
                (true, "the server restarted between the two samples")
            }
            Probe::Sample => (facts.later.is_none(), "only one sample was taken"),
            Probe::ClusterInfo => (facts.cluster.is_empty(), "CLUSTER INFO was not answered"),
            Probe::Config => (facts.config.is_empty(), "CONFIG GET was not answered"),
            Probe::Acl => (facts.users.is_empty(), "ACL LIST was not answered"),
            Probe::Pings => (facts.pings_us.is_empty(), "no PING was timed"),
            Probe::Clock => (facts.clock_ahead_ms.is_none(), "TIME was not answered"),
            Probe::OpenDoor => (
                facts.answers_without_password.is_none(),
                "no connection without AUTH was tried",
            ),
            Probe::ForeignKeys => (!facts.is_deep, "not asked (--deep)"),
            Probe::SlowLog | Probe::Latency | Probe::Modules | Probe::Canary => (false, ""),
        };
        missing.0.then(|| missing.1.to_owned())
    }
}

/// Whether that silence is a dead server's, rather than one that lives but will not talk.
pub fn is_dead(silence: Silence) -> bool {
    matches!(
        silence,
        Silence::Timeout
            | Silence::NoConnection
            | Silence::Refused
            | Silence::Unreachable
            | Silence::Closed
    )
}
