//! How well the keys to evict are chosen, and how fast.

use super::load;
use crate::health::{Profile, rates};
use crate::model::words::count;
use crate::model::{KeysSeen, Severity, Spread};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const SAMPLES: Rule = Rule {
    id: "memory.samples",
    title: "how many keys are compared for each eviction",
    parameters: &["maxmemory-samples"],
    kind: Kind::Setting,
    why: "The server does not know its least used key: it draws some at random and evicts the least used of those. Ten come close to the true order, five are cheaper; where a cache evicts all the time and the processor is idle, the better choice is worth more.",
    how: "10, in a cache that evicts and whose main thread is less than 50 % busy",
    cost: "a little more work for each evicted key",
    risk: Risk::Low,
    source: "INFO stats: evicted_keys over two samples; INFO cpu; redis.conf (5 good enough, 10 very close, 3 fast)",
    judge: samples,
};

pub(super) const TENACITY: Rule = Rule {
    id: "memory.tenacity",
    title: "how hard the server works to get back under its limit",
    parameters: &["maxmemory-eviction-tenacity"],
    kind: Kind::Setting,
    why: "Evictions have a time budget between commands, so that clients need not wait. Where data comes in faster than that budget can evict, the node stays over its limit and grows towards the kernel's kill.",
    how: "25 where it was over the limit between the samples; 50 where it has been for more than a second",
    cost: "clients wait longer while much is evicted",
    risk: Risk::Medium,
    source: "INFO stats: current_eviction_exceeded_time, total_eviction_exceeded_time (7.0); redis.conf (0 to 100, default 10)",
    judge: tenacity,
};

pub(super) const LFU: Rule = Rule {
    id: "memory.lfu",
    title: "counters of how often keys are used",
    parameters: &["lfu-log-factor", "lfu-decay-time"],
    kind: Kind::Setting,
    why: "An LFU policy keeps a counter of 8 bits for each key. Where most counters stand at the top or at the bottom they tell no key from another, and what is evicted is chance. With a decay time of 0 counters never go down: what was much used once stays, however long ago.",
    how: "log factor times 10 (100 at the most) where half of the sampled counters or more are at 255; a tenth of it (1 at the least) where 95 % are below 10 although keys are read; decay time 1 minute where it is 0",
    cost: "counters need some minutes to find their new places, and evictions are less well chosen until then",
    risk: Risk::Low,
    source: "OBJECT FREQ of sampled keys; evict.c (LFUDecrAndReturn: a decay time of 0 takes off nothing); redis.conf (factor 10 tops out at about a million hits, 100 at ten millions)",
    judge: lfu,
};

/// Very close to the true order, by redis.conf.
const GOOD_SAMPLES: u64 = 10;
/// Below this the main thread has time for a better choice.
const IDLE: f64 = 50.0;
/// Over the limit this long, evictions do not keep up, as in check (`memory.evicting`).
const LONG_OVER_MS: u64 = 1_000;
/// Firm, and firmer still.
const TENACIOUS: (u64, u64) = (25, 50);
/// The highest counter.
const TOP: u64 = 255;
/// New keys start at 5; below this hardly any hit was counted.
const BOTTOM: u64 = 10;
/// What redis.conf's table of factors goes up to.
const STEEPEST: u64 = 100;

fn policy_of<'a>(node: &NodeCase<'a>) -> &'a str {
    node.setting("maxmemory-policy").unwrap_or_default()
}

fn samples(case: &Case) -> Vec<Opinion> {
    let is_low = |node: &NodeCase| {
        let is_guess = ["-lru", "-lfu", "-lrm", "-ttl"]
            .iter()
            .any(|end| policy_of(node).ends_with(end));
        let present = node.setting_number("maxmemory-samples");
        is_guess && present.is_some_and(|present| present < GOOD_SAMPLES)
    };
    if case.profile() != Profile::Cache || !case.nodes.iter().any(is_low) {
        return Vec::new();
    }
    let mut opinions = Vec::new();
    let sampled = load::sampled(case, &mut opinions);
    let evicting = sampled.into_iter().filter_map(|node| {
        let evicted = node.growth("evicted_keys").filter(|evicted| *evicted > 0)?;
        let busy = load::busy_percent(node).filter(|busy| *busy < IDLE)?;
        is_low(node).then_some((node, evicted, busy))
    });
    let evicting: Vec<_> = evicting.collect();
    let Some((most, evicted, busy)) = evicting.iter().max_by_key(|(_, evicted, _)| *evicted) else {
        return opinions;
    };
    let rate = rates::per_second(most.facts, *evicted).unwrap_or(0.0);
    let evidence = vec![format!(
        "{} evicted {} keys in the sample, its main thread {busy:.0} % busy",
        most.addr,
        count(*evicted)
    )];
    let why = format!("it evicts {rate:.0} keys a second and has time to choose them better");
    let wanted = evicting
        .iter()
        .map(|(node, _, _)| (*node, GOOD_SAMPLES.to_string()));
    let changes = changes("maxmemory-samples", wanted);
    opinions.extend(Opinion::set(
        Severity::Info,
        "maxmemory-samples",
        changes,
        why,
        evidence,
    ));
    opinions
}

fn tenacity(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let known = load::sampled(case, &mut opinions);
    // Before 6.2 there is no such setting, and before 7.0 nothing shows the need.
    let known = known
        .into_iter()
        .filter(|node| node.setting("maxmemory-eviction-tenacity").is_some());
    let mut over = Vec::new();
    for node in known {
        if node.number("current_eviction_exceeded_time").is_none() {
            let evicts = node
                .growth("evicted_keys")
                .is_some_and(|evicted| evicted > 0);
            let reason = "it evicts, and does not tell how long it is over its limit (before 7.0)";
            opinions.extend(evicts.then(|| Opinion::skip(node, reason)));
        } else if let Some((grown, now)) = over_limit(node) {
            let wanted = if now > LONG_OVER_MS {
                TENACIOUS.1
            } else {
                TENACIOUS.0
            };
            over.push((node, wanted, grown, now));
        }
    }
    let lower = over.iter().filter(|(node, wanted, _, _)| {
        let present = node.setting_number("maxmemory-eviction-tenacity");
        present.is_some_and(|present| present < *wanted)
    });
    let lower: Vec<_> = lower.collect();
    let Some((node, _, grown, now)) = lower.iter().max_by_key(|(_, _, grown, now)| grown + now)
    else {
        return opinions;
    };
    let why =
        format!("evictions do not keep up: it was over its limit for {grown} ms of the sample");
    let evidence = vec![format!(
        "{}: total_eviction_exceeded_time +{grown} ms, current_eviction_exceeded_time {now} ms",
        node.addr
    )];
    let wanted = lower
        .iter()
        .map(|(node, wanted, _, _)| (*node, wanted.to_string()));
    let changes = changes("maxmemory-eviction-tenacity", wanted);
    opinions.extend(Opinion::set(
        Severity::Warning,
        "maxmemory-eviction-tenacity",
        changes,
        why,
        evidence,
    ));
    opinions
}

/// Milliseconds over the limit within the sample, and since it went over last.
fn over_limit(node: &NodeCase) -> Option<(u64, u64)> {
    let now = node.number("current_eviction_exceeded_time").unwrap_or(0);
    let grown = node.growth("total_eviction_exceeded_time").unwrap_or(0);
    (grown > 0 || now > LONG_OVER_MS).then_some((grown, now))
}

fn lfu(case: &Case) -> Vec<Opinion> {
    let nodes: Vec<&NodeCase> = case
        .nodes
        .iter()
        .filter(|node| policy_of(node).ends_with("-lfu"))
        .collect();
    if nodes.is_empty() {
        return Vec::new();
    }
    let forgetting = nodes
        .iter()
        .map(|node| (*node, node.setting_number("lfu-decay-time")));
    let forgetting = forgetting.filter(|(_, decay)| *decay == Some(0));
    let decay = changes(
        "lfu-decay-time",
        forgetting.map(|(node, _)| (node, "1".to_owned())),
    );
    let why = "counters never go down, so what was much used once stays, however long ago";
    let evidence = vec!["CONFIG lfu-decay-time 0".to_owned()];
    let mut opinions: Vec<Opinion> =
        Opinion::set(Severity::Info, "lfu-decay-time", decay, why, evidence)
            .into_iter()
            .collect();
    match counters(case) {
        Some((_, counters)) => opinions.extend(factor(&nodes, counters, reads(case))),
        None => {
            let reason = "how often keys are used was not sampled (--deep)";
            opinions.extend(nodes.first().map(|node| Opinion::skip(node, reason)));
        }
    }
    opinions
}

/// The counters of the master with the largest sample.
fn counters<'c, 'a>(case: &'c Case<'a>) -> Option<(&'c NodeCase<'a>, Spread)> {
    let seen = case
        .keys()
        .filter_map(|(node, keys): (_, &KeysSeen)| Some((node, keys.sampled, keys.frequencies?)));
    let (node, _, counters) = seen.max_by_key(|(_, sampled, _)| *sampled)?;
    Some((node, counters))
}

fn reads(case: &Case) -> u64 {
    let grown = |node: &NodeCase| node.growth("keyspace_hits").unwrap_or(0);
    case.masters().map(grown).sum()
}

fn factor(nodes: &[&NodeCase], counters: Spread, reads: u64) -> Option<Opinion> {
    let is_topped = counters.p50 >= TOP;
    // Without reads low counters are as they should be.
    let is_flat = counters.p95 < BOTTOM && reads >= rates::ENOUGH;
    if !is_topped && !is_flat {
        return None;
    }
    let wanted = |present: u64| match is_topped {
        true => (present.max(1) * 10).clamp(1, STEEPEST).max(present),
        false => (present / 10).max(1).min(present),
    };
    let wanted = nodes.iter().filter_map(|node| {
        let present = node.setting_number("lfu-log-factor")?;
        Some((*node, wanted(present).to_string()))
    });
    let why = match is_topped {
        true => {
            "half of the sampled keys or more are counted at the top, so nothing tells the most used apart"
        }
        false => {
            "95 % of the sampled keys are counted below 10 although keys are read, so nothing tells the used from the unused"
        }
    };
    let evidence = vec![format!(
        "OBJECT FREQ: least {}, middle {}, 95th percentile {}, most {}",
        counters.min, counters.p50, counters.p95, counters.max
    )];
    let changes = changes("lfu-log-factor", wanted);
    Opinion::set(Severity::Info, "lfu-log-factor", changes, why, evidence)
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::{KeysSeen, Severity, Spread};
    use crate::ops::tune::testing::Setup;

    fn cache(policy: &str) -> Setup {
        Setup::sound()
            .profile(Profile::Cache)
            .config("maxmemory-policy", policy)
    }

    #[test]
    fn an_idle_cache_that_evicts_may_choose_better() {
        let setup =
            cache("allkeys-lru").later_of(1, "evicted_keys:6000\nused_cpu_user_main_thread:4.0");
        let advice = setup.rule("memory.samples");
        assert_eq!(
            (advice[0].severity, advice[0].changes.len()),
            (Severity::Info, 1)
        );
        assert_eq!(advice[0].changes[0].proposed, "10");
        assert!(
            advice[0].evidence[0]
                .ends_with("evicted 6,000 keys in the sample, its main thread 5 % busy"),
            "{:?}",
            advice[0].evidence
        );
        let busy = setup.clone().later_of(1, "used_cpu_user_main_thread:40.0");
        assert_eq!(busy.rule("memory.samples"), []);
        assert_eq!(cache("allkeys-lru").rule("memory.samples"), []);
        assert_eq!(
            setup
                .clone()
                .config("maxmemory-policy", "allkeys-random")
                .rule("memory.samples"),
            []
        );
        assert_eq!(setup.profile(Profile::Session).rule("memory.samples"), []);
        let once = (0..6).fold(cache("allkeys-lru"), |setup, n| {
            setup.facts(n, |facts| facts.later = None)
        });
        assert_eq!(once.skipped("memory.samples").len(), 6);
    }

    #[test]
    fn evictions_that_do_not_keep_up_get_more_time() {
        let setup =
            Setup::sound().info("current_eviction_exceeded_time:0\ntotal_eviction_exceeded_time:0");
        assert_eq!(setup.rule("memory.tenacity"), []);
        assert_eq!(setup.skipped("memory.tenacity"), []);
        let over = setup
            .clone()
            .later_of(0, "total_eviction_exceeded_time:400");
        let advice = over.rule("memory.tenacity");
        assert_eq!(
            (advice[0].severity, advice[0].changes[0].proposed.as_str()),
            (Severity::Warning, "25")
        );
        let long = over.later_of(0, "current_eviction_exceeded_time:1500");
        assert_eq!(long.rule("memory.tenacity")[0].changes[0].proposed, "50");
        assert_eq!(
            long.config("maxmemory-eviction-tenacity", "60")
                .rule("memory.tenacity"),
            []
        );
        assert_eq!(Setup::sound().skipped("memory.tenacity"), []);
        let evicting = Setup::sound().later_of(1, "evicted_keys:100");
        assert_eq!(evicting.skipped("memory.tenacity").len(), 1);
        let old = Setup::sound().without("maxmemory-eviction-tenacity");
        assert_eq!(old.skipped("memory.tenacity"), []);
    }

    #[test]
    fn counters_that_tell_nothing_are_spread() {
        let seen = |p50, p95| KeysSeen {
            sampled: 1000,
            keys: 1000,
            is_deep: true,
            frequencies: Some(Spread {
                min: 0,
                p50,
                p95,
                max: 255,
            }),
            ..KeysSeen::default()
        };
        let factor = |setup: Setup| {
            let advice = setup.rule("memory.lfu");
            advice.first().map(|one| one.changes[0].proposed.clone())
        };
        let read = || cache("allkeys-lfu").later("keyspace_hits:5000");
        assert_eq!(factor(read().keys(&seen(255, 255))).as_deref(), Some("100"));
        assert_eq!(factor(read().keys(&seen(5, 8))).as_deref(), Some("1"));
        assert_eq!(factor(read().keys(&seen(20, 90))), None);
        assert_eq!(factor(cache("allkeys-lfu").keys(&seen(5, 8))), None);
        assert_eq!(factor(cache("allkeys-lru").keys(&seen(255, 255))), None);
        assert_eq!(
            factor(read().keys(&seen(255, 255)).config("lfu-log-factor", "100")),
            None
        );
        assert_eq!(read().skipped("memory.lfu").len(), 1);
        let forgetting = read().keys(&seen(20, 90)).config("lfu-decay-time", "0");
        assert_eq!(forgetting.rule("memory.lfu")[0].parameter, "lfu-decay-time");
    }
}
