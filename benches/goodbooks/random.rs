//! Numbers that look random and are the same on every run: SplitMix64.

/// A source of numbers.
pub struct Random(u64);

impl Random {
    /// The source with that name; the same names give the same numbers.
    pub fn new(seed: u64, name: u64) -> Random {
        Random(seed ^ name.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// `count` different numbers below `end`, which must be above `count`.
    pub fn different(&mut self, count: u64, end: u64) -> Vec<u64> {
        let (start, mut step) = (self.below(end), 1 + self.below(end - 1));
        while greatest_divisor(step, end) != 1 {
            step = 1 + step % (end - 1);
        }
        (0..count).map(|n| (start + n * step) % end).collect()
    }
}

fn greatest_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_divisor(b, a % b)
    }
}
