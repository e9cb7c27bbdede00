//! What a trial of `tune` came to, as a document.

use std::time::Duration;

use crate::model::words::{bytes, count, counted, duration, listed, three_digits};
use crate::ops::tune::trial::{Count, Figure, Overall, Range, Report, Verdict};

use super::doc::{Block, Cell, Column, Doc, Table, Tone};

/// So many commands, families and settings are named in a line.
const NAMED: usize = 6;

/// A trial.
pub fn trial(report: &Report) -> Doc {
    let mut doc = Doc::new();
    doc.push(verdict(report));
    doc.push(Block::Lines(
        report
            .tried
            .iter()
            .map(|one| {
                let how = match one.is_at_start {
                    true => ", read at the start",
                    false => "",
                };
                Cell::plain(format!(
                    "{}: {} -> {} ({}{how})",
                    one.parameter,
                    shown(&one.present),
                    shown(&one.proposed),
                    one.rule
                ))
            })
            .collect(),
    ));
    doc.push(Block::Table(figures(report)));
    doc.push(Block::KeyValues(how(report)));
    for left in &report.left {
        doc.faint(format!("{} was not tried: {}", left.what, left.why));
    }
    doc.faint(format!(
        "a figure is better or worse only where no turn of one copy reaches those of the other; two like servers look so once in {} trials by chance",
        count(odds(report.turns_each as u64))
    ));
    doc
}

/// That there is nothing to try; `named` are the rules.
pub fn nothing(cluster: &str, why: &str) -> Doc {
    let mut doc = Doc::new();
    doc.push(Block::Verdict {
        subject: cluster.to_owned(),
        word: "NOTHING TO TRY".to_owned(),
        tone: Tone::Good,
        rest: why.to_owned(),
    });
    doc.faint("no server was started");
    doc
}

fn verdict(report: &Report) -> Block {
    let (word, tone) = match report.verdict {
        Overall::Better => ("BETTER", Tone::Good),
        Overall::Worse => ("WORSE", Tone::Bad),
        Overall::Mixed => ("BETTER AND WORSE", Tone::Warn),
        Overall::NoDifference => ("NO DIFFERENCE", Tone::Strong),
    };
    let told: Vec<String> = (report.figures.iter())
        .filter(|figure| figure.verdict != Verdict::NoDifference)
        .map(|figure| format!("{} {}", name(figure), change(figure)))
        .collect();
    let rest = match told.is_empty() {
        true => "none that the spread allows to claim".to_owned(),
        false => format!("{} with the change", told.join(", ")),
    };
    Block::Verdict {
        subject: report.cluster.clone(),
        word: word.to_owned(),
        tone,
        rest,
    }
}

fn shown(value: &str) -> &str {
    match value.is_empty() {
        true => "\"\"",
        false => value,
    }
}

fn name(figure: &Figure) -> &'static str {
    match figure.figure {
        "steps_per_second" => "throughput",
        "p50_us" => "p50",
        "p99_us" => "p99",
        _ => "memory",
    }
}

fn change(figure: &Figure) -> String {
    let sign = match figure.change_percent < 0.0 {
        true => '-',
        false => '+',
    };
    format!("{sign}{} %", three_digits(figure.change_percent.abs()))
}

fn value(figure: &Figure, value: f64) -> String {
    let whole = value.max(0.0).round() as u64;
    match figure.figure {
        "steps_per_second" => format!("{}/s", count(whole)),
        "memory_bytes" => bytes(whole),
        _ => duration(Duration::from_micros(whole)),
    }
}

fn range(figure: &Figure, range: &Range) -> String {
    let [min, median, max] = [range.min, range.median, range.max].map(|one| value(figure, one));
    match min == max {
        true => median,
        false => format!("{median} ({min} .. {max})"),
    }
}

fn figures(report: &Report) -> Table {
    let mut table = Table::new([
        Column::left("FIGURE", 0),
        Column::left("WITHOUT (MIN .. MAX)", 0),
        Column::left("WITH (MIN .. MAX)", 0),
        Column::left("CHANGE", 1),
        Column::left("VERDICT", 0),
    ]);
    for figure in &report.figures {
        let (word, tone) = match figure.verdict {
            Verdict::Better => ("better", Tone::Good),
            Verdict::Worse => ("worse", Tone::Bad),
            Verdict::NoDifference => ("no difference", Tone::Plain),
        };
        table.row([
            Cell::plain(name(figure)),
            Cell::plain(range(figure, &figure.without)),
            Cell::plain(range(figure, &figure.with)),
            Cell::plain(change(figure)),
            Cell::new(word, tone),
        ]);
    }
    table
}

fn how(report: &Report) -> Vec<(String, Cell)> {
    let told = &report.told;
    let copies = match report.server == report.node_server {
        true => format!(
            "two, {}, with the settings of {}",
            report.server, report.node
        ),
        false => format!(
            "two, {} (the node runs {}), with the settings of {}",
            report.server, report.node_server, report.node
        ),
    };
    let mut pairs = vec![
        ("copies".to_owned(), copies),
        ("settings".to_owned(), settings(report)),
        ("data".to_owned(), data(report)),
        ("load".to_owned(), told.load.clone()),
        ("commands".to_owned(), commands(report)),
        (
            "turns".to_owned(),
            format!(
                "{} of {} on each copy, alternating; closed loop of {}",
                report.turns_each,
                duration(Duration::from_millis(report.turn_ms)),
                counted(report.connections, "connection")
            ),
        ),
    ];
    let refused = [
        ("without", &report.refused_without),
        ("with", &report.refused_with),
    ];
    for (side, refused) in refused.into_iter().filter(|(_, refused)| refused.count > 0) {
        pairs.push(("refused".to_owned(), refusals(side, refused)));
    }
    let pairs = pairs.into_iter();
    pairs
        .map(|(name, text)| (name, Cell::plain(text)))
        .collect()
}

fn refusals(side: &str, refused: &Count) -> String {
    format!(
        "{} {side} the change, such as: {}",
        counted(
            usize::try_from(refused.count).unwrap_or(usize::MAX),
            "command"
        ),
        refused.said.as_deref().unwrap_or("?")
    )
}

fn settings(report: &Report) -> String {
    let told = &report.told;
    let mut text = match told.settings.len() {
        0 => "the server's own".to_owned(),
        _ => format!(
            "the server's own, but for {}",
            listed(told.settings.iter().cloned(), NAMED)
        ),
    };
    if told.limit_bytes > 0 {
        text.push_str(&format!(
            "; maxmemory {}, so that the copy is as full as the node",
            bytes(told.limit_bytes)
        ));
    }
    if !told.not_taken.is_empty() {
        let names = told.not_taken.iter().map(|left| left.what.clone());
        text.push_str(&format!(
            "; not taken by the copies: {}",
            listed(names, NAMED)
        ));
    }
    text
}

fn data(report: &Report) -> String {
    let told = &report.told;
    let families = told.families.iter().map(|group| group.pattern.clone());
    let mut text = format!(
        "{} keys of {} on the node: {}",
        count(told.keys),
        count(told.keys_there),
        listed(families, NAMED)
    );
    for note in &told.notes {
        text.push_str("; ");
        text.push_str(note);
    }
    text
}

fn commands(report: &Report) -> String {
    let shares = report.commands.iter();
    let shares = shares.map(|share| format!("{} {} %", share.command, three_digits(share.percent)));
    listed(shares, NAMED)
}

/// Of so many turns each, one way in how many of dealing them out leaves the two apart.
fn odds(each: u64) -> u64 {
    let ways = (1..=each).fold(1.0, |ways, n| ways * (each + n) as f64 / n as f64);
    (ways / 2.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_told_by_the_number_of_turns() {
        assert_eq!([3, 5, 10].map(odds), [10, 126, 92_378]);
    }
}
