//! How long each part of an outage takes by the servers' own rules, in figures.
//!
//! With T the node timeout, M masters with slots and q = M/2 + 1 of them a majority, a node is
//! suspected T after its last answer, which is up to S old when it dies: S is half of T (or the ping
//! interval), and no more than a second for each peer, since one is pinged every second in any case.
//! The q-th of the other masters agrees after T + S q/M on average, and tells by gossip. Then a
//! replica of Redis, or of Valkey up to 8, waits 500 ms and up to 500 ms by chance; one of Valkey 9
//! stands at once (`clusterCron`, `clusterHandleReplicaFailover` in cluster.c, cluster_legacy.c).
//!
//! Sentinels ask every instance once a second, and each other once a second while they suspect one
//! (`SENTINEL_PING_PERIOD`, `SENTINEL_ASK_PERIOD`); an election among them takes a round trip, and the
//! leader goes one step of the failover with each turn of its timer (sentinel.c).
//!
//! The widths come from 530 faults done to Redis 7.0 and 8.0 and Valkey 8.0, 8.1 and 9.1.

use super::when::period_ms;
use crate::model::{Conditions, LoadShape, Version};

/// The servers' rules with the settings in force, in ms.
pub(super) struct Rules<'a> {
    pub(super) conditions: &'a Conditions,
    /// How many shards were struck at once.
    struck: usize,
    /// The node timeout.
    pub(super) t: f64,
    /// How old the last answer is at most.
    pub(super) s: f64,
    /// The part of the masters that must agree.
    pub(super) quorum: f64,
    /// Between two writes.
    pub(super) period: f64,
}

/// The least, what to expect, and the most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band(pub(super) f64, pub(super) f64, pub(super) f64);

/// The servers' event loop looks after the cluster so often.
pub(super) const CRON_MS: f64 = 100.0;
/// Sentinels ask instances, and each other, so often.
pub(super) const ASK_MS: f64 = 1000.0;
/// A starting master refuses work for so long (`CLUSTER_WRITABLE_DELAY`).
pub(super) const WRITABLE_DELAY_MS: f64 = 2000.0;
/// Votes: a round trip, and nodes.conf written to disk by each voter and the winner.
pub(super) const VOTE_MS: (f64, f64) = (20.0, 40.0);

/// Whether the servers are of that vendor and that version or a later one. A version that cannot be
/// read counts as old.
pub fn is_at_least(conditions: &Conditions, vendor: &str, major: u32, minor: u32) -> bool {
    let version: Option<Version> = conditions.version.parse().ok();
    conditions.vendor.eq_ignore_ascii_case(vendor)
        && version.is_some_and(|v| (v.0, v.1) >= (major, minor))
}

/// `cluster-ping-interval` where the server has it and it is set; 0 means half the node timeout.
pub fn ping_interval(conditions: &Conditions) -> Option<u64> {
    conditions.ping_interval_ms.filter(|&interval| interval > 0)
}

impl Rules<'_> {
    pub(super) fn of<'a>(conditions: &'a Conditions, load: &LoadShape, struck: usize) -> Rules<'a> {
        let t = conditions.node_timeout_ms as f64;
        let interval = ping_interval(conditions).map_or(t / 2.0, |interval| interval as f64);
        let peers = conditions.nodes.saturating_sub(1).max(1) as f64;
        let masters = conditions.masters.max(1);
        Rules {
            conditions,
            struck,
            t,
            s: interval.min(peers * 1000.0),
            quorum: (masters / 2 + 1) as f64 / masters as f64,
            period: period_ms(load),
        }
    }

    /// When the first node suspects it: the earliest of all that look.
    pub(super) fn detection(&self) -> Band {
        if self.is_watched() {
            // Of a closed connection the last answer counts, which is up to a period old; of one that
            // hangs the next question.
            let least = (self.t - ASK_MS).max(0.0);
            return Band(
                least,
                self.t + ASK_MS / 4.0,
                self.t + ASK_MS + 2.0 * CRON_MS,
            );
        }
        let nodes = self.conditions.nodes.max(2) as f64;
        let first = self.t + self.s / nodes + CRON_MS / 2.0;
        Band(self.t, first, self.t + self.s + CRON_MS)
    }

    /// When the last report that is needed has come: it rides on a ping or its answer.
    pub(super) fn gossip(&self) -> Band {
        Band(0.0, 100.0 + 0.18 * self.s, CRON_MS + self.s / 2.0)
    }

    /// From the first suspicion to the agreement of a majority.
    pub(super) fn agreement(&self) -> Band {
        if self.is_watched() {
            return Band(0.0, ASK_MS / 2.0, 2.0 * ASK_MS + 2.0 * CRON_MS);
        }
        let agreed = self.t + self.s * self.quorum + self.gossip().1;
        let mid = (agreed - self.detection().1).max(0.0);
        Band(0.0, mid, self.s + self.gossip().2)
    }

    pub(super) fn election(&self) -> Band {
        if self.is_watched() {
            return Band(0.0, 5.0 * CRON_MS, ASK_MS + 10.0 * CRON_MS);
        }
        let others = self.struck.saturating_sub(1) as f64;
        if !self.is_at_once() {
            let ranked = is_at_least(self.conditions, "valkey", 8, 1);
            let queue = if ranked { 500.0 * others } else { 0.0 };
            let mid = CRON_MS / 2.0 + 750.0 + VOTE_MS.0;
            return Band(500.0, mid, CRON_MS + 1000.0 + VOTE_MS.1 + queue);
        }
        // A replica with siblings that do not know of the failure yet, or whose shard is not the
        // first of those that failed, waits after all.
        let d = (self.t / 30.0).min(500.0);
        let siblings = if self.has_siblings() { 2.0 * d } else { 0.0 };
        let queue = if self.struck > 1 {
            (2.0 + others) * d
        } else {
            0.0
        };
        Band(0.0, VOTE_MS.0, CRON_MS + VOTE_MS.1 + siblings + queue)
    }

    /// Until the next write comes that the new master takes, and until it is known that it leads.
    pub(super) fn client(&self) -> Band {
        Band(0.0, self.period / 2.0 + 5.0, self.period + CRON_MS)
    }

    /// It holds writes back until its replicas have caught up, who say so once a second (7.0 on).
    pub(super) fn shutdown(&self) -> Band {
        let timeout = self.conditions.shutdown_timeout_ms as f64;
        let version: Option<Version> = self.conditions.version.parse().ok();
        if timeout == 0.0 || version.is_some_and(|version| version.0 < 7) {
            return Band(0.0, 30.0, 200.0);
        }
        Band(0.0, 600.0, timeout.min(1000.0) + 500.0)
    }

    /// From the death until the first write. Narrower than its terms together: who suspects late
    /// agrees at once.
    pub(super) fn whole(&self) -> Band {
        if self.is_watched() {
            let terms = [
                self.detection(),
                self.agreement(),
                self.election(),
                self.client(),
            ];
            let sum = |of: fn(&Band) -> f64| terms.iter().map(of).sum::<f64>();
            return Band(sum(|b| b.0), sum(|b| b.1), sum(|b| b.2));
        }
        let (gossip, election, client) = (self.gossip(), self.election(), self.client());
        let agreed = self.t + self.s * self.quorum + gossip.1;
        let latest = self.detection().2 + gossip.2;
        Band(
            self.t + election.0,
            agreed + election.1 + client.1,
            latest + election.2 + client.2,
        )
    }

    /// Whether Sentinels decide.
    pub(super) fn is_watched(&self) -> bool {
        self.conditions.watched.is_some()
    }

    /// Whether the best replica stands without waiting.
    pub(super) fn is_at_once(&self) -> bool {
        is_at_least(self.conditions, "valkey", 9, 0)
    }

    /// Whether shards have more than one replica on average.
    pub(super) fn has_siblings(&self) -> bool {
        self.conditions.nodes > 2 * self.conditions.masters
    }
}
