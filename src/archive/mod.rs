#![doc = include_str!("FORMAT.md")]

mod buffers;
mod calendar;
mod chunk;
mod config;
mod copy;
mod crypto;
mod envelope;
mod error;
mod hex;
mod id;
mod identity;
pub mod lease;
mod log;
mod manifest;
mod repository;
pub mod retention;
mod slots;
mod store;
mod sweep;
mod verify;
mod writer;

#[cfg(test)]
mod log_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use buffers::Buffers;
pub use chunk::{ChunkError, MOST_RAW, Proof};
pub use copy::Copied;
pub use crypto::{Cost, CryptoError, Protection};
pub use envelope::ManifestError;
pub use error::ArchiveError;
pub use id::{Identity, Kind, ParseIdError, SnapshotId};
pub use log::{
    Anchor, Anchored, CopiedLog, End, EventKind, EventName, Joined, LineId, Listed, LogName,
    Logged, MOST_SEGMENT, Moment, NoMoment, Owner, Owners, Replay, Segment, SegmentHead,
    SegmentName, Start, Strand, TimeLine, Write, cluster_of, encode_segment, folder_of,
};
pub use manifest::{
    Chunk, Consistency, FORMAT, Manifest, More, Part, Server, Shard, ShardNode, Span,
};
pub use repository::{Access, Creation, Piece, Repository, Stretch};
pub use slots::{SlotRow, SlotTable};
pub use store::{Limits, Object, Store, StoreError, StoreOptions};
pub use sweep::{Leftover, RunState};
pub use verify::Verified;
pub use writer::{Held, Run, Writer};
