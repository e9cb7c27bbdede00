//! Node sizes that can be had, from the dated data file beside this one: what memory, cores,
//! network and connections each has, and how many of them a cluster may have.

use serde::{Deserialize, Serialize};

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
/// A cluster's gossip carries no more nodes than that (the cluster specification).
const MOST_NODES: usize = 1000;

/// The data file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// When it was put together, `YYYY-MM-DD`.
    pub date: String,
    /// The services.
    pub lists: Vec<List>,
}

/// A service, or machines to run servers on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// Its name.
    pub name: String,
    /// Who runs the servers.
    pub kind: Kind,
    /// As of when, `YYYY-MM-DD`.
    pub date: String,
    /// Where its figures are from.
    pub sources: Vec<String>,
    /// What is held back of a node's memory.
    reserved_percent: f64,
    max_nodes: Option<usize>,
    max_shards: Option<usize>,
    connections: Option<u64>,
    sizes: Vec<Row>,
}

/// Who runs the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The cloud.
    Managed,
    /// You.
    Machine,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    family: String,
    memory_gib: f64,
    vcpu: Option<f64>,
    engine_cores: Option<f64>,
    network_gbit: Option<f64>,
    connections: Option<u64>,
    shards: Option<usize>,
}

/// One node size, as the arithmetic wants it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeSize {
    /// Its name, as the cloud and the price file write it.
    pub name: String,
    /// Sizes of one family differ in size alone.
    pub family: String,
    /// Whose it is.
    pub service: String,
    /// Who runs the servers.
    pub kind: Kind,
    /// Memory of one node, before anything is held back.
    pub memory_bytes: f64,
    /// What `maxmemory` may be at most: the memory less what the service holds back.
    pub maxmemory_bytes: f64,
    /// Cores; `None` where they are not published.
    pub vcpu: Option<f64>,
    /// How much of a core the thread that runs commands has.
    pub engine_cores: f64,
    /// Bytes a second, in and out together; `None` where no baseline is published.
    pub network_bytes_per_second: Option<f64>,
    /// The most clients of a node.
    pub connections: Option<u64>,
    /// The most nodes that a cluster may have.
    pub max_nodes: usize,
    /// The most shards that a cluster may have.
    pub max_shards: usize,
    /// Of an instance that comes with so many shards inside.
    pub fixed_shards: Option<usize>,
}

impl Catalogue {
    /// The file that goodcache is built with.
    pub fn shipped() -> Catalogue {
        // A test reads the file, so an empty answer never ships.
        serde_yaml::from_str(include_str!("catalogue.yaml")).unwrap_or_default()
    }

    /// All sizes, in the order of the file.
    pub fn sizes(&self) -> Vec<NodeSize> {
        let of = |list: &List| -> Vec<NodeSize> {
            list.sizes.iter().map(|row| node_size(list, row)).collect()
        };
        self.lists.iter().flat_map(of).collect()
    }
}

impl NodeSize {
    /// Whether the name of its service, its family or its own has that in it, in any case.
    pub fn is_called(&self, word: &str) -> bool {
        let word = word.to_ascii_lowercase();
        let names = [&self.service, &self.family, &self.name];
        names
            .iter()
            .any(|name| name.to_ascii_lowercase().contains(&word))
    }
}

fn node_size(list: &List, row: &Row) -> NodeSize {
    // Of an instance, one shard's part.
    let parts = row.shards.unwrap_or(1).max(1) as f64;
    let memory = row.memory_gib * GIB / parts;
    NodeSize {
        name: row.name.clone(),
        family: row.family.clone(),
        service: list.name.clone(),
        kind: list.kind,
        memory_bytes: memory,
        maxmemory_bytes: memory * (1.0 - list.reserved_percent / 100.0),
        vcpu: row.vcpu,
        engine_cores: row.engine_cores.unwrap_or(1.0),
        network_bytes_per_second: row.network_gbit.map(|gbit| gbit * 1e9 / 8.0),
        connections: row.connections.or(list.connections),
        max_nodes: list.max_nodes.unwrap_or(MOST_NODES).min(MOST_NODES),
        max_shards: list.max_shards.unwrap_or(MOST_NODES),
        fixed_shards: row.shards,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_shipped_file_is_whole() {
        let file: Catalogue = serde_yaml::from_str(include_str!("catalogue.yaml")).unwrap();
        let is_date = |date: &str| date.len() == 10 && date.starts_with("20");
        assert!(is_date(&file.date));
        for list in &file.lists {
            assert!(
                is_date(&list.date) && list.date <= file.date,
                "{}",
                list.name
            );
            let has_source = list
                .sources
                .iter()
                .any(|source| source.contains("https://"));
            assert!(has_source, "{}", list.name);
        }
        let mut names = BTreeSet::new();
        for size in file.sizes() {
            assert!(
                names.insert(size.name.clone()),
                "{} stands twice",
                size.name
            );
            assert!(size.maxmemory_bytes > 0.0 && size.maxmemory_bytes <= size.memory_bytes);
            assert!(size.engine_cores > 0.0 && size.engine_cores <= 1.0);
            assert!(size.vcpu.is_none_or(|vcpu| vcpu >= size.engine_cores));
        }
        for cloud in ["AWS", "GCP", "Azure"] {
            for kind in [Kind::Managed, Kind::Machine] {
                let mut lists = file.lists.iter();
                assert!(
                    lists.any(|l| l.name.starts_with(cloud) && l.kind == kind),
                    "{cloud}"
                );
            }
        }
    }

    #[test]
    fn within_a_family_sizes_grow() {
        let sizes = Catalogue::shipped().sizes();
        for pair in sizes.windows(2) {
            let [small, large] = pair else { continue };
            if (&small.family, &small.service) != (&large.family, &large.service) {
                continue;
            }
            let whole = |size: &NodeSize| size.memory_bytes * size.fixed_shards.unwrap_or(1) as f64;
            assert!(whole(small) < whole(large), "{} {}", small.name, large.name);
        }
    }

    #[test]
    fn what_is_held_back_is_as_the_clouds_say() {
        let sizes = Catalogue::shipped().sizes();
        let gib = |name: &str| {
            let size = sizes.iter().find(|size| size.name == name).unwrap();
            size.maxmemory_bytes / GIB
        };
        // 10.4 GB are writable of 13; a quarter of r7g.large is reserved.
        assert!((gib("redis-highmem-medium") * GIB / 1e9 - 10.4).abs() < 0.05);
        assert!((gib("cache.r7g.large") - 9.8).abs() < 0.01);
        assert!(
            (gib("M10") - 4.8).abs() < 0.01,
            "half of the instance, as it has two shards"
        );
    }
}
