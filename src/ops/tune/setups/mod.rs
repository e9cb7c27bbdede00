//! Whole reports on clusters as they really are: what `goodcache create` makes must not be cried wolf
//! at, whatever rules are added.
//!
//! The surveys were recorded from six local servers a few seconds after they were made, with nothing
//! changed and no keys. What nodes have in common was put in one place; addresses and folders are made
//! up.

mod bad;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Kind, Options, Report, judge};
use crate::health::Profile;
use crate::model::words::counted;
use crate::model::{
    Answer, ClientsSeen, Evidence, Facts, HostSeen, KeysSeen, Seen, Severity, Survey,
};

const REDIS: &str = include_str!("../samples/created-redis-7.0.15.json");
const VALKEY: &str = include_str!("../samples/created-valkey-9.1.json");

/// A recorded survey: settings that all nodes have stand in `config`, and of the second INFO only
/// what differs from the first is kept.
#[derive(Deserialize)]
struct Recorded {
    config: BTreeMap<String, String>,
    survey: Survey,
}

/// The evidence of a recorded cluster on an ordinary machine that all nodes share.
fn recorded(text: &str) -> Evidence {
    let Recorded { config, mut survey } = serde_json::from_str(text).unwrap();
    let mut nodes = BTreeMap::new();
    for node in &mut survey.nodes {
        let Answer::Facts(facts) = &mut node.answer else {
            panic!("{} was silent when it was recorded", node.addr)
        };
        complete(facts, &config);
        nodes.insert(node.addr.clone(), seen());
    }
    Evidence { survey, nodes }
}

fn complete(facts: &mut Facts, config: &BTreeMap<String, String>) {
    facts.config.extend(config.clone());
    let mut later = facts.info.clone();
    later.take_over(&facts.later.take().unwrap());
    facts.later = Some(later);
}

/// No clients, no keys, and a machine as the distribution leaves it.
fn seen() -> Seen {
    Seen {
        clients: Some(ClientsSeen::default()),
        keys: Some(KeysSeen::default()),
        host: Some(HostSeen {
            machine: "machine".into(),
            by: "proc".into(),
            cores: Some(8.0),
            memory_bytes: Some(16 << 30),
            overcommit: Some(0),
            huge_pages: Some("always".into()),
            swappiness: Some(60),
            swap_bytes: Some(0),
            somaxconn: Some(4_096),
            syn_backlog: Some(1_024),
            listen_overflows: Some(0),
            open_files: Some(10_032),
            clock_source: Some("tsc".into()),
            throttled: Some((0, 0)),
            disk_free_bytes: Some(100 << 30),
            ..HostSeen::default()
        }),
        ..Seen::default()
    }
}

fn report(text: &str, profile: Option<Profile>) -> Report {
    let options = Options {
        profile,
        ..Options::default()
    };
    judge(&recorded(text), &options)
}

/// What is said, a line each, the gravest first; then what could not be looked at.
fn told(report: &Report) -> String {
    let mut lines = vec![format!(
        "profile {}: {}",
        report.profile.profile, report.profile.reason
    )];
    lines.extend(report.recommendations.iter().map(|one| {
        let first = &one.changes[0];
        format!(
            "{:?} {}: {} '{}' -> '{}' on {}: {}",
            one.severity,
            one.rule,
            one.parameter,
            first.present.as_deref().unwrap_or("?"),
            first.proposed,
            counted(one.changes.len(), "node"),
            one.why
        )
    }));
    let mut skipped: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for one in &report.skipped {
        *skipped.entry((&one.code, &one.reason)).or_default() += 1;
    }
    lines.extend(skipped.into_iter().map(|((rule, why), times)| {
        let nodes = counted(times, "node");
        format!("skipped {rule} on {nodes}: {why}")
    }));
    lines.join("\n")
}

/// The snapshot has one name in whatever crate the rules are compiled.
fn matches(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(name, told(&report(text, None)));
    });
}

#[test]
fn a_cluster_as_redis_makes_it_is_sound() {
    matches("tune_of_what_redis_makes", REDIS);
}

#[test]
fn a_cluster_as_valkey_makes_it_is_sound() {
    matches("tune_of_what_valkey_makes", VALKEY);
}

#[test]
fn nobody_cries_wolf_at_what_was_just_made() {
    let profiles = [
        None,
        Some(Profile::Cache),
        Some(Profile::Session),
        Some(Profile::Durable),
        Some(Profile::Queue),
    ];
    for text in [REDIS, VALKEY] {
        for profile in profiles {
            let report = report(text, profile);
            assert_eq!(report.nodes_answering, 6);
            let grave = report.recommendations.iter();
            let grave: Vec<_> = grave
                .filter(|one| one.severity > Severity::Info)
                .map(|one| (one.severity, &one.rule, &one.why))
                .collect();
            assert_eq!(grave, [], "{profile:?}");
            assert_eq!(report.overruled, [], "{profile:?}");
        }
    }
}

#[test]
fn what_is_followed_is_not_said_again() {
    for text in [REDIS, VALKEY] {
        let mut evidence = recorded(text);
        let first = judge(&evidence, &Options::default());
        for one in &first.recommendations {
            for change in one.changes.iter().filter(|_| one.kind == Kind::Setting) {
                let nodes = evidence.survey.nodes.iter_mut();
                let node = nodes.into_iter().find(|node| node.addr == change.addr);
                let Answer::Facts(facts) = &mut node.unwrap().answer else {
                    panic!("{} is silent", change.addr)
                };
                let proposed = change.proposed.clone();
                facts.config.insert(one.parameter.clone(), proposed);
            }
        }
        let second = judge(&evidence, &Options::default());
        let settings = second.recommendations.iter();
        let again: Vec<_> = settings
            .filter(|one| one.kind == Kind::Setting)
            .map(|one| (&one.rule, &one.parameter))
            .collect();
        assert_eq!(again, []);
    }
}
