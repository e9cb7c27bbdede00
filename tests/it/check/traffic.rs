//! What only two looks can tell: rates of failures, redirections and refused connections while
//! clients are at work, and the canary.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Answer, key_of, looking};
use crate::support::{Fleet, Server, until};

/// Runs a check while a client works on.
fn under_load(fleet: &Fleet, work: impl Fn(usize) + Sync) -> Answer {
    sampled_under_load(fleet, "1s", work)
}

fn sampled_under_load(fleet: &Fleet, sample: &str, work: impl Fn(usize) + Sync) -> Answer {
    loaded(work, || looking(fleet, &["--sample", sample]).run().into())
}

/// What a look finds while the load works.
fn loaded(work: impl Fn(usize) + Sync, look: impl FnOnce() -> Answer) -> Answer {
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                work(n);
            }
        });
        let _end = AtLast(&is_done);
        look()
    })
}

/// Says that it is over, also when the look panics: the load would never end.
struct AtLast<'a>(&'a AtomicBool);

impl Drop for AtLast<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection that a load may share.
fn asking(server: &Server) -> impl Fn(&[&str]) + Sync {
    let wire = std::sync::Mutex::new(server.connect().unwrap());
    move |command| {
        // The replies are what the servers count; the load itself does not care.
        let _ = wire.lock().unwrap().ask(command);
    }
}

#[test]
fn rates_are_measured_while_clients_work() {
    let fleet = Fleet::cluster(3, 1);
    let (own, foreign) = (key_of(1), key_of(16_000));
    let ask = asking(&fleet[0]);
    ask(&["SET", &own, "no number"]);

    let sound = under_load(&fleet, |_| ask(&["GET", &own]));
    sound
        .expect_none("errors.failed")
        .expect_none("errors.redirected")
        .expect_critical(&[]);
    assert!(sound.report["cluster"]["ops_per_second"].as_f64().unwrap() > 50.0);

    let failing = under_load(&fleet, |n| match n % 33 {
        0 => ask(&["INCR", &own]),
        _ => ask(&["GET", &own]),
    });
    let failed = failing.expect("errors.failed", "warning", "");
    assert!(
        failed["summary"].as_str().unwrap().contains('%'),
        "{failed:#}"
    );
    failing
        .expect_none("errors.redirected")
        .expect_critical(&[]);
    assert_eq!(failing.code, 0);

    let moved = under_load(&fleet, |n| match n % 10 {
        0 => ask(&["GET", &foreign]),
        _ => ask(&["GET", &own]),
    });
    moved.expect("errors.redirected", "warning", "");
    moved.expect_none("errors.failed").expect_critical(&[]);

    fleet[0].cli(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let full = under_load(&fleet, |_| ask(&["SET", &own, "more"]));
    full.expect("memory.oom_errors", "critical", &fleet[0].addr());
    full.expect("memory.high", "critical", &fleet[0].addr());
    fleet[0].cli(&["CONFIG", "SET", "maxmemory", "0"]);

    let limit: usize = 40;
    fleet[0].cli(&["CONFIG", "SET", "maxclients", &limit.to_string()]);
    let crowded = under_load(&fleet, |_| {
        // A crowd comes, is turned away in part, and leaves again, so that the check finds a place.
        let crowd: Vec<_> = (0..limit).map(|_| fleet[0].connect()).collect();
        drop(crowd);
        thread::sleep(Duration::from_millis(50));
    });
    fleet[0].cli(&["CONFIG", "SET", "maxclients", "10000"]);
    crowded.expect("clients.rejected", "critical", &fleet[0].addr());
}

#[test]
fn a_replica_that_is_cut_off_in_every_copy_is_a_loop() {
    let fleet = Fleet::cluster(3, 1);
    let (master, replica) = (&fleet[0], &fleet[3]);
    let own = key_of(1);
    let mut wire = master.connect().unwrap();
    for n in 0..2000 {
        wire.ask(&["SET", &format!("{{{own}}}{n}"), "v"]).unwrap();
    }
    // A copy takes most of a second, and what is written meanwhile is more than may wait.
    for (name, value) in [
        ("rdb-key-save-delay", "400"),
        ("repl-backlog-size", "16384"),
        ("client-output-buffer-limit", "replica 1mb 1mb 1"),
    ] {
        master.cli(&["CONFIG", "SET", name, value]);
    }
    let (key, value) = (format!("{{{own}}}0"), "v".repeat(64 * 1024));
    let ask = asking(master);
    // The replica comes back about once a second, is given a copy and is cut off in it.
    let copies = || {
        let count = master.field(&["INFO", "stats"], "sync_full");
        count.unwrap().parse::<u64>().unwrap()
    };
    let before = copies();
    let answer = loaded(
        |_| ask(&["SET", &key, &value]),
        || {
            // What is written until it is back is more than the backlog holds, mostly.
            until("it needs a copy", Duration::from_secs(60), || {
                if copies() == before {
                    master.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
                    thread::sleep(Duration::from_millis(1500));
                }
                copies() > before
            });
            looking(&fleet, &["--sample", "8s"]).run().into()
        },
    );
    let found = answer.expect("replica.full_sync_loop", "critical", &master.addr());
    let evidence = found["evidence"].as_str().unwrap();
    assert!(evidence.contains("sync_full +"), "{evidence}");
    let next = found["next"].as_str().unwrap();
    assert!(next.contains("client-output-buffer-limit"), "{next}");
    // With room enough the next copy comes through.
    master.cli(&[
        "CONFIG",
        "SET",
        "client-output-buffer-limit",
        "replica 0 0 0",
    ]);
    master.cli(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    until("the replica is in sync", Duration::from_secs(30), || {
        let link = replica.field(&["INFO", "replication"], "master_link_status");
        link.as_deref() == Some("up")
    });
    super::check(&fleet, &["--sample", "1s"]).expect_none("replica.full_sync_loop");
}

#[test]
fn looking_once_lists_the_rates_as_skipped() {
    let fleet = Fleet::cluster(3, 0);
    let answer = super::check(&fleet, &["--sample", "0s"]);
    let skipped = answer.report["skipped"].as_array().unwrap();
    for code in ["errors.failed", "errors.redirected", "clients.rejected"] {
        let told = skipped.iter().find(|skip| skip["code"] == code);
        let reason = told.map(|skip| skip["reason"].as_str().unwrap());
        assert!(
            reason.is_some_and(|reason| reason.contains("--sample")),
            "{code}: {reason:?}"
        );
    }
    assert_eq!(
        answer.report["cluster"]["failed_percent"],
        serde_json::Value::Null
    );
}

#[test]
fn the_canary_writes_reads_and_cleans_up() {
    let fleet = Fleet::cluster(3, 1);
    let answer = super::check(&fleet, &["--canary"]);
    answer.expect_critical(&[]).expect_none("canary.refused");
    for server in fleet.iter() {
        assert_eq!(server.cli(&["DBSIZE"]), "0", "{}", server.addr());
    }
    for n in [0, 1, 2] {
        let stats = fleet[n].cli(&["INFO", "commandstats"]);
        assert!(stats.contains("cmdstat_set:"), "no canary in shard {n}");
    }
    fleet[0].cli(&["CONFIG", "SET", "min-replicas-to-write", "2"]);
    let answer = super::check(&fleet, &["--canary"]);
    let refused = answer.expect("canary.refused", "critical", &fleet[0].addr());
    assert!(
        refused["evidence"].as_str().unwrap().contains("NOREPLICAS"),
        "{refused:#}"
    );
    answer.expect("replica.too_few_good", "critical", &fleet[0].addr());
}
