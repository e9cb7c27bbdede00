//! Time lines: what a cluster wrote after a base, as it came, so that any moment can be had again.
//!
//! A follower (`ops::backup::follow`) seals what each shard's replication link sends into segments. All
//! of one unbroken time line lie in one folder; whatever breaks it (a history that ends, slots that go
//! to a node which is not followed) ends the line, and a new base begins another. So a line never hides a
//! hole. The names tell offsets, times and histories, so one listing shows what can be restored:
//! [`TimeLine`] is made of names alone. [`Repository::moment`](super::Repository::moment) finds the base
//! for a moment, and [`Replay`] reads what came after it, merged over all shards by the one clock that
//! stamped it.

mod line;
mod moment;
mod name;
mod objects;
mod replay;
mod segment;
mod strand;

pub use line::{Anchor, Anchored, Joined, Listed, Start, Strand, TimeLine};
pub use moment::{Moment, NoMoment};
pub use name::{EventKind, EventName, LineId, LogName, SegmentName, cluster_of, folder_of};
pub use objects::CopiedLog;
pub use replay::{Logged, Replay};
pub use segment::{End, MOST_SEGMENT, Owner, Owners, Segment, SegmentHead, encode_segment};
pub use strand::Write;
