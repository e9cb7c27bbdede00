//! What a client must bear to ride this out, from what the drill's own client met.
//!
//! The back-off is the one that cluster clients commonly have: 10 ms, doubled each time, 500 ms at
//! the most. The settings are named as the deployment's environment names them.

use std::collections::BTreeMap;

use super::super::report::{Outage, Promotion};
use super::timeline::ended;
use super::when::{spoken, spoken_limit};
use crate::model::{Outcome, Recording, words};

const FIRST_PAUSE_MS: f64 = 10.0;
const LONGEST_PAUSE_MS: f64 = 500.0;

/// How long a client goes on that tries again so often, in ms.
fn patience_ms(tries: u32) -> f64 {
    let pause = |n: u32| (FIRST_PAUSE_MS * 2_f64.powi(n.min(16) as i32)).min(LONGEST_PAUSE_MS);
    // After the first few each pause is the longest one.
    let early: f64 = (0..tries.min(16)).map(pause).sum();
    early + f64::from(tries.saturating_sub(16)) * LONGEST_PAUSE_MS
}

/// How often a client must try again to go on for so long.
fn tries_for(ms: f64) -> u32 {
    let mut tries = 0;
    while patience_ms(tries) < ms && tries < 100_000 {
        tries += 1;
    }
    tries
}

/// Two to four lines; none when the client met nothing.
pub fn advice(
    recording: &Recording,
    outages: &[Outage],
    promotions: &[Promotion],
    outcomes: &BTreeMap<Outcome, u64>,
) -> Vec<String> {
    let longest = outages
        .iter()
        .map(|outage| outage.client_unavailable_ms.max(outage.longest_ms))
        .max_by(f64::total_cmp);
    let Some(longest_ms) = longest.filter(|_| !outcomes.is_empty()) else {
        return Vec::new();
    };
    let is_over = outages.iter().all(|outage| outage.restored_at.is_some());
    let mut lines = vec![retries(recording, longest_ms, is_over)];
    lines.extend(failures(outcomes));
    lines.extend(timeouts(recording, outcomes));
    if !promotions.is_empty() && recording.conditions.watched.is_some() {
        lines.push(
            "the new master is learnt from a Sentinel: let clients ask one whenever a connection breaks or a \
             write is refused with READONLY, as their libraries do for Sentinel"
                .to_owned(),
        );
    } else if !promotions.is_empty() {
        lines.push(
            "the new master is learnt from the first redirection (MOVED), not by the clock: \
             REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL bounds only how long a client keeps an old slot map \
             while no node that it asks can redirect it"
                .to_owned(),
        );
    }
    lines
}

fn retries(recording: &Recording, longest_ms: f64, is_over: bool) -> String {
    let now = recording.load.max_redirections;
    let (needed, patience) = (tries_for(longest_ms), patience_ms(now));
    let back_off = "with pauses of 10 ms doubled up to 500 ms";
    if !is_over {
        return format!(
            "retries do not help against an outage that does not end: after \
             REDIS_CLUSTER_MAX_REDIRECTIONS={now}, {back_off}, a client gives up after {}, and should \
             then fall back on the source of its data",
            spoken(patience)
        );
    }
    if patience >= longest_ms {
        return format!(
            "the client's longest outage of {} is ridden out by REDIS_CLUSTER_MAX_REDIRECTIONS={now}: {back_off} \
             a client goes on for {}",
            spoken(longest_ms),
            spoken(patience)
        );
    }
    format!(
        "to ride out its longest outage of {} a client must try again {needed} times ({back_off}, {} in \
         all): REDIS_CLUSTER_MAX_REDIRECTIONS={now} gives up after {}",
        spoken(longest_ms),
        spoken(patience_ms(needed)),
        spoken(patience)
    )
}

fn failures(outcomes: &BTreeMap<Outcome, u64>) -> Option<String> {
    let all: u64 = outcomes.values().sum();
    let mut kinds: Vec<(Outcome, u64)> = outcomes
        .iter()
        .filter(|(outcome, count)| **outcome != Outcome::Good && **count > 0)
        .map(|(outcome, count)| (*outcome, *count))
        .collect();
    kinds.sort_by_key(|&(outcome, count)| (std::cmp::Reverse(count), outcome));
    let failed: u64 = kinds.iter().map(|(_, count)| count).sum();
    let kind =
        |&(outcome, count): &(Outcome, u64)| format!("{} {}", words::count(count), ended(outcome));
    (failed > 0).then(|| {
        format!(
            "{} of {} operations failed in the drill's own client ({}): \
             REDIS_CLUSTER_RETRY_ON_FAIL=true tries those again that a node refused or could not be \
             asked",
            words::count(failed),
            words::count(all),
            words::listed(kinds.iter().map(kind), 3)
        )
    })
}

/// Operations without a reply: nobody knows whether they were applied.
fn timeouts(recording: &Recording, outcomes: &BTreeMap<Outcome, u64>) -> Option<String> {
    let count = |outcome| outcomes.get(&outcome).copied().unwrap_or(0);
    let (hung, broken) = (count(Outcome::Timeout), count(Outcome::Broken));
    let keep = match recording.conditions.is_unwatched() {
        true => String::new(),
        false => format!(
            "; keep connect and read timeouts (here {}) well below {} {}",
            spoken_limit(recording.load.client_timeout_ms),
            recording.conditions.timeout_name(),
            spoken_limit(recording.conditions.node_timeout_ms),
        ),
    };
    (hung + broken > 0).then(|| {
        format!(
            "{} without a reply and may have been applied, so that only writes that may be applied \
             twice should be tried again{keep}",
            words::plural(
                usize::try_from(hung + broken).unwrap_or(usize::MAX),
                "operation ended",
                "operations ended"
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::latency;
    use super::super::outage::outages;
    use super::*;
    use crate::ops::failover::samples;

    fn of(recording: &Recording) -> Vec<String> {
        let outcomes = latency::outcomes(recording);
        advice(recording, &outages(recording), &[], &outcomes)
    }

    #[test]
    fn patience_grows_with_the_tries() {
        for (tries, ms) in [
            (0, 0.0),
            (1, 10.0),
            (5, 310.0),
            (6, 630.0),
            (7, 1_130.0),
            (16, 5_630.0),
            (20, 7_630.0),
        ] {
            assert!((patience_ms(tries) - ms).abs() < 1e-9, "{tries}");
            assert_eq!(tries_for(ms), tries);
        }
        assert_eq!(tries_for(311.0), 6);
        assert!(patience_ms(u32::MAX).is_finite());
    }

    #[test]
    fn each_line_is_true_for_the_numbers() {
        let mut recording = samples::killed_master();
        let lines = of(&recording);
        assert_eq!(lines.len(), 2);
        let part = "outage of 3.78 s a client must try again 13 times (with pauses of 10 ms doubled \
                    up to 500 ms, 4.13 s in all): REDIS_CLUSTER_MAX_REDIRECTIONS=5 gives up after 310 ms";
        assert!(lines[0].contains(part), "{}", lines[0]);
        let part = "2,082 of 12,000 operations failed in the drill's own client (1,490 no connection, \
                    592 CLUSTERDOWN)";
        assert!(lines[1].starts_with(part), "{}", lines[1]);

        recording.load.max_redirections = 16;
        assert!(of(&recording)[0].contains("is ridden out"));

        samples::spoil(&mut recording.rounds[0], 1, 9_000, 10_000, Outcome::Timeout);
        let lines = of(&recording);
        assert!(lines[0].contains("does not end"));
        assert!(
            lines[2].starts_with("380 operations ended without a reply"),
            "{}",
            lines[2]
        );
    }

    #[test]
    fn nothing_met_is_nothing_said() {
        assert!(of(&samples::recording(vec![])).is_empty());
        let quiet = samples::quiet_round(crate::model::Fault::Failover, 4_000);
        assert!(of(&samples::recording(vec![quiet])).is_empty());
    }
}
