//! Prints how fast an RDB is read, and how fast it is digested: `cargo run --release --example rdb`.
//!
//! Without a file, of one that it makes up: strings of 100 bytes, hashes of ten fields as listpacks,
//! and plain sets. With `-- FILE`, of that file.

use std::{env, fs, io};

#[path = "mod.rs"]
mod rdb;

fn main() -> io::Result<()> {
    match env::args().nth(1) {
        Some(path) => print(&path, &fs::read(&path)?),
        None => rdb::made_up().for_each(|(name, file)| print(name, &file)),
    }
    Ok(())
}

fn print(name: &str, file: &[u8]) {
    match rdb::measure(file) {
        Ok(speed) => println!(
            "{name}: {} keys, {:.0} MB: read {:.0} MB/s, read and digested {:.0} MB/s",
            speed.keys,
            file.len() as f64 / 1e6,
            speed.read,
            speed.digested,
        ),
        Err(error) => eprintln!("{name}: {error}"),
    }
}
