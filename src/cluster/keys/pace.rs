//! What the sample costs the server, by the server's own count, and the rests that keep it small.
//!
//! COMMANDSTATS counts what every client does. So of each command as much of its time is ours as of its
//! calls. Time on the wire is not in it, nor is the parsing; rests are reckoned for half a percent of
//! a core, so that both fit into the one percent that is promised.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::cluster::node::{Command, Node};
use crate::cluster::replies::read_info;
use crate::model::Info;

/// For each microsecond of its time the server gets so many in which nothing is asked of it.
const REST: u32 = 200;
/// Half of that at the very end, where the sample was too small for rests in between.
const LAST_REST: u32 = 110;
/// What one question costs until the server has told, in microseconds: more than most do.
const GUESS_US: f64 = 4.0;
/// The longest rest. A server that is so slow is asked less, not slower: the time ends.
const LONGEST_REST: Duration = Duration::from_millis(500);

pub(super) struct Pace {
    begun: Instant,
    ends: Instant,
    before: Info,
    /// Questions by command, as COMMANDSTATS names them.
    asked: BTreeMap<&'static str, u64>,
    /// Questions since the last rest.
    unrested: u64,
    question_us: f64,
    spent_us: Option<u64>,
    flights: u32,
}

impl Pace {
    /// `before` is COMMANDSTATS when nothing had been asked; empty where it may not be read.
    pub(super) fn new(before: &Info, begun: Instant, limit: Duration) -> Pace {
        Pace {
            begun,
            ends: begun + limit,
            before: before.clone(),
            asked: BTreeMap::new(),
            unrested: 0,
            question_us: GUESS_US,
            spent_us: None,
            flights: 0,
        }
    }

    /// Takes note of questions.
    pub(super) fn count(&mut self, command: &'static str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        *self.asked.entry(command).or_default() += count;
        self.unrested += count;
    }

    /// Whether the time for the sample is over.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// Waits as long as what was asked since the last rest is worth.
    pub(super) async fn rest(&mut self) {
        let cost = Duration::from_secs_f64(self.unrested as f64 * self.question_us / 1e6);
        self.unrested = 0;
        let rest = (cost * REST).min(LONGEST_REST);
        sleep_until((Instant::now() + rest).min(self.ends)).await;
    }

    /// After the 1st, 2nd, 4th, 8th flight and so on: asks the server what it spent so far. Where it
    /// does not tell, the guess stands.
    pub(super) async fn look(&mut self, node: &Node) {
        self.flights += 1;
        if self.flights.is_power_of_two() {
            self.measure(node).await;
        }
    }

    async fn measure(&mut self, node: &Node) {
        self.count("info", 1);
        let Ok(reply) = node.ask(&Command::words("INFO commandstats")).await else {
            return;
        };
        let spent = spent(&self.before, &read_info(&reply), &self.asked);
        let asked: u64 = self.asked.values().sum();
        if let Some(spent) = spent.filter(|&spent| spent > 0) {
            self.spent_us = Some(spent);
            self.question_us = spent as f64 / asked.max(1) as f64;
        }
    }

    /// Measures for the last time, and rests until all of it was less than one percent of a core.
    pub(super) async fn end(&mut self, node: &Node) {
        self.measure(node).await;
        let rest = Duration::from_micros(self.spent_us()) * LAST_REST;
        sleep_until((self.begun + rest).min(self.ends)).await;
    }

    /// What the server spent in all, in microseconds; 0 when it does not tell.
    pub(super) fn spent_us(&self) -> u64 {
        self.spent_us.unwrap_or(0)
    }
}

/// Our share of the time that these commands took in between. `None` without COMMANDSTATS, and when
/// they were reset meanwhile.
fn spent(before: &Info, after: &Info, asked: &BTreeMap<&'static str, u64>) -> Option<u64> {
    let mut sum = 0.0;
    let mut is_known = false;
    for (&command, &ours) in asked {
        let (old, new) = (usage(before, command), usage(after, command));
        let (Some(calls), Some(took)) = (new.0.checked_sub(old.0), new.1.checked_sub(old.1)) else {
            return None;
        };
        if calls > 0 {
            sum += took as f64 * (ours as f64 / calls as f64).min(1.0);
            is_known = true;
        }
    }
    is_known.then_some(sum as u64)
}

/// Calls and microseconds of a command and its subcommands (`object|freq`, from 7.0 on).
fn usage(info: &Info, command: &str) -> (u64, u64) {
    let name = format!("cmdstat_{}", command.to_ascii_lowercase());
    let lines = info.with_prefix(&name);
    let own = lines.filter(|(rest, _)| rest.is_empty() || rest.starts_with('|'));
    own.fold((0, 0), |(calls, took), (rest, _)| {
        let line = format!("{name}{rest}");
        let field = |field| info.field(&line, field).and_then(|text| text.parse().ok());
        let number = |name| -> u64 { field(name).unwrap_or(0) };
        (calls + number("calls"), took + number("usec"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_time_of_a_command_as_much_is_ours_as_of_its_calls() {
        let before = Info::parse(
            "cmdstat_type:calls=100,usec=100\ncmdstat_object|freq:calls=1,usec=5\ncmdstat_typex:calls=9,usec=9",
        );
        let after = Info::parse(
            "cmdstat_type:calls=500,usec=900\ncmdstat_object|freq:calls=11,usec=25\n\
             cmdstat_object|encoding:calls=10,usec=30\ncmdstat_typex:calls=99,usec=9999",
        );
        let spent = |asked: &[(&'static str, u64)]| {
            let asked = asked.iter().copied().collect();
            spent(&before, &after, &asked)
        };
        assert_eq!(spent(&[("type", 100)]), Some(200), "a quarter of the calls");
        assert_eq!(spent(&[("object", 20)]), Some(50), "all subcommands");
        assert_eq!(spent(&[("HLEN", 20)]), None, "not in it");
        assert_eq!(spent(&[]), None);
    }

    #[test]
    fn counters_that_were_reset_tell_nothing() {
        let before = Info::parse("cmdstat_type:calls=100,usec=100");
        let after = Info::parse("cmdstat_type:calls=10,usec=10");
        assert_eq!(
            spent(&before, &after, &BTreeMap::from([("type", 10)])),
            None
        );
    }
}
