//! What is evicted when memory is full: by what the cluster is for, and by the expiries really seen.

use crate::health::{Profile, rates};
use crate::model::words::{bytes, count};
use crate::model::{Info, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const POLICY: Rule = Rule {
    id: "memory.policy",
    title: "what is evicted when memory is full",
    parameters: &["maxmemory-policy"],
    kind: Kind::Setting,
    why: "An allkeys policy may evict any key: right for a cache whose every key can be made again, and wrong for everything else. A session that is evicted is a customer logged out, a job that is evicted is never done. The volatile policies evict only keys with an expiry, and noeviction none: it refuses writes instead, which the application notices.",
    how: "cache: allkeys-lru; allkeys-lfu where the most frequented tenth of the keys has more than 60 % of the accesses; no allkeys policy while sessions are among the keys, nor where the profile is only guessed: volatile-lru or -lfu there, where at least 95 % of the keys have an expiry. session: volatile-ttl where at least 95 % of the keys have an expiry, else noeviction. durable and queue: noeviction.",
    cost: "with noeviction writes fail when the memory is full: watch it from 70 % on; with an allkeys policy any key may go",
    risk: Risk::Medium,
    source: "CONFIG maxmemory-policy; INFO keyspace: keys, expires; INFO errorstats: OOM; names and frequencies of sampled keys; redis.io/docs on key eviction",
    judge: policy,
};

/// From this share of keys with an expiry on, a session store can evict the nearest to their end.
const NEARLY_ALL: f64 = 95.0;
/// Below this share a volatile policy soon has nothing left to evict, as in check (`memory.no_ttl`).
const FEW_EXPIRE: f64 = 50.0;
/// Fewer keys than these show no habit, as in check.
const FEW_KEYS: u64 = 100;
/// From this share of the limit on a node counts as full, as in check (`memory.high`).
const FULL: f64 = 80.0;
/// From this share of accesses in the most frequented tenth on, how often counts more than how lately.
const SKEWED: f64 = 60.0;
/// From this share of keys named like sessions on, no key may be evicted unseen.
const SOME_SESSIONS: f64 = 1.0;

/// What one node should have, and why.
#[derive(Debug, PartialEq)]
struct Wish {
    policy: &'static str,
    severity: Severity,
    risk: Risk,
    why: String,
}

fn policy(case: &Case) -> Vec<Opinion> {
    let expiring = expiring_percent(case);
    let mut wishes: Vec<(Wish, Vec<&NodeCase>)> = Vec::new();
    let mut opinions = Vec::new();
    for node in &case.nodes {
        let Some(present) = node.setting("maxmemory-policy") else {
            continue;
        };
        let wish = match case.profile() {
            Profile::Cache => cached(case, node, present, expiring),
            profile => kept(profile, present, expiring),
        };
        let wish = match wish.map(|wish| unless_guessed(case, present, wish, expiring)) {
            Some(Ok(wish)) => wish,
            Some(Err(reason)) => {
                opinions.extend(reason.map(|reason| Opinion::skip(node, reason)));
                continue;
            }
            None => continue,
        };
        // One word for all nodes that want the same for the same kind of reason.
        let is_like = |(other, _): &&mut (Wish, Vec<&NodeCase>)| {
            (other.policy, other.severity) == (wish.policy, wish.severity)
        };
        match wishes.iter_mut().find(is_like) {
            Some((_, nodes)) => nodes.push(node),
            None => wishes.push((wish, vec![node])),
        }
    }
    let advised = wishes.into_iter();
    opinions.extend(advised.filter_map(|(wish, nodes)| advise(case, wish, nodes, expiring)));
    opinions
}

/// That any key may go is for a person to say: on a guess only keys with an expiry may, and only where
/// nearly all have one; else what is missing is told where it matters.
fn unless_guessed(
    case: &Case,
    present: &str,
    wish: Wish,
    expiring: Option<f64>,
) -> Result<Wish, Option<String>> {
    let is_new = wish.policy.starts_with("allkeys-") && !present.starts_with("allkeys-");
    if case.guess.is_given || !is_new {
        return Ok(wish);
    }
    if expiring.is_some_and(|share| share >= NEARLY_ALL) {
        let policy = match wish.policy {
            "allkeys-lfu" => "volatile-lfu",
            _ => "volatile-lru",
        };
        return Ok(Wish { policy, ..wish });
    }
    let matters = wish.severity > Severity::Info;
    Err(matters.then(|| {
        let families = lasting_families(case).map_or_else(String::new, |told| format!(" ({told})"));
        let why = wish.why;
        format!(
            "{why}; whether every key may go cannot be seen{families}: give --profile cache if so"
        )
    }))
}

fn advise(
    case: &Case,
    wish: Wish,
    nodes: Vec<&NodeCase>,
    expiring: Option<f64>,
) -> Option<Opinion> {
    let mut evidence = vec![format!("profile {}: {}", case.profile(), case.guess.reason)];
    evidence.extend(expiring.map(|share| format!("{share:.0} % of the keys have an expiry")));
    if case.profile() == Profile::Cache || wish.policy == "noeviction" {
        evidence.extend(lasting_families(case));
    }
    let wanted = nodes.into_iter().map(|node| (node, wish.policy.to_owned()));
    let changes = changes("maxmemory-policy", wanted);
    let (severity, why) = (wish.severity, wish.why);
    let set = Opinion::set(severity, "maxmemory-policy", changes, why, evidence);
    set.map(|advice| advice.risking(wish.risk))
}

/// Data that must not go: no allkeys policy; without sessions no eviction at all.
fn kept(profile: Profile, present: &str, expiring: Option<f64>) -> Option<Wish> {
    let is_session = profile == Profile::Session;
    let is_any = present.starts_with("allkeys-");
    if present == "noeviction" || (is_session && !is_any) {
        return None;
    }
    let policy = match expiring {
        Some(share) if is_session && share >= NEARLY_ALL => "volatile-ttl",
        _ => "noeviction",
    };
    let why = match (profile, is_any) {
        (Profile::Session, _) => "sessions may be evicted, and whoever owns one is logged out",
        (Profile::Queue, true) => "work may be evicted before it is done",
        (_, true) => "data of record may be evicted",
        (Profile::Queue, false) => "work with an expiry may be evicted before it is done",
        (_, false) => "data of record with an expiry may be evicted before its time",
    };
    Some(Wish {
        policy,
        severity: if is_any {
            Severity::Critical
        } else {
            Severity::Warning
        },
        risk: Risk::Medium,
        why: why.to_owned(),
    })
}

fn cached(case: &Case, node: &NodeCase, present: &str, expiring: Option<f64>) -> Option<Wish> {
    let keys: u64 = node.info().databases().map(|(_, keys, _)| keys).sum();
    let is_known = case.guess.is_sure && (keys >= FEW_KEYS || cluster_keys(case) >= FEW_KEYS);
    if !is_known {
        return None;
    }
    let has_sessions = case.guess.sessions_percent >= SOME_SESSIONS;
    if has_sessions {
        // What may be evicted is for a person to say: memory.mixed speaks of it.
        return None;
    }
    let any = if is_skewed(case) {
        "allkeys-lfu"
    } else {
        like(present)
    };
    match present {
        "noeviction" => never_evicting(node, any),
        _ if present.starts_with("volatile-") => expiring
            .filter(|share| *share < FEW_EXPIRE)
            .filter(|_| node.maxmemory().is_some_and(|limit| limit > 0))
            .map(|share| Wish {
                policy: any,
                severity: Severity::Warning,
                risk: Risk::High,
                why: format!("only {share:.0} % of the keys have an expiry, and only those can be evicted: when they are gone, writes fail"),
            }),
        "allkeys-lru" | "allkeys-random" if is_skewed(case) => Some(Wish {
            policy: "allkeys-lfu",
            severity: Severity::Info,
            risk: Risk::Low,
            why: format!(
                "the most frequented tenth of the keys has {:.0} % of the accesses, so what is asked for often should stay",
                hottest_percent(case).unwrap_or(0.0)
            ),
        }),
        _ => None,
    }
}

fn never_evicting(node: &NodeCase, any: &'static str) -> Option<Wish> {
    let limit = node.maxmemory()?;
    let refused = rates::errors(node.facts, "OOM").unwrap_or(0);
    let used = used_percent(node, limit);
    let (severity, why) = match used {
        _ if refused > 0 => (
            Severity::Critical,
            format!(
                "{} writes were refused within the sample for want of memory, and a cache may evict instead",
                count(refused)
            ),
        ),
        Some(share) if share > FULL => (
            Severity::Warning,
            format!(
                "it uses {share:.0} % of its {}, and when that is full a cache should evict, not refuse writes",
                bytes(limit)
            ),
        ),
        _ => (
            Severity::Info,
            "when its memory is full a cache should evict, not refuse writes".to_owned(),
        ),
    };
    Some(Wish {
        policy: any,
        severity,
        risk: Risk::High,
        why,
    })
}

fn used_percent(node: &NodeCase, limit: u64) -> Option<f64> {
    let apart = node.number("mem_not_counted_for_evict").unwrap_or(0);
    let counted = node.number("used_memory")?.saturating_sub(apart);
    (limit > 0).then(|| counted as f64 * 100.0 / limit as f64)
}

/// The allkeys policy that chooses as the present one does.
fn like(present: &str) -> &'static str {
    if present.ends_with("-lfu") {
        "allkeys-lfu"
    } else {
        "allkeys-lru"
    }
}

fn hottest_percent(case: &Case) -> Option<f64> {
    let shares = case
        .keys()
        .filter_map(|(_, keys)| keys.hottest_tenth_percent);
    shares.min_by(f64::total_cmp)
}

/// Whether it is so on every master that shows it.
fn is_skewed(case: &Case) -> bool {
    hottest_percent(case).is_some_and(|share| share > SKEWED)
}

/// How many of the masters' keys have an expiry; `None` where they hold none.
pub fn expiring_percent(case: &Case) -> Option<f64> {
    let databases = case.masters().flat_map(|node| node.info().databases());
    let (keys, expiring) = databases.fold((0, 0), |(all, some), (_, keys, expires)| {
        (all + keys, some + expires)
    });
    (keys > 0).then(|| expiring as f64 * 100.0 / keys as f64)
}

fn cluster_keys(case: &Case) -> u64 {
    case.masters().map(NodeCase::info).map(Info::keys).sum()
}

/// The largest families whose keys mostly have no expiry.
fn lasting_families(case: &Case) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for (_, keys) in case.keys() {
        let lasting = keys
            .families
            .iter()
            .filter(|family| family.with_expiry * 2 < family.count);
        for family in lasting {
            if !names.contains(&family.pattern.as_str()) {
                names.push(&family.pattern);
            }
        }
    }
    let shown = crate::model::words::listed(names.into_iter().map(str::to_owned), 5);
    (!shown.is_empty()).then(|| format!("families without an expiry: {shown}"))
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
