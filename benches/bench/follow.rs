//! `backup --follow` beside a writer at full speed: whether it keeps up, and what it costs the servers.
//!
//! Three masters with a replica each. A thread for each master writes ready-made SETs, so many in a
//! pipeline, the next pipeline on its way while one is answered: on two cores that is as fast as servers,
//! replicas and writer together can go. The same writes are done without a follower and with one, in
//! turns; what counts is what all six servers computed for them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use goodcache::model::Slot;
use serde_json::Value;

use crate::backup::SHARDS;
use crate::replay::{Pipe, master_of};
use crate::support::command::cpu_time;
use crate::support::resp::encode;
use crate::support::wait::until;
use crate::support::{Fleet, Home, Running};
use crate::table::Row;
use crate::tool::Peak;

const LIMIT: Duration = Duration::from_secs(300);
/// Turns without and with.
const TURNS: usize = 3;
/// Keys of each shard, each written so often in a turn.
const KEYS: usize = 20_000;
const ROUNDS: usize = 100;
/// Bytes of a value, and commands in a pipeline.
const VALUE: usize = 100;
const PIPELINE: usize = 64;
/// How long a write may take to be durable: a segment is sealed every 10 seconds.
const SEALED: Duration = Duration::from_secs(11);
const MOST_PERCENT: f64 = 10.0;

/// One turn.
struct Turn {
    elapsed: Duration,
    /// What the servers computed.
    servers: Duration,
    /// Until all of it was durable; without a follower nothing is.
    durable: Option<Duration>,
}

/// Three masters that are written to.
pub fn three() -> Vec<Row> {
    let fleet = Fleet::cluster(SHARDS, 1);
    let flights: Vec<Vec<Vec<u8>>> = (0..SHARDS).map(flights).collect();
    write(&fleet, &flights);
    let peak = Peak::default();
    let (mut without, mut with, mut lines) = (vec![], vec![], 0);
    for _ in 0..TURNS {
        without.push(turn(&fleet, &flights, None));
        let home = Home::new();
        let following = Following::begin(&home, &fleet);
        with.push(turn(&fleet, &flights, Some(&following)));
        lines += following.end(&home, &peak);
    }
    let writes = (SHARDS * KEYS * ROUNDS) as f64;
    let speed = |turns: &[Turn]| {
        let mut speeds: Vec<f64> = turns
            .iter()
            .map(|turn| writes / turn.elapsed.as_secs_f64())
            .collect();
        speeds.sort_by(f64::total_cmp);
        speeds[speeds.len() / 2] / 1e3
    };
    let what = format!(
        "follow of three masters at {:.0},000 writes/s ({:.0},000 without it)",
        speed(&with),
        speed(&without)
    );
    let slowest = with.iter().map(|turn| turn.durable).max().flatten();
    let keeps_up = lines == TURNS && slowest.is_some_and(|slowest| slowest < SEALED);
    let computed =
        |turns: &[Turn]| -> f64 { turns.iter().map(|turn| turn.servers.as_secs_f64()).sum() };
    let more = (computed(&with) / computed(&without) - 1.0) * 100.0;
    let row = |what: String, ours: String| Row {
        what,
        ours,
        theirs: String::new(),
        ratio: None,
        target: None,
    };
    let said = slowest.map_or("not all of it".to_owned(), |slowest| {
        format!("within {:.1} s of the last write", slowest.as_secs_f64())
    });
    vec![
        row(format!("{what}: all is durable"), said).aims_at("no gap, within 11 s", keeps_up),
        row(
            "the same: what it adds to the servers' processor time".to_owned(),
            format!("{more:+.1} %"),
        )
        .aims_at("less than 10 %", more < MOST_PERCENT),
        Row {
            target: None,
            ..peak.row("the same")
        },
    ]
}

/// Keys of one master, written in pipelines.
fn flights(master: usize) -> Vec<Vec<u8>> {
    let is_own = |key: &String| {
        let slot = usize::from(Slot::of_key(key.as_bytes()).number());
        master_of(slot, SHARDS) == master
    };
    let keys: Vec<String> = (0..)
        .map(|n| format!("session:{n}"))
        .filter(is_own)
        .take(KEYS)
        .collect();
    let value = vec![b'v'; VALUE];
    let flight = |keys: &[String]| {
        let mut bytes = Vec::new();
        for key in keys {
            encode(&mut bytes, &[b"SET", key.as_bytes(), &value]);
        }
        bytes
    };
    keys.chunks(PIPELINE).map(flight).collect()
}

/// Every key once.
fn write(fleet: &Fleet, flights: &[Vec<Vec<u8>>]) {
    rounds(fleet, flights, 1);
}

fn rounds(fleet: &Fleet, flights: &[Vec<Vec<u8>>], rounds: usize) {
    thread::scope(|scope| {
        for (server, flights) in fleet.iter().zip(flights) {
            scope.spawn(move || {
                let mut pipe = Pipe::to(server);
                for _ in 0..rounds {
                    for (n, flight) in flights.iter().enumerate() {
                        pipe.send(flight, PIPELINE.min(KEYS - n * PIPELINE));
                    }
                }
                pipe.finish();
            });
        }
    });
}

fn turn(fleet: &Fleet, flights: &[Vec<Vec<u8>>], following: Option<&Following>) -> Turn {
    let computed = || -> Duration {
        let of = fleet
            .iter()
            .map(|server| cpu_time(&server.pid().to_string()));
        of.map(|time| time.expect("a server that runs")).sum()
    };
    let (before, start) = (computed(), Instant::now());
    rounds(fleet, flights, ROUNDS);
    let (elapsed, written) = (start.elapsed(), Instant::now());
    // Replicas are done when they have acknowledged.
    let durable = acknowledged(fleet, 1 + usize::from(following.is_some()));
    Turn {
        elapsed,
        servers: computed().saturating_sub(before),
        durable: following.and(durable.then(|| written.elapsed())),
    }
}

/// Whether so many have all that was written, on every master, by a last write to each.
fn acknowledged(fleet: &Fleet, replicas: usize) -> bool {
    let (number, limit) = (replicas.to_string(), LIMIT.as_millis().to_string());
    let waited = |master: usize| {
        let mut wire = fleet[master].connect().expect("a server that answers");
        let key = (0..).map(|n| format!("session:{n}")).find(|key| {
            let slot = usize::from(Slot::of_key(key.as_bytes()).number());
            master_of(slot, SHARDS) == master
        });
        let key = key.expect("every master has keys");
        wire.ask(&["SET", &key, "last"]).expect("an answer");
        let reply = wire.ask(&["WAIT", &number, &limit]).expect("an answer");
        reply.text().is_ok_and(|count| count == number)
    };
    (0..SHARDS).all(waited)
}

/// A follower.
struct Following(Running);

impl Following {
    /// Begins one; it has its base.
    fn begin(home: &Home, fleet: &Fleet) -> Following {
        let (folder, seed) = (repository(home), fleet[0].addr());
        let args = ["backup", &seed, "--follow", "--repo", &folder, "-q"];
        let running = home.goodcache(&args).within(LIMIT).spawn();
        let snapshots = Path::new(&folder).join("snapshots");
        until("a base is there", LIMIT, || {
            fs::read_dir(&snapshots).is_ok_and(|found| found.count() > 0)
        });
        Following(running)
    }

    /// Ends it; how many time lines there are, of which every gap begins another.
    fn end(self, home: &Home, peak: &Peak) -> usize {
        self.0.interrupt();
        peak.note(&self.0.wait_or_kill());
        let folder = repository(home);
        let args = ["backup", "list", "--repo", &folder, "-o", "json"];
        let listed: Value = home.goodcache(&args).within(LIMIT).run().expect(0).json();
        listed
            .pointer("/report/lines")
            .and_then(Value::as_array)
            .map_or(0, Vec::len)
    }
}

fn repository(home: &Home) -> String {
    home.path().join("repository").display().to_string()
}
