//! The node timeout: long enough that no busy node is taken for a dead one, short enough that a
//! dead one is replaced in the time that was asked for.

use std::time::Duration;

use crate::model::Severity;
use crate::model::words::{duration, listed};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, readable, young};
use crate::ops::tune::rules::stalls::{Stall, is_watched};

pub(super) const TIMEOUT: Rule = Rule {
    id: "cluster.timeout",
    title: "when a node is taken for dead",
    parameters: &["cluster-node-timeout"],
    kind: Kind::Setting,
    why: "A master that answers no ping for cluster-node-timeout is failed over. Too short, and a long command or a fork costs it its office: a failover storm on a sound cluster. Too long, and its slots take no writes for all that time. A master that is cut off also goes on taking writes for as long, and loses them.",
    how: "At least max(2 s, 4 x the longest stall that was seen, 20 x the longest round trip). A failover takes about 1.5 x the timeout + 1 s: until the others agree, and until the replica is elected; where a time was asked for (--recovery), the timeout is what it leaves, if stalls are recorded and allow it. Without that, 15 s at the most. The same on all nodes.",
    cost: "lower: more traffic on the bus, and failovers of nodes that are only busy; higher: a dead master is missed for longer",
    risk: Risk::Medium,
    source: "CONFIG cluster-node-timeout; LATENCY LATEST; SLOWLOG; latest_fork_usec; round trips of PING; cluster_legacy.c clusterHandleReplicaFailover; redis/redis issue 2820",
    judge: timeout,
};

/// Below this the pings of the bus themselves (one a second to a random node) come too seldom.
const LEAST_MS: u64 = 2_000;
/// A stall of a quarter of the timeout is on the way to a false failover (as in check).
const STALLS: u64 = 4;
/// A burst of pings shows the quiet network; twenty times that is a bad day.
const ROUND_TRIPS: u64 = 20;
/// The server's default, in ms.
const DEFAULT_MS: u64 = 15_000;
/// Suspicion takes the timeout, agreement half of it again.
const AGREEMENT: f64 = 1.5;
/// Delay of the election (500 ms, and up to as much at random) and the vote, in ms.
const ELECTION_MS: u64 = 1_000;

/// How long a failover takes with that timeout, in ms.
fn failover_ms(timeout_ms: u64) -> u64 {
    (timeout_ms as f64 * AGREEMENT) as u64 + ELECTION_MS
}

/// The timeout that lets a failover be over in so many seconds, in ms.
fn for_recovery(recovery_s: u64) -> u64 {
    let left_ms = (recovery_s * 1_000).saturating_sub(ELECTION_MS);
    (left_ms as f64 / AGREEMENT) as u64 / 100 * 100
}

/// The least that the evidence allows.
struct Floor {
    ms: u64,
    stall_ms: u64,
    told: Vec<String>,
}

impl Floor {
    fn of(nodes: &[&NodeCase]) -> Floor {
        let stalls = nodes
            .iter()
            .filter_map(|node| Some((Stall::worst(node)?, *node)));
        let worst = stalls.max_by(|one, other| one.0.cmp(&other.0));
        let trips = nodes.iter().filter_map(|node| node.pings_us().iter().max());
        let trip_us = trips.max().copied().unwrap_or(0);
        let stall_ms = worst.as_ref().map_or(0, |(stall, _)| stall.ms);
        let by_trip = (trip_us * ROUND_TRIPS).div_ceil(1_000);
        let ms = LEAST_MS.max(stall_ms * STALLS).max(by_trip);
        let mut told: Vec<String> = worst
            .map(|(stall, node)| stall.line(node))
            .into_iter()
            .collect();
        if trip_us > 0 {
            let trip = duration(Duration::from_micros(trip_us));
            told.push(format!("the longest round trip of a PING took {trip}"));
        }
        let ms = ms.div_ceil(100) * 100;
        told.push(format!(
            "so no less than {}",
            duration(Duration::from_millis(ms))
        ));
        Floor { ms, stall_ms, told }
    }
}

fn timeout(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-node-timeout";
    let (nodes, mut opinions) = readable(case);
    let present = || nodes.iter().filter_map(|node| node.setting_number(NAME));
    let (Some(lowest), Some(highest)) = (present().min(), present().max()) else {
        return opinions;
    };
    if nodes
        .iter()
        .all(|node| node.pings_us().is_empty() && Stall::worst(node).is_none())
    {
        let reason = "neither round trips nor stalls were measured";
        opinions.push(Opinion::skip_all(case, reason));
        return opinions;
    }
    let floor = Floor::of(&nodes);
    let asked = case.options.recovery_s.map(for_recovery);
    let advice = if lowest < floor.ms {
        let target = match asked {
            Some(asked) => floor.ms.max(asked),
            None => floor.ms.max(highest),
        };
        let severity = match floor.stall_ms >= lowest {
            true => Severity::Critical,
            false => Severity::Warning,
        };
        Some((
            severity,
            target,
            "a node that is only busy is taken for a dead one",
        ))
    } else {
        lower(case, &nodes, &floor, highest, asked, &mut opinions)
    };
    let Some((severity, target, why)) = advice else {
        return opinions;
    };
    let wanted = nodes.iter().map(|node| (*node, target.to_string()));
    let changes = changes(NAME, wanted);
    let mut told = floor.told;
    let takes = |ms| duration(Duration::from_millis(failover_ms(ms)));
    told.push(format!(
        "a failover takes about {} now, {} then",
        takes(highest),
        takes(target)
    ));
    told.extend(nodes.iter().filter_map(|node| young(node)).take(1));
    opinions.extend(Opinion::set(severity, NAME, changes, why, told));
    opinions
}

/// A shorter one, where that was asked for or it is longer than anybody needs.
fn lower(
    case: &Case,
    nodes: &[&NodeCase],
    floor: &Floor,
    highest: u64,
    asked: Option<u64>,
    opinions: &mut Vec<Opinion>,
) -> Option<(Severity, u64, &'static str)> {
    let Some(asked) = asked else {
        let why = "a dead master is missed for longer than need be";
        let target = floor.ms.max(DEFAULT_MS);
        return (highest > target).then_some((Severity::Info, target, why));
    };
    let target = asked.max(floor.ms);
    if highest <= target {
        return None;
    }
    let dark: Vec<String> = (nodes.iter())
        .filter(|node| !is_watched(node))
        .map(|node| node.addr.to_string())
        .collect();
    if !dark.is_empty() {
        let reason = format!(
            "how long nodes stand still is not recorded on {}: set latency-monitor-threshold to 100, and ask again after a busy day",
            listed(dark, 4)
        );
        opinions.push(Opinion::skip_all(case, reason));
        return None;
    }
    let why = match asked < floor.ms {
        true => {
            "a failover takes longer than was asked for; what was measured allows no shorter timeout than this"
        }
        false => "a failover takes longer than was asked for",
    };
    Some((Severity::Warning, target, why))
}

#[cfg(test)]
mod tests {
    use crate::model::{Severity, SlowEntry, Stall};
    use crate::ops::tune::testing::Setup;

    const RULE: &str = "cluster.timeout";

    fn stalling(ms: u64) -> Setup {
        Setup::sound().facts(1, |facts| {
            facts.stalls.push(Stall {
                event: "aof-fsync-always".into(),
                at_s: 0,
                latest_ms: 1,
                max_ms: ms,
            });
        })
    }

    #[test]
    fn no_shorter_than_stalls_and_round_trips_allow() {
        assert_eq!(Setup::sound().rule(RULE), []);
        assert_eq!(stalling(1_000).rule(RULE), []);
        let advice = stalling(2_000).rule(RULE);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes.len(), 6);
        assert_eq!(advice[0].changes[0].proposed, "8000");
        let advice = stalling(6_000).rule(RULE);
        assert_eq!(advice[0].severity, Severity::Critical);
        assert_eq!(advice[0].changes[0].proposed, "24000");
        let far = Setup::sound().facts(2, |facts| facts.pings_us = vec![300_000; 20]);
        assert_eq!(far.rule(RULE)[0].changes[0].proposed, "6000");
        let hasty = Setup::sound().config("cluster-node-timeout", "500");
        assert_eq!(hasty.rule(RULE)[0].changes[0].proposed, "2000");
    }

    #[test]
    fn slow_commands_count_and_trials_do_not() {
        let slow = |command: &str| {
            let entry = SlowEntry {
                id: 1,
                at_s: 0,
                took_us: 2_000_000,
                command: command.into(),
            };
            let setup = Setup::sound().facts(0, |facts| facts.slow.push(entry));
            setup.rule(RULE)
        };
        assert_eq!(slow("KEYS")[0].changes[0].proposed, "8000");
        assert_eq!(slow("DEBUG SLEEP"), []);
    }

    #[test]
    fn as_short_as_was_asked_for_where_stalls_allow_it() {
        let asked = |setup: Setup, s| setup.options(move |options| options.recovery_s = Some(s));
        let advice = asked(Setup::sound(), 5).rule(RULE);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes[0].proposed, "2600");
        assert!(
            advice[0]
                .evidence
                .iter()
                .any(|line| line.contains("8.50 s now, 4.90 s then")),
            "{:?}",
            advice[0].evidence
        );
        assert_eq!(asked(Setup::sound(), 9).rule(RULE), []);
        let advice = asked(stalling(1_000), 3).rule(RULE);
        assert_eq!(advice[0].changes[0].proposed, "4000");
        assert!(advice[0].why.contains("allows no shorter"));
        let dark = asked(Setup::sound(), 5).config("latency-monitor-threshold", "0");
        assert_eq!(dark.rule(RULE), []);
        assert!(dark.skipped(RULE)[0].reason.contains("and 2 more"));
    }

    #[test]
    fn no_longer_than_anybody_needs() {
        let patient = Setup::sound().config("cluster-node-timeout", "60000");
        let advice = patient.rule(RULE);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "15000");
        let blind = (0..6).fold(patient, |setup, n| {
            setup.facts(n, |facts| facts.pings_us.clear())
        });
        assert_eq!(blind.rule(RULE), []);
        assert_eq!(blind.skipped(RULE).len(), 1);
    }
}
