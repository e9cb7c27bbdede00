//! The way that full copies take: through the disk or past it, and when they begin.

use super::sync::NO_SAVE;
use super::{ShardCase, shards};
use crate::model::Severity;
use crate::model::words::bytes;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, readable};

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

/// What a gigabit network carries after its headers, in bytes a second.
const GIGABIT: u64 = 117_000_000;
/// A shorter save says nothing about the disk, in seconds.
const TELLING_S: u64 = 5;

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
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_slow_disk_is_gone_past() {
        let slow = |save_s: u64| {
            Setup::sound()
                .info(&format!("rdb_last_bgsave_time_sec:{save_s}"))
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
        let moved = Setup::sound().moved();
        let advice = moved.rule(rule);
        assert_eq!(advice[1].parameter, "repl-diskless-sync-max-replicas");
        assert_eq!(advice[1].changes.len(), 3);
        assert_eq!(advice[1].changes[0].proposed, "2");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
