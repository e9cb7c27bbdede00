//! `create`: servers that stand alone become one cluster, or it is said why not.
//!
//! The candidates are looked at first (`gather`) and all that is wrong is told at once
//! (`preflight`); what is there is compared with what is wanted (`plan`), so the same command
//! completes what was begun and leaves alone what is done; then the steps are taken and the cluster
//! is waited for until it is usable (`apply`).

mod apart;
mod candidate;
mod causes;
mod draft;
mod foreign;
mod gather;
mod inside;
mod join;
mod logins;
mod plan;
mod preflight;
pub mod rented;
mod report;
mod standing;
mod step;
mod verify;

pub use apart::{Apart, NotApart, set_apart};
pub use candidate::{Candidate, Dialling, Door, Meeting, ReplicaLogin};
pub use draft::draft;
pub use gather::{Origin, gather};
pub use join::{Joining, apply, confirm};
pub use logins::prove_logins;
pub use plan::{Options, Plan, PlannedShard, WrittenLayout, plan};
pub use preflight::preflight;
pub use report::{Refusal, Report};
pub use standing::Standing;
pub use step::Step;

#[cfg(test)]
mod simulation;
