//! What sessions fall back on while the cluster does not answer: a bounded map in each process of the
//! application, just large enough for the sessions that are used during an outage.

use serde::Serialize;

use super::Options;
use super::evidence::Evidence;
use super::outage::Outage;
use crate::model::words::{bytes, count, plural};

/// What an entry takes besides its key and value: the map, the order of use, the expiry. Three
/// pointers each and a string's head, in the languages that clients are written in.
const ENTRY_BYTES: f64 = 200.0;
/// Entries are not kept longer: what a process remembers and another changes drifts apart.
const LONGEST_S: f64 = 60.0;
/// No process needs fewer: below that a map costs nothing.
const LEAST_ENTRIES: u64 = 100;

/// How large the map of each process is, and how long it keeps what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fallback {
    /// Entries of each process, the least recently used go first.
    pub entries: Option<u64>,
    /// What they take in each process.
    pub bytes: Option<u64>,
    /// How long an entry is kept.
    pub keep_s: u64,
    /// Requests of all processes that meet the outage.
    pub requests: Option<u64>,
    /// Sessions that were seen, which bounds the entries.
    pub sessions: Option<u64>,
    /// What a session takes.
    pub session_bytes: Option<u64>,
    /// What that rests on, a line each.
    pub because: Vec<String>,
}

/// Sizes the map for that outage.
pub fn fallback(evidence: &Evidence, outage: &Outage, options: &Options) -> Fallback {
    let (sessions, who) = sessions(evidence, options);
    let (session_bytes, whose) = session_bytes(evidence, options);
    let requests = requests(evidence, outage);
    let processes = options.processes.max(1);
    // With sticky routing each process meets its own sessions; without, any process any session.
    let each = requests.map(|all| all.div_ceil(processes).max(LEAST_ENTRIES));
    let entries = match (each, sessions) {
        (Some(each), Some(sessions)) => Some(each.min(sessions.max(LEAST_ENTRIES))),
        (None, sessions) => sessions,
        (each, None) => each,
    };
    let size = |entries: u64| {
        session_bytes.map(|each| (entries as f64 * (each as f64 + ENTRY_BYTES)) as u64)
    };
    let mut because = vec![who, whose, met(evidence, requests)];
    because.push(format!(
        "{} of the application, each with its own part",
        plural(
            usize::try_from(processes).unwrap_or(usize::MAX),
            "process",
            "processes"
        )
    ));
    Fallback {
        entries,
        bytes: entries.and_then(size),
        keep_s: (outage.ride_out_ms / 1000.0).ceil().clamp(1.0, LONGEST_S) as u64,
        requests,
        sessions,
        session_bytes,
        because,
    }
}

fn sessions(evidence: &Evidence, options: &Options) -> (Option<u64>, String) {
    match (options.sessions, evidence.expiring_keys, evidence.keys) {
        (Some(seen), ..) => (Some(seen), format!("{} sessions were seen", count(seen))),
        (None, 0, 0) => (None, "no keys were seen, so sessions are not known".into()),
        (None, 0, keys) => (
            Some(keys),
            format!(
                "no key expires: at most all {} keys are sessions",
                count(keys)
            ),
        ),
        (None, expiring, _) => (
            Some(expiring),
            format!(
                "at most the {} keys that expire are sessions",
                count(expiring)
            ),
        ),
    }
}

fn session_bytes(evidence: &Evidence, options: &Options) -> (Option<u64>, String) {
    match (options.session_bytes, evidence.bytes_per_key) {
        (Some(bytes), _) => (
            Some(bytes),
            format!("a session takes {bytes} B, as sampled"),
        ),
        (None, Some(size)) => {
            let size = size.ceil() as u64;
            let told = format!(
                "a key takes {} on average; sessions were not sampled (--deep)",
                bytes(size)
            );
            (Some(size), told)
        }
        (None, None) => (None, "what a session takes is not known".into()),
    }
}

/// Requests that come while the shard is away: of all shards where one that is away stops all.
fn requests(evidence: &Evidence, outage: &Outage) -> Option<u64> {
    let all = evidence.operations_per_second? * outage.ride_out_ms / 1000.0;
    let part = match evidence.servers.is_full_coverage {
        true => 1.0,
        false => 1.0 / evidence.servers.masters.max(1) as f64,
    };
    Some((all * part).ceil() as u64)
}

fn met(evidence: &Evidence, requests: Option<u64>) -> String {
    let whom = match evidence.servers.is_full_coverage {
        true => "all shards refuse (cluster-require-full-coverage yes)".to_owned(),
        false => format!("one of {} shards refuses", evidence.servers.masters.max(1)),
    };
    match requests {
        Some(requests) => format!("{} requests come meanwhile: {whom}", count(requests)),
        None => format!("operations a second were not measured (--sample 60s); {whom}"),
    }
}
