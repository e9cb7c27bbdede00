//! Which nodes hold the load, as a document: the layout that is first, what is needed, the
//! alternatives in a table, and what one shard more or less would change.

mod needed;

use crate::ops::tune::size::{Cost, Layout, Load, Memory, Neighbour, Report};

use super::check::Detail;
use super::doc::{Block, Cell, Column, Doc, Table, Tone};
use super::human;

/// Without being asked for more, so many layouts are told.
const MOST_LAYOUTS: usize = 10;
/// From here on there is little left for a surprise.
const TIGHT: f64 = 0.9;

/// A sizing as a document.
pub fn sizing(report: &Report, detail: Detail) -> Doc {
    let mut doc = Doc::new();
    doc.push(verdict(report));
    doc.title("what is needed");
    doc.push(Block::KeyValues(needed::pairs(
        &report.demand,
        &report.assumptions,
    )));
    push_layouts(&mut doc, report, detail);
    if let Some(first) = report.layouts.first() {
        push_neighbours(&mut doc, report, first);
        push_family(&mut doc, report, detail);
        doc.title(format!("memory of one {} node at the end", first.size));
        doc.push(Block::KeyValues(memory(&first.memory)));
    }
    push_unfit(&mut doc, report, detail);
    push_notes(&mut doc, report, detail);
    doc
}

fn verdict(report: &Report) -> Block {
    let days = human::count(report.assumptions.horizon_days.round() as u64);
    let (word, tone, rest) = match report.layouts.first() {
        Some(first) => (
            "SIZE",
            Tone::Strong,
            format!(
                "held for {days} days by {} of {} ({}, {}); {} binds",
                human::counted(first.shards, "shard"),
                first.size,
                first.service,
                human::counted(first.nodes, "node"),
                first.binds.words()
            ),
        ),
        None => (
            "NONE",
            Tone::Bad,
            format!("no node size that was looked at holds it for {days} days"),
        ),
    };
    Block::Verdict {
        subject: report.demand.cluster.clone(),
        word: word.to_owned(),
        tone,
        rest,
    }
}

fn push_layouts(doc: &mut Doc, report: &Report, detail: Detail) {
    let shown: Vec<usize> = match detail.is_verbose {
        true => (0..report.layouts.len()).collect(),
        false => report.distinct().into_iter().take(MOST_LAYOUTS).collect(),
    };
    if shown.is_empty() {
        return;
    }
    doc.title(match &report.prices {
        Some(prices) => format!(
            "layouts that hold it, the cheapest first ({} of {}, {})",
            prices.currency, prices.date, prices.region
        ),
        None => "layouts that hold it, the least memory first".to_owned(),
    });
    let is_priced = report.prices.is_some();
    let mut table = Table::new(columns(is_priced));
    for n in &shown {
        let is_cheapest_reserved = report.cheapest_reserved == Some(*n);
        table.row(row(&report.layouts[*n], is_priced, is_cheapest_reserved));
    }
    doc.push(Block::Table(table));
    let more = report.layouts.len() - shown.len();
    let more = (more > 0).then(|| {
        let more = human::counted(more, "more layout");
        format!("{more}, of the same shape for more memory or further down (--verbose)")
    });
    let lines = more.into_iter().chain([
        "percentages are of what may be used; with fork: all memory of the node while it saves"
            .into(),
    ]);
    let unpriced = "goodcache knows no prices: give yours with --prices FILE (README: an example)";
    let lines = lines.chain((!is_priced).then(|| unpriced.to_owned()));
    let lines = lines.map(|line| Cell::new(line, Tone::Faint));
    doc.push(Block::Lines(lines.collect()));
}

fn columns(is_priced: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::left("SIZE", 0),
        Column::left("SERVICE", 3),
        Column::right("SHARDS", 0),
        Column::right("NODES", 0),
        Column::left("BINDS", 0),
        Column::right("MEMORY", 0),
        Column::right("WITH FORK", 4),
        Column::right("CPU", 2),
        Column::right("NETWORK", 4),
        Column::right("CLIENTS", 5),
        Column::right("PAID", 1),
    ];
    if is_priced {
        columns.push(Column::right("ON DEMAND", 0));
        columns.push(Column::right("RESERVED", 0));
        columns.push(Column::right("PAYS AFTER", 3));
    }
    columns
}

fn row(layout: &Layout, is_priced: bool, is_cheapest_reserved: bool) -> Vec<Cell> {
    let mut cells = vec![
        Cell::plain(&layout.size),
        Cell::plain(&layout.service),
        Cell::plain(layout.shards),
        Cell::plain(layout.nodes),
        Cell::plain(layout.binds.words()),
    ];
    cells.extend(terms(&layout.load));
    cells.push(Cell::plain(human::bytes(layout.memory_paid_bytes as u64)));
    if is_priced {
        cells.extend(costs(layout.cost.as_ref(), is_cheapest_reserved));
    }
    cells
}

/// How much of what may be used is used: memory, headroom, CPU, network, clients.
fn terms(load: &Load) -> Vec<Cell> {
    let known = |used: Option<f64>| used.map_or_else(Cell::unknown, used_cell);
    vec![
        used_cell(load.memory),
        used_cell(load.headroom),
        known(load.cpu),
        known(load.network),
        known(load.connections),
    ]
}

fn used_cell(used: f64) -> Cell {
    let tone = match used {
        used if used > 1.0 => Tone::Bad,
        used if used > TIGHT => Tone::Warn,
        _ => Tone::Plain,
    };
    Cell::new(human::percent(used * 100.0), tone)
}

fn costs(cost: Option<&Cost>, is_cheapest_reserved: bool) -> Vec<Cell> {
    let Some(cost) = cost else {
        return vec![Cell::unknown(), Cell::unknown(), Cell::unknown()];
    };
    let reserved = cost.reserved_per_month.map(money);
    vec![
        Cell::plain(money(cost.on_demand_per_month)),
        match (reserved, is_cheapest_reserved) {
            (Some(text), true) => Cell::new(text, Tone::Good),
            (Some(text), false) => Cell::plain(text),
            (None, _) => Cell::unknown(),
        },
        match (cost.reserved_per_month, cost.break_even_months) {
            (None, _) => Cell::none(),
            (Some(_), None) => Cell::new("never", Tone::Warn),
            (Some(_), Some(0.0)) => Cell::plain("at once"),
            (Some(_), Some(months)) => Cell::plain(format!("{months:.1} months")),
        },
    ]
}

fn money(amount: f64) -> String {
    format!("{}/month", human::count(amount.round() as u64))
}

fn push_neighbours(doc: &mut Doc, report: &Report, first: &Layout) {
    if report.neighbours.is_empty() {
        return;
    }
    doc.title(format!("one shard of {} more or less", first.size));
    let is_priced = report.prices.is_some();
    let mut columns = vec![
        Column::right("SHARDS", 0),
        Column::left("HOLDS", 0),
        Column::left("NEAREST", 0),
        Column::right("MEMORY", 0),
        Column::right("WITH FORK", 2),
        Column::right("CPU", 1),
        Column::right("NETWORK", 3),
        Column::right("CLIENTS", 4),
    ];
    if is_priced {
        columns.push(Column::right("ON DEMAND", 0));
    }
    let mut table = Table::new(columns);
    for neighbour in &report.neighbours {
        let mut cells = neighbour_cells(neighbour);
        if is_priced {
            let cost = neighbour.cost.map(|cost| money(cost.on_demand_per_month));
            cells.push(Cell::known(cost));
        }
        table.row(cells);
    }
    doc.push(Block::Table(table));
}

fn neighbour_cells(neighbour: &Neighbour) -> Vec<Cell> {
    let mut cells = vec![
        Cell::plain(neighbour.shards),
        match neighbour.holds {
            true => Cell::new("yes", Tone::Good),
            false => Cell::new("no", Tone::Bad),
        },
        Cell::plain(neighbour.binds.words()),
    ];
    cells.extend(terms(&neighbour.load));
    cells
}

fn push_family(doc: &mut Doc, report: &Report, detail: Detail) {
    let mut family: Vec<&Layout> = report.family.iter().collect();
    // A larger size that needs as many shards only costs more.
    if !detail.is_verbose {
        family.dedup_by_key(|layout| layout.shards);
    }
    if family.len() < 2 {
        return;
    }
    doc.title("smaller and more, or larger and fewer");
    let mut table = Table::new([
        Column::left("SIZE", 0),
        Column::right("SHARDS", 0),
        Column::right("NODES", 1),
        Column::right("A LOSS TOUCHES", 0),
        Column::right("REBUILT IN", 0),
        Column::right("IDLE OVERHEAD", 2),
        Column::right("PAID", 1),
    ]);
    for layout in family {
        table.row([
            Cell::plain(&layout.size),
            Cell::plain(layout.shards),
            Cell::plain(layout.nodes),
            Cell::plain(human::percent(layout.blast_percent)),
            Cell::plain(human::seconds(layout.full_sync_s)),
            Cell::plain(human::bytes(layout.overhead_bytes as u64)),
            Cell::plain(human::bytes(layout.memory_paid_bytes as u64)),
        ]);
    }
    doc.push(Block::Table(table));
}

fn memory(memory: &Memory) -> Vec<(String, Cell)> {
    [
        ("data today", memory.data_bytes),
        ("growth", memory.growth_bytes),
        ("skew", memory.skew_bytes),
        ("buffers", memory.buffers_bytes),
        ("slots on their way", memory.reshard_bytes),
        ("fragmentation", memory.fragmentation_bytes),
        ("copied by a fork", memory.copy_on_write_bytes),
        ("kept for a new replica", memory.resync_bytes),
        ("server and system", memory.fixed_bytes),
        ("in all", memory.total_bytes),
        ("spare", memory.spare_bytes),
    ]
    .into_iter()
    // Nothing is told of what takes nothing, such as growth that nobody knows.
    .filter(|(_, bytes)| *bytes >= 1.0)
    .map(|(name, bytes)| (name.to_owned(), Cell::plain(human::bytes(bytes as u64))))
    .collect()
}

fn push_unfit(doc: &mut Doc, report: &Report, detail: Detail) {
    if report.unfit.is_empty() || !(detail.is_verbose || report.layouts.is_empty()) {
        return;
    }
    doc.title("sizes that do not hold it");
    let lines = report.unfit.iter().map(|unfit| {
        let words = unfit.binds.words();
        Cell::plain(format!(
            "{}: {words} ({} times what fits): {}",
            unfit.size,
            human::rate(unfit.over),
            unfit.why
        ))
    });
    doc.push(Block::Lines(lines.collect()));
}

fn push_notes(doc: &mut Doc, report: &Report, detail: Detail) {
    let unknown = report
        .demand
        .unknown
        .iter()
        .map(|line| format!("not known: {line}"));
    let lines: Vec<Cell> = unknown
        .chain(report.notes.iter().cloned())
        .map(Cell::plain)
        .collect();
    if !lines.is_empty() {
        doc.title("notes");
        doc.push(Block::Lines(lines));
    }
    doc.faint(format!(
        "node sizes as of {}: what a cloud offers changes, look before you buy",
        report.catalogue_date
    ));
    if detail.is_verbose {
        doc.push(Block::Lines(
            report
                .sources
                .iter()
                .map(|s| Cell::new(s, Tone::Faint))
                .collect(),
        ));
    }
}
