//! `goodcache failover-test`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::{Args as ClapArgs, ValueEnum};

use super::shared::Format;
use crate::cli::scenario::Part;
use crate::cli::values;
use crate::model::{Fault, NodeAddr};
use crate::ops::failover::Accepted;

const AFTER: &str = "\
Examples:
  goodcache failover-test shop --dry-run
  goodcache failover-test shop --fault stop --shard 1 --confirm shop
  goodcache failover-test shop --all-shards --junit drill.xml --confirm shop
  goodcache failover-test --from drill.json --max-outage 5s

A drill breaks the cluster on purpose, under a load of its own, and puts it
back: also after Ctrl-C, and when goodcache itself is killed (by a watchdog, by
the next run, or by --heal). It measures how long each shard took no writes,
counts the acknowledged writes that are gone, and holds both against budgets.

Faults:
  stop           SIGTERM, as 'docker stop' does
  kill           SIGKILL, as a crash
  pause          frozen: connections stay open and nothing answers
  isolate        cut off from the network, and alive (Docker, hooks)
  isolate-peers  cut off from the other nodes while clients still reach it:
                 what it acknowledges then is lost (Docker)
  isolate-bus    cut off from the cluster bus alone, by the server's own DEBUG,
                 while clients and replicas still reach it (Valkey 9)
  slow           held up for some 40 ms, again and again (Docker, processes)
  fast-restart   killed, and back before the node timeout is over: without
                 persistence this empties the shard
  shutdown       SHUTDOWN NOSAVE, and started again
  sleep          DEBUG SLEEP, for longer than an election takes
  failover       CLUSTER FAILOVER: master and replica agree to change places
  force          CLUSTER FAILOVER FORCE: elected without the master's consent
  takeover       CLUSTER FAILOVER TAKEOVER: without election

The cluster must be sound first: a critical finding of check stops the drill,
unless --even-if names its code. Refused unless --accept names it:
  quorum-loss    too few masters would be left to elect anybody
  shard-loss     no node of a shard would be left
  no-successor   a master has no replica that could take over
  wipe           a restart without persistence would empty a shard

'Passed' means: each budget was kept, every master that was to be replaced was
(a higher epoch, in a majority of the views, and writes taken by the new one),
and in the end every view knew every node at its address and every replica was
linked.

Exit codes:
  0  passed
  1  failed for a reason that no other code names
  2  the command line, a variable or a settings file makes no sense
  3  failed: a budget was not kept, or the cluster did not become whole
  4  could not look, or could not tell (a limit closer to what was measured
     than the load itself was held up, or writes that were not read back)
  5  refused, nothing was changed
  6  stopped half-way; what is still broken is told, and --heal puts it back
  130  interrupted, after healing (143 by SIGTERM)";

/// Through what nodes are broken and put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// A container that proves to be the node; else hooks, where there are any; else a local process
    Auto,
    /// Containers
    Docker,
    /// Processes of this machine
    Local,
    /// The commands in goodcache.yaml
    Hooks,
}

/// What was typed after `goodcache failover-test`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// A cluster's name, or addresses to begin at: host:port, [::1]:port, redis://..., rediss://...
    #[expect(
        rustdoc::broken_intra_doc_links,
        reason = "clap prints this line as it stands"
    )]
    #[arg(value_name = "NAME|ADDR|URL")]
    pub targets: Vec<String>,

    /// What is done to the node
    #[arg(long, value_name = "FAULT", default_value = "kill", value_parser = faults(), help_heading = "The fault")]
    pub fault: Fault,
    /// Restart every node in turn instead, masters after handing over
    #[arg(long, conflicts_with_all = ["fault", "shard", "nodes", "part", "whole_shard", "on_host", "on_zone", "random", "all_shards", "then"], help_heading = "The fault")]
    pub rolling_restart: bool,
    /// Strike the master of this shard; 1 is the first [default: 1]
    #[arg(long, value_name = "N", help_heading = "The fault")]
    pub shard: Option<usize>,
    /// Strike this node; several are struck at once
    #[arg(
        long = "node",
        value_name = "ADDR",
        conflicts_with = "shard",
        help_heading = "The fault"
    )]
    pub nodes: Vec<NodeAddr>,
    /// Strike the shard's master, or a replica [default: master]
    #[arg(long = "role", value_name = "ROLE", help_heading = "The fault")]
    pub part: Option<Part>,
    /// Strike all nodes of the shard at once
    #[arg(long, conflicts_with_all = ["nodes", "part"], help_heading = "The fault")]
    pub whole_shard: bool,
    /// Strike all nodes of this host at once
    #[arg(long, value_name = "HOST", conflicts_with_all = ["nodes", "shard", "part", "whole_shard", "on_zone"], help_heading = "The fault")]
    pub on_host: Option<String>,
    /// Strike all nodes of this zone at once
    #[arg(long, value_name = "ZONE", conflicts_with_all = ["nodes", "shard", "part", "whole_shard"], help_heading = "The fault")]
    pub on_zone: Option<String>,
    /// Strike every shard, one after another
    #[arg(long, conflicts_with_all = ["nodes", "shard", "on_host", "on_zone", "random"], help_heading = "The fault")]
    pub all_shards: bool,
    /// Strike a shard chosen by chance
    #[arg(long, conflicts_with_all = ["nodes", "shard", "on_host", "on_zone"], help_heading = "The fault")]
    pub random: bool,
    /// With --random: the same number strikes the same shard
    #[arg(
        long,
        value_name = "NUMBER",
        requires = "random",
        help_heading = "The fault"
    )]
    pub seed: Option<u64>,
    /// While the cluster is still recovering, strike again with this fault
    #[arg(long, value_name = "FAULT", value_parser = faults(), help_heading = "The fault")]
    pub then: Option<Fault>,
    /// With --then: the shard whose master is struck [default: the next one]
    #[arg(long, value_name = "N", requires = "then", help_heading = "The fault")]
    pub then_shard: Option<usize>,
    /// With --then: strike this node; several are struck at once
    #[arg(
        long,
        value_name = "ADDR",
        requires = "then",
        conflicts_with = "then_shard",
        help_heading = "The fault"
    )]
    pub then_node: Vec<NodeAddr>,
    /// With --then: how long after the first
    #[arg(long, value_name = "TIME", requires = "then", default_value = "1s", value_parser = values::duration, help_heading = "The fault")]
    pub then_after: Duration,
    /// Do what FILE says, step by step
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fault", "rolling_restart", "shard", "nodes", "part", "whole_shard", "on_host", "on_zone", "all_shards", "random", "then"], help_heading = "The fault")]
    pub scenario: Option<PathBuf>,
    /// Do all of it N times [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "The fault")]
    pub rounds: Option<u32>,
    /// How long a fault lasts that no failover follows [default: twice the node timeout, at least 3s]
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "The fault")]
    pub down_for: Option<Duration>,
    /// Tell which zone a node stands in; may be repeated
    #[arg(long = "zone", value_name = "ADDR=ZONE", value_parser = values::zone_pair, help_heading = "The fault")]
    pub zones: Vec<(NodeAddr, String)>,
    /// What reaches the nodes to break them and put them back
    #[arg(
        long,
        value_name = "HOST",
        default_value = "auto",
        help_heading = "The fault"
    )]
    pub via: Via,

    /// Do what would be refused, because it is the purpose; may be repeated
    #[arg(long, value_name = "WHAT", value_parser = accepted(), value_delimiter = ',', help_heading = "Safety")]
    pub accept: Vec<Accepted>,
    /// Drill although check finds this critical; may be repeated
    #[arg(
        long,
        value_name = "CODE",
        value_delimiter = ',',
        help_heading = "Safety"
    )]
    pub even_if: Vec<String>,
    /// Say yes by repeating the cluster's name, instead of typing it when asked
    #[arg(long, value_name = "NAME", help_heading = "Safety")]
    pub confirm: Option<String>,
    /// Show what would be done and do nothing
    #[arg(long, help_heading = "Safety")]
    pub dry_run: bool,
    /// Leave it broken, until --heal
    #[arg(long, conflicts_with_all = ["rounds", "all_shards", "rolling_restart", "scenario"], help_heading = "Safety")]
    pub hold: bool,
    /// Put back what an earlier drill left broken, and do nothing else
    #[arg(long, conflicts_with_all = ["fault", "hold", "dry_run", "from"], help_heading = "Safety")]
    pub heal: bool,
    /// Afterwards let the masters of before lead again
    #[arg(long, help_heading = "Safety")]
    pub restore_roles: bool,
    /// Wait this long for the recovery, and again for the cluster to be whole
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = values::span, help_heading = "Safety")]
    pub timeout: Duration,

    /// Writes, and as many reads, a second on each shard; a witness writes as often besides
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=20_000), help_heading = "The load")]
    pub rate: u32,
    /// Bytes of each value
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(16..=1_048_576), help_heading = "The load")]
    pub value_size: u32,

    /// The longest time that a shard may take no writes [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "Budgets")]
    pub max_outage: Option<Duration>,
    /// Acknowledged writes that may be gone [default: 0]
    #[arg(long, value_name = "N", help_heading = "Budgets")]
    pub max_lost_writes: Option<u64>,
    /// The longest time until every shard has all its replicas again [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "Budgets")]
    pub max_redundancy: Option<Duration>,
    /// The longest 99th percentile of write latency outside the outage
    #[arg(long, value_name = "TIME", value_parser = values::span, help_heading = "Budgets")]
    pub max_p99: Option<Duration>,

    /// Keep all that was measured in FILE, for --from and --compare
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    pub record: Option<PathBuf>,
    /// Judge a recorded drill anew, and touch no cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["targets", "fault", "scenario", "rolling_restart", "dry_run", "hold", "heal", "confirm"], help_heading = "Answers")]
    pub from: Option<PathBuf>,
    /// Fail when the outages are longer than in a recorded drill
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    pub compare: Option<PathBuf>,
    /// Also write JUnit XML: a case for each budget of each shard
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    pub junit: Option<PathBuf>,
    /// Also write one HTML page with the timeline drawn
    #[arg(long, value_name = "FILE", help_heading = "Answers")]
    pub report: Option<PathBuf>,
    /// Write the answer as [default: table]
    #[arg(short, long, value_name = "FORMAT", value_parser = formats())]
    pub output: Option<Format>,

    /// Wait for the end of stdin, then heal what that journal lists.
    #[arg(long, value_name = "JOURNAL", hide = true)]
    pub watchdog: Option<PathBuf>,
}

/// The formats that failover-test can write.
pub const FORMATS: &[&str] = &["table", "markdown", "json", "junit"];

fn formats() -> impl TypedValueParser<Value = Format> {
    Format::one_of(FORMATS)
}

fn faults() -> impl TypedValueParser<Value = Fault> {
    let names = Fault::ALL.map(Fault::name);
    clap::builder::PossibleValuesParser::new(names).map(|name| name.parse().unwrap_or(Fault::Kill))
}

fn accepted() -> impl TypedValueParser<Value = Accepted> {
    let names = Accepted::ALL.map(Accepted::name);
    clap::builder::PossibleValuesParser::new(names).map(|name| {
        let named = |accepted: &Accepted| accepted.name() == name;
        Accepted::ALL
            .into_iter()
            .find(named)
            .unwrap_or(Accepted::Wipe)
    })
}
