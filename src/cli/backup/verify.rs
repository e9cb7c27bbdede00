//! `goodcache backup verify`.

use std::time::Instant;

use super::{Keeping, open::failure};
use crate::archive::{ArchiveError, Repository, SnapshotId};
use crate::cli::create::provision::server;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::Verify;
use crate::ops::backup::{Booted, NoBoot, boot, keep};
use crate::render::backup;

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &Verify) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let repository = keeping.repository().await?;
    let id = id(keeping, &repository, &args.id).await.map_err(failure)?;
    let events = keeping.screen.events();
    let mut found = keep::verify(&repository, &id, args.read_data, &events)
        .await
        .map_err(failure)?;
    if args.boot && found.is_sound() {
        found.boot = Some(booted(keeping, &repository, &id, args).await?);
    }
    found.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    keeping.answer("backup verify", &found, &backup::verify(&found))?;
    Ok(match found.is_sound() {
        true => Exit::Good,
        false => Exit::Bad,
    })
}

/// By name alone where that will do: a manifest that is not believed is a finding, not a failure.
async fn id(
    keeping: &Keeping,
    repository: &Repository,
    asked: &str,
) -> Result<SnapshotId, ArchiveError> {
    match (&keeping.cluster, asked) {
        (Some(cluster), "latest") => Ok(keep::find(repository, asked, Some(cluster)).await?.id),
        _ => repository.find(asked).await,
    }
}

/// What is damaged is not given to a server at all.
async fn booted(
    keeping: &Keeping,
    repository: &Repository,
    id: &SnapshotId,
    args: &Verify,
) -> Result<Booted, Failure> {
    let manifest = repository.manifest_of(id).await.map_err(failure)?;
    let program = server(args.server.as_ref())?;
    let events = keeping.screen.events();
    let booted = boot(repository, &manifest, &program, &events).await;
    booted.map_err(|error| match error {
        NoBoot::Archive(error) => failure(error),
        error => Failure::new(Exit::CouldNotLook, error)
            .next("name another server by --server, or another folder by TMPDIR"),
    })
}
