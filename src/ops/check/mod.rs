//! `check`: ask every node by every path, lay the views over each other, then judge.
//!
//! The asking is `cluster::survey`; here a survey becomes a report, purely, so that a saved survey
//! gives the same report as the live cluster did.

mod build;
mod changes;
mod report;

pub use build::judge;
pub use changes::{Change, changes};
pub use report::{ClusterRow, NodeRow, Report, SentinelRow, ShardRow};
