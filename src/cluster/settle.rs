//! Waiting for a condition rather than for time: survey, test, and again until it holds or the time
//! is up; then what did not hold is the answer.

use std::time::{Duration, Instant};

use super::access::Access;
use super::explore::{Ask, survey};
use crate::model::Survey;

/// The first pause between two looks; each pause is half as long again as the one before, up to
/// [`LONGEST_PAUSE`]. Asking 48 nodes every 20 ms would starve them on a small machine.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How a wait ended.
#[derive(Debug)]
pub enum Settled {
    /// The condition held.
    Held,
    /// It did not within the time; what was missing at the last look, a line each.
    Missing(Vec<String>),
}

/// The last survey of a wait, and how it ended.
#[derive(Debug)]
pub struct Waited {
    /// The last look.
    pub survey: Survey,
    /// The outcome.
    pub settled: Settled,
    /// How long it took.
    pub took: Duration,
}

/// Looks until `missing` finds nothing missing, or `patience` is over.
pub async fn settle(
    access: &Access,
    ask: &Ask,
    patience: Duration,
    mut missing: impl FnMut(&Survey) -> Vec<String>,
) -> Waited {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let survey = survey(access, ask).await;
        let lacking = missing(&survey);
        let took = begun.elapsed();
        if lacking.is_empty() {
            return Waited {
                survey,
                settled: Settled::Held,
                took,
            };
        }
        if took + pause > patience {
            return Waited {
                survey,
                settled: Settled::Missing(lacking),
                took,
            };
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}
