//! Rules about replication: do the replicas follow, and could they take over. How far behind they
//! are is asked in `progress`.

use crate::model::words::{bytes, seconds};
use crate::model::{Member, Probe, Role, Severity, Subject};

use super::Rule;
use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above};
use super::lag;
use super::notes::Notes;

const LINK_DOWN: CodeDoc = CodeDoc {
    code: "replica.link_down",
    title: "the link to the master is down",
    limit: above(0.0, Some(30.0), Unit::Seconds),
    why: "The replica gets no news from its master: its data grows old, and after a while it may no longer stand for election. Shortly after a failover or a start this passes by itself.",
    remedy: "Read the replica's log: a wrong masterauth, a TLS mismatch or an address that it cannot reach are the usual causes.",
    source: "INFO replication of the replica: master_link_status, master_link_down_since_seconds",
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
const NOT_ELECTABLE: CodeDoc = CodeDoc {
    code: "replica.not_electable",
    title: "could not be elected if its master died",
    why: "The replica is barred from election (nofailover; outside of a cluster a replica-priority of 0), or has been without its master for longer than cluster-replica-validity-factor allows. If the shard has no other, the death of its master is the death of the shard.",
    remedy: "Mend its link; unset cluster-replica-no-failover if that was not meant.",
    source: "CLUSTER NODES: flag nofailover; cluster_legacy.c clusterHandleReplicaFailover; INFO replication: slave_priority",
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
        &SYNCING,
        &NOT_ELECTABLE,
        &WRITABLE,
        &CHAINED,
        &SMALLER,
        &TOO_FEW,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    let docs = [&LINK_DOWN, &WRITABLE];
    for replica in notes.with(Probe::Info, &docs, case.replicas()) {
        link(case, notes, &replica);
        electable(case, notes, &replica);
        settings(case, notes, &replica);
    }
    // Outside of a cluster a replica may have replicas.
    for member in case.topology.members.values().filter(|_| case.is_cluster()) {
        chained(case, notes, member);
    }
    for master in case.masters() {
        good_replicas(case, notes, &master);
    }
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
    // Before the transfer begins only the master knows that one is due (`wait_bgsave`).
    let due = (case.master_of(replica).zip(replica.member))
        .and_then(|(master, member)| lag::line(master.facts, member))
        .filter(|line| line.state != "online");
    if info.get("master_sync_in_progress") == Some("1") || due.is_some() {
        let left = info
            .number("master_sync_left_bytes")
            .map(|left| format!(", {} left", bytes(left)))
            .unwrap_or_default();
        notes.find(
            &SYNCING,
            replica.subject(),
            format!("copies the data set of its master {master}{left}"),
            match due {
                Some(line) => format!("INFO replication of {master}: state={}", line.state),
                None => "INFO replication: master_sync_in_progress:1".to_owned(),
            },
            log,
        );
        return;
    }
    // -1 when the link never stood: then it has been down since the start.
    let since = info.number("master_link_down_since_seconds");
    let down = since.or(info.number("uptime_in_seconds")).unwrap_or(0) as f64;
    let Some(severity) = notes.grade(&LINK_DOWN, down.max(0.1)) else {
        return;
    };
    let long = if since.is_some() {
        format!("for {}", seconds(down))
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
    let why = if member.is_nofailover && case.is_cluster() {
        "CLUSTER NODES: flag nofailover".to_owned()
    } else if member.is_nofailover {
        "INFO replication: slave_priority:0".to_owned()
    } else if !case.is_cluster() {
        return;
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
            match case.is_cluster() {
                true => "config get cluster-replica-no-failover",
                false => "config get replica-priority",
            },
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
                bytes(limit)
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
