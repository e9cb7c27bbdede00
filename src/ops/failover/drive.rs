//! The driver: step by step through the plan, a round each, with room between elections.
//!
//! Before anything is broken the journal on disk says how it is put right, so whatever ends this
//! process, another can heal. Here only the way is described; what the machine does is `host`'s, what
//! the servers say is `cluster`'s, and what it means is judged from the recording later.

use std::time::{Duration, Instant};

use super::handover::wait_to_lead;
use super::plan::{self, Options, Plan, Step};
use super::preflight::{Refusal, refusals};
use super::spacing::Spacing;
use super::standing::Standing;
use super::target::TargetError;
use crate::cluster::load::LoadOptions;
use crate::cluster::{Access, Ask, survey};
use crate::host::drill::{HostError, Hosts};
use crate::host::journal::{Journal, JournalError};
use crate::model::{
    Act, Consent, Deed, DrilledNode, Events, Fault, NodeAddr, Recording, Role, Survey, Topology,
};

/// Between two looks at what keeps a step from being safe.
const PAUSE: Duration = Duration::from_millis(500);
/// How long it may take until it is safe.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a drill could not go on. Whatever was broken is in the journal, or healed.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The machine refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The machine failed in the middle of it; what was broken is put back, or in the journal.
    #[error("{0}")]
    Struck(HostError),
    /// The journal could not be written; nothing is broken without it.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The load could not begin, or a server refused its part.
    #[error(transparent)]
    Node(#[from] crate::cluster::NodeError),
    /// Whoever was meant is no longer there.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// What was safe when the plan was made is no longer.
    #[error("{}", .0.iter().map(|refusal| refusal.why.clone()).collect::<Vec<_>>().join("; "))]
    Refused(Vec<Refusal>),
}

/// What a drill needs.
pub struct Drilling<'a> {
    /// The cluster.
    pub access: &'a Access,
    /// The machines; `None` when every fault is done through the servers themselves.
    pub hosts: Option<&'a Hosts>,
    /// What is broken now.
    pub journal: &'a Journal,
    /// What the user asked for.
    pub options: &'a Options,
    /// How the load's client follows and retries.
    pub client: &'a LoadOptions,
    /// Where progress goes.
    pub events: &'a Events,
}

/// Drills. Consent is taken by value: without it nothing here can be called.
pub async fn apply(
    drilling: &Drilling<'_>,
    plan: Plan,
    first: Survey,
    _consent: Consent,
) -> Result<Recording, DrillError> {
    let mut recording = drilling.recording(&first);
    let mut spacing = Spacing::of(&recording.conditions);
    let before = Topology::of(&first);
    let is_due = |step: &&Step| !step.is_handover || plan::is_leading(&before, &step.victims[0]);
    let steps = plan.steps.iter().filter(is_due).count();
    for step in &plan.steps {
        let now = Standing::of(drilling.look().await);
        if step.is_handover && !plan::is_leading(&now.topology, &step.victims[0]) {
            continue;
        }
        let step = &step.aimed(&now.topology)?;
        let now = drilling.until_safe(now, step).await?;
        drilling.space(&spacing, &now, step).await;
        let number = recording.rounds.len() + 1;
        let title = match steps {
            1 => String::new(),
            _ => format!("step {number} of {steps}: "),
        };
        let round = drilling.round(&title, number, step, &now).await?;
        for (elected, replaced) in &round.elections {
            spacing.note(elected, replaced, round.ended);
        }
        let is_whole = round.record.not_whole.is_empty();
        recording.rounds.push(round.record);
        if !is_whole || drilling.options.is_held {
            break;
        }
        if drilling.options.restores_roles {
            drilling
                .restore_roles(&mut recording, &now, step, &mut spacing)
                .await;
        }
    }
    Ok(recording)
}

/// The Sentinels by name, for what they said.
fn sentinels(first: &Survey) -> Vec<DrilledNode> {
    let named = Standing::of(first.clone()).sentinels().into_iter();
    let node = |(id, addr)| DrilledNode {
        id,
        addr,
        role: Role::Unknown,
        shard: None,
        epoch: 0,
    };
    named.map(node).collect()
}

impl Drilling<'_> {
    fn recording(&self, first: &Survey) -> Recording {
        let topology = Topology::of(first);
        let seed = || first.seeds.first().map(NodeAddr::to_string);
        let node = |member: &crate::model::Member| {
            Some(DrilledNode {
                id: member.id.clone(),
                addr: first.node(&member.id)?.addr.clone(),
                role: member.role,
                shard: topology.shard_number(&member.id),
                epoch: member.epoch,
            })
        };
        Recording {
            goodcache: env!("CARGO_PKG_VERSION").to_owned(),
            taken_at_ms: first.taken_at_ms,
            cluster: first.name.clone().or_else(seed).unwrap_or_default(),
            scenario: self.options.scenario.clone(),
            conditions: plan::conditions(first, &topology),
            load: self.options.load.clone(),
            shards: plan::shards(first, &topology),
            nodes: (topology.members.values().filter_map(node))
                .chain(sentinels(first))
                .collect(),
            rounds: Vec::new(),
        }
    }

    pub(super) async fn look(&self) -> Survey {
        survey(self.access, &Ask::default()).await
    }

    /// What was safe when the plan was made is asked again, for the round before changed the cluster;
    /// a replica may need a moment to catch up.
    async fn until_safe(&self, mut now: Standing, step: &Step) -> Result<Standing, DrillError> {
        let is_restart = self.options.is_rolling && step.fault == Fault::Stop;
        if step.is_handover || is_restart {
            return Ok(now);
        }
        let begun = Instant::now();
        loop {
            let accepted = &self.options.accepted;
            let refused = refusals(&now.seen, &now.topology, step, accepted);
            if refused.is_empty() {
                return Ok(now);
            }
            if begun.elapsed() > PATIENCE {
                return Err(DrillError::Refused(refused));
            }
            tokio::time::sleep(PAUSE).await;
            now = Standing::of(self.look().await);
        }
    }

    /// Waits until an election in the struck shards is as good as the first.
    async fn space(&self, spacing: &Spacing, now: &Standing, step: &Step) {
        let at = Instant::now();
        let left = step
            .all_victims()
            .iter()
            .filter(|id| plan::is_leading(&now.topology, id))
            .map(|id| spacing.left(id, &now.shard_of(id), at))
            .max();
        self.sleep_for_spacing(left.unwrap_or_default()).await;
    }

    async fn sleep_for_spacing(&self, left: Duration) {
        if !left.is_zero() {
            self.events.begin(format!(
                "waiting {:.1} s: these servers must not hold elections of one shard closer together",
                left.as_secs_f64()
            ));
            tokio::time::sleep(left).await;
        }
    }

    /// Lets the masters of before lead again, one after another.
    async fn restore_roles(
        &self,
        recording: &mut Recording,
        before: &Standing,
        step: &Step,
        spacing: &mut Spacing,
    ) {
        let Some(round) = recording.rounds.last_mut() else {
            return;
        };
        for id in step.all_victims() {
            let now = Standing::of(self.look().await);
            let number = now.topology.shard_number(&id);
            let leader = number.map(|n| now.topology.shards[n - 1].master.clone());
            let was_leading = plan::is_leading(&before.topology, &id);
            let Some(leader) = leader.filter(|leader| was_leading && *leader != id) else {
                continue;
            };
            let left = spacing.left(&leader, std::slice::from_ref(&id), Instant::now());
            self.sleep_for_spacing(left).await;
            self.events
                .begin(format!("letting {} lead again", now.name(&id)));
            match wait_to_lead(self.access, &id, self.options.timeout).await {
                Ok(()) => {
                    spacing.note(&id, &leader, Instant::now());
                    let at_us = round.deeds.last().map_or(0, |deed| deed.at_us);
                    let what = Act::RolesRestored;
                    round.deeds.push(Deed { at_us, what });
                }
                Err(why) => round.not_whole.push(why),
            }
        }
    }
}
