//! Which policy is proposed for which purpose, and where none.

use crate::health::Profile;
use crate::model::{Family, KeysSeen, Severity};
use crate::ops::tune::Risk;
use crate::ops::tune::testing::Setup;

fn told(setup: &Setup) -> Vec<(Severity, usize, String)> {
    let each = setup.rule("memory.policy");
    let each = each.iter();
    each.map(|one| {
        (
            one.severity,
            one.changes.len(),
            one.changes[0].proposed.clone(),
        )
    })
    .collect()
}

fn policy(profile: Profile, present: &str, expiring: u64) -> Setup {
    Setup::sound()
        .profile(profile)
        .config("maxmemory-policy", present)
        .info(&format!("db0:keys=1000,expires={expiring},avg_ttl=0"))
}

#[test]
fn sessions_under_allkeys_are_the_gravest() {
    for (expiring, wanted) in [
        (1000, "volatile-ttl"),
        (950, "volatile-ttl"),
        (500, "noeviction"),
    ] {
        let setup = policy(Profile::Session, "allkeys-lru", expiring);
        assert_eq!(told(&setup), [(Severity::Critical, 6, wanted.to_owned())]);
    }
}

#[test]
fn what_each_profile_wants() {
    use Profile::{Cache, Durable, Queue, Session};
    use Severity::{Critical, Info, Warning};
    for (profile, present, expiring, wanted) in [
        (Session, "volatile-lru", 1000, None),
        (Session, "noeviction", 0, None),
        (Durable, "noeviction", 0, None),
        (Durable, "allkeys-lfu", 0, Some((Critical, "noeviction"))),
        (Durable, "volatile-lru", 0, Some((Warning, "noeviction"))),
        (Queue, "allkeys-lru", 1000, Some((Critical, "noeviction"))),
        (Cache, "allkeys-lru", 0, None),
        (Cache, "allkeys-lfu", 0, None),
        (Cache, "volatile-lru", 600, None),
        (Cache, "volatile-lru", 400, Some((Warning, "allkeys-lru"))),
        (Cache, "volatile-lfu", 400, Some((Warning, "allkeys-lfu"))),
        (Cache, "noeviction", 1000, Some((Info, "allkeys-lru"))),
    ] {
        let wanted: Vec<_> = (wanted.iter())
            .map(|(severity, policy)| (*severity, 6, (*policy).to_owned()))
            .collect();
        let setup = policy(profile, present, expiring);
        assert_eq!(told(&setup), wanted, "{profile} {present} {expiring}");
    }
}

#[test]
fn a_full_cache_that_never_evicts_refuses_writes() {
    let setup = policy(Profile::Cache, "noeviction", 1000);
    let full = setup.clone().info_of(0, "used_memory:900000000");
    let word = |severity, nodes| (severity, nodes, "allkeys-lru".to_owned());
    assert_eq!(
        told(&full),
        [word(Severity::Warning, 1), word(Severity::Info, 5)]
    );
    assert_eq!(full.rule("memory.policy")[0].risk, Risk::High);
    let refused = setup.later_of(1, "errorstat_OOM:count=12");
    assert_eq!(
        told(&refused),
        [word(Severity::Critical, 1), word(Severity::Info, 5)]
    );
}

#[test]
fn what_is_asked_for_often_should_stay() {
    let seen = |hottest| KeysSeen {
        sampled: 1000,
        keys: 1000,
        is_deep: true,
        hottest_tenth_percent: Some(hottest),
        ..KeysSeen::default()
    };
    let setup = policy(Profile::Cache, "allkeys-lru", 0);
    let skewed = setup.clone().keys(&seen(75.0));
    assert_eq!(
        told(&skewed),
        [(Severity::Info, 6, "allkeys-lfu".to_owned())]
    );
    assert_eq!(told(&setup.keys(&seen(40.0))), []);
}

#[test]
fn a_cache_with_sessions_in_it_is_not_told_to_evict_anything() {
    let seen = KeysSeen {
        sampled: 1000,
        keys: 1000,
        families: vec![Family {
            pattern: "session:*".into(),
            count: 50,
            with_expiry: 50,
            ..Family::default()
        }],
        ..KeysSeen::default()
    };
    let setup = policy(Profile::Cache, "noeviction", 1000).keys(&seen);
    assert_eq!(told(&setup), []);
}

#[test]
fn on_a_guess_no_key_without_an_expiry_is_let_go() {
    let guessed = |present: &str, expiring: u64| {
        Setup::sound()
            .config("maxmemory-policy", present)
            .info(&format!("db0:keys=1000,expires={expiring},avg_ttl=0"))
    };
    let wanted = [(Severity::Info, 6, "volatile-lru".to_owned())];
    assert_eq!(told(&guessed("noeviction", 980)), wanted);
    assert_eq!(told(&guessed("noeviction", 600)), []);
    let mixed = guessed("volatile-lru", 400);
    assert_eq!(told(&mixed), []);
    let skipped = mixed.skipped("memory.policy");
    assert!(
        skipped[0].reason.contains("give --profile cache"),
        "{}",
        skipped[0].reason
    );
}

#[test]
fn an_empty_cluster_of_no_known_purpose_is_left_alone() {
    assert_eq!(told(&Setup::sound()), []);
    assert_eq!(
        told(&Setup::sound().config("maxmemory-policy", "allkeys-lru")),
        []
    );
}
