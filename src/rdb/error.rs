//! What can be wrong with an RDB file, and at which byte.

use thiserror::Error;

use super::Dialect;

/// Why an RDB stream, a value or a payload cannot be read or written, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{fault} (at byte {at})")]
pub struct RdbError {
    /// How many bytes came before the trouble: of the stream for a reader or a writer, of the value or
    /// the payload otherwise.
    pub at: u64,
    /// What the trouble is.
    pub fault: Fault,
}

/// The kinds of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// The bytes end in the middle of something.
    #[error("it ends too early")]
    Truncated,
    /// Something follows where the end was due.
    #[error("there are bytes after its end")]
    Trailing,
    /// Neither `REDIS` nor `VALKEY` and a number stand at the beginning.
    #[error("this is no RDB file")]
    NotRdb,
    /// The compressed envelope of Valkey 9.2 (`VCS`).
    #[error("the file is in a compressed Valkey envelope, which cannot be read")]
    Envelope,
    /// A version newer than the tables here, or one that was never given out.
    #[error("{0} is an RDB version that is not known")]
    UnknownVersion(Dialect),
    /// No such opcode in that dialect: where its record ends cannot be told.
    #[error("record {number} is not known in {dialect}")]
    UnknownOpcode {
        /// What the file is.
        dialect: Dialect,
        /// The opcode.
        number: u8,
    },
    /// No such type of value in that dialect: where the value ends cannot be told.
    #[error("value type {number} is not known in {dialect}")]
    UnknownType {
        /// What the file is.
        dialect: Dialect,
        /// The type byte.
        number: u8,
    },
    /// Known by name, but its layout cannot be read.
    #[error("{what} (number {number}) cannot be read")]
    Refused {
        /// The opcode or type byte.
        number: u8,
        /// What the number stands for, and whose it is.
        what: &'static str,
        /// What to do about it.
        next: &'static str,
    },
    /// That version of the format has no such type of value.
    #[error("value type {number} cannot be written as {dialect}")]
    TooNew {
        /// What is to be written.
        dialect: Dialect,
        /// The type byte.
        number: u8,
    },
    /// A length that is none, or that no memory could hold.
    #[error("a length makes no sense")]
    Length,
    /// What the name says is not put together as it must be.
    #[error("a {0} is malformed")]
    Malformed(&'static str),
    /// The bytes are not those that were written.
    #[error("the checksum is {computed:016x} and should be {stored:016x}")]
    Checksum {
        /// What the file or payload says.
        stored: u64,
        /// What its bytes give.
        computed: u64,
    },
}

impl Fault {
    /// This fault at that byte.
    pub(super) fn at(self, at: u64) -> RdbError {
        RdbError { at, fault: self }
    }
}

impl RdbError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self.fault {
            Fault::Truncated => "fetch the file again: the server or the line stopped half-way",
            Fault::NotRdb => "name a dump.rdb, as SAVE or BGSAVE writes it",
            Fault::Envelope => "turn RDB compression by envelope off on the server and save again",
            Fault::UnknownVersion(_) | Fault::UnknownOpcode { .. } | Fault::UnknownType { .. } => {
                "use a goodcache that knows this server version, or save from an older server"
            }
            Fault::Refused { next, .. } => next,
            Fault::TooNew { .. } => "write for a newer server",
            Fault::Trailing | Fault::Length | Fault::Malformed(_) | Fault::Checksum { .. } => {
                "the bytes are damaged: take another copy"
            }
        }
    }
}
