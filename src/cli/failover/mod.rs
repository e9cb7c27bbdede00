//! `goodcache failover-test`: settings, a survey, a plan, consent, the drill, its verdict.
//!
//! From the moment something may be broken there are three who put it back: this process, however it
//! is stopped; the watchdog, when this process is killed; and the next run, when both were.

mod answer;
mod broken;
mod heal;
pub mod last;
mod recorded;
mod refused;
#[cfg(debug_assertions)]
mod sabotage;
mod watchdog;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use futures_util::FutureExt;

use super::exit::{Exit, Failure};

use super::options::failover::{Args, Via};
use super::reach;
use super::scenario::Hooks;
use super::screen::{Asked, Screen};
use super::settings::{FailoverTest, Layers, Settings};
use super::signal::{Ended, until_signal};
use super::stopped;
use crate::cluster::load::LoadOptions;
use crate::cluster::{Access, Ask};
use crate::host::drill::{HookCommands, HostOptions, Hosts, NodeAtHost, Which};
use crate::host::journal::Journal;
use crate::model::{Consent, LoadShape, NodeId, Recording, ServiceDrill, Survey, Topology};
use crate::ops::failover::{self, Drilling, NoPlan, Options, Plan};
use answer::Answer;
pub use broken::told as told_broken;
use refused::{drill_failure, host_failure, journal_failure, no_plan, own_failure};
pub use watchdog::watch_over;

/// How long replicas may take to catch up before a drill is refused for their sake, and how often
/// they are looked at meanwhile.
const CATCHING_UP: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long the load's client waits for one reply.
const CLIENT_TIMEOUT: Duration = Duration::from_millis(200);
/// The least time that a replica is kept down.
const LEAST_DOWN: Duration = Duration::from_secs(3);

/// Runs it.
pub async fn run(
    layers: &Layers,
    settings: &Settings,
    failover: &FailoverTest<'_>,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let running = Running {
        layers,
        settings,
        failover,
        args: failover.args,
        answer: Answer {
            format: failover.output.value,
            args: failover.args,
            screen,
        },
        screen,
    };
    if let Some(path) = &failover.args.from {
        return running.judged(&recorded::read(path)?).map(|(exit, _)| exit);
    }
    if failover.args.heal {
        return running.heal().await;
    }
    settings.require_nodes()?;
    running.require_files()?;
    match until_signal(running.prepare()).await {
        Ok(Ended::Done(Ok(Some(ready)))) => running.drill(*ready).await,
        Ok(Ended::Done(Ok(None))) => Ok(Exit::Good),
        Ok(Ended::Done(Err(failure))) => Err(failure),
        Ok(Ended::Stopped(number)) => Ok(stopped(number)),
        Err(error) => Err(Failure::new(Exit::Failed, error)),
    }
}

struct Running<'a> {
    layers: &'a Layers,
    settings: &'a Settings,
    failover: &'a FailoverTest<'a>,
    args: &'a Args,
    answer: Answer<'a>,
    screen: &'a Screen,
}

/// All that the drill needs.
struct Ready {
    access: Access,
    seen: Survey,
    plan: Plan,
    options: Options,
    hosts: Option<Hosts>,
    journal: Journal,
    consent: Consent,
}

impl Running<'_> {
    /// The name to consent by: the cluster's, else the address that was given.
    fn name(&self) -> String {
        self.settings.called()
    }

    /// Files that will be wanted in the end are tried before anything is broken.
    fn require_files(&self) -> Result<(), Failure> {
        if let Some(path) = &self.args.compare {
            recorded::read(path)?;
        }
        let args = self.args;
        for path in [&args.record, &args.junit, &args.report]
            .into_iter()
            .flatten()
        {
            let folder = folder_of(path);
            let told =
                |error: &dyn std::fmt::Display| super::check::file_failure("write", path, error);
            if path.is_dir() {
                return Err(told(&"it is a folder"));
            }
            tempfile::tempfile_in(folder).map_err(|error| told(&error.kind()))?;
        }
        Ok(())
    }

    fn journal(&self) -> Result<Journal, Failure> {
        let journal = Journal::open(&drills(self.layers)?, &self.name());
        journal.map_err(journal_failure)
    }

    /// Everything before the first fault; `None` when there is nothing more to do.
    async fn prepare(&self) -> Result<Option<Box<Ready>>, Failure> {
        self.require_name()?;
        let journal = self.journal()?;
        let was_broken = match self.args.dry_run {
            true => self.tell_leftovers(),
            false => self.heal_leftovers(&journal).await?,
        };
        let mut access = reach::access_to_every_form(self.settings)?;
        let mut seen = self.look(&mut access).await?;
        if was_broken {
            self.screen.events().begin("waiting until it is whole");
            failover::settled(&access, &seen, self.args.timeout).await;
            self.sweep(&access).await;
            seen = self.look(&mut access).await?;
        }
        self.refuse_rented(&seen)?;
        let (seen, topology, options, plan) = self.plan(&mut access, seen).await?;
        let cut_off = failover::cut_off(&plan);
        // By hooks a fault is done from outside, whatever the servers permit.
        let mut refused = match self.args.via {
            Via::Hooks => Vec::new(),
            _ => failover::withheld(&seen, &topology, &plan),
        };
        if refused.is_empty() {
            refused = failover::bus_refusals(&access, &seen, &cut_off).await;
        }
        if !refused.is_empty() {
            return Err(no_plan(NoPlan::Refused(refused)));
        }
        let (hosts, places) = self.hosts(&seen, &topology, &plan).await?;
        let mut outlook = failover::outlook(&self.name(), &seen, &plan, &options, &places);
        if !cut_off.is_empty() {
            outlook.notes.extend(self.beyond_the_watchdog(&access));
        }
        if self.args.via == Via::Hooks {
            let mind = self.hooks()?.and_then(|hooks| hooks.mind);
            outlook.notes.extend(mind.map(str::to_owned));
        }
        self.answer.plan(&outlook, seen.taken_at_ms)?;
        if self.args.dry_run {
            return Ok(None);
        }
        let consent = self.consent(&plan)?;
        Ok(Some(Box::new(Ready {
            access,
            seen,
            plan,
            options,
            hosts,
            journal,
            consent,
        })))
    }

    /// Replicas that only have to catch up, as after a burst of writes, are given a moment for it.
    async fn plan(
        &self,
        access: &mut Access,
        mut seen: Survey,
    ) -> Result<(Survey, Topology, Options, Plan), Failure> {
        let until = Instant::now() + CATCHING_UP;
        loop {
            let topology = Topology::of(&seen);
            let options = self.options(&seen, &topology);
            match failover::plan(&seen, &topology, &options) {
                Ok(plan) => return Ok((seen, topology, options, plan)),
                Err(NoPlan::Refused(_))
                    if failover::is_catching_up(&seen, &topology) && Instant::now() < until =>
                {
                    tokio::time::sleep(LOOK_AGAIN).await;
                    seen = self.look(access).await?;
                }
                Err(why) => return Err(no_plan(why)),
            }
        }
    }

    /// A bus is mended over a connection, and the watchdog has no login.
    fn beyond_the_watchdog(&self, access: &Access) -> Option<String> {
        let takes_more = match (&access.credentials.password, &self.settings.tls.value) {
            (None, None) => return None,
            (Some(_), _) => "a password",
            (None, Some(_)) => "TLS",
        };
        Some(format!(
            "connecting takes {takes_more}, which the watchdog does not have: should goodcache be \
             killed while a bus is cut, mend it with: goodcache failover-test {} --heal",
            self.name()
        ))
    }

    async fn look(&self, access: &mut Access) -> Result<Survey, Failure> {
        let ask = Ask {
            zones: self.settings.zones.value.clone(),
            ..Ask::default()
        };
        let seen = reach::look(self.settings, access, &ask, self.screen).await?;
        reach::require_answer(&seen)?;
        access.seeds = seen.answered().map(|(node, _)| node.addr.clone()).collect();
        if let Some(sentinels) = &seen.sentinels {
            let watching = sentinels.watching();
            access.sentinel.known = watching.map(|(report, ..)| report.addr.clone()).collect();
            access.sentinel.master = sentinels.name.clone();
            access.seeds.extend(access.sentinel.known.iter().cloned());
        }
        Ok(seen)
    }

    fn options(&self, seen: &Survey, topology: &Topology) -> Options {
        let (args, script) = (self.args, &self.failover.script);
        let node_timeout = failover::conditions(seen, topology).node_timeout_ms;
        let node_timeout = Duration::from_millis(node_timeout);
        let mut orders = script.orders.clone();
        for order in orders.iter_mut().filter(|order| order.down_for.is_zero()) {
            order.down_for = (node_timeout * 2).max(LEAST_DOWN);
        }
        Options {
            scenario: script.name.clone(),
            orders,
            is_rolling: args.rolling_restart,
            rounds: script.rounds,
            accepted: script.accepted.iter().copied().collect(),
            even_if: script.even_if.iter().cloned().collect(),
            load: LoadShape {
                rate: args.rate,
                value_bytes: usize::try_from(args.value_size).unwrap_or(64),
                client_timeout_ms: u64::try_from(CLIENT_TIMEOUT.as_millis()).unwrap_or(200),
                max_redirections: self.settings.max_redirections.value,
            },
            timeout: args.timeout,
            sleep_for: node_timeout * 3 + LEAST_DOWN,
            restores_roles: script.restores_roles,
            is_held: args.hold,
        }
    }

    fn client(&self, options: &Options) -> LoadOptions {
        LoadOptions {
            rate: options.load.rate,
            value_bytes: options.load.value_bytes,
            client_timeout: CLIENT_TIMEOUT,
            max_redirections: options.load.max_redirections,
            refresh: self.failover.refresh.value,
            is_retrying: self.settings.retry_on_fail.value,
            run: String::new(),
            expire: Duration::ZERO,
        }
    }

    /// Where the nodes of the plan run, proven; nothing for faults that the servers do themselves.
    async fn hosts(
        &self,
        seen: &Survey,
        topology: &Topology,
        plan: &Plan,
    ) -> Result<(Option<Hosts>, BTreeMap<NodeId, String>), Failure> {
        let is_by_hook = self.args.via == Via::Hooks;
        let needs_host = |fault: crate::model::Fault| !fault.is_in_band() || is_by_hook;
        let mut needed: BTreeSet<&NodeId> = BTreeSet::new();
        for step in &plan.steps {
            needed.extend(step.victims.iter().filter(|_| needs_host(step.fault)));
            let second = step.second.iter().filter(|second| needs_host(second.fault));
            needed.extend(second.flat_map(|second| &second.victims));
        }
        if needed.is_empty() {
            return Ok((None, BTreeMap::new()));
        }
        let hosts = Hosts::connect(&self.host_options()?)
            .await
            .map_err(host_failure)?;
        let nodes: Vec<NodeAtHost> = needed
            .into_iter()
            .filter_map(|id| failover::at_host(seen, topology, id, &self.name()))
            .collect();
        let places = hosts.find(&nodes).await.map_err(host_failure)?;
        // Looking whether it can be done changes nothing, so a dry run tells it too.
        for (node, place) in nodes.iter().zip(&places) {
            for fault in failover::faults_to(plan, &node.id) {
                hosts.prepare(place, fault).await.map_err(host_failure)?;
            }
        }
        let ids = nodes.into_iter().map(|node| node.id);
        let told = places.iter().map(ToString::to_string);
        Ok((Some(hosts), ids.zip(told).collect()))
    }

    fn hooks(&self) -> Result<Option<HookCommands>, Failure> {
        let section = self.layers.section();
        let hooks = section.and_then(|section| section.hooks.as_ref());
        let commands = hooks.map(Hooks::commands).transpose();
        commands.map_err(|why| {
            Failure::usage(why).next("correct clusters.NAME.hooks in goodcache.yaml")
        })
    }

    fn host_options(&self) -> Result<HostOptions, Failure> {
        Ok(HostOptions {
            which: match self.args.via {
                Via::Auto => Which::Auto,
                Via::Docker => Which::Docker,
                Via::Local => Which::Local,
                Via::Hooks => Which::Hooks,
            },
            hooks: self.hooks()?,
        })
    }

    /// At a managed service only the service's own call fails a node over, and only by hooks.
    fn refuse_rented(&self, seen: &Survey) -> Result<(), Failure> {
        let Some(service) = seen.service else {
            return Ok(());
        };
        let hooks = self.hooks()?;
        if hooks.is_some_and(|hooks| !hooks.commands.is_empty()) {
            return Ok(());
        }
        let refused = |why: String| {
            let what =
                anyhow!("{service} lets no customer break a node: {why}; nothing was changed");
            Failure::new(Exit::Refused, what)
        };
        Err(match service.drill() {
            ServiceDrill::Template(_) if !seen.form.is_cluster() => refused(
                "goodcache drills clusters and what Sentinels watch, and this is neither".to_owned(),
            )
            .next("fail it over by the service's own call, unmeasured, and see goodcache check"),
            ServiceDrill::Template(name) => refused("it has a call of its own for that".to_owned())
                .next(format!(
                    "put hooks: {{template: {name}, id: ID}} under the cluster in goodcache.yaml, then: goodcache failover-test {} --fault failover --via hooks --timeout 10m",
                    self.name()
                )),
            ServiceDrill::None(why) => refused(why.to_owned())
                .next("drill a cluster of your own of the same version: goodcache create drill --local, then goodcache failover-test drill"),
        })
    }

    /// A name that was given as a yes must be the right one, before anything is done.
    fn require_name(&self) -> Result<(), Failure> {
        let name = self.name();
        match &self.args.confirm {
            Some(typed) if *typed != name => {
                let error = anyhow!(
                    "--confirm says '{typed}', the cluster is called '{name}'; nothing was changed"
                );
                let next = format!("repeat the name: --confirm {name}");
                Err(Failure::new(Exit::Refused, error).next(next))
            }
            _ => Ok(()),
        }
    }

    fn consent(&self, plan: &Plan) -> Result<Consent, Failure> {
        let name = self.name();
        if self.args.confirm.is_some() {
            return Ok(Consent::by_flag());
        }
        let times = crate::model::words::plural(plan.steps.len(), "fault", "faults");
        let end = match self.args.hold {
            true => "leaves it broken",
            false => "puts it back after each",
        };
        let question = format!("this breaks '{name}' on purpose ({times}) and {end}");
        let asked = self.screen.confirm_name(&question, &name);
        match asked.map_err(|error| Failure::new(Exit::Failed, error))? {
            Asked::Yes(consent) => Ok(consent),
            Asked::No => {
                let error = anyhow!("not confirmed; nothing was changed");
                Err(Failure::new(Exit::Refused, error))
            }
            Asked::Nobody => {
                let error =
                    anyhow!("nobody is there to confirm (no terminal); nothing was changed");
                let next = format!("confirm on the command line: --confirm {name}");
                Err(Failure::new(Exit::Refused, error).next(next))
            }
        }
    }

    /// The drill itself. However it ends, what is in the journal is put back.
    async fn drill(&self, ready: Ready) -> Result<Exit, Failure> {
        let _lock = ready.journal.lock().map_err(journal_failure)?;
        let is_bus_cut = !failover::cut_off(&ready.plan).is_empty();
        let _watchdog = match ready.hosts.is_some() || is_bus_cut {
            true => Some(watchdog::start(ready.journal.path())?),
            false => None,
        };
        let (client, events) = (self.client(&ready.options), self.screen.events());
        let drilling = Drilling {
            access: &ready.access,
            hosts: ready.hosts.as_ref(),
            journal: &ready.journal,
            options: &ready.options,
            client: &client,
            events: &events,
        };
        let name = ready.seen.name.clone().unwrap_or_else(|| self.name());
        let seen = Survey {
            name: Some(name),
            ..ready.seen
        };
        let drilled = failover::apply(&drilling, ready.plan, seen, ready.consent);
        #[cfg(debug_assertions)]
        let drilled = sabotage::failing(drilled, &ready.journal);
        let ended = until_signal(AssertUnwindSafe(drilled).catch_unwind()).await;
        let is_held = self.args.hold && matches!(ended, Ok(Ended::Done(Ok(Ok(_)))));
        let put_back = match is_held {
            true => 0,
            false => {
                let (hosts, access) = (ready.hosts.as_ref(), Some(&ready.access));
                self.put_back(&ready.journal, hosts, access).await?
            }
        };
        match ended.map_err(|error| Failure::new(Exit::Failed, error))? {
            Ended::Stopped(number) => {
                let nodes = crate::model::words::counted(put_back, "node");
                let keys = self.sweep(&ready.access).await;
                self.screen.say(&format!(
                    "goodcache: interrupted; {nodes} put back ('goodcache check' tells whether the cluster \
                     is whole); {keys}"
                ));
                Ok(stopped(number))
            }
            Ended::Done(Err(panic)) => Err(own_failure(panic.as_ref(), &self.name())),
            Ended::Done(Ok(Err(error))) => Err(drill_failure(error)),
            Ended::Done(Ok(Ok(recording))) => {
                let judged = self.judged(&recording);
                if let Some(path) = &self.args.record {
                    recorded::write(path, &recording)?;
                }
                if is_held {
                    self.screen.say(&format!(
                        "goodcache: left broken on purpose; put it back with: goodcache failover-test {} --heal",
                        self.name()
                    ));
                }
                let (exit, report) = judged?;
                self.keep_last(&recording, &report);
                Ok(exit)
            }
        }
    }

    fn judged(&self, recording: &Recording) -> Result<(Exit, failover::Report), Failure> {
        let baseline = match &self.args.compare {
            Some(path) => Some(recorded::read(path)?),
            None => None,
        };
        let report = failover::judge(recording, &self.failover.asked, baseline.as_ref());
        let exit = self.answer.report(&report, recording)?;
        Ok((exit, report))
    }
}

/// Where the journals lie.
fn drills(layers: &Layers) -> Result<PathBuf, Failure> {
    let profiles = layers.profiles.as_ref().ok_or_else(|| {
        let error = anyhow!("no home folder is known, so there is no place for the journal");
        Failure::new(Exit::Refused, error).next("set HOME or XDG_STATE_HOME")
    })?;
    Ok(profiles.drills_folder())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes a file whole or not at all.
fn write_file(path: &Path, text: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let fail = |error: &dyn std::fmt::Display| super::check::file_failure("write", path, error);
    let folder = folder_of(path);
    // As any file that this user makes: who collects the results of a CI job may be another.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut file = tempfile::Builder::new()
        .permissions(mode)
        .tempfile_in(folder)
        .map_err(|e| fail(&e))?;
    file.write_all(text).map_err(|e| fail(&e))?;
    file.persist(path).map_err(|e| fail(&e.error))?;
    Ok(())
}
