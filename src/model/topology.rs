//! Topology: the views of all nodes laid over each other into one picture.
//!
//! Where they differ, a node's word of itself comes first, then the majority of the others; a slot
//! belongs to the claimant with the highest config epoch, as the servers themselves decide. What
//! was overruled here is not lost: the rules of agreement read the views again.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::node::{Announced, NodeAddr, NodeId};
use super::placement::Site;
use super::slot::{Slot, SlotSet};
use super::survey::Survey;
use super::view::{Flags, Peer};

/// What part a node plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Owns slots, or may.
    Master,
    /// Follows a master.
    Replica,
    /// Nobody knows.
    Unknown,
}

/// The cluster as a whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Topology {
    /// Every node that anybody knows as a member, by id.
    pub members: BTreeMap<NodeId, Member>,
    /// The shards, in the order of their first slot; masters without slots come last.
    pub shards: Vec<Shard>,
}

/// One node in the whole picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its id.
    pub id: NodeId,
    /// Where it was asked, or its announced endpoint when it was not; `None` when nobody knows an address.
    pub addr: Option<NodeAddr>,
    /// What it announces.
    pub announced: Announced,
    /// What part it plays.
    pub role: Role,
    /// Of a replica: its master.
    pub master: Option<NodeId>,
    /// The slots that it owns.
    pub slots: SlotSet,
    /// Those of them that are on their way out, with the taker, by its own word.
    pub migrating: Vec<(Slot, NodeId)>,
    /// Its config epoch.
    pub epoch: u64,
    /// Host and zone.
    pub site: Site,
    /// Whether it answered the survey.
    pub is_answering: bool,
    /// How many other nodes' views flag it `fail`.
    pub failed_by: usize,
    /// How many other nodes' views flag it `fail?`.
    pub suspected_by: usize,
    /// How many views know it, its own included.
    pub known_by: usize,
    /// Whether it is barred from election (`nofailover`).
    pub is_nofailover: bool,
}

/// A master with its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The master.
    pub master: NodeId,
    /// Its replicas, by id.
    pub replicas: Vec<NodeId>,
    /// Its slots.
    pub slots: SlotSet,
}

impl Topology {
    /// Lays the views of a survey over each other.
    pub fn of(survey: &Survey) -> Topology {
        let mut lines: BTreeMap<&NodeId, Vec<&Peer>> = BTreeMap::new();
        for (_, facts) in survey.answered() {
            for peer in &facts.view.peers {
                if !peer.flags.handshake {
                    lines.entry(&peer.id).or_default().push(peer);
                }
            }
        }
        let mut members: BTreeMap<NodeId, Member> = lines
            .into_iter()
            .map(|(id, lines)| (id.clone(), Member::of(survey, id, &lines)))
            .collect();
        settle_slots(&mut members);
        let shards = shards(&members);
        Topology { members, shards }
    }

    /// That node.
    pub fn member(&self, id: &NodeId) -> Option<&Member> {
        self.members.get(id)
    }

    /// The masters, in the order of the shards.
    pub fn masters(&self) -> impl Iterator<Item = &Member> {
        self.shards
            .iter()
            .filter_map(|shard| self.members.get(&shard.master))
    }

    /// The masters that own slots; only these vote.
    pub fn voters(&self) -> impl Iterator<Item = &Member> {
        self.masters().filter(|member| !member.slots.is_empty())
    }

    /// The replicas of that master.
    pub fn replicas<'a>(&'a self, master: &'a NodeId) -> impl Iterator<Item = &'a Member> {
        self.members.values().filter(move |member| {
            member.role == Role::Replica && member.master.as_ref() == Some(master)
        })
    }

    /// Who owns a slot.
    pub fn owner(&self, slot: Slot) -> Option<&Member> {
        self.shards
            .iter()
            .find(|shard| shard.slots.contains(slot))
            .and_then(|shard| self.members.get(&shard.master))
    }

    /// All slots that somebody owns.
    pub fn covered(&self) -> SlotSet {
        self.shards
            .iter()
            .fold(SlotSet::new(), |all, shard| all.union(&shard.slots))
    }

    /// The number of the shard (1 is the first) that the node belongs to.
    pub fn shard_number(&self, id: &NodeId) -> Option<usize> {
        self.shards
            .iter()
            .position(|shard| &shard.master == id || shard.replicas.contains(id))
            .map(|n| n + 1)
    }
}

impl Member {
    fn of(survey: &Survey, id: &NodeId, lines: &[&Peer]) -> Member {
        let report = survey.node(id);
        let own = lines.iter().copied().find(|peer| peer.flags.myself);
        // Without its own word: the line that most others share.
        let word = own.unwrap_or_else(|| majority(lines));
        let announced = others_fill_in(word, lines);
        let count = |is: fn(&Flags) -> bool| {
            lines
                .iter()
                .filter(|peer| !peer.flags.myself && is(&peer.flags))
                .count()
        };
        Member {
            id: id.clone(),
            addr: report
                .map(|report| report.addr.clone())
                .or_else(|| announced.endpoint()),
            announced,
            role: role_of(&word.flags),
            master: word.master.clone(),
            slots: word.slots.clone(),
            migrating: word.migrating.clone(),
            epoch: word.epoch,
            site: report.map(|report| report.site.clone()).unwrap_or_default(),
            is_answering: report.is_some_and(|report| report.facts().is_some()),
            failed_by: count(|flags| flags.failed),
            suspected_by: count(|flags| flags.suspected),
            known_by: lines.len(),
            is_nofailover: lines.iter().any(|peer| peer.flags.nofailover),
        }
    }
}

fn majority<'a>(lines: &[&'a Peer]) -> &'a Peer {
    let alike = |a: &Peer| {
        lines
            .iter()
            .filter(|b| a.master == b.master && a.slots == b.slots && a.epoch == b.epoch)
            .count()
    };
    lines
        .iter()
        .copied()
        .max_by_key(|&peer| (alike(peer), peer.epoch))
        .unwrap_or(lines[0])
}

/// A node may not know its own address yet (the IP is empty) while its peers do.
fn others_fill_in(word: &Peer, lines: &[&Peer]) -> Announced {
    if !word.announced.ip.is_empty() {
        return word.announced.clone();
    }
    let known = lines.iter().find(|peer| !peer.announced.ip.is_empty());
    let mut announced = word.announced.clone();
    announced.ip = known
        .map(|peer| peer.announced.ip.clone())
        .unwrap_or_default();
    announced
}

fn role_of(flags: &Flags) -> Role {
    match (flags.master, flags.replica) {
        (true, false) => Role::Master,
        (false, true) => Role::Replica,
        _ => Role::Unknown,
    }
}

/// Of several claimants to a slot the one with the highest epoch keeps it; at equal epochs the
/// smaller id, whom the servers let bump its epoch (`clusterHandleConfigEpochCollision`).
fn settle_slots(members: &mut BTreeMap<NodeId, Member>) {
    let mut order: Vec<(u64, NodeId)> = members
        .values()
        .filter(|member| member.role != Role::Replica)
        .map(|member| (member.epoch, member.id.clone()))
        .collect();
    order.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let mut taken = SlotSet::new();
    for (_, id) in order {
        if let Some(member) = members.get_mut(&id) {
            member.slots = member.slots.difference(&taken);
            taken = taken.union(&member.slots);
        }
    }
}

fn shards(members: &BTreeMap<NodeId, Member>) -> Vec<Shard> {
    let mut shards: Vec<Shard> = members
        .values()
        .filter(|member| member.role == Role::Master)
        .map(|master| Shard {
            master: master.id.clone(),
            replicas: members
                .values()
                .filter(|member| {
                    member.role == Role::Replica && member.master.as_ref() == Some(&master.id)
                })
                .map(|member| member.id.clone())
                .collect(),
            slots: master.slots.clone(),
        })
        .collect();
    shards.sort_by_key(|shard| {
        let first = shard.slots.iter().next();
        (first.is_none(), first, shard.master.clone())
    });
    shards
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Master => "master",
            Role::Replica => "replica",
            Role::Unknown => "?",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, Facts, NodeReport, Silence, View};

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
    const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

    fn id(text: &str) -> NodeId {
        text.parse().unwrap()
    }

    fn answering(id_: &str, port: u16, view: &str) -> NodeReport {
        NodeReport {
            id: Some(id(id_)),
            addr: NodeAddr::new("10.0.0.1", port),
            site: Site::default(),
            answer: Answer::Facts(Box::new(Facts {
                view: View::parse(view).unwrap(),
                ..Facts::default()
            })),
        }
    }

    fn topology(nodes: Vec<NodeReport>) -> Topology {
        Topology::of(&Survey {
            nodes,
            ..Survey::default()
        })
    }

    #[test]
    fn of_two_owners_the_higher_epoch_wins() {
        let a = format!(
            "{A} 10.0.0.1:1@2 myself,master - 0 0 3 connected 0-100\n\
             {B} 10.0.0.1:2@3 master - 0 0 4 connected 101-16383"
        );
        let b = format!(
            "{A} 10.0.0.1:1@2 master - 0 0 3 connected 0-99\n\
             {B} 10.0.0.1:2@3 myself,master - 0 0 4 connected 100-16383"
        );
        let topology = topology(vec![answering(A, 1, &a), answering(B, 2, &b)]);
        assert_eq!(topology.member(&id(A)).unwrap().slots.to_string(), "0-99");
        assert_eq!(topology.owner(Slot::new(100).unwrap()).unwrap().id, id(B));
        assert!(topology.covered().is_full());
    }

    #[test]
    fn a_silent_node_is_what_most_others_say() {
        let line = |own: &str, other: &str| {
            let flags = |node: &str| {
                if node == own {
                    "myself,master"
                } else {
                    "master"
                }
            };
            format!(
                "{A} 10.0.0.1:1@2 {} - 0 0 1 connected 0-16383\n\
                 {B} 10.0.0.1:2@3 {} - 0 0 2 connected\n\
                 {C} 10.0.0.1:3@4 {other} 0 0 1 connected",
                flags(A),
                flags(B)
            )
        };
        let mut nodes = vec![
            answering(A, 1, &line(A, &format!("slave,fail {A}"))),
            answering(B, 2, &line(B, &format!("slave,fail? {A}"))),
        ];
        nodes.push(NodeReport {
            id: Some(id(C)),
            addr: NodeAddr::new("10.0.0.1", 3),
            site: Site::default(),
            answer: Answer::Silent {
                silence: Silence::Timeout,
                detail: String::new(),
                after_ms: 2000,
            },
        });
        let topology = topology(nodes);
        let silent = topology.member(&id(C)).unwrap();
        assert_eq!(silent.role, Role::Replica);
        assert_eq!((silent.failed_by, silent.suspected_by), (1, 1));
        assert!(!silent.is_answering);
        assert_eq!(topology.shards[0].replicas, [id(C)]);
        assert_eq!(topology.shard_number(&id(C)), Some(1));
        assert!(
            topology.shards[1].slots.is_empty(),
            "a master without slots comes last"
        );
    }

    #[test]
    fn a_node_without_an_address_of_its_own_takes_the_one_that_others_know() {
        let a = format!(
            "{A} :1@2 myself,master - 0 0 1 connected\n{B} 10.0.0.9:2@3 master - 0 0 2 connected"
        );
        let b = format!(
            "{A} 10.0.0.8:1@2 master - 0 0 1 connected\n{B} 10.0.0.9:2@3 myself,master - 0 0 2 connected"
        );
        let topology = topology(vec![answering(A, 1, &a), answering(B, 2, &b)]);
        assert_eq!(topology.member(&id(A)).unwrap().announced.ip, "10.0.0.8");
    }
}
