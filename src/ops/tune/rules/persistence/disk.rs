//! Room on the disk for snapshots and logs.

use super::aof::keeps_log;
use crate::model::Severity;
use crate::model::words::bytes;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change, changes, lines, readable};

pub(super) const COMPRESSION: Rule = Rule {
    id: "persistence.compression",
    title: "compression of snapshots",
    parameters: &["rdbcompression"],
    kind: Kind::Setting,
    why: "Compression makes snapshots of texts about half as large, for CPU time of the child. Off, it saves time where the disk is fast; on a disk that is nearly full it is the wrong way to save.",
    how: "yes, where it is off and the disk has less free than the data set takes twice.",
    cost: "CPU time of the child process",
    risk: Risk::Low,
    source: "CONFIG rdbcompression; free space of the file system that holds dir",
    judge: compression,
};

pub(super) const DISK: Rule = Rule {
    id: "persistence.disk",
    title: "room for snapshots and rewrites",
    parameters: &["disk space"],
    kind: Kind::Host,
    why: "A snapshot is written beside the old one, and a rewrite beside the old log. When the disk is full both fail, and a log that cannot be written stops all writes.",
    how: "Free space of at least the memory in use, and twice that with an append-only file, of all nodes that share the machine.",
    cost: "a larger disk",
    risk: Risk::Low,
    source: "free space of the file system that holds dir; INFO memory: used_memory",
    judge: disk,
};

/// Whether the node has save points.
pub(super) fn saves(node: &NodeCase) -> bool {
    node.setting("save").is_some_and(|save| !save.is_empty())
}

fn compression(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let mut short = Vec::new();
    let off = nodes
        .into_iter()
        .filter(|node| node.is_on("rdbcompression") == Some(false));
    for node in off {
        match (free(node), node.number("used_memory")) {
            (Some(free), Some(used)) if free < used * 2 => short.push((node, free, used)),
            (Some(_), Some(_)) => {}
            _ => opinions.push(Opinion::skip(node, unseen(node))),
        }
    }
    let wanted = short.iter().map(|(node, ..)| (*node, "yes".to_owned()));
    let changes = changes("rdbcompression", wanted);
    let why = "snapshots are written uncompressed to a disk that is short of room";
    let evidence = lines(short.iter().map(|(node, free, used)| {
        format!(
            "{}: {} free, {} in memory",
            node.addr,
            bytes(*free),
            bytes(*used)
        )
    }));
    opinions.extend(Opinion::set(
        Severity::Info,
        "rdbcompression",
        changes,
        why,
        evidence,
    ));
    opinions
}

fn free(node: &NodeCase) -> Option<u64> {
    node.host()?.disk_free_bytes
}

fn unseen(node: &NodeCase) -> String {
    match node.host() {
        Some(_) => "the free space of its disk could not be seen".to_owned(),
        None => format!("its machine was not seen: {}", node.why_not_seen("host")),
    }
}

/// What the files of that node may need beside those that are there.
fn room(node: &NodeCase) -> u64 {
    let times = match (keeps_log(node), saves(node)) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    node.number("used_memory").unwrap_or(0) * times
}

fn disk(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let mut short = Vec::new();
    for node in nodes.into_iter().filter(|node| room(node) > 0) {
        let needed: u64 = case.on_machine_of(node).map(room).sum();
        match free(node) {
            None => opinions.push(Opinion::skip(node, unseen(node))),
            Some(free) if free < needed => short.push((node, free, needed)),
            Some(_) => {}
        }
    }
    let changes = short.iter().map(|(node, free, needed)| {
        let present = format!("{} free", bytes(*free));
        change(node, Some(present), format!("{} free", bytes(*needed)))
    });
    let evidence = short.iter().map(|(node, free, needed)| {
        let (free, needed) = (bytes(*free), bytes(*needed));
        format!(
            "{}: {free} free, {needed} may be needed on its machine",
            node.addr
        )
    });
    let set = Opinion::set(
        Severity::Warning,
        "disk space",
        changes.collect(),
        "the next snapshot or rewrite may not fit on the disk",
        lines(evidence),
    );
    opinions.extend(set.map(|advice| {
        advice.then([
            "free or enlarge the file system that holds the node's dir (CONFIG GET dir)",
            "see how large the files are: du -sh DIR",
        ])
    }));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::{HostSeen, Severity};
    use crate::ops::tune::testing::Setup;

    fn free(bytes: u64) -> HostSeen {
        HostSeen {
            disk_free_bytes: Some(bytes),
            ..HostSeen::default()
        }
    }

    #[test]
    fn room_on_the_disk() {
        let tight = |bytes| {
            Setup::sound()
                .info("used_memory:1000000000")
                .hosts(&free(bytes))
        };
        let advice = tight(1_500_000_000).rule("persistence.disk");
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(
            advice[0].changes[0].present.as_deref(),
            Some("1.40 GiB free")
        );
        assert_eq!(advice[0].changes[0].proposed, "1.86 GiB free");
        assert_eq!(tight(2_500_000_000).rule("persistence.disk"), []);
        assert_eq!(Setup::sound().skipped("persistence.disk").len(), 6);
        let rule = "persistence.compression";
        let plain = |bytes| tight(bytes).config("rdbcompression", "no");
        assert_eq!(
            plain(1_500_000_000).rule(rule)[0].changes[0].proposed,
            "yes"
        );
        assert_eq!(plain(2_500_000_000).rule(rule), []);
        assert_eq!(
            Setup::sound()
                .config("rdbcompression", "no")
                .skipped(rule)
                .len(),
            6
        );
    }
}
