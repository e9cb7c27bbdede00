//! What changed between two checks, a line each: for `--against`, and for `--watch` into a pipe.

use crate::model::{Health, Severity};
use crate::ops::check::Change;

use super::check::health;
use super::doc::{Block, Cell, Doc, Tone};
use super::human;

/// The changes as a document; says so when there are none.
pub fn changes(changes: &[Change]) -> Doc {
    let mut doc = Doc::new();
    if changes.is_empty() {
        doc.paragraph("nothing changed");
        return doc;
    }
    doc.title("what changed");
    doc.push(Block::Lines(changes.iter().map(line).collect()));
    doc
}

/// One change in one line.
pub fn line(change: &Change) -> Cell {
    match change {
        Change::Health { before, after } => {
            let text = format!("verdict: {} -> {}", health(*before).0, health(*after).0);
            Cell::new(text, health_tone(*after))
        }
        Change::RoleSwap {
            promoted,
            demoted,
            demoted_is,
        } => Cell::new(
            format!("failover: {promoted} is master in place of {demoted} (now {demoted_is})"),
            Tone::Warn,
        ),
        Change::Role {
            node,
            before,
            after,
        } => Cell::new(format!("role: {node} {before} -> {after}"), Tone::Warn),
        Change::Master {
            node,
            before,
            after,
        } => Cell::plain(format!(
            "replica: {node} follows {} (before: {})",
            somebody(after),
            somebody(before)
        )),
        Change::NodeAdded { node, role } => Cell::plain(format!("node added: {node} ({role})")),
        Change::NodeRemoved { node, role } => {
            Cell::new(format!("node gone: {node} ({role})"), Tone::Warn)
        }
        Change::State {
            node,
            before,
            after,
        } => {
            let tone = if after == "ok" { Tone::Good } else { Tone::Bad };
            Cell::new(format!("state: {node} {before} -> {after}"), tone)
        }
        Change::Address {
            node,
            before,
            after,
        } => Cell::plain(format!("address: node {node} {before} -> {after}")),
        Change::SlotsMoved {
            from,
            to,
            slots,
            count,
        } => slots_moved(from, to, slots, *count),
        Change::FindingAppeared {
            code,
            severity,
            subject,
            summary,
        } => Cell::new(
            format!("new {severity}: {code} {subject}: {summary}"),
            severity_tone(*severity),
        ),
        Change::FindingSeverity {
            code,
            subject,
            before,
            after,
        } => Cell::new(
            format!("finding: {code} {subject}: {before} -> {after}"),
            severity_tone(*after),
        ),
        Change::FindingGone {
            code,
            severity,
            subject,
        } => Cell::new(format!("gone {severity}: {code} {subject}"), Tone::Good),
    }
}

fn slots_moved(from: &Option<String>, to: &Option<String>, slots: &str, count: usize) -> Cell {
    let tone = if to.is_none() { Tone::Bad } else { Tone::Plain };
    let ranges: Vec<&str> = slots.split_whitespace().collect();
    let shown = match ranges.len() {
        0..=6 => ranges.join(" "),
        n => format!("{} and {} more ranges", ranges[..6].join(" "), n - 6),
    };
    let count = human::count(count as u64);
    let (from, to) = (somebody(from), somebody(to));
    Cell::new(format!("slots: {count} from {from} to {to}: {shown}"), tone)
}

fn somebody(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or("nobody")
}

fn health_tone(of: Health) -> Tone {
    health(of).1
}

fn severity_tone(severity: Severity) -> Tone {
    super::finding::severity(severity).1
}
