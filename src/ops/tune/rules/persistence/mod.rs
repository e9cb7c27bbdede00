//! Rules about persistence: what reaches the disk, how soon, and what that costs.
//!
//! | file | what |
//! |---|---|
//! | `fork` | what forks cost, and how often save points make a node fork |
//! | `save` | save points |
//! | `aof` | the append-only file and its fsync |
//! | `rewrite` | when and how the append-only file is rewritten |
//! | `files` | what becomes of the files: failed saves, checksums, broken tails |
//! | `disk` | room for the files |

mod aof;
mod disk;
mod files;
mod fork;
mod rewrite;
mod save;

use crate::ops::tune::rule::Rule;

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
    disk::COMPRESSION,
    files::TAIL,
    files::SYNC_FILES,
    disk::DISK,
];
