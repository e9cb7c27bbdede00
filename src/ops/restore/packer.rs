//! The entries of one run of pieces, packed for the masters that own their slots: small ones together, long
//! ones each on their own.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use tokio::task::yield_now;

use super::big::LONGEST;
use super::heat::{Heats, heat};
use super::large::{Large, Source, Stored};
use super::load::Loading;
use super::pack::Packed;
use super::parcel::{Done, Parcel, Ticket};
use super::routes::Table;
use super::sums::Ending;
use super::trouble::Trouble;
use super::warming::Warm;
use crate::cluster::lane::Batch;
use crate::rdb::{Digester, Entry, Family, Item, Part, Place, RdbError, Reader, Step, Way, family};

/// How large a batch becomes, and how many commands it has, at the most.
pub(super) const BATCH: usize = 128 << 10;
pub(super) const LEAST_BATCH: usize = 16 << 10;
const COMMANDS: usize = 1024;
/// What one packer holds in batches that are not full: with many masters each is smaller.
const OPEN: usize = 4 << 20;
/// How much is walked over before others get their turn.
const STRIDE: u64 = 256 << 10;
/// How far the last command of a batch goes beyond that as a rule.
const ROOM: usize = 4 << 10;

/// Why a walk ended too early.
pub(super) enum Failed {
    Rdb(RdbError),
    Trouble(Trouble),
}

/// Packs the entries of one job.
pub(super) struct Packer<'a> {
    loading: &'a Loading<'a>,
    shard: usize,
    table: Arc<Table>,
    /// How large a batch becomes here.
    batch: usize,
    /// What waits to become large enough, for each master and database.
    open: BTreeMap<(usize, u64), (Batch, Vec<u16>)>,
    /// How much the keys in it are used, where somebody keeps count.
    warm: BTreeMap<(usize, u64), f64>,
    tickets: Vec<Arc<Ticket>>,
    payload: Vec<u8>,
    now_ms: u64,
    /// Each piece so far, and where in what was read it begins.
    begins: Vec<(usize, u64)>,
    /// Bytes of the long value under way.
    long: u64,
    /// How warm the keys are, where somebody asks.
    heats: Option<Heats>,
    /// Entries that were packed and are not counted yet, and their bytes.
    packed: (u64, u64),
    /// Keys that the proof leaves out.
    ending: Vec<Ending>,
    digester: Digester,
}

/// What is to be done with an entry outside the walk, which borrows it.
enum Due<'a> {
    Nothing,
    Full((usize, u64)),
    Large(Large<'a>),
}

impl<'a> Packer<'a> {
    pub(super) fn new(loading: &'a Loading<'a>, shard: usize) -> Packer<'a> {
        let table = loading.routes.now();
        Packer {
            loading,
            shard,
            batch: batch_bytes(table.masters.len()),
            table,
            open: BTreeMap::new(),
            warm: BTreeMap::new(),
            tickets: Vec::new(),
            payload: Vec::new(),
            now_ms: (loading.packing.now_ms)(),
            begins: Vec::new(),
            long: 0,
            heats: loading.heats.map(|_| Heats::default()),
            packed: (0, 0),
            ending: Vec::new(),
            digester: Digester::new(),
        }
    }

    /// Whether it goes now; what does not is counted.
    fn goes(&mut self, entry: &Entry<'_>, is_whole: bool) -> Result<bool, RdbError> {
        let judged = self.loading.packing.judge(entry, self.now_ms);
        if let (Some(sums), Packed::Whole | Packed::Expired) = (self.loading.sums, judged) {
            match is_whole {
                true => self.ending.extend(sums.ending(entry, &mut self.digester)?),
                false if sums.ends(entry) => sums.void(),
                false => {}
            }
        }
        if let (Some(heats), Packed::Whole | Packed::OtherWave) = (&mut self.heats, judged) {
            heats.add(entry);
        }
        if judged != Packed::Whole {
            self.loading.count(judged, entry);
        }
        Ok(judged == Packed::Whole)
    }

    /// Begins a piece, in front of which so many bytes were read.
    pub(super) fn begin(&mut self, piece: usize, pushed: u64) {
        self.begins.push((piece, pushed));
        self.now_ms = (self.loading.packing.now_ms)();
        let done = self.loading.done.clone();
        let ticket = Ticket::new(Done::Piece(self.shard, piece), done);
        self.tickets.push(Arc::new(ticket));
    }

    /// Takes every entry that has come.
    pub(super) async fn walk(&mut self, reader: &mut Reader) -> Result<(), Failed> {
        let mut turn = reader.position() + STRIDE;
        loop {
            if reader.position() >= turn {
                yield_now().await;
                turn = reader.position() + STRIDE;
            }
            let due = match reader.step() {
                Ok(Step::Item(Item::Entry(entry))) => self.take(&entry).map_err(Failed::Rdb)?,
                Ok(Step::Item(Item::Part(part))) => self.part(&part).map_err(Failed::Rdb)?,
                Ok(Step::Item(_)) => Due::Nothing,
                Ok(Step::NeedMore | Step::Done) => return Ok(()),
                Err(error) => return Err(Failed::Rdb(error)),
            };
            match due {
                Due::Nothing => {}
                Due::Full(way) => self.send(way).await.map_err(Failed::Trouble)?,
                Due::Large(large) => self.large(&large).await?,
            }
        }
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<Due<'a>, RdbError> {
        let packing = &self.loading.packing;
        if !self.goes(entry, true)? {
            return Ok(Due::Nothing);
        }
        match packing.beside(entry) {
            Some(name) => self.put(&Entry {
                key: &name,
                ..entry.clone()
            }),
            None => self.put(entry),
        }
    }

    fn put(&mut self, entry: &Entry<'_>) -> Result<Due<'a>, RdbError> {
        let (loading, packing) = (self.loading, &self.loading.packing);
        let slot = entry.slot();
        // Longer ones come in parts, unless a piece holds all of them.
        if loading.big.is_meant(entry) || entry.value.len() >= LONGEST {
            let value = entry.value.to_vec();
            let large = Large::new(entry, value.len() as u64, Source::Held(value));
            return Ok(Due::Large(large));
        }
        // Where nobody owns the slot just now, the first master says who does as soon as one does.
        let way = (self.table.owner(slot).unwrap_or(0), entry.db);
        let most = self.batch;
        let begun = || {
            (
                loading.feeds.batch(most + ROOM),
                Vec::with_capacity(COMMANDS),
            )
        };
        let (batch, slots) = self.open.entry(way).or_insert_with(begun);
        let packed = packing.pack(entry, &mut self.payload, batch)?;
        if packed != Packed::Whole {
            loading.count(packed, entry);
            return Ok(Due::Nothing);
        }
        self.packed.0 += 1;
        self.packed.1 += entry.range.end.saturating_sub(entry.range.start);
        slots.push(slot);
        if loading.is_warming {
            *self.warm.entry(way).or_default() += heat(entry);
        }
        Ok(match batch.size() >= most || batch.len() >= COMMANDS {
            true => Due::Full(way),
            false => Due::Nothing,
        })
    }

    /// A part of a long value: with the last it is known how long it is, and it is sent.
    fn part(&mut self, part: &Part<'_>) -> Result<Due<'a>, RdbError> {
        if part.place == Place::First {
            self.long = 0;
        }
        self.long += part.entry.value.len() as u64;
        if part.place != Place::Last {
            return Ok(Due::Nothing);
        }
        let (loading, entry) = (self.loading, &part.entry);
        if !self.goes(entry, false)? {
            return Ok(Due::Nothing);
        }
        let begins = entry.range.start;
        let within = self.begins.iter().rev().find(|(_, at)| *at <= begins);
        let (piece, at) = within.copied().unwrap_or_default();
        let stored = Stored {
            bases: loading.bases,
            shard: self.shard,
            piece,
            offset: usize::try_from(begins - at).unwrap_or(usize::MAX),
        };
        let mut large = Large::new(entry, self.long, Source::Stored(stored));
        if let Some(name) = loading.packing.beside(entry) {
            large.key = name;
        }
        Ok(Due::Large(large))
    }

    async fn large(&mut self, large: &Large<'_>) -> Result<(), Failed> {
        let family = family(large.dialect, large.kind).map_err(Failed::Rdb)?;
        if matches!(family, Family::Module | Family::Array) {
            return self.whole(large).await;
        }
        let loading = self.loading;
        let sent = loading
            .big
            .send(&loading.packing, large, loading.brake)
            .await;
        let sent = sent.map_err(Failed::Trouble)?;
        self.loading.count_large(sent, large);
        Ok(())
    }

    /// What RESTORE takes or nothing does: it is held whole once, as its command.
    async fn whole(&mut self, large: &Large<'_>) -> Result<(), Failed> {
        let packing = &self.loading.packing;
        let entry = large.entry();
        let entry = packing.as_it_goes(&entry);
        if let Way::Impossible(reason) = packing.way(&entry).map_err(Failed::Rdb)? {
            self.loading.count(Packed::Impossible(reason), &entry);
            return Ok(());
        }
        let batch = packing.pack_large(large).await.map_err(Failed::Trouble)?;
        self.loading.count(Packed::Whole, &entry);
        let way = (self.table.owner(large.slot).unwrap_or(0), large.db);
        let sent = self
            .dispatch(way, batch, vec![large.slot], heat(&entry))
            .await;
        sent.map_err(Failed::Trouble)
    }

    async fn send(&mut self, way: (usize, u64)) -> Result<(), Trouble> {
        match self.open.remove(&way) {
            Some((batch, slots)) => {
                let heat = self.warm.remove(&way).unwrap_or_default();
                self.dispatch(way, batch, slots, heat).await
            }
            None => Ok(()),
        }
    }

    async fn dispatch(
        &mut self,
        way: (usize, u64),
        batch: Batch,
        slots: Vec<u16>,
        heat: f64,
    ) -> Result<(), Trouble> {
        let Some(addr) = self.table.masters.get(way.0) else {
            return Err(Trouble::NoLook("the target has no master".to_owned()));
        };
        let (entries, bytes) = std::mem::take(&mut self.packed);
        self.loading.counts.add(entries, bytes);
        self.loading.brake.take(batch.size()).await;
        let mut tickets = self.tickets.clone();
        if self.loading.is_warming {
            let keys = slots.len() as u64;
            let warm = Done::Warm(Warm { keys, heat });
            tickets.push(Arc::new(Ticket::new(warm, self.loading.done.clone())));
        }
        let parcel = Parcel::new(batch, slots, way.1, tickets);
        Ok(self.loading.feeds.send(addr, parcel).await?)
    }

    /// The end of a piece: what waits goes, and the piece is done when all of it is answered.
    pub(super) async fn end(&mut self) -> Result<(), Trouble> {
        for way in self.open.keys().copied().collect::<Vec<_>>() {
            self.send(way).await?;
        }
        self.tickets.clear();
        if let (Some(own), Some(all)) = (&mut self.heats, self.loading.heats) {
            let own = std::mem::take(own);
            all.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .merge(&own);
        }
        if let Some(sums) = self.loading.sums {
            sums.keep(&mut self.ending);
        }
        self.table = self.loading.routes.now();
        Ok(())
    }
}

/// How large a batch becomes with so many masters.
fn batch_bytes(masters: usize) -> usize {
    (OPEN / masters.max(1)).clamp(LEAST_BATCH, BATCH)
}

/// Dropped on the way, its pieces are not done.
impl Drop for Packer<'_> {
    fn drop(&mut self) {
        self.tickets.iter().for_each(|ticket| ticket.void());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_many_masters_what_waits_is_no_more() {
        for (masters, bytes) in [
            (0, BATCH),
            (4, BATCH),
            (32, BATCH),
            (100, OPEN / 100),
            (1000, LEAST_BATCH),
        ] {
            assert_eq!(batch_bytes(masters), bytes, "{masters}");
        }
    }
}
