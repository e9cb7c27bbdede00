//! Strings: HyperLogLogs, and tiny ones that could be fields of hashes.

use std::collections::BTreeMap;

use super::sample;
use crate::health::rates;
use crate::model::Severity;
use crate::model::words::{bytes, count};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, change};

pub(super) const HLL: Rule = Rule {
    id: "encodings.hll",
    title: "up to which size a HyperLogLog is kept sparse",
    parameters: &["hll-sparse-max-bytes"],
    kind: Kind::Setting,
    why: "A sparse HyperLogLog is small and has to be walked through at each PFADD; a dense one takes 12 KiB and is changed in place. Beyond 10,000 bytes the walk takes time and saves hardly anything, beyond 16,000 nothing.",
    how: "10000 where it is more and the servers are less than half busy, else 3000; only where PFADD is used. Not raised: a sample does not tell HyperLogLogs from other strings",
    cost: "HyperLogLogs between the two sizes grow to 12 KiB when they are next added to",
    risk: Risk::Low,
    source: "CONFIG hll-sparse-max-bytes (default 3000); INFO commandstats: pfadd; redis.conf",
    judge: hll,
};

pub(super) const TINY: Rule = Rule {
    id: "encodings.tiny_strings",
    title: "many tiny strings that could be fields of hashes",
    parameters: &["data model"],
    kind: Kind::Application,
    why: "A key costs tens of bytes besides its name and value. Millions of tiny strings with like names can be put as fields into hashes of some hundred fields each, which are kept in one piece: the names get shorter and the cost of a key is shared.",
    how: "told of families of strings without an expiry that number a million or more by the samples' share and take 128 bytes or less each",
    cost: "a change in the application; fields of hashes expire on their own only from Redis 7.4 and Valkey 9.0 on, and are read by HGET",
    risk: Risk::Low,
    source: "families and MEMORY USAGE of sampled keys (--deep); savings measured with 100,000 values of 8 and 40 bytes as keys of 17 bytes and as hashes of 100 fields, on Redis 6.2, 7.0 and 8.2 and Valkey 8.0 and 9.1: 41 to 93 bytes a key",
    judge: tiny,
};

/// By redis.conf: about right, and the most where space counts more than work.
const SPARSE: (u64, u64) = (3_000, 10_000);
/// In percent of a core.
const IDLE: f64 = 50.0;
/// Fewer keys than these are not worth a change of the application.
const MANY: u64 = 1_000_000;
/// A string whose value is below 64 bytes takes no more than this, name and all.
const TINY_BYTES: u64 = 128;
/// The least that was saved for a key.
const SAVED: u64 = 41;
/// Up to this share with an expiry a family counts as one without, in percent.
const HARDLY_ANY: u64 = 5;

fn hll(case: &Case) -> Vec<Opinion> {
    let calls = |node: &NodeCase| -> Option<u64> {
        node.info().field("cmdstat_pfadd", "calls")?.parse().ok()
    };
    let used: u64 = case.nodes.iter().filter_map(calls).sum();
    let is_over = |node: &NodeCase| {
        node.setting_number("hll-sparse-max-bytes")
            .is_some_and(|most| most > SPARSE.1)
    };
    if used == 0 || !case.nodes.iter().any(is_over) {
        return Vec::new();
    }
    let busy = |node: &NodeCase| {
        let sample = node.sample().as_secs_f64();
        rates::main_thread_seconds(node.facts)
            .filter(|_| sample > 0.0)
            .map(|spent| spent * 100.0 / sample)
    };
    let busiest = case.masters().filter_map(busy).max_by(f64::total_cmp);
    // Not knowing is no reason for the dearer one.
    let wanted = if busiest.is_some_and(|busy| busy < IDLE) {
        SPARSE.1
    } else {
        SPARSE.0
    };
    let changes = sample::changes_of(case, ["hll-sparse-max-bytes"; 2], |present| {
        (present > SPARSE.1).then_some(wanted)
    });
    let why = "each PFADD walks through more than it saves";
    let mut evidence = vec![format!(
        "{} calls of PFADD since the servers started",
        count(used)
    )];
    evidence.extend(busiest.map(|busy| format!("the busiest main thread is {busy:.0} % busy")));
    let set = |(name, changes)| Opinion::set(Severity::Info, name, changes, why, evidence.clone());
    changes.into_iter().filter_map(set).collect()
}

/// A family of tiny strings over all masters.
#[derive(Default)]
struct Tiny<'c, 'a> {
    keys: u64,
    most_bytes: u64,
    nodes: Vec<&'c NodeCase<'a>>,
}

fn tiny(case: &Case) -> Vec<Opinion> {
    let keys: u64 = case.masters().map(|node| node.info().keys()).sum();
    if keys < MANY {
        return Vec::new();
    }
    let deep = match sample::deep(case) {
        Ok(deep) => deep,
        Err(opinions) => return opinions,
    };
    let mut families: BTreeMap<&str, Tiny> = BTreeMap::new();
    for (node, seen) in &deep {
        for family in seen
            .families
            .iter()
            .filter(|family| family.kind == "string")
        {
            let lasts = family.with_expiry * 100 <= family.count * HARDLY_ANY;
            let Some(mean) = family
                .mean_bytes
                .filter(|mean| lasts && *mean <= TINY_BYTES)
            else {
                continue;
            };
            let tiny = families.entry(&family.pattern).or_default();
            let share =
                u128::from(family.count) * u128::from(seen.keys) / u128::from(seen.sampled.max(1));
            tiny.keys += share as u64;
            tiny.most_bytes = tiny.most_bytes.max(mean);
            tiny.nodes.push(node);
        }
    }
    let many = families.into_iter().filter(|(_, tiny)| tiny.keys >= MANY);
    many.filter_map(|(pattern, tiny)| advise(pattern, &tiny))
        .collect()
}

fn advise(pattern: &str, tiny: &Tiny) -> Option<Opinion> {
    let saved = tiny.keys.saturating_mul(SAVED);
    let present = format!("a string for each {pattern}");
    let proposed = "fields of hashes, some hundred in each";
    let nodes = tiny.nodes.iter();
    let changes = nodes.map(|node| change(node, Some(present.clone()), proposed));
    let (keys, most) = (count(tiny.keys), bytes(tiny.most_bytes));
    let set = Opinion::set(
        Severity::Info,
        "data model",
        changes.collect(),
        format!("{pattern} are about {keys} strings of {most} or less, mostly what a key costs"),
        vec![
            format!(
                "{keys} keys by the samples' share, {most} each on average at the most (MEMORY USAGE)"
            ),
            format!(
                "an estimate: {} at {} a key, the least that was measured",
                bytes(saved),
                bytes(SAVED)
            ),
        ],
    );
    let step = format!(
        "in the application, store {pattern} as HSET of a bucket (the name without its last digits) and a field (the last digits)"
    );
    set.map(|advice| advice.then([step]))
}

#[cfg(test)]
mod tests {
    use crate::model::{Family, KeysSeen};
    use crate::ops::tune::testing::Setup;

    #[test]
    fn a_sparse_limit_that_saves_nothing_is_lowered() {
        let used = |most: &str| {
            Setup::sound()
                .config("hll-sparse-max-bytes", most)
                .info("cmdstat_pfadd:calls=50,usec=9")
        };
        let told = |setup: Setup| {
            setup
                .rule("encodings.hll")
                .first()
                .map(|one| one.changes[0].proposed.clone())
        };
        assert_eq!(told(used("16000")).as_deref(), Some("10000"));
        let busy = used("16000").later_of(0, "used_cpu_user_main_thread:50.0");
        assert_eq!(told(busy).as_deref(), Some("3000"));
        assert_eq!(told(used("3000")), None);
        assert_eq!(told(used("10000")), None);
        assert_eq!(
            told(Setup::sound().config("hll-sparse-max-bytes", "16000")),
            None
        );
    }

    fn tiny(mean_bytes: Option<u64>, with_expiry: u64) -> Setup {
        let family = Family {
            pattern: "seen:*".into(),
            count: 900,
            with_expiry,
            kind: "string".into(),
            mean_bytes,
            ..Family::default()
        };
        let keys = KeysSeen {
            sampled: 1_000,
            keys: 1_000_000,
            is_deep: true,
            families: vec![family],
            ..KeysSeen::default()
        };
        Setup::sound()
            .info("db0:keys=1000000,expires=0,avg_ttl=0")
            .keys(&keys)
    }

    #[test]
    fn millions_of_tiny_strings_could_be_fields() {
        let advice = tiny(Some(72), 0).rule("encodings.tiny_strings");
        assert_eq!((advice.len(), advice[0].changes.len()), (1, 3));
        assert_eq!(
            advice[0].why,
            "seen:* are about 2,700,000 strings of 72 B or less, mostly what a key costs"
        );
        assert_eq!(
            advice[0].evidence[1],
            "an estimate: 106 MiB at 41 B a key, the least that was measured"
        );
        for silent in [tiny(Some(500), 0), tiny(Some(72), 900), Setup::sound()] {
            assert_eq!(silent.rule("encodings.tiny_strings"), []);
        }
        let blind = Setup::sound().info("db0:keys=1000000,expires=0,avg_ttl=0");
        assert_eq!(blind.skipped("encodings.tiny_strings").len(), 1);
    }
}
