//! What is kept does not suit how it is kept: eviction, persistence, encodings.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Must, rules_of, send, set, string, tune};
use crate::support::resp::encode;
use crate::support::{Fleet, Home, Server};

const LIMIT: (&str, &str) = ("maxmemory", "209715200");

fn sessions(count: usize) -> impl Iterator<Item = Vec<String>> {
    (0..count).map(|n| string(format!("session:{n}"), &["EX", "3600"]))
}

fn pages(count: usize) -> impl Iterator<Item = Vec<String>> {
    (0..count).map(|n| string(format!("page:{n}"), &[]))
}

#[test]
fn sessions_under_the_settings_of_a_cache() {
    let fleet = Fleet::cluster(3, 0);
    send(&fleet, 3, sessions(3_000));
    set(&fleet, &[LIMIT, ("maxmemory-policy", "allkeys-lru")]);
    // Nobody says what it is for: the names of its keys do.
    let told = tune(&fleet, &[]);
    assert_eq!(told.0["profile"]["profile"], "session");
    told.must(&[
        (
            "critical",
            "memory.policy",
            "maxmemory-policy",
            "volatile-ttl",
        ),
        ("warning", "persistence.aof", "appendonly", "yes"),
        (
            "warning",
            "cluster.coverage",
            "cluster-require-full-coverage",
            "no",
        ),
        // On loopback only this machine's users can.
        ("info", "security.password", "requirepass", "a password"),
    ]);
    told.must_not(&["memory.mixed", "memory.limit", "security.protected-mode"]);

    // The guide has its way where it is asked for, and hears what speaks against it.
    let told = tune(&fleet, &["--profile", "guide"]);
    told.must(&[
        ("info", "guide.maxmemory", "maxmemory", "2147483648"),
        ("info", "guide.save", "save", "900 1 300 10 60 10000"),
        ("info", "guide.timeout", "timeout", "300"),
    ]);
    told.must_not(&["memory.policy", "guide.maxmemory-policy"]);
    let overruled = told.0["overruled"].as_array().unwrap();
    let policy = |one: &&serde_json::Value| one["recommendation"]["rule"] == "memory.policy";
    let policy = overruled.iter().find(policy).expect("it is told");
    assert_eq!(policy["by"], "guide.maxmemory-policy", "{policy:#}");

    // Called a cache, the sessions in it are told of, and what may go is left to a person.
    send(&fleet, 3, pages(3_000));
    let told = tune(&fleet, &["--profile", "cache"]);
    told.must(&[("warning", "memory.mixed", "keyspace", "sessions kept apart")]);
    told.must_not(&["memory.policy", "persistence.aof"]);

    let well = [
        ("maxmemory-policy", "volatile-ttl"),
        ("appendonly", "yes"),
        ("cluster-require-full-coverage", "no"),
    ];
    set(&fleet, &well);
    let told = tune(&fleet, &["--profile", "session"]);
    told.must_not(&[
        "memory.policy",
        "memory.mixed",
        "persistence.aof",
        "persistence.fsync",
        "cluster.coverage",
    ]);
}

#[test]
fn a_cache_that_refuses_and_saves() {
    let fleet = Fleet::cluster(3, 0);
    send(&fleet, 3, pages(3_000));
    set(
        &fleet,
        &[
            ("maxmemory-policy", "noeviction"),
            ("replica-ignore-maxmemory", "no"),
            ("appendfsync", "always"),
            ("appendonly", "yes"),
            // A change in five minutes is enough for a fork.
            ("save", "300 1"),
        ],
    );
    // What a fork costs is measured when there was one.
    fleet.wait("the first rewrite is over", |server| {
        let busy = server.field(&["INFO", "persistence"], "aof_rewrite_in_progress");
        let forks = server.field(&["INFO", "stats"], "total_forks");
        busy.as_deref() == Some("0") && forks.as_deref() != Some("0")
    });
    let must: &[Must] = &[
        ("info", "memory.policy", "maxmemory-policy", "allkeys-lru"),
        (
            "warning",
            "memory.replica_limit",
            "replica-ignore-maxmemory",
            "yes",
        ),
        ("info", "persistence.fsync", "appendfsync", "everysec"),
        ("info", "persistence.save", "save", ""),
        (
            "warning",
            "cluster.coverage",
            "cluster-require-full-coverage",
            "no",
        ),
    ];
    let told = tune(&fleet, &["--profile", "cache"]);
    told.must(must);
    told.must_not(&[
        "memory.mixed",
        "persistence.aof",
        "replication.min-replicas",
    ]);
    // How much memory is safe depends on the machine; that there must be a limit does not.
    let limit = told.advice("memory.limit", "maxmemory");
    assert_eq!(limit.expect("a limit")["severity"], "warning");

    set(&fleet, &[LIMIT, ("maxmemory-policy", "volatile-lru")]);
    let told = tune(&fleet, &["--profile", "cache"]);
    told.must(&[(
        "warning",
        "memory.policy",
        "maxmemory-policy",
        "allkeys-lru",
    )]);
    told.must_not(&["memory.limit"]);

    followed(&fleet, "cache", &rules_of(must));
}

#[test]
fn data_of_record_kept_like_a_cache() {
    let fleet = Fleet::cluster(3, 1);
    two_replicas(&fleet);
    send(&fleet, 3, pages(3_000));
    set(
        &fleet,
        &[
            LIMIT,
            ("maxmemory-policy", "allkeys-lru"),
            ("cluster-replica-validity-factor", "0"),
            ("cluster-allow-reads-when-down", "yes"),
            ("repl-backlog-size", "16384"),
            ("repl-backlog-ttl", "10"),
            ("replica-read-only", "no"),
        ],
    );
    let must: &[Must] = &[
        (
            "critical",
            "memory.policy",
            "maxmemory-policy",
            "noeviction",
        ),
        ("critical", "persistence.aof", "appendonly", "yes"),
        (
            "warning",
            "replication.min-replicas",
            "min-replicas-to-write",
            "1",
        ),
        (
            "warning",
            "cluster.validity",
            "cluster-replica-validity-factor",
            "10",
        ),
        (
            "info",
            "cluster.reads-when-down",
            "cluster-allow-reads-when-down",
            "no",
        ),
        (
            "warning",
            "replication.backlog-ttl",
            "repl-backlog-ttl",
            "3600",
        ),
        (
            "warning",
            "replication.read-only",
            "replica-read-only",
            "yes",
        ),
    ];
    let told = writing(&fleet[0], || tune(&fleet, &["--profile", "durable"]));
    told.must(must);
    told.must_not(&["cluster.coverage", "memory.mixed", "persistence.save"]);
    let backlog = told.advice("replication.backlog", "repl-backlog-size");
    let backlog = backlog.expect("more backlog for what is written");
    assert_eq!(backlog["severity"], "warning", "{backlog:#}");
    let nodes = backlog["changes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3, "the master and its replicas: {backlog:#}");
    for node in nodes {
        let size: u64 = node["proposed"].as_str().unwrap().parse().unwrap();
        assert!((10 << 20..=20 << 20).contains(&size), "{node:#}");
    }

    // A shard that wants more replicas than it has refuses every write.
    let fourth = fleet[2].addr();
    assert_eq!(
        fleet[2].cli(&["CONFIG", "SET", "min-replicas-to-write", "2"]),
        "OK"
    );
    let told = tune(&fleet, &["--profile", "durable"]);
    let all = told.recommendations().iter();
    let refuses = all
        .clone()
        .find(|one| one["rule"] == "replication.min-replicas" && one["severity"] == "critical");
    let refuses = refuses.unwrap_or_else(|| panic!("{:?}", told.rules()));
    assert!(
        refuses["changes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["addr"] == fourth),
        "{refuses:#}"
    );
    // With nothing written now the backlog is still less than any server's default.
    let rules = [&rules_of(must)[..], &["replication.backlog"]].concat();
    followed(&fleet, "durable", &rules);
}

/// The replica of the second master follows the first instead: two there, none here.
fn two_replicas(fleet: &Fleet) {
    fleet[4].cli(&["CLUSTER", "REPLICATE", &fleet[0].id()]);
    fleet.wait_usable(3);
    fleet.wait("it follows the first", |server| {
        server
            .cli(&["CLUSTER", "REPLICAS", &fleet[0].id()])
            .lines()
            .count()
            == 2
    });
}

/// Runs something while a few hundred KB a second are written to that node.
fn writing<T>(server: &Server, run: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut wire = server.connect().unwrap();
            let mut own = Vec::new();
            // {06S} is of slot 0, the first master's.
            encode(&mut own, &[b"SET", b"{06S}", &[b'x'; 4_096]]);
            while !is_over.load(Ordering::Relaxed) {
                wire.send(&own).unwrap();
                assert_eq!(wire.read().unwrap().text().as_deref(), Ok("OK"));
                thread::sleep(Duration::from_millis(10));
            }
        });
        let result = run();
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

/// Applies what is said, and sees that the rules have nothing more to say.
fn followed(fleet: &Fleet, profile: &str, rules: &[&str]) {
    let first = fleet[0].addr();
    let (only, home) = (rules.join(","), Home::new());
    let words = ["tune", &first, "--sample", "1s", "--profile", profile];
    let words = [&words[..], &["--only", &only, "--apply", "--yes"]].concat();
    let applied = home.goodcache(&words).run().expect(0);
    assert!(applied.stdout.contains("DONE"), "{}", applied.stdout);
    let told = tune(fleet, &["--profile", profile]);
    told.must_not(rules);
}

#[test]
fn collections_in_the_wrong_encoding_and_one_that_is_too_large() {
    let fleet = Fleet::cluster(3, 0);
    set(&fleet, &[LIMIT, ("hash-max-listpack-entries", "5000")]);
    let hashes = (0..60).map(|n| {
        let pairs = (0..1_500).flat_map(|field| [field.to_string(), "1".to_owned()]);
        let words = ["HSET".to_owned(), format!("ratings:{n}")];
        words.into_iter().chain(pairs).collect()
    });
    let sets = (0..150).map(|n| {
        let pairs = (0..200).flat_map(|book| [book.to_string(), format!("book:{book}")]);
        let words = ["ZADD".to_owned(), format!("recs:{n}")];
        words.into_iter().chain(pairs).collect()
    });
    let large = (0..10).map(|part| {
        let members = (0..11_000).map(|n| (part * 11_000 + n).to_string());
        let words = ["SADD".to_owned(), "everybody".to_owned()];
        words.into_iter().chain(members).collect()
    });
    let freed = [
        vec!["SET".to_owned(), "gone".to_owned(), "1".to_owned()],
        vec!["DEL".to_owned(), "gone".to_owned()],
    ];
    send(&fleet, 3, hashes.chain(sets).chain(large).chain(freed));
    let must: &[Must] = &[
        (
            "warning",
            "encodings.hash",
            "hash-max-listpack-entries",
            "1000",
        ),
        ("info", "encodings.zset", "zset-max-listpack-entries", "208"),
        ("info", "memory.lazy_free", "lazyfree-lazy-user-del", "yes"),
    ];
    let told = tune(&fleet, &["--profile", "durable", "--deep"]);
    told.must(must);
    assert!(
        told.advice("memory.lazy_free", "lazyfree-lazy-eviction")
            .is_none()
    );
    // Without a close look nothing is said of sizes, and that is told.
    let told = tune(&fleet, &["--profile", "durable"]);
    told.must_not(&rules_of(must));
    let skipped = told.0["skipped"].as_array().unwrap();
    let deep = |one: &serde_json::Value| {
        one["code"] == "encodings.hash" && one["reason"].as_str().unwrap().contains("--deep")
    };
    assert!(skipped.iter().any(deep), "{skipped:#?}");
}
