//! Why there was no drill, or no end of it: what each refusal says, and how the program ends.

use std::any::Any;

use anyhow::anyhow;

use crate::cli::exit::{Exit, Failure};
use crate::host::drill::HostError;
use crate::host::journal::JournalError;
use crate::ops::failover::{DrillError, NoPlan, Refusal};

/// There is no plan.
pub(super) fn no_plan(no: NoPlan) -> Failure {
    match no {
        NoPlan::Target(error) => Failure::usage(error),
        NoPlan::Refused(refusals) => refusal(&refusals),
    }
}

fn refusal(refusals: &[Refusal]) -> Failure {
    let told: Vec<&str> = refusals
        .iter()
        .map(|refusal| refusal.why.as_str())
        .collect();
    let error = anyhow!(told.join("; ")).context("refused, nothing was changed");
    let mut next: Vec<&str> = refusals
        .iter()
        .map(|refusal| refusal.next.as_str())
        .collect();
    next.dedup();
    next.into_iter()
        .fold(Failure::new(Exit::Refused, error), |failure, next| {
            failure.next(next)
        })
}

/// It was begun, and stopped by itself.
pub(super) fn drill_failure(error: DrillError) -> Failure {
    match error {
        DrillError::Refused(refusals) => {
            let failure = refusal(&refusals);
            Failure {
                exit: Exit::HalfWay,
                error: anyhow!("{}", refusals[0].why)
                    .context("stopped before the next fault; what was broken is put back"),
                ..failure
            }
        }
        DrillError::Target(error) => Failure::new(
            Exit::HalfWay,
            anyhow::Error::from(error)
                .context("stopped before the next fault; what was broken is put back"),
        ),
        DrillError::Host(error) => host_failure(error),
        DrillError::Struck(error) => {
            let hint = error.hint();
            let error = anyhow::Error::from(error)
                .context("the drill stopped half-way; what was broken is put back");
            Failure::new(Exit::HalfWay, error).next(hint)
        }
        DrillError::Journal(error) => journal_failure(error),
        DrillError::Node(error) => {
            let hint = error.hint();
            Failure::new(Exit::CouldNotLook, error).next(hint)
        }
    }
}

/// A panic, after everything was put back.
pub(super) fn own_failure(panic: &(dyn Any + Send), name: &str) -> Failure {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied());
    let error = anyhow!(
        "goodcache itself failed ({}); what was broken is put back",
        text.unwrap_or("it does not say why")
    );
    Failure::new(Exit::Failed, error)
        .next(format!(
            "see whether the cluster is whole: goodcache check {name}"
        ))
        .next("report it with the lines above; the load's keys expire within an hour")
}

/// The machine refused; nothing is left broken.
pub(super) fn host_failure(error: HostError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Refused, error).next(hint)
}

/// The journal cannot be used; without it nothing is broken.
pub(super) fn journal_failure(error: JournalError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Refused, error).next(hint)
}
