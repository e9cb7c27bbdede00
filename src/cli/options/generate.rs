//! `goodcache generate`. It is not hidden: whoever installs from source or builds a package needs it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, ValueEnum};

const AFTER: &str = "\
Examples:
  goodcache generate completions completions
  goodcache generate completions ~/.local/share/bash-completion/completions
  goodcache generate man /usr/local/share/man/man1

Files written: goodcache.bash, _goodcache (zsh) and goodcache.fish; or one page a command.

Exit codes:
  0  written
  1  a file could not be written
  2  the command line makes no sense";

/// What to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Completions for bash, zsh and fish
    Completions,
    /// Man pages
    Man,
}

/// What was typed after `goodcache generate`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// What to write
    pub what: What,
    /// The folder to write to; it is made when it is not there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}
