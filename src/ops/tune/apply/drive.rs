//! The change itself, one node at a time, with the cluster checked after each.

use std::collections::BTreeSet;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::check::{Baseline, Stage};
use super::plan::{Plan, Set, Step};
use super::server::{self, Fault};
use crate::cluster::Access;
use crate::model::words::counted;
use crate::model::{Consent, Events, NodeAddr};

/// What applying needs beside the plan.
pub struct Applying<'a> {
    /// The way to the nodes.
    pub access: &'a Access,
    /// What ailed the cluster before.
    pub baseline: &'a Baseline,
    /// Whether settings are written to the servers' files as well.
    pub is_rewriting: bool,
    /// Told to stop: what was changed is put back.
    pub stop: &'a CancellationToken,
    /// Where progress is told.
    pub events: &'a Events,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// How it ended.
    pub ended: Ended,
    /// The nodes that were changed, in order.
    pub changed: Vec<NodeDone>,
    /// Nodes whose changes were put back after a stop.
    pub put_back: Vec<NodeAddr>,
    /// Nodes whose changes could not be put back, and why.
    pub not_put_back: Vec<(NodeAddr, String)>,
    /// What ails the cluster with its old values back and did not before, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub news: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All is set, and the cluster is as sound as before.
    Done,
    /// It stopped at that node.
    Stopped {
        /// The node.
        at: NodeAddr,
        /// Why.
        why: String,
        /// Whether somebody asked for it.
        is_asked: bool,
    },
}

/// A node that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeDone {
    /// The node.
    pub addr: NodeAddr,
    /// How many settings.
    pub settings: usize,
    /// Why its changes do not last beyond a restart; `None` when they do, or nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_rewritten: Option<String>,
    /// Whether its file was written.
    pub is_rewritten: bool,
}

/// Applies a plan. The undo file must be written by now.
pub async fn apply(applying: &Applying<'_>, plan: &Plan, _consent: Consent) -> Applied {
    if let Some(ended) = foresee(applying, plan).await {
        return put_back(applying, ended, &[]).await;
    }
    let mut changed: Vec<&Step> = Vec::new();
    let mut ended = Ended::Done;
    for (number, step) in plan.steps.iter().enumerate() {
        let of = plan.steps.len();
        let name = format!("node {} of {of}, {}", number + 1, step.addr);
        applying.events.begin(format!("setting {name}"));
        let outcome = match applying.stop.is_cancelled() {
            true => Err(Trouble::asked()),
            false => one(applying, step, stage(number, of), &mut changed).await,
        };
        match outcome {
            Ok(()) => applying.events.done(format!(
                "{name}: {} set, the cluster is as sound as before",
                counted(step.sets.len(), "setting")
            )),
            Err(trouble) => {
                ended = trouble.at(&step.addr);
                break;
            }
        }
    }
    match ended {
        Ended::Done => finish(applying, &changed).await,
        ended => put_back(applying, ended, &changed).await,
    }
}

/// Puts back what an undo file names. It goes on at a node that is in trouble, for the others are
/// not served by waiting.
pub async fn take_back(applying: &Applying<'_>, plan: &Plan, _consent: Consent) -> Applied {
    let mut applied = Applied {
        ended: Ended::Done,
        changed: Vec::new(),
        put_back: Vec::new(),
        not_put_back: Vec::new(),
        news: Vec::new(),
    };
    let mut done: Vec<&Step> = Vec::new();
    for step in &plan.steps {
        applying.events.begin(format!("putting back {}", step.addr));
        match server::set(applying.access, step).await {
            Ok(()) => {
                done.push(step);
                applied.put_back.push(step.addr.clone());
            }
            Err(fault) => applied
                .not_put_back
                .push((step.addr.clone(), fault.to_string())),
        }
    }
    applied.changed = rewritten(applying, &done).await;
    applied.news = applying.baseline.news(applying.access).await;
    applied
}

/// Asks every node whether it would take its settings, before the first is set anywhere: at the first that
/// would not, or that cannot be asked, nothing is begun.
async fn foresee(applying: &Applying<'_>, plan: &Plan) -> Option<Ended> {
    applying
        .events
        .begin("asking whether every node would take its settings");
    for step in &plan.steps {
        let trouble = match server::foreseen(applying.access, step).await {
            _ if applying.stop.is_cancelled() => Trouble::asked(),
            Ok(refused) if refused.is_empty() => continue,
            Ok(refused) => Trouble::of(foretold(&refused)),
            Err(error) => Trouble::of(error),
        };
        return Some(trouble.at(&step.addr));
    }
    None
}

/// What would be refused, and the rules to leave out.
fn foretold(refused: &[(&Set, String)]) -> String {
    let each = refused.iter().map(|(set, said)| {
        format!(
            "it would refuse {} '{}': {said}",
            set.parameter, set.proposed
        )
    });
    let rules: BTreeSet<&str> = refused.iter().map(|(set, _)| set.rule.as_str()).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let each: Vec<String> = each.collect();
    format!(
        "{}; leave it out with --except {}",
        each.join("; "),
        rules.join(",")
    )
}

fn stage(number: usize, of: usize) -> Stage {
    match number + 1 == of {
        true => Stage::Complete,
        false => Stage::Underway,
    }
}

/// Why a node stops it.
struct Trouble {
    /// The node, where it is another than the one that is being set.
    of: Option<NodeAddr>,
    why: String,
    is_asked: bool,
}

impl Trouble {
    fn asked() -> Trouble {
        Trouble {
            of: None,
            why: "it was told to stop".into(),
            is_asked: true,
        }
    }

    fn of(why: impl ToString) -> Trouble {
        Trouble {
            of: None,
            why: why.to_string(),
            is_asked: false,
        }
    }

    /// One that was set before has not kept it.
    fn forgot((addr, why): (NodeAddr, String)) -> Trouble {
        Trouble {
            of: Some(addr),
            ..Trouble::of(why)
        }
    }

    /// How it ends when that node was being set.
    fn at(self, addr: &NodeAddr) -> Ended {
        Ended::Stopped {
            at: self.of.unwrap_or_else(|| addr.clone()),
            why: self.why,
            is_asked: self.is_asked,
        }
    }
}

async fn one<'a>(
    applying: &Applying<'_>,
    step: &'a Step,
    stage: Stage,
    changed: &mut Vec<&'a Step>,
) -> Result<(), Trouble> {
    let set = server::set(applying.access, step).await;
    if may_have_changed(&set) {
        changed.push(step);
    }
    set.map_err(|fault| Trouble::of(told(step, &fault)))?;
    // A node that was started again looks to the others like one that differs; asked, it tells the cause.
    if stage == Stage::Complete
        && let Some(forgotten) = forgotten(applying.access, changed).await
    {
        return Err(Trouble::forgot(forgotten));
    }
    let held = tokio::select! {
        held = applying.baseline.hold(applying.access, stage) => held,
        () = applying.stop.cancelled() => return Err(Trouble::asked()),
    };
    let Err(worse) = held else { return Ok(()) };
    Err(match forgotten(applying.access, changed).await {
        Some((addr, why)) => Trouble::forgot((addr, format!("{why}; {}", worsened(&worse)))),
        None => Trouble::of(worsened(&worse)),
    })
}

/// The fault, and where the server refused a value, the rule to leave out: from 7.0 on its words
/// name the setting.
fn told(step: &Step, fault: &Fault) -> String {
    let Fault::Refused { said, .. } = fault else {
        return fault.to_string();
    };
    let is_named = |set: &&Set| said.contains(&format!("'{}'", set.parameter));
    let refused = match step.sets.as_slice() {
        [only] => Some(only),
        sets => sets.iter().find(is_named),
    };
    match refused {
        Some(set) => format!("{fault}; leave it out with --except {}", set.rule),
        None => fault.to_string(),
    }
}

/// Whether the node may be other than before: the values of one that was lost meanwhile are not
/// known, and before 7.0 a refusal may come after others were taken.
fn may_have_changed(set: &Result<(), Fault>) -> bool {
    !matches!(set, Err(Fault::Moved { .. }))
}

fn worsened(worse: &[String]) -> String {
    format!("the cluster is worse than before: {}", worse.join("; "))
}

async fn finish(applying: &Applying<'_>, changed: &[&Step]) -> Applied {
    let forgotten = forgotten(applying.access, changed).await;
    if let Some(forgotten) = forgotten {
        let at = forgotten.0.clone();
        return put_back(applying, Trouble::forgot(forgotten).at(&at), changed).await;
    }
    Applied {
        ended: Ended::Done,
        changed: rewritten(applying, changed).await,
        put_back: Vec::new(),
        not_put_back: Vec::new(),
        news: Vec::new(),
    }
}

/// A node that has not kept what was set: one that was started again meanwhile.
async fn forgotten(access: &Access, changed: &[&Step]) -> Option<(NodeAddr, String)> {
    for step in changed {
        let names = step.sets.iter().map(|set| set.parameter.as_str());
        let why = match server::read(access, &step.addr, names).await {
            Err(error) => error.to_string(),
            Ok(values) => {
                let lost = |set: &&Set| values.get(&set.parameter) != Some(&set.proposed);
                match step.sets.iter().find(lost) {
                    None => continue,
                    Some(set) => format!(
                        "{} is no longer what it was set to: the node was started again, or somebody else set it",
                        set.parameter
                    ),
                }
            }
        };
        return Some((step.addr.clone(), why));
    }
    None
}

async fn rewritten(applying: &Applying<'_>, changed: &[&Step]) -> Vec<NodeDone> {
    let mut done = Vec::new();
    for step in changed {
        let rewrite = match applying.is_rewriting {
            true => Some(server::rewrite(applying.access, &step.addr).await),
            false => None,
        };
        done.push(NodeDone {
            addr: step.addr.clone(),
            settings: step.sets.len(),
            is_rewritten: matches!(rewrite, Some(Ok(()))),
            not_rewritten: rewrite.and_then(Result::err).map(|error| error.to_string()),
        });
    }
    done
}

/// Puts back what was changed, the last first.
async fn put_back(applying: &Applying<'_>, ended: Ended, changed: &[&Step]) -> Applied {
    let mut applied = Applied {
        ended,
        changed: Vec::new(),
        put_back: Vec::new(),
        not_put_back: Vec::new(),
        news: Vec::new(),
    };
    for step in changed.iter().rev() {
        applying.events.begin(format!("putting back {}", step.addr));
        match undo(applying.access, step).await {
            Ok(()) => applied.put_back.push(step.addr.clone()),
            Err(why) => applied.not_put_back.push((step.addr.clone(), why)),
        }
    }
    applied
}

/// Sets those of a step's settings that are not as they were.
async fn undo(access: &Access, step: &Step) -> Result<(), String> {
    let names = step.sets.iter().map(|set| set.parameter.as_str());
    let now = server::read(access, &step.addr, names).await;
    let now = now.map_err(|error| error.to_string())?;
    let back = step.sets.iter().rev().filter_map(|set| {
        let value = now.get(&set.parameter)?;
        (*value != set.present).then(|| Set {
            parameter: set.parameter.clone(),
            present: value.clone(),
            proposed: set.present.clone(),
            rule: set.rule.clone(),
        })
    });
    let back = Step {
        sets: back.collect(),
        ..step.clone()
    };
    if back.sets.is_empty() {
        return Ok(());
    }
    server::set(access, &back)
        .await
        .map_err(|fault| fault.to_string())
}
