//! Which keys of a snapshot are meant: pure.

use crate::model::{Slot, SlotSet};
use crate::rdb::{Entry, Family, family};

/// Which keys. By default all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Select {
    /// Keys that match one of these, as KEYS and SCAN match.
    pub globs: Vec<String>,
    /// Keys with this hash tag.
    pub tag: Option<Vec<u8>>,
    /// Keys of these types.
    pub families: Vec<Family>,
    /// Keys of these slots.
    pub slots: Option<SlotSet>,
    /// Keys with at least so many ms to live; such without an expiry too.
    pub min_ttl_ms: Option<u64>,
}

impl Select {
    /// Whether every key is meant.
    pub fn is_all(&self) -> bool {
        *self == Select::default()
    }

    /// Whether nothing but its slot decides whether a key is meant: how much that is stands in the
    /// snapshot's tables.
    pub fn is_by_slot(&self) -> bool {
        let Select {
            globs,
            tag,
            families,
            slots: _,
            min_ttl_ms,
        } = self;
        globs.is_empty() && tag.is_none() && families.is_empty() && min_ttl_ms.is_none()
    }

    /// Whether keys of that slot may be meant.
    pub fn takes_slot(&self, slot: Slot) -> bool {
        self.slots.as_ref().is_none_or(|slots| slots.contains(slot))
    }

    /// Whether a key of that name may be meant.
    pub fn takes_key(&self, key: &[u8]) -> bool {
        let tag = self.tag.as_deref();
        (self.slots.is_none() || self.takes_slot(Slot::of_key(key)))
            && tag.is_none_or(|tag| Slot::tag_of(key) == Some(tag))
            && (self.globs.is_empty()
                || self.globs.iter().any(|glob| matches(glob.as_bytes(), key)))
    }

    /// Whether that entry is meant.
    pub fn takes(&self, entry: &Entry<'_>, now_ms: u64) -> bool {
        if self.is_all() {
            return true;
        }
        let is_of_type = || {
            self.families.is_empty()
                || family(entry.dialect, entry.kind)
                    .is_ok_and(|family| self.families.contains(&family))
        };
        let lives = |least: u64| {
            let until = entry.expires_ms.map(|ms| u64::try_from(ms).unwrap_or(0));
            until.is_none_or(|until| until >= now_ms.saturating_add(least))
        };
        is_of_type() && self.min_ttl_ms.is_none_or(lives) && self.takes_key(entry.key)
    }

    /// Whether anything of those slots may be meant.
    pub fn touches(&self, slots: &SlotSet) -> bool {
        self.slots
            .as_ref()
            .is_none_or(|own| !own.intersection(slots).is_empty())
    }
}

/// Whether a text matches a pattern as the servers match keys: `*`, `?`, `[a-z]`, `[^x]`, `\` before a
/// character that stands for itself. A star that fails is tried one further, and only the last: so the
/// time is bounded by the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, t));
            p += 1;
            continue;
        }
        match one(&pattern[p.min(pattern.len())..], text[t]) {
            Some(length) => {
                p += length;
                t += 1;
            }
            None => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p.min(pattern.len())..]
        .iter()
        .all(|&byte| byte == b'*')
}

/// How long the part of the pattern is that matches this byte.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [b'?', ..] => Some(1),
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [b'[', rest @ ..] => {
            let is_negated = rest.first() == Some(&b'^');
            let mut at = usize::from(is_negated);
            let mut is_in = false;
            loop {
                match &rest[at.min(rest.len())..] {
                    [] => break,
                    [b']', ..] => {
                        at += 1;
                        break;
                    }
                    [b'\\', literal, ..] => {
                        is_in |= *literal == byte;
                        at += 2;
                    }
                    [low, b'-', high, ..] if *high != b']' => {
                        let (low, high) = (*low.min(high), *low.max(high));
                        is_in |= (low..=high).contains(&byte);
                        at += 3;
                    }
                    [literal, ..] => {
                        is_in |= *literal == byte;
                        at += 1;
                    }
                }
            }
            (is_in != is_negated).then_some(at + 1)
        }
        [literal, ..] => (*literal == byte).then_some(1),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_servers_match() {
        for (pattern, text, is_match) in [
            ("*", "", true),
            ("user:*", "user:1", true),
            ("user:*", "use:1", false),
            ("*:1", "user:11:1", true),
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[^e]llo", "hbllo", true),
            ("h[a-c]llo", "hbllo", true),
            ("h[c-a]llo", "hbllo", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyyb", false),
            ("[abc", "a", true),
            ("", "x", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                is_match,
                "{pattern} {text}"
            );
        }
        let hard = [b'*', b'a'].repeat(20);
        assert!(!matches(&hard, &[b'b'; 5000]));
    }

    #[test]
    fn a_tag_is_more_than_its_slot() {
        // Another tag of the same slot.
        let foreign = (0..)
            .map(|n: u32| n.to_string())
            .find(|other| other != "a" && Slot::of_key(other.as_bytes()) == Slot::of_key(b"a"));
        let foreign = format!("{{{}}}:x", foreign.unwrap());
        let slot = Slot::of_key(b"a");
        let select = Select {
            globs: vec!["*x".to_owned()],
            tag: Some(b"a".to_vec()),
            slots: Some(SlotSet::range(slot, slot)),
            ..Select::default()
        };
        for (key, is_meant) in [
            ("{a}:x", true),
            ("y{a}x", true),
            ("{a}:y", false),
            (&foreign, false),
            ("a", false),
            ("{b}{a}x", false),
        ] {
            assert_eq!(select.takes_key(key.as_bytes()), is_meant, "{key}");
        }
    }
}
