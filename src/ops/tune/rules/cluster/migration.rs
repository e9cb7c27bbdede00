//! Replicas that move by themselves to a shard that has none.

use crate::model::Severity;
use crate::model::words::counted;
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes, readable};

pub(super) const MIGRATION: Rule = Rule {
    id: "cluster.migration",
    title: "spare replicas that stay where they are",
    parameters: &["cluster-allow-replica-migration"],
    kind: Kind::Setting,
    why: "A shard that lost its last replica gets one from a shard that has a spare, by itself, unless that is forbidden.",
    how: "yes, where a shard has no replica while another has two or more. Leave it at no where something else places the replicas, such as an operator of Kubernetes.",
    cost: "a replica moves when nobody expects it, with a full copy",
    risk: Risk::Medium,
    source: "CONFIG cluster-allow-replica-migration (7.0 and later); replicas of each shard; cluster_legacy.c clusterHandleReplicaMigration",
    judge: migration,
};

pub(super) const BARRIER: Rule = Rule {
    id: "cluster.barrier",
    title: "how many replicas a shard keeps when one moves",
    parameters: &["cluster-migration-barrier"],
    kind: Kind::Setting,
    why: "A replica moves only from a shard that keeps as many as the barrier. Too high, and none ever moves; at 0 the last one may go and leaves its own master alone.",
    how: "1, where it is 0, or where a shard without a replica gets none because of it.",
    cost: "a replica moves when nobody expects it, with a full copy",
    risk: Risk::Medium,
    source: "CONFIG cluster-migration-barrier (1 by default); replicas of each shard; redis.conf",
    judge: barrier,
};

/// How many shards with slots have no replica, and how many replicas the richest has.
fn spread(case: &Case) -> (usize, usize) {
    let counts = (case.topology.shards.iter())
        .filter(|shard| !shard.slots.is_empty())
        .map(|shard| shard.replicas.len());
    let bare = counts.clone().filter(|count| *count == 0).count();
    (bare, counts.max().unwrap_or(0))
}

fn told(bare: usize, most: usize) -> Vec<String> {
    let bare = counted(bare, "shard");
    vec![format!("{bare} without a replica, and one with {most}")]
}

fn migration(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-allow-replica-migration";
    let (nodes, mut opinions) = readable(case);
    let (bare, most) = spread(case);
    if bare == 0 || most < 2 {
        return opinions;
    }
    let changes = changes(NAME, nodes.into_iter().map(|node| (node, "yes".to_owned())));
    let why = "a shard is without a replica while another has one to spare";
    let evidence = told(bare, most);
    opinions.extend(Opinion::set(
        Severity::Warning,
        NAME,
        changes,
        why,
        evidence,
    ));
    opinions
}

fn barrier(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-migration-barrier";
    let (nodes, mut opinions) = readable(case);
    let (bare, most) = spread(case);
    let is_stuck = bare > 0 && most >= 2;
    let (mut open, mut shut) = (Vec::new(), Vec::new());
    for node in nodes {
        match node.setting_number(NAME) {
            Some(0) => open.push((node, "1".to_owned())),
            Some(barrier) if is_stuck && barrier > 1 && most as u64 <= barrier => {
                shut.push((node, "1".to_owned()));
            }
            _ => {}
        }
    }
    for (wanted, why, evidence) in [
        (
            open,
            "a shard may lose its last replica to another",
            Vec::new(),
        ),
        (
            shut,
            "a shard is without a replica, and no other may give it one",
            told(bare, most),
        ),
    ] {
        let changes = changes(NAME, wanted);
        opinions.extend(Opinion::set(
            Severity::Warning,
            NAME,
            changes,
            why,
            evidence,
        ));
    }
    opinions
}

#[cfg(test)]
mod tests {
    use crate::ops::tune::testing::Setup;

    #[test]
    fn spares_go_where_they_are_needed() {
        let rule = "cluster.migration";
        let pinned = Setup::sound().config("cluster-allow-replica-migration", "no");
        assert_eq!(pinned.rule(rule), []);
        let advice = pinned.moved().rule(rule);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        assert_eq!(
            advice[0].evidence,
            ["1 shard without a replica, and one with 2"]
        );
        assert_eq!(Setup::sound().moved().rule(rule), []);
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }

    #[test]
    fn a_barrier_is_neither_none_nor_too_high() {
        let rule = "cluster.barrier";
        let barrier = |value| Setup::sound().config("cluster-migration-barrier", value);
        assert_eq!(barrier("1").moved().rule(rule), []);
        assert_eq!(barrier("2").rule(rule), []);
        assert_eq!(barrier("2").moved().rule(rule)[0].changes[0].proposed, "1");
        assert_eq!(barrier("0").rule(rule)[0].changes[0].proposed, "1");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
