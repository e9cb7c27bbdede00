//! A small snapshot for the tests of this room.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::model::{NodeAddr, NodeId, Role, Slot, SlotSet};

/// The moment at which test snapshots are taken: 2024-02-29.
pub const NOW: u64 = 1_709_164_800_000;

pub fn run() -> Run {
    Run {
        started_at_ms: NOW,
        host: "here".to_owned(),
        pid: 1,
    }
}

pub fn slot(number: u16) -> Slot {
    Slot::new(number).unwrap()
}

/// The raw bytes of a piece: of each another text, which packs well.
pub fn raw(shard: u32, seq: u32) -> Vec<u8> {
    format!("shard {shard} piece {seq} ")
        .repeat(1000)
        .into_bytes()
}

/// A manifest whose objects do not exist.
pub fn manifest(id: SnapshotId) -> Manifest {
    let identity = Identity {
        snapshot: id.clone(),
        shard: Some(0),
        kind: Kind::base(),
        seq: 0,
    };
    let (_, sizes) = chunk::pack(&identity, b"raw", 1, None).unwrap();
    let chunk = writer::described(&identity, sizes, Held::default());
    manifest_of(id, vec![vec![chunk]], Vec::new())
}

fn manifest_of(id: SnapshotId, bases: Vec<Vec<Chunk>>, parts: Vec<Part>) -> Manifest {
    let shard = |base: Vec<Chunk>| Shard {
        slots: SlotSet::full(),
        shard_id: None,
        nodes: vec![ShardNode {
            id: "07c37dfeb235213a872192d90877d0cd55635b91"
                .parse::<NodeId>()
                .unwrap(),
            addr: "127.0.0.1:7000".parse::<NodeAddr>().unwrap(),
            role: Role::Master,
            epoch: 1,
            host: None,
            zone: Some("a".to_owned()),
        }],
        read_from: None,
        replid: Some("8371b4fb1155b71f4a04d3e1bc3e18c4a990aeeb".to_owned()),
        base_offset: 100,
        cut_offset: 200,
        rdb: "REDIS0012".to_owned(),
        base,
        log: Vec::new(),
        slot_table: None,
        keys: 10,
        expires: 1,
        more: More::new(),
    };
    Manifest {
        format: FORMAT,
        taken_at_ms: id.at_ms(),
        id,
        goodcache: "0.1.0".to_owned(),
        cluster: "goodbooks".to_owned(),
        took_ms: 5,
        consistency: Consistency::Barrier,
        write_stall_us: Some(220),
        servers: Vec::new(),
        shards: bases.into_iter().map(shard).collect(),
        parts,
        modules: BTreeMap::new(),
        config: BTreeMap::new(),
        labels: BTreeMap::new(),
        more: More::new(),
    }
}

/// Two shards of three pieces each, a slot table, and an ACL, not finished.
pub async fn written(writer: &Writer) -> Manifest {
    let mut bases = Vec::new();
    for shard in 0..2_u32 {
        let mut base = Vec::new();
        for seq in 0..3_u32 {
            let first = (shard * 8192 + seq * 2000) as u16;
            let held = Held {
                slots: Some((slot(first), slot(first + 2000))),
                entries: 7,
                span: None,
                db: 0,
            };
            let raw = Bytes::from(raw(shard, seq));
            base.push(
                writer
                    .put(Some(shard), Kind::base(), seq, raw, held)
                    .await
                    .unwrap(),
            );
        }
        bases.push(base);
    }
    let acl = Kind::new("acl").unwrap();
    let chunk = writer
        .put(None, acl.clone(), 0, "user default on", Held::default())
        .await
        .unwrap();
    let mut manifest = manifest_of(writer.id().clone(), bases, vec![Part { kind: acl, chunk }]);
    manifest.shards[1].slot_table = Some(writer.put_slot_table(1, &table()).await.unwrap());
    manifest
}

pub fn table() -> SlotTable {
    let row = SlotRow {
        slot: slot(8192),
        keys: 10,
        expires: 1,
        bytes: 1000,
        digest: [7; 16],
        chunks: (0, 1),
        logged: 0,
    };
    SlotTable { rows: vec![row] }
}

/// A finished snapshot of that moment.
pub async fn taken(repository: &Repository, at_ms: u64) -> SnapshotId {
    let id = repository.name_snapshot(at_ms).unwrap();
    let writer = repository.begin(id.clone(), &run()).await.unwrap();
    let manifest = written(&writer).await;
    writer.finish(&manifest).await.unwrap();
    id
}
