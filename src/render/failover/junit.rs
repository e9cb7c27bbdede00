//! For CI: a drill as JUnit XML, a test case per budget.
//!
//! A budget that was not kept is a failure; one that nothing can be said about is an error, since a
//! drill that saw nothing must not look like one that passed. A drill that did not pass for any
//! other reason gets a case of its own, so that the XML fails whenever the command does.

use anyhow::Context;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::ops::failover::{BudgetLine, Report, Verdict};
use crate::render::plain::clean;

use super::{facts, headline, rounds, verdict_word, words};

const CLASS: &str = "goodcache.failover-test";

/// A drill's report as JUnit XML.
pub fn drill_junit(report: &Report) -> anyhow::Result<String> {
    let name = match &report.scenario {
        Some(scenario) => format!("{}: {scenario}", report.cluster),
        None => report.cluster.clone(),
    };
    let mut suite = TestSuite::new(clean(&name).into_owned());
    for (name, value) in [
        ("verdict", verdict_word(report.verdict).0.to_owned()),
        ("deed", words::deed(report)),
        ("servers", facts::servers(report)),
        ("load", facts::load(report)),
    ] {
        suite.add_property((name, clean(&value).as_ref()));
    }
    for line in &report.budgets {
        suite.add_test_case(case(report, line));
    }
    let worst = report.budgets.iter().map(|line| line.verdict).max();
    if report.budgets.is_empty() || worst.is_none_or(|worst| worst < report.verdict) {
        suite.add_test_case(whole_case(report));
    }
    suite.set_system_out(story(report));
    let mut junit = quick_junit::Report::new("goodcache failover-test");
    junit.add_test_suite(suite);
    junit.to_string().context("could not write JUnit XML")
}

fn case(report: &Report, line: &BudgetLine) -> TestCase {
    let mut name = line.budget.to_owned();
    if let Some(shard) = line.shard {
        name += &format!(", shard {shard}");
    }
    if let Some(round) = line.round.filter(|_| report.rounds.len() > 1) {
        name += &format!(", round {round}");
    }
    if let Some(step) = &line.step {
        name += &format!(" ({})", clean(step));
    }
    let told = format!("{} (limit {})", line.measured, line.limit);
    let text = format!(
        "{name}: {told}\n{}: {}",
        report.cluster,
        words::deed(report)
    );
    let mut case = TestCase::new(name, status(line.verdict, &told, &text));
    case.set_classname(CLASS);
    case
}

/// The drill itself, for what no budget tells.
fn whole_case(report: &Report) -> TestCase {
    let message = report.reasons.first().cloned();
    let message = message.unwrap_or_else(|| headline(report));
    let status = status(report.verdict, &message, &report.reasons.join("\n"));
    let mut case = TestCase::new("drill", status);
    case.set_classname(CLASS);
    case
}

fn status(verdict: Verdict, message: &str, text: &str) -> TestCaseStatus {
    let kind = match verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Failed => NonSuccessKind::Failure,
        Verdict::Unknown => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(clean(message).into_owned());
    status.set_type(verdict_word(verdict).0.to_lowercase());
    status.set_description(lines(text));
    status
}

/// The verdict, why, and what happened in the worst round.
fn story(report: &Report) -> String {
    let (word, _) = verdict_word(report.verdict);
    let mut told = format!("{}: {word} - {}\n", report.cluster, headline(report));
    for reason in &report.reasons {
        told += &format!("{}\n", clean(reason));
    }
    let worst = words::worst_round(report);
    for round in report.rounds.iter().filter(|r| Some(r.round) == worst) {
        told += &format!("round {}: {}\n", round.round, rounds::named(round));
        let zero = words::fault_at(round);
        for moment in round.timeline.iter().take(100) {
            let at = words::offset(moment.at_ms - zero);
            told += &format!("{at:>11}  {}  {}\n", moment.what, clean(&moment.words));
        }
    }
    lines(&told)
}

/// Each line made harmless; `clean` alone would join them.
fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| clean(line).into_owned()).collect();
    lines.join("\n")
}
