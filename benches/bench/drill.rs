//! A drill: what its probe load and its watch take of a core, and whether the load keeps its schedule
//! where it shares the machine with the servers.

use std::path::Path;
use std::thread;
use std::time::Duration;

use goodcache::cluster::load::{Load, LoadOptions, ShardAtStart, clean_up};
use goodcache::cluster::{Access, Ask, survey};
use goodcache::model::{NodeAddr, Topology};
use serde_json::Value;

use crate::support::command::cpu_time;
use crate::support::server::free_ports;
use crate::support::{Home, Outcome};
use crate::table::Row;
use crate::tool::{Peak, time_of};

const LIMIT: Duration = Duration::from_secs(120);
const NAME: &str = "bench";
const SHARDS: u16 = 3;
/// Handing over in agreement is the fault that is over soonest; the load is the same.
const ROUNDS: usize = 3;
/// How long the load is measured without the rest of the drill.
const ALONE: Duration = Duration::from_secs(10);
/// Writes, and as many reads, a second on each shard, when nothing else is asked for.
const USUAL: u32 = 200;
/// Three shards, and a write of the witness, a write and a read of the client at each tick: 20,007
/// operations a second.
const BUSY: u32 = 2223;
const MOST_OF_A_CORE: f64 = 0.02;
const MOST_SLIP_MS: f64 = 5.0;

/// Three shards of two nodes each.
pub fn drill() -> Vec<Row> {
    let home = Home::new();
    let base = create(&home);
    let peak = Peak::default();
    let alone = alone(base);
    let usual = Drilled::run(&home, USUAL, &peak);
    let busy = Drilled::run(&home, BUSY, &peak);
    let what = "drill, 200 writes and reads a second a shard: probe";
    let is_light = alone.is_some_and(|share| share < MOST_OF_A_CORE);
    let whole = usual.as_ref().map(Drilled::share);
    vec![
        row(what, alone.map(percent)).aims_at("below 2 % of a core a shard", is_light),
        row("the same: all of goodcache", whole.map(percent)),
        slip_row("drill, 20,000 operations a second: slip", busy.as_ref()),
        peak.row("drill"),
    ]
}

/// Makes the cluster, and gives its first port. It ends with the home.
fn create(home: &Home) -> u16 {
    let base = free_ports(SHARDS * 2);
    let port = base.to_string();
    let args = ["create", NAME, "--local", "--base-port", &port];
    let more = ["--node-timeout", "1s", "--yes", "-q"];
    let outcome = home.goodcache(&[&args[..], &more].concat());
    let outcome = outcome.within(LIMIT).run();
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    base
}

/// A drill that passed.
struct Drilled {
    outcome: Outcome,
    /// How long the load ran, in all rounds.
    loaded: Duration,
    /// Of each round: how late operations were sent, 99th percentile.
    slips_ms: Vec<f64>,
}

impl Drilled {
    fn run(home: &Home, rate: u32, peak: &Peak) -> Option<Drilled> {
        let record = home.path().join(format!("{rate}.json"));
        let (rate, rounds) = (rate.to_string(), ROUNDS.to_string());
        let fault = ["failover-test", NAME, "--confirm", NAME, "--fault"];
        let more = ["failover", "--rate", &rate, "--rounds", &rounds, "--record"];
        let file = record.display().to_string();
        let args = [&fault[..], &more, &[&file]].concat();
        let outcome = home.goodcache(&args).within(LIMIT).spawn().wait_or_kill();
        peak.note(&outcome);
        time_of(&outcome, &[0])?;
        let rounds = rounds_in(&record)?;
        Some(Drilled {
            loaded: rounds.iter().filter_map(loaded).sum(),
            slips_ms: rounds.iter().filter_map(slip_ms).collect(),
            outcome,
        })
    }

    /// What one shard took of a core; what goodcache did before and after counts as well.
    fn share(&self) -> f64 {
        share(self.outcome.cpu, self.loaded)
    }
}

fn rounds_in(record: &Path) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(record).ok()?;
    let record: Value = serde_json::from_str(&text).ok()?;
    record.pointer("/drill/rounds")?.as_array().cloned()
}

/// Until the last write of the witness was due.
fn loaded(round: &Value) -> Option<Duration> {
    let writes = round.pointer("/traces/0/witness")?.as_array()?;
    let last = writes.last()?.get(0)?.as_u64()?;
    Some(Duration::from_micros(last))
}

fn slip_ms(round: &Value) -> Option<f64> {
    let slip = round.get("schedule_slip_p99_us")?.as_f64()?;
    Some(slip / 1000.0)
}

fn share(cpu: Duration, of: Duration) -> f64 {
    cpu.as_secs_f64() / of.as_secs_f64() / f64::from(SHARDS)
}

/// The load alone, in this process, which does nothing else meanwhile.
fn alone(base: u16) -> Option<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        let seeds = (base..base + SHARDS * 2).map(|port| NodeAddr::new("127.0.0.1", port));
        let access = Access::to(seeds);
        let shards = shards(&access).await;
        let load = Load::start(&access, &shards, usual()).await.ok()?;
        thread::sleep(Duration::from_millis(500));
        let before = cpu_time("self")?;
        thread::sleep(ALONE);
        let cpu = cpu_time("self")?.saturating_sub(before);
        clean_up(&access, &load.stop().await).await;
        Some(share(cpu, ALONE))
    })
}

async fn shards(access: &Access) -> Vec<ShardAtStart> {
    let ask = Ask {
        is_brief: true,
        ..Ask::default()
    };
    let topology = Topology::of(&survey(access, &ask).await);
    let addr = |id| topology.member(id).and_then(|member| member.addr.clone());
    let shards = topology.shards.iter().zip(1..);
    shards
        .map(|(shard, number)| ShardAtStart {
            number,
            slots: shard.slots.clone(),
            nodes: [&shard.master]
                .into_iter()
                .chain(&shard.replicas)
                .filter_map(addr)
                .collect(),
        })
        .collect()
}

/// As `failover-test` sets it.
fn usual() -> LoadOptions {
    LoadOptions {
        rate: USUAL,
        value_bytes: 64,
        client_timeout: Duration::from_millis(200),
        max_redirections: 16,
        refresh: Duration::from_secs(60),
        is_retrying: true,
        run: "bench".to_owned(),
        expire: Duration::from_secs(600),
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn slip_row(what: &str, drilled: Option<&Drilled>) -> Row {
    let mut slips = drilled.map_or(Vec::new(), |drilled| drilled.slips_ms.clone());
    slips.sort_by(f64::total_cmp);
    let middle = slips.get(slips.len() / 2).copied();
    let said = middle.zip(slips.first().zip(slips.last()));
    let said = said.map(|(middle, (least, most))| {
        format!(
            "{middle:.1} ms ({least:.1}-{most:.1}, {} runs)",
            slips.len()
        )
    });
    let is_met = middle.is_some_and(|middle| middle < MOST_SLIP_MS);
    row(what, said).aims_at("slip below 5 ms at p99", is_met)
}

fn row(what: &str, ours: Option<String>) -> Row {
    Row {
        what: what.to_owned(),
        ours: ours.unwrap_or_else(|| "failed".to_owned()),
        theirs: String::new(),
        ratio: None,
        target: None,
    }
}
