//! Commands for one master on their way, and the pieces of the snapshot that they are of.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;

use super::refusal::Refused;
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
    /// Its place among those that its master may have.
    pub room: Option<OwnedSemaphorePermit>,
}

/// A piece of the snapshot; it is done when nobody holds its ticket any more.
pub(super) struct Ticket {
    pub shard: usize,
    pub piece: usize,
    done: mpsc::UnboundedSender<(usize, usize)>,
    is_void: AtomicBool,
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

impl Ticket {
    pub(super) fn new(
        (shard, piece): (usize, usize),
        done: mpsc::UnboundedSender<(usize, usize)>,
    ) -> Ticket {
        Ticket {
            shard,
            piece,
            done,
            is_void: false.into(),
        }
    }

    /// Its piece is not done, whoever drops it last.
    pub(super) fn void(&self) {
        self.is_void.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_void.load(Ordering::Relaxed) {
            // Nobody keeps count at the very end.
            let _ = self.done.send((self.shard, self.piece));
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
