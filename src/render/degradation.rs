//! How clients ride out a failover, as a document: the outage, the pauses that outlast it, settings
//! to paste client by client, the fallback, and what to do after recovery.

use crate::ops::tune::resilience::{Backoff, Client, Fallback, Outage, Report, Source, Timeouts};

use super::check::Detail;
use super::doc::{Block, Cell, Doc, Tone};
use super::human;

/// Pauses that are told one by one.
const TOLD_PAUSES: u32 = 8;

/// Advice to clients as a document.
pub fn degradation(report: &Report, detail: Detail) -> Doc {
    let mut doc = Doc::new();
    doc.push(verdict(report));
    let today = report.today.iter();
    doc.push(Block::Lines(
        today.map(|line| Cell::new(line, Tone::Warn)).collect(),
    ));
    doc.push(Block::KeyValues(pauses(
        &report.outage,
        &report.backoff,
        &report.timeouts,
    )));
    for client in &report.clients {
        push_client(&mut doc, client, detail);
    }
    if !detail.is_verbose {
        doc.faint("why each value is what it is: --verbose");
    }
    doc.title("what sessions fall back on");
    doc.push(Block::KeyValues(fallback(&report.fallback)));
    let because = report.fallback.because.iter();
    doc.push(Block::Lines(
        because.map(|line| Cell::new(line, Tone::Faint)).collect(),
    ));
    push_warm_up(&mut doc, report);
    if !report.notes.is_empty() {
        doc.title("notes");
        doc.push(Block::Lines(report.notes.iter().map(Cell::plain).collect()));
    }
    doc
}

fn verdict(report: &Report) -> Block {
    let (outage, backoff) = (&report.outage, &report.backoff);
    let (word, tone) = match outage.source {
        Source::Measured { .. } => ("MEASURED", Tone::Strong),
        Source::Predicted { .. } => ("PREDICTED", Tone::Warn),
    };
    Block::Verdict {
        subject: report.cluster.clone(),
        word: word.to_owned(),
        tone,
        rest: format!(
            "{} ride out {}: outages of up to {} and a margin of {}",
            human::plural(backoff.attempts as usize, "try", "tries"),
            human::millis(outage.ride_out_ms),
            human::millis(outage.longest_ms),
            human::percent((outage.margin - 1.0) * 100.0)
        ),
    }
}

fn pauses(outage: &Outage, backoff: &Backoff, timeouts: &Timeouts) -> Vec<(String, Cell)> {
    let told = backoff.attempts.min(TOLD_PAUSES);
    let mut each: Vec<String> = (0..told)
        .map(|n| human::millis(backoff.pause_ms(n)))
        .collect();
    if backoff.attempts > told {
        each.push("and so on".to_owned());
    }
    let pairs = [
        ("outage", source(&outage.source)),
        (
            "back-off",
            format!(
                "base {}, factor {}, cap {}, half of each pause by chance",
                human::millis(backoff.base_ms),
                backoff.factor,
                human::millis(backoff.cap_ms)
            ),
        ),
        ("pauses", each.join(", ")),
        (
            "in all",
            format!(
                "{} at the least, {} at the most, in {}",
                human::millis(backoff.least_ms),
                human::millis(backoff.most_ms),
                human::plural(backoff.attempts as usize, "try", "tries")
            ),
        ),
        (
            "all by chance",
            format!(
                "{} where a client knows only full jitter: they fall short once in 1,000 times at most",
                human::plural(backoff.attempts_full_jitter as usize, "try", "tries")
            ),
        ),
        (
            "timeouts",
            format!(
                "connect {}, reply {}, slot map every {}",
                human::millis(timeouts.connect_ms as f64),
                human::millis(timeouts.command_ms as f64),
                human::millis(timeouts.refresh_ms as f64)
            ),
        ),
    ];
    pairs
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Cell::plain(text)))
        .collect()
}

fn source(source: &Source) -> String {
    match source {
        Source::Measured {
            outages, faults, ..
        } => format!(
            "{} measured in the last drill ({})",
            human::counted(*outages, "outage"),
            faults.join(", ")
        ),
        Source::Predicted { because, .. } => because.clone(),
    }
}

/// What to paste; why each value is what it is only when asked, for it is four times as much.
fn push_client(doc: &mut Doc, client: &Client, detail: Detail) {
    doc.title(match client.name {
        "environment" => "environment of the application".to_owned(),
        name => name.to_owned(),
    });
    if detail.is_verbose {
        let lines = client.settings.iter();
        let lines = lines.map(|s| Cell::plain(format!("{} = {}: {}", s.name, s.value, s.because)));
        doc.push(Block::Lines(lines.collect()));
    }
    doc.commands(client.paste.iter().cloned());
}

fn fallback(fallback: &Fallback) -> Vec<(String, Cell)> {
    let known = |count: Option<u64>| Cell::known(count.map(human::count));
    let size = |count: Option<u64>| Cell::known(count.map(human::bytes));
    vec![
        (
            "entries of each process".to_owned(),
            known(fallback.entries),
        ),
        ("memory of each process".to_owned(), size(fallback.bytes)),
        (
            "kept for".to_owned(),
            Cell::plain(human::seconds(fallback.keep_s as f64)),
        ),
    ]
}

/// Steps without a command between them stand together.
fn push_warm_up(doc: &mut Doc, report: &Report) {
    doc.title("after recovery, in this order");
    let mut lines = Vec::new();
    for (n, step) in report.warm_up.iter().enumerate() {
        let text = format!("{}. {}: {}", n + 1, step.what, step.because);
        lines.push(Cell::plain(text));
        if let Some(command) = &step.command {
            doc.push(Block::Lines(std::mem::take(&mut lines)));
            doc.commands([command]);
        }
    }
    doc.push(Block::Lines(lines));
}
