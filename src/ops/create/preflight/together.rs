//! What may be wrong between candidates: two that are one, and settings that should be equal.

use std::collections::BTreeMap;

use super::super::candidate::Candidate;
use super::super::plan::{Options, finding};
use super::{node, warning};
use crate::model::{Finding, NodeAddr, Subject};

/// All that is wrong between these.
pub(super) fn faults(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    let mut faults = twins(candidates);
    faults.extend(loopback(candidates));
    faults.extend(mixes(candidates, options));
    faults
}

/// Nodes that are one: an address given twice, two names for one server, one id on two servers.
fn twins(candidates: &[Candidate]) -> Vec<Finding> {
    let mut faults = Vec::new();
    for (n, one) in candidates.iter().enumerate() {
        let Some((earlier, kind)) = candidates[..n]
            .iter()
            .find_map(|other| Some((other, twin(other, one)?)))
        else {
            continue;
        };
        let (code, summary, evidence, next) = match kind {
            Twin::Address => (
                "preflight.same_address",
                "is given twice".to_owned(),
                "the list of nodes".to_owned(),
                "name each node once",
            ),
            Twin::Server(evidence) => (
                "preflight.same_server",
                format!("is the same server as {}", earlier.addr),
                evidence,
                "name each server once",
            ),
            Twin::Id(id) => (
                "preflight.same_id",
                format!("has the same node id as {}", earlier.addr),
                format!("CLUSTER NODES of both: {id}"),
                "its nodes.conf was copied: stop one of the two, delete its nodes.conf and start it again",
            ),
        };
        faults.push(finding(code, node(one), summary, evidence, next));
    }
    faults
}

enum Twin {
    Address,
    Server(String),
    Id(String),
}

fn twin(one: &Candidate, other: &Candidate) -> Option<Twin> {
    if one.addr == other.addr {
        return Some(Twin::Address);
    }
    let run_id = |candidate: &Candidate| candidate.facts()?.info.get("run_id").map(str::to_owned);
    let (a, b) = (run_id(one), run_id(other));
    if let (Some(a), Some(b)) = (&a, &b)
        && a == b
    {
        return Some(Twin::Server(format!("INFO server of both: run_id:{a}")));
    }
    // Two answers with two run ids come from two servers, whatever the names resolve to.
    let are_two = a.is_some() && b.is_some();
    let shared = one.resolved.iter().find(|ip| other.resolved.contains(ip));
    if let Some(ip) = shared.filter(|_| !are_two && one.addr.port == other.addr.port) {
        return Some(Twin::Server(format!(
            "both names resolve to {}",
            NodeAddr::new(ip.to_string(), one.addr.port)
        )));
    }
    let id = one.id().filter(|&id| Some(id) == other.id())?;
    Some(Twin::Id(id.to_string()))
}

/// A node met at a loopback address can be met by nodes of the same machine only.
fn loopback(candidates: &[Candidate]) -> Vec<Finding> {
    let is_local = |candidate: &Candidate| -> Option<bool> {
        let ip = candidate.meeting()?.ip.parse::<std::net::IpAddr>().ok()?;
        Some(ip.is_loopback())
    };
    let is_bound_local = |candidate: &Candidate| {
        candidate
            .facts()
            .and_then(|facts| facts.setting("bind"))
            .is_some_and(|bind| {
                let mut addresses = bind
                    .split_whitespace()
                    .map(|ip| ip.trim_start_matches('-'))
                    .peekable();
                addresses.peek().is_some()
                    && addresses.all(|ip| ip == "::1" || ip.starts_with("127."))
            })
    };
    let Some(remote) = candidates
        .iter()
        .find(|other| is_local(other) == Some(false))
    else {
        return Vec::new();
    };
    candidates
        .iter()
        .filter_map(|candidate| {
            let (code, summary, next) = match is_local(candidate) {
                Some(true) => (
                    "preflight.loopback",
                    "would be met at a loopback address, which leads the others to themselves",
                    "name it by an address that all nodes can reach",
                ),
                _ if candidate.meet_at.is_none() && is_bound_local(candidate) => (
                    "preflight.bind_loopback",
                    "listens on loopback addresses only, so its peers cannot reach it",
                    "set bind on it to an address that all nodes can reach",
                ),
                _ => return None,
            };
            let evidence = format!("{} is not on loopback", remote.addr);
            Some(finding(
                code,
                node(candidate),
                summary.into(),
                evidence,
                next,
            ))
        })
        .collect()
}

/// What should be equal on all nodes.
fn mixes(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    let subject = || options.subject();
    let setting = |name: &'static str| {
        move |node: &Candidate| {
            node.facts()?
                .setting(name)
                .map(|value| format!("{name} {value}"))
        }
    };
    let vendor = |node: &Candidate| {
        node.facts()
            .filter(|facts| !facts.info.is_empty())
            .map(|facts| facts.info.vendor().to_string())
    };
    let version = |node: &Candidate| {
        let info = &node.facts()?.info;
        info.version()
            .map(|version| format!("{} {version}", info.vendor()))
    };
    let mixed_vendor = mix(
        subject(),
        candidates,
        vendor,
        "preflight.mixed_vendors",
        "servers of different makers do not make one sound cluster",
        "use one maker's servers on all nodes",
    );
    let mixed_version = match mixed_vendor {
        Some(_) => None,
        None => mix(
            subject(),
            candidates,
            version,
            "preflight.mixed_versions",
            "the servers' versions differ",
            "use one version on all nodes, but for the time of an upgrade",
        )
        .map(warning),
    };
    let tls = "set it alike on all nodes: those that differ never join, or never sync";
    mixed_vendor
        .into_iter()
        .chain(mixed_version)
        .chain(mix(
            subject(),
            candidates,
            setting("tls-cluster"),
            "preflight.tls_cluster_mixed",
            "some nodes speak TLS on the cluster bus and some do not",
            tls,
        ))
        .chain(mix(
            subject(),
            candidates,
            setting("tls-replication"),
            "preflight.tls_replication_mixed",
            "some nodes would follow a master by TLS and some without",
            tls,
        ))
        .chain(
            mix(
                subject(),
                candidates,
                setting("cluster-node-timeout"),
                "preflight.node_timeout_mixed",
                "the nodes' timeouts differ, so they disagree on when a node is down",
                "set cluster-node-timeout alike on all nodes",
            )
            .map(warning),
        )
        .collect()
}

fn mix(
    subject: Subject,
    candidates: &[Candidate],
    value: impl Fn(&Candidate) -> Option<String>,
    code: &str,
    summary: &str,
    next: &str,
) -> Option<Finding> {
    let mut nodes_with: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for candidate in candidates {
        if let Some(value) = value(candidate) {
            nodes_with
                .entry(value)
                .or_default()
                .push(candidate.addr.to_string());
        }
    }
    let evidence: Vec<String> = nodes_with
        .iter()
        .map(|(value, nodes)| format!("{value}: {}", nodes.join(", ")))
        .collect();
    (nodes_with.len() > 1)
        .then(|| finding(code, subject, summary.into(), evidence.join("; "), next))
}
