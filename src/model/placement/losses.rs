//! What the loss of each single host or zone would mean for a layout.

use std::collections::BTreeMap;

use super::{Layout, Losses, Site};

/// What each single loss of a host or zone would mean. Every shard of the layout counts as one
/// with slots; leave out those that have none. A node whose host is not known stands alone, under
/// the name `node N (host unknown)`, N being its place in `sites`, from 1.
pub fn losses(sites: &[Site], layout: &Layout) -> Losses {
    let hosts: Vec<Option<String>> = sites
        .iter()
        .enumerate()
        .map(|(n, site)| Some(host_name(n, site)))
        .collect();
    let zones: Vec<Option<String>> = sites.iter().map(|site| site.zone.clone()).collect();
    Losses {
        hosts: each_loss(&hosts, layout),
        zones: each_loss(&zones, layout),
    }
}

impl Losses {
    /// Whether any single host may be lost.
    pub fn all_hosts(&self) -> bool {
        !self.hosts.is_empty() && self.hosts.values().all(|&is_survived| is_survived)
    }

    /// Whether zones are known and any single one may be lost.
    pub fn all_zones(&self) -> bool {
        !self.zones.is_empty() && self.zones.values().all(|&is_survived| is_survived)
    }
}

/// Whether an election can be won after so many of the masters died at once: more than half of
/// *all* masters with slots must vote, the dead ones included in the count.
pub(super) fn is_quorate(masters: usize, lost: usize) -> bool {
    lost == 0 || 2 * (masters - lost) > masters
}

fn host_name(n: usize, site: &Site) -> String {
    if site.host.is_empty() {
        format!("node {} (host unknown)", n + 1)
    } else {
        site.host.clone()
    }
}

fn each_loss(places: &[Option<String>], layout: &Layout) -> BTreeMap<String, bool> {
    let mut losses: BTreeMap<String, bool> = BTreeMap::new();
    for place in places.iter().flatten() {
        if !losses.contains_key(place) {
            losses.insert(place.clone(), is_survived(places, place, layout));
        }
    }
    losses
}

fn is_survived(places: &[Option<String>], lost: &str, layout: &Layout) -> bool {
    let is_lost = |node: &usize| {
        places
            .get(*node)
            .is_some_and(|at| at.as_deref() == Some(lost))
    };
    let masters_lost = layout
        .shards
        .iter()
        .filter(|(master, _)| is_lost(master))
        .count();
    is_quorate(layout.shards.len(), masters_lost)
        && layout
            .shards
            .iter()
            .all(|(master, replicas)| !is_lost(master) || replicas.iter().any(|r| !is_lost(r)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sites(text: &str) -> Vec<Site> {
        text.split_whitespace()
            .map(|word| {
                let (host, zone) = word.split_once('@').unwrap_or((word, ""));
                Site {
                    host: host.trim_start_matches('?').into(),
                    zone: (!zone.is_empty()).then(|| zone.into()),
                }
            })
            .collect()
    }

    fn layout(shards: &[(usize, &[usize])]) -> Layout {
        Layout {
            shards: shards.iter().map(|(m, r)| (*m, r.to_vec())).collect(),
        }
    }

    #[test]
    fn what_may_be_lost() {
        let three: &[(usize, &[usize])] = &[(0, &[3]), (1, &[4]), (2, &[5])];
        for (nodes, shards, survived) in [
            // One master a host, each replica on the next host.
            ("a b c b c a", three, "a:yes b:yes c:yes"),
            // Two hosts: the one with two of three masters takes the majority with it.
            ("a b a b a b", three, "a:no b:yes"),
            // All on one host.
            ("a a a a a a", three, "a:no"),
            // A shard whose two nodes share a host.
            ("a b c a a b", three, "a:no b:yes c:yes"),
            // One master: nobody is left to elect, though the replica has the data.
            ("a b", &[(0, &[1])], "a:no b:yes"),
            // Two masters: one of two is no majority.
            ("a b c d", &[(0, &[2]), (1, &[3])], "a:no b:no c:yes d:yes"),
            // Without replicas every loss of a master loses slots.
            ("a b c", &[(0, &[]), (1, &[]), (2, &[])], "a:no b:no c:no"),
        ] {
            let losses = losses(&sites(nodes), &layout(shards));
            let text: Vec<String> = losses
                .hosts
                .iter()
                .map(|(host, yes)| format!("{host}:{}", if *yes { "yes" } else { "no" }))
                .collect();
            assert_eq!(text.join(" "), survived, "{nodes}");
            assert!(losses.zones.is_empty(), "{nodes}");
            assert_eq!(losses.all_hosts(), !survived.contains("no"), "{nodes}");
            assert!(!losses.all_zones(), "no zones are known");
        }
    }

    #[test]
    fn zones_are_judged_as_hosts_are() {
        let shards = layout(&[(0, &[3]), (1, &[4]), (2, &[5])]);
        let spread = losses(&sites("a@x b@y c@z d@y e@z f@x"), &shards);
        assert!(spread.all_zones() && spread.all_hosts());
        let narrow = losses(&sites("a@x b@x c@z d@z e@z f@x"), &shards);
        assert!(!narrow.zones["x"] && narrow.zones["z"]);
    }

    #[test]
    fn nodes_of_unknown_hosts_do_not_die_together() {
        let shards = layout(&[(0, &[3]), (1, &[4]), (2, &[5])]);
        let losses = losses(&sites("? ? ? ? ? ?"), &shards);
        assert_eq!(losses.hosts.len(), 6);
        assert!(losses.all_hosts());
        assert!(losses.hosts.contains_key("node 1 (host unknown)"));
    }
}
