//! What is served when something is down, and how old the data of a successor may be.

use crate::health::Profile;
use crate::model::Severity;
use crate::model::words::counted;
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{
    Opinion, Rule, changes, known_name, profile_line, readable, set_by_name, sure_profile,
};

pub(super) const COVERAGE: Rule = Rule {
    id: "cluster.coverage",
    title: "whether all stops when a shard is down",
    parameters: &["cluster-require-full-coverage"],
    kind: Kind::Setting,
    why: "With cluster-require-full-coverage yes, the default, every node refuses every command (CLUSTERDOWN) as soon as one slot is without a master. For a cache or sessions that makes the loss of a part the loss of the whole, in each failover too.",
    how: "cache and session: no. durable and queue: as it is, for whether a part is of use without the rest is for the application to say.",
    cost: "clients see errors for some keys and not for others",
    risk: Risk::Low,
    source: "CONFIG cluster-require-full-coverage; cluster_legacy.c clusterUpdateState",
    judge: coverage,
};

pub(super) const READS: Rule = Rule {
    id: "cluster.reads-when-down",
    title: "reading from a node that is cut off",
    parameters: &["cluster-allow-reads-when-down"],
    kind: Kind::Setting,
    why: "A node that sees no majority of masters answers nothing at all. What may be a little old can be read from it all the same: with one or two masters there is no majority as soon as one is gone. What must be right must not be read there.",
    how: "cache and session: yes. durable and queue: no.",
    cost: "yes: a node that is cut off serves what it last knew; no: it serves nothing",
    risk: Risk::Low,
    source: "CONFIG cluster-allow-reads-when-down (6.0 and later); cluster.c getNodeByQuery",
    judge: reads,
};

pub(super) const VALIDITY: Rule = Rule {
    id: "cluster.validity",
    title: "how long a replica may have been alone and still take over",
    parameters: &[
        "cluster-replica-validity-factor",
        "cluster-slave-validity-factor",
    ],
    kind: Kind::Setting,
    why: "A replica whose link has been down for longer than node timeout x factor + ping period stands back from election, for its data is old. For a cache old data is better than none, where there is no other replica. For data of record it is the other way round: 0 lets any replica take over, however old.",
    how: "cache: 0, in shards with one replica. session, durable and queue: 10 instead of 0.",
    cost: "0: a shard may come back with old data; 10: a shard whose only replica was away too long stays down",
    risk: Risk::Medium,
    source: "CONFIG cluster-replica-validity-factor (10 by default); replicas of each shard; cluster_legacy.c clusterHandleReplicaFailover",
    judge: validity,
};

const FACTOR: &[&str] = &[
    "cluster-replica-validity-factor",
    "cluster-slave-validity-factor",
];
/// Fewer masters than these have no majority left after the loss of one.
const VOTERS: usize = 3;

fn coverage(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-require-full-coverage";
    match sure_profile(case) {
        Ok(Profile::Cache | Profile::Session) => {}
        Ok(_) => return Vec::new(),
        Err(skip) => return skip,
    }
    let (nodes, mut opinions) = readable(case);
    let shards = case.topology.shards.iter();
    let bare = shards.filter(|shard| !shard.slots.is_empty() && shard.replicas.is_empty());
    let bare = bare.count();
    let mut evidence = vec![profile_line(case)];
    let severity = match bare {
        0 => Severity::Info,
        some => {
            evidence.push(format!("{} without a replica", counted(some, "shard")));
            Severity::Warning
        }
    };
    let changes = changes(NAME, nodes.into_iter().map(|node| (node, "no".to_owned())));
    let why = "while one shard is down, all the others refuse everything too";
    opinions.extend(Opinion::set(severity, NAME, changes, why, evidence));
    opinions
}

fn reads(case: &Case) -> Vec<Opinion> {
    const NAME: &str = "cluster-allow-reads-when-down";
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (nodes, mut opinions) = readable(case);
    let (value, why) = match profile {
        Profile::Cache | Profile::Session => (
            "yes",
            "a node that sees no majority serves nothing, though old data would do",
        ),
        Profile::Durable | Profile::Queue => {
            ("no", "a node that is cut off serves what is no longer so")
        }
    };
    let voters = case.topology.voters().count();
    let mut evidence = vec![profile_line(case)];
    let severity = match value == "yes" && voters < VOTERS {
        true => {
            let masters = counted(voters, "master");
            evidence.push(format!(
                "{masters} with slots: after the loss of one there is no majority"
            ));
            Severity::Warning
        }
        false => Severity::Info,
    };
    let changes = changes(NAME, nodes.into_iter().map(|node| (node, value.to_owned())));
    opinions.extend(Opinion::set(severity, NAME, changes, why, evidence));
    opinions
}

fn factor(node: &NodeCase) -> Option<u64> {
    node.setting_number(known_name(node, FACTOR)?)
}

fn validity(case: &Case) -> Vec<Opinion> {
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (nodes, mut opinions) = readable(case);
    let is_single = |node: &NodeCase| {
        let shard = node.shard.and_then(|_| case.master_of(node)?.id);
        shard.is_some_and(|master| case.topology.replicas(master).count() == 1)
    };
    let is_wrong = |node: &&NodeCase| match profile {
        Profile::Cache => is_single(node) && factor(node).is_some_and(|factor| factor > 0),
        _ => factor(node) == Some(0),
    };
    let (severity, value, why) = match profile {
        Profile::Cache => (
            Severity::Info,
            "0",
            "the only replica may stand back because its data is old, and the shard stays down",
        ),
        _ => (
            Severity::Warning,
            "10",
            "a replica takes over however old its data is",
        ),
    };
    let wrong = nodes.into_iter().filter(is_wrong);
    let wanted: Vec<_> = wrong.map(|node| (node, value.to_owned())).collect();
    let told = [profile_line(case)];
    opinions.extend(set_by_name(severity, FACTOR, &wanted, why, &told));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    fn of(profile: Profile) -> Setup {
        Setup::sound().profile(profile)
    }

    #[test]
    fn a_part_that_is_down_takes_the_rest_with_it_where_that_is_right() {
        let rule = "cluster.coverage";
        let advice = of(Profile::Cache).rule(rule);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "no");
        let bare = of(Profile::Session).moved().rule(rule);
        assert_eq!(bare[0].severity, Severity::Warning);
        assert!(bare[0].evidence[1].contains("1 shard without"));
        assert_eq!(of(Profile::Durable).rule(rule), []);
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }

    #[test]
    fn old_data_is_read_where_it_will_do() {
        let rule = "cluster.reads-when-down";
        let advice = of(Profile::Session).rule(rule);
        assert_eq!(advice[0].severity, Severity::Info);
        assert_eq!(advice[0].changes[0].proposed, "yes");
        assert_eq!(of(Profile::Durable).rule(rule), []);
        let risky = of(Profile::Queue).config("cluster-allow-reads-when-down", "yes");
        assert_eq!(risky.rule(rule)[0].changes[0].proposed, "no");
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }

    #[test]
    fn an_old_replica_takes_over_where_old_is_better_than_none() {
        let rule = "cluster.validity";
        let advice = of(Profile::Cache).rule(rule);
        assert_eq!(advice[0].changes.len(), 6);
        assert_eq!(advice[0].changes[0].proposed, "0");
        // Two replicas here and none there: only the third shard has one.
        assert_eq!(of(Profile::Cache).moved().rule(rule)[0].changes.len(), 2);
        assert_eq!(of(Profile::Durable).rule(rule), []);
        let any = of(Profile::Durable).config("cluster-replica-validity-factor", "0");
        assert_eq!(any.rule(rule)[0].severity, Severity::Warning);
        assert_eq!(any.rule(rule)[0].changes[0].proposed, "10");
        let old = any
            .without("cluster-replica-validity-factor")
            .config("cluster-slave-validity-factor", "0");
        assert_eq!(old.rule(rule)[0].parameter, "cluster-slave-validity-factor");
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }
}
