//! What a cluster holds, as one sum for each slot.
//!
//! Each key becomes a hash of 128 bits over its database, its name, what it is, when it expires and what is in it;
//! a slot's digest is the sum of those of its keys and their count. Sums can be added and subtracted, in
//! any order, so shards are summed apart and a changed key can be taken out and put back. What is in a
//! key is summed by elements, so it does not matter how a server encodes it: members, fields and
//! scores in no order, list items and streams in theirs. A stream counts by its entries, last id,
//! groups, what is pending and who owns it. So a value that comes in parts is summed as it comes.
//!
//! The hash is XXH3 with 128 bits, over each element with its kind and lengths in front. It is an order
//! faster than SHA-256 in short pieces, has been unchanged since 2020, and twins are as good as
//! impossible by accident (2^-64 over four billion keys). It does not withstand someone who builds twins
//! on purpose; the seals over a backup's files do.

mod long;

use xxhash_rust::xxh3::xxh3_128;

pub use self::long::Folded;
use self::long::Long;
use super::Family;
use super::decode::{Decoder, Element, StreamId};
use super::error::RdbError;
use super::item::Entry;

const SLOTS: usize = 16_384;

/// Odd, so that no bit is lost; from the digits of the golden ratio.
const STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Stands before the hash of a key in any database but the first; no family has this tag. In the first
/// nothing stands there, as before other databases were told apart.
const OTHER_DB: u8 = 0xff;

/// Tags of what is hashed as it comes; the others stand where they are used.
const TEXT: u8 = 0;
const OPAQUE: u8 = 13;

/// What one slot holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SlotDigest {
    /// The sum of its keys' hashes, modulo 2^128.
    pub sum: u128,
    /// How many keys.
    pub keys: u64,
}

/// What every slot holds: 512 KiB.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotDigests(Box<[SlotDigest]>);

/// Hashes entries; keeps the buffers that this needs.
#[derive(Debug, Default)]
pub struct Digester {
    decoder: Decoder,
    frame: Vec<u8>,
    /// The value that comes in parts.
    long: Option<Long>,
}

/// The sum of a value's elements so far.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: u128,
    count: u64,
}

impl Default for SlotDigests {
    fn default() -> SlotDigests {
        SlotDigests::new()
    }
}

impl SlotDigests {
    /// Of nothing.
    pub fn new() -> SlotDigests {
        SlotDigests(vec![SlotDigest::default(); SLOTS].into_boxed_slice())
    }

    /// Adds a key.
    ///
    /// # Errors
    /// When its value cannot be decoded; nothing was added then.
    pub fn add(&mut self, digester: &mut Digester, entry: &Entry<'_>) -> Result<(), RdbError> {
        self.add_hash(entry.slot(), digester.hash(entry)?);
        Ok(())
    }

    /// Adds a key of that slot whose hash is known; ignored beyond 16,383.
    pub fn add_hash(&mut self, slot: u16, hash: u128) {
        if let Some(slot) = self.0.get_mut(usize::from(slot)) {
            slot.sum = slot.sum.wrapping_add(hash);
            slot.keys += 1;
        }
    }

    /// Takes out a key that was added.
    ///
    /// # Errors
    /// When its value cannot be decoded; nothing was taken out then.
    pub fn remove(&mut self, digester: &mut Digester, entry: &Entry<'_>) -> Result<(), RdbError> {
        let hash = digester.hash(entry)?;
        if let Some(slot) = self.0.get_mut(usize::from(entry.slot())) {
            slot.sum = slot.sum.wrapping_sub(hash);
            slot.keys = slot.keys.wrapping_sub(1);
        }
        Ok(())
    }

    /// Adds all that the other holds.
    pub fn merge(&mut self, other: &SlotDigests) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.sum = mine.sum.wrapping_add(theirs.sum);
            mine.keys = mine.keys.wrapping_add(theirs.keys);
        }
    }

    /// Takes out all that the other holds, which must have been added.
    pub fn subtract(&mut self, other: &SlotDigests) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.sum = mine.sum.wrapping_sub(theirs.sum);
            mine.keys = mine.keys.wrapping_sub(theirs.keys);
        }
    }

    /// The slots that do not hold the same, in order.
    pub fn differing(&self, other: &SlotDigests) -> Vec<u16> {
        (0_u16..)
            .zip(self.0.iter().zip(&other.0))
            .filter(|(_, (mine, theirs))| mine != theirs)
            .map(|(slot, _)| slot)
            .collect()
    }

    /// What a slot holds; nothing beyond 16,383.
    pub fn slot(&self, slot: u16) -> SlotDigest {
        self.0.get(usize::from(slot)).copied().unwrap_or_default()
    }

    /// Says what a slot holds, as when it is read back from a manifest; ignored beyond 16,383.
    pub fn set(&mut self, slot: u16, digest: SlotDigest) {
        if let Some(mine) = self.0.get_mut(usize::from(slot)) {
            *mine = digest;
        }
    }

    /// The slots that hold anything, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u16, SlotDigest)> + '_ {
        (0_u16..)
            .zip(self.0.iter().copied())
            .filter(|(_, digest)| *digest != SlotDigest::default())
    }

    /// How many keys there are in all.
    pub fn keys(&self) -> u64 {
        self.0
            .iter()
            .fold(0, |keys, slot| keys.wrapping_add(slot.keys))
    }
}

impl std::fmt::Debug for SlotDigests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Digester {
    /// With empty buffers.
    pub fn new() -> Digester {
        Digester::default()
    }

    /// The hash of one key: its database, name, family, expiry and elements.
    ///
    /// # Errors
    /// When its value cannot be decoded.
    pub fn hash(&mut self, entry: &Entry<'_>) -> Result<u128, RdbError> {
        let (mut sum, mut frame) = (Sum::default(), std::mem::take(&mut self.frame));
        let decoded = self
            .decoder
            .decode(entry.dialect, entry.kind, entry.value, &mut |element| {
                sum.add(element, &mut frame);
            });
        let hash = decoded.map(|family| sum.of_key(entry, family, &mut frame));
        self.frame = frame;
        hash
    }
}

impl Sum {
    #[inline]
    fn add(&mut self, element: Element<'_>, frame: &mut Vec<u8>) {
        let is_ordered = put(element, frame);
        self.add_hash(xxh3_128(frame), is_ordered);
    }

    #[inline]
    fn add_hash(&mut self, hash: u128, is_ordered: bool) {
        if is_ordered {
            self.sum = self.sum.wrapping_mul(STEP);
        }
        self.sum = self.sum.wrapping_add(hash);
        self.count += 1;
    }

    /// The hash of a key whose elements these are.
    fn of_key(self, entry: &Entry<'_>, family: Family, frame: &mut Vec<u8>) -> u128 {
        frame.clear();
        if entry.db != 0 {
            frame.push(OTHER_DB);
            frame.extend_from_slice(&entry.db.to_le_bytes());
        }
        frame.push(family_tag(family));
        match entry.expires_ms {
            Some(ms) => {
                frame.push(1);
                frame.extend_from_slice(&ms.to_le_bytes());
            }
            None => frame.push(0),
        }
        frame.extend_from_slice(&self.count.to_le_bytes());
        frame.extend_from_slice(&self.sum.to_le_bytes());
        put_text(entry.meta, frame);
        frame.extend_from_slice(entry.key);
        xxh3_128(frame)
    }
}

/// Numbers that stay, whatever becomes of the enum: digests are kept in manifests.
fn family_tag(family: Family) -> u8 {
    match family {
        Family::Text => 0,
        Family::List => 1,
        Family::Set => 2,
        Family::SortedSet => 3,
        Family::Hash => 4,
        Family::Stream => 5,
        Family::Module => 6,
        Family::Array => 7,
    }
}

/// Puts an element into the frame, so that no two different ones look alike; whether order matters.
#[inline]
fn put(element: Element<'_>, frame: &mut Vec<u8>) -> bool {
    frame.clear();
    match element {
        Element::Text(text) => put_last(TEXT, text, frame),
        Element::Item(text) => {
            put_last(1, text, frame);
            return true;
        }
        Element::Member(text) => put_last(2, text, frame),
        Element::Scored { member, score } => {
            frame.push(3);
            // -0.0 and 0.0 are one score.
            frame.extend_from_slice(&(score + 0.0).to_bits().to_le_bytes());
            frame.extend_from_slice(member);
        }
        Element::Field {
            field,
            value,
            expires_ms,
        } => {
            frame.push(if expires_ms.is_some() { 5 } else { 4 });
            frame.extend_from_slice(&expires_ms.unwrap_or(0).to_le_bytes());
            put_text(field, frame);
            frame.extend_from_slice(value);
        }
        Element::Opaque(bytes) => put_last(OPAQUE, bytes, frame),
        other => {
            put_stream(other, frame);
            return true;
        }
    }
    false
}

fn put_stream(element: Element<'_>, frame: &mut Vec<u8>) {
    match element {
        Element::StreamEntry(id) => put_id(6, id, frame),
        Element::StreamField { field, value } => {
            frame.push(7);
            put_text(field, frame);
            frame.extend_from_slice(value);
        }
        Element::Stream { length, last } => {
            put_id(8, last, frame);
            frame.extend_from_slice(&length.to_le_bytes());
        }
        Element::Group { name, last } => {
            put_id(9, last, frame);
            frame.extend_from_slice(name);
        }
        Element::Pending {
            id,
            delivered_ms,
            count,
        } => {
            put_id(10, id, frame);
            frame.extend_from_slice(&delivered_ms.to_le_bytes());
            frame.extend_from_slice(&count.to_le_bytes());
        }
        Element::Consumer(name) => put_last(11, name, frame),
        Element::Owned(id) => put_id(12, id, frame),
        // The others are no part of a stream.
        _ => {}
    }
}

fn put_last(tag: u8, text: &[u8], frame: &mut Vec<u8>) {
    frame.push(tag);
    frame.extend_from_slice(text);
}

fn put_id(tag: u8, (ms, sequence): StreamId, frame: &mut Vec<u8>) {
    frame.push(tag);
    frame.extend_from_slice(&ms.to_le_bytes());
    frame.extend_from_slice(&sequence.to_le_bytes());
}

fn put_text(text: &[u8], frame: &mut Vec<u8>) {
    frame.extend_from_slice(&(text.len() as u64).to_le_bytes());
    frame.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Dialect;

    fn hash(db: u64) -> u128 {
        let entry = Entry {
            dialect: Dialect::redis(10),
            db,
            key: b"k",
            kind: 0,
            value: b"\x05hello",
            meta: b"",
            expires_ms: None,
            freq: None,
            idle_s: None,
            range: 0..0,
        };
        Digester::new().hash(&entry).unwrap()
    }

    #[test]
    fn databases_are_told_apart_and_the_first_is_hashed_as_ever() {
        // Of a program that knew no other.
        assert_eq!(hash(0), 148_996_056_665_280_148_026_924_009_078_161_222_630);
        let all = [hash(0), hash(3), hash(4), hash(1 << 40)];
        for (n, one) in all.iter().enumerate() {
            assert!(all[..n].iter().all(|other| other != one), "{n}");
        }
    }
}
