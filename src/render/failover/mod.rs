//! What a drill showed, as a document for one who must decide whether the cluster can be trusted.
//!
//! The first line is the verdict with the three numbers that were asked for: how long no writes were
//! taken, how many acknowledged ones are gone, how soon all was whole again. Then why it did not
//! pass and what is still wrong, since that is to be acted on; then shard by shard, budget by
//! budget, moment by moment, and why it took so long. An answer over many rounds tells the worst of
//! them and counts the others; verbose tells all.

mod facts;
mod junit;
pub mod rounds;
pub mod shards;
pub mod terms;
pub mod words;

pub use junit::drill_junit;
pub use words::headline;

use crate::ops::failover::{Report, Verdict};

use super::check::Detail;
use super::doc::{Block, Cell, Doc, Tone};

/// A drill's report as a document.
pub fn failover(report: &Report, detail: Detail) -> Doc {
    let mut doc = Doc::new();
    doc.push(verdict(report));
    opening(&mut doc, report);
    shards::push(&mut doc, report, detail);
    rounds::push_budgets(&mut doc, report, detail);
    rounds::push_timelines(&mut doc, report, detail);
    terms::push(&mut doc, report, detail);
    terms::push_latencies(&mut doc, report, detail);
    facts::push(&mut doc, report, detail);
    closing(&mut doc, report);
    // The end is what a terminal shows.
    if report.verdict != Verdict::Passed {
        doc.push(verdict(report));
    }
    doc
}

/// The tables alone, for a page that opens with pictures.
pub fn tables(report: &Report, detail: Detail) -> Doc {
    let mut doc = Doc::new();
    rounds::push_budgets(&mut doc, report, detail);
    shards::push(&mut doc, report, detail);
    terms::push(&mut doc, report, detail);
    terms::push_latencies(&mut doc, report, detail);
    facts::push(&mut doc, report, detail);
    closing(&mut doc, report);
    rounds::push_timelines(&mut doc, report, detail);
    doc
}

/// Why it did not pass, and what is still wrong: what a reader acts on.
pub fn opening(doc: &mut Doc, report: &Report) {
    let tone = verdict_word(report.verdict).1;
    let reasons = report.reasons.iter();
    let reasons = reasons.map(|reason| Cell::new(reason, tone));
    let next = report.next.iter();
    let next = next.map(|step| Cell::plain(format!("next: {step}")));
    doc.push(Block::Lines(reasons.chain(next).collect()));
    let wrong = rounds::still_wrong(report);
    if !wrong.is_empty() {
        doc.title("still wrong at the end");
        doc.push(Block::Lines(wrong));
    }
}

fn closing(doc: &mut Doc, report: &Report) {
    for (title, lines) in [
        ("what a client must bear", &report.advice),
        ("notes", &report.notes),
    ] {
        if !lines.is_empty() {
            doc.title(title);
            doc.push(Block::Lines(lines.iter().map(Cell::plain).collect()));
        }
    }
}

fn verdict(report: &Report) -> Block {
    let (word, tone) = verdict_word(report.verdict);
    Block::Verdict {
        subject: report.cluster.clone(),
        word: word.to_owned(),
        tone,
        rest: headline(report),
    }
}

/// A verdict's word and tone.
pub fn verdict_word(verdict: Verdict) -> (&'static str, Tone) {
    match verdict {
        Verdict::Passed => ("PASSED", Tone::Good),
        Verdict::Failed => ("FAILED", Tone::Bad),
        Verdict::Unknown => ("UNKNOWN", Tone::Warn),
    }
}
