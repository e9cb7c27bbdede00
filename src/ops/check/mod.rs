//! `check`: ask every node by every path, lay the views over each other, then judge.

mod changes;
mod report;

pub use changes::{Change, changes};
pub use report::{ClusterRow, NodeRow, Report, ShardRow};
