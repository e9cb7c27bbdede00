//! `goodcache restore`: from the words to a plan, consent, the run, the answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::backup::open::{self, failure};
use super::backup::{ground, import_failure, name_of, this_run};
use super::check::look;
use super::exit::{Exit, Failure};
use super::options::restore::{Args, Order as TypedOrder};
use super::options::{Format, Shared};
use super::reach::{self, now_ms};
use super::screen::{Asked, Screen};
use super::settings::{Layers, RepositorySettings, Settings, Target};
use super::signal::{Ended, Signals, unless_signalled_again};
use super::{block_on, layers_of, screen, stopped, values};
use crate::archive::{Access as ArchiveAccess, Creation, Manifest, Moment, Repository, SnapshotId};
use crate::cluster::{Access, Momentary};
use crate::model::{Slot, SlotSet};
use crate::ops::backup::keep;
use crate::ops::restore::{
    Existing, Options, Order, Place, Plan, Prepared, Restored, Select, Trouble, prepare,
};
use crate::render::{self, Doc, restore as words};

/// The longest that one command may hold a master up.
const STALL: Duration = Duration::from_millis(50);
/// The word for the latest snapshot.
const LATEST: &str = "latest";

/// Runs it.
pub(super) fn run(shared: &Shared, args: &Args) -> Result<Exit, Failure> {
    let (asked, targets) = split(args);
    let target = Target {
        words: targets,
        ..Target::default()
    };
    let layers = layers_of(shared, &target)?;
    let settings = Settings::resolve(&layers, shared, &[])?;
    let repository = RepositorySettings::resolve(&layers, shared, &args.place)?;
    let screen = screen(&settings, repository.rows());
    for notice in &repository.notices {
        screen.say(&format!("goodcache: {notice}"));
    }
    let restoring = Restoring {
        args,
        asked,
        layers: &layers,
        settings: &settings,
        repository: &repository,
        screen: &screen,
    };
    // It stops by itself, for it may have a setting to put back first.
    block_on(async {
        let mut signals = Signals::listen().context("cannot wait for signals")?;
        restoring.run(&mut signals).await
    })
}

/// The snapshot's name stands first, where there is one.
fn split(args: &Args) -> (String, Vec<String>) {
    match args.words.split_first() {
        Some((first, rest)) if args.rdb.is_empty() && is_snapshot(first) => {
            (first.clone(), rest.to_vec())
        }
        _ => (LATEST.to_owned(), args.words.clone()),
    }
}

/// Snapshots are called by their time: 20261124T163114.
fn is_snapshot(word: &str) -> bool {
    let is_time = || {
        let bytes = word.as_bytes();
        bytes.len() >= 4
            && bytes[..4].iter().all(u8::is_ascii_digit)
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
    };
    word == LATEST || is_time()
}

/// A restore being asked for.
struct Restoring<'a> {
    args: &'a Args,
    asked: String,
    layers: &'a Layers,
    settings: &'a Settings,
    repository: &'a RepositorySettings,
    screen: &'a Screen,
}

/// What is restored, and what holds it meanwhile.
struct Found {
    repository: Repository,
    manifest: Manifest,
    moment: Option<Arc<Moment>>,
    /// A repository of files that go again at the end.
    _folder: Option<Folder>,
}

impl Restoring<'_> {
    async fn run(&self, signals: &mut Signals) -> Result<Exit, Failure> {
        let preparing = async {
            self.settings.require_nodes()?;
            let mut access = reach::access_to_every_form(self.settings)?;
            let ground = ground(self.settings, &mut access, self.screen).await?;
            let found = self.find().await?;
            let place = self.place(access, ground, &found);
            self.begin_anew(&place)?;
            if place.settings.is_changed() {
                self.put_back(&place).await;
            }
            let prepared = prepare(place.clone(), self.options()).await.map_err(told)?;
            Ok::<_, Failure>((prepared, place, found))
        };
        let (prepared, place, _found) = match signals.until(preparing).await {
            Ended::Done(prepared) => prepared?,
            Ended::Stopped(number) => {
                self.screen.say("goodcache: stopped; nothing was changed");
                return Ok(stopped(number));
            }
        };
        if self.args.how.dry_run {
            return self.planned(&place.manifest, &prepared);
        }
        if !prepared.plan.refusals.is_empty() {
            return Err(refused(&prepared.plan));
        }
        self.consent(&prepared)?;
        prepared.note().map_err(told)?;
        if let Some((done, all)) = prepared.resumed() {
            self.screen.say(&format!(
                "goodcache: going on where the same command stopped: {done} of {all} pieces are in"
            ));
        }
        for warning in &prepared.plan.warnings {
            self.screen.say(&format!("goodcache: {warning}"));
        }
        match signals.until(prepared.run()).await {
            Ended::Done(Ok(restored)) => self.answer(&restored),
            Ended::Done(Err(trouble)) => {
                self.put_back(&place).await;
                Err(half_way(trouble))
            }
            Ended::Stopped(number) => {
                let by_hand = "set repl-diskless-sync-delay (5 by default) and rdbcompression (yes) back on the masters";
                let ending = self.put_back(&place);
                unless_signalled_again(ending, by_hand).await;
                self.screen
                    .say("goodcache: stopped half-way; the same command goes on where it stopped");
                Ok(stopped(number))
            }
        }
    }

    async fn find(&self) -> Result<Found, Failure> {
        if !self.args.rdb.is_empty() {
            return self.files().await;
        }
        let (repository, _) = open::open(self.repository.access()?).await?;
        if let Some(at) = self.args.at {
            return self.at(repository, at.before(now_ms())).await;
        }
        let manifest = match (self.asked.as_str(), &self.args.of) {
            (LATEST, Some(name)) => keep::find(&repository, LATEST, Some(name)).await,
            (LATEST, None) => return self.latest(repository).await,
            (id, _) => keep::find(&repository, id, None).await,
        };
        Ok(Found {
            manifest: manifest.map_err(failure)?,
            repository,
            moment: None,
            _folder: None,
        })
    }

    /// The target's own latest; another cluster's only when there is no other it could be.
    async fn latest(&self, repository: Repository) -> Result<Found, Failure> {
        let own = name_of(self.settings);
        let mut clusters = std::collections::BTreeSet::new();
        let mut latest = None;
        for id in repository.snapshots().await.map_err(failure)?.iter().rev() {
            let manifest = repository.manifest_of(id).await.map_err(failure)?;
            let is_own = manifest.cluster == own;
            clusters.insert(manifest.cluster.clone());
            if is_own || latest.is_none() {
                latest = Some(manifest);
            }
            if is_own {
                clusters = [own].into();
                break;
            }
        }
        match (latest, clusters.len()) {
            (Some(manifest), 1) => Ok(Found {
                manifest,
                repository,
                moment: None,
                _folder: None,
            }),
            (Some(_), _) => {
                let names = crate::model::words::listed(clusters, 8);
                let what = format!("the repository has snapshots of several clusters: {names}");
                Err(Failure::usage(what).next("say whose latest is meant: --of NAME"))
            }
            (None, _) => {
                let place = repository.place().to_owned();
                Err(failure(crate::archive::ArchiveError::NoSnapshots { place }))
            }
        }
    }

    /// The last snapshot before that moment, and what was archived from there to it.
    async fn at(&self, repository: Repository, at_ms: u64) -> Result<Found, Failure> {
        if self.args.words.first().is_some_and(|word| word != LATEST) && self.asked != LATEST {
            return Err(Failure::usage("--at finds the snapshot by itself")
                .next(format!("leave {} out", self.asked)));
        }
        let cluster = match &self.args.of {
            Some(name) => name.clone(),
            None => self.latest(repository.clone()).await?.manifest.cluster,
        };
        let moment = repository.moment(&cluster, at_ms).await.map_err(failure)?;
        let moment = moment.map_err(|none| {
            let hint = none.hint();
            Failure::new(Exit::Refused, none).next(hint)
        })?;
        let told = crate::model::words::timestamp(at_ms);
        if matches!(self.args.at, Some(values::When::Ago(_))) {
            self.screen.say(&format!(
                "goodcache: restoring {told}; should it stop half-way, go on with --at {told}"
            ));
        }
        Ok(Found {
            manifest: moment.base.clone(),
            moment: Some(Arc::new(moment)),
            repository,
            _folder: None,
        })
    }

    /// RDB files become a repository of their own, so that all that holds for snapshots holds for them.
    async fn files(&self) -> Result<Found, Failure> {
        let sources = keep::sources(&self.args.rdb).map_err(unreadable)?;
        let folder = Folder::make().map_err(|error| Failure::new(Exit::Failed, error))?;
        let access = ArchiveAccess {
            url: folder.0.display().to_string(),
            ..ArchiveAccess::default()
        };
        let creation = Creation {
            now_ms: now_ms(),
            ..Creation::default()
        };
        let repository = Repository::create_or_open(&access, &creation).await;
        let repository = repository.map_err(failure)?;
        let (run, events) = (this_run(), self.screen.events());
        let name = name_of(self.settings);
        let report = keep::import(&repository, &sources, &name, &run, now_ms(), &events)
            .await
            .map_err(unreadable)?;
        let id: &SnapshotId = report.id();
        let manifest = repository.manifest_of(id).await.map_err(failure)?;
        Ok(Found {
            repository,
            manifest,
            moment: None,
            _folder: Some(folder),
        })
    }

    fn place(&self, access: Access, ground: crate::ops::backup::Ground, found: &Found) -> Place {
        let name = name_of(self.settings);
        let file = |what: &str| {
            let profiles = self.layers.profiles.as_ref()?;
            Some(profiles.data_folder(&format!("{name}.{what}")))
        };
        Place {
            access,
            ground,
            repository: found.repository.clone(),
            manifest: Arc::new(found.manifest.clone()),
            moment: found.moment.clone(),
            // Files are read into another repository each time: there is nothing to go on with.
            journal: file("restore").filter(|_| self.args.rdb.is_empty()),
            settings: match file("restore-settings") {
                Some(path) => Momentary::journalled(path),
                None => Momentary::default(),
            },
            events: self.screen.events(),
        }
    }

    fn begin_anew(&self, place: &Place) -> Result<(), Failure> {
        match &place.journal {
            Some(path) if self.args.how.restart && path.exists() => std::fs::remove_file(path)
                .with_context(|| format!("could not remove {}", path.display()))
                .map_err(|error| Failure::new(Exit::Failed, error)),
            _ => Ok(()),
        }
    }

    fn options(&self) -> Options {
        let (which, existing, how) = (&self.args.which, &self.args.existing, &self.args.how);
        let of_tag = which.hash_tag.as_ref().map(|tag| {
            let slot = Slot::of_key(format!("{{{tag}}}").as_bytes());
            SlotSet::range(slot, slot)
        });
        let slots = match (which.slots.clone(), of_tag) {
            (Some(slots), Some(tag)) => Some(slots.intersection(&tag)),
            (slots, tag) => slots.or(tag),
        };
        let mut globs = which.keys.clone();
        if let Some(tag) = which.hash_tag.as_ref().filter(|_| globs.is_empty()) {
            globs.push(format!("*{{{}}}*", escaped(tag)));
        }
        Options {
            select: Select {
                globs,
                families: which.types.clone(),
                slots,
                min_ttl_ms: which
                    .min_ttl
                    .map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX)),
            },
            existing: match existing {
                _ if existing.flush => Existing::Flush,
                _ if existing.replace => Existing::Replace,
                _ if existing.skip_existing || existing.undelete => Existing::Skip,
                _ => Existing::Refuse,
            },
            order: match how.order {
                None | Some(TypedOrder::Slots) => Order::Slots,
                Some(TypedOrder::Hottest) => Order::Hottest,
            },
            with_acl: how.with_acl,
            is_proven: !how.no_verify,
            rate: how.rate,
            max_latency: how.max_latency,
            max_stall: how.max_stall.unwrap_or(STALL),
            target: name_of(self.settings),
            now_ms,
        }
    }

    /// What overwrites or removes keys needs the target's name.
    fn consent(&self, prepared: &Prepared) -> Result<(), Failure> {
        let name = name_of(self.settings);
        let existing = &self.args.existing;
        let confirmed = existing.confirm.as_ref();
        if let Some(typed) = confirmed.filter(|typed| **typed != name) {
            let what = anyhow!(
                "--confirm says '{typed}', the target is called '{name}'; nothing was changed"
            );
            return Err(Failure::new(Exit::Refused, what)
                .next(format!("repeat the name: --confirm {name}")));
        }
        let is_harmless = prepared.plan.target_keys == 0 || !(existing.replace || existing.flush);
        if is_harmless || confirmed.is_some() || prepared.resumed().is_some() {
            return Ok(());
        }
        let keys = crate::model::words::count(prepared.plan.target_keys);
        let question = match existing.flush {
            true => format!("every key of '{name}' will be removed first: {keys} keys"),
            false => format!(
                "keys of '{name}' that the snapshot has too will be replaced (it holds {keys} keys)"
            ),
        };
        let asked = self.screen.confirm_name(&question, &name);
        match asked.map_err(|error| Failure::new(Exit::Failed, error))? {
            Asked::Yes(_) => Ok(()),
            Asked::No => Err(Failure::new(
                Exit::Refused,
                anyhow!("not confirmed; nothing was changed"),
            )),
            Asked::Nobody => Err(Failure::new(
                Exit::Refused,
                anyhow!("nobody is there to confirm (no terminal); nothing was changed"),
            )
            .next(format!("confirm on the command line: --confirm {name}"))),
        }
    }

    fn planned(&self, manifest: &Manifest, prepared: &Prepared) -> Result<Exit, Failure> {
        let name = name_of(self.settings);
        self.write(
            &prepared.plan,
            &words::plan(manifest, &name, &prepared.plan),
        )?;
        Ok(match prepared.plan.refusals.is_empty() {
            true => Exit::Good,
            false => Exit::Refused,
        })
    }

    fn answer(&self, restored: &Restored) -> Result<Exit, Failure> {
        let name = name_of(self.settings);
        self.write(restored, &words::restored(&name, restored))?;
        Ok(match restored.is_whole() {
            true => Exit::Good,
            false => Exit::Bad,
        })
    }

    fn write(&self, report: &impl serde::Serialize, doc: &Doc) -> Result<(), Failure> {
        let text = match self.repository.output.value {
            Format::Json => render::json::envelope("restore", Some(now_ms()), report),
            Format::Markdown => render::markdown::text(doc),
            _ => render::terminal::text(doc, look(self.screen)),
        };
        self.screen
            .answer(&text)
            .context("could not write the answer to stdout")?;
        Ok(())
    }

    async fn put_back(&self, place: &Place) {
        for left in place.settings.put_back(&place.access).await {
            self.screen
                .say(&format!("goodcache: could not put a setting back: {left}"));
        }
    }
}

/// A pattern that stands for the text itself.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|c| match "*?[]\\^-".contains(c) {
            true => vec!['\\', c],
            false => vec![c],
        })
        .collect()
}

fn refused(plan: &Plan) -> Failure {
    let what: Vec<&str> = plan
        .refusals
        .iter()
        .map(|refusal| refusal.what.as_str())
        .collect();
    let mut failure = Failure::new(
        Exit::Refused,
        anyhow!("{}; nothing was changed", what.join("; ")),
    );
    for refusal in &plan.refusals {
        if !failure.next.contains(&refusal.next) {
            failure = failure.next(refusal.next.clone());
        }
    }
    failure
}

/// A file that cannot be read is here what a repository is that cannot be opened.
fn unreadable(error: keep::ImportError) -> Failure {
    let mut failure = import_failure(error);
    if failure.exit == Exit::Failed {
        failure.exit = Exit::CouldNotLook;
    }
    match failure.next.is_empty() {
        true => failure.next("name an RDB file, or a folder that has some: --rdb FILE|DIR"),
        false => failure,
    }
}

fn told(trouble: Trouble) -> Failure {
    let hint = trouble.hint();
    match trouble {
        Trouble::Archive(error) => failure(error),
        trouble => Failure::new(Exit::CouldNotLook, trouble).next(hint),
    }
}

fn half_way(trouble: Trouble) -> Failure {
    let hint = trouble.hint();
    let error = anyhow!(trouble).context("stopped half-way");
    Failure::new(Exit::HalfWay, error)
        .next(hint)
        .next("the same command goes on where it stopped")
}

/// A folder that goes with this.
struct Folder(PathBuf);

impl Folder {
    fn make() -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("goodcache-restore-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("could not make {}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left below TMPDIR harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_told_from_a_target() {
        for (word, is_one) in [
            ("latest", true),
            ("20261124T163114", true),
            ("20261124T163114-8f3a", true),
            ("2026", true),
            ("shop", false),
            ("10.0.0.5:7001", false),
            ("10.0.0.5", false),
        ] {
            assert_eq!(is_snapshot(word), is_one, "{word}");
        }
    }

    #[test]
    fn a_tag_stands_for_itself() {
        assert_eq!(escaped("a*b"), "a\\*b");
    }
}
