//! What went over to another repository.

use crate::ops::backup::keep::CopyReport;
use crate::render::doc::{Block, Cell, Column, Doc, Table};
use crate::render::human;

/// A copy.
pub fn copy(report: &CopyReport) -> Doc {
    let mut doc = Doc::new();
    let mut table = Table::new([
        Column::left("ID", 0),
        Column::right("OBJECTS COPIED", 0),
        Column::right("BYTES", 0),
        Column::right("THERE ALREADY", 1),
    ]);
    for row in &report.snapshots {
        table.row([
            Cell::plain(&row.id),
            Cell::plain(human::count(row.objects)),
            Cell::plain(human::bytes(row.bytes)),
            Cell::plain(human::count(row.already)),
        ]);
    }
    doc.push(Block::Table(table));
    for line in &report.lines {
        doc.paragraph(format!(
            "and its time line {}: {} copied, {}, {} there already",
            line.run,
            human::counted(line.objects as usize, "object"),
            human::bytes(line.bytes),
            human::count(line.already)
        ));
    }
    let (are, bytes) = match report.snapshots.len() {
        1 => ("is", report.snapshots[0].bytes),
        _ => ("are", report.snapshots.iter().map(|row| row.bytes).sum()),
    };
    doc.paragraph(format!(
        "{} of {} {are} in {} ({} copied)",
        human::counted(report.snapshots.len(), "snapshot"),
        report.from,
        report.to,
        human::bytes(bytes)
    ));
    doc
}
