//! Creating: from servers that have just started to a cluster that can be used.

use std::time::{Duration, Instant};

use crate::support::{Fleet, Outcome};
use crate::table::{Row, median, seconds};
use crate::tool::{Peak, goodcache, redis_cli, time_of};
use crate::usable::Watch;

const LIMIT: Duration = Duration::from_secs(90);
const SETTLE_LIMIT: Duration = Duration::from_secs(30);
const AIM_SINCE_START: f64 = 2.5;
const TIMES_FASTER: f64 = 2.5;

/// One of the two programs, told to make a cluster of these nodes with one replica a master.
type Create = fn(&[&str]) -> Outcome;

fn ours(addrs: &[&str]) -> Outcome {
    let list = addrs.join(",");
    goodcache(
        &[
            "create",
            "bench",
            "--nodes",
            &list,
            "--replicas",
            "1",
            "--yes",
        ],
        LIMIT,
    )
}

fn theirs(addrs: &[&str]) -> Outcome {
    let mut args = vec!["create"];
    args.extend(addrs);
    args.extend(["--cluster-replicas", "1", "--cluster-yes"]);
    redis_cli(&args, LIMIT)
}

/// What one creation took.
struct Made {
    /// From the command's start until usable.
    to_usable: Option<Duration>,
    /// From before the servers were started until usable.
    since_start: Option<Duration>,
    /// From the command's start to its end.
    to_exit: Option<Duration>,
}

/// Six nodes, five times.
pub fn six() -> Vec<Row> {
    let peak = Peak::default();
    let (ours, theirs) = alternate(6, 5, &peak);
    let since_start = column(&ours, |made| made.since_start);
    let is_quick = median(&since_start).is_some_and(|time| time.as_secs_f64() <= AIM_SINCE_START);
    vec![
        Row::of_times(
            "create 6 nodes, until fully usable",
            &column(&ours, |made| made.to_usable),
            &column(&theirs, |made| made.to_usable),
        )
        .at_least(TIMES_FASTER),
        Row::of_times(
            "the same, counted from the start of the servers",
            &since_start,
            &column(&theirs, |made| made.since_start),
        )
        .aims_at(format!("at most {} s", seconds(AIM_SINCE_START)), is_quick),
        Row::of_times(
            "the same, until the command ends",
            &column(&ours, |made| made.to_exit),
            &column(&theirs, |made| made.to_exit),
        ),
        peak.row("create 6 nodes"),
    ]
}

/// Forty-eight nodes, three times.
pub fn forty_eight() -> Vec<Row> {
    let peak = Peak::default();
    let (ours, theirs) = alternate(48, 3, &peak);
    vec![
        Row::of_times(
            "create 48 nodes, until fully usable",
            &column(&ours, |made| made.to_usable),
            &column(&theirs, |made| made.to_usable),
        )
        .at_least(TIMES_FASTER),
        peak.row("create 48 nodes"),
    ]
}

/// Forty creations, and a write to each shard the moment the command has ended.
pub fn forty_times() -> Vec<Row> {
    const TRIES: usize = 40;
    let count = |create: Create| (0..TRIES).filter(|_| is_usable_at_exit(create)).count();
    let (ours, theirs) = (count(ours), count(theirs));
    let row = Row {
        what: "a write to each shard the moment create ends".to_owned(),
        ours: format!("{ours} of {TRIES}"),
        theirs: format!("{theirs} of {TRIES}"),
        ratio: None,
        target: None,
    };
    vec![row.aims_at(format!("{TRIES} of {TRIES}"), ours == TRIES)]
}

fn is_usable_at_exit(create: Create) -> bool {
    let fleet = Fleet::start(6);
    let mut watch = Watch::over(&fleet, 3);
    let addrs = fleet.addrs();
    let addrs: Vec<&str> = addrs.iter().map(String::as_str).collect();
    create(&addrs).code == 0 && watch.takes_writes().unwrap_or(false)
}

/// Both programs in turn, so that what else the machine does falls on both.
fn alternate(nodes: usize, runs: usize, peak: &Peak) -> (Vec<Made>, Vec<Made>) {
    (0..runs)
        .map(|_| (make(nodes, ours, Some(peak)), make(nodes, theirs, None)))
        .unzip()
}

fn make(nodes: usize, create: Create, peak: Option<&Peak>) -> Made {
    let start = Instant::now();
    let fleet = Fleet::start(nodes);
    let addrs = fleet.addrs();
    let addrs: Vec<&str> = addrs.iter().map(String::as_str).collect();
    let mut watch = Watch::over(&fleet, nodes / 2);
    let command = Instant::now();
    let outcome = create(&addrs);
    if let Some(peak) = peak {
        peak.note(&outcome);
    }
    let to_exit = time_of(&outcome, &[0]);
    let usable = to_exit.and_then(|_| watch.wait(SETTLE_LIMIT));
    Made {
        to_exit,
        to_usable: usable.map(|()| command.elapsed()),
        since_start: usable.map(|()| start.elapsed()),
    }
}

fn column(made: &[Made], field: fn(&Made) -> Option<Duration>) -> Vec<Option<Duration>> {
    made.iter().map(field).collect()
}
