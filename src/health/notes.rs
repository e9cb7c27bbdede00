//! Where rules write down what they found and what they could not look at, and how alike notes
//! become one: twelve nodes with the same fault are one line for the reader.

use std::collections::BTreeMap;

use crate::model::words::{counted, listed};
use crate::model::{Finding, Probe, Severity, Skipped, Subject};

use super::case::{Asked, Case};
use super::code::CodeDoc;
use super::{Options, Verdict};

/// The notes of a judgement under way.
pub struct Notes<'a> {
    options: &'a Options,
    findings: Vec<(&'static CodeDoc, Finding)>,
    skipped: Vec<Skipped>,
}

/// How many nodes a folded note names.
const NAMED: usize = 6;

impl<'a> Notes<'a> {
    pub(super) fn new(options: &'a Options) -> Notes<'a> {
        Notes {
            options,
            findings: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// Notes a finding as grave as its code says.
    pub fn find(
        &mut self,
        doc: &'static CodeDoc,
        subject: Subject,
        summary: impl Into<String>,
        evidence: impl Into<String>,
        next: impl Into<String>,
    ) {
        self.find_at(doc, doc.severity, subject, summary, evidence, next);
    }

    /// Notes a finding as grave as the rule says, unless the user set otherwise.
    pub fn find_at(
        &mut self,
        doc: &'static CodeDoc,
        severity: Severity,
        subject: Subject,
        summary: impl Into<String>,
        evidence: impl Into<String>,
        next: impl Into<String>,
    ) {
        let Some(severity) = self.options.thresholds.severity(doc.code, severity) else {
            return;
        };
        let finding = Finding {
            code: doc.code.to_owned(),
            severity,
            subject,
            summary: summary.into(),
            evidence: evidence.into(),
            next: next.into(),
        };
        self.findings.push((doc, finding));
    }

    /// How grave a measured value is; `None` when it is within the limits.
    pub fn grade(&self, doc: &'static CodeDoc, value: f64) -> Option<Severity> {
        self.options.thresholds.grade(doc, value)
    }

    /// Notes that a code could not be judged.
    pub fn skip(&mut self, doc: &CodeDoc, subject: Subject, reason: impl Into<String>) {
        if (self.options.thresholds)
            .severity(doc.code, doc.severity)
            .is_some()
        {
            self.skipped.push(Skipped {
                code: doc.code.to_owned(),
                subject,
                reason: reason.into(),
            });
        }
    }

    /// Those nodes whose probe was read; for the others the codes are noted as skipped.
    pub fn with<'c>(
        &mut self,
        probe: Probe,
        docs: &[&'static CodeDoc],
        nodes: impl Iterator<Item = Asked<'c>>,
    ) -> Vec<Asked<'c>> {
        let mut read = Vec::new();
        for asked in nodes {
            match asked.unread(probe) {
                None => read.push(asked),
                Some(why) => {
                    for doc in docs {
                        self.skip(doc, asked.subject(), why.clone());
                    }
                }
            }
        }
        read
    }

    /// Folds and sorts.
    pub(super) fn into_verdict(self, case: &Case) -> Verdict {
        let mut findings = fold_findings(self.findings, case);
        findings.sort_by(|a, b| {
            (b.severity.cmp(&a.severity))
                .then_with(|| a.code.cmp(&b.code))
                .then_with(|| a.subject.cmp(&b.subject))
        });
        Verdict {
            findings,
            skipped: fold_skipped(self.skipped, case),
        }
    }
}

fn fold_findings(notes: Vec<(&'static CodeDoc, Finding)>, case: &Case) -> Vec<Finding> {
    let mut single = Vec::new();
    let mut alike: BTreeMap<(&str, Severity), (&CodeDoc, Vec<Finding>)> = BTreeMap::new();
    for (doc, finding) in notes {
        if doc.is_folded {
            let key = (doc.code, finding.severity);
            alike
                .entry(key)
                .or_insert((doc, Vec::new()))
                .1
                .push(finding);
        } else {
            single.push(finding);
        }
    }
    for (doc, findings) in alike.into_values() {
        match findings.len() {
            0 | 1 => single.extend(findings),
            _ => single.push(fold(doc, &findings, case)),
        }
    }
    single
}

fn fold(doc: &CodeDoc, findings: &[Finding], case: &Case) -> Finding {
    let first = &findings[0];
    let evidence = if findings.iter().all(|f| f.evidence == first.evidence) {
        let names = findings.iter().map(|f| f.subject.name().to_owned());
        match findings.len() == case.survey.nodes.len() {
            true => format!("{} on every node", first.evidence),
            false => format!("{} on {}", first.evidence, listed(names, NAMED)),
        }
    } else {
        let seen = findings
            .iter()
            .map(|f| format!("{}: {}", f.subject.name(), f.evidence));
        shown(seen, NAMED)
    };
    let many = counted(findings.len(), first.subject.kind());
    Finding {
        code: first.code.clone(),
        severity: first.severity,
        subject: case.cluster(),
        summary: format!("{many}: {}", doc.title),
        evidence,
        next: match first.next.strip_prefix("redis-cli ") {
            Some(_) if findings.iter().any(|f| f.next != first.next) => {
                format!("for each, here the first: {}", first.next)
            }
            _ => first.next.clone(),
        },
    }
}

/// `a; b; and 4 more`.
fn shown(parts: impl Iterator<Item = String>, most: usize) -> String {
    let parts: Vec<String> = parts.collect();
    let mut text = parts[..parts.len().min(most)].join("; ");
    if parts.len() > most {
        text.push_str(&format!("; and {} more", parts.len() - most));
    }
    text
}

fn fold_skipped(skipped: Vec<Skipped>, case: &Case) -> Vec<Skipped> {
    let mut alike: BTreeMap<(String, String), Vec<Subject>> = BTreeMap::new();
    for skip in skipped {
        let subjects = alike.entry((skip.code, skip.reason)).or_default();
        if !subjects.contains(&skip.subject) {
            subjects.push(skip.subject);
        }
    }
    alike
        .into_iter()
        .map(|((code, reason), subjects)| fold_skip(case, code, reason, &subjects))
        .collect()
}

/// One note for several nodes; it names them unless they are all that there are of their kind.
fn fold_skip(case: &Case, code: String, reason: String, subjects: &[Subject]) -> Skipped {
    if let [one] = subjects {
        return Skipped {
            code,
            subject: one.clone(),
            reason,
        };
    }
    let kinds = [
        case.asked().count(),
        case.masters().count(),
        case.replicas().count(),
    ];
    let reason = if kinds.contains(&subjects.len()) {
        reason
    } else {
        let names = subjects.iter().map(|subject| subject.name().to_owned());
        format!("{reason} (on {})", listed(names, NAMED))
    };
    Skipped {
        code,
        subject: case.cluster(),
        reason,
    }
}
