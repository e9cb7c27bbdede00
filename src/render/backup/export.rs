//! The plain files that were written.

use crate::ops::backup::keep::ExportReport;
use crate::render::doc::{Block, Cell, Column, Doc, Table};
use crate::render::human;

/// An export.
pub fn export(report: &ExportReport) -> Doc {
    let mut doc = Doc::new();
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("FILE", 0),
        Column::right("BYTES", 1),
        Column::right("HOLDS", 0),
    ]);
    for file in &report.files {
        let noun = if file.is_log { "command" } else { "key" };
        table.row([
            Cell::plain(file.shard),
            Cell::plain(file.path.display()),
            Cell::plain(human::bytes(file.bytes)),
            Cell::plain(human::counted(file.entries as usize, noun)),
        ]);
    }
    doc.push(Block::Table(table));
    if report.files.iter().any(|file| file.is_log) {
        doc.paragraph(
            "an .aof holds the commands up to the cut, which came after the .rdb beside it: \
             the state of the snapshot is the file with these commands played on it",
        );
    }
    doc
}
