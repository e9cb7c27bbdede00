//! The keys of the load: several slots of each shard, so that a part that moved or was lost shows.

use crate::model::{Slot, SlotSet};

/// How the name of each begins.
const BEGINNING: &str = "goodcache:drill:";

/// Names of keys in the first, the middle and the last slot of a shard.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    prefix: String,
    tags: Vec<String>,
}

impl Keys {
    /// `run` sets the keys of one round apart from all others.
    pub(super) fn of(run: &str, slots: &SlotSet) -> Keys {
        let all: Vec<Slot> = slots.iter().collect();
        let picked = [all.first(), all.get(all.len() / 2), all.last()];
        Keys {
            prefix: format!("{BEGINNING}{run}:"),
            tags: picked.into_iter().flatten().filter_map(tag_in).collect(),
        }
    }

    /// Whether a key of that name is of a drill, whichever.
    pub(super) fn is_one(key: &str) -> bool {
        key.starts_with(BEGINNING)
    }

    /// The slots that the keys lie in.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.tags.iter().map(|tag| Slot::of_key(tag.as_bytes()))
    }

    /// The key of that number.
    pub(super) fn key(&self, number: u64, is_witness: bool) -> String {
        let kind = if is_witness { "w" } else { "c" };
        let count = self.tags.len().max(1) as u64;
        let tag = usize::try_from(number % count).unwrap_or(0);
        let tag = self.tags.get(tag).map_or("", String::as_str);
        format!("{}{kind}{number}:{{{tag}}}", self.prefix)
    }
}

/// A hash tag that lies in that slot.
fn tag_in(slot: &Slot) -> Option<String> {
    // One in 16,384 tries hits; 400,000 all but certainly do.
    (0..400_000)
        .map(|n| format!("{n}"))
        .find(|tag| Slot::of_key(tag.as_bytes()) == *slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_lie_in_the_first_the_middle_and_the_last_slot() {
        let slots: SlotSet = "100-200".parse().unwrap();
        let keys = Keys::of("r1", &slots);
        let lies: Vec<u16> = (0..4)
            .map(|n| Slot::of_key(keys.key(n, false).as_bytes()).into())
            .collect();
        assert_eq!(lies, [100, 150, 200, 100]);
        assert!(keys.key(7, true).starts_with("goodcache:drill:r1:w7:{"));
        assert_eq!(keys.slots().count(), 3);
    }

    #[test]
    fn a_shard_of_one_slot_has_keys() {
        let keys = Keys::of("r", &"5".parse().unwrap());
        assert_eq!(u16::from(Slot::of_key(keys.key(9, false).as_bytes())), 5);
    }
}
