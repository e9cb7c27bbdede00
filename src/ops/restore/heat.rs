//! The most used keys first: how much each key is used, by what the snapshot has of the servers' own LFU
//! or LRU records, and the waves in which keys go.
//!
//! An LFU counter is logarithmic: it begins at 5, and from the value c on it needs 10 (c - 5) + 1 more uses
//! to grow by one (`lfu-log-factor` 10, the default), so that a key at 5 + n was used some n (5 n - 4)
//! times, and one that is where it began not at all. An idle time of s seconds stands for one use in that
//! time. Both are estimates, of which only the order and the rough shares are used.

use serde::Serialize;

use crate::rdb::Entry;

/// Shares of the heat after which a line is said.
const SHARES: [u8; 3] = [50, 90, 99];
/// Where a new key's LFU counter begins.
const FIRST: u64 = 5;

/// How many keys are how warm.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Heats {
    /// Keys and heat of each degree.
    degrees: Vec<(u64, f64)>,
}

/// The keys of some degrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wave {
    /// From this degree on.
    pub from: u8,
    /// Up to before this one; `None` for no end.
    pub below: Option<u8>,
    /// What share of the heat is back when it is done; `None` for the last.
    pub share: Option<u8>,
}

/// When so much of the heat was back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Warmth {
    /// Percent of the recorded heat.
    pub percent: u8,
    /// After how long, ms.
    pub after_ms: u64,
    /// Keys that were sent until then.
    pub keys: u64,
}

/// How warm a key is, 0 to 255; 0 too when nobody recorded it.
pub(super) fn degree(entry: &Entry<'_>) -> u8 {
    match (entry.freq, entry.idle_s) {
        (Some(freq), _) => freq,
        (None, Some(idle)) => 64 - (idle.saturating_add(1).ilog2().min(63)) as u8,
        (None, None) => 0,
    }
}

fn heat(entry: &Entry<'_>) -> f64 {
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

    /// The waves; one of all keys when nothing was recorded.
    pub(super) fn waves(&self) -> Vec<Wave> {
        let all: f64 = self.degrees.iter().map(|(_, heat)| heat).sum();
        let mut waves = Vec::new();
        let (mut below, mut sum) = (None, 0.0);
        let mut due = SHARES.iter().peekable();
        if all > 0.0 {
            for degree in (1..=255_u8).rev() {
                let (keys, heat) = self.degrees[usize::from(degree)];
                sum += heat;
                let mut reached = None;
                while let Some(share) = due.next_if(|share| sum >= all * f64::from(**share) / 100.0)
                {
                    reached = Some(*share);
                }
                if let Some(share) = reached.filter(|_| keys > 0) {
                    waves.push(Wave {
                        from: degree,
                        below,
                        share: Some(share),
                    });
                    below = Some(degree);
                }
            }
        }
        waves.push(Wave {
            from: 0,
            below,
            share: None,
        });
        waves
    }
}

impl Wave {
    /// All keys.
    pub(super) const ALL: Wave = Wave {
        from: 0,
        below: None,
        share: None,
    };

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

    #[test]
    fn the_most_used_keys_make_the_first_waves() {
        let mut heats = Heats::default();
        (0..10).for_each(|_| heats.add(&entry(Some(200), None)));
        (0..100).for_each(|_| heats.add(&entry(Some(50), None)));
        (0..1000).for_each(|_| heats.add(&entry(Some(5), None)));
        let waves = heats.waves();
        let shares: Vec<Option<u8>> = waves.iter().map(|wave| wave.share).collect();
        assert_eq!(shares, [Some(50), Some(99), None], "{waves:?}");
        assert_eq!((waves[0].from, waves[0].below), (200, None));
        assert_eq!((waves[1].from, waves[1].below), (50, Some(200)));
        for freq in 0..=255 {
            let entry = entry(Some(freq), None);
            assert_eq!(
                waves.iter().filter(|wave| wave.takes(&entry)).count(),
                1,
                "{freq}"
            );
        }
    }

    #[test]
    fn keys_idle_for_long_come_last_and_without_records_there_is_one_wave() {
        let mut heats = Heats::default();
        heats.add(&entry(None, Some(0)));
        heats.add(&entry(None, Some(100_000)));
        let waves = heats.waves();
        assert!(waves[0].takes(&entry(None, Some(0))));
        assert!(!waves[0].takes(&entry(None, Some(100_000))));
        let mut none = Heats::default();
        none.add(&entry(None, None));
        assert_eq!(none.waves(), [Wave::ALL]);
        for idle in [0, 1, 10, 100_000, u64::MAX] {
            let entry = entry(None, Some(idle));
            assert_eq!(
                waves.iter().filter(|wave| wave.takes(&entry)).count(),
                1,
                "{idle}"
            );
        }
    }
}
