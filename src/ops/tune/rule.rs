//! What a rule is: a document, and a pure function from the case to opinions.

use super::case::{Case, NodeCase};
use super::form;
use super::report::{Change, Kind, Risk};
use crate::model::{Severity, Subject};

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
