//! The list of books: rows of text under a header.

/// A table of books.
pub struct Books {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// A book a row, as wide as the header.
    pub rows: Vec<Vec<String>>,
    title: usize,
}

impl Books {
    /// The 300 books that stand beside this file.
    pub fn excerpt() -> Books {
        Books::parse(include_str!("books.csv")).expect("the excerpt is well-formed")
    }

    /// Reads a CSV text that has a column `title`.
    pub fn parse(text: &str) -> Result<Books, String> {
        let mut rows = csv(text).into_iter();
        let columns = rows.next().ok_or("the list of books is empty")?;
        let rows: Vec<_> = rows.collect();
        if let Some(n) = rows.iter().position(|row| row.len() != columns.len()) {
            return Err(format!("row {} is not as wide as the header", n + 2));
        }
        if rows.is_empty() {
            return Err("the list holds no book".to_owned());
        }
        let title = columns
            .iter()
            .position(|column| column == "title")
            .ok_or("the list has no column 'title'")?;
        Ok(Books {
            columns,
            rows,
            title,
        })
    }

    /// The row of a book; a short list is gone round again.
    pub fn row(&self, id: u64) -> &[String] {
        &self.rows[id as usize % self.rows.len()]
    }

    /// The title of a book.
    pub fn title(&self, id: u64) -> &str {
        &self.row(id)[self.title]
    }
}

/// Fields between commas, rows between line ends; quotes may enclose either and are doubled inside.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut is_quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {}
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            _ => field.push(c),
        }
    }
    if !row.is_empty() || !field.is_empty() {
        row.push(field);
        rows.push(row);
    }
    rows
}
