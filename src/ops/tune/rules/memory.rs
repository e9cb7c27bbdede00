//! Rules about memory: how much a node may use, and what it does when that is used up.

use super::super::case::Case;
use super::super::report::{Kind, Risk};
use super::super::rule::{Opinion, Rule, changes};
use crate::health::Profile;
use crate::model::Severity;

/// The rules.
pub const RULES: &[Rule] = &[POLICY];

const POLICY: Rule = Rule {
    id: "memory.policy",
    title: "what is evicted when memory is full",
    parameters: &["maxmemory-policy"],
    kind: Kind::Setting,
    why: "An allkeys policy may evict any key: right for a cache whose every key can be made again, and wrong for everything else. A session that is evicted is a customer logged out, a job that is evicted is never done. The volatile policies evict only keys with an expiry, and noeviction none: it refuses writes instead, which the application notices.",
    how: "cache: allkeys-lru. session: volatile-ttl where at least 95 % of the keys have an expiry, else noeviction. durable and queue: noeviction.",
    cost: "with noeviction writes fail when the memory is full: watch it from 70 % on",
    risk: Risk::Medium,
    source: "CONFIG maxmemory-policy; INFO keyspace: keys, expires; names of sampled keys; redis.io/docs on key eviction",
    judge: policy,
};

/// From this share of keys with an expiry on, a session store can evict the nearest to their end.
const NEARLY_ALL: f64 = 95.0;

fn policy(case: &Case) -> Vec<Opinion> {
    let expiring = expiring_percent(case);
    let Some(wanted) = wanted_policy(case.profile(), expiring) else {
        return Vec::new();
    };
    let is_wrong = |policy: &str| match case.profile() {
        Profile::Cache => false,
        Profile::Session => policy.starts_with("allkeys-"),
        Profile::Durable | Profile::Queue => policy != "noeviction",
    };
    let wrong = (case.nodes.iter())
        .filter(|node| node.setting("maxmemory-policy").is_some_and(is_wrong))
        .map(|node| (node, wanted.to_owned()));
    let changes = changes("maxmemory-policy", wrong);
    let why = match case.profile() {
        Profile::Session => "sessions may be evicted, and whoever owns one is logged out",
        Profile::Queue => "work may be evicted before it is done",
        _ => "data of record may be evicted",
    };
    let mut evidence = vec![format!("profile {}: {}", case.profile(), case.guess.reason)];
    evidence.extend(expiring.map(|share| format!("{share:.0} % of the keys have an expiry")));
    Opinion::set(
        Severity::Critical,
        "maxmemory-policy",
        changes,
        why,
        evidence,
    )
    .into_iter()
    .collect()
}

fn wanted_policy(profile: Profile, expiring: Option<f64>) -> Option<&'static str> {
    match profile {
        Profile::Cache => None,
        Profile::Session if expiring.is_some_and(|share| share >= NEARLY_ALL) => {
            Some("volatile-ttl")
        }
        Profile::Session | Profile::Durable | Profile::Queue => Some("noeviction"),
    }
}

/// How many of the masters' keys have an expiry; `None` where they hold none.
fn expiring_percent(case: &Case) -> Option<f64> {
    let databases = case.masters().flat_map(|node| node.info().databases());
    let (keys, expiring) = databases.fold((0, 0), |(all, some), (_, keys, expires)| {
        (all + keys, some + expires)
    });
    (keys > 0).then(|| expiring as f64 * 100.0 / keys as f64)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::Setup;
    use crate::health::Profile;
    use crate::model::Severity;

    #[test]
    fn sessions_under_allkeys_are_the_gravest() {
        let setup = || {
            Setup::sound()
                .profile(Profile::Session)
                .config("maxmemory-policy", "allkeys-lru")
        };
        let advice = setup()
            .info("db0:keys=1000,expires=1000,avg_ttl=0")
            .rule("memory.policy");
        assert_eq!(advice[0].severity, Severity::Critical);
        assert_eq!(advice[0].changes.len(), 6);
        assert_eq!(advice[0].changes[0].proposed, "volatile-ttl");
        let advice = setup()
            .info("db0:keys=1000,expires=500,avg_ttl=0")
            .rule("memory.policy");
        assert_eq!(advice[0].changes[0].proposed, "noeviction");
    }

    #[test]
    fn a_cache_may_evict_anything() {
        let setup = Setup::sound().config("maxmemory-policy", "allkeys-lru");
        assert_eq!(setup.profile(Profile::Cache).rule("memory.policy"), []);
    }
}
