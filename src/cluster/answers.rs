//! Answers that are passed over as they come: only refusals are kept, each with the place of its command,
//! and the places of those that were answered with nothing.
//! Values may be as large as they like, and nearly all answers are the same five bytes.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, ReadHalf};
use tokio::time::{sleep, timeout};

use super::error::{NodeError, printable};
use super::stream::{Bytes, from_io};
use crate::model::NodeAddr;

/// How much is read at once.
const PIECE: usize = 16 * 1024;
/// The answer that nearly every command gets.
const OK: &[u8] = b"+OK\r\n";
/// How long answers gather where there is no hurry.
const GATHER: Duration = Duration::from_millis(1);
/// The longest line of an answer.
const LONGEST_LINE: usize = 64 * 1024;

/// What is kept of so many answers.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// What the server refused: the command's place and the server's words.
    pub refused: Vec<(usize, String)>,
    /// The places of commands that nil was the answer to: SET with NX did nothing.
    pub nothing: Vec<usize>,
}

/// The side on which answers come.
pub(super) struct Reading {
    pub(super) addr: NodeAddr,
    pub(super) stream: ReadHalf<Box<dyn Bytes>>,
    pub(super) came: BytesMut,
    pub(super) patience: Duration,
    /// Whether answers may gather before they are read.
    pub(super) is_in_no_hurry: bool,
}

impl Reading {
    /// Reads so many answers.
    pub(super) async fn answers(&mut self, count: usize) -> Result<Answers, NodeError> {
        let mut answers = Answers::default();
        let mut answer = Skipped::default();
        let mut n = 0;
        while n < count {
            if !answer.is_begun {
                n += pass_over_ok(&mut self.came, count - n);
                if n == count {
                    break;
                }
            }
            let out_of_form = |saw: &[u8]| NodeError::NotRedis {
                addr: self.addr.clone(),
                saw: printable(&String::from_utf8_lossy(&saw[..saw.len().min(64)])),
            };
            if !answer
                .take(&mut self.came)
                .map_err(|saw| out_of_form(&saw))?
            {
                self.more().await?;
                continue;
            }
            let over = std::mem::take(&mut answer);
            if let Some(words) = over.refusal {
                answers.refused.push((n, words));
            }
            if over.is_nothing {
                answers.nothing.push(n);
            }
            n += 1;
        }
        Ok(answers)
    }

    async fn more(&mut self) -> Result<(), NodeError> {
        if self.is_in_no_hurry {
            sleep(GATHER).await;
        }
        self.came.reserve(PIECE);
        let read = timeout(self.patience, self.stream.read_buf(&mut self.came)).await;
        let count = read
            .map_err(|_| NodeError::Timeout {
                addr: self.addr.clone(),
                after: self.patience,
            })?
            .map_err(|error| from_io(&self.addr, &error))?;
        match count {
            0 => Err(NodeError::Closed {
                addr: self.addr.clone(),
                why: "with commands under way".to_owned(),
            }),
            _ => Ok(()),
        }
    }
}

/// Passes over answers that are all the same, so many at the most; how many there were.
fn pass_over_ok(came: &mut BytesMut, most: usize) -> usize {
    let answers = came.chunks_exact(OK.len()).take(most);
    let count = answers.take_while(|answer| *answer == OK).count();
    came.advance(count * OK.len());
    count
}

/// An answer that is passed over as it comes.
#[derive(Debug)]
struct Skipped {
    /// Values that are still to come.
    values: u64,
    /// Bytes of the value under way that are still to come.
    bytes: usize,
    is_begun: bool,
    refusal: Option<String>,
    /// Whether it is nil.
    is_nothing: bool,
}

impl Default for Skipped {
    fn default() -> Skipped {
        Skipped {
            values: 1,
            bytes: 0,
            is_begun: false,
            refusal: None,
            is_nothing: false,
        }
    }
}

impl Skipped {
    /// Takes what has come of it; whether it is over. An error gives what is no answer.
    fn take(&mut self, came: &mut BytesMut) -> Result<bool, Vec<u8>> {
        loop {
            let skipped = self.bytes.min(came.len());
            came.advance(skipped);
            self.bytes -= skipped;
            if self.bytes > 0 {
                return Ok(false);
            }
            if self.values == 0 {
                return Ok(true);
            }
            let Some(end) = came.iter().position(|&byte| byte == b'\n') else {
                return match came.len() > LONGEST_LINE {
                    true => Err(came.to_vec()),
                    false => Ok(false),
                };
            };
            let line = came.split_to(end + 1);
            self.line(&line).ok_or_else(|| line.to_vec())?;
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<()> {
        let (sign, rest) = line.split_first()?;
        let rest = rest.strip_suffix(b"\r\n")?;
        let number = || -> Option<i64> { std::str::from_utf8(rest).ok()?.parse().ok() };
        self.values -= 1;
        // Inside of a list it says nothing of the whole.
        self.is_nothing = !self.is_begun && matches!(line, b"$-1\r\n" | b"_\r\n");
        self.is_begun = true;
        match sign {
            b'+' | b':' | b'_' | b'#' | b',' | b'(' => {}
            b'-' => {
                let words = printable(&String::from_utf8_lossy(rest));
                self.refusal.get_or_insert(words);
            }
            b'$' | b'=' | b'!' => {
                if let Ok(bytes) = usize::try_from(number()?) {
                    self.bytes = bytes.checked_add(2)?;
                }
            }
            b'*' | b'~' | b'>' => self.add(number()?)?,
            b'%' => self.add(number()?.checked_mul(2)?)?,
            _ => return None,
        }
        Some(())
    }

    /// Fewer than none stands for nothing at all.
    fn add(&mut self, values: i64) -> Option<()> {
        let values = u64::try_from(values).unwrap_or(0);
        self.values = self.values.checked_add(values)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_is_nothing_and_an_empty_value_is_something() {
        for (bytes, is_nothing) in [
            (&b"$-1\r\n"[..], true),
            (b"_\r\n", true),
            (b"$0\r\n\r\n", false),
            (b"*2\r\n$-1\r\n$-1\r\n", false),
            (b"*-1\r\n", false),
            (b":0\r\n", false),
        ] {
            let mut answer = Skipped::default();
            assert!(answer.take(&mut BytesMut::from(bytes)).unwrap());
            assert_eq!(answer.is_nothing, is_nothing, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn answers_are_passed_over_wherever_the_pieces_end() {
        let answers: [(&[u8], Option<&str>); 7] = [
            (b"+OK\r\n", None),
            (b"-BUSYKEY it is there\r\n", Some("BUSYKEY it is there")),
            (b"$5\r\nab\r\nc\r\n", None),
            (b"$-1\r\n", None),
            (b"*2\r\n*1\r\n:1\r\n$3\r\nabc\r\n", None),
            (b"*2\r\n+OK\r\n-ERR inside\r\n", Some("ERR inside")),
            (b"*-1\r\n", None),
        ];
        let all: Vec<u8> = answers
            .iter()
            .flat_map(|(bytes, _)| bytes.to_vec())
            .collect();
        for size in 1..all.len() {
            let (mut came, mut seen, mut answer) =
                (BytesMut::new(), Vec::new(), Skipped::default());
            for piece in all.chunks(size) {
                came.extend_from_slice(piece);
                while answer.take(&mut came).unwrap() {
                    seen.push(std::mem::take(&mut answer).refusal);
                }
            }
            let told: Vec<Option<&str>> = seen.iter().map(Option::as_deref).collect();
            let expected: Vec<Option<&str>> = answers.iter().map(|(_, words)| *words).collect();
            assert_eq!(told, expected, "{size}");
        }
    }

    #[test]
    fn plain_answers_are_passed_over_as_far_as_they_are_due() {
        let mut came = BytesMut::from(&b"+OK\r\n+OK\r\n+OK\r\n-ERR no\r\n+OK\r\n+O"[..]);
        assert_eq!(pass_over_ok(&mut came, 2), 2);
        assert_eq!(pass_over_ok(&mut came, 9), 1);
        assert_eq!(pass_over_ok(&mut came, 9), 0);
        assert!(came.starts_with(b"-ERR no"));
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bad in [&b"hello\r\n"[..], b"$x\r\n", b"*1x\r\n", b"+OK\n"] {
            let mut came = BytesMut::from(bad);
            assert!(Skipped::default().take(&mut came).is_err(), "{bad:?}");
        }
        let mut endless = BytesMut::from(&[b'+'; LONGEST_LINE + 1][..]);
        assert!(Skipped::default().take(&mut endless).is_err());
    }
}
