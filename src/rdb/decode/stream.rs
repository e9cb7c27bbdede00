//! The nodes of streams: listpacks of entries under their first id. What follows them is in `rest`.
//!
//! Each listpack begins with a master entry (count, deleted, the field names that most entries share, 0);
//! an entry is its flags, both halves of its id less the master's, and its fields; it ends with how many
//! elements it has.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::listpack::Listpack;
use super::packed::Digits;
use super::{Buffers, Element, StreamId};

const BAD: Fault = Fault::Malformed("stream");

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

impl Buffers {
    /// A node: its first id, and a listpack of entries.
    pub(super) fn stream_node(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let id = cut.string()?.bytes(&mut self.one)?;
        let id = stream_id(*<&[u8; 16]>::try_from(id).map_err(|_| BAD)?);
        entries(id, cut.string()?.bytes(&mut self.blob)?, see)
    }
}

pub(super) fn stream_id(bytes: [u8; 16]) -> StreamId {
    let both = u128::from_be_bytes(bytes);
    ((both >> 64) as u64, both as u64)
}

/// The entries of one listpack that are not deleted.
fn entries(master: StreamId, blob: &[u8], see: &mut impl FnMut(Element<'_>)) -> Result<(), Fault> {
    let mut pack = Listpack::new(blob)?;
    let total = pack.number()?.checked_add(pack.number()?).ok_or(BAD)?;
    let shared = pack.number()?;
    let mut names = Listpack::new(blob)?;
    for _ in 0..3 {
        names.due()?;
    }
    for _ in 0..shared {
        pack.due()?;
    }
    pack.due()?;
    for _ in 0..total {
        let (flags, ms, seq) = (pack.number()?, pack.number()?, pack.number()?);
        let is_shown = flags & DELETED == 0;
        if is_shown {
            let id = (
                master.0.wrapping_add_signed(ms),
                master.1.wrapping_add_signed(seq),
            );
            see(Element::StreamEntry(id));
        }
        let mut seen = |element: Element<'_>| {
            if is_shown {
                see(element);
            }
        };
        if flags & SAME_FIELDS == 0 {
            let count = pack.number()?;
            fields(count, None, &mut pack, &mut seen)?;
        } else {
            fields(shared, Some(names.clone()), &mut pack, &mut seen)?;
        }
        pack.number()?;
    }
    match pack.next()? {
        None => Ok(()),
        Some(_) => Err(BAD),
    }
}

/// So many fields, their names from the master entry or each before its value.
fn fields<'a>(
    count: i64,
    mut names: Option<Listpack<'a>>,
    pack: &mut Listpack<'a>,
    see: &mut impl FnMut(Element<'_>),
) -> Result<(), Fault> {
    let (mut one, mut two) = (Digits::default(), Digits::default());
    for _ in 0..count {
        let name = match &mut names {
            Some(names) => names.due()?,
            None => pack.due()?,
        };
        see(Element::StreamField {
            field: name.bytes(&mut one),
            value: pack.due()?.bytes(&mut two),
        });
    }
    Ok(())
}
