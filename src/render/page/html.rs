//! The parts of a document as HTML. Whatever a server or a user said is text, never markup.

use crate::render::doc::{Align, Block, Cell, Doc, Entry, Table, Tone};
use crate::render::plain::{self, clean};

/// Longer texts in a table may break.
const LONG: usize = 28;

/// Writes the parts of a document.
pub fn blocks(doc: &Doc) -> String {
    doc.blocks.iter().map(block).collect()
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(title) => format!("<h2>{}</h2>\n", escape(title)),
        Block::Verdict {
            subject,
            word,
            rest,
            ..
        } => format!(
            "<p><strong>{}: {}</strong> — {}</p>\n",
            escape(subject),
            escape(word),
            escape(rest)
        ),
        Block::Paragraph(cell) => format!("<p{}>{}</p>\n", class(cell), broken(&cell.text)),
        Block::Lines(cells) => {
            let items = cells.iter();
            list(items.map(|cell| format!("<li{}>{}</li>", class(cell), escape(&cell.text))))
        }
        Block::KeyValues(pairs) => {
            let rows = pairs.iter().map(|(name, value)| {
                format!(
                    "<dt>{}</dt><dd{}>{}</dd>\n",
                    escape(name),
                    class(value),
                    escape(&value.text)
                )
            });
            format!("<dl>\n{}</dl>\n", rows.collect::<String>())
        }
        Block::Table(rows) => table(rows),
        Block::Findings(entries) => list(entries.iter().map(finding)),
        Block::Commands(lines) => {
            let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
            format!("<pre>{}</pre>\n", lines.join("\n"))
        }
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("<ul>\n{}\n</ul>\n", items.join("\n"))
}

fn table(table: &Table) -> String {
    let heads = table.columns.iter().map(|column| {
        format!(
            "<th scope=\"col\"{}>{}</th>",
            class_of("", column.align),
            escape(&column.head)
        )
    });
    let mut rows = format!("<tr>{}</tr>\n", heads.collect::<String>());
    for cells in &table.rows {
        let cells = cells.iter().zip(&table.columns).map(|(cell, column)| {
            let text = match tone(cell.tone) {
                "" => escape(&cell.text),
                tone => format!("<span class=\"{tone}\">{}</span>", escape(&cell.text)),
            };
            format!("<td{}>{text}</td>", class_of(&cell.text, column.align))
        });
        rows += &format!("<tr>{}</tr>\n", cells.collect::<String>());
    }
    format!("<div class=\"scroll\"><table>\n{rows}</table></div>\n")
}

/// Where a cell is flush, and whether its text may break: short ones stay on a line.
fn class_of(text: &str, align: Align) -> &'static str {
    match (align, plain::width(text) > LONG) {
        (Align::Left, false) => "",
        (Align::Left, true) => " class=\"long\"",
        (Align::Right, false) => " class=\"num\"",
        (Align::Right, true) => " class=\"num long\"",
    }
}

fn finding(entry: &Entry) -> String {
    let mut lines = vec![format!(
        "<strong>{}</strong> {} {}: {}",
        escape(&entry.word),
        escape(&entry.code),
        escape(&entry.subject),
        escape(&entry.summary)
    )];
    for (label, texts) in [("seen", &entry.seen), ("next", &entry.next)] {
        lines.extend(
            texts
                .iter()
                .map(|text| format!("{label}: {}", broken(text))),
        );
    }
    format!("<li>{}</li>", lines.join("<br>"))
}

fn broken(text: &str) -> String {
    let lines: Vec<String> = plain::lines(text).iter().map(|line| escape(line)).collect();
    lines.join("<br>")
}

fn class(cell: &Cell) -> String {
    match tone(cell.tone) {
        "" => String::new(),
        tone => format!(" class=\"{tone}\""),
    }
}

/// The class of a tone.
pub fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Faint => "faint",
        Tone::Strong => "strong",
    }
}

/// Makes a text stand for itself, between tags and within quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
