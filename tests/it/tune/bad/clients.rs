//! Clients that are cut off, crowd each other out, or read too slowly.

use std::io::Write;
use std::time::Duration;

use super::{send, set, tune, tune_at_once};
use crate::support::resp::dial;
use crate::support::{Fleet, Server, Wire, until};

const SOON: Duration = Duration::from_secs(30);

/// Connections that said something once and wait in a pool since.
fn pool(server: &Server, size: usize) -> Vec<Wire> {
    let mut pool: Vec<Wire> = (0..size).map(|_| server.connect().unwrap()).collect();
    for wire in &mut pool {
        wire.ask(&["PING"]).unwrap();
    }
    pool
}

/// That figure of the longest one, of all lines of CLIENT LIST.
fn most(server: &Server, figure: &str) -> u64 {
    let clients = server.cli(&["CLIENT", "LIST"]);
    let mark = format!(" {figure}=");
    let each = clients.lines().filter_map(|line| {
        let (_, rest) = line.split_once(&mark)?;
        rest.split(' ').next()?.parse().ok()
    });
    each.max().unwrap_or(0)
}

#[test]
fn pools_that_are_cut_off_and_a_limit_that_is_nearly_reached() {
    let fleet = Fleet::cluster(3, 0);
    let pool = pool(&fleet[0], 30);
    set(&fleet, &[("timeout", "8"), ("maxclients", "45")]);
    until("the pool has idled for half of it", SOON, || {
        most(&fleet[0], "idle") >= 4
    });
    let told = tune_at_once(&fleet, &["--sample", "0s"]);
    told.must(&[("info", "clients.timeout", "timeout", "0")]);
    let room = told.advice("clients.maxclients", "maxclients");
    let room = room.expect("more room");
    assert_eq!(room["changes"][0]["proposed"], "1000", "{room:#}");
    told.must_not(&["clients.output-buffer", "clients.keepalive"]);

    drop(pool);
    set(&fleet, &[("timeout", "0"), ("maxclients", "10000")]);
    let told = tune_at_once(&fleet, &["--sample", "0s"]);
    told.must_not(&["clients.timeout", "clients.maxclients"]);
}

#[test]
fn one_who_asks_for_more_than_he_reads() {
    let fleet = Fleet::cluster(3, 0);
    let size = (80 << 20).to_string();
    let words = ["SETRANGE", "{06S}", &size, "x"].map(str::to_owned);
    send(&fleet, 3, [words.to_vec()]);
    // 06S is of slot 0, the first master's.
    let mut deaf = dial(&fleet[0].addr(), SOON).unwrap();
    deaf.write_all(b"GET {06S}\r\n").unwrap();
    until("the reply is made", SOON, || {
        most(&fleet[0], "omem") > 60 << 20
    });
    let told = tune(&fleet, &[]);
    let limits = told.advice("clients.output-buffer", "client-output-buffer-limit");
    let limits = limits.expect("a limit for slow readers");
    assert_eq!(limits["severity"], "warning", "{limits:#}");
    let proposed = limits["changes"][0]["proposed"].as_str().unwrap();
    assert!(
        proposed.contains("normal 268435456 67108864 60"),
        "{proposed}"
    );
    // Those of replicas and subscribers stay as they are.
    assert!(
        proposed.contains("slave 268435456 67108864 60") && proposed.contains("pubsub 33554432"),
        "{proposed}"
    );
    drop(deaf);
    tune(&fleet, &[]).must_not(&["clients.output-buffer"]);
}
