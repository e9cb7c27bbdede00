//! `tune --apply`: the plan, consent, the undo file, the change, what became of it.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Tuning, write};
use crate::cli::exit::{Exit, Failure};
use crate::cli::reach::now_ms;
use crate::cli::screen::Asked;
use crate::cli::signal::{Signals, unless_signalled_again};
use crate::cli::{signal, stopped};
use crate::cluster::Access;
use crate::model::words::{counted, timestamp};
use crate::model::{Capability, Consent, Evidence, Survey};
use crate::ops::tune::apply::{
    Applied, Applying, Baseline, Ended, Plan, Undo, apply, plan, take_back,
};
use crate::ops::tune::{Report, judge};
use crate::render::{self, Doc};

/// What is answered in JSON.
#[derive(Serialize)]
pub(super) struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<&'a Report>,
    pub(super) plan: &'a Plan,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) applied: Option<&'a Applied>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) undo_file: Option<&'a Path>,
}

/// Runs it.
pub(super) async fn run(
    tuning: &Tuning<'_>,
    access: &Access,
    evidence: &Evidence,
) -> Result<Exit, Failure> {
    let report = judge(evidence, &tuning.tune.options);
    tuning.write_files(&report).await?;
    let plan = plan(&report);
    let taken_at = evidence.survey.taken_at_ms;
    let answer = |applied, undo_file| Answer {
        advice: Some(&report),
        plan: &plan,
        applied,
        undo_file,
    };
    refuse_rented(&report, &plan)?;
    refuse_withheld(&evidence.survey, &plan, tuning.args.rewrite)?;
    if tuning.args.dry_run || plan.steps.is_empty() {
        let doc = planned(&plan);
        tuning.answer(taken_at, &answer(None, None), &doc)?;
        return Ok(Exit::Good);
    }
    require_all(&report)?;
    let consent = tuning.consent(&plan, "set")?;
    let file = undo_file(tuning, taken_at)?;
    let undo = Undo::of(&plan, now_ms(), tuning.args.rewrite);
    write(&file, "the undo file", &undo.text())?;
    let baseline = Baseline::look(access, report.profile.profile).await;
    let line = format!(
        "goodcache tune{} --undo {}",
        tuning.called(),
        file.display()
    );
    let change = Change {
        plan: &plan,
        consent,
        is_rewriting: tuning.args.rewrite,
        is_undo: false,
        by_hand: line.clone(),
    };
    let (applied, signal) = tuning.change(access, &baseline, change).await?;
    let is_changed = !applied.changed.is_empty() || !applied.not_put_back.is_empty();
    let doc = render::tune::applied(&plan.cluster, &applied, is_changed.then_some(line.as_str()));
    tuning.answer(taken_at, &answer(Some(&applied), Some(&file)), &doc)?;
    Ok(exit(&applied, signal))
}

/// A plan, or that there is none.
fn planned(plan: &Plan) -> Doc {
    let mut doc = render::tune::plan(
        plan,
        if plan.steps.is_empty() {
            "NOTHING TO SET"
        } else {
            "PLAN"
        },
    );
    doc.faint("nothing was changed");
    doc
}

/// At a managed service there may be nothing that goodcache can set, and much that its owner can.
fn refuse_rented(report: &Report, plan: &Plan) -> Result<(), Failure> {
    let Some(service) = report.service.filter(|_| plan.steps.is_empty()) else {
        return Ok(());
    };
    if report.recommendations.is_empty() {
        return Ok(());
    }
    let what = anyhow!("{service} does not let CONFIG SET change this; nothing was changed");
    Err(Failure::new(Exit::Refused, what)
        .next("goodcache tune, without --apply, prints the service's own commands"))
}

/// What a node of the plan is known to refuse is refused before the first of them is set.
fn refuse_withheld(survey: &Survey, plan: &Plan, is_rewriting: bool) -> Result<(), Failure> {
    let mut needed = vec![Capability::ConfigSet];
    needed.extend(is_rewriting.then_some(Capability::ConfigRewrite));
    let refusal = plan.steps.iter().find_map(|step| {
        let facts = survey.facts(&step.id)?;
        let mut refused = needed.iter();
        refused.find_map(|needed| Some((step, *needed, facts.refusal(*needed)?)))
    });
    let Some((step, needed, why)) = refusal else {
        return Ok(());
    };
    let what = anyhow!(
        "{} refuses {}: {why}; nothing was changed",
        step.addr,
        needed.words()
    );
    let next = match survey.service {
        Some(service) => format!(
            "{service} sets it by its own commands, which goodcache tune prints without --apply"
        ),
        None => format!(
            "give the user {}, or set it in the servers' own files: goodcache tune --write-conf FILE",
            needed.rule()
        ),
    };
    Err(Failure::new(Exit::Refused, what).next(next))
}

/// A node that is away would be left as it is, and the cluster uneven.
fn require_all(report: &Report) -> Result<(), Failure> {
    let away = report.nodes_known.saturating_sub(report.nodes_answering);
    if away == 0 {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        anyhow!(
            "{} of {} did not answer, and would be left as they are; nothing was changed",
            away,
            counted(report.nodes_known, "node")
        ),
    )
    .next("goodcache check tells which, and why"))
}

pub(super) fn exit(applied: &Applied, signal: Option<i32>) -> Exit {
    match (&applied.ended, applied.not_put_back.is_empty()) {
        (_, false) => Exit::HalfWay,
        (Ended::Done, true) => Exit::Good,
        (Ended::Stopped { .. }, true) => match signal {
            Some(number) => stopped(number),
            None if applied.changed.is_empty() => Exit::Refused,
            None => Exit::HalfWay,
        },
    }
}

/// Where the undo file goes: where it was told, else beside what create saved of the cluster.
fn undo_file(tuning: &Tuning, taken_at_ms: u64) -> Result<PathBuf, Failure> {
    if let Some(file) = &tuning.args.undo_file {
        return Ok(file.clone());
    }
    let digits: String = timestamp(taken_at_ms)
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let name = tuning
        .settings
        .cluster
        .value
        .as_deref()
        .unwrap_or("cluster");
    let name = format!("{name}-{}.undo.json", digits.get(..14).unwrap_or(&digits));
    let folder = tuning
        .layers
        .profiles
        .as_ref()
        .map(|profiles| profiles.undo_folder());
    let Some(folder) = folder else {
        return Ok(PathBuf::from(name));
    };
    std::fs::create_dir_all(&folder).map_err(|error| {
        Failure::new(
            Exit::Failed,
            anyhow!("could not make {}: {error}", folder.display()),
        )
        .next("name another place with --undo-file FILE")
    })?;
    Ok(folder.join(name))
}

impl Tuning<'_> {
    /// A yes to the plan.
    pub(super) fn consent(&self, plan: &Plan, what: &str) -> Result<Consent, Failure> {
        if self.args.yes {
            return Ok(Consent::by_flag());
        }
        self.screen.talk(&render::tune::plan(plan, "PLAN"));
        let settings: usize = plan.steps.iter().map(|step| step.sets.len()).sum();
        let question = format!(
            "{what} {} on {} of {}?",
            counted(settings, "setting"),
            counted(plan.steps.len(), "node"),
            plan.cluster
        );
        let refused =
            |why: &str| Failure::new(Exit::Refused, anyhow!("{why}; nothing was changed"));
        let asked = self.screen.confirm(&question);
        match asked.map_err(|error| Failure::new(Exit::Failed, error))? {
            Asked::Yes(consent) => Ok(consent),
            Asked::No => Err(refused("not agreed")),
            Asked::Nobody => Err(refused("nobody is there to agree (no terminal)")
                .next("say yes on the command line with --yes, or see the plan with --dry-run")),
        }
    }

    /// Runs a change. A signal lets it put back what it did; a second one does not.
    pub(super) async fn change(
        &self,
        access: &Access,
        baseline: &Baseline,
        change: Change<'_>,
    ) -> Result<(Applied, Option<i32>), Failure> {
        let (stop, events) = (CancellationToken::new(), self.screen.events());
        let applying = Applying {
            access,
            baseline,
            is_rewriting: change.is_rewriting,
            stop: &stop,
            events: &events,
        };
        let running = async {
            match change.is_undo {
                true => take_back(&applying, change.plan, change.consent).await,
                false => apply(&applying, change.plan, change.consent).await,
            }
        };
        tokio::pin!(running);
        let mut signals = Signals::listen().context("cannot wait for signals")?;
        match signals.until(&mut running).await {
            signal::Ended::Done(applied) => Ok((applied, None)),
            signal::Ended::Stopped(number) => {
                self.screen.clear();
                self.screen
                    .say("goodcache: stopping, after what was begun is whole again");
                stop.cancel();
                let applied = unless_signalled_again(running, &change.by_hand).await;
                Ok((applied, Some(number)))
            }
        }
    }
}

/// A change to be made.
pub(super) struct Change<'a> {
    /// What is set.
    pub(super) plan: &'a Plan,
    /// The yes to it.
    pub(super) consent: Consent,
    /// Whether the servers' files are written as well.
    pub(super) is_rewriting: bool,
    /// Whether it puts back what an undo file names.
    pub(super) is_undo: bool,
    /// The command that does by hand what is left.
    pub(super) by_hand: String,
}
