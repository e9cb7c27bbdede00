//! `tune --undo FILE`: every value back exactly as it was.
//!
//! Refused whole, before anything is changed, when the file is of another cluster, when a node of it
//! is away, or when somebody changed a value since.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::anyhow;
use futures_util::future::join_all;

use super::Tuning;
use super::apply::{Answer, Change, exit};
use crate::cli::check::file_failure;
use crate::cli::exit::{Exit, Failure};
use crate::cli::reach;
use crate::cluster::{Access, Ask};
use crate::health::Profile;
use crate::model::words::{counted, listed};
use crate::model::{NodeAddr, NodeId, Role, Survey, Topology};
use crate::ops::tune::apply::{Baseline, Plan, Standing, Undo, UndoNode, values_of};
use crate::render;

/// What the nodes of the file have now.
type Present = BTreeMap<NodeId, (NodeAddr, Role, BTreeMap<String, String>)>;

/// So many names are told in an error.
const NAMED: usize = 4;

/// Runs it.
pub(super) async fn run(tuning: &Tuning<'_>, path: &Path) -> Result<Exit, Failure> {
    let undo = read(path)?;
    let mut access = reach::access_to_every_form(tuning.settings)?;
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    let seen = reach::look(tuning.settings, &mut access, &ask, tuning.screen).await?;
    reach::require_answer(&seen)?;
    require_members(&undo, &seen)?;
    let present = present(&access, &undo, &seen).await?;
    let plan = undo.plan(&present);
    let answer = |applied| Answer {
        advice: None,
        plan: &plan,
        applied,
        undo_file: Some(path),
    };
    if plan.steps.is_empty() || tuning.args.dry_run {
        let doc = planned(&plan, &undo);
        tuning.answer(seen.taken_at_ms, &answer(None), &doc)?;
        return Ok(Exit::Good);
    }
    require_unchanged(tuning, &undo, &present)?;
    let consent = tuning.consent(&plan, "put back")?;
    let baseline = Baseline::look(&access, Profile::default()).await;
    let change = Change {
        plan: &plan,
        consent,
        is_rewriting: undo.is_rewritten,
        is_undo: true,
        by_hand: format!(
            "goodcache tune{} --undo {}",
            tuning.called(),
            path.display()
        ),
    };
    let (applied, signal) = tuning.change(&access, &baseline, change).await?;
    let doc = render::tune::applied(&plan.cluster, &applied, None);
    tuning.answer(seen.taken_at_ms, &answer(Some(&applied)), &doc)?;
    Ok(exit(&applied, signal))
}

fn read(path: &Path) -> Result<Undo, Failure> {
    let fail = |error: &dyn std::fmt::Display| file_failure("read the undo file", path, error);
    let next = "give the file that tune --apply named in its answer";
    let text = std::fs::read_to_string(path).map_err(|error| fail(&error).next(next))?;
    Undo::parse(&text).map_err(|error| fail(&error).next(next))
}

fn planned(plan: &Plan, undo: &Undo) -> render::Doc {
    if plan.steps.is_empty() {
        let mut doc = render::tune::plan(plan, "ALREADY SO");
        doc.faint(format!(
            "every setting of the file is as it was on all {}; nothing was changed",
            counted(undo.nodes.len(), "node")
        ));
        return doc;
    }
    let mut doc = render::tune::plan(plan, "PLAN");
    doc.faint("nothing was changed");
    doc
}

/// Refuses a file of another cluster.
fn require_members(undo: &Undo, seen: &Survey) -> Result<(), Failure> {
    let topology = Topology::of(seen);
    let (known, strange): (Vec<&UndoNode>, Vec<&UndoNode>) =
        (undo.nodes.iter()).partition(|node| topology.member(&node.id).is_some());
    if strange.is_empty() {
        return Ok(());
    }
    let names = listed(strange.iter().map(|node| node.addr.to_string()), NAMED);
    let what = match known.is_empty() {
        true => format!("the file is of another cluster ('{}')", undo.cluster),
        false => format!("of the file's nodes this cluster does not know {names}"),
    };
    Err(
        Failure::new(Exit::Refused, anyhow!("{what}; nothing was changed"))
            .next("name the cluster that it was made for, or see what it holds: it is JSON"),
    )
}

/// Reads what is set now; refuses when a node is away.
async fn present(access: &Access, undo: &Undo, seen: &Survey) -> Result<Present, Failure> {
    let topology = Topology::of(seen);
    let reading = undo.nodes.iter().map(|node| {
        let member = topology.member(&node.id);
        let addr = member
            .and_then(|member| member.addr.clone())
            .unwrap_or(node.addr.clone());
        let role = member.map_or(Role::Unknown, |member| member.role);
        async move {
            let names = node
                .settings
                .iter()
                .map(|setting| setting.parameter.as_str());
            let values = values_of(access, &addr, names).await;
            (node.id.clone(), addr, role, values)
        }
    });
    let mut present = Present::new();
    let mut away = Vec::new();
    for (id, addr, role, values) in join_all(reading).await {
        match values {
            Ok(values) => {
                present.insert(id, (addr, role, values));
            }
            Err(error) => away.push(error.to_string()),
        }
    }
    if away.is_empty() {
        return Ok(present);
    }
    Err(Failure::new(
        Exit::CouldNotLook,
        anyhow!("{}; nothing was changed", listed(away, NAMED)),
    )
    .next("bring the node back and put the values back then"))
}

/// Refuses where somebody changed a value since, unless told otherwise.
fn require_unchanged(tuning: &Tuning, undo: &Undo, present: &Present) -> Result<(), Failure> {
    if tuning.args.even_if_changed {
        return Ok(());
    }
    let mut changed = Vec::new();
    for node in &undo.nodes {
        let Some((addr, _, values)) = present.get(&node.id) else {
            continue;
        };
        for setting in &node.settings {
            let now = values.get(&setting.parameter).map_or("", String::as_str);
            if setting.standing(now) == Standing::Changed {
                changed.push(format!(
                    "{} of {addr} is '{now}' and was set to '{}'",
                    setting.parameter, setting.after
                ));
            }
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Refused,
        anyhow!(
            "somebody changed settings since: {}; nothing was changed",
            listed(changed, NAMED)
        ),
    )
    .next("put everything back all the same with --even-if-changed"))
}
