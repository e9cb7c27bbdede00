//! `create` on real servers: usable the moment it exits, the same twice, complete after a kill,
//! and every fault in one run.

use std::time::Duration;

use crate::support::{Fleet, Home, Outcome, Server, Spec, goodcache};

fn create(home: &Home, fleet: &Fleet, more: &[&str]) -> Outcome {
    let nodes = fleet.list();
    let mut args = vec!["create", "shop", "--nodes", &nodes, "--yes", "-o", "json"];
    args.extend(more);
    home.goodcache(&args).run()
}

/// Writes to every master at once, through no client that would wait or retry.
fn write_to_each_master(fleet: &Fleet) -> usize {
    let mut written = 0;
    for server in fleet.iter() {
        let nodes = server.cli(&["CLUSTER", "NODES"]);
        let own = nodes
            .lines()
            .find(|line| line.contains("myself"))
            .unwrap()
            .to_owned();
        let Some(range) = own.split_ascii_whitespace().nth(8) else {
            continue;
        };
        let first: u16 = range.split('-').next().unwrap().parse().unwrap();
        let slot = goodcache::model::Slot::new(first).unwrap();
        let key = (0..)
            .map(|n| format!("k{n}"))
            .find(|key| goodcache::model::Slot::of_key(key.as_bytes()) == slot)
            .unwrap();
        assert_eq!(server.cli(&["SET", &key, "v"]), "OK", "{}", server.addr());
        written += 1;
    }
    written
}

fn count(server: &Server, command: &str) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let name = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&name));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

fn writes(fleet: &Fleet) -> u64 {
    let commands = [
        "set",
        "del",
        "config|set",
        "cluster|meet",
        "cluster|addslots",
        "cluster|addslotsrange",
        "cluster|replicate",
        "cluster|set-config-epoch",
        "config|rewrite",
    ];
    fleet
        .iter()
        .flat_map(|server| commands.map(|command| count(server, command)))
        .sum()
}

#[test]
fn matrix_six_servers_are_usable_the_moment_create_exits() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    let outcome = create(&home, &fleet, &[]).expect(0);
    assert_eq!(write_to_each_master(&fleet), 3);
    let report = &outcome.json()["report"];
    assert_eq!(report["is_usable"], true, "{report}");
    assert_eq!(report["standing"], "fresh");
    for server in fleet.iter() {
        assert_eq!(
            server
                .field(&["CLUSTER", "INFO"], "cluster_state")
                .as_deref(),
            Some("ok")
        );
        let link = server.field(&["INFO", "replication"], "master_link_status");
        assert!(link.is_none_or(|link| link == "up"), "{}", server.addr());
        assert!(
            server
                .cli(&["CONFIG", "GET", "repl-diskless-sync-delay"])
                .contains('5')
        );
    }
}

#[test]
fn matrix_the_same_command_again_writes_nothing() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    create(&home, &fleet, &[]).expect(0);
    let before = writes(&fleet);
    let outcome = create(&home, &fleet, &[]).expect(0);
    assert_eq!(outcome.json()["report"]["standing"], "already_so");
    assert_eq!(outcome.json()["report"]["is_changed"], false);
    assert_eq!(writes(&fleet), before);
    let nodes = fleet.list();
    let said = home
        .goodcache(&["create", "shop", "--nodes", &nodes, "--yes"])
        .run()
        .expect(0);
    assert!(said.stdout.contains("already so"), "{}", said.stdout);
}

#[test]
fn a_create_that_was_killed_anywhere_is_completed_by_the_next() {
    for after_ms in [40, 120, 200, 300, 500, 900] {
        let fleet = Fleet::start(6);
        let home = Home::new();
        let nodes = fleet.list();
        let mut first = home
            .goodcache(&["create", "shop", "--nodes", &nodes, "--yes"])
            .spawn();
        std::thread::sleep(Duration::from_millis(after_ms));
        first.kill();
        drop(first.wait());
        let outcome = create(&home, &fleet, &[]).expect(0);
        assert_eq!(
            outcome.json()["report"]["is_usable"],
            true,
            "killed after {after_ms} ms"
        );
        assert_eq!(write_to_each_master(&fleet), 3);
        for server in fleet.iter() {
            let delay = server.cli(&["CONFIG", "GET", "repl-diskless-sync-delay"]);
            assert!(delay.contains('5'), "killed after {after_ms} ms: {delay}");
        }
    }
}

#[test]
fn an_interrupted_create_puts_the_sync_delay_back() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    let nodes = fleet.list();
    let running = home
        .goodcache(&["create", "shop", "--nodes", &nodes, "--yes"])
        .spawn();
    let is_zero = |server: &Server| {
        server
            .cli(&["CONFIG", "GET", "repl-diskless-sync-delay"])
            .contains('0')
    };
    crate::support::until("a delay of 0", Duration::from_secs(20), || {
        fleet.iter().any(is_zero)
    });
    running.interrupt();
    let outcome = running.wait();
    assert_eq!(outcome.code, 130, "{}", outcome.stderr);
    assert!(!fleet.iter().any(is_zero));
    create(&home, &fleet, &[]).expect(0);
}

#[test]
fn every_fault_is_told_in_one_run_and_nothing_is_changed() {
    let fleet = Fleet::start_with(8, |n| match n {
        1 => Spec {
            is_cluster: false,
            ..Spec::default()
        },
        2 => Spec {
            password: Some("other".into()),
            ..Spec::default()
        },
        // The servers of other tests listen on every loopback address; these on one only.
        3 => Spec::with_args(&["--bind", "127.0.0.1", "--cluster-announce-ip", "127.0.0.99"]),
        4 => Spec::with_args(&["--cluster-announce-bus-port", "1"]),
        _ => Spec::default(),
    });
    fleet[0].cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    crate::support::until("state ok", Duration::from_secs(20), || {
        fleet[0]
            .field(&["CLUSTER", "INFO"], "cluster_state")
            .as_deref()
            == Some("ok")
    });
    fleet[0].cli(&["SET", "a", "1"]);
    fleet[5].pause();
    let before: Vec<String> = [3, 4, 6, 7]
        .iter()
        .map(|&n| fleet[n].cli(&["CLUSTER", "NODES"]))
        .collect();
    let nodes = format!(
        "{},127.0.0.1:1,{},localhost:{}",
        fleet.list(),
        fleet[6].addr(),
        fleet[7].port()
    );
    let home = Home::new();
    let outcome = home
        .goodcache(&[
            "create",
            "shop",
            "--nodes",
            &nodes,
            "--masters",
            "3",
            "--yes",
            "-o",
            "json",
            "--deadline",
            "500ms",
        ])
        .run();
    fleet[5].resume();
    assert_eq!(outcome.code, 5, "{}{}", outcome.stdout, outcome.stderr);
    let json = outcome.json();
    let faults = json["report"]["faults"].as_array().unwrap();
    let codes: Vec<&str> = faults
        .iter()
        .map(|fault| fault["code"].as_str().unwrap())
        .collect();
    for (code, about) in [
        ("preflight.not_empty", fleet[0].addr()),
        ("preflight.not_cluster", fleet[1].addr()),
        ("preflight.unreachable", fleet[5].addr()),
        ("preflight.unreachable", "127.0.0.1:1".into()),
    ] {
        let told = faults
            .iter()
            .any(|fault| fault["code"] == code && fault.to_string().contains(&about));
        assert!(
            told,
            "{code} about {about} is missing from {codes:?}\n{json:#}"
        );
    }
    for words in ["password", "127.0.0.99", "bus", "twice"] {
        assert!(
            json.to_string().contains(words),
            "nothing about {words}: {json:#}"
        );
    }
    let after: Vec<String> = [3, 4, 6, 7]
        .iter()
        .map(|&n| fleet[n].cli(&["CLUSTER", "NODES"]))
        .collect();
    assert_eq!(before, after);
}

#[test]
fn small_clusters_are_made_only_when_asked_for() {
    for (count, masters) in [(1, "1"), (2, "2")] {
        let fleet = Fleet::start(count);
        let home = Home::new();
        let shape = ["--masters", masters, "--replicas", "0"];
        let refused = create(&home, &fleet, &shape);
        assert_eq!(refused.code, 5, "{}", refused.stderr);
        let allowed = [&shape[..], &["--allow-small"]].concat();
        create(&home, &fleet, &allowed).expect(0);
        assert_eq!(write_to_each_master(&fleet), count);
    }
}

#[test]
fn one_server_is_counted_and_told_what_it_is_too_few_for() {
    let server = Server::start();
    let told = goodcache(&["create", "shop", "--nodes", &server.addr(), "--yes"])
        .run()
        .expect(5);
    for words in [
        "shop: 1 node is too few for a master with a replica: 2 are needed",
        "seen: 1 node was given",
        "--replicas 0 --allow-small",
    ] {
        let text = told.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{words}: {}", told.stdout);
    }
}

#[test]
fn a_cluster_among_the_servers_is_told_as_such_and_left_alone() {
    let fleet = Fleet::start(8);
    let addrs = fleet.addrs();
    let home = Home::new();
    let first = addrs[..6].join(",");
    home.goodcache(&["create", "old", "--nodes", &first, "--yes"])
        .run()
        .expect(0);
    let before = writes(&fleet);
    let outcome = create(&home, &fleet, &[]).expect(5);
    let json = outcome.json();
    let faults = json["report"]["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 1, "{json:#}");
    assert_eq!(faults[0]["code"], "preflight.cluster_stands");
    let summary = faults[0]["summary"].as_str().unwrap();
    let inside = format!(
        "these 6 nodes are already a cluster: {}; ",
        addrs[..6].join(", ")
    );
    assert!(summary.starts_with(&inside), "{summary}");
    let beside = format!(
        "2 other nodes ({}) are not part of it",
        addrs[6..].join(", ")
    );
    assert!(summary.ends_with(&beside), "{summary}");
    let next = faults[0]["next"].as_str().unwrap();
    let check = format!("goodcache check {}", addrs[0]);
    assert!(
        next.contains(&check) && next.contains("redis-cli --cluster add-node"),
        "{next}"
    );
    assert_eq!(writes(&fleet), before);
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    let outcome = create(&home, &fleet, &["--dry-run"]).expect(0);
    assert_eq!(
        outcome.json()["report"]["steps"].as_array().unwrap().len(),
        3 + 3 + 30 + 1 + 3
    );
    assert_eq!(writes(&fleet), 0);
    let again = create(&home, &fleet, &["--dry-run"]).expect(0);
    assert_eq!(
        outcome.json()["report"],
        again.json()["report"],
        "the plan is not the same twice"
    );
}

#[test]
fn without_a_yes_nothing_is_done() {
    let fleet = Fleet::start(3);
    let nodes = fleet.list();
    let outcome = goodcache(&["create", "shop", "--nodes", &nodes, "--replicas", "0"]).run();
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--yes"), "{}", outcome.stderr);
    assert_eq!(writes(&fleet), 0);
}

#[test]
fn a_host_that_may_not_be_lost_is_refused_when_asked_for() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    let outcome = create(&home, &fleet, &["--require-tolerate", "host"]);
    assert_eq!(outcome.code, 5, "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(writes(&fleet), 0);
}

#[test]
fn a_cluster_with_a_password_is_made_and_checked_without_showing_it() {
    let secret = "correct horse battery";
    let fleet = Fleet::start_with(6, |_| Spec {
        password: Some(secret.into()),
        ..Spec::default()
    });
    let home = Home::new();
    let nodes = fleet.list();
    let made = home
        .goodcache(&["create", "shop", "--nodes", &nodes, "--yes", "-v"])
        .env("REDIS_PASSWORD", secret)
        .run()
        .expect(0);
    assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret));
    let checked = home
        .goodcache(&["check", "--sample", "0s"])
        .env("REDIS_PASSWORD", secret)
        .run();
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
    let locked = home.goodcache(&["check", "--sample", "0s"]).run();
    assert_eq!(locked.code, 4, "{}{}", locked.stdout, locked.stderr);
    assert!(locked.stderr.contains("password"), "{}", locked.stderr);
}

#[test]
fn local_servers_are_started_again_by_the_same_command_and_destroyed_by_name() {
    let home = Home::new();
    let port = crate::support::free_ports(6).to_string();
    let args = [
        "create",
        "demo",
        "--local",
        "--base-port",
        &port,
        "--yes",
        "-o",
        "json",
    ];
    home.goodcache(&args).run().expect(0);
    let check = home
        .goodcache(&["check", "-o", "json", "--sample", "0s"])
        .run()
        .expect(0);
    assert_eq!(check.json()["report"]["cluster"]["nodes_answering"], 6);
    let again = home.goodcache(&args).run().expect(0);
    assert_eq!(again.json()["report"]["standing"], "already_so");
    let folder = home.path().join("state/goodcache/data/demo");
    let one = goodcache::host::process::running(&folder, port.parse().unwrap()).unwrap();
    crate::support::signal(u32::try_from(one).unwrap(), "KILL");
    crate::support::until("it is gone", Duration::from_secs(10), || {
        goodcache::host::process::running(&folder, port.parse().unwrap()).is_none()
    });
    home.goodcache(&args).run().expect(0);
    assert!(goodcache::host::process::running(&folder, port.parse().unwrap()).is_some());
    let unsure = home.goodcache(&["destroy", "demo"]).run();
    assert_eq!(unsure.code, 5, "{}", unsure.stderr);
    home.goodcache(&["destroy", "demo", "--confirm", "demo"])
        .run()
        .expect(0);
    assert!(!folder.exists());
}

#[test]
fn nodes_that_cannot_meet_end_the_wait_with_the_cause() {
    let stranger = Server::start();
    let port = stranger.port().to_string();
    let bus = (stranger.port() + 10_000).to_string();
    let fleet = Fleet::start_with(3, |n| match n {
        0 => Spec::with_args(&[
            "--cluster-announce-ip",
            "127.0.0.1",
            "--cluster-announce-port",
            &port,
            "--cluster-announce-bus-port",
            &bus,
        ]),
        _ => Spec::default(),
    });
    let home = Home::new();
    let outcome = create(&home, &fleet, &["--replicas", "0", "--timeout", "6s"]).expect(6);
    let report = &outcome.json()["report"];
    assert_eq!(report["is_usable"], false);
    let cause = report["causes"].to_string();
    assert!(
        cause.contains(&fleet[0].addr()) && cause.contains("another server answers"),
        "{cause}"
    );
    assert!(
        outcome.stderr.contains("likely cause"),
        "{}",
        outcome.stderr
    );
    assert!(report["missing"].to_string().contains("nodes"), "{report}");
    assert!(
        outcome.elapsed < Duration::from_secs(12),
        "{:?}",
        outcome.elapsed
    );
}
