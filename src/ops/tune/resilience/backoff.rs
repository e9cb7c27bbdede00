//! The pauses of a client that outlast an outage.
//!
//! Each pause is a part that is always waited and a part by chance, so that a thousand clients do
//! not come back in step. With half of it fixed (equal jitter) the least that all pauses make is
//! known, and is made longer than the outage. Where a client knows only pauses by chance (full
//! jitter, from nothing on), so many tries are given that it falls short once in a thousand times
//! at most, by Hoeffding's bound.

use serde::Serialize;

/// The first pause (50 to 100 ms is usual: less only adds load to nodes that are busy electing).
const BASE_MS: f64 = 50.0;
/// The longest pause lies in between: the wait after recovery is up to that long.
const CAP_MS: (f64, f64) = (500.0, 2_000.0);
/// So many longest pauses make the outage.
const CAPS: f64 = 5.0;
/// How rarely full jitter may fall short.
const RARELY: f64 = 0.001;
/// No outage that ends is tried for longer: an hour of the longest pauses.
const MOST: u32 = 3_600;

/// How a client pauses between tries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Backoff {
    /// The first pause, without chance.
    pub base_ms: f64,
    /// Each pause is so many times the last.
    pub factor: f64,
    /// No pause is longer.
    pub cap_ms: f64,
    /// Tries after the first, when half of each pause is by chance.
    pub attempts: u32,
    /// All those pauses together, at the least.
    pub least_ms: f64,
    /// And at the most.
    pub most_ms: f64,
    /// Tries after the first, when the whole of each pause is by chance.
    pub attempts_full_jitter: u32,
    /// Tries after the first, at a fixed pause as long as the cap.
    pub attempts_fixed: u32,
}

impl Backoff {
    /// Pauses that outlast so many ms.
    pub fn outlasting(ms: f64) -> Backoff {
        let cap_ms = ((ms / CAPS / 100.0).round() * 100.0).clamp(CAP_MS.0, CAP_MS.1);
        let mut backoff = Backoff {
            base_ms: BASE_MS,
            factor: 2.0,
            cap_ms,
            attempts: 0,
            least_ms: 0.0,
            most_ms: 0.0,
            attempts_full_jitter: 0,
            attempts_fixed: (ms / cap_ms).ceil().clamp(1.0, f64::from(MOST)) as u32,
        };
        backoff.attempts = backoff.fewest(|pauses| pauses.sum / 2.0 >= ms);
        backoff.attempts_full_jitter = backoff.fewest(|pauses| pauses.rarely_below() >= ms);
        let all = backoff.pauses(backoff.attempts);
        backoff.least_ms = all.sum / 2.0;
        backoff.most_ms = all.sum;
        backoff
    }

    /// The pause before that try at its longest; 0 is the first.
    pub fn pause_ms(&self, n: u32) -> f64 {
        // Beyond 2^30 the cap has long been reached.
        (self.base_ms * self.factor.powi(n.min(30) as i32)).min(self.cap_ms)
    }

    fn pauses(&self, tries: u32) -> Pauses {
        (0..tries)
            .map(|n| self.pause_ms(n))
            .fold(Pauses::default(), Pauses::and)
    }

    fn fewest(&self, is_enough: impl Fn(&Pauses) -> bool) -> u32 {
        let mut pauses = Pauses::default();
        for n in 0..MOST {
            if n > 0 && is_enough(&pauses) {
                return n;
            }
            pauses = pauses.and(self.pause_ms(n));
        }
        MOST
    }
}

/// Pauses together, at their longest.
#[derive(Debug, Clone, Copy, Default)]
struct Pauses {
    sum: f64,
    squares: f64,
}

impl Pauses {
    fn and(self, pause: f64) -> Pauses {
        Pauses {
            sum: self.sum + pause,
            squares: self.squares + pause * pause,
        }
    }

    /// What uniform pauses from nothing on fall short of once in a thousand times at most.
    fn rarely_below(&self) -> f64 {
        self.sum / 2.0 - (self.squares * (1.0 / RARELY).ln() / 2.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff::outlasting(5_000.0);
        let pauses: Vec<f64> = (0..7).map(|n| backoff.pause_ms(n)).collect();
        assert_eq!(pauses, [50.0, 100.0, 200.0, 400.0, 800.0, 1000.0, 1000.0]);
        // 1,550 ms in the first five, then 1 s each: 14 make 10,550, half of which is fixed.
        assert_eq!((backoff.attempts, backoff.attempts_fixed), (14, 5));
        assert!((backoff.least_ms - 5_275.0).abs() < 1e-9);
        assert!((backoff.most_ms - 10_550.0).abs() < 1e-9);
        assert!(backoff.pause_ms(u32::MAX) <= 1000.0);
    }

    /// The simplest generator that is good enough to draw pauses.
    fn drawn(state: &mut u64) -> f64 {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*state >> 11) as f64 / (1u64 << 53) as f64
    }

    #[test]
    fn full_jitter_rarely_falls_short() {
        let mut state = 42;
        for ms in [1_000.0, 4_000.0, 30_000.0] {
            let backoff = Backoff::outlasting(ms);
            let waited = |state: &mut u64| -> f64 {
                let tries = 0..backoff.attempts_full_jitter;
                tries.map(|n| backoff.pause_ms(n) * drawn(state)).sum()
            };
            let short = (0..20_000).filter(|_| waited(&mut state) < ms).count();
            assert!(short <= 20, "{short} of 20,000 fell short of {ms}");
        }
    }

    proptest! {
        #[test]
        fn the_pauses_always_outlast_the_outage(ms in 0.0f64..1_200_000.0) {
            let backoff = Backoff::outlasting(ms);
            prop_assert!(backoff.least_ms >= ms);
            prop_assert!(backoff.most_ms >= backoff.least_ms);
            let sum: f64 = (0..backoff.attempts).map(|n| backoff.pause_ms(n)).sum();
            prop_assert!((sum - backoff.most_ms).abs() < 1e-6 * sum.max(1.0));
            prop_assert!(backoff.attempts_full_jitter >= backoff.attempts);
            prop_assert!(f64::from(backoff.attempts_fixed) * backoff.cap_ms >= ms);
            if backoff.attempts > 1 {
                let fewer: f64 = (0..backoff.attempts - 1).map(|n| backoff.pause_ms(n)).sum();
                prop_assert!(fewer / 2.0 < ms);
            }
        }
    }
}
