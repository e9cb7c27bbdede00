//! The settings of failover-test. A drill is described where it is started, on the command line or in
//! a scenario; the settings file says what it may cost.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::check::output;
use super::layers::{Layers, Target};
use super::origin::{First, Row, Setting};
use crate::cli::exit::Failure;
use crate::cli::options::Format;
use crate::cli::options::failover::{Args, FORMATS};
use crate::cli::scenario::{Part, Scenario, Step, Then};
use crate::cli::values;
use crate::health;
use crate::model::{Budgets, NodeAddr};
use crate::ops::failover::{self, Accepted, Order, SecondOrder};

/// How often the load's client asks for the slots anew, where the deployment does not say.
const REFRESH: Duration = Duration::from_secs(30);
/// How long after the first fault a second one strikes, where a scenario does not say.
const THEN_AFTER: Duration = Duration::from_secs(1);

/// What failover-test does, apart from the connection.
pub struct FailoverTest<'a> {
    /// What was typed.
    pub args: &'a Args,
    /// How the answer is written.
    pub output: Setting<Format>,
    /// How often the load's client asks for the slots anew.
    pub refresh: Setting<Duration>,
    /// The faults.
    pub script: Script,
    /// What the command line says that it may cost.
    pub asked: Budgets,
}

/// The faults and what goes for all of them.
#[derive(Debug, Clone)]
pub struct Script {
    /// What a scenario calls itself.
    pub name: Option<String>,
    /// The faults, in order; a length of zero is for the cluster's node timeout to say.
    pub orders: Vec<Order>,
    /// How often all of it is done.
    pub rounds: usize,
    /// What is accepted on purpose.
    pub accepted: Vec<Accepted>,
    /// Findings that do not stop it.
    pub even_if: Vec<String>,
    /// Whether the masters of before lead again.
    pub restores_roles: bool,
}

impl<'a> FailoverTest<'a> {
    /// The cluster that the arguments mean.
    pub fn target(args: &Args) -> Target {
        Target {
            words: args.targets.clone(),
            // A recording is judged without any cluster.
            is_at_risk: args.from.is_none(),
            ..Target::default()
        }
    }

    /// Lays the layers over each other.
    pub fn resolve(layers: &Layers, args: &'a Args) -> Result<FailoverTest<'a>, Failure> {
        let in_file = layers.file.as_ref();
        let in_file = in_file.map(|file| file.config.failover_test);
        let in_file = Budgets::from(in_file.unwrap_or_default());
        Ok(FailoverTest {
            args,
            output: output(layers, args.output, FORMATS)?,
            refresh: First::nothing()
                .variable(
                    &layers.environment,
                    "REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL",
                    values::seconds,
                )?
                .or_default(REFRESH),
            script: script(args, in_file)?,
            asked: asked(args),
        })
    }

    /// A row for each setting, for `-v`.
    pub fn rows(&self) -> Vec<Row> {
        vec![
            self.output
                .row("output", |format| format.name().to_string()),
            self.refresh.row("slots refresh", values::show_duration),
        ]
    }
}

fn asked(args: &Args) -> Budgets {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Budgets {
        max_outage_ms: args.max_outage.map(ms),
        max_lost_writes: args.max_lost_writes,
        max_redundancy_ms: args.max_redundancy.map(ms),
        max_p99_ms: args.max_p99.map(ms),
    }
}

fn script(args: &Args, in_file: Budgets) -> Result<Script, Failure> {
    require_codes("--even-if", &args.even_if)?;
    let rounds = args.rounds.map(|rounds| rounds as usize);
    let typed = Script {
        name: None,
        orders: Vec::new(),
        rounds: rounds.unwrap_or(1),
        accepted: args.accept.clone(),
        even_if: args.even_if.clone(),
        restores_roles: args.restore_roles,
    };
    let Some(path) = &args.scenario else {
        return Ok(Script {
            orders: vec![typed_order(args, in_file)],
            ..typed
        });
    };
    let scenario = Scenario::read(path)?;
    let place = format!("could not read {}: even_if", path.display());
    require_codes(&place, &scenario.even_if)?;
    let budgets = Budgets::from(scenario.budgets).or(in_file);
    let mut accepted = typed.accepted;
    for word in &scenario.accept {
        accepted.push(accepted_word(word)?);
    }
    let orders = scenario
        .steps
        .iter()
        .map(|step| scenario_order(step, budgets));
    Ok(Script {
        name: scenario.name.clone(),
        orders: orders.collect(),
        rounds: rounds.or(scenario.rounds).unwrap_or(1),
        accepted,
        even_if: [typed.even_if, scenario.even_if].concat(),
        restores_roles: typed.restores_roles || scenario.restore_roles,
    })
}

/// A code that nobody knows waives nothing, and whoever wrote it believes that it does.
fn require_codes(place: &str, codes: &[String]) -> Result<(), Failure> {
    let Some(unknown) = codes.iter().find(|code| health::explain(code).is_none()) else {
        return Ok(());
    };
    let failure = Failure::usage(format!(
        "{place}: there is no finding with the code '{unknown}'"
    ));
    Err(match health::nearest(unknown) {
        Some(near) => failure.next(format!("did you mean '{near}'?")),
        None => failure.next("take the code from the finding: 'goodcache check' shows it first"),
    })
}

fn accepted_word(word: &str) -> Result<Accepted, Failure> {
    let named = |accepted: &Accepted| accepted.name() == word;
    Accepted::ALL.into_iter().find(named).ok_or_else(|| {
        let known = Accepted::ALL.map(Accepted::name).join(", ");
        Failure::usage(format!("accept: '{word}' is not known; known are {known}"))
    })
}

fn typed_order(args: &Args, budgets: Budgets) -> Order {
    let by_chance = || args.random.then(|| args.seed.unwrap_or_else(chance));
    Order {
        name: None,
        fault: args.fault,
        target: failover::Target {
            nodes: args.nodes.clone(),
            shard: args.shard,
            is_replica: args.part == Some(Part::Replica),
            is_whole_shard: args.whole_shard,
            host: args.on_host.clone(),
            zone: args.on_zone.clone(),
            is_every_shard: args.all_shards,
            seed: by_chance(),
        },
        second: args.then.map(|fault| SecondOrder {
            fault,
            target: second_target(args.then_shard, &args.then_node),
            after: args.then_after,
        }),
        budgets,
        down_for: args.down_for.unwrap_or_default(),
    }
}

/// A seed for those who give none; the plan shows it, so that the drill can be done again.
fn chance() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::from(since.map_or(0, |since| since.subsec_nanos()))
}

fn scenario_order(step: &Step, budgets: Budgets) -> Order {
    Order {
        name: step.name.clone(),
        fault: step.fault,
        target: failover::Target {
            nodes: step.nodes.clone(),
            shard: step.shard,
            is_replica: step.role == Some(Part::Replica),
            is_whole_shard: step.whole_shard,
            host: step.host.clone(),
            zone: step.zone.clone(),
            is_every_shard: step.all_shards,
            seed: step.seed,
        },
        second: step.then.as_ref().map(then_order),
        budgets: Budgets::from(step.budgets).or(budgets),
        down_for: step.down_for.unwrap_or_default(),
    }
}

fn then_order(then: &Then) -> SecondOrder {
    SecondOrder {
        fault: then.fault,
        target: second_target(then.shard, &then.nodes),
        after: then.after.unwrap_or(THEN_AFTER),
    }
}

fn second_target(shard: Option<usize>, nodes: &[NodeAddr]) -> Option<failover::Target> {
    (shard.is_some() || !nodes.is_empty()).then(|| failover::Target {
        nodes: nodes.to_vec(),
        shard,
        ..failover::Target::default()
    })
}
