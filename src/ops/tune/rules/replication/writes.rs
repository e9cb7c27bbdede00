//! How many replicas a write needs, and who may write to a replica.

use super::{ShardCase, shards};
use crate::health::Profile;
use crate::model::words::plural;
use crate::model::{Role, Severity};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{
    Opinion, Rule, known_name, lines, profile_line, readable, set_by_name, sure_profile,
};

pub(super) const MIN_REPLICAS: Rule = Rule {
    id: "replication.min-replicas",
    title: "how many replicas a write needs",
    parameters: &["min-replicas-to-write", "min-slaves-to-write"],
    kind: Kind::Setting,
    why: "A master that is cut off from the rest goes on taking writes until it notices, and loses them when it comes back. With min-replicas-to-write 1 it stops when no replica acknowledges any more. A shard that has no replica to spare stops just as well when a replica is merely restarted.",
    how: "durable and queue: 1, where the shard has two replicas or more. Where it wants all replicas that there are, one less; cache and session: 0.",
    cost: "1: the shard takes no writes while none of its replicas follows; 0: a master that is cut off takes writes that are lost",
    risk: Risk::Medium,
    source: "CONFIG min-replicas-to-write; replicas of each shard; replication.c refreshGoodSlavesCount",
    judge: min_replicas,
};

pub(super) const MAX_LAG: Rule = Rule {
    id: "replication.max-lag",
    title: "how late a replica may acknowledge",
    parameters: &["min-replicas-max-lag", "min-slaves-max-lag"],
    kind: Kind::Setting,
    why: "A replica counts for min-replicas-to-write while its last acknowledgement is no older than this. 0 switches the whole check off, and a long time keeps a master writing that has been alone for as long.",
    how: "10 s, where min-replicas-to-write is set and this is 0 or longer.",
    cost: "a replica that is silent for longer stops writes",
    risk: Risk::Medium,
    source: "CONFIG min-replicas-max-lag (10 by default), min-replicas-to-write; replication.c refreshGoodSlavesCount",
    judge: max_lag,
};

pub(super) const READ_ONLY: Rule = Rule {
    id: "replication.read-only",
    title: "replicas that take writes of their own",
    parameters: &["replica-read-only", "slave-read-only"],
    kind: Kind::Setting,
    why: "With replica-read-only no, clients can write data to a replica that its master does not have; it is lost at the next sync and misleads readers until then. CVE-2026-23631 can be reached on such replicas only.",
    how: "yes.",
    cost: "clients that write to replicas get READONLY",
    risk: Risk::Low,
    source: "CONFIG replica-read-only",
    judge: read_only,
};

const MIN: &[&str] = &["min-replicas-to-write", "min-slaves-to-write"];
const LAG: &[&str] = &["min-replicas-max-lag", "min-slaves-max-lag"];
const READS: &[&str] = &["replica-read-only", "slave-read-only"];
/// The server's default, in seconds.
const LAG_S: u64 = 10;

fn min(node: &NodeCase) -> Option<u64> {
    node.setting_number(known_name(node, MIN)?)
}

fn min_replicas(case: &Case) -> Vec<Opinion> {
    let profile = match sure_profile(case) {
        Ok(profile) => profile,
        Err(skip) => return skip,
    };
    let (_, mut opinions) = readable(case);
    let shards = shards(case);
    for (verdict, severity, why) in [
        (
            Verdict::Refuses,
            Severity::Critical,
            "it wants more replicas than the shard has, and refuses all writes",
        ),
        (
            Verdict::Brittle,
            Severity::Warning,
            "it wants all replicas that the shard has, so the loss of one stops writes",
        ),
        (
            Verdict::Alone,
            Severity::Warning,
            "a master that is cut off goes on taking writes that are lost",
        ),
    ] {
        let mut wanted = Vec::new();
        let mut evidence = vec![profile_line(case)];
        for shard in &shards {
            let Some(number) = judged(shard, profile, verdict) else {
                continue;
            };
            evidence.push(format!(
                "{}: {}, {} wanted",
                shard.master.addr,
                plural(shard.replicas, "replica", "replicas"),
                min(shard.master).unwrap_or(0)
            ));
            let nodes = shard.nodes.iter();
            wanted.extend(nodes.map(|node| (*node, number.to_string())));
        }
        let told = lines(evidence);
        opinions.extend(set_by_name(severity, MIN, &wanted, why, &told));
    }
    opinions
}

#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Refuses,
    Brittle,
    Alone,
}

/// The number that this verdict wants for the shard; `None` when it does not apply.
fn judged(shard: &ShardCase, profile: Profile, verdict: Verdict) -> Option<u64> {
    let present = min(shard.master)?;
    let replicas = shard.replicas as u64;
    let is_kept = matches!(profile, Profile::Durable | Profile::Queue);
    let fewer = match is_kept {
        true => replicas.saturating_sub(1),
        false => 0,
    };
    let (is, number) = match verdict {
        Verdict::Refuses => (present > replicas, fewer),
        // With one replica somebody chose to stop rather than to lose.
        Verdict::Brittle => {
            let is_chosen = is_kept && replicas == 1;
            (present > 0 && present == replicas && !is_chosen, fewer)
        }
        Verdict::Alone => (is_kept && present == 0 && replicas >= 2, 1),
    };
    is.then_some(number)
}

fn max_lag(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let is_lax = |node: &&NodeCase| {
        let lag = known_name(node, LAG).and_then(|name| node.setting_number(name));
        min(node).is_some_and(|min| min > 0) && lag.is_some_and(|s| s == 0 || s > LAG_S)
    };
    let wanted: Vec<_> = (nodes.into_iter())
        .filter(is_lax)
        .map(|node| (node, LAG_S.to_string()))
        .collect();
    let told = lines(wanted.iter().map(|(node, _)| {
        format!(
            "{}: min-replicas-to-write {}",
            node.addr,
            min(node).unwrap_or(0)
        )
    }));
    let why = "min-replicas-to-write holds nothing back: replicas count however silent they are";
    opinions.extend(set_by_name(Severity::Warning, LAG, &wanted, why, &told));
    opinions
}

fn read_only(case: &Case) -> Vec<Opinion> {
    let (nodes, mut opinions) = readable(case);
    let takes_writes = |node: &&NodeCase| {
        known_name(node, READS).is_some_and(|name| node.is_on(name) == Some(false))
    };
    let wanted: Vec<_> = (nodes.into_iter())
        .filter(takes_writes)
        .map(|node| (node, "yes".to_owned()))
        .collect();
    let replicas: Vec<_> = wanted
        .iter()
        .filter(|(node, _)| node.role == Role::Replica)
        .collect();
    let (severity, why) = match replicas.is_empty() {
        false => (Severity::Warning, "the replica takes writes of its own"),
        true => (
            Severity::Info,
            "it would take writes of its own once it is a replica",
        ),
    };
    let told = lines(
        replicas
            .iter()
            .map(|(node, _)| format!("{}: a replica", node.addr)),
    );
    opinions.extend(set_by_name(severity, READS, &wanted, why, &told));
    opinions
}

#[cfg(test)]
mod tests {
    use crate::health::Profile;
    use crate::model::Severity;
    use crate::ops::tune::testing::Setup;

    fn wanting(number: &str) -> Setup {
        Setup::sound()
            .config("min-replicas-to-write", number)
            .config("min-slaves-to-write", number)
    }

    #[test]
    fn as_many_replicas_as_can_be_spared() {
        let rule = "replication.min-replicas";
        let told = |setup: Setup, profile| {
            let advice = setup.profile(profile).rule(rule);
            let first = advice.first()?;
            let proposed = first.changes[0].proposed.clone();
            Some((first.severity, first.changes.len(), proposed))
        };
        let is = |severity, nodes, number: &str| Some((severity, nodes, number.to_owned()));
        assert_eq!(told(wanting("0"), Profile::Durable), None);
        assert_eq!(told(wanting("1"), Profile::Durable), None);
        assert_eq!(
            told(wanting("1"), Profile::Cache),
            is(Severity::Warning, 6, "0")
        );
        assert_eq!(
            told(wanting("2"), Profile::Session),
            is(Severity::Critical, 6, "0")
        );
        assert_eq!(
            told(wanting("0").moved(), Profile::Durable),
            is(Severity::Warning, 3, "1")
        );
        assert_eq!(
            told(wanting("1").moved(), Profile::Durable),
            is(Severity::Critical, 1, "0")
        );
        let old = wanting("2").without("min-replicas-to-write");
        let advice = old.profile(Profile::Cache).rule(rule);
        assert_eq!(advice[0].parameter, "min-slaves-to-write");
        assert_eq!(Setup::sound().skipped(rule).len(), 1);
    }

    #[test]
    fn silent_replicas_do_not_count() {
        let rule = "replication.max-lag";
        let lax = |number| {
            let setup = wanting(number).config("min-replicas-max-lag", "0");
            setup.rule(rule)
        };
        assert_eq!(lax("1")[0].changes[0].proposed, "10");
        assert_eq!(lax("0"), []);
        assert_eq!(wanting("1").rule(rule), []);
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }

    #[test]
    fn replicas_are_for_reading() {
        let rule = "replication.read-only";
        assert_eq!(Setup::sound().rule(rule), []);
        let advice = |n| {
            let setup = Setup::sound().config_of(n, "replica-read-only", "no");
            setup.rule(rule)
        };
        assert_eq!(advice(4)[0].severity, Severity::Warning);
        assert_eq!(advice(4)[0].changes[0].proposed, "yes");
        assert_eq!(advice(0)[0].severity, Severity::Info);
        let old = Setup::sound()
            .without("replica-read-only")
            .config("slave-read-only", "no");
        assert_eq!(old.rule(rule)[0].parameter, "slave-read-only");
        let dark = Setup::sound().facts(0, |facts| facts.config.clear());
        assert_eq!(dark.skipped(rule).len(), 1);
    }
}
