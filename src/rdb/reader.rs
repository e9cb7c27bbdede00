//! Reads an RDB stream that arrives in pieces of any size, and decodes no value.
//!
//! Push what arrived, then step until more is needed. What a step gives is borrowed from the reader, so
//! walking allocates nothing per key; the only buffer holds the piece pushed and the record under way,
//! never more than twice what has arrived of it, however long a record says it is. A value that needs
//! many pieces is walked once (see `value`), and a reader made by [`Reader::in_parts`] holds none of them:
//! a value that is longer than a window is given in parts. The checksum is computed as the walk goes.
//!
//! ```no_run
//! # use goodcache::rdb::{Item, RdbError, Reader, Step};
//! # fn each(pieces: &[&[u8]]) -> Result<(), RdbError> {
//! let mut reader = Reader::new();
//! for piece in pieces {
//!     reader.push(piece);
//!     while let Step::Item(item) = reader.step()? {
//!         if let Item::Entry(entry) = item {
//!             println!("{:?} {}", entry.key, entry.slot());
//!         }
//!     }
//! }
//! reader.finish()
//! # }
//! ```

mod given;
mod held;

use std::ops::Range;

use bytes::Bytes;
use held::Held;

use super::crc::{Crc64, crc64_digest};
use super::cut::Cut;
use super::dialect::{Dialect, MAGIC_BYTES, Vendor};
use super::error::{Fault, RdbError};
use super::item::{
    AUX, EOF, EXPIRE_MS, EXPIRE_S, FREQ, FUNCTION, FUNCTION_PRE_GA, IDLE, Item, KEY_META,
    MODULE_AUX, RESIZE_DB, SELECT_DB, SLOT_IMPORT, SLOT_INFO, SlotInfo, TEMPLATE_OR_UPDATE,
    skip_key_meta,
};
use super::kind::kind;
use super::kind::{NEWER_VALKEY, NO_TEMPLATES};
use super::value::{Walk, skip_fields};

/// From this length on, in bytes, a value is read in parts where nobody needs it whole: 1 MiB.
pub const LONG: usize = 1 << 20;

/// What a step comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A record.
    Item(Item<'a>),
    /// The next record is not all there: push more.
    NeedMore,
    /// The end was given; what follows it is [`Reader::rest`].
    Done,
}

/// A walk over one RDB stream.
pub struct Reader {
    held: Held,
    /// Where in the stream the record under way begins.
    start: u64,
    /// How far the walk came.
    at: u64,
    stage: Stage,
    dialect: Dialect,
    db: u64,
    head: Head,
    crc: Crc64,
    /// Up to where the checksum has seen the stream.
    summed: u64,
    scratch: [Vec<u8>; 2],
    failed: Option<RdbError>,
    /// Whether the checksum is computed.
    is_summed: bool,
    /// From this length on a value is given in parts.
    window: Option<u64>,
    long: Option<Long>,
}

/// A value that is given in parts: what stood in front of it is in the buffer no more.
struct Long {
    key: Vec<u8>,
    meta: Vec<u8>,
    /// Up to where in the stream it was given.
    given: u64,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Header,
    /// An opcode is due; of the entry under way there may be a head.
    Record,
    Value(Walk),
    Trailer,
    Done,
}

/// What stands in front of a value.
#[derive(Debug, Clone, Default)]
struct Head {
    /// Whether anything of the entry was read.
    is_begun: bool,
    expires_ms: Option<i64>,
    freq: Option<u8>,
    idle_s: Option<u64>,
    meta: Range<u64>,
    kind: u8,
    key_at: u64,
    value_at: u64,
}

/// A record that is there whole, between `start` and `at`.
enum Found {
    Header,
    Aux,
    SelectDb,
    Resize { keys: u64, expires: u64 },
    Slot(SlotInfo),
    SlotImport,
    Function,
    ModuleAux,
    Entry,
    End(Option<u64>),
    Nothing,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new()
    }
}

impl Reader {
    /// At the beginning of a stream.
    pub fn new() -> Reader {
        Reader {
            held: Held::default(),
            start: 0,
            at: 0,
            stage: Stage::Header,
            dialect: Dialect::redis(0),
            db: 0,
            head: Head::default(),
            crc: crc64_digest(),
            summed: 0,
            scratch: [Vec::new(), Vec::new()],
            failed: None,
            is_summed: true,
            window: None,
            long: None,
        }
    }

    /// At the beginning of a stream of which no value is held whole that has at least so many bytes, 1 at
    /// the least: such a one comes as [`Item::Part`] again and again, each as long as what was pushed.
    pub fn in_parts(window: usize) -> Reader {
        Reader {
            window: Some(window.max(1) as u64),
            ..Reader::new()
        }
    }

    /// The same without a look at the checksum: of a stream that was proven by other means, or whose
    /// beginning was left out.
    #[must_use]
    pub fn unsummed(self) -> Reader {
        Reader {
            is_summed: false,
            ..self
        }
    }

    /// Takes the next piece, of which a copy is made; pieces of 64 KiB to 1 MiB are the fastest.
    pub fn push(&mut self, piece: &[u8]) {
        self.sum();
        self.held.copy(self.needed(), piece);
    }

    /// Takes the next piece and walks over it where it lies: for pieces of some hundred KiB and more.
    pub fn lend(&mut self, piece: Bytes) {
        self.sum();
        self.held.lend(self.needed(), piece);
    }

    /// The next record, if it is all there.
    ///
    /// # Errors
    /// When the stream is damaged or not known, with the byte; the same again on every later call.
    pub fn step(&mut self) -> Result<Step<'_>, RdbError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.go_over();
        let mut found = self.advance();
        while matches!(found, Err(Fault::Truncated)) && self.held.more() {
            found = self.advance();
        }
        match found {
            Ok(Found::Nothing) => Ok(Step::Done),
            Ok(found) => self.item(found),
            Err(Fault::Truncated) => Ok(match self.due_part()? {
                Some(place) => Step::Item(self.part(place)),
                None => Step::NeedMore,
            }),
            Err(fault) => {
                let error = fault.at(self.at);
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// Between two records the walk goes on in a piece that is lent.
    #[inline]
    fn go_over(&mut self) {
        let is_between = matches!(self.stage, Stage::Record | Stage::Done) && !self.head.is_begun;
        if is_between && self.held.may_go_over(self.at) {
            self.sum();
            self.held.go_over(self.at);
        }
    }

    /// Call it when no more bytes come.
    ///
    /// # Errors
    /// [`Fault::Truncated`] when the end was not reached.
    pub fn finish(&self) -> Result<(), RdbError> {
        match (self.failed, self.stage) {
            (Some(error), _) => Err(error),
            (None, Stage::Done) => Ok(()),
            _ => Err(Fault::Truncated.at(self.held.end())),
        }
    }

    /// Whether what was pushed ended with a record: nothing is under way.
    pub fn is_between(&self) -> bool {
        !self.head.is_begun && self.rest().is_empty()
    }

    /// How many bytes of the stream were walked over; all that comes before is whole records, but for
    /// a value under way.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Where the record that was given last lies in the stream.
    pub fn range(&self) -> Range<u64> {
        self.start..self.at
    }

    /// What was pushed and is not walked over; after [`Step::Done`] what does not belong to the file.
    pub fn rest(&self) -> &[u8] {
        &self.held.bytes()[self.index(self.at)..]
    }

    fn index(&self, at: u64) -> usize {
        (at - self.held.base) as usize
    }

    /// Sums what was walked over since the last time.
    fn sum(&mut self) {
        if self.is_summed {
            let seen = self.index(self.summed)..self.index(self.at);
            self.crc.update(&self.held.bytes()[seen]);
        }
        self.summed = self.at;
    }

    /// Before this place nothing is needed any more: it was given away.
    fn needed(&self) -> u64 {
        let is_under_way = self.head.is_begun || matches!(self.stage, Stage::Trailer);
        match &self.long {
            Some(long) => long.given,
            None if is_under_way => self.start,
            None => self.at,
        }
    }

    fn advance(&mut self) -> Result<Found, Fault> {
        match self.stage {
            Stage::Header => self.header(),
            Stage::Record => self.record(),
            Stage::Value(walk) => self.value(walk),
            Stage::Trailer => self.trailer(),
            Stage::Done => Ok(Found::Nothing),
        }
    }

    fn header(&mut self) -> Result<Found, Fault> {
        self.dialect = Dialect::parse(self.held.bytes())?;
        self.at = MAGIC_BYTES as u64;
        self.stage = Stage::Record;
        Ok(Found::Header)
    }

    #[inline]
    fn record(&mut self) -> Result<Found, Fault> {
        if !self.head.is_begun {
            self.start = self.at;
            self.long = None;
        }
        loop {
            let mut cut = Cut::new(self.held.bytes(), (self.at - self.held.base) as usize);
            let opcode = cut.byte()?;
            let is_head = match opcode {
                EXPIRE_MS => {
                    self.head.expires_ms = Some(i64::from_le_bytes(cut.array()?));
                    true
                }
                EXPIRE_S => {
                    let seconds = i32::from_le_bytes(cut.array()?);
                    self.head.expires_ms = Some(i64::from(seconds) * 1000);
                    true
                }
                FREQ => {
                    self.head.freq = Some(cut.byte()?);
                    true
                }
                IDLE => {
                    self.head.idle_s = Some(cut.length()?);
                    true
                }
                KEY_META if self.dialect.vendor == Vendor::Redis => {
                    skip_key_meta(&mut cut)?;
                    self.head.meta = self.at..self.held.base + cut.at as u64;
                    true
                }
                _ => false,
            };
            if is_head {
                self.head.is_begun = true;
                self.at = self.held.base + cut.at as u64;
                continue;
            }
            if opcode < TEMPLATE_OR_UPDATE {
                return self.key(opcode);
            }
            if self.head.is_begun {
                return Err(Fault::Malformed("key"));
            }
            let found = self.other(opcode)?;
            return Ok(found);
        }
    }

    /// A key, and as much of its value as is there.
    #[inline]
    fn key(&mut self, number: u8) -> Result<Found, Fault> {
        let kind = kind(self.dialect, number)?;
        let mut cut = Cut::new(self.held.bytes(), self.index(self.at) + 1);
        cut.string()?;
        self.head.kind = number;
        self.head.key_at = self.at + 1;
        self.head.value_at = self.held.base + cut.at as u64;
        self.head.is_begun = true;
        self.at = self.head.value_at;
        self.value(Walk::new(kind.layout))
    }

    #[inline]
    fn value(&mut self, mut walk: Walk) -> Result<Found, Fault> {
        let mut cut = Cut::new(self.held.bytes(), self.index(self.at));
        let walked = walk.go(&mut cut);
        self.at = self.held.base + cut.at as u64;
        match walked {
            Ok(()) => {
                self.stage = Stage::Record;
                Ok(Found::Entry)
            }
            Err(fault) => {
                self.stage = Stage::Value(walk);
                Err(fault)
            }
        }
    }

    /// A record that is no key.
    fn other(&mut self, opcode: u8) -> Result<Found, Fault> {
        let mut cut = Cut::new(self.held.bytes(), self.index(self.at) + 1);
        let is_redis = self.dialect.vendor == Vendor::Redis;
        let found = match opcode {
            EOF => {
                self.at += 1;
                self.sum();
                self.stage = Stage::Trailer;
                return self.trailer();
            }
            AUX => {
                cut.string()?;
                cut.string()?;
                Found::Aux
            }
            SELECT_DB => {
                self.db = cut.length()?;
                Found::SelectDb
            }
            RESIZE_DB => Found::Resize {
                keys: cut.length()?,
                expires: cut.length()?,
            },
            SLOT_INFO if is_redis => Found::Slot(SlotInfo {
                slot: slot(cut.length()?)?,
                keys: cut.length()?,
                expires: cut.length()?,
            }),
            FUNCTION => {
                cut.string()?;
                Found::Function
            }
            MODULE_AUX => {
                cut.length()?;
                skip_fields(&mut cut)?;
                Found::ModuleAux
            }
            SLOT_IMPORT if !is_redis => {
                cut.string()?;
                for _ in 0..cut.length()? {
                    slot(cut.length()?)?;
                    slot(cut.length()?)?;
                }
                Found::SlotImport
            }
            _ => return Err(self.unknown(opcode)),
        };
        self.at = self.held.base + cut.at as u64;
        Ok(found)
    }

    fn unknown(&self, number: u8) -> Fault {
        let (what, next) = match (number, self.dialect.vendor) {
            (FUNCTION_PRE_GA, _) => (
                "a function of a Redis 7.0 pre-release",
                "load its functions into a released Redis 7.0 or later, and save from there",
            ),
            (TEMPLATE_OR_UPDATE, Vendor::Redis) => ("a hash template of Redis 8.10", NO_TEMPLATES),
            (TEMPLATE_OR_UPDATE, Vendor::Valkey) => (
                "a command inside the data, as Valkey 9.2 writes it",
                NEWER_VALKEY,
            ),
            _ => {
                return Fault::UnknownOpcode {
                    dialect: self.dialect,
                    number,
                };
            }
        };
        Fault::Refused { number, what, next }
    }

    fn trailer(&mut self) -> Result<Found, Fault> {
        let mut stored = None;
        if self.dialect.has_checksum() {
            let mut cut = Cut::new(self.held.bytes(), self.index(self.at));
            stored = Some(u64::from_le_bytes(cut.array()?)).filter(|&crc| crc != 0);
            let computed = self.crc.finalize();
            let is_other = |&stored: &u64| self.is_summed && stored != computed;
            if let Some(stored) = stored.filter(is_other) {
                return Err(Fault::Checksum { stored, computed });
            }
            self.at += 8;
        }
        self.summed = self.at;
        self.stage = Stage::Done;
        Ok(Found::End(stored))
    }
}

fn slot(number: u64) -> Result<u16, Fault> {
    u16::try_from(number)
        .ok()
        .filter(|&slot| slot < 16_384)
        .ok_or(Fault::Malformed("slot"))
}
