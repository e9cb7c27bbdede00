//! What the slow log keeps, and for how long. Valkey 8.1 renamed it to command log and answers to
//! both names; the newer one is proposed where it is known.

use crate::model::words::{count, seconds};
use crate::model::{Probe, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const THRESHOLD: Rule = Rule {
    id: "latency.slow-log-threshold",
    title: "which commands are recorded as slow",
    parameters: &[
        "slowlog-log-slower-than",
        "commandlog-execution-slower-than",
    ],
    kind: Kind::Setting,
    why: "The slow log is the only record of which command made everybody wait. Switched off, or with a threshold above the 100 ms that check asks about, it misses them; with one so low that ordinary commands fill it, the slow ones are pushed out within minutes.",
    how: "10000 us, the server's default: where it is off (negative), where it is above 100000, where it is 0, and where it is below 1000 and the log fills in less than an hour",
    cost: "none",
    risk: Risk::Low,
    source: "CONFIG slowlog-log-slower-than, from Valkey 8.1 on commandlog-execution-slower-than; SLOWLOG GET; check latency.slow_commands",
    judge: threshold,
};

pub(super) const LENGTH: Rule = Rule {
    id: "latency.slow-log-length",
    title: "how many slow commands are kept",
    parameters: &["slowlog-max-len", "commandlog-slow-execution-max-len"],
    kind: Kind::Setting,
    why: "The log keeps the newest and forgets the rest. When it fills in less than an hour, what happened last night is gone by the time anybody looks.",
    how: "1024 where it is filled in less than an hour at the pace of its newest entries (32 of them, or as many as it holds when it is shorter); 128 where it keeps nothing",
    cost: "about half a kilobyte of memory an entry with short arguments (measured on 7.0.15)",
    risk: Risk::Low,
    source: "CONFIG slowlog-max-len, from Valkey 8.1 on commandlog-slow-execution-max-len; SLOWLOG GET: times of the newest entries",
    judge: length,
};

pub(super) const LARGE: Rule = Rule {
    id: "latency.large-log",
    title: "a record of large requests and replies",
    parameters: &[
        "commandlog-request-larger-than",
        "commandlog-reply-larger-than",
    ],
    kind: Kind::Setting,
    why: "A command may be quick and yet fill the network and the buffers with its request or reply. Valkey records those above a size; switched off, nobody knows which they were.",
    how: "1048576, the server's default, where it is off (negative)",
    cost: "none",
    risk: Risk::Low,
    source: "CONFIG commandlog-request-larger-than, commandlog-reply-larger-than (Valkey 8.1 and later)",
    judge: large,
};

/// The server's defaults.
const THRESHOLD_US: i64 = 10_000;
const LENGTH_DEFAULT: u64 = 128;
const LARGE_BYTES: &str = "1048576";
/// What check calls slow.
const CHECKED_US: i64 = 100_000;
/// Below this ordinary commands are recorded.
const ORDINARY_US: i64 = 1_000;
const AN_HOUR_S: u64 = 3_600;
/// What managed services allow at most.
const LONG: u64 = 1_024;
/// As many entries as a survey reads at the least.
const READ: u64 = 32;

const THRESHOLDS: [&str; 2] = [
    "commandlog-execution-slower-than",
    "slowlog-log-slower-than",
];
const LENGTHS: [&str; 2] = ["commandlog-slow-execution-max-len", "slowlog-max-len"];

/// The first of the names that the node knows.
fn name(node: &NodeCase, names: [&'static str; 2]) -> Option<&'static str> {
    names.into_iter().find(|name| node.setting(name).is_some())
}

/// How long the log takes to fill at the pace of its newest entries, in seconds; `None` where it holds
/// too few to tell.
fn fills_in_s(case: &Case, node: &NodeCase, length: u64) -> Option<u64> {
    let held = node.facts.slow.len() as u64;
    let oldest = (node.facts.slow.iter()).map(|entry| entry.at_s).min()?;
    // By the node's own clock, as the entries are.
    let now_ms = case.evidence.survey.taken_at_ms as i64 + node.facts.clock_ahead_ms.unwrap_or(0);
    let since = ((now_ms / 1_000).max(0) as u64).saturating_sub(oldest);
    let is_telling = held >= length.min(READ) && held >= 2;
    is_telling.then(|| since * length / held)
}

/// Advice under each of the names, on the nodes that know it: one name never stands for another's.
fn by_name(
    case: &Case,
    names: [&'static str; 2],
    why: &str,
    wanted: impl Fn(&NodeCase, &'static str) -> Option<(String, String)>,
) -> Vec<Opinion> {
    let each = names.into_iter().filter_map(|own| {
        let known = case
            .nodes
            .iter()
            .filter(|node| name(node, names) == Some(own));
        let found = known.filter_map(|node| Some((node, wanted(node, own)?)));
        let (wanted, told): (Vec<_>, Vec<_>) = found
            .map(|(node, (value, told))| ((node, value), format!("{}: {told}", node.addr)))
            .unzip();
        Opinion::set(Severity::Info, own, changes(own, wanted), why, told)
    });
    each.collect()
}

fn threshold(case: &Case) -> Vec<Opinion> {
    let why = "slow commands are not recorded, or drown among ordinary ones";
    by_name(case, THRESHOLDS, why, |node, name| {
        let present: i64 = node.setting(name)?.parse().ok()?;
        let length = self::name(node, LENGTHS).and_then(|name| node.setting_number(name));
        let fills = || fills_in_s(case, node, length?);
        let told = match present {
            ..0 => "nothing is recorded".to_owned(),
            0 => "every command is recorded".to_owned(),
            CHECKED_US.. if present > CHECKED_US => {
                format!("only from {} on", seconds(present as f64 / 1e6))
            }
            1..ORDINARY_US if fills().is_some_and(|s| s < AN_HOUR_S) => {
                format!("the log fills in {}", seconds(fills()? as f64))
            }
            _ => return None,
        };
        Some((THRESHOLD_US.to_string(), told))
    })
}

fn length(case: &Case) -> Vec<Opinion> {
    let why = "slow commands are forgotten before anybody looks";
    let mut opinions = by_name(case, LENGTHS, why, |node, name| {
        let present = node.setting_number(name)?;
        if present == 0 {
            return Some((LENGTH_DEFAULT.to_string(), "none is kept".to_owned()));
        }
        let fills = fills_in_s(case, node, present).filter(|s| *s < AN_HOUR_S)?;
        let told = format!("{} entries in {}", count(present), seconds(fills as f64));
        (present < LONG).then(|| (LONG.to_string(), told))
    });
    let unread = (case.nodes.iter()).filter_map(|node| {
        let why = node.facts.why_not(Probe::SlowLog)?;
        Some(Opinion::skip(
            node,
            format!("the slow log was not read: {why}"),
        ))
    });
    opinions.extend(unread);
    opinions
}

fn large(case: &Case) -> Vec<Opinion> {
    let names = [
        "commandlog-request-larger-than",
        "commandlog-reply-larger-than",
    ];
    let each = names.into_iter().filter_map(|name| {
        let is_off = |node: &&NodeCase| node.setting(name).is_some_and(|own| own.starts_with('-'));
        let off = case.nodes.iter().filter(|node| is_off(node));
        let changes = changes(name, off.map(|node| (node, LARGE_BYTES.to_owned())));
        let why = "large requests or replies leave no trace";
        Opinion::set(Severity::Info, name, changes, why, Vec::new())
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use crate::health::testing::NOW_MS;
    use crate::model::{NotRead, Probe, SlowEntry};
    use crate::ops::tune::testing::Setup;

    fn proposed(setup: &Setup, rule: &str) -> Vec<(String, usize, String)> {
        let advice = setup.rule(rule);
        let each = advice.iter().map(|one| {
            let first = one.changes[0].proposed.clone();
            (one.parameter.clone(), one.changes.len(), first)
        });
        each.collect()
    }

    fn to(name: &str, nodes: usize, value: &str) -> Vec<(String, usize, String)> {
        vec![(name.to_owned(), nodes, value.to_owned())]
    }

    /// Node 1 recorded so many commands, evenly over the last so many seconds.
    fn slow(setup: Setup, entries: u64, over_s: u64) -> Setup {
        setup.facts(1, |facts| {
            let entry = |id: u64| SlowEntry {
                id,
                at_s: NOW_MS / 1_000 + 1 - over_s + id * over_s / (entries - 1),
                took_us: 12_000,
                command: "HGETALL".into(),
            };
            facts.slow = (0..entries).rev().map(entry).collect();
        })
    }

    #[test]
    fn the_threshold_finds_what_is_slow() {
        let rule = "latency.slow-log-threshold";
        let name = "slowlog-log-slower-than";
        for (present, wanted) in [
            ("10000", vec![]),
            ("5000", vec![]),
            ("100000", vec![]),
            ("500", vec![]),
            ("-1", to(name, 6, "10000")),
            ("0", to(name, 6, "10000")),
            ("1000000", to(name, 6, "10000")),
        ] {
            let setup = Setup::sound().config(name, present);
            assert_eq!(proposed(&setup, rule), wanted, "{present}");
        }
        let flooded = slow(Setup::sound().config(name, "500"), 128, 60);
        assert_eq!(proposed(&flooded, rule), to(name, 1, "10000"));
    }

    #[test]
    fn each_node_is_told_by_the_name_it_knows() {
        let name = "commandlog-execution-slower-than";
        let setup = Setup::sound()
            .config("slowlog-log-slower-than", "-1")
            .config_of(4, name, "-1");
        let advice = proposed(&setup, "latency.slow-log-threshold");
        let old = to("slowlog-log-slower-than", 5, "10000");
        assert_eq!(advice, [to(name, 1, "10000"), old].concat());
    }

    #[test]
    fn the_log_holds_an_hour() {
        let rule = "latency.slow-log-length";
        let name = "slowlog-max-len";
        let setup = |length: &str, entries, over_s| {
            let setup = Setup::sound().config(name, length);
            proposed(&slow(setup, entries, over_s), rule)
        };
        // The newest 32 of 128 came in 10 minutes, so all in 40.
        assert_eq!(setup("128", 32, 600), to(name, 1, "1024"));
        assert_eq!(setup("128", 32, 1_000), []);
        assert_eq!(setup("128", 12, 600), []);
        assert_eq!(setup("10", 10, 600), to(name, 1, "1024"));
        assert_eq!(setup("1000", 32, 600), []);
        assert_eq!(setup("1024", 32, 60), []);
        assert_eq!(setup("0", 2, 600), to(name, 6, "128"));
    }

    #[test]
    fn an_unread_log_is_skipped() {
        let setup = Setup::sound().facts(3, |facts| {
            facts.not_read.push(NotRead {
                probe: Probe::SlowLog,
                why: "NOPERM".into(),
            });
        });
        assert_eq!(setup.skipped("latency.slow-log-length").len(), 1);
        assert_eq!(setup.rule("latency.slow-log-length"), []);
    }

    #[test]
    fn large_replies_are_recorded_where_the_server_can() {
        let rule = "latency.large-log";
        let name = "commandlog-reply-larger-than";
        let off = Setup::sound().config(name, "-1");
        assert_eq!(proposed(&off, rule), to(name, 6, "1048576"));
        assert_eq!(proposed(&Setup::sound(), rule), []);
    }
}
