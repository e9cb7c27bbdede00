//! `goodcache backup show`.

use super::{Keeping, open};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::Show;
use crate::ops::backup::keep;
use crate::render::backup;

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &Show) -> Result<Exit, Failure> {
    let repository = keeping.repository().await?;
    let manifest = keeping.find(&repository, &args.id).await?;
    let shown = keep::show(&repository, manifest)
        .await
        .map_err(open::failure)?;
    keeping.answer("backup show", &shown, &backup::show(&shown))?;
    Ok(Exit::Good)
}
