//! A whole cluster among the candidates, with others beside it: the usual mistake of one who means
//! to enlarge a cluster. Told node by node it would read as a quarrel over slots; it is one fact.

use super::candidate::Candidate;
use super::plan::{Options, finding};
use crate::model::words::{counted, listed, plural};
use crate::model::{Finding, NodeId, SlotSet, Subject};

/// So many addresses are named.
const NAMED: usize = 8;

/// Puts one fault for each standing cluster in the place of those about its nodes. A cluster that
/// no fault is about is a part of the plan, and is completed.
pub(super) fn folded(
    mut faults: Vec<Finding>,
    candidates: &[Candidate],
    options: &Options,
) -> Vec<Finding> {
    for members in clusters(candidates) {
        let subject = |n: &usize| Subject::Node(candidates[*n].addr.to_string());
        let subjects: Vec<Subject> = members.iter().map(subject).collect();
        let before = faults.len();
        faults.retain(|fault| !subjects.contains(&fault.subject));
        if faults.len() < before {
            faults.push(stands_already(candidates, &members, options));
        }
    }
    faults
}

/// The clusters that are whole and do not take in all candidates, as indices.
fn clusters(candidates: &[Candidate]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for n in 0..candidates.len() {
        if found.iter().any(|members| members.contains(&n)) {
            continue;
        }
        let members = company(candidates, n).filter(|members| is_whole(candidates, members));
        found.extend(members.filter(|members| members.len() < candidates.len()));
    }
    found
}

/// The node and all that it knows, when all of them are candidates.
fn company(candidates: &[Candidate], n: usize) -> Option<Vec<usize>> {
    let place = |id: &NodeId| candidates.iter().position(|other| other.id() == Some(id));
    let known = candidates[n].known().map(|peer| place(&peer.id));
    let mut members = known.collect::<Option<Vec<usize>>>()?;
    members.push(n);
    members.sort_unstable();
    members.dedup();
    (members.len() > 1).then_some(members)
}

/// Whether these know each other and nobody else, and own every slot once.
fn is_whole(candidates: &[Candidate], members: &[usize]) -> bool {
    let are_closed = members
        .iter()
        .all(|&n| company(candidates, n).as_deref() == Some(members));
    let owned: Vec<SlotSet> = members.iter().map(|&n| candidates[n].slots()).collect();
    let total: usize = owned.iter().map(SlotSet::len).sum();
    let all = owned
        .iter()
        .fold(SlotSet::new(), |all, slots| all.union(slots));
    are_closed && all.is_full() && total == all.len()
}

fn stands_already(candidates: &[Candidate], members: &[usize], options: &Options) -> Finding {
    let addr = |n: usize| candidates[n].addr.to_string();
    let inside: Vec<String> = members.iter().map(|&n| addr(n)).collect();
    let others: Vec<String> = (0..candidates.len())
        .filter(|n| !members.contains(n))
        .map(addr)
        .collect();
    let (seed, first) = (&inside[0], &others[0]);
    let rest = match others.len() {
        1 => "is not part of it",
        _ => "are not part of it",
    };
    let masters = members
        .iter()
        .filter(|&&n| !candidates[n].slots().is_empty())
        .count();
    finding(
        "preflight.cluster_stands",
        options.subject(),
        format!(
            "these {} are already a cluster: {}; {} ({}) {rest}",
            counted(members.len(), "node"),
            listed(inside.clone(), NAMED),
            plural(others.len(), "other node", "other nodes"),
            listed(others.clone(), NAMED),
        ),
        format!(
            "CLUSTER NODES of each of them: {}, {} with slots, and all slots owned",
            counted(members.len(), "node"),
            counted(masters, "master"),
        ),
        &format!(
            "look at the cluster that stands: goodcache check {seed}\n\
             to add a node to it: redis-cli --cluster add-node {first} {seed} (--cluster-slave makes it a replica)\n\
             to make another cluster: give only nodes that are in none"
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::ops::create::preflight;
    use crate::ops::create::simulation::{Server, fresh, made, options, probe};

    fn with_two_more(mut servers: Vec<Server>) -> Vec<Server> {
        servers.extend(fresh(8).split_off(6));
        servers
    }

    #[test]
    fn a_cluster_among_the_nodes_is_told_once_with_all_its_addresses() {
        let mut servers = with_two_more(made(6, &options(3, 1)));
        servers[0].keys = 5;
        let faults = preflight(&probe(&servers), &options(4, 1));
        let [fault] = &faults[..] else {
            panic!("{faults:#?}");
        };
        assert_eq!(fault.code, "preflight.cluster_stands");
        assert_eq!(
            fault.summary,
            "these 6 nodes are already a cluster: 10.0.0.1:7000, 10.0.0.2:7000, 10.0.0.3:7000, \
             10.0.0.4:7000, 10.0.0.5:7000, 10.0.0.6:7000; 2 other nodes (10.0.0.7:7000, \
             10.0.0.8:7000) are not part of it"
        );
        for step in [
            "goodcache check 10.0.0.1:7000\n",
            "redis-cli --cluster add-node 10.0.0.7:7000 10.0.0.1:7000",
        ] {
            assert!(fault.next.contains(step), "{}", fault.next);
        }
    }

    #[test]
    fn what_is_wrong_with_the_others_is_told_besides() {
        let mut servers = with_two_more(made(6, &options(3, 1)));
        servers[7].keys = 5;
        let faults = preflight(&probe(&servers), &options(4, 1));
        let codes: Vec<&str> = faults.iter().map(|fault| fault.code.as_str()).collect();
        assert_eq!(codes, ["preflight.not_empty", "preflight.cluster_stands"]);
    }

    #[test]
    fn a_cluster_that_fits_the_plan_or_is_not_whole_is_none() {
        let mut servers = with_two_more(made(6, &options(3, 1)));
        assert_eq!(preflight(&probe(&servers), &options(3, 1)), []);
        servers[0].slots = "1-5460".parse().unwrap();
        let faults = preflight(&probe(&servers), &options(4, 1));
        assert!(
            faults
                .iter()
                .all(|fault| fault.code == "preflight.not_empty"),
            "{faults:#?}"
        );
    }
}
