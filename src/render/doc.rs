//! A document: what is to be said, before anybody knows where it will be read.
//!
//! A report becomes a `Doc`; a writer (`terminal`, `markdown`) makes text of it. So each report is
//! put into words once, and a new format is one file. A tone says what a text means, never a
//! colour, and no text relies on its tone: the words alone carry the meaning.

use std::fmt::Display;

/// What a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing in particular.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Will hurt.
    Warn,
    /// Hurts.
    Bad,
    /// In passing.
    Faint,
    /// Stands out, without judging.
    Strong,
}

/// On which side a column is flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// The head of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its head, in upper case.
    pub head: String,
    /// Words left, numbers right.
    pub align: Align,
    /// Which columns go when the terminal is too narrow: the highest rank first, 0 never.
    pub rank: u8,
}

/// One cell. `?` is unknown, `-` is "does not apply".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What stands there.
    pub text: String,
    /// What it means.
    pub tone: Tone,
}

/// A table; each row has as many cells as there are columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// The columns, left to right.
    pub columns: Vec<Column>,
    /// The rows, one a thing.
    pub rows: Vec<Vec<Cell>>,
}

/// A finding as it is read: one line that says all, then what was seen and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// How grave, as a word in upper case.
    pub word: String,
    /// The word's tone.
    pub tone: Tone,
    /// The stable code; empty where there is none.
    pub code: String,
    /// Who; empty where it is the subject of the whole document.
    pub subject: String,
    /// What.
    pub summary: String,
    /// What was seen, a line each.
    pub seen: Vec<String>,
    /// What to do next, a line each; commands can be pasted.
    pub next: Vec<String>,
}

impl Entry {
    /// Who and what.
    pub(super) fn sentence(&self) -> String {
        match self.subject.is_empty() {
            true => self.summary.clone(),
            false => format!("{}: {}", self.subject, self.summary),
        }
    }
}

/// One part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// The head of what follows.
    Title(String),
    /// The answer in one line: `who: WORD — rest`.
    Verdict {
        /// Who is judged.
        subject: String,
        /// The verdict, in upper case.
        word: String,
        /// The word's tone.
        tone: Tone,
        /// Why.
        rest: String,
    },
    /// Running text.
    Paragraph(Cell),
    /// Things, a line each.
    Lines(Vec<Cell>),
    /// Names and values, a line each.
    KeyValues(Vec<(String, Cell)>),
    /// A table.
    Table(Table),
    /// Findings, the gravest first.
    Findings(Vec<Entry>),
    /// Commands to paste, a line each.
    Commands(Vec<String>),
}

/// What is to be said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doc {
    /// Its parts, in order.
    pub blocks: Vec<Block>,
}

impl Doc {
    /// Nothing yet.
    pub fn new() -> Doc {
        Doc::default()
    }

    /// Adds a part. Parts that hold nothing (a table without rows, no findings) are passed over.
    pub fn push(&mut self, block: Block) {
        let is_empty = match &block {
            Block::Lines(lines) => lines.is_empty(),
            Block::KeyValues(pairs) => pairs.is_empty(),
            Block::Table(table) => table.rows.is_empty(),
            Block::Findings(entries) => entries.is_empty(),
            Block::Commands(lines) => lines.is_empty(),
            Block::Paragraph(text) => text.text.is_empty(),
            Block::Title(_) | Block::Verdict { .. } => false,
        };
        if !is_empty {
            self.blocks.push(block);
        }
    }

    /// Adds a head.
    pub fn title(&mut self, text: impl Into<String>) {
        self.push(Block::Title(text.into()));
    }

    /// Adds running text.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.push(Block::Paragraph(Cell::plain(text.into())));
    }

    /// Adds running text said in passing.
    pub fn faint(&mut self, text: impl Into<String>) {
        self.push(Block::Paragraph(Cell::new(text.into(), Tone::Faint)));
    }

    /// Adds commands to paste.
    pub fn commands(&mut self, lines: impl IntoIterator<Item = impl Into<String>>) {
        let lines = lines.into_iter().map(Into::into).collect();
        self.push(Block::Commands(lines));
    }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut cells: Vec<Cell> = cells.into_iter().collect();
        cells.resize_with(self.columns.len(), Cell::unknown);
        self.rows.push(cells);
    }
}

impl Column {
    /// A column of words.
    pub fn left(head: &str, rank: u8) -> Column {
        Column {
            head: head.to_owned(),
            align: Align::Left,
            rank,
        }
    }

    /// A column of numbers.
    pub fn right(head: &str, rank: u8) -> Column {
        Column {
            align: Align::Right,
            ..Column::left(head, rank)
        }
    }
}

impl Cell {
    /// A text with a tone.
    pub fn new(text: impl Display, tone: Tone) -> Cell {
        Cell {
            text: text.to_string(),
            tone,
        }
    }

    /// A text without a tone.
    pub fn plain(text: impl Display) -> Cell {
        Cell::new(text, Tone::Plain)
    }

    /// `?`.
    pub fn unknown() -> Cell {
        Cell::new("?", Tone::Faint)
    }

    /// `-`: there is nothing to know here.
    pub fn none() -> Cell {
        Cell::new("-", Tone::Faint)
    }

    /// The text, or `?`.
    pub fn known(text: Option<impl Display>) -> Cell {
        text.map_or_else(Cell::unknown, Cell::plain)
    }
}
