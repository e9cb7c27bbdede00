//! What `restore` would do, before it does it: where from and where to, what each master gets and has
//! room for, and what becomes of what is there.

use super::keys;
use crate::model::Vendor;
use crate::model::words::timestamp;
use crate::ops::restore::{Existing, Plan, Refusal, Resumed, Share};
use crate::render::doc::{Block, Cell, Column, Doc, Entry, Table, Tone};
use crate::render::human::{bytes, count, counted, millis};

/// A plan.
pub fn plan(plan: &Plan) -> Doc {
    let mut doc = Doc::new();
    let (word, tone) = match plan.refusals.is_empty() {
        true => ("PLAN", Tone::Strong),
        false => ("REFUSED", Tone::Bad),
    };
    let source = &plan.source;
    doc.push(Block::Verdict {
        subject: plan.target.clone(),
        word: word.to_owned(),
        tone,
        rest: format!(
            "snapshot {} of {}, {}: {}, {}",
            source.snapshot,
            source.cluster,
            timestamp(source.taken_at_ms),
            keys(plan.keys),
            bytes(plan.bytes)
        ),
    });
    doc.push(Block::Findings(plan.refusals.iter().map(refusal).collect()));
    doc.push(Block::Table(shares(&plan.masters)));
    doc.push(Block::KeyValues(facts(plan)));
    for warning in &plan.warnings {
        doc.paragraph(format!("note: {warning}"));
    }
    doc.faint("nothing was changed");
    doc
}

fn refusal(refusal: &Refusal) -> Entry {
    Entry {
        word: "FAULT".into(),
        tone: Tone::Bad,
        code: String::new(),
        subject: String::new(),
        summary: refusal.what.clone(),
        seen: Vec::new(),
        next: vec![refusal.next.clone()],
    }
}

fn shares(shares: &[Share]) -> Table {
    let mut table = Table::new([
        Column::left("MASTER", 0),
        Column::left("SERVER", 6),
        Column::right("SLOTS", 7),
        Column::right("HOLDS", 3),
        Column::right("GETS", 0),
        Column::right("BYTES", 1),
        Column::right("NEEDS ABOUT", 0),
        Column::right("USED", 4),
        Column::right("LIMIT", 2),
        Column::left("POLICY", 5),
    ]);
    for share in shares {
        let master = &share.master;
        table.row([
            Cell::plain(&master.addr),
            Cell::plain(server(share)),
            Cell::plain(count(master.slots.len() as u64)),
            Cell::plain(count(master.keys)),
            Cell::plain(count(share.gets_keys)),
            Cell::plain(bytes(share.gets_bytes)),
            Cell::plain(bytes(share.needs_memory)),
            Cell::plain(bytes(master.used_memory)),
            Cell::plain(match master.maxmemory {
                0 => "none".to_owned(),
                limit => bytes(limit),
            }),
            Cell::plain(&master.policy),
        ]);
    }
    table
}

fn server(share: &Share) -> String {
    let vendor = match share.master.vendor {
        Vendor::Redis => "redis",
        Vendor::Valkey => "valkey",
    };
    format!("{vendor} {}", share.master.version)
}

fn facts(plan: &Plan) -> Vec<(String, Cell)> {
    let mut facts = Vec::new();
    let mut fact = |name: &str, words: String| facts.push((name.to_owned(), Cell::plain(words)));
    fact("from", plan.source.place.clone());
    fact("there", there(plan));
    if let Some(at_ms) = plan.moment_ms {
        let at = timestamp(at_ms);
        fact(
            "moment",
            format!("{at}: the snapshot, then every write from it on up to that moment"),
        );
    }
    fact("comes", comes(plan));
    if !plan.types.is_empty() {
        let types = plan.types.iter();
        let types: Vec<String> = types
            .map(|(name, keys)| format!("{} {name}", count(*keys)))
            .collect();
        fact("types", types.join(", "));
    }
    fact("servers", servers(plan));
    fact(
        "logs",
        match plan.log_commands {
            0 => "nothing came between the data and the cut".to_owned(),
            commands => format!(
                "{} to play behind the data",
                super::many(commands, "command")
            ),
        },
    );
    fact("clocks", clocks(plan));
    if let Some(resumed) = &plan.resumed {
        fact("goes on", goes_on(resumed));
    }
    let expected = &plan.expected;
    fact(
        "takes",
        format!(
            "about {} to {}: {}",
            millis(expected.least_ms as f64),
            millis(expected.most_ms as f64),
            expected.basis
        ),
    );
    facts
}

/// What becomes of what the target holds.
fn there(plan: &Plan) -> String {
    let becomes = match plan.existing {
        _ if plan.target_keys == 0 => return "the target holds no keys".to_owned(),
        Existing::Flush if plan.resumed.as_ref().is_some_and(|run| run.is_emptied) => {
            "it was emptied by the run before this one, and is not again"
        }
        Existing::Flush => "all are removed first",
        Existing::Replace => "those that come are replaced, the others stay",
        Existing::Skip => "all stay as they are, and only keys that are absent come",
        Existing::Refuse if plan.resumed.is_some() => {
            "among them what the run before this one sent; all stay as they are"
        }
        Existing::Refuse => "what becomes of them must be said",
    };
    format!("the target holds {}: {becomes}", keys(plan.target_keys))
}

/// How much comes.
fn comes(plan: &Plan) -> String {
    let sum = |of: fn(&Share) -> u64| plan.masters.iter().map(of).sum::<u64>();
    let (gets, size) = (sum(|share| share.gets_keys), sum(|share| share.gets_bytes));
    let most = match plan.is_at_most {
        true => "at most ",
        false => "",
    };
    let why = match plan.is_at_most {
        true => "; how many fit is known when they were read",
        false => "",
    };
    let needs = bytes(sum(|share| share.needs_memory));
    format!(
        "{most}{}, {}, which need about {needs} of memory{why}",
        keys(gets),
        bytes(size)
    )
}

/// From which servers to which, and how values fare between them.
fn servers(plan: &Plan) -> String {
    let mut to: Vec<String> = plan.masters.iter().map(server).collect();
    to.sort();
    to.dedup();
    let from = match plan.source.servers.as_slice() {
        [] => "?".to_owned(),
        servers => servers.join(", "),
    };
    let values = &plan.values;
    let ways = [
        (values.as_they_are, "as they are"),
        (values.in_another_layout, "in an older layout"),
        (
            values.unless_fields_expire,
            "in an older layout unless fields expire",
        ),
        (values.cannot_go, "not at all"),
    ];
    let ways = ways.iter().filter(|(number, _)| *number > 0);
    let ways: Vec<String> = ways
        .map(|(number, how)| format!("{} {how}", keys(*number)))
        .collect();
    let ways = match ways.is_empty() {
        true => String::new(),
        false => format!(": {}", ways.join(", ")),
    };
    format!("{from} to {}{ways}", to.join(", "))
}

/// How far the clocks by which keys expire are off.
fn clocks(plan: &Plan) -> String {
    let masters = plan.masters.iter();
    let off: Vec<u64> = masters
        .filter_map(|share| Some(share.master.clock_ahead_ms?.unsigned_abs()))
        .collect();
    let silent = plan.masters.len() - off.len();
    let told = off.into_iter().max().map_or_else(
        || "?".to_owned(),
        |most| format!("within {} of this machine's", millis(most as f64)),
    );
    match silent {
        0 => told,
        _ if told == "?" => told,
        silent => format!("{told}; {} did not say", counted(silent, "master")),
    }
}

fn goes_on(resumed: &Resumed) -> String {
    let mut words = format!(
        "where the same command stopped, which began {}: {} of {} are in",
        timestamp(resumed.began_ms),
        count(resumed.pieces_done as u64),
        counted(resumed.pieces, "piece")
    );
    if resumed.is_old {
        words.push_str("; that is more than a day ago, so the target's name is asked for");
    }
    words
}
