//! Shard by shard: who led and who leads, how long writes stopped, what became of them.

use std::collections::BTreeSet;

use crate::ops::failover::{Outage, Promotion, Report, ShardWrites};
use crate::render::check::Detail;
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

use super::words::{self, MORE};

/// So many rows are told before the lesser ones are only counted.
const MANY: usize = 12;

/// So many of the worst are told then.
const WORST: usize = 10;

/// All that is known of one shard in one round.
struct Row<'a> {
    round: usize,
    shard: usize,
    outage: Option<&'a Outage>,
    first: Option<&'a Promotion>,
    last: Option<&'a Promotion>,
    writes: Option<&'a ShardWrites>,
}

/// Adds the table of shards, what was left out of it, and the statistics of several rounds.
pub fn push(doc: &mut Doc, report: &Report, detail: Detail) {
    let all = rows(report);
    let total = all.len();
    let told = match detail.is_verbose {
        true => all,
        false => gravest(all, report.rounds.len()),
    };
    if !told.is_empty() {
        doc.title("shards");
    }
    let left_out = total - told.len();
    doc.push(Block::Table(table(report, &told)));
    if left_out > 0 {
        doc.faint(format!(
            "{} of other shards and rounds, none with lost writes{MORE}",
            human::counted(left_out, "more row")
        ));
    }
    doc.push(Block::Table(statistics(report)));
}

fn rows(report: &Report) -> Vec<Row<'_>> {
    let outages = report.outages.iter().map(|o| (o.round, o.shard));
    let promotions = report.promotions.iter().map(|p| (p.round, p.shard));
    let writes = report.writes_by_shard.iter().map(|w| (w.round, w.shard));
    let keys: BTreeSet<(usize, usize)> = outages.chain(promotions).chain(writes).collect();
    let row = |(round, shard)| {
        let promotions = || {
            let all = report.promotions.iter();
            all.filter(move |p| (p.round, p.shard) == (round, shard))
        };
        Row {
            round,
            shard,
            outage: report
                .outages
                .iter()
                .find(|o| (o.round, o.shard) == (round, shard)),
            first: promotions().next(),
            last: promotions().next_back(),
            writes: report
                .writes_by_shard
                .iter()
                .find(|w| (w.round, w.shard) == (round, shard)),
        }
    };
    keys.into_iter().map(row).collect()
}

impl Row<'_> {
    fn is_grave(&self) -> bool {
        let is_missing = self
            .writes
            .is_some_and(|w| w.writes.lost + w.writes.unread > 0);
        is_missing || self.outage.is_some_and(|o| o.restored_at.is_none())
    }

    fn is_struck(&self) -> bool {
        self.first.is_some() || self.outage.is_some_and(|outage| outage.is_struck)
    }

    fn length(&self) -> f64 {
        self.outage.map_or(0.0, |outage| outage.unavailable_ms)
    }
}

/// Of one round everything; of several what was struck or lost writes; of very many the worst.
fn gravest(mut rows: Vec<Row<'_>>, rounds: usize) -> Vec<Row<'_>> {
    if rounds > 1 {
        rows.retain(|row| row.is_grave() || row.is_struck());
    }
    if rows.len() > MANY {
        rows.sort_by(|a, b| {
            let graver = b.is_grave().cmp(&a.is_grave());
            graver.then(b.length().total_cmp(&a.length()))
        });
        let grave = rows.iter().filter(|row| row.is_grave()).count();
        rows.truncate(grave.max(WORST));
        rows.sort_by_key(|row| (row.round, row.shard));
    }
    rows
}

fn table(report: &Report, rows: &[Row]) -> Table {
    let has_rounds = report.rounds.len() > 1;
    let mut table = Table::new([
        Column::right("ROUND", 0),
        Column::left("FAULT", 4),
        Column::right("SHARD", 0),
        Column::left("FROM", 3),
        Column::left("TO", 1),
        Column::right("OUTAGE", 0),
        Column::right("LONGEST", 7),
        Column::right("CLIENT", 4),
        Column::right("SUSPECTED", 8),
        Column::right("FAILED", 6),
        Column::right("PROMOTED", 5),
        Column::right("WRITES AGAIN", 9),
        Column::right("EPOCH", 10),
        Column::right("ACKED", 2),
        Column::right("LOST", 0),
        Column::right("LOST SPAN", 9),
        Column::right("UNKNOWN", 8),
    ]);
    for row in rows {
        table.row(cells(report, row));
    }
    if rows
        .iter()
        .all(|row| row.writes.is_none_or(|w| w.lost_span_ms.is_none()))
    {
        drop_column(&mut table, "LOST SPAN");
    }
    if !has_rounds {
        drop_column(&mut table, "ROUND");
    }
    let mut rounds = report.rounds.windows(2);
    if rounds.all(|pair| pair[0].fault == pair[1].fault) {
        drop_column(&mut table, "FAULT");
    }
    table
}

fn cells(report: &Report, row: &Row) -> Vec<Cell> {
    let fault = report.rounds.iter().find(|r| r.round == row.round);
    let time = |ms: Option<f64>| Cell::known(ms.map(human::millis));
    let of_first = |cell: &dyn Fn(&Promotion) -> Cell| row.first.map_or_else(Cell::none, cell);
    let of_last = |cell: &dyn Fn(&Promotion) -> Cell| row.last.map_or_else(Cell::none, cell);
    let count =
        |of: &dyn Fn(&ShardWrites) -> u64| Cell::known(row.writes.map(of).map(human::count));
    vec![
        Cell::plain(row.round),
        Cell::known(fault.map(|round| round.fault)),
        Cell::plain(row.shard),
        of_first(&|p| Cell::plain(&p.from)),
        of_last(&|p| Cell::plain(&p.to)),
        row.outage.map_or_else(|| Cell::plain("none"), length),
        row.outage
            .map_or_else(Cell::none, |o| time(Some(o.longest_ms))),
        row.outage
            .map_or_else(Cell::none, |o| time(Some(o.client_unavailable_ms))),
        of_first(&|p| time(p.suspected_ms)),
        of_first(&|p| time(p.failed_ms)),
        of_last(&|p| time(Some(p.promoted_ms))),
        of_last(&|p| time(p.first_write_ms)),
        of_last(&|p| Cell::plain(p.epoch)),
        count(&|w| w.writes.acknowledged),
        lost(row.writes),
        row.writes
            .and_then(|w| w.lost_span_ms)
            .map_or_else(Cell::none, |ms| time(Some(ms))),
        count(&|w| w.writes.indeterminate),
    ]
}

/// How long no writes were taken; an outage that did not end was longer than was seen.
fn length(outage: &Outage) -> Cell {
    let text = human::millis(outage.unavailable_ms);
    match outage.restored_at {
        Some(_) => Cell::plain(text),
        None => Cell::new(format!(">{text}"), Tone::Bad),
    }
}

fn lost(writes: Option<&ShardWrites>) -> Cell {
    match writes.map(|w| w.writes.lost) {
        None => Cell::unknown(),
        Some(0) => Cell::plain(0),
        Some(lost) => Cell::new(human::count(lost), Tone::Bad),
    }
}

fn drop_column(table: &mut Table, head: &str) {
    if let Some(at) = table.columns.iter().position(|c| c.head == head) {
        table.columns.remove(at);
        for row in &mut table.rows {
            row.remove(at);
        }
    }
}

fn statistics(report: &Report) -> Table {
    let mut table = Table::new([
        Column::right("OUTAGES", 0),
        Column::right("SHORTEST", 0),
        Column::right("MEDIAN", 0),
        Column::right("P95", 1),
        Column::right("LONGEST", 0),
    ]);
    if let Some(of) = report.statistics.filter(|of| of.count > 1) {
        let times = [of.min_ms, of.median_ms, of.p95_ms, of.max_ms];
        let times = times.map(|ms| Cell::plain(human::millis(ms)));
        table.row([Cell::plain(of.count)].into_iter().chain(times));
    }
    table
}

/// The shards that were struck, as far as it can be seen: they lost their writes or their master.
pub fn struck(report: &Report) -> BTreeSet<usize> {
    let outages = report.outages.iter().filter(|outage| outage.is_struck);
    let outages = outages.map(|outage| outage.shard);
    outages
        .chain(report.promotions.iter().map(|p| p.shard))
        .collect()
}

/// The outage that counts: one that never ended, in whichever shard, else the worst of a struck one.
pub fn worst(report: &Report) -> Option<&Outage> {
    let outages = report.outages.iter();
    words::worst(outages.filter(|outage| outage.is_struck || outage.restored_at.is_none()))
}
