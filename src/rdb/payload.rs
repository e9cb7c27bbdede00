//! RESTORE payloads: made of entries, and taken apart.
//!
//! A payload is the key's metadata (if any), the type byte, the value, a version and a CRC64, both
//! little-endian (`createDumpPayload` and `verifyDumpPayload` in the servers' `cluster.c`). A server
//! refuses a version above its own and otherwise does not look at it, so each payload is stamped with
//! the lowest version that knows its type: what Redis 8.2 dumped, Valkey 9.1 then restores.

use super::cut::Cut;
use super::error::{Fault, RdbError};
use super::item::{Entry, FUNCTION, KEY_META, key_meta_length};
use super::kind::kind;
use super::{Dialect, crc, value_length};

/// KEY_META records are known from this version on.
pub(super) const KEY_META_SINCE: u16 = 13;
/// Function libraries are known from this version on.
const FUNCTION_SINCE: u16 = 10;

const FOOTER_BYTES: usize = 10;

/// The version that this entry's payload is stamped with: a server needs that one or a later one.
///
/// # Errors
/// When its type is not known.
pub fn payload_version(entry: &Entry<'_>) -> Result<u16, RdbError> {
    let kind = kind(entry.dialect, entry.kind).map_err(|fault| fault.at(0))?;
    Ok(if entry.meta.is_empty() {
        kind.since
    } else {
        kind.since.max(KEY_META_SINCE)
    })
}

/// Appends to `out` what RESTORE takes for this entry.
///
/// # Errors
/// When its type is not known.
pub fn append_payload(entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<(), RdbError> {
    append_stamped(entry, payload_version(entry)?, out);
    Ok(())
}

/// The same with the version that [`payload_version`] gave.
pub fn append_stamped(entry: &Entry<'_>, version: u16, out: &mut Vec<u8>) {
    let from = out.len();
    out.reserve(payload_bytes(entry));
    out.extend_from_slice(entry.meta);
    out.push(entry.kind);
    out.extend_from_slice(entry.value);
    seal(version, from, out);
}

/// How many bytes [`append_payload`] appends.
pub fn payload_bytes(entry: &Entry<'_>) -> usize {
    entry.meta.len() + 1 + entry.value.len() + FOOTER_BYTES
}

/// A payload that is put together piece by piece: what was given away is not held.
pub struct Footer {
    version: u16,
    crc: crc::Crc64,
}

impl Footer {
    /// How many bytes stand behind the value.
    pub const BYTES: usize = FOOTER_BYTES;

    /// Appends what stands in front of the value.
    ///
    /// # Errors
    /// When its type is not known.
    pub fn begin(entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<Footer, RdbError> {
        let version = payload_version(entry)?;
        let mut crc = crc::crc64_digest();
        for front in [entry.meta, &[entry.kind]] {
            crc.update(front);
            out.extend_from_slice(front);
        }
        Ok(Footer { version, crc })
    }

    /// Takes the next bytes of the value.
    pub fn pass(&mut self, value: &[u8]) {
        self.crc.update(value);
    }

    /// What stands behind the value.
    pub fn bytes(mut self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        let (version, crc) = bytes.split_at_mut(2);
        version.copy_from_slice(&self.version.to_le_bytes());
        self.crc.update(version);
        crc.copy_from_slice(&self.crc.finalize().to_le_bytes());
        bytes
    }
}

/// What FUNCTION RESTORE takes: the sources of any number of libraries.
pub fn function_payload<'a>(sources: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for source in sources {
        out.push(FUNCTION);
        append_string(source, &mut out);
    }
    seal(FUNCTION_SINCE, 0, &mut out);
    out
}

/// Puts version and checksum behind what `out` holds from there on.
pub(super) fn seal(version: u16, from: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&version.to_le_bytes());
    let crc = crc::crc64(&out[from..]);
    out.extend_from_slice(&crc.to_le_bytes());
}

/// Appends a length in its shortest form.
pub(super) fn append_length(length: u64, out: &mut Vec<u8>) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

/// Appends a string as it is, neither compressed nor as a number.
pub(super) fn append_string(text: &[u8], out: &mut Vec<u8>) {
    append_length(text.len() as u64, out);
    out.extend_from_slice(text);
}

/// What DUMP answered, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Whose format it is in, by its version.
    pub dialect: Dialect,
    /// The key's metadata, opcode included; mostly empty.
    pub meta: &'a [u8],
    /// The type byte.
    pub kind: u8,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Reads what DUMP answered; checksum, type and end of the value are checked.
    ///
    /// # Errors
    /// When any of these is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Payload<'a>, RdbError> {
        let end = |fault: Fault| fault.at(bytes.len() as u64);
        let (bytes, crc) = bytes.split_last_chunk::<8>().ok_or(end(Fault::Truncated))?;
        let (stored, computed) = (u64::from_le_bytes(*crc), crc::crc64(bytes));
        if stored != computed {
            return Err(Fault::Checksum { stored, computed }.at(bytes.len() as u64));
        }
        let (body, version) = bytes.split_last_chunk::<2>().ok_or(end(Fault::Truncated))?;
        Payload::parse_body(Dialect::of_payload(u16::from_le_bytes(*version)), body)
    }

    fn parse_body(dialect: Dialect, body: &'a [u8]) -> Result<Payload<'a>, RdbError> {
        let meta = match body.first() {
            Some(&KEY_META) => key_meta_length(body)?,
            _ => 0,
        };
        let mut cut = Cut::new(body, meta);
        let kind = cut.byte().map_err(|fault| fault.at(meta as u64))?;
        let value = &body[cut.at..];
        let in_body = |error: RdbError| error.fault.at(error.at + cut.at as u64);
        match value_length(dialect, kind, value).map_err(in_body)? {
            None => Err(Fault::Truncated.at(body.len() as u64)),
            Some(length) if length < value.len() => {
                Err(Fault::Trailing.at((cut.at + length) as u64))
            }
            Some(_) => Ok(Payload {
                dialect,
                meta: &body[..meta],
                kind,
                value,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DUMP of `SET k hello` on a Redis 7.0.15.
    const HELLO: &[u8] = b"\x00\x05hello\x0a\x00";

    fn entry(dialect: Dialect, kind: u8, value: &[u8]) -> Entry<'_> {
        Entry {
            dialect,
            db: 0,
            key: b"k",
            kind,
            value,
            meta: &[],
            expires_ms: None,
            freq: None,
            idle_s: None,
            range: 0..0,
        }
    }

    #[test]
    fn a_payload_carries_the_lowest_version_that_knows_the_type() {
        let mut out = b"before".to_vec();
        append_payload(&entry(Dialect::redis(12), 0, b"\x05hello"), &mut out).unwrap();
        assert_eq!(out[6..15], *b"\x00\x05hello\x01\x00");
        let payload = Payload::parse(&out[6..]).unwrap();
        assert_eq!((payload.kind, payload.value), (0, &b"\x05hello"[..]));
        let hash = entry(Dialect::valkey(80), 22, b"\x00");
        assert_eq!(payload_version(&hash), Ok(80));
        let mut meta = entry(Dialect::redis(13), 0, b"\x00");
        meta.meta = b"\xf3\x01abcd\x02\x05\x00";
        assert_eq!(payload_version(&meta), Ok(13));
        let mut out = Vec::new();
        append_payload(&meta, &mut out).unwrap();
        assert_eq!(Payload::parse(&out).unwrap().meta, meta.meta);
        let mut pieces = Vec::new();
        let mut footer = Footer::begin(&meta, &mut pieces).unwrap();
        footer.pass(meta.value);
        pieces.extend_from_slice(meta.value);
        pieces.extend(footer.bytes());
        assert_eq!(pieces, out);
    }

    #[test]
    fn a_damaged_payload_is_refused() {
        let mut good = HELLO.to_vec();
        good.extend(crc::crc64(&good).to_le_bytes());
        assert_eq!(Payload::parse(&good).unwrap().value, b"\x05hello");
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let error = Payload::parse(&bad).unwrap_err();
            assert!(matches!(error.fault, Fault::Checksum { .. }), "{error}");
            assert!(Payload::parse(&good[..at]).is_err());
        }
        for body in [
            &b"\x00\x05hell\x0a\x00"[..],
            b"\x00\x05helloo\x0a\x00",
            b"\x3f\x0a\x00",
            b"\x0a\x00",
        ] {
            let mut bad = body.to_vec();
            bad.extend(crc::crc64(&bad).to_le_bytes());
            assert!(Payload::parse(&bad).is_err(), "{body:?}");
        }
    }
}
