//! Reports that the tests of this room look at: a sound cluster, and one that a night shift fears.

use std::collections::BTreeMap;

use crate::model::{Finding, Health, Losses, NodeAddr, Role, Severity, Skipped, Subject};
use crate::ops::check::{ClusterRow, NodeRow, Report, ShardRow};

const SLOTS: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];
const COUNTS: [usize; 3] = [5461, 5462, 5461];

pub fn addr(n: u16) -> NodeAddr {
    NodeAddr::new(format!("10.0.0.{n}"), 6379)
}

fn node(n: usize) -> NodeRow {
    let (shard, is_master) = (n % 3, n < 3);
    NodeRow {
        id: format!("{}", n + 1).repeat(40).parse().ok(),
        addr: Some(addr(n as u16 + 1)),
        announced: Some(addr(n as u16 + 1)),
        host: format!("10.0.0.{}", n + 1),
        zone: None,
        role: if is_master {
            Role::Master
        } else {
            Role::Replica
        },
        shard: Some(shard + 1),
        master: (!is_master).then(|| addr(shard as u16 + 1)),
        state: "ok".to_owned(),
        slots: if is_master {
            SLOTS[shard].to_owned()
        } else {
            String::new()
        },
        slot_count: if is_master { COUNTS[shard] } else { 0 },
        epoch: Some(shard as u64 + 1),
        is_link_up: (!is_master).then_some(true),
        lag_bytes: (!is_master).then_some(0),
        lag_seconds: (!is_master).then_some(0.0),
        keys: Some(260_000 + n as u64),
        used_memory_bytes: Some(80_530_636),
        maxmemory_bytes: Some(1_073_741_824),
        clients: Some(12),
        ops_per_second: Some(if is_master { 1200.4 } else { 3.25 }),
        ping_min_us: Some(31),
        ping_p50_us: Some(38 + n as u64),
        ping_p99_us: Some(1240),
        version: Some("Redis 7.0.15".to_owned()),
        uptime_seconds: Some(1_051_200),
    }
}

fn shard(n: usize) -> ShardRow {
    ShardRow {
        shard: n + 1,
        master: Some(addr(n as u16 + 1)),
        replicas: vec![addr(n as u16 + 4)],
        replicas_in_sync: 1,
        slots: SLOTS[n].to_owned(),
        slot_count: COUNTS[n],
        keys: Some(260_000 + n as u64),
        used_memory_bytes: Some(80_530_636),
        ops_per_second: Some(1200.4),
    }
}

/// Six nodes on six hosts, all well.
pub fn sound() -> Report {
    let mut nodes: Vec<NodeRow> = (0..6).map(node).collect();
    nodes.sort_by_key(|node| (node.shard, node.role));
    let hosts = nodes.iter().map(|node| (node.host.clone(), true)).collect();
    Report {
        health: Health::Ok,
        cluster: ClusterRow {
            form: crate::model::Form::Cluster,
            name: "goodbooks".to_owned(),
            service: None,
            withheld: Vec::new(),
            state: Some("ok".to_owned()),
            nodes_known: 6,
            nodes_answering: 6,
            masters: 3,
            replicas: 3,
            slots_served: 16384,
            slots_covered: 16384,
            current_epoch: Some(6),
            keys: Some(780_003),
            used_memory_bytes: Some(241_591_908),
            maxmemory_bytes: Some(3_221_225_472),
            ops_per_second: Some(3601.2),
            failed_percent: Some(0.0),
            redirected_percent: Some(0.123),
            versions: vec!["Redis 7.0.15".to_owned()],
            survives: Losses {
                hosts,
                zones: BTreeMap::new(),
            },
        },
        nodes,
        shards: (0..3).map(shard).collect(),
        sentinels: Vec::new(),
        findings: Vec::new(),
        skipped: Vec::new(),
    }
}

pub fn finding(code: &str, severity: Severity, subject: Subject, summary: &str) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject,
        summary: summary.to_owned(),
        evidence: "CLUSTER NODES at 10.0.0.1:6379 and 4 others: flags master,fail".to_owned(),
        next: "goodcache check --explain ".to_owned() + code,
    }
}

/// Node 2 is frozen, its replica lags, nobody has a password, and some things could not be read.
pub fn broken() -> Report {
    let mut report = sound();
    let at = |n: u16| Subject::Node(addr(n).to_string());
    report.health = Health::Critical;
    let row = &mut report.cluster;
    (row.nodes_answering, row.slots_served) = (5, 10_922);
    row.state = Some("fail".to_owned());
    (row.keys, row.ops_per_second, row.maxmemory_bytes) = (None, None, None);
    row.survives.hosts.insert("10.0.0.1".to_owned(), false);
    row.survives.hosts.insert("10.0.0.5".to_owned(), false);
    for node in &mut report.nodes {
        match node.addr.as_ref().map(|addr| addr.host.as_str()) {
            Some("10.0.0.2") => silence(node),
            Some("10.0.0.5") => (node.is_link_up, node.lag_seconds) = (Some(false), None),
            Some("10.0.0.6") => node.lag_seconds = Some(12.4),
            _ => {}
        }
    }
    (report.shards[1].replicas_in_sync, report.shards[1].keys) = (0, None);
    report.findings = vec![
        finding(
            "node.timeout",
            Severity::Critical,
            at(2),
            "does not answer within 2 s while its port is open, so it is frozen or overloaded",
        ),
        finding(
            "slots.unserved",
            Severity::Critical,
            Subject::Cluster("goodbooks".to_owned()),
            "5462 slots are served by nobody",
        ),
        finding(
            "replica.lag",
            Severity::Warning,
            at(6),
            "12.4 s behind its master",
        ),
    ];
    for n in [1, 3, 4, 5, 6] {
        report.findings.push(finding(
            "security.no_password",
            Severity::Warning,
            at(n),
            "anybody may connect",
        ));
    }
    report.findings.push(finding(
        "version.old",
        Severity::Info,
        Subject::Cluster("goodbooks".to_owned()),
        "Redis 7.0.15 is no longer maintained",
    ));
    let skip = |code: &str, reason: &str| Skipped {
        code: code.to_owned(),
        subject: at(2),
        reason: reason.to_owned(),
    };
    report.skipped = vec![
        skip("memory.fragmentation", "the node did not answer"),
        skip("persistence.aof", "the node did not answer"),
        skip("errors.rate", "only one sample was taken"),
    ];
    report
}

fn silence(node: &mut NodeRow) {
    node.state = "timeout".to_owned();
    (node.keys, node.used_memory_bytes, node.maxmemory_bytes) = (None, None, None);
    (node.clients, node.ops_per_second) = (None, None);
    (node.ping_min_us, node.ping_p50_us, node.ping_p99_us) = (None, None, None);
    (node.version, node.uptime_seconds) = (None, None);
}

/// A cluster whose names try to act on the terminal, the page or the scraper.
pub fn hostile() -> Report {
    let evil = "a\u{1b}[2J|b`c\"d\\e\n# HELP\u{202e}<img src=x>@octocat";
    let mut report = sound();
    report.health = Health::Warning;
    report.cluster.name = evil.to_owned();
    report.cluster.versions = vec![evil.to_owned()];
    report.nodes[0].state = evil.to_owned();
    report.nodes[0].zone = Some(evil.to_owned());
    let mut found = finding(
        "node.name",
        Severity::Warning,
        Subject::Host(evil.to_owned()),
        evil,
    );
    (found.evidence, found.next) = (evil.to_owned(), evil.to_owned());
    report.findings = vec![found];
    report
}
