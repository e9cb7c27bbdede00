//! `goodcache destroy`.

use clap::Args as ClapArgs;
use clap::builder::TypedValueParser;

use super::shared::Format;
use crate::cli::values;

const AFTER: &str = "\
Examples:
  goodcache destroy shop
  goodcache destroy shop --confirm shop
  goodcache destroy shop --dry-run

It removes what create made for this name with Docker or locally, the data included, and nothing
else. Of a cluster made of servers that ran already it forgets the saved name only.

Exit codes:
  0  removed (or there was nothing left to remove)
  2  the command line, a variable or a settings file makes no sense
  4  Docker could not be asked
  5  refused, nothing was changed: the name was not confirmed, or create did not make it
  6  stopped half-way; the report tells what is left";

/// What was typed after `goodcache destroy`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// The cluster's name
    #[arg(value_parser = values::cluster_name)]
    pub name: String,
    /// Say yes by repeating the name, instead of typing it when asked
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write the answer as [default: table]
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(super::create::FORMATS)
}
