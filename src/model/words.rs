//! Numbers and lists in the words that every floor uses: findings, tables and progress must not
//! write one amount in two ways.
//!
//! Three digits and a unit, so that columns stay narrow and nobody counts zeros.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `512 B`, `12.3 MiB`, `1.20 GiB`.
pub fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    // 1023.6 KiB would be printed as 1024 KiB.
    while value >= 1023.5 {
        let Some(next) = units.next() else { break };
        value /= 1024.0;
        unit = next;
    }
    format!("{} {unit}", three_digits(value))
}

/// `38 us`, `1.24 ms`, `850 ms`, `1.24 s`, `2m 05s`, `3h 12m`, `12d 4h`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.000_999_5 {
        return format!("{:.0} us", seconds * 1e6);
    }
    if seconds < 0.999_5 {
        return format!("{} ms", three_digits(seconds * 1e3));
    }
    if seconds < 99.95 {
        return format!("{} s", three_digits(seconds));
    }
    let whole = seconds.round() as u64;
    let (days, hours, minutes) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes}m {:02}s", whole % 60),
        (0, _) => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// A duration in seconds, as servers report lag; what is no time at all is `?`.
pub fn seconds(s: f64) -> String {
    Duration::try_from_secs_f64(s).map_or_else(|_| "?".to_owned(), duration)
}

/// `780,000`. Four digits and more are grouped.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun, whose plural takes an s: `1 node`, `6 nodes`.
pub fn counted(number: usize, noun: &str) -> String {
    plural(number, noun, &format!("{noun}s"))
}

/// A count with its noun: `1 library`, `2 libraries`.
pub fn plural(number: usize, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", count(number as u64))
}

/// RFC 3339, UTC, with milliseconds, from ms since the epoch; `?` past the year 9999.
pub fn timestamp(ms: u64) -> String {
    const END_OF_9999: u64 = 253_402_300_799_999;
    if ms > END_OF_9999 {
        return "?".to_owned();
    }
    let time: SystemTime = UNIX_EPOCH + Duration::from_millis(ms);
    humantime::format_rfc3339_millis(time).to_string()
}

/// `a, b, c and 4 more`.
pub fn listed(names: impl IntoIterator<Item = String>, most: usize) -> String {
    let names: Vec<String> = names.into_iter().collect();
    if names.len() <= most {
        return names.join(", ");
    }
    format!(
        "{} and {} more",
        names[..most].join(", "),
        names.len() - most
    )
}

/// A number that is not negative, in three digits: `1.24`, `12.4`, `124`.
pub fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_whatever_the_size() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (12_897_484, "12.3 MiB"),
            (1_048_575, "1.00 MiB"),
            (1_047_552, "1023 KiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
        for (us, text) in [
            (0, "0 us"),
            (38, "38 us"),
            (999, "999 us"),
            (1_240, "1.24 ms"),
            (850_000, "850 ms"),
            (999_900, "1.00 s"),
            (1_240_000, "1.24 s"),
            (125_000_000, "2m 05s"),
            (11_520_000_000, "3h 12m"),
            (1_051_200_000_000, "12d 4h"),
        ] {
            assert_eq!(duration(Duration::from_micros(us)), text);
        }
        assert_eq!(seconds(45.0), "45.0 s");
        assert_eq!(seconds(-1.0), "?");
    }

    #[test]
    fn counts_and_lists() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (16_384, "16,384"),
            (780_000, "780,000"),
        ] {
            assert_eq!(count(n), text);
        }
        for (n, text) in [(0, "0 nodes"), (1, "1 node"), (5461, "5,461 nodes")] {
            assert_eq!(counted(n, "node"), text);
        }
        assert_eq!(plural(2, "library", "libraries"), "2 libraries");
        let names = || ["a", "b", "c"].map(str::to_owned);
        assert_eq!(listed(names(), 3), "a, b, c");
        assert_eq!(listed(names(), 2), "a, b and 1 more");
        assert_eq!(listed([], 2), "");
    }
}
