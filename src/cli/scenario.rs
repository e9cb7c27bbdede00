//! What files say of drills: scenarios, the user's own commands for breaking nodes, budgets.
//!
//! A scenario is a file of its own, given with `--scenario`, so that the same drill can be done every
//! month and reviewed as code is; commands and budgets stand in `goodcache.yaml`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::config::{duration, read_yaml};
use super::exit::Failure;
use crate::host::drill::HookCommands;
use crate::host::drill::templates::{Places, Template};
use crate::model::{Budgets, Fault, NodeAddr};

/// How long a hook may take where nobody says.
const HOOK_DEADLINE: Duration = Duration::from_secs(60);

/// A scenario: several faults, one after another.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What it is for.
    pub name: Option<String>,
    /// How often all of it is done.
    pub rounds: Option<usize>,
    /// What it accepts on purpose, as `--accept` does.
    pub accept: Vec<String>,
    /// Findings that do not stop it, as `--even-if` does.
    pub even_if: Vec<String>,
    /// Whether the masters of before lead again after each step.
    pub restore_roles: bool,
    /// What each step may cost.
    pub budgets: Limits,
    /// The faults.
    pub steps: Vec<Step>,
}

/// One fault of a scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What it is called in the report.
    #[serde(default)]
    pub name: Option<String>,
    /// What is done.
    pub fault: Fault,
    /// The shard whose master is struck; 1 is the first.
    #[serde(default)]
    pub shard: Option<usize>,
    /// `master` or `replica`.
    #[serde(default)]
    pub role: Option<Part>,
    /// Those nodes, all at once.
    #[serde(default)]
    pub nodes: Vec<NodeAddr>,
    /// All nodes of the shard.
    #[serde(default)]
    pub whole_shard: bool,
    /// All nodes of that host.
    #[serde(default)]
    pub host: Option<String>,
    /// All nodes of that zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// Every shard in turn.
    #[serde(default)]
    pub all_shards: bool,
    /// A shard by chance, by that seed.
    #[serde(default)]
    pub seed: Option<u64>,
    /// How long it lasts when it needs no recovery.
    #[serde(default, deserialize_with = "duration")]
    pub down_for: Option<Duration>,
    /// What strikes while the cluster is still recovering.
    #[serde(default)]
    pub then: Option<Then>,
    /// What this step may cost.
    #[serde(default)]
    pub budgets: Limits,
}

/// A second failure during the recovery.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// What is done.
    pub fault: Fault,
    /// The shard whose master is struck; the next one when absent.
    #[serde(default)]
    pub shard: Option<usize>,
    /// Those nodes instead.
    #[serde(default)]
    pub nodes: Vec<NodeAddr>,
    /// How long after the first; 1 s when absent.
    #[serde(default, deserialize_with = "duration")]
    pub after: Option<Duration>,
}

/// Whom of a shard it strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Its master.
    Master,
    /// A replica.
    Replica,
}

/// Budgets as people write them.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The longest time that a shard may take no writes.
    #[serde(deserialize_with = "duration")]
    pub max_outage: Option<Duration>,
    /// Acknowledged writes that may be gone.
    pub max_lost_writes: Option<u64>,
    /// The longest time until every shard has all its replicas again.
    #[serde(deserialize_with = "duration")]
    pub max_redundancy: Option<Duration>,
    /// The longest 99th percentile of write latency outside the outage.
    #[serde(deserialize_with = "duration")]
    pub max_p99: Option<Duration>,
}

/// The user's own commands for drills.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Stops the server in an orderly way.
    pub stop: Option<String>,
    /// Ends it at once.
    pub kill: Option<String>,
    /// Starts it again, after `stop` and `kill`.
    pub start: Option<String>,
    /// Freezes it.
    pub pause: Option<String>,
    /// Thaws it.
    pub resume: Option<String>,
    /// Cuts it off.
    pub isolate: Option<String>,
    /// Connects it again.
    pub heal: Option<String>,
    /// Lets a replica take its place: a provider's own call.
    pub failover: Option<String>,
    /// How long each may take.
    #[serde(deserialize_with = "duration")]
    pub deadline: Option<Duration>,
    /// A template that ships, for a managed service's own failover.
    pub template: Option<String>,
    /// For the template: the cluster's name at the service.
    pub id: Option<String>,
    /// For the template: the resource group.
    pub group: Option<String>,
    /// For the template: the region.
    pub region: Option<String>,
}

impl Hooks {
    /// The commands that were given, and those of the template; its own command outweighs it.
    pub fn commands(&self) -> Result<HookCommands, String> {
        let mut commands = HookCommands::from(self);
        let Some(name) = &self.template else {
            return Ok(commands);
        };
        let template = Template::named(name)?;
        let places = Places {
            id: self.id.clone(),
            group: self.group.clone(),
            region: self.region.clone(),
        };
        if self.failover.is_none() {
            let command = template.command(&places)?;
            commands.commands.insert("failover".to_owned(), command);
            commands.mind = Some(template.mind);
        }
        if self.deadline.is_none() {
            commands.deadline = template.deadline;
        }
        Ok(commands)
    }
}

impl From<&Hooks> for HookCommands {
    fn from(hooks: &Hooks) -> HookCommands {
        let named = [
            ("stop", &hooks.stop),
            ("kill", &hooks.kill),
            ("start", &hooks.start),
            ("pause", &hooks.pause),
            ("resume", &hooks.resume),
            ("isolate", &hooks.isolate),
            ("heal", &hooks.heal),
            ("failover", &hooks.failover),
        ];
        let given = named
            .into_iter()
            .filter_map(|(name, command)| Some((name.to_owned(), command.clone()?)));
        let commands: BTreeMap<String, String> = given.collect();
        HookCommands {
            commands,
            deadline: hooks.deadline.unwrap_or(HOOK_DEADLINE),
            mind: None,
        }
    }
}

impl From<Limits> for Budgets {
    fn from(limits: Limits) -> Budgets {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Budgets {
            max_outage_ms: limits.max_outage.map(ms),
            max_lost_writes: limits.max_lost_writes,
            max_redundancy_ms: limits.max_redundancy.map(ms),
            max_p99_ms: limits.max_p99.map(ms),
        }
    }
}

impl Scenario {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Scenario, Failure> {
        let scenario: Scenario = read_yaml(path)?;
        let fail = |why: &str| Failure::usage(format!("could not read {}: {why}", path.display()));
        if scenario.steps.is_empty() {
            return Err(fail("it has no steps")
                .next("list what is to be done, such as steps: [{fault: kill, shard: 1}]"));
        }
        match scenario.rounds {
            Some(0) => Err(fail("rounds: 0 does nothing")),
            _ => Ok(scenario),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Scenario, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drill.yaml");
        std::fs::write(&path, text).unwrap();
        Scenario::read(&path)
    }

    #[test]
    fn a_whole_scenario_is_understood() {
        let scenario = read(
            "name: friday
rounds: 2
accept: [no-successor]
restore_roles: true
budgets: {max_outage: 8s, max_lost_writes: 3}
steps:
  - {name: crash, fault: kill, shard: 1, budgets: {max_outage: 5s}}
  - fault: pause
    nodes: ['127.0.0.1:7002']
    then: {fault: fast-restart, shard: 3, after: 500ms}
  - {fault: stop, role: replica, all_shards: true, down_for: 10s}
",
        )
        .unwrap();
        assert_eq!((scenario.steps.len(), scenario.rounds), (3, Some(2)));
        let crash = Budgets::from(scenario.steps[0].budgets).or(scenario.budgets.into());
        assert_eq!(
            (crash.max_outage_ms, crash.max_lost_writes),
            (Some(5000), Some(3))
        );
        let then = scenario.steps[1].then.clone().unwrap();
        assert_eq!(
            (then.fault, then.after),
            (Fault::FastRestart, Some(Duration::from_millis(500)))
        );
        assert_eq!(scenario.steps[2].role, Some(Part::Replica));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_the_nearest_word() {
        for (text, why) in [
            ("", "it has no steps"),
            ("steps: []", "it has no steps"),
            ("steps: [{fault: kill}]\nrounds: 0", "does nothing"),
            ("steps: [{fault: kil}]", "unknown word `kil`"),
            ("steps: [{fault: kil}]", "did you mean 'kill'?"),
            (
                "steps: [{fault: kill, role: mastre}]",
                "did you mean 'master'?",
            ),
            (
                "steps: [{fault: kill, then: {fault: fast_restart}}]",
                "did you mean 'fast-restart'?",
            ),
            ("steps: [{fault: kill, shrad: 1}]", "did you mean 'shard'?"),
            ("stepz: []", "did you mean 'steps'?"),
            (
                "budgets: {max_outage: 8}\nsteps: [{fault: kill}]",
                "has no unit (write 8s or 8ms)",
            ),
        ] {
            let told = read(text).unwrap_err().text();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn a_template_fills_the_failover_and_says_what_to_mind() {
        let hooks = Hooks {
            template: Some("azure-cache".into()),
            id: Some("shop".into()),
            group: Some("books".into()),
            ..Hooks::default()
        };
        let commands = hooks.commands().unwrap();
        assert!(commands.commands["failover"].contains("--resource-group 'books' --name 'shop'"));
        assert!(commands.mind.is_some());
        let own = Hooks {
            failover: Some("own".into()),
            ..hooks
        };
        assert_eq!(own.commands().unwrap().commands["failover"], "own");
    }

    #[test]
    fn only_given_hooks_are_passed_on() {
        let hooks = Hooks {
            stop: Some("ssh h stop".into()),
            ..Hooks::default()
        };
        let commands = HookCommands::from(&hooks);
        assert_eq!(commands.commands.len(), 1);
        assert_eq!(commands.deadline, HOOK_DEADLINE);
    }
}
