//! What a check found, as a document for one who was woken at 3 a.m.
//!
//! The first line is the verdict, with what is left of the cluster in numbers. What is wrong comes
//! **before** the tables: the reader first needs to know what to do, and a table of a hundred nodes
//! would push that off the screen. Nothing graver than `info` wrong: the tables come first, and
//! what is merely worth knowing after them. Long answers of an ailing cluster end with the verdict
//! once more, since the end is what a terminal shows.

use crate::model::{Finding, Form, Health, Role, Severity, Withheld};
use crate::ops::check::{ClusterRow, Report};

use super::doc::{Block, Cell, Doc, Tone};
use super::{finding, human, topology};

/// From this many nodes on the tables no longer fit one screen.
const LONG: usize = 16;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Detail {
    /// More columns, alike findings one by one, and each skipped check.
    pub is_verbose: bool,
}

/// A check's report as a document.
pub fn check(report: &Report, detail: Detail) -> Doc {
    let (grave, minor): (Vec<&Finding>, Vec<&Finding>) = report
        .findings
        .iter()
        .partition(|finding| finding.severity > Severity::Info);
    let mut doc = Doc::new();
    doc.push(verdict(report));
    doc.push(Block::Findings(finding::entries(
        grave.iter().copied(),
        detail.is_verbose,
    )));
    doc.push(Block::Table(topology::nodes(report, detail.is_verbose)));
    if report.cluster.form.is_cluster() {
        doc.push(Block::Table(topology::shards(report)));
    }
    if !report.sentinels.is_empty() {
        doc.push(Block::Table(topology::sentinels(report)));
    }
    let mut totals = totals(&report.cluster);
    totals.extend(withheld(&report.cluster, detail));
    totals.extend(topology::survival(report));
    doc.push(Block::KeyValues(totals));
    doc.push(Block::Findings(finding::entries(minor, detail.is_verbose)));
    skipped(&mut doc, report, detail);
    let is_long = report.nodes.len() >= LONG || report.health == Health::Critical;
    if !grave.is_empty() && is_long {
        doc.push(verdict(report));
    }
    doc
}

fn skipped(doc: &mut Doc, report: &Report, detail: Detail) {
    if detail.is_verbose && !report.skipped.is_empty() {
        doc.title("skipped");
        doc.push(Block::KeyValues(finding::skipped_each(&report.skipped)));
    } else {
        doc.faint(finding::skipped_in_short(&report.skipped));
    }
}

fn verdict(report: &Report) -> Block {
    let (word, tone) = health(report.health);
    Block::Verdict {
        subject: report.cluster.name.clone(),
        word: word.to_owned(),
        tone,
        rest: in_short(report),
    }
}

/// A verdict's word and tone.
pub fn health(health: Health) -> (&'static str, Tone) {
    match health {
        Health::Ok => ("OK", Tone::Good),
        Health::Warning => ("WARNING", Tone::Warn),
        Health::Critical => ("CRITICAL", Tone::Bad),
        Health::Unknown => ("UNKNOWN", Tone::Bad),
    }
}

/// `1 critical, 2 warnings; 5 of 6 nodes answer, 16384 of 16384 slots served, ...`
pub fn in_short(report: &Report) -> String {
    let row = &report.cluster;
    let answer = match row.nodes_known {
        1 => "answers",
        _ => "answer",
    };
    if !row.form.is_cluster() {
        return in_words(report, &alone(report, answer));
    }
    let state = row.state.as_deref().unwrap_or("?");
    let cluster = format!(
        "{} of {} {}, {} of 16384 slots served, {}, {}, state {state}",
        row.nodes_answering,
        human::counted(row.nodes_known, "node"),
        answer,
        row.slots_served,
        human::counted(row.masters, "master"),
        human::counted(row.replicas, "replica"),
    );
    in_words(report, &cluster)
}

/// `2 of 3 servers answer, master 10.0.0.5:6379, 2 replicas, 3 of 3 Sentinels answer`
fn alone(report: &Report, answer: &str) -> String {
    let row = &report.cluster;
    let mut parts = vec![format!(
        "{} of {} {answer}",
        row.nodes_answering,
        human::counted(row.nodes_known, "server"),
    )];
    // The one that counts, when several claim to be it.
    let masters = || report.nodes.iter().filter(|node| node.role == Role::Master);
    let master = masters().max_by_key(|node| (node.slot_count, node.epoch));
    match master.and_then(|node| node.addr.as_ref()) {
        Some(_) if row.form == Form::Standalone => parts.push("standalone".to_owned()),
        Some(addr) => parts.push(format!("master {addr}")),
        None => parts.push("no master".to_owned()),
    }
    if row.form == Form::Replication {
        parts.push(human::counted(row.replicas, "replica"));
    }
    if !report.sentinels.is_empty() {
        let all = report.sentinels.len();
        parts.push(format!(
            "{} of {} {}",
            report.sentinels.iter().filter(|s| s.state == "ok").count(),
            human::counted(all, "Sentinel"),
            if all == 1 { "answers" } else { "answer" },
        ));
    }
    parts.join(", ")
}

/// How many findings are grave, then the rest.
fn in_words(report: &Report, rest: &str) -> String {
    let grave: Vec<String> = [
        (Severity::Critical, "critical"),
        (Severity::Warning, "warning"),
    ]
    .into_iter()
    .filter_map(|(severity, word)| {
        let times = report
            .findings
            .iter()
            .filter(|f| f.severity == severity)
            .count();
        let word = match severity {
            Severity::Warning if times != 1 => "warnings",
            _ => word,
        };
        (times > 0).then(|| format!("{times} {word}"))
    })
    .collect();
    match grave.is_empty() {
        true => rest.to_owned(),
        false => format!("{}; {rest}", grave.join(", ")),
    }
}

/// What a check cannot see since the servers refuse it, once for all; with more detail also what other
/// commands will be refused.
fn withheld(row: &ClusterRow, detail: Detail) -> Option<(String, Cell)> {
    let told = |one: &&Withheld| detail.is_verbose || one.capability.is_looking();
    let told: Vec<String> = row.withheld.iter().filter(told).map(named).collect();
    (!told.is_empty()).then(|| ("withheld".to_owned(), Cell::plain(told.join(", "))))
}

fn named(one: &Withheld) -> String {
    one.capability.words().to_owned()
}

fn totals(row: &ClusterRow) -> Vec<(String, Cell)> {
    let memory = row.used_memory_bytes.map(|used| match row.maxmemory_bytes {
        Some(max) if max > 0 => format!("{} of {}", human::bytes(used), human::bytes(max)),
        _ => human::bytes(used),
    });
    let percent = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), human::percent);
    let traffic = row.ops_per_second.map(|ops| match row.failed_percent {
        // Shares of next to nothing are not told.
        None => format!("{} ops/s", human::rate(ops)),
        Some(_) if !row.form.is_cluster() => format!(
            "{} ops/s, {} failed",
            human::rate(ops),
            percent(row.failed_percent)
        ),
        Some(_) => format!(
            "{} ops/s, {} failed, {} redirected",
            human::rate(ops),
            percent(row.failed_percent),
            percent(row.redirected_percent)
        ),
    });
    let versions = (!row.versions.is_empty()).then(|| row.versions.join(", "));
    let service = row.service.as_ref();
    let service = service.map(|service| ("service".to_owned(), Cell::plain(service)));
    let totals = [
        ("keys", Cell::known(row.keys.map(human::count))),
        ("memory of masters", Cell::known(memory)),
        ("traffic", Cell::known(traffic)),
        ("versions", Cell::known(versions)),
    ]
    .map(|(name, cell)| (name.to_owned(), cell));
    service.into_iter().chain(totals).collect()
}
