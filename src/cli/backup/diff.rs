//! `goodcache backup diff`.

use super::take::{ground, name_of};
use super::{Keeping, open::failure};
use crate::archive::{Manifest, Repository};
use crate::cli::exit::{Exit, Failure};
use crate::cli::layers_of;
use crate::cli::options::Shared;
use crate::cli::options::backup::Diff;
use crate::cli::reach::{self, now_ms};
use crate::cli::settings::{Settings, Target};
use crate::ops::backup::keep::{self, DiffReport};
use crate::ops::backup::{Live, Trouble};
use crate::render::backup;

/// The word that stands for the cluster as it is.
const LIVE: &str = "live";

/// Runs it.
pub(super) async fn run(shared: &Shared, keeping: &Keeping, args: &Diff) -> Result<Exit, Failure> {
    let is_live = args.after == LIVE;
    if let Some(word) = args.targets.first().filter(|_| !is_live) {
        let failure = Failure::usage(format!("'{word}' names a cluster, and none is compared"));
        return Err(failure.next("compare with a cluster: goodcache backup diff ID live NAME"));
    }
    let repository = keeping.repository().await?;
    let before = find(keeping, &repository, args).await?;
    let report = match is_live {
        true => live(shared, keeping, &repository, &before, args).await?,
        false => {
            let after = keeping.find(&repository, &args.after).await?;
            let events = keeping.screen.events();
            let report = keep::diff(&repository, &before, &after, args.keys, &events).await;
            report.map_err(failure)?
        }
    };
    keeping.answer("backup diff", &report, &backup::diff(&report))?;
    Ok(match report.is_same() {
        true => Exit::Good,
        false => Exit::Bad,
    })
}

/// The latest of a cluster that was named is not that of another.
async fn find(
    keeping: &Keeping,
    repository: &Repository,
    args: &Diff,
) -> Result<Manifest, Failure> {
    let known = keeping.layers.known_names();
    match args.targets.as_slice() {
        [name] if known.contains(name) => keep::find(repository, &args.before, Some(name))
            .await
            .map_err(failure),
        _ => keeping.find(repository, &args.before).await,
    }
}

async fn live(
    shared: &Shared,
    keeping: &Keeping,
    repository: &Repository,
    before: &Manifest,
    args: &Diff,
) -> Result<DiffReport, Failure> {
    let settings = settings(shared, keeping, before, args)?;
    settings.require_nodes()?;
    let mut access = reach::access_to_every_form(&settings)?;
    let ground = ground(&settings, &mut access, &keeping.screen).await?;
    let events = keeping.screen.events();
    let named = (name_of(&settings), now_ms());
    let compared = async {
        let live = Live::choose(access, ground).await?;
        keep::diff_live(repository, before, &live, named, args.keys, &events).await
    };
    compared.await.map_err(told)
}

/// Which cluster: the one that is named, else the snapshot's own where its name is known here, else the
/// one that all commands take. An address that stands in a snapshot is never followed: a password
/// would be sent to it.
fn settings(
    shared: &Shared,
    keeping: &Keeping,
    before: &Manifest,
    args: &Diff,
) -> Result<Settings, Failure> {
    let own = &before.cluster;
    let is_named = !args.targets.is_empty() || shared.connection.cluster.is_some();
    let words = match keeping.layers.known_names().contains(own) {
        true if !is_named => vec![own.clone()],
        _ => args.targets.clone(),
    };
    let target = Target {
        words,
        ..Target::default()
    };
    let layers = layers_of(shared, &target)?;
    let settings = Settings::resolve(&layers, shared, &[])?;
    let told = |notice: &&String| !keeping.layers.notices.contains(notice);
    for notice in settings.notices.iter().filter(told) {
        keeping.screen.say(&format!("goodcache: {notice}"));
    }
    Ok(settings)
}

fn told(trouble: Trouble) -> Failure {
    let hint = trouble.hint();
    match trouble {
        Trouble::Archive(error) => failure(error),
        Trouble::NoSource(_) => {
            Failure::new(Exit::CouldNotLook, trouble).next("see goodcache check")
        }
        trouble => Failure::new(Exit::CouldNotLook, trouble).next(hint),
    }
}
