//! `check`: ask every node by every path, lay the views over each other, then judge.
//!
//! The asking is `cluster::survey`; here a survey becomes a report, purely, so that a saved survey
//! gives the same report as the live cluster did.

mod report;

pub use report::{ClusterRow, NodeRow, Report, ShardRow};
