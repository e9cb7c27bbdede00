//! Notifications that nobody reads.

use std::time::Duration;

use super::super::super::case::{Case, NodeCase};
use super::super::super::report::{Kind, Risk};
use super::super::super::rule::{Opinion, Rule};
use super::{everywhere, up_for};
use crate::model::Severity;
use crate::model::words::duration;

pub(super) const UNUSED: Rule = Rule {
    id: "clients.keyspace-events",
    title: "notifications that nobody reads",
    parameters: &["notify-keyspace-events"],
    kind: Kind::Setting,
    why: "Every command that touches a key publishes a message or two, whether or not anybody listens. In a cluster they are heard on the node that holds the key only, so whoever wants them must subscribe on every master.",
    how: "empty, where no node has seen a SUBSCRIBE or PSUBSCRIBE since it started a day or longer ago, and none has a subscriber now",
    cost: "a consumer that was away for all that time gets no events when it comes back",
    risk: Risk::Medium,
    source: "CONFIG notify-keyspace-events; INFO commandstats: subscribe, psubscribe; CLIENT LIST; notify.c notifyKeyspaceEvent",
    judge: unused,
};

/// A consumer that runs once a night is seen within a day.
const LONG_ENOUGH: Duration = Duration::from_secs(86_400);

fn unused(case: &Case) -> Vec<Opinion> {
    let events = |node: &NodeCase| {
        let flags = node.setting("notify-keyspace-events");
        flags.unwrap_or_default().to_owned()
    };
    let on: Vec<_> = (case.nodes.iter())
        .filter(|node| !events(node).is_empty())
        .collect();
    if on.is_empty() || case.nodes.iter().any(listens) {
        return Vec::new();
    }
    let mut shortest = Duration::MAX;
    for node in &case.nodes {
        let known = match node.info().with_prefix("cmdstat_").next() {
            None => Err("INFO commandstats was not read".to_owned()),
            Some(_) => up_for(node, LONG_ENOUGH),
        };
        match known {
            Ok(uptime) => shortest = shortest.min(uptime),
            Err(why) => return vec![Opinion::skip(node, why)],
        }
    }
    let evidence = on.iter().map(|node| {
        let flags = events(node);
        format!("{}: events {flags}, no SUBSCRIBE or PSUBSCRIBE", node.addr)
    });
    let why = format!(
        "every write publishes events, and nobody has subscribed to any for {}",
        duration(shortest)
    );
    let changes = everywhere(case, "notify-keyspace-events", "");
    Opinion::set(
        Severity::Info,
        "notify-keyspace-events",
        changes,
        why,
        evidence.collect(),
    )
    .into_iter()
    .collect()
}

/// Whether anybody has subscribed on the node, now or since it started.
fn listens(node: &NodeCase) -> bool {
    let asked = ["cmdstat_subscribe", "cmdstat_psubscribe"];
    asked.iter().any(|name| node.info().get(name).is_some())
        || node.clients().is_some_and(|seen| seen.subscribers > 0)
}

#[cfg(test)]
mod tests {
    use crate::ops::tune::testing::Setup;

    fn setup() -> Setup {
        Setup::sound()
            .config("notify-keyspace-events", "AKE")
            .info("cmdstat_get:calls=1,usec=1,usec_per_call=1.00")
    }

    #[test]
    fn events_for_nobody_are_switched_off() {
        let advice = setup().rule("clients.keyspace-events");
        assert_eq!(advice[0].changes.len(), 6);
        assert_eq!(advice[0].changes[0].proposed, "");
        let heard = "cmdstat_psubscribe:calls=1,usec=1,usec_per_call=1.00";
        let heard = setup().info_of(4, heard);
        assert_eq!(heard.rule("clients.keyspace-events"), []);
        assert_eq!(heard.skipped("clients.keyspace-events"), []);
        let off = setup().config("notify-keyspace-events", "");
        assert_eq!(off.rule("clients.keyspace-events"), []);
    }

    #[test]
    fn a_young_node_has_not_heard_everybody_yet() {
        let young = setup().info_of(2, "uptime_in_seconds:180");
        assert_eq!(young.rule("clients.keyspace-events"), []);
        let skipped = young.skipped("clients.keyspace-events");
        assert!(skipped[0].reason.starts_with("up for 3m 00s only"));
    }
}
