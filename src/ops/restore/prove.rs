//! The proof: what the target holds is read back over its own replication link, summed slot by slot, and
//! compared with what the snapshot says must be there.
//!
//! Both sides leave out keys that expire within moments, which may be gone on one of them, and keys that
//! the logs change, of whose last state the snapshot has no sum. Where the target held other keys before,
//! sums say nothing, and keys are compared one by one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use serde::Serialize;

use super::bases::{Bases, each};
use super::pack::{Packed, Packing};
use super::refusal::shown;
use super::sums::Sums;
use super::trouble::Trouble;
use crate::archive::{Manifest, Repository};
use crate::model::{Events, Slot, SlotSet};
use crate::ops::backup::live::Live;
use crate::rdb::{Digester, Entry, Folded, LONG, Part, Place, RdbError, Reader, SlotDigests, Way};

/// Keys that expire sooner than so many ms after the beginning are not compared.
const HORIZON_MS: u64 = 30_000;
/// Keys that are compared at once, one by one.
const KEYS_AT_ONCE: u64 = 500_000;
/// Differing keys that are named.
const NAMED: usize = 100;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Proof {
    /// Slots that hold what the snapshot says.
    pub slots_equal: usize,
    /// Those that do not.
    pub slots_differing: SlotSet,
    /// Keys that are as the snapshot says, in all slots that are equal or key by key.
    pub keys_equal: u64,
    /// Keys that are not there.
    pub missing: u64,
    /// Keys that hold something else.
    pub different: u64,
    /// Keys that the snapshot does not have, where the target had none before.
    pub extra: u64,
    /// The first of all these.
    pub first: Vec<KeyFault>,
    /// Keys that expire within moments: not compared.
    pub ending: u64,
    /// Keys that the logs change: played, and not compared.
    pub played: u64,
}

/// A key that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyFault {
    /// Its slot.
    pub slot: Slot,
    /// It, printable.
    pub key: String,
    /// `missing`, `different`, `extra`.
    pub how: &'static str,
}

impl Proof {
    /// Whether all is as it should be.
    pub fn is_equal(&self) -> bool {
        self.missing + self.different + self.extra == 0 && self.slots_differing.is_empty()
    }
}

/// What is compared with what.
pub(super) struct Proving<'a> {
    pub repository: &'a Repository,
    pub manifest: &'a Manifest,
    pub packing: Packing,
    pub live: &'a Live,
    /// The snapshot's own sums, where all of it was sent.
    pub sums: Option<&'a Sums>,
    pub events: &'a Events,
    /// Whether the target had keys of its own that may be there too.
    pub has_others: bool,
    /// Whether what was there stays: a key that differs is one of those.
    pub keeps_others: bool,
    /// The clock.
    pub now_ms: u64,
}

/// What counts on both sides.
#[derive(Clone)]
struct Counted {
    packing: Packing,
    horizon_ms: i64,
}

impl Counted {
    fn counts(&self, entry: &Entry<'_>) -> bool {
        let is_ending = entry.expires_ms.is_some_and(|ms| ms < self.horizon_ms);
        !is_ending && self.packing.touched.is_as_in_base(entry.db, entry.key)
    }

    /// The hash of an entry as it goes to the target, if it goes there at all; of a long one with its last
    /// part.
    fn hash(
        &self,
        digester: &mut Digester,
        entry: &Entry<'_>,
        place: Option<Place>,
    ) -> Result<Option<u128>, RdbError> {
        let Some(place) = place else {
            return match self.packing.can_go(entry)? {
                true => digester.hash(&self.packing.as_it_goes(entry)).map(Some),
                false => Ok(None),
            };
        };
        let way = self.packing.way(entry)?;
        if matches!(way, Way::Impossible(_)) {
            return Ok(None);
        }
        let entry = self.packing.as_it_goes(entry);
        let folded = digester.part(&Part { entry, place })?;
        let goes = |folded: &Folded| way != Way::UnlessFieldsExpire || !folded.fields_expire;
        Ok(folded.filter(goes).map(|folded| folded.hash))
    }
}

/// Keys with their sums.
type Keys = BTreeMap<(u64, Vec<u8>), u128>;

impl Proving<'_> {
    pub(super) async fn run(&self) -> Result<Proof, Trouble> {
        self.events
            .begin("comparing what the target holds with the snapshot");
        let horizon = self.now_ms.saturating_add(HORIZON_MS);
        let counted = Counted {
            packing: self.packing.clone(),
            horizon_ms: i64::try_from(horizon).unwrap_or(i64::MAX),
        };
        let ((expected, ending), found) = self.both(&counted).await?;
        let mut proof = Proof {
            ending,
            played: self.packing.touched.len() as u64,
            ..Proof::default()
        };
        let differing = self.differing(&expected, &found);
        for (slot, digest) in expected.iter() {
            if Slot::new(slot).is_some_and(|slot| !differing.contains(slot)) {
                proof.slots_equal += 1;
                proof.keys_equal += digest.keys;
            }
        }
        for turn in turns(&differing, &expected, &found) {
            self.keys(&counted, &turn, &mut proof).await?;
        }
        let told = match proof.is_equal() {
            true => "what the target holds is what the snapshot says".to_owned(),
            false => "the target was read back".to_owned(),
        };
        self.events.done(told);
        Ok(proof)
    }

    /// What must be there, with the number of keys that end within moments, and what is.
    async fn both(&self, counted: &Counted) -> Result<((SlotDigests, u64), SlotDigests), Trouble> {
        let sums = self.sums;
        let Some(own) = sums.and_then(|sums| sums.expected(self.now_ms, counted.horizon_ms)) else {
            return tokio::try_join!(self.expected(counted), self.found(counted));
        };
        let found = self.found(counted).await?;
        if self.differing(&own.digests, &found).is_empty() {
            return Ok(((own.digests, own.ending), found));
        }
        // What cannot go, or not as it was, has its place in the snapshot's own sums.
        Ok((self.expected(counted).await?, found))
    }

    /// The slots that do not hold what they must.
    fn differing(&self, expected: &SlotDigests, found: &SlotDigests) -> SlotSet {
        let differing = expected.differing(found).into_iter();
        differing
            .filter_map(Slot::new)
            .filter(|slot| !self.has_others || expected.slot(slot.number()).keys > 0)
            .collect()
    }

    async fn expected(&self, counted: &Counted) -> Result<(SlotDigests, u64), Trouble> {
        let sums = Mutex::new((SlotDigests::new(), 0));
        let add = |own: SlotDigests, ending: u64| {
            let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums.0.merge(&own);
            sums.1 += ending;
        };
        let shards = 0..self.manifest.shards.len();
        let walks = shards.map(|index| async move {
            let (mut own, mut digester, mut ending) = (SlotDigests::new(), Digester::new(), 0_u64);
            let take = |entry: &Entry<'_>, place: Option<Place>| {
                if self.packing.judge(entry, self.now_ms) != Packed::Whole {
                    return Ok(());
                }
                if counted.counts(entry) {
                    if let Some(hash) = counted.hash(&mut digester, entry, place)? {
                        own.add_hash(entry.slot(), hash);
                    }
                } else if matches!(place, None | Some(Place::Last)) {
                    let goes = match place {
                        None => self.packing.can_go(entry)?,
                        Some(_) => !matches!(self.packing.way(entry)?, Way::Impossible(_)),
                    };
                    ending += u64::from(goes);
                }
                Ok(())
            };
            self.bases().walk(index, take).await?;
            Ok::<_, Trouble>((own, ending))
        });
        for (own, ending) in try_join_all(walks).await? {
            add(own, ending);
        }
        Ok(sums.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn bases(&self) -> Bases<'_> {
        Bases {
            repository: self.repository,
            manifest: self.manifest,
        }
    }

    async fn found(&self, counted: &Counted) -> Result<SlotDigests, Trouble> {
        let counted = Arc::new(counted.clone());
        let read = self.live.each(self.events, move |link| {
            let counted = counted.clone();
            async move {
                let mut reader = Reader::in_parts(LONG);
                let (mut own, mut digester) = (SlotDigests::new(), Digester::new());
                let mut take = |entry: &Entry<'_>, place: Option<Place>| {
                    if counted.counts(entry)
                        && let Some(hash) = digester.fold(entry, place)?
                    {
                        own.add_hash(entry.slot(), hash);
                    }
                    Ok(())
                };
                link.walk(|bytes| {
                    reader.push(bytes);
                    each(&mut reader, &mut take)
                })
                .await?;
                Ok(own)
            }
        });
        let read = read
            .await
            .map_err(|error| Trouble::NoLook(error.to_string()))?;
        let mut sums = SlotDigests::new();
        read.iter().for_each(|own| sums.merge(own));
        Ok(sums)
    }

    /// Compares the keys of those slots one by one.
    async fn keys(
        &self,
        counted: &Counted,
        slots: &SlotSet,
        proof: &mut Proof,
    ) -> Result<(), Trouble> {
        let mut expected = Keys::new();
        let mut digester = Digester::new();
        let is_meant =
            |entry: &Entry<'_>| Slot::new(entry.slot()).is_some_and(|slot| slots.contains(slot));
        for index in 0..self.manifest.shards.len() {
            let take = |entry: &Entry<'_>, place: Option<Place>| {
                let is_whole = self.packing.judge(entry, self.now_ms) == Packed::Whole;
                if is_meant(entry)
                    && is_whole
                    && counted.counts(entry)
                    && let Some(hash) = counted.hash(&mut digester, entry, place)?
                {
                    expected.insert((entry.db, entry.key.to_vec()), hash);
                }
                Ok(())
            };
            self.bases().walk(index, take).await?;
        }
        let (counted, slots) = (Arc::new(counted.clone()), Arc::new(slots.clone()));
        let read = self.live.each(self.events, move |link| {
            let (counted, slots) = (counted.clone(), slots.clone());
            async move {
                let (mut reader, mut digester) = (Reader::in_parts(LONG), Digester::new());
                let mut keys = Keys::new();
                let mut take = |entry: &Entry<'_>, place: Option<Place>| {
                    let slot = Slot::new(entry.slot());
                    if slot.is_some_and(|slot| slots.contains(slot))
                        && counted.counts(entry)
                        && let Some(hash) = digester.fold(entry, place)?
                    {
                        keys.insert((entry.db, entry.key.to_vec()), hash);
                    }
                    Ok(())
                };
                link.walk(|bytes| {
                    reader.push(bytes);
                    each(&mut reader, &mut take)
                })
                .await?;
                Ok(keys)
            }
        });
        let read = read
            .await
            .map_err(|error| Trouble::NoLook(error.to_string()))?;
        let mut found: Keys = read.into_iter().flatten().collect();
        for ((db, key), hash) in expected {
            match found.remove(&(db, key.clone())) {
                Some(other) if other == hash => proof.keys_equal += 1,
                Some(_) if self.keeps_others => {}
                Some(_) => proof.fault(&key, "different"),
                None => proof.fault(&key, "missing"),
            }
        }
        if !self.has_others {
            for ((_, key), _) in found {
                proof.fault(&key, "extra");
            }
        }
        Ok(())
    }
}

impl Proof {
    fn fault(&mut self, key: &[u8], how: &'static str) {
        match how {
            "missing" => self.missing += 1,
            "different" => self.different += 1,
            _ => self.extra += 1,
        }
        let slot = Slot::of_key(key);
        self.slots_differing.insert(slot);
        if self.first.len() < NAMED {
            self.first.push(KeyFault {
                slot,
                key: shown(key),
                how,
            });
        }
    }
}

/// Slots in turns of so many keys: each turn is held in memory.
fn turns(slots: &SlotSet, expected: &SlotDigests, found: &SlotDigests) -> Vec<SlotSet> {
    let mut turns = Vec::new();
    let (mut turn, mut keys) = (SlotSet::new(), 0);
    for slot in slots.iter() {
        let number = slot.number();
        keys += expected.slot(number).keys + found.slot(number).keys;
        turn.insert(slot);
        if keys >= KEYS_AT_ONCE {
            turns.push(std::mem::take(&mut turn));
            keys = 0;
        }
    }
    if !turn.is_empty() {
        turns.push(turn);
    }
    turns
}
