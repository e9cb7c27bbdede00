//! Nodes that hang, are dead, are half the cluster, want a password, load, or are not known.

use std::time::Duration;

use super::{check, in_home, key_of, looking, sees};
use crate::support::{Fleet, Home, Spec, goodcache, until};

const SOON: Duration = Duration::from_secs(30);
const SHORT: &[&str] = &["--deadline", "800ms"];

#[test]
fn a_frozen_node_is_told_at_once_and_after_the_failover() {
    let fleet = Fleet::cluster(3, 1);
    let (master, replica) = (&fleet[0], &fleet[3]);
    replica.pause();
    let answer = check_from(&fleet, 4, SHORT);
    answer.expect_critical(&["node.down"]);
    let down = answer.expect("node.down", "critical", &replica.addr());
    assert!(down["summary"].as_str().unwrap().starts_with("replica "));
    assert!(down["evidence"].as_str().unwrap().contains("timeout"));
    answer.expect("shard.no_replica", "warning", "1");
    replica.resume();
    fleet.wait_usable(3);

    master.pause();
    let answer = check(&fleet, SHORT);
    answer.expect_critical(&["node.down", "slots.failed"]);
    answer.expect("node.down", "critical", &master.addr());
    let failed = answer.expect("slots.failed", "critical", "1");
    let next = failed["next"].as_str().unwrap();
    assert!(
        next.contains(&format!("-p {} cluster failover", replica.port())),
        "{next}"
    );
    assert_eq!(answer.report["cluster"]["slots_served"], 16_384 - 5461);
    until("all know that the replica took over", SOON, || {
        fleet.iter().skip(1).all(|node| {
            let state = node.field(&["CLUSTER", "INFO"], "cluster_state");
            let role = if node.id() == replica.id() {
                "myself,master"
            } else {
                "master"
            };
            state.as_deref() == Some("ok") && sees(node, &replica.id(), role)
        })
    });
    let answer = check(&fleet, SHORT);
    answer.expect_critical(&["node.down"]);
    let down = answer.expect("node.down", "critical", &master.addr());
    assert!(
        down["summary"]
            .as_str()
            .unwrap()
            .starts_with("former master "),
        "{down:#}"
    );
    answer
        .expect_none("shard.empty")
        .expect("shard.no_replica", "warning", "");
    assert_eq!(answer.report["cluster"]["slots_served"], 16_384);
    let states: Vec<&str> = (answer.report["nodes"].as_array().unwrap().iter())
        .map(|node| node["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states.iter().filter(|&&state| state == "ok").count(),
        5,
        "{states:?}"
    );
    master.resume();
}

fn check_from(fleet: &Fleet, seed: usize, more: &[&str]) -> super::Answer {
    goodcache(&super::args(&fleet[seed].addr(), more))
        .run()
        .into()
}

/// The matrix brings other servers; in a run with one version alone there is nothing to be found.
#[test]
fn matrix_servers_of_two_versions_are_told_with_who_runs_which() {
    let fleet = Fleet::start_with(3, |n| match n {
        0 => Spec {
            binary: "redis-server".into(),
            ..Spec::default()
        },
        _ => Spec::default(),
    });
    fleet.join(3);
    let field = |n: usize, name: &str| fleet[n].field(&["INFO", "server"], name);
    let answer = check(&fleet, &[]);
    if field(1, "valkey_version").is_some() {
        let found = answer.expect("version.vendors", "critical", "");
        let evidence = found["evidence"].as_str().unwrap();
        for vendor in ["redis ", "valkey "] {
            assert!(evidence.to_lowercase().contains(vendor), "{evidence}");
        }
        return;
    }
    let versions = [0, 1].map(|n| field(n, "redis_version").unwrap());
    if versions[0] == versions[1] {
        answer
            .expect_none("version.mixed")
            .expect_none("version.vendors");
        return;
    }
    let found = answer.expect("version.mixed", "warning", "");
    let evidence = found["evidence"].as_str().unwrap();
    for version in versions {
        assert!(evidence.contains(&version), "{evidence}");
    }
}

#[test]
fn a_node_that_announces_a_wrong_port_is_not_told_dead() {
    // Its peers speak with it on the bus; only clients are sent to where nothing listens.
    let fleet = Fleet::start_with(6, |n| match n {
        3 => Spec::with_args(&["--cluster-announce-port", "9"]),
        _ => Spec::default(),
    });
    fleet.join(3);
    let answer = check(&fleet, &[]);
    answer.expect_critical(&["address.unreachable"]);
    let found = answer.expect("address.unreachable", "critical", "127.0.0.1:9");
    let next = found["next"].as_str().unwrap();
    assert!(next.contains("--node-map 127.0.0.1:9="), "{next}");
    answer
        .expect_none("node.down")
        .expect_none("shard.no_replica");
    let map = format!("127.0.0.1:9={}", fleet[3].addr());
    check(&fleet, &["--node-map", &map]).expect_critical(&[]);
}

#[test]
fn half_the_cluster_is_dead() {
    let mut fleet = Fleet::cluster(3, 1);
    // A master with its replica, and another master: one shard is lost, and no majority is left.
    let dead: Vec<String> = [0, 3, 1].map(|n| fleet[n].addr()).into();
    for n in [0, 3, 1] {
        fleet[n].kill();
    }
    let at_once = check(&fleet, &[]);
    for addr in &dead {
        at_once.expect("node.down", "critical", addr);
    }
    assert_eq!(at_once.code, 3);
    until("the rest says fail", SOON, || {
        let state = fleet[2].field(&["CLUSTER", "INFO"], "cluster_state");
        state.as_deref() == Some("fail")
    });
    let answer = check(&fleet, &[]);
    for addr in &dead {
        let down = answer.expect("node.down", "critical", addr);
        assert!(
            down["evidence"].as_str().unwrap().contains("refused"),
            "{down:#}"
        );
    }
    answer.expect("cluster.state", "critical", "");
    answer.expect("slots.failed", "critical", "1");
    let orphaned = answer.expect("slots.failed", "critical", "2");
    let next = orphaned["next"].as_str().unwrap();
    assert!(
        next.contains(&format!("-p {} cluster failover takeover", fleet[4].port())),
        "{next}"
    );
    assert_eq!(answer.report["cluster"]["slots_served"], 5462);
    let text = looking(&fleet, &["-o", "table"]).run();
    let first = text.stdout.lines().next().unwrap();
    assert!(
        first.contains("CRITICAL") && first.contains("3 of 6 nodes answer"),
        "{first}"
    );
    let survives = text
        .stdout
        .lines()
        .find(|line| line.starts_with("survives"))
        .unwrap();
    assert!(!survives.contains("yes"), "{survives}");
}

#[test]
fn a_dead_master_without_replica_takes_its_slots_along() {
    let mut fleet = Fleet::cluster(3, 0);
    let addr = fleet[0].addr();
    let whole = check(&fleet, &[]);
    whole.expect_critical(&[]);
    whole.expect("shard.no_replica", "warning", "");
    fleet[0].kill();
    let answer = check(&fleet, &[]);
    let failed = answer.expect("slots.failed", "critical", "1");
    assert!(
        failed["next"]
            .as_str()
            .unwrap()
            .contains("no replica that answers"),
        "{failed:#}"
    );
    answer.expect("node.down", "critical", &addr);
    fleet[0].start_again();
    fleet.wait_usable(3);
    let after = check(&fleet, &[]);
    after.expect_critical(&[]);
}

#[test]
fn what_a_password_closes_is_told_and_not_guessed() {
    let secret = "kind old secret";
    let fleet = Fleet::start_with(4, |_| Spec {
        password: Some(secret.into()),
        ..Spec::default()
    });
    fleet.join(3);
    let open = |more: &[&str]| looking(&fleet, more).env("REDIS_PASSWORD", secret);
    super::Answer::from(open(&[]).run()).expect_critical(&[]);
    let shut = looking(&fleet, &[]).run();
    assert_eq!(shut.code, 4, "{}", shut.stderr);
    assert_eq!(shut.stdout, "");
    assert!(shut.stderr.contains("password"), "{}", shut.stderr);
    let wrong = looking(&fleet, &[]).env("REDIS_PASSWORD", "guess").run();
    assert_eq!(
        (wrong.code, wrong.stdout.as_str()),
        (4, ""),
        "{}",
        wrong.stderr
    );
    let unknown = looking(&fleet, &["-o", "nagios"]).run();
    assert_eq!(unknown.code, 3);
    assert!(
        unknown.stdout.starts_with("UNKNOWN - "),
        "{}",
        unknown.stdout
    );

    least_rights(&fleet, secret);

    fleet[1].cli(&["CONFIG", "SET", "requirepass", "another"]);
    let answer = super::Answer::from(open(&[]).run());
    answer.expect("node.password", "critical", &fleet_addr(&fleet, 1));
    assert_eq!(answer.code, 3);
    assert!(!answer.report.to_string().contains(secret));
}

fn fleet_addr(fleet: &Fleet, n: usize) -> String {
    format!("127.0.0.1:{}", fleet[n].port())
}

/// What the user may not ask is listed as skipped, with the reason; nothing is wrong for that.
fn least_rights(fleet: &Fleet, secret: &str) {
    let rights = ["+ping", "+info", "+cluster|nodes", "+cluster|info"];
    for server in fleet.iter() {
        let rule = format!(">{secret}");
        server.cli(&[&["ACL", "SETUSER", "watcher", "on", &rule][..], &rights].concat());
    }
    let run = |more: &[&str]| looking(fleet, more).env("REDIS_PASSWORD", secret).run();
    let answer = super::Answer::from(run(&["--user", "watcher"]));
    answer.expect_critical(&[]);
    assert_eq!(answer.code, 0);
    let skipped = answer.report["skipped"].as_array().unwrap();
    for code in [
        "settings.drift",
        "latency.slow_commands",
        "settings.acl_drift",
    ] {
        let told = skipped.iter().find(|skip| skip["code"] == code);
        let told = told.unwrap_or_else(|| panic!("{code} is not listed: {skipped:#?}"));
        let reason = told["reason"].as_str().unwrap();
        assert!(
            reason.contains("may not") || reason.contains("permission"),
            "{reason}"
        );
    }
    // Without INFO there is nothing to judge by, and that is no green answer.
    fleet[0].cli(&["ACL", "SETUSER", "watcher", "-info"]);
    let half_blind = super::Answer::from(run(&["--user", "watcher"]));
    half_blind.expect("node.forbidden", "critical", &fleet_addr(fleet, 0));
    assert_eq!(half_blind.code, 3);
    for server in fleet.iter() {
        server.cli(&["ACL", "SETUSER", "watcher", "-cluster|nodes"]);
    }
    let blind = run(&["--user", "watcher"]);
    assert_eq!(blind.code, 4, "{}{}", blind.stdout, blind.stderr);
    assert!(blind.stderr.contains("cluster|nodes"), "{}", blind.stderr);
}

#[test]
fn a_node_that_loads_is_not_taken_for_a_dead_one() {
    // A short sleep for each key; the server looks up from its file after every 1024 bytes.
    let slow = [
        "--key-load-delay",
        "5000",
        "--loading-process-events-interval-bytes",
        "1024",
    ];
    let mut fleet = Fleet::start_with(4, |n| match n {
        3 => Spec::with_args(&slow),
        _ => Spec::default(),
    });
    fleet.join(3);
    let mut wire = fleet[0].connect().unwrap();
    let tag = key_of(1);
    for n in 0..4000 {
        wire.ask(&["SET", &format!("{{{tag}}}{n}"), "v"]).unwrap();
    }
    until("the replica has them", SOON, || {
        fleet[3].cli(&["DBSIZE"]) == "4000"
    });
    fleet[3].cli(&["SAVE"]);
    fleet[3].restart();
    let addr = fleet[3].addr();
    let answer = check_from(&fleet, 0, &[]);
    answer.expect("node.loading", "warning", &addr);
    answer.expect_none("node.down");
}

#[test]
fn a_node_that_was_forgotten_runs_on() {
    let fleet = Fleet::cluster(3, 1);
    let (id, addr) = (fleet[3].id(), fleet[3].addr());
    for (n, server) in fleet.iter().enumerate() {
        if n != 3 {
            server.cli(&["CLUSTER", "FORGET", &id]);
        }
    }
    // Only who asks the node itself can know that it runs.
    let home = Home::new();
    let seeds = [addr.as_str(), &fleet[0].addr()].join(",");
    let config = format!(
        "default: shop\nclusters:\n  shop:\n    nodes: [{}]\n",
        seeds.replace(',', ", ")
    );
    home.file("goodcache.yaml", &config);
    let answer = in_home(&home, "shop", &[]);
    answer.expect("node.forgotten", "warning", &addr);
    answer.expect("shard.no_replica", "warning", "");
    answer.expect_critical(&[]);
}

#[test]
fn an_address_that_never_answered_its_introduction_is_a_ghost() {
    let fleet = Fleet::cluster(3, 0);
    fleet[0].cli(&["CLUSTER", "MEET", "127.0.0.1", "9"]);
    let answer = check(&fleet, &[]);
    answer.expect("node.ghost", "warning", "127.0.0.1:9");
    answer.expect_critical(&[]);
    until("the handshake is given up", SOON, || {
        !fleet[0].cli(&["CLUSTER", "NODES"]).contains("handshake")
    });
    check(&fleet, &[]).expect_none("node.ghost");
}
