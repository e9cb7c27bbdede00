//! `goodcache backup prune`: a plan, a yes, and away with it.

use anyhow::anyhow;
use serde::Serialize;

use super::{Keeping, list::GRACE, open::failure};
use crate::archive::Repository;
use crate::archive::retention::Policy;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::backup::{Keep, Prune};
use crate::cli::reach::now_ms;
use crate::cli::screen::Asked;
use crate::model::Consent;
use crate::ops::backup::keep::{self, PrunePlan, Pruned};
use crate::render::{backup, human};

#[derive(Serialize)]
struct Report<'a> {
    plan: &'a PrunePlan,
    /// `None` of a plan that was only shown.
    pruned: Option<&'a Pruned>,
}

/// Runs it.
pub(super) async fn run(keeping: &Keeping, args: &Prune) -> Result<Exit, Failure> {
    let repository = keeping.repository().await?;
    let cluster = keeping.cluster.as_deref();
    let grace = args.grace.unwrap_or(GRACE);
    let policy = policy(&args.keep);
    let plan = keep::plan(&repository, &policy, cluster, now_ms(), grace)
        .await
        .map_err(failure)?
        .map_err(|empty| Failure::usage(empty).next(empty.hint()))?;
    let sound = match plan.unreadable.is_empty() {
        true => Exit::Good,
        false => Exit::Bad,
    };
    if args.dry_run {
        answer(keeping, &plan, None)?;
        return Ok(sound);
    }
    let pruned = match plan.is_empty() {
        true => Pruned::default(),
        false => {
            let consent = consent(keeping, args, &plan)?;
            away(keeping, &repository, &plan, consent).await?
        }
    };
    answer(keeping, &plan, Some(&pruned))?;
    Ok(sound)
}

/// What is kept, as it was typed.
pub(in crate::cli) fn policy(keep: &Keep) -> Policy {
    Policy {
        last: keep.keep_last,
        daily: keep.keep_daily,
        weekly: keep.keep_weekly,
        monthly: keep.keep_monthly,
        within: keep.keep_within,
    }
}

fn answer(keeping: &Keeping, plan: &PrunePlan, pruned: Option<&Pruned>) -> Result<(), Failure> {
    let doc = match pruned {
        None => backup::plan(plan),
        Some(pruned) => backup::pruned(plan, pruned),
    };
    keeping.answer("backup prune", &Report { plan, pruned }, &doc)
}

fn consent(keeping: &Keeping, args: &Prune, plan: &PrunePlan) -> Result<Consent, Failure> {
    if args.yes {
        return Ok(Consent::by_flag());
    }
    keeping.screen.talk(&backup::plan(plan));
    let logs = match plan.line_objects() as usize {
        0 => String::new(),
        objects => format!(" and {} of time lines", human::counted(objects, "object")),
    };
    let question = format!(
        "remove {} and {}{logs} for good?",
        human::counted(plan.going().count(), "snapshot"),
        human::counted(plan.sweeping().count(), "unfinished backup"),
    );
    let asked = keeping
        .screen
        .confirm(&question)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    match asked {
        Asked::Yes(consent) => Ok(consent),
        Asked::No => Err(Failure::new(
            Exit::Refused,
            anyhow!("not confirmed; nothing was removed"),
        )),
        Asked::Nobody => Err(Failure::new(
            Exit::Refused,
            anyhow!("nobody is there to confirm (no terminal); nothing was removed"),
        )
        .next("confirm on the command line: --yes (--dry-run shows what would be removed)")),
    }
}

async fn away(
    keeping: &Keeping,
    repository: &Repository,
    plan: &PrunePlan,
    consent: Consent,
) -> Result<Pruned, Failure> {
    let events = keeping.screen.events();
    let (pruned, result) = keep::apply(repository, plan, consent, &events).await;
    let Err(error) = result else {
        return Ok(pruned);
    };
    let mut failure = failure(error);
    if pruned != Pruned::default() {
        failure.exit = Exit::HalfWay;
        failure.error = failure.error.context(format!(
            "stopped after {} had been removed",
            human::counted(pruned.removed.len(), "snapshot")
        ));
    }
    Err(failure.next("run it again: what is left is whole, or is taken then"))
}
