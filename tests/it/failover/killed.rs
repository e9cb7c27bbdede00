//! However a drill ends, what it broke is put back: after Ctrl-C by itself, after SIGKILL by its
//! watchdog, and when that was killed too by the next run.

use std::time::Instant;

use super::*;

use crate::support::{Terminal, eventually, signal, until};

#[test]
fn a_drill_that_is_killed_is_healed_by_its_watchdog() {
    let cluster = Drilled::of(1);
    let mut running = cluster.drill(&["--fault", "pause"]).spawn();
    until("something is broken", LIMIT, || cluster.is_broken());
    running.kill();
    until("the watchdog has healed", LIMIT, || !cluster.is_broken());
    cluster.expect_whole_but_for_keys();
}

#[test]
fn an_interrupted_drill_heals_before_it_ends() {
    let cluster = Drilled::of(1);
    let running = cluster.drill(&["--fault", "kill"]).spawn();
    until("something is broken", LIMIT, || cluster.is_broken());
    running.interrupt();
    let outcome = running.wait().expect(130);
    assert_eq!(outcome.stdout, "");
    assert!(!cluster.is_broken());
    let told = outcome.stderr;
    assert!(told.contains("the load's keys are removed"), "{told}");
    cluster.expect_whole_but_for_keys();
    cluster.await_no_keys();
}

#[test]
fn whoever_interrupts_at_the_question_is_told_that_nothing_was_done() {
    let cluster = Drilled::of(1);
    let state = cluster.home.path().join("state");
    let state = format!("XDG_STATE_HOME={}", state.display());
    let program = env!("CARGO_BIN_EXE_goodcache");
    let mut terminal = Terminal::run("env", &[&state, program, "failover-test", NAME]);
    terminal.wait_for("type drilled to go on: ");
    terminal.types("\x03");
    assert_eq!(terminal.wait(), 130, "{}", terminal.shown());
    terminal.wait_for("nothing was done");
    let shown = terminal.shown();
    let after = shown.split("to go on: ").nth(1).unwrap();
    assert_eq!(
        after.replace("^C", "").trim(),
        "goodcache: interrupted before the answer; nothing was done",
        "{shown:?}"
    );
    // Nothing moves above the plan before the first step begins.
    assert!(!shown.contains('\u{2801}'), "{shown:?}");
    assert!(!cluster.is_broken());
}

/// Only debug builds fail when they are told to.
#[cfg(debug_assertions)]
#[test]
fn a_drill_that_panics_heals_before_it_ends() {
    let cluster = Drilled::of(1);
    for (fault, shard) in [("kill", "1"), ("pause", "2")] {
        let drill = cluster.drill(&["--fault", fault, "--shard", shard]);
        let outcome = drill.env("DEBUG_PANIC_IN_DRILL", "1").run().expect(1);
        assert_eq!(outcome.stdout, "");
        let told = "goodcache itself failed (DEBUG_PANIC_IN_DRILL is set); what was broken is put \
                    back";
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
        let next = format!("next: see whether the cluster is whole: goodcache check {NAME}");
        assert!(outcome.stderr.contains(&next), "{}", outcome.stderr);
        assert!(!cluster.journal().exists(), "{fault}");
        for n in 0..cluster.nodes {
            let path = format!("/proc/{}/stat", cluster.pid(n));
            let stat = std::fs::read_to_string(path).unwrap();
            assert!(!stat.contains(") T "), "{fault}: {stat}");
        }
        let left = cluster.heal().expect(0);
        assert!(left.stderr.contains("no drill left"), "{}", left.stderr);
        cluster.expect_whole_but_for_keys();
    }
}

#[test]
fn what_ten_killed_drills_left_large_is_healed_by_the_next_run() {
    let cluster = Drilled::of(1);
    let faults = ["kill", "pause", "stop", "slow", "fast-restart"];
    for moment in 0..10_u64 {
        let fault = faults[usize::try_from(moment).unwrap() % faults.len()];
        let shard = (moment % 3 + 1).to_string();
        // A restored role needs room before its next election, so each shard has its turn.
        let mut running = cluster
            .drill(&["--fault", fault, "--shard", &shard])
            .spawn();
        until("something is broken", LIMIT, || {
            cluster.is_broken() || fault == "fast-restart"
        });
        std::thread::sleep(Duration::from_millis(moment * 350));
        let watchdog = watchdog_of(&cluster);
        running.kill();
        if moment % 2 == 0
            && let Some(watchdog) = watchdog
        {
            signal(watchdog, "KILL");
        }
        drop(running);
        eventually("healed by the next run", LIMIT, || {
            // The watchdog may hold the lock just now.
            (cluster.heal().code == 0).then_some(())
        });
        assert!(!cluster.is_broken(), "{fault} at moment {moment}");
        cluster.expect_whole_but_for_keys();
    }
}

#[test]
fn what_is_held_broken_stays_so_until_it_is_healed() {
    let cluster = Drilled::of(1);
    let outcome = cluster.run(&["--fault", "pause", "--hold"]);
    assert!(outcome.stderr.contains("--heal"), "{}", outcome.stderr);
    assert!(cluster.is_broken());
    let frozen = Wire::plain(&cluster.addr(0), Duration::from_millis(300))
        .and_then(|mut wire| wire.ask(&["PING"]));
    assert!(frozen.is_err());
    let held = format!(
        "a drill of '{NAME}' holds {} (pause) broken since 2",
        cluster.addr(0)
    );
    let check = ["check", NAME, "--sample", "0s"];
    let planned = ["failover-test", NAME, "--dry-run"];
    for args in [&check[..], &planned] {
        let told = cluster.home.goodcache(args).run().stderr;
        assert!(told.contains(&held), "{told}");
        assert!(
            told.contains(&format!("failover-test {NAME} --heal")),
            "{told}"
        );
    }
    let healed = cluster.heal().expect(0);
    assert!(
        healed.stderr.contains("put 1 node back"),
        "{}",
        healed.stderr
    );
    let quiet = cluster.home.goodcache(&check).run().stderr;
    assert!(!quiet.contains("a drill of"), "{quiet}");
    cluster.expect_whole_but_for_keys();
    cluster.await_no_keys();
}

#[test]
fn two_drills_do_not_run_at_once() {
    let cluster = Drilled::of(1);
    let running = cluster.drill(&["--fault", "pause"]).spawn();
    until("something is broken", LIMIT, || cluster.is_broken());
    let second = cluster.run(&["--fault", "kill"]);
    assert_eq!(second.code, 5, "{}", second.stderr);
    sound(running.wait());
    cluster.expect_whole();
}

impl Drilled {
    /// An old master has its keys until it follows the new one.
    #[track_caller]
    fn await_no_keys(&self) {
        let is_empty = |n| {
            let keys = self.wire(n).ask(&["KEYS", "goodcache:drill:*"]).unwrap();
            format!("{keys:?}") == "Array([])"
        };
        until("the load's keys are gone", LIMIT, || {
            (0..self.nodes).all(is_empty)
        });
    }

    /// A drill that was cut off leaves its keys to expire.
    #[track_caller]
    fn expect_whole_but_for_keys(&self) {
        let begun = Instant::now();
        let args = [
            "check",
            NAME,
            "--wait",
            "healthy",
            "--timeout",
            "40s",
            "--sample",
            "0s",
            "-q",
        ];
        self.home.goodcache(&args).within(LIMIT).run().expect(0);
        assert!(begun.elapsed() < Duration::from_secs(40));
        for n in 0..self.nodes {
            let ttl = self.wire(n).ask(&["RANDOMKEY"]);
            assert!(ttl.is_ok(), "{}", self.addr(n));
        }
    }
}

/// The process that watches over the drill.
fn watchdog_of(cluster: &Drilled) -> Option<u32> {
    let journal = cluster.journal().to_string_lossy().into_owned();
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .find_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
            (line.contains("--watchdog") && line.contains(&journal)).then_some(pid)
        })
}
