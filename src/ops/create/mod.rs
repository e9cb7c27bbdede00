//! `create`: servers that stand alone become one cluster, or it is said why not.
//!
//! The candidates are looked at first and all that is wrong is told at once (`preflight`); what is
//! there is compared with what is wanted (`plan`), so the same command completes what was begun
//! and leaves alone what is done.

mod candidate;
mod foreign;
mod plan;
mod preflight;
mod standing;
mod step;

pub use candidate::{Candidate, Dialling, Door, Meeting, ReplicaLogin};
pub use plan::{Options, Plan, PlannedShard, WrittenLayout, plan};
pub use preflight::preflight;
pub use standing::Standing;
pub use step::Step;

#[cfg(test)]
mod simulation;
