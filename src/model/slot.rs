//! Hash slots: which one a key belongs to, and sets of them.
//!
//! A cluster has 16,384 slots. Sets of them are everywhere (who owns what, what nobody owns), once
//! for each node in each node's view: 10,000 of them for 100 nodes. So a set is kept as the ranges
//! that CLUSTER NODES prints, of which most have one or none; a bitmap would take 2 KiB each.

use std::fmt;

use crc::{CRC_16_XMODEM, Crc, Table};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many slots a cluster has.
pub const SLOT_COUNT: u16 = 16_384;

const LAST: u16 = SLOT_COUNT - 1;
/// A table of sixteen: digests of a whole cluster ask for the slot of every key.
const CRC: &Crc<u16, Table<16>> = &Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

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

    /// The slot that a key hashes to: CRC16 of its tag, else of the whole key (`keyHashSlot` in the
    /// servers' `cluster.c`).
    pub fn of_key(key: &[u8]) -> Slot {
        Slot(CRC.checksum(Slot::tag_of(key).unwrap_or(key)) % SLOT_COUNT)
    }

    /// What stands between the first `{` of a key and the next `}`, when that is not empty.
    pub fn tag_of(key: &[u8]) -> Option<&[u8]> {
        let open = key.iter().position(|&b| b == b'{')?;
        let rest = &key[open + 1..];
        let tag = rest.iter().position(|&b| b == b'}').map(|n| &rest[..n]);
        tag.filter(|tag| !tag.is_empty())
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
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct SlotSet(
    /// Closed ranges in order, of which no two touch: equal sets have equal ranges.
    Vec<(u16, u16)>,
);

impl SlotSet {
    /// The empty set.
    pub fn new() -> SlotSet {
        SlotSet::default()
    }

    /// All 16,384 slots.
    pub fn full() -> SlotSet {
        SlotSet(vec![(0, LAST)])
    }

    /// The slots from `first` to `last`, both included; empty when `last` comes before `first`.
    pub fn range(first: Slot, last: Slot) -> SlotSet {
        let mut set = SlotSet::new();
        set.insert_range(first, last);
        set
    }

    /// Adds one slot.
    pub fn insert(&mut self, slot: Slot) {
        self.insert_range(slot, slot);
    }

    /// Adds the slots from `first` to `last`, both included.
    pub fn insert_range(&mut self, first: Slot, last: Slot) {
        let (mut first, mut last) = (first.0, last.0);
        if first > last {
            return;
        }
        // Those that overlap the new one or touch it become one with it.
        let begin = self.0.partition_point(|&(_, end)| end + 1 < first);
        let end = self.0.partition_point(|&(start, _)| start <= last + 1);
        if begin < end {
            first = first.min(self.0[begin].0);
            last = last.max(self.0[end - 1].1);
        }
        self.0.splice(begin..end, [(first, last)]);
    }

    /// Takes one slot out.
    pub fn remove(&mut self, slot: Slot) {
        if self.contains(slot) {
            *self = self.difference(&SlotSet(vec![(slot.0, slot.0)]));
        }
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        let n = self.0.partition_point(|&(_, end)| end < slot.0);
        self.0.get(n).is_some_and(|&(start, _)| start <= slot.0)
    }

    /// How many slots it holds.
    pub fn len(&self) -> usize {
        self.0
            .iter()
            .map(|&(start, end)| usize::from(end - start) + 1)
            .sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it holds all 16,384.
    pub fn is_full(&self) -> bool {
        self.0 == [(0, LAST)]
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &SlotSet) -> SlotSet {
        let mut set = self.clone();
        for (first, last) in other.ranges() {
            set.insert_range(first, last);
        }
        set
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &SlotSet) -> SlotSet {
        let mut both = Vec::new();
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(&&(a_start, a_end)), Some(&&(b_start, b_end))) = (a.peek(), b.peek()) {
            let (start, end) = (a_start.max(b_start), a_end.min(b_end));
            if start <= end {
                both.push((start, end));
            }
            // The one that ends first meets nothing more.
            if a_end < b_end {
                a.next();
            } else {
                b.next();
            }
        }
        SlotSet(both)
    }

    /// What is in this one and not in the other.
    #[must_use]
    pub fn difference(&self, other: &SlotSet) -> SlotSet {
        self.intersection(&other.complement())
    }

    fn complement(&self) -> SlotSet {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for &(start, end) in &self.0 {
            if next < start {
                gaps.push((next, start - 1));
            }
            next = end + 1;
        }
        if next <= LAST {
            gaps.push((next, LAST));
        }
        SlotSet(gaps)
    }

    /// Its slots in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.0
            .iter()
            .flat_map(|&(start, end)| (start..=end).map(Slot))
    }

    /// Its slots as closed ranges in order.
    pub fn ranges(&self) -> Vec<(Slot, Slot)> {
        self.0
            .iter()
            .map(|&(start, end)| (Slot(start), Slot(end)))
            .collect()
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
    use std::collections::BTreeSet;

    use proptest::prelude::*;

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

    /// Ranges close to each other and to both ends, so that they meet.
    fn some_ranges() -> impl Strategy<Value = Vec<(u16, u16)>> {
        let near = prop_oneof![0..12_u16, SLOT_COUNT - 12..SLOT_COUNT];
        prop::collection::vec((near, 0..4_u16), 0..8).prop_map(|pairs| {
            pairs
                .iter()
                .map(|&(at, n)| (at, (at + n).min(LAST)))
                .collect()
        })
    }

    fn both_ways(ranges: &[(u16, u16)]) -> (SlotSet, BTreeSet<u16>) {
        let mut set = SlotSet::new();
        for &(first, last) in ranges {
            set.insert_range(Slot(first), Slot(last));
        }
        (set, ranges.iter().flat_map(|&(a, b)| a..=b).collect())
    }

    fn numbers(set: &SlotSet) -> BTreeSet<u16> {
        set.iter().map(Slot::number).collect()
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set(a in some_ranges(), b in some_ranges(), out in 0..12_u16) {
            let ((a, plain_a), (b, plain_b)) = (both_ways(&a), both_ways(&b));
            prop_assert_eq!(numbers(&a), plain_a.clone());
            prop_assert_eq!(numbers(&a.union(&b)), &plain_a | &plain_b);
            prop_assert_eq!(numbers(&a.intersection(&b)), &plain_a & &plain_b);
            prop_assert_eq!(numbers(&a.difference(&b)), &plain_a - &plain_b);
            prop_assert_eq!(a.len(), plain_a.len());
            prop_assert_eq!(a.contains(Slot(out)), plain_a.contains(&out));
            // However it was made, it is written in one way.
            let again: SlotSet = plain_a.iter().rev().map(|&n| Slot(n)).collect();
            prop_assert_eq!(&again, &a);
            prop_assert_eq!(&a.to_string().parse::<SlotSet>().unwrap(), &a);
            let mut less = a;
            less.remove(Slot(out));
            let mut plain_less = plain_a;
            plain_less.remove(&out);
            prop_assert_eq!(numbers(&less), plain_less);
        }
    }
}
