//! `goodcache backup log`.

use std::os::unix::ffi::OsStrExt;

use super::{Keeping, open::failure};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Shared;
use crate::cli::options::backup::Log;
use crate::cli::reach::now_ms;
use crate::ops::backup::keep::{Asked, history};
use crate::render::backup;

/// Runs it.
pub(super) async fn run(shared: &Shared, keeping: &Keeping, args: &Log) -> Result<Exit, Failure> {
    let now = now_ms();
    let asked = Asked {
        key: key(shared, args)?,
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

/// The key, wherever it stood: --key is that of a certificate elsewhere, and nobody is shown one here.
fn key(shared: &Shared, args: &Log) -> Result<Vec<u8>, Failure> {
    let typed = args.of.as_ref().map(|key| key.as_bytes());
    let flagged = shared.connection.key.as_ref();
    let flagged = flagged.map(|key| key.as_os_str().as_bytes());
    typed
        .or(flagged)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| Failure::usage("no key is named").next("name it: goodcache backup log KEY"))
}
