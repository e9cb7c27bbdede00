//! `goodcache backup`: what is taken stands in `taking`, what is done with it in `keeping`.
//!
//! Without a subcommand it takes one. What says where the repository is may stand before or behind the
//! subcommand.

mod keeping;
mod taking;

use std::path::PathBuf;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, Subcommand};

pub use keeping::{CopyTo, Diff, Export, Import, Keep, List, Log, Prune, Show, Verify};
pub(super) use taking::size;
pub use taking::{CutBy, ReadFrom, Take, Way, WireBy};

use super::shared::Format;

/// The formats that backup and its subcommands can write.
pub const FORMATS: &[&str] = &["table", "markdown", "json"];

/// What was typed after `goodcache backup`.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(after_long_help = taking::AFTER)]
pub struct Args {
    /// What to do with the repository; without it a snapshot is taken.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// Where the snapshots are.
    #[command(flatten)]
    pub place: Place,
    /// What to take.
    #[command(flatten)]
    pub take: Take,
}

/// Where the snapshots are, and how the answer is written: of every subcommand.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Place {
    /// The repository: a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix
    #[arg(long, global = true, value_name = "URL", help_heading = "Repository")]
    pub repo: Option<String>,
    /// Read the repository's passphrase from the first line of FILE ('-' is stdin)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Repository")]
    pub passphrase_file: Option<PathBuf>,
    /// Write the answer as [default: table]
    #[arg(short, long, global = true, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,
}

/// What to do with the snapshots that are there.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// List the snapshots, the newest first
    List(List),
    /// Show all that is known of one snapshot
    Show(Show),
    /// Show every write to a key that was archived by --follow
    Log(Log),
    /// Prove that a snapshot is whole and is what was written
    Verify(Verify),
    /// Remove the snapshots that no rule keeps, and what was left unfinished
    Prune(Prune),
    /// Copy snapshots to another repository, what is missing only
    Copy(CopyTo),
    /// Name the slots, and the keys, in which two snapshots differ
    Diff(Diff),
    /// Write a snapshot as plain RDB files, one for each shard
    Export(Export),
    /// Take plain RDB files into the repository
    Import(Import),
}

/// The subcommands' names, for those who mistype them.
pub const ACTIONS: [&str; 9] = [
    "list", "show", "log", "verify", "prune", "copy", "diff", "export", "import",
];

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(FORMATS)
}
