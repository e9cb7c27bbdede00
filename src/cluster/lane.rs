//! A lane: commands go to one node in batches, one behind the other, and nothing waits for an answer but
//! the room that is left. For loading data, where a question and an answer at a time would leave the
//! server idle for most of it.
//!
//! Of the answers only refusals are kept, each with the place of its command; values are passed over as
//! they come, however large. A batch is answered whole or not at all: what was under way when a lane
//! broke may or may not have been done, and whoever sends it again must be able to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::error::{NodeError, printable};
use super::replica::Link;
use super::stream::{Bytes, from_io};
use crate::model::NodeAddr;

/// Batches under way at the most.
const UNDER_WAY: usize = 16;
/// How much is read at once.
const PIECE: usize = 16 * 1024;
/// The longest line of an answer.
const LONGEST_LINE: usize = 64 * 1024;

/// Commands in a row, as they are on the wire.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// An answered batch.
#[derive(Debug)]
pub struct Answered {
    /// Which.
    pub batch: Arc<Batch>,
    /// What the server refused: the command's place and the server's words.
    pub refused: Vec<(usize, String)>,
}

/// A lane to one node.
pub struct Lane {
    addr: NodeAddr,
    batches: mpsc::Sender<Arc<Batch>>,
    answers: mpsc::Receiver<Result<Answered, NodeError>>,
    under_way: VecDeque<Arc<Batch>>,
    // It ends with the lane.
    _moving: AbortOnDropHandle<()>,
}

impl Batch {
    /// Room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Batch {
        Batch {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::new(),
        }
    }

    /// How many commands.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes everything out; the room stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// All commands as they are on the wire.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a command.
    pub fn push(&mut self, words: &[&[u8]]) {
        self.begin(words.len());
        for word in words {
            self.word(word);
        }
        self.end();
    }

    /// Appends a command as it is on the wire.
    pub fn push_raw(&mut self, command: &[u8]) {
        self.bytes.extend_from_slice(command);
        self.end();
    }

    /// Begins a command of so many words, which follow by [`Batch::word`] up to [`Batch::end`].
    pub fn begin(&mut self, words: usize) {
        self.number(b'*', words);
    }

    /// The next word.
    pub fn word(&mut self, word: &[u8]) {
        self.number(b'$', word.len());
        self.bytes.extend_from_slice(word);
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Begins a word of so many bytes, which follow by [`Batch::more`] up to [`Batch::end_word`]: one that
    /// nobody holds whole.
    pub fn begin_word(&mut self, bytes: usize) {
        self.number(b'$', bytes);
    }

    /// The next bytes of that word.
    pub fn more(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The end of that word.
    pub fn end_word(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// The end of a command.
    pub fn end(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// A command as it is on the wire; empty where there is none.
    pub fn command(&self, n: usize) -> &[u8] {
        let begin = n
            .checked_sub(1)
            .map_or(Some(0), |n| self.ends.get(n).copied());
        match (begin, self.ends.get(n)) {
            (Some(begin), Some(&end)) => &self.bytes[begin..end],
            _ => &[],
        }
    }

    fn number(&mut self, sign: u8, number: usize) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut left = number;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        self.bytes.push(sign);
        self.bytes.extend_from_slice(&digits[at..]);
        self.bytes.extend_from_slice(b"\r\n");
    }
}

impl Lane {
    /// Connects and logs in. A batch that is not answered within `patience` breaks the lane.
    ///
    /// # Errors
    /// As [`NodeError`].
    pub async fn open(
        access: &Access,
        addr: &NodeAddr,
        patience: Duration,
    ) -> Result<Lane, NodeError> {
        let link = Link::open(access, addr).await?;
        let (reading, writing) = split(link.stream);
        let (batches, taken) = mpsc::channel(UNDER_WAY);
        let (told, answers) = mpsc::channel(UNDER_WAY);
        let reader = Reading {
            addr: addr.clone(),
            stream: reading,
            came: link.came,
            patience,
        };
        let moving = tokio::spawn(moved(taken, writing, reader, told));
        Ok(Lane {
            addr: addr.clone(),
            batches,
            answers,
            under_way: VecDeque::new(),
            _moving: AbortOnDropHandle::new(moving),
        })
    }

    /// Where it goes.
    pub fn addr(&self) -> &NodeAddr {
        &self.addr
    }

    /// Whether another batch may be sent without waiting for an answer first.
    pub fn has_room(&self) -> bool {
        self.under_way.len() < UNDER_WAY
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Sends a batch. When the lane is broken the next answer says so.
    pub async fn send(&mut self, batch: Arc<Batch>) {
        self.under_way.push_back(batch.clone());
        // Closed when it is broken; then the batch is among those that stay unanswered.
        let _ = self.batches.send(batch).await;
    }

    /// The answer to the oldest batch under way. It may be dropped and asked for again.
    ///
    /// # Errors
    /// When the lane broke: then [`Lane::unanswered`] gives what was under way.
    pub async fn answered(&mut self) -> Result<Answered, NodeError> {
        match self.answers.recv().await {
            Some(Ok(answered)) => {
                self.under_way.pop_front();
                Ok(answered)
            }
            Some(Err(error)) => Err(error),
            None => Err(NodeError::Closed {
                addr: self.addr.clone(),
                why: "with commands under way".to_owned(),
            }),
        }
    }

    /// What was sent and not answered, oldest first.
    pub fn unanswered(self) -> Vec<Arc<Batch>> {
        self.under_way.into()
    }
}

/// Writes batches and reads their answers, both at once: a server that cannot get rid of its answers
/// reads no more.
async fn moved(
    mut batches: mpsc::Receiver<Arc<Batch>>,
    mut writing: WriteHalf<Box<dyn Bytes>>,
    mut reading: Reading,
    told: mpsc::Sender<Result<Answered, NodeError>>,
) {
    let (sent, mut due) = mpsc::channel::<Arc<Batch>>(UNDER_WAY);
    let addr = reading.addr.clone();
    let writer = async {
        while let Some(batch) = batches.recv().await {
            if sent.send(batch.clone()).await.is_err() {
                return Ok(());
            }
            let written = writing.write_all(&batch.bytes).await;
            written.map_err(|error| from_io(&addr, &error))?;
            let flushed = writing.flush().await;
            flushed.map_err(|error| from_io(&addr, &error))?;
        }
        drop(sent);
        // The reader ends it, when the last answer is in.
        std::future::pending::<Result<(), NodeError>>().await
    };
    let reader = async {
        while let Some(batch) = due.recv().await {
            let refused = reading.answers(batch.len()).await?;
            if told.send(Ok(Answered { batch, refused })).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = writer => ended,
        ended = reader => ended,
    };
    if let Err(error) = ended {
        // Nobody listens when the lane was dropped.
        let _ = told.send(Err(error)).await;
    }
}

/// The side on which answers come.
pub(super) struct Reading {
    pub(super) addr: NodeAddr,
    pub(super) stream: ReadHalf<Box<dyn Bytes>>,
    pub(super) came: BytesMut,
    pub(super) patience: Duration,
}

impl Reading {
    /// Reads so many answers, and gives those that are refusals: which, and the server's words.
    pub(super) async fn answers(
        &mut self,
        count: usize,
    ) -> Result<Vec<(usize, String)>, NodeError> {
        let mut refused = Vec::new();
        let mut answer = Skipped::default();
        let mut n = 0;
        while n < count {
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
            if let Some(words) = std::mem::take(&mut answer).refusal {
                refused.push((n, words));
            }
            n += 1;
        }
        Ok(refused)
    }

    async fn more(&mut self) -> Result<(), NodeError> {
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

/// An answer that is passed over as it comes.
#[derive(Debug)]
struct Skipped {
    /// Values that are still to come.
    values: u64,
    /// Bytes of the value under way that are still to come.
    bytes: usize,
    refusal: Option<String>,
}

impl Default for Skipped {
    fn default() -> Skipped {
        Skipped {
            values: 1,
            bytes: 0,
            refusal: None,
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
    fn commands_stand_as_on_the_wire_and_are_found_again() {
        let mut batch = Batch::default();
        batch.push(&[b"SET", b"k", b"a\r\nb"]);
        batch.push_raw(b"*1\r\n$4\r\nPING\r\n");
        assert_eq!(
            batch.command(0),
            b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\n"
        );
        assert_eq!(batch.command(1), b"*1\r\n$4\r\nPING\r\n");
        assert_eq!((batch.command(2), batch.len()), (&b""[..], 2));
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
    fn what_is_no_answer_is_an_error() {
        for bad in [&b"hello\r\n"[..], b"$x\r\n", b"*1x\r\n", b"+OK\n"] {
            let mut came = BytesMut::from(bad);
            assert!(Skipped::default().take(&mut came).is_err(), "{bad:?}");
        }
        let mut endless = BytesMut::from(&[b'+'; LONGEST_LINE + 1][..]);
        assert!(Skipped::default().take(&mut endless).is_err());
    }
}
