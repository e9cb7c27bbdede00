//! What `backup` says of the snapshot that it took.

use serde::Serialize;

use crate::archive::{Consistency, Manifest, Shard};
use crate::ops::backup::{Taken, keep};
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human::{bytes, count, counted, duration, micros};

/// The answer in words.
pub fn taken(taken: &Taken, place: &str) -> Doc {
    let manifest = &taken.manifest;
    let mut doc = Doc::new();
    doc.push(Block::Verdict {
        subject: manifest.cluster.clone(),
        word: "TAKEN".into(),
        tone: Tone::Good,
        rest: format!(
            "snapshot {} in {}",
            manifest.id,
            duration(std::time::Duration::from_millis(manifest.took_ms))
        ),
    });
    doc.push(Block::Table(table(manifest)));
    doc.push(Block::KeyValues(facts(taken, place)));
    for remark in &taken.remarks {
        doc.paragraph(format!("note: {remark}"));
    }
    doc.faint(format!(
        "prove it: goodcache backup verify {} --read-data",
        manifest.id
    ));
    doc
}

fn table(manifest: &Manifest) -> Table {
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("READ FROM", 1),
        Column::right("SLOTS", 3),
        Column::right("KEYS", 0),
        Column::right("EXPIRING", 4),
        Column::right("BYTES", 0),
        Column::right("STORED", 2),
        Column::right("LOG", 5),
    ]);
    for (number, shard) in (1..).zip(&manifest.shards) {
        table.row([
            Cell::plain(number),
            Cell::plain(read_from(shard)),
            Cell::plain(count(shard.slots.len() as u64)),
            Cell::plain(count(shard.keys)),
            Cell::plain(count(shard.expires)),
            Cell::plain(bytes(raw(shard))),
            Cell::plain(bytes(stored(shard))),
            Cell::plain(bytes(shard.cut_offset - shard.base_offset)),
        ]);
    }
    table
}

fn read_from(shard: &Shard) -> String {
    let node = (shard.nodes.iter()).find(|node| Some(&node.id) == shard.read_from.as_ref());
    match node {
        Some(node) => format!("{} {}", role(node.role), node.addr),
        None => "?".to_owned(),
    }
}

fn role(role: crate::model::Role) -> &'static str {
    match role {
        crate::model::Role::Master => "master",
        crate::model::Role::Replica => "replica",
        crate::model::Role::Unknown => "node",
    }
}

fn raw(shard: &Shard) -> u64 {
    let chunks = shard.base.iter().chain(&shard.log);
    chunks.map(|chunk| chunk.raw_bytes).sum()
}

fn stored(shard: &Shard) -> u64 {
    let chunks = shard.base.iter().chain(&shard.log).chain(&shard.slot_table);
    chunks.map(|chunk| chunk.stored_bytes).sum()
}

fn facts(taken: &Taken, place: &str) -> Vec<(String, Cell)> {
    let manifest = &taken.manifest;
    let all: u64 = manifest.shards.iter().map(raw).sum();
    let mut facts = vec![
        fact("cut", cut(manifest)),
        fact(
            "stored",
            format!(
                "{} of {} in {place}",
                bytes(manifest.stored_bytes()),
                bytes(all)
            ),
        ),
    ];
    if taken.log_bytes > 0 {
        facts.push(fact(
            "log",
            format!(
                "{} of commands between the data and the cut, in {}",
                bytes(taken.log_bytes),
                counted(taken.logged_slots, "slot")
            ),
        ));
    }
    if taken.tries > 1 {
        facts.push(fact("tries", taken.tries.to_string()));
    }
    facts
}

fn fact(name: &str, words: String) -> (String, Cell) {
    (name.to_owned(), Cell::plain(words))
}

fn cut(manifest: &Manifest) -> String {
    match (manifest.consistency, manifest.write_stall_us) {
        (Consistency::Barrier, Some(stall)) => {
            format!(
                "one moment for all shards; writes stood still for {}",
                micros(stall)
            )
        }
        (Consistency::Barrier, None) => "one moment for all shards".to_owned(),
        (Consistency::Clock, _) => "by the clock: shards apart by what was on its way".to_owned(),
        (Consistency::Scan, _) => {
            "none: not a snapshot, keys were read one after the other".to_owned()
        }
    }
}

/// The answer as data.
#[derive(Debug, Serialize)]
pub struct TakenReport<'a> {
    snapshot: Snapshot,
    remarks: &'a [String],
}

/// What a list says of it, and what only its taking tells.
#[derive(Debug, Serialize)]
struct Snapshot {
    #[serde(flatten)]
    short: keep::Snapshot,
    expires: u64,
    log_bytes: u64,
    logged_slots: usize,
    tries: u32,
}

/// The answer as data.
pub fn taken_report(taken: &Taken) -> TakenReport<'_> {
    let shards = &taken.manifest.shards;
    TakenReport {
        snapshot: Snapshot {
            short: keep::Snapshot::of(&taken.manifest),
            expires: shards.iter().map(|shard| shard.expires).sum(),
            log_bytes: taken.log_bytes,
            logged_slots: taken.logged_slots,
            tries: taken.tries,
        },
        remarks: &taken.remarks,
    }
}
