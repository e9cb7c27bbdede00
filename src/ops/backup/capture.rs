//! Taking a snapshot: every shard is read at once, one cut is made through all of them, and when the
//! last byte is stored the manifest makes it a snapshot.
//!
//! The cut comes as soon as every base has begun, so logs are short, however long the bases take. From
//! the first look to the cut the topology must stay what it was; after it nothing that the cluster does
//! matters any more, but that the sources go on sending. What cannot be used is thrown away whole and
//! taken again, never glued.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::base::PieceSize;
use super::busy::Busy;
use super::changes::changed;
use super::describe::{Told, manifest};
use super::gauge::{Gauge, Gauges};
use super::look::{Depth, Ground, followed, look};
use super::order::{Cut, Options, Place, Taken, Via};
use super::parts;
use super::permitted;
use super::rate::Rate;
use super::scan::Scan;
use super::shard::{Begun, Phase, Read, Reading, Shared};
use super::sources::{Source, sources};
use super::trouble::Trouble;
use super::turns::{dangers, turns};
use crate::archive::{ArchiveError, Buffers, Chunk, Consistency, Manifest, Writer};
use crate::cluster::{Barrier, Gate, NoBarrier, finished};
use crate::host::here::Here;
use crate::model::{Events, NodeAddr, Survey, Topology};

/// How often the whole is tried when something that may pass went wrong.
const TRIES: u32 = 3;
/// How often a cut is tried whose pause was too short.
const CUTS: u32 = 5;
/// Pieces of bases that are packed and stored at once.
const PACKING: u32 = 3;
/// Pieces of logs: many small ones, apart from the bases. A log that waits for a slow store fills the
/// server's output buffer; a base that waits only holds up the server's child.
const LOGGING: usize = 12;
/// Tables of slots that are stored at once.
const TABLES: usize = 8;
/// How long pieces that are being packed are waited for before the cut.
const QUIET: Duration = Duration::from_secs(1);
/// How long is waited before another try for every shard to have a source again: an election takes
/// as long as the cluster's node timeout and a little.
const RECOVERY: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Takes one.
///
/// # Errors
/// As [`Trouble`]; no snapshot exists then.
pub async fn capture(place: &Place, options: &Options) -> Result<Taken, Trouble> {
    let mut place = place.clone();
    let mut remarks = Vec::new();
    let mut tried = 1;
    let (mut via, mut cut) = (options.via, options.cut);
    let mut first = None;
    loop {
        match attempt(&mut place, options, (via, cut), &mut remarks).await {
            Ok(taken) => {
                remarks.extend(taken.remarks);
                return Ok(Taken {
                    tries: tried,
                    remarks,
                    ..taken
                });
            }
            Err(trouble) => {
                place.under_way.end(&place.repository).await;
                let is_orphan = place.ground == Ground::Alone && is_orphaned(&trouble);
                let is_refused = matches!(trouble, Trouble::NoReplication { .. });
                if via == Via::Auto && (is_refused || is_orphan) {
                    let remark = format!("{trouble}: keys are read one by one instead");
                    place.events.note(remark.clone());
                    remarks.push(remark);
                    via = Via::Scan;
                    continue;
                }
                if matches!(cut, Cut::Best(_)) && trouble.is_no_pause() {
                    let remark = format!("{trouble}: it is cut by the clock instead");
                    place.events.note(remark.clone());
                    remarks.push(remark);
                    cut = Cut::Clock;
                    continue;
                }
                if !trouble.may_pass() || tried == TRIES {
                    return Err(first_cause(first, trouble, &place.events));
                }
                remarks.push(format!("taken again: {trouble}"));
                place.events.note(format!("{trouble}; it is taken again"));
                first.get_or_insert(trouble);
                tried += 1;
                recovered(&place, options).await;
            }
        }
    }
}

/// Whether a replica without its master refused: it may be all that is left, and can still be read.
fn is_orphaned(trouble: &Trouble) -> bool {
    trouble.to_string().contains("NOMASTERLINK")
}

/// A cluster that has lost a node in the middle may have no source for a shard on the next try: then
/// the loss is why there is no snapshot.
fn first_cause(first: Option<Trouble>, last: Trouble, events: &Events) -> Trouble {
    match (first, &last) {
        (Some(first), Trouble::NoSource(_) | Trouble::NoLook(_)) => {
            events.note(last.to_string());
            first
        }
        _ => last,
    }
}

/// Waits until every shard can be read, or long enough.
async fn recovered(place: &Place, options: &Options) {
    let looking = async {
        loop {
            if let Ok(survey) = look(&place.access, &place.ground, Depth::Sources).await {
                let (topology, busy) = (Topology::of(&survey), Busy::of(&survey, None));
                if sources(&survey, &topology, options.from, options.is_partial, &busy).is_ok() {
                    return;
                }
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    let _ = timeout(RECOVERY, looking).await;
}

/// What one try works with.
struct Attempt<'a> {
    place: &'a Place,
    options: &'a Options,
    cut: Cut,
    survey: Survey,
    topology: Topology,
    sources: Vec<Source>,
    writer: Arc<Writer>,
    began: Instant,
}

async fn attempt(
    place: &mut Place,
    options: &Options,
    (via, cut): (Via, Cut),
    remarks: &mut Vec<String>,
) -> Result<Taken, Trouble> {
    let began = Instant::now();
    let survey = look(&place.access, &place.ground, Depth::Load).await?;
    let topology = Topology::of(&survey);
    // Whoever was named may be the very node that dies: from now on any will do to look again.
    let known = survey.nodes.iter().map(|node| &node.addr);
    place.access.seeds.extend(known.cloned());
    place.access.seeds.sort();
    place.access.seeds.dedup();
    let place = &*place;
    let here = Here::look(survey.nodes.iter().map(|node| node.addr.host.as_str()));
    let busy = Busy::of(&survey, here);
    let sources = sources(&survey, &topology, options.from, options.is_partial, &busy)?;
    let told = sources.iter().filter_map(|source| source.remark.clone());
    let told = told.chain(dangers(&survey, &sources));
    let told = told.chain(busy.remarks(&sources));
    let (via, key_by_key) = permitted::way(via, &survey, &sources)?;
    let (cut, by_the_clock) = match via {
        Via::Scan => (cut, None),
        Via::Auto | Via::Replication => {
            permitted::cut(cut, followed(&place.ground, &survey), &survey, &sources)?
        }
    };
    for remark in told.chain(key_by_key).chain(by_the_clock) {
        if !remarks.contains(&remark) {
            place.events.note(remark.clone());
            remarks.push(remark);
        }
    }
    let id = place.repository.name_snapshot((options.now_ms)())?;
    let writer = place.repository.begin(id.clone(), &options.run).await?;
    place.under_way.set(Some(id));
    let attempt = Attempt {
        place,
        options,
        cut,
        survey,
        topology,
        sources,
        writer: Arc::new(writer),
        began,
    };
    let taken = match via {
        Via::Scan => attempt.scan().await,
        Via::Auto | Via::Replication => attempt.take().await,
    };
    for left in place.settings.put_back(&place.access).await {
        place.events.note(left.clone());
        remarks.push(left);
    }
    taken
}

impl Attempt<'_> {
    async fn take(self) -> Result<Taken, Trouble> {
        let (told, mut begins) = mpsc::channel(self.sources.len());
        let (phase, phases) = watch::channel(Phase::Running);
        let shared = self.shared();
        let packing = shared.packing.clone();
        let shards = self.read_all(shared, &told, &phases);
        drop(told);
        let cutting = self.cut(&mut begins, &phase, &packing);
        let (read, made) = tokio::try_join!(shards, cutting)?;
        self.finish(read, made).await
    }

    fn shared(&self) -> Arc<Shared> {
        let names = self.sources.iter().map(|source| source.addr.to_string());
        let gauges = Arc::new(Gauges {
            shards: names.map(Gauge::new).collect(),
        });
        (self.place.watch)(&gauges);
        Arc::new(Shared {
            access: self.place.access.clone(),
            writer: self.writer.clone(),
            buffers: Buffers::default(),
            size: PieceSize::for_shards(self.sources.len()),
            packing: Arc::new(Semaphore::new(PACKING as usize)),
            logging: Arc::new(Semaphore::new(LOGGING)),
            settings: self.place.settings.clone(),
            wire: self.options.wire,
            rate: Rate::new(self.options.rate),
            gauges,
            now_ms: self.options.now_ms,
            told: self.place.begun.clone(),
        })
    }

    /// Key by key: nothing is cut, and what holds between the shards is nothing.
    async fn scan(self) -> Result<Taken, Trouble> {
        let shared = self.shared();
        let tasks = (0..).zip(&self.sources).map(|(shard, source)| {
            let scan = Scan {
                shared: shared.clone(),
                shard,
                source: source.clone(),
            };
            AbortOnDropHandle::new(tokio::spawn(scan.run()))
        });
        let scanned = joined(tasks.collect()).await?;
        drop(shared);
        self.unchanged().await?;
        let made = Made {
            at_ms: (self.options.now_ms)(),
            consistency: Consistency::Scan,
            stall: None,
        };
        let read = scanned.into_iter().map(Read::scanned).collect();
        self.finish(read, made).await
    }

    /// Every shard in a task of its own; dropped with this future they end.
    fn read_all(
        &self,
        shared: Arc<Shared>,
        begun: &mpsc::Sender<Begun>,
        phase: &watch::Receiver<Phase>,
    ) -> impl Future<Output = Result<Vec<Read>, Trouble>> + use<> {
        let turns = turns(&self.survey, &self.sources, self.options.parallel);
        let turns: BTreeMap<String, Arc<Semaphore>> = turns
            .into_iter()
            .map(|(host, at_once)| (host, Arc::new(Semaphore::new(at_once))))
            .collect();
        let tasks: Vec<_> = (0..)
            .zip(&self.sources)
            .map(|(shard, source)| {
                let reading = Reading {
                    shared: shared.clone(),
                    shard,
                    source: source.clone(),
                    turn: turns
                        .get(&source.host)
                        .cloned()
                        .unwrap_or_else(|| Arc::new(Semaphore::new(1))),
                    begun: begun.clone(),
                    phase: phase.clone(),
                };
                AbortOnDropHandle::new(tokio::spawn(reading.run()))
            })
            .collect();
        joined(tasks)
    }

    /// Waits until every base has begun, then cuts through all shards.
    async fn cut(
        &self,
        begins: &mut mpsc::Receiver<Begun>,
        phase: &watch::Sender<Phase>,
        packing: &Arc<Semaphore>,
    ) -> Result<Made, Trouble> {
        let mut begun: Vec<Begun> = Vec::new();
        while let Some(one) = begins.recv().await {
            begun.push(one);
            if begun.len() == self.sources.len() {
                break;
            }
        }
        if begun.len() < self.sources.len() {
            // A shard has failed, and says why itself: no reason to stop anybody's writes.
            return std::future::pending().await;
        }
        begun.sort_by_key(|one| one.shard);
        match self.cut {
            Cut::Clock => {
                let at_ms = (self.options.now_ms)();
                phase.send_replace(Phase::Now);
                self.unchanged().await?;
                Ok(Made {
                    at_ms,
                    consistency: Consistency::Clock,
                    stall: None,
                })
            }
            Cut::Barrier(limit) | Cut::Best(limit) => {
                phase.send_replace(Phase::Calming);
                let packing = quiet(packing).await;
                let barrier = self.barrier(limit, phase).await?;
                let at_ms = (self.options.now_ms)();
                phase.send_replace(Phase::Checking);
                drop(packing);
                self.unchanged().await?;
                let cuts = offsets(&begun, &barrier)?;
                phase.send_replace(Phase::Cut(Arc::new(cuts)));
                Ok(Made {
                    at_ms,
                    consistency: Consistency::Barrier,
                    stall: Some(barrier.stall),
                })
            }
        }
    }

    async fn barrier(
        &self,
        limit: Duration,
        phase: &watch::Sender<Phase>,
    ) -> Result<Barrier, NoBarrier> {
        let masters: Vec<NodeAddr> = (self.sources.iter())
            .map(|source| source.master_addr.clone())
            .collect();
        let gate = Arc::new(Gate::to(&self.place.access, &masters).await?);
        phase.send_replace(Phase::Cutting);
        let mut tries = 1;
        loop {
            match self.paused(gate.clone(), limit).await {
                Err(NoBarrier::TooSlow { .. }) if tries < CUTS => tries += 1,
                outcome => return outcome,
            }
        }
    }

    /// In a task of its own: were it dropped between pause and release, writes would stand still until
    /// the servers' limit.
    async fn paused(&self, gate: Arc<Gate>, limit: Duration) -> Result<Barrier, NoBarrier> {
        let held = self.place.under_way.pause.clone().lock_owned().await;
        let cutting = tokio::spawn(async move {
            let outcome = gate.cut(limit).await;
            drop(held);
            outcome
        });
        finished(cutting).await
    }

    /// Whether the cluster still is what it was when the sources were chosen.
    async fn unchanged(&self) -> Result<(), Trouble> {
        let after = look(&self.place.access, &self.place.ground, Depth::Brief).await?;
        match changed(&self.topology, &Topology::of(&after)) {
            Some(what) => Err(Trouble::Changed(what)),
            None => Ok(()),
        }
    }

    async fn finish(self, mut read: Vec<Read>, made: Made) -> Result<Taken, Trouble> {
        let (mut logged_slots, mut log_bytes) = (0, 0);
        for (shard, source) in read.iter_mut().zip(&self.sources) {
            logged_slots += shard.marked.count(&source.slots);
            log_bytes += shard.log_bytes;
            shard.marked.mark(&mut shard.contents.table);
        }
        let tables: Vec<Chunk> = stream::iter((0..).zip(&read))
            .map(|(number, shard)| self.writer.put_slot_table(number, &shard.contents.table))
            .buffered(TABLES)
            .try_collect()
            .await?;
        let told = Told {
            survey: &self.survey,
            topology: &self.topology,
            sources: &self.sources,
            options: self.options,
            id: self.writer.id().clone(),
            at_ms: made.at_ms,
            consistency: made.consistency,
            stall: made.stall,
        };
        let libraries = read.iter().map(|shard| &shard.contents.functions);
        let libraries = libraries.max_by_key(|list| list.len()).cloned();
        let mut manifest = manifest(&told, read, tables);
        let remarks = self
            .parts(&mut manifest, &libraries.unwrap_or_default())
            .await?;
        manifest.took_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let writer = Arc::into_inner(self.writer).ok_or_else(|| ArchiveError::NotWritten {
            why: "an object is still being written".to_owned(),
        })?;
        writer.finish(&manifest).await?;
        self.place.under_way.set(None);
        Ok(Taken {
            manifest,
            remarks,
            tries: 1,
            logged_slots,
            log_bytes,
        })
    }

    /// What stands around the keys; gives what could not be had.
    async fn parts(
        &self,
        manifest: &mut Manifest,
        libraries: &[Vec<u8>],
    ) -> Result<Vec<String>, Trouble> {
        let (writer, access) = (&self.writer, &self.place.access);
        let Some(source) = self.sources.first() else {
            return Ok(Vec::new());
        };
        let master = &source.master_addr;
        let functions = match manifest.consistency {
            Consistency::Scan => parts::dumped_functions(writer, access, master).await?,
            Consistency::Barrier | Consistency::Clock => {
                Ok(parts::functions(writer, libraries).await?)
            }
        };
        let protection = self.place.repository.protection();
        let users = parts::users(writer, access, master, protection).await?;
        let mut remarks = Vec::new();
        for part in [functions, users] {
            match part {
                Ok(part) => manifest.parts.extend(part),
                Err(remark) => remarks.push(remark),
            }
        }
        Ok(remarks)
    }
}

/// Waits until nothing is being packed, and keeps it so until what is returned is dropped. A store that
/// takes long is not waited for: it costs a network, and no processor.
async fn quiet(packing: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let places = packing.clone().acquire_many_owned(PACKING);
    timeout(QUIET, places).await.ok()?.ok()
}

/// What all tasks came to; the first failure ends the others.
pub(super) async fn joined<T>(
    tasks: Vec<AbortOnDropHandle<Result<T, Trouble>>>,
) -> Result<Vec<T>, Trouble> {
    try_join_all(tasks.into_iter().map(|task| async {
        let done = task.await.map_err(|error| ArchiveError::NotWritten {
            why: error.to_string(),
        });
        done?
    }))
    .await
}

/// A cut that was made.
struct Made {
    at_ms: u64,
    consistency: Consistency,
    stall: Option<Duration>,
}

/// The offsets of the barrier by shard, as long as each shard's log belongs to the history of its master.
fn offsets(begun: &[Begun], barrier: &Barrier) -> Result<Vec<u64>, Trouble> {
    let pairs = begun.iter().zip(&barrier.cuts);
    pairs
        .map(|(begun, cut)| {
            if begun.replid != cut.replid || cut.offset < begun.offset {
                let what = format!("{} has begun a new history", cut.addr);
                return Err(Trouble::Changed(what));
            }
            Ok(cut.offset)
        })
        .collect()
}
