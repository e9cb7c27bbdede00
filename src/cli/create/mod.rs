//! `goodcache create`: nodes found or started, looked at, planned for, joined, proven usable, and
//! remembered under a name.

mod answer;
mod apart;
mod compose;
pub(super) mod provision;
mod remember;
mod renew;
mod rented;
mod tls;
mod users;
mod written;

use std::time::{Duration, Instant};

use super::exit::{Exit, Failure};
use super::reach;
use super::screen::{Asked, Screen};
use super::settings::{CreateSettings, Layers, Settings, Source};
use super::signal::{Ended, unless_signalled_again, until_signal};
use super::stopped;
use crate::cluster::{Access, Momentary};
use crate::model::{Consent, Finding, Losses, Severity, Silence};
use crate::ops::create::{self, Candidate, Joining, Options, Origin, Plan, Refusal, Standing};
use answer::Answer;
use provision::Provision;
pub(in crate::cli) use provision::{docker_failure, process_failure};

use super::options::create::Tolerate;

/// Between two looks at a node that loads its data.
const LOADING_PAUSE: Duration = Duration::from_millis(100);

/// Runs it.
pub async fn run(
    layers: &Layers,
    settings: &Settings,
    create: &CreateSettings,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let with_authority = tls::with_own_authority(layers, settings, create)?;
    let settings = with_authority.as_ref().unwrap_or(settings);
    let with_users = users::with_own_users(layers, settings, create)?;
    let running = Running {
        layers,
        settings: with_users.as_ref().unwrap_or(settings),
        create,
        screen,
    };
    if let Some(emitting) = &create.emit {
        return rented::write(&running, emitting);
    }
    if create.is_renewing {
        return renew::run(&running).await;
    }
    if let Some(path) = &create.write_compose {
        return compose::write_compose(&running, path);
    }
    match until_signal(running.prepare()).await {
        Ok(Ended::Done(Ok(Prepared::Go(go)))) => running.join(*go).await,
        Ok(Ended::Done(Ok(Prepared::End(exit)))) => Ok(exit),
        Ok(Ended::Done(Err(failure))) => Err(failure),
        Ok(Ended::Stopped(number)) => Ok(stopped(number)),
        Err(error) => Err(Failure::new(Exit::Failed, error)),
    }
}

/// One create under way.
struct Running<'a> {
    layers: &'a Layers,
    settings: &'a Settings,
    create: &'a CreateSettings,
    screen: &'a Screen,
}

/// How the preparation ended.
enum Prepared {
    /// There is something to join.
    Go(Box<Go>),
    /// There is nothing more to do.
    End(Exit),
}

/// What came of asking whether nodes may be started.
enum Start {
    /// The plan was shown, as a dry run asks.
    Shown,
    /// Yes.
    Agreed(Consent),
    /// They all run.
    Needless,
}

/// All that joining needs.
struct Go {
    access: Access,
    candidates: Vec<Candidate>,
    plan: Plan,
    /// Already given when nodes had to be started first.
    consent: Option<Consent>,
    changed: Momentary,
}

impl Running<'_> {
    fn name(&self) -> &str {
        &self.create.name.value
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            name: self.name(),
            format: self.create.output.value,
            screen: self.screen,
        }
    }

    /// Everything before the first change to a cluster.
    async fn prepare(&self) -> Result<Prepared, Failure> {
        let provision = Provision::of(self)?;
        let mut consent = None;
        if let Some(draft) = provision.draft(self)? {
            self.require_tolerance(&draft.survives)?;
            match self.agree_to_start(&provision, &draft).await? {
                Start::Shown => return Ok(Prepared::End(Exit::Good)),
                Start::Agreed(agreed) => consent = Some(agreed),
                Start::Needless => {}
            }
        }
        let mut access = provision.access(self)?;
        let origins = provision.start(self, &mut access).await?;
        access.seeds = origins.iter().map(|origin| origin.addr.clone()).collect();
        access = access.naming(origins.iter().map(|origin| origin.addr.clone()));
        let candidates = self.gather(&mut access, &origins).await?;
        let options = self.options(&origins)?;
        let plan = match self.plan(&candidates, &options)? {
            Ok(plan) => plan,
            Err(faults) => {
                let exit = self.answer().refusal(Refusal { faults })?;
                return Ok(Prepared::End(exit));
            }
        };
        if plan.standing != Standing::AlreadySo {
            self.require_tolerance(&plan.survives)?;
        }
        if self.create.is_dry_run {
            self.answer().plan(&plan)?;
            return Ok(Prepared::End(Exit::Good));
        }
        let changed = match &self.layers.profiles {
            Some(profiles) => {
                Momentary::journalled(profiles.data_folder(self.name()).with_extension("settings"))
            }
            None => Momentary::default(),
        };
        Ok(Prepared::Go(Box::new(Go {
            access,
            candidates,
            plan,
            consent,
            changed,
        })))
    }

    /// Asks before anything is started; what is only down needs no plan to be shown again.
    async fn agree_to_start(&self, provision: &Provision, draft: &Plan) -> Result<Start, Failure> {
        let stand = match provision.stand(self).await {
            // A plan can be shown without an engine.
            Err(_) if self.create.is_dry_run => None,
            stand => Some(stand?),
        };
        match stand {
            Some(stand) if stand.up >= stand.of => Ok(Start::Needless),
            _ if self.create.is_dry_run => {
                self.answer().plan(draft)?;
                Ok(Start::Shown)
            }
            Some(stand) if stand.made == stand.of => {
                let down = stand.of - stand.up;
                let question = format!("start the {down} of {} nodes that are down?", stand.of);
                self.consent(&question, None).map(Start::Agreed)
            }
            _ => {
                let question = provision.question(self);
                self.consent(&question, Some(draft)).map(Start::Agreed)
            }
        }
    }

    /// Looks at the nodes, asking for a password when they want one and somebody can type it.
    async fn gather(
        &self,
        access: &mut Access,
        origins: &[Origin],
    ) -> Result<Vec<Candidate>, Failure> {
        let candidates = self.gather_loaded(access, origins).await;
        let wants = |candidate: &Candidate| {
            candidate
                .silence()
                .is_some_and(|(silence, _)| silence == Silence::PasswordWanted)
        };
        if access.credentials.password.is_none()
            && candidates.iter().any(wants)
            && reach::ask_password(self.settings, access, self.screen)?
        {
            return Ok(self.gather_loaded(access, origins).await);
        }
        Ok(candidates)
    }

    /// Looks at the nodes. One that was started here may have data to load first; that is waited for.
    async fn gather_loaded(&self, access: &Access, origins: &[Origin]) -> Vec<Candidate> {
        let begun = Instant::now();
        loop {
            let candidates = create::gather(access, origins).await;
            let is_loading = candidates
                .iter()
                .any(|candidate| matches!(candidate.silence(), Some((Silence::Loading, _))));
            let is_ours = self.source() != Source::Nodes;
            if !is_loading || !is_ours || begun.elapsed() >= self.create.timeout.value {
                return candidates;
            }
            tokio::time::sleep(LOADING_PAUSE).await;
        }
    }

    fn options(&self, origins: &[Origin]) -> Result<Options, Failure> {
        let replicas = usize::from(self.create.replicas.value);
        let masters = self.create.masters.value.map(usize::from);
        Ok(Options {
            name: self.name().to_owned(),
            masters: masters.unwrap_or(origins.len() / (1 + replicas)),
            replicas,
            allow_small: self.create.allow_small.value,
            layout: written::layout(&self.create.layout, origins)?,
        })
    }

    /// The plan, or all faults at once. Warnings are told and do not stop it.
    fn plan(
        &self,
        candidates: &[Candidate],
        options: &Options,
    ) -> Result<Result<Plan, Vec<Finding>>, Failure> {
        let found = create::preflight(candidates, options);
        let (faults, minor): (Vec<Finding>, Vec<Finding>) = found
            .into_iter()
            .partition(|fault| fault.severity == Severity::Critical);
        if !faults.is_empty() {
            return Ok(Err(faults.into_iter().chain(minor).collect()));
        }
        let plan = create::plan(candidates, options);
        if plan.is_ok() && !minor.is_empty() {
            self.answer().warnings(&minor);
        }
        Ok(plan)
    }

    fn require_tolerance(&self, survives: &Losses) -> Result<(), Failure> {
        let (what, is_borne) = match self.create.require_tolerate.value {
            None => return Ok(()),
            Some(Tolerate::Host) => ("host", survives.all_hosts()),
            Some(Tolerate::Zone) => ("zone", survives.all_zones()),
        };
        if is_borne {
            return Ok(());
        }
        let losses = if what == "host" {
            &survives.hosts
        } else {
            &survives.zones
        };
        let fatal: Vec<&str> = losses
            .iter()
            .filter(|(_, survived)| !**survived)
            .map(|(name, _)| name.as_str())
            .collect();
        let why = match fatal.as_slice() {
            [] => format!("no {what}s are known (tell them with --zone ADDR=ZONE)"),
            fatal => format!(
                "it would not survive the loss of {what} {}",
                fatal.join(" or ")
            ),
        };
        let failure = Failure::new(
            Exit::Refused,
            anyhow::anyhow!("refused: {why}; nothing was changed"),
        );
        Err(failure.next(format!(
            "spread the nodes over at least three {what}s, or leave out --require-tolerate"
        )))
    }

    /// A yes, by flag or by answer.
    fn consent(&self, question: &str, plan: Option<&Plan>) -> Result<Consent, Failure> {
        if self.create.is_agreed {
            return Ok(Consent::by_flag());
        }
        if let Some(plan) = plan {
            self.answer().show_plan(plan);
        }
        let asked = self
            .screen
            .confirm(question)
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        match asked {
            Asked::Yes(consent) => Ok(consent),
            Asked::No => Err(Failure::new(
                Exit::Refused,
                anyhow::anyhow!("not agreed; nothing was changed"),
            )),
            Asked::Nobody => Err(Failure::new(
                Exit::Refused,
                anyhow::anyhow!("nobody is there to agree (no terminal); nothing was changed"),
            )
            .next("say yes on the command line with --yes, or see the plan with --dry-run")),
        }
    }

    /// Takes the plan's steps, or confirms what is already so.
    async fn join(&self, mut go: Go) -> Result<Exit, Failure> {
        let events = self.screen.events();
        let consent = go.consent.take();
        let joining = Joining {
            candidates: &go.candidates,
            access: &go.access,
            settings: &go.changed,
            events: &events,
            timeout: self.create.timeout.value,
        };
        if go.changed.is_changed() {
            // An earlier run was killed before it could put the setting back.
            go.changed.put_back(&go.access).await;
        }
        let mut report = if go.plan.standing == Standing::AlreadySo {
            create::confirm(&joining, &go.plan).await
        } else {
            let consent = match consent {
                Some(consent) => consent,
                None => self.consent(&self.question(&go.plan), Some(&go.plan))?,
            };
            match until_signal(create::apply(&joining, &go.plan, consent)).await {
                Ok(Ended::Done(report)) => report,
                Ok(Ended::Stopped(number)) => return Ok(self.put_right(&go, number).await),
                Err(error) => return Err(Failure::new(Exit::Failed, error)),
            }
        };
        if report.is_usable {
            apart::apart(self, &mut go, &mut report).await?;
            users::prove(self, &go.access, &mut report).await?;
        }
        self.screen.clear();
        if report.is_usable {
            remember::remember(self, &go.access)?;
        }
        self.answer().report(&report)
    }

    fn question(&self, plan: &Plan) -> String {
        let nodes: usize = plan
            .shards
            .iter()
            .map(|shard| 1 + shard.replicas.len())
            .sum();
        format!("join these {nodes} servers?")
    }

    async fn put_right(&self, go: &Go, number: i32) -> Exit {
        self.screen.clear();
        let by_hand = "set repl-diskless-sync-delay back on the masters (5 by default)";
        for left in unless_signalled_again(go.changed.put_back(&go.access), by_hand).await {
            self.screen
                .say(&format!("goodcache: could not put a setting back: {left}"));
        }
        self.screen
            .say("goodcache: stopped half-way; the same command goes on where it stopped");
        stopped(number)
    }
}

impl Running<'_> {
    fn source(&self) -> Source {
        self.create.source.value
    }
}
