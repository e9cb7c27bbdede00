//! Reads an RDB stream that arrives in pieces of any size, and decodes no value.
//!
//! Push what arrived, then step until more is needed. What a step gives is borrowed from the reader, so
//! walking allocates nothing per key; the only buffer holds the piece pushed and the record under way,
//! never more than twice what has arrived of it, however long a record says it is. A value that needs
//! many pieces is walked once (see `value`). The checksum is computed as the walk goes.
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

use std::ops::Range;

use super::crc::{Crc64, crc64_digest};
use super::cut::Cut;
use super::dialect::{Dialect, MAGIC_BYTES, Vendor};
use super::error::{Fault, RdbError};
use super::item::{
    AUX, EOF, EXPIRE_MS, EXPIRE_S, Entry, FREQ, FUNCTION, FUNCTION_PRE_GA, IDLE, Item, KEY_META,
    MODULE_AUX, RESIZE_DB, SELECT_DB, SLOT_IMPORT, SLOT_INFO, SlotInfo, TEMPLATE_OR_UPDATE,
    skip_key_meta,
};
use super::kind::kind;
use super::kind::{NEWER_VALKEY, NO_TEMPLATES};
use super::value::{Walk, skip_fields};

/// A buffer larger than this is given back once it is mostly empty.
const KEPT_BYTES: usize = 1 << 20;

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
    buf: Vec<u8>,
    /// Where in the stream the buffer begins.
    base: u64,
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
            buf: Vec::new(),
            base: 0,
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
        }
    }

    /// Takes the next piece; pieces of 64 KiB to 1 MiB are the fastest.
    pub fn push(&mut self, piece: &[u8]) {
        self.sum();
        self.forget();
        let free = self.buf.capacity() - self.buf.len();
        if free < piece.len() && self.buf.len() > KEPT_BYTES {
            // A long value. To double the buffer again and again would take up to twice its bytes.
            let more = piece.len().max(self.buf.len() / 8);
            self.buf.reserve_exact(more);
        }
        self.buf.extend_from_slice(piece);
    }

    /// The next record, if it is all there.
    ///
    /// # Errors
    /// When the stream is damaged or not known, with the byte; the same again on every later call.
    pub fn step(&mut self) -> Result<Step<'_>, RdbError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.advance() {
            Ok(Found::Nothing) => Ok(Step::Done),
            Ok(found) => self.item(found),
            Err(Fault::Truncated) => Ok(Step::NeedMore),
            Err(fault) => {
                let error = fault.at(self.at);
                self.failed = Some(error);
                Err(error)
            }
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
            _ => Err(Fault::Truncated.at(self.base + self.buf.len() as u64)),
        }
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
        &self.buf[self.index(self.at)..]
    }

    fn index(&self, at: u64) -> usize {
        (at - self.base) as usize
    }

    /// Sums what was walked over since the last time.
    fn sum(&mut self) {
        let seen = self.index(self.summed)..self.index(self.at);
        self.crc.update(&self.buf[seen]);
        self.summed = self.at;
    }

    /// Drops what was given already, when that is at least half, so that each byte moves once at most.
    fn forget(&mut self) {
        let is_under_way = self.head.is_begun || matches!(self.stage, Stage::Trailer);
        let given = self.index(if is_under_way { self.start } else { self.at });
        if given > 0 && given >= self.buf.len() / 2 {
            self.buf.drain(..given);
            self.base += given as u64;
            if self.buf.capacity() > KEPT_BYTES && self.buf.len() < self.buf.capacity() / 4 {
                self.buf.shrink_to(KEPT_BYTES);
            }
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
        self.dialect = Dialect::parse(&self.buf)?;
        self.at = MAGIC_BYTES as u64;
        self.stage = Stage::Record;
        Ok(Found::Header)
    }

    #[inline]
    fn record(&mut self) -> Result<Found, Fault> {
        if !self.head.is_begun {
            self.start = self.at;
        }
        loop {
            let mut cut = Cut::new(&self.buf, (self.at - self.base) as usize);
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
                    self.head.meta = self.at..self.base + cut.at as u64;
                    true
                }
                _ => false,
            };
            if is_head {
                self.head.is_begun = true;
                self.at = self.base + cut.at as u64;
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
        let mut cut = Cut::new(&self.buf, self.index(self.at) + 1);
        cut.string()?;
        self.head.kind = number;
        self.head.key_at = self.at + 1;
        self.head.value_at = self.base + cut.at as u64;
        self.head.is_begun = true;
        self.at = self.head.value_at;
        self.value(Walk::new(kind.layout))
    }

    #[inline]
    fn value(&mut self, mut walk: Walk) -> Result<Found, Fault> {
        let mut cut = Cut::new(&self.buf, self.index(self.at));
        let walked = walk.go(&mut cut);
        self.at = self.base + cut.at as u64;
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
        let mut cut = Cut::new(&self.buf, self.index(self.at) + 1);
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
        self.at = self.base + cut.at as u64;
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
            let mut cut = Cut::new(&self.buf, self.index(self.at));
            stored = Some(u64::from_le_bytes(cut.array()?)).filter(|&crc| crc != 0);
            let computed = self.crc.finalize();
            if let Some(stored) = stored.filter(|&stored| stored != computed) {
                return Err(Fault::Checksum { stored, computed });
            }
            self.at += 8;
        }
        self.summed = self.at;
        self.stage = Stage::Done;
        Ok(Found::End(stored))
    }

    /// What was found, borrowed from the buffer.
    #[inline]
    fn item(&mut self, found: Found) -> Result<Step<'_>, RdbError> {
        let (at, body) = (self.at, self.index(self.start) + 1);
        let bytes = &self.buf[..self.index(at)];
        let [one, two] = &mut self.scratch;
        let mut cut = Cut::new(bytes, body);
        let item = match found {
            Found::Header => Ok(Item::Header(self.dialect)),
            Found::Aux => aux(&mut cut, one, two),
            Found::SelectDb => Ok(Item::SelectDb(self.db)),
            Found::Resize { keys, expires } => Ok(Item::Resize { keys, expires }),
            Found::Slot(info) => Ok(Item::Slot(info)),
            Found::SlotImport => Ok(Item::SlotImport(&bytes[body..])),
            Found::Function => cut
                .string()
                .and_then(|text| text.bytes(one))
                .map(Item::Function),
            Found::ModuleAux => Ok(Item::ModuleAux(&bytes[body..])),
            Found::Entry => {
                let head = std::mem::take(&mut self.head);
                let place = (self.dialect, self.db, self.base, self.start..at);
                entry(bytes, head, place, one).map(Item::Entry)
            }
            Found::End(crc) => Ok(Item::End { crc }),
            Found::Nothing => return Ok(Step::Done),
        };
        item.map(Step::Item).map_err(|fault| {
            let error = fault.at(at);
            self.failed = Some(error);
            error
        })
    }
}

fn slot(number: u64) -> Result<u16, Fault> {
    u16::try_from(number)
        .ok()
        .filter(|&slot| slot < 16_384)
        .ok_or(Fault::Malformed("slot"))
}

fn aux<'a>(
    cut: &mut Cut<'a>,
    one: &'a mut Vec<u8>,
    two: &'a mut Vec<u8>,
) -> Result<Item<'a>, Fault> {
    Ok(Item::Aux {
        key: cut.string()?.bytes(one)?,
        value: cut.string()?.bytes(two)?,
    })
}

#[inline]
fn entry<'a>(
    bytes: &'a [u8],
    head: Head,
    (dialect, db, base, range): (Dialect, u64, u64, Range<u64>),
    scratch: &'a mut Vec<u8>,
) -> Result<Entry<'a>, Fault> {
    let index = |at: u64| (at - base) as usize;
    let meta = if head.meta.is_empty() {
        &[]
    } else {
        &bytes[index(head.meta.start)..index(head.meta.end)]
    };
    Ok(Entry {
        dialect,
        db,
        key: Cut::new(bytes, index(head.key_at))
            .string()?
            .bytes(scratch)?,
        kind: head.kind,
        value: &bytes[index(head.value_at)..],
        meta,
        expires_ms: head.expires_ms,
        freq: head.freq,
        idle_s: head.idle_s,
        range,
    })
}
