//! The types of values: what family each belongs to, since which version it is known, how it is laid out.
//!
//! A number means what the vendor says it means; only 22 and 23 have had two meanings and are looked up
//! by version as well. For all others the file's version is not held against them: a build between
//! releases may write a type before its version number, and the layout is the same.

use super::error::Fault;
use super::value::Op;
use super::value::Op::{Cells, Container, Each, Fields, Nums, Raw, Raws, Score, Str, Strs};
use super::{Dialect, Vendor};

/// What a value is to those who use it, however it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// A string.
    Text,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
    /// A hash, whose fields may expire.
    Hash,
    /// A stream.
    Stream,
    /// A module's own; opaque.
    Module,
    /// An array of Redis 8.8; opaque.
    Array,
}

impl Family {
    /// What TYPE answers; `module` for what only its module knows.
    pub fn name(self) -> &'static str {
        match self {
            Family::Text => "string",
            Family::List => "list",
            Family::Set => "set",
            Family::SortedSet => "zset",
            Family::Hash => "hash",
            Family::Stream => "stream",
            Family::Module => "module",
            Family::Array => "array",
        }
    }

    /// By that name.
    pub fn named(name: &str) -> Option<Family> {
        [
            Family::Text,
            Family::List,
            Family::Set,
            Family::SortedSet,
            Family::Hash,
            Family::Stream,
            Family::Module,
            Family::Array,
        ]
        .into_iter()
        .find(|family| family.name() == name)
    }
}

/// One type of value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) family: Family,
    /// The lowest version that knows it: what a RESTORE payload is stamped with.
    pub(super) since: u16,
    pub(super) layout: &'static [Op],
}

const STRING: &[Op] = &[Str];
const STRINGS: &[Op] = &[Strs(1)];
const PAIRS: &[Op] = &[Strs(2)];

const NODES: Op = Strs(2);
/// What a stream begins with, whatever its type.
pub(super) const STREAM_NODES: &[Op] = &[NODES];
const GROUP_PENDING: Op = Each(&[Raw(24), Nums(1)]);
const OWNED: Op = Raws(16);
const GROUP_V1: &[Op] = &[Str, Nums(2), GROUP_PENDING, Each(&[Str, Raw(8), OWNED])];
const GROUP_V2: &[Op] = &[Str, Nums(3), GROUP_PENDING, Each(&[Str, Raw(8), OWNED])];
const GROUP_V3: &[Op] = &[Str, Nums(3), GROUP_PENDING, Each(&[Str, Raw(16), OWNED])];
const GROUP_V5: &[Op] = &[
    Str,
    Nums(3),
    GROUP_PENDING,
    Each(&[Str, Raw(16), OWNED]),
    OWNED,
];
const SENT: Op = Each(&[Str, Each(&[Str, Nums(2)])]);
/// What follows a stream's groups from RDB 13 on.
pub(super) const PRODUCERS: &[Op] = &[Nums(2), SENT, Nums(2)];

/// Looks a type up.
#[inline]
pub(super) fn kind(dialect: Dialect, number: u8) -> Result<Kind, Fault> {
    use Family::{Array, Hash, List, Module, Set, SortedSet, Stream, Text};
    let is_redis = dialect.vendor == Vendor::Redis;
    let (family, since, layout) = match number {
        0 => (Text, 1, STRING),
        1 => (List, 1, STRINGS),
        2 => (Set, 1, STRINGS),
        3 => (SortedSet, 1, &[Each(&[Str, Score])][..]),
        4 => (Hash, 1, PAIRS),
        5 => (SortedSet, 8, &[Each(&[Str, Raw(8)])][..]),
        7 => (Module, 8, &[Nums(1), Fields][..]),
        9 => (Hash, 2, STRING),
        10 => (List, 2, STRING),
        11 => (Set, 2, STRING),
        12 => (SortedSet, 2, STRING),
        13 => (Hash, 4, STRING),
        14 => (List, 7, STRINGS),
        15 => (Stream, 9, &[NODES, Nums(3), Each(GROUP_V1)][..]),
        16 => (Hash, 10, STRING),
        17 => (SortedSet, 10, STRING),
        18 => (List, 10, &[Each(&[Container, Str])][..]),
        19 => (Stream, 10, &[NODES, Nums(8), Each(GROUP_V2)][..]),
        20 => (Set, 11, STRING),
        21 => (Stream, 11, &[NODES, Nums(8), Each(GROUP_V3)][..]),
        // Release candidates of 7.4 wrote these two; every later Redis still reads them.
        22 if is_redis && dialect.version >= 12 => (Hash, 12, &[Each(&[Nums(1), Str, Str])][..]),
        23 if is_redis && dialect.version >= 12 => (Hash, 12, STRING),
        22 if !is_redis => (Hash, 80, &[Each(&[Str, Str, Raw(8)])][..]),
        24 if is_redis => (Hash, 12, &[Raw(8), Each(&[Nums(1), Str, Str])][..]),
        25 if is_redis => (Hash, 12, &[Raw(8), Str][..]),
        // The last stream types and the array: as third-party readers agree, not seen on a server.
        26 if is_redis => {
            let layout = &[NODES, Nums(8), Each(GROUP_V3), Nums(2), SENT, Nums(2)];
            (Stream, 13, &layout[..])
        }
        27 if is_redis => {
            let layout = &[NODES, Nums(8), Each(GROUP_V5), Nums(2), SENT, Nums(2)];
            (Stream, 14, &layout[..])
        }
        28 if is_redis => (Array, 14, &[Cells][..]),
        _ => {
            return Err(refused(is_redis, number).unwrap_or(Fault::UnknownType { dialect, number }));
        }
    };
    Ok(Kind {
        family,
        since,
        layout,
    })
}

/// Those that are known by name only. DUMP is no way around any of them: it gives the same type, or of a
/// hash by template the two forms for which published layouts disagree.
fn refused(is_redis: bool, number: u8) -> Option<Fault> {
    let (what, next) = match number {
        6 => (
            "a module's value as Redis wrote it before 4.0",
            "load the file into Redis 4.0 or later with that module, and save it from there",
        ),
        23 if !is_redis => ("a path hash of Valkey 9.2", NEWER_VALKEY),
        29 | 31 if is_redis => ("a hash by template, as Redis 8.10 dumps it", NO_TEMPLATES),
        30 | 32 if is_redis => (
            "a hash that refers to a template of Redis 8.10",
            NO_TEMPLATES,
        ),
        33 if is_redis => (
            "a rate limiter of a Redis 8.8 pre-release",
            "delete these keys, for no later Redis reads them, or save from the released Redis 8.8",
        ),
        _ => return None,
    };
    Some(Fault::Refused { number, what, next })
}

/// The next step where the server is newer than what is read here.
pub(super) const NEWER_VALKEY: &str =
    "use a goodcache that knows Valkey 9.2, or keep the keys on Valkey up to 9.1";
/// The same for hash templates; reading key by key does not help.
pub(super) const NO_TEMPLATES: &str = "use a goodcache that knows Redis 8.10, or keep the keys on \
    Redis up to 8.8; --via scan meets the same hashes";

/// What family a type belongs to.
///
/// # Errors
/// [`Fault::UnknownType`] and [`Fault::Refused`].
pub fn family(dialect: Dialect, number: u8) -> Result<Family, super::RdbError> {
    Ok(kind(dialect, number).map_err(|fault| fault.at(0))?.family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_what_its_vendor_says() {
        let (old, new) = (Dialect::redis(11), Dialect::redis(12));
        let valkey = Dialect::valkey(80);
        assert_eq!(kind(valkey, 22).unwrap().since, 80);
        assert_eq!(kind(new, 22).unwrap().since, 12);
        for (dialect, number) in [
            (old, 22),
            (old, 23),
            (valkey, 24),
            (valkey, 26),
            (new, 8),
            (new, 34),
        ] {
            let fault = Fault::UnknownType { dialect, number };
            assert_eq!(kind(dialect, number).unwrap_err(), fault);
        }
        for (dialect, number) in [(new, 6), (valkey, 23), (new, 30), (new, 33)] {
            let fault = kind(dialect, number).unwrap_err();
            assert!(matches!(fault, Fault::Refused { .. }), "{fault}");
        }
        assert!(kind(Dialect::redis(14), 28).is_ok());
        for (dialect, number, said, next) in [
            (
                new,
                6,
                "a module's value as Redis wrote it before 4.0 (number 6) cannot be read (at byte 7)",
                "load the file into Redis 4.0 or later",
            ),
            (
                Dialect::redis(16),
                31,
                "a hash by template, as Redis 8.10 dumps it (number 31) cannot be read (at byte 7)",
                "Redis up to 8.8; --via scan meets the same hashes",
            ),
            (
                Dialect::redis(16),
                32,
                "a hash that refers to a template of Redis 8.10 (number 32) cannot be read (at byte 7)",
                "Redis up to 8.8; --via scan meets the same hashes",
            ),
        ] {
            let error = kind(dialect, number).unwrap_err().at(7);
            assert_eq!(error.to_string(), said);
            assert!(error.hint().contains(next), "{}", error.hint());
        }
        // The table of measured acceptance: which version each payload is stamped with.
        for (numbers, since) in [
            (&[0, 1, 2, 3, 4][..], 1),
            (&[9, 10, 11, 12], 2),
            (&[13], 4),
            (&[14], 7),
            (&[5, 7], 8),
            (&[15], 9),
            (&[16, 17, 18, 19], 10),
            (&[20, 21], 11),
            (&[24, 25], 12),
        ] {
            for &number in numbers {
                assert_eq!(kind(new, number).unwrap().since, since, "{number}");
            }
        }
    }
}
