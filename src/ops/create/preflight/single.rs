//! What may be wrong with one candidate, whoever the others are.

use super::super::candidate::{Candidate, Door, ReplicaLogin};
use super::super::plan::finding;
use super::{node, warning};
use crate::model::{Capability, Finding, NodeAddr, Probe, Severity, Silence};

type Rule = fn(&Candidate) -> Option<Finding>;

const RULES: &[Rule] = &[
    silent,
    nameless,
    not_cluster,
    loading,
    replica_login,
    high_port,
    old_epoch,
    config_unread,
    withheld,
];

/// All that is wrong with this one.
pub(super) fn faults(candidate: &Candidate) -> Vec<Finding> {
    RULES
        .iter()
        .filter_map(|rule| rule(candidate))
        .chain(doors(candidate))
        .collect()
}

fn silent(candidate: &Candidate) -> Option<Finding> {
    let (silence, detail) = candidate.silence()?;
    let NodeAddr { host, port } = &candidate.addr;
    let (code, summary, next) = match silence {
        Silence::PasswordWanted => (
            "password_wanted",
            "wants a password, and none was given",
            "give it with --password-file".into(),
        ),
        Silence::PasswordWrong => (
            "password_wrong",
            "does not take the password or user that was given",
            "give this node's password; all nodes of a cluster should have the same".into(),
        ),
        Silence::Forbidden => (
            "forbidden",
            "does not let this user ask what create must know",
            "give the user the commands that the evidence names".into(),
        ),
        Silence::Loading => return Some(is_loading(candidate, detail)),
        Silence::Tls => (
            "tls",
            "could not be reached by TLS as set",
            "give --tls and the CA for all nodes, or for none; look at tls-port on the node".into(),
        ),
        Silence::NotRedis => (
            "not_redis",
            "is no Redis or Valkey server, or answers out of form",
            "correct the address".into(),
        ),
        Silence::NotCluster => return Some(no_cluster_mode(candidate, detail)),
        _ if detail.to_ascii_lowercase().contains("protected mode") => (
            "protected_mode",
            "lets nobody in from other machines: protected mode is on and no password is set",
            format!("set requirepass and masterauth on {host}, then start again"),
        ),
        _ => (
            "unreachable",
            "cannot be reached",
            format!(
                "start the server, or correct the address; try: redis-cli -h {host} -p {port} PING"
            ),
        ),
    };
    let summary = match code {
        "unreachable" => format!("{summary} ({silence})"),
        _ => summary.to_owned(),
    };
    Some(finding(
        &format!("preflight.{code}"),
        node(candidate),
        summary,
        detail.to_owned(),
        &next,
    ))
}

/// It answers, but CLUSTER NODES has no line about itself. Without cluster mode that is no wonder.
fn nameless(candidate: &Candidate) -> Option<Finding> {
    let facts = candidate.facts()?;
    let is_standalone = facts.info.number("cluster_enabled") == Some(0);
    (facts.view.myself().is_none() && !is_standalone).then(|| {
        finding(
            "preflight.no_identity",
            node(candidate),
            "does not say who it is".into(),
            format!(
                "CLUSTER NODES: {} lines, none about itself",
                facts.view.peers.len()
            ),
            "see what answers at this address: redis-cli CLUSTER NODES",
        )
    })
}

fn no_cluster_mode(candidate: &Candidate, evidence: &str) -> Finding {
    finding(
        "preflight.not_cluster",
        node(candidate),
        "does not run in cluster mode".into(),
        evidence.to_owned(),
        "set cluster-enabled yes in its configuration and start it again",
    )
}

fn is_loading(candidate: &Candidate, evidence: &str) -> Finding {
    finding(
        "preflight.loading",
        node(candidate),
        "is still loading its data".into(),
        evidence.to_owned(),
        "wait until INFO persistence says loading:0; a node for a new cluster should be empty",
    )
}

fn not_cluster(candidate: &Candidate) -> Option<Finding> {
    let enabled = candidate.facts()?.info.number("cluster_enabled");
    (enabled == Some(0)).then(|| no_cluster_mode(candidate, "INFO cluster: cluster_enabled:0"))
}

fn loading(candidate: &Candidate) -> Option<Finding> {
    let loading = candidate.facts()?.info.number("loading");
    (loading == Some(1)).then(|| is_loading(candidate, "INFO persistence: loading:1"))
}

fn replica_login(candidate: &Candidate) -> Option<Finding> {
    let (code, summary, evidence) = match &candidate.replica_login {
        ReplicaLogin::Works | ReplicaLogin::NotTried(_) => return None,
        ReplicaLogin::Missing => (
            "preflight.masterauth_missing",
            "could never follow a master: it has no masterauth, and the others want a password"
                .into(),
            "CONFIG GET masterauth is empty".into(),
        ),
        ReplicaLogin::Refused { by, detail } => (
            "preflight.masterauth_wrong",
            format!("could never follow a master: {by} refuses its masteruser and masterauth"),
            format!("{by}: {detail}"),
        ),
    };
    let next = "set masterauth (and masteruser, where the others have ACL users) on this node, in its configuration file too";
    Some(finding(code, node(candidate), summary, evidence, next))
}

/// The bus listens 10,000 above the client port unless `cluster-port` says otherwise.
fn high_port(candidate: &Candidate) -> Option<Finding> {
    let announced = candidate.myself().map(|myself| &myself.announced);
    let has_bus = announced.is_some_and(|announced| announced.bus_port != 0);
    let port = announced.map_or(candidate.addr.port, |announced| announced.port);
    (port > 55_535 && !has_bus && candidate.meet_at.is_none()).then(|| {
        finding(
            "preflight.port_too_high",
            node(candidate),
            format!("has port {port}, which leaves no port for the cluster bus ({port} + 10000 is above 65535)"),
            "no bus port is announced".into(),
            "set cluster-port on it (from Redis 7.0 on), or use a port up to 55535",
        )
    })
}

fn old_epoch(candidate: &Candidate) -> Option<Finding> {
    let myself = candidate.myself()?;
    let is_alone = candidate.known().next().is_none();
    let is_leftover = myself.epoch != 0 && is_alone && myself.slots.is_empty();
    is_leftover.then(|| {
        let NodeAddr { host, port } = &candidate.addr;
        warning(finding(
            "preflight.epoch_left",
            node(candidate),
            format!("has config epoch {} from an earlier life", myself.epoch),
            "CLUSTER NODES, the line about itself: no slots, no other node".into(),
            &format!("nothing need be done; to begin clean: redis-cli -h {host} -p {port} CLUSTER RESET HARD"),
        ))
    })
}

fn config_unread(candidate: &Candidate) -> Option<Finding> {
    let facts = candidate.facts()?;
    let why = match &candidate.replica_login {
        ReplicaLogin::NotTried(why) => why.as_str(),
        _ if facts.config.is_empty() => facts.why_not(Probe::Config)?,
        _ => return None,
    };
    let mut fault = finding(
        "preflight.config_unread",
        node(candidate),
        "was not looked at in full: its settings, or its login as a replica, are not known".into(),
        why.to_owned(),
        "let the user run CONFIG GET, or look at masterauth and the tls- settings yourself",
    );
    fault.severity = Severity::Info;
    Some(fault)
}

/// What makes a cluster of servers is the servers' own to permit: a service keeps it to itself.
fn withheld(candidate: &Candidate) -> Option<Finding> {
    let facts = candidate.facts()?;
    let needed = [
        Capability::ClusterMeet,
        Capability::ClusterAddSlots,
        Capability::ClusterReplicate,
    ];
    let (needed, why) = needed
        .into_iter()
        .find_map(|needed| Some((needed, facts.refusal(needed)?)))?;
    Some(finding(
        "preflight.withheld",
        node(candidate),
        format!("does not permit {}, which makes clusters", needed.words()),
        why.to_owned(),
        "give the user the rule that goodcache create needs (+cluster), or, at a managed service, let it make the cluster: goodcache create NAME --provider aws, gcp or azure --emit terraform",
    ))
}

fn doors(candidate: &Candidate) -> impl Iterator<Item = Finding> + '_ {
    candidate.dialled.iter().filter_map(|dialling| {
        let error = dialling.error.as_ref()?;
        let at = &dialling.at;
        let evidence = format!("dialled {at}: {error}");
        Some(match dialling.door {
            Door::Bus => finding(
                "preflight.bus_unreachable",
                node(candidate),
                format!("cannot be reached on its cluster bus port {}", at.port),
                evidence,
                "open the port in the firewall, or publish it; peers never join without it",
            ),
            Door::AnnouncedClient => finding(
                "preflight.announced_unreachable",
                node(candidate),
                format!("announces {at}, where nothing answers"),
                evidence,
                "correct cluster-announce-ip and cluster-announce-port on it",
            ),
            Door::AnnouncedBus => finding(
                "preflight.announced_bus_unreachable",
                node(candidate),
                format!("announces the bus address {at}, where nothing answers"),
                evidence,
                "correct cluster-announce-ip and cluster-announce-bus-port on it",
            ),
        })
    })
}
