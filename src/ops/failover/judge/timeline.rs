//! A round as a story: what happened, in the order of time, with who saw it.

use std::collections::BTreeSet;

use super::super::report::{Moment, RoundReport};
use super::names::Names;
use super::outage::windows_after;
use super::promotion::{Failing, Succession};
use super::when::{all_targets, ms, spoken};
use crate::model::{
    Act, Change, Fault, NodeId, Outcome, Resync, Role, Round, Sighting, Victim, words,
};

/// One round in short.
pub fn told(round: &Round, changes: &[Succession], names: &Names) -> RoundReport {
    let mut moments = deeds(round, names);
    moments.extend(failing(round, changes, names));
    moments.extend(promoted(round, changes, names));
    moments.extend(writes(round));
    moments.extend(back(round, names));
    moments.sort_by(|a, b| a.at_ms.total_cmp(&b.at_ms));
    RoundReport {
        round: round.number,
        name: round.name.clone(),
        fault: round.fault,
        targets: round.targets.iter().map(target).collect(),
        timeline: moments,
        not_whole: round.not_whole.clone(),
    }
}

/// `127.0.0.1:7001 (master of shard 1, process 4711)`.
fn target(victim: &Victim) -> String {
    match victim.place.as_str() {
        "" => format!(
            "{} ({} of shard {})",
            victim.addr, victim.role, victim.shard
        ),
        place => format!(
            "{} ({} of shard {}, {place})",
            victim.addr, victim.role, victim.shard
        ),
    }
}

fn moment(at_us: u64, what: &'static str, shard: Option<usize>, words: String) -> Moment {
    Moment {
        at_ms: ms(at_us),
        what,
        shard,
        words,
    }
}

/// What goodcache did, the second fault, and what had got back into step when all was whole.
fn deeds(round: &Round, names: &Names) -> Vec<Moment> {
    let mut moments = Vec::new();
    let strike = |fault: Fault, targets: &[Victim]| {
        let targets = words::listed(targets.iter().map(target), 3);
        format!("{fault} of {targets}")
    };
    let of_all = all_targets(round).map(|victim| names.word(&victim.id));
    let victims = words::listed(of_all, 3);
    for deed in &round.deeds {
        let (what, words) = match deed.what {
            Act::FaultAsked => ("fault", strike(round.fault, &round.targets)),
            Act::FaultDone => ("fault_done", format!("{} is done", round.fault)),
            Act::HealAsked => ("heal", format!("{victims} is being put back")),
            Act::HealDone => ("heal_done", format!("{victims} is put back")),
            Act::Whole => (
                "whole",
                "every view agrees, every replica follows".to_owned(),
            ),
            Act::RolesRestored => (
                "roles_restored",
                "the masters of before lead again".to_owned(),
            ),
        };
        if deed.what == Act::Whole {
            let at = |resync: &Resync| moment(deed.at_us, "resync", None, resynced(resync));
            moments.extend(round.resyncs.iter().map(at));
        }
        moments.push(moment(deed.at_us, what, None, words));
    }
    if let Some(second) = &round.second {
        let words = strike(second.fault, &second.targets);
        moments.push(moment(second.at_us, "second_fault", None, words));
    }
    moments
}

/// By then: when within the recovery it ended is not recorded.
fn resynced(resync: &Resync) -> String {
    let kind = if resync.is_full { "full" } else { "partial" };
    let bytes = resync
        .bytes
        .map(|count| format!(", {}", words::bytes(count)));
    format!(
        "{} is in step by then ({kind} resync{})",
        resync.node,
        bytes.unwrap_or_default()
    )
}

/// When each master that was struck was first suspected, and first had failed.
fn failing(round: &Round, changes: &[Succession], names: &Names) -> Vec<Moment> {
    let mut moments = Vec::new();
    for victim in all_targets(round).filter(|victim| victim.role == Role::Master) {
        let shard = Some(victim.shard);
        let successor = changes
            .iter()
            .find(|change| change.round == round.number && change.from == victim.id);
        let until_us = successor.map_or(u64::MAX, |change| change.seen.at_us);
        let failing = Failing::of(round, &victim.id, until_us);
        if let Some(seen) = failing.suspected {
            let words = format!("{} suspects {} (fail?)", names.word(&seen.by), victim.addr);
            moments.push(moment(seen.at_us, "suspected", shard, words));
        }
        if let Some(seen) = failing.failed {
            let words = format!(
                "{} has {} as failed, {} in the end",
                names.word(&seen.by),
                victim.addr,
                words::counted(views(round, &victim.id, &Change::Failed), "view"),
            );
            moments.push(moment(seen.at_us, "failed", shard, words));
        }
    }
    moments
}

/// How many nodes said that of a node.
fn views(round: &Round, of: &NodeId, what: &Change) -> usize {
    let seen = round.sightings.iter();
    let by: BTreeSet<&NodeId> = seen
        .filter(|seen| seen.of == *of && seen.by != *of && seen.what == *what)
        .map(|seen| &seen.by)
        .collect();
    by.len()
}

fn promoted(round: &Round, changes: &[Succession], names: &Names) -> Vec<Moment> {
    let of_round = changes
        .iter()
        .filter(|change| change.round == round.number && !change.is_handed_back);
    of_round
        .map(|change| {
            let words = format!(
                "{} leads by epoch {} in a majority of views",
                names.word(&change.seen.to),
                change.seen.epoch
            );
            moment(change.seen.at_us, "promoted", Some(change.shard), words)
        })
        .collect()
}

/// Where each outage began and ended.
fn writes(round: &Round) -> Vec<Moment> {
    let mut moments = Vec::new();
    for trace in &round.traces {
        let windows = windows_after(round, trace);
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            continue;
        };
        let mut ops = trace.witness.iter();
        let failed = ops.find(|op| op.due_us == first.begin_us && op.outcome != Outcome::Good);
        let how = failed.map_or("failed", |op| ended(op.outcome));
        let words = format!("the first write that was not taken: {how}");
        let shard = Some(trace.shard);
        moments.push(moment(first.begin_us, "first_failed_write", shard, words));
        if last.is_over {
            let times = match windows.len() {
                1 => String::new(),
                n => format!(", for good after {}", words::counted(n, "outage")),
            };
            let sum = windows.iter().map(|window| window.length_us()).sum();
            let words = format!("writes are taken again after {}{times}", spoken(ms(sum)));
            moments.push(moment(last.end_us, "first_good_write", shard, words));
        }
    }
    moments
}

/// How an operation ended, in words.
pub fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Good => "acknowledged",
        Outcome::Down => "CLUSTERDOWN",
        Outcome::Moved => "redirected without end",
        Outcome::Refused => "refused by the server",
        Outcome::NoConnection => "no connection",
        Outcome::Broken => "connection lost",
        Outcome::Timeout => "no reply in time",
        Outcome::Stale => "stale",
        Outcome::Unsent => "not sent",
    }
}

/// When each target answered again.
fn back(round: &Round, names: &Names) -> Vec<Moment> {
    let back = all_targets(round).filter_map(|victim| {
        let seen = answers_again(round, victim)?;
        let words = format!("{} answers again", names.word(&victim.id));
        Some(moment(seen.at_us, "back", Some(victim.shard), words))
    });
    back.collect()
}

/// The first word after the fault that a target is back: its own, or a view that had it as failing
/// and no longer does.
fn answers_again<'a>(round: &'a Round, victim: &Victim) -> Option<&'a Sighting> {
    let from_us = struck_us(round, victim)?;
    let is_back = |seen: &&Sighting| match seen.what {
        Change::Answers => seen.by == victim.id,
        Change::Cleared => seen.of == victim.id,
        _ => false,
    };
    let after = round.sightings.iter().filter(|seen| seen.at_us >= from_us);
    after.filter(is_back).min_by_key(|seen| seen.at_us)
}

/// When a target was struck.
fn struck_us(round: &Round, victim: &Victim) -> Option<u64> {
    match &round.second {
        Some(second) if !round.targets.contains(victim) => Some(second.at_us),
        _ => round.first(Act::FaultDone).or(round.first(Act::FaultAsked)),
    }
}

/// Targets that answered again before goodcache put them back, with when: a restart policy, an
/// operator or a supervisor was faster. Faults that end by themselves are left out.
pub fn undone_by_others<'a>(
    round: &'a Round,
    names: &'a Names,
) -> impl Iterator<Item = (String, f64)> + 'a {
    let lasts = !round.fault.ends_by_itself()
        && !matches!(
            round.fault,
            Fault::FastRestart | Fault::Shutdown | Fault::Slow
        );
    let until_us = round.first(Act::HealAsked).unwrap_or(u64::MAX);
    let targets = round.targets.iter().filter(move |_| lasts);
    targets.filter_map(move |victim| {
        let from_us = struck_us(round, victim)?;
        let own = |seen: &&Sighting| seen.by == victim.id && seen.what == Change::Answers;
        let seen = round.sightings.iter().filter(own);
        let first = seen
            .map(|seen| seen.at_us)
            .filter(|&at| at >= from_us)
            .min();
        let at_us = first.filter(|&at| at < until_us)?;
        Some((names.word(&victim.id), ms(at_us)))
    })
}

#[cfg(test)]
mod tests {
    use super::super::promotion::successions;
    use super::*;
    use crate::model::Recording;
    use crate::ops::failover::samples::{self, saw};

    fn story(recording: &Recording) -> Vec<(f64, &'static str, Option<usize>)> {
        let names = Names::of(recording);
        let changes = successions(recording, &names).real;
        let told = told(&recording.rounds[0], &changes, &names);
        let row = |m: Moment| (m.at_ms, m.what, m.shard);
        told.timeline.into_iter().map(row).collect()
    }

    #[test]
    fn a_killed_master_from_fault_to_whole() {
        let recording = samples::killed_master();
        assert_eq!(
            story(&recording),
            [
                (2_000.0, "fault", None),
                (2_005.0, "first_failed_write", Some(1)),
                (2_031.0, "fault_done", None),
                (4_270.0, "suspected", Some(1)),
                (4_990.0, "failed", Some(1)),
                (4_995.0, "first_failed_write", Some(2)),
                (4_995.0, "first_failed_write", Some(3)),
                (5_778.0, "promoted", Some(1)),
                (5_780.6, "first_good_write", Some(1)),
                (5_785.6, "first_good_write", Some(2)),
                (5_785.6, "first_good_write", Some(3)),
                (7_780.0, "heal", None),
                (7_900.0, "heal_done", None),
                (8_080.0, "back", Some(1)),
                (8_920.0, "resync", None),
                (8_920.0, "whole", None),
                (9_500.0, "roles_restored", None),
            ]
        );
        let names = Names::of(&recording);
        let changes = successions(&recording, &names).real;
        let told = told(&recording.rounds[0], &changes, &names);
        let words = |what| {
            let mut moments = told.timeline.iter();
            moments.find(|m| m.what == what).unwrap().words.as_str()
        };
        let victim = "127.0.0.1:7001 (master of shard 1, process 4711)";
        assert_eq!(told.targets, [victim]);
        for (what, expected) in [
            ("fault", format!("kill of {victim}").as_str()),
            (
                "first_failed_write",
                "the first write that was not taken: no connection",
            ),
            (
                "suspected",
                "127.0.0.1:7002 suspects 127.0.0.1:7001 (fail?)",
            ),
            (
                "failed",
                "127.0.0.1:7003 has 127.0.0.1:7001 as failed, 5 views in the end",
            ),
            (
                "promoted",
                "127.0.0.1:7004 leads by epoch 8 in a majority of views",
            ),
            ("first_good_write", "writes are taken again after 3.78 s"),
            ("back", "127.0.0.1:7001 answers again"),
            (
                "resync",
                "127.0.0.1:7001 is in step by then (partial resync, 180 KiB)",
            ),
        ] {
            assert_eq!(words(what), expected);
        }
    }

    #[test]
    fn a_second_fault_and_two_outages() {
        let mut recording = samples::killed_master();
        let round = &mut recording.rounds[0];
        samples::spoil(round, 1, 6_000, 6_100, Outcome::Broken);
        round.second = Some(crate::model::Second {
            fault: Fault::Pause,
            targets: vec![samples::victim(5)],
            at_us: 3_000_000,
        });
        let story = story(&recording);
        assert!(story.contains(&(3_000.0, "second_fault", None)));
        assert!(story.contains(&(6_100.6, "first_good_write", Some(1))));
        let firsts = story.iter().filter(|row| row.1 == "first_failed_write");
        assert_eq!(firsts.count(), 3, "one a shard");
    }

    #[test]
    fn a_foreign_hand_is_noticed() {
        let mut recording = samples::killed_master();
        let undone = |recording: &Recording| {
            let names = Names::of(recording);
            let all: Vec<_> = undone_by_others(&recording.rounds[0], &names).collect();
            all
        };
        assert!(undone(&recording).is_empty());
        let early = saw(3_000, 1, 1, Change::Answers);
        recording.rounds[0].sightings.push(early);
        assert_eq!(undone(&recording), [("127.0.0.1:7001".to_owned(), 3_000.0)]);
        recording.rounds[0].fault = Fault::FastRestart;
        assert!(undone(&recording).is_empty(), "it was to come back");
    }
}
