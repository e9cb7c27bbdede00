//! What must be known of all of a value before its first element can be sent: of a stream what stands
//! behind its entries, of a hash when its fields expire. Of others nothing: no round over them is needed.

use super::super::bridge::{Expiries, fields_may_expire};
use super::super::cut::Cut;
use super::super::decode::{Arriving, Came, Element, Shown};
use super::super::error::{Fault, RdbError};
use super::super::item::Entry;
use super::super::kind::{STREAM_NODES, family};
use super::super::value::Walk;
use super::super::{Dialect, Family};

/// What is known of a value whose bytes are pushed.
pub struct Outline {
    dialect: Dialect,
    kind: u8,
    has_metadata: bool,
    form: Form,
    expiries: Expiries,
}

enum Form {
    /// Nothing needs to be known.
    Nothing,
    Fields(Arriving),
    Stream(Stream),
}

/// A stream: its nodes are passed over, what stands behind them is kept.
struct Stream {
    /// The walk over the nodes, until it is at its end.
    nodes: Option<Walk>,
    is_begun: bool,
    has_entries: bool,
    /// What the walk needs once more; behind the nodes the value as if it had none.
    held: Vec<u8>,
}

impl Outline {
    /// Of that entry, of whose value nothing is looked at.
    ///
    /// # Errors
    /// When its type is not known.
    pub fn of(entry: &Entry<'_>) -> Result<Outline, RdbError> {
        let (dialect, kind) = (entry.dialect, entry.kind);
        Ok(Outline {
            dialect,
            kind,
            has_metadata: !entry.meta.is_empty(),
            form: match family(dialect, kind)? {
                Family::Stream => Form::Stream(Stream::new()),
                Family::Hash if fields_may_expire(kind) => {
                    Form::Fields(Arriving::new(dialect, kind)?)
                }
                _ => Form::Nothing,
            },
            expiries: Expiries::default(),
        })
    }

    /// Whether its bytes must be pushed, all of them.
    pub fn wants_bytes(&self) -> bool {
        !matches!(self.form, Form::Nothing)
    }

    /// Takes the next bytes of the value.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), RdbError> {
        match &mut self.form {
            Form::Nothing => Ok(()),
            Form::Stream(stream) => stream.push(bytes).map_err(|fault| fault.at(0)),
            Form::Fields(arriving) => {
                arriving.push(bytes);
                let expiries = &mut self.expiries;
                let mut see = |shown: Shown<'_>| {
                    if let Shown::Element(Element::Field { expires_ms, .. }) = shown {
                        expiries.note(expires_ms);
                    }
                };
                while arriving.next(&mut see)? == Came::Some {}
                Ok(())
            }
        }
    }

    pub(super) fn expiries(&self) -> &Expiries {
        &self.expiries
    }

    pub(super) fn has_entries(&self) -> bool {
        matches!(&self.form, Form::Stream(stream) if stream.has_entries)
    }

    /// The entry; of a stream without its entries, of others without their value.
    pub(super) fn entry(&self) -> Result<Entry<'_>, RdbError> {
        let value = match &self.form {
            Form::Stream(stream) => stream.bare().ok_or(Fault::Truncated.at(0))?,
            _ => &[],
        };
        Ok(Entry {
            dialect: self.dialect,
            db: 0,
            key: &[],
            kind: self.kind,
            value,
            meta: if self.has_metadata { &[0] } else { &[] },
            expires_ms: None,
            freq: None,
            idle_s: None,
            range: 0..0,
        })
    }
}

impl Stream {
    fn new() -> Stream {
        Stream {
            nodes: Some(Walk::new(STREAM_NODES)),
            is_begun: false,
            has_entries: false,
            held: Vec::new(),
        }
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.held.extend_from_slice(bytes);
        if !self.is_begun {
            // It begins with their count.
            self.is_begun = !bytes.is_empty();
            self.has_entries = bytes.first().is_some_and(|&first| first != 0);
        }
        let Some(walk) = &mut self.nodes else {
            return Ok(());
        };
        let mut cut = Cut::new(&self.held, 0);
        let walked = walk.go(&mut cut);
        let at = cut.at;
        match walked {
            Ok(()) => {
                self.held.splice(..at, [0]);
                self.nodes = None;
                Ok(())
            }
            Err(Fault::Truncated) => {
                self.held.drain(..at);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn bare(&self) -> Option<&[u8]> {
        self.nodes.is_none().then_some(&self.held)
    }
}
