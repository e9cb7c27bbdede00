//! Turns of a closed loop against one node: each of a few connections sends, waits for the answer and
//! sends again, as the clients of an application do that have nothing else to do.
//!
//! The trials of `tune` compare two servers by it. All connections run on one thread of their own,
//! so that nothing else that the program does adds to what is measured; what this side costs is the
//! same for both servers. A closed loop tells how fast a server can be; it sends nothing while the
//! server stalls, so its percentiles are of what was sent, not of what would have been.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncWriteExt, WriteHalf, split};
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::answers::Reading;
use super::aside::{Aside, finished};
use super::error::NodeError;
use super::lane::Batch;
use super::replica::Link;
use super::stream::Bytes;
use crate::model::NodeAddr;

/// Writes what a connection sends next: one step of a load, of one command or more.
pub type Next = Box<dyn FnMut(&mut Batch) + Send>;

/// Connections to one node, each with what it sends.
pub struct Closed {
    lines: Vec<Line>,
    aside: Aside,
}

/// A connection, and what it sends.
struct Line {
    reading: Reading,
    writing: WriteHalf<Box<dyn Bytes>>,
    next: Next,
}

/// What a turn came to.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// How long it took.
    pub took: Duration,
    /// Steps that were answered, refusals among them.
    pub steps: u64,
    /// Commands that the server refused.
    pub refused: u64,
    /// Its words for one of these.
    pub said: Option<String>,
    /// How long steps took.
    pub latencies: Latencies,
}

impl Closed {
    /// Connects once for each. An answer that takes longer than `patience` breaks the turn.
    ///
    /// # Errors
    /// As [`NodeError`].
    pub async fn open(
        access: &Access,
        addr: &NodeAddr,
        nexts: Vec<Next>,
        patience: Duration,
    ) -> Result<Closed, NodeError> {
        let aside = Aside::start("trial");
        let opening = {
            let _entered = aside.enter();
            let opening = nexts.into_iter().map(|next| {
                let (access, addr) = (access.clone(), addr.clone());
                spawned(async move { Line::open(&access, &addr, next, patience).await })
            });
            opening.collect::<Vec<_>>()
        };
        let opened = join_all(opening.into_iter().map(finished)).await;
        let lines = opened.into_iter().collect::<Result<_, _>>()?;
        Ok(Closed { lines, aside })
    }

    /// Sends for so long.
    ///
    /// # Errors
    /// When a connection broke; then there can be no other turn.
    pub async fn turn(&mut self, length: Duration) -> Result<Turn, NodeError> {
        let began = Instant::now();
        let under_way = {
            let _entered = self.aside.enter();
            let lines = std::mem::take(&mut self.lines).into_iter();
            lines
                .map(|line| spawned(line.run(began + length)))
                .collect::<Vec<_>>()
        };
        let mut whole = Turn::default();
        for ended in join_all(under_way.into_iter().map(finished)).await {
            let (line, part) = ended?;
            self.lines.push(line);
            whole.add(part);
        }
        whole.took = began.elapsed();
        Ok(whole)
    }
}

/// Ends with whoever waits for it.
fn spawned<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> impl Future<Output = Result<T, JoinError>> {
    AbortOnDropHandle::new(tokio::spawn(work))
}

impl Line {
    async fn open(
        access: &Access,
        addr: &NodeAddr,
        next: Next,
        patience: Duration,
    ) -> Result<Line, NodeError> {
        let link = Link::open(access, addr).await?;
        let (reading, writing) = split(link.stream);
        let reading = Reading {
            addr: addr.clone(),
            stream: reading,
            came: link.came,
            patience,
            is_in_no_hurry: false,
        };
        Ok(Line {
            reading,
            writing,
            next,
        })
    }

    async fn run(mut self, until: Instant) -> Result<(Line, Turn), NodeError> {
        let mut turn = Turn::default();
        let mut batch = Batch::default();
        loop {
            let sent = Instant::now();
            if sent >= until {
                return Ok((self, turn));
            }
            batch.clear();
            (self.next)(&mut batch);
            let addr = &self.reading.addr;
            let written = self.writing.write_all(batch.bytes()).await;
            written.map_err(|error| super::stream::from_io(addr, &error))?;
            let flushed = self.writing.flush().await;
            flushed.map_err(|error| super::stream::from_io(addr, &error))?;
            let refused = self.reading.answers(batch.len()).await?.refused;
            turn.latencies.add(sent.elapsed());
            turn.steps += 1;
            turn.refused += refused.len() as u64;
            turn.said = turn
                .said
                .or(refused.into_iter().next().map(|(_, said)| said));
        }
    }
}

impl Turn {
    fn add(&mut self, part: Turn) {
        self.steps += part.steps;
        self.refused += part.refused;
        self.said = self.said.take().or(part.said);
        self.latencies.merge(&part.latencies);
    }

    /// Steps a second.
    pub fn per_second(&self) -> f64 {
        self.steps as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Up to here each microsecond is counted on its own; above, each power of two in half as many parts.
const EXACT: u64 = 256;
/// More than eleven days: nothing that is waited for takes as long.
const LONGEST_US: u64 = 1 << 40;

/// Latencies, counted by microseconds, exact to 0.8 %.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    counts: Vec<u64>,
}

impl Latencies {
    /// Counts one.
    pub fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let at = place(us.min(LONGEST_US));
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    fn merge(&mut self, other: &Latencies) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own += other;
        }
    }

    /// The percentile by nearest rank, in microseconds; `None` of none.
    pub fn percentile_us(&self, percent: u64) -> Option<u64> {
        let all: u64 = self.counts.iter().sum();
        let rank = (all * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        at.map(least)
    }
}

fn place(us: u64) -> usize {
    let shift = match us {
        0..EXACT => 0,
        _ => us.ilog2() - EXACT.ilog2() + 1,
    };
    let at = u64::from(shift) * (EXACT / 2) + (us >> shift);
    usize::try_from(at).unwrap_or(usize::MAX)
}

/// The least that is counted there.
fn least(at: usize) -> u64 {
    let at = at as u64;
    match at {
        0..EXACT => at,
        _ => {
            let shift = at / (EXACT / 2) - 1;
            (at - shift * (EXACT / 2)) << shift
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_found_again_to_within_a_hundredth() {
        for us in [
            0, 1, 255, 256, 257, 511, 512, 1_000, 65_537, 3_000_000, LONGEST_US,
        ] {
            let found = least(place(us));
            assert!(found <= us && us - found <= us / 128, "{us}: {found}");
        }
        let mut places: Vec<usize> = (0..5_000).map(place).collect();
        let sorted = places.clone();
        places.sort_unstable();
        assert_eq!(places, sorted);
    }

    #[test]
    fn percentiles_are_by_nearest_rank_and_parts_add_up() {
        let mut one = Latencies::default();
        assert_eq!(one.percentile_us(50), None);
        (1..=60).for_each(|us| one.add(Duration::from_micros(us)));
        let mut other = Latencies::default();
        (61..=100).for_each(|us| other.add(Duration::from_micros(us)));
        one.merge(&other);
        let percentiles = [1, 50, 99, 100].map(|percent| one.percentile_us(percent));
        assert_eq!(percentiles, [1, 50, 99, 100].map(Some));
    }
}
