//! What the cluster is for, as its keys and commands show when nobody says.
//!
//! Sessions come before everything else, for a session that is evicted is a customer logged out; then
//! queues, then data of record. A cache is what remains when keys expire and misses are normal. The
//! reason is shown, so that a wrong guess is seen at once.

use serde::{Deserialize, Serialize};

use crate::health::Profile;
use crate::model::{Evidence, Facts, Family, Role, Topology};

/// What the cluster is taken to be for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// The profile.
    #[serde(with = "as_word")]
    pub profile: Profile,
    /// Whether it was given rather than guessed.
    pub is_given: bool,
    /// Whether enough was seen to be sure; always when it was given.
    pub is_sure: bool,
    /// Why, in one sentence without a full stop, lower case.
    pub reason: String,
    /// Share of the sampled keys that are named like sessions, in percent.
    pub sessions_percent: f64,
}

/// From this share of sessions among the keys on, the cluster is for sessions.
const MANY_SESSIONS: f64 = 20.0;
/// From this share of queue commands on, it is for queues.
const MANY_QUEUED: f64 = 30.0;
/// From this share of keys without an expiry on, they are there to stay.
const MANY_LASTING: f64 = 80.0;
/// Fewer keys or commands than these tell nothing.
const FEW: u64 = 20;

/// Words in names of keys that stand for a session.
const SESSION_WORDS: &[&str] = &["session", "sess", "sid", "login", "spring:session", "cart"];
/// Commands that move work from one to another.
const QUEUE_COMMANDS: &[&str] = &[
    "blpop",
    "brpop",
    "blmove",
    "brpoplpush",
    "blmpop",
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "lmove",
    "rpoplpush",
    "lmpop",
    "xadd",
    "xread",
    "xreadgroup",
    "xack",
    "xautoclaim",
    "bzpopmin",
    "bzpopmax",
];

/// What is seen of the whole cluster's keys and commands.
#[derive(Default)]
struct Sums {
    keys: u64,
    with_expiry: u64,
    sampled: u64,
    sessions: u64,
    calls: u64,
    queued: u64,
    hits: u64,
    misses: u64,
    evicts: bool,
    policy_evicts: bool,
    saves_log: bool,
}

/// Guesses, unless it was given.
pub fn guess(evidence: &Evidence, topology: &Topology, given: Option<Profile>) -> Guess {
    let sums = sums(evidence, topology);
    let sessions_percent = percent(sums.sessions, sums.sampled);
    let (profile, is_sure, reason) = match given {
        Some(profile) => (profile, true, "it was given".to_owned()),
        None => judge(&sums),
    };
    Guess {
        profile,
        is_given: given.is_some(),
        is_sure,
        reason,
        sessions_percent,
    }
}

fn judge(sums: &Sums) -> (Profile, bool, String) {
    let sessions = percent(sums.sessions, sums.sampled);
    let queued = percent(sums.queued, sums.calls);
    let lasting = percent(sums.keys - sums.with_expiry.min(sums.keys), sums.keys);
    let has_sample = sums.sampled >= FEW;
    if has_sample && sessions >= MANY_SESSIONS {
        let reason = format!("{sessions:.0} % of the sampled keys are named like sessions");
        return (Profile::Session, true, reason);
    }
    if sums.calls >= FEW && queued >= MANY_QUEUED {
        let reason =
            format!("{queued:.0} % of the commands move items of lists, streams or queues");
        return (Profile::Queue, true, reason);
    }
    if sums.keys < FEW {
        let reason = "too few keys to tell; give --profile".to_owned();
        return (Profile::Cache, false, reason);
    }
    if lasting >= MANY_LASTING && !sums.evicts && (sums.saves_log || !sums.policy_evicts) {
        let how = match sums.saves_log {
            true => "and the append-only file is on",
            false => "and nothing may be evicted",
        };
        let reason = format!("{lasting:.0} % of the keys have no expiry {how}");
        return (Profile::Durable, true, reason);
    }
    let reason = format!(
        "{:.0} % of the keys have an expiry{}",
        percent(sums.with_expiry, sums.keys),
        match sums.hits + sums.misses {
            0 => String::new(),
            reads => format!(
                ", and {:.0} % of the reads miss",
                percent(sums.misses, reads)
            ),
        }
    );
    let is_sure = lasting < MANY_LASTING || sums.evicts;
    (Profile::Cache, is_sure, reason)
}

fn sums(evidence: &Evidence, topology: &Topology) -> Sums {
    let mut sums = Sums::default();
    for (report, facts) in evidence.survey.answered() {
        let member = report.id.as_ref().and_then(|id| topology.member(id));
        if member.is_some_and(|member| member.role == Role::Master) {
            sums.add(facts);
        }
        if let Some(keys) = (evidence.nodes.get(&report.addr)).and_then(|seen| seen.keys.as_ref()) {
            sums.sampled += keys.sampled;
            let sessions = keys.families.iter().filter(|family| is_session(family));
            sums.sessions += sessions.map(|family| family.count).sum::<u64>();
        }
    }
    sums
}

impl Sums {
    fn add(&mut self, facts: &Facts) {
        let info = facts.later.as_ref().unwrap_or(&facts.info);
        for (_, keys, with_expiry) in info.databases() {
            self.keys += keys;
            self.with_expiry += with_expiry;
        }
        for (name, _) in info.with_prefix("cmdstat_") {
            let calls = field(info.field(&format!("cmdstat_{name}"), "calls"));
            self.calls += calls;
            if QUEUE_COMMANDS.contains(&name) {
                self.queued += calls;
            }
        }
        self.hits += info.number("keyspace_hits").unwrap_or(0);
        self.misses += info.number("keyspace_misses").unwrap_or(0);
        self.evicts |= info.number("evicted_keys").unwrap_or(0) > 0;
        self.policy_evicts |= info
            .get("maxmemory_policy")
            .is_some_and(|policy| policy != "noeviction")
            && info.number("maxmemory").unwrap_or(0) > 0;
        self.saves_log |= info.number("aof_enabled") == Some(1);
    }
}

fn field(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether a family of keys is named like sessions.
pub fn is_session(family: &Family) -> bool {
    let words = family.pattern.to_ascii_lowercase();
    let mut parts = words.split(|c: char| !c.is_ascii_alphanumeric());
    parts.any(|part| {
        let part = part
            .strip_suffix('s')
            .filter(|_| part != "sess")
            .unwrap_or(part);
        SESSION_WORDS.contains(&part)
    })
}

fn percent(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 * 100.0 / whole as f64,
    }
}

/// A profile is written as its name.
mod as_word {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::health::Profile;

    pub fn serialize<S: Serializer>(profile: &Profile, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(profile)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Profile, D::Error> {
        let word = String::deserialize(from)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keys_and_commands_show() {
        let sums = |change: &dyn Fn(&mut Sums)| {
            let mut sums = Sums {
                keys: 1_000,
                with_expiry: 900,
                sampled: 100,
                calls: 1_000,
                ..Sums::default()
            };
            change(&mut sums);
            judge(&sums)
        };
        let profile = |change: &dyn Fn(&mut Sums)| (sums(change).0, sums(change).1);
        assert_eq!(profile(&|_| {}), (Profile::Cache, true));
        assert_eq!(
            profile(&|sums| sums.sessions = 50),
            (Profile::Session, true)
        );
        assert_eq!(profile(&|sums| sums.queued = 600), (Profile::Queue, true));
        assert_eq!(
            profile(&|sums| sums.with_expiry = 10),
            (Profile::Durable, true)
        );
        let evicted = |sums: &mut Sums| {
            sums.with_expiry = 10;
            sums.evicts = true;
        };
        assert_eq!(profile(&evicted), (Profile::Cache, true));
        assert_eq!(profile(&|sums| sums.keys = 3), (Profile::Cache, false));
    }

    #[test]
    fn names_of_sessions() {
        let family = |pattern: &str| Family {
            pattern: pattern.into(),
            ..Family::default()
        };
        for (pattern, is) in [
            ("session:*", true),
            ("spring:session:sessions:*", true),
            ("app:sess:*", true),
            ("SID_*", true),
            ("obsession:*", false),
            ("book:*:tags", false),
        ] {
            assert_eq!(is_session(&family(pattern)), is, "{pattern}");
        }
    }
}
