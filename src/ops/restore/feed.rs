//! Commands on their way to the target: a lane to every master, each with its own queue, so that none
//! waits for another; and what to do with those that a master did not take.
//!
//! A parcel is answered whole or goes out again: to the slot's new owner when it has moved or failed
//! over, to where ASK points, or a little later. Everything sent here can be done twice. How much is
//! on its way is bounded, so a target that is slow, or gone for a while, makes the readers wait.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::ousted::{SILENCE, Watch, is_ousted};
use super::refusal::{Refusal, Refused};
use super::routes::Table;
use super::trouble::Trouble;
use crate::cluster::lane::{Answered, Batch, Lane};
use crate::cluster::{Access, NodeError};
use crate::model::words::counted;
use crate::model::{Events, NodeAddr};

/// Parcels that one master has on their way or waiting.
const ROOM: usize = 24;
/// How long a master may take for one answer: the largest value that it accepts takes seconds.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the target may be without an owner for a slot: an election, or somebody who comes to help.
const PATIENCE: Duration = Duration::from_secs(90);
/// Between two looks at a target that is not whole.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

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
    since: Option<Instant>,
    _room: Option<OwnedSemaphorePermit>,
}

/// A piece of the snapshot; it is done when nobody holds its ticket any more.
pub(super) struct Ticket {
    pub shard: usize,
    pub piece: usize,
    done: mpsc::UnboundedSender<(usize, usize)>,
    is_void: std::sync::atomic::AtomicBool,
}

/// What came of what was sent.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Commands that were taken.
    pub taken: AtomicU64,
    /// Keys that were there already.
    pub busy: AtomicU64,
    /// Commands of a log about keys whose time is over.
    pub overtaken: AtomicU64,
    /// Commands that were refused for good.
    pub refused: AtomicU64,
    /// The first of them.
    pub words: Mutex<Vec<Refused>>,
    /// Commands that went out again.
    pub again: AtomicU64,
}

/// Refusals that are kept by name.
const NAMED: usize = 20;

/// All lanes. Dropped, nothing is sent any more.
pub(super) struct Feeds {
    inner: Arc<Inner>,
    straying: tokio::sync::Mutex<mpsc::UnboundedReceiver<Stray>>,
}

struct Inner {
    watch: Watch,
    events: Events,
    /// Whether nothing may go out again: the order of commands counts.
    is_strict: bool,
    lanes: Mutex<BTreeMap<NodeAddr, Way>>,
    strays: mpsc::UnboundedSender<Stray>,
    tally: Arc<Tally>,
    /// Parcels under way.
    out: AtomicUsize,
    idle: tokio::sync::Notify,
    /// A lane that waits for long asks who owns what now.
    doubt: tokio::sync::Notify,
    failed: watch::Sender<Option<Arc<Trouble>>>,
    window: Arc<AtomicUsize>,
}

/// The way to one master.
#[derive(Clone)]
struct Way {
    queue: mpsc::UnboundedSender<Parcel>,
    room: Arc<Semaphore>,
    _feeding: Arc<AbortOnDropHandle<()>>,
}

/// A parcel that has to go out again.
struct Stray {
    parcel: Parcel,
    /// Where to, when ASK said so.
    ask: Option<NodeAddr>,
    why: String,
}

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
            _room: None,
        }
    }

    fn finish(mut self) {
        self.tickets.clear();
    }

    /// What is left of it: those commands.
    fn part(mut self, places: &[usize]) -> Parcel {
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
            _room: self._room.take(),
        }
    }
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
        let room = tokio::select! {
            room = way.room.clone().acquire_owned() => room.ok(),
            why = failed.wait_for(Option::is_some) => {
                return Err(cause(why.ok().and_then(|why| why.clone())));
            }
        };
        parcel._room = room;
        self.inner.out.fetch_add(1, Ordering::AcqRel);
        self.inner.queue(&way, parcel);
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

    fn access(&self) -> &Access {
        &self.watch.access
    }

    /// Ends when that node is no master any more and another one has the slot.
    async fn ousted(&self, addr: &NodeAddr, slot: u16) {
        loop {
            sleep(SILENCE).await;
            if is_ousted(&self.watch.routes.now(), addr, slot) {
                return;
            }
            self.doubt.notify_one();
        }
    }

    /// Tells once that slots have no master, and once that all have one again.
    fn tell(&self, table: &Table, is_told: bool) -> bool {
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

    fn queue(&self, way: &Way, parcel: Parcel) {
        // A lane's task ends with everything else only.
        let _ = way.queue.send(parcel);
    }

    fn fail(&self, why: Trouble) {
        self.failed.send_if_modified(|failed| {
            let is_first = failed.is_none();
            failed.get_or_insert(Arc::new(why));
            is_first
        });
    }

    fn done(&self) {
        if self.out.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    fn stray(&self, mut parcel: Parcel, ask: Option<NodeAddr>, why: String) {
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
    fn answered(&self, addr: &NodeAddr, parcel: Parcel, refused: Vec<(usize, String)>) {
        let tally = &self.tally;
        let taken = parcel.batch.len() - refused.len().min(parcel.batch.len());
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
                    tally.refused.fetch_add(1, Ordering::Relaxed);
                    let mut list = tally.words.lock().unwrap_or_else(PoisonError::into_inner);
                    if list.len() < NAMED {
                        list.push(Refused::of(parcel.batch.command(n), words));
                    }
                }
            }
        }
        match elsewhere.len() {
            0 => {
                parcel.finish();
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
                    let part = Parcel {
                        batch: parcel.batch.clone(),
                        slots: parcel.slots.clone(),
                        db: parcel.db,
                        tickets: parcel.tickets.clone(),
                        since: parcel.since,
                        _room: None,
                    };
                    self.stray(part.part(&places), ask, why);
                }
                parcel.finish();
            }
        }
    }
}

/// Sends what is queued for one master, for as long as anything may come.
async fn feed(inner: Arc<Inner>, addr: NodeAddr, mut queue: mpsc::UnboundedReceiver<Parcel>) {
    loop {
        let Some(first) = queue.recv().await else {
            return;
        };
        let opened = Lane::open(inner.access(), &addr, ANSWER).await;
        let lost = match opened {
            Ok(lane) => {
                let mut feeding = Feeding {
                    inner: &inner,
                    addr: &addr,
                    lane,
                    db: 0,
                    under_way: VecDeque::new(),
                    next: Some(first),
                    bytes: 0,
                };
                let ended = feeding.run(&mut queue).await;
                let on_lane = feeding.under_way.into_iter().flatten();
                let lost = on_lane.chain(feeding.next).collect();
                match ended {
                    Ok(()) => return,
                    Err(error) => (lost, error),
                }
            }
            Err(error) => (vec![first], error),
        };
        let (mut parcels, error): (Vec<Parcel>, NodeError) = lost;
        while let Ok(parcel) = queue.try_recv() {
            parcels.push(parcel);
        }
        match error {
            NodeError::PasswordWanted { .. }
            | NodeError::PasswordWrong { .. }
            | NodeError::Forbidden { .. } => inner.fail(Trouble::Node(error)),
            error => {
                for parcel in parcels {
                    inner.stray(parcel, None, error.to_string());
                }
            }
        }
    }
}

/// A lane being fed.
struct Feeding<'a> {
    inner: &'a Arc<Inner>,
    addr: &'a NodeAddr,
    lane: Lane,
    /// The database that the connection is in.
    db: u64,
    /// What is on the lane; a change of database is nobody's parcel.
    under_way: VecDeque<Option<Parcel>>,
    /// What goes on the lane as soon as there is room.
    next: Option<Parcel>,
    bytes: usize,
}

impl Feeding<'_> {
    async fn run(&mut self, queue: &mut mpsc::UnboundedReceiver<Parcel>) -> Result<(), NodeError> {
        loop {
            if self.has_room()
                && let Some(parcel) = self.next.take()
            {
                self.put(parcel).await;
            }
            let waits_for = self.under_way.iter().flatten().next();
            let slot = waits_for.and_then(|parcel| parcel.slots.first().copied());
            tokio::select! {
                answered = self.lane.answered(), if !self.lane.is_idle() => {
                    self.take(answered?);
                }
                () = self.inner.ousted(self.addr, slot.unwrap_or(0)), if slot.is_some() => {
                    return Err(NodeError::Closed {
                        addr: self.addr.clone(),
                        why: "it is no master any more".to_owned(),
                    });
                }
                parcel = queue.recv(), if self.next.is_none() => match parcel {
                    Some(parcel) => self.next = Some(parcel),
                    None => return Ok(()),
                },
            }
        }
    }

    /// One parcel may always be under way.
    fn has_room(&self) -> bool {
        let window = self.inner.window.load(Ordering::Relaxed);
        // Two at the most go on the lane for one parcel.
        self.under_way.is_empty() || (self.under_way.len() < 14 && self.bytes < window)
    }

    async fn put(&mut self, parcel: Parcel) {
        if parcel.db != self.db {
            self.db = parcel.db;
            let mut select = Batch::default();
            select.push(&[b"SELECT", parcel.db.to_string().as_bytes()]);
            self.under_way.push_back(None);
            self.lane.send(Arc::new(select)).await;
        }
        let batch = parcel.batch.clone();
        self.bytes += batch.size();
        self.under_way.push_back(Some(parcel));
        self.lane.send(batch).await;
    }

    fn take(&mut self, answered: Answered) {
        match self.under_way.pop_front().flatten() {
            Some(parcel) => {
                self.bytes -= answered.batch.size().min(self.bytes);
                self.inner.answered(self.addr, parcel, answered.refused);
            }
            None => {
                if let Some((_, said)) = answered.refused.into_iter().next() {
                    let addr = self.addr.clone();
                    self.inner.fail(Trouble::NotTaken { addr, said });
                }
            }
        }
    }
}

/// Sends strays out again: all that there are, after one look at who owns what now.
async fn recover(inner: &Arc<Inner>, strays: &mut mpsc::UnboundedReceiver<Stray>) {
    let mut is_told = false;
    loop {
        let first = tokio::select! {
            first = strays.recv() => first,
            () = inner.doubt.notified() => {
                if let Some(table) = inner.watch.look().await {
                    is_told = inner.tell(&table, is_told);
                }
                continue;
            }
        };
        let Some(first) = first else { return };
        let mut all = vec![first];
        while let Ok(stray) = strays.try_recv() {
            all.push(stray);
        }
        if all.iter().any(|stray| stray.ask.is_none()) {
            sleep(LOOK_AGAIN).await;
            if let Some(table) = inner.watch.look().await {
                is_told = inner.tell(&table, is_told);
            }
        }
        for stray in all {
            let since = stray.parcel.since.unwrap_or_else(Instant::now);
            if since.elapsed() > PATIENCE {
                inner.fail(Trouble::Lost {
                    why: stray.why,
                    seconds: PATIENCE.as_secs(),
                });
                continue;
            }
            match stray.ask {
                Some(to) => asked(inner, &to, stray.parcel).await,
                None => routed(inner, stray.parcel, &stray.why),
            }
        }
    }
}

/// A slot is on its way: its keys are taken where ASK points.
async fn asked(inner: &Arc<Inner>, to: &NodeAddr, parcel: Parcel) {
    let mut batch = Batch::with_capacity(parcel.batch.size());
    for n in 0..parcel.batch.len() {
        batch.push(&[b"ASKING"]);
        batch.push_raw(parcel.batch.command(n));
    }
    let answered = async {
        let mut lane = Lane::open(inner.access(), to, ANSWER).await?;
        lane.send(Arc::new(batch)).await;
        lane.answered().await
    };
    match answered.await {
        Ok(answered) => {
            let refused = answered.refused.into_iter().filter(|(n, _)| n % 2 == 1);
            let refused = refused.map(|(n, words)| (n / 2, words)).collect();
            inner.answered(to, parcel, refused);
        }
        Err(error) => {
            sleep(LOOK_AGAIN).await;
            inner.stray(parcel, None, error.to_string());
        }
    }
}

/// Sends the commands to those who own their slots now.
fn routed(inner: &Arc<Inner>, parcel: Parcel, why: &str) {
    let table = inner.watch.routes.now();
    let mut places = BTreeMap::<Option<NodeAddr>, Vec<usize>>::new();
    for (n, slot) in parcel.slots.iter().enumerate() {
        places
            .entry(table.addr(*slot).cloned())
            .or_default()
            .push(n);
    }
    inner
        .out
        .fetch_add(places.len().saturating_sub(1), Ordering::AcqRel);
    let many = places.len() > 1;
    let mut left = Some(parcel);
    for (addr, places) in places {
        let whole = match (&left, many) {
            (Some(parcel), true) => Parcel {
                batch: parcel.batch.clone(),
                slots: parcel.slots.clone(),
                db: parcel.db,
                tickets: parcel.tickets.clone(),
                since: parcel.since,
                _room: None,
            },
            _ => match left.take() {
                Some(parcel) => parcel,
                None => return,
            },
        };
        let part = whole.part(&places);
        match addr {
            Some(addr) => inner.queue(&inner.way(&addr), part),
            None => inner.stray(part, None, why.to_owned()),
        }
    }
    if let Some(parcel) = left {
        parcel.finish();
    }
}
