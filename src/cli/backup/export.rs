//! `goodcache backup export`.

use super::{Keeping, open};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::Export;
use crate::ops::backup::keep::{self, ExportError};
use crate::render::backup;

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &Export) -> Result<Exit, Failure> {
    let repository = keeping.repository().await?;
    let manifest = keeping.find(&repository, &args.id).await?;
    let shard = args.shard.map(|shard| shard as usize);
    let events = keeping.screen.events();
    let report = keep::export(&repository, &manifest, &args.to, shard, &events)
        .await
        .map_err(failure)?;
    keeping.answer("backup export", &report, &backup::export(&report))?;
    Ok(Exit::Good)
}

fn failure(error: ExportError) -> Failure {
    match error {
        ExportError::Archive(error) => open::failure(error),
        error @ ExportError::NoShard { .. } => Failure::new(Exit::Usage, error),
        error @ ExportError::Exists { .. } => {
            Failure::new(Exit::Refused, error).next("give another folder: --to DIR")
        }
        error @ ExportError::Write { .. } => Failure::new(Exit::Failed, error),
    }
}
