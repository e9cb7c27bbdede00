//! The backlog: how much of the stream a master keeps for replicas that were away.

use super::{PINGS_ONLY, shards};
use crate::model::Severity;
use crate::model::words::{bytes, seconds};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, lines, readable, young};

pub(super) const SIZE: Rule = Rule {
    id: "replication.backlog",
    title: "how long a replica may be away",
    parameters: &["repl-backlog-size"],
    kind: Kind::Setting,
    why: "A replica that lost its link goes on where it stopped, if the master still has what was written meanwhile. If not, everything is copied anew: a fork, the whole data set over the wire, and a replica that cannot take over until it is done.",
    how: "Bytes written a second x the outage to survive (60 s, or as given) x 1.5; at least 10 MiB, at most a tenth of maxmemory, in whole MiB; never less than it is. One below 1 MiB, which is less than any server's default, is made 10 MiB however little is written now. Every node of a shard gets what its master needs, for any may be the next.",
    cost: "that much memory on each node, taken when the first replica connects; before 7.0 the backlog is emptied as it is resized",
    risk: Risk::Low,
    source: "INFO replication over two samples: master_repl_offset; INFO stats: sync_partial_err; CONFIG repl-backlog-size, maxmemory",
    judge: size,
};

pub(super) const TTL: Rule = Rule {
    id: "replication.backlog-ttl",
    title: "how long a master without replicas keeps its backlog",
    parameters: &["repl-backlog-ttl"],
    kind: Kind::Setting,
    why: "A master whose last replica is gone frees its backlog after a while. A shard with one replica loses it that way just when the replica is away, and must copy everything.",
    how: "Where it is shorter than the outage to survive: twice that, an hour at least. 0 keeps it for good and fits.",
    cost: "the backlog's memory for longer",
    risk: Risk::Low,
    source: "CONFIG repl-backlog-ttl; replication.c replicationCron",
    judge: ttl,
};

/// A rate in a sample is no peak.
const HEADROOM: f64 = 1.5;
/// The least that is worth a change, in bytes: Valkey's default, ten times that of Redis.
const LEAST: u64 = 10 << 20;
/// The smallest default that a server ever had (that of Redis), in bytes: somebody made it smaller.
const SMALLEST: u64 = 1 << 20;
/// The most of the memory limit that a backlog may take.
const MOST: u64 = 10;
/// The server's default for the time to live, in seconds.
const HOUR_S: u64 = 3_600;

fn size(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "repl-backlog-size";
    let (_, mut opinions) = readable(case);
    let outage = case.options.outage_s;
    let (mut short, mut scarce) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut tiny = (Vec::new(), Vec::new());
    for shard in shards(case).iter().filter(|shard| shard.replicas > 0) {
        let Some(rate) = shard.master.written_per_second() else {
            opinions.push(Opinion::skip(
                shard.master,
                "how much it writes is not known: INFO replication was not sampled twice (--sample)",
            ));
            continue;
        };
        let present = shard.master.setting_number(NAME).unwrap_or(u64::MAX);
        let bare = rate * outage as f64;
        let is_enough = rate < PINGS_ONLY || present as f64 >= bare * HEADROOM;
        if is_enough && present >= SMALLEST {
            continue;
        }
        let wanted = mib_above(bare * HEADROOM).max(LEAST);
        let size = wanted.min(most(case, shard.master));
        if size <= present {
            opinions.push(Opinion::skip(shard.master, too_large(wanted, size, outage)));
            continue;
        }
        let group = match is_enough {
            true => &mut tiny,
            false if (present as f64) < bare => &mut short,
            false => &mut scarce,
        };
        group.1.push(match is_enough {
            true => format!("{}: {}", shard.master.addr, bytes(present)),
            false => line(shard.master, rate, present, size),
        });
        let nodes = shard.nodes.iter();
        let lower = nodes.filter(|node| node.setting_number(NAME).is_some_and(|own| own < size));
        group.0.extend(lower.map(|node| (*node, size.to_string())));
    }
    let why = format!(
        "a replica that is away for {} must be copied anew",
        seconds(outage as f64)
    );
    let near = format!(
        "its backlog holds {} of writes, but not half as many again",
        seconds(outage as f64)
    );
    for (severity, (wanted, told), why) in [
        (Severity::Warning, short, why),
        (Severity::Info, scarce, near),
        (
            Severity::Info,
            tiny,
            "it is less than any server's default: the first burst of writes that a replica misses means a full copy".to_owned(),
        ),
    ] {
        let changes = changes(NAME, wanted);
        opinions.extend(Opinion::set(severity, NAME, changes, why, lines(told)));
    }
    opinions
}

/// The most that the node should spend on it, in bytes.
fn most(case: &Case, node: &NodeCase) -> u64 {
    let host = node.host();
    let limit = (node.maxmemory().filter(|limit| *limit > 0))
        .or(case.options.memory_limit)
        .or(host.and_then(|host| host.limit_bytes))
        .or(host.and_then(|host| host.memory_bytes))
        .or(node.number("total_system_memory").filter(|all| *all > 0));
    limit.map_or(u64::MAX, |limit| (limit / MOST) >> 20 << 20)
}

fn mib_above(bytes: f64) -> u64 {
    (bytes / f64::from(1 << 20)).ceil() as u64 * (1 << 20)
}

fn too_large(wanted: u64, most: u64, outage: u64) -> String {
    format!(
        "a backlog for {} would take {}, more than a tenth of its memory ({}): give it more memory, spread the writes over more shards, or ask for a shorter outage",
        seconds(outage as f64),
        bytes(wanted),
        bytes(most)
    )
}

fn line(master: &NodeCase, rate: f64, present: u64, size: u64) -> String {
    let failed = master.growth("sync_partial_err").filter(|n| *n > 0);
    let failed = failed.map_or_else(String::new, |times| {
        format!("; sync_partial_err +{times} in the sample")
    });
    let young = young(master).map_or_else(String::new, |young| format!("; {young}"));
    format!(
        "{}: writes {} a second, so {} hold {} and {} would hold {}{failed}{young}",
        master.addr,
        bytes(rate as u64),
        bytes(present),
        seconds(present as f64 / rate),
        bytes(size),
        seconds(size as f64 / rate),
    )
}

fn ttl(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "repl-backlog-ttl";
    let (nodes, mut opinions) = readable(case);
    let outage = case.options.outage_s;
    let is_short =
        |node: &&NodeCase| (node.setting_number(NAME)).is_some_and(|ttl| ttl > 0 && ttl < outage);
    let wanted = (outage * 2).max(HOUR_S).to_string();
    let short = nodes.into_iter().filter(is_short);
    let changes = changes(NAME, short.map(|node| (node, wanted.clone())));
    let why = "a master frees its backlog before its only replica is back";
    let evidence = vec![format!(
        "a replica may be away for {}",
        seconds(outage as f64)
    )];
    opinions.extend(Opinion::set(
        Severity::Warning,
        NAME,
        changes,
        why,
        evidence,
    ));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    /// The first master writes 1,000,000 bytes a second.
    fn writing() -> Setup {
        Setup::sound().later_of(0, "master_repl_offset:60001000")
    }

    #[test]
    fn the_backlog_holds_what_is_written_in_an_outage() {
        let rule = "replication.backlog";
        let advice = writing().rule(rule);
        assert_eq!(advice[0].severity, Severity::Warning);
        // The master and its replica; 90,000,000 bytes are 86 MiB.
        assert_eq!(advice[0].changes.len(), 2);
        assert_eq!(advice[0].changes[0].proposed, (86_u64 << 20).to_string());
        assert!(
            advice[0].evidence[0].contains("1.00 MiB hold 1.05 s"),
            "{:?}",
            advice[0].evidence
        );
        let some = writing().config("repl-backlog-size", "67108864");
        assert_eq!(some.rule(rule)[0].severity, Severity::Info);
        let enough = writing().config("repl-backlog-size", "100000000");
        assert_eq!(enough.rule(rule), []);
        let shorter = writing().options(|options| options.outage_s = 4);
        let advice = shorter.rule(rule);
        assert_eq!(advice[0].changes[0].proposed, (10_u64 << 20).to_string());
        assert_eq!(Setup::sound().rule(rule), []);
        // Nothing is written, and yet.
        let tiny = Setup::sound().config("repl-backlog-size", "16384");
        let advice = tiny.rule(rule);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, (10_u64 << 20).to_string());
        assert!(advice[0].evidence[0].ends_with(": 16.0 KiB"), "{advice:?}");
    }

    #[test]
    fn the_backlog_takes_a_tenth_of_the_memory_at_most() {
        let rule = "replication.backlog";
        let long = writing().options(|options| options.outage_s = 600);
        let advice = long.rule(rule);
        assert_eq!(advice[0].changes[0].proposed, (95_u64 << 20).to_string());
        let full = long.config("repl-backlog-size", "100000000");
        assert_eq!(full.rule(rule), []);
        assert!(full.skipped(rule)[0].reason.contains("a tenth"));
        let once = Setup::sound().facts(0, |facts| facts.later = None);
        assert_eq!(once.skipped(rule).len(), 1);
    }

    #[test]
    fn the_backlog_outlives_the_outage() {
        let rule = "replication.backlog-ttl";
        assert_eq!(Setup::sound().rule(rule), []);
        assert_eq!(
            Setup::sound().config("repl-backlog-ttl", "0").rule(rule),
            []
        );
        let long = |s| Setup::sound().options(move |options| options.outage_s = s);
        assert_eq!(long(7_200).rule(rule)[0].changes[0].proposed, "14400");
        let short = Setup::sound().config("repl-backlog-ttl", "30");
        assert_eq!(short.rule(rule)[0].changes[0].proposed, "3600");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
