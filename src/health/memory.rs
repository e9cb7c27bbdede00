//! Rules about memory: how full, what happens when it is, and what is wasted.

use crate::model::words::bytes;
use crate::model::{Probe, Severity};

use super::case::{Asked, Case};
use super::code::{CodeDoc, Unit, above, below};
use super::notes::Notes;
use super::{Profile, Rule, rates};

const HIGH: CodeDoc = CodeDoc {
    code: "memory.high",
    title: "memory close to its limit",
    limit: above(80.0, Some(90.0), Unit::Percent),
    why: "The node uses most of its maxmemory. When it reaches the limit it evicts keys or, with noeviction or nothing left to evict, refuses writes. A cache with an allkeys policy is full by design once it evicts, so there it is only mentioned.",
    remedy: "Raise maxmemory, add a shard, or let keys expire earlier.",
    source: "INFO memory: used_memory less mem_not_counted_for_evict, over maxmemory",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const UNLIMITED: CodeDoc = CodeDoc {
    code: "memory.unlimited",
    title: "no memory limit is set",
    why: "Without maxmemory the server grows until the kernel kills it, rather than evicting keys or refusing writes. A kill loses what was not on disk and may take the replicas on the same machine along.",
    remedy: "Set maxmemory to what the machine can spare, less room for forks and buffers (about a quarter).",
    source: "INFO memory: maxmemory:0",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const EVICTING: CodeDoc = CodeDoc {
    code: "memory.evicting",
    title: "keys are evicted before their time",
    why: "The node is full and throws keys away to take new ones. In a cache that is normal as long as most reads still hit; for sessions, queues and data of record it is loss.",
    remedy: "Add memory or shards; for data that must stay use noeviction.",
    source: "INFO stats: evicted_keys, keyspace_hits, keyspace_misses, current_eviction_exceeded_time",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const NO_TTL: CodeDoc = CodeDoc {
    code: "memory.no_ttl",
    title: "few keys can be evicted under a volatile policy",
    limit: below(50.0, None, Unit::Percent),
    why: "The policy evicts only keys with an expiry, and most have none. When the memory is full there is soon nothing left to evict and writes fail with OOM, as with noeviction.",
    remedy: "Give keys an expiry, or choose an allkeys policy if all of them are expendable.",
    source: "CONFIG maxmemory-policy; INFO keyspace: keys, expires",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const OOM: CodeDoc = CodeDoc {
    code: "memory.oom_errors",
    title: "writes fail for want of memory",
    severity: Severity::Critical,
    why: "Clients got OOM errors within the sample: the node is at its limit and has nothing that it may evict.",
    remedy: "Raise maxmemory, remove data, or choose a policy that can evict.",
    source: "INFO errorstats: errorstat_OOM over two samples",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const FRAGMENTED: CodeDoc = CodeDoc {
    code: "memory.fragmented",
    title: "much memory is lost to fragmentation",
    limit: above(1.4, Some(1.8), Unit::Ratio),
    why: "The allocator holds much more in half-used pages than the data needs, and only below 100 MiB it does not matter. It counts against the machine, not against maxmemory.",
    remedy: "CONFIG SET activedefrag yes (with jemalloc), or restart replica by replica with a failover between.",
    source: "INFO memory: allocator_frag_ratio, allocator_frag_bytes",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const SWAPPED: CodeDoc = CodeDoc {
    code: "memory.swapped",
    title: "part of the process is swapped out",
    limit: below(0.95, Some(0.8), Unit::Ratio),
    why: "The process has less memory resident than it uses, so the rest is on disk. Every touch of a swapped page stops the server for milliseconds.",
    remedy: "Find what else uses the machine's memory; lower maxmemory; vm.swappiness 1.",
    source: "INFO memory: used_memory_rss over used_memory",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const RSS_KEPT: CodeDoc = CodeDoc {
    code: "memory.rss_kept",
    title: "the allocator keeps memory that is free",
    limit: above(1.3, None, Unit::Ratio),
    why: "After large deletions the allocator has not given pages back to the system. That is no fragmentation: defragmentation does not help.",
    remedy: "MEMORY PURGE.",
    source: "INFO memory: allocator_rss_ratio, allocator_rss_bytes",
    is_folded: true,
    ..CodeDoc::PLAIN
};
const SKEW: CodeDoc = CodeDoc {
    code: "memory.skew",
    title: "data unevenly spread over the shards",
    limit: above(1.5, None, Unit::Ratio),
    why: "One master holds much more than the mean: few large keys, or many keys under one hash tag. It fills up while others are half empty.",
    remedy: "Find its largest keys (redis-cli --bigkeys on it), split them, or move slots.",
    source: "INFO memory: used_memory_dataset of each master",
    ..CodeDoc::PLAIN
};

/// The rule.
pub const RULE: Rule = Rule {
    group: "memory",
    codes: &[
        &HIGH,
        &UNLIMITED,
        &EVICTING,
        &NO_TTL,
        &OOM,
        &FRAGMENTED,
        &SWAPPED,
        &RSS_KEPT,
        &SKEW,
    ],
    judge,
};

/// Below this the ratios of a process say nothing.
const SMALL: u64 = 100 * 1024 * 1024;

fn judge(case: &Case, notes: &mut Notes) {
    for asked in notes.with(Probe::Info, &[&HIGH, &UNLIMITED], case.asked()) {
        full(case, notes, &asked);
        no_ttl(case, notes, &asked);
        waste(case, notes, &asked);
    }
    for asked in notes.with(Probe::Sample, &[&EVICTING, &OOM], case.asked()) {
        evicting(case, notes, &asked);
        out_of_memory(case, notes, &asked);
    }
    skew(case, notes);
}

fn policy<'a>(asked: &'a Asked) -> &'a str {
    let info = asked.facts.info.get("maxmemory_policy");
    info.or_else(|| asked.facts.setting("maxmemory-policy"))
        .unwrap_or("?")
}

fn full(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = &asked.facts.info;
    let (Some(limit), Some(used)) = (asked.maxmemory(), info.number("used_memory")) else {
        notes.skip(
            &HIGH,
            asked.subject(),
            "the server does not tell its maxmemory",
        );
        return;
    };
    if limit == 0 {
        notes.find(
            &UNLIMITED,
            asked.subject(),
            "no memory limit is set",
            "INFO memory: maxmemory:0",
            case.cli(&asked.report.addr, "config set maxmemory <bytes to spare>"),
        );
        return;
    }
    let counted = used.saturating_sub(info.number("mem_not_counted_for_evict").unwrap_or(0));
    let share = counted as f64 * 100.0 / limit as f64;
    let Some(mut severity) = notes.grade(&HIGH, share) else {
        return;
    };
    let evicted = info.number("evicted_keys").unwrap_or(0);
    let by_design = case.profile() == Profile::Cache && policy(asked).starts_with("allkeys");
    let mut remark = String::new();
    if by_design && !case.options.thresholds.is_limit_set(HIGH.code) {
        // Full is where such a cache lives; on the way there it is worth a warning, no more.
        severity = if evicted > 0 {
            Severity::Info
        } else {
            severity.min(Severity::Warning)
        };
        remark = format!("; {}, evicted_keys:{evicted}", policy(asked));
    }
    notes.find_at(
        &HIGH,
        severity,
        asked.subject(),
        format!("uses {share:.1} % of its memory limit"),
        format!(
            "INFO memory: {} of maxmemory {}{remark}",
            bytes(counted),
            bytes(limit)
        ),
        case.cli(&asked.report.addr, "info memory"),
    );
}

fn no_ttl(case: &Case, notes: &mut Notes, asked: &Asked) {
    let (keys, expires) = asked
        .facts
        .info
        .databases()
        .fold((0, 0), |sum, (_, keys, expires)| {
            (sum.0 + keys, sum.1 + expires)
        });
    let is_limited = asked.maxmemory().is_some_and(|limit| limit > 0);
    if keys < 100 || !is_limited || asked.is_replica() || !policy(asked).starts_with("volatile") {
        return;
    }
    let share = expires as f64 * 100.0 / keys as f64;
    if let Some(severity) = notes.grade(&NO_TTL, share) {
        notes.find_at(
            &NO_TTL,
            severity,
            asked.subject(),
            format!("only {share:.0} % of its keys have an expiry, and only those can be evicted"),
            format!(
                "INFO keyspace: {keys} keys, {expires} with an expiry; maxmemory-policy {}",
                policy(asked)
            ),
            case.cli(&asked.report.addr, "config get maxmemory-policy"),
        );
    }
}

fn waste(case: &Case, notes: &mut Notes, asked: &Asked) {
    let info = &asked.facts.info;
    let look = case.cli(&asked.report.addr, "memory doctor");
    let over = |ratio: &str, size: &str| {
        let ratio = info.float(ratio)?;
        info.number(size)
            .filter(|size| *size > SMALL)
            .map(|size| (ratio, size))
    };
    if let Some((ratio, size)) = over("allocator_frag_ratio", "allocator_frag_bytes")
        && let Some(severity) = notes.grade(&FRAGMENTED, ratio)
    {
        let evidence = format!("INFO memory: allocator_frag_ratio:{ratio}, {}", bytes(size));
        notes.find_at(
            &FRAGMENTED,
            severity,
            asked.subject(),
            "loses much memory to fragmentation",
            evidence,
            case.cli(&asked.report.addr, "config set activedefrag yes"),
        );
    }
    if let Some((ratio, size)) = over("allocator_rss_ratio", "allocator_rss_bytes")
        && let Some(severity) = notes.grade(&RSS_KEPT, ratio)
    {
        let evidence = format!("INFO memory: allocator_rss_ratio:{ratio}, {}", bytes(size));
        notes.find_at(
            &RSS_KEPT,
            severity,
            asked.subject(),
            "its allocator keeps memory that is free",
            evidence,
            case.cli(&asked.report.addr, "memory purge"),
        );
    }
    let used = info.number("used_memory").filter(|used| *used > SMALL);
    if let (Some(used), Some(resident)) = (used, info.number("used_memory_rss")) {
        let ratio = resident as f64 / used as f64;
        if let Some(severity) = notes.grade(&SWAPPED, ratio) {
            let evidence = format!(
                "INFO memory: used_memory_rss {} of used_memory {}",
                bytes(resident),
                bytes(used)
            );
            notes.find_at(
                &SWAPPED,
                severity,
                asked.subject(),
                "part of the process seems to be swapped out",
                evidence,
                look,
            );
        }
    }
}

fn evicting(case: &Case, notes: &mut Notes, asked: &Asked) {
    let facts = asked.facts;
    let Some(evicted) = facts.growth("evicted_keys").filter(|evicted| *evicted > 0) else {
        return;
    };
    let (hits, misses) = (
        facts.growth("keyspace_hits").unwrap_or(0),
        facts.growth("keyspace_misses").unwrap_or(0),
    );
    let reads = hits + misses;
    let hit = hits as f64 * 100.0 / reads.max(1) as f64;
    let overrun = facts
        .later
        .as_ref()
        .and_then(|later| later.number("current_eviction_exceeded_time"))
        .unwrap_or(0);
    let severity = match case.profile() {
        _ if overrun > 1_000 => Severity::Critical,
        Profile::Session | Profile::Durable | Profile::Queue => Severity::Critical,
        Profile::Cache if reads >= rates::ENOUGH && hit < 80.0 => Severity::Warning,
        Profile::Cache => Severity::Info,
    };
    let rate = rates::per_second(facts, evicted).unwrap_or(0.0);
    let mut evidence = format!("INFO stats: evicted_keys +{evicted} in the sample");
    if reads >= rates::ENOUGH {
        evidence.push_str(&format!(", {hit:.0} % of reads hit"));
    }
    if overrun > 0 {
        evidence.push_str(&format!(", over the limit for {overrun} ms"));
    }
    notes.find_at(
        &EVICTING,
        severity,
        asked.subject(),
        format!("evicts {rate:.0} keys a second"),
        evidence,
        case.cli(&asked.report.addr, "info stats"),
    );
}

fn out_of_memory(case: &Case, notes: &mut Notes, asked: &Asked) {
    if let Some(errors) = rates::errors(asked.facts, "OOM").filter(|errors| *errors > 0) {
        notes.find(
            &OOM,
            asked.subject(),
            "refuses writes for want of memory",
            format!("INFO errorstats: OOM +{errors} in the sample"),
            case.cli(&asked.report.addr, "info memory"),
        );
    }
}

fn skew(case: &Case, notes: &mut Notes) {
    let sizes: Vec<(u64, Asked)> = case
        .masters()
        .filter_map(|asked| Some((asked.facts.info.number("used_memory_dataset")?, asked)))
        .collect();
    let Some((most, asked)) = sizes.iter().max_by_key(|(size, _)| *size) else {
        return;
    };
    let mean = sizes.iter().map(|(size, _)| size).sum::<u64>() as f64 / sizes.len() as f64;
    let ratio = *most as f64 / mean;
    if *most > SMALL
        && let Some(severity) = notes.grade(&SKEW, ratio)
    {
        notes.find_at(
            &SKEW,
            severity,
            case.cluster(),
            format!("{} holds {ratio:.1} times the mean", asked.report.addr),
            format!(
                "INFO memory: used_memory_dataset {}, the mean of {} masters is {}",
                bytes(*most),
                sizes.len(),
                bytes(mean as u64)
            ),
            case.cli(&asked.report.addr, "--bigkeys"),
        );
    }
}
