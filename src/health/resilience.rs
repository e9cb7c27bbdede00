//! Rules about what may be lost: replicas, quorum, and what each host or zone takes with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::words::{counted, listed};
use crate::model::{Form, Member, NodeReport, Severity, Silence, SlotSet, Subject};

use super::case::Case;
use super::code::CodeDoc;
use super::notes::Notes;
use super::{Profile, Rule};

const NO_REPLICA: CodeDoc = CodeDoc {
    code: "shard.no_replica",
    title: "no replica that could take over",
    why: "If the master of such a shard dies, its slots are gone until it comes back, and with them their data if it does not.",
    remedy: "Add a replica (CLUSTER REPLICATE on a spare node), or bring back the one that is down.",
    source: "CLUSTER NODES; which replicas answered",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const UNEVEN: CodeDoc = CodeDoc {
    code: "shard.uneven",
    title: "replicas unevenly spread over the shards",
    why: "One shard has at least two replicas more than another, so the spares are not where they would be needed most.",
    remedy: "Move a replica with CLUSTER REPLICATE from the shard that has most to the one that has least.",
    source: "CLUSTER NODES",
    ..CodeDoc::PLAIN
};
const QUORUM: CodeDoc = CodeDoc {
    code: "quorum.small",
    title: "too few masters to elect a successor",
    why: "A failover needs the votes of a majority of the masters that own slots. With one or two, the loss of one leaves no majority, so no replica is ever elected by itself.",
    remedy: "Spread the slots over at least three masters.",
    source: "the cluster specification; cluster_legacy.c clusterSendFailoverAuthIfNeeded",
    ..CodeDoc::PLAIN
};
const HOST: CodeDoc = CodeDoc {
    code: "loss.host",
    title: "its loss alone would stop the cluster",
    why: "If this host fails, slots are left without a fit replica, or no majority of masters is left to elect one. Either way the cluster does not heal by itself.",
    remedy: "Move masters or replicas so that no host holds a master with all its replicas, nor half of the masters.",
    source: "CLUSTER NODES and the host of each node",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const ZONE: CodeDoc = CodeDoc {
    code: "loss.zone",
    title: "its loss alone would stop the cluster",
    why: "If this zone fails, slots are left without a fit replica, or no majority of masters is left to elect one. Two zones can never both be dispensable: a majority needs three.",
    remedy: "Spread the masters over three zones, each replica in another zone than its master.",
    source: "CLUSTER NODES and the zone of each node",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const SAME_HOST: CodeDoc = CodeDoc {
    code: "replica.same_host",
    title: "master and all replicas on one host",
    why: "The host that takes the master takes its replicas as well, so they are no spare against it.",
    remedy: "Swap a replica with one of a shard on another host.",
    source: "CLUSTER NODES and the host of each node",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "resilience",
    codes: &[&NO_REPLICA, &UNEVEN, &QUORUM, &HOST, &ZONE, &SAME_HOST],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    if case.topology.voters().next().is_none() {
        return;
    }
    replicas(case, notes);
    if case.is_cluster() {
        quorum(case, notes);
    }
    let hosts = sites(case, |member| {
        Some(member.site.host.clone()).filter(|host| !host.is_empty())
    });
    match hosts.len() {
        0 => notes.skip(
            &HOST,
            case.cluster(),
            "the hosts of the nodes are not known",
        ),
        1 => one_host(case, notes, &hosts),
        // Who is promoted there, Sentinels decide: their rules ask what a host takes with it.
        _ if !case.is_cluster() => {}
        _ => {
            same_host(case, notes);
            losses(case, notes, &HOST, &hosts, Subject::Host);
        }
    }
    if !case.is_cluster() {
        return;
    }
    let zones = sites(case, |member| member.site.zone.clone());
    losses(case, notes, &ZONE, &zones, Subject::Zone);
}

/// Which members stand at which site.
type Sites<'a> = BTreeMap<String, Vec<&'a Member>>;

fn sites<'a>(case: &'a Case, site: impl Fn(&Member) -> Option<String>) -> Sites<'a> {
    let mut sites = Sites::new();
    for member in case.topology.members.values() {
        if let Some(site) = site(member) {
            sites.entry(site).or_default().push(member);
        }
    }
    sites
}

/// Whether the replica could take over, as far as was seen. One that would not talk to us is given
/// the benefit of the doubt: unknown is not unhealthy.
fn is_fit(case: &Case, member: &Member) -> bool {
    let silence = case.survey.node(&member.id).and_then(NodeReport::silence);
    // Nobody votes for a node that only knows itself a member.
    let is_known = member.known_by > 1 || case.survey.answered().count() < 2;
    is_known
        && !case.is_down(member)
        && !member.is_nofailover
        && silence != Some(Silence::NotCluster)
}

fn replicas(case: &Case, notes: &mut Notes) {
    let severity = match case.profile() {
        // One server is what somebody chose.
        Profile::Cache if case.survey.form == Form::Standalone => Severity::Info,
        Profile::Session | Profile::Queue if case.survey.form == Form::Standalone => {
            Severity::Warning
        }
        Profile::Cache => Severity::Warning,
        Profile::Session | Profile::Durable | Profile::Queue => Severity::Critical,
    };
    let mut counts: Vec<(usize, &Member)> = Vec::new();
    for master in case.topology.voters() {
        let all: Vec<&Member> = case.topology.replicas(&master.id).collect();
        counts.push((all.len(), master));
        if all.iter().any(|replica| is_fit(case, replica)) {
            continue;
        }
        let evidence = if all.is_empty() {
            format!(
                "{}: nobody follows {}",
                if case.is_cluster() {
                    "CLUSTER NODES"
                } else {
                    "INFO replication"
                },
                case.name(&master.id)
            )
        } else {
            format!(
                "of {}: {} down, forgotten or barred from election",
                case.name(&master.id),
                case.names(all.iter().map(|r| &r.id), 4)
            )
        };
        // An old master that was failed over comes back as a replica of its successor.
        let empty = |member: &&Member| member.slots.is_empty() && case.is_down(member);
        let fallen = case.topology.masters().find(empty);
        let next = match all
            .first()
            .copied()
            .or(fallen)
            .and_then(|it| it.addr.as_ref())
        {
            Some(addr) => format!("bring {addr} back"),
            None if !case.is_cluster() => {
                let at = master.addr.clone().unwrap_or_else(|| case.any_addr());
                format!("on a spare server: replicaof {} {}", at.host, at.port)
            }
            None => format!("on a spare node: cluster replicate {}", master.id),
        };
        notes.find_at(
            &NO_REPLICA,
            severity,
            case.shard(&master.id),
            format!("no replica could take over from {}", case.name(&master.id)),
            evidence,
            next,
        );
    }
    let most = counts.iter().max_by_key(|(number, _)| *number);
    let least = counts.iter().min_by_key(|(number, _)| *number);
    if let (Some((most, rich)), Some((least, poor))) = (most, least)
        && most - least > 1
    {
        let spare = case
            .topology
            .replicas(&rich.id)
            .find_map(|replica| replica.addr.clone());
        let addr = spare.unwrap_or_else(|| case.any_addr());
        notes.find(
            &UNEVEN,
            case.cluster(),
            format!(
                "{} has {}, {} has {least}",
                case.name(&rich.id),
                counted(*most, "replica"),
                case.name(&poor.id)
            ),
            "CLUSTER NODES: replicas of each master",
            case.cli(&addr, &format!("cluster replicate {}", poor.id)),
        );
    }
}

/// The fewest masters of which one may be lost.
const VOTERS: usize = 3;

fn quorum(case: &Case, notes: &mut Notes) {
    let voters = case.topology.voters().count();
    if voters >= VOTERS {
        return;
    }
    let severity = match case.profile() {
        Profile::Durable => Severity::Critical,
        _ => Severity::Warning,
    };
    notes.find_at(
        &QUORUM,
        severity,
        case.cluster(),
        format!(
            "only {} with slots: after the loss of one no replica can be elected",
            counted(voters, "master")
        ),
        "CLUSTER NODES: masters that own slots",
        "spread the slots over at least three masters",
    );
}

fn one_host(case: &Case, notes: &mut Notes, hosts: &Sites) {
    if case.topology.members.len() < 2 {
        return;
    }
    let Some((host, members)) = hosts.first_key_value() else {
        return;
    };
    // On loopback it is somebody's own machine, where this is meant.
    let local = case.survey.nodes.iter().all(|node| node.addr.is_loopback());
    notes.find_at(
        &HOST,
        if local {
            Severity::Info
        } else {
            Severity::Warning
        },
        case.cluster(),
        format!("all nodes are on one host, {host}: its loss is the loss of the cluster"),
        format!("{} at {host}", counted(members.len(), "node")),
        "for more than development spread the nodes over at least three hosts",
    );
}

fn same_host(case: &Case, notes: &mut Notes) {
    for master in case.topology.voters() {
        let host = &master.site.host;
        let replicas: Vec<&Member> = case.topology.replicas(&master.id).collect();
        if !host.is_empty()
            && !replicas.is_empty()
            && replicas.iter().all(|replica| &replica.site.host == host)
        {
            notes.find(
                &SAME_HOST,
                case.shard(&master.id),
                format!(
                    "{} and all its replicas are on host {host}",
                    case.name(&master.id)
                ),
                format!(
                    "host {host}: {}, {}",
                    case.name(&master.id),
                    case.names(replicas.iter().map(|r| &r.id), 4)
                ),
                "swap a replica with one of a shard on another host (CLUSTER REPLICATE)",
            );
        }
    }
}

fn losses(
    case: &Case,
    notes: &mut Notes,
    doc: &'static CodeDoc,
    sites: &Sites,
    subject: fn(String) -> Subject,
) {
    for (site, members) in sites {
        let Some((slots, votes)) = loss(case, members) else {
            continue;
        };
        let voters = case.topology.voters().count();
        let mut parts = Vec::new();
        if votes < majority(voters) {
            parts.push(format!(
                "{votes} of {voters} masters would be left, {} are needed to elect",
                majority(voters)
            ));
        }
        if !slots.is_empty() {
            parts.push(format!(
                "{} would have no fit replica",
                counted(slots.len(), "slot")
            ));
        }
        notes.find(
            doc,
            subject(site.clone()),
            "if it is lost, the cluster does not recover by itself",
            parts.join("; "),
            format!(
                "move some of {} elsewhere",
                listed(members.iter().map(|m| case.name(&m.id)), 6)
            ),
        );
    }
}

fn majority(voters: usize) -> usize {
    voters / 2 + 1
}

/// What is left after the loss: slots without a fit replica, and votes. `None` when that is enough.
/// Shards that have no fit replica even now are left out, and so are votes where there are too few
/// voters anyhow: `shard.no_replica` and `quorum.small` say so once, not once for each host.
fn loss(case: &Case, lost: &[&Member]) -> Option<(SlotSet, usize)> {
    let gone: BTreeSet<_> = lost.iter().map(|member| &member.id).collect();
    let voters: Vec<&Member> = case.topology.voters().collect();
    let (taken, left): (Vec<&Member>, Vec<&Member>) =
        voters.iter().partition(|voter| gone.contains(&voter.id));
    let votes = left.iter().filter(|voter| !case.is_down(voter)).count();
    let orphaned = taken
        .iter()
        .filter(|master| {
            let replicas = case.topology.replicas(&master.id);
            let fit: Vec<&Member> = replicas.filter(|replica| is_fit(case, replica)).collect();
            !fit.is_empty() && fit.iter().all(|replica| gone.contains(&replica.id))
        })
        .fold(SlotSet::new(), |all, master| all.union(&master.slots));
    let elects = votes >= majority(voters.len()) || voters.len() < VOTERS;
    let is_borne = taken.is_empty() || (elects && orphaned.is_empty());
    (!is_borne).then_some((orphaned, votes))
}
