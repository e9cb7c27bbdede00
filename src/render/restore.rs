//! What `restore` says before and after.

mod plan;

use std::time::Duration;

pub use plan::plan;

use crate::model::words::timestamp;
use crate::ops::restore::{Proof, Restored};
use crate::render::doc::{Block, Cell, Column, Doc, Table, Tone};
use crate::render::human::{bytes, count, counted, duration, millis};

/// Differing keys that are named in a table.
const NAMED: usize = 20;

/// What it came to.
pub fn restored(target: &str, restored: &Restored) -> Doc {
    let mut doc = Doc::new();
    let (word, tone) = match (restored.is_whole(), restored.proof.is_some()) {
        (true, true) => ("RESTORED", Tone::Good),
        (true, false) => ("RESTORED, NOT PROVEN", Tone::Warn),
        (false, _) => ("NOT ALL RESTORED", Tone::Bad),
    };
    doc.push(Block::Verdict {
        subject: target.to_owned(),
        word: word.to_owned(),
        tone,
        rest: format!(
            "{}snapshot {} of {}, in {}{}",
            match restored.moment_ms == restored.taken_at_ms {
                true => String::new(),
                false => format!("as it was at {}: ", timestamp(restored.moment_ms)),
            },
            restored.snapshot,
            timestamp(restored.taken_at_ms),
            duration(Duration::from_millis(restored.duration_ms)),
            match restored.proof.as_ref().map_or(0, |proof| proof.played) {
                0 => String::new(),
                played => format!("; {} played, not compared", keys(played)),
            }
        ),
    });
    doc.push(Block::KeyValues(facts(restored)));
    for reason in &restored.impossible {
        doc.paragraph(format!(
            "{} cannot go to this target: {}; the first: {}",
            keys(reason.keys),
            reason.why,
            reason.first
        ));
    }
    for database in &restored.databases {
        doc.paragraph(format!(
            "{} of database {}, which the target does not have; the first: {}",
            keys(database.keys),
            database.db,
            database.first
        ));
    }
    if restored.in_the_way > 0 {
        doc.paragraph(format!(
            "{} that the logs change came into the target meanwhile: left as they are (--replace \
             replaces them)",
            keys(restored.in_the_way)
        ));
    }
    if restored.refused > 0 {
        let commands = many(restored.refused, "command");
        doc.title(format!("{commands} refused by the target"));
        let mut table = Table::new([
            Column::left("COMMAND", 1),
            Column::left("KEY", 0),
            Column::left("THE SERVER'S WORDS", 0),
        ]);
        for refused in restored.first_refused.iter().take(NAMED) {
            table.row([
                Cell::plain(&refused.command),
                Cell::plain(&refused.key),
                Cell::plain(&refused.said),
            ]);
        }
        doc.push(Block::Table(table));
    }
    if let Some(proof) = restored.proof.as_ref().filter(|proof| !proof.is_equal()) {
        differing(&mut doc, proof);
    }
    for remark in &restored.remarks {
        doc.paragraph(format!("note: {remark}"));
    }
    doc
}

fn facts(restored: &Restored) -> Vec<(String, Cell)> {
    let fact = |name: &str, words: String| (name.to_owned(), Cell::plain(words));
    let seconds = restored.load_ms.max(1) as f64 / 1000.0;
    let mut facts = vec![fact(
        "sent",
        format!(
            "{}, {} in {} ({}/s)",
            keys(restored.keys),
            bytes(restored.bytes),
            millis(restored.load_ms as f64),
            bytes((restored.bytes as f64 / seconds) as u64)
        ),
    )];
    if restored.is_resumed {
        let words = "where an earlier run stopped; what that one sent is not counted above";
        facts.push(fact("went on", words.to_owned()));
    }
    let mut add = |name: &str, number: u64, noun: &str, words: &str| {
        if number > 0 {
            facts.push(fact(name, format!("{} {words}", many(number, noun))));
        }
    };
    add(
        "expired",
        restored.expired,
        "key",
        "whose time was over: not sent",
    );
    add("kept", restored.kept, "key", "that the target had already");
    add(
        "in parts",
        restored.in_parts,
        "large key",
        "sent piece by piece, so that no command took long",
    );
    add(
        "played",
        restored.log_commands,
        "command",
        "that came between the data and the cut",
    );
    add(
        "overtaken",
        restored.log_overtaken,
        "command",
        "about keys that were not there: without effect",
    );
    add(
        "sent again",
        restored.sent_again,
        "command",
        "for the target had changed meanwhile",
    );
    if !restored.warmth.is_empty() {
        let steps: Vec<String> = restored
            .warmth
            .iter()
            .map(|step| format!("{} % after {}", step.percent, millis(step.after_ms as f64)))
            .collect();
        facts.push(fact("heat back", steps.join(", ")));
    }
    if let Some(ms) = restored.slowest_answer_ms {
        let mut words = format!("PING took {} at the most beside the load", millis(ms));
        let late = restored.held_back.map_or(0, |held| held.late_answers);
        if late > 0 {
            let late = counted(late as usize, "late answer");
            words.push_str(&format!("; {late} held it back"));
        }
        facts.push(fact("latency", words));
    }
    if let Some(proof) = &restored.proof {
        facts.push(proven(proof));
        facts.extend(left_out(proof));
    }
    facts
}

fn proven(proof: &Proof) -> (String, Cell) {
    let words = format!(
        "{} in {} read back and equal",
        keys(proof.keys_equal),
        counted(proof.slots_equal, "slot")
    );
    let tone = match proof.is_equal() {
        true => Tone::Good,
        false => Tone::Plain,
    };
    ("proof".to_owned(), Cell::new(words, tone))
}

/// What the proof says nothing of.
fn left_out(proof: &Proof) -> Option<(String, Cell)> {
    let reasons = [
        (proof.ending, "about to expire"),
        (proof.played, "that the logs change"),
    ];
    let reasons = reasons.iter().filter(|(number, _)| *number > 0);
    let words: Vec<String> = reasons
        .map(|(number, why)| format!("{} {why}", keys(*number)))
        .collect();
    (!words.is_empty()).then(|| ("not compared".to_owned(), Cell::plain(words.join(", "))))
}

fn differing(doc: &mut Doc, proof: &Proof) {
    doc.title(format!(
        "{} missing, {} different, {} too many, in {}",
        count(proof.missing),
        count(proof.different),
        count(proof.extra),
        counted(proof.slots_differing.len(), "slot")
    ));
    let mut table = Table::new([
        Column::right("SLOT", 1),
        Column::left("KEY", 0),
        Column::left("HOW", 0),
    ]);
    for fault in proof.first.iter().take(NAMED) {
        table.row([
            Cell::plain(fault.slot),
            Cell::plain(&fault.key),
            Cell::plain(fault.how),
        ]);
    }
    doc.push(Block::Table(table));
    if proof.first.len() > NAMED {
        doc.faint("more are in -o json");
    }
}

fn keys(number: u64) -> String {
    many(number, "key")
}

fn many(number: u64, noun: &str) -> String {
    counted(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

#[cfg(test)]
mod tests;
