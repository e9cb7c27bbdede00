//! What is done with snapshots, as documents: a file for each report.

mod copy;
mod diff;
mod export;
mod history;
mod import;
mod list;
mod prune;
mod show;
mod taken;
#[cfg(test)]
mod tests;
mod verify;

pub use copy::copy;
pub use diff::diff;
pub use export::export;
pub use history::history;
pub use import::import;
pub use list::{list, unfinished};
pub use prune::{plan, pruned};
pub use show::show;
pub use taken::{TakenReport, taken, taken_report};
pub use verify::verify;

use crate::archive::Consistency;

/// The word for what holds between the shards.
pub(super) fn cut(consistency: Consistency) -> &'static str {
    match consistency {
        Consistency::Barrier => "barrier",
        Consistency::Clock => "clock",
        Consistency::Scan => "scan",
    }
}
