//! Settings from another time: nothing recorded, hasty failovers, doors left open.

use super::{Must, rules_of, set, tune};
use crate::support::server::Spec;
use crate::support::{Fleet, Home};

#[test]
fn nothing_is_recorded_and_the_clocks_are_wrong() {
    let fleet = Fleet::cluster(3, 0);
    set(
        &fleet,
        &[
            ("slowlog-log-slower-than", "-1"),
            ("slowlog-max-len", "0"),
            ("latency-monitor-threshold", "0"),
            ("latency-tracking", "no"),
            ("acllog-max-len", "0"),
            ("hz", "500"),
            ("activerehashing", "no"),
            ("tcp-keepalive", "0"),
            ("cluster-node-timeout", "500"),
        ],
    );
    let must: &[Must] = &[
        ("info", "latency.monitor", "latency-monitor-threshold", "25"),
        ("info", "latency.tracking", "latency-tracking", "yes"),
        ("info", "security.acl-log", "acllog-max-len", "128"),
        ("info", "cpu.hz", "hz", "100"),
        ("info", "cpu.rehashing", "activerehashing", "yes"),
        ("warning", "clients.keepalive", "tcp-keepalive", "300"),
        ("info", "latency.busy-reply", "busy-reply-threshold", "100"),
        (
            "info",
            "latency.slow-log-threshold",
            "slowlog-log-slower-than",
            "10000",
        ),
        ("info", "latency.slow-log-length", "slowlog-max-len", "128"),
    ];
    let told = tune(&fleet, &[]);
    told.must(must);
    // Whatever stalls this machine adds, two seconds are the least.
    let timeout = told.advice("cluster.timeout", "cluster-node-timeout");
    let timeout = timeout.expect("a longer node timeout");
    assert_ne!(timeout["severity"], "info", "{timeout:#}");
    for node in timeout["changes"].as_array().unwrap() {
        let ms: u64 = node["proposed"].as_str().unwrap().parse().unwrap();
        assert!(ms >= 2_000, "{timeout:#}");
    }
    // Of what it is for nothing is known, so nothing is said that rests on it.
    told.must_not(&["memory.policy", "persistence.aof", "cluster.coverage"]);

    set(
        &fleet,
        &[
            ("slowlog-log-slower-than", "10000"),
            ("slowlog-max-len", "128"),
            ("latency-monitor-threshold", "100"),
            ("latency-tracking", "yes"),
            ("acllog-max-len", "128"),
            ("hz", "10"),
            ("activerehashing", "yes"),
            ("tcp-keepalive", "300"),
            ("cluster-node-timeout", "15000"),
        ],
    );
    tune(&fleet, &[]).must_not(&[&rules_of(must)[..], &["cluster.timeout"]].concat());
}

#[test]
fn a_password_that_nodes_do_not_know_of_each_other() {
    let fleet = Fleet::start_with(3, |_| Spec {
        password: Some("secret".into()),
        ..Spec::default()
    });
    fleet.join(3);
    set(&fleet, &[("masterauth", ""), ("protected-mode", "no")]);
    let home = Home::new();
    let file = home.file("password", "secret");
    let file = ["--password-file", file.to_str().unwrap()];
    let told = tune(&fleet, &file);
    told.must(&[
        (
            "critical",
            "security.masterauth",
            "masterauth",
            "the nodes' password",
        ),
        ("info", "security.protected-mode", "protected-mode", "yes"),
    ]);
    told.must_not(&["security.password"]);
    let steps = &told.advice("security.masterauth", "masterauth").unwrap()["next"];
    assert!(
        steps.to_string().contains("CONFIG SET masterauth"),
        "{steps}"
    );
    assert!(!told.0.to_string().contains("secret"), "no word of it");
}
