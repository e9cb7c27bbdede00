//! `goodcache rotate-password`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::TypedValueParser;

use super::shared::Format;
use crate::cli::values;

const AFTER: &str = "\
Examples:
  goodcache rotate-password shop --generate
  goodcache rotate-password shop --user app --new-password-file new.txt
  goodcache rotate-password shop --of app --new-password-file new.txt --dry-run
  goodcache rotate-password shop --of app --finish

Whose password: that of the user that logs in (--user), or of another one (--of). The new one is added
on every node beside the old one, replicas first; it is made to last, and every node is seen to take
both. Where replicas log in at their masters as this user, they get it too, and reconnect one by one
without copying anything. Then it stops: it is the clients' turn, and both passwords are good until
--finish (or --wait-for-clients) removes the old one everywhere and sees that it is refused.

What is done is noted, in hashes only: after whatever ended it the same command goes on, and --undo puts
everything back as long as the old password was not removed anywhere.

Exit codes:
  0  done as far as was asked: to the clients' turn, to the end, or all the way back
  2  the command line, a variable or a settings file makes no sense
  4  could not look: unreachable, login, TLS, not a cluster
  5  refused, nothing was changed: not agreed, a node is away or lags, users differ between nodes
  6  stopped half-way: both passwords may be good, and the answer says where
  130  interrupted, after the step that was under way (143 by SIGTERM)";

/// What was typed after `goodcache rotate-password`.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// A cluster's name, or addresses to begin at: host:port, [::1]:port, redis://..., rediss://...
    #[expect(
        rustdoc::broken_intra_doc_links,
        reason = "clap prints this line as it stands"
    )]
    #[arg(value_name = "NAME|ADDR|URL")]
    pub targets: Vec<String>,

    /// Whose password [default: the user that logs in]
    #[arg(long, value_name = "USER")]
    pub of: Option<String>,
    /// Take the new password from the first line of FILE ('-' is stdin); with --generate write it there
    #[arg(long, value_name = "FILE")]
    pub new_password_file: Option<PathBuf>,
    /// Make a new password up, and keep it in a file that only its owner can read
    #[arg(long)]
    pub generate: bool,

    /// Go on past the clients' turn: remove the old password
    #[arg(long)]
    pub finish: bool,
    /// Wait this long until no connection is older than the new password, then go on
    #[arg(long, value_name = "TIME", value_parser = values::span, conflicts_with = "finish")]
    pub wait_for_clients: Option<Duration>,
    /// Put everything back as it was
    #[arg(long, conflicts_with_all = ["finish", "wait_for_clients", "generate", "new_password_file"])]
    pub undo: bool,
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Agree without being asked
    #[arg(short = 'y', long)]
    pub yes: bool,
    /// Write the answer as [default: table]
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,
}

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(super::create::FORMATS)
}
