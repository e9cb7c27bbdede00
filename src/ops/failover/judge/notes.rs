//! What a reader should know besides: what bends the figures, and what a count alone does not say.

use super::names::Names;
use super::promotion::Succession;
use super::timeline::undone_by_others;
use super::when::{error_ms, is_held, is_starved, ms_between, spoken, struck_shards};
use crate::model::{Account, Recording, Round, words};

/// Every note, by round.
pub fn notes(
    recording: &Recording,
    changes: &[Succession],
    phantoms: Vec<String>,
    names: &Names,
) -> Vec<String> {
    let mut notes: Vec<String> = short_of_replicas(recording).into_iter().collect();
    for round in &recording.rounds {
        notes.extend(of_round(round, names));
        notes.extend(of_masters(round, changes, names));
        let accounts = round.writes.iter();
        notes.extend(accounts.flat_map(|account| of_writes(round, account, recording.load.rate)));
    }
    notes.extend(phantoms);
    notes
}

/// Shards that take no writes with a node missing.
fn short_of_replicas(recording: &Recording) -> Option<String> {
    let least = recording.conditions.min_replicas_to_write;
    let is_short = |replicas: usize| (replicas as u64) <= least;
    let shards = recording.shards.iter();
    let short: Vec<String> = shards
        .filter(|shard| is_short(shard.replicas.len()))
        .map(|shard| shard.number.to_string())
        .collect();
    (least > 0 && !short.is_empty()).then(|| {
        format!(
            "min-replicas-to-write is {least}: with a node missing shard {} has too few replicas, \
             and a new master takes no writes (NOREPLICAS) until it is back",
            words::listed(short, 5)
        )
    })
}

fn of_round(round: &Round, names: &Names) -> Vec<String> {
    let number = round.number;
    let mut notes = Vec::new();
    if is_held(round) {
        notes.push(format!(
            "round {number}: it was left broken, so that healing and redundancy were not judged"
        ));
    }
    if is_starved(round) {
        let error = spoken(error_ms(round));
        notes.push(format!(
            "round {number}: the load itself was held up by {error} (99th percentile), so its times \
             may be off by as much"
        ));
    }
    let undone = undone_by_others(round, names);
    notes.extend(undone.map(|(node, at_ms)| {
        format!(
            "round {number}: {node} answered again {} into the round, before goodcache put it back: \
             somebody else undid the fault (a restart policy, an operator, a supervisor)",
            spoken(at_ms)
        )
    }));
    let repairs = round.repairs.iter();
    notes.extend(repairs.map(|repair| {
        format!("round {number}: repaired by goodcache, not by the cluster: {repair}")
    }));
    notes
}

/// Masters that changed where or when nobody struck them.
fn of_masters(round: &Round, changes: &[Succession], names: &Names) -> Vec<String> {
    let struck = struck_shards(round);
    let mut notes = Vec::new();
    for change in changes.iter().filter(|c| c.round == round.number) {
        let is_first =
            |other: &&Succession| other.round == change.round && other.shard == change.shard;
        let is_later = changes.iter().find(is_first) != Some(change);
        let (to, from) = (names.word(&change.seen.to), names.word(&change.from));
        let place = format!("round {}, shard {}", round.number, change.shard);
        let at = spoken(ms_between(0, change.seen.at_us));
        let asked = super::when::asked_at(round);
        let is_before = asked.is_none_or(|asked| change.seen.at_us < asked);
        match struck.contains(&change.shard) {
            _ if change.is_handed_back => {}
            _ if is_before => notes.push(format!(
                "{place}: {to} took over from {from} {at} into the round, before the fault: by \
                 another hand"
            )),
            false => notes.push(format!(
                "{place}: {to} took over from {from} {at} into the round, though this shard was not \
                 struck"
            )),
            true if is_later => notes.push(format!(
                "{place}: {to} took over from {from} {at} into the round: the lead changed more than \
                 once"
            )),
            true => {}
        }
    }
    notes
}

/// What the counts of writes mean.
fn of_writes(round: &Round, account: &Account, rate: u32) -> Vec<String> {
    let place = format!("round {}, shard {}", round.number, account.shard);
    let mut notes = Vec::new();
    let some = |count: u64, one: &str, many: &str| {
        words::plural(usize::try_from(count).unwrap_or(usize::MAX), one, many)
    };
    if let Some((first, last)) = account.lost_between_us.filter(|_| account.lost > 0) {
        notes.push(format!(
            "{place}: the {} were acknowledged from {} to {} into the round",
            some(account.lost, "lost write", "lost writes"),
            spoken(ms_between(0, first)),
            spoken(ms_between(0, last)),
        ));
    }
    if account.split_brain > 0 {
        let span = match rate {
            0 => String::new(),
            rate => {
                let ms = account.split_brain as f64 * 1000.0 / f64::from(rate);
                format!(", {} of them at {rate} a second", spoken(ms))
            }
        };
        notes.push(format!(
            "{place}: two masters at once: the old one took {} after the new one had begun{span}",
            some(account.split_brain, "write", "writes"),
        ));
    }
    if account.phantom > 0 {
        notes.push(format!(
            "{place}: {} refused and there all the same: a client that tries again writes twice",
            some(account.phantom, "write was", "writes were"),
        ));
    }
    if account.stale_reads > 0 {
        notes.push(format!(
            "{place}: {} an acknowledged write",
            some(account.stale_reads, "read missed", "reads missed"),
        ));
    }
    if account.resurrected > 0 {
        notes.push(format!(
            "{place}: {} a read and there at the end",
            some(
                account.resurrected,
                "write was missed by",
                "writes were missed by"
            ),
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::super::promotion::successions;
    use super::*;
    use crate::model::{Change, Fault};
    use crate::ops::failover::samples::{self, saw};

    fn of(recording: &Recording) -> Vec<String> {
        let names = Names::of(recording);
        let found = successions(recording, &names);
        notes(recording, &found.real, found.phantoms, &names)
    }

    #[test]
    fn a_drill_that_went_by_the_book_needs_no_note() {
        assert!(of(&samples::killed_master()).is_empty());
        assert!(of(&samples::recording(vec![])).is_empty());
    }

    #[test]
    fn counts_are_put_in_words() {
        let mut recording = samples::lost_writes();
        recording.rounds[0].writes[0].phantom = 1;
        let notes = of(&recording);
        let begins = [
            "the 512 lost writes were acknowledged from 2.01 s to 5.30 s",
            "two masters at once: the old one took 34 writes after the new one had begun, 170 ms",
            "1 write was refused and there",
            "120 reads missed an acknowledged write",
            "3 writes were missed by a read",
        ];
        assert_eq!(notes.len(), begins.len(), "{notes:#?}");
        for (note, begin) in notes.iter().zip(begins) {
            assert!(
                note.starts_with(&format!("round 1, shard 1: {begin}")),
                "{note}"
            );
        }
    }

    #[test]
    fn what_bends_the_figures_is_said() {
        let mut recording = samples::killed_master();
        recording.conditions.min_replicas_to_write = 1;
        let round = &mut recording.rounds[0];
        round.repairs = vec!["introduced 127.0.0.1:7001 to 127.0.0.1:7005".into()];
        round.sightings.push(saw(3_000, 1, 1, Change::Answers));
        let leads = |at, of, epoch| [2, 3, 5, 6].map(|by| saw(at, by, of, Change::Leads(epoch)));
        round.sightings.extend(leads(1_000, 5, 20));
        round.sightings.extend(leads(6_500, 6, 21));
        let notes = of(&recording);
        for (note, part) in notes.iter().zip([
            "min-replicas-to-write is 1: with a node missing shard 1, 2, 3",
            "somebody else undid the fault",
            "repaired by goodcache",
            "shard 2: 127.0.0.1:7005 took over from 127.0.0.1:7002 1.00 s into the round, before",
            "shard 3: 127.0.0.1:7006 took over from 127.0.0.1:7003 6.50 s into the round, though",
        ]) {
            assert!(note.contains(part), "{note} lacks {part}");
        }
        assert_eq!(notes.len(), 5, "{notes:#?}");
    }

    #[test]
    fn flapping_and_holding() {
        let mut recording = samples::killed_master();
        let deeds = &mut recording.rounds[0].deeds;
        deeds.retain(|deed| deed.what != crate::model::Act::RolesRestored);
        let notes = of(&recording);
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].contains("the lead changed more than once"),
            "{notes:?}"
        );
        let held = samples::recording(vec![samples::quiet_round(Fault::Kill, 4_000)]);
        assert!(of(&held)[0].contains("left broken"));
    }
}
