//! An entry of a base becomes a RESTORE command for its master: in the layout that the master reads,
//! with its expiry as a time, its place in the order of use, and nothing that is over already.

use std::sync::Arc;

use super::heat::Wave;
use super::order::Existing;
use super::plan::accepts;
use super::select::Select;
use super::target::Target;
use super::touched::{SHIFT_MS, Touched};
use crate::cluster::lane::Batch;
use crate::rdb::{Accepts, Bridged, Entry, RdbError, Reason, Way, bridge, can_go};

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
    pub now_ms: fn() -> u64,
}

/// Which entries are sent: those that a log changes come apart, for they may have to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Those that no log changes.
    Untouched,
    /// Those that one changes.
    Touched,
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

    /// Whether that entry is sent at all, and if not why.
    pub(super) fn judge(&self, entry: &Entry<'_>, now_ms: u64) -> Packed {
        let is_touched = self.touched.has(entry.db, entry.key);
        if is_touched != (self.part == Part::Touched)
            || !self.wave.takes(entry)
            || !self.select.takes(entry, now_ms)
            || self.touched.is_flushed(entry.db, entry.slot())
            || (is_touched && self.touched.is_spared(entry.db, entry.key))
        {
            return Packed::NotMeant;
        }
        if entry.db != 0 && !self.has_databases {
            return Packed::NoSuchDb;
        }
        let is_over = entry.expires_ms.is_some_and(|ms| ms <= now_ms as i64);
        match is_over && !is_touched {
            true => Packed::Expired,
            false => Packed::Whole,
        }
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
            Part::Untouched => ms,
        })
    }

    /// Whether the target takes it, in whatever layout.
    ///
    /// # Errors
    /// When its value is damaged.
    pub(super) fn can_go(&self, entry: &Entry<'_>) -> Result<bool, RdbError> {
        Ok(match can_go(entry.dialect, entry.kind, self.accepts)? {
            Way::Stamped | Way::Transcoded => true,
            Way::Impossible(_) => false,
            Way::UnlessFieldsExpire => !matches!(
                bridge(entry, self.accepts, &mut Vec::new())?,
                Bridged::Impossible(_)
            ),
        })
    }

    /// The entry without what the target has no place for.
    pub(super) fn as_it_goes<'a>(&self, entry: &Entry<'a>) -> Entry<'a> {
        Entry {
            meta: self.accepts.metadata_of(entry),
            ..entry.clone()
        }
    }

    /// Appends its command, when it goes at all.
    ///
    /// # Errors
    /// When its value is damaged.
    pub(super) fn pack(
        &self,
        entry: &Entry<'_>,
        payload: &mut Vec<u8>,
        batch: &mut Batch,
    ) -> Result<Packed, RdbError> {
        payload.clear();
        if let Bridged::Impossible(reason) = bridge(entry, self.accepts, payload)? {
            return Ok(Packed::Impossible(reason));
        }
        let expires = self.expiry(entry);
        let used = match (self.eviction, entry.freq, entry.idle_s) {
            (Eviction::Frequency, Some(freq), _) => Some((&b"FREQ"[..], u64::from(freq))),
            (Eviction::Idleness, _, Some(idle)) => Some((&b"IDLETIME"[..], idle)),
            _ => None,
        };
        let replaces = self.replaces();
        let words = 4
            + usize::from(replaces)
            + usize::from(expires.is_some())
            + 2 * usize::from(used.is_some());
        batch.begin(words);
        batch.word(b"RESTORE");
        batch.word(entry.key);
        match expires {
            Some(ms) => batch.word(ms.max(1).to_string().as_bytes()),
            None => batch.word(b"0"),
        }
        batch.word(payload);
        if replaces {
            batch.word(b"REPLACE");
        }
        if expires.is_some() {
            batch.word(b"ABSTTL");
        }
        if let Some((word, value)) = used {
            batch.word(word);
            batch.word(value.to_string().as_bytes());
        }
        batch.end();
        Ok(Packed::Whole)
    }
}
