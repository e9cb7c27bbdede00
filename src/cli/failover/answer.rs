//! What failover-test says: the plan before, the report after, each in the form that was asked for.

use anyhow::Context;

use super::write_file;
use crate::cli::check::look;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Format;
use crate::cli::options::failover::Args;
use crate::cli::screen::Screen;
use crate::model::Recording;
use crate::ops::failover::{Outlook, Report, Verdict};
use crate::render::{self, Detail, Doc};

/// Of a longer plan only so many steps are shown.
const MOST_STEPS: usize = 12;

/// Where and how it is said.
pub struct Answer<'a> {
    /// The form of the answer.
    pub format: Format,
    /// What was typed.
    pub args: &'a Args,
    /// The screen.
    pub screen: &'a Screen,
}

impl Answer<'_> {
    /// What will be done: the answer of a dry run, else talk before the consent.
    pub fn plan(&self, outlook: &Outlook, taken_at_ms: u64) -> Result<(), Failure> {
        let most = match self.screen.is_verbose() {
            true => usize::MAX,
            false => MOST_STEPS,
        };
        let doc = render::drill_plan(outlook, most);
        if self.args.dry_run {
            let json = || {
                let plan = serde_json::json!({ "plan": outlook });
                render::json::envelope("failover-test", Some(taken_at_ms), &plan)
            };
            return self.print(&self.text(&doc, json));
        }
        self.screen.talk(&doc);
        Ok(())
    }

    /// The report, and the exit code that its verdict means.
    pub fn report(&self, report: &Report, recording: &Recording) -> Result<Exit, Failure> {
        let text = match self.format {
            Format::Junit => render::drill_junit(report)?,
            _ => {
                let detail = Detail {
                    is_verbose: self.screen.is_verbose(),
                };
                let taken_at = Some(recording.taken_at_ms);
                self.text(&render::failover(report, detail), || {
                    render::json::envelope("failover-test", taken_at, report)
                })
            }
        };
        self.print(&text)?;
        if let Some(path) = &self.args.junit {
            write_file(path, render::drill_junit(report)?.as_bytes())?;
        }
        if let Some(path) = &self.args.report {
            write_file(path, render::drill_page(report, recording).as_bytes())?;
        }
        Ok(match report.verdict {
            Verdict::Passed => Exit::Good,
            Verdict::Failed => Exit::Bad,
            Verdict::Unknown => Exit::CouldNotLook,
        })
    }

    fn text(&self, doc: &Doc, json: impl FnOnce() -> String) -> String {
        match self.format {
            Format::Markdown => render::markdown::text(doc),
            Format::Json => json(),
            _ => render::terminal::text(doc, look(self.screen)),
        }
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        self.screen
            .answer(text)
            .context("could not write the answer to stdout")?;
        Ok(())
    }
}
