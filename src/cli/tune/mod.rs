//! `goodcache tune`: evidence, advice, and, where that is asked for, the change.

mod apply;
mod compose;
mod files;
mod load_file;
mod resilience;
mod saved;
mod size;
mod trial;
mod undo;

use std::path::Path;

use anyhow::Context;

use super::check::{file_failure, look};
use super::exit::{Exit, Failure};
use super::options::Format;
use super::options::check::FailOn;
use super::options::tune::Args;
use super::reach;
use super::screen::Screen;
use super::settings::{Layers, Settings, TuneSettings};
use super::{evidence, settings};
use crate::cluster::{Access, Ask};
use crate::model::{Evidence, Severity};
use crate::ops::tune::{self, Report};
use crate::render::{self, Doc};

/// PINGs in a burst: the floor of the node timeout is found from them.
const PINGS: u32 = 20;

/// Runs it.
pub async fn run(
    layers: &Layers,
    settings: &Settings,
    tune: &TuneSettings,
    args: &Args,
    screen: &Screen,
) -> Result<Exit, Failure> {
    let tuning = Tuning {
        layers,
        settings,
        tune,
        args,
        screen,
    };
    if let Some(rule) = &args.explain {
        return tuning.explain(rule);
    }
    if args.sizing.size {
        return size::run(&tuning).await;
    }
    if args.riding.resilience {
        return resilience::run(&tuning).await;
    }
    if !args.trial.is_empty() {
        trial::require_sound(args)?;
        return trial::run(&tuning, &tuning.evidence().await?).await;
    }
    if let Some(path) = &args.undo {
        settings.require_nodes()?;
        return undo::run(&tuning, path).await;
    }
    if args.from.is_some() {
        return tuning.advise(&tuning.evidence().await?).await;
    }
    settings.require_nodes()?;
    let mut access = reach::access_to_every_form(settings)?;
    let evidence = tuning.look(&mut access).await?;
    match args.apply {
        true => apply::run(&tuning, &access, &evidence).await,
        false => tuning.advise(&evidence).await,
    }
}

/// One tune under way.
struct Tuning<'a> {
    layers: &'a Layers,
    settings: &'a Settings,
    tune: &'a TuneSettings,
    args: &'a Args,
    screen: &'a Screen,
}

impl Tuning<'_> {
    async fn look(&self, access: &mut Access) -> Result<Evidence, Failure> {
        let ask = Ask {
            sample: self.tune.sample.value,
            pings: PINGS,
            has_all_settings: true,
            zones: self.settings.zones.value.clone(),
            ..Ask::default()
        };
        let is_deep = self.args.deep || !self.args.trial.is_empty();
        let evidence = evidence::look(self.settings, access, &ask, is_deep, self.screen);
        let evidence = evidence.await?;
        reach::require_answer(&evidence.survey)?;
        if let Some(path) = &self.args.save_evidence {
            saved::write(path, &evidence)?;
        }
        Ok(evidence)
    }

    /// What was saved, where a file is named; else what a look at the cluster shows.
    async fn evidence(&self) -> Result<Evidence, Failure> {
        if let Some(path) = &self.args.from {
            let evidence = saved::read(path)?;
            reach::require_answer(&evidence.survey)?;
            return Ok(evidence);
        }
        self.settings.require_nodes()?;
        self.look(&mut reach::access(self.settings)?).await
    }

    async fn advise(&self, evidence: &Evidence) -> Result<Exit, Failure> {
        reach::require_answer(&evidence.survey)?;
        let report = tune::judge(evidence, &self.tune.options);
        self.write_files(&report).await?;
        let doc = render::tune::tune(&report, self.detail(), &self.apply_line());
        self.answer(evidence.survey.taken_at_ms, &report, &doc)?;
        Ok(self.exit(&report))
    }

    /// The files that were asked for beside the answer.
    async fn write_files(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.args.write_conf {
            write(path, "the settings", &tune::fragment(report))?;
        }
        if let Some(path) = &self.args.write_compose {
            compose::write(report, path).await?;
        }
        Ok(())
    }

    fn explain(&self, rule: &str) -> Result<Exit, Failure> {
        let doc = match rule {
            "all" => render::tune::rules(tune::rules()),
            id => match tune::explain(id) {
                Some(rule) => render::tune::rule(rule),
                None => {
                    settings::known_rule(id)?;
                    let group = format!("{id}.");
                    render::tune::rules(tune::rules().filter(|rule| rule.id.starts_with(&group)))
                }
            },
        };
        self.print(&render::terminal::text(&doc, look(self.screen)))?;
        Ok(Exit::Good)
    }

    fn answer(
        &self,
        taken_at_ms: u64,
        report: &impl serde::Serialize,
        doc: &Doc,
    ) -> Result<(), Failure> {
        let text = match self.tune.output.value {
            Format::Markdown => render::markdown::text(doc),
            Format::Json => render::json::envelope("tune", Some(taken_at_ms), report),
            _ => render::terminal::text(doc, look(self.screen)),
        };
        self.print(&text)
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        self.screen
            .answer(text)
            .context("could not write the answer to stdout")?;
        Ok(())
    }

    fn exit(&self, report: &Report) -> Exit {
        let limit = match self.args.fail_on {
            None | Some(FailOn::Never) => return Exit::Good,
            Some(FailOn::Warning) => Severity::Warning,
            Some(FailOn::Critical) => Severity::Critical,
        };
        let is_bad = report
            .recommendations
            .iter()
            .any(|one| one.severity >= limit);
        if is_bad { Exit::Bad } else { Exit::Good }
    }

    fn detail(&self) -> render::Detail {
        render::Detail {
            is_verbose: self.screen.is_verbose(),
        }
    }

    /// The cluster as it was called on the command line.
    fn called(&self) -> String {
        match self.args.targets.is_empty() {
            true => String::new(),
            false => format!(" {}", self.args.targets.join(" ")),
        }
    }

    fn apply_line(&self) -> String {
        let mut line = format!("goodcache tune{} --apply", self.called());
        if let Some(profile) = &self.args.profile {
            line.push_str(&format!(" --profile {profile}"));
        }
        // Without these another plan would be applied.
        let options = &self.tune.options;
        let given = [
            (self.args.deep).then(|| "--deep".to_owned()),
            (self.args.memory_limit).map(|bytes| format!("--memory-limit {bytes}")),
            (self.args.outage).map(|_| format!("--outage {}s", options.outage_s)),
            (options.recovery_s).map(|seconds| format!("--recovery {seconds}s")),
            (options.is_lossless).then(|| "--no-loss".to_owned()),
        ];
        for flag in given.into_iter().flatten() {
            line.push_str(&format!(" {flag}"));
        }
        for (flag, rules) in [("--only", &self.args.only), ("--except", &self.args.except)] {
            if !rules.is_empty() {
                line.push_str(&format!(" {flag} {}", rules.join(",")));
            }
        }
        line
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, what: &str, text: &str) -> Result<(), Failure> {
    super::saved::write_whole(path, text.as_bytes())
        .map_err(|error| file_failure(&format!("write {what} to"), path, error))
}
