//! How the program ends: the exit codes, and the one printer of errors.
//!
//! Every subcommand ends in an [`Exit`] or a [`Failure`]. Codes are part of the contract with
//! scripts and never change their meaning. Errors are told in one shape: what could not be done,
//! the cause, and the next step.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, and good.
    Good,
    /// 1: failed for a reason that no other code names.
    Failed,
    /// 2: the command line, the environment or a settings file makes no sense.
    Usage,
    /// 3: looked, and the answer is bad.
    Bad,
    /// 4: could not look: unreachable, login, TLS, not a cluster.
    CouldNotLook,
    /// 5: refused; nothing was changed.
    Refused,
    /// 6: stopped half-way; something was changed.
    HalfWay,
    /// 130: interrupted by Ctrl-C, after healing.
    Interrupted,
    /// 143: asked to end by SIGTERM, after healing.
    Terminated,
    /// A code that another convention prescribes, such as the 0 to 3 of monitoring plugins.
    Plugin(u8),
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Bad => 3,
            Exit::CouldNotLook => 4,
            Exit::Refused => 5,
            Exit::HalfWay => 6,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Plugin(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command did not get to its answer, how it ends, and what to try next.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What could not be done and, below it, why.
    pub error: anyhow::Error,
    /// What to try, a line each.
    pub next: Vec<String>,
}

impl Failure {
    /// A failure that ends with the given code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Failure {
        Failure {
            exit,
            error: error.into(),
            next: Vec::new(),
        }
    }

    /// The command line, the environment or a settings file makes no sense.
    pub fn usage(what: impl fmt::Display) -> Failure {
        Failure::new(Exit::Usage, anyhow::anyhow!("{what}"))
    }

    /// Adds a next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Failure {
        self.next.push(step.into());
        self
    }

    /// The text that is printed: `goodcache: what: why` and a `next:` line for each step.
    pub fn text(&self) -> String {
        let mut text = format!("goodcache: {}\n", chain(&self.error));
        for step in &self.next {
            text.push_str(&format!("next: {step}\n"));
        }
        text
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::new(Exit::Failed, error)
    }
}

/// The error and its causes in one line. A cause that the line above already tells is not told twice.
fn chain(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = without_number(cause.to_string().trim().trim_end_matches('.'));
        if !parts.iter().any(|told| told.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// Without the system's own number, which Rust puts behind its words: `(os error 2)`.
fn without_number(text: &str) -> String {
    match text.rsplit_once(" (os error ") {
        Some((words, rest)) => match rest.split_once(')') {
            Some((_, after)) => format!("{words}{after}"),
            None => text.to_string(),
        },
        None => text.to_string(),
    }
}

/// Prints a failure to stderr and gives its exit code.
pub fn report(failure: &Failure) -> Exit {
    // Nobody is left to be told when stderr itself is closed.
    let _ = io::stderr().write_all(failure.text().as_bytes());
    failure.exit
}

/// What a monitoring plugin answers when it has none: 2 would be read as a critical cluster.
pub fn unknown(why: &str) -> Exit {
    // A reader that has gone is served by the code.
    let _ = answer(&format!("UNKNOWN - {why}\n"));
    Exit::Plugin(3)
}

/// Writes the answer to stdout. A reader that has gone (`| head`) wanted no more: that is no error,
/// and the exit code stays the verdict's, so that `check | head -1` in a script still tells.
pub fn answer(text: &str) -> anyhow::Result<()> {
    write_answer(&mut io::stdout().lock(), text)
}

/// Prints what clap has to say: help and version on stdout, errors on stderr.
pub fn clap(told: &clap::Error) -> Exit {
    // A reader that has gone, or a closed stderr, changes nothing.
    if told.exit_code() == 0 {
        let _ = told.print();
        return Exit::Good;
    }
    let _ = io::stderr().write_all(usage(&told.render().to_string()).as_bytes());
    Exit::Usage
}

/// clap's words in the shape of all other errors, and without what stands before an '@': whoever
/// typed a URL with a password where none belongs is not to find it in a log as well.
fn usage(told: &str) -> String {
    let told = match told.strip_prefix("error: ") {
        Some(rest) => format!("goodcache: {rest}"),
        None => told.to_string(),
    };
    let lines = told
        .split_inclusive('\n')
        .map(|line| match (line.find("://"), line.rfind('@')) {
            (Some(scheme), Some(at)) if scheme < at => {
                format!("{}...{}", &line[..scheme + 3], &line[at..])
            }
            _ => line.to_string(),
        });
    lines.collect()
}

fn write_answer(out: &mut impl Write, text: &str) -> anyhow::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("could not write the answer to stdout"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_end_has_its_code() {
        for (exit, code) in [
            (Exit::Good, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Bad, 3),
            (Exit::CouldNotLook, 4),
            (Exit::Refused, 5),
            (Exit::HalfWay, 6),
            (Exit::Interrupted, 130),
            (Exit::Terminated, 143),
            (Exit::Plugin(2), 2),
        ] {
            assert_eq!(exit.code(), code);
        }
    }

    #[test]
    fn an_error_tells_what_why_and_what_next() {
        let error = Err::<(), _>(io::Error::other("no such thing"))
            .context("could not read x.yaml")
            .unwrap_err();
        let failure = Failure::new(Exit::CouldNotLook, error).next("write one");
        assert_eq!(
            failure.text(),
            "goodcache: could not read x.yaml: no such thing\nnext: write one\n"
        );
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = Err::<(), _>(io::Error::other("refused"))
            .context("could not connect: refused")
            .unwrap_err();
        assert_eq!(chain(&error), "could not connect: refused");
        let numbered = anyhow::anyhow!("could not read x: No such file (os error 2), twice");
        assert_eq!(chain(&numbered), "could not read x: No such file, twice");
    }

    #[test]
    fn clap_speaks_like_the_rest_and_repeats_no_password() {
        assert_eq!(usage("error: no\n\ntip: x\n"), "goodcache: no\n\ntip: x\n");
        assert_eq!(
            usage("error: bad 'redis://u:s3c@ret@h:1'\nUsage: a@b\n"),
            "goodcache: bad 'redis://...@h:1'\nUsage: a@b\n"
        );
        assert_eq!(usage("Make a cluster\n"), "Make a cluster\n");
    }

    #[test]
    fn a_reader_that_left_is_no_error_but_a_full_disk_is() {
        assert!(write_answer(&mut Broken(io::ErrorKind::BrokenPipe), "x").is_ok());
        assert!(write_answer(&mut Broken(io::ErrorKind::StorageFull), "x").is_err());
    }
}
