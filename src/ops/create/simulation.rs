//! Model servers that obey the steps of a plan, so that a create can be killed after each of them.

use std::collections::BTreeSet;

use super::*;
use crate::model::{Announced, Answer, Facts, Flags, Info, NodeId, Peer, Site, SlotSet, View};

/// A server as far as create can tell.
#[derive(Debug, Clone, Default)]
pub(super) struct Server {
    pub slots: SlotSet,
    pub epoch: u64,
    pub known: BTreeSet<usize>,
    pub master: Option<usize>,
    pub keys: u64,
    pub host: String,
}

pub(super) fn id(n: usize) -> NodeId {
    format!("{n:040x}").parse().unwrap()
}

pub(super) fn fresh(count: usize) -> Vec<Server> {
    let server = |n| Server {
        host: format!("h{n}"),
        ..Server::default()
    };
    (0..count).map(server).collect()
}

/// What the prober would bring back.
pub(super) fn probe(servers: &[Server]) -> Vec<Candidate> {
    (0..servers.len()).map(|n| candidate(servers, n)).collect()
}

fn candidate(servers: &[Server], n: usize) -> Candidate {
    let mut peers = vec![line(servers, n, true)];
    peers.extend(servers[n].known.iter().map(|&m| line(servers, m, false)));
    peers.sort_by(|a, b| a.id.cmp(&b.id));
    let keys = servers[n].keys;
    let keyspace = if keys > 0 {
        format!("db0:keys={keys},expires=0\n")
    } else {
        String::new()
    };
    let facts = Facts {
        view: View { peers },
        info: Info::parse(&format!(
            "redis_version:7.0.15\nrun_id:{n}\ncluster_enabled:1\n{keyspace}"
        )),
        ..Facts::default()
    };
    Candidate {
        addr: format!("10.0.0.{}:7000", n + 1).parse().unwrap(),
        resolved: vec![format!("10.0.0.{}", n + 1).parse().unwrap()],
        site: Site {
            host: servers[n].host.clone(),
            zone: None,
        },
        answer: Answer::Facts(Box::new(facts)),
        functions: Some(0),
        replica_login: ReplicaLogin::Works,
        dialled: Vec::new(),
        meet_at: None,
    }
}

fn line(servers: &[Server], n: usize, myself: bool) -> Peer {
    let (server, master) = match servers.get(n) {
        Some(server) => (server.clone(), server.master),
        None => (Server::default(), None),
    };
    Peer {
        id: id(n),
        announced: Announced {
            ip: if myself && server.known.is_empty() {
                String::new()
            } else {
                format!("10.0.0.{}", n + 1)
            },
            port: 7000,
            bus_port: 17000,
            ..Announced::default()
        },
        flags: Flags {
            myself,
            master: master.is_none(),
            replica: master.is_some(),
            ..Flags::default()
        },
        master: master.map(id),
        ping_sent_ms: 0,
        pong_received_ms: 0,
        epoch: server.epoch,
        is_linked: true,
        slots: server.slots,
        migrating: Vec::new(),
        importing: Vec::new(),
    }
}

/// Does what a real server does, and panics where a real server would answer an error.
fn obey(servers: &mut [Server], step: &Step) {
    let at = |addr: &crate::model::NodeAddr| -> usize {
        addr.host
            .rsplit('.')
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap()
            - 1
    };
    match step {
        Step::AddSlots { node, slots } => {
            let taken = servers
                .iter()
                .fold(SlotSet::new(), |all, s| all.union(&s.slots));
            assert!(taken.intersection(slots).is_empty(), "slot is already busy");
            let server = &mut servers[at(node)];
            assert!(server.master.is_none());
            server.slots = server.slots.union(slots);
        }
        Step::SetEpoch { node, epoch } => {
            let server = &mut servers[at(node)];
            assert!(
                server.known.is_empty() && server.epoch == 0,
                "epoch not taken"
            );
            server.epoch = *epoch;
        }
        Step::Meet {
            node,
            peer,
            at: meeting,
        } => {
            assert_eq!(
                (meeting.ip.as_str(), meeting.bus_port),
                (peer.host.as_str(), 17000)
            );
            let (a, b) = (at(node), at(peer));
            servers[a].known.insert(b);
            servers[b].known.insert(a);
        }
        Step::AwaitJoin { nodes } => {
            assert_eq!(*nodes, servers.len());
            // Gossip: whoever is connected gets to know all.
            let all: BTreeSet<usize> = (0..servers.len()).collect();
            for (n, server) in servers.iter_mut().enumerate() {
                assert!(!server.known.is_empty(), "nobody introduced node {n}");
                server.known = all.clone();
                server.known.remove(&n);
            }
        }
        Step::Replicate {
            node,
            master,
            master_id,
        } => {
            let (n, m) = (at(node), at(master));
            assert_eq!(&id(m), master_id);
            assert!(servers[n].known.contains(&m), "unknown node");
            assert!(servers[n].slots.is_empty() && servers[m].master.is_none());
            servers[n].master = Some(m);
        }
    }
}

pub(super) fn options(masters: usize, replicas: usize) -> Options {
    Options {
        masters,
        replicas,
        ..Options::default()
    }
}

#[test]
fn killed_anywhere_the_next_run_completes() {
    for (nodes, masters, replicas) in [
        (1, 1, 0),
        (2, 1, 1),
        (6, 3, 1),
        (7, 3, 1),
        (9, 3, 2),
        (60, 20, 2),
    ] {
        let options = options(masters, replicas);
        let whole = plan(&probe(&fresh(nodes)), &options).unwrap();
        assert_eq!(whole.standing, Standing::Fresh);
        // All kill points of the small ones, some of the large one.
        let stride = whole.steps.len() / 40 * 4 + 1;
        for kept in (0..=whole.steps.len())
            .step_by(stride)
            .chain([whole.steps.len()])
        {
            let mut servers = fresh(nodes);
            whole.steps[..kept]
                .iter()
                .for_each(|step| obey(&mut servers, step));
            let rest = plan(&probe(&servers), &options).unwrap();
            rest.steps.iter().for_each(|step| obey(&mut servers, step));
            let done = plan(&probe(&servers), &options).unwrap();
            assert_eq!(
                done.standing,
                Standing::AlreadySo,
                "{nodes} nodes, killed after {kept}"
            );
            assert!(done.steps.is_empty());
            if kept > 0 && kept < whole.steps.len() {
                assert!(
                    rest.steps.len() <= whole.steps.len(),
                    "no more than at first"
                );
            }
            let slots: Vec<SlotSet> = done
                .shards
                .iter()
                .map(|shard| shard.slots.clone())
                .collect();
            let asked: Vec<SlotSet> = whole
                .shards
                .iter()
                .map(|shard| shard.slots.clone())
                .collect();
            assert_eq!(slots, asked);
        }
    }
}

pub(super) fn made(nodes: usize, options: &Options) -> Vec<Server> {
    let mut servers = fresh(nodes);
    let steps = plan(&probe(&servers), options).unwrap().steps;
    steps.iter().for_each(|step| obey(&mut servers, step));
    servers
}

#[test]
fn the_steps_come_in_the_order_that_servers_accept() {
    let plan_ = plan(&probe(&fresh(6)), &options(3, 1)).unwrap();
    let kind = |step: &Step| match step {
        Step::AddSlots { .. } => 0,
        Step::SetEpoch { .. } => 1,
        Step::Meet { .. } => 2,
        Step::AwaitJoin { .. } => 3,
        Step::Replicate { .. } => 4,
    };
    assert!(plan_.steps.is_sorted_by_key(kind));
    assert_eq!(plan_, plan(&probe(&fresh(6)), &options(3, 1)).unwrap());
    let text: Vec<String> = plan_.steps.iter().map(Step::to_string).collect();
    assert_eq!(text[0], "10.0.0.1:7000: CLUSTER ADDSLOTSRANGE 0 5460");
    assert_eq!(text[3], "10.0.0.1:7000: CLUSTER SET-CONFIG-EPOCH 1");
    assert_eq!(text[6], "10.0.0.1:7000: CLUSTER MEET 10.0.0.2 7000 17000");
    assert_eq!(
        text.last().unwrap(),
        &format!("10.0.0.6:7000: CLUSTER REPLICATE {}", id(2))
    );
    let json = serde_json::to_value(&plan_).unwrap();
    assert_eq!(json["steps"][0]["step"], "add_slots");
    assert_eq!(json["steps"][0]["slots"], "0-5460");
    assert_eq!(json["standing"], "fresh");
}

#[test]
fn a_cluster_that_lived_on_is_already_so() {
    let options = options(3, 1);
    let mut servers = made(6, &options);
    // Keys came, a failover swapped 0 and 3, a slot was moved from 1 to 2.
    servers.iter_mut().for_each(|server| server.keys = 5);
    servers[3].slots = std::mem::take(&mut servers[0].slots);
    servers[3].master = None;
    servers[0].master = Some(3);
    let slot: SlotSet = "5461".parse().unwrap();
    servers[1].slots = servers[1].slots.difference(&slot);
    servers[2].slots = servers[2].slots.union(&slot);
    let plan_ = plan(&probe(&servers), &options).unwrap();
    assert_eq!(
        (plan_.standing, plan_.steps.len()),
        (Standing::AlreadySo, 0)
    );
    assert_eq!(plan_.shards[0].master.to_string(), "10.0.0.4:7000");
    assert_eq!(plan_.shards[1].slots.to_string(), "5461 10923-16383");
}

#[test]
fn a_missing_replica_is_added_though_keys_came_meanwhile() {
    let options = options(3, 1);
    let mut servers = made(6, &options);
    servers[0].keys = 5;
    servers[5].master = None;
    let plan_ = plan(&probe(&servers), &options).unwrap();
    assert_eq!(plan_.standing, Standing::HalfMade);
    assert_eq!(plan_.steps.len(), 1, "{:?}", plan_.steps);
}

#[test]
fn what_contradicts_is_named_node_by_node() {
    type Spoil = fn(&mut Vec<Server>);
    let cases: [(Spoil, &[(usize, &str)]); 7] = [
        (|s| s[4].keys = 7, &[(4, "holds keys (7 in db0)")]),
        (
            |s| s[1].slots = "0-99".parse().unwrap(),
            &[(1, "owns slots 0-99, which")],
        ),
        (
            |s| s[5].slots = "16383".parse().unwrap(),
            &[(5, "owns slots 16383")],
        ),
        (
            |s| s[2].known = [9].into(),
            &[(2, "knows 1 node that are not")],
        ),
        (
            |s| s[0].master = Some(4),
            &[(0, "is a replica of 00000000")],
        ),
        (
            |s| {
                s[0].keys = 1;
                s[3].known = [8, 9].into();
            },
            &[(0, "holds keys"), (3, "knows 2 nodes")],
        ),
        // A cluster of these and one more.
        (
            |s| {
                for (n, server) in s.iter_mut().enumerate() {
                    server.known = (0..7).filter(|&m| m != n).collect();
                }
            },
            &[
                (0, "10.0.0.7:7000"),
                (1, ""),
                (2, ""),
                (3, ""),
                (4, ""),
                (5, ""),
            ],
        ),
    ];
    for (n, (spoil, expected)) in cases.into_iter().enumerate() {
        let mut servers = fresh(6);
        spoil(&mut servers);
        let faults = plan(&probe(&servers), &options(3, 1)).unwrap_err();
        assert_eq!(faults.len(), expected.len(), "case {n}: {faults:#?}");
        for (fault, (node, why)) in faults.iter().zip(expected) {
            assert_eq!(fault.code, "preflight.not_empty");
            assert_eq!(
                fault.subject.name(),
                format!("10.0.0.{}:7000", node + 1),
                "case {n}"
            );
            assert!(fault.summary.contains(why), "case {n}: {}", fault.summary);
            assert!(fault.next.contains("CLUSTER RESET HARD"), "{}", fault.next);
            let is_to_be_flushed = fault.summary.contains("holds keys");
            assert_eq!(
                fault.next.contains("FLUSHALL"),
                is_to_be_flushed,
                "{}",
                fault.next
            );
        }
    }
}

#[test]
fn a_written_layout_is_kept_to() {
    let written = |shards: &[(usize, &[usize])], slots: &[&str]| Options {
        layout: Some(WrittenLayout {
            layout: crate::model::Layout {
                shards: shards.iter().map(|(m, r)| (*m, r.to_vec())).collect(),
            },
            slots: Some(slots.iter().map(|text| text.parse().unwrap()).collect()),
        }),
        ..Options::default()
    };
    let asked = written(&[(3, &[0]), (1, &[2])], &["100-16383", "0-99"]);
    let mut servers = made(4, &asked);
    assert_eq!(servers[1].slots.to_string(), "0-99");
    assert_eq!(servers[0].master, Some(3));
    assert_eq!(
        plan(&probe(&servers), &asked).unwrap().standing,
        Standing::AlreadySo
    );
    // A failover within the shard changes nothing.
    servers[2].slots = std::mem::take(&mut servers[1].slots);
    servers[2].master = None;
    servers[1].master = Some(2);
    assert_eq!(
        plan(&probe(&servers), &asked).unwrap().standing,
        Standing::AlreadySo
    );
    let other = written(&[(3, &[2]), (1, &[0])], &["100-16383", "0-99"]);
    assert_eq!(
        plan(&probe(&servers), &other).unwrap_err()[0].code,
        "preflight.other_layout"
    );
}

#[test]
fn too_few_nodes_is_a_fault() {
    let faults = plan(&probe(&fresh(5)), &options(3, 1)).unwrap_err();
    assert_eq!(faults[0].code, "preflight.too_few");
}

#[test]
fn replicas_of_a_living_cluster_are_not_rearranged() {
    let options = options(3, 1);
    let mut servers = made(6, &options);
    servers[5].master = Some(0);
    // Without data it is a create that went astray, and is put right.
    let plan_ = plan(&probe(&servers), &options).unwrap();
    assert_eq!(plan_.steps.len(), 1);
    servers[5].keys = 9;
    let faults = plan(&probe(&servers), &options).unwrap_err();
    assert!(faults[0].summary.contains("has the data of"), "{faults:?}");
    assert!(!faults[0].next.contains("FLUSHALL"), "{faults:?}");
}

#[test]
fn nothing_is_planned_without_the_word_of_every_node() {
    let mut candidates = probe(&fresh(6));
    candidates[4].answer = Answer::Silent {
        silence: crate::model::Silence::Timeout,
        detail: "no answer within 2 s".into(),
        after_ms: 2000,
    };
    candidates[5].answer = candidates[0].answer.clone();
    let faults = plan(&candidates, &options(3, 1)).unwrap_err();
    let names: Vec<&str> = faults.iter().map(|fault| fault.subject.name()).collect();
    assert_eq!(names, ["10.0.0.5:7000", "10.0.0.6:7000"]);
}

#[test]
fn large_clusters_meet_through_the_first_node() {
    let plan_ = plan(&probe(&fresh(60)), &options(20, 2)).unwrap();
    let meets = plan_
        .steps
        .iter()
        .filter(|step| matches!(step, Step::Meet { .. }));
    assert_eq!(meets.count(), 2 * 59);
}
