//! Restoring a snapshot into a cluster of any shape, or a server on its own.
//!
//! `run` is the story: look and plan, send what no log changes (`waves`: `load`, over `feed`), play the
//! logs (`replay`: `play`), read the target back and compare (`repair`: `prove`, `sums`). What is decided is pure: `plan`, `jobs`,
//! `select`, `pack`, `touched`, `ties`, `beside`, `absolute`, `refusal`.

mod absolute;
mod asking;
mod bases;
mod beside;
mod big;
mod brake;
mod carried;
mod feed;
mod feeding;
mod fields;
mod heat;
mod jobs;
mod journal;
mod large;
mod libraries;
mod load;
mod log;
mod order;
mod ousted;
mod outgoing;
mod pack;
mod packer;
mod parcel;
mod parts;
mod plan;
mod play;
mod prove;
mod refusal;
mod repair;
mod replay;
mod replicas;
mod report;
mod routes;
mod run;
mod select;
mod stray;
mod sums;
mod target;
mod ties;
mod touched;
mod trouble;
mod waves;

pub use brake::HeldBack;
pub use heat::Warmth;
pub use journal::how_far;
pub use load::{Database, Impossible};
pub use order::{Existing, Options, Order, Place};
pub use plan::{Plan, Refusal, Share};
pub use prove::{KeyFault, Proof};
pub use refusal::Refused;
pub use report::Restored;
pub use run::{Prepared, prepare};
pub use select::Select;
pub use target::Master;
pub use trouble::Trouble;
