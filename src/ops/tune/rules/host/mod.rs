//! Rules about the machine: what the kernel and the container allow the server.
//!
//! Nothing here is changed by this tool: each recommendation carries the commands, for whoever may run
//! them. A machine out of sight is skipped, never guessed.

mod container;
mod kernel;
mod network;

use crate::model::{HostSeen, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::rule::{Opinion, Rule, change};

/// The rules.
pub const RULES: &[Rule] = &[
    kernel::OVERCOMMIT,
    kernel::HUGE_PAGES,
    kernel::SWAPPINESS,
    kernel::CLOCK,
    network::ACCEPT_QUEUE,
    network::SYN_QUEUE,
    network::OPEN_FILES,
    container::THROTTLED,
    container::MEMORY_LIMIT,
    container::OOM_ORDER,
];

/// What a look at one machine shows.
enum Look {
    /// It is as it should be.
    Fits,
    /// That fact was not seen.
    Unknown,
    /// It should be otherwise.
    Wants {
        severity: Severity,
        present: String,
        proposed: String,
        told: String,
    },
}

/// Looks at the machine of every node. `next` gives the commands, by how the machine was seen.
fn on_machines<'a>(
    case: &Case<'a>,
    parameter: &'static str,
    why: &str,
    look: impl Fn(&NodeCase<'a>, &HostSeen) -> Look,
    next: impl Fn(&str, &str) -> Vec<String>,
) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let (mut changes, mut evidence, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    let mut gravest = Severity::Info;
    for node in &case.nodes {
        let Some(host) = node.host() else {
            let unseen = node.why_not_seen("host");
            opinions.push(Opinion::skip(
                node,
                format!("its machine is out of sight: {unseen}"),
            ));
            continue;
        };
        match look(node, host) {
            Look::Fits => {}
            Look::Unknown => {
                let why = format!("{parameter} was not seen on its machine");
                opinions.push(Opinion::skip(node, why));
            }
            Look::Wants {
                severity,
                present,
                proposed,
                told,
            } => {
                gravest = gravest.max(severity);
                evidence.push(format!("{}: {told}", node.addr));
                for step in next(&host.by, &proposed) {
                    if !steps.contains(&step) {
                        steps.push(step);
                    }
                }
                changes.push(change(node, Some(present), proposed));
            }
        }
    }
    let set = Opinion::set(gravest, parameter, changes, why, evidence);
    opinions.extend(set.map(|advice| advice.then(steps)));
    opinions
}

/// The commands that set a kernel parameter of the whole machine, now and at every start.
fn sysctl(name: &str, value: &str) -> Vec<String> {
    vec![
        format!("sysctl -w {name}={value}"),
        format!("echo '{name} = {value}' >> /etc/sysctl.d/90-goodcache.conf"),
    ]
}

/// Resident bytes of all nodes on the machine of that one.
fn resident_on_machine(case: &Case, node: &NodeCase) -> Option<u64> {
    let resident = case
        .on_machine_of(node)
        .map(|other| other.number("used_memory_rss"));
    resident.sum()
}
