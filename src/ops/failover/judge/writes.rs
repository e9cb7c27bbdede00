//! What became of the writes: the accounts of shards and rounds, and their sum.

use super::super::report::{ShardWrites, Writes};
use super::when::ms_between;
use crate::model::{Account, Recording, Round};

fn of(account: &Account) -> Writes {
    Writes {
        acknowledged: account.acknowledged,
        lost: account.lost,
        resurrected: account.resurrected,
        indeterminate: account.indeterminate,
        indeterminate_present: account.indeterminate_present,
        phantom: account.phantom,
        split_brain: account.split_brain,
        stale_reads: account.stale_reads,
        unread: account.unread,
    }
}

fn plus(a: Writes, b: Writes) -> Writes {
    Writes {
        acknowledged: a.acknowledged.saturating_add(b.acknowledged),
        lost: a.lost.saturating_add(b.lost),
        resurrected: a.resurrected.saturating_add(b.resurrected),
        indeterminate: a.indeterminate.saturating_add(b.indeterminate),
        indeterminate_present: a
            .indeterminate_present
            .saturating_add(b.indeterminate_present),
        phantom: a.phantom.saturating_add(b.phantom),
        split_brain: a.split_brain.saturating_add(b.split_brain),
        stale_reads: a.stale_reads.saturating_add(b.stale_reads),
        unread: a.unread.saturating_add(b.unread),
    }
}

/// Of one round.
pub fn of_round(round: &Round) -> Writes {
    round.writes.iter().map(of).fold(Writes::default(), plus)
}

/// Of all rounds.
pub fn of_all(recording: &Recording) -> Writes {
    let rounds = recording.rounds.iter().map(of_round);
    rounds.fold(Writes::default(), plus)
}

/// A row per round and shard.
pub fn by_shard(recording: &Recording) -> Vec<ShardWrites> {
    let row = |round: &Round, account: &Account| ShardWrites {
        round: round.number,
        shard: account.shard,
        writes: of(account),
        lost_span_ms: account
            .lost_between_us
            .map(|(first, last)| ms_between(first, last)),
    };
    let rounds = recording.rounds.iter();
    rounds
        .flat_map(|round| round.writes.iter().map(move |account| row(round, account)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::failover::samples;

    #[test]
    fn accounts_are_summed() {
        let mut recording = samples::lost_writes();
        let mut second = recording.rounds[0].clone();
        second.number = 2;
        second.writes[0].lost_between_us = None;
        recording.rounds.push(second);
        let sum = of_all(&recording);
        assert_eq!((sum.lost, sum.split_brain, sum.resurrected), (1_024, 68, 6));
        let rows = by_shard(&recording);
        assert_eq!(rows.len(), 6);
        assert_eq!(rows[0].lost_span_ms, Some(3_286.0));
        assert_eq!((rows[3].round, rows[3].lost_span_ms), (2, None));
        assert_eq!(of_all(&samples::recording(vec![])), Writes::default());
    }
}
