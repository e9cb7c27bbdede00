//! The files that were taken in.

use crate::ops::backup::keep::ImportReport;
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

/// An import.
pub fn import(report: &ImportReport) -> Doc {
    let mut doc = Doc::new();
    let snapshot = &report.snapshot;
    doc.push(Block::Verdict {
        subject: snapshot.id.to_string(),
        word: "IMPORTED".into(),
        tone: Tone::Good,
        rest: format!(
            "{} of {}, {} keys, {} stored",
            human::counted(snapshot.shards, "shard"),
            snapshot.cluster,
            human::count(snapshot.keys),
            human::bytes(snapshot.bytes_stored)
        ),
    });
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("FILE", 0),
        Column::right("BYTES", 2),
        Column::right("KEYS", 0),
        Column::left("RDB", 3),
        Column::left("SERVER", 1),
    ]);
    for file in &report.files {
        table.row([
            Cell::plain(file.shard),
            Cell::plain(file.path.display()),
            Cell::plain(human::bytes(file.bytes)),
            Cell::plain(human::count(file.keys)),
            Cell::plain(&file.rdb),
            Cell::known(file.server.as_ref()),
        ]);
    }
    doc.push(Block::Table(table));
    if !report.shared_slots.is_empty() {
        doc.push(Block::Paragraph(Cell::new(
            format!(
                "{} in more than one file: of two copies of one shard, give one only",
                crate::model::words::plural(
                    report.shared_slots.len(),
                    "slot has keys",
                    "slots have keys"
                )
            ),
            Tone::Warn,
        )));
    }
    doc.faint("files of different moments are no snapshot: it is labelled scan");
    doc
}
