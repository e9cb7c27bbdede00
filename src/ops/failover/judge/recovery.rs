//! How redundancy came back: when all was whole again, and what was copied for it.

use super::super::report::Recovery;
use super::when::{fault_at, ms_between};
use crate::model::{Act, Recording, Resync, Round};

/// Whether the cluster was seen to be whole again at the end.
pub fn is_whole(round: &Round) -> bool {
    round.not_whole.is_empty() && round.first(Act::Whole).is_some()
}

/// From the end of the healing until all was whole, in ms; faults that end by themselves count from
/// when they were done. `None` when it was not whole.
pub fn redundancy_ms(round: &Round) -> Option<f64> {
    let healed = round.first(Act::HealDone).or(round.first(Act::FaultDone))?;
    let whole = round.first(Act::Whole).filter(|_| is_whole(round))?;
    Some(ms_between(healed, whole).max(0.0))
}

fn whole_after_fault_ms(round: &Round) -> Option<f64> {
    let whole = round.first(Act::Whole).filter(|_| is_whole(round))?;
    Some(ms_between(fault_at(round)?, whole))
}

/// The worst of all rounds; `None` when one of them gives none, or there is no round.
fn worst(rounds: &[Round], figure: impl Fn(&Round) -> Option<f64>) -> Option<f64> {
    let figures: Option<Vec<f64>> = rounds.iter().map(figure).collect();
    figures?.into_iter().max_by(f64::total_cmp)
}

/// Over all rounds.
pub fn recovery(recording: &Recording) -> Recovery {
    let resyncs: Vec<&Resync> = recording.rounds.iter().flat_map(|r| &r.resyncs).collect();
    let bytes: Vec<u64> = resyncs.iter().filter_map(|resync| resync.bytes).collect();
    Recovery {
        resync: match resyncs.iter().map(|resync| resync.is_full).max() {
            None => "none",
            Some(false) => "partial",
            Some(true) => "full",
        },
        resync_bytes: bytes.into_iter().reduce(u64::saturating_add),
        redundancy_ms: worst(&recording.rounds, redundancy_ms),
        whole_after_fault_ms: worst(&recording.rounds, whole_after_fault_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::failover::samples;

    #[test]
    fn the_worst_round_counts_and_one_that_is_not_whole_has_no_figure() {
        let mut recording = samples::killed_master();
        let once = recovery(&recording);
        assert_eq!((once.resync, once.resync_bytes), ("partial", Some(184_320)));
        assert_eq!(once.redundancy_ms, Some(1_020.0));
        assert_eq!(once.whole_after_fault_ms, Some(6_915.0));

        let mut second = recording.rounds[0].clone();
        for deed in &mut second.deeds {
            if deed.what == Act::Whole {
                deed.at_us += 1_000_000;
            }
        }
        second.resyncs[0].is_full = true;
        second.resyncs[0].bytes = None;
        recording.rounds.push(second);
        let twice = recovery(&recording);
        assert_eq!((twice.resync, twice.resync_bytes), ("full", Some(184_320)));
        assert_eq!(twice.redundancy_ms, Some(2_020.0));

        recording.rounds[0].not_whole = vec!["127.0.0.1:7001 is no replica".into()];
        assert_eq!(recovery(&recording).redundancy_ms, None);
        let none = recovery(&samples::recording(vec![]));
        assert_eq!((none.resync, none.redundancy_ms), ("none", None));
    }

    #[test]
    fn a_handover_counts_from_when_it_was_done() {
        let mut round = samples::quiet_round(crate::model::Fault::Failover, 100);
        assert_eq!(redundancy_ms(&round), None);
        round.deeds.push(samples::done(2_531, Act::Whole));
        assert_eq!(redundancy_ms(&round), Some(500.0));
    }
}
