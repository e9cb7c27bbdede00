//! Hashes whose fields expire, from any layout into either vendor's, or into a plain hash when no field
//! of theirs expires after all (HPERSIST leaves the layout as it is).
//!
//! Redis counts from the earliest expiry, which stands in front; so the fields are gone through twice.
//! Names and values are copied as they lie, compressed or not, unless they are in a listpack. An expiry
//! in the past is kept: the server sees to it.

use super::super::cut::Cut;
use super::super::decode::{Decoder, Element};
use super::super::error::{Fault, RdbError};
use super::super::item::Entry;
use super::super::payload::{append_length, append_string};
use super::{Reason, Vendor};

const PLAIN: u8 = 4;
const REDIS: u8 = 24;

/// `EB_EXPIRE_TIME_MAX` in Redis' `ebuckets.h`: a value with a later one is refused.
const REDIS_LATEST_MS: u64 = (1 << 48) - 1;

/// `HFE_MAX_ABS_TIME_MSEC` in its `t_hash.c`.
const REDIS_LATEST_BY_COMMAND_MS: u64 = REDIS_LATEST_MS >> 2;

/// What the first round finds.
#[derive(Debug, Default)]
pub(in crate::rdb) struct Expiries {
    count: u64,
    earliest: Option<u64>,
    latest: u64,
}

impl Expiries {
    /// Counts a field, and when it expires.
    pub(in crate::rdb) fn note(&mut self, expires_ms: Option<u64>) {
        self.count += 1;
        if let Some(ms) = expires_ms {
            self.earliest = Some(self.earliest.map_or(ms, |earliest| earliest.min(ms)));
            self.latest = self.latest.max(ms);
        }
    }
}

/// Appends type and value; gives the type. `expiring` is the server's type for fields that expire; they do
/// so by so many ms later.
pub(super) fn append(
    entry: &Entry<'_>,
    expiring: Option<u8>,
    by_ms: u64,
    out: &mut Vec<u8>,
) -> Result<Result<u8, Reason>, RdbError> {
    let mut sum = Expiries::default();
    each(entry, by_ms, &mut |expires_ms, _| sum.note(expires_ms))?;
    let to = fit(&sum, expiring, REDIS_LATEST_MS);
    if let Ok(to) = to {
        write(entry, to, by_ms, &sum, out)?;
    }
    Ok(to)
}

/// Why the fields cannot be set to expire by command.
pub(super) fn unfit(expiries: &Expiries, expiring: Option<u8>) -> Option<Reason> {
    fit(expiries, expiring, REDIS_LATEST_BY_COMMAND_MS).err()
}

/// The type that holds such fields.
fn fit(sum: &Expiries, expiring: Option<u8>, latest_ms: u64) -> Result<u8, Reason> {
    match (sum.earliest, expiring) {
        (None, _) => Ok(PLAIN),
        (Some(_), None) => Err(Reason::FieldExpiry),
        (Some(_), Some(REDIS)) if sum.latest > latest_ms => Err(Reason::FieldExpiryTooLate),
        (Some(_), Some(to)) => Ok(to),
    }
}

fn write(
    entry: &Entry<'_>,
    to: u8,
    by_ms: u64,
    sum: &Expiries,
    out: &mut Vec<u8>,
) -> Result<(), RdbError> {
    let earliest = sum.earliest.unwrap_or(0);
    out.push(to);
    if to == REDIS {
        out.extend_from_slice(&earliest.to_le_bytes());
    }
    append_length(sum.count, out);
    each(entry, by_ms, &mut |expires_ms, pair| match to {
        PLAIN => out.extend_from_slice(pair),
        REDIS => {
            append_length(expires_ms.map_or(0, |ms| ms - earliest + 1), out);
            out.extend_from_slice(pair);
        }
        _ => {
            out.extend_from_slice(pair);
            let ms = expires_ms.map_or(-1, u64::cast_signed);
            out.extend_from_slice(&ms.to_le_bytes());
        }
    })
}

/// Shows when each field expires, so many ms later, and the field and its value as strings of the file.
fn each(
    entry: &Entry<'_>,
    by_ms: u64,
    see: &mut impl FnMut(Option<u64>, &[u8]),
) -> Result<(), RdbError> {
    let later = |ms: u64| ms.saturating_add(by_ms);
    let see = &mut |expires_ms: Option<u64>, pair: &[u8]| see(expires_ms.map(later), pair);
    match entry.kind {
        23 | 25 => each_packed(entry, see),
        _ => {
            let mut cut = Cut::new(entry.value, 0);
            each_plain(entry, &mut cut, see).map_err(|fault| fault.at(cut.at as u64))
        }
    }
}

fn each_packed(
    entry: &Entry<'_>,
    see: &mut impl FnMut(Option<u64>, &[u8]),
) -> Result<(), RdbError> {
    let mut pair = Vec::new();
    let mut show = |element: Element<'_>| {
        if let Element::Field {
            field,
            value,
            expires_ms,
        } = element
        {
            pair.clear();
            append_string(field, &mut pair);
            append_string(value, &mut pair);
            see(expires_ms, &pair);
        }
    };
    Decoder::new().decode(entry.dialect, entry.kind, entry.value, &mut show)?;
    Ok(())
}

fn each_plain(
    entry: &Entry<'_>,
    cut: &mut Cut<'_>,
    see: &mut impl FnMut(Option<u64>, &[u8]),
) -> Result<(), Fault> {
    let is_valkey = entry.dialect.vendor == Vendor::Valkey;
    // Types 24 count from the earliest and one up; release candidates of 7.4 wrote the time itself.
    let base = match entry.kind {
        24 => Some(u64::from_le_bytes(cut.array()?)),
        _ => None,
    };
    for _ in 0..cut.length()? {
        let before = if is_valkey { 0 } else { cut.length()? };
        let from = cut.at;
        cut.string()?;
        cut.string()?;
        let pair = &cut.bytes[from..cut.at];
        let expires_ms = if is_valkey {
            u64::try_from(i64::from_le_bytes(cut.array()?)).ok()
        } else {
            absolute(before, base)?
        };
        see(expires_ms, pair);
    }
    if cut.is_at_end() {
        Ok(())
    } else {
        Err(Fault::Trailing)
    }
}

fn absolute(written: u64, base: Option<u64>) -> Result<Option<u64>, Fault> {
    match (written, base) {
        (0, _) => Ok(None),
        (ms, None) => Ok(Some(ms)),
        (more, Some(base)) => base.checked_add(more - 1).map(Some).ok_or(Fault::Length),
    }
}
