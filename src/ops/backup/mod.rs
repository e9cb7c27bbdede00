//! `backup`: a snapshot of a whole cluster, taken over the replication links, cut at one moment for
//! all shards, proven when it is read again.

mod base;
mod boot;
mod busy;
mod capture;
mod changes;
mod describe;
pub mod follow;
mod gauge;
pub mod keep;
mod keywise;
pub(in crate::ops) mod live;
mod log;
mod look;
mod order;
mod parts;
mod permitted;
mod puts;
mod rate;
mod scan;
mod shard;
mod sources;
mod trouble;
mod turns;

pub use base::{Contents, Cutter, PieceSize, RawPiece};
pub use boot::{Booted, BootedShard, NoBoot, boot};
pub use busy::Busy;
pub use capture::capture;
pub use gauge::{Gauge, Gauges, Reading, Stage};
pub use live::Live;
pub use log::{LogCutter, Marked};
pub use look::Ground;
pub(in crate::ops) use look::{Depth, look};
pub use order::{BaseWatch, Beginning, Cut, Options, Place, Taken, UnderWay, Via, Watching, Wire};
pub use sources::{From, NoSource, Source, sources};
pub use trouble::Trouble;
