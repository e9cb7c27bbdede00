//! A restore from the first look to the proof.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::time::{sleep, timeout};

use super::asked::{Asked, content, how};
use super::bases::Bases;
use super::big::Big;
use super::brake::{Brake, HeldBack};
use super::feed::Feeds;
use super::jobs::Job;
use super::journal::{Journal, Seen};
use super::load::Counts;
use super::log::{Logged, Logs};
use super::order::{Existing, Options, Place};
use super::ousted::Watch;
use super::pack::Packing;
use super::parcel::Tally;
use super::parts;
use super::plan::{Known, Plan, plan};
use super::prove::Proof;
use super::replicas::{histories, replicated};
use super::report::Restored;
use super::routes::{Routes, Table};
use super::sums::Sums;
use super::target::Target;
use super::touched::Touched;
use super::trouble::Trouble;
use super::warming::{Warming, Warmth};
use crate::archive::SlotTable;
use crate::cluster::Node;
use crate::model::NodeAddr;
use crate::model::words::{count, counted};

/// Readers at the most: each holds some pieces in memory.
pub(super) const READERS: usize = 3;
/// How long emptying a master may take.
const FLUSH: Duration = Duration::from_secs(300);

/// A restore that was looked at and not begun.
pub struct Prepared {
    place: Place,
    options: Options,
    target: Target,
    touched: Touched,
    journal: Journal,
    sums: Option<Sums>,
    /// What it would do.
    pub plan: Plan,
}

/// Looks at the snapshot and the target, and plans. Nothing is changed.
///
/// # Errors
/// When either cannot be looked at. Why it must not begin stands in the plan.
pub async fn prepare(mut place: Place, options: Options) -> Result<Prepared, Trouble> {
    let target = Target::look(&place.access, &place.ground).await?;
    // The node that was named may be the one that dies.
    let members = target.topology.members.values();
    let known = members.filter_map(|member| member.addr.clone());
    place.access.seeds.extend(known);
    place.access.seeds.sort();
    place.access.seeds.dedup();
    let logs = Logs {
        repository: &place.repository,
        manifest: &place.manifest,
    };
    let touched = logs.touched(place.moment.clone(), &options.select).await?;
    let tables = tables(&place).await?;
    let asked = Asked {
        snapshot: match place.is_passing {
            true => content(&place.manifest, &tables),
            false => place.manifest.id.to_string(),
        },
        target: options.target.clone(),
        how: how(&options, place.moment.as_deref()),
    };
    let seen = Seen::of(&target);
    let journal = Journal::open(place.journal.as_deref(), asked, &seen, options.now_ms);
    let known = Known {
        place: match place.is_passing {
            true => "RDB files",
            false => place.repository.place(),
        },
        manifest: &place.manifest,
        tables: &tables,
        touched: &touched,
        journal: &journal,
        moment_ms: place.moment.as_ref().map(|moment| moment.at_ms),
    };
    let plan = plan(&known, &target, &options);
    // The sums are those of all keys as the bases have them, all of which this run sends.
    let is_all = options.select.is_all() && touched.is_empty() && !journal.is_resumed;
    let sums = match is_all && options.is_proven {
        true => Sums::of(&tables, (options.now_ms)()),
        false => None,
    };
    Ok(Prepared {
        plan,
        sums,
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
    /// Notes that it begins, before anything is changed: where that cannot be, nothing is.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn note(&mut self) -> Result<(), Trouble> {
        self.journal.write()
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

/// What came of one that got to its end.
struct Done {
    tally: Arc<Tally>,
    played: u64,
    load_ms: u64,
    proof: Option<Proof>,
    slowest: Option<Duration>,
    held_back: Option<HeldBack>,
    lacks_functions: bool,
    lacks_users: bool,
}

/// A restore under way.
pub(super) struct Running {
    pub(super) place: Place,
    pub(super) options: Options,
    pub(super) target: Target,
    pub(super) touched: Arc<Touched>,
    pub(super) journal: Journal,
    pub(super) sums: Option<Sums>,
    pub(super) plan: Plan,
    pub(super) routes: Arc<Routes>,
    pub(super) counts: Counts,
    pub(super) remarks: Vec<String>,
    /// How much of the heat is back, where the most used keys come first.
    pub(super) warming: Option<Warming>,
    pub(super) began: Instant,
}

impl Running {
    fn new(prepared: Prepared) -> Running {
        let Prepared {
            place,
            options,
            target,
            mut touched,
            journal,
            sums,
            plan,
        } = prepared;
        touched.spare_all(&journal.noted.spared);
        touched.hold_all(&journal.noted.held);
        let routes = Arc::new(Routes::new(Table::of(&target.topology)));
        Running {
            place,
            options,
            target,
            touched: Arc::new(touched),
            journal,
            sums,
            plan,
            routes,
            counts: Counts::default(),
            remarks: Vec::new(),
            warming: None,
            began: Instant::now(),
        }
    }

    async fn run(mut self) -> Result<Restored, Trouble> {
        match self.go().await {
            Ok(done) => Ok(self.restored(done)),
            Err(trouble) => {
                self.place.events.note(self.how_far());
                Err(trouble)
            }
        }
    }

    async fn go(&mut self) -> Result<Done, Trouble> {
        self.begin().await?;
        let masters = self.routes.now().masters.clone();
        let brake = Brake::new(
            &self.place.access,
            &self.routes,
            self.options.rate,
            self.options.max_latency,
        );
        let functions = self.functions(&masters).await?;
        self.remarks.extend(functions.remarks);
        self.free_aside().await;
        self.remarks.extend(self.freed_at_once().await);
        let feeds = self.feeds(false, &brake);
        let loaded = self.load(&feeds, &brake).await;
        self.journal.write()?;
        loaded?;
        let load_ms = elapsed(self.began);
        let played = self.play(&brake).await?;
        let users = match self.options.with_acl {
            true => parts::users(&self.place, &self.target).await?,
            false => parts::Users::default(),
        };
        self.remarks.extend(users.remarks);
        let behind = replicated(&self.place.access, &self.place.ground).await;
        self.remarks.extend(behind);
        let proof = match self.options.is_proven {
            true => Some(
                self.prove(&brake, feeds.tally().again.load(Ordering::Relaxed) > 0)
                    .await?,
            ),
            false => None,
        };
        self.put_back().await;
        self.journal.remove();
        Ok(Done {
            tally: feeds.tally().clone(),
            played,
            load_ms,
            proof,
            slowest: brake.slowest(),
            held_back: brake.held_back(),
            lacks_functions: functions.is_short,
            lacks_users: users.is_short,
        })
    }

    /// Puts the settings back that were changed for it.
    pub(super) async fn put_back(&self) {
        for left in self.place.settings.put_back(&self.place.access).await {
            self.place.events.note(left);
        }
    }

    /// Functions belong to no key: a part leaves them as they are.
    async fn functions(&self, masters: &[NodeAddr]) -> Result<parts::Functions, Trouble> {
        if !self.options.select.is_all() {
            return Ok(parts::Functions::default());
        }
        let mut libraries = parts::libraries(&self.place).await?;
        if self.touched.has_functions {
            let note = async |logged: Logged<'_>| {
                if logged.command.name() == "function" {
                    libraries.note(&logged.command.words);
                }
                Ok(())
            };
            self.logs().walk(&self.touched, note).await?;
        }
        parts::functions(&self.place, masters, self.options.existing, &libraries).await
    }

    fn restored(self, done: Done) -> Restored {
        let spared = self.touched.spared().len() as u64;
        let warmth: Option<Vec<Warmth>> = self.warming.map(|warming| warming.warmth());
        let warmth = warmth.unwrap_or_default();
        Restored::new(super::report::Told {
            manifest: &self.place.manifest,
            moment_ms: self.place.moment.as_ref().map(|moment| moment.at_ms),
            plan: self.plan,
            counts: self.counts,
            tally: &done.tally,
            played: done.played,
            load_ms: done.load_ms,
            duration_ms: elapsed(self.began),
            proof: done.proof,
            remarks: self.remarks,
            slowest: done.slowest,
            held_back: done.held_back,
            warmth,
            is_resumed: self.journal.is_resumed,
            lacks_functions: done.lacks_functions,
            lacks_users: done.lacks_users,
            spared,
            may_keep: self.options.existing == Existing::Skip,
        })
    }

    /// How far it came, for whoever reads that it stopped.
    fn how_far(&self) -> String {
        let shards = self.place.manifest.shards.iter();
        let pieces: usize = shards.map(|shard| shard.base.len()).sum();
        let sent = self.counts.entries.load(Ordering::Relaxed);
        let sent = format!(
            "{} of {} keys were sent",
            count(sent),
            count(self.plan.keys)
        );
        match self.journal.noted.is_loaded {
            true => {
                format!("{sent}; all pieces of the snapshot are in, and what comes behind is not")
            }
            false => format!(
                "{sent}; {} of {} of the snapshot are in",
                self.journal.pieces_done(),
                counted(pieces, "piece")
            ),
        }
    }

    /// What comes before the first key.
    async fn begin(&mut self) -> Result<(), Trouble> {
        if !self.journal.is_resumed {
            self.journal.noted.had_keys =
                self.target.keys() > 0 && self.options.existing != Existing::Flush;
            let now = histories(&self.place.access, &self.place.ground).await;
            self.journal.noted.histories = now.ok();
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

    pub(super) fn feeds(&self, is_strict: bool, brake: &Brake) -> Feeds {
        let watch = Watch {
            access: self.place.access.clone(),
            ground: self.place.ground.clone(),
            routes: self.routes.clone(),
        };
        Feeds::new(watch, &self.place.events, is_strict, brake.window.clone())
    }

    pub(super) fn bases(&self) -> Bases<'_> {
        Bases {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
        }
    }

    pub(super) fn logs(&self) -> Logs<'_> {
        Logs {
            repository: &self.place.repository,
            manifest: &self.place.manifest,
        }
    }

    pub(super) fn big(&self) -> Big {
        let (access, ground) = (&self.place.access, &self.place.ground);
        Big::new(access, ground, &self.routes, self.options.max_stall)
    }

    pub(super) fn packing(&self) -> Packing {
        Packing::new(
            &self.target,
            &self.options.select,
            self.options.existing,
            self.touched.clone(),
            self.options.now_ms,
        )
    }

    /// Whether a job may hold anything that is meant.
    pub(super) fn is_wanted(&self, job: &Job) -> bool {
        let shard = &self.place.manifest.shards[job.shard];
        let chunks = &shard.base[job.pieces.clone()];
        match &self.options.select.slots {
            Some(slots) => chunks.iter().any(|chunk| chunk.touches(slots)),
            None => true,
        }
    }

    /// Waits until every slot has a master again, or long enough.
    pub(super) async fn look_again(&mut self) {
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
}

async fn flush(access: &crate::cluster::Access, addr: &NodeAddr) -> Result<(), Trouble> {
    let node = Node::connect(access, addr).await?.with_deadline(FLUSH);
    node.say("FLUSHALL ASYNC").await?;
    Ok(())
}

pub(super) fn elapsed(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
