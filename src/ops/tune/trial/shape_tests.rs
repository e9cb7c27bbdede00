//! Shapes: what a sample shows, scaled down.

use super::*;

fn spread(min: u64, p50: u64, p95: u64, max: u64) -> Option<Spread> {
    Some(Spread { min, p50, p95, max })
}

/// A thousand keys of a node that holds ten million: two families of hashes, one of strings.
fn seen() -> KeysSeen {
    let encoding = |count, each, elements, longest| EncodingSeen {
        count,
        memory_bytes: count * each,
        elements,
        longest_bytes: longest,
    };
    let small = encoding(300, 700, spread(2, 10, 20, 30), spread(5, 40, 50, 60));
    let large = encoding(
        200,
        20_000,
        spread(130, 200, 300, 400),
        spread(9, 12, 30, 64),
    );
    let text = encoding(500, 564, spread(300, 500, 790, 800), None);
    let types = |count, encodings: Vec<(&str, EncodingSeen)>| TypeSeen {
        count,
        encodings: (encodings.into_iter())
            .map(|(name, seen)| (name.to_owned(), seen))
            .collect(),
        ..TypeSeen::default()
    };
    let family = |pattern: &str, kind: &str, count, mean, with_expiry| Family {
        pattern: pattern.into(),
        count,
        with_expiry,
        kind: kind.into(),
        expiry_s: Some(86_400),
        mean_bytes: Some(mean),
    };
    let hashes = types(500, vec![("listpack", small), ("hashtable", large)]);
    KeysSeen {
        sampled: 1_000,
        keys: 10_000_000,
        is_deep: true,
        types: [
            ("hash".to_owned(), hashes),
            ("string".to_owned(), types(500, vec![("raw", text)])),
        ]
        .into(),
        families: vec![
            family("session:*", "string", 500, 564, 500),
            family("book:*", "hash", 300, 700, 0),
            family("ratings:user:*", "hash", 200, 20_000, 0),
        ],
        ..KeysSeen::default()
    }
}

#[test]
fn families_keep_their_sizes_and_shares_and_are_bounded_together() {
    let shape = Shape::of(&seen());
    let patterns: Vec<&str> = shape
        .groups
        .iter()
        .map(|one| one.pattern.as_str())
        .collect();
    assert_eq!(patterns, ["session:*", "book:*", "ratings:user:*"]);
    let [sessions, books, ratings] = &shape.groups[..] else {
        panic!("{shape:?}");
    };
    assert_eq!(
        (sessions.elements.p50, sessions.expiring_percent),
        (500, 100)
    );
    assert_eq!(sessions.expiry_s, 86_400);
    // By their mean size books are the small hashes and ratings the large ones.
    assert_eq!((books.elements.p50, ratings.elements.p50), (10, 200));
    assert!((30..=60).contains(&books.value_bytes), "{books:?}");
    assert!(
        (books.keys * 5 / 3).abs_diff(sessions.keys) <= 2,
        "{shape:?}"
    );
    let bytes: u64 = shape.groups.iter().map(|one| one.bytes() * one.keys).sum();
    assert!(bytes <= MOST_BYTES + (1 << 20), "{bytes}");
    assert!(shape.keys() > 1_000 && shape.notes.is_empty());
}

#[test]
fn a_small_node_is_copied_whole() {
    let mut small = seen();
    small.keys = 1_000;
    assert_eq!(Shape::of(&small).keys(), 1_000);
}

#[test]
fn the_elements_of_a_key_are_drawn_from_the_spread_and_stay_the_same() {
    let shape = Shape::of(&seen());
    let ratings = &shape.groups[2];
    let drawn: Vec<u64> = (0..1_000).map(|n| ratings.elements_of(n)).collect();
    assert!(drawn.iter().all(|n| (130..=400).contains(n)));
    let above = drawn.iter().filter(|&&n| n >= 200).count();
    assert!((430..=570).contains(&above), "{above}");
    assert_eq!(ratings.elements_of(7), ratings.elements_of(7));
    assert_eq!(ratings.key(7), b"ratings:user:000000007");
}

#[test]
fn what_was_not_seen_is_told() {
    let mut shallow = seen();
    shallow.is_deep = false;
    shallow
        .types
        .values_mut()
        .for_each(|types| types.encodings.clear());
    shallow.families[0].kind = "ReJSON-RL".into();
    let shape = Shape::of(&shallow);
    assert_eq!(shape.groups.len(), 2);
    assert_eq!(shape.notes.len(), 2, "{:?}", shape.notes);
    for (keys, used, each) in [(0, 0, 64), (1_000, 564_000, 500)] {
        let shape = Shape::unseen(keys, used);
        assert_eq!(shape.groups[0].elements.p50, each);
        assert_eq!(shape.notes.len(), 1);
    }
}
