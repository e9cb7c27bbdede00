//! What the turns allow to say. Two like servers differ too, from turn to turn and by where they
//! happen to lie on the machine: a difference counts only where no turn of one reaches the turns of
//! the other, and where it is large enough to matter.
//!
//! With five turns each two like servers look that different once in 126 times by chance alone.

use serde::Serialize;

/// Below this the middle turns of speeds and latencies are called alike, whatever the spread, in
/// percent: two servers of the same settings differ by as much.
const SPEED_MATTERS: f64 = 3.0;
/// The same of memory, which does not depend on what else the machine does.
const MEMORY_MATTERS: f64 = 1.0;
/// Memory that differs by less is that of buffers: the connections of a trial have some tens of KiB each,
/// and what they hold when it is read is chance, in bytes.
const BUFFERS: f64 = 256.0 * 1024.0;

const MEMORY: &str = "memory_bytes";

/// A figure of both.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// What it is, with its unit: `steps_per_second`, `p50_us`, `p99_us`, `memory_bytes`.
    pub figure: &'static str,
    /// The turns without the change.
    pub without: Range,
    /// The turns with it.
    pub with: Range,
    /// From the middle turn without to the middle turn with it, in percent.
    pub change_percent: f64,
    /// What that allows to say.
    pub verdict: Verdict,
}

/// Turns of one server.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The least.
    pub min: f64,
    /// The middle one.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

/// What may be said of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every turn with the change is better than every turn without.
    Better,
    /// Every turn with the change is worse.
    Worse,
    /// No difference that the spread allows to claim.
    NoDifference,
}

/// What may be said of all figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    /// Some are better and none is worse.
    Better,
    /// Some are worse and none is better.
    Worse,
    /// Some are better and some are worse.
    Mixed,
    /// No difference that the spread allows to claim.
    NoDifference,
}

/// What one turn came to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// Steps a second.
    pub per_second: f64,
    /// Half of them took no longer, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 took no longer.
    pub p99_us: f64,
    /// `used_memory` after it.
    pub memory_bytes: f64,
}

impl Range {
    fn of(numbers: impl Iterator<Item = f64>) -> Range {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |n: usize| sorted.get(n).copied().unwrap_or(0.0);
        let last = sorted.len().saturating_sub(1);
        Range {
            min: at(0),
            median: (at(last / 2) + at(last.div_ceil(2))) / 2.0,
            max: at(last),
        }
    }
}

/// The figures of the turns of both.
pub fn figures(without: &[Measured], with: &[Measured]) -> Vec<Figure> {
    type Of = fn(&Measured) -> f64;
    let each: [(&str, Of, bool, f64); 4] = [
        (
            "steps_per_second",
            |one| one.per_second,
            true,
            SPEED_MATTERS,
        ),
        ("p50_us", |one| one.p50_us, false, SPEED_MATTERS),
        ("p99_us", |one| one.p99_us, false, SPEED_MATTERS),
        (MEMORY, |one| one.memory_bytes, false, MEMORY_MATTERS),
    ];
    let figure = |(figure, of, is_more_better, matters): (&'static str, Of, bool, f64)| {
        let ranges = [without, with].map(|turns| Range::of(turns.iter().map(of)));
        let [without, with] = ranges;
        let change_percent = match without.median {
            0.0 => 0.0,
            median => (with.median - median) * 100.0 / median,
        };
        let differs = (with.median - without.median).abs();
        let verdict = match figure == MEMORY && differs < BUFFERS {
            true => Verdict::NoDifference,
            false => verdict(&without, &with, change_percent, is_more_better, matters),
        };
        Figure {
            figure,
            without,
            with,
            change_percent,
            verdict,
        }
    };
    each.into_iter().map(figure).collect()
}

fn verdict(
    without: &Range,
    with: &Range,
    change_percent: f64,
    is_more_better: bool,
    matters: f64,
) -> Verdict {
    let is_apart = with.min > without.max || with.max < without.min;
    if !is_apart || change_percent.abs() < matters {
        return Verdict::NoDifference;
    }
    match (change_percent > 0.0) == is_more_better {
        true => Verdict::Better,
        false => Verdict::Worse,
    }
}

/// The figures together.
pub fn overall(figures: &[Figure]) -> Overall {
    let has = |verdict| figures.iter().any(|figure| figure.verdict == verdict);
    match (has(Verdict::Better), has(Verdict::Worse)) {
        (true, true) => Overall::Mixed,
        (true, false) => Overall::Better,
        (false, true) => Overall::Worse,
        (false, false) => Overall::NoDifference,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(speeds: &[f64], memory: f64) -> Vec<Measured> {
        let one = |&per_second: &f64| Measured {
            per_second,
            p50_us: 1e6 / per_second,
            p99_us: 3e6 / per_second,
            memory_bytes: memory,
        };
        speeds.iter().map(one).collect()
    }

    fn judged(without: &[f64], with: &[f64], memory: f64) -> (Vec<Verdict>, Overall) {
        let mib = |memory: f64| memory * 1024.0 * 1024.0;
        let figures = figures(&turns(without, mib(1_000.0)), &turns(with, mib(memory)));
        let verdicts = figures.iter().map(|figure| figure.verdict).collect();
        (verdicts, overall(&figures))
    }

    #[test]
    fn only_what_the_spread_allows_is_claimed() {
        use Verdict::{Better, NoDifference, Worse};
        let base = [100.0, 104.0, 102.0];
        for (with, memory, speed, of_memory, whole) in [
            (
                [110.0, 112.0, 111.0],
                1_000.0,
                Better,
                NoDifference,
                Overall::Better,
            ),
            (
                [90.0, 92.0, 91.0],
                1_000.0,
                Worse,
                NoDifference,
                Overall::Worse,
            ),
            // One turn reaches the others: nothing is said.
            (
                [103.0, 130.0, 131.0],
                1_000.0,
                NoDifference,
                NoDifference,
                Overall::NoDifference,
            ),
            // Apart, and by too little to matter.
            (
                [104.5, 104.6, 104.7],
                1_005.0,
                NoDifference,
                NoDifference,
                Overall::NoDifference,
            ),
            ([90.0, 92.0, 91.0], 900.0, Worse, Better, Overall::Mixed),
        ] {
            let (verdicts, overall) = judged(&base, &with, memory);
            assert_eq!(
                (verdicts[0], verdicts[3], overall),
                (speed, of_memory, whole),
                "{with:?}"
            );
        }
    }

    #[test]
    fn a_few_buffers_are_no_difference_of_memory() {
        let small = |memory| turns(&[100.0, 101.0, 102.0], memory);
        let told = |with| figures(&small(1_900_000.0), &small(with))[3].verdict;
        assert_eq!(told(1_850_000.0), Verdict::NoDifference);
        assert_eq!(told(1_500_000.0), Verdict::Better);
    }

    #[test]
    fn a_range_has_the_middle_of_its_turns() {
        let range = |numbers: &[f64]| Range::of(numbers.iter().copied());
        assert_eq!(range(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(range(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!((range(&[2.0, 1.0]).min, range(&[2.0, 1.0]).max), (1.0, 2.0));
    }
}
