//! Full copies: what they need, which way they take, and when they begin.

use super::super::super::case::{Case, NodeCase};
use super::super::super::form;
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes, lines, readable};
use super::{ShardCase, shards};
use crate::model::Severity;
use crate::model::words::{bytes, seconds};

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

pub(super) const DISKLESS: Rule = Rule {
    id: "replication.diskless",
    title: "copies past the disk",
    parameters: &["repl-diskless-sync"],
    kind: Kind::Setting,
    why: "A full copy through the disk is written there, read again and then sent. Sent at once it is as fast as the network.",
    how: "yes, where the last save took 5 s or longer and wrote less than a gigabit network carries (117 MB a second).",
    cost: "replicas that come late wait for the next copy instead of sharing the file",
    risk: Risk::Low,
    source: "CONFIG repl-diskless-sync (yes by default since 7.0); INFO: used_memory_dataset, rdb_last_bgsave_time_sec",
    judge: diskless,
};

pub(super) const DELAY: Rule = Rule {
    id: "replication.diskless-delay",
    title: "how long a copy waits for more replicas",
    parameters: &[
        "repl-diskless-sync-delay",
        "repl-diskless-sync-max-replicas",
    ],
    kind: Kind::Setting,
    why: "Before a diskless copy begins the master waits for other replicas that might share it, 5 s by default. Where all that can come have come, each copy is late by that much.",
    how: "One replica in the shard: a delay of 1 s. Several: repl-diskless-sync-max-replicas as many as they are (7.0 and later), so that the last to come ends the wait.",
    cost: "a replica that comes later causes a fork of its own",
    risk: Risk::Low,
    source: "CONFIG; replicas of each shard; replication.c shouldStartChildReplication",
    judge: delay,
};

pub(super) const LOAD: Rule = Rule {
    id: "replication.diskless-load",
    title: "how a replica takes a copy in",
    parameters: &["repl-diskless-load"],
    kind: Kind::Setting,
    why: "A replica writes the copy to its disk and then loads it. on-empty-db loads it as it comes where there is nothing to lose. swapdb keeps the old data meanwhile, and so needs twice the memory.",
    how: "disabled: on-empty-db, where the replica's own last save took 5 s or longer and was slower than a gigabit network. swapdb: on-empty-db, where twice the data set does not fit.",
    cost: "on-empty-db: a copy that breaks off leaves the replica empty, as it was; from swapdb: no reads during a copy",
    risk: Risk::Medium,
    source: "CONFIG repl-diskless-load; INFO: used_memory, used_memory_dataset, rdb_last_bgsave_time_sec; limits of the machine",
    judge: load,
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
/// What a gigabit network carries after its headers, in bytes a second.
const GIGABIT: u64 = 117_000_000;
/// A shorter save says nothing about the disk, in seconds.
const TELLING_S: u64 = 5;

const NO_SAVE: &str = "how long a full copy takes is not known: no snapshot was made yet (BGSAVE)";

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
    let copy = copy_s(master).ok_or(NO_SAVE)?;
    let waiting = rate * copy as f64;
    let is_over = hard > 0 && waiting > hard as f64;
    let over_soft_s = copy as f64 - soft as f64 / rate.max(1.0);
    let is_long_over = soft > 0 && over_soft_s > soft_s as f64;
    if !is_over && !is_long_over && !(is_looping(master) && hard > 0) {
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

/// How fast the node's last save was, where it was long enough to tell, in bytes a second.
fn saved_per_second(node: &NodeCase) -> Option<u64> {
    let save = node.number("rdb_last_bgsave_time_sec")?;
    let set = node.number("used_memory_dataset")?;
    (save >= TELLING_S).then(|| set / save)
}

fn slow_line(node: &NodeCase) -> Option<String> {
    let rate = saved_per_second(node).filter(|rate| *rate < GIGABIT)?;
    let rate = bytes(rate);
    Some(format!(
        "{}: the last save took in {rate} of data a second, a gigabit network carries {}",
        node.addr,
        bytes(GIGABIT)
    ))
}

fn diskless(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "repl-diskless-sync";
    let (_, mut opinions) = readable(case);
    let (mut wanted, mut told) = (Vec::new(), Vec::new());
    let through_disk =
        |shard: &&ShardCase| shard.replicas > 0 && shard.master.is_on(NAME) == Some(false);
    for shard in shards(case).iter().filter(through_disk) {
        if shard.master.number("rdb_last_bgsave_time_sec").is_none() {
            opinions.push(Opinion::skip(shard.master, NO_SAVE));
        } else if let Some(line) = slow_line(shard.master) {
            told.push(line);
            wanted.extend(shard.nodes.iter().map(|node| (*node, "yes".to_owned())));
        }
    }
    let why = "full copies go through a disk that is slower than the network";
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

fn delay(case: &Case) -> Vec<Opinion> {
    const DELAY: &str = "repl-diskless-sync-delay";
    const COUNT: &str = "repl-diskless-sync-max-replicas";
    let (_, mut opinions) = readable(case);
    let (mut shorter, mut counted) = (Vec::new(), Vec::new());
    for shard in shards(case) {
        let waits = |node: &&&NodeCase| {
            node.is_on("repl-diskless-sync") == Some(true)
                && node.setting_number(DELAY).is_some_and(|s| s > 1)
                && node.setting_number(COUNT).unwrap_or(0) == 0
        };
        let waiting = shard.nodes.iter().filter(waits);
        match shard.replicas {
            0 => {}
            1 => shorter.extend(waiting.map(|node| (*node, "1".to_owned()))),
            some => counted.extend(waiting.map(|node| (*node, some.to_string()))),
        }
    }
    for (name, wanted, why) in [
        (
            DELAY,
            shorter,
            "each full copy waits for replicas that the shard does not have",
        ),
        (
            COUNT,
            counted,
            "each full copy waits its whole time although all replicas may be there",
        ),
    ] {
        let changes = changes(name, wanted);
        let evidence = vec!["CLUSTER NODES: replicas of each master".to_owned()];
        opinions.extend(Opinion::set(Severity::Info, name, changes, why, evidence));
    }
    opinions
}

fn load(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "repl-diskless-load";
    let (nodes, mut opinions) = readable(case);
    let replicas: Vec<_> = (case.replicas())
        .filter(|node| nodes.iter().any(|known| known.addr == node.addr))
        .collect();
    let set_to = |value| move |node: &&&NodeCase| node.setting(NAME) == Some(value);
    let written = replicas.iter().filter(set_to("disabled"));
    let slow: Vec<_> = written
        .filter_map(|node| Some((*node, slow_line(node)?)))
        .collect();
    let mut tight = Vec::new();
    for node in replicas.iter().filter(set_to("swapdb")) {
        match (limit(case, node), node.number("used_memory")) {
            (Some(limit), Some(used)) if used * 2 > limit => {
                let (used, limit) = (bytes(used), bytes(limit));
                tight.push((*node, format!("{}: {used} in use of {limit}", node.addr)));
            }
            (Some(_), Some(_)) => {}
            _ => opinions.push(Opinion::skip(
                node,
                "how much memory it may use is not known (--memory-limit)",
            )),
        }
    }
    for (severity, group, why) in [
        (
            Severity::Info,
            slow,
            "copies are written to a disk that is slower than the network",
        ),
        (
            Severity::Warning,
            tight,
            "a copy would need twice the memory, which does not fit",
        ),
    ] {
        let wanted = group
            .iter()
            .map(|(node, _)| (*node, "on-empty-db".to_owned()));
        let changes = changes(NAME, wanted);
        let told = lines(group.into_iter().map(|(_, line)| line));
        opinions.extend(Opinion::set(severity, NAME, changes, why, told));
    }
    opinions
}

fn limit(case: &Case, node: &NodeCase) -> Option<u64> {
    let host = node.host();
    (case.options.memory_limit)
        .or(host.and_then(|host| host.limit_bytes.or(host.memory_bytes)))
        .or(node.number("total_system_memory").filter(|all| *all > 0))
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::Setup;
    use crate::health::testing::id;
    use crate::model::Severity;

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

    #[test]
    fn a_slow_disk_is_gone_past() {
        let slow = |save_s: u64| {
            writing(save_s)
                .info("used_memory_dataset:1000000000")
                .config("repl-diskless-sync", "no")
        };
        let rule = "replication.diskless";
        assert_eq!(slow(20).rule(rule)[0].changes[0].proposed, "yes");
        assert_eq!(slow(6).rule(rule), []);
        assert_eq!(slow(20).config("repl-diskless-sync", "yes").rule(rule), []);
        let unsaved = slow(20).info("rdb_last_bgsave_time_sec:-1");
        assert_eq!(unsaved.skipped(rule).len(), 3);
        let rule = "replication.diskless-load";
        let advice = slow(20).rule(rule);
        assert_eq!(advice[0].changes.len(), 3);
        assert_eq!(advice[0].changes[0].proposed, "on-empty-db");
        assert_eq!(slow(6).rule(rule), []);
    }

    #[test]
    fn two_data_sets_need_room() {
        let rule = "replication.diskless-load";
        let swapping = Setup::sound().config("repl-diskless-load", "swapdb");
        assert_eq!(swapping.rule(rule), []);
        let tight = swapping.clone().info("used_memory:5000000000");
        let advice = tight.rule(rule);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes[0].proposed, "on-empty-db");
        assert_eq!(
            swapping.info("total_system_memory:0").skipped(rule).len(),
            3
        );
    }

    #[test]
    fn a_copy_waits_for_nobody_who_cannot_come() {
        let rule = "replication.diskless-delay";
        let advice = Setup::sound().rule(rule);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].parameter, "repl-diskless-sync-delay");
        assert_eq!(advice[0].changes[0].proposed, "1");
        let quick = Setup::sound().config("repl-diskless-sync-delay", "0");
        assert_eq!(quick.rule(rule), []);
        // The second master's replica follows the first: two there, none here.
        let moved = (0..6).fold(Setup::sound(), |setup, n| {
            setup.facts(n, |facts| {
                let peer = facts.view.peers.iter_mut().find(|peer| peer.id == id(4));
                peer.unwrap().master = Some(id(0));
            })
        });
        let advice = moved.rule(rule);
        assert_eq!(advice[1].parameter, "repl-diskless-sync-max-replicas");
        assert_eq!(advice[1].changes.len(), 3);
        assert_eq!(advice[1].changes[0].proposed, "2");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
