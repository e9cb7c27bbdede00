//! What a server reads: its vendor and the version of the format that it writes itself.

use super::super::error::Fault;
use super::super::item::Entry;
use super::super::kind::kind;
use super::super::payload::KEY_META_SINCE;
use super::{Dialect, Vendor};

/// From here on each vendor gives numbers to types of its own.
const FIRST_OWN: u8 = 22;

/// Valkey 9.1 has its script engine as a module, which keeps no values.
const SCRIPTS: &str = "lua";

/// What a server takes by RESTORE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Accepts {
    /// Whose it is; Valkey also before version 9, when it still wrote Redis' format.
    pub vendor: Vendor,
    /// The version of the format that it writes: Redis up to 16, Valkey 11 and from 80 on.
    pub rdb: u16,
    /// Whether it has modules that may keep values; which value is whose cannot be told from here, and
    /// the server answers `Bad data format` to one of a module that it has not.
    pub modules: bool,
}

impl Accepts {
    /// By the version that INFO says, such as `7.0.15` (`redis_version`) or `9.1.2` (`valkey_version`).
    /// One that cannot be read counts as the oldest, since every server reads the oldest types.
    /// Modules are taken to be loaded; see [`Accepts::with_modules`].
    pub fn of_server(vendor: Vendor, version: &str) -> Accepts {
        let mut numbers = version
            .split('.')
            .map(|part| part.trim().parse::<u32>().unwrap_or(0));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let rdb = match vendor {
            Vendor::Redis => redis(version),
            Vendor::Valkey => valkey(version),
        };
        Accepts {
            vendor,
            rdb,
            modules: true,
        }
    }

    /// The same server with the modules that MODULE LIST names.
    #[must_use]
    pub fn with_modules<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Accepts {
        Accepts {
            modules: names.into_iter().any(|name| name != SCRIPTS),
            ..self
        }
    }

    /// Whether it reads that type as it is.
    pub(super) fn knows(self, dialect: Dialect, number: u8) -> Result<bool, Fault> {
        let since = kind(dialect, number)?.since;
        let is_shared = number < FIRST_OWN || dialect.vendor == self.vendor;
        Ok(is_shared && since <= self.rdb)
    }

    /// Whether it reads that type of its own.
    pub(super) fn has(self, number: u8) -> bool {
        kind(self.dialect_of(number), number).is_ok_and(|kind| kind.since <= self.rdb)
    }

    /// The type in which it keeps hashes whose fields expire.
    pub(super) fn expiring_hash(self) -> Option<u8> {
        let number = match self.vendor {
            Vendor::Redis => 24,
            Vendor::Valkey => 22,
        };
        self.has(number).then_some(number)
    }

    /// In which dialect it understands a number: Valkey up to 8.1 has none of its own.
    pub(super) fn dialect_of(self, number: u8) -> Dialect {
        match self.vendor {
            Vendor::Valkey if number >= FIRST_OWN => Dialect::valkey(self.rdb),
            _ => Dialect::redis(self.rdb),
        }
    }

    pub(super) fn keeps_metadata(self) -> bool {
        self.vendor == Vendor::Redis && self.rdb >= KEY_META_SINCE
    }

    /// The metadata that goes with the key there.
    pub fn metadata_of<'a>(self, entry: &Entry<'a>) -> &'a [u8] {
        if self.keeps_metadata() {
            entry.meta
        } else {
            &[]
        }
    }
}

/// `rdb.h` of the releases; from 8.6 on as third-party readers have it.
fn redis(version: (u32, u32)) -> u16 {
    match version {
        (..3, _) | (3, ..2) => 6,
        (3, _) => 7,
        (4, _) => 8,
        (5 | 6, _) => 9,
        (7, 0) => 10,
        (7, 1..3) => 11,
        (7, _) | (8, ..5) => 12,
        (8, 5 | 6) => 13,
        (8, 7 | 8) => 14,
        _ => 16,
    }
}

fn valkey(version: (u32, u32)) -> u16 {
    match version {
        (..9, _) => 11,
        (9, ..2) => 80,
        _ => 81,
    }
}
