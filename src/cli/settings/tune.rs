//! The settings of tune.

use std::time::Duration;

use super::check::output;
use super::layers::{Layers, Target};
use super::origin::{First, Row, Setting};
use crate::cli::exit::Failure;
use crate::cli::nearest::nearest;
use crate::cli::options::Format;
use crate::cli::options::tune::{Args, FORMATS};
use crate::cli::values;
use crate::ops::tune::{self, Options};

const SAMPLE: Duration = Duration::from_secs(60);

/// What tune is asked with, and how it looks and answers.
#[derive(Debug, Clone)]
pub struct TuneSettings {
    /// The profile's name, when one is given anywhere.
    pub profile: Option<Setting<String>>,
    /// Time between the two samples; zero takes one only.
    pub sample: Setting<Duration>,
    /// How the answer is written.
    pub output: Setting<Format>,
    /// What the rules are asked with.
    pub options: Options,
}

impl TuneSettings {
    /// The cluster that the arguments mean; one that is to be changed is at risk no more than any
    /// that is looked at, for the plan names it before anybody agrees.
    pub fn target(args: &Args) -> Target {
        Target {
            words: args.targets.clone(),
            ..Target::default()
        }
    }

    /// Lays the layers over each other.
    pub fn resolve(layers: &Layers, args: &Args) -> Result<TuneSettings, Failure> {
        let profile = profile(layers, args)?;
        let name = profile.as_ref().map(|setting| setting.value.as_str());
        let mut options = Options {
            is_guide: name == Some("guide"),
            profile: match name {
                None | Some("guide") => None,
                Some(name) => Some(values::profile(name).map_err(Failure::usage)?),
            },
            only: args.only.iter().cloned().collect(),
            except: args.except.iter().cloned().collect(),
            memory_limit: args.memory_limit,
            recovery_s: args.recovery.map(|time| time.as_secs().max(1)),
            is_lossless: args.no_loss,
            ..Options::default()
        };
        if let Some(outage) = args.outage {
            options.outage_s = outage.as_secs().max(1);
        }
        for rule in options.only.iter().chain(&options.except) {
            known(rule)?;
        }
        Ok(TuneSettings {
            profile,
            sample: First::argument(args.sample, "--sample")
                .variable(&layers.environment, "GOODCACHE_SAMPLE", values::duration)?
                .or_default(SAMPLE),
            output: output(layers, args.output, FORMATS)?,
            options,
        })
    }

    /// A row for each setting, for `-v`.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            self.sample.row("sample", values::show_duration),
            self.output
                .row("output", |format| format.name().to_string()),
        ];
        let profile = self.profile.as_ref();
        rows.extend(profile.map(|profile| profile.row("profile", Clone::clone)));
        rows
    }
}

fn profile(layers: &Layers, args: &Args) -> Result<Option<Setting<String>>, Failure> {
    let in_section = layers
        .section()
        .and_then(|section| section.profile.as_ref());
    let read = |text: &str| match text.trim() {
        "guide" => Ok("guide".to_owned()),
        name => values::profile(name).map(|profile| profile.to_string()),
    };
    Ok(First::argument(args.profile.clone(), "--profile")
        .variable(&layers.environment, "GOODCACHE_PROFILE", read)?
        .section_text(layers, "profile", in_section, read)?
        .found())
}

/// Refuses what is neither a rule nor a group of rules.
pub fn known(given: &str) -> Result<(), Failure> {
    let group = |id: &'static str| id.split('.').next().unwrap_or(id);
    if tune::rules().any(|rule| rule.id == given || group(rule.id) == given) {
        return Ok(());
    }
    let failure = Failure::usage(format!("there is no rule or group of rules '{given}'"));
    let known = tune::rules().flat_map(|rule| [rule.id, group(rule.id)]);
    Err(match nearest(given, known) {
        Some(nearest) => failure.next(format!("did you mean '{nearest}'?")),
        None => failure.next("goodcache tune --explain all lists them"),
    })
}
