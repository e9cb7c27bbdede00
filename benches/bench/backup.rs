//! Backups: against `redis-cli --cluster backup`, against bare replication streams, how much memory
//! they take, how long they hold writes up.
//!
//! Both programs read the masters. redis-cli uses what it uses: one SYNC after another, without
//! options, for which the server writes a file first. goodcache reads all at once, with a sync delay
//! of 0 that it sets itself; so do the bare streams. `GOODCACHE_BENCH_SCALE` is the scale of the
//! GoodBooks load, 1.0 by itself. `GOODCACHE_BENCH_SIZES=0.25,1,4` measures the memory at so many GB
//! as well.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::try_join_all;
use goodcache::cluster::replica::Base;
use goodcache::cluster::{Access, NodeError};
use goodcache::model::NodeAddr;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::goodbooks::{Books, Load, fill};
use crate::reading;
use crate::support::{Fleet, Home, Outcome, Server};
use crate::table::{Row, seconds};
use crate::tool::{Peak, time_of};

pub(super) const LIMIT: Duration = Duration::from_secs(600);
pub(super) const SHARDS: usize = 3;
const RUNS: usize = 3;
const DELAY: &str = "repl-diskless-sync-delay";
/// What servers have by default, in seconds.
const USUAL_DELAY: &str = "5";
pub(super) const SCALE: &str = "GOODCACHE_BENCH_SCALE";
const SIZES: &str = "GOODCACHE_BENCH_SIZES";
/// Bytes of RDB at scale 1.0, in GB.
pub(super) const WHOLE_GB: f64 = 0.36;
const TIMES_FASTER: f64 = 2.0;
const TIMES_STREAMS: f64 = 1.6;
const MOST_MIB: u64 = 96;
const CAPTURES: usize = 50;
/// So little that a capture takes well under a second.
const SMALL: f64 = 0.002;
const MOST_STALL_MS: f64 = 5.0;

/// Three masters with a replica each.
pub fn six() -> Vec<Row> {
    let fleet = Fleet::cluster(SHARDS, 1);
    load(&fleet, number(SCALE).unwrap_or(1.0));
    let peak = Peak::default();
    let (mut ours, mut theirs, mut streams) = (vec![], vec![], vec![]);
    let mut bytes = None;
    for _ in 0..RUNS {
        delay(&fleet, USUAL_DELAY);
        let (outcome, report) = take(&Home::new(), &fleet, &MASTERS);
        peak.note(&outcome);
        ours.push(time_of(&outcome, &[0]));
        bytes = bytes.or_else(|| report?["bytes_raw"].as_u64());
        theirs.push(copy(&fleet));
        delay(&fleet, "0");
        streams.push(read_and_throw_away(&fleet));
    }
    let what = format!("backup of {}", gigabytes(bytes));
    let beside = Row::of_times(
        format!("{what}, beside its streams read and thrown away"),
        &ours,
        &streams,
    );
    let is_near = beside
        .ratio
        .is_some_and(|ratio| 1.0 / ratio <= TIMES_STREAMS);
    let mut rows = vec![
        Row::of_times(&what, &ours, &theirs).at_least(TIMES_FASTER),
        beside.aims_at(format!("at most {TIMES_STREAMS} times as long"), is_near),
        peak.row_below(&what, MOST_MIB),
    ];
    rows.extend(reading::rows("the GoodBooks load", &base_of(&fleet[0])));
    rows
}

/// The sizes that are asked for, in GB.
pub(super) fn wanted_sizes() -> Vec<f64> {
    let sizes = env::var(SIZES).unwrap_or_default();
    let sizes = sizes.split(',').filter(|size| !size.is_empty());
    sizes
        .map(|size| size.trim().parse().expect("a number of GB"))
        .collect()
}

/// The memory at other sizes, where some are asked for: loading them takes minutes.
pub fn sizes() -> Vec<Row> {
    wanted_sizes()
        .into_iter()
        .map(|size| {
            // Without replicas, which would need as much memory again.
            let fleet = Fleet::cluster(SHARDS, 0);
            load(&fleet, size / WHOLE_GB);
            let peak = Peak::default();
            let (outcome, report) = take(&Home::new(), &fleet, &MASTERS);
            peak.note(&outcome);
            let is_taken = time_of(&outcome, &[0]).is_some();
            let bytes = report.and_then(|report| report["bytes_raw"].as_u64());
            let took = seconds(outcome.elapsed.as_secs_f64());
            let what = format!("backup of {} in {took} s", gigabytes(bytes));
            let mut row = peak.row_below(&what, MOST_MIB);
            if !is_taken {
                row = row.aims_at("a snapshot", false);
            }
            row
        })
        .collect()
}

/// How long the cut held writes up, while every master is written to at full speed.
pub fn stall() -> Vec<Row> {
    let fleet = Fleet::cluster(SHARDS, 1);
    load(&fleet, SMALL);
    delay(&fleet, USUAL_DELAY);
    let home = Home::new();
    let over = AtomicBool::new(false);
    let mut stalls: Vec<f64> = thread::scope(|scope| {
        for server in fleet.iter().take(SHARDS) {
            scope.spawn(|| write(server, &over));
        }
        let stalls = (0..CAPTURES).filter_map(|_| {
            let (outcome, report) = take(&home, &fleet, &[]);
            time_of(&outcome, &[0])?;
            report?["write_stall_ms"].as_f64()
        });
        let stalls = stalls.collect();
        over.store(true, Ordering::Relaxed);
        stalls
    });
    stalls.sort_by(f64::total_cmp);
    let is_met = stalls.len() == CAPTURES && at(&stalls, 0.99) < MOST_STALL_MS;
    let said = match stalls.is_empty() {
        true => "failed".to_owned(),
        false => format!(
            "p50 {:.2} ms, p99 {:.2} ms ({} runs)",
            at(&stalls, 0.5),
            at(&stalls, 0.99),
            stalls.len()
        ),
    };
    let row = Row {
        what: format!("{CAPTURES} backups under writes: how long the cut holds them up"),
        ours: said,
        theirs: String::new(),
        ratio: None,
        target: None,
    };
    vec![row.aims_at("p99 below 5 ms", is_met)]
}

pub(super) const MASTERS: [&str; 4] = ["--from", "masters", "--parallel", "3"];

/// Takes a snapshot into a folder of that home; what it says of it.
pub(super) fn take(home: &Home, fleet: &Fleet, more: &[&str]) -> (Outcome, Option<Value>) {
    let folder = home.path().join("repository").display().to_string();
    let seed = fleet[0].addr();
    let args = ["backup", &seed, "--repo", &folder, "-o", "json", "-q"];
    let args = [&args[..], more].concat();
    let running = home.goodcache(&args).within(LIMIT).spawn();
    let outcome = running.wait_or_kill();
    let answer: Option<Value> = serde_json::from_str(&outcome.stdout).ok();
    let report = answer.and_then(|answer| answer.pointer("/report/snapshot").cloned());
    (outcome, report)
}

/// What redis-cli has for it.
fn copy(fleet: &Fleet) -> Option<Duration> {
    let home = Home::new();
    let folder = home.path().join("backup");
    fs::create_dir(&folder).ok()?;
    let (folder, seed) = (folder.display().to_string(), fleet[0].addr());
    let args = ["--cluster", "backup", &seed, &folder];
    let running = home.program("redis-cli", &args).within(LIMIT).spawn();
    time_of(&running.wait_or_kill(), &[0])
}

/// All masters' data sets at once, in this process: what no backup can be faster than.
fn read_and_throw_away(fleet: &Fleet) -> Option<Duration> {
    let masters = fleet.iter().take(SHARDS).map(addr_of);
    let runtime = runtime();
    let start = Instant::now();
    let reading = masters.map(|addr| runtime.spawn(read(addr, drop)));
    match runtime.block_on(try_join_all(reading.collect::<Vec<_>>())) {
        Ok(ended) if ended.iter().all(Result::is_ok) => Some(start.elapsed()),
        ended => {
            eprintln!("bench: {ended:?}");
            None
        }
    }
}

/// The data set of one master.
fn base_of(server: &Server) -> Vec<u8> {
    let mut file = Vec::new();
    let read = runtime().block_on(read(addr_of(server), |piece| file.extend(piece)));
    read.expect("a data set");
    file
}

pub(super) async fn read(addr: NodeAddr, mut each: impl FnMut(Bytes)) -> Result<(), NodeError> {
    let access = Access::to([addr.clone()]);
    let mut base = Base::ask(&access, &addr).await?;
    while let Some(piece) = base.next().await? {
        each(piece);
    }
    Ok(())
}

pub(super) fn addr_of(server: &Server) -> NodeAddr {
    NodeAddr::new("127.0.0.1", server.port())
}

pub(super) fn runtime() -> Runtime {
    Runtime::new().expect("threads")
}

/// One write after the other, until it is over.
fn write(server: &Server, over: &AtomicBool) {
    let mut wire = server.connect().expect("a server that answers");
    let mut set = |key: &str, value: &str| {
        let reply = wire.ask(&["SET", key, value]);
        reply.is_ok_and(|reply| reply.text().is_ok())
    };
    let key = (0..)
        .map(|n| format!("bench:{n}"))
        .find(|key| set(key, ""))
        .expect("every master has keys");
    let value = "v".repeat(64);
    while !over.load(Ordering::Relaxed) {
        assert!(set(&key, &value), "a write was not taken");
    }
}

pub(super) fn load(fleet: &Fleet, scale: f64) {
    let books = Books::excerpt();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    let load = Load {
        books: &books,
        scale,
        seed: 1,
        now,
    };
    fill(&fleet[0].addr(), None, &load).expect("a cluster that takes the load");
}

fn delay(fleet: &Fleet, seconds: &str) {
    for server in fleet.iter() {
        server.cli(&["CONFIG", "SET", DELAY, seconds]);
    }
}

pub(super) fn number(name: &str) -> Option<f64> {
    let text = env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

pub(super) fn gigabytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "no data".to_owned(),
        |bytes| format!("{:.2} GB", bytes as f64 / 1e9),
    )
}

/// The value that so large a share does not exceed.
fn at(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted[rank.max(1) - 1]
}
