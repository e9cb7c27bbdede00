//! Commands for one master on their way, and the pieces of the snapshot that they are of.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::refusal::Refused;
use super::warming::Warm;
use crate::cluster::lane::Batch;

/// Commands for one master.
pub(super) struct Parcel {
    pub batch: Arc<Batch>,
    /// The slot of each command.
    pub slots: Vec<u16>,
    /// The database that they are for.
    pub db: u64,
    /// What is done when the last parcel with it is.
    pub tickets: Vec<Arc<Ticket>>,
    /// When it went out again for the first time.
    pub since: Option<Instant>,
    /// Its place among those that may be under way.
    pub room: Option<Room>,
}

/// A place among the parcels of one master, and among those of all.
pub(super) struct Room {
    pub _own: OwnedSemaphorePermit,
    pub _shared: OwnedSemaphorePermit,
}

/// What is told when nobody holds it any more.
pub(super) struct Ticket {
    what: Done,
    done: mpsc::UnboundedSender<Done>,
    is_void: AtomicBool,
}

/// What is done when all of it is answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Done {
    /// A piece of a shard of the snapshot.
    Piece(usize, usize),
    /// Keys, and how much they are used.
    Warm(Warm),
}

/// What came of what was sent.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Commands that were taken.
    pub taken: AtomicU64,
    /// Keys that were there already.
    pub busy: AtomicU64,
    /// Commands of a log about keys that were not there.
    pub overtaken: AtomicU64,
    /// Commands that were refused for good.
    pub refused: AtomicU64,
    /// The first of them.
    pub words: Mutex<Vec<Refused>>,
    /// Commands that went out again.
    pub again: AtomicU64,
}

/// Refusals that are kept by name.
pub(super) const NAMED: usize = 20;

impl Tally {
    /// Notes a command that was refused for good.
    pub(super) fn refuse(&self, refused: Refused) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        let mut list = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() < NAMED {
            list.push(refused);
        }
    }
}

impl Ticket {
    pub(super) fn new(what: Done, done: mpsc::UnboundedSender<Done>) -> Ticket {
        Ticket {
            what,
            done,
            is_void: false.into(),
        }
    }

    /// It is not done, whoever drops it last.
    pub(super) fn void(&self) {
        self.is_void.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_void.load(Ordering::Relaxed) {
            // Nobody keeps count at the very end.
            let _ = self.done.send(self.what);
        }
    }
}

/// Dropped on the way, its pieces are not done.
impl Drop for Parcel {
    fn drop(&mut self) {
        for ticket in &self.tickets {
            ticket.void();
        }
    }
}

impl Parcel {
    pub(super) fn new(batch: Batch, slots: Vec<u16>, db: u64, tickets: Vec<Arc<Ticket>>) -> Parcel {
        Parcel {
            batch: Arc::new(batch),
            slots,
            db,
            tickets,
            since: None,
            room: None,
        }
    }

    /// All of it is answered for good; gives its batch back.
    pub(super) fn finish(mut self) -> Arc<Batch> {
        self.tickets.clear();
        std::mem::take(&mut self.batch)
    }

    /// The same again, of which a part goes another way; its pieces are done with the last.
    pub(super) fn twin(&self) -> Parcel {
        Parcel {
            batch: self.batch.clone(),
            slots: self.slots.clone(),
            db: self.db,
            tickets: self.tickets.clone(),
            since: self.since,
            room: None,
        }
    }

    /// What is left of it: those commands.
    pub(super) fn part(mut self, places: &[usize]) -> Parcel {
        let mut batch = Batch::default();
        for &n in places {
            batch.push_raw(self.batch.command(n));
        }
        let slot = |n: &usize| self.slots.get(*n).copied().unwrap_or(0);
        Parcel {
            batch: Arc::new(batch),
            slots: places.iter().map(slot).collect(),
            db: self.db,
            tickets: std::mem::take(&mut self.tickets),
            since: self.since,
            room: self.room.take(),
        }
    }
}
