//! Rules about how far replication has come: lag in seconds and bytes, full copies, and how long a
//! break the backlog can bridge.

use crate::model::words::{bytes, counted, seconds};
use crate::model::{Member, Probe, Severity, Subject};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above, below};
use super::notes::Notes;
use super::{lag, rates};

const LAG: CodeDoc = CodeDoc {
    code: "replica.lag",
    title: "behind its master",
    limit: above(3.0, Some(10.0), Unit::Seconds),
    why: "The replica is so many seconds behind: the larger of how long its acknowledgement is overdue and how long the master took to write what it has not acknowledged. A failover now would lose that much.",
    remedy: "See whether the replica is starved of CPU, blocked by a slow command, or short of bandwidth.",
    source: "INFO replication of the master: slaveN offset and lag, master_repl_offset over two samples",
    ..CodeDoc::PLAIN
};
const LAG_BYTES: CodeDoc = CodeDoc {
    code: "replica.lag_bytes",
    title: "so far behind that a short break costs a full copy",
    limit: above(10.0, Some(50.0), Unit::Percent),
    why: "What the replica still lacks, beyond a second of writes that is always on its way, fills this share of the backlog. If the link breaks now and the backlog runs over, the whole data set must be copied again.",
    remedy: "Find what slows the replica down; enlarge repl-backlog-size.",
    source: "INFO replication of the master: master_repl_offset, slaveN offset, repl_backlog_size",
    ..CodeDoc::PLAIN
};
const LOOP: CodeDoc = CodeDoc {
    code: "replica.full_sync_loop",
    title: "full copies begin again and again",
    severity: Severity::Critical,
    why: "The master starts one full synchronisation after another and cuts the replicas off, mostly because what is written meanwhile outgrows the replica output buffer. It never converges, and costs a fork and the whole data set each time.",
    remedy: "Raise client-output-buffer-limit replica and repl-backlog-size; lower the write load until the copy is through.",
    source: "INFO stats of the master: sync_full, client_output_buffer_limit_disconnections",
    ..CodeDoc::PLAIN
};
const BACKLOG: CodeDoc = CodeDoc {
    code: "replica.backlog_short",
    title: "the replication backlog holds too few seconds of writes",
    limit: below(60.0, None, Unit::Seconds),
    why: "At the present write rate the backlog is overwritten within so many seconds. A replica that is away for longer, for a restart or a network fault, needs a full copy.",
    remedy: "Set repl-backlog-size to the write rate times the longest break that you expect, at least 60 s.",
    source: "INFO replication: repl_backlog_size, master_repl_offset over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const REFUSED: CodeDoc = CodeDoc {
    code: "replica.partial_refused",
    title: "a replica could not go on where it left off",
    why: "Within the sample a replica asked to continue and the backlog no longer held what it lacked, so it got a full copy.",
    remedy: "Enlarge repl-backlog-size; find why the link broke.",
    source: "INFO stats of the master: sync_partial_err over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// Counted since Redis 7.2.
const CUT_OFF: &str = "client_output_buffer_limit_disconnections";

/// The rule.
pub const RULE: Rule = Rule {
    group: "progress",
    codes: &[&LAG, &LAG_BYTES, &LOOP, &BACKLOG, &REFUSED],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    for member in case.topology.members.values() {
        behind(case, notes, member);
    }
    for master in notes.with(Probe::Info, &[&LAG, &LOOP], case.masters()) {
        full_syncs(case, notes, &master);
    }
    let followed: Vec<Asked> = (case.masters())
        .filter(|master| has_replicas(case, master))
        .collect();
    let docs = [&LAG_BYTES, &BACKLOG, &REFUSED];
    for master in notes.with(Probe::Sample, &docs, followed.into_iter()) {
        backlog(case, notes, &master);
    }
}

fn behind(case: &Case, notes: &mut Notes, replica: &Member) {
    let master = replica.master.as_ref().and_then(|id| case.survey.node(id));
    let Some((node, facts)) = master.and_then(|node| Some((node, node.facts()?))) else {
        return;
    };
    // That a dead replica falls behind is no news.
    if (case.survey.node(&replica.id)).is_some_and(|node| case.seems_dead(node)) {
        return;
    }
    let subject = Subject::Node(case.name(&replica.id));
    let look = case.cli(&node.addr, "info replication");
    let Some(line) = lag::line(facts, replica) else {
        return;
    };
    if line.state != "online" {
        return;
    }
    let (Some(late), Some(lacks)) = (lag::seconds(facts, replica), lag::bytes(facts, replica))
    else {
        return;
    };
    let evidence = format!(
        "INFO replication of {}: offset {} behind, last acknowledgement {} s ago",
        node.addr,
        bytes(lacks),
        line.ack_age_s
    );
    if let Some(severity) = notes.grade(&LAG, late) {
        notes.find_at(
            &LAG,
            severity,
            subject.clone(),
            format!("is {} behind its master {}", seconds(late), node.addr),
            evidence.clone(),
            look.clone(),
        );
    }
    let (Some(rate), Some(backlog)) = (
        rates::written_per_second(facts),
        facts
            .info
            .number("repl_backlog_size")
            .filter(|size| *size > 0),
    ) else {
        return;
    };
    let share = (lacks as f64 - rate * 1.5).max(0.0) * 100.0 / backlog as f64;
    if let Some(severity) = notes.grade(&LAG_BYTES, share) {
        notes.find_at(
            &LAG_BYTES,
            severity,
            subject,
            format!(
                "lacks {}, {share:.0} % of its master's backlog",
                bytes(lacks)
            ),
            evidence,
            look,
        );
    }
}

fn full_syncs(case: &Case, notes: &mut Notes, master: &Asked) {
    let facts = master.facts;
    let grown = |name| facts.growth(name).unwrap_or(0);
    let (syncs, cuts) = (grown("sync_full"), grown(CUT_OFF));
    let total = |name| facts.info.number(name).unwrap_or(0);
    let (all, all_cuts) = (total("sync_full"), total(CUT_OFF));
    let hours = total("uptime_in_seconds") as f64 / 3600.0;
    let replicas = master
        .member
        .map_or(0, |member| case.topology.replicas(&member.id).count()) as u64;
    let now = syncs >= 2 || (syncs >= 1 && cuts >= 1);
    // Since the start: many more copies than replicas, cut off as often, and still going on.
    let often = all > 3 * replicas.max(1) && all_cuts >= 3 && all as f64 / hours.max(1.0) >= 3.0;
    if now || often {
        let cut_off = match facts.info.number(CUT_OFF) {
            Some(_) => format!("; {CUT_OFF} +{cuts}, {all_cuts}"),
            None => String::new(),
        };
        notes.find_at(
            &LOOP,
            if now {
                Severity::Critical
            } else {
                Severity::Warning
            },
            master.subject(),
            "starts full copies to its replicas again and again",
            format!("INFO stats: sync_full +{syncs} in the sample, {all} since the start{cut_off}"),
            case.cli(&master.report.addr, "config get client-output-buffer-limit"),
        );
    }
}

fn backlog(case: &Case, notes: &mut Notes, master: &Asked) {
    let facts = master.facts;
    if let Some(refused) = facts
        .growth("sync_partial_err")
        .filter(|refused| *refused > 0)
    {
        notes.find(
            &REFUSED,
            master.subject(),
            format!(
                "refused to continue {} where it broke off",
                counted(refused as usize, "replica")
            ),
            format!("INFO stats: sync_partial_err +{refused} in the sample"),
            case.cli(&master.report.addr, "config get repl-backlog-size"),
        );
    }
    let rate = rates::written_per_second(facts).unwrap_or(0.0);
    // The whole size counts: a backlog that is not full yet is not a short one.
    let Some(size) = facts
        .info
        .number("repl_backlog_size")
        .filter(|_| rate >= 1.0)
    else {
        return;
    };
    let holds = size as f64 / rate;
    if let Some(severity) = notes.grade(&BACKLOG, holds) {
        notes.find_at(
            &BACKLOG,
            severity,
            master.subject(),
            format!("its backlog holds {} of writes", seconds(holds)),
            format!(
                "repl_backlog_size {}, written {} a second",
                bytes(size),
                bytes(rate as u64)
            ),
            case.cli(
                &master.report.addr,
                &format!(
                    "config set repl-backlog-size {:.0}",
                    (rate * 60.0 / 1_048_576.0).ceil().max(1.0) * 1_048_576.0
                ),
            ),
        );
    }
}

fn has_replicas(case: &Case, master: &Asked) -> bool {
    master
        .member
        .is_some_and(|member| case.topology.replicas(&member.id).next().is_some())
}
