//! A document as GitHub markdown, for tickets and job summaries.
//!
//! All columns, since a page has no width. What a server said is escaped: it is text, never markup.

use super::doc::{Align, Block, Doc, Entry, Table};
use super::plain::{self, clean};

/// Writes a document.
pub fn text(doc: &Doc) -> String {
    let parts: Vec<String> = doc.blocks.iter().map(block).collect();
    let mut page = parts.join("\n\n");
    if !page.is_empty() {
        page.push('\n');
    }
    page
}

fn block(block: &Block) -> String {
    match block {
        Block::Title(title) => format!("## {}", escape(title)),
        Block::Verdict {
            subject,
            word,
            rest,
            ..
        } => format!(
            "**{}: {}** — {}",
            escape(subject),
            escape(word),
            escape(rest)
        ),
        Block::Paragraph(cell) => {
            let lines = plain::lines(&cell.text);
            let lines: Vec<String> = lines.iter().map(|line| escape(line)).collect();
            lines.join("\n")
        }
        Block::Lines(cells) => {
            let lines = cells.iter().map(|cell| format!("- {}", escape(&cell.text)));
            lines.collect::<Vec<_>>().join("\n")
        }
        Block::KeyValues(pairs) => {
            let lines = pairs
                .iter()
                .map(|(name, value)| format!("- {}: {}", escape(name), escape(&value.text)));
            lines.collect::<Vec<_>>().join("\n")
        }
        Block::Table(rows) => table(rows),
        Block::Findings(entries) => entries.iter().map(finding).collect::<Vec<_>>().join("\n"),
        Block::Commands(lines) => fenced(lines),
    }
}

fn table(table: &Table) -> String {
    let heads = table.columns.iter().map(|column| escape(&column.head));
    let rules = table.columns.iter().map(|column| {
        match column.align {
            Align::Left => "---",
            Align::Right => "---:",
        }
        .to_owned()
    });
    let mut lines = vec![row(heads), row(rules)];
    for cells in &table.rows {
        lines.push(row(cells.iter().map(|cell| escape(&cell.text))));
    }
    lines.join("\n")
}

fn row(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

fn finding(entry: &Entry) -> String {
    let named = match entry.code.is_empty() {
        true => String::new(),
        false => format!("{} ", code(&entry.code)),
    };
    let mut lines = vec![format!(
        "- **{}** {named}{}",
        escape(&entry.word),
        escape(&entry.sentence())
    )];
    let seen = entry.seen.iter().flat_map(|text| plain::lines(text));
    lines.extend(seen.map(|line| format!("  - seen: {}", escape(&line))));
    let next = entry.next.iter().flat_map(|text| plain::lines(text));
    lines.extend(next.map(|line| format!("  - next: {}", step(&line))));
    lines.join("\n")
}

/// A command as code, so that it can be copied; a sentence as text.
fn step(line: &str) -> String {
    match plain::is_command(line) {
        true => code(line),
        false => escape(line),
    }
}

/// Code in a line. The marks around it are longer than any run of them in the text.
fn code(text: &str) -> String {
    let text = clean(text);
    let marks = fence(&[&text], 1);
    match text.contains('`') {
        true => format!("{marks} {text} {marks}"),
        false => format!("{marks}{text}{marks}"),
    }
}

fn fenced(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| clean(line)).collect();
    let marks = fence(&lines, 3);
    format!("{marks}sh\n{}\n{marks}", lines.join("\n"))
}

fn fence(texts: &[impl AsRef<str>], at_least: usize) -> String {
    let mut marks = "`".repeat(at_least);
    while texts.iter().any(|text| text.as_ref().contains(&marks)) {
        marks.push('`');
    }
    marks
}

/// Makes a text stand for itself: every character that markdown or HTML would take as markup.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // A name in a table must not call a person on GitHub.
            '@' => escaped.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}
