//! The README's table of services: each test has the row that it found, and either finds it there or, with
//! `GOODCACHE_WRITE` set, puts it there. Tests run at the same time, so the file is locked meanwhile.

use std::fs::{self, File};
use std::path::Path;

use crate::support::DRESSES;

/// The table's head; below it come a line of dashes and the rows.
const HEAD: &str =
    "| service | `--provider` | create | check | backup | restore | tune | failover-test |";

/// Finds that row in the README, or puts it there.
///
/// # Panics
/// When the README says otherwise and is not to be written.
pub fn keep(row: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let is_writing = std::env::var_os("GOODCACHE_WRITE").is_some();
    let _held = is_writing.then(|| {
        let lock = File::create(std::env::temp_dir().join("goodcache-readme.lock")).unwrap();
        lock.lock().unwrap();
        lock
    });
    let text = fs::read_to_string(&path).unwrap();
    let wanted = with_row(&text, row);
    if is_writing && wanted != text {
        fs::write(&path, wanted).unwrap();
        return;
    }
    assert!(
        wanted == text,
        "the README says otherwise; write it anew: GOODCACHE_WRITE=1 cargo nextest run managed\n{row}"
    );
}

/// The README with that row in the place of the one that it has of the service, else behind those of the
/// services that come before it.
fn with_row(text: &str, row: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let head = lines.iter().position(|line| *line == HEAD).expect(HEAD);
    let rows = head + 2;
    let count = lines[rows..]
        .iter()
        .take_while(|line| line.starts_with("| "))
        .count();
    let place = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (name, service) = (cells.next().unwrap_or(""), cells.next().unwrap_or(""));
        DRESSES.iter().position(|dress| {
            let is_kind = match dress.kind {
                "" => !DRESSES
                    .iter()
                    .any(|other| !other.kind.is_empty() && name.ends_with(other.kind)),
                kind => name.ends_with(kind),
            };
            is_kind && format!("`{}`", dress.service) == service
        })
    };
    let own = place(row).expect("a service that there is");
    let all = rows..rows + count;
    match all.clone().find(|&n| place(lines[n]) == Some(own)) {
        Some(n) => lines[n] = row,
        None => {
            let after = all.clone().find(|&n| place(lines[n]) > Some(own));
            lines.insert(after.unwrap_or(all.end), row);
        }
    }
    format!("{}\n", lines.join("\n"))
}

#[test]
fn a_row_takes_its_place() {
    let dashes = "|---|---|";
    let table = |rows: &[&str]| format!("# a\n{HEAD}\n{dashes}\n{}\n\nb\n", rows.join("\n"));
    let (on, off) = (
        "| AWS ElastiCache | `elasticache` | x |",
        "| AWS ElastiCache, cluster mode off | `elasticache` | y |",
    );
    let cloud = "| Redis Cloud | `redis-cloud` | z |";
    let both = table(&[on, cloud]);
    assert_eq!(with_row(&both, on), both);
    assert_eq!(with_row(&both, off), table(&[on, off, cloud]));
    assert_eq!(with_row(&table(&[off]), on), table(&[on, off]));
    let changed = "| AWS ElastiCache | `elasticache` | other |";
    assert_eq!(with_row(&both, changed), table(&[changed, cloud]));
}
