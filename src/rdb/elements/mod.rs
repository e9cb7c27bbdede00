//! Big values as commands that build them up piece by piece.
//!
//! RESTORE blocks a server for as long as it takes to load the value: most of a second for a hash of a
//! million fields, and more than `proto-max-bulk-len` is refused outright. So big values are sent as
//! RPUSH, SADD, ZADD, HSET, XADD, APPEND in batches that are taken one after the other and need, beside
//! the value's bytes, memory for one batch or one packed node, whichever is larger, and for a
//! compressed string unpacked.
//!
//! A stream begins as a RESTORE of itself without entries: groups, pending entries and consumers come
//! back exactly, also those whose entries were deleted, which no command could build; only what is
//! pending still comes in one piece. A field whose expiry is past is deleted by the server at once, and
//! with the last of them the key: there is nothing to rename then.

mod batch;
mod build;

use std::borrow::Cow;

pub use batch::{Batch, Command};

use self::build::Build;
use super::Family;
use super::bridge::{Accepts, Bridged, Counters, Losses, Reason, append_skeleton, bridge, unfit};
use super::cut::{Cut, Text};
use super::decode::Units;
use super::error::{Fault, RdbError};
use super::item::Entry;
use super::kind::family;

/// XSETID takes a stream's counters from this version on (Redis 7.0).
const COUNTERS_SINCE: u16 = 10;

/// How large pieces may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a command's words; a single element may have more.
    pub bytes: usize,
    /// Elements of a command.
    pub items: usize,
}

/// A value that is taken apart.
pub struct Elements<'a> {
    source: Source<'a>,
    limits: Limits,
    lost: Losses,
    batch: Batch,
}

enum Source<'a> {
    Text {
        text: Cow<'a, [u8]>,
        /// How much of it was given; `None` before the first piece, which may be empty.
        given: Option<usize>,
    },
    Units {
        units: Units<'a>,
        first: Option<First>,
        /// What is said of a stream behind its entries.
        last: Option<Counters>,
        keeps_counters: bool,
    },
}

/// What comes before all elements.
enum First {
    /// What an interrupted build left behind goes.
    Unlink,
    /// A stream without its entries.
    Skeleton(Vec<u8>),
}

impl<'a> Elements<'a> {
    /// Takes apart a value for that server, or says why it cannot be.
    ///
    /// # Errors
    /// When its type is not known or its value is damaged.
    pub fn of(
        entry: &Entry<'a>,
        accepts: Accepts,
        limits: Limits,
    ) -> Result<Result<Elements<'a>, Reason>, RdbError> {
        if let Some(reason) = unfit(entry, accepts)? {
            return Ok(Err(reason));
        }
        let mut lost = Losses {
            metadata: !entry.meta.is_empty(),
            ..Losses::default()
        };
        Ok(Ok(Elements {
            source: source(entry, accepts, &mut lost)?,
            limits,
            lost,
            batch: Batch::default(),
        }))
    }

    /// What has no place in commands, or none on that server.
    pub fn lost(&self) -> Losses {
        self.lost
    }

    /// The next commands; `None` when the value is whole. After an error it never will be.
    ///
    /// # Errors
    /// When the value is damaged.
    pub fn next_batch(&mut self) -> Result<Option<&Batch>, RdbError> {
        self.batch.clear();
        let limits = self.limits;
        match &mut self.source {
            Source::Text { text, given } => *given = piece(text, *given, limits, &mut self.batch),
            Source::Units {
                units,
                first,
                last,
                keeps_counters,
            } => {
                begin(first.take(), &mut self.batch);
                let mut build = Build::new(&mut self.batch, limits);
                let mut more = true;
                while more && !build.is_full() {
                    more = units.next(&mut |element| build.take(element))?;
                }
                build.close();
                if let Some(counters) = last.take_if(|_| !more) {
                    settle(&counters, *keeps_counters, &mut self.batch);
                }
            }
        }
        let is_over = self.batch.commands().len() == 0;
        Ok((!is_over).then_some(&self.batch))
    }
}

fn source<'a>(
    entry: &Entry<'a>,
    accepts: Accepts,
    lost: &mut Losses,
) -> Result<Source<'a>, RdbError> {
    let family = family(entry.dialect, entry.kind)?;
    if family == Family::Text {
        return Ok(Source::Text {
            text: text_of(entry.value)?,
            given: None,
        });
    }
    let units = Units::new(entry.dialect, entry.kind, entry.value)?;
    let (first, last) = match family {
        Family::Stream => skeleton(entry, accepts, !units.is_over(), lost)?,
        _ => (First::Unlink, None),
    };
    Ok(Source::Units {
        units,
        first: Some(first),
        last,
        keeps_counters: accepts.rdb >= COUNTERS_SINCE,
    })
}

/// A string, unpacked when it is compressed.
fn text_of(value: &[u8]) -> Result<Cow<'_, [u8]>, RdbError> {
    let mut cut = Cut::new(value, 0);
    let mut unpacked = Vec::new();
    let text = cut.string().and_then(|text| match text {
        Text::Plain(text) => Ok(Cow::Borrowed(text)),
        other => {
            other.bytes(&mut unpacked)?;
            Ok(Cow::Owned(unpacked))
        }
    });
    match text {
        Ok(_) if !cut.is_at_end() => Err(Fault::Trailing.at(cut.at as u64)),
        text => text.map_err(|fault| fault.at(cut.at as u64)),
    }
}

/// A stream without its entries, and what is to be said behind them; all of it when it has none.
fn skeleton(
    entry: &Entry<'_>,
    accepts: Accepts,
    has_entries: bool,
    lost: &mut Losses,
) -> Result<(First, Option<Counters>), RdbError> {
    let mut payload = Vec::new();
    if has_entries {
        let counters = append_skeleton(entry, accepts, lost, &mut payload)?;
        return Ok((First::Skeleton(payload), Some(counters)));
    }
    let bare = Entry {
        meta: &[],
        ..entry.clone()
    };
    if let Bridged::Transcoded { lost: also, .. } = bridge(&bare, accepts, &mut payload)? {
        lost.idempotence |= also.idempotence;
        lost.handed_back |= also.handed_back;
    }
    Ok((First::Skeleton(payload), None))
}

fn begin(first: Option<First>, batch: &mut Batch) {
    match first {
        None => {}
        Some(First::Unlink) => command(&[b"UNLINK"], batch),
        Some(First::Skeleton(payload)) => command(&[b"RESTORE", b"0", &payload, b"REPLACE"], batch),
    }
}

/// The next piece of a string; how much was given with it.
fn piece(text: &[u8], given: Option<usize>, limits: Limits, batch: &mut Batch) -> Option<usize> {
    let from = given.unwrap_or(0);
    let to = from.saturating_add(limits.bytes.max(1)).min(text.len());
    match given {
        None => command(&[b"SET", &text[..to]], batch),
        Some(_) if from < to => command(&[b"APPEND", &text[from..to]], batch),
        Some(_) => {}
    }
    Some(to)
}

/// The last id and, where the server has them, the counters; both may be ahead of the entries.
fn settle(counters: &Counters, keeps_counters: bool, batch: &mut Batch) {
    let last = build::text(counters.last);
    match counters.deleted_and_added {
        Some((deleted, added)) if keeps_counters => {
            let (deleted, added) = (build::text(deleted), added.to_string());
            let words = [
                "XSETID",
                &last,
                "ENTRIESADDED",
                &added,
                "MAXDELETEDID",
                &deleted,
            ];
            command(&words.map(str::as_bytes), batch);
        }
        _ => command(&[b"XSETID", last.as_bytes()], batch),
    }
}

fn command(words: &[&[u8]], batch: &mut Batch) {
    for word in words {
        batch.word(word);
    }
    batch.end();
}

#[cfg(test)]
mod tests;
