//! Rules about agreement: do all nodes tell the same story, and if not, who believes what and whose
//! word will win.

use std::collections::BTreeMap;

use crate::model::words::counted;
use crate::model::{
    Answer, Member, NodeId, Peer, Role, SLOT_COUNT, Severity, Slot, SlotSet, Subject,
};

use super::Rule;
use super::case::{Asked, Case};
use super::code::CodeDoc;
use super::notes::Notes;

const DISAGREE: CodeDoc = CodeDoc {
    code: "views.disagree",
    title: "nodes tell different stories",
    severity: Severity::Critical,
    why: "Each node has its own table of the cluster, and these differ on who is a member, who follows whom, where a node is, or who owns a slot. During a failover or a reshard that lasts a moment; when it stays, clients are sent to the wrong node, depending on whom they ask.",
    remedy: "Look again after twice the node timeout. If it stays, see whether the nodes on the side with the lower epoch are cut off on the bus; the higher epoch wins when they hear of each other.",
    source: "CLUSTER NODES of every node compared; config epochs",
    ..CodeDoc::PLAIN
};
const COLLISION: CodeDoc = CodeDoc {
    code: "epoch.collision",
    title: "two masters have the same config epoch",
    why: "The config epoch decides who wins when two masters claim a slot, so it must differ. Servers mend a collision by themselves within seconds; one that stays means that the two do not hear of each other. It comes from forced takeovers and from copied nodes.conf files.",
    remedy: "Let the two hear of each other: see whether each reaches the other's bus port. Where that cannot be, send CLUSTER BUMPEPOCH to one of the two; a node that has the highest epoch it knows of keeps it, so that another master is sent it first, and the one of the two when it has heard of that.",
    source: "CLUSTER NODES: config-epoch; cluster_legacy.c clusterHandleConfigEpochCollision, clusterBumpConfigEpochWithoutConsensus",
    ..CodeDoc::PLAIN
};
const BUS: CodeDoc = CodeDoc {
    code: "bus.disconnected",
    title: "no bus link, though it answers clients",
    why: "Other nodes have no connection to its bus port while its client port answers. Without the bus a node cannot vote, gets no news of failovers, and is soon flagged as failed.",
    remedy: "Open the bus port (client port + 10000 unless cluster-port is set) in both directions, with the same tls-cluster on all nodes.",
    source: "CLUSTER NODES: link-state",
    ..CodeDoc::PLAIN
};
const UNREACHABLE: CodeDoc = CodeDoc {
    code: "address.unreachable",
    title: "clients on this machine cannot reach the address that it announces",
    why: "Clients are redirected to the announced address, and from here it cannot be dialled, although the node answered at another or its peers are in touch with it. Clients that run elsewhere, in the same network as the nodes, may be able to; those here fail or hang on the first redirection. It is critical when the node answered nowhere, since it could not be judged then.",
    remedy: "Say with --node-map ANNOUNCED=REACHABLE where the node is reached from here; for clients set cluster-announce-ip and cluster-announce-port, or cluster-announce-hostname with cluster-preferred-endpoint-type hostname, to what clients can reach; or run clients where the nodes are.",
    source: "a connection to each endpoint that CLUSTER NODES announces; link-state, ping-sent and flags in CLUSTER NODES of its peers",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "agreement",
    codes: &[&DISAGREE, &COLLISION, &BUS, &UNREACHABLE],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    dialled(case, notes);
    out_of_reach(case, notes);
    if !case.is_cluster() {
        // Without a bus each server knows its own master and replicas only.
        return;
    }
    // A node that nobody else knows is a finding of its own; its table would only repeat that.
    let viewers: Vec<Asked> = case
        .asked()
        .filter(|asked| asked.member.is_some_and(|member| member.known_by > 1))
        .collect();
    if viewers.len() > 1 {
        for (id, said) in &words(&viewers) {
            if let Some(member) = case.topology.member(id) {
                membership(case, notes, said, member);
                part(case, notes, said, member);
                address(case, notes, said, member);
            }
        }
        ownership(case, notes, &viewers);
    }
    collisions(case, notes);
    links(case, notes);
}

/// What each viewer says of one node: its line, when it knows the node as a member.
type Words<'a> = Vec<(&'a Asked<'a>, Option<&'a Peer>)>;

/// The lines of all views by the node that they speak of, laid out in one pass: with a hundred nodes
/// there are ten thousand.
fn words<'a>(viewers: &'a [Asked<'a>]) -> BTreeMap<&'a NodeId, Words<'a>> {
    let mut words: BTreeMap<&NodeId, Words> = BTreeMap::new();
    for (n, viewer) in viewers.iter().enumerate() {
        for peer in viewer
            .facts
            .view
            .peers
            .iter()
            .filter(|peer| peer.is_member())
        {
            let said = words
                .entry(&peer.id)
                .or_insert_with(|| viewers.iter().map(|viewer| (viewer, None)).collect());
            said[n].1 = Some(peer);
        }
    }
    words
}

/// Who of the viewers believes what.
type Sides<'a> = BTreeMap<String, Vec<&'a NodeId>>;

fn sides<'a>(said: &Words<'a>, belief: impl Fn(Option<&'a Peer>) -> Option<String>) -> Sides<'a> {
    let mut sides = Sides::new();
    for (viewer, peer) in said {
        if let (Some(belief), Some(id)) = (belief(*peer), &viewer.report.id) {
            sides.entry(belief).or_default().push(id);
        }
    }
    sides
}

/// `"master" say a, b (3 nodes); "replica of x" says c`.
fn told(case: &Case, sides: &Sides) -> String {
    let mut parts: Vec<(usize, String)> = sides
        .iter()
        .map(|(belief, who)| {
            let verb = if who.len() == 1 { "says" } else { "say" };
            (
                who.len(),
                format!("{belief}: {verb} {}", case.names(who.iter().copied(), 4)),
            )
        })
        .collect();
    parts.sort_by(|a, b| b.cmp(a));
    parts
        .into_iter()
        .map(|(_, text)| text)
        .collect::<Vec<_>>()
        .join("; ")
}

fn note(
    case: &Case,
    notes: &mut Notes,
    severity: Severity,
    id: &NodeId,
    what: &str,
    sides: &Sides,
) {
    let fewest = sides.values().min_by_key(|who| who.len());
    let asked = fewest
        .and_then(|who| who.first())
        .and_then(|id| case.survey.node(id));
    let addr = asked.map_or_else(|| case.any_addr(), |node| node.addr.clone());
    notes.find_at(
        &DISAGREE,
        severity,
        Subject::Node(case.name(id)),
        format!("the nodes do not agree on {what} of {}", case.name(id)),
        format!("CLUSTER NODES: {}", told(case, sides)),
        format!("ask the minority: {}", case.cli(&addr, "cluster nodes")),
    );
}

fn membership(case: &Case, notes: &mut Notes, said: &Words, member: &Member) {
    let knowing = said.iter().filter(|(_, peer)| peer.is_some()).count();
    // Only by itself: that has a code of its own.
    if knowing == said.len() || member.known_by < 2 {
        return;
    }
    let sides = sides(said, |peer| {
        let belief = match peer {
            Some(_) => "a member",
            None => "not known",
        };
        Some(belief.to_owned())
    });
    let severity = Severity::Warning;
    note(case, notes, severity, &member.id, "the membership", &sides);
}

fn part(case: &Case, notes: &mut Notes, said: &Words, member: &Member) {
    // Epochs alone differ for a moment after every failover; only the part played is judged.
    if agree(said, |peer| Some((peer.flags.master, &peer.master))) {
        return;
    }
    let sides = sides(said, |peer| {
        let peer = peer?;
        Some(match (&peer.master, peer.flags.master) {
            (Some(master), _) => format!("replica of {} (epoch {})", case.name(master), peer.epoch),
            (None, true) => format!("master (epoch {})", peer.epoch),
            (None, false) => return None,
        })
    });
    let severity = Severity::Critical;
    note(case, notes, severity, &member.id, "the role", &sides);
}

fn address(case: &Case, notes: &mut Notes, said: &Words, member: &Member) {
    // A node may not have learnt its own address yet; that is no other story.
    let is_agreed = agree(said, |peer| {
        let told = &peer.announced;
        let is_known = !told.ip.is_empty() && told.port != 0;
        is_known.then_some((&told.ip, told.port, told.bus_port))
    });
    if is_agreed {
        return;
    }
    let sides = sides(said, |peer| {
        let told = &peer?.announced;
        Some(format!("{}@{}", told.ip_endpoint()?, told.bus_port))
    });
    let severity = Severity::Warning;
    note(case, notes, severity, &member.id, "the address", &sides);
}

/// Whether all viewers say the same of a node; far cheaper than laying out the sides.
fn agree<'a, K: PartialEq>(said: &Words<'a>, key: impl Fn(&'a Peer) -> Option<K>) -> bool {
    let mut told = said.iter().filter_map(|(_, peer)| key((*peer)?));
    let first = told.next();
    told.all(|other| Some(other) == first)
}

fn ownership(case: &Case, notes: &mut Notes, viewers: &[Asked]) {
    let tables: Vec<BTreeMap<&NodeId, &SlotSet>> = viewers
        .iter()
        .map(|viewer| {
            let peers = viewer.facts.view.peers.iter();
            peers
                .filter(|peer| !peer.slots.is_empty())
                .map(|peer| (&peer.id, &peer.slots))
                .collect()
        })
        .collect();
    if tables.windows(2).all(|pair| pair[0] == pair[1]) {
        return;
    }
    let runs = disputed(&tables);
    let Some((_, owners)) = runs.first() else {
        return;
    };
    let total: usize = runs.iter().map(|(slots, _)| slots.len()).sum();
    let mut sides = Sides::new();
    for (viewer, owner) in viewers.iter().zip(owners) {
        let owner = owner.map_or("nobody".to_owned(), |id| {
            format!("{} (epoch {})", case.name(id), epoch(case, id))
        });
        if let Some(id) = &viewer.report.id {
            sides.entry(owner).or_default().push(id);
        }
    }
    let wins = owners
        .iter()
        .flatten()
        .max_by_key(|id| (epoch(case, id), std::cmp::Reverse(**id)));
    let wins = wins
        .map(|id| format!("; {} has the higher claim", case.name(id)))
        .unwrap_or_default();
    let all = runs
        .iter()
        .fold(SlotSet::new(), |all, (slots, _)| all.union(slots));
    let more = if runs.len() > 1 {
        format!("; and so on in {}", super::slots::clipped(&all))
    } else {
        String::new()
    };
    let asked = sides
        .values()
        .min_by_key(|who| who.len())
        .and_then(|who| who.first());
    let addr = asked
        .and_then(|id| case.survey.node(id))
        .map_or_else(|| case.any_addr(), |node| node.addr.clone());
    notes.find(
        &DISAGREE,
        case.cluster(),
        format!(
            "the nodes do not agree on who owns {}",
            counted(total, "slot")
        ),
        format!(
            "CLUSTER NODES, slots {}: owned by {}{wins}{more}",
            super::slots::clipped(&runs[0].0),
            told(case, &sides)
        ),
        format!("ask the minority: {}", case.cli(&addr, "cluster nodes")),
    );
}

fn epoch(case: &Case, id: &NodeId) -> u64 {
    case.topology.member(id).map_or(0, |member| member.epoch)
}

/// The slots on which the tables differ, in runs with equal owners, and who owns them by each table.
fn disputed<'a>(
    tables: &[BTreeMap<&'a NodeId, &SlotSet>],
) -> Vec<(SlotSet, Vec<Option<&'a NodeId>>)> {
    let mut maps: Vec<Vec<Option<&NodeId>>> = Vec::new();
    for table in tables {
        let mut map = vec![None; usize::from(SLOT_COUNT)];
        for (id, slots) in table {
            for slot in slots.iter() {
                map[usize::from(slot.number())] = Some(*id);
            }
        }
        maps.push(map);
    }
    let mut runs: Vec<(SlotSet, Vec<Option<&NodeId>>)> = Vec::new();
    for slot in Slot::all() {
        let n = usize::from(slot.number());
        if maps.windows(2).all(|pair| pair[0][n] == pair[1][n]) {
            continue;
        }
        let owners: Vec<Option<&NodeId>> = maps.iter().map(|map| map[n]).collect();
        match runs.iter_mut().find(|(_, known)| *known == owners) {
            Some((slots, _)) => slots.insert(slot),
            None => runs.push((SlotSet::range(slot, slot), owners)),
        }
    }
    runs
}

fn collisions(case: &Case, notes: &mut Notes) {
    let mut epochs: BTreeMap<u64, Vec<&NodeId>> = BTreeMap::new();
    for member in case
        .topology
        .voters()
        .filter(|member| member.role == Role::Master)
    {
        epochs.entry(member.epoch).or_default().push(&member.id);
    }
    for (epoch, ids) in epochs.into_iter().filter(|(_, ids)| ids.len() > 1) {
        notes.find(
            &COLLISION,
            case.cluster(),
            format!(
                "{} have the same config epoch {epoch}",
                counted(ids.len(), "master")
            ),
            format!(
                "CLUSTER NODES: epoch {epoch} of {}",
                case.names(ids.iter().copied(), 6)
            ),
            parting(case, epoch, &ids),
        );
    }
}

/// What gives one of these masters another epoch. A server only takes a new one when it knows of a
/// higher, so that another master may have to go first.
fn parting(case: &Case, epoch: u64, ids: &[&NodeId]) -> String {
    let bump = |id: &NodeId| {
        let addr = case.survey.node(id).map(|node| node.addr.clone());
        let addr = addr.unwrap_or_else(|| case.any_addr());
        case.cli(&addr, "cluster bumpepoch")
    };
    let others = || {
        case.topology
            .voters()
            .filter(|other| !ids.contains(&&other.id))
    };
    let first = match others().max_by_key(|other| other.epoch) {
        Some(other) if other.epoch > epoch => String::new(),
        Some(other) => format!("{} && sleep 5 && ", bump(&other.id)),
        None => {
            return format!(
                "see why they do not hear of each other: {}",
                case.cli(&case.any_addr(), "cluster links")
            );
        }
    };
    format!("if it stays for a minute: {first}{}", bump(ids[0]))
}

fn links(case: &Case, notes: &mut Notes) {
    let mut cut: BTreeMap<&NodeId, Vec<&NodeId>> = BTreeMap::new();
    for asked in case.asked() {
        for peer in &asked.facts.view.peers {
            if !peer.is_linked
                && !peer.flags.myself
                && peer.is_member()
                && let Some(id) = &asked.report.id
            {
                cut.entry(&peer.id).or_default().push(id);
            }
        }
    }
    for (id, by) in cut {
        let Some(member) = case
            .topology
            .member(id)
            .filter(|member| member.is_answering)
        else {
            continue;
        };
        let port = member.announced.bus_port;
        let addr = member.addr.clone().unwrap_or_else(|| case.any_addr());
        notes.find(
            &BUS,
            Subject::Node(case.name(id)),
            format!(
                "{} no bus link to it, though it answers clients",
                if by.len() == 1 {
                    "1 node has".to_owned()
                } else {
                    format!("{} nodes have", by.len())
                }
            ),
            format!(
                "CLUSTER NODES of {}: link-state disconnected",
                case.names(by.iter().copied(), 6)
            ),
            format!(
                "from those nodes dial its bus port {}:{port}, then: {}",
                member.announced.ip,
                case.cli(&addr, "cluster links")
            ),
        );
    }
}

fn dialled(case: &Case, notes: &mut Notes) {
    for dialled in &case.survey.dialled {
        let answers = case.survey.facts(&dialled.id).is_some();
        if let (Some(error), true) = (&dialled.error, answers) {
            notes.find(
                &UNREACHABLE,
                Subject::Node(case.name(&dialled.id)),
                format!(
                    "announces {}, which cannot be dialled from here",
                    dialled.endpoint
                ),
                format!("connect to {}: {error}", dialled.endpoint),
                case.cli(&dialled.endpoint, "ping"),
            );
        }
    }
}

/// Nodes that are silent here and live for all their peers.
fn out_of_reach(case: &Case, notes: &mut Notes) {
    for node in &case.survey.nodes {
        let Answer::Silent {
            silence,
            detail,
            after_ms,
        } = &node.answer
        else {
            continue;
        };
        let Some(peers) = case.lives_for(node) else {
            continue;
        };
        let addr = &node.addr;
        notes.find_at(
            &UNREACHABLE,
            Severity::Critical,
            Subject::Node(addr.to_string()),
            format!(
                "lives for its peers, but cannot be reached from here at {addr}, so it could not be judged"
            ),
            format!(
                "{silence} after {after_ms} ms: {detail}; {} of {}: connected, no ping unanswered, not flagged",
                if case.is_cluster() { "CLUSTER NODES" } else { "INFO replication" },
                counted(peers, "other node")
            ),
            format!(
                "say where it is reached from here: --node-map {addr}=HOST:PORT; or correct what it announces (cluster-announce-ip, cluster-announce-port), or run this where the nodes are"
            ),
        );
    }
}
