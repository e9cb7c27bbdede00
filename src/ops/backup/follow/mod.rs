//! `backup --follow`: after a base everything that the cluster writes, shard by shard, so that any moment
//! can be restored.
//!
//! A line begins with a base: each shard's log is received from the offset at which its base began, so
//! nothing lies between the two. Further bases are taken while the line goes on, so that a restore never
//! has to play more than one interval. What breaks a line (`pump`, `shards`) ends it with its reason, and
//! the next begins by itself. One follows a cluster into a repository at a time (`turn`). What is acknowledged to the servers is durable: `WAIT` counts a follower only
//! for writes that can be restored.

mod clock;
mod cutter;
mod gauge;
mod line;
mod link;
mod pump;
mod resume;
mod sealer;
mod shards;
mod turn;

use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, LocalBoxStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, sleep_until};

pub use gauge::{LineGauges, LineReading};

use self::line::Line;
use self::pump::Ended;
use self::turn::{Turn, turn};
use super::capture::capture;
use super::look::{Depth, Ground, look};
use super::order::{Beginning, Options, Place, Taken};
use super::trouble::Trouble;
use crate::archive::SnapshotId;
use crate::archive::lease::Holder;
use crate::cluster::Access;
use crate::model::{NodeAddr, Survey};

/// How often the cluster is looked at: who has which slots, and who is master.
const LOOK: Duration = Duration::from_secs(1);
/// The pause before another base when one failed, at the least and at the most.
const AGAIN: Duration = Duration::from_secs(2);
const LONGEST_AGAIN: Duration = Duration::from_secs(300);

/// How a cluster is followed.
#[derive(Debug, Clone)]
pub struct Following {
    /// How bases are taken.
    pub base: Options,
    /// How long after one base the next begins.
    pub base_every: Duration,
    /// Who follows.
    pub holder: Holder,
    /// Whether the process of such a mark is known to have ended.
    pub has_ended: fn(&str) -> bool,
}

/// What happens on the way.
#[derive(Debug)]
pub enum Told {
    /// Another follows the cluster into this repository: it is waited for.
    Waits(Holder),
    /// Another did, and is not there any more.
    TakenOver(Holder),
    /// A line goes on where an earlier follower left it.
    Resumed {
        /// Which.
        run: SnapshotId,
        /// All that came up to then was durable.
        last_ms: u64,
        /// Its shards.
        gauges: Arc<LineGauges>,
    },
    /// A line has begun: its base is being taken.
    Begun {
        /// Which.
        run: SnapshotId,
        /// Its shards.
        gauges: Arc<LineGauges>,
    },
    /// A base was taken.
    Base(Box<Taken>),
    /// None was, and the line goes on with those that it has.
    NoBase(Trouble),
    /// A line broke: what comes between this and the next base cannot be restored.
    Gap {
        /// Which.
        run: SnapshotId,
        /// When, ms since the epoch.
        at_ms: u64,
        /// Why.
        why: String,
    },
}

/// How following ended: it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Whether all that had come is sealed.
    pub is_sealed: bool,
}

/// Follows until it is asked to stop, which is when `stop` becomes true.
///
/// # Errors
/// When there never was a base and trying again cannot help.
pub async fn follow(
    place: Place,
    following: Following,
    told: mpsc::UnboundedSender<Told>,
    stop: watch::Receiver<bool>,
) -> Result<Stopped, Trouble> {
    let mut stop = stop;
    let (repository, cluster) = (place.repository.clone(), following.base.cluster.clone());
    let (holder, has_ended) = (following.holder.clone(), following.has_ended);
    let waited = turn(&repository, &cluster, holder, has_ended, &told, &mut stop);
    let Some(mut turn) = waited.await? else {
        return Ok(Stopped { is_sealed: true });
    };
    let mut follower = Follower {
        looks: looks(&place),
        place,
        following,
        told,
        stop,
        due: Instant::now(),
        ended_ms: 0,
    };
    let ended = follower.while_it_lasts(&mut turn).await;
    turn.end().await;
    ended
}

struct Follower {
    place: Place,
    following: Following,
    told: mpsc::UnboundedSender<Told>,
    stop: watch::Receiver<bool>,
    looks: LocalBoxStream<'static, Survey>,
    /// When the next base is.
    due: Instant,
    /// When the line before ended: no stamp of the next lies before it.
    ended_ms: u64,
}

/// How a line ended.
enum Over {
    Stopped,
    Broken(String),
}

type Capturing = Pin<Box<dyn Future<Output = Result<Taken, Trouble>>>>;

impl Follower {
    /// Follows for as long as it is its turn.
    async fn while_it_lasts(&mut self, turn: &mut Turn) -> Result<Stopped, Trouble> {
        let by = tokio::select! {
            biased;
            by = turn.lost() => by,
            ended = self.run() => return ended,
        };
        self.give_up().await;
        Err(Trouble::Ousted(by))
    }

    async fn run(&mut self) -> Result<Stopped, Trouble> {
        let mut line = self.again().await?;
        loop {
            let mut under_way = match line.take() {
                Some(line) => line,
                None => match self.begin().await? {
                    Some(line) => line,
                    None => return Ok(Stopped { is_sealed: true }),
                },
            };
            match self.go_on(&mut under_way).await {
                Over::Stopped => {
                    let is_sealed = under_way.stop().await;
                    return Ok(Stopped { is_sealed });
                }
                Over::Broken(why) => self.broken(under_way, why).await,
            }
        }
    }

    fn tell(&self, told: Told) {
        // Nobody listens any more when the program ends.
        let _ = self.told.send(told);
    }

    async fn broken(&mut self, line: Line, why: String) {
        let run = line.id().run.clone();
        let at_ms = line.break_off(&why).await;
        self.ended_ms = at_ms;
        self.tell(Told::Gap { run, at_ms, why });
    }

    /// Goes on with the line that an earlier follower left, if there is one.
    async fn again(&mut self) -> Result<Option<Line>, Trouble> {
        let cluster = self.following.base.cluster.clone();
        let Some(standing) = resume::standing(&self.place.repository, &cluster).await? else {
            return Ok(None);
        };
        let (run, last_ms, base_ms) = (standing.id.run.clone(), standing.last_ms, standing.base_ms);
        let now_ms = self.following.base.now_ms;
        self.know(standing.shards.addrs());
        let line = Line::again(&self.place, &cluster, now_ms, standing);
        let age = Duration::from_millis(now_ms().saturating_sub(base_ms));
        self.due = Instant::now() + self.following.base_every.saturating_sub(age);
        self.tell(Told::Resumed {
            run,
            last_ms,
            gauges: line.gauges(),
        });
        Ok(Some(line))
    }

    /// Begins a line with a base, trying until there is one; `None` when it was stopped meanwhile.
    async fn begin(&mut self) -> Result<Option<Line>, Trouble> {
        let mut pause = AGAIN;
        loop {
            let trouble = match self.base_of_line().await {
                Ok(line) => return Ok(line),
                Err(trouble) => trouble,
            };
            if !may_pass(&trouble) {
                return Err(trouble);
            }
            self.tell(Told::NoBase(trouble));
            tokio::select! {
                () = sleep(pause) => {}
                () = stopped(&mut self.stop) => return Ok(None),
            }
            pause = (pause * 2).min(LONGEST_AGAIN);
        }
    }

    async fn base_of_line(&mut self) -> Result<Option<Line>, Trouble> {
        let (tell, mut begins) = mpsc::unbounded_channel();
        let place = Place {
            begun: Some(Arc::new(move |begun| {
                // Nobody listens any more when the base was given up.
                let _ = tell.send(begun);
            })),
            ..self.place.clone()
        };
        self.due = Instant::now() + self.following.base_every;
        let mut capturing = self.capturing(&place);
        let mut begun: Vec<Beginning> = Vec::new();
        let mut line: Option<Line> = None;
        loop {
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => {
                    drop(capturing);
                    self.give_up().await;
                    return Ok(None);
                }
                Some(one) = begins.recv() => {
                    if begun.first().is_some_and(|first| first.snapshot != one.snapshot) {
                        // The base is taken again, and the line begins again with it.
                        begun.clear();
                        line = None;
                    }
                    self.know([one.source.addr.clone(), one.source.master_addr.clone()]);
                    begun.push(one);
                    if let Some(new) = self.all_begun(&mut begun) {
                        self.tell(Told::Begun { run: new.id().run.clone(), gauges: new.gauges() });
                        line = Some(new);
                    }
                }
                taken = &mut capturing => {
                    let taken = taken?;
                    let Some(line) = line else {
                        let what = "the base was not begun in every shard".to_owned();
                        return Err(Trouble::Changed(what));
                    };
                    line.anchor();
                    self.tell(Told::Base(Box::new(taken)));
                    return Ok(Some(line));
                }
            }
        }
    }

    /// Any node will do to look again: the one that was named may be the first that dies.
    fn know(&mut self, known: impl IntoIterator<Item = NodeAddr>) {
        self.place.access.seeds.extend(known);
        self.place.access.seeds.sort();
        self.place.access.seeds.dedup();
        self.looks = looks(&self.place);
    }

    fn all_begun(&self, begun: &mut [Beginning]) -> Option<Line> {
        let first = begun.first()?;
        if begun.len() < first.shards {
            return None;
        }
        begun.sort_by_key(|one| one.shard);
        let Options {
            cluster, now_ms, ..
        } = &self.following.base;
        Line::begin(&self.place, cluster, *now_ms, self.ended_ms, begun)
    }

    fn capturing(&self, place: &Place) -> Capturing {
        let (place, options) = (place.clone(), self.following.base.clone());
        Box::pin(async move { capture(&place, &options).await })
    }

    /// Puts right what a capture that was dropped had changed.
    async fn give_up(&self) {
        for left in self.place.settings.put_back(&self.place.access).await {
            self.place.events.note(left);
        }
        self.place.under_way.end(&self.place.repository).await;
    }

    /// Follows one line, and takes bases on it, until it breaks or is stopped.
    async fn go_on(&mut self, line: &mut Line) -> Over {
        let mut base: Option<Capturing> = None;
        let over = loop {
            tokio::select! {
                () = stopped(&mut self.stop) => break Over::Stopped,
                ended = line.ended() => match ended {
                    Ended::Gap(why) => break Over::Broken(why),
                    Ended::Stopped | Ended::NotSealed => break Over::Stopped,
                },
                Some(survey) = self.looks.next() => if let Some(why) = line.look(&survey) {
                    break Over::Broken(why);
                },
                () = sleep_until(self.due), if base.is_none() => {
                    self.due = Instant::now() + self.following.base_every;
                    base = Some(self.capturing(&self.place));
                }
                taken = under_way(&mut base) => {
                    base = None;
                    match taken {
                        Ok(taken) => self.tell(Told::Base(Box::new(taken))),
                        Err(trouble) => {
                            let again = AGAIN.max(self.following.base_every / 10);
                            self.due = Instant::now() + again.min(LONGEST_AGAIN);
                            self.tell(Told::NoBase(trouble));
                        }
                    }
                }
            }
        };
        if base.take().is_some() {
            self.give_up().await;
        }
        over
    }
}

/// Whether another try can help where there is no line yet: not against a lack of rights.
fn may_pass(trouble: &Trouble) -> bool {
    trouble.may_pass() || matches!(trouble, Trouble::NoSource(_) | Trouble::NoLook(_))
}

async fn under_way(base: &mut Option<Capturing>) -> Result<Taken, Trouble> {
    match base {
        Some(base) => base.await,
        None => pending().await,
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Whoever could stop it is gone, and so is it soon.
        pending::<()>().await;
    }
}

/// Looks at the cluster again and again. A node that does not answer is told of by its pump.
fn looks(place: &Place) -> LocalBoxStream<'static, Survey> {
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let state = (place.access.clone(), place.ground.clone(), tick);
    let next = async |(mut access, ground, mut tick): (Access, Ground, Interval)| loop {
        tick.tick().await;
        let Ok(survey) = look(&access, &ground, Depth::Brief).await else {
            continue;
        };
        // The node that was named may be the one that dies.
        let known = survey.nodes.iter().map(|node| node.addr.clone());
        access.seeds.extend(known);
        access.seeds.sort();
        access.seeds.dedup();
        return Some((survey, (access, ground, tick)));
    };
    stream::unfold(state, next).boxed_local()
}
