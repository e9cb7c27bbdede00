//! Values in the pieces that they are laid out in: an element of a plain value, a node of a list or a
//! stream, the whole of a packed value; then what follows a stream's nodes, one thing after the other.
//!
//! A digest of a value that is there goes through all of them at once; of one that is still coming
//! ([`Arriving`](super::arriving::Arriving)) those are taken that are there whole, so that a value of any
//! size needs room for one.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::super::{Dialect, Vendor};
use super::plain::{self, Expiry};
use super::rest::Rest;
use super::{Buffers, Element};

/// What stands in front of the units.
#[derive(Debug, Clone, Copy)]
struct Head {
    number: u8,
    units: u64,
    expiry: Expiry,
}

/// A value taken unit by unit.
#[derive(Debug)]
pub(super) struct Units {
    dialect: Dialect,
    number: u8,
    /// What stands in front, once it was read, and how many units are left.
    begun: Option<(Head, u64)>,
    rest: Rest,
    buffers: Buffers,
}

impl Units {
    pub(super) fn new(dialect: Dialect, number: u8) -> Units {
        Units {
            dialect,
            number,
            begun: None,
            rest: Rest::new(number),
            buffers: Buffers::default(),
        }
    }

    /// Shows the elements of the next unit; false when there was none left. On [`Fault::Truncated`]
    /// nothing was shown, and the cut stands where it is to go on.
    pub(super) fn next(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<bool, Fault> {
        let (head, left) = match self.begun {
            Some(begun) => begun,
            None => {
                let head = cut.whole(|cut| head(self.dialect, self.number, cut))?;
                (head, head.units)
            }
        };
        self.begun = Some((head, left));
        if left == 0 {
            return match is_stream(self.number) {
                true => self.rest.step(cut, &mut self.buffers.one, see),
                false => Ok(false),
            };
        }
        cut.whole(|cut| self.buffers.unit(head, cut, see))?;
        self.begun = Some((head, left - 1));
        Ok(true)
    }
}

fn is_stream(number: u8) -> bool {
    matches!(number, 15 | 19 | 21 | 26 | 27)
}

fn head(dialect: Dialect, number: u8, cut: &mut Cut<'_>) -> Result<Head, Fault> {
    let is_redis = dialect.vendor == Vendor::Redis;
    let expiry = match number {
        22 if is_redis => plain::ABSOLUTE,
        22 => plain::TRAILING,
        24 => plain::from_least(u64::from_le_bytes(cut.array()?)),
        25 => {
            cut.take(8)?;
            plain::NO_EXPIRY
        }
        _ => plain::NO_EXPIRY,
    };
    let units = match number {
        1..=5 | 14 | 15 | 18 | 19 | 21 | 22 | 24 | 26 | 27 => cut.length()?,
        _ => 1,
    };
    Ok(Head {
        number,
        units,
        expiry,
    })
}

impl Buffers {
    /// All of a value, to its end.
    pub(super) fn whole(
        &mut self,
        dialect: Dialect,
        number: u8,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let head = head(dialect, number, cut)?;
        for _ in 0..head.units {
            self.unit(head, cut, see)?;
        }
        if is_stream(number) {
            let mut rest = Rest::new(number);
            while rest.step(cut, &mut self.one, see)? {}
        }
        if cut.is_at_end() {
            Ok(())
        } else {
            Err(Fault::Trailing)
        }
    }

    #[inline]
    fn unit(
        &mut self,
        head: Head,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        match head.number {
            0 => see(Element::Text(cut.string()?.bytes(&mut self.one)?)),
            1 => see(Element::Item(cut.string()?.bytes(&mut self.one)?)),
            2 => see(Element::Member(cut.string()?.bytes(&mut self.one)?)),
            3 => self.scored(cut, plain::text_score, see)?,
            4 | 22 | 24 => self.field(cut, head.expiry, see)?,
            5 => self.scored(cut, plain::binary_score, see)?,
            9 => self.zipmap(cut, see)?,
            10..=13 | 16 | 17 | 20 => self.packed(head.number, cut, see)?,
            14 => self.ziplist_node(cut, see)?,
            15 | 19 | 21 | 26 | 27 => self.stream_node(cut, see)?,
            18 => self.node(cut, see)?,
            23 | 25 => self.timed_listpack(cut, see)?,
            _ => {
                let left = (cut.bytes.len() - cut.at) as u64;
                see(Element::Opaque(cut.take(left)?));
            }
        }
        Ok(())
    }
}
