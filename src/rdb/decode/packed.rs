//! Values whose elements lie packed in one blob or in a few: ziplists, listpacks, intsets.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::listpack::Listpack;
use super::old::{Ziplist, each_of_intset};
use super::plain::{number, parse_score};
use super::{Buffers, Element};

/// An element of a packed blob.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    Int(i64),
    Text(&'a [u8]),
}

/// Room for the digits of a number.
pub(super) struct Digits(itoa::Buffer);

impl Default for Digits {
    fn default() -> Digits {
        Digits(itoa::Buffer::new())
    }
}

impl<'a> Piece<'a> {
    /// Its bytes as a client sees them.
    #[inline]
    pub(super) fn bytes<'s>(self, digits: &'s mut Digits) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Piece::Int(number) => digits.0.format(number).as_bytes(),
            Piece::Text(text) => text,
        }
    }

    pub(super) fn number(self) -> Option<i64> {
        match self {
            Piece::Int(number) => Some(number),
            Piece::Text(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        }
    }

    fn score(self) -> Result<f64, Fault> {
        match self {
            Piece::Int(number) => Ok(number as f64),
            Piece::Text(text) => parse_score(text).and_then(number),
        }
    }
}

/// Either kind of packed list.
enum Pieces<'a> {
    Ziplist(Ziplist<'a>),
    Listpack(Listpack<'a>),
}

impl<'a> Pieces<'a> {
    #[inline]
    fn next(&mut self) -> Result<Option<Piece<'a>>, Fault> {
        match self {
            Pieces::Ziplist(list) => list.next(),
            Pieces::Listpack(list) => list.next(),
        }
    }

    /// The second of a pair.
    #[inline]
    fn due(&mut self) -> Result<Piece<'a>, Fault> {
        self.next()?.ok_or(Fault::Malformed("packed value"))
    }

    fn items(&mut self, see: &mut impl FnMut(Element<'_>)) -> Result<(), Fault> {
        let mut digits = Digits::default();
        while let Some(piece) = self.next()? {
            see(Element::Item(piece.bytes(&mut digits)));
        }
        Ok(())
    }

    fn members(&mut self, see: &mut impl FnMut(Element<'_>)) -> Result<(), Fault> {
        let mut digits = Digits::default();
        while let Some(piece) = self.next()? {
            see(Element::Member(piece.bytes(&mut digits)));
        }
        Ok(())
    }

    fn scored(&mut self, see: &mut impl FnMut(Element<'_>)) -> Result<(), Fault> {
        let mut digits = Digits::default();
        while let Some(piece) = self.next()? {
            let member = piece.bytes(&mut digits);
            let score = self.due()?.score()?;
            see(Element::Scored { member, score });
        }
        Ok(())
    }

    fn fields(&mut self, has_expiry: bool, see: &mut impl FnMut(Element<'_>)) -> Result<(), Fault> {
        let (mut one, mut two) = (Digits::default(), Digits::default());
        while let Some(piece) = self.next()? {
            let field = piece.bytes(&mut one);
            let value = self.due()?.bytes(&mut two);
            let expires_ms = if has_expiry {
                let ms = self.due()?.number().and_then(|ms| u64::try_from(ms).ok());
                Some(ms.ok_or(Fault::Malformed("listpack"))?).filter(|&ms| ms > 0)
            } else {
                None
            };
            see(Element::Field {
                field,
                value,
                expires_ms,
            });
        }
        Ok(())
    }
}

impl Buffers {
    /// A value that is one blob.
    pub(super) fn packed(
        &mut self,
        kind: u8,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let blob = cut.string()?.bytes(&mut self.blob)?;
        if kind == 11 {
            let mut digits = Digits::default();
            return each_of_intset(blob, |number| {
                see(Element::Member(Piece::Int(number).bytes(&mut digits)));
            });
        }
        let mut pieces = match kind {
            10 | 12 | 13 => Pieces::Ziplist(Ziplist::new(blob)?),
            _ => Pieces::Listpack(Listpack::new(blob)?),
        };
        match kind {
            10 => pieces.items(see),
            12 | 17 => pieces.scored(see),
            20 => pieces.members(see),
            _ => pieces.fields(false, see),
        }
    }

    /// A node of a quicklist: a ziplist.
    pub(super) fn ziplist_node(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let blob = cut.string()?.bytes(&mut self.blob)?;
        Pieces::Ziplist(Ziplist::new(blob)?).items(see)
    }

    /// A node of a newer quicklist: a plain element (1) or a listpack (2).
    pub(super) fn node(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let container = cut.length()?;
        let blob = cut.string()?.bytes(&mut self.blob)?;
        match container {
            1 => see(Element::Item(blob)),
            2 => Pieces::Listpack(Listpack::new(blob)?).items(see)?,
            _ => return Err(Fault::Malformed("quicklist")),
        }
        Ok(())
    }

    /// Field, value, expiry (0 for none).
    pub(super) fn timed_listpack(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let blob = cut.string()?.bytes(&mut self.blob)?;
        Pieces::Listpack(Listpack::new(blob)?).fields(true, see)
    }
}
