//! Why it took so long: the outage term by term, and what operations took meanwhile.

use crate::ops::failover::{Latency, Phase, Report, Term};
use crate::render::check::Detail;
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

use super::shards;
use super::words::MORE;

/// With more shards than that, or several rounds, only the struck ones' latencies are told.
const MANY_SHARDS: usize = 4;

/// Adds what was expected against what was measured, and what would shorten it.
pub fn push(doc: &mut Doc, report: &Report, detail: Detail) {
    if !report.terms.is_empty() {
        doc.title("why it took so long");
    }
    let mut table = Table::new([
        Column::left("TERM", 0),
        Column::right("EXPECTED", 0),
        Column::right("LIKELY", 2),
        Column::right("MEASURED", 0),
        Column::left("WITHIN", 1),
    ]);
    for term in &report.terms {
        table.row([
            Cell::plain(term.name),
            Cell::plain(expected(term)),
            Cell::plain(human::millis(term.expected_ms)),
            Cell::known(term.measured_ms.map(human::millis)),
            within(term),
        ]);
    }
    doc.push(Block::Table(table));
    if let Some(dominant) = &report.dominant {
        doc.paragraph(format!(
            "{} takes {} of it; to shorten it: {}",
            dominant.name,
            human::percent((dominant.share * 100.0).round()),
            dominant.next
        ));
    }
    if detail.is_verbose {
        let because = report.terms.iter();
        let because = because.map(|t| (t.name.to_owned(), Cell::plain(&t.because)));
        doc.push(Block::KeyValues(because.collect()));
    }
}

/// `1.20 s - 2.90 s`.
pub fn expected(term: &Term) -> String {
    format!(
        "{} - {}",
        human::millis(term.expected_low_ms),
        human::millis(term.expected_high_ms)
    )
}

/// `yes`, or in which direction it was missed.
pub fn within(term: &Term) -> Cell {
    match (term.is_within(), term.measured_ms) {
        (Some(true), _) => Cell::new("yes", Tone::Good),
        (Some(false), Some(ms)) if ms < term.expected_low_ms => Cell::plain("no, shorter"),
        (Some(false), _) => Cell::new("no, longer", Tone::Warn),
        (None, _) => Cell::unknown(),
    }
}

/// Adds how long the client's operations took before, during and after.
pub fn push_latencies(doc: &mut Doc, report: &Report, detail: Detail) {
    let struck = shards::struck(report);
    let is_long = report.shards.len() > MANY_SHARDS || report.rounds.len() > 1;
    let is_folded = !detail.is_verbose && is_long && !struck.is_empty();
    let is_told = |row: &&Latency| !is_folded || struck.contains(&row.shard);
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("PHASE", 0),
        Column::right("OPERATIONS", 2),
        Column::right("ERRORS", 0),
        Column::right("P50", 1),
        Column::right("P99", 0),
        Column::right("MAX", 1),
    ]);
    let time = |ms: Option<f64>| Cell::known(ms.map(human::millis));
    for row in report.latencies.iter().filter(is_told) {
        table.row([
            Cell::plain(row.shard),
            Cell::plain(phase(row.phase)),
            Cell::plain(human::count(row.operations)),
            Cell::plain(human::count(row.errors)),
            time(row.p50_ms),
            time(row.p99_ms),
            time(row.max_ms),
        ]);
    }
    if table.rows.is_empty() {
        return;
    }
    doc.title("latency of the client's operations");
    let left_out = report.latencies.len() - table.rows.len();
    doc.push(Block::Table(table));
    if left_out > 0 {
        doc.faint(format!(
            "{} of shards that were not struck{MORE}",
            human::counted(left_out, "more row")
        ));
    }
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Before => "before",
        Phase::During => "during",
        Phase::After => "after",
    }
}
