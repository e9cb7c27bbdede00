//! What is done with snapshots and time lines that are there: listed, proven, pruned, copied, compared, written as
//! plain files, and taken in from such files. All of it talks to repositories only; but for `diff_live` no
//! server is asked.

mod copy;
mod diff;
mod diff_live;
mod export;
mod find;
mod history;
mod import;
pub(super) mod keys;
mod line;
mod list;
mod nodes_json;
mod proof;
mod prune;
mod reading;
mod show;
mod verify;

pub use copy::{CopiedLine, CopiedSnapshot, CopyReport, copy};
pub use diff::{After, DiffReport, KeyChange, KeyDiff, LiveSide, SlotDiff, diff};
pub use diff_live::diff_live;
pub use export::{ExportError, ExportReport, Exported, export};
pub use find::find;
pub use history::{Asked, History, KeyWrite, history};
pub use import::{ImportError, ImportReport, Imported, Source, import, sources};
pub use line::{Line, LineProof, Range, ShownLine};
pub use list::{Listing, Snapshot, Unfinished, Unreadable, list};
pub use proof::{ShardProof, Verification, VerifyFault};
pub use prune::{LinePlan, PrunePlan, PruneRow, Pruned, apply, plan};
pub use show::{Shown, ShownShard, show};
pub use verify::verify;
