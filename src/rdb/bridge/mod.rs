//! Values carried to servers of other versions and vendors.
//!
//! RESTORE takes a type that the server knows and nothing else, however simple the value is: a small
//! set of Redis 7.2 is foreign to 7.0, a hash whose fields expire to the other vendor. Most values go
//! as they are, stamped with the lowest version that knows their type (see `payload`); of the others
//! nearly all can be put into an older layout that every server still reads. What cannot go is said
//! with its reason, before a byte is sent: [`can_go`] judges by the type alone, [`bridge`] by the value.

mod accepts;
mod hash;
mod packed;
mod stream;

use std::fmt;

pub use accepts::Accepts;
pub(super) use hash::Expiries;
pub(super) use stream::Counters;

use super::error::{Fault, RdbError};
use super::item::Entry;
use super::kind::kind;
use super::payload::{KEY_META_SINCE, append_payload, seal};
use super::{Dialect, Family, Vendor};

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bridged {
    /// Its bytes as they are, stamped with the lowest version that knows the type.
    Stamped,
    /// Its data in another layout.
    Transcoded {
        /// The type that it had.
        from: u8,
        /// The type that it has now.
        to: u8,
        /// What had no place in it.
        lost: Losses,
    },
    /// Nothing was made: that server cannot hold it.
    Impossible(Reason),
}

/// How values of a type fare, as far as the type alone can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They go as they are.
    Stamped,
    /// They go in another layout.
    Transcoded,
    /// They go in another layout unless fields of theirs expire.
    UnlessFieldsExpire,
    /// They cannot go.
    Impossible(Reason),
}

/// Why a value cannot go to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A module's value, and no module is loaded there.
    Module,
    /// Fields of it expire, and the server knows no such thing.
    FieldExpiry,
    /// A field of it expires later than the server can count.
    FieldExpiryTooLate,
    /// It is opaque: it goes by RESTORE or not at all.
    OnlyWhole,
    /// The server knows no such type, and no other can stand for it.
    UnknownType {
        /// The type byte.
        number: u8,
        /// What it is.
        family: Family,
    },
}

/// What a value lost on its way to a server that has no place for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Losses {
    /// Which messages a stream's producers sent before: one sent again is added again.
    pub idempotence: bool,
    /// Stream entries that were handed back (XNACK) are pending at a consumer again.
    pub handed_back: bool,
    /// What modules kept with the key.
    pub metadata: bool,
}

/// Judges by the type alone whether values of it can go to that server.
///
/// # Errors
/// When the type is not known: such a value cannot be read either.
pub fn can_go(dialect: Dialect, number: u8, accepts: Accepts) -> Result<Way, RdbError> {
    way(dialect, number, accepts).map_err(|fault| fault.at(0))
}

/// Appends to `out` what RESTORE takes for this entry on that server, or nothing when it cannot go.
///
/// # Errors
/// When its type is not known or its value is damaged; `out` is as it was then.
pub fn bridge(entry: &Entry<'_>, accepts: Accepts, out: &mut Vec<u8>) -> Result<Bridged, RdbError> {
    bridge_later(entry, accepts, 0, out)
}

/// The same, and fields that expire do so by so many ms later.
///
/// # Errors
/// As [`bridge`].
pub fn bridge_later(
    entry: &Entry<'_>,
    accepts: Accepts,
    by_ms: u64,
    out: &mut Vec<u8>,
) -> Result<Bridged, RdbError> {
    let from = out.len();
    let is_shifted = by_ms > 0 && fields_may_expire(entry.kind);
    let done = match can_go(entry.dialect, entry.kind, accepts)? {
        Way::Impossible(reason) => Ok(Bridged::Impossible(reason)),
        Way::Stamped if is_shifted => transcode(entry, accepts, by_ms, out),
        Way::Stamped if entry.meta.is_empty() || accepts.keeps_metadata() => {
            append_payload(entry, out).map(|()| Bridged::Stamped)
        }
        Way::Stamped => drop_metadata(entry, out),
        Way::Transcoded | Way::UnlessFieldsExpire => transcode(entry, accepts, by_ms, out),
    };
    if !matches!(done, Ok(Bridged::Stamped | Bridged::Transcoded { .. })) {
        out.truncate(from);
    }
    done
}

fn way(dialect: Dialect, number: u8, accepts: Accepts) -> Result<Way, Fault> {
    let found = kind(dialect, number)?;
    if found.family == Family::Module && !accepts.modules {
        return Ok(Way::Impossible(Reason::Module));
    }
    if accepts.knows(dialect, number)? {
        return Ok(Way::Stamped);
    }
    let family = found.family;
    Ok(match family {
        Family::Hash if fields_may_expire(number) => match accepts.expiring_hash() {
            Some(_) => Way::Transcoded,
            None => Way::UnlessFieldsExpire,
        },
        _ if stand_in(number, accepts).is_some() => Way::Transcoded,
        _ => Way::Impossible(Reason::UnknownType { number, family }),
    })
}

/// Whether that is a type of hashes whose fields may expire.
pub fn fields_may_expire(number: u8) -> bool {
    (22..=25).contains(&number)
}

/// The newest type that the server knows and that holds the same.
fn stand_in(number: u8, accepts: Accepts) -> Option<u8> {
    let older: &[u8] = match number {
        16 => &[4],
        17 => &[5],
        18 => &[1],
        20 => &[2],
        19 => &[15],
        21 => &[19, 15],
        26 => &[21, 19, 15],
        27 => &[26, 21, 19, 15],
        _ => &[],
    };
    older.iter().copied().find(|&older| accepts.has(older))
}

fn transcode(
    entry: &Entry<'_>,
    accepts: Accepts,
    by_ms: u64,
    out: &mut Vec<u8>,
) -> Result<Bridged, RdbError> {
    let start = out.len();
    let meta = accepts.metadata_of(entry);
    out.extend_from_slice(meta);
    let mut lost = Losses {
        metadata: meta.len() < entry.meta.len(),
        ..Losses::default()
    };
    let to = if fields_may_expire(entry.kind) {
        match hash::append(entry, accepts.expiring_hash(), by_ms, out)? {
            Ok(to) => to,
            Err(reason) => return Ok(Bridged::Impossible(reason)),
        }
    } else {
        let family = kind(entry.dialect, entry.kind)
            .map_err(|fault| fault.at(0))?
            .family;
        let number = entry.kind;
        let Some(to) = stand_in(number, accepts) else {
            return Ok(Bridged::Impossible(Reason::UnknownType { number, family }));
        };
        out.push(to);
        if family == Family::Stream {
            stream::append(entry, to, &mut lost, out)?;
        } else {
            packed::append(entry, out)?;
        }
        to
    };
    finish(entry, accepts.dialect_of(to), to, start, lost, out)
}

/// Why a value cannot be built up by commands on that server; `expiries` are those of its fields.
pub(super) fn unfit(
    entry: &Entry<'_>,
    expiries: &Expiries,
    accepts: Accepts,
) -> Result<Option<Reason>, RdbError> {
    let family = kind(entry.dialect, entry.kind)
        .map_err(|fault| fault.at(0))?
        .family;
    match family {
        Family::Module | Family::Array => Ok(Some(Reason::OnlyWhole)),
        Family::Hash if fields_may_expire(entry.kind) => {
            Ok(hash::unfit(expiries, accepts.expiring_hash()))
        }
        Family::Stream if skeleton_type(entry, accepts)?.is_none() => {
            Ok(Some(Reason::UnknownType {
                number: entry.kind,
                family,
            }))
        }
        _ => Ok(None),
    }
}

/// Appends the payload of a stream that is not [`unfit`], without its entries; gives what they leave
/// behind.
pub(super) fn append_skeleton(
    entry: &Entry<'_>,
    accepts: Accepts,
    lost: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<Counters, RdbError> {
    let to = skeleton_type(entry, accepts)?.unwrap_or(entry.kind);
    let start = out.len();
    out.push(to);
    let counters = stream::append_skeleton(entry, to, lost, out)?;
    let since = kind(accepts.dialect_of(to), to)
        .map_err(|fault| fault.at(0))?
        .since;
    seal(since, start, out);
    Ok(counters)
}

/// The type in which that server takes a stream.
fn skeleton_type(entry: &Entry<'_>, accepts: Accepts) -> Result<Option<u8>, RdbError> {
    let knows = accepts
        .knows(entry.dialect, entry.kind)
        .map_err(|fault| fault.at(0))?;
    Ok(if knows {
        Some(entry.kind)
    } else {
        stand_in(entry.kind, accepts)
    })
}

fn drop_metadata(entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<Bridged, RdbError> {
    let bare = Entry {
        meta: &[],
        ..entry.clone()
    };
    append_payload(&bare, out)?;
    Ok(Bridged::Transcoded {
        from: entry.kind,
        to: entry.kind,
        lost: Losses {
            metadata: true,
            ..Losses::default()
        },
    })
}

fn finish(
    entry: &Entry<'_>,
    dialect: Dialect,
    to: u8,
    start: usize,
    lost: Losses,
    out: &mut Vec<u8>,
) -> Result<Bridged, RdbError> {
    let mut version = kind(dialect, to).map_err(|fault| fault.at(0))?.since;
    if !entry.meta.is_empty() && !lost.metadata {
        version = version.max(KEY_META_SINCE);
    }
    seal(version, start, out);
    let from = entry.kind;
    Ok(Bridged::Transcoded { from, to, lost })
}

impl Losses {
    /// Whether nothing was lost.
    pub fn is_empty(self) -> bool {
        self == Losses::default()
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = [
            (self.idempotence, "what its producers sent before"),
            (self.handed_back, "that entries were handed back"),
            (self.metadata, "what modules kept with the key"),
        ];
        let named: Vec<&str> = each
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| *name)
            .collect();
        f.write_str(&named.join(", "))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Module => f.write_str("it is a module's value, and the server has no modules"),
            Reason::FieldExpiry => {
                f.write_str("fields of it expire by themselves, which the server does not know")
            }
            Reason::FieldExpiryTooLate => {
                f.write_str("a field of it expires later than the server can count")
            }
            Reason::OnlyWhole => f.write_str("it cannot be taken apart"),
            Reason::UnknownType { number, family } => {
                let name = format!("{family:?}").to_lowercase();
                write!(
                    f,
                    "the server does not know this type of {name} (number {number})"
                )
            }
        }
    }
}

impl Reason {
    /// What to do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Reason::Module => "load the module on every node of the target first",
            Reason::FieldExpiry => "restore to Redis 7.4, Valkey 9.0 or a later one",
            Reason::FieldExpiryTooLate => "restore to a server of the vendor that it came from",
            Reason::OnlyWhole => "restore it whole, with a higher limit for big values",
            Reason::UnknownType { .. } => {
                "restore to a server as new as the one that it came from, of the same vendor"
            }
        }
    }
}

#[cfg(test)]
mod tests;
