//! The smallest things in an RDB: bytes, numbers, lengths, strings, cut one after the other.
//!
//! Each either is there whole and is passed over, or the place stays where it was and
//! [`Fault::Truncated`] says that more bytes are needed. Nothing is copied but what must be decoded.

use super::error::Fault;
use super::lzf;

/// A place in some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

/// A string as it lies in the file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Text<'a> {
    Plain(&'a [u8]),
    Int(i32),
    Lzf { packed: &'a [u8], plain: u64 },
}

/// What stands in front of a string.
#[derive(Debug, Clone, Copy)]
pub(super) enum TextHead {
    /// So many bytes follow.
    Plain(u64),
    /// It is that number; nothing follows.
    Int(i32),
    /// So many compressed bytes follow.
    Lzf { packed: u64, plain: u64 },
}

/// A length, or the special form of a string that stands in its place.
enum Length {
    Is(u64),
    Special(u8),
}

impl<'a> Cut<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Cut<'a> {
        Cut { bytes, at }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// So many bytes as they are.
    #[inline]
    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let left = self.bytes.len().saturating_sub(self.at);
        if count > left as u64 {
            return Err(Fault::Truncated);
        }
        let from = self.at;
        self.at += count as usize;
        Ok(&self.bytes[from..self.at])
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let found = rest.first_chunk::<N>().ok_or(Fault::Truncated)?;
        self.at += N;
        Ok(*found)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Truncated)?;
        self.at += 1;
        Ok(byte)
    }

    /// A length or another number that is written as one.
    #[inline]
    pub(super) fn length(&mut self) -> Result<u64, Fault> {
        let from = self.at;
        match self.raw_length() {
            Ok(Length::Is(length)) => Ok(length),
            Ok(Length::Special(_)) => {
                self.at = from;
                Err(Fault::Length)
            }
            Err(fault) => {
                self.at = from;
                Err(fault)
            }
        }
    }

    #[inline]
    fn raw_length(&mut self) -> Result<Length, Fault> {
        let first = self.byte()?;
        Ok(match first {
            0..0x40 => Length::Is(u64::from(first)),
            0x40..0x80 => Length::Is(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            0x80 => Length::Is(u64::from(u32::from_be_bytes(self.array()?))),
            0x81 => Length::Is(u64::from_be_bytes(self.array()?)),
            0x82..0xc0 => return Err(Fault::Length),
            0xc0.. => Length::Special(first & 0x3f),
        })
    }

    /// A string, not yet decoded.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Text<'a>, Fault> {
        let from = self.at;
        let found = self.raw_string();
        if found.is_err() {
            self.at = from;
        }
        found
    }

    #[inline]
    fn raw_string(&mut self) -> Result<Text<'a>, Fault> {
        Ok(match self.raw_head()? {
            TextHead::Plain(length) => Text::Plain(self.take(length)?),
            TextHead::Int(number) => Text::Int(number),
            TextHead::Lzf { packed, plain } => Text::Lzf {
                packed: self.take(packed)?,
                plain,
            },
        })
    }

    /// What stands in front of a string whose bytes may still be coming.
    pub(super) fn text_head(&mut self) -> Result<TextHead, Fault> {
        let from = self.at;
        let found = self.raw_head();
        if found.is_err() {
            self.at = from;
        }
        found
    }

    #[inline]
    fn raw_head(&mut self) -> Result<TextHead, Fault> {
        Ok(match self.raw_length()? {
            Length::Is(length) => TextHead::Plain(length),
            Length::Special(0) => TextHead::Int(i32::from(i8::from_le_bytes(self.array()?))),
            Length::Special(1) => TextHead::Int(i32::from(i16::from_le_bytes(self.array()?))),
            Length::Special(2) => TextHead::Int(i32::from_le_bytes(self.array()?)),
            Length::Special(3) => TextHead::Lzf {
                packed: self.length()?,
                plain: self.length()?,
            },
            Length::Special(_) => return Err(Fault::Malformed("string")),
        })
    }

    /// Does one thing whole, or leaves the place where it was.
    #[inline]
    pub(super) fn whole<T>(
        &mut self,
        read: impl FnOnce(&mut Cut<'a>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let from = self.at;
        let done = read(self);
        if done.is_err() {
            self.at = from;
        }
        done
    }

    /// Passes over what is there of so many bytes; how many are still to come.
    #[inline]
    pub(super) fn pass(&mut self, count: u64) -> u64 {
        let left = self.bytes.len().saturating_sub(self.at);
        let here = usize::try_from(count).unwrap_or(left).min(left);
        self.at += here;
        count - here as u64
    }
}

impl<'a> Text<'a> {
    /// Its bytes: those of the file, or decoded into `scratch`.
    #[inline]
    pub(super) fn bytes<'s>(self, scratch: &'s mut Vec<u8>) -> Result<&'s [u8], Fault>
    where
        'a: 's,
    {
        match self {
            Text::Plain(bytes) => return Ok(bytes),
            Text::Int(number) => {
                scratch.clear();
                scratch.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Text::Lzf { packed, plain } => lzf::unpack(packed, plain, scratch)?,
        }
        Ok(scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_strings_are_read_in_every_coding() {
        for (bytes, length) in [
            (&[0x3f][..], 63),
            (&[0x41, 0x02], 258),
            (&[0x80, 0, 1, 0, 0], 65536),
            (&[0x81, 1, 0, 0, 0, 0, 0, 0, 0], 1 << 56),
        ] {
            assert_eq!(Cut::new(bytes, 0).length(), Ok(length));
            let mut short = Cut::new(&bytes[..bytes.len() - 1], 0);
            assert_eq!((short.length(), short.at), (Err(Fault::Truncated), 0));
        }
        assert_eq!(Cut::new(&[0x82], 0).length(), Err(Fault::Length));
        assert_eq!(Cut::new(&[0xc0, 1], 0).length(), Err(Fault::Length));
        let mut scratch = Vec::new();
        for (bytes, text) in [
            (&[2, b'h', b'i'][..], "hi"),
            (&[0], ""),
            (&[0xc0, 0x80], "-128"),
            (&[0xc1, 0x39, 0x30], "12345"),
            (&[0xc2, 0xff, 0xff, 0xff, 0x7f], "2147483647"),
            (
                &[0xc3, 5, 30, 0, b'a', 0xe0, 20, 0],
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            ),
        ] {
            let mut cut = Cut::new(bytes, 0);
            let string = cut.string().unwrap();
            assert_eq!(string.bytes(&mut scratch).unwrap(), text.as_bytes());
            assert!(cut.is_at_end());
        }
        assert!(Cut::new(&[0xc4], 0).string().is_err());
    }

    #[test]
    fn a_huge_length_only_waits_for_its_bytes() {
        let mut cut = Cut::new(&[0x81, 0x10, 0, 0, 0, 0, 0, 0, 0, b'x'], 0);
        assert_eq!(cut.string().map(|_| ()), Err(Fault::Truncated));
        assert_eq!(cut.at, 0);
    }
}
