//! How create answers, in each format, and the exit code that goes with it.

use anyhow::Context;

use crate::cli::check::look;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::Format;
use crate::cli::screen::Screen;
use crate::model::Finding;
use crate::ops::create::{Plan, Refusal, Report, Standing};
use crate::render::{self, Doc};

/// Codes of faults that kept create from looking, rather than made it refuse.
const BLIND: [&str; 8] = [
    "unreachable",
    "protected_mode",
    "password_wanted",
    "password_wrong",
    "forbidden",
    "loading",
    "tls",
    "not_redis",
];

/// Where an answer goes and what it looks like.
pub(super) struct Answer<'a> {
    pub(super) name: &'a str,
    pub(super) format: Format,
    pub(super) screen: &'a Screen,
}

impl Answer<'_> {
    /// The plan is the answer of a dry run.
    pub(super) fn plan(&self, plan: &Plan) -> Result<(), Failure> {
        let doc = render::create::plan(self.name, plan, self.screen.is_verbose());
        self.print(&doc, plan)
    }

    /// The plan is shown beside a question.
    pub(super) fn show_plan(&self, plan: &Plan) {
        let doc = render::create::plan(self.name, plan, self.screen.is_verbose());
        self.screen.talk(&doc);
    }

    /// Warnings are told on the way.
    pub(super) fn warnings(&self, findings: &[Finding]) {
        self.screen.talk(&render::create::warnings(findings));
    }

    /// All faults at once.
    pub(super) fn refusal(&self, refusal: Refusal) -> Result<Exit, Failure> {
        self.print(&render::create::refusal(self.name, &refusal), &refusal)?;
        let is_blind = |fault: &Finding| {
            let kind = fault.code.strip_prefix("preflight.").unwrap_or_default();
            BLIND.contains(&kind)
        };
        Ok(match refusal.faults.iter().all(is_blind) {
            true => Exit::CouldNotLook,
            false => Exit::Refused,
        })
    }

    /// What was done.
    pub(super) fn report(&self, report: &Report) -> Result<Exit, Failure> {
        self.print(&render::create::report(self.name, report), report)?;
        Ok(match (report.is_usable, report.standing) {
            (true, _) => Exit::Good,
            (false, Standing::AlreadySo) => Exit::Bad,
            (false, _) => Exit::HalfWay,
        })
    }

    fn print(&self, doc: &Doc, report: &impl serde::Serialize) -> Result<(), Failure> {
        let text = match self.format {
            Format::Json => {
                render::json::envelope("create", Some(crate::cli::reach::now_ms()), report)
            }
            Format::Markdown => render::markdown::text(doc),
            _ => render::terminal::text(doc, look(self.screen)),
        };
        self.screen
            .answer(&text)
            .context("could not write the answer to stdout")?;
        Ok(())
    }
}
