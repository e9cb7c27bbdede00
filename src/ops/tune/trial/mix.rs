//! The load: which commands in which shares. Made from the families of keys and from the counters of
//! the cluster's own commands, or as a file has it.
//!
//! Counters know how often each command was called, not in which order or on which keys: what is made
//! of them has the shares of the recorded load, and is no replay of it.

use std::collections::BTreeMap;

use super::shape::{Shape, Type};
use super::words::Line;
use crate::ops::tune::case::Case;

/// Writes among all commands where the cluster's counters do not tell, in percent.
const WRITES_PERCENT: f64 = 20.0;
/// From so many calls between the two samples on these count; below, those since the start.
const ENOUGH: u64 = 1_000;

/// What a load is made from.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Every family by its share of the keys, read and written as the cluster's commands are.
    Synthetic,
    /// The commands of the cluster in the shares in which its counters have them.
    Recorded,
    /// As somebody wrote it.
    File(Vec<Written>),
}

/// A line of a load file.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The command, with room for keys and values.
    pub command: String,
    /// How often, against the others.
    pub weight: f64,
}

/// What is sent, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its command, for people.
    pub name: String,
    /// How often, against the others; above 0.
    pub weight: f64,
    /// What is sent.
    pub line: Line,
}

/// A load that can be run.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    /// At least one.
    pub steps: Vec<Step>,
    /// What it is, in a sentence.
    pub about: String,
}

/// A command that can be made for keys of a type.
struct Verb {
    name: &'static str,
    kind: Type,
    is_write: bool,
    line: &'static str,
    /// The one that stands for all reads or writes of its type.
    is_first: bool,
}

const fn verb(kind: Type, name: &'static str, is_write: bool, line: &'static str) -> Verb {
    Verb {
        name,
        kind,
        is_write,
        line,
        is_first: false,
    }
}

const fn first(kind: Type, name: &'static str, is_write: bool, line: &'static str) -> Verb {
    Verb {
        is_first: true,
        ..verb(kind, name, is_write, line)
    }
}

/// What grows a list takes as much away again; nothing makes the data larger or smaller for long.
const VERBS: &[Verb] = &[
    first(Type::String, "get", false, "GET {key}"),
    first(Type::String, "set", true, "SET {key} {value} KEEPTTL"),
    verb(Type::String, "setex", true, "SETEX {key} 3600 {value}"),
    verb(Type::String, "mget", false, "MGET {key} {key}"),
    verb(Type::String, "strlen", false, "STRLEN {key}"),
    verb(Type::String, "exists", false, "EXISTS {key}"),
    verb(Type::String, "del", true, "DEL {key} ; SET {key} {value}"),
    verb(
        Type::String,
        "unlink",
        true,
        "UNLINK {key} ; SET {key} {value}",
    ),
    first(Type::Hash, "hget", false, "HGET {key} {member}"),
    first(Type::Hash, "hset", true, "HSET {key} {member} {value}"),
    verb(Type::Hash, "hmget", false, "HMGET {key} {member} {member}"),
    verb(Type::Hash, "hmset", true, "HMSET {key} {member} {value}"),
    verb(Type::Hash, "hgetall", false, "HGETALL {key}"),
    verb(Type::Hash, "hexists", false, "HEXISTS {key} {member}"),
    first(Type::List, "lrange", false, "LRANGE {key} 0 9"),
    first(
        Type::List,
        "lpush",
        true,
        "LPUSH {key} {value} ; RPOP {key}",
    ),
    verb(
        Type::List,
        "rpush",
        true,
        "RPUSH {key} {value} ; LPOP {key}",
    ),
    verb(Type::List, "lindex", false, "LINDEX {key} {number:10}"),
    verb(Type::List, "llen", false, "LLEN {key}"),
    first(Type::Set, "sismember", false, "SISMEMBER {key} {member}"),
    first(Type::Set, "sadd", true, "SADD {key} {member}"),
    verb(Type::Set, "smembers", false, "SMEMBERS {key}"),
    first(Type::Zset, "zrange", false, "ZRANGE {key} 0 9"),
    first(
        Type::Zset,
        "zadd",
        true,
        "ZADD {key} {number:1000000} {member}",
    ),
    verb(Type::Zset, "zincrby", true, "ZINCRBY {key} 1 {member}"),
    verb(Type::Zset, "zrevrange", false, "ZREVRANGE {key} 0 9"),
    verb(Type::Zset, "zscore", false, "ZSCORE {key} {member}"),
    verb(Type::Zset, "zrank", false, "ZRANK {key} {member}"),
    first(Type::Stream, "xrange", false, "XRANGE {key} - + COUNT 10"),
    first(
        Type::Stream,
        "xadd",
        true,
        "XADD {key} MAXLEN ~ 1000 * field {value}",
    ),
];

/// How often each command was called on the masters: between the samples where that is enough, else
/// since they started. Names in lower case, without subcommands.
pub fn calls(case: &Case) -> (BTreeMap<String, u64>, bool) {
    let mut lately: BTreeMap<String, u64> = BTreeMap::new();
    let mut ever: BTreeMap<String, u64> = BTreeMap::new();
    for node in case.masters() {
        for (name, _) in node.info().with_prefix("cmdstat_") {
            let calls = |info: &crate::model::Info| -> u64 {
                let calls = info.field(&format!("cmdstat_{name}"), "calls");
                calls.and_then(|text| text.parse().ok()).unwrap_or(0)
            };
            let name = name.to_owned();
            let now = calls(node.info());
            if node.facts.later.is_some() {
                let grown = now.saturating_sub(calls(&node.facts.info));
                *lately.entry(name.clone()).or_default() += grown;
            }
            *ever.entry(name).or_default() += now;
        }
    }
    let is_lately = |calls: &BTreeMap<String, u64>| {
        let known = calls
            .iter()
            .filter(|(name, _)| VERBS.iter().any(|verb| verb.name == *name));
        known.map(|(_, calls)| calls).sum::<u64>() >= ENOUGH
    };
    match is_lately(&lately) {
        true => (lately, true),
        false => (ever, false),
    }
}

impl Mix {
    /// Makes a load. The error says what is wrong with it.
    pub fn of(
        load: &Load,
        shape: &Shape,
        (calls, is_lately): (&BTreeMap<String, u64>, bool),
    ) -> Result<Mix, String> {
        let mix = match load {
            Load::Synthetic => synthetic(shape, calls),
            Load::Recorded => recorded(shape, calls, is_lately)?,
            Load::File(lines) => written(shape, lines)?,
        };
        match mix.steps.is_empty() {
            true => Err("no command of it can be made for the keys that were seen".to_owned()),
            false => Ok(mix),
        }
    }

    /// Each command and how often, in percent, the commonest first; what is the same is one.
    pub fn shares(&self) -> Vec<(String, f64)> {
        let all: f64 = self.steps.iter().map(|step| step.weight).sum();
        let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
        for step in &self.steps {
            *shares.entry(&step.name).or_default() += step.weight * 100.0 / all;
        }
        let mut shares: Vec<(String, f64)> = (shares.into_iter())
            .map(|(name, share)| (name.to_owned(), share))
            .collect();
        shares.sort_by(|one, other| other.1.total_cmp(&one.1));
        shares
    }
}

fn step(verb: &Verb, place: usize, weight: f64, shape: &Shape) -> Option<Step> {
    let line = Line::of(verb.line, shape, place).ok()?;
    Some(Step {
        name: verb.name.to_ascii_uppercase(),
        weight,
        line,
    })
}

fn synthetic(shape: &Shape, calls: &BTreeMap<String, u64>) -> Mix {
    let of = |is_write| -> u64 {
        let verbs = VERBS.iter().filter(|verb| verb.is_write == is_write);
        verbs.filter_map(|verb| calls.get(verb.name)).sum()
    };
    let (reads, writes) = (of(false), of(true));
    let (percent, how) = match reads + writes {
        0 => (
            WRITES_PERCENT,
            "the usual share, for the counters tell none",
        ),
        all => (
            writes as f64 * 100.0 / all as f64,
            "as the cluster's counters have it",
        ),
    };
    let keys = shape.keys().max(1) as f64;
    let mut steps = Vec::new();
    for (place, group) in shape.groups.iter().enumerate() {
        let verbs = VERBS
            .iter()
            .filter(|verb| verb.kind == group.kind && verb.is_first);
        for verb in verbs {
            let share = if verb.is_write {
                percent
            } else {
                100.0 - percent
            };
            let weight = share * group.keys as f64 / keys;
            steps.extend(step(verb, place, weight, shape).filter(|step| step.weight > 0.0));
        }
    }
    Mix {
        steps,
        about: format!(
            "synthetic: every family by its share of the keys, {percent:.0} % writes ({how}), few keys most of the time"
        ),
    }
}

fn recorded(shape: &Shape, calls: &BTreeMap<String, u64>, is_lately: bool) -> Result<Mix, String> {
    let mut steps = Vec::new();
    let mut made = 0;
    for verb in VERBS {
        let calls = calls.get(verb.name).copied().unwrap_or(0);
        let places = shape.groups.iter().enumerate();
        let places: Vec<_> = places
            .filter(|(_, group)| group.kind == verb.kind)
            .collect();
        let keys: u64 = places.iter().map(|(_, group)| group.keys).sum();
        if calls == 0 || keys == 0 {
            continue;
        }
        made += calls;
        for (place, group) in places {
            let weight = calls as f64 * group.keys as f64 / keys as f64;
            steps.extend(step(verb, place, weight, shape));
        }
    }
    if steps.is_empty() {
        return Err("the cluster's counters have no command that can be made for its keys".into());
    }
    let all: u64 = (calls.iter())
        .filter(|(name, _)| !is_ours(name))
        .map(|(_, calls)| calls)
        .sum();
    let percent = made as f64 * 100.0 / all.max(made) as f64;
    let since = match is_lately {
        true => "between the two samples",
        false => "since the servers started",
    };
    Ok(Mix {
        steps,
        about: format!(
            "recorded: the shares of commands {since} by INFO commandstats, of which {percent:.0} % can be made; shares, not a trace: order, keys and pace are not known"
        ),
    })
}

/// What goodcache itself asks, and the servers each other.
fn is_ours(name: &str) -> bool {
    const OURS: &[&str] = &[
        "ping",
        "info",
        "auth",
        "hello",
        "replconf",
        "psync",
        "sync",
        "scan",
        "type",
        "ttl",
        "pttl",
        "select",
        "command",
        "time",
        "dbsize",
        "randomkey",
    ];
    const GROUPS: &[&str] = &[
        "cluster", "config", "client", "acl", "memory", "object", "latency", "slowlog", "module",
    ];
    let group = name.split(['|', ' ']).next().unwrap_or(name);
    OURS.contains(&name) || GROUPS.contains(&group)
}

fn written(shape: &Shape, lines: &[Written]) -> Result<Mix, String> {
    let mut steps = Vec::new();
    for (n, written) in lines.iter().enumerate() {
        let told = |why: String| format!("line {}: {why}", n + 1);
        let line = Line::parse(&written.command, shape).map_err(told)?;
        if let Some(name) = line.names().find(|name| is_barred(name)) {
            return Err(told(format!(
                "{name} cannot be sent: it would block, end or change the copy itself"
            )));
        }
        let names: Vec<String> = line.names().collect();
        steps.push(Step {
            name: names.join(" ; "),
            weight: written.weight,
            line,
        });
    }
    Ok(Mix {
        steps,
        about: format!(
            "{} as the file has them",
            match lines.len() {
                1 => "1 command".to_owned(),
                many => format!("{many} commands"),
            }
        ),
    })
}

fn is_barred(name: &str) -> bool {
    const BARRED: &[&str] = &[
        "ACL",
        "AUTH",
        "BGREWRITEAOF",
        "BLMOVE",
        "BLMPOP",
        "BLPOP",
        "BRPOP",
        "BRPOPLPUSH",
        "BZMPOP",
        "BZPOPMAX",
        "BZPOPMIN",
        "CLIENT",
        "CLUSTER",
        "CONFIG",
        "DEBUG",
        "FAILOVER",
        "FLUSHALL",
        "FLUSHDB",
        "HELLO",
        "MODULE",
        "MONITOR",
        "PSUBSCRIBE",
        "PSYNC",
        "QUIT",
        "REPLICAOF",
        "RESET",
        "SELECT",
        "SHUTDOWN",
        "SLAVEOF",
        "SSUBSCRIBE",
        "SUBSCRIBE",
        "SWAPDB",
        "SYNC",
        "WAIT",
        "WAITAOF",
        "?",
    ];
    BARRED.contains(&name)
}

#[cfg(test)]
#[path = "mix_tests.rs"]
mod tests;
