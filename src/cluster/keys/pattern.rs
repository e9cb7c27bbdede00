//! What a key's name has in common with those of its family: the words stay, numbers, hashes and
//! whatever else tells one key from another become `*`.
//!
//! The name itself goes no further than this file. What belongs to one key alone belongs to a user:
//! so a word that hardly any two keys share becomes `*` as well, and what is left without company
//! belongs to no family.

use std::collections::{BTreeMap, BTreeSet};

/// What parts the words of a name.
const SEPARATORS: &[u8] = b":./_-{}|#@";
/// What parts the levels of a name; the other separators only part words within one.
const LEVELS: &[char] = &[':', '/'];
/// What may stand between two stars that are one thing: dates, addresses, identifiers.
const WITHIN: &[&str] = &["*-*", "*_*", "*.*"];
/// A longer word is made by no human.
const LONGEST_WORD: usize = 24;
/// Of hexadecimal digits without a single number among them so many are no word.
const LONGEST_HEX_WORD: usize = 7;
/// With a number inside, so long a word is a token and not a name.
const SHORTEST_TOKEN: usize = 12;
/// The parts of a UUID, in hexadecimal digits.
const UUID: [usize; 5] = [8, 4, 4, 4, 12];
/// A longer pattern is cut.
const LONGEST_PATTERN: usize = 80;

/// From so many words at one place on, of which each has hardly any keys, the words tell keys apart.
const MANY_WORDS: usize = 5;
/// That many keys for each word, on average, make the words names of kinds.
const KEYS_PER_WORD: usize = 3;
/// Fewer keys than these are no family.
pub(super) const FEWEST: usize = 3;

/// The pattern of one name: `session:<32 hex>` is `session:*`, `book:12:tags` is `book:*:tags`.
pub(super) fn pattern(name: &[u8]) -> String {
    let name = without_uuids(name);
    let mut text = String::new();
    let mut rest = name.as_slice();
    while !rest.is_empty() && text.len() < LONGEST_PATTERN {
        let end = rest.iter().position(|byte| SEPARATORS.contains(byte));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        text.push_str(&shown(word));
        if let Some((&separator, after)) = after.split_first() {
            text.push(char::from(separator));
            rest = after;
        } else {
            rest = after;
        }
    }
    if !rest.is_empty() {
        text.push('*');
    }
    collapsed(text)
}

/// A word as it may be shown.
fn shown(word: &[u8]) -> String {
    let Some(text) = std::str::from_utf8(word)
        .ok()
        .filter(|text| text.chars().all(is_plain))
    else {
        return "*".to_owned();
    };
    let has_number = word.iter().any(u8::is_ascii_digit);
    let is_hex = !word.is_empty() && word.iter().all(u8::is_ascii_hexdigit);
    let is_token = has_number && word.len() >= SHORTEST_TOKEN;
    let is_hash = is_hex && (has_number || word.len() > LONGEST_HEX_WORD);
    if is_hash || is_token || word.len() > LONGEST_WORD {
        return "*".to_owned();
    }
    numbers_as_stars(text)
}

fn is_plain(c: char) -> bool {
    !c.is_control() && !c.is_whitespace()
}

/// `user12` is `user*`.
fn numbers_as_stars(word: &str) -> String {
    let mut text = String::new();
    for c in word.chars() {
        match c.is_ascii_digit() {
            true if text.ends_with('*') => {}
            true => text.push('*'),
            false => text.push(c),
        }
    }
    text
}

/// With every UUID as one star: a part of it may happen to be a word, such as `beef`.
fn without_uuids(name: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        match after_uuid(rest) {
            Some(after) => {
                kept.push(b'*');
                rest = after;
            }
            None => {
                kept.push(first);
                rest = after;
            }
        }
    }
    kept
}

/// What follows the UUID that the text begins with.
fn after_uuid(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    for (n, &digits) in UUID.iter().enumerate() {
        if n > 0 {
            rest = rest.strip_prefix(b"-")?;
        }
        let (part, after) = rest.split_at_checked(digits)?;
        if !part.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

fn collapsed(mut text: String) -> String {
    let same = |text: &String| WITHIN.iter().find(|part| text.contains(**part)).copied();
    while let Some(part) = same(&text) {
        text = text.replace(part, "*");
    }
    text
}

/// The families of keys with those patterns, in the same order; `None` for a key that has none.
pub(super) fn families(patterns: &[String]) -> Vec<Option<String>> {
    let first = in_common(patterns);
    let lonely = |patterns: &[String]| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for pattern in patterns {
            *counts.entry(pattern).or_default() += 1;
        }
        let is_lonely = |pattern: &String| counts[pattern.as_str()] < FEWEST;
        patterns.iter().map(is_lonely).collect::<Vec<_>>()
    };
    let is_lonely = lonely(&first);
    let second: Vec<String> = first
        .into_iter()
        .zip(is_lonely)
        .map(|(pattern, is_lonely)| match is_lonely {
            true => head(&pattern),
            false => pattern,
        })
        .collect();
    let is_lonely = lonely(&second);
    let kept = second.into_iter().zip(is_lonely);
    kept.map(|(pattern, is_lonely)| (!is_lonely && pattern.contains('*')).then_some(pattern))
        .collect()
}

/// Its first level, and a star for all that follows.
fn head(pattern: &str) -> String {
    let level = pattern.find(LEVELS);
    let word = || pattern.find(|c: char| c.is_ascii() && SEPARATORS.contains(&(c as u8)));
    match level.or_else(word) {
        Some(end) => format!("{}*", &pattern[..=end]),
        None => pattern.to_owned(),
    }
}

/// A pattern as its levels.
type Levels<'a> = Vec<&'a str>;

/// The patterns with those words as stars that tell keys apart. Looked at are patterns of the same
/// first level and as many levels.
fn in_common(patterns: &[String]) -> Vec<String> {
    let levels: Vec<Levels> = patterns
        .iter()
        .map(|pattern| pattern.split_inclusive(LEVELS).collect())
        .collect();
    let mut alike: BTreeMap<(&str, usize), Vec<&Levels>> = BTreeMap::new();
    for words in &levels {
        alike.entry(shape(words)).or_default().push(words);
    }
    let telling: BTreeMap<(&str, usize), Vec<bool>> = alike
        .into_iter()
        .map(|(shape, all)| (shape, telling_apart(&all, shape.1)))
        .collect();
    levels
        .iter()
        .map(|words| {
            let stars = &telling[&shape(words)];
            let shown = words
                .iter()
                .zip(stars)
                .map(|(word, is_star)| match is_star {
                    true => starred(word),
                    false => (*word).to_owned(),
                });
            shown.collect()
        })
        .collect()
}

fn shape<'a>(words: &Levels<'a>) -> (&'a str, usize) {
    (words.first().copied().unwrap_or_default(), words.len())
}

/// For each level whether its words tell keys apart.
fn telling_apart(all: &[&Levels], count: usize) -> Vec<bool> {
    let is_telling = |level: usize| {
        let words: BTreeSet<&str> = all.iter().map(|words| words[level]).collect();
        level > 0 && words.len() >= MANY_WORDS && words.len() * KEYS_PER_WORD > all.len()
    };
    (0..count).map(is_telling).collect()
}

/// A star in the place of a word; the separator after it stays.
fn starred(word: &str) -> String {
    let end = word.strip_suffix(LEVELS).map_or(word.len(), str::len);
    format!("*{}", &word[end..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_become_patterns() {
        for (name, wanted) in [
            ("session:0123456789abcdef0123456789abcdef", "session:*"),
            ("session:deadbeefdeadbeef", "session:*"),
            ("session:550e8400-e29b-beef-dead-446655440000", "session:*"),
            ("book:12:tags", "book:*:tags"),
            ("book:12", "book:*"),
            ("{user:1}:cart", "{user:*}:cart"),
            ("user12.name", "user*.name"),
            ("counter:book:77:3", "counter:book:*:*"),
            ("stats/2024-01-05/page", "stats/*/page"),
            ("ip:10.0.0.1", "ip:*"),
            ("leaderboard:{all}", "leaderboard:{all}"),
            ("cafe:menu", "cafe:menu"),
            ("token:Zk3xQ9vLmN0pRs", "token:*"),
            ("spring:session:sessions:7", "spring:session:sessions:*"),
            ("42", "*"),
            ("a b", "*"),
            ("", ""),
        ] {
            assert_eq!(pattern(name.as_bytes()), wanted, "{name}");
        }
        assert_eq!(pattern(b"bin:\xff\x00"), "bin:*");
        assert_eq!(pattern("книга:12".as_bytes()), "книга:*");
        let long = pattern("word:".repeat(1_000).as_bytes());
        assert!(long.len() <= LONGEST_PATTERN + 6 && long.ends_with('*'));
    }

    fn found(names: &[String]) -> BTreeMap<String, usize> {
        let patterns: Vec<String> = names.iter().map(|name| pattern(name.as_bytes())).collect();
        let mut counts = BTreeMap::new();
        for family in families(&patterns).into_iter().flatten() {
            *counts.entry(family).or_default() += 1;
        }
        counts
    }

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn what_has_no_company_belongs_to_no_family() {
        let names = named(&["a:1", "a:2", "b:1", "config", "lock"]);
        assert!(found(&names).is_empty());
        let names = named(&["a:1", "a:2", "a:3", "config"]);
        assert_eq!(found(&names), BTreeMap::from([("a:*".into(), 3)]));
    }

    #[test]
    fn words_that_tell_keys_apart_are_not_shown() {
        let people = ["ann", "bob", "carl", "dora", "eve", "fay", "guy"];
        let names: Vec<String> = people.iter().map(|who| format!("user:{who}")).collect();
        assert_eq!(found(&names), BTreeMap::from([("user:*".into(), 7)]));
        let carts: Vec<String> = people
            .iter()
            .map(|who| format!("user:{who}:cart"))
            .collect();
        assert_eq!(found(&carts), BTreeMap::from([("user:*:cart".into(), 7)]));
        let tokens = ["kQ-v_b", "xZ-_-a", "p_Qw-z", "u-y_R"];
        let names: Vec<String> = tokens.iter().map(|t| format!("session:{t}")).collect();
        assert_eq!(found(&names), BTreeMap::from([("session:*".into(), 4)]));
    }

    #[test]
    fn words_that_many_keys_share_stay() {
        let kinds = ["user", "book", "cart", "tag", "shelf", "review"];
        let names: Vec<String> = (0..60)
            .map(|n| format!("app:{}:{n}", kinds[n % kinds.len()]))
            .collect();
        let families = found(&names);
        assert_eq!(families.len(), kinds.len(), "{families:?}");
        assert_eq!(families["app:book:*"], 10);
    }

    proptest! {
        #[test]
        fn any_name_has_a_pattern_without_numbers(name in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = pattern(&name);
            prop_assert!(!text.bytes().any(|byte| byte.is_ascii_digit()), "{}", text);
            prop_assert!(text.len() <= LONGEST_PATTERN + LONGEST_WORD + 3);
            families(&[text.clone(), text.clone(), text]);
        }
    }
}
