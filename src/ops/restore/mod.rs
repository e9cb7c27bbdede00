//! Restoring a snapshot into a cluster of any shape, or a server on its own.
//!
//! `run` is the story: look and plan, send what no log changes (`waves`: `load`, over `feed`), play the
//! logs (`replay`: `play`), read the target back and compare (`repair`: `prove`, `sums`). What is decided is pure: `plan`, `values`, `forecast`, `jobs`,
//! `room`, `select`, `pack`, `touched`, `ties`, `beside`, `absolute`, `refusal`.

mod absolute;
mod asked;
mod asking;
mod bases;
mod bench;
mod beside;
mod big;
mod brake;
mod carried;
mod feed;
mod feeding;
mod fields;
mod following;
mod forecast;
mod freeing;
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
mod ranges;
mod refusal;
mod repair;
mod replay;
mod replicas;
mod report;
mod room;
mod routes;
mod run;
mod select;
mod stray;
mod sums;
mod target;
mod ties;
mod touched;
mod trouble;
mod turn;
mod values;
mod warming;
mod waves;

pub use brake::HeldBack;
pub use forecast::Expected;
pub use journal::{GO_ON, how_far};
pub use load::{Database, Impossible};
pub use order::{Existing, Options, Order, Place};
pub use plan::{Plan, Refusal, Resumed, Share, Source};
pub use prove::{KeyFault, Proof};
pub use refusal::Refused;
pub use report::Restored;
pub use run::{Prepared, prepare};
pub use select::Select;
pub use target::Master;
pub use trouble::Trouble;
pub use turn::Turn;
pub use values::Values;
pub use warming::Warmth;
