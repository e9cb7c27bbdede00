//! Rules about what the server keeps of its own latency, and how soon it speaks again in the middle of
//! a script.

mod log;
mod monitor;

use crate::ops::tune::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    monitor::MONITOR,
    monitor::TRACKING,
    monitor::BUSY_REPLY,
    log::THRESHOLD,
    log::LENGTH,
    log::LARGE,
];
