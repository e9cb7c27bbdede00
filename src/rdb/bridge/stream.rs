//! Streams in an older layout: what the target has no place for is left out, all else copied.
//!
//! Version 2 (type 19) added counters, 3 (21) when a consumer was last active, 4 (26) what producers
//! sent before, 5 (27) entries that were handed back and belong to no consumer. Counters and times
//! are worked out anew by older servers or unknown to them, so only the last two count as lost. In a
//! layout before 5 no pending entry may be without a consumer (Redis would take the value for damaged
//! or crash on it), so those handed back go to the group's first one: they stay pending.

use super::super::cut::Cut;
use super::super::decode::StreamId;
use super::super::error::{Fault, RdbError};
use super::super::item::Entry;
use super::super::payload::{append_length, append_string};
use super::super::value::skip_producers;
use super::Losses;

/// Who gets what was handed back in a group without consumers.
const KEEPER: &[u8] = b"handed-back";

const ID_BYTES: u64 = 16;

/// A number of the layout: 1 to 5.
fn layout(kind: u8) -> u8 {
    match kind {
        15 => 1,
        19 => 2,
        21 => 3,
        26 => 4,
        _ => 5,
    }
}

/// Appends the value of a stream as that type, which is its own or an older one.
pub(super) fn append(
    entry: &Entry<'_>,
    to: u8,
    lost: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), RdbError> {
    let mut copy = Copy::new(entry, to, out);
    copy.whole(lost)
        .map_err(|fault| fault.at(copy.cut.at as u64))
}

/// As [`append`], but without entries and as if none had ever been added; groups, what is pending in
/// them and consumers are there. Gives what the entries leave behind.
pub(in crate::rdb) fn append_skeleton(
    entry: &Entry<'_>,
    to: u8,
    lost: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<Counters, RdbError> {
    let mut copy = Copy::new(entry, to, out);
    copy.skeleton(lost)
        .map_err(|fault| fault.at(copy.cut.at as u64))
}

/// What a stream knows of itself besides its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rdb) struct Counters {
    pub(in crate::rdb) last: StreamId,
    /// The largest deleted id and how many entries were ever added, from the second layout on.
    pub(in crate::rdb) deleted_and_added: Option<(StreamId, u64)>,
}

/// A copy under way.
struct Copy<'a, 'o> {
    cut: Cut<'a>,
    /// From here on nothing was copied yet.
    from: usize,
    has: u8,
    wants: u8,
    out: &'o mut Vec<u8>,
}

impl<'a, 'o> Copy<'a, 'o> {
    fn new(entry: &Entry<'a>, to: u8, out: &'o mut Vec<u8>) -> Copy<'a, 'o> {
        Copy {
            cut: Cut::new(entry.value, 0),
            from: 0,
            has: layout(entry.kind),
            wants: layout(to),
            out,
        }
    }

    fn whole(&mut self, lost: &mut Losses) -> Result<(), Fault> {
        self.pass_nodes()?;
        numbers(&mut self.cut, 3)?;
        self.keep();
        self.since(2, |cut| numbers(cut, 5))?;
        self.groups(lost)
    }

    fn skeleton(&mut self, lost: &mut Losses) -> Result<Counters, Fault> {
        self.pass_nodes()?;
        self.cut.length()?;
        let last = (self.cut.length()?, self.cut.length()?);
        let deleted_and_added = if self.has >= 2 {
            numbers(&mut self.cut, 2)?;
            let deleted = (self.cut.length()?, self.cut.length()?);
            Some((deleted, self.cut.length()?))
        } else {
            None
        };
        self.from = self.cut.at;
        // No nodes, no length, no ids.
        let zeros = if self.wants >= 2 { 9 } else { 4 };
        self.out.resize(self.out.len() + zeros, 0);
        self.groups(lost)?;
        Ok(Counters {
            last,
            deleted_and_added,
        })
    }

    fn pass_nodes(&mut self) -> Result<(), Fault> {
        for _ in 0..self.cut.length()? {
            self.cut.string()?;
            self.cut.string()?;
        }
        Ok(())
    }

    fn groups(&mut self, lost: &mut Losses) -> Result<(), Fault> {
        for _ in 0..self.cut.length()? {
            self.group(lost)?;
        }
        self.keep();
        if self.has >= 4 && self.wants < 4 {
            lost.idempotence |= has_producers(self.cut)?;
        }
        self.since(4, skip_producers)?;
        if self.cut.is_at_end() {
            Ok(())
        } else {
            Err(Fault::Trailing)
        }
    }

    fn group(&mut self, lost: &mut Losses) -> Result<(), Fault> {
        self.cut.string()?;
        numbers(&mut self.cut, 2)?;
        self.keep();
        self.since(2, |cut| numbers(cut, 1))?;
        for _ in 0..self.cut.length()? {
            self.cut.take(ID_BYTES + 8)?;
            self.cut.length()?;
        }
        self.keep();
        let homeless = self.homeless()?;
        lost.handed_back |= !homeless.is_empty();
        self.consumers(homeless)?;
        self.since(5, |cut| ids(cut).map(drop))
    }

    /// What was handed back in this group, where the target must have it at a consumer.
    fn homeless(&self) -> Result<&'a [u8], Fault> {
        if self.has < 5 || self.wants >= 5 {
            return Ok(&[]);
        }
        let mut ahead = self.cut;
        for _ in 0..ahead.length()? {
            ahead.string()?;
            ahead.take(16)?;
            ids(&mut ahead)?;
        }
        ids(&mut ahead)
    }

    fn consumers(&mut self, mut homeless: &[u8]) -> Result<(), Fault> {
        let count = self.cut.length()?;
        if count == 0 && !homeless.is_empty() {
            self.from = self.cut.at;
            self.keeper(homeless);
            return Ok(());
        }
        for _ in 0..count {
            self.cut.string()?;
            self.cut.take(8)?;
            self.keep();
            self.since(3, |cut| cut.take(8).map(drop))?;
            let owned = ids(&mut self.cut)?;
            self.from = self.cut.at;
            append_length((owned.len() + homeless.len()) as u64 / ID_BYTES, self.out);
            self.out.extend_from_slice(owned);
            self.out.extend_from_slice(homeless);
            homeless = &[];
        }
        self.keep();
        Ok(())
    }

    /// A consumer that never asked for anything.
    fn keeper(&mut self, homeless: &[u8]) {
        append_length(1, self.out);
        append_string(KEEPER, self.out);
        self.out.extend_from_slice(&[0; 8]);
        if self.wants >= 3 {
            self.out.extend_from_slice(&(-1_i64).to_le_bytes());
        }
        append_length(homeless.len() as u64 / ID_BYTES, self.out);
        self.out.extend_from_slice(homeless);
    }

    /// Copies what was passed over.
    fn keep(&mut self) {
        let passed = &self.cut.bytes[self.from..self.cut.at];
        self.out.extend_from_slice(passed);
        self.from = self.cut.at;
    }

    /// Passes over what layouts have from that one on, and copies it where the target's has it too.
    fn since(
        &mut self,
        layout: u8,
        pass: impl FnOnce(&mut Cut<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if self.has < layout {
            return Ok(());
        }
        self.keep();
        pass(&mut self.cut)?;
        if self.wants >= layout {
            self.keep();
        } else {
            self.from = self.cut.at;
        }
        Ok(())
    }
}

fn numbers(cut: &mut Cut<'_>, count: u8) -> Result<(), Fault> {
    for _ in 0..count {
        cut.length()?;
    }
    Ok(())
}

/// A count of ids; gives the ids.
fn ids<'a>(cut: &mut Cut<'a>) -> Result<&'a [u8], Fault> {
    let count = cut.length()?;
    cut.take(count.checked_mul(ID_BYTES).ok_or(Fault::Length)?)
}

fn has_producers(mut cut: Cut<'_>) -> Result<bool, Fault> {
    numbers(&mut cut, 2)?;
    Ok(cut.length()? > 0)
}
