//! Whether a snapshot is what was written: the verdict, what is wrong, and what was walked over.

use crate::ops::backup::keep::{LineProof, Verification, VerifyFault};
use crate::ops::backup::{Booted, BootedShard};
use crate::render::doc::{Block, Cell, Column, Doc, Entry, Table, Tone};
use crate::render::human;

/// Ranges of slots that are named in a line.
const SLOTS_NAMED: usize = 20;

/// A verification.
pub fn verify(found: &Verification) -> Doc {
    let mut doc = Doc::new();
    let (word, tone) = match found.is_sound() {
        true => ("SOUND", Tone::Good),
        false if found.faults.is_empty() => ("NOT RESTORABLE", Tone::Bad),
        false => ("DAMAGED", Tone::Bad),
    };
    doc.push(Block::Verdict {
        subject: found.id.to_string(),
        word: word.to_owned(),
        tone,
        rest: rest(found),
    });
    doc.push(Block::Findings(found.faults.iter().map(entry).collect()));
    if !found.shards.is_empty() {
        doc.push(Block::Table(shards(found)));
    }
    if let Some(line) = &found.line {
        doc.paragraph(line_words(line));
    }
    if let Some(boot) = &found.boot {
        booted(&mut doc, boot);
    }
    if !found.strays.is_empty() {
        doc.faint(format!(
            "{} in its folder that the manifest does not list: {}",
            match found.strays.len() {
                1 => "an object is".to_owned(),
                many => format!("{many} objects are"),
            },
            crate::model::words::listed(found.strays.iter().cloned(), 3),
        ));
    }
    if found.is_sound() && !found.is_data_read && found.boot.is_none() {
        doc.faint("sizes were compared and no byte was read: --read-data proves what is in it");
    }
    doc
}

fn line_words(line: &LineProof) -> String {
    let segments = human::counted(line.segments as usize, "segment");
    let bytes = human::bytes(line.bytes_stored);
    let seen = match line.commands {
        Some(commands) => format!(
            "{segments} read, {bytes}, {} commands",
            human::count(commands)
        ),
        None => format!("{segments} looked at, {bytes}"),
    };
    format!(
        "its time line goes from {} until {}: {seen}",
        human::timestamp(line.range.from_ms),
        human::timestamp(line.range.until_ms)
    )
}

fn booted(doc: &mut Doc, boot: &Booted) {
    doc.title(match &boot.server {
        Some(server) => format!("Booted by {server}"),
        None => "Not booted".to_owned(),
    });
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::right("LOADED IN", 0),
        Column::right("KEYS", 0),
        Column::right("PLAYED", 3),
        Column::right("SLOTS PROVEN", 0),
        Column::right("DIFFERING", 1),
        Column::right("CHANGED BY LOG", 2),
    ]);
    for shard in &boot.shards {
        let differing = shard.slots_differing.len() as u64;
        table.row([
            Cell::plain(shard.number),
            Cell::plain(human::millis(shard.load_ms as f64)),
            Cell::plain(human::count(shard.keys)),
            Cell::plain(human::count(shard.played)),
            Cell::plain(human::count(shard.slots_proven as u64)),
            Cell::new(
                human::count(differing),
                if differing > 0 {
                    Tone::Bad
                } else {
                    Tone::Plain
                },
            ),
            Cell::plain(human::count(shard.slots_logged as u64)),
        ]);
    }
    doc.push(Block::Table(table));
    for shard in boot.shards.iter().filter(|shard| !shard.is_sound()) {
        doc.paragraph(trouble(shard));
    }
    let overtaken: u64 = boot.shards.iter().map(|shard| shard.overtaken).sum();
    if overtaken > 0 {
        let commands = human::counted(usize::try_from(overtaken).unwrap_or(usize::MAX), "command");
        doc.faint(format!(
            "{commands} of the logs named keys whose time is over by now"
        ));
    }
}

fn trouble(shard: &BootedShard) -> String {
    let number = shard.number;
    let slots = shard.slots_differing.iter().map(|slot| slot.to_string());
    match (&shard.not_loaded, shard.refused.first()) {
        (Some(log), _) => format!("shard {number} was not loaded; the server's last words: {log}"),
        (None, Some(said)) => {
            format!("shard {number}: commands of the log were refused, the first: {said}")
        }
        (None, None) => format!(
            "shard {number}: other data than was kept, in slots {}",
            crate::model::words::listed(slots, SLOTS_NAMED)
        ),
    }
}

fn rest(found: &Verification) -> String {
    let objects = human::counted(found.objects as usize, "object");
    let bytes = human::bytes(found.bytes_stored);
    let seen = match (&found.snapshot, found.is_data_read) {
        (None, _) => "its manifest is not believed, so nothing of it is".to_owned(),
        (Some(_), true) => {
            let keys = found.shards.iter().map(|shard| shard.keys).sum();
            format!(
                "{objects} read, {bytes}, {} keys walked over",
                human::count(keys)
            )
        }
        (Some(_), false) => format!("{objects} looked at, {bytes}"),
    };
    match found.faults.len() {
        0 => seen,
        faults => format!("{}; {seen}", human::counted(faults, "fault")),
    }
}

fn entry(fault: &VerifyFault) -> Entry {
    let shard = fault
        .shard
        .map(|shard| format!("shard {shard}: "))
        .unwrap_or_default();
    let ranges = fault.slots.ranges().into_iter();
    let slots: Vec<String> = ranges
        .map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        })
        .collect();
    let seen = match slots.is_empty() {
        true => Vec::new(),
        false => vec![format!(
            "slots {}",
            crate::model::words::listed(slots, SLOTS_NAMED)
        )],
    };
    Entry {
        word: "FAULT".into(),
        tone: Tone::Bad,
        code: fault.code.into(),
        subject: fault.object.clone(),
        summary: format!("{shard}{}", fault.what),
        seen,
        next: vec![fault.next.clone()],
    }
}

fn shards(found: &Verification) -> Table {
    let mut table = Table::new([
        Column::right("SHARD", 0),
        Column::right("KEYS", 0),
        Column::right("EXPIRING", 2),
        Column::right("SLOTS PROVEN", 0),
        Column::right("COMMANDS", 1),
    ]);
    for shard in &found.shards {
        table.row([
            Cell::plain(shard.number),
            Cell::plain(human::count(shard.keys)),
            Cell::plain(human::count(shard.expires)),
            Cell::known(shard.slots_proven.map(|slots| human::count(slots as u64))),
            Cell::plain(human::count(shard.log_commands)),
        ]);
    }
    table
}
