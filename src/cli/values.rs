//! Values as people write them: durations with a unit, pairs with `=`, lists with commas, yes and no.
//!
//! Flags, variables and the settings file read the same texts by the same functions, so that what
//! works in one place works in all.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::health::Profile;
use crate::model::{NodeAddr, Provider};

/// A duration with a unit: `250ms`, `5s`, `2m`. `0s` is allowed.
pub fn duration(text: &str) -> Result<Duration, String> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(format!(
            "'{trimmed}' has no unit (write {trimmed}s or {trimmed}ms)"
        ));
    }
    humantime::parse_duration(trimmed)
        .map_err(|_| format!("'{trimmed}' is no duration (write 250ms, 5s or 2m)"))
}

/// A duration that is longer than nothing.
pub fn span(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err(format!(
            "'{}' leaves no time at all (write 2s)",
            text.trim()
        )),
        time => Ok(time),
    }
}

/// A moment: a time, or how long ago it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Ms since the epoch.
    At(u64),
    /// So long before now.
    Ago(Duration),
}

impl When {
    /// The moment, ms since the epoch.
    pub fn before(self, now_ms: u64) -> u64 {
        match self {
            When::At(at_ms) => at_ms,
            When::Ago(time) => {
                let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                now_ms.saturating_sub(ms)
            }
        }
    }
}

/// `2026-11-24T12:03:07Z` (UTC; the Z and a fraction may be there or not), or `2h`, also `2h ago`, for how
/// long ago.
pub fn moment(text: &str) -> Result<When, String> {
    let trimmed = text.trim();
    let ago = trimmed.strip_suffix("ago");
    if let (Ok(time), None) = (humantime::parse_rfc3339_weak(trimmed), ago) {
        let since = time.duration_since(std::time::UNIX_EPOCH);
        let ms = since
            .ok()
            .and_then(|since| u64::try_from(since.as_millis()).ok());
        return ms
            .map(When::At)
            .ok_or_else(|| format!("'{trimmed}' lies before 1970"));
    }
    humantime::parse_duration(ago.unwrap_or(trimmed).trim_end())
        .map(When::Ago)
        .map_err(|_| format!("'{trimmed}' is no moment (write 2026-11-24T12:03:07Z, or '2h ago')"))
}

/// A bare number of seconds, as deployments write `REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    text.trim()
        .parse::<f64>()
        .ok()
        .filter(|seconds| *seconds > 0.0)
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("'{}' is no number of seconds above 0", text.trim()))
}

/// A duration as it is shown: `250ms`, `5s`, `1m 30s`.
pub fn show_duration(time: &Duration) -> String {
    humantime::format_duration(*time).to_string()
}

/// `true` and `false` in the words that deployments use.
pub fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        other => Err(format!("'{other}' is neither true nor false")),
    }
}

/// A number.
pub fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    let trimmed = text.trim();
    trimmed
        .parse()
        .map_err(|_| format!("'{trimmed}' is no number that fits here"))
}

/// A comma-separated list; empty items are dropped, so a trailing comma does no harm.
pub fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_string)
        .collect()
}

/// `announced=reachable`, both addresses.
pub fn node_pair(text: &str) -> Result<(NodeAddr, NodeAddr), String> {
    let (announced, reachable) = text
        .split_once('=')
        .ok_or_else(|| format!("'{text}' has no '=' (write announced=reachable)"))?;
    let addr = |text: &str| text.parse::<NodeAddr>().map_err(|error| error.to_string());
    Ok((addr(announced)?, addr(reachable)?))
}

/// A managed service, `auto` or `none`.
pub fn provider(text: &str) -> Result<Provider, String> {
    text.trim()
        .parse::<Provider>()
        .map_err(|error| error.to_string())
}

/// `addr=zone`.
pub fn zone_pair(text: &str) -> Result<(NodeAddr, String), String> {
    let (addr, zone) = text
        .split_once('=')
        .filter(|(_, zone)| !zone.trim().is_empty())
        .ok_or_else(|| format!("'{text}' names no zone (write host:port=zone)"))?;
    let addr = addr
        .parse::<NodeAddr>()
        .map_err(|error| error.to_string())?;
    Ok((addr, zone.trim().to_string()))
}

/// Pairs in a comma-separated list, for variables.
pub fn pairs<K: Ord, V>(
    text: &str,
    read: fn(&str) -> Result<(K, V), String>,
) -> Result<BTreeMap<K, V>, String> {
    list(text).iter().map(|item| read(item)).collect()
}

/// The name of a cluster: it names a file, containers and a network, so it is kept plain.
pub fn cluster_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts_well && text.len() <= 40 && text.chars().all(is_plain) {
        Ok(text.to_string())
    } else {
        Err("a cluster's name has 1 to 40 of a-z, 0-9, '-' and '_', and starts with a letter or digit".into())
    }
}

/// What the cluster is for.
pub fn profile(text: &str) -> Result<Profile, String> {
    match text.trim() {
        "cache" => Ok(Profile::Cache),
        "session" => Ok(Profile::Session),
        "durable" => Ok(Profile::Durable),
        "queue" => Ok(Profile::Queue),
        other => Err(format!(
            "'{other}' is no profile (cache, session, durable, queue)"
        )),
    }
}

/// A value of a clap list, for texts that do not come from the command line.
pub fn choice<T: clap::ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text.trim(), true).map_err(|_| {
        let known: Vec<String> = T::value_variants()
            .iter()
            .filter_map(|value| Some(value.to_possible_value()?.get_name().to_string()))
            .collect();
        format!("'{}' is none of {}", text.trim(), known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_lie_so_long_ago() {
        for (text, at_ms) in [
            ("2026-11-24T16:37:54.123Z", 1_795_538_274_123),
            ("2026-11-24 16:37:54", 1_795_538_274_000),
            ("90s", 1_795_538_210_000),
            ("1d", 1_795_451_900_000),
            ("90s ago", 1_795_538_210_000),
            (" 1m 30s  ago ", 1_795_538_210_000),
            ("1d ago", 1_795_451_900_000),
        ] {
            let now_ms = 1_795_538_300_000;
            assert_eq!(
                moment(text).map(|when| when.before(now_ms)),
                Ok(at_ms),
                "{text}"
            );
        }
        for text in [
            "",
            "ago",
            "yesterday",
            "12",
            "12 ago",
            "5m ago ago",
            "2026-13-01T00:00:00Z",
            "2026-11-24T16:37:54Z ago",
        ] {
            assert!(moment(text).unwrap_err().contains("no moment"), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration(" 5s "), Ok(Duration::from_secs(5)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for (text, why) in [
            ("5", "write 5s"),
            ("", "no duration"),
            ("soon", "no duration"),
        ] {
            assert!(duration(text).unwrap_err().contains(why), "{text}");
        }
        assert!(span("0s").unwrap_err().contains("no time"));
        assert!(duration("99999999999999999999s").is_err());
    }

    #[test]
    fn seconds_are_bare_numbers() {
        assert_eq!(seconds("60"), Ok(Duration::from_secs(60)));
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["0", "-1", "NaN", "inf", "1e300", "60s", ""] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn yes_and_no_in_many_words() {
        for (text, value) in [
            ("true", Some(true)),
            ("OFF", Some(false)),
            ("1", Some(true)),
            ("2", None),
        ] {
            assert_eq!(yes_or_no(text).ok(), value, "{text}");
        }
    }

    #[test]
    fn pairs_name_what_is_missing() {
        let map = pairs("172.18.0.2:7001=127.0.0.1:7001, a:1=b:2,", node_pair).unwrap();
        assert_eq!(map[&NodeAddr::new("a", 1)], NodeAddr::new("b", 2));
        assert!(node_pair("a:1").unwrap_err().contains("no '='"));
        assert!(node_pair("a=b:1").unwrap_err().contains("port is missing"));
        assert!(zone_pair("a:1=").unwrap_err().contains("no zone"));
        assert_eq!(
            zone_pair("[::1]:1=z").unwrap(),
            (NodeAddr::new("::1", 1), "z".into())
        );
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for (text, is_good) in [
            ("shop", true),
            ("shop-2_b", true),
            ("", false),
            ("../x", false),
            (".x", false),
            ("Shop", false),
            ("-x", false),
            ("a b", false),
        ] {
            assert_eq!(cluster_name(text).is_ok(), is_good, "{text}");
        }
    }
}
