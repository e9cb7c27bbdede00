//! What a fork costs a node, and how often its save points make it fork. Asked by the rules on save
//! points; pure figures, each with its source.

use std::time::Duration;

use crate::model::words::{bytes, duration, seconds};
use crate::ops::tune::case::{Case, NodeCase};

/// A fork that stops the server for this long is felt (`latency.fork` of check).
const LONG_FORK: Duration = Duration::from_millis(100);
/// A save that writes for this long loads the disk and holds copied pages for most of a save point's
/// interval.
const LONG_SAVE: Duration = Duration::from_secs(60);
/// Copied pages that take more of the free memory than this are a danger (`persistence.cow` of
/// check), in percent.
const MUCH_COPIED: f64 = 50.0;
/// Less copied memory than this is no danger on any machine (as in check), in bytes.
const LITTLE_COPIED: u64 = 100 << 20;
/// Of ten parts of the time, one may be spent on saving.
const SAVE_SHARE: u64 = 10;
/// Of so many parts of the time, one may be spent standing still in a fork: 99.98 % of the commands
/// never meet one.
const FORK_SHARE: u64 = 5_000;
/// However dear it is, a snapshot an hour stays.
const LONGEST_S: u64 = 3_600;

/// What the last fork and the last save took.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// How long the fork stopped the server (`latest_fork_usec`).
    pub fork: Duration,
    /// How long the last snapshot took (`rdb_last_bgsave_time_sec`); `None` when there was none.
    pub save: Option<Duration>,
    /// Memory that was copied meanwhile (`rdb_last_cow_size`), in bytes.
    pub copied: u64,
    /// Memory that the node could still get, in bytes; `None` when unknown.
    pub left: Option<u64>,
}

impl Cost {
    /// What was measured on that node; `None` when it never forked.
    pub fn of(case: &Case, node: &NodeCase) -> Option<Cost> {
        let fork = node.number("latest_fork_usec").filter(|us| *us > 0)?;
        let save = node.number("rdb_last_bgsave_time_sec");
        let host = node.host();
        let limit = (case.options.memory_limit)
            .or(host.and_then(|host| host.limit_bytes))
            .or(host.and_then(|host| host.memory_bytes))
            .or(node.number("total_system_memory"));
        let resident = node.number("used_memory_rss");
        Some(Cost {
            fork: Duration::from_micros(fork),
            save: save.map(Duration::from_secs),
            copied: node.number("rdb_last_cow_size").unwrap_or(0),
            left: (limit.zip(resident)).map(|(limit, used)| limit.saturating_sub(used)),
        })
    }

    /// Whether the copied pages came near to what memory is left.
    pub fn is_short_of_memory(&self) -> bool {
        let share = |left: u64| self.copied as f64 * 100.0 / left.max(1) as f64;
        self.copied >= LITTLE_COPIED && self.left.is_some_and(|left| share(left) > MUCH_COPIED)
    }

    /// Whether it is more than should be paid every minute.
    pub fn is_dear(&self) -> bool {
        self.fork >= LONG_FORK
            || self.save.is_some_and(|save| save >= LONG_SAVE)
            || self.is_short_of_memory()
    }

    /// How far apart saves at such a price should lie, in seconds; at most an hour.
    pub fn interval_s(&self) -> u64 {
        let by_save = self.save.map_or(0, |save| save.as_secs() * SAVE_SHARE);
        let by_fork = (self.fork.as_micros() as u64).saturating_mul(FORK_SHARE) / 1_000_000;
        match self.is_short_of_memory() {
            true => LONGEST_S,
            false => by_save.max(by_fork).min(LONGEST_S),
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        let save = self.save.map_or_else(String::new, |save| {
            format!(", the last save took {}", seconds(save.as_secs_f64()))
        });
        let left = self.left.map_or_else(String::new, |left| {
            format!(" of {} that were left", bytes(left))
        });
        let copied = match self.copied {
            0 => String::new(),
            copied => format!(", copy-on-write {}{left}", bytes(copied)),
        };
        let fork = duration(self.fork);
        format!("the last fork stopped it for {fork}{save}{copied}")
    }
}

/// Save points: seconds and changes. Words out of form are left out.
pub fn points(save: &str) -> Vec<(u64, u64)> {
    let words: Vec<&str> = save.split_ascii_whitespace().collect();
    let point = |pair: &[&str]| Some((pair.first()?.parse().ok()?, pair.get(1)?.parse().ok()?));
    words.chunks(2).filter_map(point).collect()
}

/// Save points as the server writes them.
pub fn written(points: &[(u64, u64)]) -> String {
    let each = points.iter();
    let words: Vec<String> = each
        .map(|(seconds, changes)| format!("{seconds} {changes}"))
        .collect();
    words.join(" ")
}

/// How often that point saves under so many changes a second, in seconds; `None` when never.
pub fn interval_s(point: (u64, u64), changes_per_second: f64) -> Option<f64> {
    let (seconds, changes) = point;
    (changes_per_second > 0.0).then(|| (changes as f64 / changes_per_second).max(seconds as f64))
}

/// Forks in an hour that the save points make together: the one that is due first decides.
pub fn forks_per_hour(points: &[(u64, u64)], changes_per_second: f64) -> f64 {
    let due = points.iter().filter_map(|point| {
        let interval = interval_s(*point, changes_per_second)?;
        (interval > 0.0).then_some(interval)
    });
    due.min_by(f64::total_cmp)
        .map_or(0.0, |least| 3_600.0 / least)
}

/// Changes a second: in the sample, or on average since the last save where that is more, for what
/// changes seldom is missed by a sample. `None` when neither is known.
pub fn changes_per_second(case: &Case, node: &NodeCase) -> Option<f64> {
    let sampled = node.per_second("rdb_changes_since_last_save");
    let since = || {
        let facts = node.facts;
        // The node stamped the save by its own clock.
        let first_ms = case.evidence.survey.taken_at_ms as i64 + facts.clock_ahead_ms.unwrap_or(0);
        let now_s = (first_ms + facts.sample_ms as i64) / 1_000;
        let age = now_s - node.number("rdb_last_save_time")? as i64;
        let changes = node.number("rdb_changes_since_last_save")?;
        (age > 0).then(|| changes as f64 / age as f64)
    };
    sampled.into_iter().chain(since()).max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_that_is_due_first_decides_how_often_forks_come() {
        let save = points("3600 1 300 100 60 10000");
        assert_eq!(written(&save), "3600 1 300 100 60 10000");
        for (rate, forks) in [(0.0, 0.0), (0.001, 1.0), (1.0, 12.0), (200.0, 60.0)] {
            assert_eq!(forks_per_hour(&save, rate), forks, "{rate} changes/s");
        }
        assert_eq!(forks_per_hour(&[], 200.0), 0.0);
    }

    #[test]
    fn the_dearer_the_farther_apart() {
        let cost = |fork_ms, save_s, copied: u64| Cost {
            fork: Duration::from_millis(fork_ms),
            save: Some(Duration::from_secs(save_s)),
            copied,
            left: Some(1 << 30),
        };
        for (cost, is_dear, apart) in [
            (cost(10, 5, 0), false, 50),
            (cost(120, 5, 0), true, 600),
            (cost(10, 90, 0), true, 900),
            (cost(2_000, 5, 0), true, 3_600),
            (cost(10, 5, 600 << 20), true, 3_600),
        ] {
            assert_eq!((cost.is_dear(), cost.interval_s()), (is_dear, apart));
        }
    }
}
