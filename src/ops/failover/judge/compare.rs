//! Today against a recorded drill: the Mann-Whitney rank test, one-sided.
//!
//! Outages are draws from a wide and lopsided spread (2.9 to 4.5 s for one and the same fault), so
//! that means and their errors mislead; ranks ask only whether today's tend to be longer.

use super::super::report::Comparison;
use super::outage::struck_ms;
use super::statistics::median;
use super::when::{error_ms, spoken, spoken_limit};
use crate::model::{Recording, words};

/// Less likely than this is no chance.
const ALPHA: f64 = 0.05;
/// Of each drill: fewer outages say nothing.
const LEAST: usize = 3;
/// Up to so many outages in all, every order of them is counted; above, the normal approximation
/// is good to three digits.
const MOST_EXACT: usize = 40;

/// Compares the struck shards' outages; `None` when either drill struck nothing.
pub fn comparison(today: &Recording, baseline: &Recording) -> Option<Comparison> {
    let (now, then) = (struck_ms(today), struck_ms(baseline));
    let counts = (now.len(), then.len());
    let medians_ms = (median(now.clone())?, median(then.clone())?);
    let p_value = p_slower(&now, &then);
    let is_telling = can_tell(counts.0, counts.1);
    let is_slower = is_telling && p_value < ALPHA;
    let mut words = format!(
        "{} in the middle of {}, {} in the baseline's {}: ",
        spoken(medians_ms.0),
        words::counted(counts.0, "outage"),
        spoken(medians_ms.1),
        counts.1
    );
    words += &match (is_telling, is_slower) {
        (false, _) => "too few to tell, at least 4 of each are needed".to_owned(),
        (true, true) => format!("slower by more than chance explains (p = {p_value:.3})"),
        (true, false) => format!("no slower than chance explains (p = {p_value:.3})"),
    };
    if let Some(other) = differences(today, baseline) {
        words += &format!("; but the baseline had {other}");
    }
    Some(Comparison {
        baseline_taken_at_ms: baseline.taken_at_ms,
        counts,
        medians_ms,
        p_value,
        is_slower,
        words,
    })
}

/// Whether the answer stays the same when every outage is off by as much as its load was held up,
/// today's all one way and the baseline's all the other.
pub fn is_clear(today: &Recording, baseline: &Recording) -> bool {
    let error = |recording: &Recording| {
        let rounds = recording.rounds.iter();
        rounds.map(error_ms).fold(0.0, f64::max)
    };
    let error = error(today) + error(baseline);
    let then = struck_ms(baseline);
    let is_slower = |shift: f64| {
        let now: Vec<f64> = struck_ms(today).iter().map(|ms| ms + shift).collect();
        p_slower(&now, &then) < ALPHA
    };
    is_slower(-error) == is_slower(error)
}

/// Whether so many could ever be found slower: the rarest of all orders must be rarer than chance.
pub fn can_tell(now: usize, then: usize) -> bool {
    now >= LEAST && then >= LEAST && 1.0 / ways(now + then, now) < ALPHA
}

/// What made the baseline a drill of another kind.
fn differences(today: &Recording, baseline: &Recording) -> Option<String> {
    let (now, then) = (&today.conditions, &baseline.conditions);
    let mut all = Vec::new();
    if now.node_timeout_ms != then.node_timeout_ms {
        let timeout = spoken_limit(then.node_timeout_ms);
        all.push(format!("{} {timeout}", then.timeout_name()));
    }
    if (&now.vendor, &now.version) != (&then.vendor, &then.version) {
        all.push(format!("{} {}", then.vendor, then.version));
    }
    let faults = |recording: &Recording| {
        let rounds = recording.rounds.iter();
        let mut names: Vec<&str> = rounds.map(|round| round.fault.name()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    if faults(today) != faults(baseline) {
        all.push(format!("other faults ({})", faults(baseline)));
    }
    (!all.is_empty()).then(|| all.join(" and "))
}

/// How likely it is, if both come from one spread, that `now` ranks as high or higher, 0 to 1.
/// Equal values share their ranks. 1 when either is empty.
fn p_slower(now: &[f64], then: &[f64]) -> f64 {
    if now.is_empty() || then.is_empty() {
        return 1.0;
    }
    let ranks = doubled_ranks(now, then);
    let sum: usize = ranks[..now.len()].iter().sum();
    match ranks.len() <= MOST_EXACT {
        true => exact(&ranks, now.len(), sum),
        false => approximate(&ranks, now.len(), sum),
    }
}

/// Twice the rank of each value, those of `now` first: halves occur where values are equal.
fn doubled_ranks(now: &[f64], then: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = now.iter().chain(then).copied().collect();
    let rank = |value: &f64| {
        let below = all.iter().filter(|other| other.total_cmp(value).is_lt());
        let equal = all.iter().filter(|other| other.total_cmp(value).is_eq());
        2 * below.count() + equal.count() + 1
    };
    all.iter().map(rank).collect()
}

/// Counts the ways to choose `n` of the ranks whose sum is `least` or more.
fn exact(ranks: &[usize], n: usize, least: usize) -> f64 {
    let most: usize = ranks.iter().sum();
    // ways[k][s]: choices of k of the ranks so far that add up to s.
    let mut ways = vec![vec![0.0_f64; most + 1]; n + 1];
    ways[0][0] = 1.0;
    for &rank in ranks {
        for k in (1..=n).rev() {
            let (fewer, these) = ways.split_at_mut(k);
            let sums = these[0][rank..].iter_mut().zip(&fewer[k - 1]);
            for (sum, before) in sums {
                *sum += before;
            }
        }
    }
    let all: f64 = ways[n].iter().sum();
    ways[n][least..].iter().sum::<f64>() / all
}

/// By the normal distribution, with the correction for equal values and for steps.
fn approximate(ranks: &[usize], n: usize, sum: usize) -> f64 {
    let (a, all) = (n as f64, ranks.len() as f64);
    let b = all - a;
    let mean = a * (all + 1.0) / 2.0;
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    let ties: f64 = sorted
        .chunk_by(|x, y| x == y)
        .map(|equal| equal.len() as f64)
        .map(|t| t * t * t - t)
        .sum();
    let variance = a * b / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        return 1.0;
    }
    upper_tail((sum as f64 / 2.0 - mean - 0.5) / variance.sqrt())
}

/// The part of a normal distribution above z (Abramowitz and Stegun 26.2.17, good to 7e-8).
fn upper_tail(z: f64) -> f64 {
    let x = z.abs();
    let t = 1.0 / (1.0 + 0.231_641_9 * x);
    let series = [
        1.330_274_429,
        -1.821_255_978,
        1.781_477_937,
        -0.356_563_782,
        0.319_381_530,
    ];
    let sum = series.iter().fold(0.0, |sum, factor| (sum + factor) * t);
    let tail = sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// In how many ways `k` of `n` can be chosen.
fn ways(n: usize, k: usize) -> f64 {
    (0..k.min(n)).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::failover::samples;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-4
    }

    /// Expected values as R gives them: `wilcox.test(now, then, alternative = "greater")`.
    #[test]
    fn the_rank_test_counts_every_order() {
        for (now, then, p) in [
            (&[4.0, 5.0, 6.0][..], &[1.0, 2.0, 3.0][..], 0.05),
            (&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 1.0),
            (&[5.0, 6.0, 7.0, 8.0], &[1.0, 2.0, 3.0, 4.0], 1.0 / 70.0),
            (&[1.0, 4.0, 6.0], &[2.0, 3.0, 5.0], 0.5),
            (&[1.0, 1.0, 1.0], &[1.0, 1.0, 1.0], 1.0),
            // 2 of 6 choices of two of the ranks 1.5, 1.5, 3.5, 3.5 reach 5: 3.5 + 3.5 and ties.
            (&[2.0, 2.0], &[1.0, 1.0], 1.0 / 6.0),
            (&[], &[1.0], 1.0),
        ] {
            let found = p_slower(now, then);
            assert!(near(found, p), "{now:?} {then:?}: {found} is not {p}");
        }
    }

    #[test]
    fn the_approximation_agrees_with_the_count() {
        let now: Vec<f64> = (0..20).map(|n| f64::from(n * 7 % 20) + 2.5).collect();
        let then: Vec<f64> = (0..20).map(|n| f64::from(n * 3 % 20)).collect();
        let ranks = doubled_ranks(&now, &then);
        let sum = ranks[..20].iter().sum();
        let (exact, about) = (exact(&ranks, 20, sum), approximate(&ranks, 20, sum));
        assert!((exact - about).abs() < 0.002, "{exact} {about}");
        for (z, p) in [
            (0.0, 0.5),
            (1.644_854, 0.05),
            (-1.644_854, 0.95),
            (3.0, 0.00135),
        ] {
            assert!(near(upper_tail(z), p), "{z}");
        }
        let many = vec![3.0; 30];
        assert!(near(p_slower(&many, &many), 1.0), "all are equal");
        let more: Vec<f64> = many.iter().map(|ms| ms + 1.0).collect();
        assert!(p_slower(&more, &many) < 1e-6);
    }

    fn of(outages_ms: &[u64]) -> Recording {
        let round = |&ms: &u64| {
            let mut round = samples::quiet_round(crate::model::Fault::Kill, 8_000);
            let down = crate::model::Outcome::NoConnection;
            samples::spoil(&mut round, 1, 2_005, 2_005 + ms, down);
            round
        };
        samples::recording(outages_ms.iter().map(round).collect())
    }

    #[test]
    fn today_is_slower_only_when_chance_does_not_explain_it() {
        let slow = of(&[4_000, 4_100, 4_200, 4_300]);
        let fast = of(&[3_000, 3_100, 3_200, 3_300]);
        for (what, today, baseline, is_slower, part) in [
            ("slower", &slow, &fast, true, "(p = 0.014)"),
            ("faster", &fast, &slow, false, "no slower"),
            ("the same", &fast, &fast, false, "no slower"),
            (
                "too few",
                &of(&[5_000; 3]),
                &of(&[10; 3]),
                false,
                "too few to tell",
            ),
        ] {
            let found = comparison(today, baseline).unwrap();
            assert_eq!(found.is_slower, is_slower, "{what}");
            assert!(found.words.contains(part), "{what}: {}", found.words);
        }
        assert_eq!(comparison(&samples::recording(vec![]), &fast), None);
        let mut other = fast.clone();
        other.conditions.node_timeout_ms = 1_000;
        other.rounds[0].fault = crate::model::Fault::Stop;
        let words = comparison(&fast, &other).unwrap().words;
        let tail = "but the baseline had cluster-node-timeout 1.00 s and other faults (kill, stop)";
        assert!(words.ends_with(tail), "{words}");
    }
}
