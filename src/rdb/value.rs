//! Where a value ends, found without decoding it.
//!
//! Each type's layout is a few [`Op`]s (see `kind`); a [`Walk`] follows them over whatever bytes there
//! are. When they end in the middle it stays at the last whole piece and goes on from there: a list of
//! a million elements that arrives in a thousand pieces is walked once. It allocates nothing, and no
//! count in the file is believed: it only says how many pieces are still to be passed over.

use super::Dialect;
use super::cut::Cut;
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
        }
    }

    /// Goes on to the end of the value. On [`Fault::Truncated`] the cut stands behind the last whole
    /// piece; call again when there is more.
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
            Op::Str => {
                cut.string()?;
            }
            Op::Nums(count) => {
                for _ in 0..count {
                    cut.length()?;
                }
            }
            Op::Raw(count) => {
                cut.take(u64::from(count))?;
            }
            Op::Raws(size) => {
                let count = cut.length()?;
                cut.take(times(count, size)?)?;
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

    /// The many small things of one step, each a place to stop at.
    #[inline]
    fn finish_piece(&mut self, cut: &mut Cut<'_>) -> Result<(), Fault> {
        match &mut self.left {
            Left::Nothing => return Ok(()),
            Left::Strings(count) => {
                while *count > 0 {
                    cut.string()?;
                    *count -= 1;
                }
            }
            Left::Cells(count) => {
                while *count > 0 {
                    whole(cut, cell)?;
                    *count -= 1;
                }
            }
            Left::Fields => while whole(cut, field)? {},
        }
        self.left = Left::Nothing;
        Ok(())
    }
}

fn times(count: u64, size: u8) -> Result<u64, Fault> {
    count.checked_mul(u64::from(size)).ok_or(Fault::Length)
}

/// Does one thing whole, or leaves the cut where it was.
fn whole<'a, T>(
    cut: &mut Cut<'a>,
    read: impl Fn(&mut Cut<'a>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let from = cut.at;
    let done = read(cut);
    if done.is_err() {
        cut.at = from;
    }
    done
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

/// One field of a module's value or metadata; whether more follow.
fn field(cut: &mut Cut<'_>) -> Result<bool, Fault> {
    match cut.length()? {
        0 => return Ok(false),
        1 | 2 => {
            cut.length()?;
        }
        3 => {
            cut.take(4)?;
        }
        4 => {
            cut.take(8)?;
        }
        5 => {
            cut.string()?;
        }
        _ => return Err(Fault::Malformed("module value")),
    }
    Ok(true)
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

fn cell(cut: &mut Cut<'_>) -> Result<(), Fault> {
    cut.length()?;
    match cut.length()? {
        0 | 3 => {
            cut.string()?;
        }
        1 | 2 => {
            cut.take(8)?;
        }
        _ => return Err(Fault::Malformed("array")),
    }
    Ok(())
}

/// Passes over a module's fields (MODULE_AUX, KEY_META), which are seldom and small: whole or not at all.
pub(super) fn skip_fields(cut: &mut Cut<'_>) -> Result<(), Fault> {
    while field(cut)? {}
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REDIS: Dialect = Dialect::redis(16);
    const VALKEY: Dialect = Dialect::valkey(80);

    /// One value of every layout.
    fn values() -> Vec<(Dialect, u8, Vec<u8>)> {
        let group = [1, b'g', 5, 0, 0x40, 100];
        let owned = [2, 0].iter().chain(&[7; 31]).copied();
        let pending = [1].iter().chain(&[7; 24]).chain(&[3]).copied();
        let consumer = |times: usize| {
            let head = [1, 1, b'c'].into_iter().chain(vec![9; 8 * times]);
            head.chain(owned.clone()).collect::<Vec<u8>>()
        };
        let nodes = [1, 2, b'i', b'd', 2, b'l', b'p'];
        let stream = |numbers: usize, group: &[u8], consumer: Vec<u8>, rest: &[u8]| {
            let mut bytes = nodes.to_vec();
            bytes.extend(vec![1; numbers]);
            bytes.push(1);
            bytes.extend(group.iter().copied().chain(pending.clone()));
            bytes.extend(consumer);
            bytes.extend(rest);
            bytes
        };
        let nacked: Vec<u8> = [1].iter().chain(&[7; 16]).copied().collect();
        let producers = [1, 2, 1, 1, b'p', 1, 2, b'i', b'i', 1, 2, 1, 2];
        let v2 = [&group[..4], &[1, 1]].concat();
        let v5_rest = [&nacked[..], &producers].concat();
        vec![
            (REDIS, 0, vec![2, b'h', b'i']),
            (REDIS, 1, vec![3, 1, b'a', 0xc0, 1, 1, b'c']),
            (
                REDIS,
                3,
                vec![
                    4, 1, b'a', 1, b'1', 1, b'b', 253, 1, b'c', 254, 1, b'd', 255,
                ],
            ),
            (REDIS, 4, vec![1, 1, b'f', 1, b'v']),
            (REDIS, 5, vec![1, 1, b'm', 0, 0, 0, 0, 0, 0, 0, 0]),
            (
                REDIS,
                7,
                [
                    &[0x81][..],
                    &[1; 8],
                    &[1, 5, 2, 5, 3, 0, 0, 0, 0, 4],
                    &[0; 8],
                    &[5, 1, b's', 0],
                ]
                .concat(),
            ),
            (REDIS, 15, stream(3, &group[..4], consumer(1), &[])),
            (REDIS, 18, vec![2, 1, 1, b'a', 2, 1, b'b']),
            (REDIS, 19, stream(8, &v2[..5], consumer(1), &[])),
            (REDIS, 21, stream(8, &v2[..5], consumer(2), &[])),
            (REDIS, 22, vec![1, 0x40, 200, 1, b'f', 1, b'v']),
            (VALKEY, 22, [&[1, 1, b'f', 1, b'v'][..], &[255; 8]].concat()),
            (REDIS, 24, [&[0; 8][..], &[1, 0, 1, b'f', 1, b'v']].concat()),
            (REDIS, 25, [&[0; 8][..], &[2, b'l', b'p']].concat()),
            (REDIS, 26, stream(8, &v2[..5], consumer(2), &producers)),
            (REDIS, 27, stream(8, &v2[..5], consumer(2), &v5_rest)),
            (
                REDIS,
                28,
                [
                    &[3, 1, 9, 0, 1][..],
                    &[0; 8],
                    &[1, 0, 1, b'a', 2, 3, 1, b'b'],
                ]
                .concat(),
            ),
        ]
    }

    #[test]
    fn every_type_ends_where_it_ends() {
        for (dialect, number, mut bytes) in values() {
            let length = bytes.len();
            bytes.extend([0xff; 20]);
            let found = value_length(dialect, number, &bytes);
            assert_eq!(found, Ok(Some(length)), "type {number}");
            for end in 0..length {
                let found = value_length(dialect, number, &bytes[..end]);
                assert_eq!(found, Ok(None), "type {number} cut at {end}");
            }
        }
    }

    #[test]
    fn a_walk_goes_on_where_it_stopped() {
        for (dialect, number, bytes) in values() {
            let mut walk = Walk::new(kind(dialect, number).unwrap().layout);
            let mut at = 0;
            for end in 0..=bytes.len() {
                let mut cut = Cut::new(&bytes[..end], at);
                let done = walk.go(&mut cut);
                assert!(cut.at >= at);
                at = cut.at;
                assert_eq!(done.is_ok(), end == bytes.len(), "type {number} at {end}");
            }
        }
    }

    #[test]
    fn counts_that_no_memory_could_hold_are_not_believed() {
        let huge = [0x81, 0x40, 0, 0, 0, 0, 0, 0, 0];
        for number in [1, 2, 3, 5, 14, 18] {
            assert_eq!(value_length(REDIS, number, &huge), Ok(None));
        }
        let most = [0x81, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(
            value_length(REDIS, 4, &most).unwrap_err().fault,
            Fault::Length
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(number in 0..40_u8, bytes: Vec<u8>) {
            for dialect in [REDIS, VALKEY] {
                if let Ok(Some(length)) = value_length(dialect, number, &bytes) {
                    prop_assert!(length <= bytes.len());
                }
            }
        }
    }
}
