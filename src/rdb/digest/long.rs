//! The hash of a key whose value comes in parts: its elements are summed as they come, a string or an
//! opaque value is hashed piece by piece, and what was summed is held no more.

use xxhash_rust::xxh3::Xxh3;

use super::super::Family;
use super::super::decode::{Arriving, Came, Element, Shown};
use super::super::error::RdbError;
use super::super::item::{Entry, Part, Place};
use super::super::kind::family;
use super::{Digester, OPAQUE, Sum, TEXT};

/// A value under way.
#[derive(Debug)]
pub(super) struct Long {
    arriving: Arriving,
    family: Family,
    sum: Sum,
    /// The one element of a string or an opaque value.
    pieces: Option<Box<Pieces>>,
    fields_expire: bool,
}

struct Pieces(Xxh3);

/// A value that came in parts, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Folded {
    /// What [`Digester::hash`] would have given for the whole.
    pub hash: u128,
    /// Whether any field of it expires by itself.
    pub fields_expire: bool,
}

impl Digester {
    /// The hash of an entry that is whole, or of which this is the last part; the others are taken in.
    ///
    /// # Errors
    /// When its value cannot be decoded.
    pub fn fold(
        &mut self,
        entry: &Entry<'_>,
        place: Option<Place>,
    ) -> Result<Option<u128>, RdbError> {
        let Some(place) = place else {
            return self.hash(entry).map(Some);
        };
        let entry = entry.clone();
        let folded = self.part(&Part { entry, place })?;
        Ok(folded.map(|folded| folded.hash))
    }

    /// Takes the next part of an entry, the first first; gives the whole with the last.
    ///
    /// # Errors
    /// When its value cannot be decoded.
    pub fn part(&mut self, part: &Part<'_>) -> Result<Option<Folded>, RdbError> {
        let entry = &part.entry;
        let mut long = match (part.place, self.long.take()) {
            (Place::Middle | Place::Last, Some(long)) => long,
            _ => Long::new(family(entry.dialect, entry.kind)?, part)?,
        };
        long.take(part, &mut self.frame)?;
        if part.place != Place::Last {
            self.long = Some(long);
            return Ok(None);
        }
        let mut sum = long.sum;
        if let Some(pieces) = &long.pieces {
            sum.add_hash(pieces.0.digest128(), false);
        }
        Ok(Some(Folded {
            hash: sum.of_key(entry, long.family, &mut self.frame),
            fields_expire: long.fields_expire,
        }))
    }
}

impl Long {
    fn new(family: Family, part: &Part<'_>) -> Result<Long, RdbError> {
        let tag = match family {
            Family::Text => Some(TEXT),
            Family::Module | Family::Array => Some(OPAQUE),
            _ => None,
        };
        Ok(Long {
            arriving: Arriving::new(part.entry.dialect, part.entry.kind)?,
            family,
            sum: Sum::default(),
            pieces: tag.map(|tag| {
                let mut hash = Xxh3::new();
                hash.update(&[tag]);
                Box::new(Pieces(hash))
            }),
            fields_expire: false,
        })
    }

    fn take(&mut self, part: &Part<'_>, frame: &mut Vec<u8>) -> Result<(), RdbError> {
        let Long {
            arriving,
            sum,
            pieces,
            fields_expire,
            ..
        } = self;
        arriving.push(part.entry.value);
        if part.place == Place::Last {
            arriving.close();
        }
        let mut see = |shown: Shown<'_>| match (shown, pieces.as_mut()) {
            (Shown::Bytes(bytes), Some(pieces)) => pieces.0.update(bytes),
            (Shown::Bytes(_), None) => {}
            (Shown::Element(element), _) => {
                let is_timed = matches!(
                    element,
                    Element::Field {
                        expires_ms: Some(_),
                        ..
                    }
                );
                *fields_expire |= is_timed;
                sum.add(element, frame);
            }
        };
        while arriving.next(&mut see)? == Came::Some {}
        Ok(())
    }
}

impl std::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pieces")
    }
}
