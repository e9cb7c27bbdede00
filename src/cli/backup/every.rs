//! `goodcache backup --every`: one snapshot after another, and after each the retention.
//!
//! What a sidecar or a service of its own runs. A snapshot that fails must not end it, for the next one
//! may well succeed; only what can never succeed does, and a signal.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::list::GRACE;
use super::open::failure;
use super::prune::policy;
use super::take::{Round, Taking, name_of};
use crate::archive::Repository;
use crate::archive::retention::Policy;
use crate::cli::exit::{self, Exit, Failure};
use crate::cli::options::backup::{Keep, Take};
use crate::cli::reach::now_ms;
use crate::cli::signal::{Ended, Signals};
use crate::cli::stopped;
use crate::model::Consent;
use crate::model::words::{bytes, counted};
use crate::ops::backup::keep::{self, Pruned};
use crate::render::human;

/// What was asked for.
pub(super) struct Every {
    interval: Duration,
    /// `None` where all of them stay.
    keep: Option<Policy>,
}

impl Every {
    /// `None` where one snapshot is wanted; rules alone remove nothing, and are an error.
    pub(super) fn of(take: &Take) -> Result<Option<Every>, Failure> {
        let keep = (take.keep != Keep::default()).then(|| policy(&take.keep));
        match (take.every, keep) {
            (Some(interval), keep) => Ok(Some(Every { interval, keep })),
            (None, None) => Ok(None),
            (None, Some(_)) if take.follow => Ok(None),
            (None, Some(_)) => Err(Failure::usage(
                "what to keep means nothing for a single snapshot",
            )
            .next("go on taking them: --every 24h, or --follow")
            .next("or remove what no rule keeps: goodcache backup prune --help")),
        }
    }
}

/// Goes on until a signal comes, or until it makes no sense.
pub(super) async fn run(
    taking: &Taking<'_>,
    every: &Every,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let mut ways = taking.ways()?;
    loop {
        let (began, began_ms) = (Instant::now(), now_ms());
        match taking.once(&mut ways, signals).await {
            Ok(Round::Taken(repository)) => {
                let retained = retain(taking, every.keep.as_ref(), &repository);
                let retained = signals.until(retained).await;
                if let Ended::Stopped(number) = retained {
                    return Ok(stopped(number));
                }
            }
            Ok(Round::Stopped(exit)) => return Ok(exit),
            Err(failure) if failure.exit == Exit::Usage => return Err(failure),
            Err(failure) => {
                exit::report(&failure);
            }
        }
        let due_ms = began_ms + every.interval.as_millis() as u64;
        taking.screen.say(&format!(
            "the next at {}",
            human::timestamp(due_ms.max(now_ms()))
        ));
        let next = sleep_until(began + every.interval);
        if let Ended::Stopped(number) = signals.until(next).await {
            return Ok(stopped(number));
        }
    }
}

/// Removes what no rule keeps, and says so.
pub(super) async fn retain(taking: &Taking<'_>, keep: Option<&Policy>, repository: &Repository) {
    let Some(policy) = keep else { return };
    match prune(taking, policy, repository).await {
        Ok(pruned) if pruned == Pruned::default() => {}
        Ok(pruned) => taking.screen.say(&format!(
            "removed {} that no rule keeps{}, {} freed",
            counted(pruned.removed.len(), "snapshot"),
            match pruned.line_objects as usize {
                0 => String::new(),
                objects => format!(" and {} of time lines", counted(objects, "object")),
            },
            bytes(pruned.bytes)
        )),
        Err(failure) => {
            exit::report(&failure);
        }
    }
}

/// Snapshots of other clusters in the same repository are not ours to judge.
async fn prune(
    taking: &Taking<'_>,
    policy: &Policy,
    repository: &Repository,
) -> Result<Pruned, Failure> {
    let cluster = name_of(taking.settings);
    let plan = keep::plan(repository, policy, Some(&cluster), now_ms(), GRACE);
    let plan = plan
        .await
        .map_err(failure)?
        .map_err(|empty| Failure::usage(empty).next(empty.hint()))?;
    let events = taking.screen.events();
    let (pruned, result) = keep::apply(repository, &plan, Consent::by_flag(), &events).await;
    result.map_err(|error| {
        let mut failure = failure(error);
        failure.error = failure
            .error
            .context("the snapshot is taken, but what no rule keeps could not be removed");
        failure
    })?;
    Ok(pruned)
}
