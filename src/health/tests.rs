//! Every code is given by a small survey that deserves it, and a sound cluster gets none.

use std::collections::BTreeSet;

use crate::model::{Health, NodeAddr, NotRead, Probe, Severity, Silence, Slot, Subject};

use super::faults::{faults, slots, user};
use super::testing::{Cluster, addr};
use super::*;

fn options(profile: Profile) -> Options {
    Options {
        profile,
        ..Options::default()
    }
}

fn judged(cluster: Cluster) -> Verdict {
    judge_survey(&cluster.survey(), &Options::default())
}

fn judge_survey(survey: &Survey, options: &Options) -> Verdict {
    judge(survey, &Topology::of(survey), options)
}

fn found<'a>(verdict: &'a Verdict, code: &str) -> Vec<&'a Finding> {
    let is = |finding: &&Finding| finding.code == code;
    verdict.findings.iter().filter(is).collect()
}

fn codes_of(verdict: &Verdict) -> Vec<&str> {
    verdict.findings.iter().map(|f| f.code.as_str()).collect()
}

fn sound() -> Cluster {
    Cluster::sound()
}

#[test]
fn a_sound_cluster_has_no_finding_and_nothing_skipped() {
    for profile in [
        Profile::Cache,
        Profile::Session,
        Profile::Durable,
        Profile::Queue,
    ] {
        let verdict = judge_survey(&sound().survey(), &options(profile));
        assert_eq!(verdict, Verdict::default(), "{profile}");
    }
}

#[test]
fn every_fault_gives_its_code_as_grave_as_it_is() {
    for (code, severity, options, cluster) in faults() {
        let verdict = judge_survey(&cluster.survey(), &options);
        let found = found(&verdict, code);
        assert!(
            !found.is_empty(),
            "{code} is not among {:?}",
            codes_of(&verdict)
        );
        assert_eq!(found[0].severity, severity, "{code}: {found:?}");
    }
}

#[test]
fn every_code_has_a_fault_that_gives_it() {
    let tested: BTreeSet<&str> = faults().iter().map(|(code, ..)| *code).collect();
    let documented: BTreeSet<&str> = codes().map(|doc| doc.code).collect();
    let untested: Vec<_> = documented.difference(&tested).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn findings_are_whole_sentences_with_evidence_and_a_next_step() {
    for (code, _, options, cluster) in faults() {
        for finding in judge_survey(&cluster.survey(), &options).findings {
            assert!(explain(&finding.code).is_some(), "{}", finding.code);
            assert!(
                !finding.summary.ends_with('.'),
                "{code}: {}",
                finding.summary
            );
            assert!(!finding.evidence.is_empty(), "{code}: {finding:?}");
            assert!(!finding.next.is_empty(), "{code}: {finding:?}");
        }
    }
}

#[test]
fn a_rule_gives_only_the_codes_of_its_group() {
    for (_, _, options, cluster) in faults() {
        let survey = cluster.survey();
        let topology = Topology::of(&survey);
        let case = Case::new(&survey, &topology, &options);
        for rule in RULES {
            let mut notes = Notes::new(&options);
            (rule.judge)(&case, &mut notes);
            let verdict = notes.into_verdict(&case);
            let given = verdict.findings.iter().map(|f| &f.code);
            for code in given.chain(verdict.skipped.iter().map(|s| &s.code)) {
                assert!(
                    rule.codes.iter().any(|doc| doc.code == code),
                    "{} gave {code}",
                    rule.group
                );
            }
        }
    }
}

/// What a fresh cluster on one's own machine looks like: Redis 7.0.15 as Debian ships it.
fn fresh_and_local() -> Cluster {
    let plain = "redis_version:7.0.15\nuptime_in_seconds:4\nmaxmemory:0\nmem_fragmentation_ratio:9.5\n\
                 allocator_frag_ratio:1.3\nallocator_frag_bytes:400000\nrepl_backlog_histlen:14\n\
                 aof_enabled:0\nrdb_changes_since_last_save:0\nmaster_last_io_seconds_ago:9\n";
    let cluster = (0..6).fold(sound(), |cluster, n| {
        cluster.info(n, plain).host(n, "127.0.0.1")
    });
    let local = |n: usize| NodeAddr::new("127.0.0.1", 7001 + n as u16);
    let cluster = (0..6).fold(cluster, |cluster, n| {
        cluster.lines(n, |peer| {
            peer.announced.ip = "127.0.0.1".into();
            peer.announced.port = local(n).port;
        })
    });
    cluster
        .every(|facts| {
            for (name, value) in [
                ("port", "7001"),
                ("tls-port", "0"),
                ("requirepass", ""),
                ("masterauth", ""),
                ("appendonly", "no"),
                ("latency-monitor-threshold", "0"),
            ] {
                facts.config.insert(name.into(), value.into());
            }
            facts.answers_without_password = Some(true);
            facts.certificate_days_left = None;
            facts.canary = None;
            facts.is_deep = false;
            facts.users = vec![user("default", true)];
            if let Some(later) = &mut facts.later {
                later.set("total_commands_processed", "1000010");
            }
        })
        .with(|survey| {
            for (n, node) in survey.nodes.iter_mut().enumerate() {
                node.addr = local(n);
            }
            survey.seeds = vec![local(0)];
        })
}

#[test]
fn a_fresh_local_cluster_does_not_drown_the_reader() {
    let verdict = judged(fresh_and_local());
    assert_eq!(
        codes_of(&verdict),
        [
            "memory.unlimited",
            "version.vulnerable",
            "loss.host",
            "security.open"
        ]
    );
    assert_eq!(Health::of(&verdict.findings), Health::Warning);
    assert!(verdict.findings[1].evidence.contains("CVE-"));
    assert!(
        verdict
            .findings
            .iter()
            .all(|f| matches!(f.subject, Subject::Cluster(_)))
    );
    let skipped: Vec<_> = (verdict.skipped.iter())
        .map(|skip| (skip.code.as_str(), skip.reason.as_str()))
        .collect();
    let few = "too few operations to judge: 30 in the sample, 100 are needed";
    let unkept = "the server keeps no record (latency-monitor-threshold is 0)";
    assert_eq!(
        skipped,
        [
            ("errors.failed", few),
            ("errors.redirected", few),
            ("latency.stalls", unkept),
            ("slots.foreign_keys", "not asked (--deep)"),
        ]
    );
}

#[test]
fn a_full_cache_that_evicts_is_no_warning_but_a_filling_one_is() {
    let full = "maxmemory_policy:allkeys-lru\nused_memory:999000000\nused_memory_rss:999000000\n";
    let filling = judged(sound().info(0, full));
    assert_eq!(
        found(&filling, "memory.high")[0].severity,
        Severity::Warning
    );
    let evicting = sound().info(0, &format!("{full}evicted_keys:5\n"));
    let verdict = judged(evicting.clone());
    assert_eq!(found(&verdict, "memory.high")[0].severity, Severity::Info);
    let verdict = judge_survey(&evicting.survey(), &options(Profile::Session));
    assert_eq!(
        found(&verdict, "memory.high")[0].severity,
        Severity::Critical
    );
}

#[test]
fn an_idle_replica_and_few_operations_are_no_fault() {
    let idle = sound()
        .info(3, "master_last_io_seconds_ago:10")
        .later(0, "total_commands_processed:1000010\ntotal_error_replies:9")
        .later(1, "total_commands_processed:1000010")
        .later(2, "total_commands_processed:1000010");
    let verdict = judged(idle);
    assert_eq!(verdict.findings, []);
    let reason = "too few operations to judge: 30 in the sample, 100 are needed";
    assert!(
        verdict
            .skipped
            .iter()
            .any(|s| s.code == "errors.failed" && s.reason == reason)
    );
}

#[test]
fn one_sample_skips_the_rates_once_for_all() {
    let once = sound().every(|facts| {
        facts.later = None;
        facts.not_read.push(NotRead {
            probe: Probe::Sample,
            why: "not asked (--sample 0s)".into(),
        });
    });
    let verdict = judged(once);
    assert_eq!(verdict.findings, []);
    let failed: Vec<_> = verdict
        .skipped
        .iter()
        .filter(|s| s.code == "errors.failed")
        .collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].reason, "not asked (--sample 0s)");
    assert_eq!(failed[0].subject, Subject::Cluster("shop".into()));
}

#[test]
fn alike_findings_become_one_and_dead_nodes_stay_apart() {
    let verdict = judged((0..6).fold(sound(), |c, n| c.info(n, "maxmemory:0")));
    let unlimited = found(&verdict, "memory.unlimited");
    assert_eq!(unlimited.len(), 1);
    assert_eq!(unlimited[0].summary, "6 nodes: no memory limit is set");
    assert!(unlimited[0].evidence.ends_with("on every node"));
    let dead = sound()
        .silent(4, Silence::Timeout)
        .silent(5, Silence::Timeout);
    assert_eq!(found(&judged(dead), "node.down").len(), 2);
}

#[test]
fn a_dispute_over_slots_names_both_sides_and_the_winner() {
    // SETSLOT on node 4 only: it alone believes that node 1 has slot 0.
    let cluster = sound()
        .line(4, 0, |peer| peer.slots = slots(1, 5460))
        .line(4, 1, |peer| peer.slots.insert(Slot::new(0).unwrap()));
    let verdict = judged(cluster);
    let [finding] = found(&verdict, "views.disagree")[..] else {
        panic!("{verdict:?}");
    };
    assert_eq!(finding.summary, "the nodes do not agree on who owns 1 slot");
    for part in [
        "10.0.0.1:7000 (epoch 1): say",
        "10.0.0.2:7000 (epoch 2): says 10.0.0.5:7000",
        "10.0.0.2:7000 has the higher claim",
    ] {
        assert!(
            finding.evidence.contains(part),
            "{part}: {}",
            finding.evidence
        );
    }
    assert_eq!(
        finding.next,
        "ask the minority: redis-cli --tls -h 10.0.0.5 -p 7000 cluster nodes"
    );
}

#[test]
fn a_sound_master_with_replicas_and_sentinels_has_no_findings() {
    for profile in [Profile::Cache, Profile::Session, Profile::Durable] {
        let verdict = judge_survey(&Cluster::watched().survey(), &options(profile));
        let codes = codes_of(&verdict);
        assert!(codes.is_empty(), "{profile}: {codes:?}");
    }
}

#[test]
fn what_the_user_switched_off_is_neither_found_nor_skipped() {
    let mut options = Options::default();
    options.thresholds.set_severity("node.down", None).unwrap();
    options
        .thresholds
        .set_severity("shard.no_replica", Some(Severity::Info))
        .unwrap();
    let dead = sound().silent(4, Silence::Closed);
    let verdict = judge_survey(&dead.survey(), &options);
    assert!(found(&verdict, "node.down").is_empty());
    assert_eq!(Health::of(&verdict.findings), Health::Ok);
}

#[test]
fn loopback_and_addresses_open_to_others_differ() {
    let verdict = judged(fresh_and_local());
    assert_eq!(found(&verdict, "security.open")[0].severity, Severity::Info);
    // Asked through a published port on loopback, but it sends clients elsewhere.
    let published = fresh_and_local().lines(0, |peer| peer.announced.ip = "172.18.0.2".into());
    let verdict = judged(published);
    let open = found(&verdict, "security.open");
    assert_eq!(
        open.iter().map(|f| f.severity).max(),
        Some(Severity::Warning)
    );
}

#[test]
fn a_distribution_that_backports_gives_one_warning() {
    let verdict = judged((0..6).fold(sound(), |c, n| c.info(n, "redis_version:7.0.15")));
    let about: Vec<_> = verdict
        .findings
        .iter()
        .filter(|f| f.code.starts_with("version."))
        .collect();
    assert_eq!(about.len(), 1);
    assert_eq!(about[0].severity, Severity::Warning);
    assert!(about[0].next.contains("distribution"));
    let managed = (0..6).fold(sound(), |c, n| {
        c.info(n, "redis_version:7.2.4\nos:Amazon ElastiCache")
    });
    assert_eq!(
        found(&judged(managed), "version.vulnerable")[0].severity,
        Severity::Info
    );
}

#[test]
fn an_empty_survey_and_one_of_silence_do_no_harm() {
    assert_eq!(
        judge_survey(&Survey::default(), &Options::default()),
        Verdict::default()
    );
    let silent = (0..6).fold(sound(), |c, n| c.silent(n, Silence::Timeout));
    let verdict = judged(silent);
    assert_eq!(found(&verdict, "node.down").len(), 6);
    assert_eq!(
        addr(0).to_string(),
        found(&verdict, "node.down")[0].subject.name()
    );
}

#[test]
fn a_forgotten_replica_is_no_spare() {
    let forgotten = (0..5).fold(sound(), |cluster, viewer| {
        cluster.facts(viewer, |facts| {
            let is_it = |peer: &crate::model::Peer| peer.id == testing::id(5);
            facts.view.peers.retain(|peer| !is_it(peer));
        })
    });
    let verdict = judged(forgotten);
    assert_eq!(codes_of(&verdict), ["node.forgotten", "shard.no_replica"]);
    assert_eq!(verdict.findings[1].subject, Subject::Shard("3".into()));
}

#[test]
fn a_dead_master_is_told_once_each_by_node_and_slots() {
    let verdict = judged(sound().silent(1, Silence::Timeout));
    let critical: Vec<_> = (verdict.findings.iter())
        .filter(|finding| finding.severity == Severity::Critical)
        .map(|finding| finding.code.as_str())
        .collect();
    assert_eq!(critical, ["node.down", "slots.failed"]);
    let down = found(&verdict, "node.down")[0];
    assert!(down.summary.starts_with("master does not answer"));
    assert!(down.evidence.contains("none of the 5 nodes"));
    let next = &found(&verdict, "slots.failed")[0].next;
    assert!(next.contains("-h 10.0.0.5 -p 7000 cluster failover force"));
}

#[test]
fn a_node_that_lives_for_its_peers_is_not_told_dead() {
    for silence in [
        Silence::Refused,
        Silence::Unreachable,
        Silence::NoConnection,
    ] {
        let verdict = judged(sound().silent(1, silence));
        assert_eq!(codes_of(&verdict), ["address.unreachable"], "{silence}");
        let [found] = &verdict.findings[..] else {
            panic!("{verdict:?}");
        };
        assert_eq!(found.severity, Severity::Critical);
        assert!(found.evidence.contains("of 5 other nodes"), "{found:?}");
        assert!(
            found.next.contains("--node-map 10.0.0.2:7000="),
            "{found:?}"
        );
    }
    let all_but_one = (1..6).fold(sound(), |c, n| c.silent(n, Silence::NoConnection));
    let verdict = judged(all_but_one);
    let critical = |finding: &&Finding| finding.severity == Severity::Critical;
    assert_eq!(verdict.findings.iter().filter(critical).count(), 1);
    assert_eq!(verdict.findings[0].code, "address.unreachable");
    assert!(verdict.findings[0].summary.starts_with("5 nodes: "));
}

#[test]
fn one_peer_that_misses_it_is_enough_to_call_a_node_down() {
    type Miss = fn(&mut crate::model::Peer);
    let misses: [Miss; 5] = [
        |peer| peer.is_linked = false,
        |peer| peer.ping_sent_ms = 7,
        |peer| peer.flags.suspected = true,
        |peer| peer.flags.failed = true,
        |peer| peer.flags.noaddr = true,
    ];
    for (n, miss) in misses.into_iter().enumerate() {
        let verdict = judged(sound().silent(4, Silence::Refused).line(0, 4, miss));
        assert!(!found(&verdict, "node.down").is_empty(), "{n}: {verdict:?}");
        assert!(found(&verdict, "address.unreachable").is_empty(), "{n}");
    }
    // Whoever takes the connection and says nothing hangs, whatever its peers have noticed.
    let hung = judged(sound().silent(4, Silence::Timeout));
    assert!(!found(&hung, "node.down").is_empty());
    // Nobody but the silent node itself could say.
    let stranger = sound()
        .silent(0, Silence::Refused)
        .with(|survey| survey.nodes.truncate(1));
    assert!(!found(&judged(stranger), "node.down").is_empty());
}

#[test]
fn a_first_sync_that_is_due_is_no_broken_link() {
    let link = "master_link_status:down\nmaster_link_down_since_seconds:-1";
    let due = "slave0:ip=10.0.0.4,port=7000,state=wait_bgsave,offset=0,lag=0";
    let verdict = judged(sound().info(3, link).info(0, due));
    assert_eq!(codes_of(&verdict), ["replica.syncing"]);
}
