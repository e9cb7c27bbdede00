//! One snapshot: what it is, what it was taken from, where it lies.

use super::cut;
use crate::archive::{Consistency, Manifest, Part, Protection, Shard, ShardNode};
use crate::model::Role;
use crate::ops::backup::keep::{Shown, ShownLine, ShownShard};
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human;

/// Nodes, shards and facts.
pub fn show(shown: &Shown) -> Doc {
    let manifest = &shown.manifest;
    let mut doc = Doc::new();
    doc.title(format!("{} of {}", manifest.id, manifest.cluster));
    doc.push(Block::KeyValues(facts(shown)));
    doc.push(Block::Table(shards(shown)));
    if let Some(line) = &shown.line {
        doc.push(Block::KeyValues(line_facts(line)));
    }
    doc.push(Block::Table(nodes(manifest)));
    doc.push(Block::Table(parts(&manifest.parts)));
    doc.push(Block::KeyValues(
        manifest
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), Cell::plain(value)))
            .collect(),
    ));
    doc
}

fn facts(shown: &Shown) -> Vec<(String, Cell)> {
    let (manifest, snapshot) = (&shown.manifest, &shown.snapshot);
    let took = std::time::Duration::from_millis(snapshot.duration_ms);
    let stall = match (manifest.write_stall_us, manifest.consistency) {
        (Some(us), _) => Cell::plain(human::micros(us)),
        (None, Consistency::Barrier) => Cell::unknown(),
        (None, _) => Cell::none(),
    };
    let servers: Vec<String> = manifest
        .servers
        .iter()
        .map(|server| {
            let nodes = human::counted(server.nodes as usize, "node");
            format!("{} {} ({nodes})", server.vendor, server.version)
        })
        .collect();
    let modules: Vec<String> = manifest
        .modules
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    let listed = |items: Vec<String>| match items.is_empty() {
        true => Cell::none(),
        false => Cell::plain(items.join(", ")),
    };
    [
        ("taken", Cell::plain(human::timestamp(snapshot.taken_at_ms))),
        ("cut", Cell::plain(cut_in_words(manifest.consistency))),
        ("write stall", stall),
        ("took", Cell::plain(human::duration(took))),
        ("keys", Cell::plain(human::count(snapshot.keys))),
        ("raw", Cell::plain(human::bytes(snapshot.bytes_raw))),
        ("stored", Cell::plain(human::bytes(snapshot.bytes_stored))),
        ("servers", listed(servers)),
        ("modules", listed(modules)),
        ("settings kept", Cell::plain(manifest.config.len())),
        (
            "taken by",
            Cell::plain(format!("goodcache {}", manifest.goodcache)),
        ),
        ("repository", Cell::plain(&shown.repository)),
        ("protection", Cell::plain(protection(shown.protection))),
    ]
    .map(|(name, cell)| (name.to_owned(), cell))
    .into()
}

/// What was archived after it.
fn line_facts(line: &ShownLine) -> Vec<(String, Cell)> {
    let until = human::timestamp(line.range.until_ms);
    let mut facts = vec![
        (
            "any moment from",
            Cell::plain(human::timestamp(line.range.from_ms)),
        ),
        ("until", Cell::plain(until)),
        (
            "archived",
            Cell::plain(format!(
                "{}, {}",
                human::counted(line.segments as usize, "segment"),
                human::bytes(line.bytes_stored)
            )),
        ),
    ];
    if let Some(why) = &line.ended {
        let next = match line.next_from_ms {
            Some(ms) => format!("; what follows begins at {}", human::timestamp(ms)),
            None => String::new(),
        };
        facts.push(("gap behind it", Cell::plain(format!("{why}{next}"))));
    }
    let gaps = line.gaps.iter();
    facts.extend(gaps.map(|gap| ("gap in it", Cell::new(gap, Tone::Bad))));
    facts
        .into_iter()
        .map(|(name, cell)| (name.to_owned(), cell))
        .collect()
}

fn cut_in_words(consistency: Consistency) -> String {
    let meaning = match consistency {
        Consistency::Barrier => "one moment for all shards",
        Consistency::Clock => "at one time of one clock, apart by its reach",
        Consistency::Scan => "not a snapshot: of different moments",
    };
    format!("{}: {meaning}", cut(consistency))
}

fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::None => "none: hashes find accidents, not an attacker",
        Protection::Signed => "signed: nothing is secret",
        Protection::Sealed => "sealed: encrypted and authenticated",
    }
}

fn shards(shown: &Shown) -> Table {
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("SLOTS", 2),
        Column::right("KEYS", 0),
        Column::right("EXPIRING", 3),
        Column::left("RDB", 4),
        Column::right("BASE", 0),
        Column::right("OBJECTS", 5),
        Column::right("COMMANDS", 1),
        Column::right("LOG", 1),
        Column::right("STORED", 0),
        Column::left("READ FROM", 6),
    ]);
    for (short, shard) in shown.shards.iter().zip(&shown.manifest.shards) {
        table.row(shard_row(short, shard));
    }
    table
}

fn shard_row(short: &ShownShard, shard: &Shard) -> [Cell; 11] {
    let read_from = shard
        .nodes
        .iter()
        .find(|node| Some(&node.id) == shard.read_from.as_ref());
    let ranges = shard.slots.ranges();
    let slots = match ranges.len() {
        0 => Cell::none(),
        1..=4 => Cell::plain(&shard.slots),
        many => Cell::plain(format!(
            "{} in {many} ranges",
            human::count(shard.slots.len() as u64)
        )),
    };
    [
        Cell::plain(short.number),
        slots,
        Cell::plain(human::count(shard.keys)),
        Cell::plain(human::count(shard.expires)),
        Cell::known((!shard.rdb.is_empty()).then_some(&shard.rdb)),
        Cell::plain(human::bytes(short.base_bytes_raw)),
        Cell::plain(short.base_objects),
        Cell::plain(human::count(short.log_commands)),
        Cell::plain(human::bytes(short.log_bytes_raw)),
        Cell::plain(human::bytes(short.bytes_stored)),
        Cell::known(read_from.map(|node| format!("{} ({})", node.addr, role(node.role)))),
    ]
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Master => "master",
        Role::Replica => "replica",
        Role::Unknown => "?",
    }
}

fn nodes(manifest: &Manifest) -> Table {
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::left("NODE", 0),
        Column::left("ROLE", 0),
        Column::right("EPOCH", 2),
        Column::left("HOST", 3),
        Column::left("ZONE", 3),
        Column::left("ID", 1),
    ]);
    for (number, shard) in (1..).zip(&manifest.shards) {
        for node in &shard.nodes {
            table.row(node_row(number, node));
        }
    }
    table
}

fn node_row(shard: usize, node: &ShardNode) -> [Cell; 7] {
    let known = |word: &Option<String>| word.as_ref().map_or_else(Cell::none, Cell::plain);
    [
        Cell::plain(shard),
        Cell::plain(&node.addr),
        Cell::plain(role(node.role)),
        Cell::plain(node.epoch),
        known(&node.host),
        known(&node.zone),
        Cell::plain(&node.id),
    ]
}

fn parts(parts: &[Part]) -> Table {
    let mut table = Table::new([
        Column::left("PART", 0),
        Column::right("ENTRIES", 1),
        Column::right("RAW", 0),
    ]);
    for part in parts {
        table.row([
            Cell::plain(part.kind.as_str()),
            Cell::plain(human::count(part.chunk.entries)),
            Cell::plain(human::bytes(part.chunk.raw_bytes)),
        ]);
    }
    table
}
