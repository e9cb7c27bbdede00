//! What came of one shard and is not sealed yet: stamped, and cut between commands. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::archive::{MOST_SEGMENT, Span};
use crate::rdb::{LogReader, RdbError};

/// Bytes that wait to be sealed.
pub(super) struct SegmentCutter {
    reader: LogReader,
    frames: VecDeque<(u64, Bytes)>,
    /// The offset before the first byte that waits.
    begins: u64,
    /// The offset after all that came.
    received: u64,
    /// The offset after the last command, or transaction, that is whole.
    border: u64,
    /// Where the first command begins, when the last cut went through one.
    first_command: Option<u64>,
    begins_inside: bool,
    is_in_transaction: bool,
    /// Commands up to the border, and behind it.
    commands: u64,
    open: u64,
    is_asked: bool,
}

/// A piece that is to be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cut {
    pub span: Span,
    pub frames: Vec<(u64, Bytes)>,
    pub first_command: u64,
    pub commands: u64,
    /// Whether it ends within a command, which was too long for it.
    pub ends_inside: bool,
}

impl SegmentCutter {
    /// Of what comes after that offset, which lies between two commands.
    pub(super) fn new(offset: u64) -> SegmentCutter {
        SegmentCutter {
            reader: LogReader::new(offset),
            frames: VecDeque::new(),
            begins: offset,
            received: offset,
            border: offset,
            first_command: None,
            begins_inside: false,
            is_in_transaction: false,
            commands: 0,
            open: 0,
            is_asked: false,
        }
    }

    /// The offset after all that came.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        usize::try_from(self.received - self.begins).unwrap_or(usize::MAX)
    }

    /// Whether there is something to cut off.
    pub(super) fn can_cut(&self) -> bool {
        self.border > self.begins || self.is_overlong()
    }

    /// Whether the server asked how far it is safe (somebody waits for it), since the last cut.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    fn is_overlong(&self) -> bool {
        self.border <= self.begins && self.waiting() >= MOST_SEGMENT
    }

    /// Takes bytes that came at that time.
    ///
    /// # Errors
    /// When they are no commands.
    pub(super) fn push(&mut self, bytes: Bytes, at_ms: u64) -> Result<(), RdbError> {
        self.received += bytes.len() as u64;
        self.reader.push(&bytes);
        self.frames.push_back((at_ms, bytes));
        while let Some(command) = self.reader.step()? {
            let is = |n: usize, name: &[u8]| {
                let word = command.words.get(n);
                word.is_some_and(|word| word.eq_ignore_ascii_case(name))
            };
            self.is_in_transaction = (self.is_in_transaction || is(0, b"multi")) && !is(0, b"exec");
            self.is_asked |= is(0, b"replconf") && is(1, b"getack");
            self.open += 1;
            if !self.is_in_transaction {
                self.border = command.end;
                self.commands += std::mem::take(&mut self.open);
                if self.begins_inside {
                    self.first_command.get_or_insert(command.end);
                }
            }
        }
        Ok(())
    }

    /// Cuts off what is whole; of a command that is longer than a segment may be, what came of it.
    pub(super) fn cut(&mut self, now_ms: u64) -> Option<Cut> {
        let ends_inside = self.is_overlong();
        let end = if ends_inside {
            self.received
        } else {
            self.border
        };
        if end <= self.begins {
            return None;
        }
        let frames = self.frames_up_to(end);
        let (first_ms, last_ms) = (frames.first()?.0, frames.last()?.0);
        let first_command = match self.begins_inside {
            true => self.first_command.unwrap_or(end),
            false => self.begins,
        };
        let span = Span {
            first_offset: self.begins,
            last_offset: end,
            first_ms,
            // Whatever comes later in this very millisecond is in the next.
            last_ms: last_ms.max(now_ms.saturating_sub(1)),
        };
        (self.begins, self.first_command, self.begins_inside) = (end, None, ends_inside);
        self.is_asked = false;
        Some(Cut {
            span,
            frames,
            first_command,
            commands: std::mem::take(&mut self.commands),
            ends_inside,
        })
    }

    /// The last piece before the end: without anything in it, it tells up to when nothing came.
    pub(super) fn last_cut(&mut self, now_ms: u64) -> Option<Cut> {
        if self.begins_inside {
            return self.cut(now_ms);
        }
        self.cut(now_ms).or_else(|| {
            let at_ms = now_ms.saturating_sub(1);
            let span = Span {
                first_offset: self.begins,
                last_offset: self.begins,
                first_ms: at_ms,
                last_ms: at_ms,
            };
            Some(Cut {
                span,
                frames: Vec::new(),
                first_command: self.begins,
                commands: 0,
                ends_inside: false,
            })
        })
    }

    fn frames_up_to(&mut self, end: u64) -> Vec<(u64, Bytes)> {
        let mut left = usize::try_from(end - self.begins).unwrap_or(usize::MAX);
        let mut frames: Vec<(u64, Bytes)> = Vec::new();
        while left > 0 {
            let Some((at_ms, mut bytes)) = self.frames.pop_front() else {
                break;
            };
            if bytes.len() > left {
                let rest = bytes.split_off(left);
                self.frames.push_front((at_ms, rest));
            }
            left -= bytes.len();
            frames.push((at_ms, bytes));
        }
        frames
    }

    /// Forgets what came after an offset: the cluster has lost it with a master. `false` when that is
    /// sealed already.
    pub(super) fn forget_after(&mut self, offset: u64) -> Result<bool, RdbError> {
        if offset < self.begins || self.begins_inside {
            return Ok(false);
        }
        let frames = std::mem::take(&mut self.frames);
        *self = SegmentCutter::new(self.begins);
        for (at_ms, mut bytes) in frames {
            let left = usize::try_from(offset - self.received).unwrap_or(usize::MAX);
            bytes.truncate(left);
            if !bytes.is_empty() {
                self.push(bytes, at_ms)?;
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Bytes {
        let mut out = format!("*{}\r\n", words.len());
        for word in words {
            out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        out.into()
    }

    #[test]
    fn cuts_lie_between_commands_and_batches_keep_their_stamps() {
        let set = command(&["SET", "k", "v"]);
        let length = set.len() as u64;
        let mut cutter = SegmentCutter::new(100);
        assert_eq!(cutter.cut(5), None);
        cutter.push(set.clone(), 10).unwrap();
        cutter.push(set.slice(..7), 12).unwrap();
        let cut = cutter.cut(20).unwrap();
        assert_eq!(cut.frames, [(10, set.clone())]);
        let span = Span {
            first_offset: 100,
            last_offset: 100 + length,
            first_ms: 10,
            last_ms: 19,
        };
        assert_eq!((cut.span, cut.commands, cut.first_command), (span, 1, 100));
        assert!(!cutter.can_cut());
        cutter.push(set.slice(7..), 30).unwrap();
        let cut = cutter.cut(30).unwrap();
        assert_eq!(cut.frames, [(12, set.slice(..7)), (30, set.slice(7..))]);
        assert_eq!(
            (cut.span.first_offset, cut.span.last_ms),
            (100 + length, 30)
        );
    }

    #[test]
    fn a_transaction_is_not_cut_and_a_question_is_heard() {
        let mut cutter = SegmentCutter::new(0);
        cutter.push(command(&["MULTI"]), 1).unwrap();
        cutter.push(command(&["SET", "k", "v"]), 2).unwrap();
        assert!(!cutter.can_cut() && !cutter.is_asked());
        cutter.push(command(&["EXEC"]), 3).unwrap();
        cutter
            .push(command(&["REPLCONF", "GETACK", "*"]), 4)
            .unwrap();
        assert!(cutter.is_asked());
        assert_eq!(cutter.last_cut(9).unwrap().commands, 4);
        assert!(!cutter.is_asked());
        let last = cutter.last_cut(20).unwrap();
        assert_eq!((last.frames.len(), last.span.last_ms), (0, 19));
    }

    #[test]
    fn what_the_cluster_lost_is_forgotten_unless_it_is_sealed() {
        let set = command(&["SET", "k", "v"]);
        let length = set.len() as u64;
        let mut cutter = SegmentCutter::new(0);
        for at_ms in 1..=3 {
            cutter.push(set.clone(), at_ms).unwrap();
        }
        assert!(cutter.forget_after(length + 5).unwrap());
        assert_eq!(cutter.received(), length + 5);
        let cut = cutter.cut(9).unwrap();
        assert_eq!((cut.span.last_offset, cut.commands), (length, 1));
        cutter.push(set.slice(5..), 10).unwrap();
        assert_eq!(cutter.cut(11).unwrap().span.last_offset, 2 * length);
        assert!(!cutter.forget_after(length).unwrap());
    }

    #[test]
    fn a_command_longer_than_a_segment_goes_on_in_the_next() {
        let value = "x".repeat(MOST_SEGMENT + 10);
        let long = command(&["SET", "k", &value]);
        let mut cutter = SegmentCutter::new(0);
        let first = MOST_SEGMENT + 3;
        cutter.push(long.slice(..first), 1).unwrap();
        let cut = cutter.cut(2).unwrap();
        assert!(cut.ends_inside);
        assert_eq!((cut.span.last_offset, cut.first_command), (first as u64, 0));
        cutter.push(long.slice(first..), 3).unwrap();
        let cut = cutter.cut(4).unwrap();
        assert_eq!(
            (cut.first_command, cut.ends_inside),
            (long.len() as u64, false)
        );
    }
}
