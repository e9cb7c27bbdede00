//! Threads that read from and write to clients, so that the main thread can run commands.

use std::time::Duration;

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Change, Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes};
use super::{main_thread_percent, own_cores};
use crate::health::rates;
use crate::model::words::{count, duration};
use crate::model::{Severity, Version};

pub(super) const UP: Rule = Rule {
    id: "cpu.io-threads",
    title: "threads that talk to clients",
    parameters: &["io-threads"],
    kind: Kind::Setting,
    why: "One thread runs all commands. Where it spends most of its time on reading requests and writing replies, other threads can do that for it. Where the commands themselves take the time, threads do not help: fewer or cheaper commands do, or more shards.",
    how: "on nodes with 4 cores or more of their own whose main thread is above 70 % of a core and spends less than 60 % of that on commands: 2 with 4 or 5 cores, 4 with 6 or 7, two fewer than the cores from 8 on, 8 at the most. The number counts the main thread. Cores are shared out among the nodes of a machine; a control group's quota counts.",
    cost: "the threads spin while there is work, so the process shows more CPU than it uses; one restart of each node on Redis, none on Valkey from 9.0 on",
    risk: Risk::Medium,
    source: "INFO cpu: main thread over two samples; INFO commandstats: usec over the same; redis.conf and valkey.conf on io-threads; more threads than cores were measured slower than none (valkey#3400)",
    judge: up,
};

pub(super) const DOWN: Rule = Rule {
    id: "cpu.io-threads-fewer",
    title: "more threads than the machine has cores for them",
    parameters: &["io-threads"],
    kind: Kind::Setting,
    why: "Threads that wait for each other on too few cores make every request slower than one thread alone; under a quota they use it up spinning and the whole process is stopped until the next period.",
    how: "what the cores allow, where io-threads is above the node's share of cores or its control group was throttled in more than 1 % of its periods; 1 where a node that has been up for a day has used less than 10 % of a core since, and less than 30 % in the sample",
    cost: "less to spare for a rush of traffic; one restart of each node on Redis, none on Valkey from 9.0 on",
    risk: Risk::Low,
    source: "CONFIG io-threads; cores, quota and throttling of the machine or container; INFO cpu",
    judge: down,
};

pub(super) const READS: Rule = Rule {
    id: "cpu.io-threads-reads",
    title: "threads that only write",
    parameters: &["io-threads-do-reads"],
    kind: Kind::Setting,
    why: "In Redis 6 and 7 io-threads only write replies unless they are told to read requests as well; reading and parsing then stay with the main thread. Later servers, and Valkey from 8.0 on, always do both.",
    how: "yes where io-threads is above 1 on Redis 6 or 7",
    cost: "one restart of each node",
    risk: Risk::Low,
    source: "CONFIG io-threads-do-reads; redis.conf of 7.0 and 8.0",
    judge: reads,
};

/// Above this the main thread is near its end.
const BUSY: f64 = 70.0;
/// Where check warns (`latency.cpu`).
const WARNS: f64 = 80.0;
/// With more of its time than this in commands, threads do not help.
const MOSTLY_COMMANDS: f64 = 60.0;
/// More threads than these help little (redis.conf).
const MOST: u64 = 8;
/// The share of throttled periods that is felt, in percent.
const THROTTLED: f64 = 1.0;

/// How many threads go with so many cores; the main thread is one of them. One core is left for
/// forks, one for the kernel's network work.
fn threads_for(cores: f64) -> u64 {
    match cores as u64 {
        0..=3 => 1,
        4..=5 => 2,
        6..=7 => 4,
        cores => (cores - 2).min(MOST),
    }
}

/// How much of the main thread's time commands took over the sample, in percent.
fn command_percent(node: &NodeCase) -> Option<f64> {
    let commands_us = node.facts.growth_of_sum("cmdstat_", "usec")?;
    let main = rates::main_thread_seconds(node.facts).filter(|main| *main > 0.0)?;
    node.info().with_prefix("cmdstat_").next()?;
    Some((commands_us as f64 / main / 10_000.0).min(100.0))
}

fn up(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut evidence = Vec::new();
    let mut severity = Severity::Info;
    let mut shares = Vec::new();
    for node in &case.nodes {
        match need(case, node) {
            Need::None => {}
            Need::Unknown(why) => opinions.push(Opinion::skip(node, why)),
            Need::Threads { busy, told } => {
                if busy > WARNS {
                    severity = Severity::Warning;
                }
                evidence.push(told);
                shares.push(busy);
            }
        }
    }
    let busiest = shares.into_iter().max_by(f64::total_cmp);
    let Some(busiest) = busiest else {
        return opinions;
    };
    let why =
        format!("the main thread uses {busiest:.0} % of a core, most of it on reading and writing");
    let changes = threads_everywhere(case);
    opinions.extend(Opinion::set(severity, "io-threads", changes, why, evidence));
    opinions
}

enum Need {
    None,
    Unknown(String),
    Threads { busy: f64, told: String },
}

fn need(case: &Case, node: &NodeCase) -> Need {
    let Some(busy) = main_thread_percent(node) else {
        return Need::Unknown("two samples of INFO are needed (--sample 60s)".to_owned());
    };
    // With threads at work the figure includes their waiting and says nothing.
    if busy <= BUSY || node.setting_number("io-threads") != Some(1) {
        return Need::None;
    }
    let Some(commands) = command_percent(node) else {
        return Need::Unknown("INFO commandstats was not read".to_owned());
    };
    let Some(cores) = own_cores(case, node) else {
        let why = node.why_not_seen("host");
        return Need::Unknown(format!("the cores of its machine are not known: {why}"));
    };
    if commands >= MOSTLY_COMMANDS || threads_for(cores) == 1 {
        return Need::None;
    }
    let told = format!(
        "{}: main thread at {busy:.0} % of a core, {commands:.0} % of that in commands; {cores:.1} cores of its own",
        node.addr
    );
    Need::Threads { busy, told }
}

/// The same number on every node whose cores are known: what the fewest of them allow.
fn threads_everywhere(case: &Case) -> Vec<Change> {
    let known: Vec<_> = (case.nodes.iter())
        .filter_map(|node| Some((node, threads_for(own_cores(case, node)?))))
        .collect();
    let allowed = known.iter().map(|(_, threads)| *threads);
    let Some(threads) = allowed.filter(|threads| *threads > 1).min() else {
        return Vec::new();
    };
    let able = (known.into_iter()).filter(|(node, allowed)| {
        *allowed >= threads && node.setting_number("io-threads") == Some(1)
    });
    changes(
        "io-threads",
        able.map(|(node, _)| (node, threads.to_string())),
    )
}

fn down(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let (mut crowded, mut told) = (Vec::new(), Vec::new());
    let (mut idle, mut seen) = (Vec::new(), Vec::new());
    for node in &case.nodes {
        let Some(threads) = node.setting_number("io-threads").filter(|n| *n > 1) else {
            continue;
        };
        if let Some((allowed, why)) = crowding(case, node, threads) {
            crowded.push((node, allowed.to_string()));
            told.push(why);
        } else if let Some(why) = idling(node) {
            idle.push((node, "1".to_owned()));
            seen.push(why);
        } else if node.host().is_none() {
            let why = node.why_not_seen("host");
            let why = format!("the cores of its machine are not known: {why}");
            opinions.push(Opinion::skip(node, why));
        }
    }
    let set = |severity, wanted, why: &str, evidence| {
        Opinion::set(
            severity,
            "io-threads",
            changes("io-threads", wanted),
            why,
            evidence,
        )
    };
    let why = "its threads have too few cores and wait for each other";
    opinions.extend(set(Severity::Warning, crowded, why, told));
    let why = "one thread does all that is asked of it";
    opinions.extend(set(Severity::Info, idle, why, seen));
    opinions
}

fn crowding(case: &Case, node: &NodeCase, threads: u64) -> Option<(u64, String)> {
    let cores = own_cores(case, node)?;
    let allowed = threads_for(cores);
    let throttled = (node.host()?.throttled).filter(|(_, periods)| *periods > 0);
    let throttled = throttled.map_or(0.0, |(some, all)| some as f64 * 100.0 / all as f64);
    let is_crowded = threads as f64 > cores || throttled > THROTTLED;
    let told = format!(
        "{}: {threads} threads on {cores:.1} cores of its own, throttled in {throttled:.1} % of the periods",
        node.addr
    );
    (is_crowded && allowed < threads).then_some((allowed, told))
}

fn idling(node: &NodeCase) -> Option<String> {
    const A_DAY: Duration = Duration::from_secs(86_400);
    let now = main_thread_percent(node)?;
    let uptime = node.uptime().filter(|uptime| *uptime >= A_DAY)?;
    let spent = node.float("used_cpu_sys")? + node.float("used_cpu_user")?;
    let since = spent * 100.0 / uptime.as_secs_f64();
    (now < 30.0 && since < 10.0).then(|| {
        format!(
            "{}: {now:.1} % of a core in the sample, {since:.1} % in the {} since it started",
            node.addr,
            duration(uptime)
        )
    })
}

fn reads(case: &Case) -> Vec<Opinion> {
    let is_old = |node: &NodeCase| node.version() < Version(8, 0, 0);
    let writing = case.nodes.iter().filter(|node| {
        is_old(node)
            && node.setting_number("io-threads") > Some(1)
            && node.is_on("io-threads-do-reads") == Some(false)
    });
    let changes = changes(
        "io-threads-do-reads",
        writing.map(|node| (node, "yes".to_owned())),
    );
    let evidence = changes.iter().map(|change| {
        let node = case.nodes.iter().find(|node| *node.addr == change.addr);
        let threads = node.and_then(|node| node.setting_number("io-threads"));
        format!(
            "{}: io-threads {}",
            change.addr,
            count(threads.unwrap_or(0))
        )
    });
    let evidence = evidence.collect();
    Opinion::set(
        Severity::Info,
        "io-threads-do-reads",
        changes,
        "the threads write replies but do not read requests",
        evidence,
    )
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HostSeen;
    use crate::ops::tune::Takes;
    use crate::ops::tune::testing::Setup;

    fn cores(cores: f64) -> HostSeen {
        HostSeen {
            cores: Some(cores),
            ..HostSeen::default()
        }
    }

    /// Node 1's main thread is so busy, and so much of that is commands.
    fn busy(percent: f64, commands: f64) -> Setup {
        let spent = percent * 0.6;
        let usec = (spent * commands * 10_000.0) as u64;
        Setup::sound()
            .info("cmdstat_get:calls=0,usec=0,usec_per_call=0")
            .later_of(1, &format!("used_cpu_user_main_thread:{}", 1.0 + spent))
            .later_of(1, &format!("cmdstat_get:calls=9,usec={usec}"))
    }

    #[test]
    fn threads_come_where_talking_takes_the_time() {
        for (percent, commands, own, wanted) in [
            (85.0, 30.0, 8.0, Some(("6", Severity::Warning))),
            (75.0, 30.0, 4.0, Some(("2", Severity::Info))),
            (75.0, 30.0, 64.0, Some(("8", Severity::Info))),
            (85.0, 80.0, 8.0, None),
            (60.0, 30.0, 8.0, None),
            (85.0, 30.0, 2.0, None),
        ] {
            let advice = busy(percent, commands)
                .hosts(&cores(own))
                .rule("cpu.io-threads");
            let found = advice.first().map(|one| {
                assert_eq!((one.changes.len(), one.takes), (6, Takes::Restart));
                (one.changes[0].proposed.as_str(), one.severity)
            });
            assert_eq!(found, wanted, "{percent} {commands} {own}");
        }
    }

    #[test]
    fn valkey_takes_threads_at_once() {
        let setup = busy(85.0, 30.0)
            .hosts(&cores(8.0))
            .info("valkey_version:9.1.0");
        assert_eq!(setup.rule("cpu.io-threads")[0].takes, Takes::Online);
    }

    #[test]
    fn cores_that_cannot_be_seen_are_not_guessed() {
        let setup = busy(85.0, 30.0);
        assert_eq!(setup.rule("cpu.io-threads"), []);
        assert_eq!(setup.skipped("cpu.io-threads").len(), 1);
        let at_work = busy(85.0, 30.0).config("io-threads", "4");
        assert_eq!(at_work.rule("cpu.io-threads"), []);
        assert_eq!(at_work.skipped("cpu.io-threads-fewer").len(), 6);
    }

    #[test]
    fn threads_go_where_cores_are_missing() {
        let advice = |present: &str, host: &HostSeen| {
            let setup = Setup::sound().config("io-threads", present).hosts(host);
            let advice = setup.rule("cpu.io-threads-fewer");
            let first = advice.first();
            first.map(|one| (one.changes[0].proposed.clone(), one.severity))
        };
        let to = |threads: &str| Some((threads.to_owned(), Severity::Warning));
        assert_eq!(advice("4", &cores(2.0)), to("1"));
        assert_eq!(advice("8", &cores(6.0)), to("4"));
        assert_eq!(advice("6", &cores(8.0)), None);
        assert_eq!(advice("1", &cores(1.0)), None);
        let throttled = |some| HostSeen {
            throttled: Some((some, 1_000)),
            ..cores(4.0)
        };
        assert_eq!(advice("3", &throttled(50)), to("2"));
        assert_eq!(advice("3", &throttled(5)), None);
    }

    #[test]
    fn an_idle_day_needs_one_thread() {
        let setup = |uptime: u64| {
            Setup::sound()
                .config("io-threads", "4")
                .hosts(&cores(8.0))
                .info(&format!(
                    "uptime_in_seconds:{uptime}\nused_cpu_sys:500\nused_cpu_user:500"
                ))
        };
        let advice = setup(100_000).rule("cpu.io-threads-fewer");
        assert_eq!(advice[0].changes[0].proposed, "1");
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(setup(50_000).rule("cpu.io-threads-fewer"), []);
    }

    #[test]
    fn old_threads_are_told_to_read() {
        let setup = |version: &str| {
            Setup::sound()
                .config("io-threads", "4")
                .info(&format!("redis_version:{version}"))
                .rule("cpu.io-threads-reads")
        };
        assert_eq!(setup("7.0.15")[0].changes[0].proposed, "yes");
        assert_eq!(setup("8.2.1"), []);
        assert_eq!(Setup::sound().rule("cpu.io-threads-reads"), []);
    }
}
