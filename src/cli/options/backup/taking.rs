//! The flags of taking: one snapshot, one after another, or every write from then on.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use super::Keep;
use crate::cli::values;
use crate::render::human::parse_bytes;

pub(super) const AFTER: &str = "\
Examples:
  goodcache backup shop --repo /var/backups/shop
  goodcache backup list --repo s3://backups/shop
  goodcache backup verify latest --read-data
  goodcache backup prune --keep-last 3 --keep-daily 7 --keep-weekly 4
  goodcache backup shop --every 24h --keep-daily 7 --keep-weekly 4
  goodcache backup shop --follow --keep-within 48h

A repository is a folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix. Its
credentials come from the usual variables (AWS_*, GOOGLE_*, AZURE_*). With a passphrase all that is
stored is encrypted and authenticated; it is never an argument: give it by --passphrase-file ('-' is
stdin), GOODCACHE_PASSPHRASE, or at the prompt. Without it the data is lost: keep it elsewhere.

A snapshot is meant by its ID, by a beginning of it that no other has, or by 'latest'.

Every shard is read over the replication link, from a replica that keeps up where there is one
(--from best, replicas, masters): its data as it stands, and beside it what changes meanwhile. One
cut goes through all shards: writes are paused on every master for a few round trips (--cut
barrier), or, where pausing is not permitted, all are cut at one time of this machine's clock (--cut
clock). A failover or a slot that moves before the cut is noticed, and the whole is taken again.
Services that keep replication to themselves are read key by key instead (--via auto, psync, scan),
at the pace that the server bears, labelled as no snapshot.

Compressing values is most of a server's work, and what is stored is compressed anyway. So servers
on this machine send them as they are, others as they are set to; --wire plain, or --wire compressed
to spare the network, says so of all. Until a server's child process is there, its
repl-diskless-sync-delay is 0 and its rdbcompression as wanted; both are put back whatever happens.

With --also the snapshot is copied to a second repository as soon as it is taken. That one takes the
same variables and the same passphrase, unless they stand behind GOODCACHE_ALSO_: as
GOODCACHE_ALSO_AWS_REGION, GOODCACHE_ALSO_PASSPHRASE_FILE.

With --every it goes on until it is stopped: each snapshot begins that long after the last began (at
once, where that one took longer), and is answered for itself. One that fails is told on stderr, and
the next comes at its time. With --keep-... the snapshots of this cluster that no rule keeps are
removed after each success, without a question: giving these rules is the consent.

With --follow it stays attached after the snapshot and archives what every shard writes, stamped by
this machine's clock and stored every 10 seconds or 8 MiB, so that the cluster can be restored as it was
at any moment. It goes on through lost links and failovers, and where an earlier run stopped. Where it
cannot (a shard's backlog no longer reaches back, slots went to a new node), it says so and begins
again with a snapshot: what lies between is a gap. What it acknowledges is stored, so WAIT counts it
as a replica only for writes that can be restored. Snapshots are taken meanwhile, --base-every 24h.
With --keep-... the writes older than the oldest snapshot that stays are removed with the others.

Exit codes:
  0  done, and good
  1  no snapshot was taken
  2  the command line, a variable or a settings file makes no sense
  3  the answer is bad: something in the repository is not what was written
  4  could not look: no repository, wrong passphrase, unreachable
  5  refused, nothing was changed
  6  stopped half-way, something was changed
  130  interrupted (143 by SIGTERM), as --every and --follow are in the end";

/// What to take.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
pub struct Take {
    /// A cluster's name, or addresses to begin at: host:port, [::1]:port, redis://..., rediss://...
    #[expect(
        rustdoc::broken_intra_doc_links,
        reason = "clap prints this line as it stands"
    )]
    #[arg(value_name = "NAME|ADDR|URL")]
    pub targets: Vec<String>,
    /// Which node of each shard is read [default: best]
    #[arg(long, value_enum, value_name = "WHICH", hide_possible_values = true)]
    pub from: Option<ReadFrom>,
    /// How nodes are read [default: auto]
    #[arg(long, value_enum, value_name = "WAY", hide_possible_values = true)]
    pub via: Option<Way>,
    /// How values come from the servers [default: auto]
    #[arg(long, value_enum, value_name = "HOW", hide_possible_values = true)]
    pub wire: Option<WireBy>,
    /// How one moment is cut through all shards [default: barrier, where writes may be paused]
    #[arg(long, value_enum, value_name = "HOW", hide_possible_values = true)]
    pub cut: Option<CutBy>,
    /// The longest that writes may stand still for the cut [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = stall)]
    pub max_stall: Option<Duration>,
    /// Read at most so much a second, such as 50MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rate: Option<u64>,
    /// How many nodes of one machine fork at the same time [default: as many as its memory holds]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub parallel: Option<u16>,
    /// Take what is served although some slots are served by nobody
    #[arg(long)]
    pub partial: bool,
    /// Copy the snapshot to this repository too
    #[arg(long, value_name = "URL")]
    pub also: Vec<String>,
    /// Read those repositories' passphrase from the first line of FILE [default: the same passphrase]
    #[arg(long, value_name = "FILE", requires = "also")]
    pub also_passphrase_file: Option<PathBuf>,
    /// Put these words on the snapshot
    #[arg(long, value_name = "NAME=WORDS", value_parser = label)]
    pub label: Vec<(String, String)>,
    /// Go on taking snapshots, each so long after the last began, such as 24h
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub every: Option<Duration>,
    /// Stay attached after the snapshot and archive every write, so that any moment can be restored
    #[arg(long, conflicts_with_all = ["every", "also"])]
    pub follow: bool,
    /// With --follow: how long after one snapshot the next begins [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = values::span, requires = "follow")]
    pub base_every: Option<Duration>,
    /// What stays after each, with `every` and with `follow`.
    #[command(flatten)]
    pub keep: Keep,
}

/// Which node of each shard is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReadFrom {
    /// A replica that keeps up, else the master
    Best,
    /// Replicas only
    Replicas,
    /// Masters only
    Masters,
}

/// How nodes are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// By replication, and key by key where a service keeps that to itself
    Auto,
    /// By replication only
    Psync,
    /// Key by key (SCAN and DUMP): not a snapshot
    Scan,
}

/// How values come from the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WireBy {
    /// Plain from servers on this machine, as they are set from others
    Auto,
    /// As they are: more bytes, and less work for the servers
    Plain,
    /// Compressed by the servers
    #[value(name = "compressed")]
    Packed,
}

/// How one moment is cut through all shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CutBy {
    /// Writes are paused on all masters for a few round trips
    Barrier,
    /// At one time of this machine's clock, without a pause
    Clock,
}

/// Servers hold a pause in whole milliseconds, and a cut takes a few round trips.
fn stall(text: &str) -> Result<Duration, String> {
    match values::duration(text) {
        Ok(time) if time < Duration::from_millis(1) => Err("no cut is as short as that".to_owned()),
        time => time,
    }
}

/// `50MiB`; nothing a second would never end.
pub(in crate::cli::options) fn size(text: &str) -> Result<u64, String> {
    match parse_bytes(text) {
        Ok(0) => Err("0 would never end".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, words)) if !name.is_empty() => Ok((name.to_owned(), words.to_owned())),
        _ => Err("write NAME=WORDS, such as reason=upgrade".to_owned()),
    }
}
