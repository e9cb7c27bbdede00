//! All rules, a file a group. Each is a document and a pure function, so each can be tried on
//! recorded facts, explained, left out or asked alone.

mod clients;
mod cluster;
mod cpu;
mod encodings;
pub mod guide;
mod host;
mod latency;
mod memory;
mod persistence;
mod replication;
mod security;
mod stalls;
mod tls;

use super::rule::Rule;

/// The groups, in the order in which a person would ask.
pub const GROUPS: &[&[Rule]] = &[
    guide::RULES,
    memory::RULES,
    persistence::RULES,
    replication::RULES,
    cluster::RULES,
    clients::RULES,
    cpu::RULES,
    latency::RULES,
    encodings::RULES,
    host::RULES,
    tls::RULES,
    security::RULES,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_has_an_id_of_its_own_and_a_whole_document() {
        let mut ids = BTreeSet::new();
        for rule in GROUPS.iter().copied().flatten() {
            assert!(ids.insert(rule.id), "{} is there twice", rule.id);
            assert!(rule.id.contains('.'), "{} has no group", rule.id);
            for text in [rule.title, rule.why, rule.how, rule.cost, rule.source] {
                assert!(!text.is_empty(), "{} lacks a part of its document", rule.id);
            }
            assert!(!rule.parameters.is_empty(), "{} proposes nothing", rule.id);
        }
    }

    #[test]
    fn a_sound_cluster_hears_nothing_grave_of_disks_replicas_and_the_cluster() {
        use crate::health::Profile;
        use crate::model::Severity;
        use crate::ops::tune::testing::Setup;
        let setup = Setup::sound().options(|options| {
            options.only = ["persistence", "replication", "cluster"]
                .map(str::to_owned)
                .into();
        });
        let profiles = [
            Profile::Cache,
            Profile::Session,
            Profile::Durable,
            Profile::Queue,
        ];
        let given = profiles.map(|profile| setup.clone().profile(profile));
        for setup in [setup].into_iter().chain(given) {
            let report = setup.report();
            assert!(report.satisfied.len() > 20, "{:?}", report.satisfied);
            let grave = report.recommendations.into_iter();
            let grave: Vec<_> = grave.filter(|one| one.severity > Severity::Info).collect();
            assert_eq!(grave, []);
        }
    }
}
