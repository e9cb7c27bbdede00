//! Whole commands on servers without cluster mode that Sentinels watch: what is read, written, set and
//! drilled is what the Sentinels call the master, before and after they chose another.

use std::time::Duration;

use crate::support::sentinel::{field, is_linked, replicated};
use crate::support::{Home, Outcome, Server, Spec, Watched, Wire, until};

const LIMIT: Duration = Duration::from_secs(120);
const SOON: Duration = Duration::from_secs(40);
const KEYS: u64 = 40;

fn run(home: &Home, args: &[&str]) -> Outcome {
    home.goodcache(args).within(LIMIT).run()
}

fn sow(watched: &Watched) {
    for n in 0..KEYS {
        watched.servers[0].cli(&["SET", &format!("key:{n}"), &n.to_string()]);
    }
    until("the replicas have all", SOON, || {
        watched.servers.iter().all(|server| keys(server) == KEYS)
    });
}

fn keys(server: &Server) -> u64 {
    server.cli(&["DBSIZE"]).trim().parse().unwrap()
}

/// Waits until the Sentinels are through with a failover; the new master.
fn failed_over(watched: &Watched) -> &Server {
    let old = watched.servers[0].port();
    until("the failover is over", SOON, || {
        watched.sentinels.iter().all(|sentinel| {
            let master = watched.master_as_seen_by(sentinel);
            field(&master, "port") != Some(&old.to_string())
        })
    });
    watched.server(watched.master_port(&watched.sentinels[0]))
}

#[test]
fn a_replica_is_backed_up_and_the_master_of_now_gets_it_back() {
    let mut watched = Watched::start();
    sow(&watched);
    let home = Home::new();
    let repository = home.path().join("repository").display().to_string();
    let seed = watched.sentinels[0].addr();
    let taken = run(&home, &["backup", &seed, "--repo", &repository]).expect(0);
    assert!(
        taken.stdout.contains("replica 127.0.0.1:"),
        "{}",
        taken.stdout
    );
    run(
        &home,
        &[
            "backup",
            "verify",
            "latest",
            "--repo",
            &repository,
            "--read-data",
        ],
    )
    .expect(0);

    watched.servers[0].cli(&["FLUSHALL"]);
    watched.servers[0].kill();
    let master = failed_over(&watched);
    until("the other follows", SOON, || {
        let others = watched.servers.iter().skip(1);
        others
            .filter(|server| server.port() != master.port())
            .all(is_linked)
    });
    master.cli(&["FLUSHALL"]);
    let words = [
        "restore",
        "latest",
        &seed,
        "--repo",
        &repository,
        "-o",
        "json",
    ];
    let report = run(&home, &words).expect(0).json()["report"].clone();
    assert_eq!(report["proof"]["missing"], 0, "{report:#}");
    assert_eq!(keys(master), KEYS);
}

#[test]
fn a_backup_is_taken_again_when_the_master_dies_in_the_middle() {
    let mut watched = Watched::start();
    sow(&watched);
    let home = Home::new();
    let repository = home.path().join("repository").display().to_string();
    let seed = watched.sentinels[0].addr();
    let master = &watched.servers[0];
    master.cli(&["CONFIG", "SET", "rdb-key-save-delay", "100000"]);
    let words = [
        "backup",
        &seed,
        "--repo",
        &repository,
        "--from",
        "masters",
        "-o",
        "json",
    ];
    let running = home.goodcache(&words).within(LIMIT).spawn();
    until("the base is under way", SOON, || {
        let saving = master.field(&["INFO", "persistence"], "rdb_bgsave_in_progress");
        saving.as_deref() == Some("1")
    });
    watched.servers[0].kill();
    let outcome = running.wait().expect(0);
    let report = &outcome.json()["report"];
    assert!(
        report["snapshot"]["tries"].as_u64().unwrap() >= 2,
        "{report:#}"
    );
    assert_eq!(report["snapshot"]["keys"], KEYS, "{report:#}");
    run(
        &home,
        &[
            "backup",
            "verify",
            "latest",
            "--repo",
            &repository,
            "--read-data",
        ],
    )
    .expect(0);
}

#[test]
fn tuning_leaves_the_cluster_out_and_sets_all_servers() {
    let watched = Watched::start();
    let home = Home::new();
    let seed = watched.sentinels[0].addr();
    let advice = run(&home, &["tune", &seed, "-o", "json", "--sample", "200ms"]).expect(0);
    assert!(!advice.stdout.contains("\"cluster."), "{}", advice.stdout);
    let words = [
        "tune", &seed, "--apply", "--yes", "--only", "latency", "--sample", "200ms",
    ];
    let applied = run(&home, &words).expect(0);
    for server in watched.servers.iter() {
        let set = server
            .ask(&["CONFIG", "GET", "latency-monitor-threshold"])
            .unwrap()
            .texts();
        assert_ne!(set[1], "0", "{}", applied.stdout);
    }
}

/// Servers that a drill started again are no children of the test.
struct Ending(Vec<String>);

impl Drop for Ending {
    fn drop(&mut self) {
        for addr in &self.0 {
            if let Ok(mut wire) = Wire::plain(addr, Duration::from_secs(2)) {
                // It closes the connection instead of an answer.
                let _ = wire.ask(&["SHUTDOWN", "NOSAVE"]);
            }
        }
    }
}

fn drilled() -> (Watched, Ending, Home) {
    let spec = Spec {
        lives_in_file: true,
        ..Spec::default()
    };
    let watched = Watched::start_with(&spec, &Spec::default());
    let ending = Ending(watched.servers.addrs());
    (watched, ending, Home::new())
}

fn drill(home: &Home, watched: &Watched, more: &[&str]) -> Outcome {
    let seed = watched.sentinels[0].addr();
    let mut words = vec!["failover-test", &seed, "--confirm", &seed, "-o", "json"];
    words.extend(["--rate", "50"]);
    words.extend(more);
    run(home, &words)
}

#[test]
fn a_killed_master_is_replaced_by_the_sentinels_and_comes_back_as_a_replica() {
    let (watched, _ending, home) = drilled();
    let report = drill(&home, &watched, &["--fault", "kill"])
        .expect(0)
        .json()["report"]
        .clone();
    let promotion = &report["promotions"][0];
    assert_eq!(promotion["from"], watched.servers[0].addr(), "{report:#}");
    let outage = report["outages"][0]["unavailable_ms"].as_f64().unwrap();
    // Down after 1 s, and the last answer may be a second old.
    assert!((100.0..8000.0).contains(&outage), "{outage} ms");
    for name in ["detection", "agreement", "election", "total"] {
        let terms = report["terms"].as_array().unwrap();
        let term = terms.iter().find(|term| term["name"] == name).unwrap();
        assert!(term["measured_ms"].is_number(), "{name}: {report:#}");
    }
    assert!(is_linked(&watched.servers[0]), "{report:#}");
    assert_eq!(report["conditions"]["watched"]["sentinels"], 3);
}

#[test]
fn sentinels_are_asked_to_fail_over_and_frozen_masters_are_replaced() {
    let (watched, _ending, home) = drilled();
    let more = ["--fault", "failover", "--max-lost-writes", "100000"];
    let report = drill(&home, &watched, &more).expect(0).json()["report"].clone();
    assert_eq!(
        report["promotions"][0]["from"],
        watched.servers[0].addr(),
        "{report:#}"
    );
    let more = ["--fault", "pause", "--max-lost-writes", "100000"];
    let report = drill(&home, &watched, &more).expect(0).json()["report"].clone();
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        1,
        "{report:#}"
    );
}

#[test]
fn what_takes_a_cluster_is_refused_with_sentinels() {
    let (watched, _ending, home) = drilled();
    let refused = drill(&home, &watched, &["--fault", "takeover"]).expect(5);
    assert!(refused.stderr.contains("cluster bus"), "{}", refused.stderr);
}

/// A drill of servers that no Sentinel watches.
fn drill_alone(home: &Home, server: &Server, more: &[&str]) -> Outcome {
    let seed = server.addr();
    let mut words = vec!["failover-test", &seed, "--confirm", &seed, "-o", "json"];
    words.extend(["--rate", "50"]);
    words.extend(more);
    run(home, &words)
}

fn keeping(args: &[&str]) -> Spec {
    Spec {
        lives_in_file: true,
        is_cluster: false,
        ..Spec::with_args(args)
    }
}

#[test]
fn a_server_alone_is_restarted_and_what_that_costs_is_measured() {
    // By everysec the server may put off writing for two seconds while it waits for the disk.
    let server = Server::start_with(keeping(&["--appendonly", "yes", "--appendfsync", "always"]));
    let (_ending, home) = (Ending(vec![server.addr()]), Home::new());
    let report = drill_alone(&home, &server, &["--fault", "fast-restart"])
        .expect(0)
        .json()["report"]
        .clone();
    assert_eq!(report["conditions"]["form"], "standalone", "{report:#}");
    assert_eq!(report["writes"]["lost"], 0, "{report:#}");
    let outage = report["outages"][0]["unavailable_ms"].as_f64().unwrap();
    assert!((1.0..15_000.0).contains(&outage), "{outage} ms");
    assert_eq!(report["terms"].as_array().unwrap().len(), 0, "{report:#}");

    let refused = drill_alone(&home, &server, &["--fault", "kill"]).expect(5);
    for words in [
        "no Sentinel was asked",
        "--fault fast-restart",
        "--accept no-successor",
    ] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    let more = [
        "--fault",
        "kill",
        "--accept",
        "no-successor",
        "--max-outage",
        "30s",
    ];
    let report = drill_alone(&home, &server, &more).expect(0).json()["report"].clone();
    let outage = report["outages"][0]["unavailable_ms"].as_f64().unwrap();
    assert!(outage >= 3000.0, "it was kept down for 3 s: {outage} ms");
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );

    for fault in ["failover", "takeover", "isolate-bus"] {
        let refused = drill_alone(&home, &server, &["--fault", fault]).expect(5);
        assert!(
            refused.stderr.contains("not possible"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn a_server_that_keeps_nothing_is_not_restarted() {
    let nothing = Server::start_with(keeping(&[]));
    let home = Home::new();
    let refused = drill_alone(&home, &nothing, &["--fault", "fast-restart"]).expect(5);
    assert!(refused.stderr.contains("it is empty"), "{}", refused.stderr);
    nothing.cli(&["CONFIG", "SET", "save", "3600 1"]);
    let refused = drill_alone(&home, &nothing, &["--fault", "fast-restart"]).expect(5);
    assert!(
        refused.stderr.contains("last snapshot"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("--accept wipe"),
        "{}",
        refused.stderr
    );
}

#[test]
fn replicas_without_a_sentinel_go_on_answering_and_none_is_promoted() {
    let servers = replicated(2, &keeping(&["--appendonly", "yes"]));
    let (_ending, home) = (Ending(servers.addrs()), Home::new());
    let refused = drill_alone(&home, &servers[0], &["--fault", "kill"]).expect(5);
    assert!(
        refused.stderr.contains("no Sentinel was asked"),
        "{}",
        refused.stderr
    );
    assert!(
        refused.stderr.contains("give the address of a Sentinel"),
        "{}",
        refused.stderr
    );
    let more = [
        "--fault",
        "pause",
        "--accept",
        "no-successor",
        "--max-outage",
        "30s",
    ];
    let outcome = drill_alone(&home, &servers[0], &more).expect(0);
    assert!(
        outcome.stderr.contains("2 replicas can still be read"),
        "{}",
        outcome.stderr
    );
    let report = outcome.json()["report"].clone();
    assert_eq!(
        report["promotions"].as_array().unwrap().len(),
        0,
        "{report:#}"
    );
    assert_eq!(report["conditions"]["form"], "replication");
    // A replica that is away costs nobody a write.
    let more = ["--fault", "kill", "--role", "replica"];
    let report = drill_alone(&home, &servers[0], &more).expect(0).json()["report"].clone();
    assert_eq!(report["writes"]["lost"], 0, "{report:#}");
    until("all follow again", SOON, || {
        servers.iter().skip(1).all(is_linked)
    });
}
