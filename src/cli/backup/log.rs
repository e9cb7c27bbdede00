//! `goodcache backup log`.

use super::{Keeping, open::failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::Log;
use crate::cli::reach::now_ms;
use crate::ops::backup::keep::{Asked, history};
use crate::render::backup;

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &Log) -> Result<Exit, Failure> {
    let now = now_ms();
    let asked = Asked {
        key: args.of.clone().into_bytes(),
        cluster: keeping.cluster.clone(),
        since_ms: args.since.map_or(0, |when| when.before(now)),
        until_ms: args.until.map_or(now, |when| when.before(now)),
    };
    if asked.since_ms > asked.until_ms {
        return Err(Failure::usage("--since lies after --until").next("exchange them"));
    }
    let repository = keeping.repository().await?;
    let events = keeping.screen.events();
    let found = history(&repository, &asked, &events).await;
    let found = found.map_err(failure)?;
    keeping.answer("backup log", &found, &backup::history(&found))?;
    Ok(Exit::Good)
}
