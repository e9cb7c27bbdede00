//! Which layouts are worth a row: a small cluster fits into dozens of sizes, most of which are the same
//! shape again for more money.

use super::layouts::Layout;
use super::report::Report;
use super::shard::Load;

/// What uses less than this of what it may has room enough: more room is no gain.
const ROOMY: f64 = 0.9;
/// A term that falls by less than a tenth is the same.
const FELT: f64 = 0.9;

impl Report {
    /// The layouts that no earlier one makes needless, by their place in `layouts`: of the same service
    /// with as many shards and nodes, for no more memory and no higher price, and no nearer to any limit
    /// that matters.
    pub fn distinct(&self) -> Vec<usize> {
        let all = &self.layouts;
        let is_needless = |n: usize| all[..n].iter().any(|early| outdoes(early, &all[n]));
        (0..all.len()).filter(|n| !is_needless(*n)).collect()
    }
}

fn outdoes(early: &Layout, late: &Layout) -> bool {
    let shape = |layout: &Layout| (layout.service.clone(), layout.shards, layout.nodes);
    shape(early) == shape(late)
        && early.is_burstable <= late.is_burstable
        && early.memory_paid_bytes <= late.memory_paid_bytes
        && !is_cheaper(late, early)
        && !is_easier(&late.load, &early.load)
}

/// Whether it has a lower price, or one where the other has none.
fn is_cheaper(one: &Layout, other: &Layout) -> bool {
    let demand = |layout: &Layout| layout.cost.map(|cost| cost.on_demand_per_month);
    let reserved = |layout: &Layout| layout.cost.and_then(|cost| cost.reserved_per_month);
    let is_lower = |one: Option<f64>, other: Option<f64>| {
        one.is_some_and(|one| other.is_none_or(|other| one < other))
    };
    is_lower(demand(one), demand(other)) || is_lower(reserved(one), reserved(other))
}

/// Whether a term that is no longer roomy has clearly more room.
fn is_easier(one: &Load, other: &Load) -> bool {
    let terms = |load: &Load| {
        let told = [load.cpu, load.network, load.connections];
        let told = told.map(|used| used.unwrap_or(0.0));
        [&[load.memory, load.headroom], &told[..]].concat()
    };
    let both = terms(one).into_iter().zip(terms(other));
    both.into_iter()
        .any(|(one, other)| other > ROOMY && one < other * FELT)
}

#[cfg(test)]
mod tests {
    use super::super::{Demand, Options, Prices, judge};

    fn report(gib: u64, operations: f64, options: &Options) -> super::Report {
        let demand = Demand {
            cluster: "shop".into(),
            shards: 3,
            shards_measured: 3,
            replicas: 1,
            data_bytes: gib << 30,
            fragmentation: 1.05,
            memory_skew: 1.1,
            load_skew: 1.1,
            operations_per_second: Some(operations),
            ..Demand::default()
        };
        judge(&demand, options)
    }

    #[test]
    fn a_small_cluster_has_a_row_for_each_shape_of_a_service() {
        let report = report(0, 10.0, &Options::default());
        let kept = report.distinct();
        assert_eq!(kept[0], 0, "the first is always told");
        assert!(kept.len() * 3 < report.layouts.len(), "{}", kept.len());
        let mut shapes: Vec<_> = (kept.iter())
            .map(|n| &report.layouts[*n])
            .map(|one| (&one.service, one.shards, one.nodes, one.is_burstable))
            .collect();
        let rows = shapes.len();
        shapes.sort();
        shapes.dedup();
        assert_eq!(shapes.len(), rows, "no shape twice");
        for service in report.layouts.iter().map(|one| &one.service) {
            assert!(shapes.iter().any(|shape| shape.0 == service), "{service}");
        }
    }

    #[test]
    fn what_is_cheaper_when_reserved_is_told() {
        let options = Options {
            prices: Some(serde_yaml::from_str(Prices::example()).unwrap()),
            ..Options::default()
        };
        let report = report(50, 10.0, &options);
        let kept = report.distinct();
        let cheapest = report.cheapest_reserved.unwrap();
        assert!(kept.contains(&cheapest), "{kept:?} without {cheapest}");
    }
}
