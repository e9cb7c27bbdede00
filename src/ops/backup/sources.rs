//! From which node each shard is read: pure, from a survey.
//!
//! A replica that keeps up is read before the master, so that the fork and its memory are not paid
//! where clients are served. Among replicas those come first that save nothing at the moment, then
//! those that are not busy, then those on hosts that were not chosen yet, then those on whose host the
//! servers have the least to do, then the least behind.

use std::collections::BTreeMap;

use super::busy::Busy;
use crate::health::lag;
use crate::model::{Facts, Member, NodeAddr, NodeId, NodeReport, Shard, SlotSet, Survey, Topology};

/// A replica further behind than this does not keep up: what it lacks must come before the cut.
const MOST_BEHIND: u64 = 4 << 20;

/// Which nodes may be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum From {
    /// A replica that keeps up, else the master.
    #[default]
    Best,
    /// Replicas only.
    Replicas,
    /// Masters only.
    Masters,
}

/// Where a shard is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The shard's slots.
    pub slots: SlotSet,
    /// Its master.
    pub master: NodeId,
    /// Where that is reached.
    pub master_addr: NodeAddr,
    /// The node that is read.
    pub node: NodeId,
    /// Where that is reached.
    pub addr: NodeAddr,
    /// Its machine.
    pub host: String,
    /// Whether a replica could have been read and none keeps up: told to whoever waits.
    pub remark: Option<String>,
}

/// Why a shard cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSource {
    /// Slots without a master.
    #[error("{0} slots are served by nobody: a snapshot would not hold them")]
    Uncovered(usize),
    /// No node of the shard may be read.
    #[error("shard {shard}: {why}")]
    Shard {
        /// Which, from 1.
        shard: usize,
        /// Why.
        why: String,
    },
    /// Not one shard is known.
    #[error("no master with slots is known")]
    Nothing,
}

impl NoSource {
    /// The next step to take.
    pub fn hint(&self) -> String {
        match self {
            NoSource::Uncovered(_) | NoSource::Nothing => {
                "see goodcache check; --partial takes what is served"
            }
            NoSource::Shard { .. } => "see goodcache check; --from masters reads the masters",
        }
        .to_owned()
    }
}

/// Chooses. With `is_partial` slots that nobody serves are left out.
///
/// # Errors
/// When a shard cannot be read.
pub fn sources(
    survey: &Survey,
    topology: &Topology,
    from: From,
    is_partial: bool,
    busy: &Busy<'_>,
) -> Result<Vec<Source>, NoSource> {
    let covered = topology.covered().len();
    let all = SlotSet::full().len();
    if covered < all && !is_partial {
        return Err(NoSource::Uncovered(all - covered));
    }
    let mut chosen: BTreeMap<String, usize> = BTreeMap::new();
    let mut sources = Vec::new();
    let shards = topology
        .shards
        .iter()
        .filter(|shard| !shard.slots.is_empty());
    for (shard, number) in shards.zip(1..) {
        let read = source(survey, topology, shard, from, &chosen, busy);
        let read = read.map_err(|why| NoSource::Shard { shard: number, why })?;
        *chosen.entry(read.host.clone()).or_default() += 1;
        sources.push(read);
    }
    match sources.is_empty() {
        true => Err(NoSource::Nothing),
        false => Ok(sources),
    }
}

/// A node that answered.
#[derive(Clone, Copy)]
struct Seen<'a> {
    member: &'a Member,
    report: &'a NodeReport,
    facts: &'a Facts,
}

impl<'a> Seen<'a> {
    fn of(survey: &'a Survey, topology: &'a Topology, id: &NodeId) -> Option<Seen<'a>> {
        let report = survey.node(id)?;
        Some(Seen {
            member: topology.member(id)?,
            report,
            facts: report.facts()?,
        })
    }

    fn host(&self) -> String {
        host_of(self.report).to_owned()
    }

    fn is_saving(&self) -> bool {
        let names = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress"];
        names
            .iter()
            .any(|name| self.facts.info.number(name) == Some(1))
    }

    /// How far it is behind its master, when it can be read.
    fn behind(&self, master: &Seen<'_>) -> Option<u64> {
        let is_linked = self.facts.info.get("master_link_status") == Some("up");
        let is_loading = self.facts.info.number("loading") == Some(1);
        let behind = lag::bytes(master.facts, self.member)?;
        (is_linked && !is_loading && behind <= MOST_BEHIND).then_some(behind)
    }
}

/// The machine that a node is on, as far as is known.
pub(super) fn host_of(report: &NodeReport) -> &str {
    match report.site.host.is_empty() {
        true => &report.addr.host,
        false => &report.site.host,
    }
}

fn source(
    survey: &Survey,
    topology: &Topology,
    shard: &Shard,
    from: From,
    chosen: &BTreeMap<String, usize>,
    busy: &Busy<'_>,
) -> Result<Source, String> {
    let Some(master) = Seen::of(survey, topology, &shard.master) else {
        return Err("its master does not answer, so no cut can be made through it".to_owned());
    };
    let rank = |seen: &Seen<'_>| {
        let host = seen.host();
        let chosen = chosen.get(&host).copied().unwrap_or(0);
        let is_busy = busy.is_busy(seen.report, seen.facts);
        (seen.is_saving(), is_busy, chosen, busy.work_on(&host))
    };
    let best = (shard.replicas.iter())
        .filter_map(|id| Seen::of(survey, topology, id))
        .filter_map(|seen| Some((seen, seen.behind(&master)?)))
        .min_by_key(|(seen, behind)| (rank(seen), *behind));
    let lacking = match shard.replicas.len() {
        0 => format!("{} has no replica", master.report.addr),
        _ => format!("no replica of {} keeps up", master.report.addr),
    };
    let read = match (from, best) {
        (From::Best | From::Replicas, Some((replica, _))) => replica,
        (From::Replicas, None) => return Err(lacking),
        (From::Masters, _) | (From::Best, None) => master,
    };
    let is_second_choice = from == From::Best && best.is_none() && !shard.replicas.is_empty();
    Ok(Source {
        slots: shard.slots.clone(),
        master: master.member.id.clone(),
        master_addr: master.report.addr.clone(),
        node: read.member.id.clone(),
        addr: read.report.addr.clone(),
        host: read.host(),
        remark: is_second_choice.then(|| format!("{lacking}: the master is read")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::testing::{Cluster, addr};
    use crate::model::Silence;

    fn addrs(cluster: Cluster, from: From) -> Result<Vec<NodeAddr>, NoSource> {
        let survey = cluster.survey();
        let topology = Topology::of(&survey);
        let busy = Busy::of(&survey, None);
        let sources = sources(&survey, &topology, from, false, &busy)?;
        Ok(sources.into_iter().map(|source| source.addr).collect())
    }

    #[test]
    fn a_replica_that_keeps_up_is_read_before_the_master() {
        let replicas = vec![addr(3), addr(4), addr(5)];
        assert_eq!(addrs(Cluster::sound(), From::Best), Ok(replicas));
        let masters = vec![addr(0), addr(1), addr(2)];
        assert_eq!(addrs(Cluster::sound(), From::Masters), Ok(masters));
    }

    #[test]
    fn one_that_does_not_is_passed_over_and_that_is_said() {
        let broken = || Cluster::sound().info(4, "master_link_status:down");
        let read = addrs(broken(), From::Best).unwrap();
        assert_eq!(read, [addr(3), addr(1), addr(5)]);
        let survey = broken().survey();
        let (topology, busy) = (Topology::of(&survey), Busy::of(&survey, None));
        let sources = sources(&survey, &topology, From::Best, false, &busy).unwrap();
        let remark = sources[1].remark.as_deref().unwrap();
        assert_eq!(
            remark,
            "no replica of 10.0.0.2:7000 keeps up: the master is read"
        );
        let refused = addrs(broken(), From::Replicas).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "shard 2: no replica of 10.0.0.2:7000 keeps up"
        );
    }

    #[test]
    fn a_shard_whose_master_is_silent_cannot_be_cut() {
        let survey = Cluster::sound().silent(1, Silence::Timeout).survey();
        let (topology, busy) = (Topology::of(&survey), Busy::of(&survey, None));
        let refused = sources(&survey, &topology, From::Best, false, &busy).unwrap_err();
        assert!(
            refused.to_string().starts_with("shard 2: its master"),
            "{refused}"
        );
    }
}
