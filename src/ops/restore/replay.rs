//! The logs behind the bases, played until the target stood still meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::brake::Brake;
use super::feed::Feeds;
use super::jobs::{Job, jobs};
use super::load::Loading;
use super::order::Existing;
use super::pack::Part;
use super::parcel::{NAMED, Tally};
use super::play::Playing;
use super::replicas::{histories, replicated};
use super::run::Running;
use super::touched::Touched;
use super::trouble::Trouble;
use crate::model::words::{count, counted};

/// How often the play of the logs is begun when the target changes in the middle, and for how long at
/// the least.
const PLAYS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(90);

impl Running {
    /// Plays the logs, from the first key again when the target changed meanwhile.
    pub(super) async fn play(&mut self, brake: &Brake) -> Result<u64, Trouble> {
        if self.touched.has_no_keys() {
            return Ok(0);
        }
        if self.options.existing != Existing::Flush && !self.journal.noted.is_playing {
            self.keep(brake).await?;
        }
        self.touched()?.set_aside();
        self.journal.plays();
        self.journal.write()?;
        self.place.events.begin("playing the logs");
        let (mut tries, begun) = (1, Instant::now());
        let so_far = self.counts.so_far();
        let played = loop {
            match self.play_once(brake).await {
                Ok(played) => break played,
                Err(trouble)
                    if trouble.may_pass() && (tries < PLAYS || begun.elapsed() < PATIENCE) =>
                {
                    self.place
                        .events
                        .note(format!("{trouble}; the logs are played again"));
                    tries += 1;
                    self.counts.back_to(&so_far);
                    self.look_again().await;
                }
                Err(trouble) => return Err(trouble),
            }
        };
        self.place.events.done(format!(
            "{} of the logs played, on {} keys",
            counted(usize::try_from(played).unwrap_or(usize::MAX), "command"),
            count(self.touched.len() as u64)
        ));
        Ok(played)
    }

    async fn play_once(&mut self, brake: &Brake) -> Result<u64, Trouble> {
        let (access, ground) = (&self.place.access, &self.place.ground);
        let before = histories(access, ground).await?;
        let playing = self.playing(brake);
        // Up to here everything may be done twice.
        let loose = self.feeds(false, brake);
        let set_back = loose.beside(async {
            playing.reset(&loose).await?;
            self.load_touched(&loose, brake).await
        });
        set_back.await?;
        let strict = self.feeds(true, brake);
        let played = strict.beside(playing.play(&strict)).await?;
        playing.settle().await?;
        playing.place(self.replaces()).await?;
        // A failover that no command met may have lost some of them all the same.
        replicated(access, ground).await;
        if histories(access, ground).await? != before {
            return Err(Trouble::Disturbed("it has another master".to_owned()));
        }
        self.count([loose.tally(), strict.tally()]);
        Ok(played)
    }

    /// Keeps what became of the commands.
    fn count(&self, tallies: [&Arc<Tally>; 2]) {
        let sum = |of: fn(&Tally) -> &AtomicU64| -> u64 {
            let numbers = tallies
                .iter()
                .map(|tally| of(tally).load(Ordering::Relaxed));
            numbers.sum()
        };
        let counts = &self.counts;
        let overtaken = sum(|tally| &tally.overtaken);
        counts.overtaken.store(overtaken, Ordering::Relaxed);
        let refused = sum(|tally| &tally.refused);
        counts.log_refused.store(refused, Ordering::Relaxed);
        let words = tallies.iter().flat_map(|tally| {
            let words = tally.words.lock().unwrap_or_else(PoisonError::into_inner);
            words.clone()
        });
        let words = words.take(NAMED).collect();
        *counts
            .log_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = words;
    }

    /// Sends what the logs change, as the bases have it.
    async fn load_touched(&self, feeds: &Feeds, brake: &Brake) -> Result<(), Trouble> {
        let all = jobs(&self.place.manifest, &self.routes.now());
        let wanted: VecDeque<Job> = all.into_iter().filter(|job| self.is_wanted(job)).collect();
        let big = self.big();
        let (done, _ignored) = mpsc::unbounded_channel();
        let loading = Loading {
            bases: self.bases(),
            packing: self.packing().of_part(Part::Touched),
            routes: &self.routes,
            feeds,
            big: &big,
            brake,
            counts: &self.counts,
            events: &crate::model::Events::ignored(),
            heats: None,
            sums: None,
            done,
            is_warming: false,
            pieces: 0,
        };
        loading.run(wanted, 1).await?;
        Ok(feeds.drain().await?)
    }

    fn playing<'a>(&'a self, brake: &'a Brake) -> Playing<'a> {
        Playing {
            logs: self.logs(),
            touched: &self.touched,
            select: &self.options.select,
            access: &self.place.access,
            routes: &self.routes,
            brake,
            accepts: self.packing().accepts(),
            counts: &self.counts,
            has_databases: self.target.has_databases(),
        }
    }

    fn replaces(&self) -> bool {
        matches!(self.options.existing, Existing::Replace | Existing::Flush)
    }

    /// Keys that the logs change and that are there already stay as they are; or, where what is there is
    /// replaced, until what they become is there. A target that had none has those that somebody else wrote
    /// meanwhile.
    async fn keep(&mut self, brake: &Brake) -> Result<(), Trouble> {
        let there = self.playing(brake).existing().await?;
        let replaces = self.replaces();
        let touched = self.touched()?;
        for (db, key) in &there {
            match replaces {
                true => touched.hold(*db, key),
                false => touched.spare(*db, key),
            }
        }
        self.journal.noted.spared = self.touched.spared();
        self.journal.noted.held = self.touched.held();
        Ok(())
    }

    /// What the logs touch, to be changed: nothing else holds it between two parts of a restore.
    fn touched(&mut self) -> Result<&mut Touched, Trouble> {
        Arc::get_mut(&mut self.touched).ok_or(Trouble::Stopped)
    }
}
