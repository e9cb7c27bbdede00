//! Numbers as people read and write them.
//!
//! Out: in the words of the model, and what only tables need besides. In: a duration or size must
//! carry its unit, since a bare `30` means seconds to one and milliseconds to the next.

use std::time::Duration;

use crate::model::words::three_digits;
pub use crate::model::words::{bytes, count, counted, duration, plural, seconds, timestamp};

/// A duration in microseconds.
pub fn micros(us: u64) -> String {
    duration(Duration::from_micros(us))
}

/// A duration in milliseconds; what is no time at all is `?`.
pub fn millis(ms: f64) -> String {
    seconds(ms / 1e3)
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
    fn rates_percents_and_times() {
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
        assert_eq!(micros(1_240), "1.24 ms");
        assert_eq!(millis(2_413.4), "2.41 s");
        assert_eq!(millis(f64::NAN), "?");
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
