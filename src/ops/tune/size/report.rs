//! What `tune --size` tells. Keys carry their units; what is not known is `null`.

use serde::Serialize;

use super::demand::Demand;
use super::layouts::{Layout, Neighbour, Unfit};

/// Which layouts hold the load, the cheapest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What is to be held.
    pub demand: Demand,
    /// What it was reckoned with.
    pub assumptions: Assumptions,
    /// The layouts that hold it: by price on demand where there is one, then by the memory that is
    /// paid for (sizes with less than a core last), then by nodes.
    pub layouts: Vec<Layout>,
    /// Where the layout stands that is cheapest when reserved; `None` without reserved prices.
    pub cheapest_reserved: Option<usize>,
    /// One shard less and one more than the first layout has.
    pub neighbours: Vec<Neighbour>,
    /// The sizes of the first layout's family, from small to large.
    pub family: Vec<Layout>,
    /// Sizes of which no number of shards holds it.
    pub unfit: Vec<Unfit>,
    /// What the prices are worth; `None` without a price file.
    pub prices: Option<PriceHead>,
    /// When the list of sizes was put together, `YYYY-MM-DD`.
    pub catalogue_date: String,
    /// Where the sizes are from, a line for each service.
    pub sources: Vec<String>,
    /// What a reader should know besides.
    pub notes: Vec<String>,
}

/// What a sizing was reckoned with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumptions {
    /// What the cluster is for.
    pub profile: String,
    /// How far ahead it must hold, in days.
    pub horizon_days: f64,
    /// Data at the end of the horizon for each byte today.
    pub growth_factor: f64,
    /// Load at its busiest for each operation of the sample.
    pub load_factor: f64,
    /// Replicas of each shard.
    pub replicas: usize,
    /// Of `maxmemory`, so much may be full at the end, in percent.
    pub full_percent: f64,
    /// Of CPU, network and connections, so much may be used, in percent.
    pub busy_percent: f64,
}

/// What the prices are worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PriceHead {
    /// As of when they hold.
    pub date: String,
    /// In what they are counted.
    pub currency: String,
    /// Where they hold.
    pub region: String,
}
