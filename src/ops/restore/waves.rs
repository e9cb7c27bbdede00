//! The bases sent in waves: all at once in the order of slots, or the most used keys first.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::bases::Bases;
use super::brake::Brake;
use super::feed::Feeds;
use super::heat::{Heats, Warmth, Wave};
use super::jobs::{Job, jobs};
use super::load::Loading;
use super::order::Order;
use super::run::{READERS, Running, elapsed};
use super::trouble::Trouble;
use crate::model::words::count;
use crate::rdb::{Entry, Place};

/// How often the journal is written.
const NOTE: Duration = Duration::from_millis(500);

impl Running {
    /// Sends what no log changes, in waves where the most used keys come first.
    pub(super) async fn load(&mut self, feeds: &Feeds, brake: &Brake) -> Result<(), Trouble> {
        if self.journal.noted.is_loaded {
            return Ok(());
        }
        let waves = match self.options.order {
            Order::Slots => vec![Wave::ALL],
            Order::Hottest => self.waves().await?,
        };
        self.place.events.begin("restoring keys");
        for (number, wave) in waves.iter().enumerate() {
            if number < self.journal.noted.wave {
                continue;
            }
            self.wave(*wave, feeds, brake).await?;
            self.journal.noted.wave = number + 1;
            self.journal.noted.done.clear();
            self.journal.write()?;
            if let Some(percent) = wave.share {
                let warmth = Warmth {
                    percent,
                    after_ms: elapsed(self.began),
                    keys: self.counts.entries.load(Ordering::Relaxed),
                };
                self.place.events.note(format!(
                    "{percent} % of the recorded heat is back after {:.1} s: {} keys",
                    warmth.after_ms as f64 / 1000.0,
                    count(warmth.keys)
                ));
                self.warmth.push(warmth);
            }
        }
        self.journal.noted.is_loaded = true;
        let entries = self.counts.entries.load(Ordering::Relaxed);
        self.place
            .events
            .done(format!("{} keys sent", count(entries)));
        Ok(())
    }

    /// Walks over all keys once to see how much each is used.
    async fn waves(&self) -> Result<Vec<Wave>, Trouble> {
        self.place.events.begin("looking which keys are used most");
        let mut heats = Heats::default();
        let bases = Bases {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
        };
        for shard in 0..self.place.manifest.shards.len() {
            let note = |entry: &Entry<'_>, place: Option<Place>| {
                if matches!(place, None | Some(Place::Last)) {
                    heats.add(entry);
                }
                Ok(())
            };
            bases.walk(shard, note).await?;
        }
        let waves = heats.waves();
        self.place.events.done(match waves.len() {
            1 => "the snapshot does not say how much keys are used (LFU or LRU policies record it)",
            _ => "the most used keys come first",
        });
        Ok(waves)
    }

    /// Sends the keys of one wave. Pieces that are in are noted as they are answered.
    async fn wave(&mut self, wave: Wave, feeds: &Feeds, brake: &Brake) -> Result<(), Trouble> {
        let all = jobs(&self.place.manifest, &self.routes.now());
        let left: VecDeque<Job> = all
            .into_iter()
            .filter(|job| self.is_wanted(job))
            .filter(|job| {
                let mut pieces = job.pieces.clone();
                !pieces.all(|piece| self.journal.is_done(job.shard, piece))
            })
            .collect();
        let (done, mut noting) = mpsc::unbounded_channel();
        let big = self.big();
        let packing = self.packing().of_wave(wave);
        let (place, routes, counts) = (self.place.clone(), self.routes.clone(), &self.counts);
        let sending = async {
            let loading = Loading {
                repository: &place.repository,
                manifest: &place.manifest,
                packing,
                routes: &routes,
                feeds,
                big: &big,
                brake,
                counts,
                events: &place.events,
                done,
                pieces: left.iter().map(|job| job.pieces.len() as u64).sum(),
            };
            let readers = routes.now().masters.len().clamp(1, READERS);
            let sent = async {
                loading.run(left, readers).await?;
                drop(loading);
                feeds.drain().await.map_err(Trouble::from)
            };
            feeds.beside(sent).await
        };
        let journal = &mut self.journal;
        let noted = async {
            let mut last = Instant::now();
            while let Some((shard, piece)) = noting.recv().await {
                journal.done(shard, piece);
                if last.elapsed() >= NOTE {
                    journal.write()?;
                    last = Instant::now();
                }
            }
            Ok(())
        };
        tokio::try_join!(sending, noted)?;
        Ok(())
    }
}
