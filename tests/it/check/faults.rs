//! Faults that can be made and undone on a cluster that stands: slots, replication, settings,
//! memory, persistence.

use std::time::Duration;

use super::{Answer, args, check, in_home, key_of};
use crate::support::{Fleet, Home, Server, goodcache, until};

const SOON: Duration = Duration::from_secs(30);

fn set(server: &Server, name: &str, value: &str) {
    assert_eq!(server.cli(&["CONFIG", "SET", name, value]), "OK");
}

#[test]
fn slots_that_are_open_or_of_two_owners() {
    let fleet = Fleet::cluster(3, 1);
    let [a, b, c] = [0, 1, 2].map(|n| &fleet[n]);

    a.cli(&["CLUSTER", "SETSLOT", "100", "MIGRATING", &b.id()]);
    let one_sided = check(&fleet, &[]);
    one_sided.expect_critical(&[]);
    let open = one_sided.expect("slots.open", "warning", "1");
    assert!(
        open["evidence"]
            .as_str()
            .unwrap()
            .contains("only the giver"),
        "{open:#}"
    );
    b.cli(&["CLUSTER", "SETSLOT", "100", "IMPORTING", &a.id()]);
    let both = check(&fleet, &[]);
    let open = both.expect("slots.open", "warning", "1");
    assert!(
        !open["evidence"].as_str().unwrap().contains("only"),
        "{open:#}"
    );
    run_next(open);
    b.cli(&["CLUSTER", "SETSLOT", "100", "STABLE"]);
    check(&fleet, &[]).expect_none("slots.open");

    foreign_keys(&fleet);

    // The owner gives a slot away on its own, and nobody else has heard of it.
    c.cli(&["CLUSTER", "SETSLOT", "16000", "NODE", &b.id()]);
    let answer = check(&fleet, &[]);
    answer.expect_critical(&["slots.uncovered", "views.disagree"]);
    let differ = answer.expect("views.disagree", "critical", "");
    let evidence = differ["evidence"].as_str().unwrap();
    assert_eq!(evidence.matches("(epoch ").count(), 2, "{evidence}");
    let lost = answer.expect("slots.uncovered", "critical", "");
    let summary = lost["summary"].as_str().unwrap();
    assert!(
        summary.contains("1 slot") && summary.contains("itself"),
        "{summary}"
    );
    run_next(lost);
    until("nothing critical is left", SOON, || {
        let answer = check(&fleet, &[]);
        let findings = answer.report["findings"].as_array().unwrap();
        findings
            .iter()
            .all(|finding| finding["severity"] != "critical")
    });

    // Two masters that both hold a slot for their own. Gossip settles it within moments, so it is
    // claimed again until a look falls between.
    until("two owners are seen", SOON, || {
        b.cli(&["CLUSTER", "SETSLOT", "16000", "NODE", &b.id()]);
        let answer = check(&fleet, &[]);
        answer.found("slots.two_owners").is_some_and(|two| {
            let evidence = two["evidence"].as_str().unwrap();
            assert_eq!(two["severity"], "critical");
            assert_eq!(evidence.matches("with epoch").count(), 2, "{evidence}");
            answer.expect_none("slots.uncovered");
            true
        })
    });
    until("the higher epoch has won", SOON, || {
        check(&fleet, &[]).found("slots.two_owners").is_none()
    });
}

#[test]
fn slots_that_nobody_owns_are_named() {
    // A cluster of its own: who owned a disputed slot may stay disputed for long.
    let fleet = Fleet::cluster(3, 0);
    let c = &fleet[2];
    for server in fleet.iter() {
        let _ = server.ask(&["CLUSTER", "DELSLOTS", "7", "9"]);
    }
    until("the loss is known", SOON, || {
        let state = c.field(&["CLUSTER", "INFO"], "cluster_state");
        state.as_deref() == Some("fail")
    });
    let answer = check(&fleet, &[]);
    let lost = answer.expect("slots.uncovered", "critical", "");
    assert!(
        lost["summary"]
            .as_str()
            .unwrap()
            .starts_with("2 of 16384 slots"),
        "{lost:#}"
    );
    assert!(
        lost["evidence"].as_str().unwrap().contains("7, 9"),
        "{lost:#}"
    );
    answer.expect("cluster.state", "critical", "");
}

/// A key is written to a node that imports its slot, and the import is then called off.
fn foreign_keys(fleet: &Fleet) {
    let (owner, other) = (&fleet[0], &fleet[1]);
    let key = key_of(100);
    other.cli(&["CLUSTER", "SETSLOT", "100", "IMPORTING", &owner.id()]);
    let mut wire = other.connect().unwrap();
    wire.ask(&["ASKING"]).unwrap();
    assert_eq!(
        wire.ask(&["SET", &key, "stray"]).unwrap().text().unwrap(),
        "OK"
    );
    other.cli(&["CLUSTER", "SETSLOT", "100", "STABLE"]);
    let shallow = check(fleet, &[]);
    shallow.expect_none("slots.foreign_keys");
    let skipped = shallow.report["skipped"].to_string();
    assert!(skipped.contains("slots.foreign_keys"), "{skipped}");
    let deep = check(fleet, &["--deep"]);
    let stray = deep.expect("slots.foreign_keys", "warning", &other.addr());
    assert!(
        stray["summary"].as_str().unwrap().contains("1 key"),
        "{stray:#}"
    );
    assert!(run_next(stray).contains(&key));
    other.cli(&["CLUSTER", "SETSLOT", "100", "IMPORTING", &owner.id()]);
    wire.ask(&["ASKING"]).unwrap();
    wire.ask(&["DEL", &key]).unwrap();
    other.cli(&["CLUSTER", "SETSLOT", "100", "STABLE"]);
    check(fleet, &["--deep"]).expect_none("slots.foreign_keys");
}

/// Pastes a finding's last next step into a shell, as its reader would.
pub(super) fn run_next(finding: &serde_json::Value) -> String {
    let next = finding["next"].as_str().unwrap();
    let command = &next[next.find("redis-cli").unwrap()..];
    let out = std::process::Command::new("sh")
        .args(["-c", command])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(
        out.status.success() && !said.starts_with("ERR"),
        "{command}: {said}"
    );
    said
}

#[test]
fn replicas_that_would_not_save_the_day() {
    let fleet = Fleet::cluster(3, 1);
    let (master, replica) = (&fleet[0], &fleet[3]);
    let addr = replica.addr();

    set(replica, "replica-read-only", "no");
    let answer = check(&fleet, &[]);
    run_next(answer.expect("replica.writable", "warning", &addr));
    answer.expect_critical(&[]);
    check(&fleet, &[]).expect_none("replica.writable");

    set(replica, "cluster-replica-no-failover", "yes");
    until("the flag is known", SOON, || {
        fleet[5].cli(&["CLUSTER", "NODES"]).contains("nofailover")
    });
    let answer = check(&fleet, &[]);
    answer.expect("replica.not_electable", "warning", &addr);
    answer.expect_critical(&[]);
    set(replica, "cluster-replica-no-failover", "no");

    set(replica, "maxmemory", "50mb");
    set(master, "maxmemory", "60mb");
    let answer = check(&fleet, &[]);
    run_next(answer.expect("replica.smaller", "warning", &addr));
    check(&fleet, &[]).expect_none("replica.smaller");

    // A password that the master does not know; the link stands until it has to be made anew.
    set(replica, "masterauth", "wrong");
    master.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
    until("the link is down", SOON, || {
        let link = replica.field(&["INFO", "replication"], "master_link_status");
        link.as_deref() == Some("down")
    });
    let answer = check(&fleet, &[]);
    let down = answer.expect("replica.link_down", "warning", &addr);
    assert!(
        down["summary"].as_str().unwrap().contains(&master.addr()),
        "{down:#}"
    );
    answer.expect_critical(&[]);
    set(replica, "masterauth", "");
    fleet.wait_usable(3);
    check(&fleet, &[]).expect_none("replica.link_down");
}

#[test]
fn a_replica_that_is_late_is_told_in_seconds() {
    let fleet = Fleet::cluster(3, 1);
    let home = Home::new();
    home.file(
        "goodcache.yaml",
        "check:\n  thresholds:\n    replica.lag: {warning: 0.2, critical: 0.5}\n",
    );
    // While a script runs the replica acknowledges nothing; its answers come when it is done.
    let busy = "local t = redis.call('TIME')[1]; while redis.call('TIME')[1] - t < 5 do end";
    let mut wire = fleet[3].connect().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || wire.ask(&["EVAL", busy, "0"]));
        until("acknowledgements stop", SOON, || {
            let line = fleet[0].field(&["INFO", "replication"], "slave0").unwrap();
            !line.ends_with("lag=0") && !line.ends_with("lag=1")
        });
        let answer = in_home(&home, &fleet[5].addr(), &["--deadline", "10s"]);
        answer.expect("replica.lag", "critical", &fleet[3].addr());
        answer.expect_critical(&["replica.lag"]);
    });
}

#[test]
fn settings_memory_and_persistence() {
    let fleet = Fleet::cluster(3, 1);
    let node = &fleet[0];
    let addr = node.addr();

    set(node, "cluster-node-timeout", "2500");
    let answer = check(&fleet, &[]);
    let drift = answer.expect("settings.drift", "warning", "");
    let evidence = drift["evidence"].as_str().unwrap();
    assert!(evidence.contains(&format!("2500 on {addr}")), "{evidence}");
    answer.expect_critical(&[]);
    run_next(drift);
    check(&fleet, &[]).expect_none("settings.drift");

    let used: u64 = node
        .field(&["INFO", "memory"], "used_memory")
        .unwrap()
        .parse()
        .unwrap();
    for (share, severity) in [(85, "warning"), (95, "critical")] {
        set(node, "maxmemory", &(used * 100 / share).to_string());
        let answer = check(&fleet, &[]);
        answer.expect("memory.high", severity, &addr);
    }
    set(node, "maxmemory", "0");

    // The server writes beside and then renames; a folder in the place of the file refuses that.
    std::fs::create_dir_all(node.dir().join("dump.rdb/taken")).unwrap();
    set(node, "save", "3600 1");
    node.cli(&["BGSAVE"]);
    until("the save has failed", SOON, || {
        let status = node.field(&["INFO", "persistence"], "rdb_last_bgsave_status");
        status.as_deref() == Some("err")
    });
    let answer = check(&fleet, &[]);
    answer.expect("persistence.save_failed", "critical", &addr);
    answer.expect_critical(&["persistence.save_failed"]);

    slow_command(&fleet);
    announced_elsewhere(&fleet);
}

fn slow_command(fleet: &Fleet) {
    let busy = "local t = redis.call('TIME'); local n = t[1] * 1000000 + t[2]; \
        repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] - n > 300000";
    fleet[1].cli(&["EVAL", busy, "0"]);
    check(fleet, &[]).expect("latency.slow_commands", "warning", &fleet[1].addr());
}

/// Clients are told a name at which nothing listens, though the node answers where it was asked.
fn announced_elsewhere(fleet: &Fleet) {
    for server in fleet.iter() {
        set(server, "cluster-preferred-endpoint-type", "hostname");
        set(server, "cluster-announce-hostname", "localhost");
    }
    set(&fleet[1], "cluster-announce-hostname", "127.0.0.77");
    fleet.wait("all have heard of it", |server| {
        server
            .cli(&["CLUSTER", "NODES"])
            .matches("127.0.0.77")
            .count()
            == 1
    });
    // It is found at the address that was given, and then tried where it sends its clients.
    let answer: Answer = goodcache(&args(&fleet[1].addr(), &[])).run().into();
    let port = fleet[1].port().to_string();
    let found = answer.expect("address.unreachable", "warning", &port);
    assert!(
        found["evidence"].as_str().unwrap().contains("127.0.0.77"),
        "{found:#}"
    );
    answer.expect_none("node.down");
    // Whoever begins elsewhere has no other address to ask it at.
    let answer = check(fleet, &[]);
    let found = answer.expect("address.unreachable", "critical", "127.0.0.77");
    let evidence = found["evidence"].as_str().unwrap();
    assert!(evidence.contains("of 5 other nodes"), "{evidence}");
    answer
        .expect_none("node.down")
        .expect_none("slots.failed")
        .expect_critical(&["address.unreachable", "persistence.save_failed"]);
    let map = format!("127.0.0.77:{port}=127.0.0.1:{port}");
    let mapped = check(fleet, &["--node-map", &map]);
    mapped
        .expect_none("address.unreachable")
        .expect_critical(&["persistence.save_failed"]);
}
