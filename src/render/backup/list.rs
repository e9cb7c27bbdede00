//! The snapshots of a repository as a table, the newest first.

use super::cut;
use crate::ops::backup::keep::{Line, Listing, Snapshot, Unfinished, Unreadable};
use crate::render::doc::{Block, Cell, Column, Doc, Entry, Table, Tone};
use crate::render::human;

/// A listing.
pub fn list(listing: &Listing) -> Doc {
    let mut doc = Doc::new();
    doc.push(Block::Findings(unreadable(&listing.unreadable)));
    doc.push(Block::Table(table(&listing.snapshots)));
    if !listing.lines.is_empty() {
        doc.title("Any moment of these can be restored");
        doc.push(Block::Table(lines(&listing.lines)));
        for line in &listing.lines {
            if let Some(why) = &line.ended {
                doc.faint(format!("{} ended: {why}", line.run));
            }
        }
    }
    if listing.snapshots.is_empty() && listing.unreadable.is_empty() {
        doc.paragraph(format!("no snapshots in {}", listing.repository));
    }
    doc
}

fn table(snapshots: &[Snapshot]) -> Table {
    let mut table = Table::new([
        Column::left("ID", 0),
        Column::left("TAKEN", 2),
        Column::left("CLUSTER", 0),
        Column::right("SHARDS", 3),
        Column::right("KEYS", 0),
        Column::right("RAW", 4),
        Column::right("STORED", 0),
        Column::left("CUT", 1),
    ]);
    for snapshot in snapshots {
        let cut = Cell::new(
            cut(snapshot.cut),
            match snapshot.consistent {
                true => Tone::Plain,
                false => Tone::Warn,
            },
        );
        table.row([
            Cell::plain(&snapshot.id),
            Cell::plain(human::timestamp(snapshot.taken_at_ms)),
            Cell::plain(&snapshot.cluster),
            Cell::plain(snapshot.shards),
            Cell::plain(human::count(snapshot.keys)),
            Cell::plain(human::bytes(snapshot.bytes_raw)),
            Cell::plain(human::bytes(snapshot.bytes_stored)),
            cut,
        ]);
    }
    table
}

/// A row for each stretch of time; a line without any is shown with what it lacks.
fn lines(lines: &[Line]) -> Table {
    let mut table = Table::new([
        Column::left("FROM", 0),
        Column::left("UNTIL", 0),
        Column::left("CLUSTER", 1),
        Column::right("SHARDS", 4),
        Column::right("SNAPSHOTS", 3),
        Column::right("SEGMENTS", 5),
        Column::right("STORED", 2),
    ]);
    for line in lines {
        let mut row = |from: Cell, until: Cell| {
            table.row([
                from,
                until,
                Cell::plain(&line.cluster),
                Cell::plain(line.shards),
                Cell::plain(line.snapshots),
                Cell::plain(human::count(line.segments)),
                Cell::plain(human::bytes(line.bytes_stored)),
            ]);
        };
        if line.ranges.is_empty() {
            row(
                Cell::new("no snapshot lies on it", Tone::Warn),
                Cell::none(),
            );
        }
        for range in line.ranges.iter().rev() {
            let at = |ms| Cell::plain(human::timestamp(ms));
            row(at(range.from_ms), at(range.until_ms));
        }
    }
    table
}

/// Snapshots whose manifest is not believed, as findings.
pub(super) fn unreadable(rows: &[Unreadable]) -> Vec<Entry> {
    rows.iter()
        .map(|row| Entry {
            word: "FAULT".into(),
            tone: Tone::Bad,
            code: "manifest".into(),
            subject: row.id.to_string(),
            summary: row.why.clone(),
            seen: Vec::new(),
            next: vec![
                "find out who can write to the repository; this snapshot's copy elsewhere may be whole"
                    .into(),
            ],
        })
        .collect()
}

/// What unfinished backups left, in a line; `None` when they left nothing.
pub fn unfinished(left: &[Unfinished]) -> Option<String> {
    if left.is_empty() {
        return None;
    }
    let going = left.iter().filter(|left| left.may_go_on).count();
    let bytes = left.iter().map(|left| left.bytes).sum();
    let may = match going {
        0 => String::new(),
        going if going == left.len() => ", and may still be going on".to_owned(),
        going => format!(", and {going} of them may still be going on"),
    };
    let (were, them) = if left.len() == 1 {
        ("was", "it")
    } else {
        ("were", "them")
    };
    Some(format!(
        "{} {were} not finished ({}){may}; backup prune removes what is left of {them}",
        human::counted(left.len(), "backup"),
        human::bytes(bytes),
    ))
}
