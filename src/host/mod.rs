//! Machines: where servers run, and how they are started, stopped and taken away.

pub mod process;
