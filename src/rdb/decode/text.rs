//! A string that is shown as it comes, compressed or not: nobody holds it whole.

use super::super::cut::{Cut, TextHead};
use super::super::error::Fault;
use super::super::lzf::Unpacking;

/// How much is shown at once.
const STEP: u64 = 64 << 10;

/// A string on its way.
#[derive(Debug)]
pub(super) enum Text {
    Begin,
    /// So many bytes are to come.
    Plain(u64),
    /// The same of compressed bytes.
    Lzf(u64, Unpacking),
    Over,
}

impl Text {
    /// Shows the next bytes of those that came; false at the end. On [`Fault::Truncated`] more must come
    /// first.
    pub(super) fn next(
        &mut self,
        cut: &mut Cut<'_>,
        see: &mut impl FnMut(&[u8]),
    ) -> Result<bool, Fault> {
        match self {
            Text::Over => return Ok(false),
            Text::Begin => {
                *self = match cut.text_head()? {
                    TextHead::Plain(length) => Text::Plain(length),
                    TextHead::Lzf { packed, plain } => {
                        Text::Lzf(packed, Unpacking::new(packed, plain)?)
                    }
                    TextHead::Int(number) => {
                        see(itoa::Buffer::new().format(number).as_bytes());
                        Text::Over
                    }
                };
            }
            Text::Plain(0) => *self = Text::Over,
            Text::Plain(left) => {
                let here = (cut.bytes.len() - cut.at) as u64;
                let shown = cut.take(here.min(*left).min(STEP))?;
                if shown.is_empty() {
                    return Err(Fault::Truncated);
                }
                *left -= shown.len() as u64;
                see(shown);
            }
            Text::Lzf(0, unpacking) => {
                unpacking.finish()?;
                *self = Text::Over;
            }
            Text::Lzf(left, unpacking) => {
                let here = (cut.bytes.len() - cut.at) as u64;
                let packed = &cut.bytes[cut.at..][..here.min(*left) as usize];
                let is_last = packed.len() as u64 == *left;
                let (taken, shown) = unpacking.step(packed)?;
                match (taken, is_last) {
                    (0, true) => return Err(Fault::Malformed("compressed string")),
                    (0, false) => return Err(Fault::Truncated),
                    _ => see(shown),
                }
                cut.at += taken;
                *left -= taken as u64;
            }
        }
        Ok(true)
    }
}
