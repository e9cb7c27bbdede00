//! The trial itself: two copies, one with the change, the same load on one and then the other.
//!
//! The order of a pair of turns alternates (A B, B A, A B ...), so that a machine that grows busier or
//! calmer meanwhile favours neither.

use std::path::Path;
use std::time::Duration;

use super::copy::{Copy, NoCopy};
use super::judge::{Measured, figures, overall};
use super::mix::{Mix, Step};
use super::plan::Plan;
use super::random::Random;
use super::report::{Count, Left, Report, Share, Told};
use super::settings::{at_start, scaled_limit, to_set};
use super::shape::Shape;
use crate::cluster::turn::{Closed, Next};
use crate::model::words::bytes;
use crate::model::{Event, Events};

/// Turns on each copy at the least: of fewer, chance makes too much.
const LEAST_TURNS: u64 = 5;
/// And at the most.
const MOST_TURNS: u64 = 15;
/// A turn is made this long, where there is time for more than the least.
const TURN: Duration = Duration::from_secs(3);
/// How long a copy may take over one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// What a trial is run with.
pub struct Trial<'a> {
    /// What is tried.
    pub plan: &'a Plan,
    /// The server program.
    pub server: &'a Path,
    /// Whether somebody named the program: then it may be of another vendor.
    pub is_server_given: bool,
    /// How long the turns are together.
    pub length: Duration,
    /// Connections that send and wait.
    pub connections: usize,
    /// Where it says what it does.
    pub events: &'a Events,
}

/// Runs it. Dropped before it ends, the servers are gone as well.
///
/// # Errors
/// When no server could be started, set, filled or asked.
pub async fn run(trial: &Trial<'_>) -> Result<Report, NoCopy> {
    let plan = trial.plan;
    let events = trial.events;
    events.begin("starting two throw-away servers");
    let without = trial.start(false).await?;
    let with = trial.start(true).await?;
    let mut told = trial.told();
    trial.set_up([&without, &with], &mut told).await?;
    let server = without.server();
    events.done(format!("two throw-away servers ({server})"));
    events.begin("filling them");
    without.fill(&plan.shape).await?;
    with.fill(&plan.shape).await?;
    trial.limit([&without, &with], &mut told).await?;
    without.settle().await?;
    with.settle().await?;
    events.done(format!(
        "{} on each, {}",
        plan.shape.in_short(),
        bytes(without.used().await?)
    ));
    let (each, turn) = turns(trial.length);
    events.begin(format!("{each} turns on each"));
    let mut sides = [trial.side(without).await?, trial.side(with).await?];
    for side in &mut sides {
        side.warm_up(turn).await?;
    }
    for (done, place) in order(each).enumerate() {
        sides[place].turn(turn).await?;
        events.tell(Event::Progress(done as u64 + 1, each * 2));
    }
    events.done(format!("{each} turns on each, in turns"));
    let [without, with] = sides;
    let figures = figures(&without.measured, &with.measured);
    Ok(Report {
        cluster: plan.cluster.clone(),
        node: plan.picked.node.clone(),
        server,
        node_server: format!("{} {}", plan.vendor, plan.version),
        tried: plan.picked.tried.clone(),
        left: plan.picked.left.clone(),
        told,
        commands: shares(&plan.mix),
        connections: trial.connections,
        turns_each: usize::try_from(each).unwrap_or(usize::MAX),
        turn_ms: u64::try_from(turn.as_millis()).unwrap_or(u64::MAX),
        verdict: overall(&figures),
        figures,
        refused_without: without.refused,
        refused_with: with.refused,
    })
}

/// How many turns each copy has, and how long one is.
fn turns(length: Duration) -> (u64, Duration) {
    let fit = length.as_millis() / (2 * TURN.as_millis());
    let each = u64::try_from(fit).unwrap_or(MOST_TURNS);
    let each = each.clamp(LEAST_TURNS, MOST_TURNS);
    let parts = u32::try_from(each * 2).unwrap_or(u32::MAX);
    (each, length / parts)
}

/// Whose turn it is: 0 is without the change, 1 with it.
fn order(each: u64) -> impl Iterator<Item = usize> {
    (0..each).flat_map(|pair| match pair % 2 {
        0 => [0, 1],
        _ => [1, 0],
    })
}

fn shares(mix: &Mix) -> Vec<Share> {
    let shares = mix.shares().into_iter();
    shares
        .map(|(command, percent)| Share { command, percent })
        .collect()
}

impl Trial<'_> {
    async fn start(&self, is_with: bool) -> Result<Copy, NoCopy> {
        let tried: &[_] = match is_with {
            true => &self.plan.picked.tried,
            false => &[],
        };
        let copy = Copy::start(self.server, &at_start(&self.plan.config, tried)).await?;
        let is = copy.info.vendor();
        if is != self.plan.vendor && !self.is_server_given {
            return Err(NoCopy::OtherVendor {
                program: copy.program().to_owned(),
                is: is.to_string(),
                wanted: self.plan.vendor.to_string(),
            });
        }
        Ok(copy)
    }

    fn told(&self) -> Told {
        let shape = &self.plan.shape;
        Told {
            load: self.plan.mix.about.clone(),
            keys: shape.keys(),
            keys_there: shape.keys_there,
            families: shape.groups.clone(),
            settings: Vec::new(),
            not_taken: Vec::new(),
            limit_bytes: 0,
            notes: shape.notes.clone(),
        }
    }

    /// Gives both the node's settings, and the second the change.
    async fn set_up(&self, [without, with]: [&Copy; 2], told: &mut Told) -> Result<(), NoCopy> {
        for (name, value) in to_set(&self.plan.config, &without.config().await?) {
            match without.set(&name, &value).await? {
                Ok(()) => {
                    with.set(&name, &value).await?.ok();
                    told.settings.push(name);
                }
                Err(said) => told.not_taken.push(Left {
                    what: name,
                    why: said,
                }),
            }
        }
        let tried = self.plan.picked.tried.iter();
        for one in tried.filter(|one| !one.is_at_start && one.parameter != LIMIT) {
            let set = with.set(&one.parameter, &one.proposed).await?;
            set.map_err(|said| NoCopy::Refused {
                server: with.server(),
                parameter: one.parameter.clone(),
                value: one.proposed.clone(),
                said,
            })?;
        }
        Ok(())
    }

    /// Leaves both as full as the node is, or would be with the change.
    async fn limit(&self, [without, with]: [&Copy; 2], told: &mut Told) -> Result<(), NoCopy> {
        let plan = self.plan;
        let used = without.used().await?;
        let of = |limit| scaled_limit(limit, plan.used_bytes, used);
        let tried = plan.picked.tried.iter().find(|one| one.parameter == LIMIT);
        let proposed = tried.and_then(|one| one.proposed.parse().ok());
        told.limit_bytes = of(plan.limit_bytes);
        let limits = [
            (without, told.limit_bytes),
            (with, proposed.map_or(told.limit_bytes, of)),
        ];
        for (copy, limit) in limits {
            let set = copy.set(LIMIT, &limit.to_string()).await?;
            set.map_err(NoCopy::NotFilled)?;
        }
        Ok(())
    }

    async fn side(&self, copy: Copy) -> Result<Side, NoCopy> {
        let nexts = (0..self.connections).map(|n| next(self.plan, n as u64));
        let closed = Closed::open(&copy.access, copy.addr(), nexts.collect(), ANSWER).await?;
        Ok(Side {
            copy,
            closed,
            measured: Vec::new(),
            refused: Count::default(),
        })
    }
}

/// The setting that is scaled with the data.
const LIMIT: &str = "maxmemory";

/// A copy under load.
struct Side {
    copy: Copy,
    closed: Closed,
    measured: Vec<Measured>,
    refused: Count,
}

impl Side {
    /// What it does first does not count: caches are cold and tables grow.
    async fn warm_up(&mut self, turn: Duration) -> Result<(), NoCopy> {
        self.closed.turn(turn.min(Duration::from_secs(1))).await?;
        Ok(())
    }

    async fn turn(&mut self, turn: Duration) -> Result<(), NoCopy> {
        let came = self.closed.turn(turn).await?;
        let us = |percent| came.latencies.percentile_us(percent).unwrap_or(0) as f64;
        self.measured.push(Measured {
            per_second: came.per_second(),
            p50_us: us(50),
            p99_us: us(99),
            memory_bytes: self.copy.used().await? as f64,
        });
        self.refused.count += came.refused;
        self.refused.said = self.refused.said.take().or(came.said);
        Ok(())
    }
}

/// What one connection sends: the same on both copies.
fn next(plan: &Plan, connection: u64) -> Next {
    let shape: Shape = plan.shape.clone();
    let steps: Vec<Step> = plan.mix.steps.clone();
    let all: f64 = steps.iter().map(|step| step.weight).sum();
    let mut random = Random::of(connection + 1);
    let mut word = Vec::new();
    Box::new(move |batch| {
        let mut left = random.share() * all;
        let drawn = steps.iter().find(|step| {
            left -= step.weight;
            left < 0.0
        });
        if let Some(step) = drawn.or(steps.last()) {
            step.line.write(&shape, &mut random, &mut word, batch);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_fill_the_time_and_their_order_alternates() {
        for (seconds, each, turn_ms) in [
            (1, 5, 100),
            (30, 5, 3_000),
            (60, 10, 3_000),
            (600, 15, 20_000),
        ] {
            let expected = (each, Duration::from_millis(turn_ms));
            assert_eq!(turns(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(order(3).collect::<Vec<_>>(), [0, 1, 1, 0, 0, 1]);
    }
}
