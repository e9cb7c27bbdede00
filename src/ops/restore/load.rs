//! The bases on their way into the target: pieces are read, proven, walked over and packed by several
//! readers at once, each entry for the master that owns its slot now.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, pin_mut, stream};
use serde::Serialize;
use tokio::sync::mpsc;

use super::big::{Big, Sent};
use super::brake::Brake;
use super::feed::Feeds;
use super::jobs::Job;
use super::pack::{Packed, Packing};
use super::parcel::{Parcel, Ticket};
use super::refusal::{Refused, shown};
use super::routes::{Routes, Table};
use super::trouble::Trouble;
use crate::archive::{ArchiveError, Identity, Kind, Manifest, Repository};
use crate::cluster::lane::Batch;
use crate::model::Events;
use crate::rdb::{Entry, Item, RdbError, Reader, Reason, Step, preamble};

/// How large a batch becomes, and how many commands it has, at the most.
const BATCH: usize = 64 << 10;
const COMMANDS: usize = 512;
/// How far the last command of a batch goes beyond that as a rule.
const ROOM: usize = 4 << 10;
/// Pieces that are read ahead by each reader.
const AHEAD: usize = 2;
/// How much is walked over before others get their turn.
const STRIDE: usize = 256 << 10;

/// What was sent and what was not.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub entries: AtomicU64,
    pub bytes: AtomicU64,
    pub expired: AtomicU64,
    pub large: AtomicU64,
    pub pieces: AtomicU64,
    /// Commands of the logs about keys whose time is over.
    pub overtaken: AtomicU64,
    /// Commands of the logs that were refused, and the first of them.
    pub log_refused: AtomicU64,
    pub log_words: Mutex<Vec<Refused>>,
    pub impossible: Mutex<BTreeMap<Reason, Impossible>>,
    pub databases: Mutex<BTreeMap<u64, Database>>,
}

/// Keys that cannot go to the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Impossible {
    /// Why.
    pub why: String,
    /// How many.
    pub keys: u64,
    /// The first of them.
    pub first: String,
    /// Their names, up to a hundred.
    pub named: Vec<String>,
}

/// A database that the target does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Its number.
    pub db: u64,
    /// Keys in it that were meant.
    pub keys: u64,
    /// The first of them.
    pub first: String,
}

/// Keys that cannot go and are named.
const NAMED: usize = 100;

/// A load under way.
pub(super) struct Loading<'a> {
    pub repository: &'a Repository,
    pub manifest: &'a Manifest,
    pub packing: Packing,
    pub routes: &'a Arc<Routes>,
    pub feeds: &'a Feeds,
    pub big: &'a Big,
    pub brake: &'a Brake,
    pub counts: &'a Counts,
    pub events: &'a Events,
    /// Where it is told which pieces are done.
    pub done: mpsc::UnboundedSender<(usize, usize)>,
    /// How many pieces there are in all.
    pub pieces: u64,
}

impl Counts {
    /// Forgets what was sent in vain.
    pub(super) fn back_to(&self, (entries, bytes, large): (u64, u64, u64)) {
        self.entries.store(entries, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
        self.large.store(large, Ordering::Relaxed);
    }

    /// What was sent so far.
    pub(super) fn sent(&self) -> (u64, u64, u64) {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (of(&self.entries), of(&self.bytes), of(&self.large))
    }
}

impl Loading<'_> {
    /// Runs so many readers until every job is sent; answers may still be under way.
    pub(super) async fn run(&self, jobs: VecDeque<Job>, readers: usize) -> Result<(), Trouble> {
        let jobs = Mutex::new(jobs);
        let next = || {
            jobs.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front()
        };
        let readers = (0..readers.max(1)).map(|_| async {
            while let Some(job) = next() {
                self.job(&job).await?;
            }
            Ok::<_, Trouble>(())
        });
        try_join_all(readers).await?;
        Ok(())
    }

    async fn job(&self, job: &Job) -> Result<(), Trouble> {
        let Some(shard) = self.manifest.shards.get(job.shard) else {
            return Ok(());
        };
        let unreadable = |error: RdbError| Trouble::Unreadable {
            shard: job.shard + 1,
            error,
        };
        let mut reader = Reader::new();
        if job.pieces.start > 0 {
            reader.push(&preamble(&shard.rdb, shard.base[job.pieces.start].db()));
        }
        let pieces = stream::iter(job.pieces.clone())
            .map(|piece| self.read(job.shard, piece))
            .buffered(AHEAD);
        pin_mut!(pieces);
        let mut at = job.pieces.start;
        let mut packer = Packer::new(self, job.shard);
        while let Some(raw) = pieces.try_next().await? {
            packer.begin(at);
            let is_last = at + 1 == shard.base.len();
            for bytes in raw.chunks(STRIDE) {
                reader.push(bytes);
                packer
                    .walk(&mut reader, is_last)
                    .await
                    .map_err(|why| match why {
                        Failed::Rdb(error) => unreadable(error),
                        Failed::Trouble(trouble) => trouble,
                    })?;
            }
            // A value that goes on in the next piece is done with that one.
            if reader.rest().is_empty() || at + 1 == job.pieces.end {
                packer.end().await?;
            }
            let done = self.counts.pieces.fetch_add(1, Ordering::Relaxed) + 1;
            self.events
                .tell(crate::model::Event::Progress(done, self.pieces));
            at += 1;
        }
        packer.end().await
    }

    async fn read(&self, shard: usize, piece: usize) -> Result<Bytes, ArchiveError> {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let identity = Identity {
            snapshot: self.manifest.id.clone(),
            shard: Some(number(shard)),
            kind: Kind::base(),
            seq: number(piece),
        };
        self.repository
            .read(&identity, &self.manifest.shards[shard].base[piece])
            .await
    }
}

enum Failed {
    Rdb(RdbError),
    Trouble(Trouble),
}

/// Packs the entries of one job.
struct Packer<'a> {
    loading: &'a Loading<'a>,
    shard: usize,
    table: Arc<Table>,
    /// What waits to become large enough, for each master and database.
    open: BTreeMap<(usize, u64), (Batch, Vec<u16>)>,
    tickets: Vec<Arc<Ticket>>,
    payload: Vec<u8>,
    now_ms: u64,
}

/// What is to be done with an entry outside the walk, which borrows it.
enum Due {
    Nothing,
    Full((usize, u64)),
    Large(LargeEntry),
}

/// A value that goes in parts, held on its own.
pub(super) struct LargeEntry {
    pub key: Vec<u8>,
    pub db: u64,
    pub kind: u8,
    pub value: Vec<u8>,
    pub dialect: crate::rdb::Dialect,
    pub expires_ms: Option<i64>,
    pub slot: u16,
}

impl LargeEntry {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            dialect: self.dialect,
            db: self.db,
            key: &self.key,
            kind: self.kind,
            value: &self.value,
            meta: &[],
            expires_ms: self.expires_ms,
            freq: None,
            idle_s: None,
            range: 0..(self.key.len() + self.value.len()) as u64,
        }
    }
}

impl<'a> Packer<'a> {
    fn new(loading: &'a Loading<'a>, shard: usize) -> Packer<'a> {
        Packer {
            loading,
            shard,
            table: loading.routes.now(),
            open: BTreeMap::new(),
            tickets: Vec::new(),
            payload: Vec::new(),
            now_ms: (loading.packing.now_ms)(),
        }
    }

    fn begin(&mut self, piece: usize) {
        self.now_ms = (self.loading.packing.now_ms)();
        let done = self.loading.done.clone();
        let ticket = Ticket::new((self.shard, piece), done);
        self.tickets.push(Arc::new(ticket));
    }

    async fn walk(&mut self, reader: &mut Reader, is_last: bool) -> Result<(), Failed> {
        loop {
            let due = match reader.step() {
                Ok(Step::Item(Item::Entry(entry))) => self.take(&entry).map_err(Failed::Rdb)?,
                Ok(Step::Item(_)) => Due::Nothing,
                Ok(Step::NeedMore | Step::Done) => return Ok(()),
                // The checksum is that of the whole stream; each piece was proven by its own.
                Err(error) if is_last && error.is_checksum() => return Ok(()),
                Err(error) => return Err(Failed::Rdb(error)),
            };
            match due {
                Due::Nothing => {}
                Due::Full(way) => self.send(way).await.map_err(Failed::Trouble)?,
                Due::Large(large) => {
                    let sent = self.loading.big.send(&self.loading.packing, &large).await;
                    let sent = sent.map_err(Failed::Trouble)?;
                    self.loading.count_large(sent, &large);
                }
            }
        }
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<Due, RdbError> {
        let (loading, packing) = (self.loading, &self.loading.packing);
        match packing.judge(entry, self.now_ms) {
            Packed::Whole => {}
            other => {
                loading.count(other, entry);
                return Ok(Due::Nothing);
            }
        }
        let slot = entry.slot();
        if loading.big.is_meant(entry) {
            return Ok(Due::Large(LargeEntry {
                key: entry.key.to_vec(),
                db: entry.db,
                kind: entry.kind,
                value: entry.value.to_vec(),
                dialect: entry.dialect,
                expires_ms: entry.expires_ms,
                slot,
            }));
        }
        // Where nobody owns the slot just now, the first master says who does as soon as one does.
        let way = (self.table.owner(slot).unwrap_or(0), entry.db);
        let begun = || {
            (
                Batch::with_capacity(BATCH + ROOM),
                Vec::with_capacity(COMMANDS),
            )
        };
        let (batch, slots) = self.open.entry(way).or_insert_with(begun);
        let packed = packing.pack(entry, &mut self.payload, batch)?;
        loading.count(packed, entry);
        if packed != Packed::Whole {
            return Ok(Due::Nothing);
        }
        slots.push(slot);
        Ok(match batch.size() >= BATCH || batch.len() >= COMMANDS {
            true => Due::Full(way),
            false => Due::Nothing,
        })
    }

    async fn send(&mut self, way: (usize, u64)) -> Result<(), Trouble> {
        let Some((batch, slots)) = self.open.remove(&way) else {
            return Ok(());
        };
        let Some(addr) = self.table.masters.get(way.0) else {
            return Err(Trouble::NoLook("the target has no master".to_owned()));
        };
        self.loading.brake.take(batch.size()).await;
        let parcel = Parcel::new(batch, slots, way.1, self.tickets.clone());
        Ok(self.loading.feeds.send(addr, parcel).await?)
    }

    /// The end of a piece: what waits goes, and the piece is done when all of it is answered.
    async fn end(&mut self) -> Result<(), Trouble> {
        for way in self.open.keys().copied().collect::<Vec<_>>() {
            self.send(way).await?;
        }
        self.tickets.clear();
        self.table = self.loading.routes.now();
        Ok(())
    }
}

/// Dropped on the way, its pieces are not done.
impl Drop for Packer<'_> {
    fn drop(&mut self) {
        self.tickets.iter().for_each(|ticket| ticket.void());
    }
}

impl Loading<'_> {
    fn count_large(&self, sent: Sent, large: &LargeEntry) {
        match sent {
            Sent::Whole => {
                self.counts.large.fetch_add(1, Ordering::Relaxed);
                self.count(Packed::Whole, &large.entry());
            }
            Sent::Busy => drop(self.feeds.tally().busy.fetch_add(1, Ordering::Relaxed)),
            Sent::Impossible(reason) => self.count(Packed::Impossible(reason), &large.entry()),
        }
    }

    fn count(&self, packed: Packed, entry: &Entry<'_>) {
        let counts = self.counts;
        match packed {
            Packed::Whole => {
                counts.entries.fetch_add(1, Ordering::Relaxed);
                let bytes = entry.range.end.saturating_sub(entry.range.start);
                counts.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Packed::NotMeant => {}
            Packed::Expired => drop(counts.expired.fetch_add(1, Ordering::Relaxed)),
            Packed::NoSuchDb => {
                let mut list = counts
                    .databases
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let found = list.entry(entry.db).or_default();
                if found.keys == 0 {
                    found.db = entry.db;
                    found.first = shown(entry.key);
                }
                found.keys += 1;
            }
            Packed::Impossible(reason) => {
                let mut list = counts
                    .impossible
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let found = list.entry(reason).or_default();
                let name = shown(entry.key);
                if found.keys == 0 {
                    found.why = reason.to_string();
                    found.first.clone_from(&name);
                }
                found.keys += 1;
                if found.named.len() < NAMED {
                    found.named.push(name);
                }
            }
        }
    }
}
