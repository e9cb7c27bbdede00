//! The logs behind the bases, played until the target stood still meanwhile.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use super::brake::Brake;
use super::feed::Feeds;
use super::jobs::{Job, jobs};
use super::load::Loading;
use super::log::Logs;
use super::order::Existing;
use super::pack::Part;
use super::play::Playing;
use super::replicas::{histories, replicated};
use super::run::Running;
use super::trouble::Trouble;
use crate::model::words::{count, counted};

/// How often the play of the logs is begun when the target changes in the middle.
const PLAYS: u32 = 5;

impl Running {
    /// Plays the logs, from the first key again when the target changed meanwhile.
    pub(super) async fn play(&mut self, brake: &Brake) -> Result<u64, Trouble> {
        if self.touched.has_no_keys() {
            return Ok(0);
        }
        // A target that had no keys has those that somebody else wrote meanwhile.
        let may_replace = matches!(self.options.existing, Existing::Replace | Existing::Flush);
        if !may_replace && !self.journal.noted.is_playing {
            self.spare(brake).await?;
        }
        self.journal.plays();
        self.journal.write()?;
        self.place.events.begin("playing the logs");
        let mut tries = 1;
        let so_far = self.counts.so_far();
        let played = loop {
            match self.play_once(brake).await {
                Ok(played) => break played,
                Err(trouble) if tries < PLAYS && trouble.may_pass() => {
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
        let feeds = self.feeds(true, brake);
        let logs = Logs {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
        };
        let playing = Playing {
            logs,
            touched: &self.touched,
            select: &self.options.select,
            access: &self.place.access,
            routes: &self.routes,
            brake,
            accepts: self.packing().accepts(),
            counts: &self.counts,
        };
        let played = feeds.beside(async {
            playing.reset(&feeds).await?;
            self.load_touched(&feeds, brake).await?;
            playing.play(&feeds).await
        });
        let played = played.await?;
        playing.settle().await?;
        // A failover that no command met may have lost some of them all the same.
        replicated(access, ground).await;
        if histories(access, ground).await? != before {
            return Err(Trouble::Disturbed("it has another master".to_owned()));
        }
        let tally = feeds.tally();
        self.counts
            .overtaken
            .store(tally.overtaken.load(Ordering::Relaxed), Ordering::Relaxed);
        let words = tally.words.lock().unwrap_or_else(PoisonError::into_inner);
        self.counts
            .log_refused
            .store(tally.refused.load(Ordering::Relaxed), Ordering::Relaxed);
        *self
            .counts
            .log_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = words.clone();
        Ok(played)
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
            pieces: 0,
        };
        loading.run(wanted, 1).await?;
        Ok(feeds.drain().await?)
    }

    /// Keys that the logs change and that are there already stay as they are.
    async fn spare(&mut self, brake: &Brake) -> Result<(), Trouble> {
        let logs = Logs {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
        };
        let playing = Playing {
            logs,
            touched: &self.touched,
            select: &self.options.select,
            access: &self.place.access,
            routes: &self.routes,
            brake,
            accepts: self.packing().accepts(),
            counts: &self.counts,
        };
        let there = playing.existing().await?;
        if let Some(touched) = Arc::get_mut(&mut self.touched) {
            for (db, key) in &there {
                touched.spare(*db, key);
            }
        }
        self.journal.noted.spared = self.touched.spared();
        Ok(())
    }
}
