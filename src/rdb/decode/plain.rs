//! Values whose elements are strings of the file, one after the other.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::{Buffers, Element};

/// How a field's expiry is written; the two functions read what stands before and behind the pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expiry {
    least: u64,
    at: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    None,
    /// A length in front: the time itself, or 0.
    Before,
    /// A length in front: 0 for none, else how far after the least, and 1.
    AfterLeast,
    /// Eight bytes behind, -1 for none.
    Behind,
}

pub(super) const NO_EXPIRY: Expiry = at(Place::None);
/// Redis 7.4 release candidates, type 22.
pub(super) const ABSOLUTE: Expiry = at(Place::Before);
/// Valkey, type 22.
pub(super) const TRAILING: Expiry = at(Place::Behind);

const fn at(at: Place) -> Expiry {
    Expiry { least: 0, at }
}

/// Redis from 7.4 on, type 24.
pub(super) const fn from_least(least: u64) -> Expiry {
    Expiry {
        least,
        at: Place::AfterLeast,
    }
}

impl Expiry {
    fn before(self, cut: &mut Cut<'_>) -> Result<Option<u64>, Fault> {
        match self.at {
            Place::None | Place::Behind => Ok(None),
            Place::Before => Ok(Some(cut.length()?).filter(|&ms| ms > 0)),
            Place::AfterLeast => match cut.length()? {
                0 => Ok(None),
                more => {
                    let ms = self.least.checked_add(more - 1).ok_or(Fault::Length)?;
                    Ok(Some(ms))
                }
            },
        }
    }

    fn behind(self, cut: &mut Cut<'_>) -> Result<Option<u64>, Fault> {
        match self.at {
            Place::Behind => Ok(u64::try_from(i64::from_le_bytes(cut.array()?)).ok()),
            _ => Ok(None),
        }
    }
}

impl Buffers {
    pub(super) fn field(
        &mut self,
        cut: &mut Cut<'_>,
        expiry: Expiry,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let before = expiry.before(cut)?;
        let field = cut.string()?.bytes(&mut self.one)?;
        let value = cut.string()?.bytes(&mut self.two)?;
        let expires_ms = before.or(expiry.behind(cut)?);
        see(Element::Field {
            field,
            value,
            expires_ms,
        });
        Ok(())
    }

    pub(super) fn scored(
        &mut self,
        cut: &mut Cut<'_>,
        score: impl Fn(&mut Cut<'_>) -> Result<f64, Fault>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let member = cut.string()?.bytes(&mut self.one)?;
        let score = number(score(cut)?)?;
        see(Element::Scored { member, score });
        Ok(())
    }
}

/// Its length and its digits; 253 to 255 stand for nan, inf and -inf.
pub(super) fn text_score(cut: &mut Cut<'_>) -> Result<f64, Fault> {
    match cut.byte()? {
        253 => Ok(f64::NAN),
        254 => Ok(f64::INFINITY),
        255 => Ok(f64::NEG_INFINITY),
        length => parse_score(cut.take(u64::from(length))?),
    }
}

pub(super) fn binary_score(cut: &mut Cut<'_>) -> Result<f64, Fault> {
    Ok(f64::from_le_bytes(cut.array()?))
}

/// The digits of a score; also `inf`, `-inf` and exponents.
pub(super) fn parse_score(text: &[u8]) -> Result<f64, Fault> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Fault::Malformed("score"))
}

/// Servers refuse a NaN wherever one could come from.
pub(super) fn number(score: f64) -> Result<f64, Fault> {
    if score.is_nan() {
        Err(Fault::Malformed("score"))
    } else {
        Ok(score)
    }
}
