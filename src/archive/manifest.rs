//! What a snapshot is: where each byte of it lies, what it was taken from, and how to prove it whole.
//!
//! Written last: what has no manifest does not exist. A newer goodcache may add keys anywhere; those
//! of the manifest, its shards and its objects are kept and written again by a copy, others are passed
//! over. What an older program would misread raises [`FORMAT`], and is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::chunk::{MOST_ADDED, MOST_RAW, Sizes};
use super::id::{Identity, Kind, SnapshotId};
use crate::model::{NodeAddr, NodeId, Role, Slot, SlotSet};

/// Of the manifest. Raised when an older program could not restore from it any more.
pub const FORMAT: u32 = 2;

/// Keys that this program does not know, as they were.
pub type More = BTreeMap<String, Value>;

/// One snapshot of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// Its name.
    pub id: SnapshotId,
    /// The version of goodcache that wrote it.
    pub goodcache: String,
    /// The cluster's name.
    pub cluster: String,
    /// The moment that the data is of, ms since the epoch by the clock of the machine that took it.
    pub taken_at_ms: u64,
    /// How long it took from the first question to the last object.
    pub took_ms: u64,
    /// What holds between the shards.
    pub consistency: Consistency,
    /// How long writes stood still, at most; `None` when nobody measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_stall_us: Option<u64>,
    /// What ran there.
    pub servers: Vec<Server>,
    /// The shards, in the order of their first slot. An object's name holds the place in this list.
    pub shards: Vec<Shard>,
    /// What belongs to the cluster as a whole: functions, ACL, modules, config, each an object.
    #[serde(default)]
    pub parts: Vec<Part>,
    /// Modules that were loaded, with their versions.
    #[serde(default)]
    pub modules: BTreeMap<String, u64>,
    /// Settings that differed from the default, secrets blanked by who writes them.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Words that people put on it.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What else stands there.
    #[serde(flatten)]
    pub more: More,
}

/// What holds between the shards of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// All shards were cut while no write was let through: one moment.
    Barrier,
    /// All were cut at one time of the receiver's clock: apart by its reach.
    Clock,
    /// Keys were read one after the other: not a snapshot.
    Scan,
}

/// A server version, and how many nodes ran it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `redis`, `valkey`.
    pub vendor: String,
    /// `7.0.15`.
    pub version: String,
    /// How many nodes.
    pub nodes: u32,
}

/// One shard: its part of the topology and its objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shard {
    /// The slots that it owned at the cut.
    pub slots: SlotSet,
    /// The servers' own id of it (Redis 7.0 and later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_id: Option<String>,
    /// Its nodes, the master first.
    pub nodes: Vec<ShardNode>,
    /// Which of them was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_from: Option<NodeId>,
    /// The replication id that the offsets belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replid: Option<String>,
    /// The replication offset of the base.
    #[serde(default)]
    pub base_offset: u64,
    /// The replication offset of the cut: the log is played up to it.
    #[serde(default)]
    pub cut_offset: u64,
    /// The magic of the base, such as `REDIS0012`: what a reader of a part must know.
    #[serde(default)]
    pub rdb: String,
    /// The base's objects in order.
    pub base: Vec<Chunk>,
    /// The log's objects in order.
    #[serde(default)]
    pub log: Vec<Chunk>,
    /// The table of slots ([`super::SlotTable`]) as an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_table: Option<Chunk>,
    /// Keys in all.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// What else stands there.
    #[serde(flatten)]
    pub more: More,
}

/// A node of a shard, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardNode {
    /// Its id.
    pub id: NodeId,
    /// Where it was reached.
    pub addr: NodeAddr,
    /// What part it played.
    pub role: Role,
    /// Its config epoch.
    pub epoch: u64,
    /// Its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// An object of a shard or of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its name in the repository.
    pub name: String,
    /// Bytes before packing.
    pub raw_bytes: u64,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// SHA-256 before packing; of format 1 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_sha256: Option<String>,
    /// SHA-256 as stored: what `sha256sum` says of the file.
    pub stored_sha256: String,
    /// The lowest slot that it holds anything of; `None` when it belongs to every slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_slot: Option<Slot>,
    /// The highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<Slot>,
    /// Keys of a base, commands of a log.
    #[serde(default)]
    pub entries: u64,
    /// Of a log: what it spans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
    /// What else stands there.
    #[serde(flatten)]
    pub more: More,
}

/// What a piece of a log spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The replication offset before its first byte.
    pub first_offset: u64,
    /// The one after its last.
    pub last_offset: u64,
    /// When its first byte came, ms since the epoch by the receiver's clock.
    pub first_ms: u64,
    /// When its last came.
    pub last_ms: u64,
}

impl Span {
    /// How many bytes of the stream it is.
    pub fn bytes(&self) -> u64 {
        self.last_offset.saturating_sub(self.first_offset)
    }
}

/// An object of the cluster as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// What it holds: `functions`, `acl`, `modules`, `config`.
    pub kind: Kind,
    /// The object.
    pub chunk: Chunk,
}

/// The key of a piece of a base that begins in another database than the first.
pub(super) const DB: &str = "db";
/// The keys of a shard that say which types its values have, and what memory they took.
const TYPES: &str = "types";
const USED_MEMORY: &str = "used_memory";

impl Shard {
    /// What a shard's `more` says of what its base was found to hold: how many keys of each type byte,
    /// and the bytes of memory that the server said they took.
    pub fn told(types: &BTreeMap<u8, u64>, used_memory: Option<u64>) -> More {
        let types: BTreeMap<String, u64> = types
            .iter()
            .map(|(kind, keys)| (kind.to_string(), *keys))
            .collect();
        let mut more = More::from([(TYPES.to_owned(), serde_json::json!(types))]);
        more.extend(used_memory.map(|bytes| (USED_MEMORY.to_owned(), bytes.into())));
        more
    }

    /// How many keys of each type byte it has; `None` when an older program wrote it.
    pub fn types(&self) -> Option<BTreeMap<u8, u64>> {
        let types = self.more.get(TYPES)?.as_object()?;
        let keys = |(kind, keys): (&String, &Value)| Some((kind.parse().ok()?, keys.as_u64()?));
        types.iter().map(keys).collect()
    }

    /// Bytes of memory that the server said its data took.
    pub fn used_memory(&self) -> Option<u64> {
        self.more.get(USED_MEMORY)?.as_u64()
    }
}

impl Chunk {
    /// Of a piece of a base: the database that its first entry is in.
    pub fn db(&self) -> u64 {
        self.more.get(DB).and_then(Value::as_u64).unwrap_or(0)
    }

    /// Its sizes and hashes.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            raw_bytes: self.raw_bytes,
            stored_bytes: self.stored_bytes,
            raw_sha256: self.raw_sha256.clone(),
            stored_sha256: self.stored_sha256.clone(),
        }
    }

    /// Whether it may hold anything of these slots.
    pub fn touches(&self, slots: &SlotSet) -> bool {
        match (self.first_slot, self.last_slot) {
            (Some(first), Some(last)) => {
                !SlotSet::range(first, last).intersection(slots).is_empty()
            }
            _ => true,
        }
    }
}

impl Manifest {
    /// Every object with what it must be, in order.
    pub fn objects(&self) -> impl Iterator<Item = (Identity, &Chunk)> {
        let shards = self.shards.iter().zip(0..).flat_map(move |(shard, index)| {
            let base = numbered(&shard.base, Kind::base());
            let log = numbered(&shard.log, Kind::log());
            let table = shard
                .slot_table
                .iter()
                .map(|chunk| (Kind::slots(), 0, chunk));
            base.chain(log)
                .chain(table)
                .map(move |piece| (Some(index), piece))
        });
        let mut seen: BTreeMap<&Kind, u32> = BTreeMap::new();
        let parts = self.parts.iter().map(move |part| {
            let next = seen.entry(&part.kind).or_default();
            let seq = *next;
            *next += 1;
            (None, (part.kind.clone(), seq, &part.chunk))
        });
        shards.chain(parts).map(|(shard, (kind, seq, chunk))| {
            let snapshot = self.id.clone();
            (
                Identity {
                    snapshot,
                    shard,
                    kind,
                    seq,
                },
                chunk,
            )
        })
    }

    /// Bytes as stored, of all its objects.
    pub fn stored_bytes(&self) -> u64 {
        self.objects()
            .fold(0, |sum, (_, chunk)| sum.saturating_add(chunk.stored_bytes))
    }

    /// Keys of all shards.
    pub fn keys(&self) -> u64 {
        self.shards
            .iter()
            .fold(0, |sum, shard| sum.saturating_add(shard.keys))
    }

    /// What in it cannot be; `None` when it is sound. Names must be those that follow from the place
    /// of each object: nothing outside the snapshot's own folder can be named.
    pub(super) fn fault(&self) -> Option<String> {
        for (identity, chunk) in self.objects() {
            let name = identity.name();
            if chunk.name != name {
                return Some(format!("{} stands where {name} must", chunk.name));
            }
            if chunk.raw_bytes > MOST_RAW || chunk.stored_bytes > MOST_RAW + MOST_ADDED {
                return Some(format!("{name} is too large"));
            }
            if chunk.first_slot.is_some() != chunk.last_slot.is_some()
                || chunk.first_slot > chunk.last_slot
            {
                return Some(format!("the slots of {name} cannot be"));
            }
        }
        None
    }
}

fn numbered(chunks: &[Chunk], kind: Kind) -> impl Iterator<Item = (Kind, u32, &Chunk)> {
    chunks
        .iter()
        .zip(0..)
        .map(move |(chunk, seq)| (kind.clone(), seq, chunk))
}
