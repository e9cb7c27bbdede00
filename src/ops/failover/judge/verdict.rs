//! What came out, and why: what failed outweighs what is unknown.

use super::super::report::{BudgetLine, Verdict};
use super::budgets::ABOUT;
use super::outage::{is_unsound_before, windows};
use super::when::{asked_at, ms, spoken};
use super::writes;
use crate::model::{Recording, Trace, words};

/// The verdict, and the reasons for it unless it is `passed`, the gravest first.
pub fn verdict(recording: &Recording, lines: &[BudgetLine]) -> (Verdict, Vec<String>) {
    let mut failed: Vec<&BudgetLine> = lines
        .iter()
        .filter(|line| line.verdict == Verdict::Failed)
        .collect();
    failed.sort_by_key(|line| gravity(line.budget));
    let unknown = doubts(recording, lines);
    let verdict = match (failed.is_empty(), unknown.is_empty()) {
        (false, _) => Verdict::Failed,
        (true, false) => Verdict::Unknown,
        (true, true) => Verdict::Passed,
    };
    let reasons = failed.into_iter().map(reason).chain(unknown);
    (verdict, reasons.collect())
}

/// The less, the graver.
fn gravity(budget: &str) -> usize {
    let order = [
        "max_lost_writes",
        "whole",
        "promotion",
        "max_outage",
        "max_redundancy",
        "max_p99",
        "slower",
    ];
    let place = order.iter().position(|&name| name == budget);
    place.unwrap_or(order.len())
}

/// Why a budget was not kept.
fn reason(line: &BudgetLine) -> String {
    let (measured, limit) = (&line.measured, &line.limit);
    let what = match line.budget {
        "max_lost_writes" => {
            format!("acknowledged writes are gone: {measured}, where {limit} may be")
        }
        "whole" => format!("the cluster did not become whole: {measured}"),
        "promotion" if measured == "none" => "no replica took over".to_owned(),
        "promotion" => format!("no replica took over: {measured}"),
        "max_outage" => format!("no write was taken for {measured}, where {limit} is allowed"),
        "max_redundancy" if measured == "not whole" => {
            format!("redundancy was not back, where {limit} is allowed")
        }
        "max_redundancy" => {
            format!("redundancy was back after {measured}, where {limit} is allowed")
        }
        "max_p99" => format!(
            "99 % of the writes outside the outage took up to {measured}, where {limit} is allowed"
        ),
        "slower" => format!("slower than the baseline: {measured}"),
        other => format!("{other}: {measured}, where {limit} is allowed"),
    };
    format!("{}{what}", place(line))
}

/// `round 1 (a crash), shard 2: `.
fn place(line: &BudgetLine) -> String {
    let step = line.step.as_ref();
    let step = step.map_or_else(String::new, |step| format!(" ({step})"));
    match (line.round, line.shard) {
        (Some(round), Some(shard)) => format!("round {round}{step}, shard {shard}: "),
        (Some(round), None) => format!("round {round}{step}: "),
        (None, Some(shard)) => format!("shard {shard}: "),
        (None, None) => String::new(),
    }
}

/// Why nothing can be said. Who asks for a comparison must not take silence for a yes.
fn doubts(recording: &Recording, lines: &[BudgetLine]) -> Vec<String> {
    if recording.rounds.is_empty() {
        return vec!["no round was recorded, so nothing was tested".to_owned()];
    }
    let mut doubts = Vec::new();
    for round in &recording.rounds {
        let number = round.number;
        if asked_at(round).is_none() {
            doubts.push(format!("round {number}: no fault was done"));
            continue;
        }
        let unread = writes::of_round(round).unread;
        if unread > 0 {
            let keys = words::plural(usize::try_from(unread).unwrap_or(usize::MAX), "key", "keys");
            doubts.push(format!(
                "round {number}: {keys} could not be read back, so that they may be lost"
            ));
        }
        let unsound = round.traces.iter().filter(|t| is_unsound_before(round, t));
        doubts.extend(unsound.map(|trace| before(number, trace)));
        let of_round = lines.iter().filter(|line| line.round == Some(number));
        let told = of_round.filter(|line| line.verdict == Verdict::Unknown);
        let rest = told.filter(|line| match line.budget {
            "max_lost_writes" => unread == 0,
            "max_outage" | "whole" | "promotion" => true,
            "max_redundancy" | "max_p99" => is_too_close(line),
            _ => false,
        });
        let is_new = |line: &&BudgetLine| {
            let mut unsound = round.traces.iter().filter(|t| is_unsound_before(round, t));
            line.budget != "max_outage" || !unsound.any(|trace| line.shard == Some(trace.shard))
        };
        doubts.extend(rest.filter(is_new).map(doubt));
    }
    let compared = lines.iter().filter(|line| line.budget == "slower");
    let untold = compared.filter(|line| line.verdict == Verdict::Unknown);
    doubts.extend(untold.map(|line| match line.measured.starts_with("p = ") {
        true => format!(
            "not compared: {}, which the load's own delays could turn around",
            line.measured
        ),
        false => format!("not compared: {}", line.measured),
    }));
    doubts
}

/// Whether the limit lies within what the measurement may be off by.
fn is_too_close(line: &BudgetLine) -> bool {
    line.verdict == Verdict::Unknown && line.measured.contains(ABOUT)
}

/// What to do to get an answer; nothing when there is one.
pub fn next(verdict: Verdict, recording: &Recording, lines: &[BudgetLine]) -> Vec<String> {
    if verdict != Verdict::Unknown {
        return Vec::new();
    }
    let unknown = lines.iter().filter(|line| line.verdict == Verdict::Unknown);
    let steps = unknown.map(|line| step(line, recording.load.rate));
    let mut next: Vec<String> = Vec::new();
    for step in steps {
        if !next.contains(&step) {
            next.push(step);
        }
    }
    if next.is_empty() {
        next.push("drill again: what was recorded is not enough".to_owned());
    }
    next
}

/// What would settle one line.
fn step(line: &BudgetLine, rate: u32) -> String {
    match line.budget {
        "slower" if !line.measured.starts_with("p = ") => {
            "record and compare at least four outages on each side: --rounds 4".to_owned()
        }
        "slower" => quieter(rate),
        _ if is_too_close(line) => quieter(rate),
        "max_lost_writes" => {
            "see that every node answers (goodcache check), then drill again".to_owned()
        }
        "promotion" if line.measured.contains("undone") => {
            "keep restart policies and supervisors from undoing the fault, then drill again"
                .to_owned()
        }
        "max_outage" if line.measured.contains("not over") => {
            "put it back and drill again without --hold".to_owned()
        }
        _ => "see what is wrong before any fault (goodcache check), then drill again".to_owned(),
    }
}

/// The load is held up where the machine has more to do than it can.
fn quieter(rate: u32) -> String {
    format!(
        "lower --rate ({rate} a second on each shard now), or drill from a machine with less else \
         to do"
    )
}

fn before(round: usize, trace: &Trace) -> String {
    let first = windows(&trace.witness).first().map(|w| ms(w.begin_us));
    format!(
        "round {round}, shard {}: writes failed {} into the round, before the fault: the cluster or \
         the probe was not sound",
        trace.shard,
        spoken(first.unwrap_or(0.0)),
    )
}

/// Why a budget could not be judged.
fn doubt(line: &BudgetLine) -> String {
    let close = format!(
        ", too close to the {} allowed: the load itself was held up",
        line.limit
    );
    let what = match line.budget {
        "max_outage" if line.measured == "not watched" => "its writes were not watched".to_owned(),
        "max_outage" if is_too_close(line) => {
            format!("no write was taken for {}{close}", line.measured)
        }
        "max_redundancy" => format!("redundancy was back after {}{close}", line.measured),
        "max_p99" => format!(
            "99 % of the writes outside the outage took up to {}{close}",
            line.measured
        ),
        "max_outage" => format!(
            "the outage was not over when it was left: {}",
            line.measured
        ),
        "max_lost_writes" => "the writes were not read back".to_owned(),
        "whole" => "whether the cluster became whole was not looked at".to_owned(),
        "promotion" => format!(
            "whether a replica takes over was not seen: {}",
            line.measured
        ),
        other => format!("{other}: {}", line.measured),
    };
    format!("{}{what}", place(line))
}
