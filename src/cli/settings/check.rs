//! The settings of check.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::connection::word;
use super::layers::{Layers, Target};
use super::origin::{First, Row, Setting};
use crate::cli::acl;
use crate::cli::config::Threshold;
use crate::cli::exit::Failure;
use crate::cli::options::Format;
use crate::cli::options::check::{Args, FORMATS, FailOn};
use crate::cli::values;
use crate::health::Profile;

const SAMPLE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

/// When check looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watch {
    /// Once.
    Once,
    /// Again and again, this far apart.
    Every(Setting<Duration>),
    /// Until the cluster is healthy, for as long as this at most.
    UntilHealthy(Setting<Duration>),
}

/// What check does.
#[derive(Debug, Clone)]
pub struct CheckSettings {
    /// What the cluster is for.
    pub profile: Setting<Profile>,
    /// Time between the two looks; zero is one look only.
    pub sample: Setting<Duration>,
    /// From which severity on the exit code is 3.
    pub fail_on: Setting<FailOn>,
    /// Limits and severities that the settings file changes, by code.
    pub thresholds: BTreeMap<String, Threshold>,
    /// How the answer is written.
    pub output: Setting<Format>,
    /// When it looks.
    pub watch: Watch,
    /// Whether it writes a key to each shard.
    pub is_canary: bool,
    /// Whether it looks for keys in nodes that do not own them.
    pub is_deep: bool,
    /// Where to save what was seen.
    pub save_survey: Option<PathBuf>,
    /// The survey to judge instead of a cluster.
    pub from: Option<PathBuf>,
    /// The survey to compare with.
    pub against: Option<PathBuf>,
    /// The code to explain.
    pub explain: Option<String>,
}

impl CheckSettings {
    /// The cluster that the arguments mean.
    pub fn target(args: &Args) -> Target {
        Target {
            words: args.targets.clone(),
            role: Some(acl::CHECK_USER),
            ..Target::default()
        }
    }

    /// Lays the layers over each other.
    pub fn resolve(layers: &Layers, args: &Args) -> Result<CheckSettings, Failure> {
        Ok(CheckSettings {
            profile: profile(layers, args)?,
            sample: sample(layers, args)?,
            fail_on: fail_on(layers, args)?,
            thresholds: layers
                .file
                .as_ref()
                .map(|file| file.config.check.thresholds.clone())
                .unwrap_or_default(),
            output: output(layers, args.output, FORMATS)?,
            watch: watch(layers, args)?,
            is_canary: args.canary,
            is_deep: args.deep,
            save_survey: args.save_survey.clone(),
            from: args.from.clone(),
            against: args.against.clone(),
            explain: args.explain.clone(),
        })
    }

    /// A row for each setting, for `-v`.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = vec![
            self.profile
                .row("profile", |profile| format!("{profile:?}").to_lowercase()),
            self.sample.row("sample", values::show_duration),
            self.fail_on.row("fail on", |severity| word(*severity)),
            self.output
                .row("output", |format| format.name().to_string()),
        ];
        match &self.watch {
            Watch::Once => {}
            Watch::Every(interval) => rows.push(interval.row("watch", values::show_duration)),
            Watch::UntilHealthy(time) => rows.push(time.row("timeout", values::show_duration)),
        }
        rows
    }
}

fn profile(layers: &Layers, args: &Args) -> Result<Setting<Profile>, Failure> {
    let in_section = layers
        .section()
        .and_then(|section| section.profile.as_ref());
    let in_file = layers
        .file
        .as_ref()
        .and_then(|file| file.config.check.profile.as_ref());
    Ok(First::argument(args.profile, "--profile")
        .variable(&layers.environment, "GOODCACHE_PROFILE", values::profile)?
        .section_text(layers, "profile", in_section, values::profile)?
        .text(in_file, values::profile, || {
            layers.origin_in_file("check.profile")
        })?
        .or_default(Profile::default()))
}

fn sample(layers: &Layers, args: &Args) -> Result<Setting<Duration>, Failure> {
    let in_file = layers
        .file
        .as_ref()
        .and_then(|file| file.config.check.sample);
    Ok(First::argument(args.sample, "--sample")
        .variable(&layers.environment, "GOODCACHE_SAMPLE", values::duration)?
        .or(in_file, || layers.origin_in_file("check.sample"))
        .or_default(SAMPLE))
}

fn fail_on(layers: &Layers, args: &Args) -> Result<Setting<FailOn>, Failure> {
    let in_file = layers
        .file
        .as_ref()
        .and_then(|file| file.config.check.fail_on.as_ref());
    Ok(First::argument(args.fail_on, "--fail-on")
        .variable(&layers.environment, "GOODCACHE_FAIL_ON", values::choice)?
        .text(in_file, values::choice, || {
            layers.origin_in_file("check.fail_on")
        })?
        .or_default(FailOn::Critical))
}

fn watch(layers: &Layers, args: &Args) -> Result<Watch, Failure> {
    match (args.watch, args.wait) {
        (Some(interval), _) => Ok(Watch::Every(
            First::argument(interval, "--watch")
                .variable(
                    &layers.environment,
                    "REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL",
                    values::seconds,
                )?
                .or_default(INTERVAL),
        )),
        (None, Some(_)) => Ok(Watch::UntilHealthy(
            First::argument(args.timeout, "--timeout")
                .variable(&layers.environment, "GOODCACHE_TIMEOUT", values::span)?
                .or_default(PATIENCE),
        )),
        (None, None) => Ok(Watch::Once),
    }
}

/// How the answer is written, of the formats that the subcommand has.
pub(super) fn output(
    layers: &Layers,
    typed: Option<Format>,
    formats: &[&str],
) -> Result<Setting<Format>, Failure> {
    let read = |text: &str| {
        Format::named(text.trim())
            .filter(|format| formats.contains(&format.name()))
            .ok_or_else(|| format!("'{}' is none of {}", text.trim(), formats.join(", ")))
    };
    Ok(First::argument(typed, "--output")
        .variable(&layers.environment, "GOODCACHE_OUTPUT", read)?
        .or_default(Format::Table))
}
