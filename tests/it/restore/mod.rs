//! `goodcache restore` on real servers: what a snapshot holds is in the target, whatever its shape, and
//! whatever happens on the way; and what must not happen is refused before the first key.

mod braked;
mod carried;
mod faults;
mod handmade;
mod large;
mod logs;
mod matrix;
mod meanwhile;
mod moment;
mod parts;
mod random;
mod refused;
mod room;
mod runbook;
mod shapes;
mod stale;
mod tied;
mod typed;
mod ways;

use std::time::Duration;

use serde_json::Value;

use crate::load::goodbooks::{Books, Load, fill};
use crate::support::{Fleet, Goodcache, Home, Outcome, Server, Spec};

const LIMIT: Duration = Duration::from_secs(60);

/// A snapshot of a cluster that held data of every type, and a home for goodcache.
struct Stage {
    home: Home,
    source: Fleet,
}

impl Stage {
    /// Three masters with some hundred keys, backed up.
    fn new() -> Stage {
        let stage = Stage {
            home: Home::new(),
            source: Fleet::cluster(3, 0),
        };
        stage.fill();
        stage.backup();
        stage
    }

    fn fill(&self) -> u64 {
        let books = Books::excerpt();
        let load = Load {
            books: &books,
            scale: 0.0005,
            seed: 1,
            now: 4_000_000_000,
        };
        fill(&self.source[0].addr(), None, &load).unwrap().keys()
    }

    fn repository(&self) -> String {
        self.home.path().join("repository").display().to_string()
    }

    #[track_caller]
    fn backup(&self) -> String {
        let (addr, url) = (self.source[0].addr(), self.repository());
        let words = ["backup", &addr, "--repo", &url, "-o", "json"];
        let outcome = self.home.goodcache(&words).within(LIMIT).run().expect(0);
        let id = &outcome.json()["report"]["snapshot"]["id"];
        id.as_str().unwrap().to_owned()
    }

    fn restore(&self, target: &str, more: &[&str]) -> Goodcache {
        let url = self.repository();
        let mut words = vec!["restore", "latest", target, "--repo", &url, "-o", "json"];
        words.extend(more);
        self.home.goodcache(&words).within(LIMIT)
    }
}

/// What a restore says, when all is there and proven.
#[track_caller]
fn proven(outcome: Outcome) -> Value {
    let report = outcome.expect(0).json()["report"].clone();
    let proof = &report["proof"];
    assert_eq!(proof["missing"], 0, "{report:#}");
    assert_eq!(proof["different"], 0, "{report:#}");
    assert_eq!(proof["extra"], 0, "{report:#}");
    assert_eq!(report["refused"], 0, "{report:#}");
    report
}

/// An empty cluster of so many masters.
fn empty(masters: usize) -> Fleet {
    Fleet::cluster(masters, 0)
}

/// Leaves the slot of a tag half moved, from the first of those places to the second.
fn half_move(target: &Fleet, tag: &str) -> (usize, usize) {
    let key = format!("{{{tag}}}");
    let has = |n: &usize| target[*n].ask(&["GET", &key]).unwrap().text().is_ok();
    let from = (0..target.len()).find(has).unwrap();
    let to = (from + 1) % target.len();
    let slot = goodcache::model::Slot::of_key(key.as_bytes());
    let slot = slot.number().to_string();
    target[to].cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &target[from].id()]);
    target[from].cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target[to].id()]);
    (from, to)
}

/// What a server says that has the slot only half.
fn asked(server: &Server, words: &[&str]) -> String {
    let mut wire = server.connect().unwrap();
    wire.ask(&["ASKING"]).unwrap();
    wire.ask(words).unwrap().to_string()
}

/// A server on its own.
fn alone() -> Server {
    Server::start_with(Spec::with_args(&["--cluster-enabled", "no"]))
}

fn keys(servers: &[&Server]) -> u64 {
    let sizes = servers.iter().map(|server| server.cli(&["DBSIZE"]));
    sizes.map(|size| size.trim().parse::<u64>().unwrap()).sum()
}
