//! A fixture for every fault, and for what is none.

use std::collections::BTreeSet;

use super::super::candidate::{Dialling, Door, Meeting, ReplicaLogin};
use super::super::simulation::{fresh, probe};
use super::*;
use crate::model::{Answer, Facts, NodeAddr, Silence};

fn options() -> Options {
    Options {
        name: "shop".into(),
        masters: 3,
        replicas: 1,
        ..Options::default()
    }
}

fn facts(candidate: &mut Candidate) -> &mut Facts {
    match &mut candidate.answer {
        Answer::Facts(facts) => facts,
        Answer::Silent { .. } => panic!("silent"),
    }
}

fn set(candidate: &mut Candidate, name: &str, value: &str) {
    let facts = facts(candidate);
    facts.config.insert(name.into(), value.into());
}

fn tell(candidate: &mut Candidate, name: &str, value: &str) {
    facts(candidate).info.set(name, value);
}

fn hush(candidate: &mut Candidate, silence: Silence, detail: &str) {
    candidate.answer = Answer::Silent {
        silence,
        detail: detail.into(),
        after_ms: 3,
    };
}

fn dial(candidate: &mut Candidate, door: Door) {
    candidate.dialled.push(Dialling {
        door,
        at: "10.9.9.9:17000".parse().unwrap(),
        error: Some("connection refused".into()),
    });
}

#[test]
fn sound_candidates_have_no_fault() {
    assert_eq!(preflight(&probe(&fresh(6)), &options()), []);
}

#[test]
fn each_fault_has_its_code() {
    type Spoil = fn(&mut Vec<Candidate>);
    let cases: &[(&str, Spoil)] = &[
        ("unreachable", |c| {
            hush(&mut c[1], Silence::Refused, "connection refused")
        }),
        ("unreachable", |c| {
            hush(&mut c[1], Silence::Timeout, "no answer within 2 s")
        }),
        ("protected_mode", |c| {
            hush(
                &mut c[1],
                Silence::Closed,
                "DENIED Redis is running in protected mode",
            )
        }),
        ("password_wanted", |c| {
            hush(&mut c[1], Silence::PasswordWanted, "NOAUTH")
        }),
        ("password_wrong", |c| {
            hush(&mut c[1], Silence::PasswordWrong, "WRONGPASS")
        }),
        ("forbidden", |c| {
            hush(&mut c[1], Silence::Forbidden, "NOPERM")
        }),
        ("loading", |c| hush(&mut c[1], Silence::Loading, "LOADING")),
        ("loading", |c| tell(&mut c[1], "loading", "1")),
        ("tls", |c| hush(&mut c[1], Silence::Tls, "unknown issuer")),
        ("not_redis", |c| {
            hush(&mut c[1], Silence::NotRedis, "HTTP/1.1 400")
        }),
        ("not_cluster", |c| {
            hush(&mut c[1], Silence::NotCluster, "cluster support disabled")
        }),
        ("not_cluster", |c| tell(&mut c[1], "cluster_enabled", "0")),
        ("no_identity", |c| facts(&mut c[1]).view.peers.clear()),
        ("not_cluster", |c| {
            tell(&mut c[1], "cluster_enabled", "0");
            facts(&mut c[1]).view.peers.clear();
        }),
        ("masterauth_missing", |c| {
            c[1].replica_login = ReplicaLogin::Missing
        }),
        ("masterauth_wrong", |c| {
            c[1].replica_login = ReplicaLogin::Refused {
                by: c[0].addr.clone(),
                detail: "WRONGPASS".into(),
            };
        }),
        ("config_unread", |c| {
            c[1].replica_login = ReplicaLogin::NotTried("NOPERM".into())
        }),
        ("bus_unreachable", |c| dial(&mut c[1], Door::Bus)),
        ("announced_unreachable", |c| {
            dial(&mut c[1], Door::AnnouncedClient)
        }),
        ("announced_bus_unreachable", |c| {
            dial(&mut c[1], Door::AnnouncedBus)
        }),
        ("port_too_high", |c| {
            let myself = &mut facts(&mut c[1]).view.peers[0];
            (myself.announced.port, myself.announced.bus_port) = (60_000, 0);
        }),
        ("epoch_left", |c| facts(&mut c[1]).view.peers[0].epoch = 7),
        ("mixed_vendors", |c| {
            tell(&mut c[1], "server_name", "valkey")
        }),
        ("mixed_versions", |c| {
            tell(&mut c[1], "redis_version", "7.2.0")
        }),
        ("tls_cluster_mixed", |c| {
            set(&mut c[0], "tls-cluster", "no");
            set(&mut c[1], "tls-cluster", "yes");
        }),
        ("tls_replication_mixed", |c| {
            set(&mut c[0], "tls-replication", "no");
            set(&mut c[1], "tls-replication", "yes");
        }),
        ("node_timeout_mixed", |c| {
            set(&mut c[0], "cluster-node-timeout", "5000");
            set(&mut c[1], "cluster-node-timeout", "15000");
        }),
        ("loopback", |c| {
            c[1].resolved = vec!["127.0.0.1".parse().unwrap()]
        }),
        ("bind_loopback", |c| {
            set(&mut c[1], "bind", "127.0.0.1 -::1")
        }),
        ("same_address", |c| c[1] = c[0].clone()),
        ("same_server", |c| {
            c[1].answer = c[0].answer.clone();
            c[1].addr = "alias:7000".parse().unwrap();
        }),
        ("same_id", |c| {
            facts(&mut c[1]).view = facts(&mut c[0]).view.clone();
        }),
        ("too_few", |c| c.truncate(5)),
        ("not_empty", |c| tell(&mut c[1], "db3", "keys=4,expires=0")),
        ("not_empty", |c| c[1].functions = Some(2)),
    ];
    for (code, spoil) in cases {
        let mut candidates = probe(&fresh(6));
        spoil(&mut candidates);
        let faults = preflight(&candidates, &options());
        let codes: Vec<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
        assert_eq!(codes, [format!("preflight.{code}")], "{faults:#?}");
        let fault = &faults[0];
        assert!(
            !fault.evidence.is_empty() && !fault.next.is_empty(),
            "{fault:?}"
        );
        assert!(!fault.summary.ends_with('.'), "{fault:?}");
    }
}

#[test]
fn all_faults_come_in_one_run_the_gravest_first() {
    let mut candidates = probe(&fresh(6));
    hush(&mut candidates[0], Silence::Refused, "connection refused");
    candidates[1].replica_login = ReplicaLogin::Missing;
    tell(&mut candidates[2], "redis_version", "7.2.0");
    dial(&mut candidates[3], Door::Bus);
    tell(&mut candidates[4], "db0", "keys=1,expires=0");
    candidates[5].addr = candidates[4].addr.clone();
    let faults = preflight(&candidates, &options());
    let codes: BTreeSet<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
    let expected = [
        "unreachable",
        "masterauth_missing",
        "mixed_versions",
        "bus_unreachable",
        "not_empty",
        "same_address",
    ];
    assert_eq!(
        codes,
        expected
            .iter()
            .map(|code| format!("preflight.{code}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect()
    );
    assert_eq!(faults.last().unwrap().severity, Severity::Warning);
}

#[test]
fn small_clusters_need_a_word() {
    let small = |allow_small| Options {
        masters: 1,
        allow_small,
        ..Options::default()
    };
    let candidates = probe(&fresh(1));
    assert_eq!(
        preflight(&candidates, &small(false))[0].code,
        "preflight.few_masters"
    );
    assert_eq!(preflight(&candidates, &small(true)), []);
}

#[test]
fn one_node_is_counted_and_told_what_it_is_too_few_for() {
    let derived = Options {
        masters: 0,
        ..options()
    };
    let faults = preflight(&probe(&fresh(1)), &derived);
    let [fault] = &faults[..] else {
        panic!("{faults:#?}");
    };
    assert_eq!(fault.code, "preflight.too_few");
    assert_eq!(fault.subject.name(), "shop");
    assert_eq!(
        fault.summary,
        "1 node is too few for a master with a replica: 2 are needed"
    );
    assert_eq!(fault.evidence, "1 node was given");
    assert!(
        fault.next.contains("--replicas 0 --allow-small"),
        "{}",
        fault.next
    );
}

#[test]
fn what_was_begun_or_done_is_no_fault() {
    let mut servers = fresh(6);
    servers[0].slots = "0-5460".parse().unwrap();
    servers[0].epoch = 1;
    assert_eq!(preflight(&probe(&servers), &options()), []);
}

#[test]
fn a_silent_candidate_is_no_stranger_to_those_who_know_it() {
    let mut servers = fresh(6);
    servers[0].known = [1].into();
    let mut candidates = probe(&servers);
    hush(&mut candidates[1], Silence::Timeout, "no answer within 2 s");
    let faults = preflight(&candidates, &options());
    assert_eq!(faults.len(), 1, "{faults:#?}");
}

#[test]
fn containers_on_one_machine_are_not_two_names_for_one_server() {
    let mut candidates = probe(&fresh(6));
    for (n, candidate) in candidates.iter_mut().enumerate() {
        candidate.addr = NodeAddr::new("127.0.0.1", 7001 + n as u16);
        candidate.resolved = vec!["127.0.0.1".parse().unwrap()];
        candidate.meet_at = Some(Meeting {
            ip: format!("172.18.0.{}", n + 2),
            port: 7001,
            bus_port: 17001,
        });
        set(candidate, "bind", "127.0.0.1");
    }
    assert_eq!(preflight(&candidates, &options()), []);
}

#[test]
fn what_is_on_a_node_is_told_though_there_can_be_no_plan() {
    let mut candidates = probe(&fresh(6));
    tell(&mut candidates[1], "db0", "keys=1,expires=0");
    candidates[3] = candidates[2].clone();
    let codes = |candidates: &[Candidate]| -> Vec<String> {
        let faults = preflight(candidates, &options());
        faults.into_iter().map(|fault| fault.code).collect()
    };
    assert_eq!(
        codes(&candidates),
        ["preflight.not_empty", "preflight.same_address"]
    );
    candidates.truncate(3);
    assert_eq!(
        codes(&candidates),
        ["preflight.not_empty", "preflight.too_few"]
    );
}
