//! The bus: links between nodes, statistics of slots, and how long forgotten nodes stay away.

use std::time::Duration;

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule, changes, lines, readable};
use crate::health::rates::operations_per_second;
use crate::model::words::{bytes, count, counted, duration, three_digits};
use crate::model::{Severity, Vendor};

pub(super) const LINK_BUFFER: Rule = Rule {
    id: "cluster.link-buffer",
    title: "messages that wait for another node",
    parameters: &["cluster-link-sendbuf-limit"],
    kind: Kind::Setting,
    why: "Messages for a node that does not take them wait in memory, without a limit by default: published messages above all, which go to every node. With a limit the link is closed and made anew instead. A limit under the size of one message closes it again and again.",
    how: "No limit and more than 64 MiB waiting: 1 GiB. A limit that closed links: twice as much, 1 GiB at least.",
    cost: "a link that is closed loses what waited on it",
    risk: Risk::Low,
    source: "CONFIG cluster-link-sendbuf-limit (7.0 and later); INFO memory: mem_cluster_links; CLUSTER INFO: total_cluster_links_buffer_limit_exceeded",
    judge: link_buffer,
};

pub(super) const SLOT_STATS: Rule = Rule {
    id: "cluster.slot-stats",
    title: "statistics of slots",
    parameters: &["cluster-slot-stats-enabled"],
    kind: Kind::Setting,
    why: "Where one master has much more to do than the others, the question is which slots make it so. The servers count CPU time and traffic by slot when they are told to.",
    how: "yes (Redis 8.6 and later: cpu net, for memory can be counted from the start only), where a master runs twice the mean of all, and all together 1,000 commands a second.",
    cost: "a little CPU for each command, one or two parts in a hundred; switch it off when you have seen enough",
    risk: Risk::Low,
    source: "CONFIG cluster-slot-stats-enabled (Valkey 8.0, Redis 8.2); INFO stats: total_commands_processed over two samples; redis/redis pull request 14719",
    judge: slot_stats,
};

pub(super) const BLACKLIST: Rule = Rule {
    id: "cluster.blacklist-ttl",
    title: "how long a forgotten node stays away",
    parameters: &["cluster-blacklist-ttl"],
    kind: Kind::Setting,
    why: "CLUSTER FORGET must reach every node before the first of them forgets that it forgot, a minute by default; otherwise gossip brings the node back.",
    how: "Where telling every node, one after another, a few calls each, takes more than half of it at the longest round trip that was measured: four times as long.",
    cost: "a node that was forgotten by mistake comes back as much later",
    risk: Risk::Low,
    source: "CONFIG cluster-blacklist-ttl (Valkey 8.0); nodes of the cluster; round trips of PING",
    judge: blacklist,
};

/// So much waiting on links is no passing crowd, in bytes.
const MUCH_WAITING: u64 = 64 << 20;
/// Larger than the largest message that a client can publish by default (512 MiB), in bytes.
const AMPLE: u64 = 1 << 30;
/// A master with so many times the mean stands out.
const HOT: f64 = 2.0;
/// Fewer commands a second, of all masters, show nothing.
const ENOUGH: f64 = 1_000.0;
/// Calls to each node while one is forgotten: connect, ask, forget, look again.
const CALLS: u64 = 4;

fn link_buffer(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-link-sendbuf-limit";
    let (nodes, mut opinions) = readable(case);
    let (mut open, mut tight) = (Vec::new(), Vec::new());
    let (mut open_told, mut tight_told) = (Vec::new(), Vec::new());
    for node in nodes {
        let waiting = node.number("mem_cluster_links").unwrap_or(0);
        let cluster = &node.facts.cluster;
        let closed = cluster.number("total_cluster_links_buffer_limit_exceeded");
        match (node.setting_number(NAME), closed.unwrap_or(0)) {
            (Some(0), _) if waiting > MUCH_WAITING => {
                open_told.push(format!(
                    "{}: {} wait on its links",
                    node.addr,
                    bytes(waiting)
                ));
                open.push((node, AMPLE.to_string()));
            }
            (Some(limit), closed) if limit > 0 && closed > 0 => {
                let limit_now = bytes(limit);
                let closed = count(closed);
                tight_told.push(format!(
                    "{}: closed {closed} links at {limit_now}",
                    node.addr
                ));
                tight.push((node, limit.saturating_mul(2).max(AMPLE).to_string()));
            }
            _ => {}
        }
    }
    for (wanted, told, why) in [
        (
            open,
            open_told,
            "what waits for slow nodes takes memory without end",
        ),
        (
            tight,
            tight_told,
            "links are closed because their limit is too low",
        ),
    ] {
        let changes = changes(NAME, wanted);
        opinions.extend(Opinion::set(
            Severity::Warning,
            NAME,
            changes,
            why,
            lines(told),
        ));
    }
    opinions
}

fn slot_stats(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-slot-stats-enabled";
    let (nodes, mut opinions) = readable(case);
    let nodes: Vec<_> = (nodes.into_iter())
        .filter(|node| node.setting(NAME) == Some("no"))
        .collect();
    if nodes.is_empty() {
        return opinions;
    }
    let mut rates = Vec::new();
    for master in case.masters() {
        match operations_per_second(master.facts) {
            Some(rate) => rates.push((master, rate)),
            None => opinions.push(Opinion::skip(
                master,
                "how much it has to do is not known: INFO was not sampled twice (--sample)",
            )),
        }
    }
    let all: f64 = rates.iter().map(|(_, rate)| rate).sum();
    let mean = all / rates.len().max(1) as f64;
    let hottest = rates.iter().max_by(|one, other| one.1.total_cmp(&other.1));
    let Some((hot, rate)) = hottest.filter(|(_, rate)| all >= ENOUGH && *rate >= mean * HOT) else {
        return opinions;
    };
    let changes = changes(
        NAME,
        nodes.into_iter().map(|node| (node, wanted_stats(node))),
    );
    let why = format!("{} runs far more commands than the others", hot.addr);
    let evidence = vec![format!(
        "{}: {} commands a second, {} on average",
        hot.addr,
        three_digits(*rate),
        three_digits(mean)
    )];
    opinions.extend(Opinion::set(Severity::Info, NAME, changes, why, evidence));
    opinions
}

/// All that can be counted from now on.
fn wanted_stats(node: &NodeCase) -> String {
    let version = node.version();
    let by_kind = node.vendor() == Vendor::Redis && (version.0, version.1) >= (8, 6);
    if by_kind { "cpu net" } else { "yes" }.to_owned()
}

fn blacklist(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-blacklist-ttl";
    let (nodes, mut opinions) = readable(case);
    let knowing: Vec<_> = (nodes.into_iter())
        .filter_map(|node| Some((node, node.setting_number(NAME)?)))
        .collect();
    if knowing.is_empty() {
        return opinions;
    }
    let trips = case
        .nodes
        .iter()
        .filter_map(|node| node.pings_us().iter().max());
    let Some(trip_us) = trips.max() else {
        opinions.push(Opinion::skip_all(case, "round trips were not measured"));
        return opinions;
    };
    let members = case.topology.members.len();
    let takes_us = trip_us * CALLS * members as u64;
    let takes_s = takes_us.div_ceil(1_000_000);
    let short = knowing.into_iter().filter(|(_, ttl)| takes_s * 2 > *ttl);
    let wanted = short.map(|(node, _)| (node, (takes_s * 4).to_string()));
    let changes = changes(NAME, wanted);
    let why = "a node that is forgotten may be back before the last has forgotten it";
    let evidence = vec![format!(
        "{}, {} for a round trip at the longest",
        counted(members, "node"),
        duration(Duration::from_micros(*trip_us))
    )];
    opinions.extend(Opinion::set(Severity::Info, NAME, changes, why, evidence));
    opinions
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::Setup;
    use crate::model::Severity;

    #[test]
    fn what_waits_on_links_has_a_limit_and_room() {
        let rule = "cluster.link-buffer";
        assert_eq!(Setup::sound().rule(rule), []);
        let waiting = Setup::sound().info_of(0, "mem_cluster_links:90000000");
        let advice = waiting.rule(rule);
        assert_eq!(advice[0].severity, Severity::Warning);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "1073741824");
        let limited = waiting.config("cluster-link-sendbuf-limit", "2147483648");
        assert_eq!(limited.rule(rule), []);
        let closing = limited.facts(1, |facts| {
            let name = "total_cluster_links_buffer_limit_exceeded".to_owned();
            facts.cluster.set(&name, "7");
        });
        assert_eq!(closing.rule(rule)[0].changes[0].proposed, "4294967296");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }

    #[test]
    fn a_hot_master_is_looked_into() {
        let rule = "cluster.slot-stats";
        let idle = Setup::sound().config("cluster-slot-stats-enabled", "no");
        assert_eq!(idle.rule(rule), []);
        let hot = idle.later_of(0, "total_commands_processed:1600000");
        // The samples are of Redis 8.10.1.
        assert_eq!(hot.rule(rule)[0].changes[0].proposed, "cpu net");
        let valkey = hot.clone().info("valkey_version:8.1.4\nserver_name:valkey");
        assert_eq!(valkey.rule(rule)[0].changes[0].proposed, "yes");
        assert_eq!(
            hot.clone().without("cluster-slot-stats-enabled").rule(rule),
            []
        );
        let even = (0..3).fold(hot, |setup, n| {
            setup.later_of(n, "total_commands_processed:1600000")
        });
        assert_eq!(even.rule(rule), []);
        let once = even.facts(0, |facts| facts.later = None);
        assert_eq!(once.skipped(rule).len(), 1);
    }

    #[test]
    fn forgetting_takes_its_time() {
        let rule = "cluster.blacklist-ttl";
        let near = Setup::sound().config("cluster-blacklist-ttl", "60");
        assert_eq!(near.rule(rule), []);
        let far = near.facts(0, |facts| facts.pings_us = vec![2_000_000]);
        assert_eq!(far.rule(rule)[0].changes[0].proposed, "192");
        assert_eq!(far.clone().without("cluster-blacklist-ttl").rule(rule), []);
        let blind = (0..6).fold(far, |setup, n| {
            setup.facts(n, |facts| facts.pings_us.clear())
        });
        assert_eq!(blind.skipped(rule).len(), 1);
    }
}
