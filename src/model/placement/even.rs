//! Slots dealt evenly: contiguous ranges whose sizes differ by one at most.

use super::super::slot::{SLOT_COUNT, Slot, SlotSet};

/// The ranges of `masters` masters, in order. The borders lie where rounding puts them, as in
/// every cluster that other tools made: three masters start at 0, 5461 and 10923. Empty for 0.
pub fn even_slots(masters: usize) -> Vec<SlotSet> {
    (0..masters)
        .map(|n| {
            let first = border(n, masters);
            let next = border(n + 1, masters);
            (first..next).filter_map(Slot::new).collect()
        })
        .collect()
}

/// `n * 16384 / masters`, rounded half up.
fn border(n: usize, masters: usize) -> u16 {
    let twice = 2 * n * usize::from(SLOT_COUNT) + masters;
    u16::try_from(twice / (2 * masters)).unwrap_or(SLOT_COUNT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_where_everybody_expects_them() {
        let text = |masters| -> Vec<String> {
            even_slots(masters).iter().map(SlotSet::to_string).collect()
        };
        assert_eq!(text(1), ["0-16383"]);
        assert_eq!(text(3), ["0-5460", "5461-10922", "10923-16383"]);
        assert!(text(0).is_empty());
    }

    #[test]
    fn sizes_differ_by_one_at_most_and_nothing_is_left_out() {
        for masters in (1..=100).chain([333, 1000]) {
            let sets = even_slots(masters);
            let sizes: Vec<usize> = sets.iter().map(SlotSet::len).collect();
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 1, "{masters}");
            assert_eq!(sizes.iter().sum::<usize>(), 16_384, "{masters}");
            let all = sets.iter().fold(SlotSet::new(), |all, set| all.union(set));
            assert!(all.is_full(), "{masters}");
        }
    }
}
