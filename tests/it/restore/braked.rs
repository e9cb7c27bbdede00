//! What holds a restore back: a rate, and a target that answers late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::support::until;

#[test]
fn a_rate_holds_for_values_that_go_in_parts_too() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    let script = "for i = 1, 30000 do
        redis.call('RPUSH', KEYS[1], string.rep(redis.sha1hex(i), 2))
    end";
    stage.source[0].cli(&["EVAL", script, "1", "list"]);
    stage.backup();
    let target = empty(1);
    let rate = ["--rate", "1MiB"];
    let report = proven(stage.restore(&target[0].addr(), &rate).run());
    assert_eq!(report["in_parts"], 1, "{report:#}");
    let bytes = report["bytes"].as_u64().unwrap();
    assert!(bytes > 2 << 20, "{report:#}");
    // The first part goes at once; never more than the rate after that.
    let least_ms = (bytes - (1 << 20)) * 1000 / (1 << 20);
    let took_ms = report["load_ms"].as_u64().unwrap();
    assert!(took_ms >= least_ms, "{took_ms} ms rather than {least_ms}");
}

/// A script that keeps a server busy for so many ms.
const BUSY: &str = "local function now()
        local time = redis.call('TIME')
        return time[1] * 1000 + time[2] / 1000
    end
    local begin = now()
    while now() < begin + tonumber(ARGV[1]) do end
    return 1";

/// A server that is busy for 60 ms, again and again, as with a script that somebody runs.
fn busy(server: &Server, is_over: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (mut wire, is_over) = (server.connect().unwrap(), is_over.clone());
    std::thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            wire.ask(&["EVAL", BUSY, "0", "60"])
                .unwrap()
                .text()
                .unwrap();
        }
    })
}

#[test]
fn a_target_that_answers_late_gets_less_at_a_time() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    let mut wire = stage.source[0].connect().unwrap();
    for n in 0..6000 {
        let value = "v".repeat(400);
        wire.ask(&["SET", &format!("k:{n}"), &value]).unwrap();
    }
    stage.backup();
    let target = empty(1);
    let is_over = Arc::new(AtomicBool::new(false));
    let busy = busy(&target[0], &is_over);
    let running = stage
        .restore(&target[0].addr(), &["--max-latency", "20ms"])
        .spawn();
    until("all keys are there", LIMIT, || keys(&[&target[0]]) == 6000);
    is_over.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    let report = proven(running.wait());
    let held = &report["held_back"];
    assert!(held["late_answers"].as_u64().unwrap() > 0, "{report:#}");
    // It began with 32 KiB under way; now one batch at a time, and a rest after each.
    assert!(
        held["least_under_way_bytes"].as_u64().unwrap() < 32 << 10,
        "{report:#}"
    );
    assert!(report["slowest_answer_ms"].as_f64().unwrap() > 20.0);
    // Without a limit nobody is asked, and nothing is held back.
    let addr = target[0].addr();
    let again = stage.restore(&addr, &["--replace", "--confirm", &addr]);
    let report = proven(again.run());
    assert!(report["held_back"].is_null(), "{report:#}");
}

#[test]
fn a_master_that_took_over_is_asked_too() {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(1, 0),
    };
    let mut wire = stage.source[0].connect().unwrap();
    for n in 0..6000 {
        let value = "v".repeat(200);
        wire.ask(&["SET", &format!("k:{n}"), &value]).unwrap();
    }
    stage.backup();
    let mut target = Fleet::cluster(3, 1);
    let addr = target[1].addr();
    let words = ["--max-latency", "250ms", "--rate", "200KiB"];
    let running = stage.restore(&addr, &words).spawn();
    until("keys arrive", LIMIT, || keys(&[&target[0]]) > 100);
    target[0].kill();
    until("another takes over", LIMIT, || {
        target[3].cli(&["ROLE"]).starts_with("master")
    });
    let mut wire = target[3].connect().unwrap();
    // Not all of the time, and not when it is read back: it has to be a master for others too.
    until("nearly all keys are there", LIMIT, || {
        wire.ask(&["EVAL", BUSY, "0", "300"])
            .unwrap()
            .text()
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        keys(&[&target[1], &target[2], &target[3]]) > 5000
    });
    let report = proven(running.wait());
    let slowest = report["slowest_answer_ms"].as_f64().unwrap();
    assert!(slowest >= 250.0, "{report:#}");
}

/// Whether what is replaced there is freed aside.
fn is_freed_aside(server: &Server) -> bool {
    let said = server.cli(&["CONFIG", "GET", "lazyfree-lazy-server-del"]);
    said.lines().nth(1) == Some("yes")
}

#[test]
fn what_is_replaced_is_freed_aside_and_the_setting_is_put_back() {
    let stage = Stage::new();
    let lazy = |_| Spec::with_args(&["--lazyfree-lazy-server-del", "no"]);
    let target = Fleet::start_with(1, lazy);
    target.join(1);
    let addr = target[0].addr();
    proven(stage.restore(&addr, &[]).run());
    let replaced = ["--replace", "--confirm", &addr];
    for more in [
        &["--rate", "50KiB"][..],
        &["--rate", "50KiB", "--no-verify"],
    ] {
        let words = [&replaced[..], more].concat();
        let running = stage.restore(&addr, &words).spawn();
        until("it is set", LIMIT, || is_freed_aside(&target[0]));
        let outcome = running.wait().expect(0);
        assert!(!outcome.stdout.contains("lazyfree"), "{}", outcome.stdout);
        assert!(!is_freed_aside(&target[0]));
    }
    target[0].cli(&["ACL", "SETUSER", "default", "-config|set"]);
    let report = proven(stage.restore(&addr, &replaced).run());
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("lazyfree-lazy-server-del"), "{remarks}");
}
