//! What the walk found, as it is given away: borrowed from the reader's buffer.

use std::ops::Range;

use super::super::cut::Cut;
use super::super::dialect::Dialect;
use super::super::error::{Fault, RdbError};
use super::super::item::{Entry, Item, Part, Place};
use super::{Found, Head, Long, Reader, Stage, Step};

impl Reader {
    /// Whether a part of the value under way is to be given: what of it was walked over is not kept.
    pub(super) fn due_part(&mut self) -> Result<Option<Place>, RdbError> {
        let (Some(window), Stage::Value(_)) = (self.window, self.stage) else {
            return Ok(None);
        };
        if let Some(long) = &self.long {
            return Ok((self.at > long.given).then_some(Place::Middle));
        }
        if self.at - self.head.value_at < window {
            return Ok(None);
        }
        let place = (self.dialect, self.db, self.held.base, self.start..self.at);
        let bytes = &self.held.bytes()[..self.index(self.at)];
        let head = entry(bytes, self.head.clone(), place, &mut self.scratch[0]);
        let head = head.map_err(|fault| fault.at(self.at))?;
        self.long = Some(Long {
            key: head.key.to_vec(),
            meta: head.meta.to_vec(),
            given: self.head.value_at,
        });
        Ok(Some(Place::First))
    }

    /// What was walked over of a long value since the last part.
    pub(super) fn part(&mut self, place: Place) -> Item<'_> {
        let head = match place {
            Place::Last => std::mem::take(&mut self.head),
            Place::First | Place::Middle => self.head.clone(),
        };
        let at = self.at;
        let given = self.long.as_mut().map_or(at, |long| {
            let given = long.given;
            long.given = at;
            given
        });
        let value = &self.held.bytes()[self.index(given)..self.index(at)];
        let (key, meta) = match &self.long {
            Some(long) => (long.key.as_slice(), long.meta.as_slice()),
            None => (&[][..], &[][..]),
        };
        let entry = Entry {
            dialect: self.dialect,
            db: self.db,
            key,
            kind: head.kind,
            value,
            meta,
            expires_ms: head.expires_ms,
            freq: head.freq,
            idle_s: head.idle_s,
            range: self.start..at,
        };
        Item::Part(Part { entry, place })
    }

    /// What was found, borrowed from the buffer.
    #[inline]
    pub(super) fn item(&mut self, found: Found) -> Result<Step<'_>, RdbError> {
        if matches!(found, Found::Entry) && self.long.is_some() {
            return Ok(Step::Item(self.part(Place::Last)));
        }
        let (at, body) = (self.at, self.index(self.start) + 1);
        let bytes = &self.held.bytes()[..self.index(at)];
        let [one, two] = &mut self.scratch;
        let mut cut = Cut::new(bytes, body);
        let item = match found {
            Found::Header => Ok(Item::Header(self.dialect)),
            Found::Aux => aux(&mut cut, one, two),
            Found::SelectDb => Ok(Item::SelectDb(self.db)),
            Found::Resize { keys, expires } => Ok(Item::Resize { keys, expires }),
            Found::Slot(info) => Ok(Item::Slot(info)),
            Found::SlotImport => Ok(Item::SlotImport(&bytes[body..])),
            Found::Function => cut
                .string()
                .and_then(|text| text.bytes(one))
                .map(Item::Function),
            Found::ModuleAux => Ok(Item::ModuleAux(&bytes[body..])),
            Found::Entry => {
                let head = std::mem::take(&mut self.head);
                let place = (self.dialect, self.db, self.held.base, self.start..at);
                entry(bytes, head, place, one).map(Item::Entry)
            }
            Found::End(crc) => Ok(Item::End { crc }),
            Found::Nothing => return Ok(Step::Done),
        };
        item.map(Step::Item).map_err(|fault| {
            let error = fault.at(at);
            self.failed = Some(error);
            error
        })
    }
}

fn aux<'a>(
    cut: &mut Cut<'a>,
    one: &'a mut Vec<u8>,
    two: &'a mut Vec<u8>,
) -> Result<Item<'a>, Fault> {
    Ok(Item::Aux {
        key: cut.string()?.bytes(one)?,
        value: cut.string()?.bytes(two)?,
    })
}

#[inline]
fn entry<'a>(
    bytes: &'a [u8],
    head: Head,
    (dialect, db, base, range): (Dialect, u64, u64, Range<u64>),
    scratch: &'a mut Vec<u8>,
) -> Result<Entry<'a>, Fault> {
    let index = |at: u64| (at - base) as usize;
    let meta = if head.meta.is_empty() {
        &[]
    } else {
        &bytes[index(head.meta.start)..index(head.meta.end)]
    };
    Ok(Entry {
        dialect,
        db,
        key: Cut::new(bytes, index(head.key_at))
            .string()?
            .bytes(scratch)?,
        kind: head.kind,
        value: &bytes[index(head.value_at)..],
        meta,
        expires_ms: head.expires_ms,
        freq: head.freq,
        idle_s: head.idle_s,
        range,
    })
}
