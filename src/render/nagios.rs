//! For Nagios, Icinga and their kin: one status line with performance data, then details; and the
//! exit code that the plugin convention asks for, which is not goodcache's own.

use crate::model::{Health, Severity};
use crate::ops::check::Report;

use super::check::{health, in_short};
use super::finding;
use super::plain::clean;

/// The text and the exit code: 0 ok, 1 warning, 2 critical, 3 unknown.
pub fn nagios(report: &Report) -> (String, u8) {
    let code = match report.health {
        Health::Ok => 0,
        Health::Warning => 1,
        Health::Critical => 2,
        Health::Unknown => 3,
    };
    let gravest = report.findings.iter().find(|f| f.severity > Severity::Info);
    let mut status = format!("{}: {}", report.cluster.name, in_short(report));
    if let Some(first) = gravest {
        status = format!(
            "{status}; {} {}: {}",
            first.code, first.subject, first.summary
        );
    }
    let mut lines = vec![format!(
        "{} - {} | {}",
        health(report.health).0,
        unpiped(&status),
        performance(report)
    )];
    for finding in &report.findings {
        let (word, _) = finding::severity(finding.severity);
        let line = format!(
            "{word} {} {}: {}",
            finding.code, finding.subject, finding.summary
        );
        lines.push(unpiped(&line));
    }
    (lines.join("\n") + "\n", code)
}

/// A `|` would begin the performance data.
fn unpiped(text: &str) -> String {
    clean(text).replace('|', "/")
}

/// `label=value[unit];warn;crit;min;max`; what is unknown is left out.
fn performance(report: &Report) -> String {
    let row = &report.cluster;
    let of = |severity| {
        report
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .count()
    };
    let max_lag = largest(report.nodes.iter().map(|n| n.lag_seconds));
    let max_ping = largest(
        report
            .nodes
            .iter()
            .map(|n| n.ping_p99_us.map(|us| us as f64)),
    );
    let parts = [
        Some(format!("critical={};;;0", of(Severity::Critical))),
        Some(format!("warning={};;;0", of(Severity::Warning))),
        Some(format!(
            "nodes_answering={};;;0;{}",
            row.nodes_answering, row.nodes_known
        )),
        (row.form.is_cluster()).then(|| format!("slots_served={};;;0;16384", row.slots_served)),
        row.keys.map(|keys| format!("keys={keys};;;0")),
        row.used_memory_bytes.map(|used| {
            let max = row
                .maxmemory_bytes
                .map(|max| max.to_string())
                .unwrap_or_default();
            format!("used_memory={used}B;;;0;{max}")
                .trim_end_matches(';')
                .to_owned()
        }),
        row.ops_per_second
            .map(|ops| format!("ops_per_second={ops:.1};;;0")),
        row.failed_percent
            .map(|p| format!("failed={p:.3}%;;;0;100")),
        row.redirected_percent
            .map(|p| format!("redirected={p:.3}%;;;0;100")),
        max_lag.map(|s| format!("lag_max={s:.3}s;;;0")),
        max_ping.map(|us| format!("ping_p99_max={us}us;;;0")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn largest(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    values.flatten().reduce(f64::max)
}
