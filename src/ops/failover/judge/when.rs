//! The clock of a round: when its fault struck, which shards it struck, how long is how many words.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{Act, Fault, LoadShape, Outcome, Role, Round, Victim, words};

/// Slower than this (99th percentile, µs) and a reader must be told how exact the times are.
const MUCH_SLIP_US: u64 = 20_000;

/// When the fault struck, in microseconds since the round began: the first write of the witness that
/// was due after the fault was asked for and failed in a struck shard, or the word that it is done,
/// whichever came first. `None` when no fault was asked for.
///
/// An engine says that a fault is done long after the server has gone (Docker's reply to a kill
/// comes 120 ms after the clients saw their connections end), so its word alone would make every
/// outage too short. No fault strikes before it is asked for.
pub fn fault_at(round: &Round) -> Option<u64> {
    let done = round.first(Act::FaultDone);
    let asked = asked_at(round)?;
    let struck = struck_shards(round);
    let traces = round.traces.iter();
    let failed = traces
        .filter(|trace| struck.contains(&trace.shard))
        .flat_map(|trace| &trace.witness)
        .filter(|op| op.due_us >= asked && op.outcome != Outcome::Good)
        .map(|op| op.due_us)
        .min();
    let first = failed.into_iter().chain(done).min();
    Some(first.unwrap_or(asked).max(asked))
}

/// When the fault was asked for, in microseconds since the round began.
pub fn asked_at(round: &Round) -> Option<u64> {
    let done = round.first(Act::FaultDone);
    round.first(Act::FaultAsked).or(done)
}

/// The shards whose masters were among the targets, of the second fault too.
pub fn struck_shards(round: &Round) -> BTreeSet<usize> {
    let masters = all_targets(round).filter(|victim| leads_shard(victim));
    masters.map(|victim| victim.shard).collect()
}

/// The shards that a fault struck which is to make a replica take over.
pub fn bereft_shards(round: &Round) -> BTreeSet<usize> {
    let of = |fault: Fault, targets: &[Victim]| -> Vec<usize> {
        let masters = targets.iter().filter(|victim| leads_shard(victim));
        let shards = masters.map(|victim| victim.shard);
        shards.filter(|_| fault.causes_promotion()).collect()
    };
    let mut shards = of(round.fault, &round.targets);
    if let Some(second) = &round.second {
        shards.extend(of(second.fault, &second.targets));
    }
    shards.into_iter().collect()
}

/// Whether it is a master with slots: one without belongs to no shard.
fn leads_shard(victim: &Victim) -> bool {
    victim.role == Role::Master && victim.shard > 0
}

/// Everybody that a fault was done to.
pub fn all_targets(round: &Round) -> impl Iterator<Item = &Victim> {
    let second = round.second.iter().flat_map(|second| &second.targets);
    round.targets.iter().chain(second)
}

/// Whether it was left broken on purpose: nobody tried to put it back. Faults through the servers'
/// own commands end by themselves.
pub fn is_held(round: &Round) -> bool {
    let has = |act| round.first(act).is_some();
    has(Act::FaultAsked)
        && !round.fault.ends_by_itself()
        && !has(Act::HealAsked)
        && !has(Act::HealDone)
        && !has(Act::Whole)
}

/// Whether the probe was held up itself by so much that it must be said.
pub fn is_starved(round: &Round) -> bool {
    round.schedule_slip_p99_us > MUCH_SLIP_US
}

/// By how many milliseconds the times of a round may be off, either way: what its load sent late, it
/// saw late.
pub fn error_ms(round: &Round) -> f64 {
    ms(round.schedule_slip_p99_us)
}

/// Microseconds as milliseconds.
pub fn ms(us: u64) -> f64 {
    us as f64 / 1000.0
}

/// From one moment to another in milliseconds; negative when the other came first.
pub fn ms_between(from_us: u64, to_us: u64) -> f64 {
    ms(to_us) - ms(from_us)
}

/// The time between two writes on one shard in milliseconds; 0 when the rate is not known.
pub fn period_ms(load: &LoadShape) -> f64 {
    match load.rate {
        0 => 0.0,
        rate => 1000.0 / f64::from(rate),
    }
}

/// Milliseconds in words: `2.41 s`.
pub fn spoken(ms: f64) -> String {
    words::seconds(ms / 1000.0)
}

/// Whole milliseconds in words: `10.0 s`.
pub fn spoken_limit(ms: u64) -> String {
    words::duration(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Deed;
    use crate::ops::failover::samples;

    fn round(deeds: &[(u64, Act)], bad_from_ms: Option<u64>) -> Round {
        let mut round = samples::quiet_round(Fault::Kill, 4_000);
        round.deeds = deeds
            .iter()
            .map(|&(ms, what)| Deed {
                at_us: ms * 1000,
                what,
            })
            .collect();
        if let Some(from) = bad_from_ms {
            samples::spoil(&mut round, 1, from, 3_000, Outcome::NoConnection);
        }
        round
    }

    #[test]
    fn the_fault_struck_when_the_first_write_failed_or_when_it_was_done() {
        use Act::{FaultAsked, FaultDone};
        let both = [(1_000, FaultAsked), (1_150, FaultDone)];
        for (what, deeds, bad_from_ms, ms) in [
            ("a late reply", &both[..], Some(1_030), Some(1_030)),
            ("a late failure", &both, Some(1_400), Some(1_150)),
            ("never before it was asked", &both, Some(900), Some(1_000)),
            ("no failure", &both, None, Some(1_150)),
            ("never done", &both[..1], None, Some(1_000)),
            ("only done", &both[1..], Some(1_300), Some(1_150)),
            ("nothing was done", &[], Some(1_000), None),
        ] {
            let at = fault_at(&round(deeds, bad_from_ms));
            assert_eq!(at, ms.map(|ms| ms * 1000), "{what}");
        }
    }

    #[test]
    fn only_masters_with_slots_are_missed() {
        let mut round = round(&[], None);
        round.targets = vec![samples::victim(1), samples::victim(5)];
        assert_eq!(bereft_shards(&round), BTreeSet::from([1]));
        round.targets[0].shard = 0;
        assert!(struck_shards(&round).is_empty());
        assert!(bereft_shards(&round).is_empty());
    }

    #[test]
    fn held_is_what_nobody_put_back() {
        let mut held = round(&[(1, Act::FaultAsked), (2, Act::FaultDone)], None);
        assert!(is_held(&held));
        held.fault = Fault::Failover;
        assert!(!is_held(&held), "a handover ends by itself");
        assert!(!is_held(&samples::killed_master().rounds[0]));
    }
}
