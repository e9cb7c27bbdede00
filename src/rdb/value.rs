//! Where a value ends, found without decoding it.
//!
//! Each type's layout is a few [`Op`]s (see `kind`); a [`Walk`] follows them over whatever bytes there
//! are. When they end in the middle it stays where they end, at most a few bytes before, and goes on from
//! there, inside a string too: a value that arrives in a thousand pieces is walked once, and none of them
//! need be kept. It allocates nothing, and no count in the file is believed: it only says how much is still
//! to be passed over.

use super::Dialect;
use super::cut::{Cut, TextHead};
use super::error::{Fault, RdbError};
use super::kind::{PRODUCERS, kind};

/// One step of a layout. A count is always a length in front of what it counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// A string.
    Str,
    /// So many numbers, written as lengths.
    Nums(u8),
    /// So many bytes.
    Raw(u8),
    /// A count of groups of so many strings.
    Strs(u8),
    /// A count of groups of so many bytes.
    Raws(u8),
    /// A count of such groups.
    Each(&'static [Op]),
    /// A score as text: its length, or 253 to 255 for nan, inf and -inf.
    Score,
    /// How a node of a quicklist is kept: 1 plain, 2 packed.
    Container,
    /// A module's fields up to the 0 that ends them.
    Fields,
    /// An array's count, flag and cells.
    Cells,
}

/// Deepest: stream, group or producer, consumer or idempotence id.
const DEPTH: usize = 4;

#[derive(Debug, Clone, Copy, Default)]
struct Frame {
    layout: &'static [Op],
    next: usize,
    /// How often the layout is still to be gone through, this time included.
    rounds: u64,
}

/// A value being passed over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    frames: [Frame; DEPTH],
    depth: usize,
    /// Strings, cells or fields of the piece under way that are still to come.
    left: Left,
    /// Bytes of the string or block under way that are still to come.
    skip: u64,
}

#[derive(Debug, Clone, Copy)]
enum Left {
    Nothing,
    Strings(u64),
    Cells(u64),
    Fields,
}

impl Walk {
    pub(super) fn new(layout: &'static [Op]) -> Walk {
        let mut frames = [Frame::default(); DEPTH];
        frames[0] = Frame {
            layout,
            next: 0,
            rounds: 1,
        };
        Walk {
            frames,
            depth: 1,
            left: Left::Nothing,
            skip: 0,
        }
    }

    /// Goes on to the end of the value. On [`Fault::Truncated`] the cut stands where it is to go on;
    /// call again when there is more.
    #[inline]
    pub(super) fn go(&mut self, cut: &mut Cut<'_>) -> Result<(), Fault> {
        self.finish_piece(cut)?;
        while let Some(op) = self.op() {
            let from = cut.at;
            if let Err(fault) = self.step(op, cut) {
                cut.at = from;
                return Err(fault);
            }
            self.finish_piece(cut)?;
        }
        Ok(())
    }

    /// The step that is due; `None` at the end.
    #[inline]
    fn op(&mut self) -> Option<Op> {
        while self.depth > 0 {
            let frame = &mut self.frames[self.depth - 1];
            if let Some(&op) = frame.layout.get(frame.next) {
                return Some(op);
            }
            frame.rounds -= 1;
            if frame.rounds > 0 {
                frame.next = 0;
            } else {
                self.depth -= 1;
            }
        }
        None
    }

    /// One step: done whole, or it left the walk as it was.
    #[inline]
    fn step(&mut self, op: Op, cut: &mut Cut<'_>) -> Result<(), Fault> {
        match op {
            Op::Str => self.skip = string(cut)?,
            Op::Nums(count) => {
                for _ in 0..count {
                    cut.length()?;
                }
            }
            Op::Raw(count) => {
                cut.take(u64::from(count))?;
            }
            Op::Raws(size) => {
                self.skip = times(cut.length()?, size)?;
            }
            Op::Strs(group) => self.left = Left::Strings(times(cut.length()?, group)?),
            Op::Cells => self.left = Left::Cells(cells(cut)?),
            Op::Fields => self.left = Left::Fields,
            Op::Score => score(cut)?,
            Op::Container => container(cut)?,
            Op::Each(layout) => return self.enter(layout, cut.length()?),
        }
        self.frames[self.depth - 1].next += 1;
        Ok(())
    }

    fn enter(&mut self, layout: &'static [Op], rounds: u64) -> Result<(), Fault> {
        self.frames[self.depth - 1].next += 1;
        if rounds == 0 {
            return Ok(());
        }
        let frame = self.frames.get_mut(self.depth).ok_or(Fault::Length)?;
        *frame = Frame {
            layout,
            next: 0,
            rounds,
        };
        self.depth += 1;
        Ok(())
    }

    /// The bytes and the many small things of one step, each a place to stop at.
    #[inline]
    fn finish_piece(&mut self, cut: &mut Cut<'_>) -> Result<(), Fault> {
        let Walk { left, skip, .. } = self;
        pass(cut, skip)?;
        match left {
            Left::Nothing => return Ok(()),
            Left::Strings(count) => {
                while *count > 0 {
                    *skip = string(cut)?;
                    *count -= 1;
                    pass(cut, skip)?;
                }
            }
            Left::Cells(count) => {
                while *count > 0 {
                    *skip = cut.whole(cell)?;
                    *count -= 1;
                    pass(cut, skip)?;
                }
            }
            Left::Fields => {
                while let Some(more) = cut.whole(field)? {
                    *skip = more;
                    pass(cut, skip)?;
                }
            }
        }
        self.left = Left::Nothing;
        Ok(())
    }
}

/// Passes over what is due of a string or a block.
#[inline]
fn pass(cut: &mut Cut<'_>, skip: &mut u64) -> Result<(), Fault> {
    if *skip > 0 {
        *skip = cut.pass(*skip);
        if *skip > 0 {
            return Err(Fault::Truncated);
        }
    }
    Ok(())
}

/// Passes over a string, or over what stands in front of it: then so many bytes are still to be passed.
#[inline]
fn string(cut: &mut Cut<'_>) -> Result<u64, Fault> {
    match cut.string() {
        Ok(_) => Ok(0),
        Err(Fault::Truncated) => Ok(match cut.text_head()? {
            TextHead::Plain(length) => length,
            TextHead::Int(_) => 0,
            TextHead::Lzf { packed, .. } => packed,
        }),
        Err(fault) => Err(fault),
    }
}

fn times(count: u64, size: u8) -> Result<u64, Fault> {
    count.checked_mul(u64::from(size)).ok_or(Fault::Length)
}

fn score(cut: &mut Cut<'_>) -> Result<(), Fault> {
    let length = cut.byte()?;
    if length < 253 {
        cut.take(u64::from(length))?;
    }
    Ok(())
}

fn container(cut: &mut Cut<'_>) -> Result<(), Fault> {
    match cut.length()? {
        1 | 2 => Ok(()),
        _ => Err(Fault::Malformed("quicklist")),
    }
}

/// One field of a module's value or metadata: how many bytes of it are still to be passed; `None` at the
/// end.
fn field(cut: &mut Cut<'_>) -> Result<Option<u64>, Fault> {
    match cut.length()? {
        0 => return Ok(None),
        1 | 2 => {
            cut.length()?;
        }
        3 => {
            cut.take(4)?;
        }
        4 => {
            cut.take(8)?;
        }
        5 => return string(cut).map(Some),
        _ => return Err(Fault::Malformed("module value")),
    }
    Ok(Some(0))
}

fn cells(cut: &mut Cut<'_>) -> Result<u64, Fault> {
    let count = cut.length()?;
    match cut.length()? {
        0 => {}
        1 => {
            cut.length()?;
        }
        _ => return Err(Fault::Malformed("array")),
    }
    Ok(count)
}

/// One cell: how many bytes of it are still to be passed.
fn cell(cut: &mut Cut<'_>) -> Result<u64, Fault> {
    cut.length()?;
    match cut.length()? {
        0 | 3 => string(cut),
        1 | 2 => cut.take(8).map(|_| 0),
        _ => Err(Fault::Malformed("array")),
    }
}

/// Passes over a module's fields (MODULE_AUX, KEY_META), which are seldom and small: whole or not at all.
pub(super) fn skip_fields(cut: &mut Cut<'_>) -> Result<(), Fault> {
    while let Some(more) = field(cut)? {
        cut.take(more)?;
    }
    Ok(())
}

/// Passes over what follows a stream's groups from RDB 13 on: who sent what, against sending it twice.
pub(super) fn skip_producers(cut: &mut Cut<'_>) -> Result<(), Fault> {
    Walk::new(PRODUCERS).go(cut)
}

/// How many of the bytes are the value of that type; `None` when they end before it does.
///
/// # Errors
/// When the type is not known or the bytes cannot be such a value.
pub fn value_length(dialect: Dialect, number: u8, bytes: &[u8]) -> Result<Option<usize>, RdbError> {
    let kind = kind(dialect, number).map_err(|fault| fault.at(0))?;
    let mut cut = Cut::new(bytes, 0);
    match Walk::new(kind.layout).go(&mut cut) {
        Ok(()) => Ok(Some(cut.at)),
        Err(Fault::Truncated) => Ok(None),
        Err(fault) => Err(fault.at(cut.at as u64)),
    }
}

#[cfg(test)]
mod tests;
