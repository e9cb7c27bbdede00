//! Rules about a master and its replicas outside of a cluster, and about the Sentinels that watch
//! them: do they agree, are they enough, could they promote a replica.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::words::{counted, listed};
use crate::model::{
    Info, NodeAddr, SentinelAnswer, SentinelFacts, SentinelReport, Sentinels, Severity, Subject,
    form,
};

use super::Rule;
use super::case::Case;
use super::notes::Notes;

mod docs;
mod followers;
use docs::{
    DISAGREE, FEW, MASTER_DISPUTED, MASTER_DOWN, MIN_REPLICAS, NO_QUORUM, NOT_ASKED, ONE_HOST,
    OPEN, QUORUM, REPLICA_DOWN, STRANGER, TILT, TIMING, TWO_MASTERS, UNREACHABLE, UNWATCHED,
    WRONG_MASTER,
};
use followers::{followers, masters, unwatched};

/// The rule.
pub const RULE: Rule = Rule {
    group: "sentinel",
    codes: &[
        &TWO_MASTERS,
        &WRONG_MASTER,
        &UNWATCHED,
        &NOT_ASKED,
        &UNREACHABLE,
        &STRANGER,
        &NO_QUORUM,
        &QUORUM,
        &FEW,
        &ONE_HOST,
        &DISAGREE,
        &MASTER_DISPUTED,
        &MASTER_DOWN,
        &REPLICA_DOWN,
        &TILT,
        &TIMING,
        &MIN_REPLICAS,
        &OPEN,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    if case.is_cluster() {
        return;
    }
    masters(case, notes);
    followers(case, notes);
    let Some(sentinels) = &case.survey.sentinels else {
        unwatched(case, notes);
        return;
    };
    answers(case, notes, sentinels);
    enough(case, notes, sentinels);
    hosts(notes, sentinels);
    agreement(case, notes, sentinels);
    disputed(case, notes, sentinels);
    for (report, facts, master) in sentinels.watching() {
        flagged(case, notes, report, facts, master);
        timing(case, notes, report, master);
    }
    isolated(case, notes);
    doors(case, notes, sentinels);
}

fn sentinel(report: &SentinelReport) -> Subject {
    Subject::Node(report.addr.to_string())
}

/// How many Sentinels there are, as far as any that answers knows.
fn known(sentinels: &Sentinels) -> usize {
    let told = sentinels
        .watching()
        .map(|(_, facts, _)| facts.others.len() + 1);
    told.max().unwrap_or(0).max(sentinels.asked.len())
}

fn majority(of: usize) -> usize {
    of / 2 + 1
}

fn answers(case: &Case, notes: &mut Notes, sentinels: &Sentinels) {
    let all = known(sentinels);
    let answering = sentinels.answered().count();
    let severity = match answering < majority(all) {
        true => Severity::Critical,
        false => Severity::Warning,
    };
    for report in &sentinels.asked {
        match &report.answer {
            SentinelAnswer::Silent {
                silence,
                detail,
                after_ms,
            } => notes.find_at(
                &UNREACHABLE,
                severity,
                sentinel(report),
                format!("the Sentinel does not answer; {answering} of {all} do"),
                format!("{silence} after {after_ms} ms: {detail}"),
                case.cli(&report.addr, "ping"),
            ),
            SentinelAnswer::Facts(facts) if facts.master.is_none() => notes.find(
                &STRANGER,
                sentinel(report),
                format!(
                    "does not watch {}",
                    sentinels.name.as_deref().unwrap_or("one master alone")
                ),
                format!(
                    "SENTINEL MASTERS: {}",
                    match facts.watches.is_empty() {
                        true => "none".to_owned(),
                        false => listed(facts.watches.iter().cloned(), 6),
                    }
                ),
                case.cli(&report.addr, "sentinel masters"),
            ),
            SentinelAnswer::Facts(_) => {}
        }
    }
}

fn enough(case: &Case, notes: &mut Notes, sentinels: &Sentinels) {
    let name = sentinels.name.as_deref().unwrap_or("NAME");
    let refused: Vec<_> = (sentinels.watching())
        .filter(|(_, facts, _)| !facts.quorum.is_empty() && !facts.quorum.starts_with("OK"))
        .collect();
    if let Some((report, facts, _)) = refused.first() {
        notes.find(
            &NO_QUORUM,
            case.cluster(),
            format!(
                "{} could not bring about a failover",
                counted(refused.len(), "Sentinel")
            ),
            format!(
                "SENTINEL CKQUORUM {name} on {}: {}",
                report.addr, facts.quorum
            ),
            case.cli(&report.addr, &format!("sentinel ckquorum {name}")),
        );
    }
    let all = known(sentinels);
    let Some((report, facts, master)) = sentinels.watching().next() else {
        return;
    };
    if all < 3 {
        notes.find(
            &FEW,
            case.cluster(),
            match all {
                1 => "a single Sentinel: when it is gone, nobody promotes a replica".to_owned(),
                n => format!(
                    "only {n} Sentinels: when one is gone, no majority is left to promote a replica"
                ),
            },
            format!(
                "SENTINEL SENTINELS of {}: {} besides itself",
                report.addr,
                facts.others.len()
            ),
            "run three or five, on hosts of their own",
        );
    }
    let Some(quorum) = master.number("quorum") else {
        return;
    };
    let next = case.cli(
        &report.addr,
        &format!("sentinel set {name} quorum {}", majority(all)),
    );
    let evidence = format!(
        "SENTINEL MASTER {name} on {}: quorum {quorum}; {all} Sentinels are known",
        report.addr
    );
    if quorum as usize > all {
        let summary = format!(
            "a quorum of {quorum} can never be reached with {}",
            counted(all, "Sentinel")
        );
        notes.find_at(
            &QUORUM,
            Severity::Critical,
            case.cluster(),
            summary,
            evidence,
            next,
        );
    } else if quorum == 1 && all > 1 {
        let summary = format!("one of {all} Sentinels alone may call the master dead");
        notes.find(&QUORUM, case.cluster(), summary, evidence, next);
    }
}

fn hosts(notes: &mut Notes, sentinels: &Sentinels) {
    let mut hosts: BTreeMap<&str, usize> = BTreeMap::new();
    for report in &sentinels.asked {
        *hosts.entry(&report.addr.host).or_default() += 1;
    }
    let all = sentinels.asked.len();
    let Some((host, most)) = hosts.iter().max_by_key(|(_, n)| **n).filter(|_| all > 1) else {
        return;
    };
    if all - most >= majority(all) {
        return;
    }
    let is_local = sentinels
        .asked
        .iter()
        .all(|report| report.addr.is_loopback());
    notes.find_at(
        &ONE_HOST,
        if is_local { Severity::Info } else { Severity::Warning },
        Subject::Host((*host).to_owned()),
        format!("{most} of {all} Sentinels are on it: without it no majority is left to promote a replica"),
        format!("addresses of the Sentinels: {}", listed(sentinels.asked.iter().map(|s| s.addr.to_string()), 6)),
        "spread them over at least three hosts",
    );
}

fn agreement(case: &Case, notes: &mut Notes, sentinels: &Sentinels) {
    let sets = |facts: &SentinelFacts| {
        let others = facts.others.iter().filter_map(|other| other.get("runid"));
        let all: BTreeSet<&str> = others.chain(Some(facts.id.as_str())).collect();
        all.into_iter()
            .map(|id| id.chars().take(8).collect::<String>())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let replicas = |facts: &SentinelFacts| {
        let all: BTreeSet<String> = (facts.replicas.iter())
            .filter_map(form::address)
            .map(|addr| addr.to_string())
            .collect();
        all.into_iter().collect::<Vec<_>>().join(" ")
    };
    let value = |info: &Info, name: &str| info.get(name).unwrap_or("?").to_owned();
    type Saying<'a> = (&'a str, Box<dyn Fn(&SentinelFacts, &Info) -> String + 'a>);
    let sayings: [Saying; 5] = [
        ("the quorum", Box::new(|_, m| value(m, "quorum"))),
        ("which Sentinels there are", Box::new(|f, _| sets(f))),
        ("which replicas there are", Box::new(|f, _| replicas(f))),
        (
            "down-after-milliseconds",
            Box::new(|_, m| value(m, "down-after-milliseconds")),
        ),
        (
            "failover-timeout",
            Box::new(|_, m| value(m, "failover-timeout")),
        ),
    ];
    for (what, say) in sayings {
        let mut camps: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (report, facts, master) in sentinels.watching() {
            camps
                .entry(say(facts, master))
                .or_default()
                .push(report.addr.to_string());
        }
        if camps.len() < 2 {
            continue;
        }
        let told = camps
            .iter()
            .map(|(said, by)| format!("{}: {said}", listed(by.clone(), 4)));
        notes.find(
            &DISAGREE,
            case.cluster(),
            format!("the Sentinels do not agree on {what}"),
            told.collect::<Vec<_>>().join("; "),
            "SENTINEL SET the same on each; SENTINEL RESET NAME on each in turn forgets what is gone",
        );
    }
}

fn disputed(case: &Case, notes: &mut Notes, sentinels: &Sentinels) {
    let mut camps: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Whoever leads a failover names the old master until it is over.
    let settled = |line: &Info| !form::is_flagged(line, "failover_in_progress");
    for (report, _, master) in sentinels.watching().filter(|(_, _, line)| settled(line)) {
        let at = form::address(master).map_or("nowhere".to_owned(), |addr| addr.to_string());
        camps.entry(at).or_default().push(report.addr.to_string());
    }
    if camps.len() > 1 {
        let told = camps
            .iter()
            .map(|(at, by)| format!("{at} say {}", listed(by.clone(), 4)));
        notes.find(
            &MASTER_DISPUTED,
            case.cluster(),
            "the Sentinels name different masters, so clients write to different servers",
            format!("SENTINEL MASTER: {}", told.collect::<Vec<_>>().join("; ")),
            "see whether they reach each other and the servers; after a failover this passes within seconds",
        );
    }
    // Sentinels' master has the higher epoch, whatever it says of itself.
    let servant = case
        .replicas()
        .find(|asked| asked.member.is_some_and(|m| m.epoch > 1));
    if let Some(replica) = servant {
        notes.find(
            &MASTER_DISPUTED,
            replica.subject(),
            "is the master for the Sentinels, and says itself that it is a replica",
            "SENTINEL MASTER; INFO replication: role:slave",
            case.cli(&replica.report.addr, "info replication"),
        );
    }
}

fn flagged(
    case: &Case,
    notes: &mut Notes,
    report: &SentinelReport,
    facts: &SentinelFacts,
    master: &Info,
) {
    let name = |addr: Option<NodeAddr>| addr.map_or("?".to_owned(), |addr| addr.to_string());
    let objective = form::is_flagged(master, "o_down");
    if objective || form::is_flagged(master, "s_down") {
        let severity = if objective {
            Severity::Critical
        } else {
            Severity::Warning
        };
        notes.find_at(
            &MASTER_DOWN,
            severity,
            sentinel(report),
            format!("holds the master {} for down", name(form::address(master))),
            format!(
                "SENTINEL MASTER: flags {}",
                master.get("flags").unwrap_or("?")
            ),
            case.cli(&report.addr, "sentinel masters"),
        );
    }
    for replica in facts
        .replicas
        .iter()
        .filter(|line| form::is_flagged(line, "s_down"))
    {
        notes.find(
            &REPLICA_DOWN,
            sentinel(report),
            format!(
                "holds the replica {} for down",
                name(form::address(replica))
            ),
            format!(
                "SENTINEL REPLICAS: flags {}",
                replica.get("flags").unwrap_or("?")
            ),
            "bring it back, or forget it: SENTINEL RESET NAME on each Sentinel in turn",
        );
    }
    if facts.info.number("sentinel_tilt") == Some(1) {
        notes.find(
            &TILT,
            sentinel(report),
            "is in TILT mode: it watches, and promotes nobody",
            "INFO sentinel: sentinel_tilt:1",
            "look for a clock that jumped or a machine that stood still",
        );
    }
}

fn timing(case: &Case, notes: &mut Notes, report: &SentinelReport, master: &Info) {
    let (Some(down), Some(failover)) = (
        master.number("down-after-milliseconds"),
        master.number("failover-timeout"),
    ) else {
        return;
    };
    let what = if down < 1_000 {
        "a stall of a second is taken for a death"
    } else if down > 60_000 {
        "a dead master is noticed only after more than a minute"
    } else if failover < down {
        "a failover is given less time than noticing a death"
    } else {
        return;
    };
    let name = master.get("name").unwrap_or("NAME");
    notes.find(
        &TIMING,
        sentinel(report),
        what,
        format!("SENTINEL MASTER: down-after-milliseconds {down}, failover-timeout {failover}"),
        case.cli(
            &report.addr,
            &format!("sentinel set {name} down-after-milliseconds 5000 failover-timeout 60000"),
        ),
    );
}

/// A master that is cut off goes on taking writes, unless it wants replicas.
fn isolated(case: &Case, notes: &mut Notes) {
    for master in case.masters() {
        let wanted = ["min-replicas-to-write", "min-slaves-to-write"]
            .iter()
            .find_map(|name| master.facts.setting_number(name));
        if wanted == Some(0) && case.replicas().next().is_some() {
            notes.find(
                &MIN_REPLICAS,
                master.subject(),
                "goes on taking writes when it is cut off from its replicas and another is promoted",
                "CONFIG: min-replicas-to-write 0",
                case.cli(&master.report.addr, "config set min-replicas-to-write 1"),
            );
        }
    }
}

fn doors(case: &Case, notes: &mut Notes, sentinels: &Sentinels) {
    for (report, facts) in sentinels.answered() {
        if facts.answers_without_password != Some(true) {
            continue;
        }
        let is_local = report.addr.is_loopback();
        notes.find_at(
            &OPEN,
            if is_local {
                Severity::Info
            } else {
                Severity::Critical
            },
            sentinel(report),
            "whoever reaches the Sentinel can reconfigure it without a password",
            "PING without AUTH was answered with PONG",
            case.secret_cli(&report.addr, "config set requirepass"),
        );
    }
}
