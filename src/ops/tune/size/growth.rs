//! How fast the data grows: given by the user, or measured between two surveys that lie apart.
//!
//! Growth compounds: what is given as 10 % a month is 1.1 after one month and 1.21 after two. A rate
//! over less than a day is no rate, and is not taken.

use serde::Serialize;

/// Surveys that lie nearer than that show the time of day, not growth.
const LEAST_APART_MS: u64 = 86_400_000;
/// Days in a month: a twelfth of 365.25.
const MONTH_DAYS: f64 = 30.4375;
/// Faster than tenfold a day is a slip of the finger.
const MOST_PER_DAY: f64 = 9.0;

/// How fast the data grows, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Growth {
    /// Percent a day, compounding; `None` when nobody knows.
    pub percent_per_day: Option<f64>,
    /// Who says so.
    pub source: GrowthSource,
}

/// Who says how fast the data grows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GrowthSource {
    /// Nobody.
    #[default]
    Unknown,
    /// The user.
    Given,
    /// Two surveys.
    Measured {
        /// How far they lie apart, in days.
        days_apart: f64,
    },
}

/// Why a text is no growth.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrowthError {
    /// Not `10%/month`.
    #[error("'{0}' is no growth: write a percentage and a time, such as 10%/month")]
    Form(String),
    /// Not a time that is known.
    #[error("'{0}' is no time to grow in: write day, week, month or year")]
    Unit(String),
    /// No cluster grows, or shrinks, like that.
    #[error(
        "'{0}' a day is not believable: data grows less than tenfold and keeps more than nothing"
    )]
    Unbelievable(String),
}

impl Growth {
    /// What the user says: `10%/month`, `-2%/week`, `0.3%/day`.
    pub fn parse(text: &str) -> Result<Growth, GrowthError> {
        let shown = || text.chars().take(40).collect::<String>();
        let form = || GrowthError::Form(shown());
        let (percent, unit) = text.trim().split_once('/').ok_or_else(form)?;
        let percent = percent.trim().strip_suffix('%').ok_or_else(form)?;
        let percent: f64 = percent.trim().parse().map_err(|_| form())?;
        let days = match unit.trim() {
            "d" | "day" => 1.0,
            "w" | "week" => 7.0,
            "month" => MONTH_DAYS,
            "y" | "year" => 12.0 * MONTH_DAYS,
            other => return Err(GrowthError::Unit(other.chars().take(40).collect())),
        };
        let per_day = (1.0 + percent / 100.0).powf(1.0 / days) - 1.0;
        if !(per_day > -1.0 && per_day < MOST_PER_DAY) {
            return Err(GrowthError::Unbelievable(shown()));
        }
        Ok(Growth {
            percent_per_day: Some(per_day * 100.0),
            source: GrowthSource::Given,
        })
    }

    /// What two amounts show, the earlier first, each with its moment in ms since the epoch.
    /// Unknown when they lie less than a day apart, or when one of them is nothing.
    pub fn between(earlier: (u64, u64), later: (u64, u64)) -> Growth {
        let apart_ms = later.0.saturating_sub(earlier.0);
        if apart_ms < LEAST_APART_MS || earlier.1 == 0 || later.1 == 0 {
            return Growth::default();
        }
        let days_apart = apart_ms as f64 / LEAST_APART_MS as f64;
        let per_day = (later.1 as f64 / earlier.1 as f64).powf(1.0 / days_apart) - 1.0;
        Growth {
            percent_per_day: Some(per_day.min(MOST_PER_DAY) * 100.0),
            source: GrowthSource::Measured { days_apart },
        }
    }

    /// What is there after so many days for each that is there now. Unknown growth, and shrinking,
    /// count as none: nobody buys less on the strength of a trend.
    pub fn factor(&self, days: f64) -> f64 {
        let per_day = self.percent_per_day.unwrap_or(0.0).max(0.0) / 100.0;
        // A million times what is there: more would only be an infinity in disguise.
        (1.0 + per_day).powf(days.max(0.0)).min(1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = LEAST_APART_MS;

    #[test]
    fn growth_is_read_with_its_time() {
        for (text, days, factor) in [
            ("10%/month", MONTH_DAYS, 1.1),
            ("10%/month", 2.0 * MONTH_DAYS, 1.21),
            ("100 % / year", 12.0 * MONTH_DAYS, 2.0),
            ("1%/day", 2.0, 1.0201),
            ("0%/week", 90.0, 1.0),
            ("-5%/week", 90.0, 1.0),
        ] {
            let growth = Growth::parse(text).unwrap();
            assert!((growth.factor(days) - factor).abs() < 1e-9, "{text}");
        }
    }

    #[test]
    fn what_is_no_growth_says_what_to_write() {
        for (text, why) in [
            ("10", "such as 10%/month"),
            ("10/month", "such as 10%/month"),
            ("x%/month", "such as 10%/month"),
            ("10%/fortnight", "write day, week, month or year"),
            ("-100%/day", "not believable"),
            ("NaN%/day", "not believable"),
            ("1000%/day", "not believable"),
        ] {
            let error = Growth::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn two_surveys_show_growth_when_they_lie_apart() {
        let growth = Growth::between((0, 100), (10 * DAY, 200));
        assert!((growth.factor(10.0) - 2.0).abs() < 1e-9);
        assert_eq!(growth.source, GrowthSource::Measured { days_apart: 10.0 });
        for (earlier, later) in [
            ((0, 100), (DAY - 1, 200)),
            ((DAY, 100), (0, 200)),
            ((0, 0), (DAY, 200)),
            ((0, 100), (DAY, 0)),
        ] {
            assert_eq!(Growth::between(earlier, later), Growth::default());
        }
        assert!(
            Growth::between((0, 1), (DAY, u64::MAX))
                .factor(1e9)
                .is_finite()
        );
    }
}
