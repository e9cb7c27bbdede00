//! For Prometheus: the text exposition format, as node_exporter's textfile collector reads it.
//!
//! Base units (seconds, bytes, ratios from 0 to 1). What is unknown is left out: an absent series
//! can be alerted on, a made-up 0 can not.

use std::collections::BTreeMap;

use crate::model::{Health, Role};
use crate::ops::check::{NodeRow, Report};

use super::plain::clean;

/// A name, its help, and its samples: labels and a value.
struct Metric {
    name: &'static str,
    help: &'static str,
    samples: Vec<(Labels, f64)>,
}

type Labels = Vec<(&'static str, String)>;
type Reading = (&'static str, &'static str, fn(&NodeRow) -> Option<f64>);
type Quantile = (&'static str, fn(&NodeRow) -> Option<u64>);

/// A check's report as metrics. `taken_at_ms` is when the cluster was looked at.
pub fn prometheus(report: &Report, taken_at_ms: Option<u64>) -> String {
    let mut metrics = cluster(report, taken_at_ms);
    metrics.extend([health(report), findings(report), survives(report)]);
    metrics.extend(nodes(report));
    let written = metrics.iter().filter(|m| !m.samples.is_empty());
    written
        .map(|metric| write(metric, &report.cluster.name))
        .collect()
}

fn cluster(report: &Report, taken_at_ms: Option<u64>) -> Vec<Metric> {
    let row = &report.cluster;
    let whole = |n: usize| Some(n as f64);
    let count = |n: Option<u64>| n.map(|n| n as f64);
    let readings = [
        (
            "goodcache_cluster_checked_timestamp_seconds",
            "When the cluster was looked at.",
            taken_at_ms.map(|ms| ms as f64 / 1e3),
        ),
        (
            "goodcache_cluster_nodes_known",
            "Nodes that any node knows.",
            whole(row.nodes_known),
        ),
        (
            "goodcache_cluster_nodes_answering",
            "Nodes that answered.",
            whole(row.nodes_answering),
        ),
        (
            "goodcache_cluster_masters",
            "Masters that own slots.",
            whole(row.masters),
        ),
        (
            "goodcache_cluster_replicas",
            "Replicas.",
            whole(row.replicas),
        ),
        (
            "goodcache_cluster_slots_served",
            "Slots whose owner answers, of 16384.",
            whole(row.slots_served).filter(|_| row.form.is_cluster()),
        ),
        (
            "goodcache_cluster_slots_covered",
            "Slots that a node owns, of 16384.",
            whole(row.slots_covered).filter(|_| row.form.is_cluster()),
        ),
        (
            "goodcache_cluster_keys",
            "Keys in all masters.",
            count(row.keys),
        ),
        (
            "goodcache_cluster_memory_used_bytes",
            "Memory in use by all masters.",
            count(row.used_memory_bytes),
        ),
        (
            "goodcache_cluster_memory_max_bytes",
            "The sum of the masters' limits.",
            count(row.maxmemory_bytes),
        ),
        (
            "goodcache_cluster_operations_per_second",
            "Commands a second over the sample.",
            row.ops_per_second,
        ),
        (
            "goodcache_cluster_failed_ratio",
            "Failed operations among all, redirections not counted.",
            row.failed_percent.map(|p| p / 100.0),
        ),
        (
            "goodcache_cluster_redirected_ratio",
            "Redirected operations among all.",
            row.redirected_percent.map(|p| p / 100.0),
        ),
        (
            "goodcache_cluster_skipped_checks",
            "Checks that could not be made.",
            whole(report.skipped.len()),
        ),
        (
            "goodcache_cluster_sentinels_answering",
            "Sentinels that answered.",
            (!report.sentinels.is_empty())
                .then(|| report.sentinels.iter().filter(|s| s.state == "ok").count() as f64),
        ),
    ];
    let metric = |(name, help, value): (_, _, Option<f64>)| Metric {
        name,
        help,
        samples: value.map(|value| (Vec::new(), value)).into_iter().collect(),
    };
    readings.into_iter().map(metric).collect()
}

fn health(report: &Report) -> Metric {
    let states = [
        Health::Ok,
        Health::Warning,
        Health::Critical,
        Health::Unknown,
    ];
    let sample = |state: Health| {
        let is_it = f64::from(u8::from(state == report.health));
        (vec![("health", state.to_string())], is_it)
    };
    Metric {
        name: "goodcache_cluster_health",
        help: "The verdict: 1 at the one that holds.",
        samples: states.into_iter().map(sample).collect(),
    }
}

fn findings(report: &Report) -> Metric {
    let mut counts: BTreeMap<(&str, String), f64> = BTreeMap::new();
    for finding in &report.findings {
        *counts
            .entry((&finding.code, finding.severity.to_string()))
            .or_default() += 1.0;
    }
    let sample = |((code, severity), count): ((&str, String), f64)| {
        (
            vec![("code", code.to_owned()), ("severity", severity)],
            count,
        )
    };
    Metric {
        name: "goodcache_cluster_findings",
        help: "Findings by code and severity.",
        samples: counts.into_iter().map(sample).collect(),
    }
}

fn survives(report: &Report) -> Metric {
    let losses = &report.cluster.survives;
    let hosts = losses.hosts.iter().map(|loss| ("host", loss));
    let zones = losses.zones.iter().map(|loss| ("zone", loss));
    let sample = |(kind, (name, survives)): (&str, (&String, &bool))| {
        let labels = vec![("kind", kind.to_owned()), ("name", name.clone())];
        (labels, f64::from(u8::from(*survives)))
    };
    Metric {
        name: "goodcache_cluster_survives_loss",
        help: "1 when the cluster would outlive the loss of that host or zone.",
        samples: hosts.chain(zones).map(sample).collect(),
    }
}

fn nodes(report: &Report) -> Vec<Metric> {
    let readings: [Reading; 9] = [
        (
            "goodcache_node_ok",
            "1 when the node is in the state ok.",
            |n| Some(f64::from(u8::from(n.state == "ok"))),
        ),
        ("goodcache_node_slots", "Slots that the node owns.", |n| {
            (n.role == Role::Master).then_some(n.slot_count as f64)
        }),
        (
            "goodcache_node_link_up",
            "1 when the replica's link to its master is up.",
            |n| n.is_link_up.map(|up| f64::from(u8::from(up))),
        ),
        (
            "goodcache_node_lag_seconds",
            "How far the replica is behind, estimated.",
            |n| n.lag_seconds,
        ),
        (
            "goodcache_node_lag_bytes",
            "How far the replica is behind.",
            |n| n.lag_bytes.map(|b| b as f64),
        ),
        ("goodcache_node_keys", "Keys.", |n| n.keys.map(|k| k as f64)),
        ("goodcache_node_memory_used_bytes", "Memory in use.", |n| {
            n.used_memory_bytes.map(|b| b as f64)
        }),
        (
            "goodcache_node_memory_max_bytes",
            "The limit; 0 is none.",
            |n| n.maxmemory_bytes.map(|b| b as f64),
        ),
        ("goodcache_node_clients", "Connected clients.", |n| {
            n.clients.map(|c| c as f64)
        }),
    ];
    let mut metrics: Vec<Metric> = readings
        .into_iter()
        .map(|(name, help, read)| Metric {
            name,
            help,
            samples: samples(report, read),
        })
        .collect();
    metrics.extend([pings(report), info(report)]);
    metrics
}

fn samples(report: &Report, read: fn(&NodeRow) -> Option<f64>) -> Vec<(Labels, f64)> {
    let sample = |node: &NodeRow| read(node).map(|value| (node_labels(node), value));
    report.nodes.iter().filter_map(sample).collect()
}

fn pings(report: &Report) -> Metric {
    let quantiles: [Quantile; 3] = [
        ("0", |n| n.ping_min_us),
        ("0.5", |n| n.ping_p50_us),
        ("0.99", |n| n.ping_p99_us),
    ];
    let mut samples = Vec::new();
    for node in &report.nodes {
        for (quantile, read) in quantiles {
            let mut labels = node_labels(node);
            labels.push(("quantile", quantile.to_owned()));
            samples.extend(read(node).map(|us| (labels, us as f64 / 1e6)));
        }
    }
    Metric {
        name: "goodcache_node_ping_seconds",
        help: "Round trip of a PING; quantile 0 is the fastest.",
        samples,
    }
}

/// What a series is known by must not change at a failover: role and shard stand in
/// `goodcache_node_info`, to be joined by `id`.
fn node_labels(node: &NodeRow) -> Labels {
    let text = |text: Option<String>| text.unwrap_or_default();
    vec![
        ("node", text(node.addr.as_ref().map(ToString::to_string))),
        ("id", text(node.id.as_ref().map(ToString::to_string))),
    ]
}

fn info(report: &Report) -> Metric {
    let sample = |node: &NodeRow| {
        let mut labels = node_labels(node);
        labels.extend([
            ("role", node.role.to_string().replace('?', "unknown")),
            (
                "shard",
                node.shard.map(|n| n.to_string()).unwrap_or_default(),
            ),
            ("state", node.state.clone()),
            ("version", node.version.clone().unwrap_or_default()),
        ]);
        (labels, 1.0)
    };
    Metric {
        name: "goodcache_node_info",
        help: "Always 1; the labels say what the node is.",
        samples: report.nodes.iter().map(sample).collect(),
    }
}

fn write(metric: &Metric, cluster: &str) -> String {
    let Metric {
        name,
        help,
        samples,
    } = metric;
    let mut text = format!("# HELP {name} {help}\n# TYPE {name} gauge\n");
    for (labels, value) in samples {
        let labels: Vec<String> = [("cluster", cluster.to_owned())]
            .iter()
            .chain(labels)
            .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
            .collect();
        text.push_str(&format!("{name}{{{}}} {value}\n", labels.join(",")));
    }
    text
}

/// In a label's value a backslash, a quote and a line break are escaped; the last cannot be left.
fn escape(value: &str) -> String {
    clean(value).replace('\\', "\\\\").replace('"', "\\\"")
}
