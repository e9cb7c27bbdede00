//! One line under way: a pump for each shard, and what happens to the line as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::clock::Clock;
use super::gauge::LineGauges;
use super::pump::{Ended, Point, Pump, Shared};
use super::resume::Standing;
use super::sealer;
use super::shards::{Seen, Shards};
use crate::archive::{End, EventKind, EventName, LineId, Owners};
use crate::model::{Survey, Topology};
use crate::ops::backup::order::{Beginning, Place};

/// How many changes of owners may wait to be stored.
const OWNERS: usize = 64;
/// How long storing the last words of a line may take.
const LAST_WORDS: Duration = Duration::from_secs(20);

/// A line under way. Dropped, it ends at once, and what waited is not sealed.
pub(super) struct Line {
    shared: Arc<Shared>,
    cluster: String,
    shards: Shards,
    places: Vec<watch::Sender<super::pump::Where>>,
    pumps: Vec<AbortOnDropHandle<()>>,
    stop: watch::Sender<bool>,
    ended: mpsc::UnboundedReceiver<Ended>,
    owners: mpsc::Sender<Owners>,
    storing: AbortOnDropHandle<()>,
    event_seq: u32,
    /// Looks in a row that showed slots elsewhere: one may be a view that is not settled.
    strange: u32,
}

/// What a line is made of.
struct Start {
    id: LineId,
    shards: Shards,
    points: Vec<Point>,
    last_ms: u64,
    event_seq: u32,
    is_anchored: bool,
}

impl Line {
    /// Begins one with a base of which every shard has begun. No stamp lies before `after_ms`.
    pub(super) fn begin(
        place: &Place,
        cluster: &str,
        now_ms: fn() -> u64,
        after_ms: u64,
        begun: &[Beginning],
    ) -> Option<Line> {
        let run = begun.first()?.snapshot.clone();
        let points = begun.iter().map(|one| Point {
            replid: one.replid.clone(),
            offset: one.offset,
            seq: 0,
        });
        let start = Start {
            id: LineId {
                folder: crate::archive::folder_of(cluster),
                run,
            },
            shards: Shards::begin(begun.iter().map(|one| &one.source)),
            points: points.collect(),
            last_ms: after_ms,
            event_seq: 0,
            is_anchored: false,
        };
        Some(Line::start(place, cluster, now_ms, start))
    }

    /// Goes on with one that was left.
    pub(super) fn again(
        place: &Place,
        cluster: &str,
        now_ms: fn() -> u64,
        standing: Standing,
    ) -> Line {
        let start = Start {
            id: standing.id,
            shards: standing.shards,
            points: standing.points,
            last_ms: standing.last_ms,
            event_seq: standing.event_seq,
            is_anchored: true,
        };
        Line::start(place, cluster, now_ms, start)
    }

    fn start(place: &Place, cluster: &str, now_ms: fn() -> u64, start: Start) -> Line {
        let clock = Arc::new(Clock::after(start.last_ms, now_ms));
        let gauges = Arc::new(LineGauges::new(start.points.len()));
        let shared = Arc::new(Shared {
            access: place.access.clone(),
            repository: place.repository.clone(),
            line: start.id.clone(),
            clock,
            gauges,
            events: place.events.clone(),
            is_anchored: AtomicBool::new(start.is_anchored),
        });
        let (stop, stopped) = watch::channel(false);
        let (told, ended) = mpsc::unbounded_channel();
        let (owners, waiting) = mpsc::channel(OWNERS);
        let storing = sealer::events(
            place.repository.clone(),
            start.id,
            start.event_seq,
            place.events.clone(),
            waiting,
        );
        let mut line = Line {
            cluster: cluster.to_owned(),
            shards: start.shards,
            places: Vec::new(),
            pumps: Vec::new(),
            stop,
            ended,
            owners,
            storing: AbortOnDropHandle::new(tokio::spawn(storing)),
            event_seq: start.event_seq,
            strange: 0,
            shared,
        };
        for (shard, point) in (0..).zip(start.points) {
            line.pump(shard, point, stopped.clone(), told.clone());
        }
        if !start.is_anchored {
            line.tell_owners();
        }
        line
    }

    fn pump(
        &mut self,
        shard: u32,
        point: Point,
        stop: watch::Receiver<bool>,
        told: mpsc::UnboundedSender<Ended>,
    ) {
        let Some(place) = self.shards.place(shard as usize) else {
            return;
        };
        if let Some(gauge) = self.shared.gauges.shards.get(shard as usize) {
            gauge.begin(point.offset, self.shared.clock.now());
        }
        let (place, placed) = watch::channel(place);
        let pump = Pump::run(self.shared.clone(), shard, point, placed, stop);
        self.places.push(place);
        self.pumps
            .push(AbortOnDropHandle::new(tokio::spawn(async move {
                let ended = pump.await;
                // Nobody listens any more when the line was dropped.
                let _ = told.send(ended);
            })));
    }

    /// Which.
    pub(super) fn id(&self) -> &LineId {
        &self.shared.line
    }

    /// How far it is.
    pub(super) fn gauges(&self) -> Arc<LineGauges> {
        self.shared.gauges.clone()
    }

    /// A base lies on it now: what is durable counts.
    pub(super) fn anchor(&self) {
        self.shared.is_anchored.store(true, Ordering::SeqCst);
    }

    /// The first shard that ends, and why.
    pub(super) async fn ended(&mut self) -> Ended {
        match self.ended.recv().await {
            Some(ended) => ended,
            // Every pump tells before it ends.
            None => Ended::Gap("nothing is followed any more".to_owned()),
        }
    }

    /// Takes a look in; gives why the line breaks, when it does.
    pub(super) fn look(&mut self, survey: &Survey) -> Option<String> {
        for (gauge, offset) in self
            .shared
            .gauges
            .shards
            .iter()
            .zip(self.shards.offsets(survey))
        {
            if let Some(offset) = offset {
                gauge.master(offset);
            }
        }
        let Seen { changes, strangers } = self.shards.look(survey, &Topology::of(survey));
        if !changes.is_empty() {
            for change in changes {
                self.shared.events.note(change);
            }
            self.tell_owners();
        }
        for (shard, sender) in self.places.iter().enumerate() {
            if let Some(place) = self.shards.place(shard) {
                sender.send_if_modified(|known| {
                    let is_other = *known != place;
                    *known = place;
                    is_other
                });
            }
        }
        self.strange = if strangers.is_some() {
            self.strange + 1
        } else {
            0
        };
        strangers.filter(|_| self.strange > 1)
    }

    fn tell_owners(&mut self) {
        let owners = self.shards.owners(&self.cluster, self.shared.clock.now());
        // So many changes that could not be stored: the next that can holds them all.
        if self.owners.try_send(owners).is_ok() {
            self.event_seq += 1;
        }
    }

    /// Seals what is there and ends; `false` when not all could be sealed.
    pub(super) async fn stop(mut self) -> bool {
        self.finish().await
    }

    async fn finish(&mut self) -> bool {
        self.stop.send_replace(true);
        let mut is_sealed = true;
        for pump in &mut self.pumps {
            is_sealed &= pump.await.is_ok();
        }
        while let Ok(ended) = self.ended.try_recv() {
            is_sealed &= ended != Ended::NotSealed;
        }
        let (none, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.owners, none));
        is_sealed && timeout(LAST_WORDS, &mut self.storing).await.is_ok()
    }

    /// Seals what is there, says why it ends, and gives when.
    pub(super) async fn break_off(mut self, why: &str) -> u64 {
        self.finish().await;
        let at_ms = self.shared.clock.now();
        let name = EventName {
            line: self.shared.line.clone(),
            seq: self.event_seq,
            kind: EventKind::End,
            at_ms,
        };
        let end = End::new(at_ms, why.to_owned());
        let storing = self.shared.repository.put_event(&name, &end);
        // Without it the line ends all the same, for the next is younger.
        if !matches!(timeout(LAST_WORDS, storing).await, Ok(Ok(()))) {
            self.shared
                .events
                .note("why the line ends could not be stored");
        }
        at_ms
    }
}
