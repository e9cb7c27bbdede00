//! Outages: when nobody in a shard took writes.
//!
//! The witness tells, not the client: it asks every node of the shard and asks once, so it sees the
//! shard as it is, without redirections, back-off and retries. What a client makes of it is measured
//! beside it.

use std::collections::BTreeMap;

use super::super::report::Outage;
use super::when::{asked_at, fault_at, ms, period_ms, struck_shards};
use crate::model::{LoadShape, Op, Outcome, Recording, Round, Trace, words};

/// A stretch in which no write was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// When the first write was due that failed.
    pub begin_us: u64,
    /// When that was known.
    pub known_us: u64,
    /// When the next write had been taken; for one that never was, when the last was given up.
    pub end_us: u64,
    /// Whether one was taken.
    pub is_over: bool,
}

impl Window {
    /// How long.
    pub fn length_us(&self) -> u64 {
        self.end_us.saturating_sub(self.begin_us)
    }

    /// Whether writes had failed before the fault was asked for, so that it is not to blame.
    pub fn is_before(&self, asked_us: Option<u64>) -> bool {
        asked_us.is_none_or(|asked| self.known_us < asked)
    }
}

/// Every stretch in which no write was taken, in the order of time; they do not overlap.
pub fn windows(witness: &[Op]) -> Vec<Window> {
    let mut ops = witness.to_vec();
    ops.sort_by_key(|op| op.due_us);
    let last_end = ops.iter().map(end).max().unwrap_or(0);
    let mut found: Vec<Window> = Vec::new();
    let mut open: Option<&Op> = None;
    for op in &ops {
        match (op.outcome, open) {
            (Outcome::Good, Some(first)) => {
                push(&mut found, first, end(op), true);
                open = None;
            }
            (Outcome::Good, None) | (_, Some(_)) => {}
            (_, None) => open = Some(op),
        }
    }
    if let Some(first) = open {
        push(&mut found, first, last_end, false);
    }
    found
}

/// When an operation ended.
pub fn end(op: &Op) -> u64 {
    op.due_us.saturating_add(op.took_us)
}

/// Adds a stretch. One that begins while the write is under way that ended the last one goes on with
/// it: no time counts twice.
fn push(found: &mut Vec<Window>, first: &Op, end_us: u64, is_over: bool) {
    let window = Window {
        begin_us: first.due_us,
        known_us: end(first),
        end_us,
        is_over,
    };
    match found.last_mut() {
        Some(last) if window.begin_us <= last.end_us => {
            last.end_us = last.end_us.max(end_us);
            last.is_over = is_over;
        }
        _ => found.push(window),
    }
}

/// The longest time in which nothing that the client wrote was acknowledged, from the fault on, in
/// ms, less the period between two writes. 0 when it is below three periods: that is no outage.
fn client_gap_ms(writes: &[Op], from_us: u64, period_ms: f64) -> f64 {
    let good = writes.iter().filter(|op| op.outcome == Outcome::Good);
    let mut ends: Vec<u64> = good.map(end).collect();
    ends.sort_unstable();
    let Some(last_due) = writes.iter().map(|op| op.due_us).max() else {
        return 0.0;
    };
    let after = ends.partition_point(|&at| at <= from_us);
    let before = after.checked_sub(1).map_or(from_us, |n| ends[n]);
    let mut longest = 0;
    let mut last = before;
    for at in ends[after..].iter().copied().chain([last_due]) {
        longest = longest.max(at.saturating_sub(last));
        last = last.max(at);
    }
    let gap = ms(longest) - period_ms;
    if gap < 3.0 * period_ms { 0.0 } else { gap }
}

/// The outage of one shard in one round; `None` when it always took writes.
pub fn outage(round: &Round, trace: &Trace, load: &LoadShape) -> Option<Outage> {
    let windows = windows(&trace.witness);
    let (first, last) = (windows.first()?, windows.last()?);
    let mut errors = BTreeMap::new();
    let bad = trace.witness.iter();
    for op in bad.filter(|op| op.outcome != Outcome::Good) {
        *errors.entry(op.outcome).or_insert(0) += 1;
    }
    let lengths = || windows.iter().map(Window::length_us);
    let from_us = fault_at(round).unwrap_or(0);
    let time = |us: u64| words::timestamp(round.began_at_ms.saturating_add(us / 1000));
    Some(Outage {
        round: round.number,
        shard: trace.shard,
        is_struck: struck_shards(round).contains(&trace.shard),
        unavailable_ms: ms(lengths().sum()),
        longest_ms: ms(lengths().max().unwrap_or(0)),
        first_error_at: ms(first.begin_us),
        restored_at: last.is_over.then_some(ms(last.end_us)),
        first_error_time: time(first.begin_us),
        restored_time: last.is_over.then(|| time(last.end_us)),
        client_unavailable_ms: client_gap_ms(&trace.writes, from_us, period_ms(load)),
        resolution_ms: period_ms(load),
        errors,
    })
}

/// Every outage, in the order of rounds and shards.
pub fn outages(recording: &Recording) -> Vec<Outage> {
    let of = |round: &Round| -> Vec<Outage> {
        let mut traces: Vec<&Trace> = round.traces.iter().collect();
        traces.sort_by_key(|trace| trace.shard);
        let found = traces.into_iter();
        found
            .filter_map(|trace| outage(round, trace, &recording.load))
            .collect()
    };
    recording.rounds.iter().flat_map(of).collect()
}

/// The stretches that the fault may be to blame for.
pub fn windows_after(round: &Round, trace: &Trace) -> Vec<Window> {
    let asked = asked_at(round);
    let mut windows = windows(&trace.witness);
    windows.retain(|window| !window.is_before(asked));
    windows
}

/// Whether a shard did not take writes even before the fault.
pub fn is_unsound_before(round: &Round, trace: &Trace) -> bool {
    let asked = asked_at(round);
    let windows = windows(&trace.witness);
    windows.iter().any(|window| window.is_before(asked))
}

/// How long in all the fault cost each struck shard, a figure per round and shard, in ms. A shard
/// that never failed counts with 0: a handover that nobody noticed is a result.
pub fn struck_ms(recording: &Recording) -> Vec<f64> {
    let mut figures = Vec::new();
    for round in recording.rounds.iter().filter(|r| asked_at(r).is_some()) {
        let struck = struck_shards(round);
        for trace in &round.traces {
            if struck.contains(&trace.shard) && !trace.witness.is_empty() {
                let windows = windows_after(round, trace);
                figures.push(ms(windows.iter().map(Window::length_us).sum()));
            }
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fault;
    use crate::ops::failover::samples;
    use Outcome::{Down, Good, NoConnection, Timeout};

    fn ops(ops: &[(u64, u64, Outcome)]) -> Vec<Op> {
        let op = |&(due_us, took_us, outcome)| Op {
            due_us,
            took_us,
            outcome,
        };
        ops.iter().map(op).collect()
    }

    #[test]
    fn a_window_lasts_until_the_next_good_write_has_ended() {
        type Row<'a> = (
            &'a str,
            &'a [(u64, u64, Outcome)],
            &'a [(u64, u64, u64, bool)],
        );
        let rows: [Row; 7] = [
            ("nothing", &[], &[]),
            ("all good", &[(0, 1, Good), (5, 900, Good)], &[]),
            (
                "one",
                &[(0, 1, Good), (5, 1, Down), (10, 1, Timeout), (15, 2, Good)],
                &[(5, 6, 17, true)],
            ),
            (
                "two",
                &[(0, 1, Down), (5, 2, Good), (10, 1, Down), (15, 2, Good)],
                &[(0, 1, 7, true), (10, 11, 17, true)],
            ),
            (
                "never again",
                &[(0, 1, Good), (5, 1, Down), (10, 200, Timeout)],
                &[(5, 6, 210, false)],
            ),
            (
                "by when they were due, not by when they ended",
                &[(10, 1, Good), (5, 200, Timeout), (0, 1, Good)],
                &[(5, 205, 11, true)],
            ),
            (
                "no time counts twice",
                &[(0, 1, Down), (5, 30, Good), (10, 1, Down), (15, 40, Good)],
                &[(0, 1, 55, true)],
            ),
        ];
        for (what, given, expected) in rows {
            let found = windows(&ops(given));
            let found: Vec<_> = found
                .iter()
                .map(|w| (w.begin_us, w.known_us, w.end_us, w.is_over))
                .collect();
            assert_eq!(found, expected, "{what}");
        }
    }

    #[test]
    fn the_client_waits_from_one_success_to_the_next() {
        let ms = |n: u64| n * 1000;
        let row = |ends: &[u64], last_due: u64| {
            let mut all: Vec<_> = ends.iter().map(|&at| (ms(at), 0, Good)).collect();
            all.push((ms(last_due), 0, NoConnection));
            client_gap_ms(&ops(&all), ms(100), 5.0)
        };
        for (what, ends, last_due, expected) in [
            ("no gap", &[95, 100, 105, 110][..], 110, 0.0),
            ("a gap", &[95, 100, 400, 405], 405, 295.0),
            ("too short to tell", &[100, 118], 118, 0.0),
            ("a gap before the fault", &[5, 95, 100, 105], 105, 0.0),
            ("never again", &[100], 1100, 995.0),
            ("never at all", &[], 1100, 995.0),
        ] {
            assert!((row(ends, last_due) - expected).abs() < 1e-9, "{what}");
        }
        assert!(client_gap_ms(&[], 0, 5.0).abs() < 1e-9);
    }

    #[test]
    fn an_outage_is_told_from_the_witness() {
        let recording = samples::killed_master();
        let outages = outages(&recording);
        let rows: Vec<_> = outages.iter().map(|o| (o.shard, o.is_struck)).collect();
        assert_eq!(rows, [(1, true), (2, false), (3, false)]);
        let struck = &outages[0];
        assert!((struck.first_error_at - 2_005.0).abs() < 1e-9);
        assert!((struck.unavailable_ms - 3_775.6).abs() < 1e-6);
        assert_eq!(struck.restored_at, Some(5_780.6));
        assert_eq!(struck.errors, BTreeMap::from([(NoConnection, 755)]));
        assert_eq!(struck_ms(&recording).len(), 1);
    }

    #[test]
    fn what_failed_before_the_fault_is_not_its_doing() {
        let mut round = samples::quiet_round(Fault::Kill, 4_000);
        samples::spoil(&mut round, 1, 500, 600, Down);
        samples::spoil(&mut round, 1, 2_005, 2_505, NoConnection);
        let trace = &round.traces[0];
        assert!(is_unsound_before(&round, trace));
        assert_eq!(windows_after(&round, trace).len(), 1);
        let outage = outage(&round, trace, &samples::load()).unwrap();
        assert!((outage.unavailable_ms - 601.2).abs() < 1e-6, "both count");
        assert!((outage.longest_ms - 500.6).abs() < 1e-6);
        // A write under way when the fault struck is the fault's doing.
        let mut struck = samples::quiet_round(Fault::Pause, 4_000);
        let op = &mut struck.traces[0].witness[399];
        (op.outcome, op.took_us) = (Timeout, 200_000);
        assert!(!is_unsound_before(&struck, &struck.traces[0]));
    }
}
