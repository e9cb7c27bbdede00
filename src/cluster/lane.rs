//! A lane: commands go to one node in batches, one behind the other, and nothing waits for an answer but
//! the room that is left. For loading data, where a question and an answer at a time would leave the
//! server idle for most of it.
//!
//! Of the answers only refusals are kept, each with the place of its command (see `answers`); values are
//! passed over as they come, however large. A batch is answered whole or not at all: what was under way when a lane
//! broke may or may not have been done, and whoever sends it again must be able to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, WriteHalf, split};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
pub use super::answers::Answers;
use super::answers::Reading;
use super::error::NodeError;
use super::replica::Link;
use super::stream::{Bytes, from_io};
use crate::model::NodeAddr;

/// Batches under way at the most.
const UNDER_WAY: usize = 16;
/// With so many batches waiting behind the one whose answers come, the server has enough to do meanwhile:
/// then answers are left to gather for a moment. It sends them a few dozen at a time, and each look at them
/// takes a core away from it.
const BUSY: usize = 4;

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
    /// What is kept of its answers.
    pub answers: Answers,
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

    /// How many bytes it may hold without growing.
    pub fn room(&self) -> usize {
        self.bytes.capacity()
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

    /// A word of so many bytes that is written in its place.
    pub fn word_by(&mut self, bytes: usize, write: impl FnOnce(&mut Vec<u8>)) {
        self.begin_word(bytes);
        write(&mut self.bytes);
        self.end_word();
    }

    /// A number as a word.
    pub fn decimal(&mut self, number: u64) {
        let mut digits = [0; DIGITS];
        let digits = decimal(number, &mut digits);
        self.number(b'$', digits.len());
        self.bytes.extend_from_slice(digits);
        self.bytes.extend_from_slice(b"\r\n");
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
        let mut digits = [0; DIGITS];
        self.bytes.push(sign);
        self.bytes
            .extend_from_slice(decimal(number as u64, &mut digits));
        self.bytes.extend_from_slice(b"\r\n");
    }
}

/// As many digits as a number may have.
const DIGITS: usize = 20;

fn decimal(number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
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
    &digits[at..]
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
            is_in_no_hurry: false,
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
            reading.is_in_no_hurry = due.len() >= BUSY;
            let answers = reading.answers(batch.len()).await?;
            if told.send(Ok(Answered { batch, answers })).await.is_err() {
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
    fn a_word_is_the_same_however_it_is_written() {
        let (mut one, mut other) = (Batch::default(), Batch::default());
        for number in [0, 7, 1_795_538_274_123, u64::MAX] {
            one.push(&[b"GET", number.to_string().as_bytes()]);
            other.begin(2);
            other.word_by(3, |out| out.extend_from_slice(b"GET"));
            other.decimal(number);
            other.end();
        }
        assert_eq!(one, other);
    }
}
