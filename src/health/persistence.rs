//! Rules about persistence: does what should reach the disk reach it.

use crate::model::words::{bytes, seconds};
use crate::model::{Probe, Severity};

use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above};
use super::notes::Notes;
use super::{Profile, Rule};

const SAVE_FAILED: CodeDoc = CodeDoc {
    code: "persistence.save_failed",
    title: "the last snapshot failed",
    severity: Severity::Critical,
    why: "The last BGSAVE did not succeed. With save points set and stop-writes-on-bgsave-error yes, the default, the node refuses all writes (MISCONF) until one does.",
    remedy: "Read the log: a full disk, a directory without permission, or too little memory to fork.",
    source: "INFO persistence: rdb_last_bgsave_status",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const SAVE_OLD: CodeDoc = CodeDoc {
    code: "persistence.save_old",
    title: "the last snapshot is older than its save points allow",
    limit: above(7_200.0, Some(86_400.0), Unit::Seconds),
    why: "There are changes since the last snapshot, save points are set, no AOF is kept, and yet nothing was saved for more than twice the longest save interval. A crash now loses everything since.",
    remedy: "BGSAVE, and read the log for why none was made.",
    source: "INFO persistence: rdb_last_save_time, rdb_changes_since_last_save; CONFIG save",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const AOF_FAILED: CodeDoc = CodeDoc {
    code: "persistence.aof_failed",
    title: "writing the append-only file fails",
    severity: Severity::Critical,
    why: "The AOF could not be written, or its last rewrite failed. When writing fails the node refuses writes (MISCONF); when rewriting fails the file grows without end.",
    remedy: "Free disk space and read the log.",
    source: "INFO persistence: aof_last_write_status, aof_last_bgrewrite_status",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const FSYNC_SLOW: CodeDoc = CodeDoc {
    code: "persistence.fsync_slow",
    title: "the disk is too slow for fsync every second",
    why: "An fsync took longer than a second, so the server had to wait for the disk with everything else. Clients see stalls of up to two seconds.",
    remedy: "A faster or less shared disk; no-appendfsync-on-rewrite yes if a short loss window during rewrites is acceptable.",
    source: "INFO persistence: aof_delayed_fsync over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const COW: CodeDoc = CodeDoc {
    code: "persistence.cow",
    title: "the next fork may not fit into memory",
    limit: above(50.0, Some(100.0), Unit::Percent),
    why: "The last fork needed so much extra memory for pages that changed meanwhile, measured against what the machine has left. If the next one does not fit, the kernel kills a process. The machine's memory is taken as the server reports it; a container may have less.",
    remedy: "Lower maxmemory, save at quieter times, or give the machine more memory.",
    source: "INFO persistence: rdb_last_cow_size, aof_last_cow_size; INFO memory: total_system_memory, used_memory_rss",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const NONE: CodeDoc = CodeDoc {
    code: "persistence.none",
    title: "nothing is written to disk",
    severity: Severity::Critical,
    why: "Neither snapshots nor an append-only file are on. A restart comes up empty, and a master that restarts faster than it is failed over wipes its replicas as well.",
    remedy: "CONFIG SET appendonly yes, then CONFIG REWRITE.",
    source: "INFO persistence: aof_enabled; CONFIG save",
    is_folded: true,
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "persistence",
    codes: &[
        &SAVE_FAILED,
        &SAVE_OLD,
        &AOF_FAILED,
        &FSYNC_SLOW,
        &COW,
        &NONE,
    ],
    judge,
};

fn judge(case: &Case, notes: &mut Notes) {
    for asked in notes.with(Probe::Info, &[&SAVE_FAILED, &AOF_FAILED], case.asked()) {
        failed(case, notes, &asked);
        cow(case, notes, &asked);
    }
    for asked in notes.with(Probe::Config, &[&SAVE_OLD], case.asked()) {
        save_old(case, notes, &asked);
    }
    if case.profile() != Profile::Cache {
        for asked in notes.with(Probe::Config, &[&NONE], case.asked()) {
            none(case, notes, &asked);
        }
    }
    let writing = case.asked().filter(has_aof);
    for asked in notes.with(Probe::Sample, &[&FSYNC_SLOW], writing) {
        if let Some(delayed) = asked
            .facts
            .growth("aof_delayed_fsync")
            .filter(|delayed| *delayed > 0)
        {
            notes.find(
                &FSYNC_SLOW,
                asked.subject(),
                "had to wait for the disk",
                format!("INFO persistence: aof_delayed_fsync +{delayed} in the sample"),
                case.cli(&asked.report.addr, "latency latest"),
            );
        }
    }
}

fn has_aof(asked: &Asked) -> bool {
    asked.facts.info.get("aof_enabled") == Some("1")
}

fn failed(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = &asked.facts.info;
    let look = case.cli(&asked.report.addr, "info persistence");
    if info.get("rdb_last_bgsave_status") == Some("err") {
        let is_saving = asked.facts.setting("save") != Some("");
        notes.find_at(
            &SAVE_FAILED,
            if is_saving {
                Severity::Critical
            } else {
                Severity::Warning
            },
            asked.subject(),
            "its last snapshot failed",
            "INFO persistence: rdb_last_bgsave_status:err",
            look.clone(),
        );
    }
    if !has_aof(asked) {
        return;
    }
    if info.get("aof_last_write_status") == Some("err") {
        notes.find(
            &AOF_FAILED,
            asked.subject(),
            "cannot write its append-only file",
            "INFO persistence: aof_last_write_status:err",
            look,
        );
    } else if info.get("aof_last_bgrewrite_status") == Some("err") {
        notes.find_at(
            &AOF_FAILED,
            Severity::Warning,
            asked.subject(),
            "could not rewrite its append-only file",
            "INFO persistence: aof_last_bgrewrite_status:err",
            look,
        );
    }
}

fn cow(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = &asked.facts.info;
    let last = ["rdb_last_cow_size", "aof_last_cow_size"]
        .iter()
        .filter_map(|name| info.number(name))
        .max()
        .unwrap_or(0);
    let (Some(system), Some(resident)) = (
        info.number("total_system_memory"),
        info.number("used_memory_rss"),
    ) else {
        return;
    };
    if last < 100 * 1024 * 1024 || system == 0 {
        return;
    }
    let left = system.saturating_sub(resident).max(1);
    let share = last as f64 * 100.0 / left as f64;
    if let Some(severity) = notes.grade(&COW, share) {
        notes.find_at(
            &COW,
            severity,
            asked.subject(),
            format!("its last fork needed {share:.0} % of the memory that is left"),
            format!(
                "copy-on-write {}, machine {} less process {}",
                bytes(last),
                bytes(system),
                bytes(resident)
            ),
            case.cli(&asked.report.addr, "info persistence"),
        );
    }
}

/// The longest interval of `3600 1 300 100 60 10000`.
fn longest_interval(save: &str) -> Option<u64> {
    let numbers: Vec<u64> = save
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    numbers.chunks(2).map(|pair| pair[0]).max()
}

fn save_old(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = &asked.facts.info;
    let Some(longest) = asked
        .facts
        .setting("save")
        .and_then(longest_interval)
        .filter(|_| !has_aof(asked))
    else {
        return;
    };
    let (Some(saved), Some(changes)) = (
        info.number("rdb_last_save_time"),
        info.number("rdb_changes_since_last_save"),
    ) else {
        return;
    };
    // The node stamped the save by its own clock.
    let node_now = case.survey.taken_at_ms as i64 + asked.facts.clock_ahead_ms.unwrap_or(0);
    let age = (node_now / 1000 - saved as i64).max(0) as f64;
    if changes == 0 || age <= 2.0 * longest as f64 {
        return;
    }
    if let Some(severity) = notes.grade(&SAVE_OLD, age) {
        let severity = match case.profile() {
            Profile::Cache => severity.min(Severity::Warning),
            _ => severity,
        };
        notes.find_at(
            &SAVE_OLD,
            severity,
            asked.subject(),
            format!(
                "its last snapshot is {} old, with {changes} changes since",
                seconds(age)
            ),
            format!(
                "INFO persistence: rdb_last_save_time:{saved} rdb_changes_since_last_save:{changes}"
            ),
            case.cli(&asked.report.addr, "bgsave"),
        );
    }
}

fn none(case: &Case, notes: &mut Notes, asked: &Asked) {
    if has_aof(asked) || asked.facts.setting("save") != Some("") {
        return;
    }
    let severity = match case.profile() {
        Profile::Durable => Severity::Critical,
        _ => Severity::Warning,
    };
    notes.find_at(
        &NONE,
        severity,
        asked.subject(),
        "writes nothing to disk",
        "INFO persistence: aof_enabled:0; CONFIG: save \"\"",
        case.cli(&asked.report.addr, "config set appendonly yes"),
    );
}
