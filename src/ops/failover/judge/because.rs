//! Why each part of an outage takes as long as it does, in words that name the setting behind it.

use super::rules::{Rules, WRITABLE_DELAY_MS, ping_interval};
use super::when::{spoken, spoken_limit};
use crate::model::words;

impl Rules<'_> {
    pub(super) fn timeout(&self) -> String {
        spoken_limit(self.conditions.node_timeout_ms)
    }

    fn server(&self) -> String {
        let mut vendor = self.conditions.vendor.clone();
        if let Some(first) = vendor.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        format!("{vendor} {}", self.conditions.version)
    }

    pub(super) fn why_detection(&self) -> String {
        if self.is_watched() {
            return format!(
                "down-after-milliseconds {} after the last answer, or the next question; Sentinels ask \
                 once a second",
                self.timeout()
            );
        }
        let peers = self.conditions.nodes.saturating_sub(1);
        let source = match ping_interval(self.conditions) {
            Some(interval) if interval as f64 <= self.s => "cluster-ping-interval".to_owned(),
            _ if self.t / 2.0 <= self.s => "half the timeout passes between two pings".to_owned(),
            _ => format!(
                "one of {} is pinged every second",
                words::counted(peers, "peer")
            ),
        };
        format!(
            "cluster-node-timeout {} after the last answer, which is up to {} old ({source})",
            self.timeout(),
            spoken(self.s)
        )
    }

    pub(super) fn why_agreement(&self) -> String {
        if let Some(watch) = &self.conditions.watched {
            return format!(
                "{} of {} must hold it for down, and ask each other once a second",
                watch.quorum,
                words::counted(watch.sentinels, "Sentinel")
            );
        }
        let masters = self.conditions.masters;
        format!(
            "{} of {} must suspect it, and their reports ride on pings",
            masters / 2 + 1,
            words::counted(masters, "master")
        )
    }

    pub(super) fn why_election(&self) -> String {
        if self.is_watched() {
            return "a Sentinel is elected, chooses a replica and promotes it, a step each tenth of a second"
                .to_owned();
        }
        let server = self.server();
        if self.is_at_once() {
            return format!("the best replica stands at once ({server}), then votes");
        }
        format!("a replica waits 500 ms and up to 500 ms by chance ({server}), then votes")
    }

    pub(super) fn why_client(&self) -> String {
        format!("the next write, one every {}", spoken(self.period))
    }

    pub(super) fn why_shutdown(&self) -> String {
        format!(
            "the master holds writes back until its replicas have caught up, who say so once a \
             second; with one that lags up to shutdown-timeout {}",
            spoken_limit(self.conditions.shutdown_timeout_ms)
        )
    }

    pub(super) fn why_total(&self, is_stop: bool) -> String {
        let before = if is_stop { "shutdown, " } else { "" };
        if self.is_watched() {
            return format!("{before}the parts together");
        }
        format!(
            "{before}{} + {:.2} x {} + gossip + election ({})",
            self.timeout(),
            self.quorum,
            spoken(self.s),
            self.server()
        )
    }

    pub(super) fn why_start(&self) -> String {
        format!(
            "killed, started and its data read, which must be over before {} {}",
            self.conditions.timeout_name(),
            self.timeout()
        )
    }

    pub(super) fn why_delay(&self) -> String {
        format!(
            "a master that has just started refuses work for {} (CLUSTER_WRITABLE_DELAY in the \
             server), lest it takes writes that its successor does not have",
            spoken(WRITABLE_DELAY_MS)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::expected::tests::{named, of};
    use super::super::expected::{Course, expected};
    use crate::ops::failover::samples;

    #[test]
    fn settings_are_named() {
        let why = |version, t, ping, nodes, name| {
            let conditions = of(version, t, ping, 3, nodes);
            let terms = expected(&conditions, &samples::load(), Course::Stop, 1);
            named(&terms, name).because
        };
        for (because, part) in [
            (
                why("redis 7.0.15", 2000, 0, 6, "detection"),
                "2.00 s after the last answer",
            ),
            (
                why("redis 7.0.15", 2000, 0, 6, "detection"),
                "half the timeout",
            ),
            (
                why("redis 8.0.2", 2000, 100, 6, "detection"),
                "100 ms old (cluster-ping-interval)",
            ),
            (
                why("redis 7.0.15", 15_000, 0, 6, "detection"),
                "one of 5 peers is pinged",
            ),
            (
                why("redis 7.0.15", 2000, 0, 6, "agreement"),
                "2 of 3 masters",
            ),
            (
                why("redis 7.0.15", 2000, 0, 6, "election"),
                "500 ms by chance (Redis 7.0.15)",
            ),
            (
                why("valkey 9.1.2", 2000, 0, 6, "election"),
                "at once (Valkey 9.1.2)",
            ),
            (
                why("redis 7.0.15", 2000, 0, 6, "client"),
                "one every 5.00 ms",
            ),
            (
                why("redis 7.0.15", 2000, 0, 6, "shutdown"),
                "shutdown-timeout 10.0 s",
            ),
            (
                why("redis 7.0.15", 2000, 0, 6, "total"),
                "shutdown, 2.00 s + 0.67 x 1.00 s",
            ),
        ] {
            assert!(because.contains(part), "{because} lacks {part}");
        }
    }
}
