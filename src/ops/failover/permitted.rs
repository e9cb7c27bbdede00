//! Whether the servers permit what a plan asks of them, as a survey knows it: pure. A drill that meets a
//! refusal half-way has loaded the cluster for nothing.

use super::plan::Plan;
use super::preflight::Refusal;
use crate::model::{Capability, Fault, NodeId, Survey, Topology};

/// Why the servers would refuse these faults, each capability once.
pub fn withheld(survey: &Survey, topology: &Topology, plan: &Plan) -> Vec<Refusal> {
    let mut refusals: Vec<Refusal> = Vec::new();
    for step in &plan.steps {
        let second = step.second.iter();
        let second = second.map(|second| (second.fault, &second.victims));
        for (fault, victims) in std::iter::once((step.fault, &step.victims)).chain(second) {
            let refusal = refusal(survey, topology, fault, victims);
            refusals.extend(refusal.filter(|new| !refusals.contains(new)));
        }
    }
    refusals
}

fn refusal(
    survey: &Survey,
    topology: &Topology,
    fault: Fault,
    victims: &[NodeId],
) -> Option<Refusal> {
    let needed = needed(fault, survey)?;
    // A replica is asked to take its master's place; all else is asked of the victim.
    let asked: Vec<&NodeId> = match fault.is_handover() {
        true => (victims.iter())
            .flat_map(|victim| topology.replicas(victim))
            .map(|replica| &replica.id)
            .collect(),
        false => victims.iter().collect(),
    };
    let (addr, why) = asked.into_iter().find_map(|id| {
        let why = survey.facts(id)?.refusal(needed)?;
        Some((&survey.node(id)?.addr, why))
    })?;
    Some(Refusal {
        why: format!("{addr} refuses {}: {why}", needed.words()),
        next: format!(
            "give the user {}, or strike from outside: --fault kill, stop or pause",
            needed.rule()
        ),
    })
}

/// What a fault takes. Sentinels fail over by themselves.
fn needed(fault: Fault, survey: &Survey) -> Option<Capability> {
    match fault {
        Fault::Failover | Fault::Force | Fault::Takeover => survey
            .form
            .is_cluster()
            .then_some(Capability::ClusterFailover),
        Fault::Sleep | Fault::IsolateBus => Some(Capability::Debug),
        Fault::Shutdown => Some(Capability::Shutdown),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::testing::{Cluster, addr, id};
    use crate::model::{Answer, Budgets};
    use crate::ops::failover::Step;

    fn plan(fault: Fault) -> Plan {
        let step = Step {
            name: None,
            fault,
            victims: vec![id(1)],
            aim: None,
            second: None,
            budgets: Budgets::default(),
            down_for: std::time::Duration::ZERO,
            is_handover: false,
        };
        Plan {
            steps: vec![step.clone(), step],
        }
    }

    fn refused(n: usize, capability: Capability, fault: Fault) -> Vec<Refusal> {
        let mut survey = Cluster::sound().survey();
        let node = survey.nodes.iter_mut().find(|node| node.addr == addr(n));
        if let Some(Answer::Facts(facts)) = node.map(|node| &mut node.answer) {
            facts.capabilities.refuse(capability, "not here");
        }
        withheld(&survey, &Topology::of(&survey), &plan(fault))
    }

    #[test]
    fn what_the_asked_node_refuses_stops_the_drill_before_it_begins() {
        let [one] = &refused(4, Capability::ClusterFailover, Fault::Failover)[..] else {
            panic!("told once");
        };
        assert_eq!(one.why, "10.0.0.5:7000 refuses CLUSTER FAILOVER: not here");
        assert!(one.next.contains("+cluster|failover"), "{}", one.next);
        assert_eq!(refused(1, Capability::Debug, Fault::Sleep).len(), 1);
        assert_eq!(refused(1, Capability::Shutdown, Fault::Shutdown).len(), 1);
        // Whom nobody asks may refuse, and a kill asks nobody.
        assert_eq!(refused(1, Capability::ClusterFailover, Fault::Failover), []);
        assert_eq!(refused(2, Capability::Debug, Fault::Sleep), []);
        assert_eq!(refused(1, Capability::Shutdown, Fault::Kill), []);
    }
}
