//! The flags of `restore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};

use super::backup::{Place, size};
use crate::cli::values;
use crate::model::SlotSet;
use crate::rdb::Family;

const AFTER: &str = "\
Examples:
  goodcache restore latest shop --dry-run
  goodcache restore latest shop --replace --confirm shop
  goodcache restore shop-new --of shop --at 2026-11-24T12:03:07Z
  goodcache restore shop --at '5m ago' --flush --confirm shop
  goodcache restore 20261124T163114 10.0.0.5:7001 --keys 'session:*' --undelete
  goodcache restore shop-new --rdb /var/backups/shop-nodes
  goodcache restore latest shop --repo s3://backups/shop --max-latency 20ms

The target may have any number of shards, or be a server on its own, of another version or vendor.
Keys go by RESTORE to all masters at once, then the commands that came between the data and the cut
are played. Expiries are times: what is over by now is counted and not sent. A target that holds keys
is refused, unless it is said what becomes of them. At the end the target's data is read back over
replication and compared with the snapshot, slot by slot.

Whatever stops it, the same command goes on where it stopped.

Exit codes:
  0  restored, and proven equal, but for keys that were played: how many is told
  2  the command line makes no sense, or there is no such snapshot
  3  restored, but not all of it: what is missing or differs is named
  4  could not look: no repository, wrong passphrase, unreachable
  5  refused, nothing was changed
  6  stopped half-way; the same command goes on";

/// `restore`.
#[derive(Debug, Clone, ClapArgs)]
#[command(after_long_help = AFTER)]
pub struct Args {
    /// Which snapshot (latest when none is named), then the target: a cluster's name, or addresses of its nodes
    #[arg(value_name = "ID|NAME|ADDR", num_args = 0..)]
    pub words: Vec<String>,
    /// Where the snapshots are.
    #[command(flatten)]
    pub place: Place,
    /// With 'latest': of the cluster that was backed up under this name [default: the target's]
    #[arg(long, value_name = "NAME")]
    pub of: Option<String>,
    /// Restore this moment of a cluster that is followed (backup --follow): 2026-11-24T12:03:07Z, or '5m ago'
    #[arg(long, value_name = "TIME", value_parser = values::moment, conflicts_with = "rdb")]
    pub at: Option<values::When>,
    /// Restore these RDB files, or folders of them, instead of a snapshot
    #[arg(long, value_name = "FILE|DIR", num_args = 1..)]
    pub rdb: Vec<PathBuf>,
    /// Which keys.
    #[command(flatten)]
    pub which: Which,
    /// What becomes of keys that are there.
    #[command(flatten)]
    pub existing: Existing,
    /// How.
    #[command(flatten)]
    pub how: How,
}

/// Which keys.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Which keys")]
pub struct Which {
    /// Keys that match the pattern, as KEYS and SCAN match
    #[arg(long, value_name = "GLOB")]
    pub keys: Vec<String>,
    /// Keys of this type: string, list, set, zset, hash, stream, module
    #[arg(long = "type", value_name = "TYPE", value_parser = family, value_delimiter = ',')]
    pub types: Vec<Family>,
    /// Keys of these slots, such as 0-99,4000
    #[arg(long, value_name = "SLOTS", value_parser = slots)]
    pub slots: Option<SlotSet>,
    /// Keys with this hash tag: TAG of '{TAG}:x'
    #[arg(long, value_name = "TAG")]
    pub hash_tag: Option<String>,
    /// Keys that have at least so long to live
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub min_ttl: Option<Duration>,
}

/// What becomes of keys that the target holds.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Keys that are there")]
pub struct Existing {
    /// Replace those that the snapshot has; others stay
    #[arg(long, conflicts_with_all = ["skip_existing", "flush", "undelete"])]
    pub replace: bool,
    /// Leave them as they are
    #[arg(long, conflicts_with = "flush")]
    pub skip_existing: bool,
    /// Bring back only keys that are absent now: the same as --skip-existing
    #[arg(long, conflicts_with = "flush")]
    pub undelete: bool,
    /// Remove every key of the target first
    #[arg(long)]
    pub flush: bool,
    /// Consent to --replace or --flush by repeating the target's name
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
}

/// How it is restored.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "How")]
pub struct How {
    /// Show what would be done and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// In which order keys go [default: slots]
    #[arg(long, value_enum, value_name = "ORDER", hide_possible_values = true)]
    pub order: Option<Order>,
    /// Send at most so much a second, such as 50MiB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub rate: Option<u64>,
    /// Keep the target's own answers (PING, asked beside the load) below this time
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub max_latency: Option<Duration>,
    /// The longest that one command may hold a master up: larger values go in parts [default: 50ms]
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub max_stall: Option<Duration>,
    /// Bring the ACL users back too, on every node
    #[arg(long)]
    pub with_acl: bool,
    /// Do not read the target back to compare it
    #[arg(long)]
    pub no_verify: bool,
    /// Begin anew instead of going on where the same command stopped
    #[arg(long)]
    pub restart: bool,
}

/// In which order keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As they lie, so that every master is busy
    Slots,
    /// The most used first, by the LFU or LRU data that the snapshot has
    Hottest,
}

fn family(text: &str) -> Result<Family, String> {
    Family::named(text)
        .ok_or_else(|| "one of string, list, set, zset, hash, stream, module is wanted".to_owned())
}

fn slots(text: &str) -> Result<SlotSet, String> {
    let spaced = text.replace(',', " ");
    spaced
        .parse()
        .map_err(|_| "slots such as 0-99,4000 are wanted, 0 to 16383".to_owned())
}
