//! The log: the commands that change a data set, told apart as they come over a replication link, with
//! the offset after each.
//!
//! A backup marks the slots that its log changes; a restore plays the log. Which keys a command is about
//! stands in `command`. The stream is arrays of bulk strings, as clients send them; every byte counts in the
//! offset.

use super::command::LogCommand;
use super::error::{Fault, RdbError};

/// The most words that one command may have: the servers' own limit (`1024*1024`).
const MOST_WORDS: u64 = 1024 * 1024;
/// The longest word: the servers' `proto-max-bulk-len` at its default.
const LONGEST_WORD: u64 = 512 << 20;
/// The longest line with a count or a length.
const LONGEST_LINE: usize = 32;

/// Cuts a log into commands.
#[derive(Debug, Default)]
pub struct LogReader {
    buf: Vec<u8>,
    /// How much of the buffer was given out.
    at: usize,
    /// The offset before the buffer's first byte.
    offset: u64,
    words: Vec<std::ops::Range<usize>>,
}

impl LogReader {
    /// Of a log that goes on after that offset.
    pub fn new(offset: u64) -> LogReader {
        LogReader {
            offset,
            ..LogReader::default()
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buf.drain(..self.at);
        self.offset += self.at as u64;
        self.at = 0;
        self.buf.extend_from_slice(bytes);
    }

    /// The offset after the last command that was given.
    pub fn offset(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// The next command, if it is all there.
    ///
    /// # Errors
    /// When the bytes are no command.
    pub fn step(&mut self) -> Result<Option<LogCommand<'_>>, RdbError> {
        match command(&self.buf, self.at, &mut self.words) {
            Ok(Some(end)) => {
                self.at = end;
                let words = self.words.iter();
                Ok(Some(LogCommand {
                    words: words.map(|range| &self.buf[range.clone()]).collect(),
                    end: self.offset + end as u64,
                }))
            }
            Ok(None) => Ok(None),
            Err(why) => Err(why.at(self.offset + self.at as u64)),
        }
    }
}

/// Finds a command's words from `at` on and gives where it ends; `None` when it is not all there.
fn command(
    buf: &[u8],
    at: usize,
    words: &mut Vec<std::ops::Range<usize>>,
) -> Result<Option<usize>, Fault> {
    words.clear();
    let Some((count, mut at)) = number(buf, at, b'*', MOST_WORDS)? else {
        return Ok(None);
    };
    for _ in 0..count {
        let Some((length, from)) = number(buf, at, b'$', LONGEST_WORD)? else {
            return Ok(None);
        };
        let end = from + length as usize;
        let Some(after) = buf.get(end..end + 2) else {
            return Ok(None);
        };
        if after != b"\r\n" {
            return Err(Fault::Malformed("command"));
        }
        words.push(from..end);
        at = end + 2;
    }
    if words.is_empty() {
        return Err(Fault::Malformed("command"));
    }
    Ok(Some(at))
}

/// A line such as `*3` or `$5`, and where it ends.
fn number(buf: &[u8], at: usize, mark: u8, most: u64) -> Result<Option<(u64, usize)>, Fault> {
    let rest = &buf[at..];
    let line = &rest[..rest.len().min(LONGEST_LINE)];
    let malformed = Fault::Malformed("command");
    if line.first().is_some_and(|&first| first != mark) {
        return Err(malformed);
    }
    let Some(end) = line.windows(2).position(|two| two == b"\r\n") else {
        return if line.len() == LONGEST_LINE {
            Err(malformed)
        } else {
            Ok(None)
        };
    };
    let digits = std::str::from_utf8(&line[1..end]).map_err(|_| malformed)?;
    let number = digits.parse().map_err(|_| malformed)?;
    if number > most {
        return Err(Fault::Length);
    }
    Ok(Some((number, at + end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", words.len());
        for word in words {
            out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        out.into_bytes()
    }

    #[test]
    fn commands_are_cut_wherever_the_pieces_end() {
        let log = [
            line(&["SELECT", "0"]),
            line(&["SET", "k", "a\r\nb"]),
            line(&["PING"]),
        ]
        .concat();
        for size in 1..log.len() {
            let mut reader = LogReader::new(100);
            let mut seen = Vec::new();
            for piece in log.chunks(size) {
                reader.push(piece);
                while let Some(command) = reader.step().unwrap() {
                    seen.push((command.name(), command.words.len(), command.end));
                }
            }
            let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
            assert_eq!(names, ["select", "set", "ping"]);
            assert_eq!(seen.last().unwrap().2, 100 + log.len() as u64);
            assert_eq!(reader.offset(), 100 + log.len() as u64);
        }
    }

    #[test]
    fn what_is_no_command_is_an_error_with_its_offset() {
        for bad in [
            "+OK\r\n",
            "*x\r\n",
            "*0\r\n",
            "*1\r\n+OK\r\n",
            "*1\r\n$1\r\nabc",
            "*99999999\r\n",
        ] {
            let mut reader = LogReader::new(7);
            reader.push(bad.as_bytes());
            assert_eq!(reader.step().unwrap_err().at, 7, "{bad}");
        }
        let mut endless = LogReader::new(0);
        endless.push(&[b'*'; 64]);
        assert!(endless.step().is_err());
    }
}
