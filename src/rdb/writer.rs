//! Writes an RDB file of items, byte for byte what a server would load.
//!
//! For offline restores: entries of many files are put together by slot, their values copied as they
//! are. What was written can be taken away at any time, so a file of any size needs one buffer.

use super::crc::{Crc64, crc64_digest};
use super::error::{Fault, RdbError};
use super::item::{
    AUX, EOF, EXPIRE_MS, Entry, FREQ, FUNCTION, IDLE, Item, MODULE_AUX, Place, RESIZE_DB,
    SELECT_DB, SLOT_IMPORT, SLOT_INFO, SlotInfo,
};
use super::kind::kind;
use super::payload::{append_length, append_string, payload_version};
use super::{Dialect, Vendor};

/// A file under way.
pub struct Writer {
    dialect: Dialect,
    out: Vec<u8>,
    crc: Crc64,
    /// What was taken away already.
    taken: u64,
    /// The database that the next key goes to.
    db: Option<u64>,
}

impl Writer {
    /// Begins a file with the magic of that dialect.
    pub fn new(dialect: Dialect) -> Writer {
        Writer {
            dialect,
            out: dialect.to_string().into_bytes(),
            crc: crc64_digest(),
            taken: 0,
            db: None,
        }
    }

    /// Writes a fact about the file; servers ignore names that they do not know.
    pub fn aux(&mut self, key: &[u8], value: &[u8]) {
        self.out.push(AUX);
        append_string(key, &mut self.out);
        append_string(value, &mut self.out);
    }

    /// The keys that follow are in this database.
    pub fn select_db(&mut self, db: u64) {
        self.out.push(SELECT_DB);
        append_length(db, &mut self.out);
        self.db = Some(db);
    }

    /// How large the database is, of which so many keys expire.
    pub fn resize(&mut self, keys: u64, expires: u64) {
        self.numbers(RESIZE_DB, &[keys, expires]);
    }

    /// The keys that follow are of this slot, said in the way of the dialect. Older Redis has none.
    pub fn slot(&mut self, info: SlotInfo) {
        let SlotInfo {
            slot,
            keys,
            expires,
        } = info;
        match self.dialect.vendor {
            Vendor::Valkey => {
                self.aux(b"slot-info", format!("{slot},{keys},{expires}").as_bytes());
            }
            Vendor::Redis if self.dialect.version >= 12 => {
                self.numbers(SLOT_INFO, &[u64::from(slot), keys, expires]);
            }
            Vendor::Redis => {}
        }
    }

    /// Writes a function library by its source.
    pub fn function(&mut self, source: &[u8]) {
        self.out.push(FUNCTION);
        append_string(source, &mut self.out);
    }

    /// Writes a key, and first its database when that is another than the last key's.
    ///
    /// # Errors
    /// [`Fault::TooNew`] when the dialect has no such type: the value must be re-coded.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<(), RdbError> {
        self.allow(entry)?;
        if self.db != Some(entry.db) {
            self.select_db(entry.db);
        }
        if let Some(ms) = entry.expires_ms {
            self.out.push(EXPIRE_MS);
            self.out.extend_from_slice(&ms.to_le_bytes());
        }
        if let Some(idle) = entry.idle_s {
            self.numbers(IDLE, &[idle]);
        }
        if let Some(freq) = entry.freq {
            self.out.extend_from_slice(&[FREQ, freq]);
        }
        self.out.extend_from_slice(entry.meta);
        self.out.push(entry.kind);
        append_string(entry.key, &mut self.out);
        self.out.extend_from_slice(entry.value);
        Ok(())
    }

    /// Writes any item but the header, which is there, and the end, which is [`Writer::finish`].
    ///
    /// # Errors
    /// As [`Writer::entry`]; also for a record that only the other vendor knows.
    pub fn item(&mut self, item: &Item<'_>) -> Result<(), RdbError> {
        match item {
            Item::Header(_) | Item::End { .. } => {}
            Item::Aux { key, value } => self.aux(key, value),
            Item::SelectDb(db) => self.select_db(*db),
            Item::Resize { keys, expires } => self.resize(*keys, *expires),
            Item::Slot(info) => self.slot(*info),
            Item::SlotImport(_) if self.dialect.vendor == Vendor::Redis => {
                return Err(self.too_new(SLOT_IMPORT));
            }
            Item::SlotImport(body) => self.raw(SLOT_IMPORT, body),
            Item::Function(source) => self.function(source),
            Item::ModuleAux(body) => self.raw(MODULE_AUX, body),
            Item::Entry(entry) => self.entry(entry)?,
            Item::Part(part) if part.place == Place::First => self.entry(&part.entry)?,
            Item::Part(part) => self.out.extend_from_slice(part.entry.value),
        }
        Ok(())
    }

    /// Takes away what was written so far.
    pub fn take(&mut self) -> Vec<u8> {
        self.crc.update(&self.out);
        self.taken += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    /// Ends the file; gives what was not taken yet.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(EOF);
        let mut last = self.take();
        if self.dialect.has_checksum() {
            last.extend_from_slice(&self.crc.finalize().to_le_bytes());
        }
        last
    }

    fn allow(&self, entry: &Entry<'_>) -> Result<(), RdbError> {
        let Dialect { vendor, version } = self.dialect;
        let since = payload_version(entry).map_err(|error| error.fault.at(self.position()))?;
        // Of the shared types every Valkey knows all; 22 and up and KEY_META are each vendor's own.
        let is_shared = entry.kind < 22 && entry.meta.is_empty();
        let is_own = entry.dialect.vendor == vendor && kind(self.dialect, entry.kind).is_ok();
        if (is_shared || is_own) && since <= version {
            Ok(())
        } else {
            Err(self.too_new(entry.kind))
        }
    }

    fn too_new(&self, number: u8) -> RdbError {
        let dialect = self.dialect;
        Fault::TooNew { dialect, number }.at(self.position())
    }

    fn position(&self) -> u64 {
        self.taken + self.out.len() as u64
    }

    fn numbers(&mut self, opcode: u8, numbers: &[u64]) {
        self.out.push(opcode);
        for &number in numbers {
            append_length(number, &mut self.out);
        }
    }

    fn raw(&mut self, opcode: u8, body: &[u8]) {
        self.out.push(opcode);
        self.out.extend_from_slice(body);
    }
}

/// What stands before the rest of a stream whose beginning is left out, so that it can be read: the
/// magic, and the database that goes on.
pub fn preamble(magic: &str, db: u64) -> Vec<u8> {
    let mut out = magic.as_bytes().to_vec();
    out.push(SELECT_DB);
    append_length(db, &mut out);
    out
}
