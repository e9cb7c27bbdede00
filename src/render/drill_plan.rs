//! What `failover-test` is about to do, as a document.

use super::doc::{Block, Cell, Column, Doc, Table, Tone};
use super::human;
use crate::ops::failover::{Outlook, Prospect};

/// The plan: what will be broken, and what survives it. Of many rounds the first steps stand for all
/// when `most` is less than there are.
pub fn drill_plan(outlook: &Outlook, most: usize) -> Doc {
    let mut doc = Doc::new();
    let count = outlook.steps.len();
    let scenario = outlook.scenario.as_ref();
    let scenario = scenario.map_or_else(String::new, |name| format!("{name}: "));
    let seconds = std::time::Duration::from_millis(outlook.timeout_ms);
    let end = match outlook.is_held {
        true => "left broken on purpose",
        false => "put back after each",
    };
    doc.push(Block::Verdict {
        subject: outlook.cluster.clone(),
        word: "PLAN".into(),
        tone: Tone::Strong,
        rest: format!(
            "{scenario}{}, {end}; meanwhile a client's {} writes and as many reads a second on each shard, and as \
             many writes of a witness; at most {} for each recovery",
            human::plural(count, "fault", "faults"),
            outlook.rate,
            human::duration(seconds),
        ),
    });
    doc.push(Block::Table(steps(outlook, most)));
    survival(&mut doc, outlook, most);
    for note in &outlook.notes {
        doc.faint(note);
    }
    if let Some(seed) = outlook.seed {
        doc.faint(format!(
            "chosen by chance; the same again: --random --seed {seed}"
        ));
    }
    if count > most {
        doc.faint(format!("and {} more (-v lists them)", count - most));
    }
    doc
}

/// The steps; `OUTAGE` is what the servers' rules let expect.
fn steps(outlook: &Outlook, most: usize) -> Table {
    let has_names = outlook.steps.iter().any(|step| step.name.is_some());
    let mut columns = vec![
        Column::right("STEP", 0),
        Column::left("FAULT", 0),
        Column::left("TARGET", 0),
        Column::right("OUTAGE", 0),
    ];
    if has_names {
        columns.insert(2, Column::left("NAME", 1));
    }
    let mut table = Table::new(columns);
    for prospect in outlook.steps.iter().take(most) {
        rows(&mut table, prospect, has_names);
    }
    table
}

/// A row for each thing there is to say, the first with the step's number.
fn rows(table: &mut Table, prospect: &Prospect, has_names: bool) {
    let mut targets = prospect.targets.clone();
    targets.extend(prospect.then.iter().map(|then| format!("then {then}")));
    if prospect.is_replica_by_then {
        targets.push("(a replica by then)".to_owned());
    }
    let lines = targets.len().max(1);
    let at = |list: &[String], n: usize| Cell::plain(list.get(n).map_or("", String::as_str));
    for n in 0..lines {
        let is_first = n == 0;
        let first = |text: String| Cell::plain(if is_first { text } else { String::new() });
        let expected = match prospect.expected_outage_ms {
            Some((low, high)) => format!("{:.1}-{:.1} s", low / 1000.0, high / 1000.0),
            None => "-".to_owned(),
        };
        let mut cells = vec![
            first(prospect.step.to_string()),
            first(prospect.fault.to_string()),
            at(&targets, n),
            first(expected),
        ];
        if has_names {
            cells.insert(2, first(prospect.name.clone().unwrap_or_default()));
        }
        table.row(cells);
    }
}

/// What survives each step; steps of later rounds that read the same are not said again.
fn survival(doc: &mut Doc, outlook: &Outlook, most: usize) {
    let mut said: Vec<&[String]> = Vec::new();
    let mut lines = Vec::new();
    for prospect in outlook.steps.iter().take(most) {
        let survives = prospect.survives.as_slice();
        if survives.is_empty() || said.contains(&survives) {
            continue;
        }
        said.push(survives);
        let step = match outlook.steps.len() {
            1 => String::new(),
            _ => format!("step {}: ", prospect.step),
        };
        lines.push(Cell::plain(format!("{step}{}", survives.join("; "))));
    }
    if !lines.is_empty() {
        doc.title("what survives");
        doc.push(Block::Lines(lines));
    }
}
