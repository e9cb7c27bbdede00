//! How clients ride out a failover, and what they do while they cannot: `tune --resilience`.
//!
//! Pure: `Evidence` is folded from a survey and the report of the last drill, `judge` makes of it
//! pauses that outlast the outages really measured, the settings of common clients, the size of the
//! fallback in memory and the order of warming up. Without a drill the node timeout and published
//! measurements stand in, and that is said.

mod backoff;
mod clients;
mod drill;
mod evidence;
mod fallback;
mod outage;
mod report;
mod sessions;
mod timeouts;
mod warm_up;

pub use backoff::Backoff;
pub use clients::{Client, Setting};
pub use drill::Outage as DrilledOutage;
pub use drill::{Drill, Latency, Load, Round, Servers, Writes};
pub use evidence::Evidence;
pub use fallback::Fallback;
pub use outage::{Outage, Source};
pub use report::Report;
pub use sessions::{Sessions, sessions};
pub use timeouts::Timeouts;
pub use warm_up::Step;

use crate::model::words::seconds;

/// A user waits no longer than that for a page.
const PATIENCE_MS: f64 = 5_000.0;

/// How the advice is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// So many times the longest outage is ridden out; at least 1.
    pub margin: f64,
    /// What clients are set to today (`REDIS_CLUSTER_MAX_REDIRECTIONS`), when that is known.
    pub max_redirections: Option<u32>,
    /// Whether they try again today (`REDIS_CLUSTER_RETRY_ON_FAIL`), when that is known.
    pub retry_on_fail: Option<bool>,
    /// Processes of the application, each with a fallback of its own.
    pub processes: u64,
    /// Sessions, when keys were sampled (`sessions` finds them).
    pub sessions: Option<u64>,
    /// What a session takes, in bytes, when keys were sampled.
    pub session_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            margin: 1.5,
            max_redirections: None,
            retry_on_fail: None,
            processes: 1,
            sessions: None,
            session_bytes: None,
        }
    }
}

/// Makes the advice.
pub fn judge(evidence: &Evidence, options: &Options) -> Report {
    let outage = outage::outage(evidence, options.margin.max(1.0));
    let backoff = Backoff::outlasting(outage.ride_out_ms);
    let timeouts = timeouts::timeouts(evidence);
    let fallback = fallback::fallback(evidence, &outage, options);
    let advice = clients::Advice {
        outage: &outage,
        backoff: &backoff,
        timeouts: &timeouts,
    };
    Report {
        cluster: evidence.cluster.clone(),
        clients: clients::clients(&advice),
        today: today(options, &outage, &backoff),
        warm_up: warm_up::warm_up(evidence, &fallback),
        notes: notes(evidence, &outage),
        outage,
        backoff,
        timeouts,
        fallback,
    }
}

/// What in the settings of today gives up too early.
fn today(options: &Options, outage: &Outage, backoff: &Backoff) -> Vec<String> {
    let needed = clients::redirections(backoff.attempts);
    let mut lines = Vec::new();
    if let Some(now) = options.max_redirections.filter(|now| *now < needed) {
        lines.push(format!(
            "REDIS_CLUSTER_MAX_REDIRECTIONS={now} gives up before {} are over: {needed} are needed",
            seconds(outage.ride_out_ms / 1000.0)
        ));
    }
    if options.retry_on_fail == Some(false) {
        lines.push(
            "REDIS_CLUSTER_RETRY_ON_FAIL=false makes every failover an error to the user".into(),
        );
    }
    lines
}

fn notes(evidence: &Evidence, outage: &Outage) -> Vec<String> {
    let mut notes = Vec::new();
    if let Source::Measured { endless, .. } = outage.source
        && endless > 0
    {
        notes.push(format!(
            "{} did not end within the drill: against those only the fallback helps",
            crate::model::words::counted(endless, "outage")
        ));
    }
    if matches!(outage.source, Source::Predicted { .. }) {
        notes.push(match &evidence.drill {
            Some(drill) if drill.endless() > 0 => {
                "no outage of the last drill ended, so the prediction stands in".to_owned()
            }
            Some(_) => "the last drill met no outage, so the prediction stands in".to_owned(),
            None => format!("measure it: goodcache failover-test {}", evidence.cluster),
        });
    }
    if let Some(drill) = &evidence.drill {
        if drill.cluster != evidence.cluster {
            notes.push(format!(
                "the drill was of a cluster called {}: make sure that it is this one",
                drill.cluster
            ));
        }
        notes.extend(changed_since(drill, &evidence.servers));
    }
    if outage.ride_out_ms > PATIENCE_MS {
        notes.push(format!(
            "{} are longer than a user waits: let work in the background ride it out, and give pages \
             the fallback after {}",
            seconds(outage.ride_out_ms / 1000.0),
            seconds(PATIENCE_MS / 1000.0)
        ));
    }
    notes.push(
        "try again only what may be done twice: a write without an answer may have been done"
            .into(),
    );
    notes.push(
        "never let locks, counters or rate limits fall back on memory: each process would have its own"
            .into(),
    );
    notes
}

/// A drill under other settings tells of another cluster.
fn changed_since(drill: &Drill, now: &Servers) -> Vec<String> {
    let then = &drill.conditions;
    let mut lines = Vec::new();
    if then.node_timeout_ms != now.node_timeout_ms {
        lines.push(format!(
            "the drill ran with cluster-node-timeout {} ms, now it is {} ms: drill again",
            then.node_timeout_ms, now.node_timeout_ms
        ));
    }
    if then.masters != now.masters {
        lines.push(format!(
            "the drill ran with {} masters, now there are {}: drill again",
            then.masters, now.masters
        ));
    }
    lines
}

#[cfg(test)]
mod tests;
