//! Rules about time: round trips, slow commands, stalls, CPU and clocks; and the percentile that
//! the tables show.

use std::collections::BTreeMap;

use crate::model::words::{listed, seconds};
use crate::model::{Probe, Reply, Severity};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above};
use super::notes::Notes;
use super::rates;

const PING: CodeDoc = CodeDoc {
    code: "latency.ping",
    title: "answers slowly now and then",
    limit: above(10.0, Some(100.0), Unit::Milliseconds),
    why: "In a burst of PINGs on a warm connection more than one in twenty took so much longer than the fastest. The fastest is the way there and back; what comes on top is the server being busy or the network holding packets. Distance alone is no fault.",
    remedy: "Look for slow commands and stalls on the node, and for CPU throttling or steal on its machine.",
    source: "round trips of PING from this machine: the 95th percentile less the minimum",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const SLOW: CodeDoc = CodeDoc {
    code: "latency.slow_commands",
    title: "commands that stop everybody else",
    limit: above(100.0, Some(1_000.0), Unit::Milliseconds),
    why: "The server runs one command at a time, so while one takes this long all clients of the node wait. Judged are the last ten minutes of the slow log. Longer than cluster-node-timeout, it gets the node failed over.",
    remedy: "Replace the command by one in pieces (SCAN for KEYS, HSCAN for HGETALL, UNLINK for DEL).",
    source: "SLOWLOG GET",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const STALLS: CodeDoc = CodeDoc {
    code: "latency.stalls",
    title: "the server stood still",
    limit: above(50.0, None, Unit::Milliseconds),
    why: "The server's own latency monitor saw it stand still within the last ten minutes: for the disk, a fork, expiry, eviction. A stall longer than a quarter of cluster-node-timeout is critical, for it is on the way to a false failover.",
    remedy: "LATENCY DOCTOR on the node names the usual remedy for each event.",
    source: "LATENCY LATEST (needs latency-monitor-threshold above 0)",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const FORK: CodeDoc = CodeDoc {
    code: "latency.fork",
    title: "forking takes long",
    limit: above(100.0, Some(1_000.0), Unit::Milliseconds),
    why: "During the fork for a snapshot, an AOF rewrite or a full sync the server stands still. The time grows with the size of the data set and with transparent huge pages.",
    remedy: "Smaller shards, transparent huge pages off, or machines that fork faster.",
    source: "INFO stats: latest_fork_usec",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CPU: CodeDoc = CodeDoc {
    code: "latency.cpu",
    title: "the main thread is busy",
    limit: above(80.0, None, Unit::Percent),
    why: "The thread that runs all commands has used most of a core during the sample. Above that, latency climbs steeply. With io-threads the figure includes busy waiting and says less.",
    remedy: "Add masters and move slots to them, or find the commands that cost most (INFO commandstats).",
    source: "INFO cpu: used_cpu_sys_main_thread and used_cpu_user_main_thread over two samples (6.2 and later)",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CLOCK: CodeDoc = CodeDoc {
    code: "latency.clock_skew",
    title: "its clock differs from the other nodes'",
    limit: above(500.0, Some(5_000.0), Unit::Milliseconds),
    why: "Expiry times are absolute, so after a failover to a node whose clock is off keys expire too early or too late; and gossip about pong times tolerates only half a second. Measured against the median of the nodes, not against this machine.",
    remedy: "Let all machines follow the same time servers (chrony, ntp).",
    source: "TIME of each node, half a round trip taken off",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const REPLICATION: CodeDoc = CodeDoc {
    code: "latency.replication",
    title: "replicas acknowledge slowly",
    limit: above(50.0, Some(1_000.0), Unit::Milliseconds),
    why: "A canary write took so long to be acknowledged by the replicas (WAIT), the way to the master taken off. Whatever was written in that time would be lost with the master.",
    remedy: "Look at the network between master and replica and at the replica's load.",
    source: "SET and WAIT on a key of goodcache's own (--canary)",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CANARY: CodeDoc = CodeDoc {
    code: "canary.refused",
    title: "a write was refused",
    severity: Severity::Critical,
    why: "The canary, a short-lived key of goodcache's own, could not be written to the shard. What refuses it refuses clients as well.",
    remedy: "The error's first word names the cause: MISCONF the disk, OOM the memory, READONLY the role, NOREPLICAS the replicas, CLUSTERDOWN the cluster, NOPERM the ACL.",
    source: "the server's reply to SET (--canary)",
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "latency",
    codes: &[
        &PING,
        &SLOW,
        &STALLS,
        &FORK,
        &CPU,
        &CLOCK,
        &REPLICATION,
        &CANARY,
    ],
    judge,
};

/// How far back slow commands and stalls count.
const RECENT_S: u64 = 600;

/// The value below which that share (0 to 100) of the sample lies, by the nearest rank; `None` for
/// an empty sample. The order of the sample does not matter.
pub fn percentile(sample: &[u64], share: f64) -> Option<u64> {
    let mut sorted = sample.to_vec();
    sorted.sort_unstable();
    let rank = (share.clamp(0.0, 100.0) / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

fn judge(case: &Case, notes: &mut Notes) {
    for asked in notes.with(Probe::Pings, &[&PING], case.asked()) {
        pings(case, notes, &asked);
    }
    for asked in notes.with(Probe::SlowLog, &[&SLOW], case.asked()) {
        slow_commands(case, notes, &asked);
    }
    for asked in notes.with(Probe::Latency, &[&STALLS], case.asked()) {
        stalls(case, notes, &asked);
    }
    for asked in notes.with(Probe::Info, &[&FORK], case.asked()) {
        fork(case, notes, &asked);
    }
    for asked in case.asked() {
        canary(case, notes, &asked);
    }
    for asked in notes.with(Probe::Sample, &[&CPU], case.asked()) {
        cpu(case, notes, &asked);
    }
    clocks(case, notes);
}

fn pings(case: &Case, notes: &mut Notes, asked: &Asked) {
    let sample = &asked.facts.pings_us;
    let at = |share| percentile(sample, share).unwrap_or(0) as f64 / 1000.0;
    let (min, high) = (at(0.0), at(95.0));
    if let Some(severity) = notes.grade(&PING, high - min) {
        notes.find_at(
            &PING,
            severity,
            asked.subject(),
            format!("answers PING in {min:.1} ms at best, but in {high:.1} ms often"),
            format!(
                "{} PINGs: min {min:.2} ms, p50 {:.2} ms, p95 {high:.2} ms, max {:.2} ms",
                sample.len(),
                at(50.0),
                at(100.0)
            ),
            case.cli(&asked.report.addr, "--latency-history"),
        );
    }
}

/// Now by the node's clock, in seconds.
fn node_now_s(case: &Case, asked: &Asked) -> u64 {
    let now = case.survey.taken_at_ms as i64 + asked.facts.clock_ahead_ms.unwrap_or(0);
    (now / 1000).max(0) as u64
}

fn slow_commands(case: &Case, notes: &mut Notes, asked: &Asked) {
    let since = node_now_s(case, asked).saturating_sub(RECENT_S);
    let recent: Vec<_> = asked
        .facts
        .slow
        .iter()
        .filter(|entry| entry.at_s >= since)
        .collect();
    let Some(slowest) = recent.iter().map(|entry| entry.took_us).max() else {
        return;
    };
    let slowest = slowest as f64 / 1000.0;
    let Some(severity) = notes.grade(&SLOW, slowest) else {
        return;
    };
    let mut commands: BTreeMap<&str, (usize, u64)> = BTreeMap::new();
    for entry in &recent {
        let seen = commands.entry(&entry.command).or_default();
        *seen = (seen.0 + 1, seen.1.max(entry.took_us));
    }
    let mut commands: Vec<_> = commands.into_iter().collect();
    commands.sort_by_key(|(_, (_, took))| std::cmp::Reverse(*took));
    let told = commands
        .iter()
        .map(|(name, (times, took))| format!("{name} {times} times, up to {} ms", took / 1000));
    notes.find_at(
        &SLOW,
        severity,
        asked.subject(),
        format!("a command took {slowest:.0} ms, and all clients waited"),
        format!("SLOWLOG of the last 10 minutes: {}", listed(told, 3)),
        case.cli(&asked.report.addr, "slowlog get 10"),
    );
}

fn stalls(case: &Case, notes: &mut Notes, asked: &Asked) {
    if asked.facts.setting("latency-monitor-threshold") == Some("0") {
        notes.skip(
            &STALLS,
            asked.subject(),
            "the server keeps no record (latency-monitor-threshold is 0)",
        );
        return;
    }
    let since = node_now_s(case, asked).saturating_sub(RECENT_S);
    let recent = asked
        .facts
        .stalls
        .iter()
        .filter(|stall| stall.at_s >= since);
    let Some(longest) = recent.max_by_key(|stall| stall.latest_ms) else {
        return;
    };
    let quarter = asked.node_timeout_ms() / 4;
    let severity = match notes.grade(&STALLS, longest.latest_ms as f64) {
        None => return,
        Some(_) if longest.latest_ms > quarter => Severity::Critical,
        Some(severity) => severity,
    };
    notes.find_at(
        &STALLS,
        severity,
        asked.subject(),
        format!("stood still for {} ms ({})", longest.latest_ms, longest.event),
        format!("LATENCY LATEST: {} latest {} ms, max {} ms; a quarter of the node timeout is {quarter} ms", longest.event, longest.latest_ms, longest.max_ms),
        case.cli(&asked.report.addr, "latency doctor"),
    );
}

fn fork(case: &Case, notes: &mut Notes, asked: &Asked) {
    let Some(took) = asked.facts.info.number("latest_fork_usec") else {
        return;
    };
    let took = took as f64 / 1000.0;
    if let Some(severity) = notes.grade(&FORK, took) {
        notes.find_at(
            &FORK,
            severity,
            asked.subject(),
            format!("its last fork took {took:.0} ms"),
            format!("INFO stats: latest_fork_usec, {took:.0} ms"),
            case.cli(&asked.report.addr, "info stats"),
        );
    }
}

fn cpu(case: &Case, notes: &mut Notes, asked: &Asked) {
    let facts = asked.facts;
    let Some(spent) = rates::main_thread_seconds(facts) else {
        notes.skip(
            &CPU,
            asked.subject(),
            "the server does not report the main thread's CPU (before 6.2)",
        );
        return;
    };
    // Less than half a second of sample is too coarse for the kernel's accounting.
    if facts.sample_ms < 500 || spent < 0.0 {
        return;
    }
    let share = spent * 100_000.0 / facts.sample_ms as f64;
    if let Some(severity) = notes.grade(&CPU, share) {
        notes.find_at(
            &CPU,
            severity,
            asked.subject(),
            format!("its main thread uses {share:.0} % of a core"),
            format!("INFO cpu: {spent:.2} s of CPU in {} ms", facts.sample_ms),
            case.cli(&asked.report.addr, "info commandstats"),
        );
    }
}

fn clocks(case: &Case, notes: &mut Notes) {
    let read = notes.with(Probe::Clock, &[&CLOCK], case.asked());
    let mut ahead: Vec<i64> = read
        .iter()
        .filter_map(|asked| asked.facts.clock_ahead_ms)
        .collect();
    ahead.sort_unstable();
    let Some(&median) = ahead.get(ahead.len() / 2) else {
        return;
    };
    for asked in read {
        let off = asked.facts.clock_ahead_ms.unwrap_or(median) - median;
        if let Some(severity) = notes.grade(&CLOCK, off.unsigned_abs() as f64) {
            let way = if off > 0 { "ahead of" } else { "behind" };
            notes.find_at(
                &CLOCK,
                severity,
                asked.subject(),
                format!(
                    "its clock is {} {way} the other nodes'",
                    seconds(off.unsigned_abs() as f64 / 1000.0)
                ),
                format!("TIME: {off} ms off the median of {} nodes", ahead.len()),
                format!("on {}: chronyc tracking", asked.report.addr.host),
            );
        }
    }
}

fn canary(case: &Case, notes: &mut Notes, asked: &Asked) {
    let look = case.cli(&asked.report.addr, "info replication");
    match &asked.facts.canary {
        None => {
            if let Some(why) = asked.unread(Probe::Canary) {
                notes.skip(&REPLICATION, asked.subject(), why.clone());
                notes.skip(&CANARY, asked.subject(), why);
            }
        }
        Some(Reply::Refused(words)) => notes.find(
            &CANARY,
            asked.subject(),
            "refused a write",
            format!("SET of a canary: {words}"),
            look,
        ),
        Some(Reply::Acknowledged {
            replicas: 0,
            took_us,
        }) => notes.find(
            &REPLICATION,
            asked.subject(),
            "no replica acknowledged a write",
            format!(
                "WAIT after a canary: 0 replicas within {} ms",
                took_us / 1000
            ),
            look,
        ),
        Some(Reply::Acknowledged { replicas, took_us }) => {
            let took = *took_us as f64 / 1000.0;
            if let Some(severity) = notes.grade(&REPLICATION, took) {
                notes.find_at(
                    &REPLICATION,
                    severity,
                    asked.subject(),
                    format!("its replicas took {took:.0} ms to acknowledge a write"),
                    format!("WAIT after a canary: {replicas} replicas, {took:.1} ms beyond the fastest PING"),
                    look,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_nearest_rank() {
        let sample = [5, 1, 4, 2, 3];
        for (share, value) in [
            (0.0, 1),
            (50.0, 3),
            (95.0, 5),
            (100.0, 5),
            (20.0, 1),
            (21.0, 2),
        ] {
            assert_eq!(percentile(&sample, share), Some(value), "{share}");
        }
        assert_eq!(percentile(&[], 50.0), None);
        // One outlier in twenty is not what the rule is about.
        let mut burst = [100; 20];
        burst[7] = 90_000;
        assert_eq!(percentile(&burst, 95.0), Some(100));
    }
}
