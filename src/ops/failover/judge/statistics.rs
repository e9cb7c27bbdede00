//! Figures of several rounds: quantiles, and how they came out.

use super::super::report::Statistics;

/// The value below or at which that part of all lies (nearest rank); `None` without values.
pub fn quantile(mut values: Vec<f64>, part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (part * values.len() as f64).ceil() as usize;
    values.get(rank.max(1) - 1).copied()
}

/// The value in the middle, or between the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    match values.len() % 2 {
        1 => Some(upper),
        _ => Some(f64::midpoint(values[values.len() / 2 - 1], upper)),
    }
}

/// Of the struck shards' outages, in ms; `None` when nothing was struck.
pub fn statistics(outages_ms: Vec<f64>) -> Option<Statistics> {
    Some(Statistics {
        count: outages_ms.len(),
        min_ms: outages_ms.iter().copied().min_by(f64::total_cmp)?,
        max_ms: outages_ms.iter().copied().max_by(f64::total_cmp)?,
        p95_ms: quantile(outages_ms.clone(), 0.95)?,
        median_ms: median(outages_ms)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_nearest_rank() {
        let hundred = || (1..=100).rev().map(f64::from).collect::<Vec<_>>();
        for (values, part, expected) in [
            (vec![], 0.5, None),
            (vec![7.0], 0.99, Some(7.0)),
            (vec![7.0], 0.0, Some(7.0)),
            (hundred(), 0.5, Some(50.0)),
            (hundred(), 0.95, Some(95.0)),
            (hundred(), 0.99, Some(99.0)),
            (hundred(), 1.0, Some(100.0)),
        ] {
            assert_eq!(quantile(values, part), expected);
        }
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn figures_of_several_outages() {
        let figures = statistics(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!(
            (figures.count, figures.min_ms, figures.max_ms),
            (3, 1.0, 3.0)
        );
        assert_eq!((figures.median_ms, figures.p95_ms), (2.0, 3.0));
        assert_eq!(statistics(vec![]), None);
    }
}
