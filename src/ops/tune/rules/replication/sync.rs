//! Full copies: what waits for them meanwhile.

use super::{PINGS_ONLY, ShardCase, shards};
use crate::model::Severity;
use crate::model::words::{bytes, seconds};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::form;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, readable};

pub(super) const BUFFER: Rule = Rule {
    id: "replication.buffer",
    title: "output buffer for replicas",
    parameters: &["client-output-buffer-limit"],
    kind: Kind::Setting,
    why: "While a replica is copied, everything written meanwhile waits for it on the master. If that passes the limit the replica is cut off and begins anew, and passes it again: a loop of full copies that ends only when the writes do.",
    how: "A full copy takes about three times the last save: writing, sending, loading. Where the bytes written in that time pass the hard limit, or the soft one for longer than its seconds: hard 1.5 times as much, soft half of that, for the time of the copy, 60 s at least; never below the backlog, at most a quarter of maxmemory.",
    cost: "that much memory on the master while a replica is copied (7.0 and later share it between replicas and with the backlog)",
    risk: Risk::Medium,
    source: "INFO: rdb_last_bgsave_time_sec, master_repl_offset over two samples, client_output_buffer_limit_disconnections, sync_full; networking.c checkClientOutputBufferLimits",
    judge: buffer,
};

pub(super) const DUAL_CHANNEL: Rule = Rule {
    id: "replication.dual-channel",
    title: "a channel of its own for the copy",
    parameters: &["dual-channel-replication-enabled"],
    kind: Kind::Setting,
    why: "With two channels the snapshot and the stream go to the replica side by side, and what is written meanwhile waits there and not on the master: long copies no longer cost the master its memory.",
    how: "Valkey 8 and later: yes, where a full copy takes more than 60 s, or replicas were cut off while they were copied.",
    cost: "a second connection for each copy, and memory on the replica; it needs repl-diskless-sync yes",
    risk: Risk::Low,
    source: "CONFIG dual-channel-replication-enabled (Valkey 8.0); INFO: rdb_last_bgsave_time_sec, client_output_buffer_limit_disconnections",
    judge: dual_channel,
};

/// A full copy against the last save: writing it, sending it, loading it.
const COPY: u64 = 3;
/// A rate in a sample is no peak.
const HEADROOM: f64 = 1.5;
/// The server's default for the soft limit's time, in seconds.
const SOFT_S: u64 = 60;
/// A copy that takes longer than this is long, in seconds.
const LONG_S: u64 = 60;
/// The most of the memory limit that waits for a replica.
const MOST: u64 = 4;
/// Why the time of a full copy is not known.
pub(super) const NO_SAVE: &str =
    "how long a full copy takes is not known: no snapshot was made yet (BGSAVE)";

/// How long a full copy from that node takes, in seconds.
fn copy_s(node: &NodeCase) -> Option<u64> {
    let save = node.number("rdb_last_bgsave_time_sec")?;
    Some(save.max(1) * COPY)
}

/// Whether replicas were cut off and copied again in the sample.
fn is_looping(node: &NodeCase) -> bool {
    let grew = |name| node.growth(name).is_some_and(|times| times > 0);
    grew("client_output_buffer_limit_disconnections") && grew("sync_full")
}

fn buffer(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "client-output-buffer-limit";
    let (_, mut opinions) = readable(case);
    let (mut wanted, mut told) = (Vec::new(), Vec::new());
    for shard in shards(case).iter().filter(|shard| shard.replicas > 0) {
        match needed(shard) {
            Err(reason) => opinions.push(Opinion::skip(shard.master, reason)),
            Ok(None) => {}
            Ok(Some((hard, soft, soft_s, line))) => {
                told.push(line);
                let form = |node: &NodeCase| {
                    form::with_buffer(node.setting(NAME)?, "replica", hard, soft, soft_s)
                };
                let nodes = shard.nodes.iter();
                wanted.extend(nodes.filter_map(|node| Some((*node, form(node)?))));
            }
        }
    }
    let changes = changes(NAME, wanted);
    let why = "a replica that is copied would be cut off, and copied again without end";
    opinions.extend(Opinion::set(
        Severity::Warning,
        NAME,
        changes,
        why,
        lines(told),
    ));
    opinions
}

/// Hard and soft limit, its seconds and a line of evidence, where the present ones are too small.
type Needed = Option<(u64, u64, u64, String)>;

fn needed(shard: &ShardCase) -> Result<Needed, String> {
    let master = shard.master;
    let present = master.setting("client-output-buffer-limit");
    let Some((hard, soft, soft_s)) = present.and_then(|all| form::buffer(all, "replica")) else {
        return Ok(None);
    };
    let rate = master.written_per_second().ok_or(
        "how much it writes is not known: INFO replication was not sampled twice (--sample)",
    )?;
    if rate < PINGS_ONLY {
        return Ok(None);
    }
    let copy = copy_s(master).ok_or(NO_SAVE)?;
    let waiting = rate * copy as f64;
    let is_over = hard > 0 && waiting > hard as f64;
    let over_soft_s = copy as f64 - soft as f64 / rate.max(1.0);
    let is_long_over = soft > 0 && over_soft_s > soft_s as f64;
    let is_cut_off = is_looping(master) && hard > 0;
    if !(is_over || is_long_over || is_cut_off) {
        return Ok(None);
    }
    let backlog = master.setting_number("repl-backlog-size").unwrap_or(0);
    // One that was cut off all the same needs more than the sum says.
    let least = if is_looping(master) {
        hard.saturating_mul(2)
    } else {
        hard
    };
    let wanted = ((waiting * HEADROOM) as u64).max(backlog).max(least);
    let wanted = form::whole_mib(wanted + (1 << 20) - 1);
    let most = master.maxmemory().filter(|limit| *limit > 0);
    let most = most.map_or(u64::MAX, |limit| form::whole_mib(limit / MOST));
    if wanted > most.max(hard) {
        return Err(format!(
            "{} may wait for a replica that is copied, more than a quarter of its memory: more shards, or dual-channel replication (Valkey 8), would help",
            bytes(waiting as u64)
        ));
    }
    let line = format!(
        "{}: writes {} a second, a full copy takes about {}, so {} wait; the limits are {} and {} for {soft_s} s",
        master.addr,
        bytes(rate as u64),
        seconds(copy as f64),
        bytes(waiting as u64),
        bytes(hard),
        bytes(soft)
    );
    Ok(Some((wanted, wanted / 2, copy.max(SOFT_S), line)))
}

fn dual_channel(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "dual-channel-replication-enabled";
    let (_, mut opinions) = readable(case);
    let (mut wanted, mut told) = (Vec::new(), Vec::new());
    let knowing =
        |shard: &&ShardCase| shard.replicas > 0 && shard.master.is_on(NAME) == Some(false);
    for shard in shards(case).iter().filter(knowing) {
        let line = match copy_s(shard.master) {
            _ if is_looping(shard.master) => "replicas were cut off and copied again".to_owned(),
            None => {
                opinions.push(Opinion::skip(shard.master, NO_SAVE));
                continue;
            }
            Some(copy) if copy > LONG_S => {
                format!("a full copy takes about {}", seconds(copy as f64))
            }
            Some(_) => continue,
        };
        told.push(format!("{}: {line}", shard.master.addr));
        wanted.extend(shard.nodes.iter().map(|node| (*node, "yes".to_owned())));
    }
    let why = "what is written during a long copy waits on the master";
    let changes = changes(NAME, wanted);
    opinions.extend(Opinion::set(
        Severity::Info,
        NAME,
        changes,
        why,
        lines(told),
    ));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    /// Every master writes 5,000,000 bytes a second, and a save takes so long.
    fn writing(save_s: u64) -> Setup {
        (0..3)
            .fold(Setup::sound(), |setup, n| {
                setup.later_of(n, "master_repl_offset:300001000")
            })
            .info(&format!("rdb_last_bgsave_time_sec:{save_s}"))
    }

    #[test]
    fn what_waits_for_a_copy_fits_into_the_buffer() {
        let rule = "replication.buffer";
        // Ten seconds of saving are thirty of copying: 150 MB pass no limit for 60 s.
        assert_eq!(writing(10).rule(rule), []);
        let large = |save_s| writing(save_s).info("maxmemory:8000000000");
        let advice = large(30).rule(rule);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes.len(), 6);
        // 450,000,000 bytes and half of them again are 644 MiB.
        assert_eq!(
            advice[0].changes[0].proposed,
            "normal 0 0 0 slave 675282944 337641472 90 pubsub 33554432 8388608 60"
        );
        let unlimited = "normal 0 0 0 slave 0 0 0 pubsub 33554432 8388608 60";
        let unlimited = large(30).config("client-output-buffer-limit", unlimited);
        assert_eq!(unlimited.rule(rule), []);
        assert!(writing(30).skipped(rule)[0].reason.contains("a quarter"));
        let unsaved = writing(30).info("rdb_last_bgsave_time_sec:-1");
        assert!(unsaved.skipped(rule)[0].reason.contains("BGSAVE"));
    }

    #[test]
    fn two_channels_for_long_copies() {
        let rule = "replication.dual-channel";
        let valkey = |save_s| writing(save_s).config("dual-channel-replication-enabled", "no");
        assert_eq!(valkey(30).rule(rule)[0].changes[0].proposed, "yes");
        assert_eq!(valkey(10).rule(rule), []);
        assert_eq!(writing(30).rule(rule), []);
        let looping = "client_output_buffer_limit_disconnections:2\nsync_full:3";
        assert_eq!(
            valkey(1).later_of(0, looping).rule(rule)[0].changes.len(),
            2
        );
        let unsaved = valkey(30).info("rdb_last_bgsave_time_sec:-1");
        assert_eq!(unsaved.skipped(rule).len(), 3);
    }
}
