//! The most used keys first: how much each key is used, by what the snapshot has of the servers' own LFU
//! or LRU records, and the waves in which keys go.
//!
//! An LFU counter is logarithmic: it begins at 5, and from the value c on it needs 10 (c - 5) + 1 more uses
//! to grow by one (`lfu-log-factor` 10, the default), so that a key at 5 + n was used some n (5 n - 4)
//! times, and one that is where it began not at all. An idle time of s seconds stands for one use in that
//! time. Both are estimates, of which only the order and the rough shares are used.
//!
//! Every wave walks over all that the snapshot holds, so there are as few as can be: one of the keys that
//! make most of the heat, and one of the rest. Where the first begins a sample tells, and what it came to
//! is counted on its way; where the sample was no good, another one makes up for it.

use serde::{Deserialize, Serialize};

use crate::rdb::Entry;

/// What share of the heat is wanted before the rest goes.
pub(super) const WANTED: f64 = 0.9;
/// What is asked of a sample, which may be a little off.
const SAMPLED: f64 = 0.92;
/// Where a new key's LFU counter begins.
const FIRST: u64 = 5;

/// How many keys are how warm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heats {
    /// Keys and heat of each degree.
    degrees: Vec<(u64, f64)>,
}

/// The keys of some degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wave {
    /// From this degree on.
    pub from: u8,
    /// Up to before this one; `None` for no end.
    pub below: Option<u8>,
}

/// How warm a key is, 0 to 255; 0 too when nobody recorded it.
pub(super) fn degree(entry: &Entry<'_>) -> u8 {
    match (entry.freq, entry.idle_s) {
        (Some(freq), _) => freq,
        (None, Some(idle)) => 64 - (idle.saturating_add(1).ilog2().min(63)) as u8,
        (None, None) => 0,
    }
}

/// How much it is used.
pub(super) fn heat(entry: &Entry<'_>) -> f64 {
    match (entry.freq, entry.idle_s) {
        (Some(freq), _) => {
            let above = u64::from(freq).saturating_sub(FIRST) as f64;
            above * 5.0f64.mul_add(above, -4.0).max(0.0)
        }
        (None, Some(idle)) => 1.0 / (idle as f64 + 1.0),
        (None, None) => 0.0,
    }
}

impl Default for Heats {
    fn default() -> Heats {
        Heats {
            degrees: vec![(0, 0.0); 256],
        }
    }
}

impl Heats {
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let degree = &mut self.degrees[usize::from(degree(entry))];
        degree.0 += 1;
        degree.1 += heat(entry);
    }

    pub(super) fn merge(&mut self, other: &Heats) {
        for (mine, theirs) in self.degrees.iter_mut().zip(&other.degrees) {
            mine.0 += theirs.0;
            mine.1 += theirs.1;
        }
    }

    /// All the heat.
    pub(super) fn sum(&self) -> f64 {
        sum(&self.degrees)
    }

    /// What share of the heat the keys from that degree on have; `None` when nothing was recorded.
    fn share(&self, from: u8) -> Option<f64> {
        let all = self.sum();
        (all > 0.0).then(|| sum(&self.degrees[usize::from(from)..]) / all)
    }

    /// The first wave, when these are a sample; all keys when nothing was recorded.
    pub(super) fn first(&self) -> Wave {
        Wave {
            from: self.threshold(SAMPLED),
            below: None,
        }
    }

    /// The wave after that one, when these are all; `None` when nothing is left.
    pub(super) fn after(&self, wave: Wave) -> Option<Wave> {
        let left = &self.degrees[..usize::from(wave.from)];
        left.iter().any(|(keys, _)| *keys > 0).then(|| Wave {
            from: match self.threshold(WANTED) {
                from if from < wave.from => from,
                _ => 0,
            },
            below: Some(wave.from),
        })
    }

    /// The highest degree from which on keys have such a share of the heat.
    fn threshold(&self, share: f64) -> u8 {
        let mut degrees = (1..=255_u8).rev();
        let is_enough = |from: &u8| self.share(*from).is_some_and(|has| has >= share);
        degrees.find(is_enough).unwrap_or(0)
    }
}

fn sum(degrees: &[(u64, f64)]) -> f64 {
    degrees.iter().map(|(_, heat)| heat).sum()
}

impl Wave {
    /// All keys.
    pub(super) const ALL: Wave = Wave {
        from: 0,
        below: None,
    };

    /// Whether it is the last.
    pub(super) fn is_last(self) -> bool {
        self.from == 0
    }

    /// All that are colder.
    pub(super) fn rest(self) -> Wave {
        Wave {
            from: 0,
            below: Some(self.from),
        }
    }

    pub(super) fn takes(self, entry: &Entry<'_>) -> bool {
        if self == Wave::ALL {
            return true;
        }
        let degree = degree(entry);
        self.from <= degree && self.below.is_none_or(|below| degree < below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::Dialect;

    fn entry(freq: Option<u8>, idle_s: Option<u64>) -> Entry<'static> {
        Entry {
            dialect: Dialect::redis(12),
            db: 0,
            key: b"k",
            kind: 0,
            value: b"",
            meta: &[],
            expires_ms: None,
            freq,
            idle_s,
            range: 0..0,
        }
    }

    fn heats() -> Heats {
        let mut heats = Heats::default();
        (0..10).for_each(|_| heats.add(&entry(Some(200), None)));
        (0..100).for_each(|_| heats.add(&entry(Some(50), None)));
        (0..1000).for_each(|_| heats.add(&entry(Some(5), None)));
        heats
    }

    #[test]
    fn the_most_used_keys_make_the_first_wave_and_all_others_the_rest() {
        let heats = heats();
        let first = heats.first();
        assert_eq!((first.from, first.below), (50, None));
        let rest = heats.after(first).unwrap();
        assert_eq!(rest, first.rest());
        assert_eq!(heats.after(rest), None);
        for freq in 0..=255 {
            let entry = entry(Some(freq), None);
            let takes = [first, rest]
                .iter()
                .filter(|wave| wave.takes(&entry))
                .count();
            assert_eq!(takes, 1, "{freq}");
        }
    }

    #[test]
    fn what_a_sample_missed_is_made_up_for() {
        let first = Wave {
            from: 200,
            below: None,
        };
        let heats = heats();
        assert!(heats.share(200).unwrap() < WANTED);
        let second = heats.after(first).unwrap();
        assert_eq!((second.from, second.below), (50, Some(200)));
        assert!(heats.share(50).unwrap() >= WANTED);
        assert_eq!(heats.after(second), Some(second.rest()));
    }

    #[test]
    fn nothing_is_left_where_all_keys_are_as_warm() {
        let mut heats = Heats::default();
        (0..10).for_each(|_| heats.add(&entry(Some(9), None)));
        assert_eq!(heats.after(heats.first()), None);
    }

    #[test]
    fn sums_of_parts_are_those_of_the_whole() {
        let mut twice = heats();
        twice.merge(&heats());
        assert_eq!(twice.share(50), heats().share(50));
        assert_eq!(twice.degrees[5].0, 2000);
    }

    #[test]
    fn keys_idle_for_long_come_last_and_without_records_there_is_one_wave() {
        let mut heats = Heats::default();
        heats.add(&entry(None, Some(0)));
        heats.add(&entry(None, Some(100_000)));
        let first = heats.first();
        let waves = [first, first.rest()];
        assert!(first.takes(&entry(None, Some(0))));
        assert!(!first.takes(&entry(None, Some(100_000))));
        let mut none = Heats::default();
        none.add(&entry(None, None));
        assert_eq!((none.first(), none.share(0)), (Wave::ALL, None));
        for idle in [0, 1, 10, 100_000, u64::MAX] {
            let entry = entry(None, Some(idle));
            let takes = waves.iter().filter(|wave| wave.takes(&entry)).count();
            assert_eq!(takes, 1, "{idle}");
        }
    }
}
