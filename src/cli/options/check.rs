//! `goodcache check`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, ValueEnum};

use super::shared::Format;
use crate::cli::values;
use crate::health::Profile;
use crate::model::NodeAddr;

const AFTER: &str = "\
Examples:
  goodcache check
  goodcache check 10.0.0.5:7001 --profile session -o json
  goodcache check shop --wait healthy --timeout 2m

What the words mean:
  ok        no warning and nothing critical was found
  warning   it works, but something will hurt later: the next failure, a limit that comes near
  critical  something hurts now, or the next single failure will lose data or service
  unknown   too little could be seen to judge; that is said, never guessed
  healthy   what --wait waits for: every node that anybody knows answers, every node's state is ok,
            and there is no finding as grave as --fail-on (critical, unless it says otherwise)

A finding has a code, such as slots.uncovered; --explain CODE tells what it means and what to do.
What could not be read is listed as skipped, with the reason, and counts neither as good nor bad.
One address that answers is enough: the other nodes are learnt from it, and each is then asked itself.
check writes nothing to the cluster, unless --canary is given.

Profiles, which change what counts as a fault:
  cache     data that can be made again: eviction is normal
  session   losing one logs a user out: eviction is a fault
  durable   data of record: persistence and replicas are required
  queue     streams and lists: blocked clients are normal, eviction is a fault

Exit codes:
  0  no finding as grave as --fail-on
  2  the command line, a variable or a settings file makes no sense
  3  findings as grave as --fail-on, or graver
  4  could not look: unreachable, login, TLS, not a cluster
  130  interrupted (143 by SIGTERM)
With -o nagios: 0 ok, 1 warning, 2 critical, 3 unknown, which is also whatever went wrong.";

/// From which severity on the exit code is 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Critical findings only
    Critical,
    /// Warnings too
    Warning,
    /// Never: the exit code tells only whether it could be looked
    Never,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// Every node that anybody knows answers, state ok everywhere, no finding as grave as --fail-on
    Healthy,
}

/// What was typed after `goodcache check`.
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

    /// Measure rates over two looks this far apart; 0s looks once [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "What is looked at")]
    pub sample: Option<Duration>,
    /// Also write a key to each shard and time how long its replicas take to have it
    #[arg(long, help_heading = "What is looked at")]
    pub canary: bool,
    /// Also look for keys in nodes that do not own their slot
    #[arg(long, help_heading = "What is looked at")]
    pub deep: bool,
    /// Tell which zone a node stands in; may be repeated
    #[arg(long = "zone", value_name = "ADDR=ZONE", value_parser = values::zone_pair, help_heading = "What is looked at")]
    pub zones: Vec<(NodeAddr, String)>,

    /// What the cluster is for [default: cache]
    #[arg(long, value_name = "PROFILE", value_parser = profiles(), help_heading = "How it is judged")]
    pub profile: Option<Profile>,
    /// Exit with 3 from this severity on [default: critical]
    #[arg(long, value_name = "SEVERITY", help_heading = "How it is judged")]
    pub fail_on: Option<FailOn>,

    /// Look again and again [default: every 2s, or REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL]
    #[arg(long, value_name = "TIME", value_parser = values::span, num_args = 0..=1,
          require_equals = true, help_heading = "When")]
    pub watch: Option<Option<Duration>>,
    /// Look until the cluster is healthy
    #[arg(
        long,
        value_name = "WHAT",
        conflicts_with = "watch",
        help_heading = "When"
    )]
    pub wait: Option<WaitFor>,
    /// With --wait: give up after this long [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::span, requires = "wait", help_heading = "When")]
    pub timeout: Option<Duration>,

    /// Save all that was seen
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "watch",
        help_heading = "Saved surveys"
    )]
    pub save_survey: Option<PathBuf>,
    /// Judge a saved survey instead of a cluster
    #[arg(long, value_name = "FILE", help_heading = "Saved surveys",
          conflicts_with_all = ["targets", "sample", "canary", "deep", "watch", "wait", "save_survey"])]
    pub from: Option<PathBuf>,
    /// Tell what changed since a saved survey
    #[arg(long, value_name = "FILE", help_heading = "Saved surveys")]
    pub against: Option<PathBuf>,

    /// Explain a finding's code and look at nothing
    #[arg(long, value_name = "CODE",
          conflicts_with_all = ["targets", "sample", "canary", "deep", "watch", "wait", "save_survey", "from", "against"])]
    pub explain: Option<String>,
    /// Write the answer as [default: table]
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,
}

/// The formats that check can write.
pub const FORMATS: &[&str] = &["table", "markdown", "json", "prometheus", "nagios", "junit"];

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(FORMATS)
}

fn profiles() -> impl TypedValueParser<Value = Profile> {
    clap::builder::PossibleValuesParser::new(["cache", "session", "durable", "queue"])
        .map(|name| values::profile(&name).unwrap_or_default())
}
