//! Checking: large clusters, slow wires, nodes that do not answer, keys in the wrong place.

use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::delay::delay;
use crate::goodbooks::{Books, Load, fill};
use crate::support::server::free_port;
use crate::support::{Fleet, Outcome, Spec};
use crate::table::Row;
use crate::tool::{Peak, goodcache, redis_cli, time_of};

const LIMIT: Duration = Duration::from_secs(120);
/// When redis-cli is taken to hang.
const HANG: Duration = Duration::from_secs(20);
/// A check may find warnings, and exit with 0; with critical findings it exits with 3.
const LOOKED: [i32; 2] = [0, 3];
/// While they join: nodes tell each other their roles within half of it.
const BRISK: &str = "8000";
/// Afterwards: many servers on few cores, and none shall be called dead while it waits for its turn.
const PATIENT: &str = "30000";

/// A hundred nodes, fifty of them masters.
pub fn hundred() -> Vec<Row> {
    let fleet = cluster(50, 50);
    let seed = fleet[0].addr();
    let peak = Peak::default();
    let (ours, theirs) = compare(5, &peak, &seed, &[]);
    vec![
        Row::of_times("check of 100 nodes", &ours, &theirs).at_least(1.0),
        peak.row("check of 100 nodes"),
    ]
}

/// Twenty nodes, each behind a wire of 50 ms.
pub fn delayed() -> Vec<Row> {
    let fleet = Fleet::start_with(20, |_| behind_delay(Duration::from_millis(50)));
    join(&fleet, 10);
    let seed = announced(&fleet);
    let peak = Peak::default();
    let (ours, theirs) = compare(3, &peak, &seed, &["--deadline", "5s"]);
    vec![
        Row::of_times("check of 20 nodes, each 50 ms away", &ours, &theirs).at_least(5.0),
        peak.row("check of 20 nodes, each 50 ms away"),
    ]
}

/// Forty-eight nodes, five of which are stopped in their tracks.
pub fn stopped() -> Vec<Row> {
    let fleet = cluster(24, 24);
    let seed = fleet[0].addr();
    // Two masters and three replicas, of five shards.
    let silent = [5, 9, 24 + 12, 24 + 16, 24 + 20];
    for n in silent {
        fleet[n].pause();
    }
    let peak = Peak::default();
    let ours = our_check(&seed, &["--deadline", "2s"], &peak);
    let theirs = redis_cli(&["check", &seed], HANG);
    for n in silent {
        fleet[n].resume();
    }
    let found = ours.stdout.matches("\"node.down\"").count();
    let is_met = ours.code == 3 && found == silent.len() && ours.elapsed.as_secs_f64() <= 3.0;
    let row = Row {
        what: "check of 48 nodes, 5 of them stopped".to_owned(),
        ours: format!(
            "{:.2} s, {found} found, exit {}",
            ours.elapsed.as_secs_f64(),
            ours.code
        ),
        theirs: ending(&theirs),
        ratio: None,
        target: None,
    };
    vec![
        row.aims_at("3 s, 5 found, exit 3", is_met),
        peak.row("check of 48 nodes, 5 of them stopped"),
    ]
}

/// Keys in nodes that do not own their slot, looked for in 24 masters.
pub fn deep() -> Vec<Row> {
    let fleet = cluster(24, 0);
    let seed = fleet[0].addr();
    let books = Books::excerpt();
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs());
    let load = Load {
        books: &books,
        scale: 0.02,
        seed: 1,
        now,
    };
    fill(&seed, None, &load).expect("a cluster that takes the load");
    let peak = Peak::default();
    let ours: Vec<_> = (0..3)
        .map(|_| time_of(&our_check(&seed, &["--deep"], &peak), &LOOKED))
        .collect();
    let theirs = redis_cli(&["check", &seed, "--cluster-search-multiple-owners"], LIMIT);
    let is_met = ours
        .iter()
        .all(|time| time.is_some_and(|time| time.as_secs_f64() < 1.0));
    vec![
        Row::of_times(
            "check --deep of 24 masters",
            &ours,
            &[time_of(&theirs, &[0])],
        )
        .aims_at("below 1 s", is_met),
        peak.row("check --deep of 24 masters"),
    ]
}

/// Both programs in turn.
fn compare(
    runs: usize,
    peak: &Peak,
    seed: &str,
    more: &[&str],
) -> (Vec<Option<Duration>>, Vec<Option<Duration>>) {
    (0..runs)
        .map(|_| {
            let ours = our_check(seed, more, peak);
            let theirs = redis_cli(&["check", seed], LIMIT);
            (time_of(&ours, &LOOKED), time_of(&theirs, &[0]))
        })
        .unzip()
}

fn our_check(seed: &str, more: &[&str], peak: &Peak) -> Outcome {
    let args = ["check", seed, "--sample", "0s", "-o", "json"];
    let args: Vec<&str> = args.iter().chain(more).copied().collect();
    let outcome = goodcache(&args, LIMIT);
    peak.note(&outcome);
    outcome
}

fn ending(outcome: &Outcome) -> String {
    if outcome.is_overdue {
        format!("hung, killed after {:.0} s", outcome.elapsed.as_secs_f64())
    } else {
        format!(
            "{:.2} s, exit {}",
            outcome.elapsed.as_secs_f64(),
            outcome.code
        )
    }
}

/// A cluster whose nodes are patient with each other once it stands.
pub fn cluster(masters: usize, replicas: usize) -> Fleet {
    let spec = Spec::with_args(&["--cluster-node-timeout", BRISK]);
    let fleet = Fleet::start_with(masters + replicas, |_| spec.clone());
    join(&fleet, masters);
    fleet
}

fn join(fleet: &Fleet, masters: usize) {
    fleet.join(masters);
    for server in fleet.iter() {
        server.cli(&["CONFIG", "SET", "cluster-node-timeout", PATIENT]);
    }
}

/// A server that sends clients to a delayed port, and peers to its own bus.
fn behind_delay(by: Duration) -> Spec {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let announced = listener
        .local_addr()
        .expect("a bound port")
        .port()
        .to_string();
    let port = free_port();
    delay(listener, port, by);
    Spec {
        port: Some(port),
        ..Spec::with_args(&[
            "--cluster-node-timeout",
            BRISK,
            "--cluster-announce-ip",
            "127.0.0.1",
            "--cluster-announce-port",
            &announced,
            "--cluster-announce-bus-port",
            "{bus}",
        ])
    }
}

/// Where the first node sends clients.
fn announced(fleet: &Fleet) -> String {
    let nodes = fleet[0].cli(&["CLUSTER", "NODES"]);
    let own = nodes.lines().find(|line| line.contains("myself"));
    let addr = own.and_then(|line| line.split(' ').nth(1)?.split('@').next());
    addr.expect("a node that knows itself").to_owned()
}
