//! `goodcache backup` without a subcommand: takes a snapshot, or one after another (`every`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::every::{self, Every};
use super::follow::{self, Follow};
use super::open::{failure, open_or_make};
use super::{refuse_mistyped, this_run};
use crate::archive::{Access as ArchiveAccess, Repository};
use crate::cli::acl;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::{Args, CutBy, ReadFrom, Take, Way, WireBy};
use crate::cli::options::{Format, Shared};
use crate::cli::progress::ShardBars;
use crate::cli::reach::{self, now_ms};
use crate::cli::screen::Screen;
use crate::cli::settings::{Layers, RepositorySettings, Second, Settings, Target};
use crate::cli::signal::{Ended, Signals, unless_signalled_again};
use crate::cli::{block_on, layers_of, stopped};
use crate::cluster::{Access, Ask, Momentary};
use crate::model::words::bytes;
use crate::ops::backup::{
    Cut, From, Gauges, Ground, Options, Place, Taken, Trouble, UnderWay, Via, Wire, capture,
};
use crate::render::{self, backup};

/// How long the servers hold a pause at the most.
const PAUSE: Duration = Duration::from_secs(1);
/// Objects of another run that were last written before this long are nobody's.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Runs it.
pub(super) fn run(shared: &Shared, args: &Args) -> Result<Exit, Failure> {
    let (every, follow) = (Every::of(&args.take)?, Follow::of(&args.take)?);
    let target = Target {
        words: args.take.targets.clone(),
        role: Some(acl::BACKUP_USER),
        ..Target::default()
    };
    let layers = layers_of(shared, &target)?;
    refuse_mistyped(&args.take.targets, &layers.known_names())?;
    let settings = Settings::resolve(&layers, shared, &[])?;
    let mut repository = RepositorySettings::resolve(&layers, shared, &args.place)?;
    let also = also(&layers, &args.take, &mut repository)?;
    let screen = crate::cli::screen(&settings, repository.rows());
    for notice in &repository.notices {
        screen.say(&format!("goodcache: {notice}"));
    }
    let taking = Taking {
        layers: &layers,
        settings: &settings,
        repository: &repository,
        also,
        take: &args.take,
        screen: &screen,
    };
    // It stops by itself, for it has something to put back first.
    block_on(async {
        let mut signals = Signals::listen().context("cannot wait for signals")?;
        match (every, follow) {
            (Some(every), _) => every::run(&taking, &every, &mut signals).await,
            (None, Some(follow)) => follow::run(&taking, &follow, &mut signals).await,
            (None, None) => taking.alone(&mut signals).await,
        }
    })
}

/// The ways to the repositories that get copies.
fn also(
    layers: &Layers,
    take: &Take,
    first: &mut RepositorySettings,
) -> Result<Vec<ArchiveAccess>, Failure> {
    let file = take.also_passphrase_file.as_ref();
    let mut access = |url: &String| Second::ALSO.access(layers, url, file, first);
    take.also.iter().map(&mut access).collect()
}

/// The ways to the cluster and to the repositories. What somebody types on the way stays in them.
pub(super) struct Ways {
    cluster: Access,
    first: ArchiveAccess,
    also: Vec<ArchiveAccess>,
}

/// A snapshot being asked for.
pub(super) struct Taking<'a> {
    layers: &'a Layers,
    pub(super) settings: &'a Settings,
    pub(super) repository: &'a RepositorySettings,
    also: Vec<ArchiveAccess>,
    take: &'a Take,
    pub(super) screen: &'a Screen,
}

/// How a snapshot ended that did not fail.
pub(super) enum Round {
    /// Taken, and in this repository.
    Taken(Repository),
    /// Stopped by a signal; what was changed is put back.
    Stopped(Exit),
}

impl Taking<'_> {
    async fn alone(&self, signals: &mut Signals) -> Result<Exit, Failure> {
        let mut ways = self.ways()?;
        Ok(match self.once(&mut ways, signals).await? {
            Round::Taken(_) => Exit::Good,
            Round::Stopped(exit) => exit,
        })
    }

    /// The ways there, as far as they are known without asking.
    pub(super) fn ways(&self) -> Result<Ways, Failure> {
        let first = self.repository.access()?;
        self.settings.require_nodes()?;
        Ok(Ways {
            cluster: reach::access_to_every_form(self.settings)?,
            first,
            also: self.also.clone(),
        })
    }

    /// Takes one, and answers.
    pub(super) async fn once(
        &self,
        ways: &mut Ways,
        signals: &mut Signals,
    ) -> Result<Round, Failure> {
        let place = match signals.until(self.prepare(ways)).await {
            Ended::Done(place) => place?,
            Ended::Stopped(number) => {
                self.screen
                    .say("goodcache: stopped before a snapshot was begun");
                return Ok(Round::Stopped(stopped(number)));
            }
        };
        let bars = ShardBars::new(self.screen);
        let place = Place {
            watch: bars.watching(),
            events: bars.events(),
            ..place
        };
        let options = self.options();
        let ended = signals.until(capture(&place, &options)).await;
        bars.clear();
        match ended {
            Ended::Done(Ok(taken)) => self.answer(place, ways, &taken, signals).await,
            Ended::Done(Err(trouble)) => Err(told(trouble)),
            Ended::Stopped(number) => Ok(Round::Stopped(self.stop(&place, number).await)),
        }
    }

    pub(super) async fn prepare(&self, ways: &mut Ways) -> Result<Place, Failure> {
        let ground = ground(self.settings, &mut ways.cluster, self.screen).await?;
        let changed = self.changed();
        if changed.is_changed() {
            // An earlier run was killed before it could put the setting back. That does not wait for
            // the repository, which may not open.
            self.put_back(&changed, &ways.cluster).await;
        }
        let (repository, first) = open_or_make(ways.first.clone()).await?;
        ways.first = first;
        self.sweep(&repository).await;
        Ok(self.place(ways.cluster.clone(), ground, repository, changed))
    }

    async fn answer(
        &self,
        place: Place,
        ways: &mut Ways,
        taken: &Taken,
        signals: &mut Signals,
    ) -> Result<Round, Failure> {
        match signals.until(self.taken(&place, ways, taken)).await {
            Ended::Done(told) => told.map(|()| Round::Taken(place.repository)),
            Ended::Stopped(number) => {
                let id = &taken.manifest.id;
                self.screen.say(&format!(
                    "goodcache: stopped; snapshot {id} is taken, its copies may be missing"
                ));
                Ok(Round::Stopped(stopped(number)))
            }
        }
    }

    /// What earlier runs left behind goes first: it may be what fills the store. Where nothing may be
    /// deleted a snapshot can be taken all the same.
    async fn sweep(&self, repository: &Repository) {
        let sweeping = async {
            let leftovers = repository.leftovers(now_ms(), GRACE).await?;
            repository.sweep(&leftovers).await
        };
        match sweeping.await {
            Ok(swept) => swept.iter().for_each(|left| {
                self.screen.say(&format!(
                    "goodcache: swept what an interrupted run left: {}, {}",
                    left.id,
                    bytes(left.bytes)
                ));
            }),
            Err(error) => self.screen.say(&format!(
                "goodcache: what interrupted runs left is not swept: {error}"
            )),
        }
    }

    /// The list of what must be put back lies by the cluster's name, whole: addresses hold dots.
    fn changed(&self) -> Momentary {
        match &self.layers.profiles {
            Some(profiles) => {
                let name = format!("{}.backup-settings", name_of(self.settings));
                Momentary::journalled(profiles.data_folder(&name))
            }
            None => Momentary::default(),
        }
    }

    fn place(
        &self,
        access: Access,
        ground: Ground,
        repository: Repository,
        settings: Momentary,
    ) -> Place {
        Place {
            access,
            ground,
            repository,
            settings,
            under_way: UnderWay::default(),
            events: crate::model::Events::ignored(),
            watch: Arc::new(|_: &Arc<Gauges>| {}),
            begun: None,
        }
    }

    pub(super) fn options(&self) -> Options {
        let take = self.take;
        let pause = take.max_stall.unwrap_or(PAUSE);
        Options {
            cluster: name_of(self.settings),
            from: match take.from {
                None | Some(ReadFrom::Best) => From::Best,
                Some(ReadFrom::Replicas) => From::Replicas,
                Some(ReadFrom::Masters) => From::Masters,
            },
            via: match take.via {
                None | Some(Way::Auto) => Via::Auto,
                Some(Way::Psync) => Via::Replication,
                Some(Way::Scan) => Via::Scan,
            },
            wire: match take.wire {
                None | Some(WireBy::Auto) => Wire::Auto,
                Some(WireBy::Plain) => Wire::Plain,
                Some(WireBy::Packed) => Wire::Packed,
            },
            cut: match take.cut {
                None => Cut::Best(pause),
                Some(CutBy::Barrier) => Cut::Barrier(pause),
                Some(CutBy::Clock) => Cut::Clock,
            },
            rate: take.rate,
            parallel: take.parallel.map(usize::from),
            is_partial: take.partial,
            run: this_run(),
            labels: take.label.iter().cloned().collect::<BTreeMap<_, _>>(),
            now_ms,
        }
    }

    pub(super) async fn taken(
        &self,
        place: &Place,
        ways: &mut Ways,
        taken: &Taken,
    ) -> Result<(), Failure> {
        let (doc, report) = (
            backup::taken(taken, place.repository.place()),
            backup::taken_report(taken),
        );
        let text = match self.repository.output.value {
            Format::Json => render::json::envelope("backup", Some(now_ms()), &report),
            Format::Markdown => render::markdown::text(&doc),
            _ => render::terminal::text(&doc, crate::cli::check::look(self.screen)),
        };
        self.copies(place, ways, taken).await?;
        let told = self.screen.answer(&text);
        told.context("could not write the answer to stdout")?;
        Ok(())
    }

    /// The copies elsewhere. The snapshot itself is there already, whatever becomes of them.
    async fn copies(&self, place: &Place, ways: &mut Ways, taken: &Taken) -> Result<(), Failure> {
        let id = &taken.manifest.id;
        for way in &mut ways.also {
            let passphrase = way.passphrase.take();
            way.passphrase = passphrase.or_else(|| ways.first.passphrase.clone());
            let copied = async {
                let (other, opened) = open_or_make(way.clone()).await?;
                *way = opened;
                let copy = place.repository.copy_to(&other, id, &this_run()).await;
                copy.map_err(failure)
            };
            let copied = copied.await;
            let url = &way.url;
            let copied =
                copied.map_err(|failure| {
                    let own = way.options.variables != ways.first.options.variables;
                    failure.next(format!(
                    "the snapshot is in {}; copy it again: goodcache backup copy {id} --to {url}{}",
                    place.repository.place(),
                    if own { ", with GOODCACHE_TO_ for GOODCACHE_ALSO_" } else { "" }
                ))
                })?;
            self.screen.say(&format!(
                "copied to {url}: {}, {}",
                crate::model::words::counted(copied.objects as usize, "object"),
                bytes(copied.bytes)
            ));
        }
        Ok(())
    }

    async fn stop(&self, place: &Place, number: i32) -> Exit {
        let by_hand = "set repl-diskless-sync-delay (5 by default) and rdbcompression (yes) back on the nodes \
                       that were read";
        let ending = async {
            self.put_back(&place.settings, &place.access).await;
            place.under_way.end(&place.repository).await;
        };
        unless_signalled_again(ending, by_hand).await;
        self.screen.say(
            "goodcache: stopped; no snapshot was taken, and the next run sweeps what is left of it",
        );
        stopped(number)
    }

    async fn put_back(&self, settings: &Momentary, access: &Access) {
        for left in settings.put_back(access).await {
            self.screen
                .say(&format!("goodcache: could not put a setting back: {left}"));
        }
    }
}

/// What is there; the way to it stays in `access`.
pub(in crate::cli) async fn ground(
    settings: &Settings,
    access: &mut Access,
    screen: &Screen,
) -> Result<Ground, Failure> {
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    let seen = reach::look(settings, access, &ask, screen).await?;
    reach::require_answer(&seen)?;
    Ok(Ground::of(&seen))
}

/// The name that a cluster bears in a repository: its own, else that of the master that Sentinels
/// watch, where it was given, else the address.
pub(in crate::cli) fn name_of(settings: &Settings) -> String {
    let nodes = &settings.nodes.value;
    let named = settings.cluster.value.as_ref();
    match (named.or(settings.master_name.value.as_ref()), nodes.first()) {
        (Some(name), _) => name.clone(),
        (None, Some(first)) => first.to_string(),
        (None, None) => "cluster".to_owned(),
    }
}

pub(super) fn told(trouble: Trouble) -> Failure {
    let hint = trouble.hint();
    match trouble {
        Trouble::Archive(error) => {
            let failure = failure(error);
            Failure {
                exit: Exit::Failed,
                error: failure.error.context("no snapshot was taken"),
                next: failure.next,
            }
        }
        Trouble::NoSource(_) => Failure::new(Exit::Refused, trouble).next(hint),
        Trouble::NoLook(_) => Failure::new(Exit::CouldNotLook, trouble).next(hint),
        _ => Failure::new(
            Exit::Failed,
            anyhow::anyhow!(trouble).context("no snapshot was taken"),
        )
        .next(hint),
    }
}
