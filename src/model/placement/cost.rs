//! What makes one placement better than another, in one ordered value.
//!
//! The order is that of regret. First what a single dead host would take away: whole shards (data
//! and slots), then the majority that elects (all writes, until somebody comes). Then the same for
//! zones, which die more seldom. Only then tidiness: copies apart from their master, masters
//! evenly spread, copies apart from each other.

use std::collections::BTreeMap;

use super::Site;
use super::losses::is_quorate;

/// The nodes' hosts and zones as small numbers, in the order of first mention.
pub(super) struct Ground {
    /// Of each node: its host.
    pub host: Vec<usize>,
    /// Of each node: its zone; a node without one stands in a zone of its host's own.
    pub zone: Vec<usize>,
    /// How many hosts.
    pub hosts: usize,
    /// How many zones.
    pub zones: usize,
}

/// A shard while it is being searched for: its nodes, the master first.
pub(super) type Group = Vec<usize>;

/// Smaller is better; the fields count in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    /// Shards that die with one host.
    pub shards_on_one_host: usize,
    /// Hosts whose loss is not survived, be it for a shard or for the majority. Where a majority
    /// cannot be kept whichever host dies, this gathers the masters so that fewer hosts matter.
    pub hosts_not_survived: usize,
    /// Shards that die with one zone.
    pub shards_in_one_zone: usize,
    /// Zones whose loss is not survived.
    pub zones_not_survived: usize,
    /// Replicas that share a host with their master.
    pub replicas_on_masters_host: usize,
    /// Replicas that share a zone with their master.
    pub replicas_in_masters_zone: usize,
    /// The largest number of masters on one host.
    pub most_masters_on_a_host: usize,
    /// The largest number of masters in one zone.
    pub most_masters_in_a_zone: usize,
    /// Pairs of nodes of one shard on one host.
    pub pairs_on_one_host: usize,
    /// Pairs of nodes of one shard in one zone.
    pub pairs_in_one_zone: usize,
}

impl Ground {
    /// Numbers the hosts and zones.
    pub fn of(sites: &[Site]) -> Ground {
        let mut hosts = Numbers::default();
        let mut zones = Numbers::default();
        let host: Vec<usize> = sites
            .iter()
            .enumerate()
            .map(|(n, site)| match site.host.as_str() {
                "" => hosts.number((n + 1, "")),
                name => hosts.number((0, name)),
            })
            .collect();
        let zone: Vec<usize> = sites
            .iter()
            .zip(&host)
            .map(|(site, &host)| match &site.zone {
                Some(name) => zones.number((0, name)),
                None => zones.number((host + 1, "")),
            })
            .collect();
        Ground {
            host,
            zone,
            hosts: hosts.0.len(),
            zones: zones.0.len(),
        }
    }

    /// How many nodes.
    pub fn len(&self) -> usize {
        self.host.len()
    }
}

#[derive(Default)]
struct Numbers<'a>(BTreeMap<(usize, &'a str), usize>);

impl<'a> Numbers<'a> {
    fn number(&mut self, name: (usize, &'a str)) -> usize {
        let next = self.0.len();
        *self.0.entry(name).or_insert(next)
    }
}

impl Cost {
    /// The cost of these shards, which may be the first few of `masters`: no field falls when one
    /// more is added, so the cost of a part bounds that of the whole.
    pub fn of(ground: &Ground, groups: &[Group], masters: usize) -> Cost {
        let hosts = Tally::of(&ground.host, ground.hosts, groups, masters);
        let zones = Tally::of(&ground.zone, ground.zones, groups, masters);
        Cost {
            shards_on_one_host: hosts.whole_shards,
            hosts_not_survived: hosts.not_survived,
            shards_in_one_zone: zones.whole_shards,
            zones_not_survived: zones.not_survived,
            replicas_on_masters_host: hosts.with_master,
            replicas_in_masters_zone: zones.with_master,
            most_masters_on_a_host: hosts.most_masters,
            most_masters_in_a_zone: zones.most_masters,
            pairs_on_one_host: hosts.pairs,
            pairs_in_one_zone: zones.pairs,
        }
    }
}

/// The counts for one kind of place.
#[derive(Default)]
struct Tally {
    whole_shards: usize,
    not_survived: usize,
    with_master: usize,
    most_masters: usize,
    pairs: usize,
}

impl Tally {
    fn of(place: &[usize], places: usize, groups: &[Group], masters: usize) -> Tally {
        let mut tally = Tally::default();
        let mut masters_at = vec![0; places];
        let mut is_fatal = vec![false; places];
        let mut here = vec![0; places];
        for group in groups {
            for &node in group {
                tally.pairs += here[place[node]];
                here[place[node]] += 1;
            }
            if let Some(&master) = group.first() {
                let at = place[master];
                masters_at[at] += 1;
                tally.with_master += here[at] - 1;
                if here[at] == group.len() {
                    tally.whole_shards += 1;
                    is_fatal[at] = true;
                }
            }
            for &node in group {
                here[place[node]] = 0;
            }
        }
        tally.not_survived = (0..places)
            .filter(|&at| is_fatal[at] || !is_quorate(masters, masters_at[at]))
            .count();
        tally.most_masters = masters_at.into_iter().max().unwrap_or(0);
        tally
    }
}
