//! One shard's commands, read from its segments a few at a time and taken apart.

use std::collections::VecDeque;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};

use super::super::chunk::ChunkError;
use super::super::error::ArchiveError;
use super::super::repository::Repository;
use super::line::Listed;
use super::name::SegmentName;
use super::segment::Segment;
use crate::rdb::LogReader;

/// A command as a shard's master sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The shard, as the line numbers them.
    pub shard: u32,
    /// When it came, ms since the epoch by the receiver's clock; within a transaction, when that ended.
    pub at_ms: u64,
    /// The replication offset after it.
    pub offset: u64,
    /// Its words, the name first.
    pub words: Vec<Bytes>,
}

/// Where a strand's reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// After that offset.
    Offset(u64),
    /// With the first command that begins in the first segment.
    FirstCommand,
}

/// Reads one.
pub(super) struct StrandReader {
    shard: u32,
    segments: BoxStream<'static, Result<(SegmentName, Segment), ArchiveError>>,
    begin: Begin,
    /// Once it began: what cuts commands, and the offset after all that it was given.
    reading: Option<(LogReader, u64)>,
    /// Whole commands, and whole transactions.
    ready: VecDeque<Write>,
    /// Of a transaction that has not ended.
    open: Vec<Write>,
    last_ms: u64,
    until_ms: u64,
    is_over: bool,
}

impl StrandReader {
    pub(super) fn new(
        repository: &Repository,
        shard: u32,
        segments: Vec<Listed>,
        begin: Begin,
        until_ms: u64,
        ahead: usize,
    ) -> StrandReader {
        let repository = repository.clone();
        let read = move |listed: Listed| {
            let repository = repository.clone();
            async move {
                let segment = repository.segment(&listed.name).await?;
                Ok((listed.name, segment))
            }
        };
        StrandReader {
            shard,
            segments: stream::iter(segments).map(read).buffered(ahead).boxed(),
            begin,
            reading: None,
            ready: VecDeque::new(),
            open: Vec::new(),
            last_ms: 0,
            until_ms,
            is_over: false,
        }
    }

    /// When the next command came; `None` when no more came in time.
    pub(super) async fn peek(&mut self) -> Result<Option<u64>, ArchiveError> {
        while self.ready.is_empty() && !self.is_over {
            match self.segments.next().await {
                None => self.is_over = true,
                Some(segment) => {
                    let (name, segment) = segment?;
                    self.take(&name, &segment)?;
                }
            }
        }
        let next = self.ready.front().map(|write| write.at_ms);
        Ok(next.filter(|at_ms| *at_ms <= self.until_ms))
    }

    /// The command that was peeked at.
    pub(super) fn pop(&mut self) -> Option<Write> {
        self.ready.pop_front()
    }

    fn take(&mut self, name: &SegmentName, segment: &Segment) -> Result<(), ArchiveError> {
        let first = name.span.first_offset;
        let begin = match self.begin {
            Begin::Offset(offset) => offset,
            // It lies within one command that began before.
            Begin::FirstCommand
                if self.reading.is_none()
                    && segment.head.first_command >= name.span.last_offset =>
            {
                return Ok(());
            }
            Begin::FirstCommand => segment.head.first_command,
        };
        let (reader, at) = self
            .reading
            .get_or_insert_with(|| (LogReader::new(begin), begin));
        // What stands in an earlier segment too is passed over.
        let mut skip = usize::try_from(at.saturating_sub(first)).unwrap_or(usize::MAX);
        let malformed = |why: String| ChunkError::Unpacked {
            name: name.name(),
            why,
        };
        if first > *at {
            let why = format!("it begins at offset {first}, and what comes before ends at {at}");
            return Err(malformed(why).into());
        }
        for (at_ms, bytes) in segment.frames() {
            let passed = skip.min(bytes.len());
            skip -= passed;
            let bytes = &bytes[passed..];
            if bytes.is_empty() {
                continue;
            }
            self.last_ms = self.last_ms.max(at_ms);
            *at += bytes.len() as u64;
            reader.push(bytes);
            while let Some(command) = reader.step().map_err(|why| malformed(why.to_string()))? {
                let write = Write {
                    shard: self.shard,
                    at_ms: self.last_ms,
                    offset: command.end,
                    words: command
                        .words
                        .iter()
                        .map(|word| Bytes::copy_from_slice(word))
                        .collect(),
                };
                gather(write, &mut self.open, &mut self.ready);
            }
            // What comes later is later still.
            if self.last_ms > self.until_ms {
                self.is_over = true;
                break;
            }
        }
        Ok(())
    }
}

/// A transaction counts when it ends, whole.
fn gather(write: Write, open: &mut Vec<Write>, ready: &mut VecDeque<Write>) {
    let is = |name: &[u8]| {
        write
            .words
            .first()
            .is_some_and(|word| word.eq_ignore_ascii_case(name))
    };
    let (begins, ends) = (is(b"multi"), is(b"exec"));
    let at_ms = write.at_ms;
    match (open.is_empty() && !begins, ends) {
        (true, _) => ready.push_back(write),
        (false, false) => open.push(write),
        (false, true) => {
            open.push(write);
            ready.extend(open.drain(..).map(|one| Write { at_ms, ..one }));
        }
    }
}
