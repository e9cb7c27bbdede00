//! For CI: JUnit XML, a test case per code.
//!
//! What fails the run and what fails the test case is one and the same: findings at or above
//! `--fail-on`. Lesser ones are told in the case's output. A code that could not be judged anywhere
//! is skipped; one that was judged and found nothing passes.

use std::collections::BTreeSet;

use anyhow::Context;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::model::{Finding, Severity, Skipped};
use crate::ops::check::Report;

use super::plain::clean;

/// A check's report as JUnit XML. `codes` are all that were judged; `fail_on` is the least grave
/// that fails, `None` for never.
pub fn junit(report: &Report, codes: &[&str], fail_on: Option<Severity>) -> anyhow::Result<String> {
    let found = report.findings.iter().map(|finding| finding.code.as_str());
    let skipped = report.skipped.iter().map(|skip| skip.code.as_str());
    let all: BTreeSet<&str> = codes.iter().copied().chain(found).chain(skipped).collect();
    let mut suite = TestSuite::new(clean(&report.cluster.name).into_owned());
    for code in all {
        suite.add_test_case(case(report, code, fail_on));
    }
    let mut junit = quick_junit::Report::new("goodcache check");
    junit.add_test_suite(suite);
    junit.to_string().context("could not write JUnit XML")
}

fn case(report: &Report, code: &str, fail_on: Option<Severity>) -> TestCase {
    let findings = report.findings.iter().filter(|f| f.code == code);
    let (failed, lesser): (Vec<&Finding>, Vec<&Finding>) =
        findings.partition(|f| fail_on.is_some_and(|limit| f.severity >= limit));
    let skips: Vec<&Skipped> = report.skipped.iter().filter(|s| s.code == code).collect();
    let mut status = match (failed.first(), lesser.is_empty(), skips.first()) {
        (Some(first), ..) => failure(first, &failed),
        (None, true, Some(skip)) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(clean(&format!("{}: {}", skip.subject, skip.reason)).into_owned());
            status
        }
        _ => TestCaseStatus::success(),
    };
    if failed.len() > 1 {
        status.set_message(format!(
            "{} (and {} more)",
            headline(failed[0]),
            failed.len() - 1
        ));
    }
    let mut case = TestCase::new(clean(code).into_owned(), status);
    case.set_classname("goodcache.check");
    let output: Vec<String> = lesser.iter().map(|f| told(f)).collect();
    if !output.is_empty() {
        case.set_system_out(output.join("\n"));
    }
    case
}

fn failure(first: &Finding, all: &[&Finding]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(headline(first));
    status.set_type(first.severity.to_string());
    let told: Vec<String> = all.iter().map(|f| told(f)).collect();
    status.set_description(told.join("\n"));
    status
}

fn headline(finding: &Finding) -> String {
    clean(&format!("{}: {}", finding.subject, finding.summary)).into_owned()
}

fn told(finding: &Finding) -> String {
    format!(
        "{} {}\n  seen: {}\n  next: {}",
        finding.severity,
        headline(finding),
        clean(&finding.evidence),
        clean(&finding.next)
    )
}
