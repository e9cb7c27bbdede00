//! The two programs that are compared, run under the same rules: an empty home, a limit on time.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::support::{Home, Outcome};
use crate::table::Row;

/// The memory that a run of goodcache must stay below, when nothing else is said.
const MOST_MIB: u64 = 50;

/// Runs goodcache.
pub fn goodcache(args: &[&str], limit: Duration) -> Outcome {
    Home::new()
        .goodcache(args)
        .within(limit)
        .spawn()
        .wait_or_kill()
}

/// Runs `redis-cli --cluster`.
pub fn redis_cli(args: &[&str], limit: Duration) -> Outcome {
    let args: Vec<&str> = ["--cluster"].iter().chain(args).copied().collect();
    Home::new()
        .program("redis-cli", &args)
        .within(limit)
        .spawn()
        .wait_or_kill()
}

/// How long a run took, when it ended with one of these exit codes.
pub fn time_of(outcome: &Outcome, codes: &[i32]) -> Option<Duration> {
    if codes.contains(&outcome.code) && !outcome.is_overdue {
        return Some(outcome.elapsed);
    }
    let text: String = outcome.stderr.chars().take(2000).collect();
    eprintln!(
        "bench: ended with {} after {:?}: {text}",
        outcome.code, outcome.elapsed
    );
    None
}

/// The most memory of several runs.
#[derive(Default)]
pub struct Peak(AtomicU64);

impl Peak {
    /// Looks at one more run.
    pub fn note(&self, outcome: &Outcome) {
        self.0.fetch_max(outcome.peak_kib, Ordering::Relaxed);
    }

    /// A row that says how much it was.
    pub fn row(&self, what: &str) -> Row {
        self.row_below(what, MOST_MIB)
    }

    /// The same with another limit.
    pub fn row_below(&self, what: &str, most_mib: u64) -> Row {
        let kib = self.0.load(Ordering::Relaxed);
        let row = Row {
            what: format!("{what}: peak memory"),
            ours: format!("{:.1} MiB", kib as f64 / 1024.0),
            theirs: String::new(),
            ratio: None,
            target: None,
        };
        row.aims_at(format!("below {most_mib} MiB"), kib < most_mib * 1024)
    }
}

/// `redis-server 7.0.15`.
pub fn version(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let output = Command::new(program).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    let number = text
        .split_whitespace()
        .map(|word| word.trim_start_matches("v="))
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))
        .unwrap_or("of unknown version");
    format!("{name} {number}")
}
