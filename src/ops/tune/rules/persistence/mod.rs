//! Rules about persistence: what reaches the disk, how soon, and what that costs.
//!
//! | file | what |
//! |---|---|
//! | `fork` | what forks cost, and how often save points make a node fork |
//! | `save` | save points |
//! | `aof` | the append-only file and its fsync |
//! | `rewrite` | when and how the append-only file is rewritten |
//! | `files` | what becomes of the files: failed saves, checksums, broken tails, disk space |

mod aof;
mod files;
mod fork;
mod rewrite;
mod save;

use super::super::rule::Rule;

/// The rules.
pub const RULES: &[Rule] = &[
    aof::AOF,
    aof::FSYNC,
    aof::FSYNC_ON_REWRITE,
    save::SAVE,
    save::STAGGER,
    rewrite::THRESHOLDS,
    rewrite::PREAMBLE,
    rewrite::INCREMENTAL,
    rewrite::TIMESTAMPS,
    files::STOP_WRITES,
    files::CHECKSUM,
    files::COMPRESSION,
    files::TAIL,
    files::SYNC_FILES,
    files::DISK,
];
