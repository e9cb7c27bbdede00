//! `goodcache backup --follow`: after a snapshot everything that the cluster writes, until a signal comes.
//!
//! Each snapshot that is taken on the way is answered as one alone is; what else happens is told on
//! stderr, a line each, and from time to time how far the archive is.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::every::retain;
use super::prune::policy;
use super::take::{Taking, Ways, told};
use super::this_run;
use crate::archive::lease::Holder;
use crate::archive::retention::Policy;
use crate::cli::exit::{self, Exit, Failure};
use crate::cli::options::backup::{Keep, Take, Way};
use crate::cli::progress::ShardBars;
use crate::cli::reach::now_ms;
use crate::cli::signal::{Ended, Signals, unless_signalled_again};
use crate::cli::stopped;
use crate::host::alive;
use crate::model::words::{bytes, counted, duration};
use crate::ops::backup::follow::{Following, LineGauges, LineReading, Told, follow};
use crate::ops::backup::{Place, Trouble, Via};
use crate::render::human;

const BASE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How often it is told how far the archive is: to somebody who watches, and to a log.
const TELL: Duration = Duration::from_secs(10);
const TELL_LOG: Duration = Duration::from_secs(60);

/// What was asked for.
pub(super) struct Follow {
    base_every: Duration,
    /// `None` where all stays.
    keep: Option<Policy>,
}

impl Follow {
    /// `None` where a snapshot is wanted, or one after another.
    pub(super) fn of(take: &Take) -> Result<Option<Follow>, Failure> {
        if !take.follow {
            return Ok(None);
        }
        if take.via == Some(Way::Scan) {
            return Err(Failure::usage(
                "a cluster is followed by replication, and --via scan does without",
            )
            .next("leave --via out, or take snapshots alone: --every 1h --via scan"));
        }
        Ok(Some(Follow {
            base_every: take.base_every.unwrap_or(BASE_EVERY),
            keep: (take.keep != Keep::default()).then(|| policy(&take.keep)),
        }))
    }
}

/// Goes on until a signal comes, or until it makes no sense.
pub(super) async fn run(
    taking: &Taking<'_>,
    asked: &Follow,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let mut ways = taking.ways()?;
    let place = match signals.until(taking.prepare(&mut ways)).await {
        Ended::Done(place) => place?,
        Ended::Stopped(number) => {
            let screen = taking.screen;
            screen.say("goodcache: stopped before anything was begun");
            return Ok(stopped(number));
        }
    };
    let bars = ShardBars::new(taking.screen);
    let place = Place {
        watch: bars.watching(),
        events: bars.events(),
        ..place
    };
    let (tell, heard) = mpsc::unbounded_channel();
    let (stop, is_stopped) = watch::channel(false);
    let mut base = taking.options();
    base.via = Via::Replication;
    let following = Following {
        base,
        base_every: asked.base_every,
        holder: holder(),
        has_ended: alive::has_ended,
    };
    let mut listening = Listening {
        taking,
        ways,
        place: &place,
        keep: asked.keep.as_ref(),
        bars: &bars,
        heard,
        gauges: None,
        last: None,
    };
    let following = follow(place.clone(), following, tell, is_stopped);
    tokio::pin!(following);
    let both = async {
        tokio::select! {
            ended = &mut following => Ok(ended),
            Err(failure) = listening.listen() => Err(failure),
        }
    };
    match signals.until(both).await {
        Ended::Stopped(number) => {
            stop.send_replace(true);
            let left = "nothing: what is not stored yet is sent again to the next run";
            let ended = unless_signalled_again(following, left).await;
            listening.rest().await?;
            listening.stopped(ended.is_ok_and(|ended| ended.is_sealed));
            Ok(stopped(number))
        }
        Ended::Done(Ok(ended)) => {
            listening.rest().await?;
            ended.map(|_| Exit::Good).map_err(ended_by)
        }
        Ended::Done(Err(failure)) => {
            // The answer has nobody to go to any more; what was received is stored all the same.
            stop.send_replace(true);
            let _ = following.await;
            Err(failure)
        }
    }
}

/// Who follows, for others who want to.
fn holder() -> Holder {
    let run = this_run();
    Holder {
        since_ms: run.started_at_ms,
        host: run.host,
        pid: run.pid,
        mark: alive::mark(),
    }
}

fn ended_by(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Ousted(_) => {
            let hint = trouble.hint();
            Failure::new(Exit::Failed, trouble).next(hint)
        }
        trouble => told(trouble),
    }
}

/// What hears of all that happens.
struct Listening<'a> {
    taking: &'a Taking<'a>,
    ways: Ways,
    place: &'a Place,
    keep: Option<&'a Policy>,
    bars: &'a ShardBars,
    heard: mpsc::UnboundedReceiver<Told>,
    gauges: Option<Arc<LineGauges>>,
    last: Option<LineReading>,
}

impl Listening<'_> {
    /// Until an answer cannot be given.
    async fn listen(&mut self) -> Result<Infallible, Failure> {
        let every = match self.taking.screen.is_terminal() {
            true => TELL,
            false => TELL_LOG,
        };
        let mut tick = interval(every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(told) = self.heard.recv() => self.hear(told).await?,
                _ = tick.tick() => self.show(),
            }
        }
    }

    /// What was told and not heard yet.
    async fn rest(&mut self) -> Result<(), Failure> {
        while let Ok(told) = self.heard.try_recv() {
            self.hear(told).await?;
        }
        self.bars.clear();
        Ok(())
    }

    async fn hear(&mut self, heard: Told) -> Result<(), Failure> {
        match heard {
            Told::Waits(holder) => self.say(&format!(
                "{} follows this cluster into the repository since {}: waiting, to take over when it \
                 ends or is not heard of for {} s",
                named(&holder),
                human::timestamp(holder.since_ms),
                crate::archive::lease::STALE.as_secs()
            )),
            Told::TakenOver(holder) => self.say(&format!(
                "{} is not there any more: following instead of it",
                named(&holder)
            )),
            Told::Resumed {
                run,
                last_ms,
                gauges,
            } => {
                self.gauges = Some(gauges);
                self.say(&format!(
                    "the time line {run} goes on; it is stored up to {}",
                    human::timestamp(last_ms)
                ));
            }
            Told::Begun { run, gauges } => {
                self.gauges = Some(gauges);
                self.say(&format!("the time line {run} begins"));
            }
            Told::Base(taken) => {
                self.bars.clear();
                self.taking
                    .taken(self.place, &mut self.ways, &taken)
                    .await?;
                retain(self.taking, self.keep, &self.place.repository).await;
            }
            Told::NoBase(trouble) => {
                self.bars.clear();
                self.no_base(trouble);
            }
            Told::Gap { run, at_ms, why } => self.say(&format!(
                "the time line {run} ends at {}: {why}; another snapshot is taken, and what lies \
                 between cannot be restored",
                human::timestamp(at_ms)
            )),
        }
        Ok(())
    }

    fn no_base(&self, trouble: Trouble) {
        exit::report(&told(trouble));
    }

    /// How far the archive is, when that is other than it was.
    fn show(&mut self) {
        let Some(reading) = self.gauges.as_ref().map(|gauges| gauges.read()) else {
            return;
        };
        if self.last.replace(reading) != Some(reading) && reading.segments > 0 {
            self.say(&line(&reading, now_ms()));
        }
    }

    fn stopped(&self, is_sealed: bool) {
        let reading = self.gauges.as_ref().map(|gauges| gauges.read());
        let durable = reading.and_then(|reading| reading.durable_ms);
        let upto = durable.map_or("nothing is stored yet".to_owned(), |at_ms| {
            format!("it is stored up to {}", human::timestamp(at_ms))
        });
        let rest = match is_sealed {
            true => "",
            false => "; what came after that could not be stored, and is asked for again",
        };
        self.say(&format!("goodcache: stopped; {upto}{rest}"));
    }

    fn say(&self, line: &str) {
        self.taking.screen.say(line);
    }
}

fn named(holder: &Holder) -> String {
    format!("process {} on {}", holder.pid, holder.host)
}

/// `following 3 of 3 shards, stored up to 2026-11-24T16:31:14.123Z (4.1 s behind, 1.2 KiB waiting)`.
fn line(reading: &LineReading, now_ms: u64) -> String {
    let durable = reading.durable_ms.unwrap_or(0);
    let behind = Duration::from_millis(now_ms.saturating_sub(durable));
    format!(
        "following {} of {}, stored up to {} ({} behind, {} waiting): {}, {}",
        reading.attached,
        counted(reading.shards, "shard"),
        human::timestamp(durable),
        duration(behind),
        bytes(reading.behind_bytes),
        counted(
            usize::try_from(reading.segments).unwrap_or(usize::MAX),
            "segment"
        ),
        bytes(reading.bytes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_in_a_line() {
        let reading = LineReading {
            shards: 3,
            attached: 2,
            behind_bytes: 1234,
            durable_ms: Some(1_795_538_274_123),
            segments: 57,
            bytes: 3 << 20,
        };
        assert_eq!(
            line(&reading, 1_795_538_278_223),
            "following 2 of 3 shards, stored up to 2026-11-24T16:37:54.123Z (4.10 s behind, 1.21 KiB \
             waiting): 57 segments, 3.00 MiB"
        );
        let take = Take {
            follow: true,
            via: Some(Way::Scan),
            ..Take::default()
        };
        assert!(Follow::of(&take).is_err());
        assert!(Follow::of(&Take::default()).unwrap().is_none());
    }
}
