//! The checksum over files and payloads: CRC64, with tables of sixteen (2 GB/s, six times the default
//! table).

use crc::{CRC_64_REDIS, Crc, Digest, Table};

const CRC64: &Crc<u64, Table<16>> = &Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// A CRC64 under way.
pub(super) type Crc64 = Digest<'static, u64, Table<16>>;

/// Begins a CRC64 (Jones, reflected, from 0), as files and payloads end with.
pub(super) fn crc64_digest() -> Crc64 {
    CRC64.digest()
}

/// The CRC64 of these bytes.
pub(super) fn crc64(bytes: &[u8]) -> u64 {
    CRC64.checksum(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_servers() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }
}
