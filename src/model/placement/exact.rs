//! The last word on small clusters: every placement that differs, less those that cannot be better.
//!
//! Nodes on one host and zone are alike, so kinds are placed rather than nodes. Shards of one size
//! are alike, so they come in rising order. Kinds with the same number of nodes and the same
//! surroundings are alike, so the second is not begun before the first. And a part that already
//! costs as much as the best known whole is not gone into. All of these order the same sequence,
//! kind by kind, so the first of each family of equals always remains.

use super::cost::{Cost, Ground, Group};
use super::search::sizes;

/// A placement that costs less than `known`, the best there is; `None` when there is none.
pub(super) fn better_than(ground: &Ground, masters: usize, known: Cost) -> Option<Vec<Group>> {
    let kinds = Kinds::of(ground);
    // The smallest shards come first: what they cost is seldom avoidable, so it is known early and
    // rules out more.
    let mut sizes = sizes(ground.len(), masters);
    sizes.reverse();
    let mut search = Search {
        ground,
        masters,
        sizes,
        left: kinds.nodes.iter().map(Vec::len).collect(),
        kinds,
        groups: Vec::new(),
        chosen: Vec::new(),
        best: known,
        found: None,
    };
    search.next_shard();
    let found = search.found.take()?;
    Some(search.kinds.name_nodes(&found))
}

/// Nodes that nothing tells apart but their names.
struct Kinds {
    /// The nodes of each kind, in the order given.
    nodes: Vec<Vec<usize>>,
    /// The kind before this one that could stand in its place.
    twin: Vec<Option<usize>>,
}

impl Kinds {
    fn of(ground: &Ground) -> Kinds {
        let mut nodes: Vec<Vec<usize>> = Vec::new();
        let place = |n: usize| (ground.host[n], ground.zone[n]);
        for n in 0..ground.len() {
            match nodes.iter_mut().find(|kind| place(kind[0]) == place(n)) {
                Some(kind) => kind.push(n),
                None => nodes.push(vec![n]),
            }
        }
        let has_own_host = |kind: &[usize]| is_alone(&ground.host, kind);
        let has_own_zone = |kind: &[usize]| is_alone(&ground.zone, kind);
        let are_alike = |a: &[usize], b: &[usize]| {
            let same_zone = ground.zone[a[0]] == ground.zone[b[0]];
            a.len() == b.len()
                && has_own_host(a)
                && has_own_host(b)
                && (same_zone || has_own_zone(a) && has_own_zone(b))
        };
        let twin = (0..nodes.len())
            .map(|k| (0..k).rev().find(|&j| are_alike(&nodes[j], &nodes[k])))
            .collect();
        Kinds { nodes, twin }
    }

    /// Kinds become nodes: the first nodes of a kind become its masters.
    fn name_nodes(&self, shards: &[Vec<usize>]) -> Vec<Group> {
        let mut unnamed = self
            .nodes
            .iter()
            .map(|kind| kind.iter())
            .collect::<Vec<_>>();
        let mut name = |kind: &usize| unnamed[*kind].next().copied();
        let masters: Vec<Option<usize>> = shards.iter().map(|kinds| name(&kinds[0])).collect();
        let replicas: Vec<Group> = shards
            .iter()
            .map(|kinds| kinds[1..].iter().filter_map(&mut name).collect())
            .collect();
        masters
            .into_iter()
            .zip(replicas)
            .map(|(master, replicas)| master.into_iter().chain(replicas).collect())
            .collect()
    }
}

/// Whether nobody else stands where these stand.
fn is_alone(place: &[usize], kind: &[usize]) -> bool {
    let here = place.iter().filter(|&&at| at == place[kind[0]]).count();
    here == kind.len()
}

struct Search<'a> {
    ground: &'a Ground,
    masters: usize,
    sizes: Vec<usize>,
    kinds: Kinds,
    /// Nodes of each kind not placed yet.
    left: Vec<usize>,
    /// The shards so far, each node named by the first of its kind.
    groups: Vec<Group>,
    /// The same as kinds.
    chosen: Vec<Vec<usize>>,
    best: Cost,
    found: Option<Vec<Vec<usize>>>,
}

impl Search<'_> {
    fn next_shard(&mut self) {
        let cost = Cost::of(self.ground, &self.groups, self.masters);
        if cost >= self.best {
            return;
        }
        if self.groups.len() == self.masters {
            self.best = cost;
            self.found = Some(self.chosen.clone());
            return;
        }
        self.chosen.push(Vec::new());
        self.groups.push(Group::new());
        self.next_node();
        self.groups.pop();
        self.chosen.pop();
    }

    fn next_node(&mut self) {
        let shard = self.chosen.len() - 1;
        let at = self.chosen[shard].len();
        if at == self.sizes[shard] {
            if self.keeps_order(shard) {
                self.next_shard();
            }
            return;
        }
        // The master may be of any kind; replicas come in rising order.
        let least = if at < 2 {
            0
        } else {
            self.chosen[shard][at - 1]
        };
        for kind in least..self.left.len() {
            if self.left[kind] == 0 || self.is_ahead_of_twin(kind) {
                continue;
            }
            self.left[kind] -= 1;
            self.chosen[shard].push(kind);
            self.groups[shard].push(self.kinds.nodes[kind][0]);
            self.next_node();
            self.groups[shard].pop();
            self.chosen[shard].pop();
            self.left[kind] += 1;
        }
    }

    fn keeps_order(&self, shard: usize) -> bool {
        shard == 0
            || self.sizes[shard] != self.sizes[shard - 1]
            || self.chosen[shard] >= self.chosen[shard - 1]
    }

    fn is_ahead_of_twin(&self, kind: usize) -> bool {
        self.kinds.twin[kind].is_some_and(|twin| self.left[twin] == self.kinds.nodes[twin].len())
    }
}
