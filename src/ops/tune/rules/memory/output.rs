//! Replies that wait to be fetched: limits for ordinary clients and for subscribers.

use super::buffers::GREEDY;
use crate::model::Severity;
use crate::model::words::{bytes, counted};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::form;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const OUTPUT: Rule = Rule {
    id: "memory.output_buffers",
    title: "replies that clients do not fetch",
    parameters: &["client-output-buffer-limit"],
    kind: Kind::Setting,
    why: "Ordinary clients have no limit: one that asks for much and reads slowly, or a forgotten MONITOR, makes the server keep replies until its memory is full. Subscribers have one, and where they are disconnected although they only stall for a moment it is too low.",
    how: "normal: twice the largest buffer seen, at least 256 MiB, a quarter of that for 60 s, only where one client has more than 50 MiB waiting. pubsub: both limits doubled where subscribers alone can have been disconnected.",
    cost: "ordinary clients that read too slowly are disconnected; subscribers may take more memory",
    risk: Risk::Medium,
    source: "CLIENT LIST: omem; INFO stats: client_output_buffer_limit_disconnections (7.2)",
    judge: output,
};

const MIB: u64 = 1 << 20;
/// The hard limit of ordinary clients that meets no sane reply.
const NORMAL_HARD: u64 = 256 * MIB;

/// Both classes in one advice, for they are one setting.
fn output(case: &Case) -> Vec<Opinion> {
    let mut opinions = Vec::new();
    let mut wanted: Vec<(&NodeCase, String)> = Vec::new();
    let mut evidence = Vec::new();
    for node in &case.nodes {
        let Some(present) = node.setting("client-output-buffer-limit") else {
            continue;
        };
        if node.clients().is_none() {
            let why = node.why_not_seen("clients");
            opinions.push(Opinion::skip(
                node,
                format!("its clients could not be seen: {why}"),
            ));
            continue;
        }
        opinions.extend(uncounted(node));
        let mut limits = present.to_owned();
        for (changed, seen) in [normal(node, &limits), pubsub(node, &limits)]
            .into_iter()
            .flatten()
        {
            // Each names its own class only, so the second keeps what the first set.
            limits = merge(&limits, &changed);
            evidence.push(seen);
        }
        if limits != present {
            wanted.push((node, limits));
        }
    }
    let changes = changes("client-output-buffer-limit", wanted);
    opinions.extend(Opinion::set(
        Severity::Warning,
        "client-output-buffer-limit",
        changes,
        "buffers of replies that clients do not fetch are out of proportion",
        evidence,
    ));
    opinions
}

/// Where subscribers may be disconnected and nothing counts it.
fn uncounted(node: &NodeCase) -> Option<Opinion> {
    let subscribers = node.clients()?.subscribers;
    let is_counted = node
        .number("client_output_buffer_limit_disconnections")
        .is_some();
    (subscribers > 0 && !is_counted).then(|| {
        Opinion::skip(
            node,
            "it does not count subscribers that were disconnected (before 7.2)",
        )
    })
}

/// A class with its new limits.
struct Class {
    name: &'static str,
    hard: u64,
    soft: u64,
    seconds: u64,
}

fn merge(limits: &str, class: &Class) -> String {
    let changed = form::with_buffer(limits, class.name, class.hard, class.soft, class.seconds);
    changed.unwrap_or_else(|| limits.to_owned())
}

fn normal(node: &NodeCase, limits: &str) -> Option<(Class, String)> {
    let largest = node.clients()?.largest_output_bytes;
    let (hard, soft, _) = form::buffer(limits, "normal")?;
    if (hard, soft) != (0, 0) || largest <= GREEDY {
        return None;
    }
    let hard = form::whole_mib(largest.saturating_mul(2)).max(NORMAL_HARD);
    let class = Class {
        name: "normal",
        hard,
        soft: hard / 4,
        seconds: 60,
    };
    let seen = format!(
        "{}: one ordinary client has {} waiting, and no limit",
        node.addr,
        bytes(largest)
    );
    Some((class, seen))
}

fn pubsub(node: &NodeCase, limits: &str) -> Option<(Class, String)> {
    let subscribers = node.clients()?.subscribers;
    let closed = node.growth("client_output_buffer_limit_disconnections")?;
    let (hard, soft, seconds) = form::buffer(limits, "pubsub")?;
    let (normal, normal_soft, _) = form::buffer(limits, "normal")?;
    // The counter does not tell classes apart: only where the others cannot have been meant.
    let is_theirs = (normal, normal_soft) == (0, 0) && node.growth("sync_full") == Some(0);
    if closed == 0 || subscribers == 0 || !is_theirs || hard == 0 {
        return None;
    }
    let class = Class {
        name: "pubsub",
        hard: hard.saturating_mul(2),
        soft: soft.saturating_mul(2),
        seconds,
    };
    let seen = format!(
        "{}: {} disconnected for their output buffers within the sample, with {} left",
        node.addr,
        counted(closed as usize, "client"),
        counted(subscribers as usize, "subscriber")
    );
    Some((class, seen))
}

#[cfg(test)]
mod tests {
    use crate::model::ClientsSeen;
    use crate::ops::tune::testing::Setup;

    const MIB: u64 = 1 << 20;

    #[test]
    fn both_classes_of_output_buffers_are_one_value() {
        let seen = ClientsSeen {
            largest_output_bytes: 200 * MIB,
            subscribers: 3,
            ..ClientsSeen::default()
        };
        let setup = Setup::sound()
            .clients(&ClientsSeen::default())
            .seen(0, |node| node.clients = Some(seen))
            .later_of(0, "client_output_buffer_limit_disconnections:4");
        let advice = setup.rule("memory.output_buffers");
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(
            advice[0].changes[0].proposed,
            "normal 419430400 104857600 60 slave 268435456 67108864 60 pubsub 67108864 16777216 60"
        );
        assert_eq!(advice[0].evidence.len(), 2);
        // A replica may have been meant: nothing is said of subscribers.
        let resync = setup.clone().later_of(0, "sync_full:2");
        assert!(
            resync.rule("memory.output_buffers")[0].changes[0]
                .proposed
                .ends_with("pubsub 33554432 8388608 60")
        );
        assert_eq!(
            Setup::sound()
                .clients(&ClientsSeen::default())
                .rule("memory.output_buffers"),
            []
        );
        let old = setup.facts(0, |facts| {
            facts.later = None;
            facts
                .info
                .forget("client_output_buffer_limit_disconnections");
        });
        assert_eq!(old.skipped("memory.output_buffers").len(), 1);
        assert_eq!(Setup::sound().skipped("memory.output_buffers").len(), 6);
    }
}
