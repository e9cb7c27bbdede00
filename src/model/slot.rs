//! Hash slots: which one a key belongs to, and sets of them.
//!
//! A cluster has 16,384 slots. Sets of them are everywhere (who owns what, what nobody owns), so a
//! set is a bitmap of 2 KiB and prints as the ranges that CLUSTER NODES prints.

use std::fmt;

use crc::{CRC_16_XMODEM, Crc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many slots a cluster has.
pub const SLOT_COUNT: u16 = 16_384;

const WORDS: usize = SLOT_COUNT as usize / 64;
const CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// One hash slot, 0 to 16,383.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Slot(u16);

impl Slot {
    /// The slot of that number; `None` from 16,384 up.
    pub const fn new(number: u16) -> Option<Slot> {
        if number < SLOT_COUNT {
            Some(Slot(number))
        } else {
            None
        }
    }

    /// The slot that a key hashes to: CRC16 of what stands between the first `{` and the next `}`,
    /// when that is not empty, else of the whole key (`keyHashSlot` in the servers' `cluster.c`).
    pub fn of_key(key: &[u8]) -> Slot {
        let tagged = key
            .iter()
            .position(|&b| b == b'{')
            .and_then(|open| {
                let rest = &key[open + 1..];
                rest.iter().position(|&b| b == b'}').map(|n| &rest[..n])
            })
            .filter(|tag| !tag.is_empty());
        Slot(CRC.checksum(tagged.unwrap_or(key)) % SLOT_COUNT)
    }

    /// Its number, 0 to 16,383.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Every slot, in order.
    pub fn all() -> impl Iterator<Item = Slot> {
        (0..SLOT_COUNT).map(Slot)
    }
}

impl TryFrom<u16> for Slot {
    type Error = String;
    fn try_from(number: u16) -> Result<Slot, String> {
        Slot::new(number).ok_or_else(|| format!("{number} is no slot (0 to 16383)"))
    }
}

impl From<Slot> for u16 {
    fn from(slot: Slot) -> u16 {
        slot.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A set of slots. Prints as ranges: `0-5460 5462`; empty prints as nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SlotSet([u64; WORDS]);

impl Default for SlotSet {
    fn default() -> SlotSet {
        SlotSet([0; WORDS])
    }
}

impl SlotSet {
    /// The empty set.
    pub fn new() -> SlotSet {
        SlotSet::default()
    }

    /// All 16,384 slots.
    pub fn full() -> SlotSet {
        SlotSet([u64::MAX; WORDS])
    }

    /// The slots from `first` to `last`, both included; empty when `last` comes before `first`.
    pub fn range(first: Slot, last: Slot) -> SlotSet {
        let mut set = SlotSet::new();
        set.insert_range(first, last);
        set
    }

    /// Adds one slot.
    pub fn insert(&mut self, slot: Slot) {
        self.0[usize::from(slot.0 / 64)] |= 1 << (slot.0 % 64);
    }

    /// Adds the slots from `first` to `last`, both included.
    pub fn insert_range(&mut self, first: Slot, last: Slot) {
        for number in first.0..=last.0 {
            self.insert(Slot(number));
        }
    }

    /// Takes one slot out.
    pub fn remove(&mut self, slot: Slot) {
        self.0[usize::from(slot.0 / 64)] &= !(1 << (slot.0 % 64));
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        self.0[usize::from(slot.0 / 64)] & (1 << (slot.0 % 64)) != 0
    }

    /// How many slots it holds.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&word| word == 0)
    }

    /// Whether it holds all 16,384.
    pub fn is_full(&self) -> bool {
        self.0.iter().all(|&word| word == u64::MAX)
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &SlotSet) -> SlotSet {
        self.zip(other, |a, b| a | b)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &SlotSet) -> SlotSet {
        self.zip(other, |a, b| a & b)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn difference(&self, other: &SlotSet) -> SlotSet {
        self.zip(other, |a, b| a & !b)
    }

    fn zip(&self, other: &SlotSet, combine: impl Fn(u64, u64) -> u64) -> SlotSet {
        let mut set = SlotSet::new();
        for (word, (&a, &b)) in set.0.iter_mut().zip(self.0.iter().zip(&other.0)) {
            *word = combine(a, b);
        }
        set
    }

    /// Its slots in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        Slot::all().filter(|&slot| self.contains(slot))
    }

    /// Its slots as closed ranges in order.
    pub fn ranges(&self) -> Vec<(Slot, Slot)> {
        let mut ranges: Vec<(Slot, Slot)> = Vec::new();
        for slot in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if last.0 + 1 == slot.0 => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        ranges
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> SlotSet {
        let mut set = SlotSet::new();
        for slot in slots {
            set.insert(slot);
        }
        set
    }
}

impl fmt::Display for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (first, last)) in self.ranges().into_iter().enumerate() {
            let gap = if n == 0 { "" } else { " " };
            if first == last {
                write!(f, "{gap}{first}")?;
            } else {
                write!(f, "{gap}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotSet({self})")
    }
}

impl std::str::FromStr for SlotSet {
    type Err = String;
    /// Reads what `Display` prints.
    fn from_str(text: &str) -> Result<SlotSet, String> {
        let number = |text: &str| -> Result<Slot, String> {
            text.parse::<u16>()
                .ok()
                .and_then(Slot::new)
                .ok_or_else(|| format!("'{text}' is no slot (0 to 16383)"))
        };
        let mut set = SlotSet::new();
        for part in text.split_whitespace() {
            match part.split_once('-') {
                Some((first, last)) => set.insert_range(number(first)?, number(last)?),
                None => set.insert(number(part)?),
            }
        }
        Ok(set)
    }
}

impl Serialize for SlotSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SlotSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SlotSet, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_hashes_to_the_slot_that_the_server_says() {
        // CLUSTER KEYSLOT on a Redis 7.0.15.
        for (key, slot) in [
            ("foo", 12182),
            ("", 0),
            ("{user1000}.following", 3443),
            ("user1000", 3443),
            ("foo{}{bar}", 8363),
            ("foo{{bar}}zap", 4015),
            ("foo{bar}{zap}", 5061),
            ("123456789", 12739),
        ] {
            assert_eq!(Slot::of_key(key.as_bytes()).number(), slot, "{key}");
        }
    }

    #[test]
    fn a_set_prints_as_ranges_and_reads_them_back() {
        let set: SlotSet = "0-2 5 16383".parse().unwrap();
        assert_eq!(set.len(), 5);
        assert_eq!(set.to_string(), "0-2 5 16383");
        assert_eq!(SlotSet::full().to_string(), "0-16383");
        assert!(SlotSet::full().is_full() && SlotSet::new().is_empty());
        assert_eq!(SlotSet::full().difference(&set).to_string(), "3-4 6-16382");
    }

    #[test]
    fn no_slot_beyond_the_last() {
        assert!(Slot::new(16_384).is_none());
        assert!("16384".parse::<SlotSet>().is_err());
        assert!("5-".parse::<SlotSet>().is_err());
    }
}
