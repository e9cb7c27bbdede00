//! `tune --resilience`: the last drill, look, advice to clients, text.

use serde::Serialize;

use super::{Tuning, files};
use crate::cli::exit::{Exit, Failure};
use crate::cli::settings::{Origin, Setting};
use crate::model;
use crate::ops::tune::resilience::{Evidence, Options, Report, judge, sessions};
use crate::render;

/// What is answered in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    resilience: &'a Report,
}

/// Runs it. A drill that is given is read before the cluster is asked.
pub(super) async fn run(tuning: &Tuning<'_>) -> Result<Exit, Failure> {
    let given = tuning.args.riding.drill.as_deref();
    let given = given.map(files::drill).transpose()?;
    let seen = tuning.evidence().await?;
    let mut evidence = Evidence::from_survey(&seen.survey, given);
    if evidence.drill.is_none() {
        evidence.drill = files::last_drill(tuning.layers, &evidence.cluster)?;
    }
    let report = judge(&evidence, &options(tuning, &seen));
    let doc = render::degradation(&report, tuning.detail());
    let answer = Answer {
        resilience: &report,
    };
    tuning.answer(seen.survey.taken_at_ms, &answer, &doc)?;
    Ok(Exit::Good)
}

fn options(tuning: &Tuning<'_>, seen: &model::Evidence) -> Options {
    let sessions = sessions(seen);
    Options {
        max_redirections: said(&tuning.settings.max_redirections),
        retry_on_fail: said(&tuning.settings.retry_on_fail),
        sessions: sessions.map(|sessions| sessions.count),
        session_bytes: sessions.and_then(|sessions| sessions.mean_bytes),
        ..Options::default()
    }
}

/// What somebody set; goodcache's own default tells nothing of the application.
fn said<T: Copy>(setting: &Setting<T>) -> Option<T> {
    (setting.origin != Origin::Default).then_some(setting.value)
}
