//! The bases sent in waves: all at once in the order of slots, or the most used keys first.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

use super::bases::Bases;
use super::brake::Brake;
use super::feed::Feeds;
use super::heat::{Heats, Wave};
use super::jobs::{Job, jobs, sample};
use super::load::Loading;
use super::order::Order;
use super::parcel::Done;
use super::run::{READERS, Running, elapsed};
use super::trouble::Trouble;
use super::warming::Warming;
use crate::model::Events;
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
        let mut next = Some(self.first_wave().await?);
        self.place.events.begin("restoring keys");
        while let Some(wave) = next {
            let heats = self.wave(wave, feeds, brake).await?;
            if let (Some(warming), Some(heats)) = (&mut self.warming, &heats) {
                tell(&self.place.events, warming.counted(heats));
            }
            next = match &heats {
                _ if wave.is_last() => None,
                Some(heats) => heats.after(wave),
                None => Some(wave.rest()),
            };
            self.journal.noted.warm = next.filter(|_| self.options.order == Order::Hottest);
            self.journal.noted.done.clear();
            self.journal.noted.is_loaded = next.is_none();
            self.journal.write()?;
        }
        let entries = self.counts.entries.load(Ordering::Relaxed);
        self.place
            .events
            .done(format!("{} keys sent", count(entries)));
        Ok(())
    }

    /// The wave that comes first, or that an earlier run came to.
    async fn first_wave(&mut self) -> Result<Wave, Trouble> {
        if self.options.order == Order::Slots {
            return Ok(Wave::ALL);
        }
        if let Some(wave) = self.journal.noted.warm {
            return Ok(wave);
        }
        // Whatever is noted as done was so in no wave that is known.
        self.journal.noted.done.clear();
        self.place.events.begin("looking which keys are used most");
        let (sample, times) = self.sampled().await?;
        let wave = sample.first();
        // What an earlier run brought back nobody has counted.
        if !self.journal.is_resumed {
            self.warming = Warming::sampled(&sample, times);
        }
        self.journal.noted.warm = Some(wave);
        self.place.events.done(match wave.is_last() {
            true => {
                "the snapshot does not say how much keys are used (LFU or LRU policies record it)"
            }
            false => "the most used keys come first",
        });
        Ok(wave)
    }

    /// How warm the keys of a sample are, and how many times as much there is in all.
    async fn sampled(&self) -> Result<(Heats, f64), Trouble> {
        let bases = self.bases();
        let (chosen, times) = sample(&self.wanted(), &self.place.manifest);
        let looks = stream::iter(&chosen).map(|job| async move {
            let mut heats = Heats::default();
            let note = |entry: &Entry<'_>, place: Option<Place>| {
                if matches!(place, None | Some(Place::Last)) {
                    heats.add(entry);
                }
                Ok(())
            };
            bases.walk_job(job, note).await?;
            Ok::<_, Trouble>(heats)
        });
        let merge = async |mut all: Heats, heats: Heats| {
            all.merge(&heats);
            Ok(all)
        };
        let looks = looks.buffer_unordered(READERS);
        let heats = looks.try_fold(Heats::default(), merge).await?;
        Ok((heats, times))
    }

    /// All jobs that may hold anything that is meant.
    fn wanted(&self) -> Vec<Job> {
        let all = jobs(&self.place.manifest, &self.routes.now());
        all.into_iter().filter(|job| self.is_wanted(job)).collect()
    }

    /// Sends the keys of one wave. Pieces that are in are noted as they are answered. Gives how warm all
    /// keys are, unless some were passed over or nobody asks.
    async fn wave(
        &mut self,
        wave: Wave,
        feeds: &Feeds,
        brake: &Brake,
    ) -> Result<Option<Heats>, Trouble> {
        let all = self.wanted();
        let whole = all.len();
        let left: VecDeque<Job> = all
            .into_iter()
            .filter(|job| {
                let mut pieces = job.pieces.clone();
                !pieces.all(|piece| self.journal.is_done(job.shard, piece))
            })
            .collect();
        let is_uncounted = self.warming.as_ref().is_some_and(|own| !own.is_counted());
        let is_asked = (!wave.is_last() || is_uncounted) && left.len() == whole;
        let heats = is_asked.then(|| Mutex::new(Heats::default()));
        self.counts.pieces.store(0, Ordering::Relaxed);
        let (done, mut noting) = mpsc::unbounded_channel();
        let big = self.big();
        let packing = self.packing().of_wave(wave);
        let is_warming = self.warming.is_some();
        let (place, routes, counts) = (self.place.clone(), self.routes.clone(), &self.counts);
        let sending = async {
            let loading = Loading {
                bases: Bases {
                    repository: &place.repository,
                    manifest: &place.manifest,
                },
                packing,
                routes: &routes,
                feeds,
                big: &big,
                brake,
                counts,
                events: &place.events,
                heats: heats.as_ref(),
                sums: self.sums.as_ref(),
                done,
                is_warming,
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
        let (journal, warming, began) = (&mut self.journal, &mut self.warming, self.began);
        let noted = async {
            let mut last = Instant::now();
            while let Some(done) = noting.recv().await {
                match (done, &mut *warming) {
                    (Done::Piece(shard, piece), _) => journal.done(shard, piece),
                    (Done::Warm(warm), Some(warming)) => {
                        tell(&place.events, warming.back(warm, elapsed(began)));
                    }
                    (Done::Warm(_), None) => {}
                }
                if last.elapsed() >= NOTE {
                    journal.write()?;
                    last = Instant::now();
                }
            }
            Ok(())
        };
        tokio::try_join!(sending, noted)?;
        Ok(heats.map(|heats| heats.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn tell(events: &Events, news: Vec<String>) {
    news.into_iter().for_each(|line| events.note(line));
}
