//! From a recording to its report: pure, so that a recorded drill can be judged again, by other
//! budgets or by a later version.
//!
//! | file | what |
//! |---|---|
//! | `when`, `names` | the clock of a round, who is who |
//! | `outage`, `promotion`, `latency`, `writes`, `recovery` | what was met, each by its own rule |
//! | `rules`, `because`, `expected`, `terms` | the outage as the servers' rules predict it, beside what was measured |
//! | `statistics`, `compare` | several rounds, and today against a recorded drill |
//! | `budgets`, `verdict` | what was held against what, and what came out |
//! | `timeline`, `notes`, `advice` | in words |

mod advice;
mod because;
mod budgets;
mod compare;
mod expected;
mod latency;
mod names;
mod notes;
mod outage;
mod promotion;
mod recovery;
mod rules;
mod statistics;
mod terms;
#[cfg(test)]
mod tests;
mod timeline;
mod verdict;
mod when;
mod writes;

pub use expected::expected_outage_ms;
pub use promotion::promoted_at;
pub use terms::course_of;

use self::names::Names;
use super::report::Report;
use crate::model::{Budgets, Recording};

/// Judges a drill. What `asked` does not limit, a scenario's budgets do, and else what the deployment
/// promises ([`Budgets::promised`]). With a `baseline`, being slower than it fails as well.
pub fn judge(recording: &Recording, asked: &Budgets, baseline: Option<&Recording>) -> Report {
    let names = Names::of(recording);
    let found = promotion::successions(recording, &names);
    let changes = &found.real;
    let outages = outage::outages(recording);
    let promotions = promotion::promotions(recording, changes, &names);
    let outcomes = latency::outcomes(recording);
    let terms = terms::terms(recording, changes);
    let comparison = baseline.and_then(|baseline| compare::comparison(recording, baseline));
    let mut budgets = budgets::lines(recording, asked, changes, &names);
    let slower = comparison.as_ref().zip(baseline);
    budgets.extend(slower.map(|(found, then)| budgets::slower_line(recording, then, found)));
    budgets::name_steps(&mut budgets, recording);
    let (verdict, reasons) = verdict::verdict(recording, &budgets);
    let rounds = recording.rounds.iter();
    Report {
        verdict,
        next: verdict::next(verdict, recording, &budgets),
        reasons,
        cluster: recording.cluster.clone(),
        scenario: recording.scenario.clone(),
        conditions: recording.conditions.clone(),
        load: recording.load.clone(),
        shards: recording.shards.clone(),
        rounds: rounds
            .map(|round| timeline::told(round, changes, &names))
            .collect(),
        writes: writes::of_all(recording),
        writes_by_shard: writes::by_shard(recording),
        recovery: recovery::recovery(recording),
        dominant: terms::dominant(&terms, &recording.conditions),
        terms,
        statistics: statistics::statistics(outage::struck_ms(recording)),
        latencies: latency::latencies(recording),
        advice: advice::advice(recording, &outages, &promotions, &outcomes),
        outages,
        promotions,
        outcomes,
        comparison,
        budgets,
        notes: notes::notes(recording, changes, found.phantoms, &names),
    }
}
