//! What is tried: of the rules that were named those that advise something a lone copy can show, on
//! the copy of one node, for each node may be advised otherwise.

use super::report::Left;
use super::settings::why_not_here;
use crate::model::{NodeAddr, Role};
use crate::ops::tune::form;
use crate::ops::tune::judge::covers;
use crate::ops::tune::report::{Kind, Recommendation, Report, Takes};

/// A change that is tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Tried {
    /// The rule.
    pub rule: String,
    /// The setting.
    pub parameter: String,
    /// What it is on that node.
    pub present: String,
    /// What the rule wants it to be there.
    pub proposed: String,
    /// Whether the server reads it at its start only, so that the copy is started with it.
    pub is_at_start: bool,
}

/// What is tried, and where it is from.
#[derive(Debug, Clone, PartialEq)]
pub struct Picked {
    /// The node whose copy is made.
    pub node: NodeAddr,
    /// The changes, all together.
    pub tried: Vec<Tried>,
    /// What was named by its group and cannot be tried.
    pub left: Vec<Left>,
}

/// Why nothing is tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTrial {
    /// A rule's advice cannot be tried on a copy.
    #[error("{rule} cannot be tried on a copy: {why}")]
    NotHere {
        /// The rule.
        rule: String,
        /// Why.
        why: String,
    },
    /// The rules that were named have nothing to change here.
    #[error("nothing to try: {0} would change nothing on this cluster")]
    Nothing(String),
    /// The load cannot be made.
    #[error("the load cannot be made: {0}")]
    NoLoad(String),
}

/// Picks from the report what those rules or groups want. A rule that was named itself and cannot be
/// tried is an error; one that only its group names is left out.
///
/// # Errors
/// As [`NoTrial`].
pub fn pick(report: &Report, named: &[String]) -> Result<Picked, NoTrial> {
    let (mut fit, mut left) = (Vec::new(), Vec::new());
    for one in &report.recommendations {
        if !named.iter().any(|name| covers(name, &one.rule)) {
            continue;
        }
        match why_not(one) {
            None => fit.push(one),
            Some(why) if named.contains(&one.rule) => {
                return Err(NoTrial::NotHere {
                    rule: one.rule.clone(),
                    why,
                });
            }
            Some(why) => left.push(Left {
                what: one.rule.clone(),
                why,
            }),
        }
    }
    let Some(node) = node(&fit) else {
        return Err(match left.first() {
            Some(first) => NoTrial::NotHere {
                rule: first.what.clone(),
                why: first.why.clone(),
            },
            None => NoTrial::Nothing(named.join(", ")),
        });
    };
    let tried = fit.iter().filter_map(|one| tried(one, &node)).collect();
    for one in fit.iter().filter(|one| !wants(one, &node)) {
        left.push(Left {
            what: one.rule.clone(),
            why: format!("it changes nothing on {node}, whose copy this is; try it alone"),
        });
    }
    Ok(Picked { node, tried, left })
}

fn why_not(one: &Recommendation) -> Option<String> {
    let why = match one.kind {
        Kind::Host => "it changes the machine, which two copies beside each other share",
        Kind::Action => "it is done once, and there is no setting to compare with and without",
        Kind::Application => "it changes the application, whose load is only imitated here",
        Kind::Setting => return why_not_here(&one.parameter).map(str::to_owned),
    };
    Some(why.to_owned())
}

/// The node on which most of it would change something; a master before a replica.
fn node(fit: &[&Recommendation]) -> Option<NodeAddr> {
    let changes = || fit.iter().flat_map(|one| &one.changes);
    let worth = |addr: &NodeAddr| fit.iter().filter(|one| wants(one, addr)).count();
    let mut best: Option<((bool, usize), &NodeAddr)> = None;
    for change in changes() {
        let rank = (change.role == Role::Master, worth(&change.addr));
        if best.is_none_or(|(other, _)| rank > other) {
            best = Some((rank, &change.addr));
        }
    }
    best.map(|(_, addr)| addr.clone())
}

fn wants(one: &Recommendation, node: &NodeAddr) -> bool {
    one.changes.iter().any(|change| change.addr == *node)
}

fn tried(one: &Recommendation, node: &NodeAddr) -> Option<Tried> {
    let change = one.changes.iter().find(|change| change.addr == *node)?;
    let present = change.present.clone().unwrap_or_default();
    let is_same = form::is_same(&one.parameter, &present, &change.proposed);
    (!is_same).then(|| Tried {
        rule: one.rule.clone(),
        parameter: one.parameter.clone(),
        present,
        proposed: change.proposed.clone(),
        is_at_start: one.takes == Takes::Restart,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Profile;
    use crate::ops::tune::report::Change;
    use crate::ops::tune::testing::Setup;

    /// Sessions under allkeys-lru: memory.policy has something to say on all six nodes.
    fn report() -> Report {
        Setup::sound()
            .profile(Profile::Session)
            .config("maxmemory-policy", "allkeys-lru")
            .report()
    }

    /// The same, whose only recommendation is of that kind on that parameter, for these nodes.
    fn other(kind: Kind, parameter: &str, nodes: &[(u16, Role)]) -> Report {
        let mut report = report();
        let mut one = report.recommendations[0].clone();
        one.rule = "group.rule".into();
        one.kind = kind;
        one.parameter = parameter.into();
        one.changes = (nodes.iter())
            .map(|&(port, role)| Change {
                addr: NodeAddr::new("127.0.0.1", port),
                id: None,
                role,
                present: Some("1".into()),
                proposed: "2".into(),
            })
            .collect();
        report.recommendations = vec![one];
        report
    }

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_is_advised_is_tried_on_the_copy_of_a_master() {
        for names in [&["memory.policy"][..], &["memory"]] {
            let picked = pick(&report(), &named(names)).unwrap();
            let tried = picked.tried.iter().find(|one| one.rule == "memory.policy");
            assert_eq!(tried.unwrap().present, "allkeys-lru");
        }
        let nodes = [(1, Role::Replica), (2, Role::Master)];
        let setting = other(Kind::Setting, "hz", &nodes);
        assert_eq!(pick(&setting, &named(&["group"])).unwrap().node.port, 2);
    }

    #[test]
    fn what_a_copy_cannot_show_is_refused_with_the_reason() {
        let node = [(1, Role::Master)];
        for (kind, parameter, why) in [
            (Kind::Host, "vm.overcommit_memory", "machine"),
            (Kind::Application, "pool", "application"),
            (Kind::Action, "MEMORY PURGE", "once"),
            (Kind::Setting, "cluster-node-timeout", "cluster"),
            (Kind::Setting, "repl-backlog-size", "replica"),
            (Kind::Setting, "requirepass", "secret"),
        ] {
            for name in ["group.rule", "group"] {
                let refused = pick(&other(kind, parameter, &node), &named(&[name]));
                let said = refused.unwrap_err().to_string();
                assert!(said.contains(why), "{parameter}: {said}");
            }
        }
    }

    #[test]
    fn a_rule_that_has_nothing_to_say_has_nothing_to_try() {
        let nothing = pick(&report(), &named(&["no.rule"])).unwrap_err();
        assert_eq!(nothing, NoTrial::Nothing("no.rule".into()));
    }
}
