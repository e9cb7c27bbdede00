//! What to do after recovery, in which order, so that a cold or half-filled cluster is not run over
//! by all who waited for it.

use serde::Serialize;

use super::evidence::Evidence;
use super::fallback::Fallback;
use crate::model::words::{count, seconds};

/// A restore beside the application takes no more than that part of the usual write rate.
const PART_OF_WRITES: f64 = 0.3;
/// It takes that much at least, else it would never end.
const LEAST_BYTES_PER_SECOND: f64 = 1024.0 * 1024.0;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What is done.
    pub what: String,
    /// The command that does it, to paste.
    pub command: Option<String>,
    /// Why, and why now.
    pub because: String,
}

/// The steps, in order.
pub fn warm_up(evidence: &Evidence, fallback: &Fallback) -> Vec<Step> {
    let name = &evidence.cluster;
    let step = |what: &str, command: Option<String>, because: String| Step {
        what: what.to_owned(),
        command,
        because,
    };
    vec![
        step(
            "wait until the cluster is whole",
            Some(format!("goodcache check {name} --wait healthy")),
            "cluster_state:ok comes before the views agree and replicas are in step".into(),
        ),
        step(
            "leave it as it is when a replica was promoted",
            None,
            lost(evidence),
        ),
        step(
            "bring back what is gone, the most used first",
            Some(format!(
                "goodcache restore latest {name} --undelete --order hottest --rate {}KiB --max-latency 20ms",
                (rate(evidence) / 1024.0).round()
            )),
            restoring(evidence),
        ),
        step(
            "let clients back in parts, one fetch for each key that is missing (single flight)",
            None,
            "else every client asks the source of the data for the same keys at once".into(),
        ),
        step(
            "spread expiries by 10 to 20 % where keys are filled anew",
            None,
            "what was filled in one minute would expire in one minute".into(),
        ),
        step(
            "write back what the fallback holds, then empty it",
            None,
            format!(
                "it is up to {} s old: the cluster's value wins where it is newer",
                fallback.keep_s
            ),
        ),
    ]
}

fn rate(evidence: &Evidence) -> f64 {
    let part = evidence
        .written_bytes_per_second
        .map(|bytes| bytes * PART_OF_WRITES);
    part.unwrap_or(0.0).max(LEAST_BYTES_PER_SECOND)
}

fn restoring(evidence: &Evidence) -> String {
    let shards = evidence.servers.masters.max(1) as f64;
    let whole = seconds(evidence.data_bytes as f64 / shards / rate(evidence));
    let from = match evidence.written_bytes_per_second {
        Some(written) if written * PART_OF_WRITES > LEAST_BYTES_PER_SECOND => {
            "30 % of what is written at other times"
        }
        _ => "1 MiB a second, since less is written at other times or it was not measured",
    };
    format!(
        "only when a whole shard was lost: {from}, so that the application is not held up; one shard \
         takes {whole}, and with the hottest first most reads hit long before"
    )
}

fn lost(evidence: &Evidence) -> String {
    let kept = "it holds what its master held, so nothing has to be warmed up";
    match &evidence.drill {
        Some(drill) if drill.writes.lost > 0 => format!(
            "{kept} but {} of {} acknowledged writes, which the last drill lost",
            count(drill.writes.lost),
            count(drill.writes.acknowledged)
        ),
        Some(drill) => format!(
            "{kept}: the last drill lost none of {} acknowledged writes",
            count(drill.writes.acknowledged)
        ),
        None => format!("{kept} but what was not replicated yet; a drill measures it"),
    }
}
