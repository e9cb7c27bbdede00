//! When a slow reader is cut off: limits of output buffers by class.

use crate::model::Severity;
use crate::model::words::{bytes, count};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::form;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

const PARAMETER: &str = "client-output-buffer-limit";

pub(super) const NORMAL: Rule = Rule {
    id: "clients.output-buffer",
    title: "slow readers without a limit",
    parameters: &[PARAMETER],
    kind: Kind::Setting,
    why: "What a client has not read yet is kept in the server's memory, by default without any limit for ordinary clients: one MONITOR left open, or one slow reader of large replies, can take the memory of all others.",
    how: "only where a buffer above 50 MiB was seen: hard limit twice the largest seen, as a power of two and 256 MiB at the least; soft limit a quarter of it for 60 s",
    cost: "a client that asks for more than the limit in one reply, or reads slower than it asks for a minute, is disconnected",
    risk: Risk::Medium,
    source: "CLIENT LIST: omem of ordinary clients; CONFIG client-output-buffer-limit normal",
    judge: normal,
};

pub(super) const PUBSUB: Rule = Rule {
    id: "clients.pubsub-buffer",
    title: "subscribers that are cut off",
    parameters: &[PARAMETER],
    kind: Kind::Setting,
    why: "A subscriber that reads slower than is published is cut off at its limit and loses what was published until it is back. Publishing in bursts needs a larger one.",
    how: "twice the limits in force, up to 256 MiB, where clients were cut off in the sample, subscribers are connected and ordinary clients have no limit (so that it was none of those)",
    cost: "up to that much memory for each subscriber that hangs",
    risk: Risk::Medium,
    source: "INFO stats: client_output_buffer_limit_disconnections over two samples (7.2 and later); CLIENT LIST",
    judge: pubsub,
};

/// From this on one client's buffer is too much (check's catalogue, CLI-07).
const LARGE: u64 = 50 << 20;
const LEAST_HARD: u64 = 256 << 20;
const MOST_PUBSUB: u64 = 256 << 20;
const SOFT_SECONDS: u64 = 60;

fn normal(case: &Case) -> Vec<Opinion> {
    let mut opinions: Vec<Opinion> = (case.nodes.iter())
        .filter(|node| node.clients().is_none())
        .map(|node| {
            let why = node.why_not_seen("clients");
            Opinion::skip(node, format!("CLIENT LIST was not read: {why}"))
        })
        .collect();
    let largest = |node: &NodeCase| node.clients().map_or(0, |seen| seen.largest_output_bytes);
    let worst = case.nodes.iter().max_by_key(|node| largest(node));
    let Some(worst) = worst.filter(|node| largest(node) > LARGE) else {
        return opinions;
    };
    let largest = largest(worst);
    let hard = (2 * largest).next_power_of_two().max(LEAST_HARD);
    let unlimited = case.nodes.iter().filter_map(|node| {
        let present = node.setting(PARAMETER)?;
        let is_free = form::buffer(present, "normal")? == (0, 0, 0);
        let limited = form::with_buffer(present, "normal", hard, hard / 4, SOFT_SECONDS)?;
        is_free.then_some((node, limited))
    });
    let changes = changes(PARAMETER, unlimited);
    let why = format!(
        "one client has {} of replies unread, and nothing limits it",
        bytes(largest)
    );
    let evidence = vec![format!(
        "CLIENT LIST of {}: largest omem {}; limit proposed {} hard, {} for {SOFT_SECONDS} s",
        worst.addr,
        bytes(largest),
        bytes(hard),
        bytes(hard / 4)
    )];
    opinions.extend(Opinion::set(
        Severity::Warning,
        PARAMETER,
        changes,
        why,
        evidence,
    ));
    opinions
}

fn pubsub(case: &Case) -> Vec<Opinion> {
    const CUT: &str = "client_output_buffer_limit_disconnections";
    let mut opinions = Vec::new();
    let mut cut = Vec::new();
    for node in &case.nodes {
        match (node.growth(CUT), node.clients()) {
            (None, _) => opinions.push(Opinion::skip(node, why_not_counted(node))),
            (Some(1..), None) => {
                let why = node.why_not_seen("clients");
                opinions.push(Opinion::skip(
                    node,
                    format!("CLIENT LIST was not read: {why}"),
                ));
            }
            (Some(times @ 1..), Some(seen)) if seen.subscribers > 0 && is_theirs(node) => {
                cut.push((node, times, seen.subscribers));
            }
            _ => {}
        }
    }
    if cut.is_empty() {
        return opinions;
    }
    let larger = case.nodes.iter().filter_map(|node| {
        let present = node.setting(PARAMETER)?;
        let (hard, soft, seconds) = form::buffer(present, "pubsub")?;
        let doubled = |limit: u64| (limit * 2).min(MOST_PUBSUB).max(limit);
        let limits = form::with_buffer(present, "pubsub", doubled(hard), doubled(soft), seconds)?;
        Some((node, limits))
    });
    let evidence = cut.iter().map(|(node, times, subscribers)| {
        let times = count(*times);
        format!(
            "{}: {times} clients cut off in the sample, {subscribers} subscribers connected",
            node.addr
        )
    });
    opinions.extend(Opinion::set(
        Severity::Warning,
        PARAMETER,
        changes(PARAMETER, larger),
        "subscribers are cut off and miss what is published until they are back",
        evidence.collect(),
    ));
    opinions
}

fn why_not_counted(node: &NodeCase) -> &'static str {
    match node.facts.later {
        None => "two samples of INFO are needed (--sample 60s)",
        Some(_) => "the server does not count who was cut off (before 7.2)",
    }
}

/// Whether those cut off can only have been subscribers: ordinary clients have no limit, and no
/// replica had to copy everything anew.
fn is_theirs(node: &NodeCase) -> bool {
    let normal = (node.setting(PARAMETER)).and_then(|present| form::buffer(present, "normal"));
    normal == Some((0, 0, 0)) && node.growth("sync_full").unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use crate::model::ClientsSeen;
    use crate::ops::tune::testing::Setup;

    const REST: &str = "slave 268435456 67108864 60 pubsub 33554432 8388608 60";

    fn seen(largest_mib: u64, subscribers: u64) -> ClientsSeen {
        ClientsSeen {
            normal: 10,
            subscribers,
            largest_output_bytes: largest_mib << 20,
            ..ClientsSeen::default()
        }
    }

    #[test]
    fn a_limit_comes_with_the_reader_that_needs_one() {
        for (largest_mib, wanted) in [
            (1, None),
            (60, Some("normal 268435456 67108864 60")),
            (300, Some("normal 1073741824 268435456 60")),
        ] {
            let setup = Setup::sound().clients(&seen(largest_mib, 0));
            let advice = setup.rule("clients.output-buffer");
            let found = advice.first().map(|one| one.changes[0].proposed.clone());
            let wanted = wanted.map(|normal| format!("{normal} {REST}"));
            assert_eq!(found, wanted, "{largest_mib}");
        }
        let limited = format!("normal 536870912 0 0 {REST}");
        let setup = Setup::sound()
            .clients(&seen(60, 0))
            .config("client-output-buffer-limit", &limited);
        assert_eq!(setup.rule("clients.output-buffer"), []);
        let blind = Setup::sound();
        assert_eq!(blind.skipped("clients.output-buffer").len(), 6);
    }

    #[test]
    fn subscribers_that_are_cut_off_get_twice_the_room() {
        let cut = |seen: &ClientsSeen| {
            Setup::sound()
                .clients(seen)
                .later_of(1, "client_output_buffer_limit_disconnections:4")
        };
        let setup = cut(&seen(0, 3));
        let advice = setup.rule("clients.pubsub-buffer");
        assert_eq!(
            advice[0].changes[0].proposed,
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 67108864 16777216 60"
        );
        assert_eq!(cut(&seen(0, 0)).rule("clients.pubsub-buffer"), []);
        // A replica that was cut off copies everything anew: then it may have been that one.
        let replica = setup.later_of(1, "sync_full:2");
        assert_eq!(replica.rule("clients.pubsub-buffer"), []);
        let calm = Setup::sound();
        assert_eq!(calm.rule("clients.pubsub-buffer"), []);
        let old = (0..6).fold(calm, |setup, n| setup.facts(n, |facts| facts.later = None));
        assert_eq!(old.skipped("clients.pubsub-buffer").len(), 6);
    }
}
