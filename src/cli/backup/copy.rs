//! `goodcache backup copy`.

use anyhow::anyhow;

use super::{Keeping, open, this_run};
use crate::archive::{Repository, SnapshotId};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::CopyTo;
use crate::cli::settings::{RepositorySettings, Second};
use crate::ops::backup::keep;
use crate::render::{backup, human};

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &CopyTo) -> Result<Exit, Failure> {
    let from = keeping.repository().await?;
    let to = target(keeping, args).await?;
    if from.place() == to.place() {
        return Err(Failure::usage(format!(
            "{} cannot be copied to itself",
            from.place()
        )));
    }
    let ids = ids(keeping, &from, args).await?;
    let events = keeping.screen.events();
    let (report, result) = keep::copy(&from, &to, &ids, &this_run(), &events).await;
    if let Err(error) = result {
        let mut failure = open::failure(error);
        let done = human::counted(report.snapshots.len(), "snapshot");
        let what = ids.get(report.snapshots.len());
        let what = what.map_or("the time lines".to_owned(), ToString::to_string);
        failure.error = failure.error.context(format!(
            "could not copy {what} to {} ({done} done)",
            to.place()
        ));
        if !report.snapshots.is_empty() && failure.exit != Exit::Bad {
            failure.exit = Exit::HalfWay;
        }
        return Err(failure.next("the same command goes on where this one stopped"));
    }
    keeping.answer("backup copy", &report, &backup::copy(&report))?;
    Ok(Exit::Good)
}

async fn target(keeping: &Keeping, args: &CopyTo) -> Result<Repository, Failure> {
    let mut settings = RepositorySettings {
        notices: Vec::new(),
        ..keeping.settings.clone()
    };
    let file = args.to_passphrase_file.as_ref();
    let access = Second::TO.access(&keeping.layers, &args.to, file, &mut settings)?;
    for notice in settings.notices {
        keeping.screen.say(&format!("goodcache: {notice}"));
    }
    open::open_or_make(access).await.map(|(made, _)| made)
}

async fn ids(
    keeping: &Keeping,
    from: &Repository,
    args: &CopyTo,
) -> Result<Vec<SnapshotId>, Failure> {
    let Some(asked) = &args.id else {
        let all = from.snapshots().await.map_err(open::failure)?;
        return match &keeping.cluster {
            None => Ok(all),
            Some(cluster) => of_cluster(from, all, cluster).await,
        };
    };
    Ok(vec![keeping.find(from, asked).await?.id])
}

async fn of_cluster(
    from: &Repository,
    all: Vec<SnapshotId>,
    cluster: &str,
) -> Result<Vec<SnapshotId>, Failure> {
    let mut own = Vec::new();
    for id in all {
        let manifest = from.manifest_of(&id).await.map_err(open::failure)?;
        if manifest.cluster == cluster {
            own.push(id);
        }
    }
    match own.is_empty() {
        false => Ok(own),
        true => Err(Failure::new(
            Exit::Usage,
            anyhow!("there is no snapshot of {cluster} in {}", from.place()),
        )),
    }
}
