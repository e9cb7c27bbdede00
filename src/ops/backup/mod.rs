//! `backup`: a snapshot of a whole cluster, taken over the replication links, cut at one moment for
//! all shards, proven when it is read again.

mod base;
mod boot;
mod capture;
mod changes;
mod describe;
pub mod follow;
mod gauge;
pub mod keep;
mod live;
mod log;
mod look;
mod order;
mod parts;
mod puts;
mod rate;
mod scan;
mod shard;
mod sources;
mod trouble;
mod turns;

pub use base::{Contents, Cutter, PieceSize, RawPiece};
pub use boot::{Booted, BootedShard, NoBoot, boot};
pub use capture::capture;
pub use gauge::{Gauge, Gauges, Reading, Stage};
pub use live::Live;
pub use log::{LogCutter, Marked};
pub use look::Ground;
pub use order::{BaseWatch, Beginning, Cut, Options, Place, Taken, UnderWay, Via, Watching};
pub use sources::{From, NoSource, Source, sources};
pub use trouble::Trouble;
