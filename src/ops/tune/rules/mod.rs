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
}
