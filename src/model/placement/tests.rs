//! Placements of every shape against what brute force finds, and by name where people expect it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::cost::{Cost, Ground, Group};
use super::*;

/// `a@x`: host a in zone x.
fn sites(text: &str) -> Vec<Site> {
    text.split_whitespace()
        .map(|word| {
            let (host, zone) = word.split_once('@').unwrap_or((word, ""));
            Site {
                host: host.into(),
                zone: (!zone.is_empty()).then(|| zone.into()),
            }
        })
        .collect()
}

fn groups(layout: &Layout) -> Vec<Group> {
    let group = |(master, replicas): &(usize, Vec<usize>)| {
        std::iter::once(*master)
            .chain(replicas.iter().copied())
            .collect()
    };
    layout.shards.iter().map(group).collect()
}

fn cost(sites: &[Site], placement: &Placement) -> Cost {
    let groups = groups(&placement.layout);
    Cost::of(&Ground::of(sites), &groups, groups.len())
}

#[test]
fn what_people_expect() {
    for (nodes, masters, shards) in [
        // Nothing to choose by: the order given decides.
        ("a a a a a a", 3, "0-3 1-4 2-5"),
        ("a b c d e f", 3, "0-3 1-4 2-5"),
        // Three machines, two nodes each, given machine by machine or in turn.
        ("a a b b c c", 3, "0-3 2-5 4-1"),
        ("a b c a b c", 3, "0-4 1-5 2-3"),
        // Two machines: two of three masters on one cannot be helped; every shard is on both.
        ("a a a b b b", 3, "0-4 1-5 3-2"),
        // Spare nodes go to the first shards, which come first.
        ("a b c d e f g", 3, "0-3-6 1-4 2-5"),
        ("a", 1, "0"),
        ("a b", 1, "0-1"),
    ] {
        let sites = sites(nodes);
        let placement = place(&sites, masters, 0).unwrap();
        let text: Vec<String> = groups(&placement.layout)
            .iter()
            .map(|group| {
                group
                    .iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join("-")
            })
            .collect();
        assert_eq!(text.join(" "), shards, "{nodes}");
        assert_eq!(
            cost(&sites, &placement).shards_on_one_host == 0,
            nodes.contains('b'),
            "{nodes}"
        );
    }
}

#[test]
fn zones_and_majorities_are_minded() {
    // Two zones, two machines in each: every shard in both zones.
    let sites_ = sites("a@x a@x b@x c@y c@y d@y");
    let placement = place(&sites_, 3, 1).unwrap();
    assert_eq!(cost(&sites_, &placement).shards_in_one_zone, 0);
    // Three zones: any one may be lost.
    let placement = place(&sites("a@x b@x c@y d@y e@z f@z"), 3, 1).unwrap();
    assert!(placement.losses.all_zones() && placement.losses.all_hosts());
    // Five masters on three machines: 2, 2 and 1, so that no machine takes a majority along.
    let placement = place(&sites("a a a a b b b c c c"), 5, 1).unwrap();
    assert!(placement.losses.all_hosts());
    // Two machines: only one of them may be lost, whatever one does.
    let placement = place(&sites("a a a b b b"), 3, 1).unwrap();
    assert_eq!(
        placement.losses.hosts.values().filter(|&&yes| yes).count(),
        1
    );
}

#[test]
fn every_node_has_one_place_and_slots_are_full() {
    for (nodes, masters) in [(1, 1), (6, 3), (7, 3), (11, 4), (13, 5), (48, 16)] {
        let sites: Vec<Site> = generated(nodes, nodes, 5, 2);
        let placement = place(&sites, masters, 0).unwrap();
        let seen: BTreeSet<usize> = groups(&placement.layout).concat().into_iter().collect();
        assert_eq!(seen.len(), nodes);
        assert_eq!(placement.layout.shards.len(), masters);
        assert_eq!(placement.slots.len(), masters);
        assert_eq!(placement, place(&sites, masters, 0).unwrap());
    }
}

#[test]
fn what_cannot_be_placed_says_why() {
    assert_eq!(place(&sites("a"), 0, 0), Err(PlacementError::NoMaster));
    let error = place(&sites("a b c d e"), 3, 1).unwrap_err().to_string();
    assert_eq!(
        error,
        "5 nodes are too few for 3 masters with 1 replica each: 6 are needed"
    );
    let many = vec![Site::default(); 16_385];
    assert_eq!(
        place(&many, 16_385, 0),
        Err(PlacementError::TooManyMasters(16_385))
    );
    assert!(place(&sites("a"), usize::MAX - 1, usize::MAX).is_err());
}

/// Sites drawn by a small generator of our own, so that a failure can be had again.
fn generated(seed: usize, nodes: usize, hosts: usize, zones: usize) -> Vec<Site> {
    let mut state = seed as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut draw = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    (0..nodes)
        .map(|_| {
            let host = draw(hosts);
            // Every fourth case has hosts that span zones, as wrong labels do.
            let zone = if seed % 4 == 3 {
                draw(zones)
            } else {
                host % zones
            };
            Site {
                host: if host == 5 {
                    String::new()
                } else {
                    format!("h{host}")
                },
                zone: (zones > 1 && zone != 2).then(|| format!("z{zone}")),
            }
        })
        .collect()
}

#[test]
fn never_worse_than_every_permutation_of_few_nodes() {
    for seed in 0..120 {
        let (nodes, hosts, zones) = (1 + seed % 7, 1 + seed / 7 % 6, 1 + seed % 3);
        let sites = generated(seed, nodes, hosts, zones);
        for masters in 1..=nodes.min(4) {
            let got = cost(&sites, &place(&sites, masters, 0).unwrap());
            let best = best_permutation(&Ground::of(&sites), masters);
            assert_eq!(got, best, "{masters} masters on {sites:?}");
        }
    }
}

fn best_permutation(ground: &Ground, masters: usize) -> Cost {
    let mut order: Vec<usize> = (0..ground.len()).collect();
    let mut best: Option<Cost> = None;
    permute(&mut order, 0, &mut |order| {
        let mut rest = order;
        let groups: Vec<Group> = search::sizes(order.len(), masters)
            .into_iter()
            .map(|size| {
                let (group, more) = rest.split_at(size);
                rest = more;
                group.to_vec()
            })
            .collect();
        // The order of replicas changes nothing, so one of each family is enough.
        if groups.iter().all(|group| group[1..].is_sorted()) {
            let cost = Cost::of(ground, &groups, masters);
            best = Some(best.map_or(cost, |best| best.min(cost)));
        }
    });
    best.unwrap()
}

fn permute(order: &mut Vec<usize>, from: usize, see: &mut dyn FnMut(&[usize])) {
    if from == order.len() {
        return see(order);
    }
    for at in from..order.len() {
        order.swap(from, at);
        permute(order, from + 1, see);
        order.swap(from, at);
    }
}

#[test]
fn never_worse_than_brute_force_on_up_to_twelve_nodes() {
    let mut most = 0;
    for seed in 0..150 {
        let (nodes, hosts, zones) = (8 + seed % 5, 1 + seed / 5 % 6, 1 + seed % 3);
        let masters = 1 + seed / 3 % 4;
        let sites = generated(seed, nodes, hosts, zones);
        let ground = Ground::of(&sites);
        let got = cost(&sites, &place(&sites, masters, 0).unwrap());
        let mut brute = Brute {
            ground: &ground,
            masters,
            best: None,
            seen: 0,
            limit: 15_000,
        };
        brute.go(&mut vec![Vec::new()], &mut (0..nodes).collect());
        // Beyond the limit the sample is partial, but still nothing in it may be better.
        assert!(got <= brute.best.unwrap(), "{masters} masters on {sites:?}");
        most = most.max(brute.seen);
    }
    assert!(most > 10_000, "the comparison became too easy: {most}");
}

/// All placements, without any cleverness but that nodes of one place are not told apart.
struct Brute<'a> {
    ground: &'a Ground,
    masters: usize,
    best: Option<Cost>,
    seen: usize,
    limit: usize,
}

impl Brute<'_> {
    fn go(&mut self, groups: &mut Vec<Group>, left: &mut Vec<usize>) {
        let sizes = search::sizes(self.ground.len(), self.masters);
        let shard = groups.len() - 1;
        if self.seen >= self.limit {
            return;
        }
        if groups[shard].len() == sizes[shard] {
            if shard > 0
                && sizes[shard] == sizes[shard - 1]
                && self.name(&groups[shard]) < self.name(&groups[shard - 1])
            {
                return;
            }
            if left.is_empty() {
                let cost = Cost::of(self.ground, groups, self.masters);
                self.best = Some(self.best.map_or(cost, |best| best.min(cost)));
                self.seen += 1;
                return;
            }
            groups.push(Group::new());
            self.go(groups, left);
            groups.pop();
            return;
        }
        let mut tried = BTreeSet::new();
        for at in 0..left.len() {
            let node = left[at];
            let place = self.place(node);
            let is_in_order = groups[shard].len() < 2
                || groups[shard]
                    .last()
                    .is_none_or(|&last| self.place(last) <= place);
            if is_in_order && tried.insert(place) {
                left.remove(at);
                groups[shard].push(node);
                self.go(groups, left);
                groups[shard].pop();
                left.insert(at, node);
            }
        }
    }

    fn place(&self, node: usize) -> (usize, usize) {
        (self.ground.host[node], self.ground.zone[node])
    }

    fn name(&self, group: &[usize]) -> Vec<(usize, usize)> {
        group.iter().map(|&node| self.place(node)).collect()
    }
}

#[test]
fn large_clusters_are_placed_well_and_soon() {
    for (nodes, hosts, zones, replicas) in [
        (48, 6, 3, 1),
        (48, 8, 1, 2),
        (100, 7, 1, 1),
        (1000, 40, 4, 1),
        (1000, 1000, 1, 4),
        (999, 3, 3, 2),
    ] {
        let sites: Vec<Site> = (0..nodes)
            .map(|n| Site {
                host: format!("h{}", n % hosts),
                zone: (zones > 1).then(|| format!("z{}", n % hosts % zones)),
            })
            .collect();
        let masters = nodes / (replicas + 1);
        let began = Instant::now();
        let placement = place(&sites, masters, replicas).unwrap();
        let took = began.elapsed();
        let cost = cost(&sites, &placement);
        let case = format!("{nodes} nodes on {hosts} hosts: {cost:?}");
        assert_eq!(cost.replicas_on_masters_host, 0, "{case}");
        assert_eq!(
            cost.shards_in_one_zone,
            if zones > 1 {
                0
            } else {
                cost.shards_in_one_zone
            },
            "{case}"
        );
        assert!(
            cost.most_masters_on_a_host <= masters.div_ceil(hosts) + 1,
            "{case}"
        );
        assert!(placement.losses.all_hosts(), "{case}");
        assert!(took < Duration::from_secs(5), "{case}: {took:?}");
    }
}

#[test]
fn the_last_word_on_twelve_awkward_nodes_comes_soon() {
    let narrow = "a@x b@x c@x d@x e@x f@x g@x h@x i@x j@x k@y l@z";
    let crowded = "a@x a@x a@x a@x b@x b@x c@y c@y d@y e@z f@z f@z";
    let crossed = "a@x a@y a@z b@x b@y b@z c@x c@x c@x d@y d@y e@z";
    let pairs = "a@x a@x b@x b@x c@x c@x d@x d@x e@y e@y f@z f@z";
    for nodes in [narrow, crowded, crossed, pairs] {
        for masters in 1..=12 {
            let began = Instant::now();
            place(&sites(nodes), masters, 0).unwrap();
            let took = began.elapsed();
            assert!(
                took < Duration::from_secs(5),
                "{masters} of {nodes}: {took:?}"
            );
        }
    }
}
