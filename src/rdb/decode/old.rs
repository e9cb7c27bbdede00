//! What listpacks took the place of in Redis 7.0: ziplists and zipmaps; and intsets, which live on.

use super::super::cut::Cut;
use super::super::error::Fault;
use super::packed::Piece;
use super::{Buffers, Element};

const BAD_LIST: Fault = Fault::Malformed("ziplist");
const BAD_MAP: Fault = Fault::Malformed("zipmap");
const BAD_SET: Fault = Fault::Malformed("intset");

/// Length, place of the last, count.
const ZIPLIST_HEAD: usize = 10;
const END: u8 = 255;
const BIG: u8 = 254;

/// The elements of a ziplist, from the first.
pub(super) struct Ziplist<'a>(Cut<'a>);

impl<'a> Ziplist<'a> {
    pub(super) fn new(blob: &'a [u8]) -> Result<Ziplist<'a>, Fault> {
        let length = blob.first_chunk::<4>().ok_or(BAD_LIST)?;
        if u32::from_le_bytes(*length) as usize != blob.len() || blob.len() <= ZIPLIST_HEAD {
            return Err(BAD_LIST);
        }
        Ok(Ziplist(Cut::new(blob, ZIPLIST_HEAD)))
    }

    /// The next element; `None` at the end, which must be that of the blob.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'a>>, Fault> {
        match self.0.byte().map_err(|_| BAD_LIST)? {
            END if self.0.is_at_end() => return Ok(None),
            END => return Err(BAD_LIST),
            // The length of the element before, in the long form.
            BIG => {
                self.0.take(4).map_err(|_| BAD_LIST)?;
            }
            _ => {}
        }
        self.piece().map(Some).map_err(|_| BAD_LIST)
    }

    fn piece(&mut self) -> Result<Piece<'a>, Fault> {
        let cut = &mut self.0;
        let first = cut.byte()?;
        Ok(match first {
            0..0x40 => Piece::Text(cut.take(u64::from(first))?),
            0x40..0x80 => {
                let length = u64::from(first & 0x3f) << 8 | u64::from(cut.byte()?);
                Piece::Text(cut.take(length)?)
            }
            0x80 => {
                let length = u32::from_be_bytes(cut.array()?);
                Piece::Text(cut.take(u64::from(length))?)
            }
            0xc0 => Piece::Int(i64::from(i16::from_le_bytes(cut.array()?))),
            0xd0 => Piece::Int(i64::from(i32::from_le_bytes(cut.array()?))),
            0xe0 => Piece::Int(i64::from_le_bytes(cut.array()?)),
            0xf0 => {
                let [a, b, c] = cut.array()?;
                Piece::Int(i64::from(i32::from_le_bytes([0, a, b, c]) >> 8))
            }
            0xfe => Piece::Int(i64::from(i8::from_le_bytes(cut.array()?))),
            0xf1..=0xfd => Piece::Int(i64::from(first & 0x0f) - 1),
            _ => return Err(BAD_LIST),
        })
    }
}

/// Shows each number of an intset: width, count, numbers, all little-endian.
pub(super) fn each_of_intset(blob: &[u8], mut see: impl FnMut(i64)) -> Result<(), Fault> {
    let (head, body) = blob.split_first_chunk::<8>().ok_or(BAD_SET)?;
    let [a, b, c, d, e, f, g, h] = *head;
    let width = u32::from_le_bytes([a, b, c, d]) as usize;
    let count = u32::from_le_bytes([e, f, g, h]) as usize;
    if ![2, 4, 8].contains(&width) || width.checked_mul(count) != Some(body.len()) {
        return Err(BAD_SET);
    }
    for bytes in body.chunks_exact(width) {
        see(match *bytes {
            [a, b] => i64::from(i16::from_le_bytes([a, b])),
            [a, b, c, d] => i64::from(i32::from_le_bytes([a, b, c, d])),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => return Err(BAD_SET),
        });
    }
    Ok(())
}

impl Buffers {
    /// A count, then pairs: length and name, length and slack and value; then 255.
    pub(super) fn zipmap(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(Element<'_>),
    ) -> Result<(), Fault> {
        let blob = cut.string()?.bytes(&mut self.blob)?;
        let mut map = Cut::new(blob, 1);
        loop {
            let Some(length) = zipmap_length(&mut map).map_err(|_| BAD_MAP)? else {
                return if map.is_at_end() {
                    Ok(())
                } else {
                    Err(BAD_MAP)
                };
            };
            let field = map.take(length).map_err(|_| BAD_MAP)?;
            let length = zipmap_length(&mut map).ok().flatten().ok_or(BAD_MAP)?;
            let slack = map.byte().map_err(|_| BAD_MAP)?;
            let value = map.take(length).map_err(|_| BAD_MAP)?;
            map.take(u64::from(slack)).map_err(|_| BAD_MAP)?;
            see(Element::Field {
                field,
                value,
                expires_ms: None,
            });
        }
    }
}

/// `None` is the end.
fn zipmap_length(map: &mut Cut<'_>) -> Result<Option<u64>, Fault> {
    Ok(match map.byte()? {
        END => None,
        BIG => Some(u64::from(u32::from_le_bytes(map.array()?))),
        length => Some(u64::from(length)),
    })
}
