//! The outage of the struck shards, term by term: as the servers' rules predict it and as it was.

use super::super::report::{Dominant, Term};
use super::expected::{Course, expected};
use super::outage::{Window, windows_after};
use super::promotion::{Failing, Succession};
use super::rules::{is_at_least, ping_interval};
use super::statistics::median;
use super::when::{fault_at, ms, ms_between, spoken_limit, struck_shards};
use crate::model::{Conditions, Fault, NodeId, Outcome, Recording, Role, Round, Trace};

/// How the outage of a struck master goes; `None` where no rule says how long it lasts.
pub fn course(round: &Round) -> Option<Course> {
    course_of(round.fault, round.expects_promotion)
}

/// The same of a fault that is still to come.
pub fn course_of(fault: Fault, expects_promotion: bool) -> Option<Course> {
    let crash = |course| expects_promotion.then_some(course);
    match fault {
        Fault::Kill | Fault::Pause | Fault::Isolate | Fault::Sleep => crash(Course::Crash),
        Fault::Stop => crash(Course::Stop),
        Fault::IsolatePeers | Fault::IsolateBus => crash(Course::CutOff),
        Fault::Shutdown if expects_promotion => Some(Course::Stop),
        Fault::Shutdown | Fault::FastRestart => Some(Course::Restart),
        Fault::Failover | Fault::Force | Fault::Takeover => Some(Course::Handover(fault)),
        Fault::Slow => None,
    }
}

/// The terms, measured over all rounds that went the same way as the first whose rules are known.
/// A handover counts only in a drill of nothing else, since a rolling restart begins each step with
/// one. Rounds with a second fault follow no rule.
///
/// The terms of one outage add up to its total; their medians over several rounds need not.
pub fn terms(recording: &Recording, changes: &[Succession]) -> Vec<Term> {
    let ruled: Vec<(&Round, Course)> = recording
        .rounds
        .iter()
        .filter(|round| round.second.is_none() && !struck_shards(round).is_empty())
        .filter_map(|round| Some((round, course(round)?)))
        .collect();
    let is_unplanned = |(_, course): &&(&Round, Course)| !matches!(course, Course::Handover(_));
    let Some(&(first, course)) = ruled.iter().find(is_unplanned).or(ruled.first()) else {
        return Vec::new();
    };
    let alike = ruled.iter().filter(|(_, other)| *other == course);
    let measured: Vec<Measured> = alike
        .flat_map(|(round, _)| measured_in(round, course, changes))
        .collect();
    let struck = struck_shards(first).len();
    let mut terms = expected(&recording.conditions, &recording.load, course, struck);
    for term in &mut terms {
        let figures = measured.iter().filter_map(|outage| outage.of(term.name));
        term.measured_ms = median(figures.collect());
    }
    terms
}

/// One outage, in ms.
#[derive(Debug, Default, PartialEq)]
struct Measured {
    shutdown: Option<f64>,
    detection: Option<f64>,
    agreement: Option<f64>,
    election: Option<f64>,
    client: Option<f64>,
    start: Option<f64>,
    delay: Option<f64>,
    total: Option<f64>,
}

impl Measured {
    fn of(&self, name: &str) -> Option<f64> {
        match name {
            "shutdown" => self.shutdown,
            "detection" => self.detection,
            "agreement" => self.agreement,
            "election" => self.election,
            "client" => self.client,
            "start" => self.start,
            "delay" => self.delay,
            "total" => self.total,
            _ => None,
        }
    }
}

fn measured_in(round: &Round, course: Course, changes: &[Succession]) -> Vec<Measured> {
    let Some(fault_us) = fault_at(round) else {
        return Vec::new();
    };
    let struck = struck_shards(round);
    let traces = round.traces.iter();
    traces
        .filter(|trace| struck.contains(&trace.shard) && !trace.witness.is_empty())
        .map(|trace| match course {
            Course::Crash | Course::Stop | Course::CutOff => {
                unplanned(round, trace, course, fault_us, changes)
            }
            Course::Restart => restarted(round, trace),
            Course::Handover(_) => Measured {
                total: total(&windows_after(round, trace), |window| window.begin_us),
                ..Measured::default()
            },
        })
        .collect()
}

/// The longest stretch without writes.
fn longest(windows: &[Window]) -> Option<&Window> {
    windows.iter().max_by_key(|window| window.length_us())
}

/// From a moment to the end of the longest stretch; 0 when every write was taken, `None` when they
/// never were again.
fn total(windows: &[Window], from: impl Fn(&Window) -> u64) -> Option<f64> {
    match longest(windows) {
        None => Some(0.0),
        Some(window) if window.is_over => Some(ms(window.end_us.saturating_sub(from(window)))),
        Some(_) => None,
    }
}

fn unplanned(
    round: &Round,
    trace: &Trace,
    course: Course,
    fault_us: u64,
    changes: &[Succession],
) -> Measured {
    let windows = windows_after(round, trace);
    let is_cut_off = course == Course::CutOff;
    let is_it = |change: &&Succession| {
        change.round == round.number && change.shard == trace.shard && !change.is_handed_back
    };
    let promoted = changes.iter().find(is_it).map(|change| change.seen.at_us);
    let restored = longest(&windows).filter(|window| window.is_over);
    let restored = restored.map(|window| window.end_us);
    // The new master takes writes before a majority of views can be seen to have it.
    let elected = match restored.filter(|_| !is_cut_off) {
        Some(restored) => promoted.map(|promoted| promoted.min(restored)),
        None => promoted,
    };
    let failing =
        master_of(round, trace.shard).map(|id| Failing::of(round, id, elected.unwrap_or(u64::MAX)));
    let suspected = failing.as_ref().and_then(|failing| failing.suspected);
    let suspected = suspected.map(|seen| seen.at_us);
    let failed = failing.and_then(|failing| failing.failed);
    let failed = failed.map(|seen| seen.at_us);
    let left = match course {
        Course::Stop => gone_us(round, trace, fault_us, suspected),
        _ => fault_us,
    };
    let span = |from: Option<u64>, to: Option<u64>| {
        let span = ms_between(from?, to?);
        (span >= 0.0).then_some(span)
    };
    Measured {
        shutdown: (course == Course::Stop).then(|| ms(left.saturating_sub(fault_us))),
        detection: span(Some(left), suspected),
        agreement: span(suspected, failed),
        election: span(failed, elected),
        client: span(elected, restored).filter(|_| !is_cut_off),
        start: None,
        delay: None,
        total: match is_cut_off {
            true => total(&windows, |window| window.begin_us),
            false => total(&windows, |_| fault_us),
        },
    }
}

/// Back by itself: it has started when it first says CLUSTERDOWN, as it does until its delay is over.
fn restarted(round: &Round, trace: &Trace) -> Measured {
    let windows = windows_after(round, trace);
    let window = longest(&windows).filter(|window| window.is_over);
    let started = window.and_then(|window| {
        let inside = |at: &u64| (window.begin_us..window.end_us).contains(at);
        let down = trace
            .witness
            .iter()
            .filter(|op| op.outcome == Outcome::Down);
        down.map(super::outage::end).find(inside)
    });
    let both = window.zip(started);
    Measured {
        start: both.map(|(window, at)| ms(at - window.begin_us)),
        delay: both.map(|(window, at)| ms(window.end_us - at)),
        total: total(&windows, |window| window.begin_us),
        ..Measured::default()
    }
}

/// The master of that shard among the targets.
fn master_of(round: &Round, shard: usize) -> Option<&NodeId> {
    let is_it = |v: &&crate::model::Victim| v.shard == shard && v.role == Role::Master;
    round.targets.iter().find(is_it).map(|victim| &victim.id)
}

/// When a master that was asked to stop had gone: the first connection that ended or could not be
/// made; else when its host said so. Never after it was suspected.
fn gone_us(round: &Round, trace: &Trace, fault_us: u64, suspected: Option<u64>) -> u64 {
    let gone = [Outcome::NoConnection, Outcome::Broken];
    let failed = trace.witness.iter();
    let first = failed
        .filter(|op| op.due_us >= fault_us && gone.contains(&op.outcome))
        .map(super::outage::end)
        .min();
    let told = round.first(crate::model::Act::FaultDone);
    let left = first.or(told).unwrap_or(fault_us).max(fault_us);
    suspected.map_or(left, |suspected| left.min(suspected.max(fault_us)))
}

/// The longest term and what would shorten it; `None` when fewer than two were seen.
pub fn dominant(terms: &[Term], conditions: &Conditions) -> Option<Dominant> {
    let parts = terms.iter().filter(|term| term.name != "total");
    let seen: Vec<(&'static str, f64)> = parts
        .filter_map(|term| Some((term.name, term.measured_ms?)))
        .collect();
    let whole: f64 = seen.iter().map(|(_, ms)| ms).sum();
    let longest = seen.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (seen.len() > 1 && whole > 0.0).then(|| Dominant {
        name: longest.0,
        share: longest.1 / whole,
        next: next(longest.0, conditions),
    })
}

/// What shortens a term, and its price.
fn next(name: &str, conditions: &Conditions) -> String {
    let timeout = spoken_limit(conditions.node_timeout_ms);
    let has_interval = conditions.ping_interval_ms.is_some();
    match name {
        "detection" if conditions.watched.is_some() => format!(
            "lower down-after-milliseconds (now {timeout}) on every Sentinel, but not below the longest \
             stall of a server (fork of a big heap, slow script, big DEL), or masters that are alive are \
             replaced"
        ),
        "agreement" if conditions.watched.is_some() => {
            "no setting does: Sentinels ask each other once a second".to_owned()
        }
        "election" if conditions.watched.is_some() => {
            "no setting does; see the Sentinels' logs when it took more than a second or two: votes \
             were split"
                .to_owned()
        }
        "detection" => format!(
            "lower cluster-node-timeout (now {timeout}) on every node, but not below the longest \
             stall of an event loop (fork of a big heap, slow script, big DEL), or nodes that are \
             alive are replaced; planned work does not pay it at all after CLUSTER FAILOVER"
        ),
        "agreement" if has_interval && ping_interval(conditions).is_none() => format!(
            "set cluster-ping-interval well below half of cluster-node-timeout (now {timeout}), \
             such as 100 ms, at the price of more traffic between the nodes"
        ),
        "agreement" if has_interval => "lower cluster-ping-interval further, at the price of more \
                                        traffic between the nodes"
            .to_owned(),
        "agreement" => format!(
            "lower cluster-node-timeout (now {timeout}), half of which passes between two pings; \
             from Redis 8 and Valkey 8 on cluster-ping-interval does it alone, at the price of more \
             traffic between the nodes"
        ),
        "election" if is_at_least(conditions, "valkey", 9, 0) => {
            "look at the replicas' logs: here the best of them stands at once, so that votes were \
             denied or it was behind"
                .to_owned()
        }
        "election" => "no setting does: replicas wait 500 ms to 1 s before they stand; from Valkey 9 \
                       on the best stands at once. Hand over with CLUSTER FAILOVER before planned work"
            .to_owned(),
        "shutdown" => "hand over with CLUSTER FAILOVER before a stop (some 50 ms), or use Valkey 9 \
                       with shutdown-on-sigterm failover; a lower shutdown-timeout may lose writes"
            .to_owned(),
        "start" => "let the server read less when it starts: a smaller data set, a rewritten append-only \
                    file, a faster disk"
            .to_owned(),
        "delay" => "no setting does: the wait is built into the server. Hand over with CLUSTER FAILOVER \
                    before a restart that is planned (some 50 ms)"
            .to_owned(),
        _ => "let clients try again sooner: back off from 10 ms, and keep connect and read timeouts \
              well below the outage"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::names::Names;
    use super::super::promotion::successions;
    use super::*;
    use crate::ops::failover::samples;

    fn of(recording: &Recording) -> Vec<Term> {
        let names = Names::of(recording);
        terms(recording, &successions(recording, &names).real)
    }

    fn measured(terms: &[Term]) -> Vec<(&'static str, Option<f64>)> {
        let figure = |term: &Term| {
            (
                term.name,
                term.measured_ms.map(|ms| (ms * 10.0).round() / 10.0),
            )
        };
        terms.iter().map(figure).collect()
    }

    #[test]
    fn the_terms_of_a_kill_add_up() {
        let recording = samples::killed_master();
        let terms = of(&recording);
        let expected = [
            ("detection", Some(2_265.0)),
            ("agreement", Some(720.0)),
            ("election", Some(788.0)),
            ("client", Some(2.6)),
            ("total", Some(3_775.6)),
        ];
        assert_eq!(measured(&terms), expected);
        assert!(terms.iter().all(|term| term.is_within() == Some(true)));
        let dominant = dominant(&terms, &recording.conditions).unwrap();
        assert_eq!(dominant.name, "detection");
        assert!((dominant.share - 0.6).abs() < 0.01);
        assert!(dominant.next.contains("cluster-node-timeout (now 2.00 s)"));
    }

    #[test]
    fn a_stop_waits_for_its_replicas_first() {
        let mut recording = samples::killed_master();
        let round = &mut recording.rounds[0];
        round.fault = Fault::Stop;
        for op in &mut round.traces[0].witness {
            // Paused writes first, then a closed port from 2.6 s on.
            if op.outcome == Outcome::NoConnection && op.due_us < 2_600_000 {
                (op.outcome, op.took_us) = (Outcome::Timeout, 200_000);
            }
        }
        let terms = of(&recording);
        let figures = measured(&terms);
        assert_eq!(figures[0], ("shutdown", Some(595.3)));
        assert_eq!(figures[1], ("detection", Some(1_669.8)));
        let sum: f64 = figures[..5].iter().filter_map(|(_, ms)| *ms).sum();
        assert!((sum - figures[5].1.unwrap()).abs() < 0.2);
    }

    #[test]
    fn what_was_not_seen_has_no_figure() {
        let mut recording = samples::killed_master();
        recording.rounds[0]
            .sightings
            .retain(|seen| seen.what != crate::model::Change::Suspected);
        let figures = measured(&of(&recording));
        assert_eq!(figures[0].1, None);
        assert_eq!(figures[1].1, None);
        assert_eq!(figures[2].1, Some(788.0));
        assert_eq!(figures[4].1, Some(3_775.6));

        let mut never = samples::quiet_round(Fault::Kill, 4_000);
        samples::spoil(&mut never, 1, 2_005, 4_000, Outcome::NoConnection);
        let terms = of(&samples::recording(vec![never]));
        assert!(terms.iter().all(|term| term.measured_ms.is_none()));
        assert_eq!(dominant(&terms, &samples::conditions()), None);
    }

    #[test]
    fn a_cut_off_master_takes_writes_meanwhile() {
        let figures = measured(&of(&samples::lost_writes()));
        let names: Vec<_> = figures.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["detection", "agreement", "election", "total"]);
        assert_eq!(figures[3].1, Some(480.6));
    }

    #[test]
    fn a_restart_is_a_start_and_the_wait_that_follows() {
        let mut round = samples::quiet_round(Fault::FastRestart, 6_000);
        round.expects_promotion = false;
        samples::spoil(&mut round, 1, 2_005, 4_120, Outcome::Down);
        for op in &mut round.traces[0].witness {
            if op.outcome == Outcome::Down && op.due_us < 2_100_000 {
                op.outcome = Outcome::NoConnection;
            }
        }
        let recording = samples::recording(vec![round]);
        let terms = of(&recording);
        let names: Vec<&str> = terms.iter().map(|term| term.name).collect();
        assert_eq!(names, ["start", "delay", "total"]);
        assert!(
            terms.iter().all(|term| term.is_within() == Some(true)),
            "{terms:?}"
        );
        let figure = |n: usize| terms[n].measured_ms.unwrap();
        assert!((figure(0) + figure(1) - figure(2)).abs() < 0.1, "{terms:?}");
        assert!((90.0..110.0).contains(&figure(0)), "{terms:?}");
        assert_eq!(
            dominant(&terms, &recording.conditions).unwrap().name,
            "delay"
        );
    }

    #[test]
    fn each_fault_goes_its_course() {
        for (fault, expects_promotion, expected) in [
            (Fault::Kill, true, Some(Course::Crash)),
            (Fault::Kill, false, None),
            (Fault::Pause, true, Some(Course::Crash)),
            (Fault::Stop, true, Some(Course::Stop)),
            (Fault::Shutdown, true, Some(Course::Stop)),
            (Fault::Shutdown, false, Some(Course::Restart)),
            (Fault::FastRestart, false, Some(Course::Restart)),
            (Fault::Slow, false, None),
            (
                Fault::Failover,
                true,
                Some(Course::Handover(Fault::Failover)),
            ),
        ] {
            let mut round = samples::quiet_round(fault, 100);
            round.expects_promotion = expects_promotion;
            assert_eq!(course(&round), expected, "{fault}");
        }
    }

    #[test]
    fn a_rolling_restart_is_measured_by_its_restarts_only_if_they_strike() {
        let handover = samples::quiet_round(Fault::Failover, 4_000);
        let mut restart = samples::quiet_round(Fault::Stop, 4_000);
        restart.targets = vec![samples::victim(4)];
        restart.expects_promotion = false;
        let terms = of(&samples::recording(vec![handover, restart]));
        assert_eq!(measured(&terms), [("total", Some(0.0))]);
        assert!(terms[0].because.contains("caught up"));
        assert!(of(&samples::recording(vec![])).is_empty());
    }

    #[test]
    fn advice_fits_the_server() {
        let mut conditions = samples::conditions();
        for (name, vendor, version, interval, part) in [
            ("agreement", "redis", "7.0.15", None, "from Redis 8"),
            (
                "agreement",
                "redis",
                "8.0.2",
                Some(0),
                "set cluster-ping-interval",
            ),
            ("agreement", "redis", "8.0.2", Some(100), "further"),
            ("election", "redis", "8.0.2", None, "from Valkey 9 on"),
            ("election", "valkey", "9.1.2", None, "votes were denied"),
            (
                "shutdown",
                "redis",
                "7.0.15",
                None,
                "CLUSTER FAILOVER before a stop",
            ),
            ("client", "redis", "7.0.15", None, "try again sooner"),
            ("delay", "redis", "7.0.15", None, "before a restart"),
        ] {
            (conditions.vendor, conditions.version) = (vendor.into(), version.into());
            conditions.ping_interval_ms = interval;
            let next = next(name, &conditions);
            assert!(next.contains(part), "{next}");
        }
    }
}
