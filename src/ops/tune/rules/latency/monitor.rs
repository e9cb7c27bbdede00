//! The latency monitor, the histograms of commands, and scripts that run long.

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes};
use super::super::clients::everywhere;
use crate::model::Severity;
use crate::model::words::{count, duration};

pub(super) const MONITOR: Rule = Rule {
    id: "latency.monitor",
    title: "a record of stalls",
    parameters: &["latency-monitor-threshold"],
    kind: Kind::Setting,
    why: "The latency monitor keeps when and why the server stood still: for a fork, the disk, expiry, eviction. It is off by default, and without it a stall leaves no trace: goodcache check cannot look at latency.stalls.",
    how: "100 ms, or a twentieth of cluster-node-timeout where that is less",
    cost: "a look at the clock around slow events; nothing that anybody notices",
    risk: Risk::Low,
    source: "CONFIG latency-monitor-threshold (0 is off); latency.c",
    judge: monitor,
};

pub(super) const TRACKING: Rule = Rule {
    id: "latency.tracking",
    title: "histograms of commands",
    parameters: &["latency-tracking", "latency-tracking-info-percentiles"],
    kind: Kind::Setting,
    why: "With latency-tracking the server keeps a histogram of each command's time, so that p99 can be asked of it (LATENCY HISTOGRAM, INFO latencystats). It is on by default; some managed services switch it off.",
    how: "yes, and the percentiles 50 99 99.9 where none are set",
    cost: "about 25 KB of memory for each kind of command in use (measured on 7.0.15)",
    risk: Risk::Low,
    source: "CONFIG latency-tracking, latency-tracking-info-percentiles (7.0 and later)",
    judge: tracking,
};

pub(super) const BUSY_REPLY: Rule = Rule {
    id: "latency.busy-reply",
    title: "a script that runs long looks like a dead node",
    parameters: &["busy-reply-threshold", "lua-time-limit"],
    kind: Kind::Setting,
    why: "While a script or function runs, the node answers nobody, the cluster bus included. Only after busy-reply-threshold it begins to answer again: BUSY to clients, and pongs to its peers. Where that is later than cluster-node-timeout, one slow script gets a healthy master failed over, and the new master may be given the same script.",
    how: "a third of cluster-node-timeout where it is above that (or off), in whole 100 ms; the name is lua-time-limit before 7.0",
    cost: "clients hear BUSY sooner while a script runs, and must try again; SCRIPT KILL works sooner",
    risk: Risk::Low,
    source: "CONFIG busy-reply-threshold, cluster-node-timeout; INFO commandstats: eval, evalsha, fcall; script.c scriptInterrupt. Seen on 7.0.15 with a node timeout of 2 s: one script of about 4 s got its master failed over at 5000, and not at 600",
    judge: busy_reply,
};

/// What check asks about stalls begins at 50 ms; a tenth of a second is felt by people.
const STALL_MS: u64 = 100;
/// The server's default for the node timeout.
const NODE_TIMEOUT_MS: u64 = 15_000;
/// The server's own choice.
const PERCENTILES: &str = "50 99 99.9";
/// Commands that run scripts.
const SCRIPTS: &[&str] = &[
    "eval",
    "evalsha",
    "eval_ro",
    "evalsha_ro",
    "fcall",
    "fcall_ro",
];

fn node_timeout_ms(node: &NodeCase) -> u64 {
    let told = node.setting_number("cluster-node-timeout");
    told.filter(|ms| *ms > 0).unwrap_or(NODE_TIMEOUT_MS)
}

fn monitor(case: &Case) -> Vec<Opinion> {
    let off = (case.nodes.iter())
        .filter(|node| node.setting_number("latency-monitor-threshold") == Some(0));
    let wanted = off.map(|node| {
        let threshold = STALL_MS.min(node_timeout_ms(node) / 20).max(1);
        (node, threshold.to_string())
    });
    let changes = changes("latency-monitor-threshold", wanted);
    let why = "when the server stands still nothing is recorded, neither when nor why";
    let parameter = "latency-monitor-threshold";
    Opinion::set(Severity::Info, parameter, changes, why, Vec::new())
        .into_iter()
        .collect()
}

fn tracking(case: &Case) -> Vec<Opinion> {
    let off = everywhere(case, "latency-tracking", "yes");
    let why = "how long commands take is not recorded, so p99 cannot be asked of the server";
    let on = Opinion::set(Severity::Info, "latency-tracking", off, why, Vec::new());
    const NAMES: &str = "latency-tracking-info-percentiles";
    let none = case
        .nodes
        .iter()
        .filter(|node| node.setting(NAMES) == Some(""));
    let none = changes(NAMES, none.map(|node| (node, PERCENTILES.to_owned())));
    let why = "INFO latencystats shows no percentile";
    let named = Opinion::set(Severity::Info, NAMES, none, why, Vec::new());
    on.into_iter().chain(named).collect()
}

/// The name by which the node knows the setting.
fn busy_name(node: &NodeCase) -> &'static str {
    match node.setting("busy-reply-threshold") {
        Some(_) => "busy-reply-threshold",
        None => "lua-time-limit",
    }
}

fn busy_reply(case: &Case) -> Vec<Opinion> {
    let scripts = |node: &NodeCase| -> u64 {
        let calls = SCRIPTS.iter().filter_map(|name| {
            let calls = node.info().field(&format!("cmdstat_{name}"), "calls")?;
            calls.parse::<u64>().ok()
        });
        calls.sum()
    };
    let run: u64 = case.nodes.iter().map(scripts).sum();
    let severity = match run {
        0 => Severity::Info,
        _ => Severity::Warning,
    };
    let mut opinions = Vec::new();
    for name in ["busy-reply-threshold", "lua-time-limit"] {
        let late: Vec<_> = (case.nodes.iter())
            .filter(|node| busy_name(node) == name)
            .filter_map(|node| Some((node, wanted_ms(node, node.setting(name)?)?)))
            .collect();
        let evidence = late.iter().map(|(node, wanted)| {
            let timeout = std::time::Duration::from_millis(node_timeout_ms(node));
            let timeout = duration(timeout);
            format!(
                "{}: node timeout {timeout}, a third of it {wanted} ms",
                node.addr
            )
        });
        let mut evidence: Vec<String> = evidence.collect();
        evidence.push(format!("scripts and functions run: {}", count(run)));
        let wanted = late.iter().map(|(node, ms)| (*node, ms.to_string()));
        let changes = changes(name, wanted);
        let why = "a script that runs for longer than the node timeout gets its master failed over";
        opinions.extend(Opinion::set(severity, name, changes, why, evidence));
    }
    opinions
}

/// A third of the node timeout, where the present threshold is above or off (0 or less).
fn wanted_ms(node: &NodeCase, present: &str) -> Option<u64> {
    let present = present.parse::<i64>().ok()?;
    let third = node_timeout_ms(node) / 3;
    let is_late = present <= 0 || present as u64 > third;
    is_late.then(|| (third / 100 * 100).max(100).min(third.max(1)))
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    fn proposed(setup: &Setup, rule: &str) -> Vec<(String, String)> {
        let advice = setup.rule(rule);
        let each = advice.iter();
        each.map(|one| (one.parameter.clone(), one.changes[0].proposed.clone()))
            .collect()
    }

    fn to(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn stalls_are_recorded() {
        let monitor = |timeout: &str, threshold: &str| {
            let setup = Setup::sound()
                .config("cluster-node-timeout", timeout)
                .config("latency-monitor-threshold", threshold);
            proposed(&setup, "latency.monitor")
        };
        let name = "latency-monitor-threshold";
        assert_eq!(monitor("5000", "0"), to(name, "100"));
        assert_eq!(monitor("1000", "0"), to(name, "50"));
        assert_eq!(monitor("5000", "250"), []);
        let blind = Setup::sound().without(name);
        assert_eq!(proposed(&blind, "latency.monitor"), []);
    }

    #[test]
    fn histograms_are_kept() {
        let off = Setup::sound().config("latency-tracking", "no");
        assert_eq!(
            proposed(&off, "latency.tracking"),
            to("latency-tracking", "yes")
        );
        let name = "latency-tracking-info-percentiles";
        let none = Setup::sound().config(name, "");
        assert_eq!(proposed(&none, "latency.tracking"), to(name, "50 99 99.9"));
        assert_eq!(proposed(&Setup::sound(), "latency.tracking"), []);
        // 6.2 knows neither.
        let old = Setup::sound().without("latency-tracking").without(name);
        assert_eq!(proposed(&old, "latency.tracking"), []);
    }

    #[test]
    fn a_busy_node_answers_before_it_is_failed_over() {
        let rule = "latency.busy-reply";
        let setup = |timeout: &str, threshold: &str| {
            Setup::sound()
                .config("cluster-node-timeout", timeout)
                .config("busy-reply-threshold", threshold)
        };
        let name = "busy-reply-threshold";
        assert_eq!(proposed(&setup("5000", "5000"), rule), to(name, "1600"));
        assert_eq!(proposed(&setup("5000", "0"), rule), to(name, "1600"));
        assert_eq!(proposed(&setup("15000", "5000"), rule), []);
        assert_eq!(proposed(&setup("5000", "1000"), rule), []);
        let old = setup("5000", "5000").without(name);
        assert_eq!(proposed(&old, rule), to("lua-time-limit", "1600"));
    }

    #[test]
    fn scripts_make_it_graver() {
        let setup = Setup::sound().config("cluster-node-timeout", "5000");
        let severity = |setup: &Setup| setup.rule("latency.busy-reply")[0].severity;
        assert_eq!(severity(&setup), Severity::Info);
        let scripted = setup.info_of(1, "cmdstat_evalsha:calls=12,usec=90");
        assert_eq!(severity(&scripted), Severity::Warning);
    }
}
