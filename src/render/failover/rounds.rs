//! Round by round: what happened when, which budgets were kept, and what is still wrong.

use std::collections::BTreeMap;

use crate::model::words::listed;
use crate::ops::failover::{BudgetLine, Report, RoundReport, Verdict};
use crate::render::check::Detail;
use crate::render::doc::{Block, Cell, Column, Doc, Table};
use crate::render::human;

use super::verdict_word;
use super::words::{self, MORE};

/// So many budget lines are told before the kept ones are only counted.
const MANY: usize = 12;

/// So many that were not kept are told then.
const MISSED: usize = 20;

/// So many moments of a timeline are told.
const MOMENTS: usize = 30;

/// Adds the budgets: the gravest first, and of many only those that were not kept.
pub fn push_budgets(doc: &mut Doc, report: &Report, detail: Detail) {
    let is_folded = !detail.is_verbose && report.budgets.len() > MANY;
    let mut lines: Vec<&BudgetLine> = report.budgets.iter().collect();
    let kept = lines
        .iter()
        .filter(|line| line.verdict == Verdict::Passed)
        .count();
    if is_folded {
        lines.retain(|line| line.verdict != Verdict::Passed);
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.verdict));
    if lines.is_empty() && !is_folded {
        return;
    }
    doc.title("budgets");
    let missed = lines.len();
    if is_folded {
        lines.truncate(MISSED);
    }
    doc.push(Block::Table(budgets(report, &lines)));
    if missed > lines.len() {
        let more = human::counted(missed - lines.len(), "more budget");
        doc.faint(format!("{more} not kept{MORE}"));
    }
    if is_folded && kept > 0 {
        let all = if lines.is_empty() { "all " } else { "" };
        doc.faint(format!(
            "{all}{} kept{MORE}",
            human::plural(kept, "budget was", "budgets were")
        ));
    }
}

fn budgets(report: &Report, lines: &[&BudgetLine]) -> Table {
    let has_rounds = report.rounds.len() > 1;
    let has_steps = lines.iter().any(|line| line.step.is_some());
    let mut columns = vec![
        Column::left("BUDGET", 0),
        Column::right("SHARD", 0),
        Column::right("LIMIT", 0),
        Column::right("MEASURED", 0),
        Column::left("VERDICT", 0),
    ];
    if has_rounds {
        columns.insert(1, Column::right("ROUND", 1));
    }
    if has_steps {
        columns.insert(2, Column::left("STEP", 3));
    }
    let mut table = Table::new(columns);
    let about = |number: Option<usize>| number.map_or_else(|| Cell::plain("all"), Cell::plain);
    for line in lines {
        let (word, tone) = verdict_word(line.verdict);
        let mut cells = vec![
            Cell::plain(line.budget),
            about(line.shard),
            Cell::plain(&line.limit),
            Cell::plain(&line.measured),
            Cell::new(word.to_lowercase(), tone),
        ];
        if has_rounds {
            cells.insert(1, about(line.round));
        }
        if has_steps {
            cells.insert(2, Cell::plain(line.step.as_deref().unwrap_or("all")));
        }
        table.row(cells);
    }
    table
}

/// Adds what happened: of one round, of the worst of several, or of all.
pub fn push_timelines(doc: &mut Doc, report: &Report, detail: Detail) {
    let worst = words::worst_round(report);
    let has_rounds = report.rounds.len() > 1;
    for round in &report.rounds {
        let is_told = detail.is_verbose || Some(round.round) == worst;
        if round.timeline.is_empty() || !is_told {
            continue;
        }
        doc.title(match (has_rounds, detail.is_verbose) {
            (false, _) => "timeline".to_owned(),
            (true, false) => format!(
                "timeline of round {}{}, the worst of {}{MORE}",
                round.round,
                round
                    .name
                    .as_ref()
                    .map(|name| format!(" ({name})"))
                    .unwrap_or_default(),
                report.rounds.len()
            ),
            (true, true) => format!("timeline of round {}: {}", round.round, named(round)),
        });
        let most = if detail.is_verbose {
            usize::MAX
        } else {
            MOMENTS
        };
        doc.push(Block::Table(timeline(round, most)));
        let more = round.timeline.len().saturating_sub(most);
        if more > 0 {
            doc.faint(format!("{}{MORE}", human::counted(more, "more moment")));
        }
    }
}

/// What was done to whom in a round.
pub fn named(round: &RoundReport) -> String {
    let deed = format!("{} of {}", round.fault, listed(round.targets.clone(), 3));
    match &round.name {
        Some(name) => format!("{name}: {deed}"),
        None => deed,
    }
}

fn timeline(round: &RoundReport, most: usize) -> Table {
    let mut table = Table::new([
        Column::right("AT", 0),
        Column::left("WHAT", 0),
        Column::right("SHARD", 1),
        Column::left("SEEN", 0),
    ]);
    let zero = words::fault_at(round);
    for moment in round.timeline.iter().take(most) {
        table.row([
            Cell::plain(words::offset(moment.at_ms - zero)),
            Cell::plain(words::spoken(moment.what)),
            moment.shard.map_or_else(Cell::none, Cell::plain),
            Cell::plain(&moment.words),
        ]);
    }
    table
}

/// What was still wrong at the end; the same in several rounds is told once.
pub fn still_wrong(report: &Report) -> Vec<Cell> {
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for round in &report.rounds {
        for line in &round.not_whole {
            let rounds = wrong.entry(line).or_default();
            rounds.push(round.round.to_string());
        }
    }
    let has_rounds = report.rounds.len() > 1;
    let told = wrong.into_iter().map(|(line, rounds)| {
        let noun = if rounds.len() == 1 { "round" } else { "rounds" };
        match has_rounds {
            true => format!("{line} ({noun} {})", listed(rounds, 6)),
            false => line.to_owned(),
        }
    });
    told.map(Cell::plain).collect()
}
