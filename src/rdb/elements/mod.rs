//! Big values as commands that build them up piece by piece.
//!
//! RESTORE blocks a server for as long as it takes to load the value: most of a second for a hash of a
//! million fields, and more than `proto-max-bulk-len` is refused outright. So big values are sent as
//! RPUSH, SADD, ZADD, HSET, XADD, APPEND in batches that are taken one after the other, while the value's
//! bytes come: what it takes is memory for one batch, for what was pushed last and for one element or packed
//! node, whichever is larger. What must be known of all of a value before its first element goes (what stands
//! behind a stream's entries, when fields expire) an [`Outline`] finds in a round before.
//!
//! A stream begins as a RESTORE of itself without entries: groups, pending entries and consumers come
//! back exactly, also those whose entries were deleted, which no command could build; only what is
//! pending still comes in one piece. A field whose expiry is past is deleted by the server at once, and
//! with the last of them the key: there is nothing to rename then.

mod batch;
mod build;
mod outline;

pub use batch::{Batch, Command};
pub use outline::Outline;

use self::build::Build;
use super::Family;
use super::bridge::{Accepts, Bridged, Counters, Losses, Reason, append_skeleton, bridge, unfit};
use super::decode::{Arriving, Came};
use super::error::RdbError;
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

/// A value that is taken apart as it comes.
pub struct Elements {
    arriving: Arriving,
    limits: Limits,
    lost: Losses,
    batch: Batch,
    first: Option<First>,
    /// What is said of a stream behind its entries.
    last: Option<Counters>,
    keeps_counters: bool,
    /// So many ms later do fields expire.
    later_ms: u64,
}

/// What comes before all elements.
enum First {
    /// What an interrupted build left behind goes.
    Unlink,
    /// A string takes its place by itself.
    Set,
    /// A stream without its entries.
    Skeleton(Vec<u8>),
}

impl Elements {
    /// Takes apart a value that is there whole for that server, or says why it cannot be.
    ///
    /// # Errors
    /// When its type is not known or its value is damaged.
    pub fn of(
        entry: &Entry<'_>,
        accepts: Accepts,
        limits: Limits,
    ) -> Result<Result<Elements, Reason>, RdbError> {
        let mut outline = Outline::of(entry)?;
        if outline.wants_bytes() {
            outline.push(entry.value)?;
        }
        Ok(match Elements::begin(&outline, accepts, limits)? {
            Err(reason) => Err(reason),
            Ok(mut elements) => {
                elements.push(entry.value);
                elements.close();
                Ok(elements)
            }
        })
    }

    /// The same of one whose bytes are pushed as they come, once its outline is known.
    ///
    /// # Errors
    /// When its type is not known or what was seen of its value is damaged.
    pub fn begin(
        outline: &Outline,
        accepts: Accepts,
        limits: Limits,
    ) -> Result<Result<Elements, Reason>, RdbError> {
        let entry = &outline.entry()?;
        if let Some(reason) = unfit(entry, outline.expiries(), accepts)? {
            return Ok(Err(reason));
        }
        let mut lost = Losses {
            metadata: !entry.meta.is_empty(),
            ..Losses::default()
        };
        let (first, last) = match family(entry.dialect, entry.kind)? {
            Family::Text => (First::Set, None),
            Family::Stream => skeleton(entry, accepts, outline.has_entries(), &mut lost)?,
            _ => (First::Unlink, None),
        };
        Ok(Ok(Elements {
            arriving: Arriving::new(entry.dialect, entry.kind)?,
            limits,
            lost,
            batch: Batch::default(),
            first: Some(first),
            last,
            keeps_counters: accepts.rdb >= COUNTERS_SINCE,
            later_ms: 0,
        }))
    }

    /// The same, and fields that expire do so by so many ms later.
    #[must_use]
    pub fn later(self, by_ms: u64) -> Elements {
        Elements {
            later_ms: by_ms,
            ..self
        }
    }

    /// Takes the next bytes of the value.
    pub fn push(&mut self, bytes: &[u8]) {
        self.arriving.push(bytes);
    }

    /// Says that all of it was pushed.
    pub fn close(&mut self) {
        self.arriving.close();
    }

    /// What has no place in commands, or none on that server.
    pub fn lost(&self) -> Losses {
        self.lost
    }

    /// The next commands; `None` when more must be pushed or, once it was closed, when the value is whole.
    /// After an error it never will be.
    ///
    /// # Errors
    /// When the value is damaged.
    pub fn next_batch(&mut self) -> Result<Option<&Batch>, RdbError> {
        self.batch.clear();
        let mut build = Build::new(&mut self.batch, self.limits, self.later_ms);
        let mut came = Came::Some;
        match self.first.take() {
            None => {}
            Some(First::Set) => build.set(),
            Some(First::Unlink) => build.command(&[b"UNLINK"]),
            Some(First::Skeleton(payload)) => {
                build.command(&[b"RESTORE", b"0", &payload, b"REPLACE"]);
            }
        }
        while came == Came::Some && !build.is_full() {
            came = self.arriving.next(&mut |shown| build.take(shown))?;
        }
        build.close();
        if let Some(counters) = self.last.take_if(|_| came == Came::End) {
            settle(&counters, self.keeps_counters, &mut build);
        }
        let is_over = self.batch.commands().len() == 0;
        Ok((!is_over).then_some(&self.batch))
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

/// The last id and, where the server has them, the counters; both may be ahead of the entries.
fn settle(counters: &Counters, keeps_counters: bool, build: &mut Build<'_>) {
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
            build.command(&words.map(str::as_bytes));
        }
        _ => build.command(&[b"XSETID", last.as_bytes()]),
    }
}

#[cfg(test)]
mod tests;
