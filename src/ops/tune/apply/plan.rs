//! From a report to what is changed where, and in which order; pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{NodeAddr, NodeId, Role};
use crate::ops::tune::report::{Kind, Recommendation, Report, Takes};

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The cluster.
    pub cluster: String,
    /// One a node: replicas first, then masters, each in the order of their addresses.
    pub steps: Vec<Step>,
    /// What `--apply` cannot do.
    pub left: Vec<Left>,
}

/// What is changed on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The node.
    pub addr: NodeAddr,
    /// Its id: an undo file knows it by this, for addresses change.
    pub id: NodeId,
    /// Its part.
    pub role: Role,
    /// The settings, in the order in which they are set.
    pub sets: Vec<Set>,
}

/// A setting's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Set {
    /// The setting.
    pub parameter: String,
    /// Its value, as CONFIG GET gave it.
    pub present: String,
    /// The value it gets.
    pub proposed: String,
    /// The rule that wants it.
    pub rule: String,
}

/// A recommendation that `--apply` leaves to somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// The rule.
    pub rule: String,
    /// The setting.
    pub parameter: String,
    /// Why.
    pub why: String,
}

/// Plans what can be set while the servers run.
pub fn plan(report: &Report) -> Plan {
    let mut steps: BTreeMap<(bool, NodeAddr), Step> = BTreeMap::new();
    let mut left = Vec::new();
    for recommendation in &report.recommendations {
        if let Some(why) = why_left(recommendation) {
            left.push(Left {
                rule: recommendation.rule.clone(),
                parameter: recommendation.parameter.clone(),
                why: why.to_owned(),
            });
            continue;
        }
        for change in &recommendation.changes {
            let (Some(id), Some(present)) = (&change.id, &change.present) else {
                continue;
            };
            let place = (change.role == Role::Master, change.addr.clone());
            let step = steps.entry(place).or_insert_with(|| Step {
                addr: change.addr.clone(),
                id: id.clone(),
                role: change.role,
                sets: Vec::new(),
            });
            step.sets.push(Set {
                parameter: recommendation.parameter.clone(),
                present: present.clone(),
                proposed: change.proposed.clone(),
                rule: recommendation.rule.clone(),
            });
        }
    }
    let mut steps: Vec<Step> = steps.into_values().collect();
    for step in &mut steps {
        // What is evicted is decided before there is anything to evict.
        step.sets.sort_by_key(|set| set.parameter == "maxmemory");
    }
    Plan {
        cluster: report.cluster.clone(),
        steps,
        left,
    }
}

fn why_left(recommendation: &Recommendation) -> Option<&'static str> {
    match (recommendation.kind, recommendation.takes) {
        (Kind::Setting, Takes::Online) => None,
        (Kind::Setting, _) => Some("the server reads it at its start only: set it in its file"),
        (Kind::Host, _) => Some("it is the machine's or the container's"),
        (Kind::Action, _) => Some("it is a command to be run once"),
        (Kind::Application, _) => Some("it is the application's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Profile;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn replicas_come_before_masters_and_the_limit_after_the_policy() {
        let setup = Setup::sound()
            .profile(Profile::Cache)
            .options(|options| {
                options.is_guide = true;
                options.only = ["guide".to_owned()].into();
            })
            .config("tcp-backlog", "128");
        let plan = plan(&setup.report());
        let roles: Vec<Role> = plan.steps.iter().map(|step| step.role).collect();
        assert_eq!(roles[..3], [Role::Replica; 3]);
        assert_eq!(roles[3..], [Role::Master; 3]);
        let sets: Vec<&str> = (plan.steps[0].sets.iter())
            .map(|set| set.parameter.as_str())
            .collect();
        assert_eq!(sets, ["maxmemory-policy", "save", "timeout", "maxmemory"]);
        assert_eq!(plan.left.len(), 1);
        assert_eq!(plan.left[0].parameter, "tcp-backlog");
    }
}
