//! `check`: ask every node by every path, lay the views over each other, then judge.

mod report;

pub use report::{ClusterRow, NodeRow, Report, ShardRow};
