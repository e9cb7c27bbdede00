//! A document for a terminal, or for a pipe: then without colour and without a width.
//!
//! The only place that knows comfy-table and escape sequences. Without colour not one escape byte
//! is written. Tables never wrap (see `columns`); running text does, with hanging indents, except
//! commands, which a line break would spoil for pasting.

use comfy_table::{CellAlignment, Table as Grid, presets};

use super::columns::{self, Fit, GAP};
use super::doc::{Align, Block, Cell, Doc, Entry, Table, Tone};
use super::plain::{self, clean, clip, wrap};

/// How the page looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Look {
    /// How many columns there are; `None` where nothing ends a line, as in a pipe.
    pub width: Option<usize>,
    /// Whether escape sequences may be written.
    pub colour: bool,
}

/// Writes a document; it ends with a line break unless it is empty.
pub fn text(doc: &Doc, look: Look) -> String {
    let mut page = String::new();
    let mut is_after_title = false;
    for block in &doc.blocks {
        if !page.is_empty() && !is_after_title {
            page.push('\n');
        }
        for line in look.block(block) {
            page.push_str(line.trim_end());
            page.push('\n');
        }
        is_after_title = matches!(block, Block::Title(_));
    }
    page
}

impl Look {
    fn block(self, block: &Block) -> Vec<String> {
        match block {
            Block::Title(title) => vec![self.paint(&clean(title), Tone::Strong)],
            Block::Verdict {
                subject,
                word,
                tone,
                rest,
            } => self.verdict(subject, word, *tone, rest),
            Block::Paragraph(cell) => self.paragraph(cell, 0),
            Block::Lines(cells) => cells.iter().flat_map(|c| self.paragraph(c, 2)).collect(),
            Block::KeyValues(pairs) => self.key_values(pairs),
            Block::Table(table) => self.table(table),
            Block::Findings(entries) => self.findings(entries),
            Block::Commands(lines) => lines.iter().map(|l| format!("  {}", clean(l))).collect(),
        }
    }

    fn paragraph(self, cell: &Cell, indent: usize) -> Vec<String> {
        let wrapped = plain::lines(&cell.text)
            .into_iter()
            .flat_map(|line| self.wrapped(&line, 0, indent));
        wrapped.map(|line| self.paint(&line, cell.tone)).collect()
    }

    fn verdict(self, subject: &str, word: &str, tone: Tone, rest: &str) -> Vec<String> {
        let (subject, word) = (clean(subject), clean(word));
        let head = format!("{subject}: {word} — ");
        let mut lines = self.wrapped(&clean(rest), plain::width(&head), 2);
        let painted = [
            self.paint(&format!("{subject}:"), Tone::Strong),
            self.paint(&word, tone),
        ];
        lines[0] = format!("{} — {}", painted.join(" "), lines[0]);
        lines
    }

    fn key_values(self, pairs: &[(String, Cell)]) -> Vec<String> {
        let names: Vec<_> = pairs.iter().map(|(name, _)| clean(name)).collect();
        let indent = GAP + names.iter().map(|n| plain::width(n)).max().unwrap_or(0);
        let mut lines = Vec::new();
        for (name, (_, value)) in names.iter().zip(pairs) {
            let mut hanging = self
                .wrapped(&clean(&value.text), indent, indent)
                .into_iter();
            let blanks = " ".repeat(indent - plain::width(name));
            let first = hanging.next().unwrap_or_default();
            lines.push(format!("{name}{blanks}{}", self.paint(&first, value.tone)));
            lines.extend(hanging.map(|line| self.paint(&line, value.tone)));
        }
        lines
    }

    /// Findings are told apart by a blank line as soon as one has more than its first line.
    fn findings(self, entries: &[Entry]) -> Vec<String> {
        let column = 1 + entries
            .iter()
            .map(|e| plain::width(&e.word))
            .max()
            .unwrap_or(0);
        let mut lines = Vec::new();
        for (n, entry) in entries.iter().enumerate() {
            let told = self.finding(entry, column);
            let has_details = !entry.seen.is_empty() || !entry.next.is_empty();
            if n > 0 && has_details {
                lines.push(String::new());
            }
            lines.extend(told);
        }
        lines
    }

    fn finding(self, entry: &Entry, column: usize) -> Vec<String> {
        let word = clean(&entry.word);
        let blanks = " ".repeat(column - plain::width(&word));
        let (start, code) = match clean(&entry.code) {
            code if code.is_empty() => (column, String::new()),
            code => (
                column + plain::width(&code) + 1,
                format!("{} ", self.paint(&code, Tone::Strong)),
            ),
        };
        let mut lines = self.wrapped(&clean(&entry.sentence()), start, column);
        lines[0] = format!(
            "{}{blanks}{code}{}",
            self.paint(&word, entry.tone),
            lines[0]
        );
        for (label, texts) in [("seen: ", &entry.seen), ("next: ", &entry.next)] {
            lines.extend(self.labelled(label, texts, column));
        }
        lines
    }

    fn labelled(self, label: &str, texts: &[String], column: usize) -> Vec<String> {
        let indent = column + label.len();
        let told = texts.iter().flat_map(|text| plain::lines(text));
        let mut lines = Vec::new();
        for (n, text) in told.enumerate() {
            let mut hanging = if plain::is_command(&text) {
                vec![text]
            } else {
                self.wrapped(&text, indent, indent)
            };
            let label = if n == 0 { label } else { "" };
            let label = format!("{label:<width$}", width = indent - column);
            let label = self.paint(&label, Tone::Faint);
            hanging[0] = format!("{}{label}{}", " ".repeat(column), hanging[0]);
            lines.extend(hanging);
        }
        lines
    }

    /// Lines of a text that starts at column `first`; all but the first carry `indent` blanks.
    fn wrapped(self, text: &str, first: usize, indent: usize) -> Vec<String> {
        let Some(width) = self.width else {
            return vec![text.to_owned()];
        };
        let room = |used: usize| width.saturating_sub(used);
        let blanks = " ".repeat(indent);
        let mut lines = wrap(text, room(first), room(indent));
        for line in lines.iter_mut().skip(1) {
            line.insert_str(0, &blanks);
        }
        lines
    }

    fn table(self, table: &Table) -> Vec<String> {
        let fit = columns::fit(table, self.width);
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING);
        let heads = fit.kept.iter().map(|(n, width)| {
            let cell = Cell::new(&table.columns[*n].head, Tone::Strong);
            self.slot(&cell, *width, table.columns[*n].align)
        });
        grid.set_header(heads);
        for row in &table.rows {
            let cells = fit
                .kept
                .iter()
                .map(|(n, width)| self.slot(&row[*n], *width, table.columns[*n].align));
            grid.add_row(cells);
        }
        self.finish(grid, table, &fit)
    }

    fn slot(self, cell: &Cell, width: usize, align: Align) -> comfy_table::Cell {
        let slot = comfy_table::Cell::new(clip(&clean(&cell.text), width));
        let slot = slot.set_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
        match cell.tone {
            _ if !self.colour => slot,
            Tone::Plain => slot,
            Tone::Good => slot.fg(comfy_table::Color::DarkGreen),
            Tone::Warn => slot.fg(comfy_table::Color::DarkYellow),
            Tone::Bad => slot
                .fg(comfy_table::Color::DarkRed)
                .add_attribute(comfy_table::Attribute::Bold),
            Tone::Faint => slot.add_attribute(comfy_table::Attribute::Dim),
            Tone::Strong => slot.add_attribute(comfy_table::Attribute::Bold),
        }
    }

    /// Lays the grid out: no frame, two blanks between columns; says which columns went.
    fn finish(self, mut grid: Grid, table: &Table, fit: &Fit) -> Vec<String> {
        grid.force_no_tty().style_text_only();
        if self.colour {
            grid.enforce_styling();
        }
        let last = fit.kept.len().saturating_sub(1);
        for (n, column) in grid.column_iter_mut().enumerate() {
            column.set_padding((0, if n == last { 0 } else { GAP as u16 }));
        }
        let mut lines: Vec<String> = grid.lines().collect();
        if !fit.dropped.is_empty() {
            let heads: Vec<&str> = fit
                .dropped
                .iter()
                .map(|n| table.columns[*n].head.as_str())
                .collect();
            let note = format!("(not shown, the terminal is narrow: {})", heads.join(", "));
            let note = self.wrapped(&note, 0, 1);
            lines.extend(note.iter().map(|line| self.paint(line, Tone::Faint)));
        }
        lines
    }

    fn paint(self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Plain => "",
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        if !self.colour || code.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
