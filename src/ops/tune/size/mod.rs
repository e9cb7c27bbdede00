//! How many nodes of which size the cluster needs: `tune --size`.
//!
//! Pure: `Demand::from_surveys` folds what the nodes told into what is needed, `judge` lays it out
//! on every node size of the catalogue and sorts what holds. Sizes are a dated file beside this one;
//! prices come from the user alone. The formulas are those of capacity planning for such servers
//! (data by its peak, growth, skew, fragmentation, copy-on-write, a node lost), each term told.

mod catalogue;
mod demand;
mod distinct;
mod growth;
mod layouts;
mod prices;
mod report;
mod shard;

use crate::health::Profile;

pub use catalogue::{Catalogue, Kind, List, NodeSize};
pub use demand::{Demand, NoDemand};
pub use growth::{Growth, GrowthError, GrowthSource};
pub use layouts::{Layout, Neighbour, Unfit};
pub use prices::{Cost, Price, PriceError, Prices, Reserved};
pub use report::{Assumptions, PriceHead, Report};
pub use shard::{Load, Memory, Term};

use shard::Ask;

/// How a sizing is done.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What the cluster is for: how full memory may be.
    pub profile: Profile,
    /// Why it is taken to be for that, when nobody said so.
    pub guessed: Option<String>,
    /// How far ahead it must hold, in days.
    pub horizon_days: f64,
    /// What the user says of growth; else what was measured counts.
    pub growth: Option<Growth>,
    /// The busiest time against the sample: 2 when the sample was taken at half the load.
    pub load_factor: f64,
    /// Replicas of each shard; else as many as there are, and one at the least.
    pub replicas: Option<usize>,
    /// Only sizes with one of these in the name of their service, family or size, in any case; all
    /// when empty.
    pub families: Vec<String>,
    /// What nodes cost.
    pub prices: Option<Prices>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            profile: Profile::default(),
            guessed: None,
            horizon_days: 90.0,
            growth: None,
            load_factor: 1.0,
            replicas: None,
            families: Vec::new(),
            prices: None,
        }
    }
}

/// Lays the demand out on every size that is asked for, and sorts what holds.
pub fn judge(demand: &Demand, options: &Options) -> Report {
    let catalogue = Catalogue::shipped();
    let demand = Demand {
        growth: options.growth.unwrap_or(demand.growth),
        ..demand.clone()
    };
    let ask = ask(&demand, options);
    let prices = options.prices.as_ref();
    let sizes: Vec<NodeSize> = catalogue
        .sizes()
        .into_iter()
        .filter(|size| is_asked(size, options))
        .collect();
    let (mut layouts, mut unfit) = (Vec::new(), Vec::new());
    for size in &sizes {
        match layouts::layout(&demand, size, &ask, prices) {
            Ok(layout) => layouts.push(layout),
            Err(why) => unfit.push(why),
        }
    }
    let in_order = layouts.clone();
    layouts.sort_by(cheaper);
    let first = layouts.first();
    let is_kin =
        |a: &Layout| first.is_some_and(|b| (&a.family, &a.service) == (&b.family, &b.service));
    let neighbours = first.and_then(|first| {
        let size = sizes.iter().find(|size| size.name == first.size)?;
        Some(layouts::neighbours(
            &demand,
            size,
            &ask,
            first.shards,
            prices,
        ))
    });
    Report {
        assumptions: assumptions(&ask, options),
        notes: notes(&demand, options, &layouts),
        cheapest_reserved: cheapest_reserved(&layouts),
        neighbours: neighbours.unwrap_or_default(),
        family: in_order.into_iter().filter(is_kin).collect(),
        prices: prices.map(|prices| PriceHead {
            date: prices.date.clone(),
            currency: prices.currency.clone(),
            region: prices.region.clone(),
        }),
        sources: sources(&catalogue, &sizes),
        catalogue_date: catalogue.date,
        demand,
        layouts,
        unfit,
    }
}

fn ask(demand: &Demand, options: &Options) -> Ask {
    let growth = demand.growth.factor(options.horizon_days);
    Ask {
        growth,
        load: options.load_factor * growth,
        replicas: options.replicas.unwrap_or(demand.replicas.max(1)),
        full: shard::full(options.profile),
    }
}

fn is_asked(size: &NodeSize, options: &Options) -> bool {
    let families = &options.families;
    families.is_empty() || families.iter().any(|name| size.is_called(name))
}

/// A price before none, then the lower one; without prices whole cores before parts of one, less
/// memory, fewer nodes, and the name.
fn cheaper(a: &Layout, b: &Layout) -> std::cmp::Ordering {
    let price = |layout: &Layout| {
        layout
            .cost
            .map_or(f64::INFINITY, |cost| cost.on_demand_per_month)
    };
    price(a)
        .total_cmp(&price(b))
        .then(a.is_burstable.cmp(&b.is_burstable))
        .then(a.memory_paid_bytes.total_cmp(&b.memory_paid_bytes))
        .then(a.nodes.cmp(&b.nodes))
        .then(a.size.cmp(&b.size))
}

fn cheapest_reserved(layouts: &[Layout]) -> Option<usize> {
    let reserved = |layout: &Layout| layout.cost.and_then(|cost| cost.reserved_per_month);
    let priced = layouts
        .iter()
        .enumerate()
        .filter_map(|(n, layout)| Some((n, reserved(layout)?)));
    priced.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(n, _)| n)
}

fn assumptions(ask: &Ask, options: &Options) -> Assumptions {
    Assumptions {
        profile: options.profile.to_string(),
        horizon_days: options.horizon_days,
        growth_factor: ask.growth,
        load_factor: options.load_factor,
        replicas: ask.replicas,
        full_percent: ask.full * 100.0,
        busy_percent: shard::BUSY * 100.0,
    }
}

fn sources(catalogue: &Catalogue, sizes: &[NodeSize]) -> Vec<String> {
    let is_asked = |list: &&List| sizes.iter().any(|size| size.service == list.name);
    let asked = catalogue.lists.iter().filter(is_asked);
    asked
        .map(|list| format!("{} ({}): {}", list.name, list.date, list.sources.join("; ")))
        .collect()
}

fn notes(demand: &Demand, options: &Options, layouts: &[Layout]) -> Vec<String> {
    let mut notes = Vec::new();
    if demand.growth.percent_per_day.is_none() {
        notes.push(
            "growth is not known and counted as none: give it (--growth 10%/month), or compare \
             with a survey of another day"
                .to_owned(),
        );
    }
    if let Some(reason) = &options.guessed {
        notes.push(format!(
            "taken to be for {} ({reason}), by which memory may be so full: say so with --profile",
            options.profile
        ));
    }
    if options.load_factor <= 1.0 && demand.operations_per_second.is_some() {
        notes.push(
            "the load is that of the sample: take it at the busiest hour, or the layout holds a \
             quiet one"
                .to_owned(),
        );
    }
    if !demand.is_copy_on_write_measured && demand.copy_on_write > 0.0 {
        notes
            .push("what a fork copies was not measured: 25 % of the data is counted on".to_owned());
    }
    if options.replicas.is_none() && demand.replicas == 0 {
        notes.push(
            "some shard has no replica today: one is counted on, or the loss of any node loses data"
                .to_owned(),
        );
    }
    if options.prices.is_none() {
        notes.push(
            "without prices the order is that of memory, which is not that of cost: more and smaller \
             nodes have more cores"
                .to_owned(),
        );
    }
    if layouts.iter().any(|layout| layout.load.network.is_none()) {
        notes.push(
            "where a service publishes no network baseline, network is not judged".to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests;
