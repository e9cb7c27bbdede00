//! Rules about nodes as the cluster sees them: are they flagged, known, restarted, of one mind on
//! the state of the whole. Whether they answer at all is asked in `answers`.

use std::collections::BTreeMap;

use crate::model::words::{counted, listed, seconds};
use crate::model::{Probe, Severity, Silence, Subject};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above, below};
use super::notes::Notes;

const FAILED: CodeDoc = CodeDoc {
    code: "node.failed",
    title: "marked as failed by a majority, though it answers here",
    severity: Severity::Critical,
    why: "A majority of the masters agreed on the cluster bus that the node is down, while it answers clients. Its bus port is cut off, or it comes back just now. A master in this state loses its slots to a replica.",
    remedy: "See whether the bus port (client port + 10000 unless set) can be reached from the other nodes, in both directions.",
    source: "CLUSTER NODES: flag fail; cluster_legacy.c markNodeAsFailingIfNeeded",
    ..CodeDoc::PLAIN
};
const SUSPECTED: CodeDoc = CodeDoc {
    code: "node.suspected",
    title: "suspected to be down (fail?)",
    why: "At least one node got no pong from it for cluster-node-timeout. That is one node's own suspicion: a stall of either of the two, or a path that is cut between them. When a majority shares it, a failover begins.",
    remedy: "Look for stalls (latency.*) on both, and for packet loss between them.",
    source: "CLUSTER NODES: flag fail? of the nodes named",
    ..CodeDoc::PLAIN
};
const GHOST: CodeDoc = CodeDoc {
    code: "node.ghost",
    title: "a table entry without a node behind it",
    why: "Some tables hold an entry that never was introduced (handshake) or has no address (noaddr). It costs gossip, and a handshake that comes back over and over means that somebody still speaks of a node that is gone or cannot be reached on its bus port.",
    remedy: "Send CLUSTER FORGET with its id to every node within 60 s; for a handshake find who announces the address.",
    source: "CLUSTER NODES: flags handshake, noaddr",
    ..CodeDoc::PLAIN
};
const FORGOTTEN: CodeDoc = CodeDoc {
    code: "node.forgotten",
    title: "runs and knows the others, but none of them knows it",
    why: "The others were told to forget the node, but the node itself was never reset. Clients that still have its address get answers from outside the cluster, and it may come back with old slots if it is introduced again.",
    remedy: "If it belongs to the cluster introduce it again with CLUSTER MEET; if not, CLUSTER RESET HARD on it (it must hold no keys), or stop it.",
    source: "CLUSTER NODES of every node compared; CLUSTER FORGET",
    ..CodeDoc::PLAIN
};
const ALONE: CodeDoc = CodeDoc {
    code: "node.alone",
    title: "knows no other node",
    why: "The node was asked together with others but knows only itself: it was never introduced, it lost its nodes.conf, or it belongs elsewhere. A node that came back without its nodes.conf has a new id, and the old one stays dead.",
    remedy: "Introduce it with CLUSTER MEET, or leave its address out.",
    source: "CLUSTER NODES of that node: one line",
    ..CodeDoc::PLAIN
};
const RESTARTED: CodeDoc = CodeDoc {
    code: "node.restarted",
    title: "restarted a short while ago, alone",
    limit: below(600.0, None, Unit::Seconds),
    why: "The node has been up for minutes while its peers have been up for hours: it crashed, was killed (out of memory, a failing liveness probe) or was restarted by hand.",
    remedy: "Read the end of its log before the restart, and the kernel log for the out-of-memory killer.",
    source: "INFO server: uptime_in_seconds, run_id",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const STATE: CodeDoc = CodeDoc {
    code: "cluster.state",
    title: "cluster_state is fail",
    severity: Severity::Critical,
    why: "A node whose cluster_state is fail answers CLUSTERDOWN to every command on keys. When all say so, slots are uncovered or the majority of the masters is gone; when one says so, it is cut off from the rest.",
    remedy: "Mend what the other findings name: slots.uncovered, slots.failed, node.down. After that a master waits for up to 5 s before it says ok again.",
    source: "CLUSTER INFO: cluster_state; cluster_legacy.c clusterUpdateState",
    ..CodeDoc::PLAIN
};
const TOO_LARGE: CodeDoc = CodeDoc {
    code: "cluster.too_large",
    title: "more nodes than the cluster bus was made for",
    limit: above(500.0, Some(1000.0), Unit::Count),
    why: "Every node speaks with every other; the protocol was designed for up to 1,000. Beyond that, gossip costs and the time until failures are noticed grow.",
    remedy: "Split the data over several clusters, or use fewer and larger nodes.",
    source: "the cluster specification; CLUSTER INFO: cluster_known_nodes",
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "nodes",
    codes: &[
        &FAILED, &SUSPECTED, &GHOST, &FORGOTTEN, &ALONE, &RESTARTED, &STATE, &TOO_LARGE,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    if !case.is_cluster() {
        // Without a bus there is nobody who flags, forgets or introduces.
        restarts(case, notes);
        return;
    }
    flagged(case, notes);
    ghosts(case, notes);
    outsiders(case, notes);
    restarts(case, notes);
    state(case, notes);
    let size = case.topology.members.len();
    if let Some(severity) = notes.grade(&TOO_LARGE, size as f64) {
        notes.find_at(
            &TOO_LARGE,
            severity,
            case.cluster(),
            format!("the cluster has {size} nodes"),
            format!("CLUSTER NODES of all nodes together: {size} members"),
            "plan a split over several clusters",
        );
    }
}

fn flagged(case: &Case, notes: &mut Notes) {
    for member in case.topology.members.values() {
        let Some(node) = case.survey.node(&member.id) else {
            continue;
        };
        if case.seems_dead(node) || node.silence() == Some(Silence::NoAddress) {
            continue;
        }
        let others = member
            .known_by
            .saturating_sub(usize::from(member.is_answering));
        let links = case.cli(&node.addr, "cluster nodes");
        let subject = Subject::Node(node.addr.to_string());
        if member.failed_by > 0 {
            notes.find(
                &FAILED,
                subject,
                format!(
                    "{} of {others} other nodes hold it for failed, yet it answers here",
                    member.failed_by
                ),
                "CLUSTER NODES of those nodes: flag fail",
                format!("see whom it reaches: {links}"),
            );
        } else if member.suspected_by > 0 {
            notes.find(
                &SUSPECTED,
                subject,
                format!(
                    "{} of {others} other nodes suspect that it is down",
                    member.suspected_by
                ),
                "CLUSTER NODES of those nodes: flag fail?",
                format!("see whom it reaches: {links}"),
            );
        }
    }
}

fn ghosts(case: &Case, notes: &mut Notes) {
    // A handshake has a random id in every table, so the address is what makes it the same.
    let mut seen: BTreeMap<(String, &'static str), Vec<String>> = BTreeMap::new();
    for asked in case.asked() {
        for peer in &asked.facts.view.peers {
            let kind = match (peer.flags.noaddr, peer.flags.handshake) {
                (true, _) => "noaddr",
                (false, true) => "handshake",
                (false, false) => continue,
            };
            let name = match peer.announced.endpoint() {
                Some(addr) if kind == "handshake" => addr.to_string(),
                _ => peer.id.to_string(),
            };
            seen.entry((name, kind))
                .or_default()
                .push(asked.report.addr.to_string());
        }
    }
    for ((name, kind), by) in seen {
        let (summary, next) = if kind == "noaddr" {
            (
                format!(
                    "an entry without an address stands in {}",
                    counted(by.len(), "table")
                ),
                format!(
                    "on every node: {}",
                    case.cli(&case.any_addr(), &format!("cluster forget {name}"))
                ),
            )
        } else {
            (
                format!(
                    "{} did not come out of the handshake with it",
                    counted(by.len(), "node")
                ),
                format!(
                    "is its bus port reachable? {}",
                    case.cli(&case.any_addr(), "cluster nodes")
                ),
            )
        };
        let evidence = format!("CLUSTER NODES of {}: flag {kind}", listed(by, 6));
        notes.find(&GHOST, Subject::Node(name), summary, evidence, next);
    }
}

fn outsiders(case: &Case, notes: &mut Notes) {
    if case.asked().count() < 2 {
        return;
    }
    for asked in case.asked() {
        let Some(member) = asked.member.filter(|member| member.known_by == 1) else {
            continue;
        };
        let known = asked
            .facts
            .view
            .peers
            .iter()
            .filter(|peer| peer.is_member())
            .count();
        let slots = member.slots.len();
        let severity = if slots > 0 {
            Severity::Critical
        } else {
            Severity::Warning
        };
        let evidence = format!(
            "its CLUSTER NODES has {}; no other node's has its id {}; it claims {}",
            counted(known, "line"),
            member.id.short(),
            counted(slots, "slot")
        );
        let others = case.asked().map(|other| other.report.addr.clone());
        let other = others.filter(|addr| *addr != asked.report.addr).last();
        let meet = case.cli(
            &other.unwrap_or_else(|| case.any_addr()),
            &format!(
                "cluster meet {} {}",
                asked.report.addr.host, asked.report.addr.port
            ),
        );
        if known > 1 {
            let summary = format!(
                "knows {}, but none of them knows it",
                counted(known - 1, "other node")
            );
            notes.find_at(
                &FORGOTTEN,
                severity,
                asked.subject(),
                summary,
                evidence,
                format!("stop it, or introduce it again: {meet}"),
            );
        } else {
            notes.find_at(
                &ALONE,
                severity,
                asked.subject(),
                "knows no other node",
                evidence,
                format!("if it belongs to the cluster: {meet}"),
            );
        }
    }
}

fn restarts(case: &Case, notes: &mut Notes) {
    let mut uptimes: Vec<u64> = case
        .asked()
        .filter_map(|asked| asked.facts.info.number("uptime_in_seconds"))
        .collect();
    uptimes.sort_unstable();
    let Some(&median) = uptimes.get(uptimes.len() / 2) else {
        return;
    };
    for asked in case.asked() {
        if asked.facts.has_restarted() {
            notes.find(
                &RESTARTED,
                asked.subject(),
                "restarted between the two samples",
                "INFO server: run_id changed",
                "read its log",
            );
            continue;
        }
        let Some(uptime) = asked.facts.info.number("uptime_in_seconds") else {
            continue;
        };
        // A young cluster, or one whose nodes all restarted together, is no finding.
        let Some(severity) = notes
            .grade(&RESTARTED, uptime as f64)
            .filter(|_| median > 3_600)
        else {
            continue;
        };
        notes.find_at(
            &RESTARTED,
            severity,
            asked.subject(),
            format!(
                "restarted {} ago, while its peers have been up for {}",
                seconds(uptime as f64),
                seconds(median as f64)
            ),
            format!("INFO server: uptime_in_seconds:{uptime}"),
            "read its log from before the restart",
        );
    }
}

fn state(case: &Case, notes: &mut Notes) {
    let asked = notes.with(Probe::ClusterInfo, &[&STATE], case.asked());
    let failing: Vec<&Asked> = asked
        .iter()
        .filter(|asked| asked.facts.cluster.get("cluster_state") == Some("fail"))
        .collect();
    let Some(first) = failing.first() else {
        return;
    };
    let summary = if failing.len() == asked.len() {
        "every node says cluster_state:fail, so no command on keys is served".to_owned()
    } else {
        format!(
            "{} of {} say cluster_state:fail, so clients there get CLUSTERDOWN",
            failing.len(),
            counted(asked.len(), "node")
        )
    };
    let names = failing.iter().map(|asked| asked.report.addr.to_string());
    let info = |name| first.facts.cluster.get(name).unwrap_or("?");
    let evidence = format!(
        "CLUSTER INFO of {}; the first has cluster_slots_assigned:{} cluster_slots_ok:{} cluster_slots_fail:{} cluster_size:{}",
        listed(names, 6),
        info("cluster_slots_assigned"),
        info("cluster_slots_ok"),
        info("cluster_slots_fail"),
        info("cluster_size"),
    );
    notes.find(
        &STATE,
        case.cluster(),
        summary,
        evidence,
        case.cli(&first.report.addr, "cluster info"),
    );
}
