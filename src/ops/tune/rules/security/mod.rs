//! Rules about who gets in and what they may do, as far as a setting or a command changes it. What is
//! wrong says check; here it is said in the server's own words how to mend it.
//!
//! Passwords and ACLs are never applied by this tool: they are secrets, and the wrong order of steps
//! locks everybody out.

mod doors;
mod traces;
mod users;

use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    doors::PASSWORD,
    doors::MASTERAUTH,
    doors::PROTECTED,
    doors::BIND,
    users::NOPASS,
    users::DEFAULT_USER,
    users::DANGEROUS,
    users::CHANNELS,
    traces::COMMANDS,
    traces::ACL_LOG,
];

/// Whether the node was asked on loopback, and sends its clients there as well.
pub(super) fn is_local(case: &Case, node: &NodeCase) -> bool {
    let member = node.id.and_then(|id| case.topology.member(id));
    let announced = member.and_then(|member| member.announced.endpoint());
    node.addr.is_loopback() && announced.is_none_or(|endpoint| endpoint.is_loopback())
}
