//! How often the server looks after itself: expiry, rehashing, clients.

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes};
use super::super::clients::everywhere;
use crate::model::words::{count, counted};
use crate::model::{Probe, Severity};

pub(super) const HZ: Rule = Rule {
    id: "cpu.hz",
    title: "how often expired keys are collected",
    parameters: &["hz"],
    kind: Kind::Setting,
    why: "Expired keys are collected hz times a second, for up to a quarter of the time between: 25 ms in one go at hz 10, 5 ms at 50. With very many expirations a second, short and frequent turns hurt less than long and rare ones.",
    how: "50 where more than 10,000 keys expire in a second on a node, or the latency monitor saw the expire cycle take 20 ms or longer; 100 where it is above that",
    cost: "some more CPU while idle",
    risk: Risk::Low,
    source: "INFO stats: expired_keys over two samples; LATENCY LATEST: expire-cycle; expire.c ACTIVE_EXPIRE_CYCLE_SLOW_TIME_PERC; redis.conf: above 100 is usually not a good idea",
    judge: hz,
};

pub(super) const DYNAMIC: Rule = Rule {
    id: "cpu.dynamic-hz",
    title: "looking after many clients in time",
    parameters: &["dynamic-hz"],
    kind: Kind::Setting,
    why: "Each turn looks after at least a few clients: timeouts, buffers. With dynamic-hz more clients mean more turns; without it each turn takes longer.",
    how: "yes where a node has more than 200 clients for each turn a second",
    cost: "none while there are few clients",
    risk: Risk::Low,
    source: "CONFIG dynamic-hz, hz; INFO clients: connected_clients; server.c MAX_CLIENTS_PER_CLOCK_TICK 200",
    judge: dynamic,
};

pub(super) const REHASHING: Rule = Rule {
    id: "cpu.rehashing",
    title: "finishing what was begun with hash tables",
    parameters: &["activerehashing"],
    kind: Kind::Setting,
    why: "When the key table grows it is copied a step with each command. Without activerehashing a node that is asked little keeps both the old and the new table for a long time.",
    how: "yes, the server's default; no is meant for latencies below 2 ms without exception",
    cost: "a millisecond in a hundred while a table is being copied",
    risk: Risk::Low,
    source: "CONFIG activerehashing; redis.conf",
    judge: rehashing,
};

/// Expirations a second above which the default turns get long.
const MANY_EXPIRED: f64 = 10_000.0;
/// The longest turn at hz 10 is 25 ms; near that the cycle ran into its limit.
const LONG_CYCLE_MS: u64 = 20;
const QUICK: u64 = 50;
const QUICKEST: u64 = 100;
/// MAX_CLIENTS_PER_CLOCK_TICK.
const CLIENTS_A_TURN: u64 = 200;

fn hz(case: &Case) -> Vec<Opinion> {
    let (mut slow, mut hasty, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let mut opinions = Vec::new();
    for node in &case.nodes {
        let Some(hz) = node.setting_number("hz") else {
            continue;
        };
        let expired = node.per_second("expired_keys");
        let longest = longest_cycle_ms(node);
        if hz > QUICKEST {
            hasty.push(node);
        } else if hz < QUICK && (expired > Some(MANY_EXPIRED) || longest >= Some(LONG_CYCLE_MS)) {
            slow.push(node);
            told.push(format!(
                "{}: {:.0} keys expire in a second, the longest expire cycle took {} ms, hz {hz}",
                node.addr,
                expired.unwrap_or(0.0),
                longest.map_or("?".to_owned(), count)
            ));
        } else if expired.is_none() && longest.is_none() {
            let why = "neither two samples of INFO (--sample 60s) nor a latency monitor";
            opinions.push(Opinion::skip(node, why));
        }
    }
    let set = |nodes: Vec<&_>, value: u64, why, evidence| {
        let wanted = nodes.into_iter().map(|node| (node, value.to_string()));
        Opinion::set(Severity::Info, "hz", changes("hz", wanted), why, evidence)
    };
    let why = "expired keys are collected in long turns";
    opinions.extend(set(slow, QUICK, why, told));
    let why = "more than 100 turns a second cost CPU and collect nothing sooner";
    opinions.extend(set(hasty, QUICKEST, why, Vec::new()));
    opinions
}

/// The longest expire cycle that the latency monitor saw; `None` where it is off or was not read.
fn longest_cycle_ms(node: &NodeCase) -> Option<u64> {
    let is_on = node.setting_number("latency-monitor-threshold") > Some(0);
    if !is_on || node.facts.why_not(Probe::Latency).is_some() {
        return None;
    }
    let cycles = (node.facts.stalls.iter()).filter(|stall| stall.event == "expire-cycle");
    Some(cycles.map(|stall| stall.max_ms).max().unwrap_or(0))
}

fn dynamic(case: &Case) -> Vec<Opinion> {
    let mut told = Vec::new();
    let many = case.nodes.iter().filter(|node| {
        let (clients, hz) = (node.number("connected_clients"), node.setting_number("hz"));
        let turns = hz.unwrap_or(10) * CLIENTS_A_TURN;
        let is_many = clients > Some(turns) && node.is_on("dynamic-hz") == Some(false);
        if is_many {
            let clients = clients.unwrap_or(0) as usize;
            told.push(format!("{}: {}", node.addr, counted(clients, "client")));
        }
        is_many
    });
    let wanted: Vec<_> = many.map(|node| (node, "yes".to_owned())).collect();
    let why = "so many clients make each turn of housekeeping long";
    let changes = changes("dynamic-hz", wanted);
    Opinion::set(Severity::Info, "dynamic-hz", changes, why, told)
        .into_iter()
        .collect()
}

fn rehashing(case: &Case) -> Vec<Opinion> {
    let why = "a key table that has grown stays in memory twice until enough commands have come";
    let changes = everywhere(case, "activerehashing", "yes");
    Opinion::set(Severity::Info, "activerehashing", changes, why, Vec::new())
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::model::Stall;
    use crate::ops::tune::testing::Setup;

    fn proposed(setup: &Setup, rule: &str) -> Vec<(usize, String)> {
        let advice = setup.rule(rule);
        let each = advice.iter();
        each.map(|one| (one.changes.len(), one.changes[0].proposed.clone()))
            .collect()
    }

    #[test]
    fn many_expirations_are_taken_in_short_turns() {
        let expiring = |per_second: u64| {
            Setup::sound()
                .info("expired_keys:0")
                .later_of(1, &format!("expired_keys:{}", per_second * 60))
        };
        let to = |nodes, hz: &str| vec![(nodes, hz.to_owned())];
        assert_eq!(proposed(&expiring(20_000), "cpu.hz"), to(1, "50"));
        assert_eq!(proposed(&expiring(5_000), "cpu.hz"), []);
        let quick = expiring(20_000).config("hz", "50");
        assert_eq!(proposed(&quick, "cpu.hz"), []);
        let hasty = expiring(0).config("hz", "500");
        assert_eq!(proposed(&hasty, "cpu.hz"), to(6, "100"));
        let stalled = expiring(0).facts(2, |facts| {
            facts.stalls.push(Stall {
                event: "expire-cycle".into(),
                at_s: 0,
                latest_ms: 25,
                max_ms: 25,
            });
        });
        assert_eq!(proposed(&stalled, "cpu.hz"), to(1, "50"));
    }

    #[test]
    fn what_was_not_measured_is_skipped() {
        let blind = Setup::sound().config("latency-monitor-threshold", "0");
        assert_eq!(blind.rule("cpu.hz"), []);
        assert_eq!(blind.skipped("cpu.hz").len(), 6);
    }

    #[test]
    fn turns_follow_the_clients() {
        let fixed = |clients: u64| {
            Setup::sound()
                .config("dynamic-hz", "no")
                .info_of(1, &format!("connected_clients:{clients}"))
        };
        let yes = vec![(1, "yes".to_owned())];
        assert_eq!(proposed(&fixed(3_000), "cpu.dynamic-hz"), yes);
        assert_eq!(proposed(&fixed(300), "cpu.dynamic-hz"), []);
        let gone = fixed(3_000).without("dynamic-hz");
        assert_eq!(proposed(&gone, "cpu.dynamic-hz"), []);
    }

    #[test]
    fn tables_are_copied_to_the_end() {
        let off = Setup::sound().config("activerehashing", "no");
        assert_eq!(proposed(&off, "cpu.rehashing"), [(6, "yes".to_owned())]);
        assert_eq!(proposed(&Setup::sound(), "cpu.rehashing"), []);
    }
}
