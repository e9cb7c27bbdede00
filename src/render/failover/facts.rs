//! The drill in lines: what became of the writes, how redundancy came back, against which servers
//! and under which load.

use crate::model::Outcome;
use crate::ops::failover::{Report, Writes};
use crate::render::check::Detail;
use crate::render::doc::{Block, Cell, Doc, Tone};
use crate::render::human;

use super::words;

/// Adds the lines.
pub fn push(doc: &mut Doc, report: &Report, detail: Detail) {
    let mut pairs = vec![
        ("writes", writes(&report.writes)),
        ("reads", reads(report.writes.stale_reads)),
        ("errors", Cell::plain(errors(report))),
        ("recovery", Cell::plain(recovery(report))),
    ];
    if let Some(comparison) = &report.comparison {
        let then = human::timestamp(comparison.baseline_taken_at_ms);
        let text = format!("against {then}: {}", comparison.words);
        let tone = match comparison.is_slower {
            true => Tone::Bad,
            false => Tone::Plain,
        };
        pairs.push(("comparison", Cell::new(text, tone)));
        if detail.is_verbose {
            pairs.push(("medians", Cell::plain(medians(comparison))));
        }
    }
    pairs.push(("servers", Cell::plain(servers(report))));
    pairs.push(("load", Cell::plain(load(report))));
    let pairs = pairs.into_iter();
    doc.push(Block::KeyValues(
        pairs.map(|(name, cell)| (name.to_owned(), cell)).collect(),
    ));
}

/// What was lost, and whatever else is not as it should be; the rest needs no words.
fn writes(writes: &Writes) -> Cell {
    let mut parts = vec![
        format!("{} acknowledged", human::count(writes.acknowledged)),
        format!("{} lost", human::count(writes.lost)),
        format!(
            "{} without an answer ({} of them were done)",
            human::count(writes.indeterminate),
            human::count(writes.indeterminate_present)
        ),
    ];
    for (count, what) in [
        (writes.resurrected, "missing for a while and back"),
        (writes.phantom, "refused and done all the same"),
        (
            writes.split_brain,
            "taken by an old master beside a new one",
        ),
        (writes.unread, "could not be read back"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", human::count(count)));
        }
    }
    let is_bad = writes.lost + writes.unread + writes.split_brain > 0;
    let tone = if is_bad { Tone::Bad } else { Tone::Plain };
    Cell::new(parts.join(", "), tone)
}

fn reads(stale: u64) -> Cell {
    match stale {
        0 => Cell::plain("none missed an acknowledged write"),
        n => Cell::new(
            format!("{} missed an acknowledged write", human::count(n)),
            Tone::Warn,
        ),
    }
}

/// `34 timeout, 12 CLUSTERDOWN`, the most frequent first.
fn errors(report: &Report) -> String {
    let bad = report.outcomes.iter();
    let mut bad: Vec<(Outcome, u64)> = bad
        .filter(|(outcome, count)| **outcome != Outcome::Good && **count > 0)
        .map(|(outcome, count)| (*outcome, *count))
        .collect();
    bad.sort_by_key(|(outcome, count)| (std::cmp::Reverse(*count), *outcome));
    let total: u64 = report.outcomes.values().sum();
    if bad.is_empty() {
        return format!("none in {} operations", human::count(total));
    }
    let told = bad
        .iter()
        .map(|(outcome, count)| format!("{} {}", human::count(*count), words::outcome(*outcome)));
    let told: Vec<String> = told.collect();
    format!("{} in {} operations", told.join(", "), human::count(total))
}

fn recovery(report: &Report) -> String {
    let of = &report.recovery;
    let mut parts = vec![words::wholeness(report)];
    if let (Some(_), Some(ms)) = (of.redundancy_ms, of.whole_after_fault_ms) {
        parts.push(format!("{} after the fault", human::millis(ms)));
    }
    parts.push(match (of.resync, of.resync_bytes) {
        ("none", _) => "no node had to get into step".to_owned(),
        ("", _) => "how nodes got into step was not seen".to_owned(),
        (kind, Some(bytes)) => format!("{kind} resync of {}", human::bytes(bytes)),
        (kind, None) => format!("{kind} resync"),
    });
    parts.join(", ")
}

fn medians(comparison: &crate::ops::failover::Comparison) -> String {
    format!(
        "{} of {} now, {} of {} then, p {:.3}",
        human::millis(comparison.medians_ms.0),
        human::counted(comparison.counts.0, "outage"),
        human::millis(comparison.medians_ms.1),
        human::counted(comparison.counts.1, "outage"),
        comparison.p_value
    )
}

/// `redis 7.0.15, 3 masters, 6 nodes, node timeout 2.00 s, full coverage required, append-only file`.
pub fn servers(report: &Report) -> String {
    let of = &report.conditions;
    let mut parts = vec![
        format!("{} {}", of.vendor, of.version),
        human::counted(of.masters, "master"),
        human::counted(of.nodes, "node"),
        match &of.watched {
            None if of.is_unwatched() => "no Sentinel".to_owned(),
            None => format!("node timeout {}", human::millis(of.node_timeout_ms as f64)),
            Some(watch) => format!(
                "{}, quorum {}, down after {}",
                human::counted(watch.sentinels, "Sentinel"),
                watch.quorum,
                human::millis(of.node_timeout_ms as f64)
            ),
        },
    ];
    if let Some(ms) = of.ping_interval_ms.filter(|_| of.form.is_cluster()) {
        parts.push(format!("ping interval {}", human::millis(ms as f64)));
    }
    if of.form.is_cluster() {
        parts.push(match of.is_full_coverage {
            true => "full coverage required".to_owned(),
            false => "partial coverage allowed".to_owned(),
        });
    }
    parts.push(match of.is_append_only {
        true => "append-only file".to_owned(),
        false => "no append-only file".to_owned(),
    });
    if of.min_replicas_to_write > 0 {
        parts.push(format!(
            "min-replicas-to-write {}",
            of.min_replicas_to_write
        ));
    }
    parts.join(", ")
}

/// `100 writes/s and as many reads on each shard, ...`.
pub fn load(report: &Report) -> String {
    let of = &report.load;
    let mut text = format!(
        "{} writes/s and as many reads on each shard, values of {}, client timeout {}, {}",
        human::count(of.rate.into()),
        human::bytes(of.value_bytes as u64),
        human::millis(of.client_timeout_ms as f64),
        human::counted(of.max_redirections as usize, "redirection"),
    );
    let grid = report.outages.iter().map(|outage| outage.resolution_ms);
    if let Some(grid) = grid.max_by(f64::total_cmp) {
        text += &format!("; outages are measured to {}", human::millis(grid));
    }
    text
}
