//! Advice: how long it takes beside the sample, on many nodes, and what the looking costs them.

use std::time::Duration;

use crate::check::cluster;
use crate::table::Row;
use crate::tool::{Peak, goodcache};

const LIMIT: Duration = Duration::from_secs(120);
/// The time between the two samples.
const SAMPLE: Duration = Duration::from_secs(1);
/// Keys on each master: more than a light sample takes.
const KEYS: u32 = 1_000;

/// A hundred nodes, fifty of them masters.
pub fn hundred() -> Vec<Row> {
    let fleet = cluster(50, 50);
    for master in fleet.iter().take(50) {
        master.cli(&["EVAL", &fill(), "0"]);
    }
    let peak = Peak::default();
    let mut beyond = Vec::new();
    let mut costs = Vec::new();
    for _ in 0..3 {
        let args = ["tune", &fleet[0].addr(), "--sample", "1s", "-o", "json"];
        let outcome = goodcache(&args, LIMIT).expect(0);
        peak.note(&outcome);
        beyond.push(Some(outcome.elapsed.saturating_sub(SAMPLE)));
        let sampling = outcome.json()["report"]["sampling"].clone();
        // Keys are drawn by chance, and a few are drawn twice.
        assert!(sampling["keys"].as_u64() >= Some(50 * 190), "{sampling}");
        costs.extend(sampling["cost_percent"].as_f64());
    }
    let slowest = beyond.iter().flatten().max().copied().unwrap_or_default();
    let dearest = costs.iter().copied().fold(0.0, f64::max);
    let row = |what: &str, ours: String| Row {
        what: what.to_owned(),
        ours,
        theirs: String::new(),
        ratio: None,
        target: None,
    };
    vec![
        Row::of_times("tune of 100 nodes, beyond the sample", &beyond, &[])
            .aims_at("3 s at the most", slowest <= Duration::from_secs(3)),
        row(
            "tune of 100 nodes: what the looking costs the busiest",
            format!("{dearest:.2} % of a core"),
        )
        .aims_at("below 1 %", costs.len() == 3 && dearest < 1.0),
        peak.row("tune of 100 nodes"),
    ]
}

/// Fills a master with keys of a slot that it owns, found by trying.
fn fill() -> String {
    format!(
        "local n, i = 0, 0; while n < {KEYS} and i < 2000000 do i = i + 1; \
         local ok = redis.pcall('SET', 'session:' .. i, string.rep('x', 500), 'EX', 864000); \
         if not (type(ok) == 'table' and ok.err) then n = n + 1 end end; return n"
    )
}
