//! The screen: where answers, talk and questions go, and how they look there.
//!
//! stdout gets the answer and nothing else, whole or not at all; everything said on the way goes to
//! stderr. Colour and width are decided per stream.

use std::io::{self, IsTerminal, Write};

use super::options::Color;
use super::progress::Progress;
use super::signal::while_asking;
use crate::model::{Consent, Events};
use crate::render::{self, Doc, Look};

/// Both streams.
pub struct Screen {
    colour: Color,
    is_verbose: bool,
    is_quiet: bool,
    progress: Progress,
}

/// What a question came to.
#[derive(Debug)]
pub enum Asked {
    /// Yes.
    Yes(Consent),
    /// No, or another word than the one asked for.
    No,
    /// There is nobody to ask: stdin or stderr is no terminal.
    Nobody,
}

impl Screen {
    /// The screen of this process.
    pub fn new(colour: Color, is_verbose: bool, is_quiet: bool) -> Screen {
        Screen {
            colour,
            is_verbose,
            is_quiet,
            progress: Progress::new(is_quiet),
        }
    }

    /// Whether nothing is said on the way.
    pub fn is_quiet(&self) -> bool {
        self.is_quiet
    }

    /// Whether `-v` was given.
    pub fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Whether stdout is a terminal.
    pub fn is_terminal(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Whether stdout takes colour.
    pub fn is_coloured(&self) -> bool {
        self.colours(io::stdout().is_terminal())
    }

    /// Whether stderr takes colour.
    pub fn is_talk_coloured(&self) -> bool {
        self.colours(io::stderr().is_terminal())
    }

    fn colours(&self, is_terminal: bool) -> bool {
        let is_forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.colour {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !is_forbidden,
        }
    }

    /// The width of stdout in columns; `None` when it is no terminal, and nothing is to be cut.
    pub fn width(&self) -> Option<usize> {
        let columns = rustix::termios::tcgetwinsize(io::stdout()).ok()?.ws_col;
        (io::stdout().is_terminal() && columns > 0).then_some(columns.into())
    }

    /// Prints the answer. A reader who left (a closed pipe) is no error.
    pub fn answer(&self, text: &str) -> io::Result<()> {
        self.progress.clear();
        let mut stdout = io::stdout().lock();
        match stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush())
        {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Says something on the way, unless asked to be quiet.
    pub fn say(&self, line: &str) {
        if !self.is_quiet {
            self.progress.line(line);
        }
    }

    /// Says a document on the way.
    pub fn talk(&self, doc: &Doc) {
        let look = Look {
            width: self.width(),
            colour: self.is_talk_coloured(),
        };
        self.say(render::terminal::text(doc, look).trim_end());
    }

    /// Says something that only `-v` wants to hear.
    pub fn detail(&self, line: &str) {
        if self.is_verbose {
            self.progress.line(line);
        }
    }

    /// Where an op tells what happens.
    pub fn events(&self) -> Events {
        self.progress.events()
    }

    /// Takes the progress away, before a question or the answer.
    pub fn clear(&self) {
        self.progress.clear();
    }

    /// Asks for a yes; anything that does not begin with `y` is a no.
    pub fn confirm(&self, question: &str) -> io::Result<Asked> {
        self.ask(&format!("{question} [y/N] "), |answer| {
            answer.to_lowercase().starts_with('y')
        })
    }

    /// Asks for a name to be typed.
    pub fn confirm_name(&self, question: &str, name: &str) -> io::Result<Asked> {
        self.ask(&format!("{question}\ntype {name} to go on: "), |answer| {
            answer == name
        })
    }

    fn ask(&self, prompt: &str, is_yes: impl Fn(&str) -> bool) -> io::Result<Asked> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Ok(Asked::Nobody);
        }
        self.progress.clear();
        eprint!("{prompt}");
        io::stderr().flush()?;
        let mut answer = String::new();
        while_asking(|| io::stdin().read_line(&mut answer))?;
        Ok(match is_yes(answer.trim()) {
            true => Asked::Yes(Consent::by_answer()),
            false => Asked::No,
        })
    }
}
