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

/// Segments of one shard that are read at once, at the most.
const MOST_AHEAD: usize = 8;

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

/// A segment being taken apart: command by command, for all of them together take up many times its bytes.
struct UnderWay {
    name: SegmentName,
    segment: Segment,
    /// The next batch.
    next: usize,
    /// Bytes that are still to be passed over.
    skip: usize,
}

/// Reads one.
pub(super) struct StrandReader {
    shard: u32,
    segments: BoxStream<'static, Result<(SegmentName, Segment), ArchiveError>>,
    begin: Begin,
    /// Once it began: what cuts commands, and the offset after all that it was given.
    reading: Option<(LogReader, u64)>,
    under_way: Option<UnderWay>,
    /// A whole command, or a whole transaction.
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
        most_bytes: u64,
    ) -> StrandReader {
        let ahead = ahead(&segments, most_bytes);
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
            under_way: None,
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
            if !self.step()? {
                // Before the next comes.
                self.under_way = None;
                match self.segments.next().await {
                    None => self.is_over = true,
                    Some(segment) => {
                        let (name, segment) = segment?;
                        self.begin(name, segment)?;
                    }
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

    fn begin(&mut self, name: SegmentName, segment: Segment) -> Result<(), ArchiveError> {
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
        let (_, at) = self
            .reading
            .get_or_insert_with(|| (LogReader::new(begin), begin));
        if first > *at {
            let why = format!("it begins at offset {first}, and what comes before ends at {at}");
            return Err(malformed(&name, why).into());
        }
        // What stands in an earlier segment too is passed over.
        let skip = usize::try_from(at.saturating_sub(first)).unwrap_or(usize::MAX);
        self.under_way = Some(UnderWay {
            name,
            segment,
            next: 0,
            skip,
        });
        Ok(())
    }

    /// Reads the next command of the segment under way, or its next batch; whether there was either.
    fn step(&mut self) -> Result<bool, ArchiveError> {
        let (Some(under_way), Some((reader, at))) = (&mut self.under_way, &mut self.reading) else {
            return Ok(false);
        };
        let command = reader.step();
        if let Some(command) = command.map_err(|why| malformed(&under_way.name, why.to_string()))? {
            let words = command.words.iter();
            let write = Write {
                shard: self.shard,
                at_ms: self.last_ms,
                offset: command.end,
                words: words.map(|word| Bytes::copy_from_slice(word)).collect(),
            };
            gather(write, &mut self.open, &mut self.ready);
            return Ok(true);
        }
        // What comes later is later still.
        if self.last_ms > self.until_ms {
            self.is_over = true;
            return Ok(false);
        }
        let Some((at_ms, bytes)) = under_way.segment.frame(under_way.next) else {
            return Ok(false);
        };
        under_way.next += 1;
        let passed = under_way.skip.min(bytes.len());
        under_way.skip -= passed;
        if passed < bytes.len() {
            self.last_ms = self.last_ms.max(at_ms);
            *at += (bytes.len() - passed) as u64;
            reader.push(&bytes[passed..]);
        }
        Ok(true)
    }
}

fn malformed(name: &SegmentName, why: String) -> ChunkError {
    ChunkError::Unpacked {
        name: name.name(),
        why,
    }
}

/// How many of these segments may be read at once, so that they are no more bytes than that; one at the
/// least.
fn ahead(segments: &[Listed], most_bytes: u64) -> usize {
    let raw = segments.iter().map(|listed| listed.name.span.bytes());
    let longest = raw.max().unwrap_or_default().max(1);
    usize::try_from(most_bytes / longest).map_or(MOST_AHEAD, |ahead| ahead.clamp(1, MOST_AHEAD))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{SnapshotId, Span};

    #[test]
    fn many_small_segments_are_read_at_once_or_one_large_one() {
        let listed = |bytes: u64| Listed {
            name: SegmentName {
                line: super::super::name::LineId {
                    folder: "shop".into(),
                    run: SnapshotId::new(1, 1),
                },
                shard: 0,
                seq: 0,
                replid: "8371b4fb".into(),
                span: Span {
                    first_offset: 7,
                    last_offset: 7 + bytes,
                    first_ms: 1,
                    last_ms: 2,
                },
            },
            bytes: 10,
        };
        for (lengths, at_once) in [
            (&[][..], 8),
            (&[100, 200], 8),
            (&[100, 3 << 20], 2),
            (&[8 << 20, 5], 1),
            (&[64 << 20], 1),
        ] {
            let segments: Vec<Listed> = lengths.iter().map(|&bytes| listed(bytes)).collect();
            assert_eq!(ahead(&segments, 8 << 20), at_once, "{lengths:?}");
        }
    }
}
