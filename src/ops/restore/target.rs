//! Where a snapshot is restored to: its masters, what each holds, takes and has room for.

use std::collections::BTreeMap;

use serde::Serialize;

use super::trouble::Trouble;
use crate::cluster::Access;
use crate::model::{
    Capability, Facts, NodeAddr, Permit, SlotSet, Survey, Topology, Vendor, Version,
};
use crate::ops::backup::{Depth, Ground, look};

/// The target as it is before anything is sent.
pub(super) struct Target {
    pub topology: Topology,
    pub masters: Vec<Master>,
    pub ground: Ground,
    /// Whether all of them are known to take SET, with an expiry as a time.
    pub takes_set: bool,
}

/// One master of the target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Master {
    /// Where it is reached.
    pub addr: NodeAddr,
    /// Its slots.
    pub slots: SlotSet,
    /// Who made it.
    pub vendor: Vendor,
    /// Its version.
    pub version: Version,
    /// Keys that it holds, of all databases.
    pub keys: u64,
    /// The most memory that it may use for data, bytes; 0 for no limit of its own.
    pub maxmemory: u64,
    /// What it does when that is reached.
    pub policy: String,
    /// Memory in use, bytes.
    pub used_memory: u64,
    /// Memory of its machine, bytes; 0 when it does not say.
    pub machine_memory: u64,
    /// How far its clock is ahead of this machine's, ms.
    pub clock_ahead_ms: Option<i64>,
    /// Modules that it has loaded.
    pub modules: BTreeMap<String, u64>,
    /// Replicas that follow it.
    pub replicas: usize,
    /// What it refuses of what a restore may need, and why.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub withheld: BTreeMap<Capability, String>,
}

/// What a restore may need of a master.
const NEEDED: [Capability; 3] = [
    Capability::Restore,
    Capability::FlushAll,
    Capability::FunctionRestore,
];

impl Target {
    pub(super) async fn look(access: &Access, ground: &Ground) -> Result<Target, Trouble> {
        let survey = look(access, ground, Depth::Sources).await;
        let survey = survey.map_err(|error| Trouble::NoLook(error.to_string()))?;
        let topology = Topology::of(&survey);
        let masters = masters(&survey, &topology);
        Ok(Target {
            takes_set: takes_set(&survey, &masters),
            masters,
            topology,
            ground: ground.clone(),
        })
    }

    pub(super) fn keys(&self) -> u64 {
        self.masters.iter().map(|master| master.keys).sum()
    }

    /// Whether it has more databases than one: clusters have not, before Valkey 9.
    pub(super) fn has_databases(&self) -> bool {
        let is_new = |master: &Master| master.vendor == Vendor::Valkey && master.version.0 >= 9;
        self.ground != Ground::Cluster || self.masters.iter().all(is_new)
    }
}

/// The word for it came with 6.2 (`commands.json` of that version: PXAT).
fn takes_set(survey: &Survey, masters: &[Master]) -> bool {
    masters.iter().all(|master| {
        let mut answered = survey.answered();
        let facts = answered.find(|(report, _)| report.addr == master.addr);
        let is_permitted =
            facts.is_some_and(|(_, facts)| facts.permit(Capability::Set) == Permit::Yes);
        is_permitted && master.version >= Version(6, 2, 0)
    })
}

fn masters(survey: &Survey, topology: &Topology) -> Vec<Master> {
    let shards = topology
        .shards
        .iter()
        .filter(|shard| !shard.slots.is_empty());
    let answering = shards.filter_map(|shard| {
        let report = survey.node(&shard.master)?;
        Some((shard, report.addr.clone(), report.facts()?))
    });
    answering
        .map(|(shard, addr, facts)| master(facts, addr, shard.slots.clone(), shard.replicas.len()))
        .collect()
}

fn master(facts: &Facts, addr: NodeAddr, slots: SlotSet, replicas: usize) -> Master {
    let info = &facts.info;
    let number = |name| info.number(name).unwrap_or(0);
    let policy = facts
        .setting("maxmemory-policy")
        .or(info.get("maxmemory_policy"));
    Master {
        addr,
        slots,
        vendor: info.vendor(),
        version: info.version().unwrap_or(Version(0, 0, 0)),
        keys: info.keys(),
        maxmemory: facts
            .setting_number("maxmemory")
            .unwrap_or_else(|| number("maxmemory")),
        policy: policy.unwrap_or("noeviction").to_owned(),
        used_memory: number("used_memory"),
        machine_memory: number("total_system_memory"),
        clock_ahead_ms: facts.clock_ahead_ms,
        modules: facts.modules.clone(),
        replicas,
        withheld: NEEDED
            .into_iter()
            .filter_map(|needed| Some((needed, facts.refusal(needed)?.to_owned())))
            .collect(),
    }
}
