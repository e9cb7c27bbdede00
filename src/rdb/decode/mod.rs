//! Looks inside values: visits the elements of each, whatever its encoding.
//!
//! Only digests and whoever must re-code a value need this. Elements are handed over one by one,
//! borrowed; numbers come as the decimal text that a client would see. Compressed strings and packed
//! blobs are unpacked into buffers that a [`Decoder`] keeps and never grow past what the bytes that
//! arrived can stand for. Layouts: `ziplist.c`, `zipmap.c`, `intset.c`, `listpack.c`, `t_stream.c`.

mod arriving;
mod listpack;
mod old;
mod packed;
mod plain;
mod rest;
mod stream;
mod text;
mod units;

use super::cut::Cut;
use super::error::RdbError;
use super::kind::kind;
use super::{Dialect, Family};

pub(super) use arriving::{Arriving, Came, Shown};

/// The two halves of a stream id: milliseconds, sequence.
pub type StreamId = (u64, u64);

/// One thing in a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Element<'a> {
    /// The whole of a string.
    Text(&'a [u8]),
    /// The next item of a list.
    Item(&'a [u8]),
    /// A member of a set, in no order.
    Member(&'a [u8]),
    /// A member of a sorted set; by score in packed encodings, else in no order.
    Scored {
        /// The member.
        member: &'a [u8],
        /// Its score; never a NaN.
        score: f64,
    },
    /// A field of a hash, in no order.
    Field {
        /// Its name.
        field: &'a [u8],
        /// Its value.
        value: &'a [u8],
        /// When it alone expires, in milliseconds since 1970.
        expires_ms: Option<u64>,
    },
    /// An entry of a stream; its fields follow.
    StreamEntry(StreamId),
    /// A field of the last stream entry.
    StreamField {
        /// Its name.
        field: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// What a stream knows of itself; after its entries.
    Stream {
        /// How many entries it says it has.
        length: u64,
        /// The last id given out.
        last: StreamId,
    },
    /// A consumer group; its pending entries and consumers follow.
    Group {
        /// Its name.
        name: &'a [u8],
        /// The last id delivered to it.
        last: StreamId,
    },
    /// An entry that a group delivered and that nobody acknowledged.
    Pending {
        /// Which.
        id: StreamId,
        /// When it was delivered last, in milliseconds since 1970.
        delivered_ms: u64,
        /// How often it was delivered.
        count: u64,
    },
    /// A consumer of the last group; the ids it owns follow.
    Consumer(&'a [u8]),
    /// A pending entry that the last consumer owns.
    Owned(StreamId),
    /// The whole of a value that is not looked into: a module's or an array.
    Opaque(&'a [u8]),
}

/// Visits elements; keeps the buffers that unpacking needs.
#[derive(Debug, Default)]
pub struct Decoder {
    buffers: Buffers,
}

/// Where compressed strings are unpacked to: two elements may be in use at once, both out of a blob.
#[derive(Debug, Default)]
struct Buffers {
    blob: Vec<u8>,
    one: Vec<u8>,
    two: Vec<u8>,
}

impl Decoder {
    /// With empty buffers.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Shows `see` each element of a whole value of that type, in the order of the bytes.
    ///
    /// # Errors
    /// When the type is not known or the bytes are no such value; some elements may have been shown.
    pub fn decode(
        &mut self,
        dialect: Dialect,
        number: u8,
        value: &[u8],
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<Family, RdbError> {
        let family = kind(dialect, number).map_err(|fault| fault.at(0))?.family;
        let mut cut = Cut::new(value, 0);
        self.buffers
            .whole(dialect, number, &mut cut, see)
            .map(|()| family)
            .map_err(|fault| fault.at(cut.at as u64))
    }
}

#[cfg(test)]
mod tests;
