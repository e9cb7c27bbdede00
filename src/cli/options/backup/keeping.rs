//! The subcommands about snapshots that are there: found, shown, proven, removed, copied, compared.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as ClapArgs;

use crate::cli::values;

const LIST_AFTER: &str = "\
Examples:
  goodcache backup list
  goodcache backup list shop -o json
  goodcache backup list --repo s3://backups/shop

CUT tells what holds between the shards:
  barrier  all were cut while no write was let through: one moment
  clock    all were cut at one time of the clock of the machine that took it
  scan     keys were read one after the other: not a snapshot

Below the snapshots stand the time lines that backup --follow keeps: the cluster can be restored as it
was at any moment from FROM until UNTIL. What lies between two of them is a gap.

Exit codes:
  0  listed
  2  the command line, a variable or a settings file makes no sense
  3  a manifest is not what was written
  4  could not look: no repository, wrong passphrase, unreachable";

/// `backup list`.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(after_long_help = LIST_AFTER)]
pub struct List {
    /// Only those of this cluster
    pub name: Option<String>,
}

const LOG_AFTER: &str = "\
Examples:
  goodcache backup log session:42
  goodcache backup log --key session:42 --cluster shop --since '2h ago'
  goodcache backup log cart:7 --since 2026-11-24T12:00:00Z --until 2026-11-24T12:05:00Z -o json

A moment is written as 2026-11-24T12:03:07Z (always UTC; a fraction may follow), or as how long ago
it was: 90s, '2h ago', 3d. All that the time lines hold of that time is read. FLUSHALL and what
else may change every key is shown too. Times are those at which the follower received a command, values
are shortened, and of more than 10,000 writes the last are shown.

Exit codes:
  0  shown, be it that there was none
  2  the command line, a variable or a settings file makes no sense
  3  a segment is not what was sealed
  4  could not look: no repository, wrong passphrase, unreachable";

/// `backup log`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = LOG_AFTER)]
pub struct Log {
    /// The key; also as --key KEY, for no server is asked here that would be shown a certificate
    #[arg(value_name = "KEY")]
    pub of: Option<String>,
    /// Only what came then or later
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub since: Option<values::When>,
    /// Only what came then or before [default: now]
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    pub until: Option<values::When>,
}

const SHOW_AFTER: &str = "\
Examples:
  goodcache backup show
  goodcache backup show 20261124T163114 -o json
  goodcache backup show latest --cluster shop

Exit codes:
  0  shown
  2  the command line makes no sense, or there is no such snapshot
  3  its manifest is not what was written
  4  could not look: no repository, wrong passphrase, unreachable";

/// `backup show`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = SHOW_AFTER)]
pub struct Show {
    /// Which snapshot
    #[arg(value_name = "ID", default_value = "latest")]
    pub id: String,
}

const VERIFY_AFTER: &str = "\
Examples:
  goodcache backup verify
  goodcache backup verify latest --read-data
  goodcache backup verify 20261124T163114 --boot -o json

What is proven:
  always       the manifest is what was written (and signed, where there is a passphrase); each
               object that it lists is there with its size; the pieces of each log join, and so
               do those of the time line on which it lies
  --read-data  also every byte against its SHA-256, every entry of every shard walked and counted,
               the server's own checksum at its end, each slot's digest computed anew, where the
               table of slots says that it lies, and which slots the logs change; and every
               segment of its time line from it on
  --boot       also that a real server loads it: each shard in turn, on loopback, as nobody's
               replica, so that nothing expires; its log is played and each slot compared. How long
               loading took is told. It needs the memory and the disk (below TMPDIR) of the largest
               shard

Exit codes:
  0  sound
  2  the command line makes no sense, or there is no such snapshot
  3  something is not what was written; each fault names its object
  4  could not look: no repository, wrong passphrase, unreachable";

/// `backup verify`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = VERIFY_AFTER)]
pub struct Verify {
    /// Which snapshot
    #[arg(value_name = "ID", default_value = "latest")]
    pub id: String,
    /// Read and prove every byte, not the sizes alone
    #[arg(long)]
    pub read_data: bool,
    /// Load it into throw-away servers on this machine and compare what they then hold
    #[arg(long)]
    pub boot: bool,
    /// With --boot: the redis-server or valkey-server to run [default: the one in PATH]
    #[arg(long, value_name = "PROGRAM", requires = "boot")]
    pub server: Option<PathBuf>,
}

const PRUNE_AFTER: &str = "\
Examples:
  goodcache backup prune --keep-last 3 --dry-run
  goodcache backup prune --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --yes
  goodcache backup prune --keep-within 48h --keep-daily 14

A snapshot stays when one rule keeps it. A rule by day keeps the latest of each of the last so many
days (UTC) that have one; by week and by month alike. Snapshots of different clusters do not count
against each other. The latest that can be restored is never removed, whatever the rules say. What
unfinished backups left behind is removed as well, once nothing was added to it for --grace. What
--follow archived goes up to the oldest snapshot that stays: what came after it is never removed.

Exit codes:
  0  removed (or there was nothing to remove)
  2  the command line makes no sense, or keeps nothing
  3  a manifest is not what was written: that snapshot was left alone
  4  could not look: no repository, wrong passphrase, unreachable
  5  refused, nothing was changed
  6  stopped half-way; what is left is whole or is taken by the next prune";

/// `backup prune`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = PRUNE_AFTER)]
pub struct Prune {
    /// Leave unfinished backups alone that were added to within this time [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub grace: Option<Duration>,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask before removing anything
    #[arg(short, long)]
    pub yes: bool,
    /// What to keep.
    #[command(flatten)]
    pub keep: Keep,
}

/// What to keep.
#[derive(Debug, Clone, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "What is kept")]
pub struct Keep {
    /// Keep the latest N
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub keep_last: u32,
    /// Keep the latest of each of the last N days
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub keep_daily: u32,
    /// Keep the latest of each of the last N weeks
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub keep_weekly: u32,
    /// Keep the latest of each of the last N months
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub keep_monthly: u32,
    /// Keep all that are not older than this, such as 48h or 30d
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub keep_within: Option<Duration>,
}

const COPY_AFTER: &str = "\
Examples:
  goodcache backup copy latest --to s3://backups-far/shop
  goodcache backup copy --all --to /mnt/second --to-passphrase-file second.txt
  goodcache backup copy 20261124T163114 --to gs://backups/shop -o json

The time lines on which they lie go with them. Only what is missing there goes over, and nothing that was not proven on the way. A repository is
made where there is none. Both have one passphrase, unless --to-passphrase-file or
GOODCACHE_TO_PASSPHRASE_FILE names another. Both take the same variables (AWS_*, GOOGLE_*, AZURE_*);
where that repository needs its own they stand behind GOODCACHE_TO_: GOODCACHE_TO_AWS_REGION.

Exit codes:
  0  all is there
  2  the command line makes no sense, or there is no such snapshot
  3  something here or there is not what was written
  4  could not look: no repository, wrong passphrase, unreachable
  6  stopped half-way; the same command goes on";

/// `backup copy`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = COPY_AFTER)]
pub struct CopyTo {
    /// Which snapshot
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub id: Option<String>,
    /// Copy every snapshot, the oldest first
    #[arg(long, conflicts_with = "id")]
    pub all: bool,
    /// The repository to copy to
    #[arg(long, value_name = "URL")]
    pub to: String,
    /// Read that repository's passphrase from the first line of FILE [default: the same passphrase]
    #[arg(long, value_name = "FILE")]
    pub to_passphrase_file: Option<PathBuf>,
}

const DIFF_AFTER: &str = "\
Examples:
  goodcache backup diff 20261123T163114 latest
  goodcache backup diff 20261123T163114 --keys
  goodcache backup diff 20261123T163114 20261124T163114 -o json
  goodcache backup diff latest live --keys

Slots are compared by the digests that were kept with each snapshot, so no data is read. --keys
reads the slots that differ, of both. Compared is what was in the bases.

With 'live' a snapshot is compared with what the cluster holds now: the cluster that is named, else
the snapshot's own where its name is known here. Its shards are read over the replication link, from
a replica that keeps up where there is one; nothing is stored and nothing is changed. The live side
is not of one moment: each shard is of its own. Slots that commands changed after the snapshot's
bases are not judged. --keys reads the cluster once more.

Exit codes:
  0  no difference
  2  the command line makes no sense, or there is no such snapshot
  3  they differ
  4  could not look: no repository, wrong passphrase, unreachable, or the cluster changed meanwhile";

/// `backup diff`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = DIFF_AFTER)]
pub struct Diff {
    /// The earlier snapshot
    #[arg(value_name = "ID")]
    pub before: String,
    /// The later one, or 'live': what the cluster holds now
    #[arg(value_name = "ID2|live", default_value = "latest")]
    pub after: String,
    /// With 'live': the cluster's name, or addresses of its nodes
    #[arg(value_name = "NAME|HOST:PORT")]
    pub targets: Vec<String>,
    /// Name the keys that differ too
    #[arg(long)]
    pub keys: bool,
}

const EXPORT_AFTER: &str = "\
Examples:
  goodcache backup export latest --to /tmp/rdb
  goodcache backup export 20261124T163114 --to /tmp/rdb
  goodcache backup export latest --to /tmp/rdb --shard 2

shard-1.rdb is what the server sent, proven on the way. Where the snapshot holds commands that came
after it, they are written beside it, as shard-1.aof. No file is ever overwritten; a half-written
one never has its name. redis-check-rdb accepts what is written.

Exit codes:
  0  written
  2  the command line makes no sense, or there is no such snapshot or shard
  3  something is not what was written
  4  could not look: no repository, wrong passphrase, unreachable
  5  refused, nothing was written: a file of that name is there";

/// `backup export`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = EXPORT_AFTER)]
pub struct Export {
    /// Which snapshot
    #[arg(value_name = "ID")]
    pub id: String,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Only this shard, as show numbers them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shard: Option<u32>,
}

const IMPORT_AFTER: &str = "\
Examples:
  goodcache backup import dump.rdb --cluster shop
  goodcache backup import /var/backups/shop-nodes --cluster shop
  goodcache backup import a.rdb b.rdb c.rdb --cluster shop --repo s3://backups/shop

A folder is taken with all its *.rdb files, such as redis-cli --cluster backup leaves them. Each
file becomes a shard, and is read to its end and its checksum before anything of it counts. Files of
different moments are no snapshot: the import is labelled scan.

Exit codes:
  0  imported
  1  a file is damaged, or is no RDB file
  2  the command line, a variable or a settings file makes no sense
  4  could not look: no repository, wrong passphrase, unreachable";

/// `backup import`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = IMPORT_AFTER)]
pub struct Import {
    /// RDB files, or folders that hold some
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
}
