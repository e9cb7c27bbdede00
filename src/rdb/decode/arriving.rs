//! A value whose bytes are still coming: what of it is there is shown, and dropped.
//!
//! Held are the bytes of one unit (see `units`) that is not all there yet, and what was pushed last: of
//! plain values an element, of lists and streams a node, of packed values all; of strings, modules and
//! arrays nothing. What is shown, in all, is what a [`Decoder`](super::Decoder) shows of the whole, but that
//! strings and opaque values come in pieces.

use super::super::cut::Cut;
use super::super::error::{Fault, RdbError};
use super::super::kind::kind;
use super::super::{Dialect, Family};
use super::Element;
use super::text::Text;
use super::units::Units;

/// Something of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::rdb) enum Shown<'a> {
    /// An element, whole; neither a string nor opaque.
    Element(Element<'a>),
    /// The next bytes of a string, or of a value that is not looked into.
    Bytes(&'a [u8]),
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rdb) enum Came {
    /// It may have shown something, and there may be more.
    Some,
    /// More must be pushed first.
    NeedMore,
    /// All was shown.
    End,
}

/// A value on its way.
#[derive(Debug)]
pub(in crate::rdb) struct Arriving {
    form: Form,
    held: Vec<u8>,
    /// Up to where that was shown.
    at: usize,
    /// How many bytes came before it.
    base: u64,
    is_closed: bool,
}

#[derive(Debug)]
enum Form {
    Text(Text),
    Opaque,
    Units(Box<Units>),
}

impl Arriving {
    /// A value of that type.
    pub(in crate::rdb) fn new(dialect: Dialect, number: u8) -> Result<Arriving, RdbError> {
        let family = kind(dialect, number).map_err(|fault| fault.at(0))?.family;
        Ok(Arriving {
            form: match family {
                Family::Text => Form::Text(Text::Begin),
                Family::Module | Family::Array => Form::Opaque,
                _ => Form::Units(Box::new(Units::new(dialect, number))),
            },
            held: Vec::new(),
            at: 0,
            base: 0,
            is_closed: false,
        })
    }

    /// Takes the next bytes of it.
    pub(in crate::rdb) fn push(&mut self, bytes: &[u8]) {
        self.held.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        if self.held.capacity() - self.held.len() < bytes.len() {
            // A long unit. To double the room again and again would take up to twice its bytes.
            self.held
                .reserve_exact(bytes.len().max(self.held.len() / 8));
        }
        self.held.extend_from_slice(bytes);
    }

    /// Says that all of it was pushed.
    pub(in crate::rdb) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Shows what comes next of what was pushed.
    ///
    /// # Errors
    /// When the bytes are no such value, or, once it was closed, too few or too many.
    pub(in crate::rdb) fn next(
        &mut self,
        see: &mut impl FnMut(Shown<'_>),
    ) -> Result<Came, RdbError> {
        let mut cut = Cut::new(&self.held, self.at);
        let more = match &mut self.form {
            Form::Text(text) => text.next(&mut cut, &mut |bytes| see(Shown::Bytes(bytes))),
            Form::Units(units) => units.next(&mut cut, &mut |element| see(Shown::Element(element))),
            Form::Opaque if !cut.is_at_end() => {
                see(Shown::Bytes(&self.held[self.at..]));
                cut.at = self.held.len();
                Ok(true)
            }
            Form::Opaque if self.is_closed => Ok(false),
            Form::Opaque => Err(Fault::Truncated),
        };
        self.at = cut.at;
        let at = self.base + self.at as u64;
        match more {
            Ok(true) => Ok(Came::Some),
            Ok(false) if self.at < self.held.len() => Err(Fault::Trailing.at(at)),
            Ok(false) => Ok(Came::End),
            Err(Fault::Truncated) if !self.is_closed => Ok(Came::NeedMore),
            Err(fault) => Err(fault.at(at)),
        }
    }
}
