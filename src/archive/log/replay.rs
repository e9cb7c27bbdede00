//! What was written, merged over all shards in the order of its stamps.
//!
//! It is read as it is asked for: of each shard the segment under way is in memory, and a few small ones or one
//! large one behind it, however long the line is.
//!
//! **Slots that move.** While a slot moves, its keys go one by one: the taker's log has `RESTORE-ASKING`,
//! then the giver's has `DEL` or `UNLINK` of the same key. Played into one place in this order, the last
//! would delete what was moved. So whoever plays it must leave out what a shard deletes of a key that
//! another shard took over by `RESTORE-ASKING` (Valkey 9: `CLUSTER SYNCSLOTS`) after it, and what it does to slots that it does not
//! have any more; `FLUSHALL` of a shard means its slots alone. [`Logged::Owners`] says who has which slots,
//! a second or two after it became so, and which are on their way out.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::super::error::ArchiveError;
use super::super::repository::Repository;
use super::line::{Listed, TimeLine};
use super::moment::Moment;
use super::name::{EventKind, EventName};
use super::segment::Owners;
use super::strand::{Begin, StrandReader, Write};

/// Bytes of segments that are read ahead, over all shards.
const AHEAD: u64 = 24 << 20;

/// What a line tells next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    /// A command. Those of a transaction come one after the other, MULTI and EXEC around them, all with
    /// the time at which it ended; a transaction that had not ended is left out.
    Write(Write),
    /// Who has which slots from here on.
    Owners(Owners),
}

/// A line being read.
pub struct Replay {
    repository: Repository,
    strands: Vec<StrandReader>,
    /// When the next command of each strand came, the earliest first.
    next: Option<BinaryHeap<Reverse<(u64, usize)>>>,
    owners: VecDeque<EventName>,
    /// Of strands that are taken up by time: what is not after this is passed over.
    after_ms: Vec<u64>,
}

impl Replay {
    /// What came after a moment's base, up to the moment. First come the owners at the base, where they
    /// are known.
    pub fn of(repository: &Repository, moment: &Moment) -> Replay {
        let mut replay = Replay::empty(repository);
        let (Some(line), Some(anchored)) = (&moment.line, &moment.anchored) else {
            return replay;
        };
        let (from_ms, until_ms) = (anchored.from_ms, moment.at_ms);
        replay.owners = owners(line, from_ms, until_ms);
        let most_bytes = most_bytes(anchored.starts.len());
        for start in &anchored.starts {
            let joined = line
                .strand(start.shard)
                .and_then(|strand| strand.joined.get(start.joined));
            let segments = joined.map_or(&[][..], |joined| &joined.segments);
            let is_needed = |listed: &&Listed| {
                let span = listed.name.span;
                let is_after = match start.offset {
                    Some(offset) => span.last_offset > offset,
                    None => span.last_ms >= from_ms,
                };
                is_after && span.first_ms <= until_ms
            };
            let segments: Vec<Listed> = segments.iter().filter(is_needed).cloned().collect();
            let begin = start.offset.map_or(Begin::FirstCommand, Begin::Offset);
            let after_ms = if start.offset.is_some() { 0 } else { from_ms };
            replay.add(start.shard, segments, begin, until_ms, after_ms, most_bytes);
        }
        replay
    }

    /// All that a line holds of a time, both ends included; from a gap on, what comes after it.
    pub fn between(
        repository: &Repository,
        line: &TimeLine,
        from_ms: u64,
        until_ms: u64,
    ) -> Replay {
        let mut replay = Replay::empty(repository);
        replay.owners = owners(line, from_ms, until_ms);
        let most_bytes = most_bytes(line.strands.len());
        for strand in &line.strands {
            for joined in &strand.joined {
                let is_needed = |listed: &&Listed| {
                    let span = listed.name.span;
                    span.last_ms >= from_ms && span.first_ms <= until_ms
                };
                let segments: Vec<Listed> =
                    joined.segments.iter().filter(is_needed).cloned().collect();
                let after_ms = from_ms.saturating_sub(1);
                replay.add(
                    strand.shard,
                    segments,
                    Begin::FirstCommand,
                    until_ms,
                    after_ms,
                    most_bytes,
                );
            }
        }
        replay
    }

    fn empty(repository: &Repository) -> Replay {
        Replay {
            repository: repository.clone(),
            strands: Vec::new(),
            next: None,
            owners: VecDeque::new(),
            after_ms: Vec::new(),
        }
    }

    fn add(
        &mut self,
        shard: u32,
        segments: Vec<Listed>,
        begin: Begin,
        until_ms: u64,
        after_ms: u64,
        most_bytes: u64,
    ) {
        if segments.is_empty() {
            return;
        }
        let repository = &self.repository;
        let reader = StrandReader::new(repository, shard, segments, begin, until_ms, most_bytes);
        self.strands.push(reader);
        self.after_ms.push(after_ms);
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    /// When a segment is missing or is not what was written: it is named, and nothing of it was given.
    pub async fn next(&mut self) -> Result<Option<Logged>, ArchiveError> {
        let mut next = match self.next.take() {
            Some(next) => next,
            None => self.first().await?,
        };
        let logged = self.step(&mut next).await?;
        self.next = Some(next);
        Ok(logged)
    }

    async fn first(&mut self) -> Result<BinaryHeap<Reverse<(u64, usize)>>, ArchiveError> {
        let peeking = self.strands.iter_mut().map(StrandReader::peek);
        let peeked = futures_util::future::try_join_all(peeking).await?;
        let peeked = peeked.into_iter().enumerate();
        Ok(peeked
            .filter_map(|(number, at_ms)| Some(Reverse((at_ms?, number))))
            .collect())
    }

    async fn step(
        &mut self,
        next: &mut BinaryHeap<Reverse<(u64, usize)>>,
    ) -> Result<Option<Logged>, ArchiveError> {
        loop {
            let at_ms = next.peek().map(|Reverse((at_ms, _))| *at_ms);
            let is_due = |event: &EventName| at_ms.is_none_or(|at_ms| event.at_ms <= at_ms);
            if self.owners.front().is_some_and(is_due)
                && let Some(event) = self.owners.pop_front()
            {
                return Ok(Some(Logged::Owners(self.repository.event(&event).await?)));
            }
            let Some(Reverse((_, number))) = next.pop() else {
                return Ok(None);
            };
            let write = self.strands[number].pop();
            if let Some(at_ms) = self.strands[number].peek().await? {
                next.push(Reverse((at_ms, number)));
            }
            if let Some(write) = write.filter(|write| write.at_ms > self.after_ms[number]) {
                return Ok(Some(Logged::Write(write)));
            }
        }
    }
}

/// The owners at the beginning of a time, and those that follow in it.
fn owners(line: &TimeLine, from_ms: u64, until_ms: u64) -> VecDeque<EventName> {
    let owners = line
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Owners);
    let (before, after): (Vec<_>, Vec<_>) = owners
        .filter(|event| event.at_ms <= until_ms)
        .cloned()
        .partition(|event| event.at_ms <= from_ms);
    before.into_iter().last().into_iter().chain(after).collect()
}

/// For one of so many strands.
fn most_bytes(strands: usize) -> u64 {
    AHEAD / strands.max(1) as u64
}
