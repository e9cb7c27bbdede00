//! In what two snapshots differ.

use crate::model::words;
use crate::ops::backup::keep::{After, DiffReport, KeyChange, KeyDiff, SlotDiff};
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

/// Rows that are shown; JSON has all.
const SHOWN: usize = 50;

/// A comparison.
pub fn diff(report: &DiffReport) -> Doc {
    let mut doc = Doc::new();
    let compared = human::count(report.slots_compared as u64);
    let (word, rest) = match report.slots.len() {
        0 if !report.is_same() => ("UNKNOWN", "not all of it can be compared".to_owned()),
        0 if !report.logged.is_empty() && !is_live(report) => (
            "SAME BASES",
            format!("no difference in {compared} slots with keys, before the commands of the logs"),
        ),
        0 => (
            "SAME",
            format!("no difference in {compared} slots with keys"),
        ),
        slots => (
            "DIFFERENT",
            format!(
                "{} of {compared} slots with keys{}",
                human::count(slots as u64),
                keys(report)
            ),
        ),
    };
    doc.push(Block::Verdict {
        subject: format!("{} and {}", report.before.id, report.after.name()),
        word: word.to_owned(),
        tone: Tone::Strong,
        rest,
    });
    match &report.keys {
        Some(keys) => {
            doc.push(Block::Table(key_table(keys)));
            more(&mut doc, keys.len(), "key");
        }
        None => {
            doc.push(Block::Table(slot_table(&report.slots)));
            more(&mut doc, report.slots.len(), "slot");
        }
    }
    if !report.logged.is_empty() {
        let slots = report.logged.iter().map(|slot| slot.to_string());
        let changed = words::plural(
            report.logged.len(),
            "slot may have been",
            "slots may have been",
        );
        let outcome = match is_live(report) {
            true => "and are not judged",
            false => "which are not compared",
        };
        doc.faint(format!(
            "{changed} changed by commands after the base, {outcome}: {}",
            words::listed(slots, 10)
        ));
    }
    if let After::Live(live) = &report.after {
        doc.faint(format!(
            "the cluster was read from {} on and is not of one moment: each of its {} is of its own",
            words::timestamp(live.looked_at_ms),
            human::counted(live.shards, "shard")
        ));
    }
    if report.shards_without_table > 0 {
        doc.faint(format!(
            "{} no table of slots and could not be compared",
            words::plural(report.shards_without_table, "shard has", "shards have")
        ));
    }
    doc
}

fn is_live(report: &DiffReport) -> bool {
    matches!(report.after, After::Live(_))
}

fn keys(report: &DiffReport) -> String {
    let Some(keys) = &report.keys else {
        return String::new();
    };
    let count = |change: KeyChange| keys.iter().filter(|diff| diff.change == change).count();
    format!(
        "; keys: {} added, {} removed, {} changed",
        human::count(count(KeyChange::Added) as u64),
        human::count(count(KeyChange::Removed) as u64),
        human::count(count(KeyChange::Changed) as u64),
    )
}

fn key_table(keys: &[KeyDiff]) -> Table {
    // Most have one database alone, and then it goes without saying.
    let has_dbs = keys.iter().any(|diff| diff.db != 0);
    let mut columns = vec![
        Column::left("KEY", 0),
        Column::left("CHANGE", 0),
        Column::right("SLOT", 1),
    ];
    if has_dbs {
        columns.push(Column::right("DB", 1));
    }
    let mut table = Table::new(columns);
    for diff in keys.iter().take(SHOWN) {
        let change = match diff.change {
            KeyChange::Added => "added",
            KeyChange::Removed => "removed",
            KeyChange::Changed => "changed",
        };
        let mut row = vec![
            Cell::plain(&diff.key),
            Cell::plain(change),
            Cell::plain(diff.slot),
        ];
        if has_dbs {
            row.push(Cell::plain(diff.db));
        }
        table.row(row);
    }
    table
}

fn slot_table(slots: &[SlotDiff]) -> Table {
    let mut table = Table::new([
        Column::right("SLOT", 0),
        Column::right("KEYS BEFORE", 0),
        Column::right("KEYS AFTER", 0),
    ]);
    for diff in slots.iter().take(SHOWN) {
        table.row([
            Cell::plain(diff.slot),
            Cell::plain(human::count(diff.keys_before)),
            Cell::plain(human::count(diff.keys_after)),
        ]);
    }
    table
}

fn more(doc: &mut Doc, all: usize, noun: &str) {
    if let Some(rest) = all.checked_sub(SHOWN).filter(|rest| *rest > 0) {
        doc.faint(format!(
            "and {} more; -o json names all",
            human::counted(rest, noun)
        ));
    }
}
