//! `tune`: advice with evidence, applied safely, undone exactly.
//!
//! | file | what |
//! |---|---|
//! | `case` | the evidence laid out node by node, with the few questions that many rules ask |
//! | `profile` | what the cluster is for, as its keys and commands show |
//! | `rule`, `rules/` | what a rule is, and all of them, a file a group; pure |
//! | `form` | values written as the server writes them |
//! | `judge` | asks every rule and lays what they say side by side |
//! | `settle` | which of two rules has its way where they want different values |
//! | `service` | at a managed service: its own commands in the place of CONFIG SET |
//! | `trial/` | a rule tried on a throw-away copy: the same load with and without it, in turns |
//! | `report` | what is recommended, what was overruled, what could not be looked at |
//! | `size/` | how many shards of which node size hold the load |
//! | `resilience/` | what clients are set to, so that they ride out a failover |
//!
//! Advice comes from evidence alone, so a saved evidence file gives the same advice on any day.

pub mod apply;
mod case;
mod conf;
pub mod form;
mod judge;
mod profile;
mod report;
pub mod resilience;
mod rule;
pub mod rules;
mod service;
mod settle;
#[cfg(test)]
mod setups;
pub mod size;
#[cfg(test)]
pub(crate) mod testing;
pub mod trial;

pub use case::{Case, NodeCase};
pub use conf::{fragment, node_lines};
pub use judge::{Options, explain, judge, rules};
pub use profile::{Guess, guess};
pub use report::{Change, Kind, Overruled, Recommendation, Report, Risk, Sampling, Takes};
pub use rule::{Advice, Opinion, Rule};
