//! What the cluster needs, in words: data, memory, skew, growth, load, and what is kept in hand.

use crate::ops::tune::size::{Assumptions, Demand, Growth, GrowthSource};
use crate::render::doc::Cell;
use crate::render::human;

/// Names and values, a line each.
pub fn pairs(demand: &Demand, assumptions: &Assumptions) -> Vec<(String, Cell)> {
    let size = |bytes: u64| human::bytes(bytes);
    let mut pairs = vec![
        (
            "data",
            format!(
                "{} at its peak in {}, {} keys",
                size(demand.data_bytes),
                human::counted(demand.shards, "shard"),
                human::count(demand.keys)
            ),
        ),
        (
            "memory",
            format!(
                "{} in use, {} at the peak, of it {} overhead; fragmentation {:.2}, a fork copies {}",
                size(demand.used_bytes),
                size(demand.peak_bytes),
                size(demand.overhead_bytes),
                demand.fragmentation,
                human::percent(demand.copy_on_write * 100.0)
            ),
        ),
        (
            "skew",
            format!(
                "the fullest shard has {:.2} times its share, the busiest {:.2} times",
                demand.memory_skew, demand.load_skew
            ),
        ),
        ("growth", growth(&demand.growth, assumptions)),
    ];
    pairs.extend(load(demand));
    pairs.push((
        "in hand",
        format!(
            "maxmemory at most {} full ({}), CPU, network and connections {} used, {} each",
            human::percent(assumptions.full_percent),
            assumptions.profile,
            human::percent(assumptions.busy_percent),
            human::counted(assumptions.replicas, "replica")
        ),
    ));
    pairs
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Cell::plain(text)))
        .collect()
}

fn growth(growth: &Growth, assumptions: &Assumptions) -> String {
    let Some(per_day) = growth.percent_per_day else {
        return "not known".to_owned();
    };
    let sign = if per_day < 0.0 { "-" } else { "" };
    let who = match growth.source {
        GrowthSource::Given => "as given".to_owned(),
        GrowthSource::Measured { days_apart } => format!("measured over {days_apart:.1} days"),
        GrowthSource::Unknown => "nobody says so".to_owned(),
    };
    format!(
        "{sign}{} a day ({who}): {:.2} times as much in the end",
        human::percent(per_day.abs()),
        assumptions.growth_factor
    )
}

fn load(demand: &Demand) -> Vec<(&'static str, String)> {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "?".to_owned(), human::rate);
    let bytes = |rate: Option<f64>| {
        rate.map_or_else(
            || "?".to_owned(),
            |rate| format!("{}/s", human::bytes(rate.round() as u64)),
        )
    };
    let cores = |cores: Option<f64>| cores.map_or_else(|| "?".to_owned(), |c| format!("{c:.2}"));
    vec![
        (
            "load",
            format!(
                "{} operations/s on {} cores: {} for each core",
                rate(demand.operations_per_second),
                cores(demand.cores_busy),
                rate(demand.operations_per_core_second)
            ),
        ),
        (
            "network",
            format!(
                "{} in, {} out, of it {} to replicas",
                bytes(demand.network_in_bytes_per_second),
                bytes(demand.network_out_bytes_per_second),
                bytes(demand.replication_bytes_per_second)
            ),
        ),
        (
            "connections",
            match demand.connections_per_node {
                Some(clients) => format!("{} on the node that has most", human::count(clients)),
                None => "?".to_owned(),
            },
        ),
    ]
}
