//! One shard is followed: its log is received, stamped, cut and sealed, and what is durable is
//! acknowledged, through lost links and failovers, until it can never go on where it ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::clock::Clock;
use super::cutter::SegmentCutter;
use super::gauge::LineGauges;
use super::link::{Attached, Wanted, attach};
use super::sealer::{Piece, Sealer};
use crate::archive::{LineId, Repository};
use crate::cluster::Access;
use crate::cluster::replica::Log;
use crate::model::{Events, NodeAddr, SlotSet, words};

/// Pieces wait no longer than this.
const SEAL: Duration = Duration::from_secs(10);
/// Nor longer than this when somebody waits for them (`WAIT`).
const SEAL_ASKED: Duration = Duration::from_secs(1);
/// How often that is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Servers drop a link that says nothing for `repl-timeout` (60 s).
const ACKNOWLEDGE: Duration = Duration::from_secs(1);
/// The pause between two tries to attach, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Bytes that wait to be sealed at the most, over all shards; and for one. As many again may be given
/// to the sealer, and be in its hands.
const WAITING: usize = 64 << 20;
const MOST_WAITING: usize = 8 << 20;
const LEAST_WAITING: usize = 256 << 10;
/// How long what waits may take to be stored in the end.
const ENDING: Duration = Duration::from_secs(20);

/// What all shards of a line share.
pub(super) struct Shared {
    pub access: Access,
    pub repository: Repository,
    pub line: LineId,
    pub clock: Arc<Clock>,
    pub gauges: Arc<LineGauges>,
    pub events: Events,
    /// Whether a base lies on the line: before that nothing of it can be restored, so nothing is safe.
    pub is_anchored: AtomicBool,
}

/// Where a shard's log begins.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub replid: String,
    pub offset: u64,
    /// The number of the first segment.
    pub seq: u32,
}

/// Where a shard is, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Where {
    pub addr: NodeAddr,
    pub slots: SlotSet,
}

/// One shard's following.
pub(super) struct Pump {
    shared: Arc<Shared>,
    shard: u32,
    place: watch::Receiver<Where>,
    stop: watch::Receiver<bool>,
    replid: String,
    cutter: SegmentCutter,
    wanted: usize,
    pieces: mpsc::Sender<Piece>,
    durable: watch::Receiver<u64>,
    sealed_at: Instant,
}

/// Why it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was asked to.
    Stopped,
    /// What waited in the end could not be stored.
    NotSealed,
    /// It can never go on where it ended.
    Gap(String),
}

/// How one link ended.
enum Left {
    Stopped,
    Moved,
    Lost(String),
    Gap(String),
}

impl Pump {
    /// Follows from a point on.
    pub(super) async fn run(
        shared: Arc<Shared>,
        shard: u32,
        from: Point,
        place: watch::Receiver<Where>,
        stop: watch::Receiver<bool>,
    ) -> Ended {
        let (pieces, waiting) = mpsc::channel(1);
        let (is_durable, durable) = watch::channel(from.offset);
        let sealer = Sealer {
            repository: shared.repository.clone(),
            line: shared.line.clone(),
            shard,
            seq: from.seq,
            gauges: shared.gauges.clone(),
            events: shared.events.clone(),
            durable: is_durable,
        };
        let sealing = AbortOnDropHandle::new(tokio::spawn(sealer.run(waiting)));
        let share = WAITING / shared.gauges.shards.len().max(1);
        let mut pump = Pump {
            shard,
            place,
            stop,
            replid: from.replid,
            cutter: SegmentCutter::new(from.offset),
            wanted: share.clamp(LEAST_WAITING, MOST_WAITING),
            pieces,
            durable,
            sealed_at: Instant::now(),
            shared,
        };
        let ended = pump.follow().await;
        let last = pump.cutter.last_cut(pump.shared.clock.now());
        let Pump {
            pieces,
            replid,
            place,
            ..
        } = pump;
        let ending = async move {
            if let Some(cut) = last {
                let slots = place.borrow().slots.clone();
                let piece = Piece { cut, replid, slots };
                let _ = pieces.send(piece).await;
            }
            drop(pieces);
            sealing.await
        };
        match tokio::time::timeout(ENDING, ending).await {
            Ok(Ok(())) => ended,
            _ if ended == Ended::Stopped => Ended::NotSealed,
            _ => ended,
        }
    }

    async fn follow(&mut self) -> Ended {
        let mut pause = PAUSE;
        let mut told = false;
        loop {
            let addr = self.place.borrow_and_update().addr.clone();
            let left = match self.attached(&addr).await {
                Attached::Log(log) => {
                    if std::mem::take(&mut told) {
                        let number = self.shard + 1;
                        self.note(format!("shard {number} is followed again, at {addr}"));
                    }
                    pause = PAUSE;
                    self.renamed(&log.replid).await;
                    self.gauge(true);
                    let left = self.receive(*log).await;
                    self.gauge(false);
                    left
                }
                Attached::Later(why) => Left::Lost(why),
                Attached::Lost(offset) => match self.cutter.forget_after(offset) {
                    Ok(true) => {
                        let lost = format!("{addr} was promoted without what came after {offset}");
                        self.note(format!("shard {}: {lost}", self.shard + 1));
                        continue;
                    }
                    _ => Left::Gap(format!(
                        "{addr} was promoted without writes that are sealed already, those after \
                         offset {offset}"
                    )),
                },
                Attached::Gap(why) => Left::Gap(why),
            };
            match left {
                Left::Stopped => return Ended::Stopped,
                Left::Gap(why) => return Ended::Gap(format!("shard {}: {why}", self.shard + 1)),
                Left::Moved => {}
                Left::Lost(why) => {
                    if !std::mem::replace(&mut told, true) {
                        let number = self.shard + 1;
                        self.note(format!("shard {number} is not followed, trying on: {why}"));
                    }
                    if self.wait(pause).await {
                        return Ended::Stopped;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Asks for the log; what waits is sealed in its time meanwhile.
    async fn attached(&mut self, addr: &NodeAddr) -> Attached {
        let (replid, shared) = (self.replid.clone(), self.shared.clone());
        let wanted = Wanted {
            replid: &replid,
            offset: self.cutter.received(),
            safe: self.safe(),
        };
        let attaching = attach(&shared.access, addr, wanted);
        let mut stop = self.stop.clone();
        tokio::select! {
            attached = attaching => attached,
            _ = stop.wait_for(|stop| *stop) => Attached::Later("it is stopped".to_owned()),
        }
    }

    /// A promoted node goes on under a new name. What came under the old one is cut off before it.
    async fn renamed(&mut self, replid: &str) {
        if self.replid == replid {
            return;
        }
        let pieces = self.pieces.clone();
        let mut stop = self.stop.clone();
        let place = tokio::select! {
            place = pieces.reserve() => place,
            // What waits keeps its name, and is sealed in the end.
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if let (Ok(place), Some(piece)) = (place, self.piece()) {
            place.send(piece);
        }
        self.replid = replid.to_owned();
    }

    /// Waits before the next try; whether it was stopped meanwhile.
    async fn wait(&mut self, pause: Duration) -> bool {
        self.offer();
        let moved = self.place.changed();
        tokio::select! {
            _ = sleep(pause) => {}
            moved = moved => if moved.is_err() {
                // The driver is gone, and this with it.
                sleep(pause).await;
            },
            _ = self.stop.changed() => {}
        }
        *self.stop.borrow()
    }

    /// Receives until the link ends.
    async fn receive(&mut self, mut log: Log) -> Left {
        let mut acknowledge = interval(ACKNOWLEDGE);
        let mut tick = interval(TICK);
        for one in [&mut acknowledge, &mut tick] {
            one.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let addr = self.place.borrow().addr.clone();
        let mut safe = self.safe();
        let mut durable = self.durable.clone();
        loop {
            if *self.stop.borrow() {
                return Left::Stopped;
            }
            let has_room = self.cutter.waiting() < self.wanted || !self.cutter.can_cut();
            tokio::select! {
                bytes = log.next(), if has_room => match bytes {
                    Err(error) => return Left::Lost(error.to_string()),
                    Ok(bytes) => {
                        let at_ms = self.shared.clock.now();
                        if let Err(error) = self.cutter.push(bytes, at_ms) {
                            return Left::Gap(format!("what {addr} sent cannot be read: {error}"));
                        }
                        self.count();
                    }
                },
                _ = durable.changed() => {}
                _ = acknowledge.tick() => {
                    safe = self.safe();
                    if let Err(error) = log.acknowledge(safe).await {
                        return Left::Lost(error.to_string());
                    }
                }
                _ = tick.tick() => {}
                _ = self.place.changed() => if self.place.borrow().addr != addr {
                    return Left::Moved;
                },
                _ = self.stop.changed() => {}
            }
            self.offer();
            if self.safe() != safe {
                safe = self.safe();
                if let Err(error) = log.acknowledge(safe).await {
                    return Left::Lost(error.to_string());
                }
            }
        }
    }

    /// What may be acknowledged: what is durable, and can be restored.
    fn safe(&self) -> u64 {
        match self.shared.is_anchored.load(Ordering::SeqCst) {
            true => *self.durable.borrow(),
            false => 0,
        }
    }

    /// Gives what is due to the sealer, unless that is busy.
    fn offer(&mut self) {
        let since = self.sealed_at.elapsed();
        let is_due = since >= SEAL
            || (since >= SEAL_ASKED && self.cutter.is_asked())
            || self.cutter.waiting() >= self.wanted;
        if !is_due || !self.cutter.can_cut() {
            return;
        }
        let pieces = self.pieces.clone();
        if let Ok(place) = pieces.try_reserve()
            && let Some(piece) = self.piece()
        {
            place.send(piece);
        }
    }

    fn piece(&mut self) -> Option<Piece> {
        self.sealed_at = Instant::now();
        Some(Piece {
            cut: self.cutter.cut(self.shared.clock.now())?,
            replid: self.replid.clone(),
            slots: self.place.borrow().slots.clone(),
        })
    }

    fn gauge(&self, is_attached: bool) {
        if let Some(gauge) = self.shared.gauges.shards.get(self.shard as usize) {
            gauge.attach(is_attached);
        }
    }

    fn count(&self) {
        if let Some(gauge) = self.shared.gauges.shards.get(self.shard as usize) {
            gauge.received(self.cutter.received());
        }
    }

    fn note(&self, note: String) {
        let now = words::timestamp(self.shared.clock.now());
        self.shared.events.note(format!("{now} {note}"));
    }
}
