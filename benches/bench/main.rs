//! goodcache and `redis-cli --cluster` side by side, on the same servers in the same run.
//!
//! `make bench` runs all of it; `cargo bench --bench bench -- create-6 deep` runs parts. Progress goes
//! to stderr; stdout is a table that is Markdown as well, so it goes into the README as it is.
//!
//! `GOODCACHE_BENCH_SCALE=0.05` makes the backups and restores smaller, for trying;
//! `GOODCACHE_BENCH_SIZES=0.25,1,4` measures their memory at so many GB as well.

use std::fs;
use std::process::ExitCode;

mod backup;
mod check;
mod create;
mod delay;
mod drill;
mod follow;
#[path = "../goodbooks/mod.rs"]
mod goodbooks;
mod hits;
#[path = "../rdb/mod.rs"]
mod rdb;
mod reading;
mod replay;
mod restore;
#[path = "../../tests/it/support/mod.rs"]
mod support;
mod table;
mod tool;
mod tune;
mod usable;

use table::Row;

type Scenario = fn() -> Vec<Row>;

const SCENARIOS: [(&str, Scenario); 17] = [
    ("create-6", create::six),
    ("create-48", create::forty_eight),
    ("create-40-times", create::forty_times),
    ("check-100", check::hundred),
    ("check-delayed", check::delayed),
    ("check-stopped", check::stopped),
    ("deep", check::deep),
    ("drill", drill::drill),
    ("tune-100", tune::hundred),
    ("backup", backup::six),
    ("backup-sizes", backup::sizes),
    ("backup-stall", backup::stall),
    ("follow", follow::three),
    ("restore", restore::four),
    ("restore-hottest", restore::hottest),
    ("restore-sizes", restore::sizes),
    ("rdb", reading::files),
];

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    let known = |name: &String| SCENARIOS.iter().any(|(known, _)| known == name);
    if let Some(name) = wanted.iter().find(|name| !known(name)) {
        let names = SCENARIOS.map(|(name, _)| name).join(", ");
        eprintln!("bench: no part '{name}' (there are {names})");
        return ExitCode::from(2);
    }
    let mut rows = Vec::new();
    for (name, scenario) in SCENARIOS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            eprintln!("bench: {name}");
            rows.extend(scenario());
        }
    }
    println!("{}\n\n{}", machine(), table::markdown(&rows));
    if rows.iter().all(Row::is_met) {
        ExitCode::SUCCESS
    } else {
        eprintln!("bench: not every target was met");
        ExitCode::FAILURE
    }
}

/// What it ran on, in one line.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let server = tool::version(&support::server::default_binary());
    let client = tool::version("redis-cli".as_ref());
    format!("{cores} cores of {model}; {server}; compared with {client}.")
}
