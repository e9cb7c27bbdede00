//! Preflight: everything that would make create fail or its cluster unsound, told in one run,
//! before anything is changed.
//!
//! A rule looks at what the prober saw and at nothing else. What was not seen is no fault: a
//! setting that could not be read, a door that was not dialled. Critical findings stop create,
//! warnings are shown with the plan. That a node is not empty is judged by the plan, which knows
//! whether it is the start of this very cluster.

mod single;
mod together;

use std::cmp::Reverse;

use super::candidate::Candidate;
use super::foreign::contradictions;
use super::inside::folded;
use super::plan::{Options, finding, given, wanted};
use super::standing::formed;
use crate::model::words::counted;
use crate::model::{Finding, NodeId, Placement, Severity, Subject};

/// All faults of all candidates: the gravest first, then in the order of the candidates, what is
/// about all of them last.
pub fn preflight(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    let mut faults: Vec<Finding> = candidates.iter().flat_map(single::faults).collect();
    faults.extend(together::faults(candidates, options));
    faults.extend(size(candidates, options));
    let place = |subject: &Subject| {
        candidates
            .iter()
            .position(|candidate| node(candidate) == *subject)
            .unwrap_or(candidates.len())
    };
    faults.sort_by_key(|fault| (Reverse(fault.severity), place(&fault.subject)));
    faults
}

fn node(candidate: &Candidate) -> Subject {
    Subject::Node(candidate.addr.to_string())
}

fn warning(mut fault: Finding) -> Finding {
    fault.severity = Severity::Warning;
    fault
}

/// Too few, too small, or not empty.
fn size(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    match wanted(candidates, options) {
        Err(fault) => std::iter::once(*fault)
            .chain(not_empty(candidates, options, None))
            .collect(),
        Ok(_) if formed(candidates, options).is_some() => few_masters(candidates, options),
        Ok(placement) => {
            let mut faults = few_masters(candidates, options);
            faults.extend(not_empty(candidates, options, Some(&placement)));
            faults
        }
    }
}

fn few_masters(candidates: &[Candidate], options: &Options) -> Vec<Finding> {
    let masters = match &options.layout {
        Some(written) => written.layout.shards.len(),
        None => options.masters,
    };
    if masters >= 3 || options.allow_small {
        return Vec::new();
    }
    vec![finding(
        "preflight.few_masters",
        options.subject(),
        format!(
            "{} cannot elect a new one when one dies: three are the least",
            counted(masters, "master")
        ),
        given(candidates),
        "give more nodes, or say --allow-small for a cluster to develop with",
    )]
}

/// Of nodes that share an id nothing is said here: one of them is seen twice, or neither can be
/// told from the other, and that is a fault already.
fn not_empty(
    candidates: &[Candidate],
    options: &Options,
    placement: Option<&Placement>,
) -> Vec<Finding> {
    let is_unique = |id: &NodeId| {
        candidates
            .iter()
            .filter(|other| other.id() == Some(id))
            .count()
            == 1
    };
    let unique: Vec<Subject> = candidates
        .iter()
        .filter(|candidate| candidate.id().is_none_or(is_unique))
        .map(node)
        .collect();
    let mut faults = contradictions(candidates, placement);
    faults.retain(|fault| unique.contains(&fault.subject));
    folded(faults, candidates, options)
}

#[cfg(test)]
mod tests;
