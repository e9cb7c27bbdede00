//! The servers' own data format: read, told apart, summed up, put into RESTORE payloads, written.
//!
//! Backups keep values as the server wrote them: a value is walked over, not decoded, and goes back by
//! RESTORE byte for byte. Only digests look inside, since the same data is laid out in other ways by
//! other versions; what brings a value to a server that does not know its type (`bridge`); and what
//! sends a big one piece by piece (`elements`). Nothing here does I/O, and no byte from outside makes it panic, loop or allocate
//! more than arrived. Used by `archive`, `cluster` and, above them, backup and restore.
//!
//! The format is that of the servers' `rdb.h` and `rdb.c`; what was read in third-party readers only
//! says so where it stands.

mod bridge;
mod command;
mod crc;
mod cut;
mod decode;
mod dialect;
mod digest;
mod elements;
mod error;
mod item;
mod kind;
mod log;
mod lzf;
mod payload;
mod reader;
#[cfg(test)]
mod tests;
mod value;
mod writer;

pub use bridge::{
    Accepts, Bridged, Losses, Reason, Way, bridge, bridge_later, can_go, fields_may_expire,
};
pub use command::{Changes, LogCommand};
pub use decode::{Decoder, Element, StreamId};
pub use dialect::{Dialect, Vendor};
pub use digest::{Digester, Folded, SlotDigest, SlotDigests};
pub use elements::{Batch, Command, Elements, Limits, Outline};
pub use error::{Fault, RdbError};
pub use item::{Entry, Item, Part, Place, SlotInfo};
pub use kind::{Family, family};
pub use log::LogReader;
pub use payload::{
    Footer, Payload, append_payload, append_stamped, function_payload, payload_bytes,
    payload_version,
};
pub use reader::{LONG, Reader, Step};
pub use value::value_length;
pub use writer::{Writer, preamble};
