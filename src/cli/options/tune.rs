//! `goodcache tune`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;
use clap::builder::TypedValueParser;

use super::shared::Format;
use super::tune_parts::{Riding, Sizing};
use crate::cli::values;
use crate::render::human;

const AFTER: &str = "\
Examples:
  goodcache tune
  goodcache tune shop --profile session --deep
  goodcache tune shop --only memory,persistence --apply
  goodcache tune shop --size --growth 10%/month --prices prices.yaml
  goodcache tune shop --resilience

Plain tune changes nothing: it looks for a minute (--sample) and prints what to change, the gravest
first, with the numbers that say so. --apply sets what can be set while the servers run, one node
after the other, replicas first; it reads back what it set and checks the cluster after each node, and
when that is worse than before it stops and puts back what it did. An undo file is written first.

--trial changes nothing on the cluster either: two throw-away servers on this machine get the settings
of one node and data of the shape that its keys showed (--deep is implied; at most 100 MiB each, and
maxmemory scaled with it), one of them the change besides. The same load runs on one and the other in
turns, in a closed loop, and only what the spread of the turns allows is claimed. --load FILE has a
JSON object a line, such as {\"command\": \"HSET {key:book:*} {member} {value:40}\", \"weight\": 30}; there
{key:PATTERN} is a key of a family, {member} a field or member of it, {value}, {value:N} and {number:N}
are drawn, and ' ; ' parts commands that go out together.

How much it matters:
  critical  loses data or service, now or at the next ordinary failure
  warning   will hurt
  info      is worth having

Profiles, guessed from the keys and commands when not given:
  cache     data that can be made again: any key may be evicted
  session   losing one logs a user out: none is evicted before its time
  durable   data of record: it is on disk and on replicas
  queue     streams and lists: none is evicted
  guide     the deployment guide's six settings as they are written; what speaks against them is told

Exit codes:
  0  it looked, or applied everything, or put everything back
  2  the command line, a variable or a settings file makes no sense
  3  advice as grave as --fail-on, or graver; with --size: no node size holds the load
  4  could not look: unreachable, login, TLS, not a cluster
  5  refused, nothing was changed: not agreed, another cluster's undo file, or stopped and put back
  6  stopped half-way: something is changed, and the answer says what
  130  interrupted, after putting back (143 by SIGTERM)";

/// What was typed after `goodcache tune`.
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

    /// Take the counters twice, this far apart; 0s takes them once, without rates [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "What is looked at")]
    pub sample: Option<Duration>,
    /// Also look at sizes, encodings and use of a thousand keys and more of each master
    #[arg(long, help_heading = "What is looked at")]
    pub deep: bool,
    /// Judge saved evidence instead of a cluster
    #[arg(long, value_name = "FILE", help_heading = "What is looked at",
          conflicts_with_all = ["targets", "sample", "deep", "save_evidence", "apply", "undo"])]
    pub from: Option<PathBuf>,
    /// Save all that was seen
    #[arg(long, value_name = "FILE", help_heading = "What is looked at")]
    pub save_evidence: Option<PathBuf>,

    /// What the cluster is for [default: guessed]
    #[arg(long, value_name = "PROFILE", value_parser = profiles(), help_heading = "How it is judged")]
    pub profile: Option<String>,
    /// The memory that one node may use, where it cannot be seen: 4gb, 512MiB
    #[arg(long, value_name = "SIZE", value_parser = human::parse_bytes, help_heading = "How it is judged")]
    pub memory_limit: Option<u64>,
    /// How long a replica may be away and still catch up without a full copy [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "How it is judged")]
    pub outage: Option<Duration>,
    /// How soon a failover should be over
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "How it is judged")]
    pub recovery: Option<Duration>,
    /// No acknowledged write may be lost in a power cut: the disk is waited for before each answer
    #[arg(long, help_heading = "How it is judged")]
    pub no_loss: bool,
    /// Only these rules or groups: memory.policy,replication
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "How it is judged"
    )]
    pub only: Vec<String>,
    /// Not these rules or groups
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "How it is judged"
    )]
    pub except: Vec<String>,
    /// Exit with 3 from this severity on [default: never]
    #[arg(long, value_name = "SEVERITY", help_heading = "How it is judged")]
    pub fail_on: Option<super::check::FailOn>,

    /// Set what can be set while the servers run
    #[arg(long, help_heading = "Change")]
    pub apply: bool,
    /// Put back exactly what that file's tune --apply changed
    #[arg(long, value_name = "FILE", help_heading = "Change",
          conflicts_with_all = ["apply", "sample", "deep", "save_evidence", "profile", "only", "except"])]
    pub undo: Option<PathBuf>,
    /// With --apply or --undo: show the plan and change nothing
    #[arg(long, help_heading = "Change")]
    pub dry_run: bool,
    /// Agree without being asked
    #[arg(short = 'y', long, help_heading = "Change")]
    pub yes: bool,
    /// With --apply: also write the settings to the servers' files (CONFIG REWRITE)
    #[arg(long, requires = "apply", help_heading = "Change")]
    pub rewrite: bool,
    /// With --apply: where to write the undo file [default: beside the saved cluster]
    #[arg(long, value_name = "FILE", requires = "apply", help_heading = "Change")]
    pub undo_file: Option<PathBuf>,
    /// With --undo: also put back what somebody changed since
    #[arg(long, requires = "undo", help_heading = "Change")]
    pub even_if_changed: bool,
    /// Write the advice as lines of a redis.conf
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub write_conf: Option<PathBuf>,
    /// Of a cluster in Docker: write the advice as a compose file to be laid over its own
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub write_compose: Option<PathBuf>,

    /// Try what these rules recommend on throw-away copies of a node, with and without it in turns
    #[arg(long, value_name = "RULE", value_delimiter = ',', help_heading = "Trial",
          conflicts_with_all = ["apply", "undo", "write_conf"])]
    pub trial: Vec<String>,
    /// With --trial: synthetic, recorded (the shares of the cluster's commands), or a file of commands [default: synthetic]
    #[arg(
        long,
        value_name = "KIND|FILE",
        requires = "trial",
        help_heading = "Trial"
    )]
    pub load: Option<PathBuf>,
    /// With --trial: how long all turns are together, from 1s on [default: 30s]
    #[arg(long = "for", value_name = "TIME", value_parser = values::span, requires = "trial", help_heading = "Trial")]
    pub trial_for: Option<Duration>,
    /// With --trial: connections that send, wait and send again [default: 8]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=512),
          requires = "trial", help_heading = "Trial")]
    pub connections: Option<u16>,
    /// With --trial: the redis-server or valkey-server to run [default: of the node's own and those in PATH the nearest]
    #[arg(long, value_name = "PATH", requires = "trial", help_heading = "Trial")]
    pub server: Option<PathBuf>,

    /// How many nodes of which size are needed.
    #[command(flatten)]
    pub sizing: Sizing,
    /// How clients ride out a failover.
    #[command(flatten)]
    pub riding: Riding,

    /// Explain a rule and look at nothing
    #[arg(long, value_name = "RULE",
          conflicts_with_all = ["targets", "sample", "deep", "from", "apply", "undo"])]
    pub explain: Option<String>,
    /// Write the answer as [default: table]
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,
}

/// The formats that tune can write.
pub const FORMATS: &[&str] = &["table", "markdown", "json"];

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(FORMATS)
}

fn profiles() -> impl TypedValueParser<Value = String> {
    clap::builder::PossibleValuesParser::new(["cache", "session", "durable", "queue", "guide"])
}
