//! The shape of the data: the families of keys that the sample of the node shows, with their types,
//! sizes and expiries, scaled down to what a trial may take.
//!
//! The sample knows sizes by encoding and means by family; a family gets the elements of that encoding
//! of its type whose keys take about as much as its own do.

use serde::Serialize;

use crate::model::words::counted;
use crate::model::{EncodingSeen, Family, KeysSeen, Spread, TypeSeen};

/// What the data of one copy may take, in bytes, about; there are two copies.
pub const MOST_BYTES: u64 = 100 << 20;
/// How many keys it may be: filling takes time too.
const MOST_KEYS: u64 = 500_000;
/// How many elements one key may have.
const MOST_ELEMENTS: u64 = 100_000;
/// Nothing may expire while it is measured.
const LEAST_EXPIRY_S: u64 = 600;
/// What a key and its value take beside their bytes, about.
const OVERHEAD: u64 = 64;
/// What an element takes beside its bytes, about, in one piece of memory and each on its own.
const PACKED_OVERHEAD: u64 = 4;
const LOOSE_OVERHEAD: u64 = 56;
/// Bytes of a field's or member's name.
const NAME: u64 = 8;

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// The families.
    pub groups: Vec<Group>,
    /// Keys on the node.
    pub keys_there: u64,
    /// What could not be taken from the sample, in words.
    pub notes: Vec<String>,
}

/// A family of keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its pattern, such as `session:*`.
    pub pattern: String,
    /// Its type.
    pub kind: Type,
    /// How many keys.
    pub keys: u64,
    /// Elements of each; of strings their bytes.
    pub elements: Spread,
    /// Bytes of an element's value.
    pub value_bytes: u64,
    /// Bytes of the longest value of each.
    pub longest_bytes: u64,
    /// Whether values are whole numbers.
    pub is_integer: bool,
    /// How many of its keys have an expiry, in percent.
    pub expiring_percent: u64,
    /// Seconds until then.
    pub expiry_s: u64,
}

/// The types that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "they are named as the server names them")]
pub enum Type {
    String,
    Hash,
    List,
    Set,
    Zset,
    Stream,
}

impl Type {
    /// As TYPE names it.
    pub fn named(name: &str) -> Option<Type> {
        Some(match name {
            "string" => Type::String,
            "hash" => Type::Hash,
            "list" => Type::List,
            "set" => Type::Set,
            "zset" => Type::Zset,
            "stream" => Type::Stream,
            _ => return None,
        })
    }
}

impl Group {
    /// The key of that number; a pattern without a `*` is one key.
    pub fn key(&self, number: u64) -> Vec<u8> {
        let number = format!("{number:09}");
        self.pattern.replace('*', &number).into_bytes()
    }

    /// How many elements the key of that number has: drawn from the spread, and always the same.
    pub fn elements_of(&self, number: u64) -> u64 {
        let share = super::random::Random::of(number ^ 0x5EED).share();
        let between =
            |low: u64, high: u64, part: f64| low + (high.saturating_sub(low) as f64 * part) as u64;
        let Spread { min, p50, p95, max } = self.elements;
        match share {
            s if s < 0.5 => between(min, p50, s / 0.5),
            s if s < 0.95 => between(p50, p95, (s - 0.5) / 0.45),
            s => between(p95, max, (s - 0.95) / 0.05),
        }
    }

    /// What one key takes, about.
    fn bytes(&self) -> u64 {
        let key = self.pattern.len() as u64 + NAME;
        let elements = self.elements.p50;
        let overhead = match elements {
            0..=128 => PACKED_OVERHEAD,
            _ => LOOSE_OVERHEAD,
        };
        match self.kind {
            Type::String => OVERHEAD + key + elements,
            _ => OVERHEAD + key + elements * (self.value_bytes + NAME + overhead),
        }
    }
}

impl Shape {
    /// The shape that a sample shows.
    pub fn of(seen: &KeysSeen) -> Shape {
        let mut notes = Vec::new();
        if !seen.is_deep {
            notes
                .push("sizes were not looked at: strings of 64 bytes, sixteen elements".to_owned());
        }
        let families = match seen.families.is_empty() {
            true => by_type(seen),
            false => seen.families.clone(),
        };
        let mut groups: Vec<(Group, u64)> = Vec::new();
        for family in &families {
            match (Type::named(&family.kind), seen.types.get(&family.kind)) {
                (Some(kind), Some(types)) => {
                    let keys = keys(family.count, seen);
                    groups.push((group(family, kind, types), keys));
                }
                _ => notes.push(format!(
                    "{} ({}) were left out: no such keys can be made",
                    family.pattern, family.kind
                )),
            }
        }
        Shape {
            groups: scaled(groups),
            keys_there: seen.keys,
            notes,
        }
    }

    /// What stands in where no key was looked at: strings, as many and as large on average as the
    /// node's counters have it.
    pub fn unseen(keys_there: u64, used_bytes: u64) -> Shape {
        let keys = match keys_there {
            0 => 100_000,
            keys => keys,
        };
        let mean = (used_bytes / keys)
            .saturating_sub(OVERHEAD)
            .clamp(16, 4_096);
        let size = match keys_there {
            0 => 64,
            _ => mean,
        };
        let group = Group {
            pattern: "key:*".to_owned(),
            kind: Type::String,
            keys,
            elements: even(size),
            value_bytes: size,
            longest_bytes: size,
            is_integer: false,
            expiring_percent: 0,
            expiry_s: 0,
        };
        let note = match keys_there {
            0 => format!("no keys were seen: strings of {size} bytes stand in for them"),
            _ => format!(
                "keys were not looked at: strings of their mean size, {size} bytes, stand in for them"
            ),
        };
        Shape {
            groups: scaled(vec![(group, keys)]),
            keys_there,
            notes: vec![note],
        }
    }

    /// Keys of the copy.
    pub fn keys(&self) -> u64 {
        self.groups.iter().map(|group| group.keys).sum()
    }

    /// Where the family of that pattern is; of the same pattern may be several types, and the
    /// largest comes first.
    pub fn place(&self, pattern: &str) -> Option<usize> {
        self.groups
            .iter()
            .position(|group| group.pattern == pattern)
    }

    /// The data in one line.
    pub fn in_short(&self) -> String {
        format!(
            "{} in {}",
            counted(usize::try_from(self.keys()).unwrap_or(usize::MAX), "key"),
            match self.groups.len() {
                1 => "1 family".to_owned(),
                many => format!("{many} families"),
            }
        )
    }
}

/// How many keys of the node those of the sample stand for.
fn keys(count: u64, seen: &KeysSeen) -> u64 {
    let all = u128::from(seen.keys.max(seen.sampled));
    let share = u128::from(count) * all / u128::from(seen.sampled.max(1));
    u64::try_from(share).unwrap_or(u64::MAX).max(1)
}

/// Where keys have no families: those of a type are one.
fn by_type(seen: &KeysSeen) -> Vec<Family> {
    let family = |(kind, types): (&String, &TypeSeen)| Family {
        pattern: format!("{kind}:*"),
        count: types.count,
        with_expiry: types.with_expiry,
        kind: kind.clone(),
        expiry_s: types.expiry_s.map(|spread| spread.p50),
        mean_bytes: None,
    };
    seen.types.iter().map(family).collect()
}

fn group(family: &Family, kind: Type, types: &TypeSeen) -> Group {
    let encoding = nearest_encoding(types, family.mean_bytes);
    let (name, seen) = encoding.map_or(("", None), |(name, seen)| (name.as_str(), Some(seen)));
    let elements = seen.and_then(|seen| seen.elements);
    let elements = elements.unwrap_or(even(match kind {
        Type::String => 64,
        _ => 16,
    }));
    let mean = mean_bytes(family, seen);
    let longest = seen
        .and_then(|seen| seen.longest_bytes)
        .map(|spread| spread.p50);
    let value_bytes = match kind {
        Type::String => elements.p50,
        _ => value_bytes(mean, &elements, name, longest),
    };
    Group {
        pattern: family.pattern.clone(),
        kind,
        keys: 0,
        elements: capped(elements, kind),
        value_bytes,
        longest_bytes: longest.unwrap_or(value_bytes).max(value_bytes),
        is_integer: matches!(name, "int" | "intset"),
        expiring_percent: family.with_expiry * 100 / family.count.max(1),
        expiry_s: family.expiry_s.unwrap_or(3_600).max(LEAST_EXPIRY_S),
    }
}

/// The encoding whose keys take on average the most like that many bytes; the commonest where the
/// mean is not known.
fn nearest_encoding(types: &TypeSeen, mean: Option<u64>) -> Option<(&String, &EncodingSeen)> {
    let each = types.encodings.iter().filter(|(_, seen)| seen.count > 0);
    match mean {
        Some(mean) => each.min_by_key(|(_, seen)| (seen.memory_bytes / seen.count).abs_diff(mean)),
        None => each.max_by_key(|(_, seen)| seen.count),
    }
}

fn mean_bytes(family: &Family, seen: Option<&EncodingSeen>) -> Option<u64> {
    let of_encoding = seen.map(|seen| seen.memory_bytes / seen.count.max(1));
    family.mean_bytes.or(of_encoding)
}

/// From what a key takes, and how many elements it has, to the bytes of one value.
fn value_bytes(mean: Option<u64>, elements: &Spread, encoding: &str, longest: Option<u64>) -> u64 {
    let is_loose = ["hashtable", "skiplist"].contains(&encoding);
    let overhead = match is_loose {
        true => LOOSE_OVERHEAD,
        false => PACKED_OVERHEAD,
    };
    let each = mean.map(|mean| mean.saturating_sub(OVERHEAD) / elements.p50.max(1));
    let own = each.map_or(16, |each| each.saturating_sub(NAME + overhead));
    own.clamp(1, longest.unwrap_or(64 << 10).max(1))
}

fn even(number: u64) -> Spread {
    Spread {
        min: number,
        p50: number,
        p95: number,
        max: number,
    }
}

fn capped(spread: Spread, kind: Type) -> Spread {
    let (least, most) = match kind {
        Type::String => (0, 8 << 20),
        _ => (1, MOST_ELEMENTS),
    };
    let cap = |number: u64| number.clamp(least, most);
    Spread {
        min: cap(spread.min),
        p50: cap(spread.p50),
        p95: cap(spread.p95),
        max: cap(spread.max),
    }
}

/// As many keys of each as there are, or all fewer alike, where that is too much.
fn scaled(groups: Vec<(Group, u64)>) -> Vec<Group> {
    let bytes: u64 = (groups.iter())
        .map(|(group, keys)| group.bytes().saturating_mul(*keys))
        .fold(0, u64::saturating_add);
    let keys: u64 = groups.iter().map(|(_, keys)| keys).sum();
    let by_bytes = MOST_BYTES as f64 / bytes.max(1) as f64;
    let by_keys = MOST_KEYS as f64 / keys.max(1) as f64;
    let scale = by_bytes.min(by_keys).min(1.0);
    let of = |(group, keys): (Group, u64)| {
        let is_one = !group.pattern.contains('*');
        let keys = match is_one {
            true => 1,
            false => ((keys as f64 * scale).round() as u64).max(1),
        };
        Group { keys, ..group }
    };
    groups.into_iter().map(of).collect()
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
