//! LZF, with which servers compress strings of more than 20 bytes (`rdbcompression`).
//!
//! A control byte below 32 stands for that many bytes and one more as they are; any other for a copy
//! from what was written: its high three bits (7: plus the next byte) and 2 are the length, the rest
//! and the next byte the distance less one.

use super::error::Fault;

/// Three bytes stand for 264 at most.
const MOST_PER_BYTE: u64 = 88;

const BAD: Fault = Fault::Malformed("compressed string");

/// How far back a copy reaches at the most.
const REACH: usize = 1 << 13;
/// How much is unpacked at once.
const STEP: usize = 64 << 10;

/// A compressed string that is unpacked as it comes: only what copies may reach back to is kept.
#[derive(Debug)]
pub(super) struct Unpacking {
    out: Vec<u8>,
    /// Bytes of the string that are still due.
    due: u64,
}

impl Unpacking {
    /// Of a string of so many bytes out of so many.
    pub(super) fn new(packed: u64, plain: u64) -> Result<Unpacking, Fault> {
        if plain > packed.saturating_mul(MOST_PER_BYTE) {
            return Err(BAD);
        }
        Ok(Unpacking {
            out: Vec::new(),
            due: plain,
        })
    }

    /// Unpacks what is whole of what comes next, some ten KiB at the most: how many bytes that took, and
    /// what they stand for. Both are nothing when more must come first.
    pub(super) fn step(&mut self, packed: &[u8]) -> Result<(usize, &[u8]), Fault> {
        let old = self.out.len().saturating_sub(REACH);
        self.out.drain(..old);
        let from = self.out.len();
        let mut rest = packed;
        while self.out.len() - from < STEP
            && let Some((&control, after)) = rest.split_first()
        {
            if rest.len() < instruction(control) {
                break;
            }
            rest = if control < 32 {
                let (literal, after) = after.split_at(usize::from(control) + 1);
                self.out.extend_from_slice(literal);
                after
            } else {
                copy(control, after, &mut self.out)?
            };
        }
        let shown = &self.out[from..];
        self.due = self.due.checked_sub(shown.len() as u64).ok_or(BAD)?;
        Ok((packed.len() - rest.len(), shown))
    }

    /// Call it when all came.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.due == 0 { Ok(()) } else { Err(BAD) }
    }
}

/// How many bytes an instruction takes, this one included.
fn instruction(control: u8) -> usize {
    match control {
        0..32 => usize::from(control) + 2,
        224.. => 3,
        _ => 2,
    }
}

/// Puts what `packed` stands for, `plain` bytes, into `out` in place of what was there.
pub(super) fn unpack(packed: &[u8], plain: u64, out: &mut Vec<u8>) -> Result<(), Fault> {
    out.clear();
    if plain > (packed.len() as u64).saturating_mul(MOST_PER_BYTE) {
        return Err(BAD);
    }
    let plain = usize::try_from(plain).map_err(|_| BAD)?;
    out.reserve(plain);
    let mut rest = packed;
    while let Some((&control, after)) = rest.split_first() {
        rest = if control < 32 {
            let (literal, after) = after
                .split_at_checked(usize::from(control) + 1)
                .ok_or(BAD)?;
            out.extend_from_slice(literal);
            after
        } else {
            copy(control, after, out)?
        };
        if out.len() > plain {
            return Err(BAD);
        }
    }
    if out.len() == plain { Ok(()) } else { Err(BAD) }
}

/// Repeats what was written before; gives what follows the reference.
fn copy<'a>(control: u8, after: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], Fault> {
    let (more, after) = match control >> 5 {
        7 => after.split_first().ok_or(BAD)?,
        _ => (&0, after),
    };
    let (low, after) = after.split_first().ok_or(BAD)?;
    let length = usize::from(control >> 5) + usize::from(*more) + 2;
    let distance = (usize::from(control & 31) << 8) + usize::from(*low) + 1;
    let from = out.len().checked_sub(distance).ok_or(BAD)?;
    if distance >= length {
        out.extend_from_within(from..from + length);
    } else {
        // It repeats what it writes: "abab...".
        for at in from..from + length {
            out.push(out[at]);
        }
    }
    Ok(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_compressed_string_comes_out_as_it_went_in() {
        let mut out = Vec::new();
        // "aaa..." as a Redis 7.0 dumps it: one literal, then a copy of itself.
        unpack(&[0, b'a', 0xe0, 20, 0], 30, &mut out).unwrap();
        assert_eq!(out, vec![b'a'; 30]);
        unpack(&[2, b'a', b'b', b'c', 0x20, 2], 6, &mut out).unwrap();
        assert_eq!(out, b"abcabc");
    }

    #[test]
    fn damage_is_seen() {
        for (packed, plain) in [
            (&[0, b'a', 0xe0, 20, 0][..], 29),
            (&[0, b'a', 0xe0, 20, 0], 31),
            (&[0, b'a', 0xe0, 20], 30),
            (&[0, b'a', 0x20, 1], 4),
            (&[5, b'a'], 6),
            (&[0, b'a'], 1 << 60),
        ] {
            assert_eq!(unpack(packed, plain, &mut Vec::new()), Err(BAD));
        }
    }

    proptest! {
        #[test]
        fn in_pieces_it_comes_to_the_same(
            runs in prop::collection::vec((any::<u8>(), 0..40_u8, any::<bool>()), 1..400),
            piece in 1..50_usize,
        ) {
            // Literals, and copies from as far back as there is something.
            let (mut packed, mut plain) = (Vec::new(), 0_usize);
            for (byte, length, is_copy) in runs {
                if is_copy && plain > 0 {
                    let distance = (usize::from(byte) * 37) % plain.min(REACH);
                    packed.extend([0xe0 | (distance >> 8) as u8, length, distance as u8]);
                    plain += usize::from(length) + 9;
                } else {
                    packed.push(length % 32);
                    packed.extend(vec![byte; usize::from(length % 32) + 1]);
                    plain += usize::from(length % 32) + 1;
                }
            }
            let mut whole = Vec::new();
            unpack(&packed, plain as u64, &mut whole).unwrap();
            let mut unpacking = Unpacking::new(packed.len() as u64, plain as u64).unwrap();
            let (mut held, mut found) = (Vec::new(), Vec::new());
            for came in packed.chunks(piece) {
                held.extend_from_slice(came);
                let (taken, shown) = unpacking.step(&held).unwrap();
                found.extend_from_slice(shown);
                held.drain(..taken);
            }
            while !held.is_empty() {
                let (taken, shown) = unpacking.step(&held).unwrap();
                found.extend_from_slice(shown);
                held.drain(..taken);
            }
            prop_assert_eq!(unpacking.finish(), Ok(()));
            prop_assert!(found == whole);
        }

        #[test]
        fn no_bytes_make_it_panic(packed: Vec<u8>, plain in 0..5000_u64) {
            let mut out = Vec::new();
            let _ = unpack(&packed, plain, &mut out);
            prop_assert!(out.len() as u64 <= plain + 264);
        }
    }
}
