//! `tune --size`: files, look, what is needed, layouts, text, exit code.
//!
//! Files are read and words are checked before the cluster is asked: nobody waits a minute for a
//! sample only to be told of a slip in the prices.

use serde::Serialize;

use super::{Tuning, files, saved};
use crate::cli::exit::{Exit, Failure};
use crate::cli::nearest::nearest;
use crate::model::{Evidence, Survey, Topology};
use crate::ops::tune::guess;
use crate::ops::tune::size::{Catalogue, Demand, GrowthSource, Options, Report, judge};
use crate::render;

/// What is answered in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    size: &'a Report,
}

/// Runs it.
pub(super) async fn run(tuning: &Tuning<'_>) -> Result<Exit, Failure> {
    let args = &tuning.args.sizing;
    require_known(&args.family)?;
    let prices = args.prices.as_deref().map(files::prices).transpose()?;
    let since = args.growth_since.as_deref();
    let earlier = since.map(|path| saved::read(path).map(|evidence| evidence.survey));
    let earlier = earlier.transpose()?;
    let evidence = tuning.evidence().await?;
    let demand = demand(tuning, &evidence, earlier.as_ref())?;
    let report = judge(
        &demand,
        &Options {
            prices,
            ..options(tuning, &evidence)
        },
    );
    let doc = render::sizing(&report, tuning.detail());
    let answer = Answer { size: &report };
    tuning.answer(evidence.survey.taken_at_ms, &answer, &doc)?;
    Ok(match report.layouts.is_empty() {
        true => Exit::Bad,
        false => Exit::Good,
    })
}

fn options(tuning: &Tuning<'_>, evidence: &Evidence) -> Options {
    let args = &tuning.args.sizing;
    let topology = Topology::of(&evidence.survey);
    let guess = guess(evidence, &topology, tuning.tune.options.profile);
    let default = Options::default();
    let days = args.horizon.map(|time| time.as_secs_f64() / 86_400.0);
    Options {
        profile: guess.profile,
        guessed: (!guess.is_given).then_some(guess.reason),
        horizon_days: days.unwrap_or(default.horizon_days),
        growth: args.growth,
        families: args.family.clone(),
        ..default
    }
}

fn demand(
    tuning: &Tuning<'_>,
    evidence: &Evidence,
    earlier: Option<&Survey>,
) -> Result<Demand, Failure> {
    let demand = Demand::from_surveys(&evidence.survey, earlier).map_err(|error| {
        let hint = error.hint();
        Failure::new(Exit::CouldNotLook, error).next(hint)
    })?;
    if earlier.is_some() && demand.growth.source == GrowthSource::Unknown {
        tuning.screen.say(
            "goodcache: --growth-since shows no growth: that file must be a day older at the \
             least, and of a day on which every master told its memory",
        );
    }
    let samples = evidence.nodes.values();
    Ok(demand.with_keys(samples.filter_map(|seen| seen.keys.as_ref())))
}

/// Refuses a family that is none, for it would leave no size to look at.
fn require_known(families: &[String]) -> Result<(), Failure> {
    let sizes = Catalogue::shipped().sizes();
    let is_strange = |name: &&String| !sizes.iter().any(|size| size.is_called(name));
    let Some(strange) = families.iter().find(is_strange) else {
        return Ok(());
    };
    let known = sizes
        .iter()
        .flat_map(|size| [size.family.as_str(), &size.service, &size.name]);
    let failure = Failure::usage(format!(
        "no service, family or node size has '{strange}' in its name"
    ));
    Err(match nearest(strange, known) {
        Some(near) => failure.next(format!("did you mean '{near}'?")),
        None => failure.next("goodcache tune --size -v lists all that hold the load"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_that_is_none_names_the_nearest() {
        let known = ["r7g", "elasticache", "Cache.R7g.Large", "Azure"];
        assert!(require_known(&known.map(String::from)).is_ok());
        let text = |name: &str| require_known(&[name.to_owned()]).unwrap_err().text();
        assert!(text("cache.r7g.larg3").contains("did you mean 'cache.r7g.large'?"));
        assert!(text("nothing-like-it-at-all").contains("lists all"));
    }
}
