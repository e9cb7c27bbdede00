//! Keys that commands of a log tie together: one was renamed to, moved to or made from the other. Pure.
//!
//! What such a command makes is right only when all of its keys are as they were at its time. Where some of
//! them are not meant, or the target has them and keeps them, all that are tied to them are played under
//! names beside (`beside`), and what is meant gets its name at the end.

use std::collections::HashMap;

/// Keys by their hash; each points to another of its group, or to itself.
#[derive(Debug, Default)]
pub(super) struct Ties(HashMap<u128, u128>);

impl Ties {
    /// Those keys belong together from now on.
    pub(super) fn tie(&mut self, keys: &[u128]) {
        let Some((first, rest)) = keys.split_first() else {
            return;
        };
        let first = self.shortened(*first);
        for key in rest {
            let other = self.shortened(*key);
            self.0.insert(other, first);
        }
    }

    /// What all keys of a group have in common, and no others.
    pub(super) fn root(&self, mut key: u128) -> u128 {
        while let Some(next) = self.0.get(&key).filter(|next| **next != key) {
            key = *next;
        }
        key
    }

    /// Its root; the way there is shorter afterwards.
    fn shortened(&mut self, key: u128) -> u128 {
        let root = self.root(key);
        let mut at = key;
        while let Some(next) = self.0.insert(at, root).filter(|next| *next != root) {
            at = next;
        }
        root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_all_that_hangs_together() {
        let mut ties = Ties::default();
        ties.tie(&[1, 2]);
        ties.tie(&[3, 4, 5]);
        ties.tie(&[6, 7]);
        ties.tie(&[5, 2]);
        ties.tie(&[]);
        let roots = [1, 2, 3, 4, 5].map(|key| ties.root(key));
        assert_eq!(roots, [roots[0]; 5]);
        assert_eq!(ties.root(6), ties.root(7));
        assert_ne!(ties.root(6), roots[0]);
        assert_eq!(ties.root(9), 9);
    }

    #[test]
    fn a_long_chain_is_one_group() {
        let mut ties = Ties::default();
        for key in 0..10_000 {
            ties.tie(&[key + 1, key]);
        }
        assert_eq!(ties.root(0), ties.root(10_000));
    }
}
