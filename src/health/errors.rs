//! Rules about what clients get instead of answers. All are rates over the two samples: counters
//! since the start tell of last month.

use crate::model::words::{counted, listed};
use crate::model::{Facts, Probe, Severity};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above};
use super::notes::Notes;
use super::rates::{self, ENOUGH};

const FAILED: CodeDoc = CodeDoc {
    code: "errors.failed",
    title: "operations fail",
    limit: above(1.0, Some(5.0), Unit::Percent),
    why: "So many of the operations that clients asked of the masters ended in an error within the sample. Redirections, NOSCRIPT and BUSYGROUP are not counted; refused commands are.",
    remedy: "The evidence names the most frequent errors; INFO commandstats names the commands.",
    source: "INFO stats: total_error_replies, total_commands_processed; commandstats: rejected_calls; errorstats (6.2 and later)",
    ..CodeDoc::PLAIN
};
const REDIRECTED: CodeDoc = CodeDoc {
    code: "errors.redirected",
    title: "clients are redirected all the time",
    limit: above(1.0, None, Unit::Percent),
    why: "So many requests are answered with MOVED or ASK. After a failover or during a reshard that passes; when it stays, clients do not refresh their map of slots, or are no cluster clients at all, and pay two round trips for each request.",
    remedy: "Use a cluster client and let it refresh its map on MOVED.",
    source: "INFO errorstats: MOVED and ASK over two samples",
    ..CodeDoc::PLAIN
};
const CLUSTER_DOWN: CodeDoc = CodeDoc {
    code: "errors.cluster_down",
    title: "clients are told CLUSTERDOWN",
    severity: Severity::Critical,
    why: "Requests were refused within the sample because the node holds the cluster, or the slot, for down.",
    remedy: "See cluster.state and slots.*.",
    source: "INFO errorstats: CLUSTERDOWN over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const READONLY: CodeDoc = CodeDoc {
    code: "errors.readonly",
    title: "clients write to replicas",
    why: "Writes arrive at a replica, which refuses them: after a failover some clients still hold the old master for one, or a fixed address is used.",
    remedy: "Let clients refresh their topology on READONLY and MOVED; do not pin addresses.",
    source: "INFO errorstats: READONLY over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const REFUSED: CodeDoc = CodeDoc {
    code: "errors.refused_writes",
    title: "the server refuses work in its present state",
    severity: Severity::Critical,
    why: "Within the sample requests were refused with MISCONF (the disk fails), NOREPLICAS (too few replicas), MASTERDOWN (a replica without its master), LOADING or BUSY (a script does not end).",
    remedy: "Each word has its own cause: see persistence.*, replica.*, node.loading; for BUSY, SCRIPT KILL.",
    source: "INFO errorstats over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const DENIED: CodeDoc = CodeDoc {
    code: "errors.denied",
    title: "logins or commands are denied",
    limit: above(0.0, Some(10.0), Unit::PerSecond),
    why: "Clients were denied for a missing or wrong password or for want of a permission. A few are a forgotten client or a probe without a login; many are a bad rollout or an attack. The few that a check makes itself are left out.",
    remedy: "ACL LOG on the node names user, client address and command.",
    source: "INFO errorstats: NOAUTH, WRONGPASS, NOPERM over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CLIENT_BUGS: CodeDoc = CodeDoc {
    code: "errors.client_bugs",
    title: "requests that no cluster can serve",
    why: "CROSSSLOT means that an application asks for keys of several slots in one command; TRYAGAIN that it does so for a slot on the move.",
    remedy: "Put keys that belong together under one hash tag: {user:7}:cart, {user:7}:seen.",
    source: "INFO errorstats: CROSSSLOT, TRYAGAIN over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const UNTRACKED: CodeDoc = CodeDoc {
    code: "errors.untracked",
    title: "the server no longer tells errors apart",
    why: "Too many kinds of error were met (mostly scripts that put values into the first word), so the server gave up counting them by kind. The rules about kinds of errors are blind there; the rate of failures is still right.",
    remedy: "Let scripts return errors with a fixed first word, then CONFIG RESETSTAT.",
    source: "INFO errorstats: ERRORSTATS_DISABLED (Redis 7.4), ERRORSTATS_OVERFLOW (Valkey 8)",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "errors",
    codes: &[
        &FAILED,
        &REDIRECTED,
        &CLUSTER_DOWN,
        &READONLY,
        &REFUSED,
        &DENIED,
        &CLIENT_BUGS,
        &UNTRACKED,
    ],
    judge,
};

/// The rules that count one or more kinds of error on each node.
const KINDS: &[(&CodeDoc, &[&str])] = &[
    (&CLUSTER_DOWN, &["CLUSTERDOWN"]),
    (&READONLY, &["READONLY"]),
    (
        &REFUSED,
        &["MISCONF", "NOREPLICAS", "MASTERDOWN", "LOADING", "BUSY"],
    ),
    (&CLIENT_BUGS, &["CROSSSLOT", "TRYAGAIN"]),
];

/// So many denials in a sample may be the check's own: a PING without AUTH, a command that its user
/// may not use.
const OWN_DENIALS: u64 = 5;

fn judge(case: &Case, notes: &mut Notes) {
    let docs = [
        &FAILED,
        &REDIRECTED,
        &CLUSTER_DOWN,
        &READONLY,
        &REFUSED,
        &DENIED,
        &CLIENT_BUGS,
    ];
    let sampled = notes.with(Probe::Sample, &docs, case.asked());
    for asked in &sampled {
        by_kind(case, notes, asked);
        denied(case, notes, asked);
    }
    let masters: Vec<&Asked> = sampled.iter().filter(|asked| !asked.is_replica()).collect();
    if !masters.is_empty() {
        failed(case, notes, &masters);
    }
    for asked in case.asked() {
        untracked(case, notes, &asked);
    }
}

fn grown(facts: &Facts, kinds: &[&'static str]) -> Vec<(u64, &'static str)> {
    kinds
        .iter()
        .filter_map(|kind| {
            Some((
                rates::errors(facts, kind).filter(|errors| *errors > 0)?,
                *kind,
            ))
        })
        .collect()
}

fn worded(errors: &[(u64, &str)]) -> String {
    errors
        .iter()
        .map(|(times, kind)| format!("{kind} +{times}"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn by_kind(case: &Case, notes: &mut Notes, asked: &Asked) {
    for (doc, kinds) in KINDS {
        let errors = grown(asked.facts, kinds);
        if !errors.is_empty() {
            notes.find(
                doc,
                asked.subject(),
                format!("{}: {}", doc.title, worded(&errors)),
                format!("INFO errorstats in the sample: {}", worded(&errors)),
                case.cli(&asked.report.addr, "info errorstats"),
            );
        }
    }
}

fn denied(case: &Case, notes: &mut Notes, asked: &Asked) {
    let errors = grown(asked.facts, &["NOAUTH", "WRONGPASS", "NOPERM"]);
    let total: u64 = errors.iter().map(|(times, _)| times).sum();
    if total <= OWN_DENIALS {
        return;
    }
    let rate = rates::per_second(asked.facts, total - OWN_DENIALS).unwrap_or(0.0);
    if let Some(severity) = notes.grade(&DENIED, rate) {
        notes.find_at(
            &DENIED,
            severity,
            asked.subject(),
            format!("denies {rate:.0} logins or commands a second"),
            format!("INFO errorstats in the sample: {}", worded(&errors)),
            case.cli(&asked.report.addr, "acl log"),
        );
    }
}

fn failed(case: &Case, notes: &mut Notes, masters: &[&Asked]) {
    let Some(tally) = rates::tally(masters.iter().map(|asked| asked.facts)) else {
        for doc in [&FAILED, &REDIRECTED] {
            notes.skip(
                doc,
                case.cluster(),
                "the servers do not count error replies (before 6.2)",
            );
        }
        return;
    };
    if tally.operations < ENOUGH {
        for doc in [&FAILED, &REDIRECTED] {
            notes.skip(
                doc,
                case.cluster(),
                format!(
                    "too few operations to judge: {} in the sample, {ENOUGH} are needed",
                    tally.operations
                ),
            );
        }
        return;
    }
    let share = |part: u64| part as f64 * 100.0 / tally.operations as f64;
    let counts = |part: u64| {
        format!(
            "{part} of {} operations on {} in the sample",
            tally.operations,
            counted(masters.len(), "master")
        )
    };
    let (fails, moves) = (share(tally.failed), share(tally.redirected));
    if let Some(severity) = notes.grade(&FAILED, fails) {
        let kinds = most_frequent(masters);
        notes.find_at(
            &FAILED,
            severity,
            case.cluster(),
            format!("{fails:.1} % of operations fail"),
            format!("INFO: {}; {kinds}", counts(tally.failed)),
            case.cli(&case.any_addr(), "info commandstats"),
        );
    } else {
        one_node(case, notes, masters);
    }
    if let Some(severity) = notes.grade(&REDIRECTED, moves) {
        let is_moving = masters.iter().any(|asked| {
            asked
                .facts
                .view
                .myself()
                .is_some_and(|own| !own.migrating.is_empty() || !own.importing.is_empty())
        });
        notes.find_at(
            &REDIRECTED,
            if is_moving { Severity::Info } else { severity },
            case.cluster(),
            format!("{moves:.1} % of operations are redirected"),
            format!(
                "INFO errorstats: {} answered with MOVED or ASK",
                counts(tally.redirected)
            ),
            case.cli(&case.any_addr(), "info errorstats"),
        );
    }
}

/// A node whose failures drown in the sum of all.
fn one_node(case: &Case, notes: &mut Notes, masters: &[&Asked]) {
    for asked in masters {
        let Some(share) = rates::failed_percent([asked.facts]) else {
            continue;
        };
        if let Some(severity) = notes.grade(&FAILED, share) {
            notes.find_at(
                &FAILED,
                severity,
                asked.subject(),
                format!("{share:.1} % of its operations fail"),
                format!("INFO in the sample: {}", most_frequent(&[asked])),
                case.cli(&asked.report.addr, "info commandstats"),
            );
        }
    }
}

fn most_frequent(masters: &[&Asked]) -> String {
    let mut kinds: std::collections::BTreeMap<&str, u64> = std::collections::BTreeMap::new();
    for asked in masters {
        let Some(later) = &asked.facts.later else {
            continue;
        };
        for (kind, _) in later
            .with_prefix("errorstat_")
            .filter(|(kind, _)| *kind != "MOVED" && *kind != "ASK")
        {
            *kinds.entry(kind).or_default() += rates::errors(asked.facts, kind).unwrap_or(0);
        }
    }
    let mut kinds: Vec<_> = kinds.into_iter().filter(|(_, times)| *times > 0).collect();
    kinds.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    listed(
        kinds
            .into_iter()
            .map(|(kind, times)| format!("{kind} +{times}")),
        4,
    )
}

fn untracked(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = asked.facts.later.as_ref().unwrap_or(&asked.facts.info);
    let sign = [
        "errorstat_ERRORSTATS_DISABLED",
        "errorstat_ERRORSTATS_OVERFLOW",
    ]
    .into_iter()
    .find(|name| info.get(name).is_some());
    if let Some(sign) = sign {
        notes.find(
            &UNTRACKED,
            asked.subject(),
            "no longer tells errors apart",
            format!("INFO errorstats: {sign}"),
            case.cli(&asked.report.addr, "config resetstat"),
        );
    }
}
