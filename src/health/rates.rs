//! Rates over the two samples of a survey. The rules and the tables of the report both ask here, so
//! that each formula stands once.
//!
//! The error counters exist from server 6.2 on; without them, or without a second sample, the answer
//! is `None`, never 0.

use crate::model::{Facts, Info};

/// Fewer operations than this in the interval give no percentage.
pub const ENOUGH: u64 = 100;

/// Commands by which servers and checkers look after themselves; no client's work.
const HOUSEKEEPING: &[&str] = &[
    "ping", "info", "replconf", "psync", "hello", "auth", "time", "select", "wait",
];
/// The same, with subcommands (`cmdstat_cluster|nodes`; servers before 7.0 list only the word).
const HOUSEKEEPING_FAMILIES: &[&str] = &[
    "cluster", "config", "client", "slowlog", "latency", "acl", "module", "memory", "command",
];

/// Error replies that belong to the normal course of well-made clients.
const BENIGN: &[&str] = &["NOSCRIPT", "BUSYGROUP"];

/// What happened on some nodes between the samples.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations asked for: run or refused, housekeeping left out.
    pub operations: u64,
    /// Error replies, redirections and benign ones left out.
    pub failed: u64,
    /// MOVED and ASK replies.
    pub redirected: u64,
}

/// Commands a second over the sample, housekeeping left out. On a replica this counts the stream
/// of its master as well.
pub fn operations_per_second(facts: &Facts) -> Option<f64> {
    let run = facts
        .growth("total_commands_processed")?
        .saturating_sub(housekeeping(facts));
    per_second(facts, run)
}

/// Bytes a second that a master writes to its replication stream.
pub fn written_per_second(facts: &Facts) -> Option<f64> {
    per_second(facts, facts.growth("master_repl_offset")?)
}

/// A growth over the sample as a rate.
pub fn per_second(facts: &Facts, growth: u64) -> Option<f64> {
    (facts.sample_ms > 0).then(|| growth as f64 * 1000.0 / facts.sample_ms as f64)
}

/// Seconds that the main thread used over the sample, negative after a restart; `None` where the
/// server does not tell (before 6.2) and without a second sample.
pub fn main_thread_seconds(facts: &Facts) -> Option<f64> {
    let fields = ["used_cpu_sys_main_thread", "used_cpu_user_main_thread"];
    spent(facts, &fields)
}

/// The same of the whole process, its other threads too.
pub fn process_seconds(facts: &Facts) -> Option<f64> {
    spent(facts, &["used_cpu_sys", "used_cpu_user"])
}

fn spent(facts: &Facts, fields: &[&str]) -> Option<f64> {
    let sum = |info: &Info| -> Option<f64> { fields.iter().map(|name| info.float(name)).sum() };
    Some(sum(facts.later.as_ref()?)? - sum(&facts.info)?)
}

/// Failed operations of those nodes, in percent of their operations; `None` when nothing is known
/// or there were fewer than [`ENOUGH`] operations. Give it masters: a replica's counters are
/// thinned by the stream of its master.
pub fn failed_percent<'a>(nodes: impl IntoIterator<Item = &'a Facts>) -> Option<f64> {
    let tally = tally(nodes)?;
    percent(tally.failed, tally.operations)
}

/// Redirections (MOVED and ASK) of those nodes, in percent of their operations; `None` as in
/// [`failed_percent`].
pub fn redirected_percent<'a>(nodes: impl IntoIterator<Item = &'a Facts>) -> Option<f64> {
    let tally = tally(nodes)?;
    percent(tally.redirected, tally.operations)
}

/// The sums over those nodes; nodes whose counters are not known are left out, and `None` means
/// that all were.
pub fn tally<'a>(nodes: impl IntoIterator<Item = &'a Facts>) -> Option<Tally> {
    nodes.into_iter().filter_map(tally_of).reduce(|a, b| Tally {
        operations: a.operations + b.operations,
        failed: a.failed + b.failed,
        redirected: a.redirected + b.redirected,
    })
}

/// How often that error was answered between the samples (`errorstat_MOVED` and the like).
pub fn errors(facts: &Facts, kind: &str) -> Option<u64> {
    grown_field(facts, &format!("errorstat_{kind}"), "count")
}

/// The growth of one field of exactly that name (BUSY is no BUSYGROUP); one that was not there at
/// first counts from 0.
fn grown_field(facts: &Facts, name: &str, field: &str) -> Option<u64> {
    let later = facts.later.as_ref().filter(|_| !facts.has_restarted())?;
    let read = |info: &Info| match info.field(name, field) {
        Some(text) => text.parse::<u64>().ok(),
        None => Some(0),
    };
    read(later)?.checked_sub(read(&facts.info)?)
}

fn tally_of(facts: &Facts) -> Option<Tally> {
    let run = facts.growth("total_commands_processed")?;
    let refused = facts.growth_of_sum("cmdstat_", "rejected_calls")?;
    let replies = facts.growth("total_error_replies")?;
    let redirected = errors(facts, "MOVED")? + errors(facts, "ASK")?;
    let benign: u64 = BENIGN.iter().filter_map(|kind| errors(facts, kind)).sum();
    Some(Tally {
        // What was refused never counts as processed, so the two add up to what was asked for.
        operations: (run + refused).saturating_sub(housekeeping(facts)),
        failed: replies.saturating_sub(redirected + benign),
        redirected,
    })
}

/// Calls between the samples that were no client's work.
fn housekeeping(facts: &Facts) -> u64 {
    let plain = HOUSEKEEPING.iter().chain(HOUSEKEEPING_FAMILIES);
    let single: u64 = plain
        .filter_map(|name| grown_field(facts, &format!("cmdstat_{name}"), "calls"))
        .sum();
    let families: u64 = HOUSEKEEPING_FAMILIES
        .iter()
        .filter_map(|name| facts.growth_of_sum(&format!("cmdstat_{name}|"), "calls"))
        .sum();
    single + families
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole >= ENOUGH).then(|| part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(before: &str, after: &str) -> Facts {
        Facts {
            info: Info::parse(before),
            later: Some(Info::parse(after)),
            sample_ms: 2_000,
            ..Facts::default()
        }
    }

    #[test]
    fn failures_are_what_is_neither_redirected_nor_benign() {
        let facts = facts(
            "run_id:a\ntotal_commands_processed:1000\ntotal_error_replies:10\nerrorstat_MOVED:count=10\n",
            "run_id:a\ntotal_commands_processed:1950\ntotal_error_replies:110\nerrorstat_MOVED:count=50\n\
             errorstat_OOM:count=50\nerrorstat_NOSCRIPT:count=10\n\
             cmdstat_set:calls=950,usec=1,rejected_calls=90,failed_calls=0\n\
             cmdstat_ping:calls=30,usec=1,rejected_calls=0,failed_calls=0\n\
             cmdstat_cluster|nodes:calls=10,usec=1,rejected_calls=0,failed_calls=0\n",
        );
        let tally = tally([&facts]).unwrap();
        assert_eq!(
            (tally.operations, tally.failed, tally.redirected),
            (1000, 50, 40)
        );
        assert_eq!(failed_percent([&facts, &facts]), Some(5.0));
        assert_eq!(redirected_percent([&facts]), Some(4.0));
        assert_eq!(operations_per_second(&facts), Some(455.0));
    }

    #[test]
    fn what_is_not_known_is_none_and_never_zero() {
        let one = Facts {
            info: Info::parse("run_id:a\ntotal_commands_processed:1000\n"),
            ..Facts::default()
        };
        assert_eq!(failed_percent([&one]), None);
        assert_eq!(operations_per_second(&one), None);
        let few = facts(
            "run_id:a\ntotal_commands_processed:0\ntotal_error_replies:0\n",
            "run_id:a\ntotal_commands_processed:99\ntotal_error_replies:50\n",
        );
        assert_eq!(failed_percent([&few]), None);
        let restarted = facts(
            "run_id:a\ntotal_commands_processed:0\ntotal_error_replies:0\n",
            "run_id:b\ntotal_commands_processed:999\ntotal_error_replies:50\n",
        );
        assert_eq!(tally([&restarted]), None);
    }
}
