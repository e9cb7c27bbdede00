//! Commands on their way to the target: a lane to every master, each with its own queue, so that none
//! waits for another; and what to do with those that a master did not take.
//!
//! A parcel is answered whole or goes out again: to the slot's new owner when it has moved or failed
//! over, to where ASK points, or a little later. Everything sent here can be done twice. How much is
//! on its way is bounded, so a target that is slow, or gone for a while, makes the readers wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::feeding::feed;
use super::ousted::{SILENCE, Watch, is_ousted};
use super::packer::{BATCH, LEAST_BATCH};
use super::parcel::{Parcel, Room, Tally};
use super::refusal::{Refusal, Refused};
use super::routes::Table;
use super::stray::{Stray, recover};
use super::trouble::Trouble;
use crate::cluster::Access;
use crate::cluster::lane::{Answers, Batch};
use crate::model::words::counted;
use crate::model::{Events, NodeAddr};

/// Parcels that one master has on their way or waiting, at the most.
const ROOM: usize = 32;
/// Bytes that all masters together have on their way or waiting, in units; a longer parcel goes alone.
const ALL_ROOM: usize = 8 << 20;
const UNIT: usize = 64 << 10;
/// Empty batches that wait to be filled again.
const SPARE: usize = 64;
/// How long a master may take for one answer: the largest value that it accepts takes seconds.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// How long the target may be without an owner for a slot: an election, or somebody who comes to help.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);
/// All lanes. Dropped, nothing is sent any more.
pub(super) struct Feeds {
    inner: Arc<Inner>,
    straying: tokio::sync::Mutex<mpsc::UnboundedReceiver<Stray>>,
}

pub(super) struct Inner {
    pub watch: Watch,
    events: Events,
    /// Whether nothing may go out again: the order of commands counts.
    is_strict: bool,
    lanes: Mutex<BTreeMap<NodeAddr, Way>>,
    strays: mpsc::UnboundedSender<Stray>,
    tally: Arc<Tally>,
    /// Parcels under way.
    pub out: AtomicUsize,
    idle: tokio::sync::Notify,
    /// A lane that waits for long asks who owns what now.
    pub doubt: tokio::sync::Notify,
    failed: watch::Sender<Option<Arc<Trouble>>>,
    pub window: Arc<AtomicUsize>,
    /// Room for parcels of all masters.
    room: Arc<Semaphore>,
    /// Batches that were answered. Were they freed, each new one would be taken from the system page by page.
    spare: Mutex<Vec<Batch>>,
}

/// The way to one master.
#[derive(Clone)]
struct Way {
    queue: mpsc::UnboundedSender<Parcel>,
    room: Arc<Semaphore>,
    _feeding: Arc<AbortOnDropHandle<()>>,
}

impl Feeds {
    /// To those masters; `window` is how many bytes each may have under way.
    pub(super) fn new(
        watch: Watch,
        events: &Events,
        is_strict: bool,
        window: Arc<AtomicUsize>,
    ) -> Feeds {
        let (strays, straying) = mpsc::unbounded_channel();
        let inner = Arc::new(Inner {
            watch,
            events: events.clone(),
            is_strict,
            lanes: Mutex::default(),
            strays,
            tally: Arc::default(),
            out: AtomicUsize::new(0),
            idle: tokio::sync::Notify::new(),
            doubt: tokio::sync::Notify::new(),
            failed: watch::Sender::new(None),
            window,
            room: Arc::new(Semaphore::new(ALL_ROOM / UNIT)),
            spare: Mutex::default(),
        });
        Feeds {
            inner,
            straying: tokio::sync::Mutex::new(straying),
        }
    }

    /// Does that, and beside it sends strays out again.
    pub(super) async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let mut straying = self.straying.lock().await;
        let work = std::pin::pin!(work);
        let recovering = std::pin::pin!(recover(&self.inner, &mut straying));
        match select(work, recovering).await {
            Either::Left((done, _)) => done,
            // It has no end of its own: what sends strays lives as long as this.
            Either::Right(((), work)) => work.await,
        }
    }

    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.inner.tally
    }

    /// An empty batch with that room, as a rule.
    pub(super) fn batch(&self, room: usize) -> Batch {
        let spare = || {
            self.inner
                .spare
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let found = spare().pop();
        found.unwrap_or_else(|| Batch::with_capacity(room))
    }

    /// Sends a parcel to that master, as soon as there is room.
    ///
    /// # Errors
    /// When something failed for good.
    pub(super) async fn send(
        &self,
        addr: &NodeAddr,
        mut parcel: Parcel,
    ) -> Result<(), Arc<Trouble>> {
        let way = self.inner.way(addr);
        let mut failed = self.inner.failed.subscribe();
        let units = parcel.batch.size().div_ceil(UNIT).min(ALL_ROOM / UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let room = async {
            let own = way.room.clone().acquire_owned().await.ok()?;
            let shared = self.inner.room.clone().acquire_many_owned(units);
            let shared = shared.await.ok()?;
            Some(Room {
                _own: own,
                _shared: shared,
            })
        };
        let room = tokio::select! {
            room = room => room,
            why = failed.wait_for(Option::is_some) => {
                return Err(cause(why.ok().and_then(|why| why.clone())));
            }
        };
        parcel.room = room;
        self.inner.out.fetch_add(1, Ordering::AcqRel);
        self.inner.queue(addr, parcel);
        Ok(())
    }

    /// Waits until all is answered.
    ///
    /// # Errors
    /// When something failed for good.
    pub(super) async fn drain(&self) -> Result<(), Arc<Trouble>> {
        let mut failed = self.inner.failed.subscribe();
        loop {
            let idle = self.inner.idle.notified();
            if let Some(why) = failed.borrow_and_update().clone() {
                return Err(why);
            }
            if self.inner.out.load(Ordering::Acquire) == 0 {
                return Ok(());
            }
            tokio::select! {
                () = idle => {}
                _ = failed.changed() => {}
            }
        }
    }
}

/// The lanes' tasks hold what holds them.
impl Drop for Feeds {
    fn drop(&mut self) {
        let mut lanes = self
            .inner
            .lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lanes.clear();
    }
}

fn cause(why: Option<Arc<Trouble>>) -> Arc<Trouble> {
    why.unwrap_or_else(|| Arc::new(Trouble::Stopped))
}

impl Inner {
    fn way(self: &Arc<Inner>, addr: &NodeAddr) -> Way {
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let way = lanes.entry(addr.clone()).or_insert_with(|| {
            let (queue, queued) = mpsc::unbounded_channel();
            let feeding = tokio::spawn(feed(self.clone(), addr.clone(), queued));
            Way {
                queue,
                room: Arc::new(Semaphore::new(ROOM)),
                _feeding: Arc::new(AbortOnDropHandle::new(feeding)),
            }
        });
        way.clone()
    }

    pub(super) fn access(&self) -> &Access {
        &self.watch.access
    }

    /// Ends when that node is no master any more and another one has the slot.
    pub(super) async fn ousted(&self, addr: &NodeAddr, slot: u16) {
        loop {
            sleep(SILENCE).await;
            if is_ousted(&self.watch.routes.now(), addr, slot) {
                return;
            }
            self.doubt.notify_one();
        }
    }

    /// Tells once that slots have no master, and once that all have one again.
    pub(super) fn tell(&self, table: &Table, is_told: bool) -> bool {
        let uncovered = table.uncovered().count();
        if (uncovered > 0) != is_told {
            self.events.note(match uncovered {
                0 => "every slot of the target has a master again".to_owned(),
                some => format!(
                    "{} of the target without a master that answers: waiting at most {} s for a \
                     failover",
                    counted(some, "slot"),
                    PATIENCE.as_secs()
                ),
            });
        }
        uncovered > 0
    }

    /// Puts a parcel behind those that wait for that master.
    pub(super) fn queue(self: &Arc<Inner>, addr: &NodeAddr, parcel: Parcel) {
        // A lane's task ends with everything else only.
        let _ = self.way(addr).queue.send(parcel);
    }

    pub(super) fn fail(&self, why: Trouble) {
        self.failed.send_if_modified(|failed| {
            let is_first = failed.is_none();
            failed.get_or_insert(Arc::new(why));
            is_first
        });
    }

    /// Keeps a batch that nobody holds any more, unless it is a large one.
    fn keep(&self, batch: Arc<Batch>) {
        let Ok(mut batch) = Arc::try_unwrap(batch) else {
            return;
        };
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < SPARE && (LEAST_BATCH..2 * BATCH).contains(&batch.room()) {
            batch.clear();
            spare.push(batch);
        }
    }

    fn done(&self) {
        if self.out.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    pub(super) fn stray(&self, mut parcel: Parcel, ask: Option<NodeAddr>, why: String) {
        if self.is_strict {
            self.fail(Trouble::Disturbed(why));
            return;
        }
        let count = parcel.batch.len() as u64;
        self.tally.again.fetch_add(count, Ordering::Relaxed);
        parcel.since.get_or_insert_with(Instant::now);
        let _ = self.strays.send(Stray { parcel, ask, why });
    }

    /// A master has answered a parcel.
    pub(super) fn answered(&self, addr: &NodeAddr, parcel: Parcel, answers: Answers) {
        let (tally, refused) = (&self.tally, answers.refused);
        // Logs may ask for what is not there; of a base only SET with NX is answered so.
        let busy = match self.is_strict {
            true => 0,
            false => answers.nothing.len(),
        };
        let taken = parcel.batch.len().saturating_sub(refused.len() + busy);
        tally.busy.fetch_add(busy as u64, Ordering::Relaxed);
        tally.taken.fetch_add(taken as u64, Ordering::Relaxed);
        let mut elsewhere = BTreeMap::<Option<NodeAddr>, (Vec<usize>, String)>::new();
        for (n, words) in refused {
            match Refusal::of(&words) {
                Refusal::Busy => drop(tally.busy.fetch_add(1, Ordering::Relaxed)),
                Refusal::Overtaken => drop(tally.overtaken.fetch_add(1, Ordering::Relaxed)),
                Refusal::Moved | Refusal::Later => {
                    let stray = elsewhere.entry(None).or_default();
                    stray.0.push(n);
                    stray.1 = format!("{addr} answered: {words}");
                }
                Refusal::Ask(to) => {
                    let to = self.access().map.reach(&to);
                    let stray = elsewhere.entry(Some(to)).or_default();
                    stray.0.push(n);
                    stray.1 = format!("{addr} answered: {words}");
                }
                Refusal::Fatal => {
                    self.fail(Trouble::NotTaken {
                        addr: addr.clone(),
                        said: words,
                    });
                    return;
                }
                Refusal::Refused => {
                    tally.refuse(Refused::of(parcel.batch.command(n), words));
                }
            }
        }
        match elsewhere.len() {
            0 => {
                self.keep(parcel.finish());
                self.done();
            }
            1 => {
                if let Some((ask, (places, why))) = elsewhere.pop_first() {
                    self.stray(parcel.part(&places), ask, why);
                }
            }
            _ => {
                // Each goes its own way; the pieces are done with the last.
                self.out.fetch_add(elsewhere.len() - 1, Ordering::AcqRel);
                for (ask, (places, why)) in elsewhere {
                    self.stray(parcel.twin().part(&places), ask, why);
                }
                parcel.finish();
            }
        }
    }
}
