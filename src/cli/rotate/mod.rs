//! `goodcache rotate-password`: journal, survey, preflight, plan, consent, steps, what became of them.

mod files;
mod follow;
mod passwords;

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use tokio_util::sync::CancellationToken;

use super::check::look;
use super::exit::{Exit, Failure};
use super::options::Format;
use super::options::rotate::Args;
use super::reach::{self, now_ms};
use super::screen::{Asked as Agreed, Screen};
use super::settings::{Layers, Settings, Target};
use super::signal::{self, Signals, unless_signalled_again};
use super::stopped;
use crate::cluster::{Access, Ask};
use crate::model::words::{counted, listed};
use crate::model::{Consent, Secret, Survey, Topology};
use crate::ops::rotate::{
    self, Asked, Journal, JournalError, Paused, Report, Rotating, Seen, State, Trouble, Until,
    hash_of, preflight, replicates,
};
use crate::render;
use files::Files;

/// So many reasons are told in an error.
const NAMED: usize = 8;
/// How long a link that is not as it should be may take to come back, and between two looks at it.
const LINK_PATIENCE: Duration = Duration::from_secs(5);
const LINK_PAUSE: Duration = Duration::from_millis(250);
/// Between two looks at the clients.
const CLIENTS_PAUSE: Duration = Duration::from_secs(1);

/// The cluster that the arguments mean. The plan names it before anybody agrees.
pub fn target(args: &Args) -> Target {
    Target {
        words: args.targets.clone(),
        ..Target::default()
    }
}

/// Runs it.
pub async fn run(
    layers: &Layers,
    settings: &Settings,
    args: &Args,
    screen: &Screen,
) -> Result<Exit, Failure> {
    settings.require_nodes()?;
    let login = settings
        .user
        .value
        .clone()
        .unwrap_or_else(|| "default".to_owned());
    let command = Rotation {
        layers,
        settings,
        args,
        screen,
        user: args.of.clone().unwrap_or_else(|| login.clone()),
        is_login: args.of.as_ref().is_none_or(|of| *of == login),
    };
    command.run().await
}

/// One rotation under way.
struct Rotation<'a> {
    layers: &'a Layers,
    settings: &'a Settings,
    args: &'a Args,
    screen: &'a Screen,
    /// Whose password.
    user: String,
    /// Whether goodcache itself logs in as that user.
    is_login: bool,
}

/// What a run ended with.
struct Came {
    paused: Result<Paused, Trouble>,
    signal: Option<i32>,
}

impl Rotation<'_> {
    async fn run(&self) -> Result<Exit, Failure> {
        let files = Files::of(self.layers, &self.settings.called(), &self.user)?;
        let _lock = match self.args.dry_run {
            true => None,
            false => Some(files.lock()?),
        };
        let earlier = Journal::read(&files.journal()).map_err(journal_failure)?;
        self.require_sense(earlier.as_ref())?;
        let new = self.new_password(&files, earlier.as_ref())?;
        let old = self.old_password(&files, earlier.as_ref());
        let mut access = reach::access(self.settings)?;
        if self.is_login {
            access.credentials.password = self.login_with(earlier.as_ref(), &new, &old);
        }
        let ask = Ask {
            is_brief: true,
            ..Ask::default()
        };
        let survey = reach::look(self.settings, &mut access, &ask, self.screen).await?;
        reach::require_answer(&survey)?;
        require_all(&survey)?;
        let topology = Topology::of(&survey);
        let mut seen = self.look_at_users(&access, &topology).await?;
        let hash = new.as_ref().map(|new| hash_of(&new.password));
        self.require_ready(&seen, hash.as_deref(), earlier.as_ref())?;
        let typed = access
            .credentials
            .password
            .clone()
            .filter(|_| self.is_login);
        let old = old.or(typed.filter(|typed| Some(hash_of(typed)) != hash));
        let mut journal = earlier.clone().unwrap_or_else(|| {
            self.begun(
                &seen,
                hash.as_deref().unwrap_or_default(),
                new.as_ref().and_then(|new| new.file.clone()),
            )
        });
        if self.args.dry_run {
            return self.answer(
                &survey,
                Report::of(&journal, &seen.nodes, State::Planned),
                Exit::Good,
            );
        }
        let consent = self.consent(&journal, &seen)?;
        let Some(new) = new else {
            return Err(Failure::new(
                Exit::Failed,
                anyhow!("there is no new password"),
            ));
        };
        journal.is_undoing = self.args.undo;
        let old = old.filter(|old| journal.old.contains(&hash_of(old)));
        self.keep_old(&files, &journal, old.as_ref(), &seen)?;
        new.keep()?;
        journal.write(&files.journal()).map_err(journal_failure)?;
        let old_auth = files.old_auth(&journal).or(old.clone());
        let passwords = Passwords {
            new: new.password,
            old,
            old_auth,
        };
        let came = self
            .drive(
                &files,
                &mut access,
                &mut journal,
                &mut seen,
                &passwords,
                &consent,
            )
            .await?;
        self.end(&files, &access, &survey, &journal, &seen, &passwords, came)
            .await
    }

    /// What the nodes hold; a link that is just coming back is given a moment.
    async fn look_at_users(&self, access: &Access, topology: &Topology) -> Result<Seen, Failure> {
        let begun = Instant::now();
        loop {
            let seen = rotate::look(access, topology, &self.user).await;
            let seen = seen.map_err(|error| {
                let hint = error.hint();
                Failure::new(Exit::CouldNotLook, error).next(hint)
            })?;
            if !rotate::is_settling(&seen.nodes) || begun.elapsed() >= LINK_PATIENCE {
                return Ok(seen);
            }
            tokio::time::sleep(LINK_PAUSE).await;
        }
    }

    fn begun(&self, seen: &Seen, hash: &str, file: Option<std::path::PathBuf>) -> Journal {
        let mut journal = Journal::new(
            &self.settings.called(),
            &self.user,
            now_ms(),
            hash,
            &seen.nodes,
        );
        journal.is_for_replication = replicates(&seen.nodes, &self.user);
        journal.new_file = file;
        journal
    }

    fn require_sense(&self, earlier: Option<&Journal>) -> Result<(), Failure> {
        let refused =
            |why: &str| Failure::new(Exit::Refused, anyhow!("{why}; nothing was changed"));
        match earlier {
            None if self.args.undo => Err(refused(&format!(
                "no rotation of the password of '{}' is under way",
                self.user
            ))),
            Some(journal) if journal.is_removing && self.args.undo => Err(refused(
                "the old password was removed on some node already, so there is no way back",
            )
            .next("go on: the same command with --finish")),
            Some(journal) if journal.is_undoing && !self.args.undo && !self.args.dry_run => {
                Err(refused("this rotation is on its way back")
                    .next("go on: the same command with --undo"))
            }
            _ => Ok(()),
        }
    }

    fn require_ready(
        &self,
        seen: &Seen,
        new: Option<&str>,
        journal: Option<&Journal>,
    ) -> Result<(), Failure> {
        let asked = Asked {
            user: &self.user,
            new,
            journal,
        };
        let faults = preflight(&seen.nodes, asked);
        if faults.is_empty() {
            return Ok(());
        }
        let failure = Failure::new(
            Exit::Refused,
            anyhow!("refused: {}; nothing was changed", listed(faults, NAMED)),
        );
        Err(failure.next("put that right (goodcache check tells more), then run it again"))
    }

    fn consent(&self, journal: &Journal, seen: &Seen) -> Result<Consent, Failure> {
        if self.args.yes {
            return Ok(Consent::by_flag());
        }
        let plan = Report::of(journal, &seen.nodes, State::Planned);
        self.screen
            .talk(&render::rotate::rotate(&plan, &self.line()));
        let nodes = counted(seen.nodes.len(), "node");
        let question = match (self.args.undo, self.until()) {
            (true, _) => format!("take the new password of '{}' back on {nodes}?", self.user),
            (false, Until::Clients) => format!("add a new password of '{}' on {nodes}?", self.user),
            (false, Until::End) => format!("replace the password of '{}' on {nodes}?", self.user),
        };
        let refused =
            |why: &str| Failure::new(Exit::Refused, anyhow!("{why}; nothing was changed"));
        let asked = self.screen.confirm(&question);
        match asked.map_err(|error| Failure::new(Exit::Failed, error))? {
            Agreed::Yes(consent) => Ok(consent),
            Agreed::No => Err(refused("not agreed")),
            Agreed::Nobody => Err(refused("nobody is there to agree (no terminal)")
                .next("say yes on the command line with --yes, or see the plan with --dry-run")),
        }
    }

    fn until(&self) -> Until {
        match self.args.finish || self.args.undo {
            true => Until::End,
            false => Until::Clients,
        }
    }

    /// Takes all steps, ours and the files'. A signal ends it after the step that is under way.
    async fn drive(
        &self,
        files: &Files,
        access: &mut Access,
        journal: &mut Journal,
        seen: &mut Seen,
        passwords: &Passwords,
        consent: &Consent,
    ) -> Result<Came, Failure> {
        let (stop, events) = (CancellationToken::new(), self.screen.events());
        let path = files.journal();
        let write = |journal: &Journal| journal.write(&path);
        let by_hand = self.line();
        let mut signals = Signals::listen().context("cannot wait for signals")?;
        let mut until = self.until();
        let mut signal = None;
        loop {
            let now = access.clone();
            let rotating = rotating(&now, passwords, &stop, &events, &write);
            let paused = {
                let steps = rotating.run(journal, &mut seen.nodes, until, consent);
                tokio::pin!(steps);
                match signals.until(&mut steps).await {
                    signal::Ended::Done(paused) => paused,
                    signal::Ended::Stopped(number) => {
                        signal = Some(number);
                        self.screen
                            .say("goodcache: stopping, after the step that is under way");
                        stop.cancel();
                        unless_signalled_again(steps, &by_hand).await
                    }
                }
            };
            match paused {
                Ok(Paused::Follow) => {
                    self.follow(files, journal, &passwords.new).await?;
                    if self.is_login {
                        access.credentials.password = Some(passwords.new.clone());
                    }
                }
                Ok(Paused::Unfollow) => {
                    self.unfollow(files, journal, passwords.old.as_ref())
                        .await?
                }
                Ok(Paused::Clients) if self.args.wait_for_clients.is_some() && signal.is_none() => {
                    let waiting = self.await_clients(&rotating, journal, seen);
                    match signals.until(waiting).await {
                        signal::Ended::Done(Ok(true)) => until = Until::End,
                        signal::Ended::Done(Ok(false)) => {
                            return Ok(Came {
                                paused: Ok(Paused::Clients),
                                signal,
                            });
                        }
                        signal::Ended::Done(Err(trouble)) => {
                            return Ok(Came {
                                paused: Err(trouble),
                                signal,
                            });
                        }
                        signal::Ended::Stopped(number) => {
                            return Ok(Came {
                                paused: Ok(Paused::Stopped),
                                signal: Some(number),
                            });
                        }
                    }
                }
                paused => return Ok(Came { paused, signal }),
            }
        }
    }

    /// Whether every connection is younger than the new password before the time is over.
    async fn await_clients(
        &self,
        rotating: &Rotating<'_>,
        journal: &Journal,
        seen: &Seen,
    ) -> Result<bool, Trouble> {
        let (begun, patience) = (
            Instant::now(),
            self.args.wait_for_clients.unwrap_or_default(),
        );
        let events = self.screen.events();
        events.begin("waiting for the clients");
        loop {
            let lingering = rotating.lingering(journal, &seen.nodes).await?;
            let older: usize = lingering.iter().map(|node| node.older).sum();
            if older == 0 {
                events.done("no connection is older than the new password");
                return Ok(true);
            }
            if begun.elapsed() >= patience {
                events.done(format!(
                    "{} older than the new password",
                    counted(older, "connection")
                ));
                return Ok(false);
            }
            tokio::time::sleep(CLIENTS_PAUSE.min(patience)).await;
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that was seen and done is told"
    )]
    async fn end(
        &self,
        files: &Files,
        access: &Access,
        survey: &Survey,
        journal: &Journal,
        seen: &Seen,
        passwords: &Passwords,
        came: Came,
    ) -> Result<Exit, Failure> {
        self.screen.clear();
        let state = match &came.paused {
            Ok(Paused::Done) => State::Done,
            Ok(Paused::Undone) => State::Undone,
            Ok(Paused::Clients) => State::ClientsTurn,
            Ok(_) | Err(_) => State::Stopped,
        };
        let mut report = Report::of(journal, &seen.nodes, state);
        report.notes = self.notes(journal, state);
        let exit = match (&came.paused, came.signal) {
            (Err(trouble), _) => {
                report.stopped = Some(trouble.to_string());
                if journal.is_begun() {
                    Exit::HalfWay
                } else {
                    Exit::CouldNotLook
                }
            }
            (Ok(Paused::Stopped), Some(number)) => {
                report.stopped = Some("it was told to stop".to_owned());
                stopped(number)
            }
            (Ok(Paused::Clients), _) if self.args.wait_for_clients.is_some() => Exit::HalfWay,
            _ => Exit::Good,
        };
        match state {
            State::ClientsTurn => {
                let (stop, events) = (CancellationToken::new(), self.screen.events());
                let write = |_: &Journal| Ok::<(), JournalError>(());
                let rotating = rotating(access, passwords, &stop, &events, &write);
                match rotating.lingering(journal, &seen.nodes).await {
                    Ok(lingering) => report.lingering = lingering,
                    Err(trouble) => report
                        .notes
                        .push(format!("connections could not be counted: {trouble}")),
                }
            }
            State::Done => {
                let kept = files.close(journal, self.is_saved())?;
                report.new_password_file = kept.map(|file| file.display().to_string());
            }
            State::Undone => files.take_back(journal)?,
            State::Planned | State::Stopped => {}
        }
        self.answer(survey, report, exit)
    }

    fn answer(&self, survey: &Survey, report: Report, exit: Exit) -> Result<Exit, Failure> {
        let doc = render::rotate::rotate(&report, &self.line());
        let text = match self.args.output.unwrap_or(Format::Table) {
            Format::Json => {
                render::json::envelope("rotate-password", Some(survey.taken_at_ms), &report)
            }
            Format::Markdown => render::markdown::text(&doc),
            _ => render::terminal::text(&doc, look(self.screen)),
        };
        self.screen
            .answer(&text)
            .context("could not write the answer to stdout")?;
        Ok(exit)
    }

    /// The command that goes on.
    fn line(&self) -> String {
        let mut line = "goodcache rotate-password".to_owned();
        for target in &self.args.targets {
            line.push_str(&format!(" {target}"));
        }
        if let Some(user) = &self.args.of {
            line.push_str(&format!(" --of {user}"));
        } else if let Some(user) = &self.settings.user.value {
            line.push_str(&format!(" --user {user}"));
        }
        line
    }
}

/// The passwords of a rotation.
struct Passwords {
    new: Secret,
    old: Option<Secret>,
    old_auth: Option<Secret>,
}

fn rotating<'a>(
    access: &'a Access,
    passwords: &'a Passwords,
    stop: &'a CancellationToken,
    events: &'a crate::model::Events,
    write: &'a (dyn Fn(&Journal) -> Result<(), JournalError> + Sync),
) -> Rotating<'a> {
    Rotating {
        access,
        new: &passwords.new,
        old: passwords.old.as_ref(),
        old_auth: passwords.old_auth.as_ref(),
        stop,
        events,
        now_ms,
        write,
    }
}

/// A node that is away would keep the old password, and come back unable to replicate.
fn require_all(survey: &Survey) -> Result<(), Failure> {
    let away = survey.nodes.iter().filter(|node| node.facts().is_none());
    let away: Vec<String> = away
        .map(|node| match node.silence() {
            Some(silence) => format!("{} ({silence})", node.addr),
            None => node.addr.to_string(),
        })
        .collect();
    if away.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        anyhow!(
            "refused: {} of {} away: {}; it would come back with the old password alone, and nothing was changed",
            away.len(),
            counted(survey.nodes.len(), "node"),
            listed(away, NAMED)
        ),
    )
    .next("bring it back, or take it out of the cluster (CLUSTER FORGET), then run it again"))
}

fn journal_failure(error: JournalError) -> Failure {
    Failure::new(Exit::Failed, error).next(
        "check the file, its owner and the space left; the passwords of the nodes are as they were noted last",
    )
}
