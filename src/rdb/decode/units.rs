//! Values in the pieces that they are laid out in: an element of a plain value, a node of a list or a
//! stream, the whole of a packed value.
//!
//! A digest goes through all of them at once; who builds a value up elsewhere takes one after the
//! other and stops in between, so that a value of any size needs room for one.

use super::super::cut::Cut;
use super::super::error::{Fault, RdbError};
use super::super::{Dialect, Vendor};
use super::plain::{self, Expiry};
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
pub(in crate::rdb) struct Units<'a> {
    head: Head,
    cut: Cut<'a>,
    left: u64,
    buffers: Buffers,
}

impl<'a> Units<'a> {
    pub(in crate::rdb) fn new(
        dialect: Dialect,
        number: u8,
        value: &'a [u8],
    ) -> Result<Units<'a>, RdbError> {
        let mut cut = Cut::new(value, 0);
        let head = head(dialect, number, &mut cut).map_err(|fault| fault.at(cut.at as u64))?;
        Ok(Units {
            head,
            cut,
            left: head.units,
            buffers: Buffers::default(),
        })
    }

    /// Whether all units were shown.
    pub(in crate::rdb) fn is_over(&self) -> bool {
        self.left == 0
    }

    /// Shows the elements of the next unit; false when there was none left. What follows a stream's
    /// nodes is not shown.
    pub(in crate::rdb) fn next(
        &mut self,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<bool, RdbError> {
        if self.left == 0 {
            return if self.cut.is_at_end() || is_stream(self.head.number) {
                Ok(false)
            } else {
                Err(Fault::Trailing.at(self.cut.at as u64))
            };
        }
        self.left -= 1;
        self.buffers
            .unit(self.head, &mut self.cut, see)
            .map(|()| true)
            .map_err(|fault| fault.at(self.cut.at as u64))
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
            self.stream_rest(number, cut, see)?;
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
