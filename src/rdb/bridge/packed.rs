//! Listpacks laid out as plain elements, which every server reads: lists, sets, sorted sets, hashes.
//!
//! A server packs them again when they are small enough for its own settings.

use super::super::decode::{Decoder, Element};
use super::super::error::{Fault, RdbError};
use super::super::item::Entry;
use super::super::payload::append_string;

/// The four-byte form of a length: how many there are is known at the end.
const WIDE: u8 = 0x80;
const WIDE_BYTES: usize = 5;

/// Appends a count and the elements of a packed value.
pub(super) fn append(entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<(), RdbError> {
    let at = out.len();
    out.extend_from_slice(&[WIDE, 0, 0, 0, 0]);
    let mut count = 0_u64;
    let mut see = |element: Element<'_>| {
        count += 1;
        put(element, out);
    };
    Decoder::new().decode(entry.dialect, entry.kind, entry.value, &mut see)?;
    let count = u32::try_from(count).map_err(|_| Fault::Length.at(0))?;
    out[at + 1..at + WIDE_BYTES].copy_from_slice(&count.to_be_bytes());
    Ok(())
}

fn put(element: Element<'_>, out: &mut Vec<u8>) {
    match element {
        Element::Item(text) | Element::Member(text) => append_string(text, out),
        Element::Scored { member, score } => {
            append_string(member, out);
            out.extend_from_slice(&score.to_le_bytes());
        }
        Element::Field { field, value, .. } => {
            append_string(field, out);
            append_string(value, out);
        }
        // The others are in no packed value.
        _ => {}
    }
}
