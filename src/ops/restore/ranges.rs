//! Sets of numbers that come nearly in order, kept as ranges: the pieces of a base that are in.

use serde::{Deserialize, Serialize};

/// Numbers, as ranges: pieces come nearly in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    /// Adds one.
    pub fn insert(&mut self, number: usize) {
        if self.contains(number) {
            return;
        }
        let at = self.0.partition_point(|(first, _)| *first < number);
        self.0.insert(at, (number, number));
        self.0 = self.0.drain(..).fold(Vec::new(), |mut joined, range| {
            match joined.last_mut() {
                Some((_, last)) if *last + 1 == range.0 => *last = range.1,
                _ => joined.push(range),
            }
            joined
        });
    }

    /// Whether it is in.
    pub fn contains(&self, number: usize) -> bool {
        self.0
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&number))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join() {
        let mut ranges = Ranges::default();
        for number in [3, 1, 2, 7, 3] {
            ranges.insert(number);
        }
        assert_eq!(ranges.0, [(1, 3), (7, 7)]);
        assert_eq!(ranges.count(), 4);
        assert!(ranges.contains(2) && !ranges.contains(4));
    }
}
