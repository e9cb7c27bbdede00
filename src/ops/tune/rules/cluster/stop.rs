//! What a node does when it is stopped, or told to hand over.

use crate::health::{Profile, lag};
use crate::model::words::seconds;
use crate::model::{Severity, Vendor};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, profile_line, readable, sure_profile};
use crate::ops::tune::rules::stalls::Stall;

pub(super) const SHUTDOWN: Rule = Rule {
    id: "cluster.shutdown-timeout",
    title: "how long a master that is stopped waits for its replicas",
    parameters: &["shutdown-timeout"],
    kind: Kind::Setting,
    why: "A master that is stopped pauses writes and waits until its replicas have everything, but no longer than this. What they do not have by then is lost with the failover.",
    how: "Where the lag that was seen + 5 s is longer: that. 0, which does not wait at all: 10 s, unless it is a cache.",
    cost: "a slower stop; whatever stops it must wait longer than that before it kills (TimeoutStopSec, terminationGracePeriodSeconds)",
    risk: Risk::Low,
    source: "CONFIG shutdown-timeout (7.0 and later, 10 by default); INFO replication of the masters; server.c prepareForShutdown",
    judge: shutdown,
};

pub(super) const SIGNAL: Rule = Rule {
    id: "cluster.shutdown-signal",
    title: "what a signal to stop does",
    parameters: &["shutdown-on-sigterm"],
    kind: Kind::Setting,
    why: "Valkey 9 can hand over to a replica before it stops: a planned stop then costs no failover by timeout. The other way round, `now` does not wait for replicas, and `nosave` drops what only a snapshot would keep.",
    how: "Valkey 9 and later: failover instead of default. Other than for a cache: default instead of what has `now`, or `nosave` where snapshots are all that is kept.",
    cost: "a stop takes up to cluster-manual-failover-timeout longer; whatever stops it must wait for that",
    risk: Risk::Low,
    source: "CONFIG shutdown-on-sigterm (7.0 and later); valkey-io/valkey pull request 1091",
    judge: signal,
};

pub(super) const MANUAL: Rule = Rule {
    id: "cluster.manual-failover",
    title: "how long a handover may take",
    parameters: &["cluster-manual-failover-timeout"],
    kind: Kind::Setting,
    why: "In a handover the master pauses its clients until the replica has everything. If that is not done in time it is called off, and clients have waited for nothing. A master or replica that stands still meanwhile is enough.",
    how: "Where it is less than 4 x the longest stall that was seen: that, 10 s at least.",
    cost: "clients may be paused for as long",
    risk: Risk::Low,
    source: "CONFIG cluster-manual-failover-timeout (Valkey, 5,000 ms by default; fixed in Redis); LATENCY LATEST; SLOWLOG; latest_fork_usec",
    judge: manual,
};

/// What comes on top of the lag that was seen, in seconds.
const SPARE_S: u64 = 5;
/// The server's default for shutdown-timeout, in seconds.
const DEFAULT_S: u64 = 10;
/// A handover should survive a stall of a quarter of its time.
const STALLS: u64 = 4;
/// The least that a longer handover is given, in ms.
const LEAST_MS: u64 = 10_000;

/// How far the replica that is farthest behind lags, in seconds.
fn longest_lag_s(case: &Case, master: &NodeCase) -> Option<f64> {
    let replicas = case.topology.replicas(master.id?);
    let lags = replicas.filter_map(|replica| lag::seconds(master.facts, replica));
    lags.max_by(f64::total_cmp)
}

fn shutdown(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "shutdown-timeout";
    let (nodes, mut opinions) = readable(case);
    let (mut late, mut told, mut none) = (Vec::new(), Vec::new(), Vec::new());
    for node in nodes {
        let Some(present) = node.setting_number(NAME) else {
            continue;
        };
        let master = case.master_of(node);
        let lag = master.and_then(|master| longest_lag_s(case, master));
        let needed = lag.map_or(0, |lag| lag.ceil() as u64 + SPARE_S);
        if present == 0 {
            none.push((node, DEFAULT_S.max(needed).to_string()));
        } else if needed > present {
            let lag = seconds(lag.unwrap_or(0.0));
            told.push(format!(
                "{}: a replica of its shard is {lag} behind",
                node.addr
            ));
            late.push((node, needed.to_string()));
        }
    }
    let late = changes(NAME, late);
    let why = "a stop does not wait until the replicas have everything";
    opinions.extend(Opinion::set(
        Severity::Warning,
        NAME,
        late,
        why,
        lines(told),
    ));
    if none.is_empty() {
        return opinions;
    }
    match sure_profile(case) {
        Ok(Profile::Cache) => {}
        Ok(_) => {
            let evidence = vec![profile_line(case)];
            let none = changes(NAME, none);
            opinions.extend(Opinion::set(Severity::Warning, NAME, none, why, evidence));
        }
        Err(skip) => opinions.extend(skip),
    }
    opinions
}

fn signal(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "shutdown-on-sigterm";
    let (nodes, mut opinions) = readable(case);
    let hands_over = |node: &NodeCase| node.vendor() == Vendor::Valkey && node.version().0 >= 9;
    let has_heir = |node: &NodeCase| {
        let master = case.master_of(node).and_then(|master| master.id);
        master.is_some_and(|master| case.topology.replicas(master).next().is_some())
    };
    let plain = nodes
        .iter()
        .filter(|node| hands_over(node) && has_heir(node));
    let plain = plain.filter(|node| node.setting(NAME) == Some("default"));
    let changes_to_failover = changes(NAME, plain.map(|node| (*node, "failover".to_owned())));
    let why = "a master that is stopped leaves its shard to a failover by timeout";
    let evidence = vec!["this version can hand over first".to_owned()];
    let advice = Opinion::set(Severity::Info, NAME, changes_to_failover, why, evidence);
    opinions.extend(advice);
    let rash: Vec<_> = nodes.into_iter().filter(|node| is_rash(node)).collect();
    if rash.is_empty() {
        return opinions;
    }
    match sure_profile(case) {
        Ok(Profile::Cache) => {}
        Ok(_) => {
            let value = |node: &NodeCase| {
                if hands_over(node) {
                    "failover"
                } else {
                    "default"
                }
            };
            let wanted = rash.iter().map(|node| (*node, value(node).to_owned()));
            let why = "a planned stop loses writes that it could keep";
            let evidence = vec![profile_line(case)];
            let changes = changes(NAME, wanted);
            opinions.extend(Opinion::set(
                Severity::Warning,
                NAME,
                changes,
                why,
                evidence,
            ));
        }
        Err(skip) => opinions.extend(skip),
    }
    opinions
}

/// Whether a stop loses what it could keep.
fn is_rash(node: &NodeCase) -> bool {
    let flags = node.setting("shutdown-on-sigterm").unwrap_or_default();
    let has = |flag| flags.split_ascii_whitespace().any(|word| word == flag);
    let only_saves = node.is_on("appendonly") == Some(false)
        && node.setting("save").is_some_and(|save| !save.is_empty());
    has("now") || (has("nosave") && only_saves)
}

fn manual(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-manual-failover-timeout";
    let (nodes, mut opinions) = readable(case);
    let short = nodes.into_iter().filter_map(|node| {
        let present = node.setting_number(NAME)?;
        let stall = Stall::worst(node)?;
        let needed = (stall.ms * STALLS).max(LEAST_MS);
        (present < stall.ms * STALLS).then(|| (node, needed.to_string(), stall.line(node)))
    });
    let short: Vec<_> = short.collect();
    let wanted = short
        .iter()
        .map(|(node, needed, _)| (*node, needed.clone()));
    let changes = changes(NAME, wanted);
    let told = lines(short.iter().map(|(.., line)| line.clone()));
    let why = "a handover may be called off because a node stood still";
    opinions.extend(Opinion::set(Severity::Info, NAME, changes, why, told));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::{Severity, Stall};
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_stop_waits_for_the_replicas() {
        let rule = "cluster.shutdown-timeout";
        assert_eq!(Setup::sound().rule(rule), []);
        let line = "slave0:ip=10.0.0.4,port=7000,state=online,offset=1000,lag=21";
        let advice = Setup::sound().info_of(0, line).rule(rule);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes.len(), 2);
        assert_eq!(advice[0].changes[0].proposed, "25");
        let none = Setup::sound().config("shutdown-timeout", "0");
        assert_eq!(none.skipped(rule).len(), 1);
        assert_eq!(none.clone().profile(Profile::Cache).rule(rule), []);
        let advice = none.profile(Profile::Session).rule(rule);
        assert_eq!(advice[0].changes[0].proposed, "10");
    }

    #[test]
    fn a_signal_loses_nothing() {
        let rule = "cluster.shutdown-signal";
        assert_eq!(Setup::sound().rule(rule), []);
        let valkey = |version: &str| Setup::sound().info(&format!("valkey_version:{version}"));
        assert_eq!(
            valkey("9.0.1").rule(rule)[0].changes[0].proposed,
            "failover"
        );
        // The second shard has nobody to hand over to.
        assert_eq!(valkey("9.0.1").moved().rule(rule)[0].changes.len(), 5);
        assert_eq!(valkey("8.1.4").rule(rule), []);
        let rash = |profile| {
            let setup = Setup::sound().config("shutdown-on-sigterm", "nosave now");
            setup.profile(profile).rule(rule)
        };
        assert_eq!(rash(Profile::Durable)[0].changes[0].proposed, "default");
        assert_eq!(rash(Profile::Cache), []);
        let unsure = Setup::sound().config("shutdown-on-sigterm", "now");
        assert_eq!(unsure.skipped(rule).len(), 1);
    }

    #[test]
    fn a_handover_outlives_a_stall() {
        let rule = "cluster.manual-failover";
        let stalling = |ms| {
            Setup::sound().facts(0, |facts| {
                facts.stalls.push(Stall {
                    event: "command".into(),
                    at_s: 0,
                    latest_ms: ms,
                    max_ms: ms,
                });
            })
        };
        let valkey = |ms| stalling(ms).config("cluster-manual-failover-timeout", "5000");
        assert_eq!(valkey(1_000).rule(rule), []);
        let advice = valkey(3_000).rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "12000");
        assert_eq!(stalling(3_000).rule(rule), []);
        let dark = valkey(3_000).facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
