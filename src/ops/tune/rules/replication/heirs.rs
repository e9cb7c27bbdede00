//! Which replicas may and should take over.

use std::collections::BTreeSet;

use super::{ShardCase, shards};
use crate::model::Severity;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{
    Opinion, Rule, change, changes, known_name, lines, readable, set_by_name,
};

pub(super) const BARRED: Rule = Rule {
    id: "replication.barred",
    title: "shards whose replicas are all barred from election",
    parameters: &["cluster-replica-no-failover", "cluster-slave-no-failover"],
    kind: Kind::Setting,
    why: "A replica with cluster-replica-no-failover yes never stands for election by itself. Where that holds for all replicas of a shard, the death of its master is the death of the shard, as if there were none.",
    how: "no, where all replicas of the shard that answered are barred.",
    cost: "a replica that was meant for backups or reading may become the master",
    risk: Risk::Medium,
    source: "CONFIG cluster-replica-no-failover; cluster_legacy.c clusterHandleReplicaFailover",
    judge: barred,
};

pub(super) const PRIORITY: Rule = Rule {
    id: "replication.priority",
    title: "who should take over first",
    parameters: &[
        "cluster-replica-no-failover",
        "cluster-slave-no-failover",
        "replica-priority",
        "slave-priority",
        "cluster-replica-priority",
    ],
    kind: Kind::Setting,
    why: "replica-priority is read by Sentinel only: in a cluster a replica with priority 0 is elected all the same. What a cluster knows is cluster-replica-no-failover, and in the newest Valkey cluster-replica-priority (the lower the sooner), by which a replica on its master's machine can stand back behind one elsewhere.",
    how: "Priority 0: cluster-replica-no-failover yes where the shard has another replica that may be elected, else priority 100. cluster-replica-priority: 10 more for replicas on their master's machine, where another stands elsewhere and all have the same.",
    cost: "a barred replica takes over only when it is told to",
    risk: Risk::Medium,
    source: "CONFIG; which nodes share a machine; redis/redis issue 13654; valkey-io/valkey pull request 2204",
    judge: priority,
};

pub(super) const MACHINE: Rule = Rule {
    id: "replication.machine",
    title: "replicas on the machine of their master",
    parameters: &["CLUSTER REPLICATE"],
    kind: Kind::Action,
    why: "The machine that takes the master takes its replicas as well, so they are no spare against it.",
    how: "Where all replicas of a shard stand on its master's machine, and there are other machines.",
    cost: "a full copy for each replica that moves",
    risk: Risk::Medium,
    source: "CLUSTER NODES and the machine of each node",
    judge: machine,
};

const BAR: &[&str] = &["cluster-replica-no-failover", "cluster-slave-no-failover"];
const PRIORITIES: &[&str] = &["replica-priority", "slave-priority"];
/// How far a replica on its master's machine stands back.
const BACK: u64 = 10;

fn is_barred(node: &NodeCase) -> bool {
    known_name(node, BAR).is_some_and(|name| node.is_on(name) == Some(true))
}

fn replicas<'s, 'b, 'a>(
    shard: &'s ShardCase<'b, 'a>,
) -> impl Iterator<Item = &'b NodeCase<'a>> + 's {
    shard.nodes.iter().skip(1).copied()
}

fn barred(case: &Case) -> Vec<Opinion> {
    let (_, mut opinions) = readable(case);
    let shards = shards(case);
    let is_lost = |shard: &&ShardCase| {
        let known = replicas(shard).count();
        known > 0 && known == shard.replicas && replicas(shard).all(is_barred)
    };
    let lost: Vec<_> = shards.iter().filter(is_lost).collect();
    let each = lost.iter().flat_map(|shard| replicas(shard));
    let wanted: Vec<_> = each.map(|node| (node, "no".to_owned())).collect();
    let told = lines(
        lost.iter()
            .map(|shard| format!("no replica of {} may be elected", shard.master.addr)),
    );
    let why = "if its master dies, none of the replicas takes over";
    opinions.extend(set_by_name(Severity::Warning, BAR, &wanted, why, &told));
    opinions
}

fn priority(case: &Case) -> Vec<Opinion> {
    let (_, mut opinions) = readable(case);
    let (mut bar, mut plain, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for shard in &shards(case) {
        let is_zero = |node: &NodeCase| {
            known_name(node, PRIORITIES).is_some_and(|name| node.setting(name) == Some("0"))
        };
        for node in replicas(shard).filter(|node| is_zero(node) && !is_barred(node)) {
            let is_other =
                |other: &NodeCase| other.addr != node.addr && !is_zero(other) && !is_barred(other);
            match replicas(shard).any(is_other) {
                true => bar.push((node, "yes".to_owned())),
                false => plain.push((node, "100".to_owned())),
            }
        }
        back.extend(standing_back(shard));
    }
    let why = "its priority of 0 bars it from nothing: only Sentinel reads it, and a cluster elects it all the same";
    let told = |wanted: &[(&NodeCase, String)]| {
        lines(
            wanted
                .iter()
                .map(|(node, _)| format!("{}: replica-priority 0", node.addr)),
        )
    };
    opinions.extend(set_by_name(Severity::Info, BAR, &bar, why, &told(&bar)));
    opinions.extend(set_by_name(
        Severity::Info,
        PRIORITIES,
        &plain,
        why,
        &told(&plain),
    ));
    let told = lines(
        back.iter()
            .map(|(node, _)| format!("{}: on its master's machine {}", node.addr, node.machine())),
    );
    let changes = changes("cluster-replica-priority", back);
    let why = "a replica on its master's machine may be elected before one elsewhere";
    let name = "cluster-replica-priority";
    opinions.extend(Opinion::set(Severity::Info, name, changes, why, told));
    opinions
}

/// The replicas on their master's machine, where others stand elsewhere and all rank alike.
fn standing_back<'b, 'a>(shard: &ShardCase<'b, 'a>) -> Vec<(&'b NodeCase<'a>, String)> {
    let rank = |node: &NodeCase| node.setting_number("cluster-replica-priority");
    let ranks: BTreeSet<_> = replicas(shard).map(rank).collect();
    let home = shard.master.machine();
    let (near, far): (Vec<_>, Vec<_>) =
        replicas(shard).partition(|node| !home.is_empty() && node.machine() == home);
    match ranks.first() {
        Some(Some(rank)) if ranks.len() == 1 && !far.is_empty() => {
            let near = near.into_iter();
            near.map(|node| (node, (rank + BACK).to_string())).collect()
        }
        _ => Vec::new(),
    }
}

fn machine(case: &Case) -> Vec<Opinion> {
    let machines: BTreeSet<&str> = case.nodes.iter().map(NodeCase::machine).collect();
    if machines.contains("") {
        return vec![Opinion::skip_all(
            case,
            "the machines of the nodes are not known",
        )];
    }
    if machines.len() < 2 {
        return Vec::new();
    }
    let shards = shards(case);
    let is_huddled = |shard: &&ShardCase| {
        let known = replicas(shard).count();
        let home = shard.master.machine();
        known > 0 && known == shard.replicas && replicas(shard).all(|node| node.machine() == home)
    };
    let huddled: Vec<_> = shards.iter().filter(is_huddled).collect();
    let movers = huddled.iter().flat_map(|shard| replicas(shard).take(1));
    let changes = movers.map(|node| {
        let here = format!("on {}", node.machine());
        change(node, Some(here), "on another machine than its master")
    });
    let told = huddled.iter().map(|shard| {
        let home = shard.master.machine();
        format!("{} and all its replicas are on {home}", shard.master.addr)
    });
    let set = Opinion::set(
        Severity::Warning,
        "CLUSTER REPLICATE",
        changes.collect(),
        "the machine that takes the master takes all its replicas",
        lines(told),
    );
    let step = "swap a replica with one of a shard on another machine (CLUSTER REPLICATE)";
    set.map(|advice| advice.then([step])).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use crate::ops::tune::testing::Setup;

    fn on_machine(setup: Setup, nodes: &[usize], machine: &str) -> Setup {
        nodes.iter().fold(setup, |setup, n| {
            setup.seen(*n, |seen| {
                seen.host.get_or_insert_default().machine = machine.to_owned();
            })
        })
    }

    #[test]
    fn a_shard_has_an_heir() {
        let rule = "replication.barred";
        assert_eq!(Setup::sound().rule(rule), []);
        let barred = Setup::sound().config_of(3, "cluster-replica-no-failover", "yes");
        let advice = barred.rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "no");
        assert_eq!(barred.moved().rule(rule), []);
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }

    #[test]
    fn a_priority_of_nought_bars_nobody() {
        let rule = "replication.priority";
        assert_eq!(Setup::sound().rule(rule), []);
        let zero = Setup::sound().config_of(3, "replica-priority", "0");
        let advice = zero.rule(rule);
        assert_eq!(advice[0].parameter, "replica-priority");
        assert_eq!(advice[0].changes[0].proposed, "100");
        let advice = zero.moved().rule(rule);
        assert_eq!(advice[0].parameter, "cluster-replica-no-failover");
        assert_eq!(advice[0].changes[0].proposed, "yes");
        let old = Setup::sound()
            .without("replica-priority")
            .config_of(3, "slave-priority", "0");
        assert_eq!(old.rule(rule)[0].parameter, "slave-priority");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }

    #[test]
    fn a_neighbour_of_the_master_stands_back() {
        let rule = "replication.priority";
        let alike = Setup::sound()
            .moved()
            .config("cluster-replica-priority", "100");
        assert_eq!(alike.rule(rule), []);
        let near = on_machine(alike, &[0, 3], "one");
        let advice = near.rule(rule);
        assert_eq!(advice[0].parameter, "cluster-replica-priority");
        assert_eq!(advice[0].changes.len(), 1);
        assert_eq!(advice[0].changes[0].proposed, "110");
        let ranked = near.config_of(3, "cluster-replica-priority", "110");
        assert_eq!(ranked.rule(rule), []);
    }

    #[test]
    fn replicas_stand_elsewhere() {
        let rule = "replication.machine";
        assert_eq!(Setup::sound().rule(rule), []);
        let huddled = on_machine(Setup::sound(), &[0, 3], "one");
        let advice = huddled.rule(rule);
        assert_eq!(advice[0].changes.len(), 1);
        assert!(advice[0].evidence[0].contains("are on one"));
        // All on one machine is somebody's own.
        let own = on_machine(Setup::sound(), &[0, 1, 2, 3, 4, 5], "one");
        assert_eq!(own.rule(rule), []);
        let unknown = Setup::sound().site(5, |site| site.host.clear());
        assert_eq!(unknown.skipped(rule).len(), 1);
    }
}
