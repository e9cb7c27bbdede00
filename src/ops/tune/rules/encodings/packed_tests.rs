//! Which thresholds are proposed for which sizes, and where none.

use crate::model::{EncodingSeen, KeysSeen, Severity, Spread, TypeSeen};
use crate::ops::tune::testing::Setup;

/// So many keys of that type and encoding, of so many elements and bytes, in a sample of 1,000 of
/// 100,000 keys.
fn seen(kind: &str, encoding: &str, count: u64, elements: u64, longest: u64) -> KeysSeen {
    let spread = |most: u64| {
        Some(Spread {
            min: most / 2,
            p50: most * 3 / 4,
            p95: most,
            max: most,
        })
    };
    let of = EncodingSeen {
        count,
        memory_bytes: count * elements * 80,
        elements: spread(elements),
        longest_bytes: spread(longest),
    };
    let kinds = TypeSeen {
        count: 400,
        encodings: [(encoding.to_owned(), of)].into(),
        ..TypeSeen::default()
    };
    KeysSeen {
        sampled: 1_000,
        keys: 100_000,
        is_deep: true,
        types: [(kind.to_owned(), kinds)].into(),
        ..KeysSeen::default()
    }
}

fn told(setup: &Setup, rule: &str) -> Vec<(String, usize, String)> {
    let each = setup.rule(rule);
    let each = each.iter();
    each.map(|one| {
        (
            one.parameter.clone(),
            one.changes.len(),
            one.changes[0].proposed.clone(),
        )
    })
    .collect()
}

fn setup(keys: &KeysSeen) -> Setup {
    Setup::sound().info("used_memory:800000000").keys(keys)
}

#[test]
fn thresholds_take_in_what_is_just_too_large() {
    let hashes = setup(&seen("hash", "hashtable", 200, 600, 30));
    let entries = |name: &str, value: &str| (name.to_owned(), 6, value.to_owned());
    assert_eq!(
        told(&hashes, "encodings.hash"),
        [entries("hash-max-listpack-entries", "608")]
    );
    let advice = &hashes.rule("encodings.hash")[0];
    assert_eq!(advice.severity, Severity::Info);
    // Of 3 x 20,000 hashes: 300 x 30,000 + 450 x 30,000 fields, nine tenths of them at 31 bytes.
    assert!(
        advice.why.ends_with("would save 599 MiB at the least"),
        "{}",
        advice.why
    );
    assert!(
        advice.evidence[1].contains("60,000 of them in all"),
        "{:?}",
        advice.evidence
    );
    let wide = setup(&seen("hash", "hashtable", 200, 600, 100));
    assert_eq!(
        told(&wide, "encodings.hash"),
        [
            entries("hash-max-listpack-entries", "608"),
            entries("hash-max-listpack-value", "128")
        ]
    );
    let zsets = setup(&seen("zset", "skiplist", 200, 200, 30));
    assert_eq!(
        told(&zsets, "encodings.zset"),
        [entries("zset-max-listpack-entries", "208")]
    );
}

#[test]
fn servers_before_7_know_the_old_names() {
    let mixed = (0..3).fold(
        setup(&seen("hash", "hashtable", 200, 600, 30)),
        |setup, n| {
            setup.facts(n, |facts| {
                facts.config.remove("hash-max-listpack-entries");
            })
        },
    );
    let told = told(&mixed, "encodings.hash");
    let names: Vec<_> = told
        .iter()
        .map(|(name, nodes, _)| (name.as_str(), *nodes))
        .collect();
    assert_eq!(
        names,
        [
            ("hash-max-listpack-entries", 3),
            ("hash-max-ziplist-entries", 3)
        ]
    );
    // Sets have none before 7.2.
    let sets = setup(&seen("set", "hashtable", 200, 200, 30));
    assert_eq!(sets.rule("encodings.set"), []);
    assert_eq!(sets.skipped("encodings.set"), []);
    let sets = sets
        .config("set-max-listpack-entries", "128")
        .config("set-max-listpack-value", "64");
    assert_eq!(sets.rule("encodings.set")[0].changes[0].proposed, "208");
}

#[test]
fn what_is_too_large_or_saves_little_or_is_packed_is_left_alone() {
    for keys in [
        seen("hash", "hashtable", 200, 5_000, 30),
        seen("hash", "hashtable", 200, 600, 1_000),
        seen("hash", "listpack", 200, 100, 30),
        seen("hash", "hashtable", 200, 400, 30),
        seen("zset", "skiplist", 200, 300, 30),
    ] {
        let setup = setup(&keys);
        for rule in ["encodings.hash", "encodings.zset"] {
            assert_eq!(setup.rule(rule), []);
            assert_eq!(setup.skipped(rule), []);
        }
    }
    let few = setup(&seen("hash", "hashtable", 1, 600, 30)).info("used_memory:90000000000");
    assert_eq!(few.rule("encodings.hash"), []);
}

#[test]
fn searches_that_would_take_too_long_forbid_it() {
    let busy =
        setup(&seen("hash", "hashtable", 200, 600, 30)).later("cmdstat_hget:calls=600000,usec=1");
    // 10,000 a second, 60.8 us each.
    assert_eq!(busy.rule("encodings.hash"), []);
    let skipped = busy.skipped("encodings.hash");
    assert!(
        skipped[0].reason.contains("61 % of a core"),
        "{}",
        skipped[0].reason
    );
}

#[test]
fn pieces_that_are_too_long_are_shortened() {
    let long = setup(&seen("hash", "listpack", 200, 8_000, 30))
        .config("hash-max-listpack-entries", "10000");
    let advice = long.rule("encodings.hash");
    assert_eq!(
        (advice[0].severity, advice[0].changes[0].proposed.as_str()),
        (Severity::Warning, "1000")
    );
    assert!(
        advice[0].why.ends_with("for up to 800 us"),
        "{}",
        advice[0].why
    );
}

#[test]
fn what_is_missing_is_told_once() {
    let blind = Setup::sound().info("db0:keys=1000,expires=0,avg_ttl=0");
    for rule in ["encodings.hash", "encodings.zset"] {
        let skipped = blind.skipped(rule);
        assert_eq!(skipped.len(), 1);
        assert!(skipped[0].reason.contains("--deep"));
        // Of an empty cluster there is nothing to look at.
        assert_eq!(Setup::sound().skipped(rule), []);
    }
    let mut few = seen("hash", "hashtable", 5, 600, 30);
    if let Some(hashes) = few.types.get_mut("hash") {
        hashes.count = 5;
    }
    let skipped = setup(&few).skipped("encodings.hash");
    assert_eq!(
        skipped[0].reason,
        "15 hashes in the samples, and fewer than 100 show nothing"
    );
}
