//! More shapes, guarded servers, other databases, parts of a snapshot, and the most used keys first.

use std::sync::Arc;

use super::*;
use crate::support::Certificates;

#[test]
fn five_shards_become_one_and_one_becomes_five() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(5, 0),
    };
    stage.fill();
    stage.backup();
    let source: Vec<&Server> = stage.source.iter().collect();
    let all = keys(&source);
    let one = Stage {
        home: Home::new(),
        source: empty(1),
    };
    proven(stage.restore(&one.source[0].addr(), &[]).run());
    assert_eq!(keys(&[&one.source[0]]), all);
    one.backup();
    let five = empty(5);
    let report = proven(one.restore(&five[0].addr(), &[]).run());
    let servers: Vec<&Server> = five.iter().collect();
    assert_eq!(keys(&servers), all);
    assert!(servers.iter().all(|server| keys(&[server]) > 0));
    assert_eq!(report["proof"]["keys_equal"], all);
}

#[test]
fn guarded_servers_are_logged_into_over_tls() {
    let certificates = Arc::new(Certificates::new());
    let guarded = |count: usize, password: &str| {
        let fleet = Fleet::start_with(count, |_| Spec {
            password: Some(password.to_owned()),
            tls: Some(certificates.clone()),
            ..Spec::default()
        });
        fleet.join(count);
        fleet
    };
    let (source, target, home) = (
        guarded(1, "pl4nted-one"),
        guarded(2, "pl4nted-two"),
        Home::new(),
    );
    for n in 0..500 {
        source[0].cli(&["SET", &format!("k:{n}"), "v"]);
    }
    let url = home.path().join("repository").display().to_string();
    let path = |file: &str| certificates.path(file).display().to_string();
    let (ca, cert, key) = (path("ca.crt"), path("client.crt"), path("client.key"));
    let run = |words: &[&str], password: &str| {
        let mut all = words.to_vec();
        all.extend(["--repo", &url, "-o", "json", "--tls"]);
        all.extend(["--cacert", &ca, "--cert", &cert, "--key", &key]);
        let run = home.goodcache(&all).env("GOODCACHE_PASSWORD", password);
        run.within(LIMIT).run()
    };
    run(&["backup", &source[0].addr()], "pl4nted-one").expect(0);
    let addr = target[0].addr();
    let wrong = run(&["restore", "latest", &addr], "pl4nted-wrong").expect(4);
    assert!(wrong.stderr.contains("next: "), "{}", wrong.stderr);
    assert!(!wrong.stderr.contains("pl4nted"), "{}", wrong.stderr);
    let servers: Vec<&Server> = target.iter().collect();
    assert_eq!(keys(&servers), 0);
    let outcome = run(&["restore", "latest", &addr], "pl4nted-two");
    assert!(!outcome.stderr.contains("pl4nted"), "{}", outcome.stderr);
    proven(outcome);
    assert_eq!(keys(&servers), 500);
}

#[test]
fn strings_come_by_set_and_where_the_user_may_not_by_restore() {
    let (stage, target) = (Stage::new(), empty(2));
    let servers: Vec<&Server> = target.iter().collect();
    for server in &servers {
        let rule = [
            "ACL", "SETUSER", "mover", "on", ">pl4nted", "~*", "&*", "+@all", "-set",
        ];
        server.cli(&rule);
    }
    let calls = |name: &str| -> u64 {
        let of = |server: &&Server| {
            let told = server.cli(&["INFO", "commandstats"]);
            let row = told
                .lines()
                .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            row.and_then(|row| row.split(',').next())
                .map_or(0, |calls| calls.parse().unwrap())
        };
        servers.iter().map(of).sum()
    };
    let all = keys(&stage.source.iter().collect::<Vec<_>>());
    proven(stage.restore(&target[0].addr(), &[]).run());
    let (set, restored) = (calls("set"), calls("restore"));
    assert!(set > 0 && restored > 0, "{set} {restored}");
    assert_eq!(keys(&servers), all);
    for server in &servers {
        server.cli(&["FLUSHALL"]);
        server.cli(&["CONFIG", "RESETSTAT"]);
    }
    let as_mover = stage
        .restore(&target[0].addr(), &["--user", "mover"])
        .env("GOODCACHE_PASSWORD", "pl4nted");
    proven(as_mover.run());
    assert_eq!((calls("set"), calls("restore")), (0, set + restored));
    assert_eq!(keys(&servers), all);
}

#[test]
fn other_databases_go_to_servers_that_have_them_and_are_named_elsewhere() {
    let (source, home) = (alone(), Home::new());
    let mut wire = source.connect().unwrap();
    for line in [
        "SET zero 1",
        "SELECT 3",
        "SET three 1",
        "SET third 1",
        "SELECT 9",
        "SET nine 1",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        wire.ask(&words).unwrap();
    }
    let url = home.path().join("repository").display().to_string();
    let run = |words: &[&str]| {
        let mut all = words.to_vec();
        all.extend(["--repo", &url, "-o", "json"]);
        home.goodcache(&all).within(LIMIT).run()
    };
    run(&["backup", &source.addr()]).expect(0);
    let single = alone();
    proven(run(&["restore", "latest", &single.addr()]));
    let spaces = single.cli(&["INFO", "keyspace"]);
    assert!(
        spaces.contains("db3:keys=2") && spaces.contains("db9:keys=1"),
        "{spaces}"
    );
    let cluster = empty(2);
    let outcome = run(&["restore", "latest", &cluster[0].addr()]).expect(3);
    let report = &outcome.json()["report"];
    assert_eq!(report["without_database"], 3, "{report:#}");
    let databases = &report["databases"];
    assert_eq!(
        (&databases[0]["db"], &databases[0]["keys"]),
        (&3.into(), &2.into())
    );
    assert_eq!(
        (&databases[1]["db"], &databases[1]["first"]),
        (&9.into(), &"nine".into())
    );
    let servers: Vec<&Server> = cluster.iter().collect();
    assert_eq!(keys(&servers), 1);
}

#[test]
fn a_tag_some_slots_or_what_lasts_is_all_that_comes() {
    let stage = Stage {
        home: Home::new(),
        source: empty(1),
    };
    let source = &stage.source[0];
    for words in [
        &["SET", "{a}1", "v"][..],
        &["SET", "{a}2", "v", "EX", "5000"],
        &["SET", "{b}1", "v", "EX", "50"],
        &["SET", "a", "v"],
        &["SET", "x{a*}", "v"],
    ] {
        source.cli(words);
    }
    stage.backup();
    let slot = source.cli(&["CLUSTER", "KEYSLOT", "a"]).trim().to_owned();
    let came = |more: &[&str]| {
        let target = alone();
        proven(stage.restore(&target.addr(), more).run());
        let names = target.cli(&["KEYS", "*"]);
        let mut names: Vec<String> = names.lines().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(came(&["--hash-tag", "a"]), ["{a}1", "{a}2"]);
    assert_eq!(came(&["--hash-tag", "a*"]), ["x{a*}"]);
    assert_eq!(came(&["--slots", &slot]), ["a", "{a}1", "{a}2"]);
    assert_eq!(came(&["--min-ttl", "1h"]), ["a", "x{a*}", "{a}1", "{a}2"]);
    assert_eq!(came(&["--hash-tag", "a", "--keys", "*2"]), ["{a}2"]);
}

#[test]
fn the_most_used_keys_come_first_and_all_come_in_the_end() {
    let lfu = |_| Spec::with_args(&["--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0"]);
    let stage = Stage {
        home: Home::new(),
        source: Fleet::start_with(1, lfu),
    };
    stage.source.join(1);
    let mut wire = stage.source[0].connect().unwrap();
    for n in 0..2000 {
        wire.ask(&["SET", &format!("k:{n}"), &"v".repeat(100)])
            .unwrap();
    }
    // Three degrees of heat: 60, 35 and 4 % of it.
    for (group, uses) in [(0..30, 100), (30..100, 50), (100..150, 20)] {
        for n in group {
            for _ in 0..uses {
                wire.ask(&["GET", &format!("k:{n}")]).unwrap();
            }
        }
    }
    stage.backup();
    let target = Fleet::start_with(2, lfu);
    target.join(2);
    let outcome = stage
        .restore(&target[0].addr(), &["--order", "hottest"])
        .run();
    let said = outcome.stderr.clone();
    let report = proven(outcome);
    let warmth = report["warmth"].as_array().unwrap();
    let percents: Vec<u64> = warmth.iter().flat_map(|w| w["percent"].as_u64()).collect();
    assert_eq!(percents, [50, 90, 99], "{report:#}");
    let keys_at = |n: usize| warmth[n]["keys"].as_u64().unwrap();
    // Those of the first two degrees make 95 % of it; fewer would make 60.
    assert!(keys_at(0) <= 100 && keys_at(1) == 100, "{report:#}");
    assert!((110..=2000).contains(&keys_at(2)), "{report:#}");
    for line in [
        "about 50 % of the recorded heat is back after ",
        "\n90 % of the recorded heat is back after ",
        "\n99 % of the recorded heat is back after ",
    ] {
        assert_eq!(said.matches(line).count(), 1, "{line}: {said}");
    }
    let servers: Vec<&Server> = target.iter().collect();
    assert_eq!(keys(&servers), 2000);
}

#[test]
fn killed_among_the_most_used_keys_and_among_the_rest_it_ends_with_the_same_data() {
    const HOT: u64 = 2000;
    let stage = Stage {
        home: Home::new(),
        source: Fleet::start_with(1, |_| {
            Spec::with_args(&["--maxmemory-policy", "allkeys-lfu", "--lfu-log-factor", "0"])
        }),
    };
    stage.source.join(1);
    let mut wire = stage.source[0].connect().unwrap();
    for n in 0..2 * HOT {
        let key = format!("k:{n}");
        wire.ask(&["SET", &key, &"v".repeat(200)]).unwrap();
        for _ in 0..if n < HOT { 6 } else { 0 } {
            wire.ask(&["GET", &key]).unwrap();
        }
    }
    stage.backup();
    let target = empty(2);
    let servers: Vec<&Server> = target.iter().collect();
    let addr = target[0].addr();
    let hottest = |more: &[&str]| {
        let mut words = vec!["--order", "hottest"];
        words.extend(more);
        stage.restore(&addr, &words)
    };
    for least in [100, HOT + 100] {
        let mut running = hottest(&["--rate", "150KiB"]).spawn();
        crate::support::until("keys arrive", LIMIT, || keys(&servers) > least);
        running.kill();
        drop(running);
        let came = keys(&servers);
        let is_hot = |key: &&str| key[2..].parse::<u64>().unwrap() < HOT;
        let names = servers.iter().map(|server| server.cli(&["KEYS", "*"]));
        let hot = names.map(|names| names.lines().filter(is_hot).count() as u64);
        assert_eq!(hot.sum::<u64>(), came.min(HOT), "{came}");
        assert!(came < 2 * HOT, "{came}");
    }
    let outcome = hottest(&[]).run();
    let told = "going on where the same command stopped";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let report = proven(outcome);
    assert_eq!(report["proof"]["keys_equal"], 2 * HOT, "{report:#}");
    assert_eq!(keys(&servers), 2 * HOT);
}
