//! What was held against what: a line per budget, round and shard, so that each is a test case.

use std::collections::{BTreeMap, BTreeSet};

use super::super::report::{BudgetLine, Comparison, Verdict};
use super::compare::{can_tell, is_clear};
use super::latency::write_p99_ms;
use super::names::Names;
use super::outage::{Window, is_unsound_before, windows, windows_after};
use super::promotion::{Succession, first_write_us};
use super::recovery::redundancy_ms;
use super::timeline::undone_by_others;
use super::when::{
    bereft_shards, error_ms, fault_at, is_held, ms, ms_between, spoken, spoken_limit,
};
use super::writes;
use crate::model::{Act, Budgets, Recording, Round, Trace, words};

/// Between a time and how exact it is.
pub const ABOUT: &str = " ± ";

/// Every line, in the order of rounds. `asked` outweighs what a scenario says of a round, and that
/// what the deployment promises.
pub fn lines(
    recording: &Recording,
    asked: &Budgets,
    changes: &[Succession],
    names: &Names,
) -> Vec<BudgetLine> {
    let mut lines = Vec::new();
    for round in &recording.rounds {
        let limits = asked.or(round.budgets).or(Budgets::promised());
        lines.extend(outage_lines(round, limits.max_outage_ms));
        if let Some(limit) = limits.max_lost_writes {
            lines.push(lost_line(round, limit));
        }
        if !is_held(round) {
            if let Some(limit) = limits.max_redundancy_ms {
                lines.push(redundancy_line(round, limit));
            }
            lines.push(whole_line(round));
        }
        lines.extend(p99_lines(round, limits.max_p99_ms));
        if round.expects_promotion {
            let shards = bereft_shards(round).into_iter();
            let can_see = !recording.nodes.is_empty();
            lines.extend(shards.map(|n| promotion_line(round, n, changes, names, can_see)));
        }
    }
    lines
}

/// Names what each line is about, where the rounds are not all alike.
pub fn name_steps(lines: &mut [BudgetLine], recording: &Recording) {
    let name = |round: &Round| {
        let fault = || round.fault.name().to_owned();
        (round.number, round.name.clone().unwrap_or_else(fault))
    };
    let names: BTreeMap<usize, String> = recording.rounds.iter().map(name).collect();
    let distinct: BTreeSet<&String> = names.values().collect();
    if distinct.len() > 1 {
        for line in lines {
            line.step = line.round.and_then(|round| names.get(&round).cloned());
        }
    }
}

/// The line about a recorded drill; `Unknown` when there are too few outages to tell, which says
/// nothing against the drill, or when they are too alike for how exact they are.
pub fn slower_line(
    recording: &Recording,
    baseline: &Recording,
    comparison: &Comparison,
) -> BudgetLine {
    let is_telling = can_tell(comparison.counts.0, comparison.counts.1);
    BudgetLine {
        budget: "slower",
        round: None,
        step: None,
        shard: None,
        limit: "no slower than the baseline".to_owned(),
        measured: match is_telling {
            true => format!("p = {:.3}", comparison.p_value),
            false => "too few outages to tell".to_owned(),
        },
        verdict: match comparison.is_slower {
            _ if !is_telling || !is_clear(recording, baseline) => Verdict::Unknown,
            true => Verdict::Failed,
            false => Verdict::Passed,
        },
    }
}

/// A verdict on a time that may be off by `early` towards less and by `late` towards more, all in
/// milliseconds: nothing can be said when the limit lies between.
fn timed(measured: f64, (early, late): (f64, f64), limit: f64) -> Verdict {
    if measured + late <= limit {
        Verdict::Passed
    } else if measured - early > limit {
        Verdict::Failed
    } else {
        Verdict::Unknown
    }
}

/// What was measured in words, with how exact it is where that leaves the verdict open:
/// `3.78 s ± 35.0 ms`.
fn told(measured: String, error_ms: f64, verdict: Verdict) -> String {
    match verdict {
        Verdict::Unknown => format!("{measured}{ABOUT}{}", spoken(error_ms)),
        _ => measured,
    }
}

fn line(budget: &'static str, round: &Round, shard: Option<usize>) -> BudgetLine {
    BudgetLine {
        budget,
        round: Some(round.number),
        step: None,
        shard,
        limit: String::new(),
        measured: String::new(),
        verdict: Verdict::Unknown,
    }
}

fn outage_lines(round: &Round, limit_ms: Option<u64>) -> Vec<BudgetLine> {
    let line = |trace: &Trace, limit_ms: u64| BudgetLine {
        limit: spoken_limit(limit_ms),
        ..outage_line(round, trace, limit_ms)
    };
    let Some(limit_ms) = limit_ms else {
        return Vec::new();
    };
    let mut traces: Vec<&Trace> = round.traces.iter().collect();
    traces.sort_by_key(|trace| trace.shard);
    traces.into_iter().map(|t| line(t, limit_ms)).collect()
}

fn outage_line(round: &Round, trace: &Trace, limit_ms: u64) -> BudgetLine {
    let sum = |windows: &[Window]| ms(windows.iter().map(Window::length_us).sum());
    let all = windows(&trace.witness);
    let after_ms = sum(&windows_after(round, trace));
    let is_over = all.last().is_none_or(|window| window.is_over);
    let error = error_ms(round);
    // That no write failed is a count, and exact.
    let by_time = match after_ms {
        0.0 => Verdict::Passed,
        _ => timed(after_ms, (error, error), limit_ms as f64),
    };
    let is_unsound = is_unsound_before(round, trace);
    let verdict = match by_time {
        _ if trace.witness.is_empty() => Verdict::Unknown,
        Verdict::Failed => Verdict::Failed,
        _ if !is_over && is_held(round) => Verdict::Unknown,
        _ if !is_over => Verdict::Failed,
        _ if is_unsound => Verdict::Unknown,
        by_time => by_time,
    };
    let measured = match (trace.witness.is_empty(), all.is_empty(), is_over) {
        (true, ..) => "not watched".to_owned(),
        (_, true, _) => "none".to_owned(),
        (_, _, true) if is_unsound => spoken(sum(&all)),
        (_, _, true) => told(spoken(sum(&all)), error, verdict),
        (_, _, false) => format!("{}, and not over by the end", spoken(sum(&all))),
    };
    BudgetLine {
        measured,
        verdict,
        ..line("max_outage", round, Some(trace.shard))
    }
}

/// Writes that are gone are hard evidence, however the probe was held up. Those that could not be
/// read back may be gone.
fn lost_line(round: &Round, limit: u64) -> BudgetLine {
    let sum = writes::of_round(round);
    let mut measured = words::count(sum.lost);
    if sum.unread > 0 {
        measured += &format!(", and {} not read back", words::count(sum.unread));
    }
    BudgetLine {
        limit: words::count(limit),
        measured,
        verdict: match sum.lost {
            lost if lost > limit => Verdict::Failed,
            _ if round.writes.is_empty() => Verdict::Unknown,
            lost if lost.saturating_add(sum.unread) > limit => Verdict::Unknown,
            _ => Verdict::Passed,
        },
        ..line("max_lost_writes", round, None)
    }
}

fn redundancy_line(round: &Round, limit_ms: u64) -> BudgetLine {
    let error = error_ms(round);
    let (measured, verdict) = match redundancy_ms(round) {
        Some(ms) => {
            let verdict = timed(ms, (error, error), limit_ms as f64);
            (told(spoken(ms), error, verdict), verdict)
        }
        None if round.not_whole.is_empty() => ("not whole".to_owned(), Verdict::Unknown),
        None => ("not whole".to_owned(), Verdict::Failed),
    };
    BudgetLine {
        limit: spoken_limit(limit_ms),
        measured,
        verdict,
        ..line("max_redundancy", round, None)
    }
}

fn whole_line(round: &Round) -> BudgetLine {
    let is_seen = round.first(Act::Whole).is_some();
    let (measured, verdict) = match (round.not_whole.is_empty(), is_seen) {
        (true, true) => ("whole".to_owned(), Verdict::Passed),
        (true, false) => ("not looked at".to_owned(), Verdict::Unknown),
        (false, _) => {
            let wrong = round.not_whole.iter().cloned();
            (words::listed(wrong, 3), Verdict::Failed)
        }
    };
    BudgetLine {
        limit: "whole".to_owned(),
        measured,
        verdict,
        ..line("whole", round, None)
    }
}

fn p99_lines(round: &Round, limit_ms: Option<u64>) -> Vec<BudgetLine> {
    let Some(limit_ms) = limit_ms else {
        return Vec::new();
    };
    let error = error_ms(round);
    let judged = |p99: f64| {
        // A latency counts from when the write was due: being late can only have made it longer.
        let verdict = timed(p99, (error, 0.0), limit_ms as f64);
        (told(spoken(p99), error, verdict), verdict)
    };
    let line = |trace: &Trace| {
        let none = || ("no write was taken".to_owned(), Verdict::Unknown);
        let (measured, verdict) = write_p99_ms(round, trace).map_or_else(none, judged);
        BudgetLine {
            limit: spoken_limit(limit_ms),
            measured,
            verdict,
            ..line("max_p99", round, Some(trace.shard))
        }
    };
    round.traces.iter().map(line).collect()
}

/// A new master counts when writes went to it. `Unknown` when somebody else undid the fault first,
/// or the recording does not name its nodes.
fn promotion_line(
    round: &Round,
    shard: usize,
    changes: &[Succession],
    names: &Names,
    can_see: bool,
) -> BudgetLine {
    let is_it = |change: &&Succession| change.round == round.number && change.shard == shard;
    let is_undone = undone_by_others(round, names).next().is_some();
    let (measured, verdict) = match changes.iter().find(is_it) {
        Some(change) if first_write_us(round, change).is_some() => {
            let fault_us = fault_at(round).unwrap_or(0);
            let after = ms_between(fault_us, change.seen.at_us);
            let to = names.word(&change.seen.to);
            let words = format!(
                "after {}: {to}, by epoch {}",
                spoken(after.max(0.0)),
                change.seen.epoch
            );
            (words, Verdict::Passed)
        }
        Some(change) => {
            let to = names.word(&change.seen.to);
            (format!("{to} leads and took no write"), Verdict::Failed)
        }
        None if !can_see => ("the nodes are not named".to_owned(), Verdict::Unknown),
        None if is_undone => ("the fault was undone first".to_owned(), Verdict::Unknown),
        None => ("none".to_owned(), Verdict::Failed),
    };
    BudgetLine {
        limit: "a new master".to_owned(),
        measured,
        verdict,
        ..line("promotion", round, Some(shard))
    }
}
