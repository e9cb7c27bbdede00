//! Rules about the first question to a node: does it answer, and if not, in what way. A silent node
//! is always a finding, never an omission.

use crate::model::words::seconds;
use crate::model::{Answer, NodeReport, Probe, Role, Severity, Silence, Subject};

use super::Rule;
use super::case::{Case, is_dead};
use super::code::CodeDoc;
use super::notes::Notes;

const DOWN: CodeDoc = CodeDoc {
    code: "node.down",
    title: "no answer",
    severity: Severity::Critical,
    why: "The node gave no answer within the deadline, refused the connection or cannot be reached from here. If it is a master, its slots are served by nobody until a replica takes over; if it is a replica, its shard has lost its spare.",
    remedy: "See whether the process runs and whether a firewall stands between. A process that hangs (timeout) may have to be killed so that a replica is elected.",
    source: "the connection itself; flags in CLUSTER NODES of the others",
    ..CodeDoc::PLAIN
};
const LOADING: CodeDoc = CodeDoc {
    code: "node.loading",
    title: "loading its data set",
    why: "The server has started and reads its RDB or AOF file. Until that is done it answers commands with LOADING; of a master that is critical, since nobody serves its slots.",
    remedy: "Wait, and look at loading_eta_seconds in INFO persistence. If it takes longer each time, the data set has outgrown the disk.",
    source: "INFO persistence: loading, loading_eta_seconds",
    ..CodeDoc::PLAIN
};
const PASSWORD: CodeDoc = CodeDoc {
    code: "node.password",
    title: "the password is missing or wrong",
    severity: Severity::Critical,
    why: "The node lives but does not take the login that was given, so nothing about it could be judged. When only some nodes refuse, the passwords of the nodes differ, and clients that are redirected there fail as well.",
    remedy: "Give the right login (--password-file, --user), or set the same password on every node.",
    source: "AUTH: NOAUTH and WRONGPASS replies",
    ..CodeDoc::PLAIN
};
const FORBIDDEN: CodeDoc = CodeDoc {
    code: "node.forbidden",
    title: "the user may not ask what a check must ask",
    severity: Severity::Critical,
    why: "The login is right but its ACL rules refuse CLUSTER NODES or INFO, so nothing about the node could be judged.",
    remedy: "Grant the user +ping +info +cluster|nodes +cluster|info, and for more +config|get +slowlog|get +latency|latest +acl|list +time +module|list.",
    source: "NOPERM replies; the server's acl.c",
    ..CodeDoc::PLAIN
};
const TLS: CodeDoc = CodeDoc {
    code: "node.tls",
    title: "TLS does not come about",
    severity: Severity::Critical,
    why: "The handshake failed, or one side speaks TLS and the other does not. Clients with the same settings fail in the same way.",
    remedy: "Use TLS if and only if the port is the node's tls-port, and give the CA that signed the node's certificate.",
    source: "the TLS handshake; tls-port and port in the server's configuration",
    ..CodeDoc::PLAIN
};
const NOT_REDIS: CodeDoc = CodeDoc {
    code: "node.not_redis",
    title: "what answers is no Redis or Valkey server",
    severity: Severity::Critical,
    why: "Something listens at the address but does not speak the protocol: another service, a proxy, or a port that was mistyped.",
    remedy: "Check the address and port.",
    source: "the reply to the first command",
    ..CodeDoc::PLAIN
};
const NOT_ASKED: CodeDoc = CodeDoc {
    code: "node.not_asked",
    title: "was not asked, for only a node announced its address",
    severity: Severity::Critical,
    why: "A node names an address outside the networks of those that were named here. Without TLS nothing vouches for who answers there, so the password is not sent: the node may be sound, or the address may be an impostor's.",
    remedy: "Name the address as well, speak TLS, or say --trust-announced when every node is trusted to name others.",
    source: "the addresses that were named, and where the connection led",
    ..CodeDoc::PLAIN
};
const NOT_CLUSTER: CodeDoc = CodeDoc {
    code: "node.not_cluster",
    title: "runs without cluster mode",
    severity: Severity::Critical,
    why: "The server has cluster-enabled no, so it can be no member of any cluster. If other nodes list this address, the server was restarted with another configuration.",
    remedy: "Restart it with cluster-enabled yes and its old cluster-config-file, or leave the address out.",
    source: "CLUSTER NODES: 'This instance has cluster support disabled'",
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "answers",
    codes: &[
        &DOWN,
        &LOADING,
        &PASSWORD,
        &FORBIDDEN,
        &TLS,
        &NOT_REDIS,
        &NOT_ASKED,
        &NOT_CLUSTER,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    silent(case, notes);
    blind(case, notes);
    loading(case, notes);
}

/// A node whose INFO may not be read is as good as unseen: without this most rules would be skipped
/// and the answer would look green.
fn blind(case: &Case, notes: &mut Notes) {
    for asked in case.asked() {
        let refused = [(Probe::Info, "INFO"), (Probe::ClusterInfo, "CLUSTER INFO")];
        for (probe, command) in refused {
            if let Some(why) = asked.facts.why_not(probe) {
                notes.find(
                    &FORBIDDEN,
                    asked.subject(),
                    format!("does not let the user read {command}, so it cannot be judged"),
                    format!("{command}: {why}"),
                    "grant the user +ping +info +cluster|nodes +cluster|info".to_owned(),
                );
            }
        }
    }
}

fn silent(case: &Case, notes: &mut Notes) {
    for node in &case.survey.nodes {
        let Answer::Silent {
            silence,
            detail,
            after_ms,
        } = &node.answer
        else {
            continue;
        };
        let doc = match silence {
            Silence::NoAddress => continue,
            Silence::Loading => &LOADING,
            Silence::PasswordWanted | Silence::PasswordWrong => &PASSWORD,
            Silence::Forbidden => &FORBIDDEN,
            Silence::Tls => &TLS,
            Silence::NotRedis => &NOT_REDIS,
            Silence::NotCluster | Silence::Sentinel => &NOT_CLUSTER,
            Silence::NotAsked => &NOT_ASKED,
            // Told as address.unreachable.
            _ if case.lives_for(node).is_some() => continue,
            Silence::Timeout
            | Silence::NoConnection
            | Silence::Refused
            | Silence::Unreachable
            | Silence::Closed => &DOWN,
        };
        let (summary, next) = told(case, node, *silence);
        let seen = format!(
            "{silence} after {after_ms} ms: {detail}{}",
            as_others_see(case, node)
        );
        // Nobody serves the slots of a master that loads.
        let severity = match (silence, role_word(case, node)) {
            (Silence::Loading, "master") => Severity::Critical,
            _ => doc.severity,
        };
        let subject = Subject::Node(node.addr.to_string());
        notes.find_at(doc, severity, subject, summary, seen, next);
    }
}

/// What a silence means and what to do about it.
fn told(case: &Case, node: &NodeReport, silence: Silence) -> (String, String) {
    let addr = &node.addr;
    let ping = case.cli(addr, "ping");
    let role = role_word(case, node);
    let (what, next) = match silence {
        Silence::Timeout => (
            "does not answer within the deadline: hung or frozen",
            // redis-cli itself would wait for ever.
            format!("timeout 5 {ping}"),
        ),
        Silence::NoConnection => (
            "takes no connection within the deadline: its host is down, or packets are dropped",
            format!("timeout 5 {ping}"),
        ),
        Silence::Refused => (
            "refuses the connection: nothing listens there",
            format!("start the server at {addr}, then: {ping}"),
        ),
        Silence::Unreachable | Silence::NoAddress => (
            "cannot be reached from here",
            format!("check the route and the name {}, then: {ping}", addr.host),
        ),
        Silence::Closed => (
            "closes the connection",
            format!("read the server's log (maxclients, protected mode), then: {ping}"),
        ),
        Silence::PasswordWanted => (
            "wants a password and none was given",
            "give the login with --password-file FILE".to_owned(),
        ),
        Silence::PasswordWrong => (
            "does not take the password or user that was given",
            "give this node's login, or set the same password on every node".to_owned(),
        ),
        Silence::Forbidden => (
            "refuses the user what a check must ask",
            "grant the user +ping +info +cluster|nodes +cluster|info".to_owned(),
        ),
        Silence::Loading => ("loads its data set", case.cli(addr, "info persistence")),
        Silence::Tls => (
            "does not complete TLS",
            format!("openssl s_client -connect {addr}"),
        ),
        Silence::NotRedis => (
            "is no Redis or Valkey server",
            "check the address and port".to_owned(),
        ),
        Silence::Sentinel => (
            "is a Sentinel, which holds no data",
            "give the address of a server that holds data".to_owned(),
        ),
        Silence::NotAsked => (
            "was not asked: only a node announced its address, and the password is not sent to just anybody",
            silence.hint().to_owned(),
        ),
        Silence::NotCluster => (
            "runs without cluster mode",
            "restart it with cluster-enabled yes".to_owned(),
        ),
    };
    (format!("{role} {what}"), next)
}

fn role_word(case: &Case, node: &NodeReport) -> &'static str {
    let member = node.id.as_ref().and_then(|id| case.topology.member(id));
    match member.map(|member| (member.role, member.slots.is_empty(), member.failed_by)) {
        // After a failover the others still call it a master, of nothing.
        Some((Role::Master, true, 1..)) => "former master",
        Some((Role::Master, ..)) => "master",
        Some((Role::Replica, ..)) => "replica",
        _ => "node",
    }
}

fn as_others_see(case: &Case, node: &NodeReport) -> String {
    let Some(member) = node.id.as_ref().and_then(|id| case.topology.member(id)) else {
        return String::new();
    };
    match (member.failed_by, member.suspected_by, member.known_by) {
        // One that talks, if only to refuse us, is not expected to be flagged.
        (0, 0, all) if all == 0 || !node.silence().is_some_and(is_dead) => String::new(),
        (0, 0, all) => format!("; none of the {all} nodes that know it flags it yet"),
        (0, by, all) => format!("; {by} of {all} nodes flag it fail?"),
        (by, _, all) => format!("; {by} of {all} nodes flag it fail"),
    }
}

fn loading(case: &Case, notes: &mut Notes) {
    for asked in case.asked() {
        if asked.facts.info.get("loading") == Some("1") {
            let eta = asked.facts.info.number("loading_eta_seconds");
            let left = eta
                .map(|s| format!(", about {} left", seconds(s as f64)))
                .unwrap_or_default();
            notes.find(
                &LOADING,
                asked.subject(),
                format!("loads its data set{left}"),
                "INFO persistence: loading:1",
                case.cli(&asked.report.addr, "info persistence"),
            );
        }
    }
}
