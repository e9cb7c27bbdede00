//! A restore from the first look to the proof.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::bases::Bases;
use super::big::Big;
use super::brake::Brake;
use super::feed::Feeds;
use super::heat::{Heats, Warmth, Wave};
use super::jobs::{Job, jobs};
use super::journal::{Asked, Journal, how};
use super::load::{Counts, Loading};
use super::log::Logs;
use super::order::{Existing, Options, Order, Place};
use super::pack::{Packing, Part};
use super::parts;
use super::plan::{Known, Plan, plan};
use super::play::Playing;
use super::prove::{Proof, Proving};
use super::report::Restored;
use super::routes::{Routes, Table};
use super::target::Target;
use super::touched::Touched;
use super::trouble::Trouble;
use crate::archive::SlotTable;
use crate::cluster::{Command, Node, Wanted};
use crate::model::words::{count, counted};
use crate::model::{NodeAddr, SlotSet};
use crate::ops::backup::From;
use crate::ops::backup::live::Live;

/// Readers at the most: each holds some pieces in memory.
const READERS: usize = 3;
/// How often the journal is written.
const NOTE: Duration = Duration::from_millis(500);
/// How often the play of the logs is begun when the target changes in the middle.
const PLAYS: u32 = 5;
/// How often what is missing afterwards is sent again: a failover loses what was not replicated.
const REPAIRS: u32 = 3;
/// How long replicas may take to have what their master has.
const REPLICAS: Duration = Duration::from_secs(10);
/// How long emptying a master may take.
const FLUSH: Duration = Duration::from_secs(300);

/// A restore that was looked at and not begun.
pub struct Prepared {
    place: Place,
    options: Options,
    target: Target,
    touched: Touched,
    journal: Journal,
    /// What it would do.
    pub plan: Plan,
}

/// Looks at the snapshot and the target, and plans. Nothing is changed.
///
/// # Errors
/// When either cannot be looked at. Why it must not begin stands in the plan.
pub async fn prepare(place: Place, options: Options) -> Result<Prepared, Trouble> {
    let target = Target::look(&place.access, &place.ground).await?;
    let logs = Logs {
        repository: &place.repository,
        manifest: &place.manifest,
    };
    let touched = logs.touched(place.moment.clone()).await?;
    let tables = tables(&place).await?;
    let asked = Asked {
        snapshot: place.manifest.id.to_string(),
        target: options.target.clone(),
        how: how(&options, place.moment.as_deref()),
    };
    let journal = Journal::open(place.journal.as_deref(), asked, (options.now_ms)());
    let known = Known {
        manifest: &place.manifest,
        tables: &tables,
        touched: &touched,
        is_resumed: journal.is_resumed,
    };
    let plan = plan(&known, &target, &options);
    Ok(Prepared {
        plan,
        place,
        options,
        target,
        touched,
        journal,
    })
}

async fn tables(place: &Place) -> Result<Vec<Option<SlotTable>>, Trouble> {
    let shards = 0..place.manifest.shards.len();
    let read = shards.map(|shard| place.repository.slot_table(&place.manifest, shard));
    Ok(try_join_all(read).await?)
}

impl Prepared {
    /// How far an earlier run of the same came: pieces that are in, and pieces in all.
    pub fn resumed(&self) -> Option<(usize, usize)> {
        let all = self
            .place
            .manifest
            .shards
            .iter()
            .map(|shard| shard.base.len());
        self.journal
            .is_resumed
            .then(|| (self.journal.pieces_done(), all.sum()))
    }

    /// Restores.
    ///
    /// # Errors
    /// As [`Trouble`]; the journal stays, and the same again goes on.
    pub async fn run(self) -> Result<Restored, Trouble> {
        if !self.plan.refusals.is_empty() {
            return Err(Trouble::Refused(self.plan.refusals));
        }
        Running::new(self).run().await
    }
}

/// A restore under way.
struct Running {
    place: Place,
    options: Options,
    target: Target,
    touched: Arc<Touched>,
    journal: Journal,
    plan: Plan,
    routes: Arc<Routes>,
    counts: Counts,
    remarks: Vec<String>,
    warmth: Vec<Warmth>,
    began: Instant,
}

impl Running {
    fn new(prepared: Prepared) -> Running {
        let Prepared {
            place,
            options,
            target,
            mut touched,
            journal,
            plan,
        } = prepared;
        touched.spare_all(&journal.noted.spared);
        let routes = Arc::new(Routes::new(Table::of(&target.topology)));
        Running {
            place,
            options,
            target,
            touched: Arc::new(touched),
            journal,
            plan,
            routes,
            counts: Counts::default(),
            remarks: Vec::new(),
            warmth: Vec::new(),
            began: Instant::now(),
        }
    }

    async fn run(mut self) -> Result<Restored, Trouble> {
        self.begin().await?;
        let masters = self.routes.now().masters.clone();
        let brake = Brake::new(
            &self.place.access,
            &masters,
            self.options.rate,
            self.options.max_latency,
        );
        let functions = parts::functions(&self.place, &masters, self.options.existing).await?;
        self.remarks.extend(functions);
        let feeds = self.feeds(false, &brake);
        let loaded = self.load(&feeds, &brake).await;
        self.journal.write()?;
        loaded?;
        let load_ms = elapsed(self.began);
        let played = self.play(&brake).await?;
        if self.options.with_acl {
            let said = parts::users(&self.place, &self.target).await?;
            self.remarks.extend(said);
        }
        self.replicated(&masters).await;
        let proof = match self.options.is_proven {
            true => Some(
                self.prove(&brake, feeds.tally().again.load(Ordering::Relaxed) > 0)
                    .await?,
            ),
            false => None,
        };
        self.journal.remove();
        let slowest = brake.slowest();
        Ok(Restored::new(super::report::Told {
            manifest: &self.place.manifest,
            moment_ms: self.place.moment.as_ref().map(|moment| moment.at_ms),
            plan: self.plan,
            counts: self.counts,
            tally: feeds.tally(),
            played,
            load_ms,
            duration_ms: elapsed(self.began),
            proof,
            remarks: self.remarks,
            slowest,
            warmth: self.warmth,
            is_resumed: self.journal.is_resumed,
        }))
    }

    /// What comes before the first key.
    async fn begin(&mut self) -> Result<(), Trouble> {
        if !self.journal.is_resumed {
            self.journal.noted.had_keys =
                self.target.keys() > 0 && self.options.existing != Existing::Flush;
        }
        self.journal.write()?;
        if self.options.existing == Existing::Flush && !self.journal.noted.is_flushed {
            self.place.events.begin("emptying the target");
            let masters = self.routes.now().masters.clone();
            try_join_all(masters.iter().map(|addr| flush(&self.place.access, addr))).await?;
            self.journal.noted.is_flushed = true;
            self.journal.write()?;
            let told = format!("{} emptied", counted(masters.len(), "master"));
            self.place.events.done(told);
        }
        Ok(())
    }

    fn feeds(&self, is_strict: bool, brake: &Brake) -> Feeds {
        Feeds::new(
            &self.place.access,
            &self.place.ground,
            self.routes.clone(),
            is_strict,
            brake.window.clone(),
        )
    }

    fn big(&self) -> Big {
        let (access, ground) = (&self.place.access, &self.place.ground);
        Big::new(access, ground, &self.routes, self.options.max_stall)
    }

    fn packing(&self) -> Packing {
        Packing::new(
            &self.target,
            &self.options.select,
            self.options.existing,
            self.touched.clone(),
            self.options.now_ms,
        )
    }

    /// Sends what no log changes, in waves where the most used keys come first.
    async fn load(&mut self, feeds: &Feeds, brake: &Brake) -> Result<(), Trouble> {
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
            let note = |entry: &crate::rdb::Entry<'_>| {
                heats.add(entry);
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

    /// Whether a job may hold anything that is meant.
    fn is_wanted(&self, job: &Job) -> bool {
        let shard = &self.place.manifest.shards[job.shard];
        let chunks = &shard.base[job.pieces.clone()];
        match &self.options.select.slots {
            Some(slots) => chunks.iter().any(|chunk| chunk.touches(slots)),
            None => true,
        }
    }

    /// Plays the logs, from the first key again when the target changed meanwhile.
    async fn play(&mut self, brake: &Brake) -> Result<u64, Trouble> {
        if self.touched.has_no_keys() {
            return Ok(0);
        }
        if self.options.existing == Existing::Skip && !self.journal.noted.is_playing {
            self.spare().await?;
        }
        self.journal.noted.is_playing = true;
        self.journal.write()?;
        self.place.events.begin("playing the logs");
        let mut tries = 1;
        let played = loop {
            match self.play_once(brake).await {
                Ok(played) => break played,
                Err(trouble) if tries < PLAYS && trouble.may_pass() => {
                    self.place
                        .events
                        .note(format!("{trouble}; the logs are played again"));
                    tries += 1;
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
        };
        let played = feeds.beside(async {
            playing.reset(&feeds).await?;
            self.load_touched(&feeds, brake).await?;
            playing.play(&feeds).await
        });
        let played = played.await?;
        playing.settle().await?;
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
            repository: &self.place.repository,
            manifest: &self.place.manifest,
            packing: self.packing().of_part(Part::Touched),
            routes: &self.routes,
            feeds,
            big: &big,
            brake,
            counts: &self.counts,
            events: &crate::model::Events::ignored(),
            done,
            pieces: 0,
        };
        loading.run(wanted, 1).await?;
        Ok(feeds.drain().await?)
    }

    /// Keys that the logs change and that are there already stay as they are.
    async fn spare(&mut self) -> Result<(), Trouble> {
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

    /// Waits until every slot has a master again, or long enough.
    async fn look_again(&mut self) {
        let looking = async {
            loop {
                sleep(Duration::from_millis(500)).await;
                let Ok(target) = Target::look(&self.place.access, &self.place.ground).await else {
                    continue;
                };
                let table = Table::of(&target.topology);
                if table.uncovered().next().is_none() {
                    return table;
                }
            }
        };
        if let Ok(table) = timeout(Duration::from_secs(60), looking).await {
            self.routes.set(table);
        }
    }

    /// Waits until replicas have what their masters have: a failover now loses nothing.
    async fn replicated(&mut self, masters: &[NodeAddr]) {
        let known = &self.target.masters;
        let access = &self.place.access;
        let waits = masters.iter().map(|addr| async move {
            let replicas = known
                .iter()
                .find(|master| master.addr == *addr)
                .map_or(0, |master| master.replicas);
            if replicas == 0 {
                return None;
            }
            let node = Node::connect(access, addr).await.ok()?;
            let node = node.with_deadline(REPLICAS * 2);
            let ms = REPLICAS.as_millis();
            let asked = node
                .ask(&Command::words(&format!("WAIT {replicas} {ms}")))
                .await;
            let have = asked.ok()?.integer()?;
            let replicas = i64::try_from(replicas).ok()?;
            (have < replicas).then(|| {
                format!(
                    "of the {replicas} replicas of {addr} only {have} had everything after {} s",
                    REPLICAS.as_secs()
                )
            })
        });
        let behind: Vec<Option<String>> = futures_util::future::join_all(waits).await;
        self.remarks.extend(behind.into_iter().flatten());
    }

    /// Reads back and compares; what a failover lost is sent again.
    async fn prove(&mut self, brake: &Brake, was_disturbed: bool) -> Result<Proof, Trouble> {
        let mut repairs = 0;
        loop {
            let proof = self.prove_once().await?;
            let may_repair = proof.missing > 0 && repairs < REPAIRS;
            if proof.is_equal() || !may_repair {
                return Ok(proof);
            }
            repairs += 1;
            let lost = match was_disturbed {
                true => "the target failed over or moved slots meanwhile",
                false => "they were lost or have been deleted since",
            };
            self.place.events.note(format!(
                "{} keys are missing ({lost}): they are sent again",
                count(proof.missing)
            ));
            self.look_again().await;
            self.repair(brake, &proof.slots_differing).await?;
            let masters = self.routes.now().masters.clone();
            self.replicated(&masters).await;
        }
    }

    async fn prove_once(&self) -> Result<Proof, Trouble> {
        let (access, ground) = (self.place.access.clone(), self.place.ground.clone());
        let live = Live::choose_from(access, ground, From::Masters).await;
        let live = live.map_err(|error| Trouble::NoLook(error.to_string()))?;
        let (settings, access) = (&self.place.settings, &self.place.access);
        settings
            .set(access, &live.addrs(), &[Wanted::NO_SYNC_DELAY])
            .await;
        let proving = Proving {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
            packing: self.packing(),
            live: &live,
            events: &self.place.events,
            has_others: self.journal.noted.had_keys,
            keeps_others: self.journal.noted.had_keys && self.options.existing == Existing::Skip,
            now_ms: (self.options.now_ms)(),
        };
        let proof = proving.run().await;
        for left in settings.put_back(access).await {
            self.place.events.note(left);
        }
        proof
    }

    /// Sends the keys of those slots again, where they are missing.
    async fn repair(&self, brake: &Brake, slots: &SlotSet) -> Result<(), Trouble> {
        let feeds = self.feeds(false, brake);
        let big = self.big();
        let (done, _ignored) = mpsc::unbounded_channel();
        let mut packing = self.packing();
        packing.select.slots = Some(match &packing.select.slots {
            Some(own) => own.intersection(slots),
            None => slots.clone(),
        });
        let all = jobs(&self.place.manifest, &self.routes.now());
        let touches = |job: &Job| {
            let shard = &self.place.manifest.shards[job.shard];
            shard.base[job.pieces.clone()]
                .iter()
                .any(|chunk| chunk.touches(slots))
        };
        let loading = Loading {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
            packing: packing.adding(),
            routes: &self.routes,
            feeds: &feeds,
            big: &big,
            brake,
            counts: &Counts::default(),
            events: &crate::model::Events::ignored(),
            done,
            pieces: 0,
        };
        let sent = async {
            loading
                .run(all.into_iter().filter(touches).collect(), READERS)
                .await?;
            feeds.drain().await.map_err(Trouble::from)
        };
        feeds.beside(sent).await
    }
}

async fn flush(access: &crate::cluster::Access, addr: &NodeAddr) -> Result<(), Trouble> {
    let node = Node::connect(access, addr).await?.with_deadline(FLUSH);
    node.say("FLUSHALL ASYNC").await?;
    Ok(())
}

fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
