//! How the client fared: latency before, during and after the outage, and how operations ended.

use std::collections::BTreeMap;

use super::super::report::{Latency, Phase};
use super::outage::windows_after;
use super::statistics::quantile;
use super::when::{fault_at, ms};
use crate::model::{Act, Op, Outcome, Recording, Round, Trace};

/// When the phases of one shard in one round change, in microseconds since the round began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phases {
    /// The fault; `None` when there was none.
    fault_us: Option<u64>,
    /// Writes were taken again; `None` when they were not to the end.
    restored_us: Option<u64>,
}

impl Phases {
    /// Of that shard in that round. Where writes were always taken, the time until healing counts
    /// as `during`.
    pub fn of(round: &Round, trace: &Trace) -> Phases {
        let healed = [Act::HealDone, Act::Whole];
        Phases {
            fault_us: fault_at(round),
            restored_us: match windows_after(round, trace).last() {
                Some(window) => window.is_over.then_some(window.end_us),
                None => healed.into_iter().find_map(|act| round.first(act)),
            },
        }
    }

    /// The phase in which an operation was due.
    pub fn phase(&self, op: &Op) -> Phase {
        let is_from = |moment: Option<u64>| moment.is_some_and(|at| op.due_us >= at);
        match (is_from(self.fault_us), is_from(self.restored_us)) {
            (false, _) => Phase::Before,
            (true, false) => Phase::During,
            (true, true) => Phase::After,
        }
    }
}

/// Latency of the client's writes and reads over all rounds, a row per shard and phase.
pub fn latencies(recording: &Recording) -> Vec<Latency> {
    let mut by_row: BTreeMap<(usize, Phase), Vec<Op>> = BTreeMap::new();
    for round in &recording.rounds {
        for trace in &round.traces {
            let phases = Phases::of(round, trace);
            for op in trace.writes.iter().chain(&trace.reads) {
                let row = (trace.shard, phases.phase(op));
                by_row.entry(row).or_default().push(*op);
            }
        }
    }
    let row = |((shard, phase), ops): ((usize, Phase), Vec<Op>)| latency(shard, phase, &ops);
    by_row.into_iter().map(row).collect()
}

fn latency(shard: usize, phase: Phase, ops: &[Op]) -> Latency {
    let good = good_ms(ops.iter());
    Latency {
        shard,
        phase,
        operations: ops.len() as u64,
        errors: (ops.len() - good.len()) as u64,
        p50_ms: quantile(good.clone(), 0.5),
        p99_ms: quantile(good.clone(), 0.99),
        max_ms: quantile(good, 1.0),
    }
}

fn good_ms<'a>(ops: impl Iterator<Item = &'a Op>) -> Vec<f64> {
    let good = ops.filter(|op| op.outcome == Outcome::Good);
    good.map(|op| ms(op.took_us)).collect()
}

/// The 99th percentile of write latency on one shard outside its outage, in ms; `None` without any
/// good write.
pub fn write_p99_ms(round: &Round, trace: &Trace) -> Option<f64> {
    let phases = Phases::of(round, trace);
    let calm = trace.writes.iter();
    quantile(
        good_ms(calm.filter(|op| phases.phase(op) != Phase::During)),
        0.99,
    )
}

/// How the client's operations ended.
pub fn outcomes(recording: &Recording) -> BTreeMap<Outcome, u64> {
    let mut counts = BTreeMap::new();
    for trace in recording.rounds.iter().flat_map(|round| &round.traces) {
        for op in trace.writes.iter().chain(&trace.reads) {
            *counts.entry(op.outcome).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fault;
    use crate::ops::failover::samples;

    #[test]
    fn operations_belong_to_the_phase_in_which_they_were_due() {
        let rows = latencies(&samples::killed_master());
        let shown: Vec<_> = rows
            .iter()
            .map(|row| (row.shard, row.phase, row.operations, row.errors))
            .collect();
        use Phase::{After, Before, During};
        assert_eq!(
            shown,
            [
                (1, Before, 802, 0),
                (1, During, 1_512, 1_490),
                (1, After, 1_686, 0),
                (2, Before, 802, 0),
                (2, During, 1_514, 296),
                (2, After, 1_684, 0),
                (3, Before, 802, 0),
                (3, During, 1_514, 296),
                (3, After, 1_684, 0),
            ]
        );
        assert_eq!(rows[0].p50_ms, Some(0.56));
        assert_eq!(rows[1].max_ms, Some(51.5));
        assert_eq!(outcomes(&samples::killed_master())[&Outcome::Down], 592);
    }

    #[test]
    fn without_outage_healing_ends_the_middle() {
        let mut round = samples::quiet_round(Fault::Slow, 10_000);
        let phase = |round: &Round, ms: u64| {
            let op = Op {
                due_us: ms * 1000,
                took_us: 0,
                outcome: Outcome::Good,
            };
            Phases::of(round, &round.traces[0]).phase(&op)
        };
        assert_eq!(phase(&round, 9_000), Phase::During, "it was never healed");
        round.deeds.push(samples::done(6_000, Act::HealDone));
        assert_eq!(phase(&round, 1_000), Phase::Before);
        assert_eq!(phase(&round, 5_000), Phase::During);
        assert_eq!(phase(&round, 6_000), Phase::After);
        round.deeds.clear();
        assert_eq!(phase(&round, 9_000), Phase::Before, "nothing was done");
    }

    #[test]
    fn calm_writes_are_those_outside_the_outage() {
        let recording = samples::killed_master();
        let round = &recording.rounds[0];
        assert_eq!(write_p99_ms(round, &round.traces[0]), Some(0.74));
        assert_eq!(write_p99_ms(round, &Trace::default()), None);
    }
}
