//! What the samples of all masters say of the keys of one encoding, together. Only spreads are kept of
//! a sample, so sums are bounds: what is surely saved is told, not what might be.

use crate::model::{EncodingSeen, KeysSeen, Spread, Subject};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::Change;
use crate::ops::tune::rule::{Opinion, changes};

/// Fewer keys of a type in all samples together show nothing: their 95th percentile would rest on
/// four of them.
pub const FEW: u64 = 100;

/// The keys of one type and encoding.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loose {
    /// In the samples.
    pub count: u64,
    /// Keys of the type in the samples, whatever their encoding.
    pub of_type: u64,
    /// Bytes of those in the samples (MEMORY USAGE).
    pub memory_bytes: u64,
    /// So many such keys there are, by the samples' shares.
    pub keys: u64,
    /// Elements in all of them, at the least.
    pub elements_at_least: u64,
    /// Elements in all of them, at the most.
    pub elements_at_most: u64,
    /// The largest 95th percentile of elements on any master.
    pub elements_p95: u64,
    /// The smallest middle of elements on any master.
    pub elements_p50: u64,
    /// The most elements.
    pub elements_max: u64,
    /// The largest 95th percentile of the longest element on any master, in bytes.
    pub longest_p95: u64,
}

/// The deep samples; an opinion where there is none. Nothing at all where there are no keys.
pub fn deep<'c, 'a>(
    case: &'c Case<'a>,
) -> Result<Vec<(&'c NodeCase<'a>, &'a KeysSeen)>, Vec<Opinion>> {
    let keys: u64 = case.masters().map(|node| node.info().keys()).sum();
    if keys == 0 && case.keys().all(|(_, keys)| keys.sampled == 0) {
        return Err(Vec::new());
    }
    case.deep_keys().map_err(|why| vec![skip(case, why)])
}

/// It could not be looked at in the whole cluster.
pub fn skip(case: &Case, reason: impl Into<String>) -> Opinion {
    let survey = &case.evidence.survey;
    let seed = || survey.seeds.first().map(ToString::to_string);
    let name = survey.name.clone().or_else(seed).unwrap_or_default();
    Opinion::Skip {
        subject: Subject::Cluster(name),
        reason: reason.into(),
    }
}

/// Changes of a setting that has two names, on the nodes that `is` holds for: the old name before 7.0
/// only.
pub fn changes_of(
    case: &Case,
    names: [&'static str; 2],
    value: impl Fn(u64) -> Option<u64>,
) -> Vec<(&'static str, Vec<Change>)> {
    let [new, old] = names;
    let named = |name: &'static str, is_mine: &dyn Fn(&NodeCase) -> bool| {
        let nodes = case.nodes.iter().filter(|node| is_mine(node));
        let wanted =
            nodes.filter_map(|node| Some((node, value(node.setting_number(name)?)?.to_string())));
        (name, changes(name, wanted))
    };
    let both = [
        named(new, &|_| true),
        named(old, &|node| node.setting(new).is_none()),
    ];
    both.into_iter()
        .filter(|(_, changes)| !changes.is_empty())
        .collect()
}

/// The keys of that type in those encodings, over all samples.
pub fn loose(deep: &[(&NodeCase, &KeysSeen)], kind: &str, encodings: &[&str]) -> Loose {
    let mut all = Loose::default();
    for (_, keys) in deep {
        let Some(seen) = keys.types.get(kind) else {
            continue;
        };
        all.of_type += seen.count;
        let of = seen
            .encodings
            .iter()
            .filter(|(name, _)| encodings.contains(&name.as_str()));
        for (_, seen) in of {
            all.add(seen, keys);
        }
    }
    all
}

impl Loose {
    fn add(&mut self, seen: &EncodingSeen, keys: &KeysSeen) {
        let of_all = |part: u64| match keys.sampled {
            0 => 0,
            sampled => (u128::from(part) * u128::from(keys.keys) / u128::from(sampled)) as u64,
        };
        self.memory_bytes += seen.memory_bytes;
        self.keys += of_all(seen.count);
        if let Some(elements) = seen.elements {
            self.elements_at_least += of_all(at_least(&elements, seen.count));
            self.elements_at_most += of_all(at_most(&elements, seen.count));
            self.elements_p95 = self.elements_p95.max(elements.p95);
            self.elements_max = self.elements_max.max(elements.max);
            self.elements_p50 = match self.count {
                0 => elements.p50,
                _ => self.elements_p50.min(elements.p50),
            };
        }
        self.count += seen.count;
        self.longest_p95 = self
            .longest_p95
            .max(seen.longest_bytes.map_or(0, |longest| longest.p95));
    }
}

/// A sum over so many cannot be less: half have the middle or more, the rest the least or more.
fn at_least(spread: &Spread, count: u64) -> u64 {
    let upper = count / 2;
    let lower = (count - upper).saturating_mul(spread.min);
    upper.saturating_mul(spread.p50).saturating_add(lower)
}

/// Nor more: half have the middle or less, all but a twentieth the 95th percentile or less.
fn at_most(spread: &Spread, count: u64) -> u64 {
    let (half, tail) = (count / 2, count.div_ceil(20));
    let between = count.saturating_sub(half + tail);
    let parts = [
        (half, spread.p50),
        (between, spread.p95),
        (tail, spread.max),
    ];
    let parts = parts
        .into_iter()
        .map(|(keys, most)| keys.saturating_mul(most));
    parts.fold(0, u64::saturating_add)
}

/// Calls in a second between the samples of INFO, of those commands, on the master with the most;
/// `None` without two samples.
pub fn busiest_calls(case: &Case, commands: &[&str]) -> Option<f64> {
    let calls = |node: &NodeCase| -> Option<f64> {
        let facts = node.facts;
        let later = facts.later.as_ref().filter(|_| !facts.has_restarted())?;
        let read = |info: &crate::model::Info, name: &str| -> u64 {
            let field = info.field(&format!("cmdstat_{name}"), "calls");
            field.and_then(|text| text.parse().ok()).unwrap_or(0)
        };
        let grown: u64 = (commands.iter())
            .map(|name| read(later, name).saturating_sub(read(&facts.info, name)))
            .sum();
        crate::health::rates::per_second(facts, grown)
    };
    case.masters().filter_map(calls).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_spreads_are_bounds() {
        let numbers: Vec<u64> = (1..=100).collect();
        let spread = Spread::of(numbers.iter().copied()).unwrap();
        let sum: u64 = numbers.iter().sum();
        assert_eq!(
            (at_least(&spread, 100), at_most(&spread, 100)),
            (2550, 7275)
        );
        assert!(at_least(&spread, 100) <= sum && sum <= at_most(&spread, 100));
        let one = Spread::of([7]).unwrap();
        assert_eq!((at_least(&one, 1), at_most(&one, 1)), (7, 7));
        assert_eq!(at_least(&one, 0), 0);
    }
}
