//! Up to which size hashes, sorted sets and sets are kept in one piece: from the sizes really seen,
//! with what it would save at the least, and what an access would cost.

use super::sample::{self, FEW, Loose};
use crate::model::words::{bytes, count, duration, plural};
use crate::model::{Severity, Vendor};
use crate::ops::tune::case::Case;
use crate::ops::tune::report::{Kind, Risk};
use crate::ops::tune::rule::{Opinion, Rule};
use std::time::Duration;

pub(super) const HASH: Rule = Rule {
    id: "encodings.hash",
    title: "up to which size hashes are kept in one piece",
    parameters: &[
        "hash-max-listpack-entries",
        "hash-max-listpack-value",
        "hash-max-ziplist-entries",
        "hash-max-ziplist-value",
    ],
    how: "the least values that take in 95 % of the sampled hashes in hashtable encoding, at most 1,000 fields of at most 256 bytes; only where it saves 1 % of the memory or more and searching takes less than 10 % of a core. A threshold over that which long hashes make use of is lowered to 1,000",
    judge: |case| packed(case, &Packed::HASH),
    ..PLAIN
};

pub(super) const ZSET: Rule = Rule {
    id: "encodings.zset",
    title: "up to which size sorted sets are kept in one piece",
    parameters: &[
        "zset-max-listpack-entries",
        "zset-max-listpack-value",
        "zset-max-ziplist-entries",
        "zset-max-ziplist-value",
    ],
    how: "the least values that take in 95 % of the sampled sorted sets in skiplist encoding, at most 256 members of at most 128 bytes; only where it saves 1 % of the memory or more and searching takes less than 10 % of a core. A threshold over that which long sorted sets make use of is lowered to 256",
    judge: |case| packed(case, &Packed::ZSET),
    ..PLAIN
};

pub(super) const SET: Rule = Rule {
    id: "encodings.set",
    title: "up to which size sets are kept in one piece",
    parameters: &["set-max-listpack-entries", "set-max-listpack-value"],
    how: "the least values that take in 95 % of the sampled sets in hashtable encoding, at most 256 members of at most 128 bytes; only where it saves 1 % of the memory or more and searching takes less than 10 % of a core (Redis and Valkey from 7.2 on). A threshold over that which long sets make use of is lowered to 256",
    judge: |case| packed(case, &Packed::SET),
    ..PLAIN
};

const PLAIN: Rule = Rule {
    id: "",
    title: "",
    parameters: &[],
    kind: Kind::Setting,
    why: "A small collection in one piece (a listpack) takes a fraction of what a table or a skip list takes, for it has no pointers. Each access walks through it, so it gets slower with every element.",
    how: "",
    cost: "accesses take longer, about 0.1 us for each element; keys that are there already change their encoding when they are written anew, or at a restart",
    risk: Risk::Low,
    source: "OBJECT ENCODING, MEMORY USAGE and sizes of sampled keys (--deep); savings and times measured on Redis 6.2, 7.0 and 8.2 and Valkey 8.0 and 9.1 with 130 to 1,000 elements of 8 to 100 bytes",
    judge: |_| Vec::new(),
};

/// What there is to know of one type.
struct Packed {
    kind: &'static str,
    words: (&'static str, &'static str),
    elements: &'static str,
    encoding: &'static str,
    entries: [&'static str; 2],
    value: [&'static str; 2],
    /// The most elements, and the longest, that may be kept in one piece.
    most: (u64, u64),
    /// Bytes that an element saves at the least, of Redis and of Valkey, as measured.
    saved: (u64, u64),
    /// Commands that search.
    commands: &'static [&'static str],
}

impl Packed {
    const HASH: Packed = Packed {
        kind: "hash",
        words: ("hash", "hashes"),
        elements: "fields",
        encoding: "hashtable",
        entries: ["hash-max-listpack-entries", "hash-max-ziplist-entries"],
        value: ["hash-max-listpack-value", "hash-max-ziplist-value"],
        most: (1_000, 256),
        saved: (31, 18),
        commands: &[
            "hget",
            "hset",
            "hmget",
            "hmset",
            "hexists",
            "hdel",
            "hincrby",
            "hincrbyfloat",
            "hsetnx",
            "hstrlen",
        ],
    };
    const ZSET: Packed = Packed {
        kind: "zset",
        words: ("sorted set", "sorted sets"),
        elements: "members",
        encoding: "skiplist",
        entries: ["zset-max-listpack-entries", "zset-max-ziplist-entries"],
        value: ["zset-max-listpack-value", "zset-max-ziplist-value"],
        most: (256, 128),
        saved: (45, 42),
        commands: &[
            "zadd",
            "zscore",
            "zrank",
            "zrevrank",
            "zincrby",
            "zrem",
            "zmscore",
            "zcount",
            "zrangebyscore",
            "zrevrangebyscore",
        ],
    };
    const SET: Packed = Packed {
        kind: "set",
        words: ("set", "sets"),
        elements: "members",
        encoding: "hashtable",
        // Servers before 7.2 keep only sets of whole numbers in one piece.
        entries: ["set-max-listpack-entries", "set-max-listpack-entries"],
        value: ["set-max-listpack-value", "set-max-listpack-value"],
        most: (256, 128),
        saved: (28, 10),
        commands: &["sadd", "srem", "sismember", "smismember", "smove"],
    };

    fn many(&self, number: u64) -> String {
        plural(number as usize, self.words.0, self.words.1)
    }
}

/// A walk over one element, as measured, noise and all.
const STEP: Duration = Duration::from_nanos(100);
/// Walks may take so much of a core, in percent.
const MOST_WALKED: f64 = 10.0;
/// Less than this share of the memory is not worth a change.
const WORTH_PERCENT: u64 = 1;

fn packed(case: &Case, of: &Packed) -> Vec<Opinion> {
    if case
        .nodes
        .iter()
        .all(|node| of.entries.iter().all(|name| node.setting(name).is_none()))
    {
        return Vec::new();
    }
    let deep = match sample::deep(case) {
        Ok(deep) => deep,
        Err(opinions) => return opinions,
    };
    let too_long = sample::loose(&deep, of.kind, &["listpack", "ziplist", "listpackex"]);
    if too_long.elements_max > of.most.0 {
        return lower(case, of, &too_long);
    }
    let loose = sample::loose(&deep, of.kind, &[of.encoding]);
    if loose.count == 0 {
        return Vec::new();
    }
    if loose.of_type < FEW {
        let seen = of.many(loose.of_type);
        return vec![sample::skip(
            case,
            format!("{seen} in the samples, and fewer than {FEW} show nothing"),
        )];
    }
    raise(case, of, &loose)
}

fn lower(case: &Case, of: &Packed, long: &Loose) -> Vec<Opinion> {
    let most = of.most.0;
    let changes = sample::changes_of(case, of.entries, |present| (present > most).then_some(most));
    let why = format!(
        "{} of up to {} {} are kept in one piece, and each access walks through it, for up to {}",
        of.words.1,
        count(long.elements_max),
        of.elements,
        duration(STEP.saturating_mul(u32::try_from(long.elements_max).unwrap_or(u32::MAX)))
    );
    let evidence = vec![format!(
        "{} sampled in one piece, the longest of {} {}",
        of.many(long.count),
        count(long.elements_max),
        of.elements
    )];
    let set = |(name, changes)| {
        Opinion::set(
            Severity::Warning,
            name,
            changes,
            why.clone(),
            evidence.clone(),
        )
    };
    changes.into_iter().filter_map(set).collect()
}

fn raise(case: &Case, of: &Packed, loose: &Loose) -> Vec<Opinion> {
    // Steps of 16, and the next power of two: only a few elements of each were measured.
    let entries = loose.elements_p95.div_ceil(16).saturating_mul(16);
    let value = loose.longest_p95.clamp(1, 1 << 40).next_power_of_two();
    let is_small = loose.elements_p95 > 0 && loose.elements_p95 <= of.most.0 && value <= of.most.1;
    let saved = saving(case, of, loose);
    if !is_small || saved < worth(case) {
        return Vec::new();
    }
    let entries = entries.min(of.most.0);
    let per_access = STEP.saturating_mul(entries as u32);
    let calls = sample::busiest_calls(case, of.commands);
    let walked = calls.map(|calls| calls * per_access.as_secs_f64() * 100.0);
    if let Some(walked) = walked.filter(|walked| *walked > MOST_WALKED) {
        return vec![sample::skip(
            case,
            format!(
                "{} could be saved at the least, but the searches made now would take {walked:.0} % of a core: try it first",
                bytes(saved)
            ),
        )];
    }
    let why = format!(
        "{} % of the sampled {} are just too large for one piece; kept in one they would save {} at the least",
        loose.count * 100 / loose.of_type,
        of.words.1,
        bytes(saved)
    );
    let evidence = numbers(case, of, loose, per_access, walked);
    let larger = |wanted: u64| move |present: u64| (present < wanted).then_some(wanted);
    let mut changes = sample::changes_of(case, of.entries, larger(entries));
    changes.extend(sample::changes_of(case, of.value, larger(value)));
    let set = |(name, changes)| {
        Opinion::set(Severity::Info, name, changes, why.clone(), evidence.clone())
    };
    changes.into_iter().filter_map(set).collect()
}

/// The numbers of a raise, a line each.
fn numbers(
    case: &Case,
    of: &Packed,
    loose: &Loose,
    per_access: Duration,
    walked: Option<f64>,
) -> Vec<String> {
    vec![
        format!(
            "{} in {} encoding sampled, 95 % of them with {} {} or fewer, of up to {} as far as a few of each show",
            of.many(loose.count),
            of.encoding,
            count(loose.elements_p95),
            of.elements,
            bytes(loose.longest_p95)
        ),
        format!(
            "an estimate: {} of them in all by the samples' share, {} {} at the least, and {} saved for each, the least that was measured",
            count(loose.keys),
            count(loose.elements_at_least),
            of.elements,
            bytes(per_element(case, of))
        ),
        match walked {
            Some(walked) => format!(
                "an access takes up to {}; those of the sample would take {walked:.1} % of a core",
                duration(per_access)
            ),
            None => format!(
                "an access takes up to {}; how many there are needs two samples",
                duration(per_access)
            ),
        },
    ]
}

fn per_element(case: &Case, of: &Packed) -> u64 {
    let is_valkey = case.masters().any(|node| node.vendor() == Vendor::Valkey);
    if is_valkey { of.saved.1 } else { of.saved.0 }
}

/// Of the elements that there are at the least; a tenth is taken off, for a twentieth of the keys may
/// be too long and another too wide.
fn saving(case: &Case, of: &Packed, loose: &Loose) -> u64 {
    (loose.elements_at_least / 10 * 9).saturating_mul(per_element(case, of))
}

fn worth(case: &Case) -> u64 {
    let used: u64 = case
        .masters()
        .filter_map(|node| node.number("used_memory"))
        .sum();
    (used / 100 * WORTH_PERCENT).max(1)
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
