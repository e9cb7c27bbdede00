//! How fast the target is loaded: not faster than so many bytes a second, and not so fast that its own
//! answers become slow.
//!
//! Beside the load every master is asked PING, as its users ask it. While the slowest one in a hundred of
//! the last answers stays under the limit each master may have more under way, else less; the least is
//! one batch at a time, with a rest after each. Who takes over from a master is asked from then on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::AbortOnDropHandle;

use super::routes::Routes;
use crate::cluster::{Access, Node};
use crate::model::NodeAddr;

/// Between two questions to one master.
const PACE: Duration = Duration::from_millis(20);
/// Answers that are remembered: some two seconds.
const MEMORY: usize = 100;
/// The least that a master may have under way, and by what it grows.
const LEAST: usize = 1;
const MORE: usize = 32 << 10;
const MOST: usize = 16 << 20;
/// The longest rest between two batches.
const REST: u64 = 200_000;

/// How often and how far a load was held back by the target's answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// How often an answer came later than the limit.
    pub late_answers: u64,
    /// The least that a master was allowed to have under way, bytes; it always had one batch.
    pub least_under_way_bytes: u64,
    /// The longest rest after a batch, us.
    pub longest_rest_us: u64,
}

/// The brake.
pub(super) struct Brake {
    rate: Option<u64>,
    /// When the next bytes may go.
    due: tokio::sync::Mutex<Instant>,
    /// How many bytes each master may have under way.
    pub window: Arc<AtomicUsize>,
    /// How long is waited after a batch, in us.
    rest: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
    _probing: Option<AbortOnDropHandle<()>>,
}

/// What the questions found so far.
#[derive(Debug, Default)]
struct Seen {
    /// The slowest of all answers.
    slowest: Duration,
    held_back: Option<HeldBack>,
}

impl Seen {
    fn note(&mut self, took: Duration, limit: Duration, window: usize, rest: u64) {
        self.slowest = self.slowest.max(took);
        let window = window as u64;
        let held = self.held_back.get_or_insert(HeldBack {
            least_under_way_bytes: window,
            ..HeldBack::default()
        });
        held.late_answers += u64::from(took > limit);
        held.least_under_way_bytes = held.least_under_way_bytes.min(window);
        held.longest_rest_us = held.longest_rest_us.max(rest);
    }
}

impl Brake {
    pub(super) fn new(
        access: &Access,
        routes: &Arc<Routes>,
        rate: Option<u64>,
        limit: Option<Duration>,
    ) -> Brake {
        let begin = match limit {
            Some(_) => MORE,
            None => MOST,
        };
        let window = Arc::new(AtomicUsize::new(begin));
        let (rest, seen) = (Arc::new(AtomicU64::new(0)), Arc::default());
        let probing = limit.map(|limit| {
            let probe = Probe {
                access: access.clone(),
                limit,
                window: window.clone(),
                rest: rest.clone(),
                seen: Arc::clone(&seen),
            };
            AbortOnDropHandle::new(tokio::spawn(probe.of_masters(routes.clone())))
        });
        Brake {
            rate,
            due: tokio::sync::Mutex::new(Instant::now()),
            window,
            rest,
            seen,
            _probing: probing,
        }
    }

    /// Waits until so many bytes may go.
    pub(super) async fn take(&self, bytes: usize) {
        let rest = self.rest.load(Ordering::Relaxed);
        if rest > 0 {
            sleep(Duration::from_micros(rest)).await;
        }
        let Some(rate) = self.rate else { return };
        let mut due = self.due.lock().await;
        sleep_until(*due).await;
        let takes = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        *due = (*due).max(Instant::now()) + takes;
    }

    /// The slowest answer that any master gave beside the load; `None` when none was asked.
    pub(super) fn slowest(&self) -> Option<Duration> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        (!seen.slowest.is_zero()).then_some(seen.slowest)
    }

    /// How far the answers held the load back; `None` when no master was asked.
    pub(super) fn held_back(&self) -> Option<HeldBack> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.held_back
    }
}

/// The questions to masters.
#[derive(Clone)]
struct Probe {
    access: Access,
    limit: Duration,
    window: Arc<AtomicUsize>,
    rest: Arc<AtomicU64>,
    seen: Arc<Mutex<Seen>>,
}

impl Probe {
    /// Asks all who are masters, for as long as they are.
    async fn of_masters(self, routes: Arc<Routes>) {
        let mut asked = BTreeMap::new();
        loop {
            let table = routes.now();
            asked.retain(|addr, _| table.masters.contains(addr));
            for addr in &table.masters {
                asked.entry(addr.clone()).or_insert_with(|| {
                    AbortOnDropHandle::new(tokio::spawn(self.clone().of(addr.clone())))
                });
            }
            sleep(PACE).await;
        }
    }

    /// Asks that one.
    async fn of(self, addr: NodeAddr) {
        let mut answers = VecDeque::with_capacity(MEMORY);
        let mut node = None;
        loop {
            sleep(PACE).await;
            if node.is_none() {
                node = Node::connect(&self.access, &addr).await.ok();
            }
            let Some(asked) = &node else { continue };
            let began = Instant::now();
            let answered = asked.say("PING").await;
            let took = began.elapsed();
            if answered.is_err() {
                node = None;
            }
            if answers.len() == MEMORY {
                answers.pop_front();
            }
            answers.push_back(took);
            let (window, rest) = adjusted(
                answers.iter().max().copied().unwrap_or(took),
                self.limit,
                self.window.load(Ordering::Relaxed),
                self.rest.load(Ordering::Relaxed),
            );
            self.window.store(window, Ordering::Relaxed);
            self.rest.store(rest, Ordering::Relaxed);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.note(took, self.limit, window, rest);
            drop(seen);
            if took > self.limit {
                // What is under way already is no reason to go down twice.
                answers.clear();
            }
        }
    }
}

/// The next window and rest, by the slowest answer: pure.
fn adjusted(slowest: Duration, limit: Duration, window: usize, rest: u64) -> (usize, u64) {
    let is_close = slowest.as_secs_f64() > limit.as_secs_f64() * 0.5;
    match (slowest > limit, is_close) {
        (true, _) if window > LEAST => ((window / 2).max(LEAST), rest),
        (true, _) => (window, (rest * 2).clamp(1000, REST)),
        (false, true) => (window, rest),
        (false, false) if rest > 0 => (window, rest / 2),
        (false, false) => ((window + MORE).min(MOST), rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_answers_halve_what_is_under_way_and_quick_ones_let_it_grow() {
        let limit = Duration::from_millis(20);
        let (quick, slow) = (Duration::from_millis(2), Duration::from_millis(30));
        let close = Duration::from_millis(15);
        assert_eq!(adjusted(slow, limit, 1 << 20, 0), (1 << 19, 0));
        assert_eq!(adjusted(slow, limit, LEAST, 0), (LEAST, 1000));
        assert_eq!(adjusted(slow, limit, LEAST, REST), (LEAST, REST));
        assert_eq!(adjusted(close, limit, 1000, 0), (1000, 0));
        assert_eq!(adjusted(quick, limit, LEAST, 1000), (LEAST, 500));
        assert_eq!(adjusted(quick, limit, 1000, 0), (1000 + MORE, 0));
        assert_eq!(adjusted(quick, limit, MOST, 0), (MOST, 0));
    }
}
