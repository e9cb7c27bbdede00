//! `tune --trial`: a recommendation tried on throw-away copies before anybody follows it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Serialize;

use super::{Tuning, load_file};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::tune::Args;
use crate::cli::signal::{Ended, until_signal};
use crate::cli::{reach, settings, stopped};
use crate::host::process::ProcessError;
use crate::host::programs::{Program, in_path, nearest};
use crate::model::words::listed;
use crate::model::{Evidence, Vendor, Version};
use crate::ops::tune::trial::{NoCopy, NoTrial, Plan, Report, Trial, plan, run as run_trial};
use crate::render;

const LENGTH: Duration = Duration::from_secs(30);
/// Ten turns of a tenth of a second each.
const LEAST: Duration = Duration::from_secs(1);
const CONNECTIONS: u16 = 8;
/// So many programs are named in an error.
const NAMED: usize = 4;

/// What is answered in JSON.
#[derive(Serialize)]
struct Answer<'a> {
    /// `None` when there is nothing to try.
    trial: Option<&'a Report>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_to_try: Option<&'a str>,
}

/// Refuses what makes no sense before a cluster is looked at for a minute.
pub(super) fn require_sound(args: &Args) -> Result<(), Failure> {
    for rule in &args.trial {
        settings::known_rule(rule)?;
    }
    if args.trial_for.unwrap_or(LENGTH) < LEAST {
        return Err(Failure::usage(
            "--for is shorter than 1s: too short for ten turns",
        ));
    }
    load_file::load(args.load.as_deref()).map(|_| ())
}

/// Runs it.
pub(super) async fn run(tuning: &Tuning<'_>, evidence: &Evidence) -> Result<Exit, Failure> {
    let args = tuning.args;
    let length = args.trial_for.unwrap_or(LENGTH);
    reach::require_answer(&evidence.survey)?;
    let load = load_file::load(args.load.as_deref())?;
    let taken_at = evidence.survey.taken_at_ms;
    let plan = match plan(evidence, &tuning.tune.options, &args.trial, &load) {
        Ok(plan) => plan,
        Err(NoTrial::Nothing(rules)) => return tuning.nothing(evidence, &rules),
        Err(error) => return Err(refusal(error)),
    };
    let server = server(tuning, &plan, evidence)?;
    let events = tuning.screen.events();
    let trial = Trial {
        plan: &plan,
        server: &server,
        is_server_given: args.server.is_some(),
        length,
        connections: usize::from(args.connections.unwrap_or(CONNECTIONS)),
        events: &events,
    };
    // Dropped by a signal, the servers are gone with it.
    let ended = until_signal(run_trial(&trial)).await;
    let report = match ended.context("cannot wait for signals")? {
        Ended::Done(report) => report.map_err(no_copy)?,
        Ended::Stopped(number) => {
            tuning.screen.clear();
            tuning
                .screen
                .say("goodcache: stopped; the throw-away servers are gone");
            return Ok(stopped(number));
        }
    };
    let answer = Answer {
        trial: Some(&report),
        nothing_to_try: None,
    };
    tuning.answer(taken_at, &answer, &render::trial::trial(&report))?;
    Ok(Exit::Good)
}

impl Tuning<'_> {
    fn nothing(&self, evidence: &Evidence, rules: &str) -> Result<Exit, Failure> {
        let mut why = format!("{rules} would change nothing here");
        let is_guide = |rule: &String| rule.starts_with("guide");
        if !self.tune.options.is_guide && self.args.trial.iter().any(is_guide) {
            why.push_str(" (the guide's rules want --profile guide)");
        }
        let answer = Answer {
            trial: None,
            nothing_to_try: Some(&why),
        };
        let survey = &evidence.survey;
        let first = || survey.seeds.first().map(ToString::to_string);
        let cluster = survey.name.clone().or_else(first).unwrap_or_default();
        let doc = render::trial::nothing(&cluster, &why);
        self.answer(survey.taken_at_ms, &answer, &doc)?;
        Ok(Exit::Good)
    }
}

fn refusal(error: NoTrial) -> Failure {
    match error {
        NoTrial::NoLoad(_) => {
            Failure::usage(error).next("goodcache tune --help tells how a load file is written")
        }
        NoTrial::NotHere { ref rule, .. } => {
            let next = format!("goodcache tune --explain {rule} tells what it rests on");
            Failure::new(Exit::Refused, error).next(next)
        }
        NoTrial::Nothing(_) => Failure::new(Exit::Refused, error),
    }
}

/// The program that was named; else that of the node's vendor whose version is the nearest, of the one
/// that the node itself runs on this machine and those in PATH.
fn server(tuning: &Tuning<'_>, plan: &Plan, evidence: &Evidence) -> Result<PathBuf, Failure> {
    if let Some(given) = &tuning.args.server {
        return Ok(given.clone());
    }
    // Saved evidence may be of another machine.
    let seen = (evidence.nodes.get(&plan.picked.node)).filter(|_| tuning.args.from.is_none());
    let own = seen.and_then(|seen| seen.host.as_ref()?.program.as_ref());
    let paths = own.map(PathBuf::from).into_iter().chain(in_path());
    let programs: Vec<Program> = paths.filter_map(|path| Program::ask(&path)).collect();
    let wanted = plan.version.parse().unwrap_or(Version(0, 0, 0));
    let Some(program) = nearest(plan.vendor, wanted, &programs) else {
        return Err(no_program(plan, &programs));
    };
    if !program.is_like(wanted) {
        tuning.screen.say(&format!(
            "goodcache: the cluster runs {} {}, and the nearest server here is {program}: what is measured may differ; --server PATH names another",
            plan.vendor, plan.version
        ));
    }
    Ok(program.path.clone())
}

fn no_program(plan: &Plan, programs: &[Program]) -> Failure {
    let name = match plan.vendor {
        Vendor::Valkey => "valkey-server",
        Vendor::Redis => "redis-server",
    };
    let there = match programs.is_empty() {
        true => String::new(),
        false => {
            let all = listed(programs.iter().map(ToString::to_string), NAMED);
            format!(", only {all}")
        }
    };
    let why = anyhow!(
        "the cluster runs {} {}, and no server of {0} is in PATH to make a copy with{there}",
        plan.vendor,
        plan.version
    );
    Failure::new(Exit::Failed, why).next(format!(
        "install one (Debian: apt-get install {name}), or name the program with --server PATH: one that is named is taken as it is"
    ))
}

fn no_copy(error: NoCopy) -> Failure {
    let next = match &error {
        NoCopy::Process(ProcessError::NoProgram { .. }) => {
            "install redis-server or valkey-server, or name the program with --server PATH"
        }
        NoCopy::Process(_) => "name another folder by TMPDIR, or another server by --server",
        NoCopy::Refused { .. } | NoCopy::NoServer { .. } => {
            "name a server of the cluster's own version by --server"
        }
        NoCopy::OtherVendor { .. } => {
            "name a server of the cluster's vendor by --server; one that is named is taken as it is"
        }
        NoCopy::NotFilled(_) | NoCopy::Server(_) => {
            "look whether this machine has the memory for two copies of 100 MiB and more"
        }
    };
    Failure::new(Exit::Failed, error).next(next)
}
