//! Servers without cluster mode: one alone, a master with replicas, and those that Sentinels watch.

use std::time::Duration;

use super::{Answer, args, check};
use crate::support::sentinel::{NAME, field, is_linked, replicated};
use crate::support::{Fleet, Server, Spec, Watched, goodcache, until};

const SOON: Duration = Duration::from_secs(30);

fn look(seed: &Server, more: &[&str]) -> Answer {
    goodcache(&args(&seed.addr(), more)).run().into()
}

#[test]
fn one_server_alone_is_judged_without_what_only_a_cluster_has() {
    let server = Server::start_with(Spec {
        is_cluster: false,
        ..Spec::default()
    });
    server.cli(&["SET", "a", "1"]);
    let answer = look(&server, &["--sample", "200ms"]);
    assert_eq!(answer.code, 0, "{:#}", answer.report["findings"]);
    answer.expect_critical(&[]);
    answer.expect("shard.no_replica", "info", "1");
    assert_eq!(answer.report["cluster"]["form"], "standalone");
    assert_eq!(answer.report["cluster"]["keys"], 1);
    for word in ["slots.", "cluster.", "quorum.", "views.", "sentinel."] {
        let about = |f: &&serde_json::Value| f["code"].as_str().unwrap().starts_with(word);
        assert!(answer.findings().iter().find(about).is_none(), "{word}");
    }
    let shown = goodcache(&["check", &server.addr(), "--sample", "0s", "-v"]).run();
    let text = shown.expect(0).stdout;
    assert!(text.contains("1 of 1 server answers, standalone"), "{text}");
    for word in ["SLOTS", "EPOCH", "SHARD", "slots served"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let waited = goodcache(&[
        "check",
        &server.addr(),
        "--wait",
        "healthy",
        "--sample",
        "0s",
    ])
    .run();
    waited.expect(0);
}

#[test]
fn replication_is_seen_from_a_replica_and_with_its_faults() {
    let mut fleet = replicated(2, &Spec::default());
    let answer = check(&fleet, &[]);
    assert_eq!(answer.code, 0, "{:#}", answer.report["findings"]);
    assert_eq!(answer.report["cluster"]["form"], "replication");
    let nodes = answer.report["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    assert_eq!(nodes[0]["role"], "master");
    assert_eq!(nodes[0]["addr"], fleet[0].addr());
    assert_eq!(nodes[2]["is_link_up"], true);
    answer.expect("sentinel.none", "info", "");
    // By another name it is the same server.
    let named = format!("localhost:{}", fleet[0].port());
    let by_name = goodcache(&args(&named, &[])).run();
    let by_name = Answer::from(by_name);
    assert_eq!(by_name.report["nodes"].as_array().unwrap().len(), 3);
    assert_eq!(by_name.report["nodes"][0]["id"], nodes[0]["id"]);

    fleet[1].cli(&["REPLICAOF", "NO", "ONE"]);
    let both = [fleet[1].addr(), fleet[2].addr()];
    let answer: Answer = goodcache(&["check", &both[0], &both[1], "-o", "json", "--sample", "0s"])
        .run()
        .into();
    answer.expect_critical(&["replication.two_masters"]);
    answer.expect("replication.two_masters", "critical", &fleet[1].addr());

    fleet[0].kill();
    until("the replica notices", SOON, || !is_linked(&fleet[2]));
    let answer = check(&fleet, &[]);
    answer.expect("node.down", "critical", &fleet[0].addr());
    answer.expect("replica.link_down", "warning", &fleet[2].addr());
}

#[test]
fn sentinels_lead_to_all_that_they_watch() {
    let mut watched = Watched::start();
    let answer = check(&watched.sentinels, &[]);
    assert_eq!(answer.code, 0, "{:#}", answer.report["findings"]);
    answer.expect_critical(&[]);
    assert_eq!(answer.report["nodes"].as_array().unwrap().len(), 3);
    let sentinels = answer.report["sentinels"].as_array().unwrap();
    assert_eq!(sentinels.len(), 3);
    for row in sentinels {
        assert_eq!(row["state"], "ok");
        assert_eq!(row["master"], watched.servers[0].addr());
        assert_eq!(
            (&row["sentinels"], &row["replicas"]),
            (&3.into(), &2.into())
        );
    }
    for code in [
        "sentinel.disagree",
        "sentinel.few",
        "sentinel.no_quorum",
        "sentinel.unreachable",
    ] {
        answer.expect_none(code);
    }
    let shown = goodcache(&["check", &watched.sentinels[0].addr(), "--sample", "0s"]).run();
    let text = shown.expect(0).stdout;
    assert!(
        text.contains("2 replicas, 3 of 3 Sentinels answer"),
        "{text}"
    );
    // From a server they are only seen to be there.
    check(&watched.servers, &[]).expect("sentinel.not_asked", "info", "");

    watched.sentinels[0].cli(&["SENTINEL", "SET", NAME, "quorum", "1"]);
    let answer = check(&watched.sentinels, &[]);
    let dispute = answer.expect("sentinel.disagree", "warning", "");
    assert!(dispute["summary"].as_str().unwrap().contains("the quorum"));
    watched.sentinels[0].cli(&["SENTINEL", "SET", NAME, "quorum", "2"]);

    watched.sentinels[0].kill();
    let answer = check(&watched.sentinels, &[]);
    answer.expect(
        "sentinel.unreachable",
        "warning",
        &watched.sentinels[0].addr(),
    );
    assert_eq!(answer.code, 0);
    watched.sentinels[1].kill();
    until("the last one sees that it is alone", SOON, || {
        watched.sentinels[2]
            .ask(&["SENTINEL", "CKQUORUM", NAME])
            .is_ok_and(|r| r.text().is_err())
    });
    let answer = check(&watched.sentinels, &[]);
    answer.expect(
        "sentinel.unreachable",
        "critical",
        &watched.sentinels[0].addr(),
    );
    answer.expect("sentinel.no_quorum", "critical", "");
    // The master dies, and nobody is left to do anything about it.
    watched.servers[0].kill();
    until("the last one notices", SOON, || {
        let master = watched.master_as_seen_by(&watched.sentinels[2]);
        field(&master, "flags").unwrap().contains("s_down")
    });
    let answer = check(&watched.sentinels, &[]);
    answer.expect(
        "sentinel.master_down",
        "warning",
        &watched.sentinels[2].addr(),
    );
    answer.expect("node.down", "critical", &watched.servers[0].addr());
}

#[test]
fn after_a_failover_the_old_master_stays_in_sight() {
    let mut watched = Watched::start();
    let before = check(&watched.sentinels, &[]);
    watched.servers[0].kill();
    until("another master is named", SOON, || {
        let named = |s: &Server| watched.master_port(s) != watched.servers[0].port();
        watched.sentinels.iter().all(named)
    });
    let port = watched.master_port(&watched.sentinels[0]);
    until("the other replica follows it", SOON, || {
        let other = watched
            .servers
            .iter()
            .skip(1)
            .find(|s| s.port() != port)
            .unwrap();
        let master = other.field(&["INFO", "replication"], "master_port");
        master.as_deref() == Some(&port.to_string()) && is_linked(other)
    });
    until("the failover is over", SOON, || {
        watched.sentinels.iter().all(|sentinel| {
            let master = watched.master_as_seen_by(sentinel);
            field(&master, "port") == Some(&port.to_string())
        })
    });
    let answer = check(&watched.sentinels, &[]);
    answer.expect("node.down", "critical", &watched.servers[0].addr());
    let nodes = answer.report["nodes"].as_array().unwrap();
    assert_eq!(nodes[0]["addr"], format!("127.0.0.1:{port}"));
    assert_eq!(nodes[0]["role"], "master");
    let old = nodes
        .iter()
        .find(|n| n["addr"] == watched.servers[0].addr())
        .unwrap();
    assert_eq!(old["id"], before.report["nodes"][0]["id"]);
    answer
        .expect_none("replication.two_masters")
        .expect_none("sentinel.master_disputed");
    watched.servers[0].start_again();
    until("it follows the new master", SOON, || {
        is_linked(&watched.servers[0])
    });
    check(&watched.sentinels, &[]).expect_critical(&[]);
}

#[test]
fn sentinels_have_a_login_and_names_of_their_own() {
    let secret = |password: &str| Spec {
        password: Some(password.to_owned()),
        ..Spec::default()
    };
    let watched = Watched::start_with(&secret("data"), &secret("watch"));
    let seed = watched.sentinels[0].addr();
    let asked = |with: &[(&str, &str)], more: &[&str]| {
        let mut asking = goodcache(&args(&seed, more));
        for (name, value) in with {
            asking = asking.env(name, *value);
        }
        asking.run()
    };
    let both = [
        ("REDIS_PASSWORD", "data"),
        ("GOODCACHE_SENTINEL_PASSWORD", "watch"),
    ];
    let answer = Answer::from(asked(&both, &[]));
    assert_eq!(answer.code, 0, "{:#}", answer.report["findings"]);
    assert_eq!(answer.report["sentinels"].as_array().unwrap().len(), 3);
    answer
        .expect_none("sentinel.open")
        .expect_none("node.password");
    let refused = asked(&[("REDIS_PASSWORD", "data")], &[]).expect(4);
    assert!(
        refused.stderr.contains("does not accept the password"),
        "{}",
        refused.stderr
    );

    watched.monitor(&watched.sentinels[0], "other", Some("data"));
    let several = asked(&both, &[]).expect(4);
    assert!(
        several.stderr.contains("watches 2 masters"),
        "{}",
        several.stderr
    );
    assert!(
        several.stderr.contains("--master-name other, shop"),
        "{}",
        several.stderr
    );
    let named = Answer::from(asked(&both, &["--master-name", NAME]));
    assert_eq!(named.code, 0);
    let unknown = asked(&both, &["--master-name", "nowhere"]).expect(4);
    assert!(
        unknown.stderr.contains("watches no master named 'nowhere'"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn what_only_a_cluster_can_do_says_what_the_server_is() {
    let watched = Fleet::start_with(1, |_| Spec {
        is_cluster: false,
        is_sentinel: true,
        has_file: true,
        ..Spec::default()
    });
    let seed = watched[0].addr();
    let refused = goodcache(&["check", &seed]).run().expect(4);
    assert!(
        refused.stderr.contains("watches no master"),
        "{}",
        refused.stderr
    );
}
