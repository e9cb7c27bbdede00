//! Rules about slots: are all owned, by one owner, who answers, and evenly.

use std::collections::BTreeMap;

use crate::model::words::{counted, listed};
use crate::model::{Member, NodeId, Probe, Role, SLOT_COUNT, Severity, Slot, SlotSet};

use super::Rule;
use super::case::Case;
use super::code::{CodeDoc, Unit, above};
use super::notes::Notes;

const UNCOVERED: CodeDoc = CodeDoc {
    code: "slots.uncovered",
    title: "slots that nobody owns",
    severity: Severity::Critical,
    why: "Keys in these slots can be neither read nor written. With cluster-require-full-coverage yes, the default, the whole cluster answers CLUSTERDOWN.",
    remedy: "If a node that did not answer owned them, bring it back: its keys are there. Only if that is out of the question assign them to a master with CLUSTER ADDSLOTSRANGE.",
    source: "CLUSTER NODES of every node; cluster_legacy.c clusterUpdateState",
    ..CodeDoc::PLAIN
};
const FAILED: CodeDoc = CodeDoc {
    code: "slots.failed",
    title: "slots whose master is down",
    severity: Severity::Critical,
    why: "The owner of these slots does not answer and no replica has taken its place, so their keys are not served. If the shard has a replica that is fit, an election follows within a few times cluster-node-timeout.",
    remedy: "Bring the master back, or let a replica take over.",
    source: "CLUSTER NODES: flag fail; the connection itself",
    ..CodeDoc::PLAIN
};
const OPEN: CodeDoc = CodeDoc {
    code: "slots.open",
    title: "slots on the move",
    why: "A slot is marked as migrating or importing. While a reshard runs that is its normal course; without one, the reshard broke off and keys of the slot may be split over two nodes, which costs clients ASK redirections and TRYAGAIN errors.",
    remedy: "If a reshard runs, let it end. If not, finish it, or close the slot with CLUSTER SETSLOT <slot> STABLE on both nodes once its keys are on the owner.",
    source: "CLUSTER NODES: [slot->-id] and [slot-<-id] on the node's own line",
    ..CodeDoc::PLAIN
};
const TWO_OWNERS: CodeDoc = CodeDoc {
    code: "slots.two_owners",
    title: "two masters claim the same slots",
    severity: Severity::Critical,
    why: "Both masters hold the slots for their own and take writes to them. Whoever has the lower config epoch will lose the slots when the two hear of each other, and with them the writes that it took.",
    remedy: "Find why the two do not hear of each other (bus port, partition). Before the claim is settled, save what the losing side holds.",
    source: "CLUSTER NODES: the own line of each master; cluster_legacy.c clusterUpdateSlotsConfigWith",
    ..CodeDoc::PLAIN
};
const FOREIGN: CodeDoc = CodeDoc {
    code: "slots.foreign_keys",
    title: "keys in slots of another owner",
    why: "The node holds keys of slots that another node owns. No client can reach them; they take memory, and after a restart the node marks their slots as importing.",
    remedy: "Compare with the owner's keys. Move what is missing there with MIGRATE, then delete the rest.",
    source: "CLUSTER COUNTKEYSINSLOT on every master; cluster.c verifyClusterConfigWithData",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const IMBALANCE: CodeDoc = CodeDoc {
    code: "slots.imbalance",
    title: "slots unevenly spread over the masters",
    limit: above(25.0, None, Unit::Percent),
    why: "One master has many more slots than the mean, so with evenly spread keys it has as much more data and load. It fills up first.",
    remedy: "Move slots, or accept it if the nodes differ in size and raise the limit.",
    source: "CLUSTER NODES: slots of each master",
    ..CodeDoc::PLAIN
};
const FRAGMENTED: CodeDoc = CodeDoc {
    code: "slots.fragmented",
    title: "slots in very many ranges",
    limit: above(200.0, None, Unit::Count),
    why: "Each range is an entry in CLUSTER SLOTS and CLUSTER NODES; long replies slow down every client each time it refreshes its map.",
    remedy: "At the next rebalance move slots so that ranges join.",
    source: "CLUSTER NODES: slot ranges of each master",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const EMPTY: CodeDoc = CodeDoc {
    code: "shard.empty",
    title: "a master without slots",
    severity: Severity::Info,
    why: "The node is a master but owns no slot: it serves nothing and has no vote in elections. Usually it was added and forgotten.",
    remedy: "Give it slots, or make it a replica with CLUSTER REPLICATE.",
    source: "CLUSTER NODES",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "slots",
    codes: &[
        &UNCOVERED,
        &FAILED,
        &OPEN,
        &TWO_OWNERS,
        &FOREIGN,
        &IMBALANCE,
        &FRAGMENTED,
        &EMPTY,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    if !case.is_cluster() {
        return;
    }
    if case.topology.members.is_empty() {
        return;
    }
    uncovered(case, notes);
    failed(case, notes);
    open(case, notes);
    two_owners(case, notes);
    foreign(case, notes);
    spread(case, notes);
}

fn uncovered(case: &Case, notes: &mut Notes) {
    let missing = SlotSet::full().difference(&case.topology.covered());
    if missing.is_empty() {
        return;
    }
    let disowned = disowned(case, &missing);
    for (owner, slots) in &disowned {
        disowned_by(case, notes, owner, slots);
    }
    let missing = (disowned.values()).fold(missing, |rest, slots| rest.difference(slots));
    if !missing.is_empty() {
        nobodys(case, notes, &missing);
    }
}

/// Slots that most have for an owner's while the owner itself does not: it redirects clients to
/// another, who may send them back.
fn disowned<'a>(case: &'a Case, missing: &SlotSet) -> BTreeMap<&'a NodeId, SlotSet> {
    let mut believed: BTreeMap<&NodeId, (usize, SlotSet)> = BTreeMap::new();
    for (_, facts) in case.survey.answered() {
        for peer in &facts.view.peers {
            let slots = peer.slots.intersection(missing);
            if !slots.is_empty() && case.survey.facts(&peer.id).is_some() {
                let (times, all) = believed.entry(&peer.id).or_default();
                *times += 1;
                *all = all.union(&slots);
            }
        }
    }
    let mut believed: Vec<_> = believed.into_iter().collect();
    believed.sort_by_key(|(_, (times, _))| std::cmp::Reverse(*times));
    let mut left = missing.clone();
    let mut disowned = BTreeMap::new();
    for (owner, (_, slots)) in believed {
        let own = slots.intersection(&left);
        left = left.difference(&own);
        if !own.is_empty() {
            disowned.insert(owner, own);
        }
    }
    disowned
}

fn disowned_by(case: &Case, notes: &mut Notes, owner: &NodeId, slots: &SlotSet) {
    let name = case.name(owner);
    let addr = case.survey.node(owner).map(|node| node.addr.clone());
    let addr = addr.unwrap_or_else(|| case.any_addr());
    let first = slots.ranges().first().map_or(0, |range| range.0.number());
    let take = case.cli(&addr, &format!("cluster setslot {first} node {owner}"));
    notes.find(
        &UNCOVERED,
        case.cluster(),
        format!(
            "others have {name} for the owner of {}, but not {name} itself",
            counted(slots.len(), "slot")
        ),
        format!("CLUSTER NODES: its own line lacks {}", clipped(slots)),
        format!("if {name} is the rightful owner, for each slot: {take}"),
    );
}

fn nobodys(case: &Case, notes: &mut Notes, missing: &SlotSet) {
    let summary = match missing.len() {
        1 => format!("1 of {SLOT_COUNT} slots is owned by nobody"),
        _ if missing.is_full() => {
            "no slot is assigned to any node, so the cluster serves nothing".to_owned()
        }
        more => format!("{more} of {SLOT_COUNT} slots are owned by nobody"),
    };
    let (first, last) = missing.ranges()[0];
    let addr = case
        .topology
        .masters()
        .filter(|m| m.is_answering)
        .find_map(|m| m.addr.clone());
    let addr = addr.unwrap_or_else(|| case.any_addr());
    // ADDSLOTSRANGE is younger than Redis 6.2, and one slot needs no range.
    let assign = match first == last {
        true => format!("cluster addslots {first}"),
        false => format!("cluster addslotsrange {first} {last}"),
    };
    let assign = case.cli(&addr, &assign);
    let next = if case.survey.nodes.iter().any(|node| node.facts().is_none()) {
        format!(
            "first bring back the nodes that do not answer: they may own them; only if they are lost: {assign}"
        )
    } else {
        assign
    };
    let evidence = format!(
        "CLUSTER NODES of all nodes together: no owner for {}",
        clipped(missing)
    );
    notes.find(&UNCOVERED, case.cluster(), summary, evidence, next);
}

fn failed(case: &Case, notes: &mut Notes) {
    // FORCE asks the other masters for their votes all the same; TAKEOVER asks nobody.
    let voters = case.topology.voters().count();
    let votes = case
        .topology
        .voters()
        .filter(|member| !case.is_down(member))
        .count();
    let elects = votes > voters / 2;
    for master in case.topology.voters().filter(|member| case.is_down(member)) {
        let replica = case
            .topology
            .replicas(&master.id)
            .find(|replica| replica.is_answering && !replica.is_nofailover);
        let next = match replica.and_then(|replica| replica.addr.as_ref()) {
            Some(addr) if !elects => format!(
                "bring masters back, for no majority is left to elect a replica; only if they are lost: {}",
                case.cli(addr, "cluster failover takeover")
            ),
            Some(addr) => format!(
                "bring {} back; if its replica is not elected by itself: {}",
                case.name(&master.id),
                case.cli(addr, "cluster failover force")
            ),
            None => format!(
                "bring {} back: no replica that answers can take over",
                case.name(&master.id)
            ),
        };
        notes.find(
            &FAILED,
            case.shard(&master.id),
            format!(
                "{} not served: their master {} is down",
                plural_slots(master.slots.len()),
                case.name(&master.id)
            ),
            format!(
                "CLUSTER NODES: {} owns {}; {}",
                case.name(&master.id),
                clipped(&master.slots),
                how_down(master)
            ),
            next,
        );
    }
}

fn how_down(member: &Member) -> String {
    if member.failed_by > 0 {
        format!("{} flag it fail", counted(member.failed_by, "node"))
    } else {
        "it does not answer".to_owned()
    }
}

fn plural_slots(number: usize) -> String {
    if number == 1 {
        "1 slot is".to_owned()
    } else {
        format!("{number} slots are")
    }
}

/// A move of slots, as the two ends tell it.
#[derive(Default)]
struct Move {
    giver_says: SlotSet,
    taker_says: SlotSet,
}

fn open(case: &Case, notes: &mut Notes) {
    let mut moves: BTreeMap<(NodeId, NodeId), Move> = BTreeMap::new();
    for asked in case.asked() {
        let Some(own) = asked.facts.view.myself() else {
            continue;
        };
        for (slot, taker) in &own.migrating {
            moves
                .entry((own.id.clone(), taker.clone()))
                .or_default()
                .giver_says
                .insert(*slot);
        }
        for (slot, giver) in &own.importing {
            moves
                .entry((giver.clone(), own.id.clone()))
                .or_default()
                .taker_says
                .insert(*slot);
        }
    }
    for ((giver, taker), told) in moves {
        let all = told.giver_says.union(&told.taker_says);
        let agreed = told.giver_says == told.taker_says;
        let side = match (told.giver_says.is_empty(), told.taker_says.is_empty()) {
            (false, true) => "; only the giver's line says so",
            (true, false) => "; only the taker's line says so",
            _ if !agreed => "; the two ends name different slots",
            _ => "",
        };
        let says = if told.giver_says.is_empty() {
            &taker
        } else {
            &giver
        };
        let addr = case
            .survey
            .node(says)
            .map_or_else(|| case.any_addr(), |node| node.addr.clone());
        let first = all.iter().next().map_or(0, Slot::number);
        notes.find(
            &OPEN,
            case.shard(says),
            format!(
                "{} on the move from {} to {}",
                plural_slots(all.len()),
                case.name(&giver),
                case.name(&taker)
            ),
            format!("CLUSTER NODES, own lines: open {}{side}", clipped(&all)),
            format!(
                "if no reshard is running, on both nodes for each slot: {}",
                case.cli(&addr, &format!("cluster setslot {first} stable"))
            ),
        );
    }
}

fn two_owners(case: &Case, notes: &mut Notes) {
    let claims: Vec<_> = case
        .asked()
        .filter_map(|asked| asked.facts.view.myself())
        .filter(|own| own.flags.master && !own.slots.is_empty())
        .collect();
    for (n, a) in claims.iter().enumerate() {
        for b in &claims[n + 1..] {
            let both = a.slots.intersection(&b.slots);
            if both.is_empty() || a.id == b.id {
                continue;
            }
            let a_wins = a.epoch > b.epoch || (a.epoch == b.epoch && a.id < b.id);
            let (winner, loser) = if a_wins { (a, b) } else { (b, a) };
            let addr = case
                .survey
                .node(&loser.id)
                .map_or_else(|| case.any_addr(), |node| node.addr.clone());
            let slot = both.iter().next().map_or(0, Slot::number);
            notes.find(
                &TWO_OWNERS,
                case.cluster(),
                format!("{} and {} both claim {}", case.name(&a.id), case.name(&b.id), counted(both.len(), "slot")),
                format!(
                    "own lines in CLUSTER NODES: {} with epoch {}, {} with epoch {}, slots {}; {} wins",
                    case.name(&winner.id), winner.epoch, case.name(&loser.id), loser.epoch, clipped(&both), case.name(&winner.id),
                ),
                format!("see what the losing side holds: {}", case.cli(&addr, &format!("cluster countkeysinslot {slot}"))),
            );
        }
    }
}

fn foreign(case: &Case, notes: &mut Notes) {
    let masters = case.asked().filter(|asked| {
        asked
            .member
            .is_some_and(|member| member.role == Role::Master)
    });
    for asked in notes.with(Probe::ForeignKeys, &[&FOREIGN], masters) {
        let importing: SlotSet = asked
            .facts
            .view
            .myself()
            .into_iter()
            .flat_map(|own| own.importing.iter().map(|(slot, _)| *slot))
            .collect();
        let strays: Vec<_> = asked
            .facts
            .foreign_keys
            .iter()
            .filter(|open| open.keys > 0 && !importing.contains(open.slot))
            .collect();
        let Some(first) = strays.first() else {
            continue;
        };
        let keys: u64 = strays.iter().map(|open| open.keys).sum();
        let slots: SlotSet = strays.iter().map(|open| open.slot).collect();
        notes.find(
            &FOREIGN,
            asked.subject(),
            format!("holds {keys} keys of slots that others own"),
            format!(
                "CLUSTER COUNTKEYSINSLOT: {keys} keys in {}",
                clipped(&slots)
            ),
            case.cli(
                &asked.report.addr,
                &format!("cluster getkeysinslot {} 10", first.slot),
            ),
        );
    }
}

fn spread(case: &Case, notes: &mut Notes) {
    let voters: Vec<&Member> = case.topology.voters().collect();
    for master in case
        .topology
        .masters()
        .filter(|member| member.slots.is_empty() && !case.is_down(member))
    {
        let name = case.name(&master.id);
        notes.find(
            &EMPTY,
            crate::model::Subject::Node(name.clone()),
            "is a master without slots",
            "CLUSTER NODES: flag master, no slots",
            format!("give {name} slots, or make it a replica with CLUSTER REPLICATE"),
        );
    }
    for master in &voters {
        let ranges = master.slots.ranges().len();
        if let Some(severity) = notes.grade(&FRAGMENTED, ranges as f64) {
            notes.find_at(
                &FRAGMENTED,
                severity,
                case.shard(&master.id),
                format!("its slots lie in {ranges} ranges"),
                format!("CLUSTER NODES: {ranges} ranges"),
                "let ranges join at the next rebalance",
            );
        }
    }
    let Some(most) = voters.iter().max_by_key(|member| member.slots.len()) else {
        return;
    };
    let mean = voters
        .iter()
        .map(|member| member.slots.len())
        .sum::<usize>() as f64
        / voters.len() as f64;
    let over = (most.slots.len() as f64 / mean - 1.0) * 100.0;
    if let Some(severity) = notes.grade(&IMBALANCE, over) {
        notes.find_at(
            &IMBALANCE,
            severity,
            case.cluster(),
            format!(
                "{} has {over:.0} % more slots than the mean",
                case.name(&most.id)
            ),
            format!(
                "CLUSTER NODES: {} slots, the mean of {} masters is {mean:.0}",
                most.slots.len(),
                voters.len()
            ),
            format!(
                "redis-cli --cluster rebalance {} --cluster-simulate",
                case.any_addr()
            ),
        );
    }
}

/// A set's ranges, cut after a few.
pub fn clipped(slots: &SlotSet) -> String {
    let ranges = slots.ranges();
    let text = |(first, last): &(Slot, Slot)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    listed(ranges.iter().map(text), 8)
}
