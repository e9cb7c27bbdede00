//! Applying advice, and undoing it.
//!
//! A report becomes a [`Plan`], purely: which settings of which node, replicas before masters. The
//! undo file ([`Undo`]) is written before the first change, and every node is asked whether it would
//! take its settings. Then one node at a time: its values are read once more and must still be what
//! the plan was made on, they are set, read back, and the cluster is checked. Whatever goes wrong stops it and puts back what was changed, so that nothing
//! stays half applied without a word.

mod check;
mod drive;
mod plan;
mod server;
mod undo;

pub use check::{Baseline, Stage};
pub use drive::{Applied, Applying, Ended, NodeDone, apply, take_back};
pub use plan::{Left, Plan, Set, Step, plan};
pub use server::read as values_of;
pub use undo::{Standing, Undo, UndoError, UndoNode, UndoSetting};
