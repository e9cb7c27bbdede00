//! The manifest of a capture: what was read, and all that stands around the keys.

use std::collections::BTreeMap;
use std::time::Duration;

use super::order::Options;
use super::shard::Read;
use super::sources::Source;
use crate::archive::{
    Chunk, Consistency, FORMAT, Manifest, More, Server, Shard, ShardNode, SnapshotId,
};
use crate::model::{Facts, Role, Survey, Topology, Vendor};

/// What the manifest is made of, besides what was read.
pub(super) struct Told<'a> {
    pub survey: &'a Survey,
    pub topology: &'a Topology,
    pub sources: &'a [Source],
    pub options: &'a Options,
    pub id: SnapshotId,
    pub at_ms: u64,
    pub consistency: Consistency,
    pub stall: Option<Duration>,
}

/// Puts it together; `tables` are the tables of slots as stored, a shard each.
pub(super) fn manifest(told: &Told<'_>, read: Vec<Read>, tables: Vec<Chunk>) -> Manifest {
    let stall = told
        .stall
        .map(|stall| u64::try_from(stall.as_micros()).unwrap_or(u64::MAX));
    let master = told
        .sources
        .first()
        .and_then(|source| told.survey.facts(&source.master));
    let shards = told.sources.iter().zip(read).zip(tables);
    Manifest {
        format: FORMAT,
        id: told.id.clone(),
        goodcache: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: told.options.cluster.clone(),
        taken_at_ms: told.at_ms,
        took_ms: 0,
        consistency: told.consistency,
        write_stall_us: stall,
        servers: servers(told.survey),
        shards: shards
            .map(|((source, read), table)| shard(told, source, read, table))
            .collect(),
        parts: Vec::new(),
        modules: master
            .map(|facts| facts.modules.clone())
            .unwrap_or_default(),
        config: master.map(|facts| facts.config.clone()).unwrap_or_default(),
        labels: told.options.labels.clone(),
        more: More::new(),
    }
}

fn shard(told: &Told<'_>, source: &Source, read: Read, table: Chunk) -> Shard {
    let used_memory = read.contents.used_memory();
    Shard {
        slots: source.slots.clone(),
        shard_id: None,
        nodes: nodes(told, source),
        read_from: Some(source.node.clone()),
        replid: read.replid,
        base_offset: read.base_offset,
        cut_offset: read.cut_offset,
        rdb: read.contents.rdb,
        base: read.base,
        log: read.log,
        slot_table: Some(table),
        keys: read.contents.keys,
        expires: read.contents.expires,
        more: Shard::told(&read.contents.kinds, used_memory),
    }
}

fn nodes(told: &Told<'_>, source: &Source) -> Vec<ShardNode> {
    let shard = told
        .topology
        .shards
        .iter()
        .find(|shard| shard.master == source.master);
    let replicas = shard
        .map(|shard| shard.replicas.as_slice())
        .unwrap_or_default();
    let ids = std::iter::once(&source.master).chain(replicas);
    ids.filter_map(|id| {
        let member = told.topology.member(id)?;
        let report = told.survey.node(id);
        Some(ShardNode {
            id: id.clone(),
            addr: report
                .map(|report| report.addr.clone())
                .or_else(|| member.addr.clone())?,
            role: if *id == source.master {
                Role::Master
            } else {
                Role::Replica
            },
            epoch: member.epoch,
            host: Some(member.site.host.clone()).filter(|host| !host.is_empty()),
            zone: member.site.zone.clone(),
        })
    })
    .collect()
}

fn servers(survey: &Survey) -> Vec<Server> {
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for (_, facts) in survey.answered() {
        *counts.entry(server(facts)).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|((vendor, version), nodes)| Server {
            vendor,
            version,
            nodes,
        })
        .collect()
}

fn server(facts: &Facts) -> (String, String) {
    let vendor = match facts.info.vendor() {
        Vendor::Valkey => "valkey",
        Vendor::Redis => "redis",
    };
    let version = facts.info.version();
    (
        vendor.to_owned(),
        version.map_or("?".to_owned(), |version| version.to_string()),
    )
}
