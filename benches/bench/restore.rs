//! Restores: against the same RESTORE commands made beforehand, against a replay element by element,
//! how fast the proof is, how much memory they take, and when the most used keys are back.
//!
//! All of it on this machine: three masters were backed up, four empty ones are filled. The scale of the
//! GoodBooks load is `GOODCACHE_BENCH_SCALE`, 1.0 by itself.
//! `GOODCACHE_BENCH_SIZES=0.25,1,4` measures the memory at so many GB as well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::backup::{
    LIMIT, MASTERS, SCALE, SHARDS, WHOLE_GB, gigabytes, load, number, take, wanted_sizes,
};
use crate::hits;
use crate::replay::{self, Ready, Way};
use crate::support::{Fleet, Home, Outcome};
use crate::table::{Row, median, seconds};
use crate::tool::{Peak, time_of};

const TARGETS: usize = 4;
const RUNS: usize = 3;
const TIMES_READY: f64 = 1.3;
const TIMES_ELEMENTS: f64 = 10.0;
const MOST_MIB: u64 = 128;
const PROOF_MB: f64 = 200.0;
const READS: u64 = 200_000;
const WARM: f64 = 0.9;
const MOST_SHARE: f64 = 0.25;
/// Of a minute, in which it may begin.
const LAST_SECOND: u64 = 20;

/// Four empty masters filled in three ways.
pub fn four() -> Vec<Row> {
    let (home, source) = (Home::new(), Fleet::cluster(SHARDS, 0));
    load(&source, number(SCALE).unwrap_or(1.0));
    let bytes = backup(&home, &source);
    let target = Fleet::cluster(TARGETS, 0);
    let what = format!("restore of {}", gigabytes(bytes));
    let peak = Peak::default();
    let (mut ours, mut theirs) = (vec![], vec![]);
    let ready = Ready::of(&source, TARGETS);
    for _ in 0..RUNS {
        empty(&target);
        let (outcome, _) = restore(&home, &target, &["--no-verify"]);
        peak.note(&outcome);
        ours.push(time_of(&outcome, &[0]));
        empty(&target);
        theirs.push(Some(ready.send(&target)));
    }
    drop(ready);
    let beside = Row::of_times(
        format!("{what}, beside its commands ready-made"),
        &ours,
        &theirs,
    );
    let is_near = beside.ratio.is_some_and(|ratio| 1.0 / ratio <= TIMES_READY);
    let mut rows = vec![beside.aims_at(format!("at most {TIMES_READY} times as long"), is_near)];
    rows.extend(elements(&what, &source, &target, &ours));
    rows.push(proof(&what, &home, &target, &peak));
    rows.push(peak.row_below(&what, MOST_MIB));
    rows
}

/// The memory at other sizes, where some are asked for.
pub fn sizes() -> Vec<Row> {
    let rows = wanted_sizes().into_iter().map(|size| {
        let home = Home::new();
        let source = Fleet::cluster(SHARDS, 0);
        load(&source, size / WHOLE_GB);
        let bytes = backup(&home, &source);
        drop(source);
        let (target, peak) = (Fleet::cluster(TARGETS, 0), Peak::default());
        let (outcome, _) = restore(&home, &target, &[]);
        peak.note(&outcome);
        let took = seconds(outcome.elapsed.as_secs_f64());
        let what = format!("restore and proof of {} in {took} s", gigabytes(bytes));
        match time_of(&outcome, &[0]) {
            Some(_) => peak.row_below(&what, MOST_MIB),
            None => peak.row_below(&what, MOST_MIB).aims_at("a restore", false),
        }
    });
    rows.collect()
}

/// Masters that keep count of use, read by some keys more than by others.
pub fn hottest() -> Vec<Row> {
    within_a_minute();
    let (home, source) = (Home::new(), Fleet::cluster(SHARDS, 0));
    let target = Fleet::cluster(TARGETS, 0);
    for server in source.iter().chain(target.iter()) {
        server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"]);
    }
    load(&source, number(SCALE).unwrap_or(1.0));
    let keys = replay::keys_of(&source);
    let mut seed = 1;
    // TOUCH counts as a use of a key of any type, as GET does of a string.
    let reads: Vec<&Vec<u8>> = (0..READS)
        .map(|_| &keys[zipf(keys.len(), &mut seed)])
        .collect();
    replay::ask_about(&source, b"TOUCH", reads.iter().copied());
    let bytes = backup(&home, &source);
    let is_over = AtomicBool::new(false);
    let ((outcome, report), looks) = thread::scope(|scope| {
        let watching = scope.spawn(|| hits::watch(&target, &reads, &is_over));
        let done = restore(&home, &target, &["--no-verify", "--order", "hottest"]);
        is_over.store(true, Ordering::Relaxed);
        (done, watching.join().expect("looks"))
    });
    let is_whole = time_of(&outcome, &[0]).is_some();
    let what = format!("restore of {}, hottest first", gigabytes(bytes));
    let all = outcome.elapsed.as_secs_f64();
    let hit = hits::reached(&looks, WARM).map(|at| at.as_secs_f64());
    let row = |what: String, ours: Option<String>| Row {
        what,
        ours: ours.unwrap_or_else(|| "failed".to_owned()),
        theirs: String::new(),
        ratio: None,
        target: None,
    };
    let said =
        |at: f64, all: f64| format!("{} of {} s: {:.2}", seconds(at), seconds(all), at / all);
    let hits = row(
        format!("{what}: when 90 % of the reads hit"),
        hit.map(|at| said(at, all)),
    );
    let is_met = is_whole && hit.is_some_and(|at| at / all <= MOST_SHARE);
    let number = |value: &Value, name: &str| value[name].as_u64();
    let heat = report.as_ref().and_then(|report| {
        let all = number(report, "load_ms")? as f64 / 1e3;
        let warmth = report["warmth"].as_array()?;
        let warm = warmth
            .iter()
            .find(|warm| warm["percent"].as_u64() >= Some(90))?;
        let (ms, keys) = (number(warm, "after_ms")? as f64, number(warm, "keys")?);
        Some(format!("{}, {keys} keys", said(ms / 1e3, all)))
    });
    vec![
        hits.aims_at(format!("at most {MOST_SHARE} of the restore"), is_met),
        row(
            format!("{what}: when 90 % of the recorded heat is back"),
            heat,
        ),
    ]
}

/// Element by element, as two tools do it.
fn elements(
    what: &str,
    source: &Fleet,
    target: &Fleet,
    ours: &[Option<Duration>],
) -> impl Iterator<Item = Row> {
    let files = replay::files_of(source, TARGETS);
    let ways = [
        (Way::Buffered, "4 KiB a write"),
        (Way::OneByOne, "each by a write of its own"),
    ];
    ways.into_iter().map(move |(way, words)| {
        empty(target);
        let replayed = replay::by_elements(&files, target, way);
        eprintln!(
            "bench: {} keys by {} commands in {:?}",
            replayed.keys, replayed.commands, replayed.elapsed
        );
        let mut row = Row::of_times(
            format!("{what}, beside its elements one by one, {words}"),
            &[median(ours)],
            &[Some(replayed.elapsed)],
        );
        row.ours = median(ours).map_or("failed".to_owned(), |time| {
            format!("{} s", seconds(time.as_secs_f64()))
        });
        match way {
            // Faster than the tool itself, which is what it stands for.
            Way::Buffered => row,
            Way::OneByOne => row.at_least(TIMES_ELEMENTS),
        }
    })
}

/// How fast what is there is read back and compared.
fn proof(what: &str, home: &Home, target: &Fleet, peak: &Peak) -> Row {
    empty(target);
    let (outcome, report) = restore(home, target, &[]);
    peak.note(&outcome);
    let is_whole = time_of(&outcome, &[0]).is_some();
    let speed = report.and_then(|report| {
        let number = |name: &str| report[name].as_f64();
        let ms = number("duration_ms")? - number("load_ms")?;
        Some((number("bytes")? / ms / 1e3, ms))
    });
    let row = Row {
        what: format!("{what}: the proof"),
        ours: speed.map_or("failed".to_owned(), |(speed, ms)| {
            format!("{speed:.0} MB/s ({} s)", seconds(ms / 1e3))
        }),
        theirs: String::new(),
        ratio: None,
        target: None,
    };
    let is_met = is_whole && speed.is_some_and(|(speed, _)| speed >= PROOF_MB);
    row.aims_at(format!("{PROOF_MB:.0} MB/s"), is_met)
}

/// Backs up into that home; how many bytes that were.
fn backup(home: &Home, source: &Fleet) -> Option<u64> {
    let (outcome, report) = take(home, source, &MASTERS);
    time_of(&outcome, &[0]);
    report?["bytes_raw"].as_u64()
}

/// Restores out of that home.
fn restore(home: &Home, target: &Fleet, more: &[&str]) -> (Outcome, Option<Value>) {
    let folder = home.path().join("repository").display().to_string();
    let seed = target[0].addr();
    let args = [
        "restore", "latest", &seed, "--repo", &folder, "-o", "json", "-q",
    ];
    let args = [&args[..], more].concat();
    let running = home.goodcache(&args).within(LIMIT).spawn();
    let outcome = running.wait_or_kill();
    let answer: Option<Value> = serde_json::from_str(&outcome.stdout).ok();
    let report = answer.and_then(|answer| answer.get("report").cloned());
    (outcome, report)
}

/// Waits until the next minute where this one is not long enough for load, reads and backup: servers take one
/// from each key's counter with each minute, so that in the middle a key that was read once would look like
/// one that never was.
fn within_a_minute() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let second = now.map_or(0, |now| now.as_secs() % 60);
    if second >= LAST_SECOND {
        thread::sleep(Duration::from_secs(60 - second));
    }
}

fn empty(fleet: &Fleet) {
    for server in fleet.iter() {
        server.cli(&["FLUSHALL", "SYNC"]);
    }
}

/// A place out of so many, the first far more often than the last: by Zipf's law with exponent 1. Which
/// keys those are is mixed, for neighbours in a file have nothing to do with each other.
fn zipf(count: usize, seed: &mut u64) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let share = (*seed >> 11) as f64 / (1_u64 << 53) as f64;
    let rank = (count as f64).powf(share) as u64;
    (rank.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count as u64) as usize
}
