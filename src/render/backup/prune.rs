//! What is to go and why, and what went.

use super::list::unreadable;
use crate::ops::backup::keep::{PrunePlan, Pruned};
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

/// A plan: a line a snapshot, with its reason.
pub fn plan(plan: &PrunePlan) -> Doc {
    let mut doc = Doc::new();
    doc.push(Block::Findings(unreadable(&plan.unreadable)));
    doc.push(Block::Table(snapshots(plan)));
    doc.push(Block::Lines(
        plan.unfinished
            .iter()
            .map(|left| {
                let (word, rest) = match left.may_go_on {
                    true => ("leave", "it may still be going on"),
                    false => ("remove", "it was never finished"),
                };
                let size = human::bytes(left.bytes);
                Cell::plain(format!("{word} {} ({size}): {rest}", left.id))
            })
            .collect(),
    ));
    doc.push(Block::Lines(
        plan.lines
            .iter()
            .map(|line| {
                let what = match line.is_whole {
                    true => "all",
                    false => "what no snapshot that stays has a use for",
                };
                let (objects, size) = (line.objects as usize, human::bytes(line.bytes));
                let objects = human::counted(objects, "object");
                let run = &line.run;
                Cell::plain(format!(
                    "remove of the time line {run} {what}: {objects}, {size}"
                ))
            })
            .collect(),
    ));
    let going = plan.going().count();
    let bytes: u64 = plan.going().map(|snapshot| snapshot.bytes_stored).sum();
    doc.paragraph(match going {
        0 => "no snapshot goes".to_owned(),
        _ => format!(
            "{} of {} {}, {}",
            going,
            human::counted(plan.snapshots.len(), "snapshot"),
            if going == 1 { "goes" } else { "go" },
            human::bytes(bytes)
        ),
    });
    doc
}

fn snapshots(plan: &PrunePlan) -> Table {
    let mut table = Table::new([
        Column::left("PLAN", 0),
        Column::left("ID", 0),
        Column::left("CLUSTER", 1),
        Column::right("STORED", 2),
        Column::left("REASON", 0),
    ]);
    for row in &plan.snapshots {
        let word = match row.is_kept {
            true => Cell::plain("keep"),
            false => Cell::new("remove", Tone::Warn),
        };
        table.row([
            word,
            Cell::plain(&row.snapshot.id),
            Cell::plain(&row.snapshot.cluster),
            Cell::plain(human::bytes(row.snapshot.bytes_stored)),
            Cell::plain(&row.reason),
        ]);
    }
    table
}

/// What went, under the plan that said so.
pub fn pruned(plan_made: &PrunePlan, pruned: &Pruned) -> Doc {
    let mut doc = plan(plan_made);
    // In the place of what was to be.
    doc.blocks.pop();
    let logs = match pruned.line_objects as usize {
        0 => String::new(),
        objects => format!(" and {} of time lines", human::counted(objects, "object")),
    };
    let mut told = format!(
        "removed {} and {}{logs}: {}",
        human::counted(pruned.removed.len(), "snapshot"),
        human::counted(pruned.swept.len(), "unfinished backup"),
        human::bytes(pruned.bytes)
    );
    if *pruned == Pruned::default() {
        told = "nothing was removed".to_owned();
    }
    doc.paragraph(told);
    doc
}
