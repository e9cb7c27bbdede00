//! The terminal that moving lines are drawn on, a little narrower than it is.
//!
//! `indicatif` fills every line up to the last column and lets the terminal wrap. On Ctrl-C the terminal
//! itself writes `^C` where the cursor stands, which then is in the next line, and what is taken away
//! afterwards is not where it was drawn. Here some columns stay free for that, and lines are ended by
//! line feeds.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};
use unicode_width::UnicodeWidthChar;

/// Columns that stay free.
const SPARE: usize = 3;
/// Of a terminal that does not tell: as wide and high as they once were.
const USUAL: (u16, u16) = (80, 24);
/// How often at most it is drawn in a second.
const HZ: u8 = 10;

/// Where moving lines are drawn on stderr.
pub(super) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Narrow::default()), HZ)
}

#[derive(Debug, Default)]
struct Narrow(Mutex<Drawn>);

/// What is to be written at the next flush, and in which column it ends.
#[derive(Debug, Default)]
struct Drawn {
    text: String,
    column: usize,
}

impl Drawn {
    /// Adds text; what comes behind the last of so many columns begins the next line.
    fn put(&mut self, text: &str, width: usize) {
        for c in text.chars() {
            let wide = c.width().unwrap_or(0);
            match c {
                '\r' | '\n' => self.column = 0,
                _ if self.column + wide > width => {
                    self.text.push('\n');
                    self.column = wide;
                }
                _ => self.column += wide,
            }
            self.text.push(c);
        }
    }

    fn control(&mut self, sequence: &str) {
        self.text.push_str(sequence);
    }
}

impl Narrow {
    fn with(&self, act: impl FnOnce(&mut Drawn)) -> io::Result<()> {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    fn go(&self, lines: usize, way: char) -> io::Result<()> {
        match lines {
            0 => Ok(()),
            _ => self.with(|drawn| drawn.control(&format!("\x1b[{lines}{way}"))),
        }
    }
}

impl TermLike for Narrow {
    fn width(&self) -> u16 {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        let columns = size.map_or(0, |size| size.ws_col);
        let columns = if columns == 0 { USUAL.0 } else { columns };
        columns.saturating_sub(SPARE as u16).max(1)
    }

    fn height(&self) -> u16 {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        let lines = size.map_or(0, |size| size.ws_row);
        if lines == 0 { USUAL.1 } else { lines }
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        let width = usize::from(self.width());
        self.with(|drawn| {
            drawn.put(s, width);
            drawn.put("\n", width);
        })
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        let width = usize::from(self.width());
        self.with(|drawn| drawn.put(s, width))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.with(|drawn| {
            drawn.put("\r", 0);
            drawn.control("\x1b[2K");
        })
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = std::mem::take(&mut drawn.text);
        let mut stderr = io::stderr().lock();
        stderr.write_all(text.as_bytes())?;
        stderr.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_told_and_each_begins_anew() {
        let mut drawn = Drawn::default();
        // As indicatif draws: a line, then blanks up to the last column.
        for (line, filler) in [("first", 5), ("0123456789", 0), ("日本", 6)] {
            drawn.put(line, 10);
            drawn.put(&" ".repeat(filler), 10);
        }
        assert_eq!(drawn.text, "first     \n0123456789\n日本      ");
        assert_eq!(drawn.column, 10);
        drawn.put("\r", 10);
        drawn.put("0123456789too long", 10);
        assert!(drawn.text.ends_with("\r0123456789\ntoo long"));
    }
}
