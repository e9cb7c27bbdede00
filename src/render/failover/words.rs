//! A drill in a few words: what was done to whom, and what it cost. The document, the page and the
//! CI report say them alike.

use std::collections::BTreeSet;

use crate::model::{Fault, Outcome, words::listed};
use crate::ops::failover::{Outage, Report, RoundReport, Verdict};
use crate::render::human;

/// What ends a line that stands for others.
pub const MORE: &str = " (-v lists them)";

/// So many faults one after another are told in their order.
const CHAIN: usize = 4;

/// `kill of the master of shard 1: 2.41 s without writes, 0 of 12,345 acknowledged writes lost,
/// whole again 1.20 s after healing`.
pub fn headline(report: &Report) -> String {
    let cost = match (report.verdict, report.reasons.first()) {
        // Figures that cannot be trusted do not open the answer.
        (Verdict::Unknown, Some(reason)) => reason.clone(),
        _ => [outage(report), losses(report), wholeness(report)].join(", "),
    };
    let deed = deed(report);
    // One colon is enough.
    let dash = if deed.contains(':') { ";" } else { ":" };
    format!("{deed}{dash} {cost}")
}

/// `kill of the master of shard 1, 20 rounds`; a scenario's begins with its name.
pub fn deed(report: &Report) -> String {
    match &report.scenario {
        Some(name) => format!("{name}, {}", done(report)),
        None => done(report),
    }
}

fn done(report: &Report) -> String {
    let rounds = &report.rounds;
    let Some(first) = rounds.first() else {
        return "no round was done".to_owned();
    };
    let victims = victims(&first.targets);
    let is_one_fault = rounds.iter().all(|round| round.fault == first.fault);
    let is_same = is_one_fault && rounds.iter().all(|r| self::victims(&r.targets) == victims);
    match (rounds.len(), is_same, is_one_fault) {
        (1, ..) => format!("{} of {victims}", first.fault),
        (n, true, _) => format!("{} of {victims}, {n} rounds", first.fault),
        (n, false, true) => format!("{} in {n} rounds", first.fault),
        (n, false, false) => {
            let faults: Vec<Fault> = rounds.iter().map(|round| round.fault).collect();
            format!("{n} rounds: {}", sequence(&faults))
        }
    }
}

/// `kill, then failover`; what comes again and again is said once, and of a long tale only who is in
/// it.
fn sequence(faults: &[Fault]) -> String {
    let is_repeated = |length: &usize| {
        faults.len().is_multiple_of(*length)
            && faults
                .chunks(*length)
                .all(|part| part == &faults[..*length])
    };
    let length = (1..=faults.len()).find(is_repeated).unwrap_or(1);
    let mut names: Vec<&str> = faults[..length].iter().map(|fault| fault.name()).collect();
    names.dedup();
    if names.len() > CHAIN {
        let mut told = BTreeSet::new();
        names.retain(|name| told.insert(*name));
        return listed(names.into_iter().map(str::to_owned), CHAIN);
    }
    let once = names.join(", then ");
    match faults.len() / length {
        1 => once,
        times => format!("{once}, {times} times"),
    }
}

/// `the master of shard 1`, from `127.0.0.1:7001 (master of shard 1, process 4711)`: roles stay when
/// addresses change from round to round.
pub fn victims(targets: &[String]) -> String {
    let roles = targets.iter().map(|target| {
        let inner = target.split_once('(').map(|(_, inner)| inner);
        let role = inner.and_then(|inner| inner.split([',', ')']).next());
        match role {
            Some(role) if role.contains(" of shard ") => format!("the {role}"),
            _ => target.clone(),
        }
    });
    match targets.len() {
        0 => "nobody".to_owned(),
        2 => roles.collect::<Vec<_>>().join(" and "),
        _ => listed(roles, 3),
    }
}

/// `2.41 s without writes`.
pub fn outage(report: &Report) -> String {
    // What never ended is worse than anything that did, whoever was struck.
    let endless = report.outages.iter().filter(|o| o.restored_at.is_none());
    if let Some(worst) = worst(endless) {
        return format!(
            "shard {} took no writes to the end ({})",
            worst.shard,
            human::millis(worst.unavailable_ms)
        );
    }
    let struck = report.outages.iter().filter(|outage| outage.is_struck);
    let up_to = if report.rounds.len() > 1 {
        "up to "
    } else {
        ""
    };
    if let Some(worst) = worst(struck) {
        let length = human::millis(worst.unavailable_ms);
        return format!("{up_to}{length} without writes");
    }
    match worst(report.outages.iter()) {
        Some(other) => format!(
            "{up_to}{} without writes in shard {}, which was not struck",
            human::millis(other.unavailable_ms),
            other.shard
        ),
        None => "writes never stopped".to_owned(),
    }
}

fn losses(report: &Report) -> String {
    let writes = &report.writes;
    let mut text = format!(
        "{} of {} acknowledged writes lost",
        human::count(writes.lost),
        human::count(writes.acknowledged)
    );
    if writes.unread > 0 {
        text += &format!(" and {} not readable", human::count(writes.unread));
    }
    text
}

/// `whole again 1.20 s after healing`; a handover heals nothing, so it counts from the fault.
pub fn wholeness(report: &Report) -> String {
    if report.rounds.iter().any(|r| !r.not_whole.is_empty()) {
        return "not whole at the end".to_owned();
    }
    let mut rounds = report.rounds.iter();
    let is_over = rounds.all(|round| round.fault.ends_by_itself());
    let recovery = &report.recovery;
    match (recovery.redundancy_ms, recovery.whole_after_fault_ms) {
        (_, Some(ms)) if is_over => format!("whole again {} later", human::millis(ms)),
        (Some(ms), _) => format!("whole again {} after healing", human::millis(ms)),
        (None, Some(ms)) => format!("whole again {} after the fault", human::millis(ms)),
        (None, None) => "not seen to be whole again".to_owned(),
    }
}

/// The outage that is worst: one that never ended, else the longest.
pub fn worst<'a>(outages: impl Iterator<Item = &'a Outage>) -> Option<&'a Outage> {
    outages.max_by(|a, b| {
        let ends = |outage: &Outage| outage.restored_at.is_none();
        let lengths = a.unavailable_ms.total_cmp(&b.unavailable_ms);
        ends(a).cmp(&ends(b)).then(lengths)
    })
}

/// The round that a reader should look at first: not whole, then losing writes, then the longest
/// without them.
pub fn worst_round(report: &Report) -> Option<usize> {
    let grave = |round: &&RoundReport| {
        let lost = report.writes_by_shard.iter();
        let lost: u64 = lost
            .filter(|row| row.round == round.round)
            .map(|row| row.writes.lost + row.writes.unread)
            .sum();
        let outages = report.outages.iter();
        let outages = outages.filter(|outage| outage.round == round.round);
        let worst = worst(outages).map_or(0.0, |outage| outage.unavailable_ms);
        (!round.not_whole.is_empty(), lost, worst)
    };
    let worst = report.rounds.iter().rev().max_by(|a, b| {
        let (a, b) = (grave(a), grave(b));
        (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2))
    });
    worst.map(|round| round.round)
}

/// When the fault struck, in ms since the round began; times are told from there.
pub fn fault_at(round: &RoundReport) -> f64 {
    let mut moments = round.timeline.iter();
    let fault = moments.find(|moment| moment.what == "fault");
    fault.map_or(0.0, |moment| moment.at_ms)
}

/// `+2.413 s`.
pub fn offset(ms: f64) -> String {
    if ms.is_finite() {
        // Adding zero turns a negative zero around.
        format!("{:+.3} s", ms.round() / 1e3 + 0.0)
    } else {
        "?".to_owned()
    }
}

/// A stable word as people read it: `first good write`.
pub fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

/// How operations ended, as people say it.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Good => "good",
        Outcome::Down => "CLUSTERDOWN",
        Outcome::Moved => "MOVED or ASK",
        Outcome::Refused => "refused",
        Outcome::NoConnection => "no connection",
        Outcome::Broken => "connection broken",
        Outcome::Timeout => "timeout",
        Outcome::Stale => "stale read",
        Outcome::Unsent => "not sent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn victims_are_told_by_role_where_it_is_known() {
        let told = |targets: &[&str]| {
            let targets: Vec<String> = targets.iter().map(|&t| t.to_owned()).collect();
            victims(&targets)
        };
        assert_eq!(
            told(&["127.0.0.1:7001 (master of shard 1, process 4711)"]),
            "the master of shard 1"
        );
        assert_eq!(
            told(&["a:1 (master of shard 1)", "b:2 (replica of shard 2, hooks)"]),
            "the master of shard 1 and the replica of shard 2"
        );
        assert_eq!(told(&["a:1 (odd)"]), "a:1 (odd)");
        assert_eq!(told(&[]), "nobody");
        assert_eq!(told(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn faults_are_told_in_their_order() {
        use Fault::{Failover, Kill, Pause, Stop};
        for (faults, told) in [
            (&[Kill, Failover][..], "kill, then failover"),
            (&[Kill, Kill, Failover], "kill, then failover"),
            (
                &[Failover, Kill, Failover, Kill],
                "failover, then kill, 2 times",
            ),
            (&[Stop, Failover, Stop, Failover, Stop], "stop, failover"),
            (&[Kill, Pause, Kill], "kill, then pause, then kill"),
        ] {
            assert_eq!(sequence(faults), told);
        }
    }

    #[test]
    fn offsets_carry_their_sign() {
        for (ms, text) in [
            (2413.4, "+2.413 s"),
            (0.0, "+0.000 s"),
            (-0.2, "+0.000 s"),
            (-1500.0, "-1.500 s"),
            (f64::NAN, "?"),
        ] {
            assert_eq!(offset(ms), text);
        }
    }
}
