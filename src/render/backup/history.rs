//! What was written to a key, a line a write.

use crate::ops::backup::keep::{History, KeyWrite};
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

/// The most letters of a command that stand in a row.
const LETTERS: usize = 100;

/// A history.
pub fn history(found: &History) -> Doc {
    let mut doc = Doc::new();
    let mut table = Table::new([
        Column::left("TIME", 0),
        Column::left("CLUSTER", 3),
        Column::right("SHARD", 2),
        Column::right("OFFSET", 1),
        Column::left("COMMAND", 0),
    ]);
    for write in &found.writes {
        table.row([
            Cell::plain(human::timestamp(write.at_ms)),
            Cell::plain(&write.cluster),
            Cell::plain(write.shard),
            Cell::plain(write.offset),
            command(write),
        ]);
    }
    doc.push(Block::Table(table));
    let writes = found.writes.len();
    doc.paragraph(match writes {
        0 => format!("no write to {} in {}", found.key, found.repository),
        _ => format!("{} to {}", human::counted(writes, "write"), found.key),
    });
    if found.left_out > 0 {
        doc.faint(format!(
            "{} earlier ones are left out: name a later time by --since, or an earlier end by --until",
            human::count(found.left_out)
        ));
    }
    doc.faint(format!(
        "{} commands were read; a time is that at which the follower received it",
        human::count(found.commands)
    ));
    doc
}

/// What may change every key stands out.
fn command(write: &KeyWrite) -> Cell {
    let mut text = write.command.clone();
    for word in &write.words {
        text.push(' ');
        match word.contains(' ') || word.is_empty() {
            true => text.push_str(&format!("\"{word}\"")),
            false => text.push_str(word),
        }
    }
    if let Some((end, _)) = text.char_indices().nth(LETTERS) {
        text.truncate(end);
        text.push_str("...");
    }
    let tone = if write.is_named {
        Tone::Plain
    } else {
        Tone::Warn
    };
    Cell::new(text, tone)
}
