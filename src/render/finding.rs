//! Findings as they are read: the gravest first, alike ones folded into one.
//!
//! Six nodes without a password are one thing to know, not six. With `-v` each stands alone.

use crate::model::{Finding, Severity, Skipped};

use super::doc::{Cell, Entry, Tone};
use super::{human, plain};

/// Findings of one code whose words differ are folded from this many on.
const MANY: usize = 4;
/// So many subjects are named when findings are folded, and so many next steps.
const NAMED: usize = 6;
const STEPS: usize = 3;
/// So many codes are named that were skipped for one reason.
const SKIPPED: usize = 4;

/// A severity's word and tone.
pub fn severity(severity: Severity) -> (&'static str, Tone) {
    match severity {
        Severity::Critical => ("CRITICAL", Tone::Bad),
        Severity::Warning => ("WARNING", Tone::Warn),
        Severity::Info => ("INFO", Tone::Faint),
    }
}

/// The findings as entries, in the order given; alike ones folded unless each is wanted.
pub fn entries<'a>(
    findings: impl IntoIterator<Item = &'a Finding>,
    is_each_wanted: bool,
) -> Vec<Entry> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let group = groups
            .iter_mut()
            .find(|group| group[0].code == finding.code && group[0].severity == finding.severity);
        match group {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    let fold = |group: Vec<&Finding>| match is_foldable(&group) && !is_each_wanted {
        true => vec![folded(&group)],
        false => group.into_iter().map(entry).collect(),
    };
    groups.into_iter().flat_map(fold).collect()
}

fn is_foldable(group: &[&Finding]) -> bool {
    let is_one_summary = group.iter().all(|f| f.summary == group[0].summary);
    group.len() >= if is_one_summary { 2 } else { MANY }
}

fn entry(finding: &Finding) -> Entry {
    let (word, tone) = severity(finding.severity);
    Entry {
        word: word.to_owned(),
        tone,
        code: finding.code.clone(),
        subject: finding.subject.to_string(),
        summary: finding.summary.clone(),
        seen: some_lines(&finding.evidence),
        next: steps(&finding.next),
    }
}

fn some_lines(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect()
}

/// A command stands on a line of its own, so that it is never wrapped and can be pasted whole.
fn steps(text: &str) -> Vec<String> {
    let split = |line: String| match line.rsplit_once(": ") {
        Some((words, command)) if plain::is_command(command) => {
            vec![format!("{words}:"), command.to_owned()]
        }
        _ => vec![line],
    };
    some_lines(text).into_iter().flat_map(split).collect()
}

fn folded(group: &[&Finding]) -> Entry {
    let first = group[0];
    let subjects = distinct(group.iter().map(|f| f.subject.to_string()));
    let seen = distinct(group.iter().map(|f| f.evidence.clone()));
    let next = distinct(group.iter().map(|f| f.next.clone()));
    let is_one_summary = group.iter().all(|f| f.summary == first.summary);
    let likewise = if is_one_summary {
        ""
    } else {
        " (the first; the others alike)"
    };
    Entry {
        subject: and_more(&subjects, NAMED, ", "),
        summary: format!("{}{likewise}", first.summary),
        seen: first_of(&seen, 1),
        next: first_of(&next, STEPS)
            .iter()
            .flat_map(|line| steps(line))
            .collect(),
        ..entry(first)
    }
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for text in texts.filter(|text| !text.is_empty()) {
        if !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept
}

fn first_of(texts: &[String], limit: usize) -> Vec<String> {
    let mut kept: Vec<String> = texts
        .iter()
        .take(limit)
        .flat_map(|t| some_lines(t))
        .collect();
    if texts.len() > limit {
        kept.push(format!(
            "({} more alike; -v shows each)",
            texts.len() - limit
        ));
    }
    kept
}

fn and_more(texts: &[String], limit: usize, between: &str) -> String {
    let named = texts.iter().take(limit).cloned().collect::<Vec<_>>();
    match texts.len().saturating_sub(limit) {
        0 => named.join(between),
        more => format!("{} and {more} more", named.join(between)),
    }
}

/// What was skipped in one short text: the codes, by reason, the commonest reason first.
pub fn skipped_in_short(skipped: &[Skipped]) -> String {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for skip in skipped {
        let index = reasons
            .iter()
            .position(|(reason, _)| *reason == skip.reason);
        let index = index.unwrap_or_else(|| {
            reasons.push((&skip.reason, Vec::new()));
            reasons.len() - 1
        });
        let codes = &mut reasons[index].1;
        if !codes.contains(&skip.code) {
            codes.push(skip.code.clone());
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    reasons.sort_by_key(|(_, codes)| std::cmp::Reverse(codes.len()));
    let told: Vec<String> = reasons
        .iter()
        .map(|(reason, codes)| format!("{}: {reason}", and_more(codes, SKIPPED, ", ")))
        .collect();
    let checks = match skipped.len() {
        1 => "1 check skipped".to_owned(),
        n => format!("{} checks skipped", human::count(n as u64)),
    };
    format!("{checks} (-v lists them). {}", and_more(&told, 4, "; "))
}

/// What was skipped, a line each.
pub fn skipped_each(skipped: &[Skipped]) -> Vec<(String, Cell)> {
    let line = |skip: &Skipped| {
        let name = format!("{} {}", skip.code, skip.subject);
        (name, Cell::new(&skip.reason, Tone::Faint))
    };
    skipped.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples::finding;

    fn on_nodes(summaries: &[&str]) -> Vec<Finding> {
        let nodes = summaries.iter().enumerate();
        let on = |(n, summary): (usize, &&str)| {
            let subject = crate::model::Subject::Node(format!("n{n}:1"));
            finding("x.y", Severity::Warning, subject, summary)
        };
        nodes.map(on).collect()
    }

    #[test]
    fn alike_findings_become_one_and_the_rest_stay_apart() {
        for (summaries, folded) in [
            (vec!["same", "same"], 1),
            (vec!["1 s", "2 s", "3 s"], 3),
            (vec!["1 s", "2 s", "3 s", "4 s"], 1),
        ] {
            let findings = on_nodes(&summaries);
            assert_eq!(entries(&findings, false).len(), folded, "{summaries:?}");
            assert_eq!(entries(&findings, true).len(), summaries.len());
        }
    }

    #[test]
    fn many_subjects_are_counted() {
        let entry = &entries(&on_nodes(&["same"; 9]), false)[0];
        assert!(
            entry.subject.ends_with("n5:1 and 3 more"),
            "{}",
            entry.subject
        );
        assert_eq!(entry.seen.len(), 1);
    }
}
