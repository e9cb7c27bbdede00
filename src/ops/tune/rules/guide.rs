//! The deployment guide's settings, applied as they are written when they are asked for. What the
//! evidence says against them is told beside them by the rules of the other groups.

use crate::model::Severity;
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

/// What the guide sets, in the server's own form.
pub const SETTINGS: &[(&str, &str)] = &[
    ("maxmemory", "2147483648"),
    ("maxmemory-policy", "allkeys-lru"),
    ("save", "900 1 300 10 60 10000"),
    ("timeout", "300"),
    ("tcp-keepalive", "300"),
    ("tcp-backlog", "511"),
];

/// The rules; asked only with the profile `guide`.
pub const RULES: &[Rule] = &[
    Rule {
        id: "guide.maxmemory",
        title: "memory limit of the deployment guide",
        parameters: &["maxmemory"],
        how: "2gb on every node",
        cost: "where a node holds more than 2 GiB, it evicts or refuses writes at once; where its machine has less than about 3 GiB, a fork may take it down",
        risk: Risk::High,
        judge: |case| set(case, "maxmemory"),
        ..GUIDE
    },
    Rule {
        id: "guide.maxmemory-policy",
        title: "eviction policy of the deployment guide",
        parameters: &["maxmemory-policy"],
        how: "allkeys-lru on every node",
        cost: "any key may be evicted, sessions too: a customer whose session goes is logged out",
        risk: Risk::High,
        judge: |case| set(case, "maxmemory-policy"),
        ..GUIDE
    },
    Rule {
        id: "guide.save",
        title: "save points of the deployment guide",
        parameters: &["save"],
        how: "900 1, 300 10, 60 10000 on every node",
        cost: "a fork a minute under 10,000 changes a minute",
        risk: Risk::Medium,
        judge: |case| set(case, "save"),
        ..GUIDE
    },
    Rule {
        id: "guide.timeout",
        title: "idle timeout of the deployment guide",
        parameters: &["timeout"],
        how: "300 s on every node",
        cost: "connections that idle in a client's pool are closed, and are found dead at the next use",
        risk: Risk::Medium,
        judge: |case| set(case, "timeout"),
        ..GUIDE
    },
    Rule {
        id: "guide.tcp-keepalive",
        title: "TCP keepalive of the deployment guide",
        parameters: &["tcp-keepalive"],
        how: "300 s on every node, which is the server's default",
        cost: "none",
        judge: |case| set(case, "tcp-keepalive"),
        ..GUIDE
    },
    Rule {
        id: "guide.tcp-backlog",
        title: "accept queue of the deployment guide",
        parameters: &["tcp-backlog"],
        how: "511 on every node, which is the server's default",
        cost: "a restart",
        judge: |case| set(case, "tcp-backlog"),
        ..GUIDE
    },
];

const GUIDE: Rule = Rule {
    id: "",
    title: "",
    parameters: &[],
    kind: Kind::Setting,
    why: "The deployment guide gives six settings for every node. They are a start for a cluster of which nothing is known yet; the other rules look at what it does and say where they do not fit.",
    how: "",
    cost: "",
    risk: Risk::Low,
    source: "the deployment guide of GoodBooks",
    judge: |_| Vec::new(),
};

fn set(case: &Case, parameter: &'static str) -> Vec<Opinion> {
    let value = SETTINGS.iter().find(|(name, _)| *name == parameter);
    let value = value.map(|(_, value)| *value).unwrap_or_default();
    let wanted = case.nodes.iter().map(|node| (node, value.to_owned()));
    let why = format!("the deployment guide sets {parameter} to {value}");
    let changes = changes(parameter, wanted);
    Opinion::set(Severity::Info, parameter, changes, why, Vec::new())
        .into_iter()
        .collect()
}
