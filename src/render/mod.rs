//! Text: a report becomes a `Doc`, a `Doc` becomes text; a report becomes JSON.
//!
//! | file | what |
//! |---|---|
//! | `doc` | the parts of a document, before anybody knows where it is read |
//! | `terminal`, `markdown` | writers of a document |
//! | `json` | the envelope around every report, and the way back |
//! | `human` | numbers as people read and write them |
//! | `create` | what create plans, did, or refused, as a document |
//! | `explain` | what a finding's code means |
//! | `check`, `changes` | a check's report, and what changed since another, as documents |
//! | `topology`, `finding` | the tables and findings that several reports share |
//! | `failover` | a drill's report as a document, and for CI |
//! | `backup` | what is done with snapshots, a file for each report |
//! | `sizing`, `degradation` | which nodes hold the load, and how clients ride out a failover |
//! | `page` | a drill's report and recording as one HTML page with pictures |
//! | `tune` | advice, the plan to apply it, and what became of it |
//! | `rotate` | what a rotation of a password came to |
//! | `trial` | what a trial of advice on throw-away copies came to |
//! | `nagios`, `prometheus`, `junit` | a check's report for other programs |

pub mod backup;
pub mod create;
pub mod doc;
pub mod explain;
pub mod finding;
pub mod human;
pub mod json;
pub mod markdown;
pub mod terminal;
pub mod topology;

mod changes;
mod check;
mod columns;
mod degradation;
mod drill_plan;
mod failover;
mod junit;
mod nagios;
mod page;
mod plain;
mod prometheus;
pub mod restore;
pub mod rotate;
mod sizing;
pub mod trial;
pub mod tune;

pub use changes::{changes, line as change_line};
pub use check::{Detail, check, in_short};
pub use degradation::degradation;
pub use doc::Doc;
pub use drill_plan::drill_plan;
pub use failover::{drill_junit, failover};
pub use junit::junit;
pub use nagios::nagios;
pub use page::drill_page;
pub use plain::wrap;
pub use prometheus::prometheus;
pub use sizing::sizing;
pub use terminal::Look;

#[cfg(test)]
mod drill_samples;
#[cfg(test)]
mod drill_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tune_parts_tests;
