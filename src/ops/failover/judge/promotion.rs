//! Promotions: a replica has taken over when it leads by a higher epoch than any before, in a
//! majority of views. Its own word is not enough.
//!
//! On Redis 7.0 and 8.0 a second CLUSTER FAILOVER by the same replica within twice the node timeout
//! "wins" on the votes of its last election: it says that it leads for 100 ms, by an old epoch,
//! nobody follows, and it steps down again.

use std::collections::{BTreeMap, BTreeSet};

use super::super::report::Promotion;
use super::names::Names;
use super::outage::end;
use super::when::{all_targets, asked_at, fault_at, ms_between};
use crate::model::{
    Act, Change, NodeAddr, NodeId, Outcome, Recording, Role, Round, Sighting, Watch, words,
};

/// A new master that a majority of views agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When the view came that made it a majority, in microseconds since the round began.
    pub at_us: u64,
    /// Who leads.
    pub to: NodeId,
    /// By which config epoch.
    pub epoch: u64,
}

/// The first node of a shard besides `old` that more than half of `observers` (all nodes that no
/// fault is done to) have seen lead, at `since_us` or later and by a higher epoch than any seen
/// before that. Pure, so that the driver can ask it again and again of what was seen so far.
pub fn promoted_at(
    sightings: &[Sighting],
    shard_nodes: &[NodeId],
    old: &NodeId,
    observers: usize,
    since_us: u64,
) -> Option<Seen> {
    let before = sightings.iter().filter(|seen| seen.at_us < since_us);
    let above = before.filter_map(epoch).max().unwrap_or(0);
    promoted_above(above, sightings, shard_nodes, old, observers, since_us)
}

/// The same where the highest epoch before is known otherwise.
fn promoted_above(
    above: u64,
    sightings: &[Sighting],
    shard_nodes: &[NodeId],
    old: &NodeId,
    observers: usize,
    since_us: u64,
) -> Option<Seen> {
    let mut seen: Vec<&Sighting> = sightings
        .iter()
        .filter(|seen| seen.at_us >= since_us && seen.of != *old && seen.by != *old)
        .filter(|seen| shard_nodes.contains(&seen.of))
        .collect();
    seen.sort_by_key(|seen| seen.at_us);
    let mut claims: BTreeMap<&NodeId, (BTreeSet<&NodeId>, u64)> = BTreeMap::new();
    for sighting in seen {
        let (views, highest) = claims.entry(&sighting.of).or_default();
        match epoch(sighting) {
            Some(epoch) if epoch > above => {
                views.insert(&sighting.by);
                *highest = epoch.max(*highest);
            }
            _ if sighting.what == Change::Follows => {
                views.remove(&sighting.by);
            }
            _ => {}
        }
        if 2 * views.len() > observers {
            return Some(Seen {
                at_us: sighting.at_us,
                to: sighting.of.clone(),
                epoch: *highest,
            });
        }
    }
    None
}

fn epoch(sighting: &Sighting) -> Option<u64> {
    match sighting.what {
        Change::Leads(epoch) => Some(epoch),
        _ => None,
    }
}

/// A change of a shard's master in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// 1 is the first.
    pub round: usize,
    /// 1 is the first.
    pub shard: usize,
    /// Who led.
    pub from: NodeId,
    /// Who leads, since when.
    pub seen: Seen,
    /// Whether goodcache itself gave the lead back to the master of before.
    pub is_handed_back: bool,
}

/// What the views said of leading, over all rounds.
#[derive(Debug, Default)]
pub struct Successions {
    /// Every change of a master that a majority of views saw.
    pub real: Vec<Succession>,
    /// Claims to lead that came to nothing, in words.
    pub phantoms: Vec<String>,
}

/// Follows who led each shard through the rounds.
pub fn successions(recording: &Recording, names: &Names) -> Successions {
    let mut found = Successions::default();
    let watched = recording.conditions.watched.as_ref();
    let (mut leaders, mut highest) = (names.masters(), names.epoch());
    for round in &recording.rounds {
        for victim in all_targets(round).filter(|victim| victim.role == Role::Master) {
            let is_first = round.targets.contains(victim);
            if is_first || !leaders.contains_key(&victim.shard) {
                leaders.insert(victim.shard, victim.id.clone());
            }
        }
        let before = leaders.clone();
        for (&shard, first) in &before {
            let of_shard = in_shard(round, shard, first, highest, names, watched);
            if let Some(last) = of_shard.last() {
                leaders.insert(shard, last.seen.to.clone());
            }
            let phantom = phantoms(round, shard, first, &of_shard, names);
            found.phantoms.extend(phantom);
            found.real.extend(of_shard);
        }
        let seen = round.sightings.iter().filter_map(epoch);
        highest = seen.max().unwrap_or(0).max(highest);
    }
    found
}

/// Every change of one shard's master in one round, in the order of time.
fn in_shard(
    round: &Round,
    shard: usize,
    first: &NodeId,
    highest: u64,
    names: &Names,
    watched: Option<&Watch>,
) -> Vec<Succession> {
    let nodes = names.shard(shard);
    let victims: BTreeSet<&NodeId> = all_targets(round).map(|victim| &victim.id).collect();
    let observers = match watched {
        Some(watch) => watch.sentinels,
        None => names.count().saturating_sub(victims.len()),
    };
    let views: Vec<Sighting> = round
        .sightings
        .iter()
        .filter(|seen| !victims.contains(&seen.by))
        .cloned()
        .collect();
    let mut found: Vec<Succession> = Vec::new();
    let (mut old, mut above, mut since_us) = (first.clone(), highest, 0);
    while let Some(seen) = promoted_above(above, &views, &nodes, &old, observers, since_us) {
        let is_restored = round.first(Act::RolesRestored).is_some();
        (above, since_us) = (seen.epoch, seen.at_us);
        found.push(Succession {
            round: round.number,
            shard,
            from: old,
            is_handed_back: is_restored && seen.to == *first,
            seen: seen.clone(),
        });
        old = seen.to;
    }
    found
}

/// Nodes that said that they lead, or were said to, and did not come to.
fn phantoms(
    round: &Round,
    shard: usize,
    first: &NodeId,
    real: &[Succession],
    names: &Names,
) -> Vec<String> {
    let nodes = names.shard(shard);
    let mut claims: BTreeMap<&NodeId, (BTreeSet<&NodeId>, u64)> = BTreeMap::new();
    for seen in &round.sightings {
        let is_real = seen.of == *first || real.iter().any(|change| change.seen.to == seen.of);
        if let Some(epoch) = epoch(seen).filter(|_| !is_real && nodes.contains(&seen.of)) {
            let (views, highest) = claims.entry(&seen.of).or_default();
            views.insert(&seen.by);
            *highest = epoch.max(*highest);
        }
    }
    let word = |(id, (views, epoch)): (&NodeId, (BTreeSet<&NodeId>, u64))| {
        format!(
            "round {}: {} led shard {shard} by epoch {epoch} in {} and was no master all the same: \
             a promotion counts by a higher epoch in a majority of views",
            round.number,
            names.word(id),
            words::counted(views.len(), "view"),
        )
    };
    claims.into_iter().map(word).collect()
}

/// The promotions for the report; giving the lead back is not one of them.
pub fn promotions(recording: &Recording, real: &[Succession], names: &Names) -> Vec<Promotion> {
    let told = real.iter().filter(|change| !change.is_handed_back);
    told.filter_map(|change| {
        let mut rounds = recording.rounds.iter();
        let round = rounds.find(|round| round.number == change.round)?;
        told_of(round, change, names)
    })
    .collect()
}

fn told_of(round: &Round, change: &Succession, names: &Names) -> Option<Promotion> {
    let fault_us = fault_at(round).unwrap_or(0);
    let after = |at_us: u64| ms_between(fault_us, at_us);
    let failing = Failing::of(round, &change.from, change.seen.at_us);
    Some(Promotion {
        round: change.round,
        shard: change.shard,
        from: names.addr(&change.from)?.clone(),
        to: names.addr(&change.seen.to)?.clone(),
        suspected_ms: failing.suspected.map(|seen| after(seen.at_us)),
        suspected_by: failing.suspected.and_then(|s| named(names, &s.by)),
        failed_ms: failing.failed.map(|seen| after(seen.at_us)),
        promoted_ms: after(change.seen.at_us),
        first_write_ms: first_write_us(round, change).map(after),
        epoch: change.seen.epoch,
    })
}

fn named(names: &Names, id: &NodeId) -> Option<NodeAddr> {
    names.addr(id).cloned()
}

/// When the first write had been taken after a promotion.
pub fn first_write_us(round: &Round, change: &Succession) -> Option<u64> {
    let trace = round.traces.iter().find(|t| t.shard == change.shard)?;
    let good = trace
        .witness
        .iter()
        .filter(|op| op.outcome == Outcome::Good);
    good.map(end).filter(|&at| at >= change.seen.at_us).min()
}

/// The first word that a node is suspected, and that it has failed.
pub struct Failing<'a> {
    /// `fail?`.
    pub suspected: Option<&'a Sighting>,
    /// `fail`.
    pub failed: Option<&'a Sighting>,
}

impl Failing<'_> {
    /// Of one node, from the moment that the fault was asked for until another.
    pub fn of<'a>(round: &'a Round, node: &NodeId, until_us: u64) -> Failing<'a> {
        let from_us = asked_at(round).unwrap_or(0);
        let first = |what: Change, until_us: u64| {
            let seen = round.sightings.iter();
            seen.filter(|seen| seen.of == *node && seen.by != *node && seen.what == what)
                .filter(|seen| (from_us..=until_us).contains(&seen.at_us))
                .min_by_key(|seen| seen.at_us)
        };
        let failed = first(Change::Failed, until_us);
        let until_us = failed.map_or(until_us, |seen| seen.at_us);
        Failing {
            suspected: first(Change::Suspected, until_us),
            failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::failover::samples::{self, node, saw};
    use Change::{Follows, Leads};

    fn found(sightings: &[Sighting]) -> Option<(u64, NodeId, u64)> {
        let shard = [node(1), node(4)];
        let seen = promoted_at(sightings, &shard, &node(1), 5, 2_000_000)?;
        Some((seen.at_us / 1000, seen.to, seen.epoch))
    }

    #[test]
    fn only_a_higher_epoch_in_a_majority_of_views_makes_a_master() {
        let known = saw(100, 2, 2, Leads(7));
        let by = |at: u64, viewer: usize, epoch| saw(at, viewer, 4, Leads(epoch));
        for (what, sightings, expected) in [
            ("nothing seen", vec![], None),
            (
                "three of five",
                vec![by(5_000, 4, 8), by(5_010, 2, 8), by(5_020, 3, 8)],
                Some((5_020, node(4), 8)),
            ),
            ("two of five", vec![by(5_000, 4, 8), by(5_010, 2, 8)], None),
            (
                "one view three times",
                vec![by(5_000, 4, 8), by(5_010, 4, 9), by(5_020, 4, 10)],
                None,
            ),
            (
                "an epoch that is not higher",
                vec![by(5_000, 4, 7), by(5_010, 2, 7), by(5_020, 3, 7)],
                None,
            ),
            (
                "taken back before a majority had it",
                vec![
                    by(5_000, 4, 8),
                    by(5_010, 2, 8),
                    saw(5_015, 4, 4, Follows),
                    by(5_020, 3, 8),
                ],
                None,
            ),
            (
                "another shard",
                [4, 2, 3].map(|v| saw(5_000, v, 5, Leads(8))).to_vec(),
                None,
            ),
            (
                "the old master's own word does not count",
                [1, 2, 3].map(|v| by(5_000, v, 8)).to_vec(),
                None,
            ),
            (
                "before the fault",
                [4, 2, 3].map(|v| by(1_000, v, 8)).to_vec(),
                None,
            ),
        ] {
            let mut all = sightings;
            all.push(known.clone());
            assert_eq!(found(&all), expected, "{what}");
        }
    }

    #[test]
    fn a_killed_master_is_replaced() {
        let recording = samples::killed_master();
        let names = Names::of(&recording);
        let found = successions(&recording, &names);
        assert!(found.phantoms.is_empty());
        let promotions = promotions(&recording, &found.real, &names);
        assert_eq!(promotions.len(), 1, "giving the lead back is none");
        let promotion = &promotions[0];
        assert_eq!(promotion.from, samples::addr(1));
        assert_eq!(promotion.to, samples::addr(4));
        assert_eq!(promotion.suspected_by, Some(samples::addr(2)));
        assert_eq!(promotion.suspected_ms, Some(2_265.0));
        assert_eq!(promotion.failed_ms, Some(2_985.0));
        assert_eq!(promotion.promoted_ms, 3_773.0);
        assert!(promotion.first_write_ms >= Some(3_773.0));
        assert_eq!(promotion.epoch, 8);
    }

    #[test]
    fn an_equal_epoch_is_a_phantom() {
        let mut recording = samples::killed_master();
        for seen in &mut recording.rounds[0].sightings {
            if let Leads(epoch) = &mut seen.what {
                *epoch = 6;
            }
        }
        let names = Names::of(&recording);
        let found = successions(&recording, &names);
        assert!(found.real.is_empty());
        assert_eq!(found.phantoms.len(), 1);
        assert!(found.phantoms[0].contains("127.0.0.1:7004 led shard 1 by epoch 6 in 5 views"));
    }

    #[test]
    fn the_next_round_knows_who_leads() {
        let mut recording = samples::killed_master();
        recording.rounds[0]
            .deeds
            .retain(|deed| deed.what != Act::RolesRestored);
        recording.rounds[0]
            .sightings
            .retain(|seen| seen.at_us < 9_200_000);
        let mut second = samples::quiet_round(crate::model::Fault::Kill, 4_000);
        second.number = 2;
        second.targets = vec![samples::victim(2)];
        // The replica that returned is put in charge by somebody else.
        second.sightings = [1, 3, 5, 6].map(|v| saw(3_000, v, 1, Leads(11))).to_vec();
        recording.rounds.push(second);
        let names = Names::of(&recording);
        let found = successions(&recording, &names).real;
        let last = found.last().unwrap();
        assert_eq!((last.round, last.shard), (2, 1));
        assert_eq!((&last.from, &last.seen.to), (&node(4), &node(1)));
    }
}
