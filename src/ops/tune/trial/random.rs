//! Numbers that look random and are the same each time, so that both copies get the same data and
//! the same load.

/// A source of them (splitmix64: one addition and a few shifts; good enough for keys and letters).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Two sources with different seeds have nothing in common.
    pub fn of(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to, and not with, 1.
    pub fn share(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Below that number; 0 below 0.
    pub fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(end)) >> 64) as u64
    }

    /// Below that number, the small ones more often: the n-th as often as 1/n (Zipf's law, by its
    /// continuous form). Few keys of most applications take most of the load.
    pub fn favoured(&mut self, end: u64) -> u64 {
        let drawn = (end as f64 + 1.0).powf(self.share()) - 1.0;
        (drawn as u64).min(end.saturating_sub(1))
    }

    /// Appends so many letters and digits.
    pub fn letters(&mut self, count: usize, to: &mut Vec<u8>) {
        const LETTERS: &[u8; 64] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        let mut left = count;
        while left > 0 {
            let mut bits = self.number();
            for _ in 0..left.min(10) {
                to.push(LETTERS[(bits & 63) as usize]);
                bits >>= 6;
            }
            left -= left.min(10);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_below_their_end_and_few_are_drawn_most() {
        let mut random = Random::of(1);
        assert_eq!(random.below(0), 0);
        assert!((0..1_000).all(|_| random.below(7) < 7));
        let drawn: Vec<u64> = (0..10_000).map(|_| random.favoured(1_000)).collect();
        assert!(drawn.iter().all(|&n| n < 1_000));
        // ln(101) / ln(1001) of all: 67 %.
        let hot = drawn.iter().filter(|&&n| n < 100).count();
        assert!((6_000..7_400).contains(&hot), "{hot}");
        assert_eq!(random.favoured(1), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_letters() {
        let letters = |seed| {
            let mut text = Vec::new();
            Random::of(seed).letters(23, &mut text);
            text
        };
        assert_eq!(letters(5), letters(5));
        assert_ne!(letters(5), letters(6));
        assert_eq!(letters(5).len(), 23);
    }
}
