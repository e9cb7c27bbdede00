//! Reading: how fast the walk over an RDB is, and the digest of what is in it, on one core.

use crate::rdb::{made_up, measure};
use crate::table::Row;

const READ_MB: f64 = 1000.0;
const DIGESTED_MB: f64 = 250.0;

/// Files of one kind of value each.
pub fn files() -> Vec<Row> {
    made_up()
        .flat_map(|(name, file)| rows(name, &file))
        .collect()
}

/// Of one file.
pub fn rows(name: &str, file: &[u8]) -> [Row; 2] {
    let speed = measure(file).unwrap_or_else(|error| panic!("{name}: {error}"));
    [
        row(format!("RDB of {name}: read"), speed.read, READ_MB),
        row(
            format!("RDB of {name}: read and digested"),
            speed.digested,
            DIGESTED_MB,
        ),
    ]
}

fn row(what: String, speed: f64, least: f64) -> Row {
    let row = Row {
        what,
        ours: format!("{speed:.0} MB/s"),
        theirs: String::new(),
        ratio: None,
        target: None,
    };
    row.aims_at(format!("{least:.0} MB/s"), speed >= least)
}
