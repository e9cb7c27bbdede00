//! Values inside a log: a RESTORE there, also one that a moving slot brought, carries a value as the
//! server that took it wrote it. The target may be of another version, so such a value is made anew for
//! it as those of the bases are: pure.

use super::touched::SHIFT_MS;
use crate::rdb::{Accepts, Bridged, Entry, Payload, Reason, bridge_later};

/// What a value becomes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// What the target's RESTORE takes, and whether fields of it may expire.
    Anew(Vec<u8>, bool),
    /// Its type is not known here, or it is damaged: the target may judge.
    AsItIs,
    /// The target cannot hold it.
    Impossible(Reason),
}

/// Makes the payload of a RESTORE anew for a target that takes that.
pub(super) fn carried(key: &[u8], payload: &[u8], accepts: Accepts) -> Carried {
    let Ok(parsed) = Payload::parse(payload) else {
        return Carried::AsItIs;
    };
    let entry = Entry {
        dialect: parsed.dialect,
        db: 0,
        key,
        kind: parsed.kind,
        value: parsed.value,
        meta: parsed.meta,
        expires_ms: None,
        freq: None,
        idle_s: None,
        range: 0..0,
    };
    let mut anew = Vec::with_capacity(payload.len());
    match bridge_later(&entry, accepts, SHIFT_MS.unsigned_abs(), &mut anew) {
        Ok(Bridged::Impossible(reason)) => Carried::Impossible(reason),
        Ok(Bridged::Stamped | Bridged::Transcoded { .. }) => {
            let may_expire = crate::rdb::fields_may_expire(entry.kind);
            Carried::Anew(anew, may_expire)
        }
        Err(_) => Carried::AsItIs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Dialect, Vendor, append_payload};

    fn payload(dialect: Dialect, kind: u8, value: &[u8]) -> Vec<u8> {
        let entry = Entry {
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
        };
        let mut out = Vec::new();
        append_payload(&entry, &mut out).unwrap();
        out
    }

    fn hash(ms: u64) -> Vec<u8> {
        [&ms.to_le_bytes()[..], b"\x01\x01\x01f\x01v"].concat()
    }

    #[test]
    fn a_value_is_made_anew_for_an_older_server() {
        // A set of one element, of which 6.2 knows no listpack.
        let set = b"\x0a\x0a\x00\x00\x00\x01\x00\x81a\x02\xff";
        let newer = payload(Dialect::redis(11), 20, set);
        let older = Accepts::of_server(Vendor::Redis, "6.2.5");
        let Carried::Anew(anew, false) = carried(b"k", &newer, older) else {
            panic!("{:?}", carried(b"k", &newer, older));
        };
        let parsed = Payload::parse(&anew).unwrap();
        assert_eq!(
            (parsed.kind, parsed.value),
            (2, &b"\x80\0\0\0\x01\x01a"[..])
        );
    }

    #[test]
    fn what_a_field_lives_longer_is_the_same_as_of_the_bases() {
        let value = payload(Dialect::redis(12), 24, &hash(5));
        let takes = Accepts::of_server(Vendor::Redis, "8.2.0");
        let expected = payload(Dialect::redis(12), 24, &hash(5 + SHIFT_MS.unsigned_abs()));
        assert_eq!(carried(b"k", &value, takes), Carried::Anew(expected, true));
        let older = Accepts::of_server(Vendor::Redis, "7.0.15");
        assert_eq!(
            carried(b"k", &value, older),
            Carried::Impossible(Reason::FieldExpiry)
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_target() {
        let takes = Accepts::of_server(Vendor::Redis, "7.0.15");
        assert_eq!(carried(b"k", b"payload", takes), Carried::AsItIs);
    }
}
