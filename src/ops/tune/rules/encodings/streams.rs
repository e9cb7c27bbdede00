//! Streams: how much one node of their tree takes.

use super::sample::{self, Loose};
use crate::model::Severity;
use crate::model::words::{bytes, count};
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule};

pub(super) const STREAM: Rule = Rule {
    id: "encodings.stream",
    title: "how much one node of a stream takes",
    parameters: &["stream-node-max-bytes", "stream-node-max-entries"],
    kind: Kind::Setting,
    why: "A stream is a tree whose nodes hold some entries each, by bytes and by number. With large entries a node holds a handful, and the tree is most of the work; with tiny ones the number is met long before the bytes.",
    how: "stream-node-max-bytes 8192 where an entry takes more than 400 bytes on average, 16384 where it takes more than 800; stream-node-max-entries 200 where it takes less than 40 bytes; only with 1,000 entries or more in all, and by bounds that hold however the sizes are spread",
    cost: "an access into the middle of a node walks through more",
    risk: Risk::Low,
    source: "MEMORY USAGE and XLEN of sampled keys (--deep); redis.conf (4096 bytes, 100 entries)",
    judge: stream,
};

/// Fewer entries than these are mostly the tree itself.
const ENOUGH: u64 = 1_000;
/// A node of the default size holds ten of the first and five of the second, in bytes.
const LARGE: (u64, u64) = (400, 800);
/// A node of the default size holds a hundred of these, in bytes.
const TINY: u64 = 40;

fn stream(case: &Case) -> Vec<Opinion> {
    let deep = match sample::deep(case) {
        Ok(deep) => deep,
        Err(opinions) => return opinions,
    };
    let streams = sample::loose(&deep, "stream", &["stream"]);
    let Some((least, most)) = entry_bytes(&streams) else {
        return Vec::new();
    };
    let (name, wanted): (&'static str, u64) = match (least, most) {
        (least, _) if least > LARGE.1 => ("stream-node-max-bytes", 16_384),
        (least, _) if least > LARGE.0 => ("stream-node-max-bytes", 8_192),
        (_, most) if most < TINY => ("stream-node-max-entries", 200),
        _ => return Vec::new(),
    };
    // 0 is no limit, for both.
    let changes = sample::changes_of(case, [name; 2], |present| {
        (present > 0 && present < wanted).then_some(wanted)
    });
    let why = match name {
        "stream-node-max-bytes" => format!(
            "an entry takes {} or more on average, so a node of a stream holds but a few",
            bytes(least)
        ),
        _ => format!(
            "an entry takes {} or less on average, so a node of a stream is full by number long before it is by bytes",
            bytes(most)
        ),
    };
    let evidence = vec![format!(
        "{} sampled, {} entries or more in all such, {} to {} each on average",
        crate::model::words::counted(streams.count as usize, "stream"),
        count(streams.elements_at_least),
        bytes(least),
        bytes(most)
    )];
    let set = |(name, changes)| {
        Opinion::set(Severity::Info, name, changes, why.clone(), evidence.clone())
    };
    changes.into_iter().filter_map(set).collect()
}

/// What an entry takes on average, at the least and at the most; `None` of too few.
fn entry_bytes(streams: &Loose) -> Option<(u64, u64)> {
    if streams.count == 0 || streams.elements_at_least < ENOUGH {
        return None;
    }
    // The elements are of all keys, the bytes of those in the sample.
    let memory =
        u128::from(streams.memory_bytes) * u128::from(streams.keys) / u128::from(streams.count);
    let of = |entries: u64| (memory / u128::from(entries.max(1))) as u64;
    Some((of(streams.elements_at_most), of(streams.elements_at_least)))
}

#[cfg(test)]
mod tests {
    use crate::model::{EncodingSeen, KeysSeen, Spread, TypeSeen};
    use crate::ops::tune::testing::Setup;

    fn streams(entries: u64, each: u64) -> KeysSeen {
        let seen = EncodingSeen {
            count: 10,
            memory_bytes: 10 * entries * each,
            elements: Spread::of([entries]),
            ..EncodingSeen::default()
        };
        let streams = TypeSeen {
            count: 10,
            encodings: [("stream".to_owned(), seen)].into(),
            ..TypeSeen::default()
        };
        KeysSeen {
            sampled: 100,
            keys: 1_000,
            is_deep: true,
            types: [("stream".to_owned(), streams)].into(),
            ..KeysSeen::default()
        }
    }

    #[test]
    fn nodes_hold_what_entries_ask_for() {
        for (each, wanted) in [
            (1_000, Some(("stream-node-max-bytes", "16384"))),
            (500, Some(("stream-node-max-bytes", "8192"))),
            (100, None),
            (20, Some(("stream-node-max-entries", "200"))),
        ] {
            let advice = Setup::sound()
                .keys(&streams(5_000, each))
                .rule("encodings.stream");
            let told = advice
                .first()
                .map(|one| (one.parameter.as_str(), one.changes[0].proposed.as_str()));
            assert_eq!(told, wanted, "{each}");
        }
        assert_eq!(
            Setup::sound()
                .keys(&streams(3, 1_000))
                .rule("encodings.stream"),
            []
        );
        let open = Setup::sound()
            .config("stream-node-max-bytes", "0")
            .keys(&streams(5_000, 1_000));
        assert_eq!(open.rule("encodings.stream"), []);
        let blind = Setup::sound().info("db0:keys=1000,expires=0,avg_ttl=0");
        assert_eq!(blind.skipped("encodings.stream").len(), 1);
    }
}
