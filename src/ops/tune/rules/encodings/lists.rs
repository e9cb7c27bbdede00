//! Lists: how long a piece of one is, and whether its middle is compressed.

use super::sample::{self, Loose};
use crate::model::Severity;
use crate::model::words::{bytes, count, counted};
use crate::ops::tune::case::{Case, NodeCase};
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule};

pub(super) const PIECES: Rule = Rule {
    id: "encodings.list",
    title: "how long a piece of a list is",
    parameters: &["list-max-listpack-size", "list-max-ziplist-size"],
    kind: Kind::Setting,
    why: "A list is a chain of pieces. Long pieces save pointers, and each push, pop or insertion moves what stands behind it: beyond 8 KiB that costs more than it saves. A length in elements says nothing of the bytes, so with large elements the pieces get as large.",
    how: "-2 (8 KiB) where it is -3, -4 or -5 (16 to 64 KiB), and where it is a number of elements that with the elements seen makes pieces of more than 8 KiB",
    cost: "a few more pointers; lists that are there already keep their pieces until they are written anew",
    risk: Risk::Low,
    source: "CONFIG list-max-listpack-size (default -2); lengths of sampled elements (--deep); redis.conf (-3 probably not recommended, -4 not, -5 not for normal work)",
    judge: pieces,
};

pub(super) const COMPRESS: Rule = Rule {
    id: "encodings.list_compress",
    title: "the middle of long lists compressed",
    parameters: &["list-compress-depth"],
    kind: Kind::Setting,
    why: "Of a long list that is only pushed and popped the middle is never touched, and can be kept compressed.",
    how: "1 where half of the sampled lists or more in several pieces have more than 1,000 elements, they take a tenth of the sampled memory, and no command has read or changed the middle of a list since the server started",
    cost: "work at each step from one piece to the next, and for any command that reaches into the middle",
    risk: Risk::Medium,
    source: "OBJECT ENCODING, MEMORY USAGE and LLEN of sampled keys (--deep); INFO commandstats; redis.conf",
    judge: compress,
};

/// 8 KiB: what -2 stands for.
const PIECE: u64 = 8 * 1024;
/// From this many elements on a list has a middle.
const LONG: u64 = 1_000;
/// Lists that take less than this share of the sampled memory are not worth the work, in percent.
const WORTH_PERCENT: u64 = 10;
/// Commands that reach into the middle of a list.
const MIDDLE: &[&str] = &[
    "lindex", "linsert", "lset", "lrem", "lpos", "lrange", "ltrim", "sort",
];
/// Commands that move its ends.
const ENDS: &[&str] = &[
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "blpop",
    "brpop",
    "lmove",
    "blmove",
    "rpoplpush",
    "brpoplpush",
];

const NAMES: [&str; 2] = ["list-max-listpack-size", "list-max-ziplist-size"];

/// The size as CONFIG tells it: below 0 a class of bytes, above a number of elements.
fn size_of(node: &NodeCase) -> Option<(&'static str, i64)> {
    NAMES
        .into_iter()
        .find_map(|name| Some((name, node.setting(name)?.parse().ok()?)))
}

fn pieces(case: &Case) -> Vec<Opinion> {
    let sizes: Vec<(&NodeCase, &'static str, i64)> = (case.nodes.iter())
        .filter_map(|node| size_of(node).map(|(name, size)| (node, name, size)))
        .collect();
    // By classes of bytes nothing has to be seen; a number of elements needs their lengths.
    let mut long: Vec<_> = sizes.iter().filter(|(_, _, size)| *size < -2).collect();
    let mut opinions = Vec::new();
    let mut evidence = vec![format!(
        "{} with pieces of 16 KiB or more",
        counted(long.len(), "node")
    )];
    if sizes.iter().any(|(_, _, size)| *size > 0) {
        match sample::deep(case) {
            Err(skipped) => opinions = skipped,
            Ok(deep) => {
                let lists = sample::loose(&deep, "list", &["quicklist", "listpack", "ziplist"]);
                let is_large = |size: i64| {
                    u64::try_from(size)
                        .is_ok_and(|size| size.saturating_mul(lists.longest_p95) > PIECE)
                };
                long.extend(sizes.iter().filter(|(_, _, size)| is_large(*size)));
                evidence = vec![format!(
                    "elements of up to {} sampled",
                    bytes(lists.longest_p95)
                )];
            }
        }
    }
    let why = "pieces of lists of more than 8 KiB are moved about at each change";
    for name in NAMES {
        let wanted = long
            .iter()
            .filter(|(_, named, _)| *named == name)
            .map(|(node, ..)| (*node, "-2".to_owned()));
        let changes = crate::ops::tune::rule::changes(name, wanted);
        opinions.extend(Opinion::set(
            Severity::Info,
            name,
            changes,
            why,
            evidence.clone(),
        ));
    }
    opinions
}

fn compress(case: &Case) -> Vec<Opinion> {
    let deep = match sample::deep(case) {
        Ok(deep) => deep,
        Err(opinions) => return opinions,
    };
    let lists = sample::loose(&deep, "list", &["quicklist"]);
    let sampled: u64 = (deep.iter())
        .flat_map(|(_, keys)| keys.types.values())
        .flat_map(|seen| seen.encodings.values())
        .map(|seen| seen.memory_bytes)
        .sum();
    let is_worth = lists.memory_bytes > 0 && lists.memory_bytes >= sampled / 100 * WORTH_PERCENT;
    if !is_worth || lists.elements_p50 <= LONG || calls(case, MIDDLE) > 0 || calls(case, ENDS) == 0
    {
        return Vec::new();
    }
    advise_compressing(case, &lists, sampled)
        .into_iter()
        .collect()
}

fn advise_compressing(case: &Case, lists: &Loose, sampled: u64) -> Option<Opinion> {
    let changes = sample::changes_of(case, ["list-compress-depth"; 2], |present| {
        (present == 0).then_some(1)
    });
    let (name, changes) = changes.into_iter().next()?;
    let why = format!(
        "half of the sampled lists have {} elements or more, and only their ends are touched",
        count(lists.elements_p50)
    );
    let evidence = vec![
        format!(
            "lists take {} % of the sampled memory",
            lists.memory_bytes * 100 / sampled.max(1)
        ),
        format!(
            "{} calls that push or pop since the servers started, none that reads or changes the middle",
            count(calls(case, ENDS))
        ),
        "how well the elements compress was not measured".to_owned(),
    ];
    Opinion::set(Severity::Info, name, changes, why, evidence)
}

/// Since the servers started, on all nodes.
fn calls(case: &Case, commands: &[&str]) -> u64 {
    let of = |node: &NodeCase, name: &str| -> Option<u64> {
        node.info()
            .field(&format!("cmdstat_{name}"), "calls")?
            .parse()
            .ok()
    };
    let each = case
        .nodes
        .iter()
        .flat_map(|node| commands.iter().filter_map(move |name| of(node, name)));
    each.sum()
}

#[cfg(test)]
mod tests {
    use crate::model::{EncodingSeen, KeysSeen, Spread, TypeSeen};
    use crate::ops::tune::testing::Setup;

    fn lists(elements: u64, longest: u64) -> KeysSeen {
        let seen = EncodingSeen {
            count: 50,
            memory_bytes: 5_000_000,
            elements: Spread::of([elements]),
            longest_bytes: Spread::of([longest]),
        };
        let lists = TypeSeen {
            count: 50,
            encodings: [("quicklist".to_owned(), seen)].into(),
            ..TypeSeen::default()
        };
        KeysSeen {
            sampled: 100,
            keys: 1_000,
            is_deep: true,
            types: [("list".to_owned(), lists)].into(),
            ..KeysSeen::default()
        }
    }

    fn told(setup: &Setup, rule: &str) -> Vec<(String, usize, String)> {
        let each = setup.rule(rule);
        each.iter()
            .map(|one| {
                (
                    one.parameter.clone(),
                    one.changes.len(),
                    one.changes[0].proposed.clone(),
                )
            })
            .collect()
    }

    #[test]
    fn pieces_that_are_too_long_are_shortened() {
        let pieces = |setup: Setup| told(&setup, "encodings.list");
        assert_eq!(pieces(Setup::sound()), []);
        let wanted = [("list-max-listpack-size".to_owned(), 6, "-2".to_owned())];
        assert_eq!(
            pieces(Setup::sound().config("list-max-listpack-size", "-5")),
            wanted
        );
        let by_number = || Setup::sound().config("list-max-listpack-size", "128");
        assert_eq!(pieces(by_number().keys(&lists(500, 4_000))), wanted);
        assert_eq!(pieces(by_number().keys(&lists(500, 30))), []);
        let blind = by_number().info("db0:keys=1000,expires=0,avg_ttl=0");
        assert_eq!(blind.skipped("encodings.list").len(), 1);
        let old = Setup::sound()
            .without("list-max-listpack-size")
            .config("list-max-ziplist-size", "-4");
        assert_eq!(pieces(old)[0].0, "list-max-ziplist-size");
    }

    #[test]
    fn long_lists_of_which_only_the_ends_are_touched_are_compressed() {
        let pushed = || {
            Setup::sound()
                .keys(&lists(5_000, 30))
                .info("cmdstat_lpush:calls=900,usec=1\ncmdstat_rpop:calls=800,usec=1")
        };
        let compressed = |setup: Setup| told(&setup, "encodings.list_compress");
        assert_eq!(
            compressed(pushed()),
            [("list-compress-depth".to_owned(), 6, "1".to_owned())]
        );
        assert_eq!(
            compressed(pushed().info_of(4, "cmdstat_lrange:calls=3,usec=1")),
            []
        );
        assert_eq!(compressed(pushed().keys(&lists(500, 30))), []);
        assert_eq!(compressed(pushed().config("list-compress-depth", "2")), []);
        assert_eq!(compressed(Setup::sound().keys(&lists(5_000, 30))), []);
        let blind = Setup::sound().info("db0:keys=1000,expires=0,avg_ttl=0");
        assert_eq!(blind.skipped("encodings.list_compress").len(), 1);
    }
}
