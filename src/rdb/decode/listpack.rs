//! Listpacks: a length of four bytes, a count of two, elements that each say their own length at both
//! ends, and 255.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::packed::Piece;

const BAD: Fault = Fault::Malformed("listpack");
const HEAD_BYTES: usize = 6;
const END: u8 = 0xff;

/// The elements of a listpack, from the first.
#[derive(Clone)]
pub(super) struct Listpack<'a>(Cut<'a>);

impl<'a> Listpack<'a> {
    pub(super) fn new(blob: &'a [u8]) -> Result<Listpack<'a>, Fault> {
        let length = blob.first_chunk::<4>().ok_or(BAD)?;
        if u32::from_le_bytes(*length) as usize != blob.len() || blob.len() <= HEAD_BYTES {
            return Err(BAD);
        }
        Ok(Listpack(Cut::new(blob, HEAD_BYTES)))
    }

    /// The next element; `None` at the end, which must be that of the blob.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Piece<'a>>, Fault> {
        let from = self.0.at;
        let first = self.0.byte().map_err(|_| BAD)?;
        if first == END {
            return if self.0.is_at_end() {
                Ok(None)
            } else {
                Err(BAD)
            };
        }
        let piece = self.piece(first).map_err(|_| BAD)?;
        let back = match self.0.at - from {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            2_097_152..=268_435_455 => 4,
            _ => 5,
        };
        self.0.take(back).map_err(|_| BAD)?;
        Ok(Some(piece))
    }

    /// The next element, which must be there.
    #[inline]
    pub(super) fn due(&mut self) -> Result<Piece<'a>, Fault> {
        self.next()?.ok_or(BAD)
    }

    /// The next element, which must be a number.
    pub(super) fn number(&mut self) -> Result<i64, Fault> {
        self.due()?.number().ok_or(BAD)
    }

    #[inline]
    fn piece(&mut self, first: u8) -> Result<Piece<'a>, Fault> {
        let cut = &mut self.0;
        Ok(match first {
            0..0x80 => Piece::Int(i64::from(first)),
            0x80..0xc0 => Piece::Text(cut.take(u64::from(first & 0x3f))?),
            0xc0..0xe0 => {
                let bits = i64::from(first & 0x1f) << 8 | i64::from(cut.byte()?);
                Piece::Int(if bits < 1 << 12 {
                    bits
                } else {
                    bits - (1 << 13)
                })
            }
            0xe0..0xf0 => {
                let length = u64::from(first & 0x0f) << 8 | u64::from(cut.byte()?);
                Piece::Text(cut.take(length)?)
            }
            0xf0 => {
                let length = u32::from_le_bytes(cut.array()?);
                Piece::Text(cut.take(u64::from(length))?)
            }
            0xf1 => Piece::Int(i64::from(i16::from_le_bytes(cut.array()?))),
            0xf2 => {
                let [a, b, c] = cut.array()?;
                Piece::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8))
            }
            0xf3 => Piece::Int(i64::from(i32::from_le_bytes(cut.array()?))),
            0xf4 => Piece::Int(i64::from_le_bytes(cut.array()?)),
            _ => return Err(BAD),
        })
    }
}
