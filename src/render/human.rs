//! Numbers as people read and write them.
//!
//! Out: three digits and a unit, so that columns stay narrow and nobody counts zeros. In: a
//! duration or size must carry its unit, since a bare `30` means seconds to one and milliseconds to
//! the next.

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

/// A duration in microseconds.
pub fn micros(us: u64) -> String {
    duration(Duration::from_micros(us))
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

/// A count with its noun: `1 node`, `6 nodes`.
pub fn plural(number: usize, one: &str, many: &str) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", count(number as u64))
}

/// A number a second, without the unit: `0`, `0.4`, `12`, `1,200`.
pub fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() || r < 0.0 => "?".to_owned(),
        r if r > 0.0 && r < 9.95 => format!("{r:.1}"),
        r => count(r.round() as u64),
    }
}

/// `0%`, `<0.01%`, `0.12%`, `12.3%`, `100%`.
pub fn percent(percent: f64) -> String {
    match percent {
        p if !p.is_finite() => "?".to_owned(),
        0.0 => "0%".to_owned(),
        p if p > 0.0 && p < 0.01 => "<0.01%".to_owned(),
        p => format!("{}%", three_digits(p)),
    }
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

fn three_digits(value: f64) -> String {
    match value {
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// Why a text is no amount; says what one looks like.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    /// No unit.
    #[error("'{0}' has no unit: write {1}")]
    NoUnit(String, String),
    /// A unit that is not known.
    #[error("'{0}' has an unknown unit: {1}")]
    Unit(String, &'static str),
    /// No number.
    #[error("'{0}' is no {1}: write a number and a unit, such as {2}")]
    Form(String, &'static str, &'static str),
    /// Too large to count.
    #[error("'{0}' is too large")]
    TooLarge(String),
}

/// Reads `250ms`, `5s`, `1m30s`, `1.5h`.
pub fn parse_duration(text: &str) -> Result<Duration, ParseAmountError> {
    let shown = || text.chars().take(40).collect::<String>();
    let no_form = || ParseAmountError::Form(shown(), "duration", "250ms, 5s or 2m");
    let mut rest = text.trim();
    let mut sum = 0.0;
    if rest.is_empty() {
        return Err(no_form());
    }
    while !rest.is_empty() {
        let (number, unit, after) = split_amount(rest).ok_or_else(no_form)?;
        sum += number
            * match unit {
                "us" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                "" => return Err(no_unit(&shown(), &["ms", "s"])),
                _ => return Err(ParseAmountError::Unit(shown(), "use us, ms, s, m, h or d")),
            };
        rest = after;
    }
    Duration::try_from_secs_f64(sum).map_err(|_| ParseAmountError::TooLarge(shown()))
}

/// Reads `512B`, `100MiB`, `100mb`, `1.5g`. The short forms mean what they mean in redis.conf:
/// `kb`, `mb`, `gb` count in 1024, and `k`, `m`, `g` in 1000.
pub fn parse_bytes(text: &str) -> Result<u64, ParseAmountError> {
    let shown = || text.chars().take(40).collect::<String>();
    let no_form = || ParseAmountError::Form(shown(), "size", "100MiB or 2GiB");
    let (number, unit, after) = split_amount(text.trim()).ok_or_else(no_form)?;
    if !after.is_empty() {
        return Err(no_form());
    }
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "b" => 1,
        "k" => 1000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "kb" | "kib" => 1 << 10,
        "mb" | "mib" => 1 << 20,
        "gb" | "gib" => 1 << 30,
        "tb" | "tib" => 1 << 40,
        "" => return Err(no_unit(&shown(), &["MiB", "B"])),
        _ => {
            return Err(ParseAmountError::Unit(
                shown(),
                "use B, KiB, MiB, GiB or TiB",
            ));
        }
    };
    let total = number * factor as f64;
    // Above 2^63 the rounding of an f64 would no longer be honest.
    if total >= 9.2e18 {
        return Err(ParseAmountError::TooLarge(shown()));
    }
    Ok(total.round() as u64)
}

fn no_unit(text: &str, units: &[&str]) -> ParseAmountError {
    let examples: Vec<String> = units.iter().map(|unit| format!("{text}{unit}")).collect();
    ParseAmountError::NoUnit(text.to_owned(), examples.join(" or "))
}

/// A number, the letters after it, and the rest.
fn split_amount(text: &str) -> Option<(f64, &str, &str)> {
    let digits_end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number: f64 = text[..digits_end].parse().ok()?;
    let rest = text[digits_end..].trim_start();
    let unit_end = rest
        .find(|c: char| !c.is_alphabetic())
        .unwrap_or(rest.len());
    Some((number, &rest[..unit_end], rest[unit_end..].trim_start()))
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
            assert_eq!(micros(us), text);
        }
    }

    #[test]
    fn counts_rates_percents_and_times() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (16_384, "16,384"),
            (780_000, "780,000"),
        ] {
            assert_eq!(count(n), text);
        }
        for (r, text) in [
            (0.0, "0"),
            (0.42, "0.4"),
            (12.4, "12"),
            (1200.0, "1,200"),
            (f64::NAN, "?"),
        ] {
            assert_eq!(rate(r), text);
        }
        for (p, text) in [
            (0.0, "0%"),
            (0.001, "<0.01%"),
            (0.123, "0.12%"),
            (12.34, "12.3%"),
            (100.0, "100%"),
        ] {
            assert_eq!(percent(p), text);
        }
        assert_eq!(timestamp(1_795_384_800_042), "2026-11-22T22:00:00.042Z");
        assert_eq!(timestamp(u64::MAX), "?");
        assert_eq!(seconds(-1.0), "?");
    }

    #[test]
    fn amounts_are_read_with_their_unit() {
        for (text, ms) in [
            ("250ms", 250),
            ("5s", 5000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("2 s", 2000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text).unwrap(),
                Duration::from_millis(ms),
                "{text}"
            );
        }
        for (text, count) in [
            ("512B", 512),
            ("100MiB", 104_857_600),
            ("1kb", 1024),
            ("1k", 1000),
            ("1.5GiB", 1_610_612_736),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), count, "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_what_to_write() {
        for (text, why) in [
            ("30", "write 30ms or 30s"),
            ("", "is no duration"),
            ("s", "is no duration"),
            ("-5s", "is no duration"),
            ("1.2.3s", "is no duration"),
            ("5 fortnights", "use us, ms, s"),
            ("5sé", "use us, ms, s"),
            ("99999999999999999999999d", "too large"),
        ] {
            let error = parse_duration(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        for (text, why) in [
            ("100", "write 100MiB or 100B"),
            ("100XB", "use B, KiB"),
            ("1MiB2", "is no size"),
            ("99999999TiB", "too large"),
        ] {
            let error = parse_bytes(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
