//! Rules about configuration: what must be the same on every node, and is it.

use std::collections::BTreeMap;

use crate::model::words::listed;
use crate::model::{Probe, Role, Severity};

use super::Rule;
use super::case::{Asked, Case};
use super::code::CodeDoc;
use super::notes::Notes;

const DRIFT: CodeDoc = CodeDoc {
    code: "settings.drift",
    title: "settings differ that should be the same on every node",
    why: "After a failover the cluster behaves as the new master is set up. A node that differs in limits, policy, timeouts or persistence is a surprise that waits for the worst day; different node timeouts make nodes judge each other unfairly.",
    remedy: "Choose one value and set it on every node with CONFIG SET, then CONFIG REWRITE.",
    source: "CONFIG GET * of every node compared",
    ..CodeDoc::PLAIN
};
const ACL: CodeDoc = CodeDoc {
    code: "settings.acl_drift",
    title: "ACL users or rules differ between nodes",
    severity: Severity::Critical,
    why: "ACLs belong to each node and are not replicated. After a failover, or on another shard, a user is locked out, or let in where he should not be.",
    remedy: "Apply the same ACL SETUSER lines, or the same aclfile, to every node.",
    source: "ACL LIST of every node, hashed and compared",
    ..CodeDoc::PLAIN
};
const MODULES: CodeDoc = CodeDoc {
    code: "settings.modules_drift",
    title: "loaded modules differ between nodes",
    severity: Severity::Critical,
    why: "A replica without its master's module, or with another version of it, may not be able to load the data, and clients meet unknown commands after a failover.",
    remedy: "Load the same modules in the same versions everywhere.",
    source: "MODULE LIST of every node compared",
    ..CodeDoc::PLAIN
};
const MASTERAUTH: CodeDoc = CodeDoc {
    code: "settings.masterauth_missing",
    title: "masterauth is empty while nodes want a password",
    severity: Severity::Critical,
    why: "A node that becomes a replica must log in to its master. Without masterauth it cannot: after the next failover the old master never comes back into step.",
    remedy: "CONFIG SET masterauth (and masteruser) on every node, masters included, then CONFIG REWRITE.",
    source: "CONFIG: requirepass, masterauth, masteruser",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "settings",
    codes: &[&DRIFT, &ACL, &MODULES, &MASTERAUTH],
    judge,
};

/// Must be equal on all nodes. Old and new names of one setting are both printed by servers, so the
/// old ones are left out.
const EVERYWHERE: &[&str] = &[
    "cluster-node-timeout",
    "cluster-require-full-coverage",
    "cluster-allow-reads-when-down",
    "cluster-allow-pubsubshard-when-down",
    "cluster-allow-replica-migration",
    "cluster-replica-validity-factor",
    "cluster-migration-barrier",
    "cluster-preferred-endpoint-type",
    "maxmemory",
    "maxmemory-policy",
    "maxmemory-samples",
    "maxclients",
    "databases",
    "tls-cluster",
    "tls-replication",
    "tls-auth-clients",
    "requirepass",
    "notify-keyspace-events",
    "proto-max-bulk-len",
    "client-output-buffer-limit",
    "hash-max-listpack-entries",
    "hash-max-listpack-value",
    "zset-max-listpack-entries",
    "zset-max-listpack-value",
    "set-max-intset-entries",
    "list-max-listpack-size",
    "stream-node-max-entries",
    "min-replicas-to-write",
    "min-replicas-max-lag",
    "repl-backlog-size",
    "repl-timeout",
    "timeout",
    "tcp-keepalive",
    "io-threads",
    "appendfsync",
];

/// Must be equal on all masters, and on all replicas; the two may differ.
const BY_ROLE: &[&str] = &["save", "appendonly"];

fn judge(case: &Case, notes: &mut Notes) {
    let read = notes.with(Probe::Config, &[&DRIFT, &MASTERAUTH], case.asked());
    drift(case, notes, &read);
    masterauth(case, notes, &read);
    acl(case, notes);
    modules(case, notes);
}

/// Nodes by the value that they have.
type Values<'a> = BTreeMap<&'a str, Vec<String>>;

fn values<'a>(nodes: &'a [Asked], name: &str, role: Option<Role>) -> Values<'a> {
    let mut values = Values::new();
    for asked in nodes {
        if role.is_some() && asked.member.map(|member| member.role) != role {
            continue;
        }
        if let Some(value) = asked.facts.setting(name) {
            values
                .entry(value)
                .or_default()
                .push(asked.report.addr.to_string());
        }
    }
    values
}

fn drift(case: &Case, notes: &mut Notes, nodes: &[Asked]) {
    let mut names = Vec::new();
    let mut told = Vec::new();
    let everywhere = EVERYWHERE.iter().map(|name| (*name, None));
    let by_role = BY_ROLE
        .iter()
        .flat_map(|name| [(*name, Some(Role::Master)), (*name, Some(Role::Replica))]);
    for (name, role) in everywhere.chain(by_role) {
        let values = values(nodes, name, role);
        if values.len() < 2 {
            continue;
        }
        if !names.contains(&name) {
            names.push(name);
        }
        told.push(format!("{name} {}", sides(&values)));
    }
    if names.is_empty() {
        return;
    }
    // The bus either is encrypted everywhere or the two halves do not meet.
    let severity = if names.contains(&"tls-cluster") {
        Severity::Critical
    } else {
        Severity::Warning
    };
    notes.find_at(
        &DRIFT,
        severity,
        case.cluster(),
        format!(
            "settings differ between nodes: {}",
            listed(names.iter().map(|name| (*name).to_owned()), 6)
        ),
        format!("CONFIG GET: {}", told.join("; ")),
        to_most(case, nodes, names[0]),
    );
}

/// The command that gives one odd node what most have.
fn to_most(case: &Case, nodes: &[Asked], name: &str) -> String {
    let values = values(nodes, name, None);
    let most = values.iter().max_by_key(|(_, on)| on.len());
    let Some((value, _)) = most.filter(|(value, _)| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !value.is_empty() && value.chars().all(is_plain)
    }) else {
        return case.cli(&case.any_addr(), &format!("config get {name}"));
    };
    let odd =
        (nodes.iter()).find(|asked| asked.facts.setting(name).is_some_and(|own| own != *value));
    let addr = odd.map_or_else(|| case.any_addr(), |asked| asked.report.addr.clone());
    let set = case.cli(&addr, &format!("config set {name} {value}"));
    format!("to what most nodes have: {set}")
}

/// `5000 on a, b and 10 more, 15000 on c`; the fewest last, for they are the odd ones.
fn sides(values: &Values) -> String {
    let mut sides: Vec<_> = values.iter().collect();
    sides.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
    let side = |(value, nodes): (&&str, &Vec<String>)| {
        let value = if value.is_empty() { "(empty)" } else { value };
        format!("{value} on {}", listed(nodes.clone(), 3))
    };
    sides.into_iter().map(side).collect::<Vec<_>>().join(", ")
}

fn masterauth(case: &Case, notes: &mut Notes, nodes: &[Asked]) {
    let is_set = |asked: &Asked, name| {
        asked
            .facts
            .setting(name)
            .is_some_and(|value| !value.is_empty())
    };
    if !nodes.iter().any(|asked| is_set(asked, "requirepass")) {
        return;
    }
    for asked in nodes
        .iter()
        .filter(|asked| asked.facts.setting("masterauth") == Some(""))
    {
        notes.find(
            &MASTERAUTH,
            asked.subject(),
            "has no masterauth, while nodes want a password",
            "CONFIG GET: requirepass is set, masterauth is empty",
            format!(
                "with the password in FILE: {}",
                case.secret_cli(&asked.report.addr, "config set masterauth")
            ),
        );
    }
}

fn acl(case: &Case, notes: &mut Notes) {
    let mut digests: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for asked in case.asked() {
        match (&asked.facts.acl_digest, asked.unread(Probe::Acl)) {
            (Some(digest), _) => digests
                .entry(digest)
                .or_default()
                .push(asked.report.addr.to_string()),
            (None, Some(why)) => notes.skip(&ACL, asked.subject(), why),
            (None, None) => {}
        }
    }
    if digests.len() < 2 {
        return;
    }
    let mut groups: Vec<Vec<String>> = digests.into_values().collect();
    groups.sort_by_key(Vec::len);
    let told = groups
        .iter()
        .map(|group| format!("equal on {}", listed(group.clone(), 4)))
        .collect::<Vec<_>>()
        .join("; ");
    notes.find(
        &ACL,
        case.cluster(),
        format!(
            "the nodes have {} different sets of ACL users and rules",
            groups.len()
        ),
        format!("ACL LIST: {told}"),
        case.cli(&case.any_addr(), "acl list"),
    );
}

fn modules(case: &Case, notes: &mut Notes) {
    let read = notes.with(Probe::Modules, &[&MODULES], case.asked());
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for asked in &read {
        let loaded = asked
            .facts
            .modules
            .iter()
            .map(|(name, version)| format!("{name} {version}"));
        let loaded: Vec<String> = loaded.collect();
        sets.entry(loaded.join(", "))
            .or_default()
            .push(asked.report.addr.to_string());
    }
    if sets.len() < 2 {
        return;
    }
    let told = sets.iter().map(|(set, nodes)| {
        let set = if set.is_empty() { "none" } else { set };
        format!("{set} on {}", listed(nodes.clone(), 4))
    });
    notes.find(
        &MODULES,
        case.cluster(),
        "the nodes have different modules loaded",
        format!("MODULE LIST: {}", told.collect::<Vec<_>>().join("; ")),
        case.cli(&case.any_addr(), "module list"),
    );
}
