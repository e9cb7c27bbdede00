//! Elections need room between them, or the servers' own rules spoil the next one.
//!
//! Redis (7.0 and 8.0 were measured) and Valkey up to 8.0 refuse a second vote for the place of the
//! same master within twice the node timeout, and do not reset the timer and the votes of a node's
//! own election within four times: a second failover to it then only seems to succeed. Valkey 8.1
//! dropped both rules.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::{Conditions, NodeId};

/// What was elected and replaced, and when.
pub(super) struct Spacing {
    after_election: Duration,
    after_replacement: Duration,
    elected: BTreeMap<NodeId, Instant>,
    replaced: BTreeMap<NodeId, Instant>,
}

impl Spacing {
    pub(super) fn of(conditions: &Conditions) -> Spacing {
        let version: Vec<u32> = conditions
            .version
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect();
        // Sentinels forget of a failover all that would hold up the next one (sentinelResetMaster).
        let is_free = conditions.watched.is_some()
            || (conditions.vendor == "valkey" && version >= vec![8, 1]);
        let timeout = Duration::from_millis(conditions.node_timeout_ms);
        let margin = Duration::from_millis(500);
        let spaced = |wait: Duration| {
            if is_free {
                Duration::ZERO
            } else {
                wait + margin
            }
        };
        Spacing {
            after_election: spaced((timeout * 4).max(Duration::from_secs(4))),
            after_replacement: spaced(timeout * 2),
            elected: BTreeMap::new(),
            replaced: BTreeMap::new(),
        }
    }

    /// How long from now until one of the candidates may take the place of that master.
    pub(super) fn left(&self, master: &NodeId, candidates: &[NodeId], now: Instant) -> Duration {
        let left = |since: Option<&Instant>, wait: Duration| {
            since.map_or(Duration::ZERO, |since| {
                wait.saturating_sub(now.saturating_duration_since(*since))
            })
        };
        let candidates = candidates.iter().filter(|id| *id != master);
        candidates
            .map(|id| left(self.elected.get(id), self.after_election))
            .chain([left(self.replaced.get(master), self.after_replacement)])
            .max()
            .unwrap_or_default()
    }

    /// A node was elected in the place of another.
    pub(super) fn note(&mut self, elected: &NodeId, replaced: &NodeId, now: Instant) {
        self.elected.insert(elected.clone(), now);
        self.replaced.insert(replaced.clone(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> NodeId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn spacing(vendor: &str, version: &str) -> Spacing {
        Spacing::of(&Conditions {
            vendor: vendor.into(),
            version: version.into(),
            node_timeout_ms: 1000,
            ..Conditions::default()
        })
    }

    #[test]
    fn elections_of_one_node_and_replacements_of_one_master_are_held_apart() {
        let (a, b) = (id('a'), id('b'));
        let mut spacing = spacing("redis", "7.0.15");
        let now = Instant::now();
        spacing.note(&b, &a, now);
        let nodes = [a.clone(), b.clone()];
        let millis = |left: Duration| left.as_millis();
        // a leads again at once, for it was neither elected nor is b the one that was replaced.
        assert_eq!(millis(spacing.left(&b, &nodes, now)), 0);
        spacing.note(&a, &b, now);
        // b once more: its own election must be four timeouts old.
        assert_eq!(millis(spacing.left(&a, &nodes, now)), 4500);
        let later = now + Duration::from_secs(3);
        assert_eq!(millis(spacing.left(&a, &nodes, later)), 1500);
    }

    #[test]
    fn newer_valkeys_need_no_room() {
        let mut spacing = spacing("valkey", "8.1.1");
        let now = Instant::now();
        spacing.note(&id('b'), &id('a'), now);
        assert_eq!(spacing.left(&id('a'), &[id('b')], now), Duration::ZERO);
        assert!(spacing.after_election.is_zero());
        let old = Spacing::of(&Conditions {
            vendor: "valkey".into(),
            version: "8.0.1".into(),
            node_timeout_ms: 15_000,
            ..Conditions::default()
        });
        assert_eq!(old.after_election, Duration::from_millis(60_500));
    }
}
