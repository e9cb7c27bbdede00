//! How deleted and expired keys give their memory back: in the main thread or beside it, and how
//! eagerly the expired are looked for.

use super::load;
use crate::model::words::{count, duration};
use crate::model::{Facts, KeysSeen, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};
use std::time::Duration;

pub(super) const LAZY: Rule = Rule {
    id: "memory.lazy_free",
    title: "large values freed beside the main thread",
    parameters: &[
        "lazyfree-lazy-eviction",
        "lazyfree-lazy-expire",
        "lazyfree-lazy-server-del",
        "lazyfree-lazy-user-del",
        "lazyfree-lazy-user-flush",
        "replica-lazy-flush",
    ],
    kind: Kind::Setting,
    why: "Freeing a value of many elements takes as long as it has elements, and nobody is served meanwhile. Freed in a thread of its own it costs the main thread nothing. Redis frees in the main thread unless it is told otherwise, Valkey from 8.0 on beside it.",
    how: "yes for each way of deleting that was seen to stall (slow log, latency events), or that is used while there are keys of 100,000 elements or more; for replicas that empty themselves before a full copy, where they hold more than 1 GiB",
    cost: "memory comes back a little later than the reply",
    risk: Risk::Low,
    source: "SLOWLOG, LATENCY LATEST, INFO commandstats and stats; sizes of sampled keys; redis.conf (4.0; user-del 6.0, user-flush 6.2)",
    judge: lazy,
};

pub(super) const EXPIRE: Rule = Rule {
    id: "memory.expire_effort",
    title: "expired keys that still take memory",
    parameters: &["active-expire-effort"],
    kind: Kind::Setting,
    why: "Keys that expired stay in memory until somebody asks for them or the server finds them. Where it does not find them fast enough the memory is full of the dead, and the living are evicted.",
    how: "3 more (10 at the most) where more than 10 % of the keys with an expiry are thought to be dead, or the search ran out of its time between the samples, and the main thread is less than 50 % busy",
    cost: "more of the main thread for the search: up to 43 % of a core at 10, 25 % at 1",
    risk: Risk::Low,
    source: "INFO stats: expired_stale_perc, expired_time_cap_reached_count; redis.conf; expire.c (ACTIVE_EXPIRE_CYCLE_SLOW_TIME_PERC 25, 2 more for each step)",
    judge: expire,
};

/// From so many elements on freeing takes tens of milliseconds.
const LARGE: u64 = 100_000;
/// What a slow log may hold below this, with a low threshold, is no stall.
const NOTICED: Duration = Duration::from_millis(10);
/// A replica that holds more than this takes seconds to empty itself.
const LARGE_REPLICA: u64 = 1 << 30;
/// Dead keys among those with an expiry, in percent: worth looking harder, and a worry.
const STALE: (f64, f64) = (10.0, 25.0);
/// Below this the main thread has time to look harder.
const IDLE: f64 = 50.0;
/// One step, and the server's most.
const EFFORT: (u64, u64) = (3, 10);

/// A way in which values are freed.
struct Way {
    setting: &'static str,
    /// Commands that free so when they are slow.
    slow: &'static [&'static str],
    /// Latency events that are this.
    events: &'static [&'static str],
    /// What counts that it is done at all: a field of INFO stats, or of commandstats.
    done: &'static str,
}

const WAYS: &[Way] = &[
    Way {
        setting: "lazyfree-lazy-user-del",
        slow: &["DEL"],
        events: &[],
        done: "cmdstat_del",
    },
    Way {
        setting: "lazyfree-lazy-user-flush",
        slow: &["FLUSHALL", "FLUSHDB"],
        events: &[],
        done: "",
    },
    Way {
        setting: "lazyfree-lazy-eviction",
        slow: &[],
        events: &["eviction-del"],
        done: "evicted_keys",
    },
    Way {
        setting: "lazyfree-lazy-expire",
        slow: &[],
        events: &["expire-del"],
        done: "expired_keys",
    },
    Way {
        setting: "lazyfree-lazy-server-del",
        slow: &["RENAME"],
        events: &[],
        done: "cmdstat_rename",
    },
];

fn lazy(case: &Case) -> Vec<Opinion> {
    let largest = largest_key(case);
    let mut opinions: Vec<Opinion> = (WAYS.iter())
        .filter_map(|way| free_beside(case, way, largest))
        .collect();
    opinions.extend(flush_beside(case));
    opinions
}

fn free_beside(case: &Case, way: &Way, largest: Option<u64>) -> Option<Opinion> {
    let stalled = (case.nodes.iter()).filter_map(|node| Some((node, stall(node.facts, way)?)));
    let stalled = stalled.max_by_key(|(_, (took, _))| *took);
    let (severity, why, seen) = match (stalled, largest) {
        (Some((node, (took, what))), _) => (
            Severity::Warning,
            format!(
                "nobody was served for {} while values were freed",
                duration(took)
            ),
            format!("{}: {what} took {}", node.addr, duration(took)),
        ),
        (None, Some(elements)) if is_done(case, way) => (
            Severity::Info,
            format!(
                "there are keys of {} elements, and freeing one stops the server",
                count(elements)
            ),
            format!("the largest sampled key has {} elements", count(elements)),
        ),
        _ => return None,
    };
    let wanted = case.nodes.iter().map(|node| (node, "yes".to_owned()));
    Opinion::set(
        severity,
        way.setting,
        changes(way.setting, wanted),
        why,
        vec![seen],
    )
}

/// The longest stall of that kind that the node remembers and that anybody would notice.
fn stall(facts: &Facts, way: &Way) -> Option<(Duration, String)> {
    let slow = facts
        .slow
        .iter()
        .filter(|entry| way.slow.contains(&entry.command.as_str()));
    let slow = slow.map(|entry| (Duration::from_micros(entry.took_us), entry.command.clone()));
    let events = facts
        .stalls
        .iter()
        .filter(|stall| way.events.contains(&stall.event.as_str()));
    let events = events.map(|stall| (Duration::from_millis(stall.max_ms), stall.event.clone()));
    let longest = slow.chain(events).max_by_key(|(took, _)| *took);
    longest.filter(|(took, _)| *took >= NOTICED)
}

fn is_done(case: &Case, way: &Way) -> bool {
    let calls = |node: &NodeCase| match way.done.starts_with("cmdstat_") {
        true => node.info().field(way.done, "calls")?.parse::<u64>().ok(),
        false => node.number(way.done),
    };
    case.masters()
        .any(|node| calls(node).is_some_and(|calls| calls > 0))
}

/// Elements of the largest sampled key that is worth the words.
fn largest_key(case: &Case) -> Option<u64> {
    let of = |keys: &KeysSeen| {
        let collections = keys.types.iter().filter(|(kind, _)| *kind != "string");
        let encodings = collections.flat_map(|(_, seen)| seen.encodings.values());
        encodings.filter_map(|seen| Some(seen.elements?.max)).max()
    };
    let largest = case.keys().filter_map(|(_, keys)| of(keys)).max()?;
    (largest >= LARGE).then_some(largest)
}

fn flush_beside(case: &Case) -> Option<Opinion> {
    let held = |node: &NodeCase| node.number("used_memory").unwrap_or(0);
    let large = case.nodes.iter().filter(|node| held(node) > LARGE_REPLICA);
    let most = case.nodes.iter().map(held).max()?;
    let changes = changes(
        "replica-lazy-flush",
        large.map(|node| (node, "yes".to_owned())),
    );
    let held = crate::model::words::bytes(most);
    let why = "as a replica it empties itself before a full copy, and serves nobody meanwhile";
    Opinion::set(
        Severity::Info,
        "replica-lazy-flush",
        changes,
        why,
        vec![format!("the fullest holds {held}")],
    )
}

fn expire(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let sampled = load::sampled(case, &mut opinions);
    let mut dead: Vec<(&NodeCase, f64, u64)> = Vec::new();
    for node in sampled {
        let known = node
            .setting_number("active-expire-effort")
            .filter(|effort| *effort < EFFORT.1);
        let stale = node.float("expired_stale_perc").unwrap_or(0.0);
        let capped = node.growth("expired_time_cap_reached_count").unwrap_or(0);
        if known.is_none() || (stale <= STALE.0 && capped == 0) {
            continue;
        }
        match load::busy_percent(node) {
            Some(busy) if busy < IDLE => dead.push((node, stale, capped)),
            Some(busy) => opinions.push(Opinion::skip(
                node,
                format!("{stale:.0} % of its keys with an expiry may be dead, but its main thread is {busy:.0} % busy"),
            )),
            None => opinions.push(Opinion::skip(node, "how busy it is cannot be seen")),
        }
    }
    opinions.extend(look_harder(&dead));
    opinions
}

fn look_harder(dead: &[(&NodeCase, f64, u64)]) -> Option<Opinion> {
    let (node, stale, capped) = dead.iter().max_by(|one, other| one.1.total_cmp(&other.1))?;
    let severity = if *stale > STALE.1 {
        Severity::Warning
    } else {
        Severity::Info
    };
    let why = match *stale > STALE.0 {
        true => format!(
            "{stale:.0} % of its keys with an expiry are thought to be dead and still take memory"
        ),
        false => "its search for expired keys ran out of time".to_owned(),
    };
    let evidence = vec![format!(
        "{}: expired_stale_perc {stale:.2}, expired_time_cap_reached_count +{capped} in the sample",
        node.addr
    )];
    let wanted = dead.iter().filter_map(|(node, ..)| {
        let present = node.setting_number("active-expire-effort")?;
        Some((*node, (present + EFFORT.0).min(EFFORT.1).to_string()))
    });
    let changes = changes("active-expire-effort", wanted);
    Opinion::set(severity, "active-expire-effort", changes, why, evidence)
}

#[cfg(test)]
mod tests {
    use crate::model::{EncodingSeen, KeysSeen, Severity, SlowEntry, Spread, Stall, TypeSeen};
    use crate::ops::tune::testing::Setup;

    fn told(setup: &Setup) -> Vec<(Severity, String, usize)> {
        let each = setup.rule("memory.lazy_free");
        each.iter()
            .map(|one| (one.severity, one.parameter.clone(), one.changes.len()))
            .collect()
    }

    fn large() -> KeysSeen {
        let seen = EncodingSeen {
            count: 3,
            elements: Some(Spread {
                min: 10,
                p50: 10,
                p95: 300_000,
                max: 300_000,
            }),
            ..EncodingSeen::default()
        };
        let zsets = TypeSeen {
            count: 3,
            encodings: [("skiplist".to_owned(), seen)].into(),
            ..TypeSeen::default()
        };
        KeysSeen {
            sampled: 3,
            keys: 3,
            is_deep: true,
            types: [("zset".to_owned(), zsets)].into(),
            ..KeysSeen::default()
        }
    }

    #[test]
    fn deletions_that_stalled_are_made_beside_the_main_thread() {
        assert_eq!(told(&Setup::sound()), []);
        let slow = Setup::sound().facts(1, |facts| {
            facts.slow = vec![SlowEntry {
                id: 1,
                at_s: 1,
                took_us: 84_000,
                command: "DEL".into(),
            }];
        });
        assert_eq!(
            told(&slow),
            [(Severity::Warning, "lazyfree-lazy-user-del".into(), 6)]
        );
        assert_eq!(
            slow.rule("memory.lazy_free")[0].evidence,
            ["10.0.0.2:7000: DEL took 84.0 ms"]
        );
        assert_eq!(told(&slow.config("lazyfree-lazy-user-del", "yes")), []);
        let stalled = Setup::sound().facts(1, |facts| {
            facts.stalls = vec![Stall {
                event: "expire-del".into(),
                at_s: 1,
                latest_ms: 120,
                max_ms: 150,
            }];
        });
        assert_eq!(
            told(&stalled),
            [(Severity::Warning, "lazyfree-lazy-expire".into(), 6)]
        );
    }

    #[test]
    fn large_keys_matter_by_the_ways_in_which_they_go() {
        assert_eq!(told(&Setup::sound().keys(&large())), []);
        let deleted = Setup::sound()
            .keys(&large())
            .info("cmdstat_del:calls=5,usec=9\nexpired_keys:7");
        let info = |name: &str| (Severity::Info, name.to_owned(), 6);
        assert_eq!(
            told(&deleted),
            [info("lazyfree-lazy-user-del"), info("lazyfree-lazy-expire")]
        );
        let full = Setup::sound().info_of(4, "used_memory:3000000000");
        assert_eq!(
            told(&full),
            [(Severity::Info, "replica-lazy-flush".into(), 1)]
        );
    }

    #[test]
    fn the_dead_are_looked_for_where_there_is_time() {
        assert_eq!(Setup::sound().rule("memory.expire_effort"), []);
        for (stale, severity) in [("12.5", Severity::Info), ("40.0", Severity::Warning)] {
            let setup = Setup::sound().info_of(0, &format!("expired_stale_perc:{stale}"));
            let advice = setup.rule("memory.expire_effort");
            assert_eq!((advice[0].severity, advice[0].changes.len()), (severity, 1));
            assert_eq!(advice[0].changes[0].proposed, "4");
            let busy = setup.clone().later_of(0, "used_cpu_user_main_thread:50.0");
            assert_eq!(busy.rule("memory.expire_effort"), []);
            assert_eq!(busy.skipped("memory.expire_effort").len(), 1);
            let most = setup.config("active-expire-effort", "10");
            assert_eq!(most.rule("memory.expire_effort"), []);
        }
        let capped = Setup::sound()
            .info("expired_time_cap_reached_count:1")
            .later_of(2, "expired_time_cap_reached_count:4");
        assert_eq!(capped.rule("memory.expire_effort")[0].changes.len(), 1);
    }
}
