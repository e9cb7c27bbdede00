//! Rules about the processor: how many threads talk to clients, and how often the server looks after
//! itself.

mod cycles;
mod threads;

use crate::health::rates;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    threads::UP,
    threads::DOWN,
    threads::READS,
    cycles::HZ,
    cycles::DYNAMIC,
    cycles::REHASHING,
];

/// How much of a core the main thread used over the sample, in percent; with io-threads that includes
/// waiting. `None` before 6.2, without two samples, or where half a second is all there is.
pub(super) fn main_thread_percent(node: &NodeCase) -> Option<f64> {
    // Less than half a second of sample is too coarse for the kernel's accounting.
    let sample_ms = Some(node.facts.sample_ms).filter(|ms| *ms >= 500)?;
    let spent = rates::main_thread_seconds(node.facts)?;
    (spent >= 0.0).then(|| spent * 100_000.0 / sample_ms as f64)
}

/// Cores that the process may use, shared fairly with the other nodes of its machine; `None` where
/// the machine is out of sight.
fn own_cores(case: &Case, node: &NodeCase) -> Option<f64> {
    let cores = node.host()?.cores?;
    let beside = case.on_machine_of(node).count().max(1);
    Some(cores / beside as f64)
}
