//! Sets of whole numbers, which have an encoding of their own.

use super::sample::{self, FEW};
use crate::model::words::{bytes, count};
use crate::model::{Severity, Vendor};
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule};

pub(super) const INTEGERS: Rule = Rule {
    id: "encodings.integers",
    title: "up to which size sets of whole numbers are kept in one piece",
    parameters: &["set-max-intset-entries"],
    kind: Kind::Setting,
    why: "A set of whole numbers in one sorted piece takes a tenth of what a table of them takes, and is searched by halves. Where such sets end just above the threshold most of them may lie beyond it.",
    how: "1,024 where intsets reach up to nine tenths of the present threshold, and 95 % of the sampled sets in hashtable encoding have no member longer than a number and no more than 1,024 members",
    cost: "adding to a set moves up to 8 KiB; sets that are there already change when they are written anew, or at a restart",
    risk: Risk::Low,
    source: "OBJECT ENCODING and sizes of sampled keys (--deep); savings measured on Redis 6.2, 7.0 and 8.2 and Valkey 8.0 and 9.1 with 600 and 1,000 members",
    judge: integers,
};

/// The most members that are proposed.
const MOST: u64 = 1_024;
/// As long as a 64-bit number with its sign gets.
const DIGITS: u64 = 20;
/// Bytes that a member saves at the least, of Redis and of Valkey, as measured.
const SAVED: (u64, u64) = (36, 17);

fn integers(case: &Case) -> Vec<Opinion> {
    let deep = match sample::deep(case) {
        Ok(deep) => deep,
        Err(opinions) => return opinions,
    };
    let packed = sample::loose(&deep, "set", &["intset"]);
    let loose = sample::loose(&deep, "set", &["hashtable"]);
    if loose.count == 0 || packed.count == 0 {
        return Vec::new();
    }
    if loose.of_type < FEW {
        let reason = format!(
            "{} sets in the samples, and fewer than {FEW} show nothing",
            count(loose.of_type)
        );
        return vec![sample::skip(case, reason)];
    }
    let looks_whole = loose.longest_p95 > 0 && loose.longest_p95 <= DIGITS;
    if !looks_whole || loose.elements_p95 > MOST {
        return Vec::new();
    }
    let is_reached =
        |present: u64| packed.elements_max.saturating_mul(10) >= present.saturating_mul(9);
    let names = ["set-max-intset-entries"; 2];
    let changes = sample::changes_of(case, names, |present| {
        (present < MOST && is_reached(present)).then_some(MOST)
    });
    let is_valkey = case.masters().any(|node| node.vendor() == Vendor::Valkey);
    let each = if is_valkey { SAVED.1 } else { SAVED.0 };
    let why = format!(
        "sets of up to {} members are kept as whole numbers, and {} beyond that look alike",
        count(packed.elements_max),
        count(loose.keys)
    );
    let evidence = vec![
        format!(
            "{} sets in hashtable encoding sampled, 95 % of them with {} members or fewer, of up to {}",
            count(loose.count),
            count(loose.elements_p95),
            bytes(loose.longest_p95)
        ),
        format!(
            "an estimate: if all are of whole numbers, {} members at the least would save {}",
            count(loose.elements_at_least),
            bytes(loose.elements_at_least.saturating_mul(each))
        ),
    ];
    let set = |(name, changes)| {
        Opinion::set(Severity::Info, name, changes, why.clone(), evidence.clone())
    };
    changes.into_iter().filter_map(set).collect()
}

#[cfg(test)]
mod tests {
    use crate::model::{EncodingSeen, KeysSeen, Spread, TypeSeen};
    use crate::ops::tune::testing::Setup;

    fn sets(packed: u64, loose: u64, longest: u64) -> KeysSeen {
        let of = |most: u64, longest: u64| EncodingSeen {
            count: 100,
            memory_bytes: 1,
            elements: Spread::of([most / 2, most]),
            longest_bytes: Spread::of([longest]),
        };
        let encodings = [
            ("intset".to_owned(), of(packed, 6)),
            ("hashtable".to_owned(), of(loose, longest)),
        ];
        let sets = TypeSeen {
            count: 200,
            encodings: encodings.into(),
            ..TypeSeen::default()
        };
        KeysSeen {
            sampled: 200,
            keys: 20_000,
            is_deep: true,
            types: [("set".to_owned(), sets)].into(),
            ..KeysSeen::default()
        }
    }

    #[test]
    fn sets_of_numbers_just_beyond_the_threshold_are_taken_in() {
        let told = |keys: &KeysSeen| {
            let advice = Setup::sound().keys(keys).rule("encodings.integers");
            advice.first().map(|one| one.changes[0].proposed.clone())
        };
        assert_eq!(told(&sets(500, 900, 6)).as_deref(), Some("1024"));
        // The small ones do not reach the threshold; the large are no numbers; or too many.
        assert_eq!(told(&sets(100, 900, 6)), None);
        assert_eq!(told(&sets(500, 900, 36)), None);
        assert_eq!(told(&sets(500, 5_000, 6)), None);
        let larger = Setup::sound()
            .config("set-max-intset-entries", "1024")
            .keys(&sets(1_000, 900, 6));
        assert_eq!(larger.rule("encodings.integers"), []);
        let blind = Setup::sound().info("db0:keys=1000,expires=0,avg_ttl=0");
        assert_eq!(blind.skipped("encodings.integers").len(), 1);
    }
}
