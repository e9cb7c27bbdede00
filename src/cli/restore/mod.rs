//! `goodcache restore`: from the words to a plan, consent, the run, the answer. Which snapshot is meant
//! is found in `find`.

mod find;
mod folder;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};

use self::find::{Found, split};
use super::backup::open::failure;
use super::backup::{ground, name_of};
use super::check::look;
use super::exit::{Exit, Failure};
use super::options::restore::{Args, Existing as ExistingKeys, Order as TypedOrder};
use super::options::{Format, Shared};
use super::reach::{self, now_ms};
use super::screen::{Asked, Screen};
use super::settings::{Layers, RepositorySettings, Settings, Target};
use super::signal::{Ended, Signals, unless_signalled_again};
use super::{block_on_few, layers_of, screen, stopped};
use crate::cluster::{Access, Momentary};
use crate::model::words::{count, timestamp};
use crate::model::{Slot, SlotSet};
use crate::ops::restore::{
    self, Existing, Options, Order, Place, Plan, Prepared, Restored, Select, Trouble, Turn, prepare,
};
use crate::render::{self, Doc, restore as words};

/// The longest that one command may hold a master up.
const STALL: Duration = Duration::from_millis(50);

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
    block_on_few(async {
        let mut signals = Signals::listen().context("cannot wait for signals")?;
        restoring.run(&mut signals).await
    })
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

impl Restoring<'_> {
    async fn run(&self, signals: &mut Signals) -> Result<Exit, Failure> {
        let preparing = async {
            self.settings.require_nodes()?;
            let mut access = reach::access_to_every_form(self.settings)?;
            let ground = ground(self.settings, &mut access, self.screen).await?;
            let found = self.find().await?;
            let mut place = self.place(access, ground, &found);
            let turn = self.turn(&place)?;
            self.begin_anew(&mut place)?;
            // What another run changes at the moment is its own to put back; a look has no turn.
            if place.settings.is_changed() && !self.args.how.dry_run {
                self.put_back(&place).await;
            }
            let prepared = prepare(place.clone(), self.options()).await.map_err(told)?;
            Ok::<_, Failure>((prepared, place, found, turn))
        };
        let (mut prepared, place, _found, _turn) = match signals.until(preparing).await {
            Ended::Done(prepared) => prepared?,
            Ended::Stopped(number) => {
                self.screen.say("goodcache: stopped; nothing was changed");
                return Ok(stopped(number));
            }
        };
        if self.args.how.dry_run {
            return self.planned(&prepared);
        }
        for warning in &prepared.plan.warnings {
            self.screen.say(&format!("goodcache: {warning}"));
        }
        if !prepared.plan.refusals.is_empty() {
            return Err(refused(&prepared.plan));
        }
        self.consent(&prepared)?;
        prepared.note().map_err(told)?;
        if let Some(resumed) = &prepared.plan.resumed {
            self.screen.say(&format!(
                "goodcache: going on where the same command stopped, which began {}: {} of {} pieces are in",
                timestamp(resumed.began_ms),
                resumed.pieces_done,
                resumed.pieces
            ));
        }
        match signals.until(prepared.run()).await {
            Ended::Done(Ok(restored)) => self.answer(&restored),
            Ended::Done(Err(trouble)) => {
                self.put_back(&place).await;
                Err(half_way(trouble, &place))
            }
            Ended::Stopped(number) => {
                let by_hand = "set repl-diskless-sync-delay (5 by default), rdbcompression (yes) and lazyfree-lazy-server-del (no, on Valkey yes) back on the masters";
                let ending = self.put_back(&place);
                unless_signalled_again(ending, by_hand).await;
                let (how_far, next) = how_far(&place);
                self.screen
                    .say(&format!("goodcache: stopped half-way{how_far}; {next}"));
                Ok(stopped(number))
            }
        }
    }

    fn place(&self, access: Access, ground: crate::ops::backup::Ground, found: &Found) -> Place {
        let name = name_of(self.settings);
        let profiles = self.layers.profiles.as_ref();
        let journal = profiles.map(|profiles| profiles.restore_path(&name));
        let settings = profiles.map(|profiles| profiles.restore_settings_path(&name));
        Place {
            access,
            ground,
            repository: found.repository.clone(),
            manifest: Arc::new(found.manifest.clone()),
            moment: found.moment.clone(),
            journal,
            is_passing: !self.args.rdb.is_empty(),
            settings: match settings {
                Some(path) => Momentary::journalled(path),
                None => Momentary::default(),
            },
            events: self.screen.events(),
        }
    }

    /// A look changes nothing and waits for nobody.
    fn turn(&self, place: &Place) -> Result<Option<Turn>, Failure> {
        let journal = place.journal.as_ref().filter(|_| !self.args.how.dry_run);
        let turn = journal.map(|path| Turn::take(path, now_ms())).transpose();
        turn.map_err(told)
    }

    fn begin_anew(&self, place: &mut Place) -> Result<(), Failure> {
        if self.args.how.restart && self.args.how.dry_run {
            place.journal = None;
        }
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
        Options {
            select: Select {
                globs: which.keys.clone(),
                tag: which.hash_tag.as_ref().map(|tag| tag.clone().into_bytes()),
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
        let question = match question(&name, &prepared.plan, existing) {
            Some(question) if confirmed.is_none() => question,
            _ => return Ok(()),
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

    fn planned(&self, prepared: &Prepared) -> Result<Exit, Failure> {
        self.write(&prepared.plan, &words::plan(&prepared.plan))?;
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

/// What must be agreed to by the target's name; `None` when nothing need be. A run that goes on was agreed
/// to, unless that is long ago.
fn question(name: &str, plan: &Plan, existing: &ExistingKeys) -> Option<String> {
    let keys = count(plan.target_keys);
    let old = plan.resumed.as_ref().filter(|resumed| resumed.is_old);
    if plan.target_keys == 0 || plan.resumed.is_some() && old.is_none() {
        return None;
    }
    if let Some(old) = old {
        let began = timestamp(old.began_ms);
        return Some(format!(
            "this goes on with a restore into '{name}' that began {began} and was left more than a day \
             ago; the target holds {keys} keys, and what was written there since may be replaced \
             (--restart begins anew)"
        ));
    }
    match existing {
        _ if existing.flush => Some(format!(
            "every key of '{name}' will be removed first: {keys} keys"
        )),
        _ if existing.replace => Some(format!(
            "keys of '{name}' that the snapshot has too will be replaced (it holds {keys} keys)"
        )),
        _ => None,
    }
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

fn told(trouble: Trouble) -> Failure {
    let hint = trouble.hint();
    match trouble {
        Trouble::Archive(error) => failure(error),
        taken @ Trouble::Taken(_) => Failure::new(Exit::Refused, taken).next(hint),
        trouble => Failure::new(Exit::CouldNotLook, trouble).next(hint),
    }
}

/// How far it came, in brackets after a blank (nothing when nothing was noted), and the next step.
fn how_far(place: &Place) -> (String, &'static str) {
    let pieces = place.manifest.shards.iter().map(|shard| shard.base.len());
    let noted = place.journal.as_deref();
    let noted = noted.and_then(|path| restore::how_far(path, pieces.sum()));
    match noted {
        Some(noted) => (format!(" ({})", noted.told), noted.next),
        None => (String::new(), restore::GO_ON),
    }
}

fn half_way(trouble: Trouble, place: &Place) -> Failure {
    let hint = trouble.hint();
    let (how_far, next) = how_far(place);
    let error = anyhow!(trouble).context(format!("stopped half-way{how_far}"));
    Failure::new(Exit::HalfWay, error).next(hint).next(next)
}
