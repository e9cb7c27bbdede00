//! Names beside: in the slot of a key and of nobody else. Pure.
//!
//! A key whose log cannot be played in its own place is built up there: one that is not meant and that
//! another is made from, or one that the target has and that stays, or stays until all is there.

use super::touched::hash;
use crate::cluster::key_in;
use crate::model::{Slot, SlotSet};

const MARK: &[u8] = b"goodcache-restore:at:";

/// That of a key.
pub(super) fn beside(key: &[u8]) -> Vec<u8> {
    let slot = Slot::of_key(key);
    let tag = tag(key).map_or_else(|| found(slot), <[u8]>::to_vec);
    let own = format!("{:032x}", hash(0, key));
    [b"{", &tag[..], b"}", MARK, own.as_bytes()].concat()
}

/// What of the key says its slot, where it can stand in braces.
fn tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|byte| *byte == b'{');
    let tagged = open.and_then(|open| {
        let rest = &key[open + 1..];
        let end = rest.iter().position(|byte| *byte == b'}')?;
        Some(&rest[..end]).filter(|tag| !tag.is_empty())
    });
    let plain = || (!key.is_empty() && !key.contains(&b'}')).then_some(key);
    tagged.or_else(plain)
}

/// Any other that has that slot.
fn found(slot: Slot) -> Vec<u8> {
    key_in(&SlotSet::range(slot, slot))
        .unwrap_or_default()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_in_the_same_slot_and_is_another_for_each_key() {
        let keys = [
            &b"plain"[..],
            b"",
            b"a}b{c",
            b"{tag}x",
            b"{tag}y",
            b"{}z",
            b"x{y",
            b"\x00\xff",
            b"}",
        ];
        let mut names: Vec<Vec<u8>> = keys.iter().map(|key| beside(key)).collect();
        for (key, name) in keys.iter().zip(&names) {
            assert_eq!(Slot::of_key(key), Slot::of_key(name), "{key:?}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), keys.len());
    }
}
