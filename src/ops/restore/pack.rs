//! An entry of a base becomes a RESTORE command for its master: in the layout that the master reads,
//! with its expiry as a time, its place in the order of use, and nothing that is over already.
//!
//! A string that lies there as it is becomes a SET: the server then computes no checksum and takes the
//! value over as it came, which is a tenth less of its time.

use std::sync::Arc;

use super::beside::beside;
use super::heat::Wave;
use super::large::Large;
use super::order::Existing;
use super::refusal::shown;
use super::select::Select;
use super::target::Target;
use super::touched::{SHIFT_MS, Touched};
use super::trouble::Trouble;
use super::values::accepts;
use crate::cluster::lane::Batch;
use crate::rdb::{
    Accepts, Bridged, Entry, Fault, Footer, RdbError, Reason, Way, append_stamped, bridge,
    bridge_later, can_go, fields_may_expire, payload_bytes, payload_version,
};

/// What a command takes beside its key and its value.
const ROOM: usize = 4 << 10;

/// How every entry is packed.
#[derive(Clone)]
pub(super) struct Packing {
    pub select: Select,
    pub existing: Existing,
    /// The least that any master takes: a slot may move to any while it runs.
    accepts: Accepts,
    eviction: Eviction,
    /// What the logs change, and what only they may set right.
    pub touched: Arc<Touched>,
    part: Part,
    wave: Wave,
    has_databases: bool,
    /// Whether strings may go by SET.
    sets: bool,
    pub now_ms: fn() -> u64,
}

/// Which entries are sent: those that a log changes come apart, for they may have to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Those that no log changes.
    Untouched,
    /// Those that one changes, or makes others from.
    Touched,
    /// Those that must be there at the end as the bases have them.
    Compared,
}

/// What the target keeps of how keys are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Eviction {
    Frequency,
    Idleness,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// It is in the batch.
    Whole,
    /// It is not meant, or not now.
    NotMeant,
    /// It goes in another wave.
    OtherWave,
    /// Its time is over.
    Expired,
    /// It cannot go.
    Impossible(Reason),
    /// It is in a database that the target does not have.
    NoSuchDb,
}

impl Packing {
    pub(super) fn new(
        target: &Target,
        select: &Select,
        existing: Existing,
        touched: Arc<Touched>,
        now_ms: fn() -> u64,
    ) -> Packing {
        let least = target
            .masters
            .iter()
            .map(accepts)
            .min_by_key(|accepts| accepts.rdb);
        let is_frequency = target
            .masters
            .iter()
            .all(|master| master.policy.ends_with("lfu"));
        Packing {
            select: select.clone(),
            existing,
            accepts: least.unwrap_or(Accepts::of_server(crate::rdb::Vendor::Redis, "6.2")),
            eviction: match is_frequency {
                true => Eviction::Frequency,
                false => Eviction::Idleness,
            },
            touched,
            part: Part::Untouched,
            wave: Wave::ALL,
            has_databases: target.has_databases(),
            sets: target.takes_set,
            now_ms,
        }
    }

    /// The same for the other part.
    pub(super) fn of_part(&self, part: Part) -> Packing {
        Packing {
            part,
            ..self.clone()
        }
    }

    /// The same for the keys of one wave.
    pub(super) fn of_wave(&self, wave: Wave) -> Packing {
        Packing {
            wave,
            ..self.clone()
        }
    }

    /// The same where what is there stays.
    pub(super) fn adding(&self) -> Packing {
        Packing {
            existing: Existing::Skip,
            ..self.clone()
        }
    }

    /// Whether that entry is sent at all, and if not why; said once, in the wave that it belongs to.
    pub(super) fn judge(&self, entry: &Entry<'_>, now_ms: u64) -> Packed {
        match (self.judge_in_any(entry, now_ms), self.wave.takes(entry)) {
            (judged, true) => judged,
            (Packed::Whole, false) => Packed::OtherWave,
            (_, false) => Packed::NotMeant,
        }
    }

    fn judge_in_any(&self, entry: &Entry<'_>, now_ms: u64) -> Packed {
        if !self.is_of_part(entry, now_ms) || self.touched.is_flushed(entry.db, || entry.slot()) {
            return Packed::NotMeant;
        }
        if entry.db != 0 && !self.has_databases {
            return match self.part {
                // They are counted as they come to be played.
                Part::Touched => Packed::NotMeant,
                _ => Packed::NoSuchDb,
            };
        }
        let is_over = entry.expires_ms.is_some_and(|ms| ms <= now_ms as i64);
        match is_over && self.part != Part::Touched {
            true => Packed::Expired,
            false => Packed::Whole,
        }
    }

    fn is_of_part(&self, entry: &Entry<'_>, now_ms: u64) -> bool {
        let (touched, db, key) = (&self.touched, entry.db, entry.key);
        match self.part {
            Part::Untouched => !touched.has(db, key) && self.select.takes(entry, now_ms),
            Part::Compared => touched.is_as_in_base(db, key) && self.select.takes(entry, now_ms),
            // Whatever its type: what the log does to it would be done to nothing else.
            Part::Touched => {
                let is_meant = || self.select.takes_key(key) && !touched.is_spared(db, key);
                touched.has(db, key) && (touched.is_aside(db, key) || is_meant())
            }
        }
    }

    /// The name that it gets first, where it is not its own.
    pub(super) fn beside(&self, entry: &Entry<'_>) -> Option<Vec<u8>> {
        let is_aside = || self.touched.is_aside(entry.db, entry.key);
        (self.part == Part::Touched && is_aside()).then(|| beside(entry.key))
    }

    /// Notes that a key cannot go where a log may still make it anew; `false` where none does.
    pub(super) fn loses(&self, entry: &Entry<'_>, reason: Reason) -> bool {
        let is_touched = self.part == Part::Touched;
        if is_touched {
            self.touched.lose(entry.db, entry.key, reason);
        }
        is_touched
    }

    /// The least that any master takes.
    pub(super) fn accepts(&self) -> Accepts {
        self.accepts
    }

    /// Whether what is there is replaced. What the logs change begins anew, whatever an earlier try left.
    pub(super) fn replaces(&self) -> bool {
        self.part == Part::Touched || !matches!(self.existing, Existing::Skip | Existing::Refuse)
    }

    /// When it expires there.
    pub(super) fn expiry(&self, entry: &Entry<'_>) -> Option<i64> {
        entry.expires_ms.map(|ms| match self.part {
            Part::Touched => ms.saturating_add(SHIFT_MS),
            Part::Untouched | Part::Compared => ms,
        })
    }

    /// How many ms later fields of it expire there, which is noted.
    pub(super) fn later_ms(&self, entry: &Entry<'_>) -> u64 {
        if self.part != Part::Touched || !fields_may_expire(entry.kind) {
            return 0;
        }
        self.touched.note_fields(entry.db, entry.key);
        SHIFT_MS.unsigned_abs()
    }

    /// Whether the target takes it, in whatever layout.
    ///
    /// # Errors
    /// When its value is damaged.
    pub(super) fn can_go(&self, entry: &Entry<'_>) -> Result<bool, RdbError> {
        Ok(match self.way(entry)? {
            Way::Stamped | Way::Transcoded => true,
            Way::Impossible(_) => false,
            Way::UnlessFieldsExpire => !matches!(
                bridge(entry, self.accepts, &mut Vec::new())?,
                Bridged::Impossible(_)
            ),
        })
    }

    /// The same as far as its type tells.
    ///
    /// # Errors
    /// When its type is not known.
    pub(super) fn way(&self, entry: &Entry<'_>) -> Result<Way, RdbError> {
        can_go(entry.dialect, entry.kind, self.accepts)
    }

    /// The entry without what the target has no place for.
    pub(super) fn as_it_goes<'a>(&self, entry: &Entry<'a>) -> Entry<'a> {
        Entry {
            meta: self.accepts.metadata_of(entry),
            ..entry.clone()
        }
    }

    /// Appends its command, when it goes at all. What goes as it is, as nearly all does, is written where it
    /// stays; `payload` is for the others.
    ///
    /// # Errors
    /// When its value is damaged.
    pub(super) fn pack(
        &self,
        entry: &Entry<'_>,
        payload: &mut Vec<u8>,
        batch: &mut Batch,
    ) -> Result<Packed, RdbError> {
        let later_ms = self.later_ms(entry);
        let goes_as_it_is = later_ms == 0
            && self.way(entry)? == Way::Stamped
            && entry.meta.len() == self.accepts.metadata_of(entry).len();
        if goes_as_it_is
            && self.sets
            && self.used(entry).is_none()
            && let Some(text) = entry.plain_text(payload)
        {
            self.set(entry, text, batch);
            return Ok(Packed::Whole);
        }
        if goes_as_it_is {
            let version = payload_version(entry)?;
            self.begin(entry, batch);
            let bytes = payload_bytes(entry);
            batch.word_by(bytes, |out| append_stamped(entry, version, out));
        } else {
            payload.clear();
            let bridged = bridge_later(entry, self.accepts, later_ms, payload)?;
            if let Bridged::Impossible(reason) = bridged {
                return Ok(Packed::Impossible(reason));
            }
            self.begin(entry, batch);
            batch.word(payload);
        }
        self.end(entry, batch);
        Ok(Packed::Whole)
    }

    /// The command of a large value, which is held nowhere else.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) async fn pack_large(&self, large: &Large<'_>) -> Result<Batch, Trouble> {
        let unreadable = |error| Trouble::Value {
            key: shown(&large.key),
            error,
        };
        let entry = large.entry();
        let entry = self.as_it_goes(&entry);
        let bytes = usize::try_from(large.bytes).unwrap_or(usize::MAX);
        let mut batch = Batch::with_capacity(bytes.saturating_add(ROOM));
        self.begin(&entry, &mut batch);
        let mut front = Vec::new();
        let mut footer = Footer::begin(&entry, &mut front).map_err(unreadable)?;
        batch.begin_word(front.len().saturating_add(bytes) + Footer::BYTES);
        batch.more(&front);
        let mut left = large.bytes;
        let append = async |bytes: &[u8], is_last| {
            batch.more(bytes);
            footer.pass(bytes);
            // Its length went in front.
            left = left.wrapping_sub(bytes.len() as u64);
            match is_last && left != 0 {
                true => Err(unreadable(RdbError {
                    at: large.bytes,
                    fault: Fault::Length,
                })),
                false => Ok(()),
            }
        };
        large.parts(append).await?;
        batch.more(&footer.bytes());
        batch.end_word();
        self.end(&entry, &mut batch);
        Ok(batch)
    }

    /// The command of a string.
    fn set(&self, entry: &Entry<'_>, text: &[u8], batch: &mut Batch) {
        let expires = self.expiry(entry);
        batch.begin(3 + 2 * usize::from(expires.is_some()) + usize::from(!self.replaces()));
        batch.word(b"SET");
        batch.word(entry.key);
        batch.word(text);
        if let Some(ms) = expires {
            batch.word(b"PXAT");
            batch.decimal(ms.max(1).unsigned_abs());
        }
        if !self.replaces() {
            batch.word(b"NX");
        }
        batch.end();
    }

    /// Begins its command, up to the payload.
    fn begin(&self, entry: &Entry<'_>, batch: &mut Batch) {
        let expires = self.expiry(entry);
        let words = 4
            + usize::from(self.replaces())
            + usize::from(expires.is_some())
            + 2 * usize::from(self.used(entry).is_some());
        batch.begin(words);
        batch.word(b"RESTORE");
        batch.word(entry.key);
        match expires {
            Some(ms) => batch.decimal(ms.max(1).unsigned_abs()),
            None => batch.word(b"0"),
        }
    }

    /// Ends it, behind the payload.
    fn end(&self, entry: &Entry<'_>, batch: &mut Batch) {
        if self.replaces() {
            batch.word(b"REPLACE");
        }
        if entry.expires_ms.is_some() {
            batch.word(b"ABSTTL");
        }
        if let Some((word, value)) = self.used(entry) {
            batch.word(word);
            batch.decimal(value);
        }
        batch.end();
    }

    /// How it was used, in the target's terms.
    fn used(&self, entry: &Entry<'_>) -> Option<(&'static [u8], u64)> {
        match (self.eviction, entry.freq, entry.idle_s) {
            (Eviction::Frequency, Some(freq), _) => Some((b"FREQ", u64::from(freq))),
            (Eviction::Idleness, _, Some(idle)) => Some((b"IDLETIME", idle)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::restore::large::Source;
    use crate::ops::restore::refusal::word;
    use crate::rdb::{Dialect, Vendor};

    fn packing() -> Packing {
        Packing {
            select: Select::default(),
            existing: Existing::Replace,
            accepts: Accepts::of_server(Vendor::Redis, "8.2.0"),
            eviction: Eviction::Idleness,
            touched: Arc::default(),
            part: Part::Untouched,
            wave: Wave::ALL,
            has_databases: true,
            sets: true,
            now_ms: || 0,
        }
    }

    fn entry(kind: u8, value: &[u8]) -> Entry<'_> {
        Entry {
            dialect: Dialect::redis(12),
            db: 0,
            key: b"module",
            kind,
            value,
            meta: &[],
            expires_ms: Some(1234),
            freq: None,
            idle_s: Some(9),
            range: 0..0,
        }
    }

    #[test]
    fn a_string_that_lies_as_it_is_is_set() {
        let number = Entry {
            expires_ms: None,
            ..entry(0, b"\xc1\x2e\xfb")
        };
        for (entry, existing, sets, expected) in [
            (
                entry(0, b"\x05hello"),
                Existing::Replace,
                true,
                Some(&["SET", "module", "hello", "PXAT", "1234"][..]),
            ),
            (
                number.clone(),
                Existing::Refuse,
                true,
                Some(&["SET", "module", "-1234", "NX"]),
            ),
            (number, Existing::Skip, false, None),
            (
                entry(0, b"\xc3\x05\x40\x08\x02aa\xe0"),
                Existing::Skip,
                true,
                None,
            ),
            (entry(2, b"\x01\x01a"), Existing::Skip, true, None),
        ] {
            let packing = Packing {
                existing,
                sets,
                eviction: Eviction::Frequency,
                ..packing()
            };
            let mut batch = Batch::default();
            packing.pack(&entry, &mut Vec::new(), &mut batch).unwrap();
            let mut wanted = Batch::default();
            if let Some(words) = expected {
                wanted.push(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>());
                assert_eq!(batch, wanted);
            } else {
                assert_eq!(word(batch.command(0), 0), Some(&b"RESTORE"[..]));
            }
        }
    }

    #[test]
    fn what_goes_as_it_is_has_the_payload_of_any_other() {
        let packing = packing();
        let entry = entry(0, b"\x05hello");
        let (mut payload, mut batch) = (Vec::new(), Batch::default());
        let packed = packing.pack(&entry, &mut payload, &mut batch).unwrap();
        assert_eq!((packed, payload.len()), (Packed::Whole, 0));
        bridge(&entry, packing.accepts, &mut payload).unwrap();
        let mut expected = Batch::default();
        let words: [&[u8]; 8] = [
            b"RESTORE",
            b"module",
            b"1234",
            &payload,
            b"REPLACE",
            b"ABSTTL",
            b"IDLETIME",
            b"9",
        ];
        expected.push(&words);
        assert_eq!(batch, expected);
    }

    #[tokio::test]
    async fn a_large_value_has_the_command_of_any_other() {
        let packing = packing();
        let value = [&[0x81][..], &[1; 8], &[5, 2, b'a', b'b', 0]].concat();
        let entry = entry(7, &value);
        let (mut payload, mut expected) = (Vec::new(), Batch::default());
        let packed = packing.pack(&entry, &mut payload, &mut expected).unwrap();
        assert_eq!(packed, Packed::Whole);
        let source = Source::Held(value.clone());
        let large = Large::new(&entry, value.len() as u64, source);
        assert_eq!(packing.pack_large(&large).await.unwrap(), expected);
    }
}
