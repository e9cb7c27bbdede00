//! Hashes with the same fields, whose names can be kept once (Redis 8.10).

use super::sample::{self, FEW, Loose};
use crate::model::Severity;
use crate::model::words::count;
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule, changes};

pub(super) const TEMPLATES: Rule = Rule {
    id: "encodings.templates",
    title: "field names of like hashes kept once",
    parameters: &[
        "hash-rdb-load-min-template-entries",
        "hash-rdb-load-template-disassembly-threshold",
    ],
    kind: Kind::Setting,
    why: "Many hashes with the same fields keep the names of the fields again in each. From Redis 8.10 on a server can keep the names once; while it loads an RDB file it finds out by itself which hashes are alike, and gives up where too few are.",
    how: "the middle number of fields less one, at least 3, where 100 hashes or more were sampled and 95 % of them have that number or one more; names kept only where 100 hashes or more share them; only where every node knows the settings and they are 0",
    cost: "a new encoding, which older servers cannot load; it takes effect at the next start from an RDB file without such hashes",
    risk: Risk::Medium,
    source: "OBJECT ENCODING and HLEN of sampled keys (--deep); redis.io/docs on compact hashes (8.10); how much it saves was not measured",
    judge: templates,
};

/// Hashes with fewer fields have next to nothing to share.
const LEAST: u64 = 3;
/// Names that fewer hashes share are not worth a table, for the server's own safety valve.
const SHARED: &str = "100";

fn templates(case: &Case) -> Vec<Opinion> {
    let name = "hash-rdb-load-min-template-entries";
    if case
        .nodes
        .iter()
        .all(|node| node.setting(name) != Some("0"))
    {
        return Vec::new();
    }
    let deep = match sample::deep(case) {
        Ok(deep) => deep,
        Err(opinions) => return opinions,
    };
    let hashes = sample::loose(&deep, "hash", &["listpack", "hashtable"]);
    let like = |seen: &Loose| {
        let is_many = seen.count >= FEW;
        is_many && seen.elements_p50 >= LEAST && seen.elements_p95 <= seen.elements_p50 + 1
    };
    if !like(&hashes) {
        return Vec::new();
    }
    // A server that loads what an older one cannot must not have one for a replica.
    if case.nodes.iter().any(|node| node.setting(name).is_none()) {
        let reason =
            "some nodes do not know compact hashes, and could not follow one that uses them";
        return vec![sample::skip(case, reason)];
    }
    let why = format!(
        "{} sampled hashes have {} fields each, and each keeps their names",
        count(hashes.count),
        hashes.elements_p50
    );
    let evidence = vec![
        format!("{} such hashes by the samples' share", count(hashes.keys)),
        "that the numbers of fields are alike is seen, that their names are is not; the server looks itself".to_owned(),
    ];
    let set = |name: &'static str, value: String| {
        let wanted = case
            .nodes
            .iter()
            .filter(|node| node.setting(name) == Some("0"));
        let changes = changes(name, wanted.map(|node| (node, value.clone())));
        Opinion::set(Severity::Info, name, changes, why.clone(), evidence.clone())
    };
    let least = hashes.elements_p50.saturating_sub(1).max(LEAST).to_string();
    let both = [
        set(name, least),
        set(
            "hash-rdb-load-template-disassembly-threshold",
            SHARED.to_owned(),
        ),
    ];
    both.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use crate::model::{EncodingSeen, KeysSeen, Spread, TypeSeen};
    use crate::ops::tune::testing::Setup;

    const NAME: &str = "hash-rdb-load-min-template-entries";

    fn hashes(fields: &[u64]) -> KeysSeen {
        let seen = EncodingSeen {
            count: 200,
            memory_bytes: 1,
            elements: Spread::of(fields.iter().copied()),
            ..EncodingSeen::default()
        };
        let hashes = TypeSeen {
            count: 200,
            encodings: [("listpack".to_owned(), seen)].into(),
            ..TypeSeen::default()
        };
        KeysSeen {
            sampled: 200,
            keys: 2_000,
            is_deep: true,
            types: [("hash".to_owned(), hashes)].into(),
            ..KeysSeen::default()
        }
    }

    #[test]
    fn like_hashes_may_share_the_names_of_their_fields() {
        let known = || {
            Setup::sound()
                .config(NAME, "0")
                .config("hash-rdb-load-template-disassembly-threshold", "0")
        };
        let advice = known()
            .keys(&hashes(&[23, 23, 23]))
            .rule("encodings.templates");
        let told: Vec<_> = advice
            .iter()
            .map(|one| (one.parameter.as_str(), one.changes[0].proposed.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (NAME, "22"),
                ("hash-rdb-load-template-disassembly-threshold", "100")
            ]
        );
        assert_eq!(
            known()
                .keys(&hashes(&[3, 20, 90]))
                .rule("encodings.templates"),
            []
        );
        assert_eq!(
            Setup::sound()
                .keys(&hashes(&[23]))
                .rule("encodings.templates"),
            []
        );
        // A mixed cluster: a replica of an older version could not follow.
        let mixed = known().keys(&hashes(&[23])).facts(4, |facts| {
            facts.config.remove(NAME);
        });
        assert_eq!(mixed.rule("encodings.templates"), []);
        assert_eq!(mixed.skipped("encodings.templates").len(), 1);
    }
}
