//! The bases on their way into the target: pieces are read, proven, walked over and packed (`packer`) by
//! several readers at once, each entry for the master that owns its slot now.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, pin_mut, stream};
use serde::Serialize;
use tokio::sync::mpsc;

use super::bases::Bases;
use super::big::{Big, LONGEST, Sent};
use super::brake::Brake;
use super::feed::Feeds;
use super::heat::{Heats, heat};
use super::jobs::Job;
use super::large::Large;
use super::pack::{Packed, Packing};
use super::packer::{Failed, Packer};
use super::parcel::Done;
use super::refusal::{Refused, shown};
use super::routes::Routes;
use super::sums::Sums;
use super::trouble::Trouble;
use super::warming::Warm;
use crate::model::Events;
use crate::rdb::{Entry, RdbError, Reader, Reason};

/// Pieces that are read ahead by each reader.
const AHEAD: usize = 2;

/// What was sent and what was not.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub entries: AtomicU64,
    pub bytes: AtomicU64,
    pub expired: AtomicU64,
    pub large: AtomicU64,
    pub pieces: AtomicU64,
    /// Commands of the logs about keys that were not there.
    pub overtaken: AtomicU64,
    /// Commands of the logs that were refused, and the first of them.
    pub log_refused: AtomicU64,
    pub log_words: Mutex<Vec<Refused>>,
    pub impossible: Mutex<BTreeMap<Reason, Impossible>>,
    pub databases: Mutex<BTreeMap<u64, Database>>,
}

/// What was sent before a part that may have to be sent again.
pub(super) struct SoFar {
    entries: u64,
    bytes: u64,
    large: u64,
    impossible: BTreeMap<Reason, Impossible>,
    databases: BTreeMap<u64, Database>,
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
    pub bases: Bases<'a>,
    pub packing: Packing,
    pub routes: &'a Arc<Routes>,
    pub feeds: &'a Feeds,
    pub big: &'a Big,
    pub brake: &'a Brake,
    pub counts: &'a Counts,
    pub events: &'a Events,
    /// How warm the keys are that go in this wave or in another, where somebody asks.
    pub heats: Option<&'a Mutex<Heats>>,
    /// The snapshot's own sums, where they are to be compared.
    pub sums: Option<&'a Sums>,
    /// Where it is told what is done.
    pub done: mpsc::UnboundedSender<Done>,
    /// Whether that is told of keys too, and how much they are used.
    pub is_warming: bool,
    /// How many pieces there are in all.
    pub pieces: u64,
}

impl Counts {
    /// Forgets what was sent in vain.
    pub(super) fn back_to(&self, so_far: &SoFar) {
        self.entries.store(so_far.entries, Ordering::Relaxed);
        self.bytes.store(so_far.bytes, Ordering::Relaxed);
        self.large.store(so_far.large, Ordering::Relaxed);
        let mut list = self
            .impossible
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.clone_from(&so_far.impossible);
        let mut list = self
            .databases
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.clone_from(&so_far.databases);
    }

    /// So many more were sent.
    pub(super) fn add(&self, entries: u64, bytes: u64) {
        self.entries.fetch_add(entries, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What was sent so far.
    pub(super) fn so_far(&self) -> SoFar {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let list = self
            .impossible
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        SoFar {
            entries: of(&self.entries),
            bytes: of(&self.bytes),
            large: of(&self.large),
            impossible: list.clone(),
            databases: self
                .databases
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    /// That key is in a database that the target does not have.
    pub(super) fn has_no_database(&self, db: u64, key: &[u8]) {
        let mut list = self
            .databases
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = list.entry(db).or_default();
        if found.keys == 0 {
            found.db = db;
            found.first = shown(key);
        }
        found.keys += 1;
    }

    /// That key cannot go.
    pub(super) fn cannot(&self, reason: Reason, key: &[u8]) {
        let mut list = self
            .impossible
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = list.entry(reason).or_default();
        let name = shown(key);
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
        let unreadable = |error: RdbError| Trouble::Unreadable {
            shard: job.shard + 1,
            error,
        };
        // Each piece was proven by its own sum.
        let mut reader = Reader::in_parts(LONGEST).unsummed();
        let before = self.bases.before(job);
        reader.push(&before);
        let mut pushed = before.len() as u64;
        let pieces = stream::iter(job.pieces.clone())
            .map(|piece| self.bases.read(job.shard, piece))
            .buffered(AHEAD);
        pin_mut!(pieces);
        let mut at = job.pieces.start;
        let mut packer = Packer::new(self, job.shard);
        while let Some(raw) = pieces.try_next().await? {
            packer.begin(at, pushed);
            pushed += raw.len() as u64;
            reader.lend(raw);
            packer.walk(&mut reader).await.map_err(|why| match why {
                Failed::Rdb(error) => unreadable(error),
                Failed::Trouble(trouble) => trouble,
            })?;
            // A value that goes on in the next piece is done with that one.
            if reader.is_between() || at + 1 == job.pieces.end {
                packer.end().await?;
            }
            let done = self.counts.pieces.fetch_add(1, Ordering::Relaxed) + 1;
            self.events
                .tell(crate::model::Event::Progress(done, self.pieces));
            at += 1;
        }
        packer.end().await
    }
}

impl Loading<'_> {
    pub(super) fn count_large(&self, sent: Sent, large: &Large<'_>) {
        match sent {
            Sent::Whole => {
                if self.is_warming {
                    let (keys, heat) = (1, heat(&large.entry()));
                    // Nobody keeps count at the very end.
                    let _ = self.done.send(Done::Warm(Warm { keys, heat }));
                }
                self.counts.large.fetch_add(1, Ordering::Relaxed);
                self.count(Packed::Whole, &large.entry());
            }
            Sent::Refused(refused) => self.feeds.tally().refuse(refused),
            Sent::Busy => drop(self.feeds.tally().busy.fetch_add(1, Ordering::Relaxed)),
            Sent::Impossible(reason) => self.count(Packed::Impossible(reason), &large.entry()),
        }
    }

    pub(super) fn count(&self, packed: Packed, entry: &Entry<'_>) {
        let counts = self.counts;
        match packed {
            Packed::Whole => {
                counts.add(1, entry.range.end.saturating_sub(entry.range.start));
            }
            Packed::NotMeant | Packed::OtherWave => {}
            Packed::Expired => drop(counts.expired.fetch_add(1, Ordering::Relaxed)),
            Packed::NoSuchDb => counts.has_no_database(entry.db, entry.key),
            Packed::Impossible(reason) => {
                if !self.packing.loses(entry, reason) {
                    counts.cannot(reason, entry.key);
                }
            }
        }
    }
}
