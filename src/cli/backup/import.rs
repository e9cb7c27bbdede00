//! `goodcache backup import`.

use super::{Keeping, open, this_run};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::Import;
use crate::cli::reach::now_ms;
use crate::ops::backup::keep::{self, ImportError};
use crate::render::backup;

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &Import) -> Result<Exit, Failure> {
    let Some(cluster) = &keeping.cluster else {
        return Err(
            Failure::usage("the files do not say which cluster they are of")
                .next("name it: --cluster NAME"),
        );
    };
    crate::cli::values::cluster_name(cluster).map_err(Failure::usage)?;
    let sources = keep::sources(&args.paths).map_err(failure)?;
    let (repository, _) = open::open_or_make(keeping.settings.access()?).await?;
    let (run, events) = (this_run(), keeping.screen.events());
    let report = keep::import(&repository, &sources, cluster, &run, now_ms(), &events)
        .await
        .map_err(failure)?;
    keeping.answer("backup import", &report, &backup::import(&report))?;
    Ok(Exit::Good)
}

pub(in crate::cli) fn failure(error: ImportError) -> Failure {
    match error {
        ImportError::Archive(error) => open::failure(error),
        ImportError::Rdb { path, why } => {
            let hint = why.hint();
            Failure::new(Exit::Failed, ImportError::Rdb { path, why }).next(hint)
        }
        error @ ImportError::Read { .. } => Failure::new(Exit::Failed, error),
        error @ ImportError::NoFiles { .. } => Failure::new(Exit::Usage, error),
    }
}
