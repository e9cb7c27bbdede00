//! Whose format a file is in: the vendor and the version, as its first nine bytes say.
//!
//! Opcodes 242 and 243 and types 22 and 23 mean different things to Redis and to Valkey, so nothing in
//! an RDB can be read without knowing this. Valkey 7.2 to 8.1 write `REDIS0011` and count as Redis here.

use std::fmt;

use super::error::Fault;

/// How long the magic is, for either vendor.
pub(super) const MAGIC_BYTES: usize = 9;

/// The newest versions whose numbers the tables here hold.
const NEWEST_REDIS: u16 = 16;
const VALKEY_VERSIONS: std::ops::RangeInclusive<u16> = 80..=81;

/// Who defines the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vendor {
    /// `REDIS` and four digits.
    Redis,
    /// `VALKEY` and three digits, from Valkey 9 on.
    Valkey,
}

/// A vendor's format in one version: `REDIS0011`, `VALKEY080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// Whose it is.
    pub vendor: Vendor,
    /// Redis: 9 is 5.0 to 6.2, 10 is 7.0, 11 is 7.2 (and Valkey up to 8.1), 12 is 7.4 to 8.4. Valkey: 80 is 9.0 and 9.1.
    pub version: u16,
}

impl Dialect {
    /// Redis in that version.
    pub const fn redis(version: u16) -> Dialect {
        Dialect {
            vendor: Vendor::Redis,
            version,
        }
    }

    /// Valkey in that version.
    pub const fn valkey(version: u16) -> Dialect {
        Dialect {
            vendor: Vendor::Valkey,
            version,
        }
    }

    /// The dialect of a RESTORE payload: its footer has a number only, and Valkey counts from 80.
    pub const fn of_payload(version: u16) -> Dialect {
        if version < *VALKEY_VERSIONS.start() {
            Dialect::redis(version)
        } else {
            Dialect::valkey(version)
        }
    }

    /// By its magic, such as `REDIS0012`.
    pub fn named(magic: &str) -> Option<Dialect> {
        Dialect::parse(magic.as_bytes()).ok()
    }

    /// Whether the tables here hold all that may occur in it.
    pub fn is_known(self) -> bool {
        match self.vendor {
            Vendor::Redis => (1..=NEWEST_REDIS).contains(&self.version),
            Vendor::Valkey => VALKEY_VERSIONS.contains(&self.version),
        }
    }

    /// Whether a checksum follows the end: Redis wrote none before version 5.
    pub(super) fn has_checksum(self) -> bool {
        self.vendor == Vendor::Valkey || self.version >= 5
    }

    /// Reads the magic; `bytes` may be longer than it, or shorter.
    pub(super) fn parse(bytes: &[u8]) -> Result<Dialect, Fault> {
        let (magic, vendor) = if bytes.starts_with(b"VCS") {
            return Err(Fault::Envelope);
        } else if bytes == b"VC" {
            return Err(Fault::Truncated);
        } else if bytes.starts_with(b"V") {
            (&b"VALKEY"[..], Vendor::Valkey)
        } else {
            (&b"REDIS"[..], Vendor::Redis)
        };
        let common = magic.len().min(bytes.len());
        if bytes[..common] != magic[..common] {
            return Err(Fault::NotRdb);
        }
        let digits = bytes
            .get(magic.len()..MAGIC_BYTES)
            .ok_or(Fault::Truncated)?;
        let version = digits.iter().try_fold(0_u16, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u16::from(digit - b'0'))
        });
        let version = version.ok_or(Fault::NotRdb)?;
        let dialect = Dialect { vendor, version };
        if dialect.is_known() {
            Ok(dialect)
        } else {
            Err(Fault::UnknownVersion(dialect))
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.vendor {
            Vendor::Redis => write!(f, "REDIS{:04}", self.version),
            Vendor::Valkey => write!(f, "VALKEY{:03}", self.version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_magic_says_whose_file_it_is() {
        for dialect in [
            Dialect::redis(9),
            Dialect::redis(12),
            Dialect::redis(16),
            Dialect::valkey(80),
        ] {
            let magic = dialect.to_string();
            assert_eq!(Dialect::parse(magic.as_bytes()), Ok(dialect), "{magic}");
            for end in 0..magic.len() {
                let part = &magic.as_bytes()[..end];
                assert_eq!(Dialect::parse(part), Err(Fault::Truncated), "{end}");
            }
        }
        for (magic, fault) in [
            ("REDIS00x1", Fault::NotRdb),
            ("RODIS", Fault::NotRdb),
            ("\n", Fault::NotRdb),
            ("VCS\x01\x01", Fault::Envelope),
            ("REDIS0017", Fault::UnknownVersion(Dialect::redis(17))),
            ("VALKEY079", Fault::UnknownVersion(Dialect::valkey(79))),
        ] {
            assert_eq!(Dialect::parse(magic.as_bytes()), Err(fault), "{magic}");
        }
    }
}
