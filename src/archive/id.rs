//! Names: of a snapshot, and of each object that belongs to it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::calendar::{self, DAY_MS};

/// `20261124T163114.123Z-9f3a2c1b`: the UTC time and eight random digits. In the order of names they
/// are in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SnapshotId(String);

/// A text that names no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no snapshot's name (such as 20261124T163114.123Z-9f3a2c1b)")]
pub struct ParseIdError(String);

impl SnapshotId {
    /// The name for that moment, ms since the epoch, and that random number. Past the year 9999
    /// all moments are its last.
    pub fn new(at_ms: u64, random: u32) -> SnapshotId {
        const END_OF_9999: u64 = 253_402_300_799_999;
        let at_ms = at_ms.min(END_OF_9999);
        let (year, month, day) = calendar::date(at_ms / DAY_MS);
        let (seconds, ms) = (at_ms % DAY_MS / 1000, at_ms % 1000);
        SnapshotId(format!(
            "{year:04}{month:02}{day:02}T{:02}{:02}{:02}.{ms:03}Z-{random:08x}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
        ))
    }

    /// The moment in it, ms since the epoch.
    pub fn at_ms(&self) -> u64 {
        at_ms(&self.0).unwrap_or(0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn at_ms(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())?
    };
    let marks = [(8, 'T'), (15, '.'), (19, 'Z'), (20, '-')];
    let has_marks = marks
        .iter()
        .all(|&(at, mark)| text.get(at..at + 1) == Some(mark.encode_utf8(&mut [0])));
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 29 || !has_marks || !text.get(21..)?.bytes().all(is_hex) {
        return None;
    }
    let day: u64 = calendar::day_of(number(0, 4)?, number(4, 6)?, number(6, 8)?)?;
    let (hour, minute, second): (u64, u64, u64) =
        (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ms: u64 = number(16, 19)?;
    Some(day * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + ms)
}

impl FromStr for SnapshotId {
    type Err = ParseIdError;
    fn from_str(text: &str) -> Result<SnapshotId, ParseIdError> {
        match at_ms(text) {
            Some(_) => Ok(SnapshotId(text.to_owned())),
            None => Err(ParseIdError(text.to_owned())),
        }
    }
}

impl TryFrom<String> for SnapshotId {
    type Error = ParseIdError;
    fn try_from(text: String) -> Result<SnapshotId, ParseIdError> {
        text.parse()
    }
}

impl From<SnapshotId> for String {
    fn from(id: SnapshotId) -> String {
        id.0
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What an object holds: a word of small letters. Those that an older goodcache does not know are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(String);

impl Kind {
    /// A piece of a shard's base: the RDB as the server sent it, or what stands for it.
    pub fn base() -> Kind {
        Kind("base".to_owned())
    }

    /// A piece of a shard's log: the commands after the base.
    pub fn log() -> Kind {
        Kind("log".to_owned())
    }

    /// A shard's table of slots.
    pub fn slots() -> Kind {
        Kind("slots".to_owned())
    }

    /// The manifest itself, where it is sealed.
    pub(super) fn manifest() -> Kind {
        Kind("manifest".to_owned())
    }

    /// Any other, such as `functions` or `acl`; `None` unless it is 1 to 20 small letters.
    pub fn new(word: &str) -> Option<Kind> {
        let is_word =
            (1..=20).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase());
        is_word.then(|| Kind(word.to_owned()))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Kind {
    type Error = String;
    fn try_from(text: String) -> Result<Kind, String> {
        Kind::new(&text).ok_or_else(|| format!("'{text}' names no kind of object"))
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> String {
        kind.0
    }
}

/// Which piece of what: it is written into each object and, where objects are sealed, bound to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Of which snapshot.
    pub snapshot: SnapshotId,
    /// Of which shard, as its place in the manifest; `None` of the cluster as a whole.
    pub shard: Option<u32>,
    /// Of what.
    pub kind: Kind,
    /// Which in order, from 0.
    pub seq: u32,
}

impl Identity {
    /// The object's name in the repository: `data/<snapshot>/03/base-000017`, `.../all/acl-000000`.
    pub fn name(&self) -> String {
        let Identity {
            snapshot,
            shard,
            kind,
            seq,
        } = self;
        let shard = shard.map_or_else(|| "all".to_owned(), |shard| format!("{shard:02}"));
        format!("data/{snapshot}/{shard}/{}-{seq:06}", kind.0)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time_and_tell_it() {
        let mut last = String::new();
        for at in [
            0,
            999,
            1000,
            1_709_164_800_123,
            1_795_538_274_123,
            253_402_300_799_999,
        ] {
            let id = SnapshotId::new(at, 7);
            assert_eq!(id.at_ms(), at);
            assert_eq!(id.as_str().parse(), Ok(id.clone()));
            assert!(id.as_str() > last.as_str());
            last = id.to_string();
        }
        assert_eq!(
            SnapshotId::new(1_709_164_800_123, 0x9f3a).as_str(),
            "20240229T000000.123Z-00009f3a"
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            "latest",
            "20240230T000000.123Z-00009f3a",
            "20240229T240000.123Z-00009f3a",
            "20240229T000000.123Z-00009F3A",
            "20240229T000000.123Z-00009f3",
            "+0240229T000000.123Z-00009f3a",
            "20240229T000000.123Z-../../..",
            "ä0240229T00000.123Z-00009f3a",
        ] {
            assert!(text.parse::<SnapshotId>().is_err(), "{text}");
        }
    }
}
