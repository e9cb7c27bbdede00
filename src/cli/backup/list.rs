//! `goodcache backup list`.

use std::time::Duration;

use super::{Keeping, open::failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::reach::now_ms;
use crate::ops::backup::keep;
use crate::render::backup;

/// How long nothing was added to what may still be going on.
pub(super) const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Runs it.
pub(super) async fn run(keeping: &Keeping) -> Result<Exit, Failure> {
    let repository = keeping.repository().await?;
    let cluster = keeping.cluster.as_deref();
    let listing = keep::list(&repository, cluster, now_ms(), GRACE)
        .await
        .map_err(failure)?;
    if let Some(line) = backup::unfinished(&listing.unfinished) {
        keeping.screen.say(&format!("goodcache: {line}"));
    }
    keeping.answer("backup list", &listing, &backup::list(&listing))?;
    Ok(match listing.unreadable.is_empty() {
        true => Exit::Good,
        false => Exit::Bad,
    })
}
