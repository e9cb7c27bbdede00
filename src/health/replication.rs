//! Rules about replication: do the replicas follow, how far behind, and could they take over.

use crate::model::{Member, Probe, Role, Severity, Subject};

use super::Rule;
use super::case::{Asked, Case, bytes, count, span};
use super::code::{CodeDoc, Unit, above, below};
use super::notes::Notes;
use super::{lag, rates};

const LINK_DOWN: CodeDoc = CodeDoc {
    code: "replica.link_down",
    title: "the link to the master is down",
    limit: above(0.0, Some(30.0), Unit::Seconds),
    why: "The replica gets no news from its master: its data grows old, and after a while it may no longer stand for election. Shortly after a failover or a start this passes by itself.",
    remedy: "Read the replica's log: a wrong masterauth, a TLS mismatch or an address that it cannot reach are the usual causes.",
    source: "INFO replication of the replica: master_link_status, master_link_down_since_seconds",
    ..CodeDoc::PLAIN
};
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
const SYNCING: CodeDoc = CodeDoc {
    code: "replica.syncing",
    title: "copies its master's data set",
    why: "A full synchronisation runs. Until it is done the replica cannot take over without loss, and the master pays for a fork and the transfer.",
    remedy: "Wait. If it never ends, see replica.full_sync_loop.",
    source: "INFO replication: master_sync_in_progress on the replica, slaveN state on the master",
    is_folded: true,
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
const NOT_ELECTABLE: CodeDoc = CodeDoc {
    code: "replica.not_electable",
    title: "could not be elected if its master died",
    why: "The replica is barred from election (nofailover), or has been without its master for longer than cluster-replica-validity-factor allows. If the shard has no other, the death of its master is the death of the shard.",
    remedy: "Mend its link; unset cluster-replica-no-failover if that was not meant.",
    source: "CLUSTER NODES: flag nofailover; cluster_legacy.c clusterHandleReplicaFailover",
    ..CodeDoc::PLAIN
};
const WRITABLE: CodeDoc = CodeDoc {
    code: "replica.writable",
    title: "the replica takes writes of its own",
    why: "With replica-read-only no, clients can write data to a replica that its master does not have; it is lost at the next sync and misleads readers until then. CVE-2026-23631 can be reached on such replicas only.",
    remedy: "CONFIG SET replica-read-only yes.",
    source: "INFO replication: slave_read_only",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const CHAINED: CodeDoc = CodeDoc {
    code: "replica.chained",
    title: "follows a replica instead of a master",
    why: "A cluster knows no chains: such a replica is in no shard, is not counted as anybody's spare and is never elected. During a failover it may look so for a moment.",
    remedy: "Send it CLUSTER REPLICATE with the master's id.",
    source: "CLUSTER NODES: master id of a replica",
    ..CodeDoc::PLAIN
};
const SMALLER: CodeDoc = CodeDoc {
    code: "replica.smaller",
    title: "has a lower memory limit than its master",
    why: "After a failover the replica is the master, and with a lower maxmemory it evicts keys or refuses writes that its predecessor had room for.",
    remedy: "Set maxmemory to the same value on both.",
    source: "INFO memory: maxmemory of both",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const TOO_FEW: CodeDoc = CodeDoc {
    code: "replica.too_few_good",
    title: "fewer good replicas than min-replicas-to-write wants",
    severity: Severity::Critical,
    why: "The master refuses writes (NOREPLICAS) as long as fewer replicas than min-replicas-to-write are linked and acknowledge in time.",
    remedy: "Bring the replicas back, or lower min-replicas-to-write.",
    source: "INFO replication: min_slaves_good_slaves",
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "replication",
    codes: &[
        &LINK_DOWN,
        &LAG,
        &LAG_BYTES,
        &SYNCING,
        &LOOP,
        &BACKLOG,
        &REFUSED,
        &NOT_ELECTABLE,
        &WRITABLE,
        &CHAINED,
        &SMALLER,
        &TOO_FEW,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    for replica in case.replicas() {
        link(case, notes, &replica);
        electable(case, notes, &replica);
        settings(case, notes, &replica);
    }
    for member in case.topology.members.values() {
        chained(case, notes, member);
        behind(case, notes, member);
    }
    for master in case.masters() {
        full_syncs(case, notes, &master);
        good_replicas(case, notes, &master);
    }
    let followed: Vec<Asked> = case
        .masters()
        .filter(|master| has_replicas(case, master))
        .collect();
    for master in notes.with(
        Probe::Sample,
        &[&LAG_BYTES, &BACKLOG, &REFUSED],
        followed.into_iter(),
    ) {
        backlog(case, notes, &master);
    }
}

fn has_replicas(case: &Case, master: &Asked) -> bool {
    master
        .member
        .is_some_and(|member| case.topology.replicas(&member.id).next().is_some())
}

fn link(case: &Case, notes: &mut Notes, replica: &Asked) {
    let info = &replica.facts.info;
    if info.get("master_link_status") != Some("down") {
        return;
    }
    let master = replica
        .member
        .and_then(|member| member.master.as_ref())
        .map_or("?".to_owned(), |id| case.name(id));
    let log = case.cli(&replica.report.addr, "info replication");
    if info.get("master_sync_in_progress") == Some("1") {
        let left = info
            .number("master_sync_left_bytes")
            .map(|left| format!(", {} left", bytes(left as f64)))
            .unwrap_or_default();
        notes.find(
            &SYNCING,
            replica.subject(),
            format!("copies the data set of its master {master}{left}"),
            "INFO replication: master_sync_in_progress:1",
            log,
        );
        return;
    }
    // -1 when the link never stood: then it has been down since the start.
    let since = info
        .number("master_link_down_since_seconds")
        .filter(|_| info.get("master_link_down_since_seconds") != Some("-1"));
    let down = since.or(info.number("uptime_in_seconds")).unwrap_or(0) as f64;
    let Some(severity) = notes.grade(&LINK_DOWN, down.max(0.1)) else {
        return;
    };
    let long = if since.is_some() {
        format!("for {}", span(down))
    } else {
        "and never stood since the start".to_owned()
    };
    let why = if lacks_masterauth(case, replica) {
        "; its masterauth is empty while the master wants a password".to_owned()
    } else if replica
        .member
        .and_then(|m| m.master.as_ref())
        .and_then(|id| case.topology.member(id))
        .is_some_and(|m| case.is_down(m))
    {
        "; the master itself is down".to_owned()
    } else {
        String::new()
    };
    notes.find_at(
        &LINK_DOWN,
        severity,
        replica.subject(),
        format!("its link to the master {master} is down {long}"),
        format!("INFO replication: master_link_status:down{why}"),
        log,
    );
}

fn lacks_masterauth(case: &Case, replica: &Asked) -> bool {
    let wants = case.master_of(replica).is_some_and(|master| {
        master
            .facts
            .setting("requirepass")
            .is_some_and(|set| !set.is_empty())
    });
    wants && replica.facts.setting("masterauth") == Some("")
}

fn electable(case: &Case, notes: &mut Notes, replica: &Asked) {
    let Some(member) = replica.member else {
        return;
    };
    let why = if member.is_nofailover {
        "CLUSTER NODES: flag nofailover".to_owned()
    } else {
        let factor = replica
            .facts
            .setting_number("cluster-replica-validity-factor")
            .or(replica
                .facts
                .setting_number("cluster-slave-validity-factor"))
            .unwrap_or(10);
        let period = replica
            .facts
            .setting_number("repl-ping-replica-period")
            .unwrap_or(10);
        let allowed = replica.node_timeout_ms() / 1000 * factor + period;
        match replica.facts.info.number("master_link_down_since_seconds") {
            Some(down) if factor > 0 && down > allowed => format!(
                "INFO replication: master_link_down_since_seconds:{down}; {allowed} s are allowed"
            ),
            _ => return,
        }
    };
    let others = member.master.as_ref().map_or(0, |master| {
        let fit =
            |other: &&Member| other.id != member.id && other.is_answering && !other.is_nofailover;
        case.topology.replicas(master).filter(fit).count()
    });
    let severity = if others > 0 {
        Severity::Info
    } else {
        Severity::Warning
    };
    notes.find_at(
        &NOT_ELECTABLE,
        severity,
        replica.subject(),
        if others > 0 {
            "could not be elected, but its shard has another replica"
        } else {
            "could not be elected, and its shard has no other replica"
        },
        why,
        case.cli(
            &replica.report.addr,
            "config get cluster-replica-no-failover",
        ),
    );
}

fn settings(case: &Case, notes: &mut Notes, replica: &Asked) {
    if replica.facts.info.get("slave_read_only") == Some("0") {
        notes.find(
            &WRITABLE,
            replica.subject(),
            "takes writes of its own",
            "INFO replication: slave_read_only:0",
            case.cli(&replica.report.addr, "config set replica-read-only yes"),
        );
    }
    let Some(master) = case.master_of(replica) else {
        return;
    };
    let (Some(own), Some(its)) = (replica.maxmemory(), master.maxmemory()) else {
        return;
    };
    if own > 0 && (its == 0 || own < its) {
        let limit = |limit: u64| {
            if limit == 0 {
                "none".to_owned()
            } else {
                bytes(limit as f64)
            }
        };
        notes.find(
            &SMALLER,
            replica.subject(),
            format!(
                "has a lower memory limit than its master {}",
                master.report.addr
            ),
            format!(
                "INFO memory: maxmemory {} here, {} there",
                limit(own),
                limit(its)
            ),
            case.cli(&replica.report.addr, &format!("config set maxmemory {its}")),
        );
    }
}

fn chained(case: &Case, notes: &mut Notes, member: &Member) {
    let Some(above) = member
        .master
        .as_ref()
        .and_then(|id| case.topology.member(id))
    else {
        return;
    };
    if member.role == Role::Replica && above.role == Role::Replica {
        let target = above.master.as_ref().unwrap_or(&above.id);
        let addr = member.addr.clone().unwrap_or_else(|| case.any_addr());
        notes.find(
            &CHAINED,
            Subject::Node(case.name(&member.id)),
            format!(
                "follows {}, which is a replica itself",
                case.name(&above.id)
            ),
            "CLUSTER NODES: the master id of the one is the id of the other",
            case.cli(&addr, &format!("cluster replicate {target}")),
        );
    }
}

fn behind(case: &Case, notes: &mut Notes, replica: &Member) {
    let master = replica.master.as_ref().and_then(|id| case.survey.node(id));
    let Some((node, facts)) = master.and_then(|node| Some((node, node.facts()?))) else {
        return;
    };
    let subject = Subject::Node(case.name(&replica.id));
    let look = case.cli(&node.addr, "info replication");
    let Some(line) = lag::line(facts, replica) else {
        return;
    };
    if line.state != "online" {
        // The replica's own word, when it answers, is the better one: see `link`.
        if !replica.is_answering {
            notes.find(
                &SYNCING,
                subject,
                "is being sent the data set",
                format!("INFO replication of {}: state={}", node.addr, line.state),
                look,
            );
        }
        return;
    }
    let (Some(late), Some(lacks)) = (lag::seconds(facts, replica), lag::bytes(facts, replica))
    else {
        return;
    };
    let evidence = format!(
        "INFO replication of {}: offset {} behind, last acknowledgement {} s ago",
        node.addr,
        bytes(lacks as f64),
        line.ack_age_s
    );
    if let Some(severity) = notes.grade(&LAG, late) {
        notes.find_at(
            &LAG,
            severity,
            subject.clone(),
            format!("is {} behind its master {}", span(late), node.addr),
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
                bytes(lacks as f64)
            ),
            evidence,
            look,
        );
    }
}

fn full_syncs(case: &Case, notes: &mut Notes, master: &Asked) {
    let facts = master.facts;
    let grown = |name| facts.growth(name).unwrap_or(0);
    let (syncs, cuts) = (
        grown("sync_full"),
        grown("client_output_buffer_limit_disconnections"),
    );
    let total = |name| facts.info.number(name).unwrap_or(0);
    let (all, all_cuts) = (
        total("sync_full"),
        total("client_output_buffer_limit_disconnections"),
    );
    let hours = total("uptime_in_seconds") as f64 / 3600.0;
    let replicas = master
        .member
        .map_or(0, |member| case.topology.replicas(&member.id).count()) as u64;
    let now = syncs >= 2 || (syncs >= 1 && cuts >= 1);
    // Since the start: many more copies than replicas, cut off as often, and still going on.
    let often = all > 3 * replicas.max(1) && all_cuts >= 3 && all as f64 / hours.max(1.0) >= 3.0;
    if now || often {
        notes.find_at(
            &LOOP,
            if now { Severity::Critical } else { Severity::Warning },
            master.subject(),
            "starts full copies to its replicas again and again",
            format!("INFO stats: sync_full +{syncs} in the sample, {all} since the start; client_output_buffer_limit_disconnections +{cuts}, {all_cuts}"),
            case.cli(&master.report.addr, "config get client-output-buffer-limit"),
        );
    }
}

fn good_replicas(case: &Case, notes: &mut Notes, master: &Asked) {
    let wanted = ["min-replicas-to-write", "min-slaves-to-write"]
        .iter()
        .find_map(|name| master.facts.setting_number(name))
        .unwrap_or(0);
    let Some(good) = master
        .facts
        .info
        .number("min_slaves_good_slaves")
        .filter(|good| *good < wanted)
    else {
        return;
    };
    notes.find(
        &TOO_FEW,
        master.subject(),
        format!("refuses writes: {good} of {wanted} wanted replicas are good"),
        format!("INFO replication: min_slaves_good_slaves:{good}; CONFIG: min-replicas-to-write {wanted}"),
        case.cli(&master.report.addr, "info replication"),
    );
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
                count(refused as usize, "replica")
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
            format!("its backlog holds {} of writes", span(holds)),
            format!(
                "repl_backlog_size {}, written {} a second",
                bytes(size as f64),
                bytes(rate)
            ),
            case.cli(
                &master.report.addr,
                &format!(
                    "config set repl-backlog-size {:.0}",
                    (rate * 120.0 / 1_048_576.0).ceil().max(1.0) * 1_048_576.0
                ),
            ),
        );
    }
}
