//! What a rule is: a document, and a pure function from the case to opinions.

use std::time::Duration;

use super::case::{Case, NodeCase};
use super::form;
use super::report::{Change, Kind, Risk};
use crate::health::Profile;
use crate::model::words::duration;
use crate::model::{Probe, Severity, Subject};

/// A rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its stable id, `group.name`, such as `memory.policy`.
    pub id: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
    /// The settings that it may propose, as they are named.
    pub parameters: &'static [&'static str],
    /// What kind of thing these are.
    pub kind: Kind,
    /// Why it exists, for `--explain`: some sentences.
    pub why: &'static str,
    /// How the value is found, for `--explain`: the formula.
    pub how: &'static str,
    /// What following it costs, and what may go wrong.
    pub cost: &'static str,
    /// How risky it is to follow.
    pub risk: Risk,
    /// Where the facts are from: fields of INFO, server sources and versions, documents.
    pub source: &'static str,
    /// Looks at the case. No opinion is agreement with what is set.
    pub judge: fn(&Case) -> Vec<Opinion>,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq)]
pub enum Opinion {
    /// Change this.
    Advise(Advice),
    /// It could not be looked at: where, and what is missing.
    Skip {
        /// Where.
        subject: Subject,
        /// What is missing and how to give it.
        reason: String,
    },
}

/// A change that a rule wants.
#[derive(Debug, Clone, PartialEq)]
pub struct Advice {
    /// How much it matters.
    pub severity: Severity,
    /// The setting's name; one of the rule's parameters.
    pub parameter: &'static str,
    /// Where, from what, to what.
    pub changes: Vec<Change>,
    /// Why here, in one sentence without a full stop, lower case, with the numbers put in.
    pub why: String,
    /// The numbers that say so, a line each.
    pub evidence: Vec<String>,
    /// The risk, where it differs from the rule's.
    pub risk: Option<Risk>,
    /// Commands or steps; only where the server's CONFIG SET cannot do it.
    pub next: Vec<String>,
}

impl Opinion {
    /// Advice on a server's setting: `None` when no node would change.
    pub fn set(
        severity: Severity,
        parameter: &'static str,
        changes: Vec<Change>,
        why: impl Into<String>,
        evidence: Vec<String>,
    ) -> Option<Opinion> {
        (!changes.is_empty()).then(|| {
            Opinion::Advise(Advice {
                severity,
                parameter,
                changes,
                why: why.into(),
                evidence,
                risk: None,
                next: Vec::new(),
            })
        })
    }

    /// With steps to take, for what CONFIG SET cannot do.
    pub fn then(mut self, steps: impl IntoIterator<Item = impl Into<String>>) -> Opinion {
        if let Opinion::Advise(advice) = &mut self {
            advice.next = steps.into_iter().map(Into::into).collect();
        }
        self
    }

    /// With a risk other than the rule's.
    pub fn risking(mut self, risk: impl Into<Option<Risk>>) -> Opinion {
        if let Opinion::Advise(advice) = &mut self {
            advice.risk = risk.into();
        }
        self
    }

    /// It could not be looked at anywhere.
    pub fn skip_all(case: &Case, reason: impl Into<String>) -> Opinion {
        let name = case.evidence.survey.name.clone();
        Opinion::Skip {
            subject: Subject::Cluster(name.unwrap_or_else(|| "the cluster".to_owned())),
            reason: reason.into(),
        }
    }

    /// It could not be looked at on that node.
    pub fn skip(node: &NodeCase, reason: impl Into<String>) -> Opinion {
        Opinion::Skip {
            subject: Subject::Node(node.addr.to_string()),
            reason: reason.into(),
        }
    }
}

/// The changes that bring each of these nodes to its proposed value: none where the server does not
/// know the setting, and none where its value says the same already.
pub fn changes<'a>(
    parameter: &str,
    wanted: impl IntoIterator<Item = (&'a NodeCase<'a>, String)>,
) -> Vec<Change> {
    let differing = wanted.into_iter().filter_map(|(node, proposed)| {
        let present = node.setting(parameter)?;
        let is_same = form::is_same(parameter, present, &proposed);
        (!is_same).then(|| change(node, Some(present.to_owned()), proposed))
    });
    differing.collect()
}

/// A change on that node, whatever it is of.
pub fn change(node: &NodeCase, present: Option<String>, proposed: impl Into<String>) -> Change {
    Change {
        addr: node.addr.clone(),
        id: node.id.cloned(),
        role: node.role,
        present,
        proposed: proposed.into(),
    }
}

/// The nodes whose settings could be read, and a word on each whose could not.
pub fn readable<'b, 'a>(case: &'b Case<'a>) -> (Vec<&'b NodeCase<'a>>, Vec<Opinion>) {
    let (known, dark): (Vec<_>, Vec<_>) = (case.nodes.iter()).partition(|node| is_readable(node));
    let why = |node: &NodeCase| match node.facts.why_not(Probe::Config) {
        Some(why) => format!("its settings could not be read: {why}"),
        None => "its settings could not be read (CONFIG GET)".to_owned(),
    };
    let skips = dark.iter().map(|node| Opinion::skip(node, why(node)));
    (known, skips.collect())
}

/// Whether the node's settings were read, and not merely what INFO tells of them.
pub fn is_readable(node: &NodeCase) -> bool {
    !node.facts.config.is_empty() && node.facts.why_not(Probe::Config).is_none()
}

/// What the cluster is for, where that is sure; else why the rule keeps quiet.
pub fn sure_profile(case: &Case) -> Result<Profile, Vec<Opinion>> {
    let guess = case.guess;
    if guess.is_sure {
        return Ok(guess.profile);
    }
    let reason = format!(
        "what the cluster is for is not sure: {}; --profile says it",
        guess.reason.trim_end_matches("; give --profile")
    );
    Err(vec![Opinion::skip_all(case, reason)])
}

/// Why the profile is taken to be that, as a line of evidence.
pub fn profile_line(case: &Case) -> String {
    format!("profile {}: {}", case.profile(), case.guess.reason)
}

/// The first of these names that the server knows: before 5.0, and by old habit after, replicas
/// were slaves.
pub fn known_name(node: &NodeCase, names: &[&'static str]) -> Option<&'static str> {
    names
        .iter()
        .copied()
        .find(|name| node.setting(name).is_some())
}

/// Advice on a setting that has an older name, by the name that each node knows.
pub fn set_by_name<'a>(
    severity: Severity,
    names: &[&'static str],
    wanted: &[(&'a NodeCase<'a>, String)],
    why: &str,
    evidence: &[String],
) -> Vec<Opinion> {
    let by_name = names.iter().copied().filter_map(|name| {
        let knows = |node: &NodeCase| known_name(node, names) == Some(name);
        let wanted = (wanted.iter()).filter(|(node, _)| knows(node)).cloned();
        let changes = changes(name, wanted);
        Opinion::set(severity, name, changes, why, evidence.to_vec())
    });
    by_name.collect()
}

/// Lines about nodes, the first `MOST` in full.
pub fn lines(all: impl IntoIterator<Item = String>) -> Vec<String> {
    /// More nodes than these are counted only: the worst come first.
    const MOST: usize = 4;
    let mut lines: Vec<String> = all.into_iter().collect();
    let rest = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    lines.extend((rest > 0).then(|| format!("and {rest} more")));
    lines
}

/// A line when the server has not been up for long enough that what it counted since the start
/// could tell much.
pub fn young(node: &NodeCase) -> Option<String> {
    /// An hour holds the ordinary rhythm of saves and reconnects.
    const YOUNG: Duration = Duration::from_secs(3_600);
    let uptime = node.uptime().filter(|uptime| *uptime < YOUNG)?;
    Some(format!("up for {} only", duration(uptime)))
}
