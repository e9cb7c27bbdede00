//! From a survey to a report: the rows, then the verdict of the rules.

use std::collections::BTreeSet;

use super::report::{ClusterRow, NodeRow, Report, SentinelRow, ShardRow};
use crate::health::{self, lag, latency, rates};
use crate::model::{
    Facts, Health, Info, Layout, Losses, Member, NodeReport, Role, SentinelAnswer, SentinelReport,
    Sentinels, Shard, Silence, Site, SlotSet, Survey, Topology, form, losses,
};

/// Judges a survey.
pub fn judge(survey: &Survey, options: &health::Options) -> Report {
    let topology = Topology::of(survey);
    let verdict = health::judge(survey, &topology, options);
    let watching = |sentinels: &Sentinels| sentinels.watching().next().is_some();
    let is_blind =
        survey.answered().next().is_none() && !survey.sentinels.as_ref().is_some_and(watching);
    Report {
        health: if is_blind {
            Health::Unknown
        } else {
            Health::of(&verdict.findings)
        },
        cluster: cluster_row(survey, &topology),
        nodes: node_rows(survey, &topology),
        shards: topology
            .shards
            .iter()
            .enumerate()
            .map(|(n, shard)| shard_row(survey, &topology, n + 1, shard))
            .collect(),
        sentinels: sentinel_rows(survey),
        findings: verdict.findings,
        skipped: verdict.skipped,
    }
}

fn cluster_row(survey: &Survey, topology: &Topology) -> ClusterRow {
    let masters: Vec<&Facts> = topology
        .masters()
        .filter_map(|master| survey.facts(&master.id))
        .collect();
    let are_all_masters_here = masters.len() == topology.masters().count() && !masters.is_empty();
    let sum = |value: &dyn Fn(&Facts) -> Option<u64>| -> Option<u64> {
        masters
            .iter()
            .map(|facts| value(facts))
            .sum::<Option<u64>>()
            .filter(|_| are_all_masters_here)
    };
    let states: BTreeSet<&str> = survey
        .answered()
        .filter_map(|(_, facts)| facts.cluster.get("cluster_state"))
        .collect();
    let versions: BTreeSet<String> = survey
        .answered()
        .filter_map(|(_, facts)| version(&facts.info))
        .collect();
    ClusterRow {
        name: survey
            .name
            .clone()
            .or_else(|| survey.seeds.first().map(ToString::to_string))
            .unwrap_or_default(),
        service: survey.service.map(|service| match &survey.service_by {
            Some(by) => format!("{service} (by {by})"),
            None => service.to_string(),
        }),
        withheld: survey.withheld(),
        form: survey.form,
        state: states
            .iter()
            .max_by_key(|&&state| state != "ok")
            .map(|&state| state.to_owned()),
        nodes_known: topology.members.len().max(survey.nodes.len()),
        nodes_answering: survey.answered().count(),
        masters: topology.voters().count(),
        replicas: topology
            .members
            .values()
            .filter(|member| member.role == Role::Replica)
            .count(),
        slots_served: served(topology).len(),
        slots_covered: topology.covered().len(),
        current_epoch: survey
            .answered()
            .filter_map(|(_, facts)| facts.cluster.number("cluster_current_epoch"))
            .max(),
        keys: sum(&|facts| Some(latest(facts).keys())),
        used_memory_bytes: sum(&|facts| latest(facts).number("used_memory")),
        maxmemory_bytes: sum(&|facts| latest(facts).number("maxmemory").filter(|&limit| limit > 0)),
        ops_per_second: masters
            .iter()
            .map(|facts| rates::operations_per_second(facts))
            .sum(),
        failed_percent: rates::failed_percent(masters.iter().copied()),
        redirected_percent: rates::redirected_percent(masters.iter().copied()),
        versions: versions.into_iter().collect(),
        survives: match survey.form.is_cluster() {
            true => survives(topology),
            false => Losses::default(),
        },
    }
}

fn sentinel_rows(survey: &Survey) -> Vec<SentinelRow> {
    let all = survey.sentinels.iter().flat_map(|s| &s.asked);
    all.map(sentinel_row).collect()
}

fn sentinel_row(report: &SentinelReport) -> SentinelRow {
    let facts = report.facts();
    let master = facts.and_then(|facts| facts.master.as_ref());
    let number = |name: &str| master.and_then(|master| master.number(name));
    let watching = facts.filter(|facts| facts.master.is_some());
    let flags = ["o_down", "s_down"].into_iter();
    SentinelRow {
        addr: report.addr.clone(),
        state: match &report.answer {
            SentinelAnswer::Silent { silence, .. } => silence.to_string(),
            SentinelAnswer::Facts(facts) if facts.master.is_none() => "stranger".into(),
            SentinelAnswer::Facts(_) => "ok".into(),
        },
        name: master.and_then(|master| master.get("name").map(str::to_owned)),
        master: master.and_then(form::address),
        master_flags: master
            .and_then(|master| flags.clone().find(|flag| form::is_flagged(master, flag)))
            .map(str::to_owned),
        quorum: number("quorum"),
        sentinels: watching.map(|facts| facts.others.len() + 1),
        replicas: watching.map(|facts| facts.replicas.len()),
        down_after_ms: number("down-after-milliseconds"),
        failover_timeout_ms: number("failover-timeout"),
        version: facts.and_then(|facts| version(&facts.info)),
    }
}

/// Slots whose owner answers.
fn served(topology: &Topology) -> SlotSet {
    topology
        .masters()
        .filter(|master| master.is_answering)
        .fold(SlotSet::new(), |all, master| all.union(&master.slots))
}

fn survives(topology: &Topology) -> Losses {
    let members: Vec<&Member> = topology.members.values().collect();
    let sites: Vec<Site> = members.iter().map(|member| member.site.clone()).collect();
    let index = |id| members.iter().position(|member| &member.id == id);
    let shards = topology
        .shards
        .iter()
        .filter(|shard| !shard.slots.is_empty())
        .filter_map(|shard| {
            Some((
                index(&shard.master)?,
                shard.replicas.iter().filter_map(index).collect(),
            ))
        })
        .collect();
    losses(&sites, &Layout { shards })
}

fn node_rows(survey: &Survey, topology: &Topology) -> Vec<NodeRow> {
    let mut rows = Vec::new();
    let mut seen = BTreeSet::new();
    for shard in &topology.shards {
        for id in std::iter::once(&shard.master).chain(&shard.replicas) {
            if let Some(member) = topology.member(id).filter(|_| seen.insert(id.clone())) {
                rows.push(member_row(survey, topology, member));
            }
        }
    }
    let others = topology
        .members
        .values()
        .filter(|member| !seen.contains(&member.id));
    rows.extend(others.map(|member| member_row(survey, topology, member)));
    let strangers = survey.nodes.iter().filter(|node| {
        node.id
            .as_ref()
            .is_none_or(|id| topology.member(id).is_none())
    });
    rows.extend(strangers.map(stranger_row));
    rows
}

fn member_row(survey: &Survey, topology: &Topology, member: &Member) -> NodeRow {
    let facts = survey.facts(&member.id);
    let info = facts.map(latest);
    let number = |name: &str| info.and_then(|info| info.number(name));
    let master = member.master.as_ref().and_then(|id| topology.member(id));
    let master_facts = master.and_then(|master| survey.facts(&master.id));
    let pings = facts
        .map(|facts| facts.pings_us.as_slice())
        .unwrap_or_default();
    let is_replica = member.role == Role::Replica;
    let link = info
        .and_then(|info| info.get("master_link_status"))
        .map(|status| status == "up");
    NodeRow {
        id: Some(member.id.clone()),
        addr: member.addr.clone(),
        announced: member.announced.endpoint(),
        host: member.site.host.clone(),
        zone: member.site.zone.clone(),
        role: member.role,
        shard: topology.shard_number(&member.id),
        master: master.and_then(|master| master.addr.clone()),
        state: state(survey.node(&member.id), member),
        slots: member.slots.to_string(),
        slot_count: member.slots.len(),
        epoch: Some(member.epoch),
        is_link_up: link.filter(|_| is_replica),
        lag_bytes: master_facts.and_then(|facts| lag::bytes(facts, member)),
        lag_seconds: master_facts.and_then(|facts| lag::seconds(facts, member)),
        keys: info.map(Info::keys),
        used_memory_bytes: number("used_memory"),
        maxmemory_bytes: number("maxmemory"),
        clients: number("connected_clients"),
        ops_per_second: facts.and_then(rates::operations_per_second),
        ping_min_us: pings.iter().min().copied(),
        ping_p50_us: latency::percentile(pings, 50.0),
        ping_p99_us: latency::percentile(pings, 99.0),
        version: info.and_then(version),
        uptime_seconds: number("uptime_in_seconds"),
    }
}

fn stranger_row(node: &NodeReport) -> NodeRow {
    NodeRow {
        id: node.id.clone(),
        addr: Some(node.addr.clone()),
        announced: None,
        host: node.site.host.clone(),
        zone: node.site.zone.clone(),
        role: Role::Unknown,
        shard: None,
        master: None,
        state: node
            .silence()
            .map_or_else(|| "ok".into(), |silence| silence.to_string()),
        slots: String::new(),
        slot_count: 0,
        epoch: None,
        is_link_up: None,
        lag_bytes: None,
        lag_seconds: None,
        keys: None,
        used_memory_bytes: None,
        maxmemory_bytes: None,
        clients: None,
        ops_per_second: None,
        ping_min_us: None,
        ping_p50_us: None,
        ping_p99_us: None,
        version: None,
        uptime_seconds: None,
    }
}

/// What the matter is with a node, the gravest word first: how it was silent, what the others say
/// of it, what it says of itself.
fn state(report: Option<&NodeReport>, member: &Member) -> String {
    let silence = report.map_or(Some(Silence::NoAddress), NodeReport::silence);
    if let Some(silence) = silence {
        return match member.failed_by {
            0 => silence.to_string(),
            _ => format!("fail, {silence}"),
        };
    }
    let own = report
        .and_then(NodeReport::facts)
        .and_then(|facts| facts.cluster.get("cluster_state"));
    match (member.failed_by, member.suspected_by, own) {
        (1.., _, _) => "fail".into(),
        (_, 1.., _) => "fail?".into(),
        (_, _, Some("fail")) => "down".into(),
        _ => "ok".into(),
    }
}

fn shard_row(survey: &Survey, topology: &Topology, number: usize, shard: &Shard) -> ShardRow {
    let facts = survey.facts(&shard.master);
    let addr = |id| topology.member(id).and_then(|member| member.addr.clone());
    let in_sync = |id: &&_| {
        let link = survey
            .facts(id)
            .and_then(|facts| facts.info.get("master_link_status"));
        link == Some("up")
    };
    ShardRow {
        shard: number,
        master: addr(&shard.master),
        replicas: shard.replicas.iter().filter_map(addr).collect(),
        replicas_in_sync: shard.replicas.iter().filter(in_sync).count(),
        slots: shard.slots.to_string(),
        slot_count: shard.slots.len(),
        keys: facts.map(|facts| latest(facts).keys()),
        used_memory_bytes: facts.and_then(|facts| latest(facts).number("used_memory")),
        ops_per_second: facts.and_then(rates::operations_per_second),
    }
}

/// The newest sample.
fn latest(facts: &Facts) -> &Info {
    facts.later.as_ref().unwrap_or(&facts.info)
}

fn version(info: &Info) -> Option<String> {
    Some(format!("{} {}", info.vendor(), info.version()?))
}
