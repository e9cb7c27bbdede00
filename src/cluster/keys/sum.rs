//! From keys to what is kept of them. Pure.

use std::collections::BTreeMap;

use super::ask::Key;
use super::pattern::{FEWEST, families};
use crate::model::{EncodingSeen, Family, KeysSeen, Spread, TypeSeen};

/// Families that are kept.
const MOST_FAMILIES: usize = 32;

/// `lfu-log-factor` by default. With any other the shares of keys come out nearly the same.
const LOG_FACTOR: f64 = 10.0;
/// Where new keys begin (`LFU_INIT_VAL` in the servers' source).
const NEW_KEY: u64 = 5;

/// Everything but what the sampling itself is told by.
pub(super) fn sum(keys: &[Key]) -> KeysSeen {
    let frequencies: Vec<u64> = keys.iter().filter_map(|key| key.frequency).collect();
    KeysSeen {
        sampled: count(keys),
        types: types(keys),
        families: families_of(keys),
        hottest_tenth_percent: hottest_tenth(&frequencies),
        frequencies: Spread::of(frequencies),
        idle_s: Spread::of(keys.iter().filter_map(|key| key.idle_s)),
        largest_bytes: keys.iter().filter_map(|key| key.bytes).max(),
        ..KeysSeen::default()
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn by<'k>(keys: &[&'k Key], name: impl Fn(&Key) -> Option<&str>) -> BTreeMap<String, Vec<&'k Key>> {
    let mut parts: BTreeMap<String, Vec<&Key>> = BTreeMap::new();
    for &key in keys {
        if let Some(name) = name(key) {
            parts.entry(name.to_owned()).or_default().push(key);
        }
    }
    parts
}

fn types(keys: &[Key]) -> BTreeMap<String, TypeSeen> {
    let all: Vec<&Key> = keys.iter().collect();
    let parts = by(&all, |key| Some(&key.kind)).into_iter();
    parts
        .map(|(kind, keys)| {
            let seen = TypeSeen {
                count: count(&keys),
                with_expiry: count(&expiries(&keys)),
                expiry_s: Spread::of(expiries(&keys)),
                encodings: encodings(&keys),
            };
            (kind, seen)
        })
        .collect()
}

fn encodings(keys: &[&Key]) -> BTreeMap<String, EncodingSeen> {
    let parts = by(keys, |key| key.encoding.as_deref()).into_iter();
    parts
        .map(|(encoding, keys)| {
            let seen = EncodingSeen {
                count: count(&keys),
                memory_bytes: keys.iter().filter_map(|key| key.bytes).sum(),
                elements: Spread::of(keys.iter().filter_map(|key| key.elements)),
                longest_bytes: Spread::of(keys.iter().filter_map(|key| key.longest_bytes)),
            };
            (encoding, seen)
        })
        .collect()
}

/// In seconds, to the nearest.
fn expiries(keys: &[&Key]) -> Vec<u64> {
    let left = keys.iter().filter_map(|key| key.expiry_ms);
    left.map(|ms| (ms + 500) / 1_000).collect()
}

fn families_of(keys: &[Key]) -> Vec<Family> {
    let patterns: Vec<String> = keys.iter().map(|key| key.pattern.clone()).collect();
    let mut parts: BTreeMap<String, Vec<&Key>> = BTreeMap::new();
    for (key, family) in keys.iter().zip(families(&patterns)) {
        if let Some(family) = family {
            parts.entry(family).or_default().push(key);
        }
    }
    let mut all: Vec<Family> = parts
        .into_iter()
        .filter(|(_, keys)| keys.len() >= FEWEST)
        .map(|(pattern, keys)| family(pattern, &keys))
        .collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then(a.pattern.cmp(&b.pattern)));
    all.truncate(MOST_FAMILIES);
    all
}

fn family(pattern: String, keys: &[&Key]) -> Family {
    let kinds = by(keys, |key| Some(&key.kind)).into_iter();
    let most = kinds.max_by_key(|(_, keys)| keys.len());
    let bytes: Vec<u64> = keys.iter().filter_map(|key| key.bytes).collect();
    Family {
        pattern,
        count: count(keys),
        with_expiry: count(&expiries(keys)),
        kind: most.map(|(kind, _)| kind).unwrap_or_default(),
        expiry_s: Spread::of(expiries(keys)).map(|spread| spread.p50),
        mean_bytes: bytes.iter().sum::<u64>().checked_div(count(&bytes)),
    }
}

/// The share of all use that the most used tenth of the keys has, in percent. The counters grow with
/// the logarithm of use, which is undone first.
fn hottest_tenth(frequencies: &[u64]) -> Option<f64> {
    let mut uses: Vec<f64> = frequencies
        .iter()
        .map(|&counter| uses_of(counter))
        .collect();
    uses.sort_by(|a, b| b.total_cmp(a));
    let all: f64 = uses.iter().sum();
    let tenth = uses.len().div_ceil(10);
    let hottest: f64 = uses.iter().take(tenth).sum();
    (all > 0.0).then(|| hottest * 100.0 / all)
}

/// How many uses a counter stands for: it goes up by one with a chance of 1 in
/// `(counter - 5) * factor + 1` (`LFULogIncr` in the servers' `evict.c`).
fn uses_of(counter: u64) -> f64 {
    let above = counter.saturating_sub(NEW_KEY) as f64;
    above + LOG_FACTOR * above * (above - 1.0).max(0.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(pattern: &str, kind: &str) -> Key {
        Key {
            pattern: pattern.into(),
            kind: kind.into(),
            ..Key::default()
        }
    }

    #[test]
    fn keys_are_summed_by_type_encoding_and_family() {
        let session = |ms| Key {
            expiry_ms: Some(ms),
            encoding: Some("raw".into()),
            bytes: Some(500),
            elements: Some(400),
            ..key("session:*", "string")
        };
        let book = Key {
            encoding: Some("listpack".into()),
            bytes: Some(1_000),
            elements: Some(23),
            longest_bytes: Some(60),
            ..key("book:*", "hash")
        };
        let mut keys = vec![session(1_000), session(60_000), session(3_600_400)];
        keys.extend(vec![book; 4]);
        keys.push(key("config", "hash"));
        let seen = sum(&keys);
        assert_eq!((seen.sampled, seen.types.len()), (8, 2));
        let strings = &seen.types["string"];
        assert_eq!((strings.count, strings.with_expiry), (3, 3));
        assert_eq!(strings.expiry_s.unwrap().max, 3_600);
        let packed = &seen.types["hash"].encodings["listpack"];
        assert_eq!((packed.count, packed.memory_bytes), (4, 4_000));
        assert_eq!(packed.longest_bytes.unwrap().p95, 60);
        let families: Vec<_> = seen
            .families
            .iter()
            .map(|f| (&*f.pattern, f.count))
            .collect();
        assert_eq!(families, [("book:*", 4), ("session:*", 3)]);
        let sessions = &seen.families[1];
        assert_eq!(
            (sessions.expiry_s, sessions.mean_bytes),
            (Some(60), Some(500))
        );
        assert_eq!(seen.families[0].expiry_s, None);
    }

    #[test]
    fn the_hottest_tenth_is_weighed_by_uses_not_by_counters() {
        assert_eq!(hottest_tenth(&[]), None);
        assert_eq!(hottest_tenth(&[5; 10]), None, "nobody used any");
        let even = hottest_tenth(&[50; 10]).unwrap();
        assert!((even - 10.0).abs() < 0.01, "{even}");
        let mut skewed = vec![10; 9];
        skewed.push(200);
        assert!(hottest_tenth(&skewed).unwrap() > 99.0);
    }

    #[test]
    fn nothing_sums_to_nothing() {
        assert_eq!(sum(&[]), KeysSeen::default());
    }
}
