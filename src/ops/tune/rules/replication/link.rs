//! The link between master and replica: when it is given up, and how its packets go.

use crate::health::rates;
use crate::model::Severity;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, known_name, lines, readable, set_by_name};
use crate::ops::tune::rules::stalls::Stall;

pub(super) const TIMEOUT: Rule = Rule {
    id: "replication.timeout",
    title: "when a link is given up",
    parameters: &["repl-timeout"],
    kind: Kind::Setting,
    why: "Master and replica drop a link on which nothing came for this long. Pings come every ten seconds, and a server that stands still sends none: a time-out near to either breaks links that are sound, each time with the risk of a full copy.",
    how: "Where it is less than three ping periods, or three times the longest stall that was seen: max(60 s, 3 x the stall, 3 x the period).",
    cost: "a link that is really dead is noticed later; the cluster's own failure detection does not depend on it",
    risk: Risk::Low,
    source: "CONFIG repl-timeout, repl-ping-replica-period; LATENCY LATEST; SLOWLOG; latest_fork_usec",
    judge: timeout,
};

pub(super) const PING_PERIOD: Rule = Rule {
    id: "replication.ping-period",
    title: "how often a master pings its replicas",
    parameters: &["repl-ping-replica-period", "repl-ping-slave-period"],
    kind: Kind::Setting,
    why: "The ping keeps an idle link alive. Where it comes more seldom than three times within repl-timeout, one that is late breaks the link.",
    how: "10 s, where it is longer and repl-timeout is less than three of it.",
    cost: "none",
    risk: Risk::Low,
    source: "CONFIG repl-ping-replica-period, repl-timeout; replication.c replicationCron",
    judge: ping_period,
};

pub(super) const NODELAY: Rule = Rule {
    id: "replication.nodelay",
    title: "small packets to replicas",
    parameters: &["repl-disable-tcp-nodelay"],
    kind: Kind::Setting,
    why: "With repl-disable-tcp-nodelay yes the kernel collects small writes for up to 40 ms before it sends them: less traffic, and replicas that much farther behind. WAIT and min-replicas-to-write wait for it each time.",
    how: "no.",
    cost: "more and smaller packets",
    risk: Risk::Low,
    source: "CONFIG repl-disable-tcp-nodelay; INFO commandstats: wait; redis.conf",
    judge: nodelay,
};

/// Three missed pings are no accident.
const TIMES: u64 = 3;
/// The server's default for repl-timeout, in seconds.
const TIMEOUT_S: u64 = 60;
/// The server's default for the ping period, in seconds.
const PERIOD_S: u64 = 10;
/// By both names, the newer first.
const PERIOD: &[&str] = &["repl-ping-replica-period", "repl-ping-slave-period"];

fn period_s(node: &NodeCase) -> Option<u64> {
    node.setting_number(known_name(node, PERIOD)?)
}

fn timeout(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "repl-timeout";
    let (nodes, mut opinions) = readable(case);
    let (mut wanted, mut told) = (Vec::new(), Vec::new());
    let mut is_grave = false;
    for node in nodes {
        let Some(present) = node.setting_number(NAME) else {
            continue;
        };
        // A longer period is told by the rule beside this one.
        let period = period_s(node).unwrap_or(PERIOD_S).min(PERIOD_S);
        let stall = Stall::worst(node);
        let stall_ms = stall.as_ref().map_or(0, |stall| stall.ms);
        let least = (period * TIMES).max((stall_ms * TIMES).div_ceil(1_000));
        if present >= least {
            continue;
        }
        is_grave |= present <= period || present * 1_000 <= stall_ms;
        told.push(match stall {
            Some(stall) if stall_ms > period * 1_000 => stall.line(node),
            _ => format!("{}: {present} s, and a ping every {period} s", node.addr),
        });
        wanted.push((node, least.max(TIMEOUT_S).to_string()));
    }
    let severity = match is_grave {
        true => Severity::Warning,
        false => Severity::Info,
    };
    let changes = changes(NAME, wanted);
    let why = "links that are sound are given up";
    opinions.extend(Opinion::set(severity, NAME, changes, why, lines(told)));
    opinions
}

fn ping_period(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let is_seldom = |node: &&NodeCase| {
        let timeout = node.setting_number("repl-timeout");
        (period_s(node).zip(timeout))
            .is_some_and(|(period, timeout)| period > PERIOD_S && period * TIMES > timeout)
    };
    let seldom: Vec<_> = nodes.into_iter().filter(is_seldom).collect();
    let told = lines(seldom.iter().map(|node| {
        let timeout = node.setting("repl-timeout").unwrap_or("?");
        let period = period_s(node).unwrap_or(0);
        format!(
            "{}: a ping every {period} s, given up after {timeout} s",
            node.addr
        )
    }));
    let wanted: Vec<_> = (seldom.into_iter())
        .map(|node| (node, PERIOD_S.to_string()))
        .collect();
    let why = "a single late ping breaks the link";
    opinions.extend(set_by_name(Severity::Warning, PERIOD, &wanted, why, &told));
    opinions
}

fn nodelay(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "repl-disable-tcp-nodelay";
    let (nodes, mut opinions) = readable(case);
    let slow: Vec<_> = (nodes.into_iter())
        .filter(|node| node.is_on(NAME) == Some(true))
        .collect();
    let waits = |node: &&NodeCase| {
        // A few are goodcache's own.
        let calls = node.info().field("cmdstat_wait", "calls");
        let calls = calls.and_then(|calls| calls.parse().ok()).unwrap_or(0);
        let min = ["min-replicas-to-write", "min-slaves-to-write"];
        let min = known_name(node, &min).and_then(|name| node.setting_number(name));
        calls >= rates::ENOUGH || min.is_some_and(|min| min > 0)
    };
    let waiting: Vec<_> = slow.iter().copied().filter(waits).collect();
    let (severity, evidence) = match waiting.is_empty() {
        true => (Severity::Info, Vec::new()),
        false => (
            Severity::Warning,
            lines(waiting.iter().map(|node| {
                format!(
                    "{}: writes wait for replicas (WAIT, min-replicas-to-write)",
                    node.addr
                )
            })),
        ),
    };
    let wanted = slow.into_iter().map(|node| (node, "no".to_owned()));
    let changes = changes(NAME, wanted);
    let why = "replicas are up to 40 ms farther behind than they need be";
    opinions.extend(Opinion::set(severity, NAME, changes, why, evidence));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::{Severity, Stall};
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_link_outlives_pings_and_stalls() {
        let rule = "replication.timeout";
        assert_eq!(Setup::sound().rule(rule), []);
        let short = |s| Setup::sound().config("repl-timeout", s).rule(rule);
        assert_eq!(short("20")[0].severity, Severity::Info);
        assert_eq!(short("10")[0].severity, Severity::Warning);
        assert_eq!(short("10")[0].changes[0].proposed, "60");
        let stalling = Setup::sound().facts(1, |facts| {
            facts.stalls.push(Stall {
                event: "fork".into(),
                at_s: 0,
                latest_ms: 1,
                max_ms: 30_000,
            });
        });
        let advice = stalling.rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "90");
    }

    #[test]
    fn pings_come_often_enough_by_either_name() {
        let rule = "replication.ping-period";
        assert_eq!(Setup::sound().rule(rule), []);
        let seldom = Setup::sound()
            .config("repl-ping-replica-period", "30")
            .config("repl-ping-slave-period", "30");
        let advice = seldom.rule(rule);
        assert_eq!(advice[0].parameter, "repl-ping-replica-period");
        assert_eq!(advice[0].changes[0].proposed, "10");
        let old = seldom.without("repl-ping-replica-period").rule(rule);
        assert_eq!(old[0].parameter, "repl-ping-slave-period");
        assert_eq!(old[0].changes.len(), 6);
    }

    #[test]
    fn nodes_of_mixed_versions_are_each_told_by_the_name_they_know() {
        let seldom = Setup::sound()
            .config("repl-ping-replica-period", "30")
            .config("repl-ping-slave-period", "30")
            .facts(4, |facts| {
                facts.config.remove("repl-ping-replica-period");
            });
        let advice = seldom.rule("replication.ping-period");
        let told: Vec<_> = (advice.iter())
            .map(|one| (one.parameter.as_str(), one.changes.len()))
            .collect();
        let names = [
            ("repl-ping-replica-period", 5),
            ("repl-ping-slave-period", 1),
        ];
        assert_eq!(told, names);
    }

    #[test]
    fn packets_do_not_wait() {
        let rule = "replication.nodelay";
        assert_eq!(Setup::sound().rule(rule), []);
        let slow = Setup::sound().config("repl-disable-tcp-nodelay", "yes");
        assert_eq!(slow.rule(rule)[0].severity, Severity::Info);
        assert_eq!(slow.rule(rule)[0].changes[0].proposed, "no");
        let waiting = slow.info_of(0, "cmdstat_wait:calls=900,usec=1");
        assert_eq!(waiting.rule(rule)[0].severity, Severity::Warning);
    }

    #[test]
    fn where_settings_are_hidden_it_says_so() {
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        for rule in ["timeout", "ping-period", "nodelay"] {
            assert_eq!(dark.skipped(&format!("replication.{rule}")).len(), 1);
        }
    }
}
