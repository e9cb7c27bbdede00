//! Days and UTC dates, for the names of snapshots and for what a policy calls a day, a week and a
//! month. The algorithms are Howard Hinnant's `civil_from_days` and `days_from_civil`.

/// Milliseconds of a day.
pub const DAY_MS: u64 = 86_400_000;

/// Year, month and day of the day that many days after 1970-01-01.
pub fn date(day: u64) -> (u64, u64, u64) {
    let z = day + 719_468;
    let (era, of_era) = (z / 146_097, z % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + u64::from(month <= 2);
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

/// The days from 1970-01-01 to that date; `None` when there is no such date or it lies before.
pub fn day_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let shifted_year = year - u64::from(month <= 2);
    let (era, of_era) = (shifted_year / 400, shifted_year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    let found = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    let found = found.checked_sub(719_468)?;
    // The 30th of February comes out as another date.
    (date(found) == (year, month, day)).then_some(found)
}

/// Counts weeks from Monday to Sunday.
pub fn week(day: u64) -> u64 {
    // 1970-01-01 was a Thursday.
    (day + 3) / 7
}

/// Counts months.
pub fn month(day: u64) -> u64 {
    let (year, month, _) = date(day);
    year * 12 + month
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_there_and_back() {
        let mut last = (1969, 12, 31);
        for day in 0..146_097 {
            let (y, m, d) = date(day);
            assert!((y, m, d) > last);
            assert_eq!(day_of(y, m, d), Some(day));
            last = (y, m, d);
        }
        assert_eq!(date(19_782), (2024, 2, 29));
        for (y, m, d) in [
            (2023, 2, 29),
            (2024, 13, 1),
            (2024, 0, 1),
            (1969, 12, 31),
            (2024, 4, 31),
        ] {
            assert_eq!(day_of(y, m, d), None);
        }
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2024-02-26 was a Monday.
        let monday = day_of(2024, 2, 26).unwrap();
        assert_eq!(week(monday), week(monday + 6));
        assert_ne!(week(monday - 1), week(monday));
        assert_ne!(week(monday + 7), week(monday));
    }
}
