//! How long a restore is expected to take: pure, a range with what it rests on.
//!
//! Nobody can know how fast the way to the target is before anything went over it. What was measured
//! (see "What it must reach" in the README) is the least, a tenth of that speed the most.

use serde::Serialize;

use super::order::Options;
use super::plan::{Plan, Resumed};
use crate::model::words::{bytes, count};

/// Bytes a second that were sent to four masters on the two cores that they all shared.
const SENT: u64 = 90_000_000;
/// Bytes a second that were read back there and compared.
const PROVEN: u64 = 160_000_000;
/// How many times slower it may be over a network, from an object store, or with small values.
const SLOWER: u64 = 10;
/// What it takes however little is restored: looking, forking, settling, ms.
const LEAST: u64 = 1000;

/// How long it is expected to take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// As fast as was ever measured, ms.
    pub least_ms: u64,
    /// A tenth as fast, ms.
    pub most_ms: u64,
    /// What the two rest on.
    pub basis: String,
}

/// What that plan is expected to take.
pub(super) fn forecast(plan: &Plan, options: &Options) -> Expected {
    let all: u64 = plan.masters.iter().map(|share| share.gets_bytes).sum();
    let left = plan
        .resumed
        .as_ref()
        .map_or(all, |resumed| rest_of(all, resumed));
    let took = |slower: u64| {
        let limit = options.rate.unwrap_or(u64::MAX).max(1);
        let sending = time(left, (SENT / slower).min(limit));
        let proving = match options.is_proven {
            true => time(all, PROVEN / slower),
            false => 0,
        };
        LEAST + sending + proving
    };
    Expected {
        least_ms: took(1),
        most_ms: took(SLOWER),
        basis: basis(plan, options),
    }
}

fn rest_of(all: u64, resumed: &Resumed) -> u64 {
    let left = resumed.pieces.saturating_sub(resumed.pieces_done);
    let share = u128::from(all) * left as u128 / resumed.pieces.max(1) as u128;
    u64::try_from(share).unwrap_or(all)
}

fn time(bytes: u64, per_second: u64) -> u64 {
    bytes.saturating_mul(1000) / per_second.max(1)
}

fn basis(plan: &Plan, options: &Options) -> String {
    let mut words = format!("{}/s sent", bytes(SENT));
    if options.is_proven {
        words.push_str(&format!(" and {}/s read back", bytes(PROVEN)));
    }
    words.push_str(", as measured on one machine with 2 cores, to a tenth of that");
    if let Some(rate) = options.rate {
        words.push_str(&format!("; sent at most {}/s (--rate)", bytes(rate)));
    }
    if plan.is_at_most {
        words.push_str("; for all of it, though a part is meant");
    }
    if plan.log_commands > 0 {
        let commands = count(plan.log_commands);
        words.push_str(&format!("; without the {commands} commands of the logs"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::restore::plan::tests::{options, share};

    fn plan(gets_bytes: u64, resumed: Option<Resumed>) -> Plan {
        let mut half = share(None);
        half.gets_bytes = gets_bytes / 2;
        Plan {
            masters: vec![half.clone(), half],
            resumed,
            ..Plan::default()
        }
    }

    #[test]
    fn it_is_a_range_that_follows_from_bytes_and_limits() {
        let bytes = 10 * SENT;
        let of = |plan: &Plan, options: &Options| {
            let expected = forecast(plan, options);
            (expected.least_ms, expected.most_ms)
        };
        let unproven = Options {
            is_proven: false,
            ..options()
        };
        assert_eq!(of(&plan(0, None), &options()), (1000, 1000));
        assert_eq!(of(&plan(bytes, None), &unproven), (11_000, 101_000));
        assert_eq!(of(&plan(bytes, None), &options()), (16_625, 157_250));
        let slow = Options {
            rate: Some(SENT / 20),
            ..unproven.clone()
        };
        assert_eq!(of(&plan(bytes, None), &slow), (201_000, 201_000));
        let half = Resumed {
            began_ms: 5,
            pieces_done: 3,
            pieces: 6,
            is_old: false,
            is_emptied: false,
        };
        assert_eq!(of(&plan(bytes, Some(half)), &unproven), (6000, 51_000));
    }

    #[test]
    fn what_it_rests_on_is_said() {
        let options = Options {
            rate: Some(1 << 20),
            ..options()
        };
        let mut plan = plan(0, None);
        plan.log_commands = 1204;
        plan.is_at_most = true;
        let basis = forecast(&plan, &options).basis;
        for words in [
            "85.8 MiB/s sent",
            "153 MiB/s read back",
            "1.00 MiB/s (--rate)",
            "1,204",
            "a part is meant",
        ] {
            assert!(basis.contains(words), "{basis}");
        }
    }
}
