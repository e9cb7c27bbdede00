//! `goodcache check`: settings, a survey, a verdict, an answer, an exit code.

use std::mem::ManuallyDrop;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use super::exit::{Exit, Failure};
use super::options::Format;
use super::options::check::FailOn;
use super::reach;
use super::saved::{self, Earlier};
use super::screen::Screen;
use super::settings::{CheckSettings, Settings, Watch};
use crate::cluster::{Access, Ask};
use crate::health;
use crate::model::{Health, Severity, Survey};
use crate::ops::check::{Report, changes, judge};
use crate::render::{self, terminal::Look};

/// PINGs in a burst.
const PINGS: u32 = 20;
/// Between two looks while waiting for health.
const WAITING_PAUSE: Duration = Duration::from_millis(100);

/// Runs it.
pub async fn run(
    settings: &Settings,
    check: &CheckSettings,
    screen: &Screen,
) -> Result<Exit, Failure> {
    if let Some(code) = &check.explain {
        return explain(code, screen);
    }
    // Read first: that a file is not there is told before a cluster is asked.
    let before = check.against.as_deref().map(saved::read_earlier);
    let checking = Checking {
        settings,
        check,
        screen,
        before: before.transpose()?,
    };
    if let Some(path) = &check.from {
        let survey = saved::read(path)?;
        return checking.answer(&survey);
    }
    settings.require_nodes()?;
    let mut access = reach::access_to_every_form(settings)?;
    match &check.watch {
        Watch::Once => checking.once(&mut access).await,
        Watch::Every(interval) => checking.watch(&mut access, interval.value).await,
        Watch::UntilHealthy(patience) => checking.wait(&mut access, patience.value).await,
    }
}

fn explain(code: &str, screen: &Screen) -> Result<Exit, Failure> {
    let Some(doc) = health::explain(code) else {
        let failure = Failure::usage(format!("there is no finding with the code '{code}'"));
        return Err(match health::nearest(code) {
            Some(nearest) => failure.next(format!("goodcache check --explain {nearest}")),
            None => failure,
        });
    };
    let text = render::terminal::text(&render::explain::explain(doc), look(screen));
    screen
        .answer(&text)
        .context("could not write the answer to stdout")?;
    Ok(Exit::Good)
}

/// One check under way.
struct Checking<'a> {
    settings: &'a Settings,
    check: &'a CheckSettings,
    screen: &'a Screen,
    /// What to compare with.
    before: Option<Earlier>,
}

impl Checking<'_> {
    async fn once(&self, access: &mut Access) -> Result<Exit, Failure> {
        let ask = self.ask(self.check.sample.value);
        let seen = reach::look(self.settings, access, &ask, self.screen).await?;
        // The process ends with the answer: taking apart what a hundred nodes said would only delay it.
        let seen = ManuallyDrop::new(seen);
        if let Err(failure) = reach::require_answer(&seen) {
            return self.blind(failure);
        }
        if let Some(path) = &self.check.save_survey {
            saved::write(path, &seen)?;
        }
        self.answer(&seen)
    }

    /// Monitoring plugins have an answer for "could not look" too.
    fn blind(&self, failure: Failure) -> Result<Exit, Failure> {
        if self.check.output.value != Format::Nagios {
            return Err(failure);
        }
        let line = format!(
            "UNKNOWN - {}",
            failure.text().lines().next().unwrap_or_default()
        );
        self.print(&format!("{line}\n"))?;
        Ok(Exit::Plugin(3))
    }

    fn ask(&self, sample: Duration) -> Ask {
        Ask {
            sample,
            pings: PINGS,
            is_canary: self.check.is_canary,
            is_deep: self.check.is_deep,
            is_brief: false,
            has_all_settings: self.check.save_survey.is_some(),
            is_dialling: true,
            zones: self.settings.zones.value.clone(),
        }
    }

    fn judge(&self, seen: &Survey) -> Result<Report, Failure> {
        let mut thresholds = health::Thresholds::default();
        for (code, threshold) in &self.check.thresholds {
            let unknown = |error: health::UnknownCode| Failure::usage(error);
            if threshold.warning.is_some() || threshold.critical.is_some() {
                thresholds
                    .set_limit(code, threshold.warning, threshold.critical)
                    .map_err(unknown)?;
            }
            if let Some(gravity) = threshold.severity {
                thresholds
                    .set_severity(code, gravity.severity())
                    .map_err(unknown)?;
            }
        }
        let options = health::Options {
            profile: self.check.profile.value,
            thresholds,
            now_ms: reach::now_ms(),
        };
        Ok(judge(seen, &options))
    }

    fn answer(&self, seen: &Survey) -> Result<Exit, Failure> {
        let report = self.judge(seen)?;
        let mut text = self.text(seen, &report)?;
        if let Some(before) = &self.before {
            let judged;
            let before = match before {
                Earlier::Survey(survey) => {
                    judged = self.judge(survey)?;
                    &judged
                }
                Earlier::Report(report) => report,
            };
            text = self.with_changes(seen, before, &report, text);
        }
        self.print(&text)?;
        Ok(self.exit(&report))
    }

    /// What changed stands before the report it came from; in JSON it is the report's neighbour.
    fn with_changes(&self, seen: &Survey, before: &Report, after: &Report, text: String) -> String {
        let changes = changes(before, after);
        match self.check.output.value {
            Format::Table => format!(
                "{}\n{text}",
                render::terminal::text(&render::changes(&changes), look(self.screen))
            ),
            Format::Markdown => format!(
                "{}\n{text}",
                render::markdown::text(&render::changes(&changes))
            ),
            Format::Json => render::json::envelope(
                "check",
                Some(seen.taken_at_ms),
                &serde_json::json!({ "changes": changes, "report": after }),
            ),
            Format::Prometheus | Format::Nagios | Format::Junit => text,
        }
    }

    fn text(&self, seen: &Survey, report: &Report) -> Result<String, Failure> {
        let codes: Vec<&str> = health::codes().map(|doc| doc.code).collect();
        let detail = render::Detail {
            is_verbose: self.screen.is_verbose(),
        };
        Ok(match self.check.output.value {
            Format::Table => {
                render::terminal::text(&render::check(report, detail), look(self.screen))
            }
            Format::Markdown => render::markdown::text(&render::check(report, detail)),
            Format::Json => render::json::envelope("check", Some(seen.taken_at_ms), report),
            Format::Prometheus => render::prometheus(report, Some(seen.taken_at_ms)),
            Format::Nagios => render::nagios(report).0,
            Format::Junit => render::junit(report, &codes, self.limit())?,
        })
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        self.screen
            .answer(text)
            .context("could not write the answer to stdout")?;
        Ok(())
    }

    fn exit(&self, report: &Report) -> Exit {
        if self.check.output.value == Format::Nagios {
            return Exit::Plugin(render::nagios(report).1);
        }
        match self.is_bad(report) {
            true => Exit::Bad,
            false => Exit::Good,
        }
    }

    fn is_bad(&self, report: &Report) -> bool {
        let limit = self.limit();
        report
            .findings
            .iter()
            .any(|finding| limit.is_some_and(|limit| finding.severity >= limit))
    }

    /// From which severity on the answer is bad.
    fn limit(&self) -> Option<Severity> {
        match self.check.fail_on.value {
            FailOn::Never => None,
            FailOn::Warning => Some(Severity::Warning),
            FailOn::Critical => Some(Severity::Critical),
        }
    }

    /// Looks until nothing is as grave as `--fail-on`, every node answers and the state is ok; then
    /// gives a proper answer.
    async fn wait(&self, access: &mut Access, patience: Duration) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let events = self.screen.events();
        events.begin("waiting until the cluster is healthy");
        loop {
            let seen = reach::look(
                self.settings,
                access,
                &self.ask(Duration::ZERO),
                self.screen,
            )
            .await?;
            let blind = reach::require_answer(&seen);
            let is_healthy = blind.is_ok() && self.is_healthy(&self.judge(&seen)?);
            if is_healthy {
                events.done("healthy");
                return self.once(access).await;
            }
            if begun.elapsed() + WAITING_PAUSE > patience {
                self.screen.clear();
                self.screen.say(&format!(
                    "goodcache: not healthy after {}",
                    render::human::duration(begun.elapsed())
                ));
                if let Err(failure) = blind {
                    return self.blind(failure);
                }
                let exit = self.answer(&seen)?;
                return Ok(if exit == Exit::Good { Exit::Bad } else { exit });
            }
            tokio::time::sleep(WAITING_PAUSE).await;
        }
    }

    fn is_healthy(&self, report: &Report) -> bool {
        !self.is_bad(report)
            && report.health != Health::Critical
            && match report.cluster.form.is_cluster() {
                true => report.cluster.state.as_deref() == Some("ok"),
                false => report.cluster.slots_served > 0,
            }
            && report.cluster.nodes_answering == report.cluster.nodes_known
    }

    /// Looks again and again until it is stopped: on a terminal the screen is drawn anew, elsewhere
    /// only what changed is told.
    async fn watch(&self, access: &mut Access, interval: Duration) -> Result<Exit, Failure> {
        let mut before: Option<Report> = None;
        loop {
            let seen = reach::look(
                self.settings,
                access,
                &self.ask(self.check.sample.value.min(interval)),
                self.screen,
            )
            .await?;
            let report = self.judge(&seen)?;
            if self.screen.is_terminal() {
                let when = render::human::timestamp(seen.taken_at_ms);
                let text = self.text(&seen, &report)?;
                self.print(&format!(
                    "\x1b[H\x1b[2J{when}, every {}\n\n{text}",
                    render::human::duration(interval)
                ))?;
            } else {
                self.print_changes(&seen, before.as_ref(), &report)?;
            }
            before = Some(report);
            tokio::time::sleep(interval.saturating_sub(self.check.sample.value)).await;
        }
    }

    fn print_changes(
        &self,
        seen: &Survey,
        before: Option<&Report>,
        report: &Report,
    ) -> Result<(), Failure> {
        let Some(before) = before else {
            return self.print(&self.text(seen, report)?);
        };
        let changes = changes(before, report);
        if changes.is_empty() {
            return Ok(());
        }
        let text = match self.check.output.value {
            Format::Json => {
                let body = serde_json::json!({ "changes": changes });
                render::json::envelope("check", Some(seen.taken_at_ms), &body)
            }
            _ => {
                let when = render::human::timestamp(seen.taken_at_ms);
                let lines = changes
                    .iter()
                    .map(|change| format!("{when} {}\n", render::change_line(change).text));
                lines.collect()
            }
        };
        self.print(&text)
    }
}

/// How stdout looks.
pub(super) fn look(screen: &Screen) -> Look {
    Look {
        width: screen.width(),
        colour: screen.is_coloured(),
    }
}

/// The failure of a file.
pub(super) fn file_failure(what: &str, path: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        anyhow!("could not {what} {}: {error}", path.display()),
    )
}
