//! How much of the recorded heat is back while the most used keys come first: a key counts when a master has
//! answered for it.
//!
//! How much there is in all a sample tells at first, by which half of it is told as it comes; more is told
//! when every key was walked over, for a sample may be off. What is reported in the end is by count alone.

use serde::Serialize;

use super::heat::Heats;

/// What is told, in percent of the heat.
const TOLD: [u8; 3] = [50, 90, 99];
/// What a sample is good enough for.
const SAMPLED: u8 = 50;
/// A step is kept for so much of the heat; the time of each is known that well.
const KEPT: f64 = 0.001;
/// Sums of the same numbers in another order differ by a little.
const SLACK: f64 = 1e-9;

/// When so much of the heat was back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Warmth {
    /// Percent of the recorded heat, by count and not by guess.
    pub percent: u8,
    /// After how long, ms.
    pub after_ms: u64,
    /// Keys that were back by then.
    pub keys: u64,
}

/// Something that comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Warm {
    pub keys: u64,
    pub heat: f64,
}

/// How far it is.
#[derive(Debug)]
pub(super) struct Warming {
    /// All the heat that there is.
    all: f64,
    is_counted: bool,
    now: Step,
    steps: Vec<Step>,
    /// How many of those above were told.
    told: usize,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    back: Warm,
    after_ms: u64,
}

impl Warming {
    /// Begins with what a sample shows that is one in `times` of all; `None` when nothing was recorded.
    pub(super) fn sampled(sample: &Heats, times: f64) -> Option<Warming> {
        let all = sample.sum() * times;
        (all > 0.0).then(|| Warming {
            all,
            is_counted: false,
            now: Step {
                back: Warm { keys: 0, heat: 0.0 },
                after_ms: 0,
            },
            steps: Vec::new(),
            told: 0,
        })
    }

    /// Whether all heat was counted.
    pub(super) fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// So much is back; what is to be told.
    pub(super) fn back(&mut self, warm: Warm, after_ms: u64) -> Vec<String> {
        self.now.back.keys += warm.keys;
        self.now.back.heat += warm.heat;
        self.now.after_ms = after_ms;
        let last = self.steps.last().map_or(0.0, |step| step.back.heat);
        if self.now.back.heat - last >= self.all * KEPT {
            self.steps.push(self.now);
        }
        self.news()
    }

    /// Those are all keys; what is to be told.
    pub(super) fn counted(&mut self, heats: &Heats) -> Vec<String> {
        self.all = heats.sum();
        self.is_counted = true;
        self.steps.push(self.now);
        self.news()
    }

    fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        while let Some(&percent) = TOLD.get(self.told)
            && (self.is_counted || percent <= SAMPLED)
            && let Some(warmth) = self.at(percent)
        {
            let about = if self.is_counted { "" } else { "about " };
            news.push(format!(
                "{about}{percent} % of the recorded heat is back after {:.1} s: {} keys",
                warmth.after_ms as f64 / 1000.0,
                crate::model::words::count(warmth.keys)
            ));
            self.told += 1;
        }
        news
    }

    /// When so much was back, if it was.
    fn at(&self, percent: u8) -> Option<Warmth> {
        let wanted = self.all * (f64::from(percent) / 100.0 - SLACK);
        let place = self.steps.partition_point(|step| step.back.heat < wanted);
        let now = (self.now.back.heat >= wanted).then_some(&self.now);
        let step = self.steps.get(place).or(now)?;
        Some(Warmth {
            percent,
            after_ms: step.after_ms,
            keys: step.back.keys,
        })
    }

    /// When how much was back; nothing when that was never counted.
    pub(super) fn warmth(&self) -> Vec<Warmth> {
        let told = TOLD.iter().filter(|_| self.is_counted);
        told.filter_map(|percent| self.at(*percent)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Dialect, Entry};

    /// So many keys that are each used once in 1 s.
    fn heats(keys: u64) -> Heats {
        let mut heats = Heats::default();
        let entry = Entry {
            dialect: Dialect::redis(12),
            db: 0,
            key: b"k",
            kind: 0,
            value: b"",
            meta: &[],
            expires_ms: None,
            freq: None,
            idle_s: Some(0),
            range: 0..0,
        };
        (0..keys).for_each(|_| heats.add(&entry));
        heats
    }

    fn one(heat: f64) -> Warm {
        Warm { keys: 1, heat }
    }

    #[test]
    fn half_is_told_by_the_sample_and_more_when_all_was_counted() {
        let mut warming = Warming::sampled(&heats(10), 10.0).unwrap();
        let mut told = Vec::new();
        for n in 1..=95 {
            told.extend(warming.back(one(1.0), n * 100));
        }
        assert_eq!(
            told,
            ["about 50 % of the recorded heat is back after 5.0 s: 50 keys"]
        );
        assert!(warming.warmth().is_empty());
        assert_eq!(
            warming.counted(&heats(104)),
            ["90 % of the recorded heat is back after 9.4 s: 94 keys"]
        );
        assert!(warming.back(one(7.0), 9600).is_empty());
        let told = warming.back(one(2.0), 9700);
        assert_eq!(
            told,
            ["99 % of the recorded heat is back after 9.7 s: 97 keys"]
        );
        let found = warming.warmth();
        let found: Vec<_> = found.iter().map(|w| (w.percent, w.after_ms)).collect();
        assert_eq!(found, [(50, 5200), (90, 9400), (99, 9700)]);
    }

    #[test]
    fn a_sample_that_saw_too_much_is_made_up_for_when_all_was_counted() {
        let mut warming = Warming::sampled(&heats(1000), 1.0).unwrap();
        for n in 1..=100 {
            assert!(warming.back(one(1.0), n).is_empty());
        }
        assert_eq!(warming.counted(&heats(100)).len(), 3);
        assert_eq!(warming.warmth()[0].after_ms, 50);
    }

    #[test]
    fn without_records_nothing_is_told() {
        assert!(Warming::sampled(&Heats::default(), 1.0).is_none());
    }

    #[test]
    fn steps_are_few_however_many_parcels_there_are() {
        let mut warming = Warming::sampled(&heats(1000), 1.0).unwrap();
        for n in 0..100_000 {
            warming.back(one(0.01), n);
        }
        assert!(warming.steps.len() <= 1000, "{}", warming.steps.len());
    }
}
