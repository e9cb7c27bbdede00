//! Sessions beside cache entries: one policy cannot serve both.

use crate::health::Profile;
use crate::model::Severity;
use crate::model::words::listed;
use crate::ops::tune::case::Case;
use crate::ops::tune::profile::is_session;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change};

pub(super) const MIXED: Rule = Rule {
    id: "memory.mixed",
    title: "sessions and cache entries in one memory",
    parameters: &["keyspace"],
    kind: Kind::Application,
    why: "A cache wants to evict when it is full, and sessions must stay. Under one policy either customers are logged out to make room for cache entries, or the cache fills the memory and session writes fail. No setting of the server tells the two apart.",
    how: "a cluster, or at least another one, for the sessions; until then volatile-ttl with expiries of the cache entries that end well before those of the sessions",
    cost: "a second cluster, or changed expiries in the application",
    risk: Risk::Low,
    source: "names of sampled keys; CONFIG maxmemory-policy; redis.io/docs on key eviction",
    judge: mixed,
};

/// From this share of sessions on they are no chance.
const SOME_SESSIONS: f64 = 1.0;

fn mixed(case: &Case) -> Vec<Opinion> {
    let share = case.guess.sessions_percent;
    if case.profile() != Profile::Cache || share < SOME_SESSIONS {
        return Vec::new();
    }
    // Only sessions that the policy may evict are in danger: noeviction keeps all.
    let evicting = case.masters().filter_map(|node| {
        let policy = node.setting("maxmemory-policy")?;
        (policy != "noeviction")
            .then(|| change(node, Some(policy.to_owned()), "sessions kept apart"))
    });
    let changes = evicting.collect();
    let mut names: Vec<String> = Vec::new();
    for (_, keys) in case.keys() {
        for family in keys.families.iter().filter(|family| is_session(family)) {
            if !names.contains(&family.pattern) {
                names.push(family.pattern.clone());
            }
        }
    }
    let set = Opinion::set(
        Severity::Warning,
        "keyspace",
        changes,
        format!(
            "{share:.0} % of the sampled keys are named like sessions, and may be evicted to make room for the cache"
        ),
        vec![format!("families of sessions: {}", listed(names, 5))],
    );
    let steps = [
        "keep sessions in a cluster of their own, with volatile-ttl or noeviction",
        "or give cache entries expiries that end well before those of the sessions, and set volatile-ttl",
    ];
    set.map(|advice| advice.then(steps)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::{Family, KeysSeen, Severity};
    use crate::ops::tune::testing::Setup;

    fn seen(sessions: u64) -> KeysSeen {
        KeysSeen {
            sampled: 1000,
            keys: 10_000,
            families: vec![Family {
                pattern: "session:*".into(),
                count: sessions,
                with_expiry: sessions,
                ..Family::default()
            }],
            ..KeysSeen::default()
        }
    }

    #[test]
    fn sessions_in_an_evicting_cache_are_told() {
        let cache = || {
            Setup::sound()
                .profile(Profile::Cache)
                .config("maxmemory-policy", "allkeys-lru")
        };
        let advice = cache().keys(&seen(100)).rule("memory.mixed");
        assert_eq!(
            (advice[0].severity, advice[0].changes.len()),
            (Severity::Warning, 3)
        );
        assert_eq!(advice[0].evidence, ["families of sessions: session:*"]);
        for silent in [
            cache(),
            cache().keys(&seen(5)),
            cache()
                .keys(&seen(100))
                .config("maxmemory-policy", "noeviction"),
            cache().keys(&seen(100)).profile(Profile::Session),
        ] {
            assert_eq!(silent.rule("memory.mixed"), []);
        }
    }
}
