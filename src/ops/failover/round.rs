//! One round: load, fault, recovery, healing, wholeness, every write read back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counters::{self, Counters};
use super::drive::{DrillError, Drilling};
use super::judge::promoted_at;
use super::plan::{self, Step};
use super::standing::Standing;
use super::strike::{Prepared, told};
use super::whole::{Wholeness, wait_whole};
use crate::cluster::load::{Ledger, Load, LoadOptions, clean_up, read_back};
use crate::cluster::watch::Watch;
use crate::model::{
    Account, Act, Deed, Fault, NodeAddr, NodeId, Resync, Round, Sighting, Survey, Victim, words,
};

/// Undisturbed load before the fault, to compare with.
const BEFORE: Duration = Duration::from_secs(1);
/// Load after the recovery, before healing begins, and after the cluster is whole.
const AFTER: Duration = Duration::from_millis(500);
/// Between two looks at the load and the sightings.
const PAUSE: Duration = Duration::from_millis(10);
/// Between two samples of the nodes' views.
const EVERY: Duration = Duration::from_millis(20);
/// How long a key of the load lives when the drill cannot remove it.
const EXPIRE: Duration = Duration::from_secs(3600);

/// A round that is over.
pub(super) struct Played {
    pub(super) record: Round,
    /// Who was elected in whose place.
    pub(super) elections: Vec<(NodeId, NodeId)>,
    pub(super) ended: Instant,
}

/// What the load and the watch see, and what was done meanwhile.
pub(super) struct Seeing {
    began_at_ms: u64,
    load: Load,
    watch: Watch,
    pub(super) deeds: Vec<Deed>,
    pub(super) notes: Vec<String>,
}

/// All of that when it is over.
struct Seen {
    began_at_ms: u64,
    deeds: Vec<Deed>,
    notes: Vec<String>,
    sightings: Vec<Sighting>,
    ledger: Ledger,
    writes: Vec<Account>,
}

/// Whom a fault will strike, and how each is put back.
struct Blow {
    victims: Vec<Victim>,
    undos: Vec<Prepared>,
}

impl Seeing {
    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.load.began().elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(super) fn did(&mut self, what: Act) {
        let at_us = self.now_us();
        self.deeds.push(Deed { at_us, what });
    }

    fn at(&self, what: Act) -> u64 {
        let done = self.deeds.iter().find(|deed| deed.what == what);
        done.map_or(0, |deed| deed.at_us)
    }
}

impl Drilling<'_> {
    pub(super) async fn round(
        &self,
        title: &str,
        number: usize,
        step: &Step,
        now: &Standing,
    ) -> Result<Played, DrillError> {
        let first = self.ready(step.fault, &step.victims, now).await?;
        let second = match &step.second {
            Some(second) => Some(self.ready(second.fault, &second.victims, now).await?),
            None => None,
        };
        let mut seeing = self.see(title, number, now).await?;
        let mut before = self.counters(now).await;

        let targets = first.victims;
        let deed = format!("{title}{}", told(step.fault, &targets));
        self.events.begin(deed.clone());
        self.strike(step.fault, &targets, first.undos, now, &mut seeing)
            .await?;
        let second = match step.second.as_ref().zip(second) {
            Some((second, Blow { victims, undos })) => Some(
                self.strike_again(title, second, victims, undos, now, &mut seeing)
                    .await?,
            ),
            None => None,
        };
        let awaited = plan::awaited(&now.seen, &now.topology, step);
        self.await_recovery(&deed, step, &awaited, now, &seeing)
            .await;
        if !step.fault.ends_by_itself() {
            // Who leads now has counted what it sent before this node came back.
            before.extend(self.counters(now).await);
        }
        let wholeness = self.put_back(title, step, now, &mut seeing).await?;
        let after = self.counters(now).await;
        tokio::time::sleep(AFTER).await;

        let elections = elections(&seeing.watch.sightings_so_far(), step, now, &seeing);
        let resyncs = resyncs(&wholeness.survey, &targets, &before, &after);
        let seen = self.end(title, seeing).await;
        let record = Round {
            number,
            name: step.name.clone(),
            budgets: step.budgets,
            fault: step.fault,
            targets,
            second,
            expects_promotion: !awaited.is_empty() && step.fault.causes_promotion(),
            began_at_ms: seen.began_at_ms,
            deeds: seen.deeds,
            sightings: seen.sightings,
            schedule_slip_p99_us: seen.ledger.schedule_slip_p99_us,
            traces: seen.ledger.traces,
            writes: seen.writes,
            remarks: seen.notes,
            resyncs,
            repairs: wholeness.repairs,
            not_whole: wholeness.missing,
        };
        Ok(Played {
            record,
            elections,
            ended: Instant::now(),
        })
    }

    /// Asks the machines first: what cannot be put back is not broken.
    async fn ready(
        &self,
        fault: Fault,
        ids: &[NodeId],
        now: &Standing,
    ) -> Result<Blow, DrillError> {
        let undos = self.prepare(fault, ids, now).await?;
        Ok(Blow {
            victims: victims(now, ids, &undos),
            undos,
        })
    }

    async fn counters(&self, now: &Standing) -> BTreeMap<NodeAddr, Counters> {
        let nodes = now.nodes();
        counters::read(self.access, nodes.iter().map(|(_, addr)| addr)).await
    }

    /// Begins the load, and to watch what nodes say of each other; for a while nothing disturbs it.
    async fn see(&self, title: &str, number: usize, now: &Standing) -> Result<Seeing, DrillError> {
        self.events.begin(format!("{title}load before the fault"));
        let options = self.load_options(number);
        let load = Load::start(self.access, &now.shards_at_start(), options).await?;
        let ahead = load.began().saturating_duration_since(Instant::now());
        let seeing = Seeing {
            began_at_ms: epoch_ms() + u64::try_from(ahead.as_millis()).unwrap_or(0),
            watch: Watch::start(
                self.access,
                &now.nodes(),
                &now.sentinels(),
                now.seen.form,
                load.began(),
                EVERY,
            ),
            load,
            deeds: Vec::new(),
            notes: Vec::new(),
        };
        tokio::time::sleep(BEFORE).await;
        Ok(seeing)
    }

    /// Ends the load and the watch, and reads every write back.
    async fn end(&self, title: &str, seeing: Seeing) -> Seen {
        let sightings = seeing.watch.stop();
        let ledger = seeing.load.stop().await;
        Seen {
            began_at_ms: seeing.began_at_ms,
            deeds: seeing.deeds,
            notes: seeing.notes,
            sightings,
            writes: self.look_for_writes(title, &ledger).await,
            ledger,
        }
    }

    /// Looks for every write where it belongs now, and takes the keys away. Where nobody leads
    /// (`--hold`) they stay unread, and expire.
    async fn look_for_writes(&self, title: &str, ledger: &Ledger) -> Vec<Account> {
        self.events
            .begin(format!("{title}reading every write back"));
        let writes = read_back(self.access, ledger).await;
        clean_up(self.access, ledger).await;
        self.events
            .done(format!("{title}every write was looked for"));
        writes
    }

    fn load_options(&self, number: usize) -> LoadOptions {
        LoadOptions {
            run: format!("{:x}-{number}", epoch_ms()),
            expire: EXPIRE,
            ..self.client.clone()
        }
    }

    /// Waits for the recovery, says what came of it, and leaves the load running for a moment more.
    async fn await_recovery(
        &self,
        deed: &str,
        step: &Step,
        awaited: &[NodeId],
        now: &Standing,
        seeing: &Seeing,
    ) {
        let is_back = self.recover(step, awaited, now, seeing).await;
        self.events.done(match (is_back, awaited.is_empty()) {
            (true, false) => format!("{deed}: writes flow again"),
            (true, true) => deed.to_owned(),
            (false, _) => {
                let patience = words::duration(self.options.timeout);
                format!("{deed}: no recovery within {patience}")
            }
        });
        tokio::time::sleep(AFTER).await;
    }

    /// Waits until every shard that was to get a new master takes writes under it; where none was, as
    /// long as the fault is to last. `false` when the time ran out.
    async fn recover(
        &self,
        step: &Step,
        awaited: &[NodeId],
        now: &Standing,
        seeing: &Seeing,
    ) -> bool {
        if awaited.is_empty() && step.fault != Fault::FastRestart {
            tokio::time::sleep(step.down_for).await;
            return true;
        }
        let begun = Instant::now();
        while begun.elapsed() < self.options.timeout {
            let sightings = seeing.watch.sightings_so_far();
            let is_back = match step.fault {
                Fault::FastRestart => step.victims.iter().all(|id| {
                    let shard = now.topology.shard_number(id).unwrap_or(0);
                    seeing.load.last_good_us(shard) > Some(seeing.at(Act::HealDone))
                }),
                _ => awaited
                    .iter()
                    .all(|id| self.is_replaced(id, step, now, &sightings, seeing)),
            };
            if is_back {
                return true;
            }
            tokio::time::sleep(PAUSE).await;
        }
        false
    }

    /// Whether a new master leads in the place of that one, and takes writes.
    fn is_replaced(
        &self,
        id: &NodeId,
        step: &Step,
        now: &Standing,
        sightings: &[Sighting],
        seeing: &Seeing,
    ) -> bool {
        let observers = now.observers(step.all_victims().len());
        let since = seeing.at(Act::FaultAsked);
        let shard = now.topology.shard_number(id).unwrap_or(0);
        promoted_at(sightings, &now.shard_of(id), id, observers, since)
            .is_some_and(|seen| seeing.load.last_good_us(shard) > Some(seen.at_us))
    }

    /// Heals, and waits until all is whole; with `--hold` neither.
    async fn put_back(
        &self,
        title: &str,
        step: &Step,
        now: &Standing,
        seeing: &mut Seeing,
    ) -> Result<Wholeness, DrillError> {
        if self.options.is_held {
            self.journal.hold()?;
            return Ok(Wholeness {
                survey: self.look().await,
                missing: vec!["left broken on purpose (--hold)".to_owned()],
                repairs: Vec::new(),
            });
        }
        self.events.begin(format!("{title}putting it back"));
        self.heal(&step.all_victims(), seeing).await?;
        self.events
            .begin(format!("{title}waiting until it is whole"));
        let wholeness = wait_whole(self.access, &now.ids(), self.options.timeout).await;
        if wholeness.missing.is_empty() {
            seeing.did(Act::Whole);
        }
        self.events.done(match wholeness.missing.first() {
            None => format!("{title}put back, and whole again"),
            Some(missing) => format!("{title}put back, but not whole: {missing}"),
        });
        Ok(wholeness)
    }
}

fn epoch_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

fn victims(now: &Standing, ids: &[NodeId], undos: &[Prepared]) -> Vec<Victim> {
    let mut victims = plan::victims(&now.seen, &now.topology, ids);
    for victim in &mut victims {
        let found = undos.iter().find(|(id, ..)| *id == victim.id);
        victim.place = found
            .map(|(_, place, _)| place.to_string())
            .unwrap_or_default();
    }
    victims
}

/// Who was elected in whose place.
fn elections(
    sightings: &[Sighting],
    step: &Step,
    now: &Standing,
    seeing: &Seeing,
) -> Vec<(NodeId, NodeId)> {
    if now.seen.is_unwatched() {
        return Vec::new();
    }
    let observers = now.observers(step.all_victims().len());
    let since = seeing.at(Act::FaultAsked);
    let elected = |id: NodeId| {
        let seen = promoted_at(sightings, &now.shard_of(&id), &id, observers, since)?;
        Some((seen.to, id))
    };
    let leading = |id: &NodeId| plan::is_leading(&now.topology, id);
    step.all_victims()
        .into_iter()
        .filter(leading)
        .filter_map(elected)
        .collect()
}

fn resyncs(
    survey: &Survey,
    victims: &[Victim],
    before: &BTreeMap<NodeAddr, Counters>,
    after: &BTreeMap<NodeAddr, Counters>,
) -> Vec<Resync> {
    let resync = |victim: &Victim| {
        let me = survey.facts(&victim.id)?.view.myself()?;
        let master = &survey.node(me.master.as_ref()?)?.addr;
        let (then, now) = (before.get(master)?, after.get(master)?);
        let bytes = now.replicated_bytes.zip(then.replicated_bytes);
        Some(Resync {
            node: victim.addr.clone(),
            is_full: now.full_syncs > then.full_syncs,
            bytes: bytes.map(|(now, then)| now.saturating_sub(then)),
        })
    };
    victims.iter().filter_map(resync).collect()
}
