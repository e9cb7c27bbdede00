//! Asks every rule, and lays what they say side by side.

use std::collections::BTreeSet;

use super::case::{Case, NodeCase};
use super::form;
use super::profile::guess;
use super::report::{Kind, Recommendation, Report, Sampling, Takes};
use super::rule::{Advice, Opinion, Rule, is_readable};
use super::rules::{GROUPS, guide};
use super::service;
use super::settle::settle;
use crate::health::Profile;
use crate::model::{Evidence, Form, KeysSeen, NodeAddr, Probe, Skipped, Subject, Topology};

/// What the rules are asked with.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// What the cluster is for; guessed from its keys and commands when not given.
    pub profile: Option<Profile>,
    /// Propose the deployment guide's settings as they are written.
    pub is_guide: bool,
    /// Only these rules; all when empty.
    pub only: BTreeSet<String>,
    /// Not these.
    pub except: BTreeSet<String>,
    /// The memory that one node may use, in bytes, where the operator knows better than what can be
    /// seen (a container's limit, a share of a machine).
    pub memory_limit: Option<u64>,
    /// How long a replica may be away and still catch up without a full copy, in seconds.
    pub outage_s: u64,
    /// How soon a failover should be over, in seconds, when that was asked for.
    pub recovery_s: Option<u64>,
    /// Whether no acknowledged write may be lost in a power cut.
    pub is_lossless: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            profile: None,
            is_guide: false,
            only: BTreeSet::new(),
            except: BTreeSet::new(),
            memory_limit: None,
            outage_s: 60,
            recovery_s: None,
            is_lossless: false,
        }
    }
}

/// All rules, in the order in which a person would ask.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    GROUPS.iter().copied().flatten()
}

/// The rule of that id.
pub fn explain(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// Judges the evidence.
pub fn judge(evidence: &Evidence, options: &Options) -> Report {
    let topology = Topology::of(&evidence.survey);
    let guess = guess(evidence, &topology, options.profile);
    let case = Case::new(evidence, &topology, options, &guess);
    let mut found = Found {
        skipped: unread(&case),
        ..Found::default()
    };
    let form = evidence.survey.form;
    for rule in rules().filter(|rule| is_asked(rule, options) && fits(rule, form)) {
        found.ask(rule, &case);
    }
    found
        .wanted
        .sort_by_key(|wanted| std::cmp::Reverse(wanted.severity));
    let held = if options.is_guide {
        guide::SETTINGS
    } else {
        &[]
    };
    let (recommendations, overruled) = settle(found.wanted, held);
    let mut report = Report {
        cluster: name(&case),
        nodes_answering: case.nodes.len(),
        nodes_known: topology.members.len().max(evidence.survey.nodes.len()),
        sampling: sampling(&case),
        profile: guess,
        is_guide: options.is_guide,
        recommendations,
        overruled,
        skipped: found.skipped,
        satisfied: found.satisfied,
        service: evidence.survey.service,
    };
    if let Some(service) = report.service {
        service::adapt(&mut report, service);
    }
    report
}

/// The nodes whose settings could not be read: no rule advises on those.
fn unread(case: &Case) -> Vec<Skipped> {
    let blind = case.nodes.iter().filter(|node| !is_readable(node));
    let told = blind.map(|node| {
        let why = node.facts.why_not(Probe::Config).unwrap_or("no answer");
        Skipped {
            code: "settings".to_owned(),
            subject: Subject::Node(node.addr.to_string()),
            reason: format!("CONFIG GET: {why}"),
        }
    });
    told.collect()
}

/// What the rules said, as it comes.
#[derive(Default)]
struct Found {
    wanted: Vec<Recommendation>,
    skipped: Vec<Skipped>,
    satisfied: Vec<String>,
}

impl Found {
    fn ask(&mut self, rule: &Rule, case: &Case) {
        let opinions = (rule.judge)(case);
        if opinions.is_empty() {
            self.satisfied.push(rule.id.to_owned());
        }
        for opinion in opinions {
            match opinion {
                Opinion::Advise(advice) => self.wanted.extend(recommendations(rule, case, advice)),
                Opinion::Skip { subject, reason } => self.skipped.push(Skipped {
                    code: rule.id.to_owned(),
                    subject,
                    reason,
                }),
            }
        }
    }
}

fn is_asked(rule: &Rule, options: &Options) -> bool {
    let names = |ids: &BTreeSet<String>| ids.iter().any(|id| covers(id, rule.id));
    if rule.id.starts_with("guide.") && !options.is_guide {
        return false;
    }
    (options.only.is_empty() || names(&options.only)) && !names(&options.except)
}

/// Servers without cluster mode have no bus, no slots and no elections of their own.
fn fits(rule: &Rule, form: Form) -> bool {
    form.is_cluster() || !covers("cluster", rule.id)
}

/// Whether an id that was given means that rule: its own, or its group's (`memory`).
pub(super) fn covers(given: &str, id: &str) -> bool {
    given == id
        || id
            .strip_prefix(given)
            .is_some_and(|rest| rest.starts_with('.'))
}

/// One where all nodes take the change alike, else one for those that do at once and one for those
/// that must be started again.
fn recommendations(rule: &Rule, case: &Case, advice: Advice) -> Vec<Recommendation> {
    let takes = |addr: &NodeAddr| match rule.kind {
        Kind::Setting if is_fixed(case, addr, advice.parameter) => Takes::Restart,
        Kind::Setting => Takes::Online,
        Kind::Host | Kind::Action | Kind::Application => Takes::ByHand,
    };
    let (fixed, free): (Vec<_>, Vec<_>) =
        (advice.changes.iter().cloned()).partition(|change| takes(&change.addr) == Takes::Restart);
    let online = match rule.kind {
        Kind::Setting => Takes::Online,
        _ => Takes::ByHand,
    };
    [(free, online), (fixed, Takes::Restart)]
        .into_iter()
        .filter(|(changes, _)| !changes.is_empty())
        .map(|(changes, takes)| Recommendation {
            rule: rule.id.to_owned(),
            severity: advice.severity,
            kind: rule.kind,
            parameter: advice.parameter.to_owned(),
            changes,
            why: advice.why.clone(),
            evidence: advice.evidence.clone(),
            cost: rule.cost.to_owned(),
            risk: advice.risk.unwrap_or(rule.risk),
            takes,
            persists: takes == Takes::Online,
            next: advice.next.clone(),
            against: None,
        })
        .collect()
}

fn is_fixed(case: &Case, addr: &NodeAddr, parameter: &str) -> bool {
    let node = case.nodes.iter().find(|node| node.addr == addr);
    node.is_some_and(|node| form::is_immutable(parameter, node.vendor(), node.version().0))
}

fn name(case: &Case) -> String {
    let survey = &case.evidence.survey;
    let first = || survey.seeds.first().map(ToString::to_string);
    survey.name.clone().or_else(first).unwrap_or_default()
}

fn sampling(case: &Case) -> Sampling {
    let longest = case.nodes.iter().map(|node| node.facts.sample_ms).max();
    let cost = |(_, keys): (&NodeCase, &KeysSeen)| {
        let took_us = keys.took_ms.saturating_mul(1_000);
        (took_us > 0).then(|| keys.cost_us as f64 * 100.0 / took_us as f64)
    };
    Sampling {
        between_ms: longest.unwrap_or(0),
        shortest_uptime_s: case
            .nodes
            .iter()
            .filter_map(|node| node.number("uptime_in_seconds"))
            .min(),
        keys: case.keys().map(|(_, keys)| keys.sampled).sum(),
        is_deep: case.keys().any(|(_, keys)| keys.is_deep),
        cost_percent: case.keys().filter_map(cost).max_by(f64::total_cmp),
    }
}
