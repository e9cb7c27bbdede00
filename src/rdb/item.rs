//! What an RDB stream is made of, one record after the other; all borrowed from the reader.

use std::ops::Range;

use super::cut::{Cut, Text};
use super::{Dialect, RdbError, value};
use crate::model::Slot;

/// The type of a string.
const STRING: u8 = 0;

pub(super) const EOF: u8 = 255;
pub(super) const SELECT_DB: u8 = 254;
pub(super) const EXPIRE_S: u8 = 253;
pub(super) const EXPIRE_MS: u8 = 252;
pub(super) const RESIZE_DB: u8 = 251;
pub(super) const AUX: u8 = 250;
pub(super) const FREQ: u8 = 249;
pub(super) const IDLE: u8 = 248;
pub(super) const MODULE_AUX: u8 = 247;
pub(super) const FUNCTION_PRE_GA: u8 = 246;
pub(super) const FUNCTION: u8 = 245;
pub(super) const SLOT_INFO: u8 = 244;
/// Redis from RDB 13 on.
pub(super) const KEY_META: u8 = 243;
/// Valkey from RDB 80 on: the same number.
pub(super) const SLOT_IMPORT: u8 = 243;
/// Redis 8.10: a hash template; Valkey 9.2: a command among the data.
pub(super) const TEMPLATE_OR_UPDATE: u8 = 242;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// The magic: always first.
    Header(Dialect),
    /// A fact about the file, such as `redis-ver`; Valkey's `slot-info` once for each slot.
    Aux {
        /// Its name.
        key: &'a [u8],
        /// Its value, numbers as decimal text.
        value: &'a [u8],
    },
    /// The keys that follow are in this database.
    SelectDb(u64),
    /// How large the database is.
    Resize {
        /// Keys in it.
        keys: u64,
        /// Of those, how many expire.
        expires: u64,
    },
    /// The keys that follow are of this slot (Redis from 7.4 on, in cluster mode).
    Slot(SlotInfo),
    /// A slot that was being imported when the file was written (Valkey from 9.0 on); the record
    /// behind its opcode as it is: job name, count, ranges.
    SlotImport(&'a [u8]),
    /// A function library: its whole source, `#!lua name=...` first.
    Function(&'a [u8]),
    /// What a module keeps beside the keys; the record behind its opcode as it is.
    ModuleAux(&'a [u8]),
    /// A key and its value.
    Entry(Entry<'a>),
    /// A part of a long value: only from a reader made by [`super::Reader::in_parts`].
    Part(Part<'a>),
    /// The end.
    End {
        /// The checksum, which was verified; `None` when the writer had checksums off.
        crc: Option<u64>,
    },
}

/// How many keys of a slot follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotInfo {
    /// Which slot, 0 to 16,383.
    pub slot: u16,
    /// Its keys.
    pub keys: u64,
    /// Of those, how many expire.
    pub expires: u64,
}

/// A key, its value as it lies in the file, and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Whose format type and value are in.
    pub dialect: Dialect,
    /// Which database it is in.
    pub db: u64,
    /// The key, decoded.
    pub key: &'a [u8],
    /// The type byte.
    pub kind: u8,
    /// The value behind key, exactly as in the file: what DUMP puts behind the type byte.
    pub value: &'a [u8],
    /// The metadata that modules keep with the key (Redis from 8.6 on), opcode included; mostly empty.
    pub meta: &'a [u8],
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: Option<i64>,
    /// How often it was used, logarithmic (LFU policies only).
    pub freq: Option<u8>,
    /// How long it was not used, in seconds (LRU policies only).
    pub idle_s: Option<u64>,
    /// Where it is in the stream, from its first opcode to the end of its value.
    pub range: Range<u64>,
}

/// A part of a value that is too long to be held whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The entry as ever, but that its value is this part's bytes and that it ends, so far, with them.
    pub entry: Entry<'a>,
    /// Which part.
    pub place: Place,
}

/// Which part of a value: there are always a first and a last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It begins.
    First,
    /// It goes on.
    Middle,
    /// It ends.
    Last,
}

impl Entry<'_> {
    /// The hash slot of its key, 0 to 16,383.
    pub fn slot(&self) -> u16 {
        Slot::of_key(self.key).number()
    }

    /// Its value when that is a string that is not compressed; of a number its digits, which are put
    /// where is told.
    pub fn plain_text<'s>(&'s self, digits: &'s mut Vec<u8>) -> Option<&'s [u8]> {
        if self.kind != STRING {
            return None;
        }
        let mut cut = Cut::new(self.value, 0);
        match cut.string().ok()? {
            Text::Lzf { .. } => None,
            text => text.bytes(digits).ok().filter(|_| cut.is_at_end()),
        }
    }
}

impl Item<'_> {
    /// What either vendor says about the slot that follows: Redis in a record, Valkey in an `Aux`.
    pub fn slot_info(&self) -> Option<SlotInfo> {
        match self {
            Item::Slot(info) => Some(*info),
            Item::Aux {
                key: b"slot-info",
                value,
            } => slot_info(std::str::from_utf8(value).ok()?),
            _ => None,
        }
    }
}

/// `slot,keys,expires`, and from 9.1 on `,volatile-items`.
fn slot_info(text: &str) -> Option<SlotInfo> {
    let mut numbers = text.split(',').map(|part| part.parse::<u64>().ok());
    let slot = u16::try_from(numbers.next()??).ok()?;
    Some(SlotInfo {
        slot: (slot < 16_384).then_some(slot)?,
        keys: numbers.next()??,
        expires: numbers.next()??,
    })
}

/// How many bytes a KEY_META record takes, opcode included.
pub(super) fn key_meta_length(bytes: &[u8]) -> Result<usize, RdbError> {
    let mut cut = Cut::new(bytes, 1);
    skip_key_meta(&mut cut).map_err(|fault| fault.at(cut.at as u64))?;
    Ok(cut.at)
}

/// Passes over what follows the KEY_META opcode: a count of classes, each four bytes and its fields.
pub(super) fn skip_key_meta(cut: &mut Cut<'_>) -> Result<(), super::Fault> {
    for _ in 0..cut.length()? {
        cut.take(4)?;
        value::skip_fields(cut)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vendors_say_how_large_a_slot_is() {
        let info = SlotInfo {
            slot: 7,
            keys: 3,
            expires: 1,
        };
        assert_eq!(Item::Slot(info).slot_info(), Some(info));
        for (value, expected) in [
            ("7,3,1", Some(info)),
            ("7,3,1,0", Some(info)),
            ("16384,3,1", None),
            ("7,3", None),
            ("x", None),
        ] {
            let aux = Item::Aux {
                key: b"slot-info",
                value: value.as_bytes(),
            };
            assert_eq!(aux.slot_info(), expected, "{value}");
        }
    }
}
