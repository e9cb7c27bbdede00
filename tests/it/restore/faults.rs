//! Whatever happens on the way, the same command ends with the same data.

use super::*;
use crate::support::until;

/// Some thousand keys more, so that a slowed restore can be met in the middle.
fn sow(stage: &Stage, count: usize) {
    for server in stage.source.iter() {
        let mut wire = server.connect().unwrap();
        for n in 0..count {
            // Those of other slots are refused.
            let value = "v".repeat(200);
            let _ = wire.ask(&["SET", &format!("seed:{n}"), &value]).unwrap();
        }
    }
}

pub(super) fn sown(count: usize) -> Stage {
    let stage = Stage {
        home: Home::new(),
        source: Fleet::cluster(3, 0),
    };
    stage.fill();
    sow(&stage, count);
    stage.backup();
    stage
}

#[test]
fn killed_again_and_again_it_goes_on_and_ends_with_the_same_data() {
    let stage = sown(6000);
    let target = empty(2);
    let addr = target[0].addr();
    let mut resumed = 0;
    let servers: Vec<&Server> = target.iter().collect();
    for _ in 0..5 {
        let before = keys(&servers);
        let mut running = stage.restore(&addr, &["--rate", "150KiB"]).spawn();
        until("more keys are there", LIMIT, || {
            keys(&servers) > before + 100
        });
        running.kill();
        drop(running);
    }
    let before = keys(&servers);
    let source: Vec<&Server> = stage.source.iter().collect();
    assert!(before > 0 && before < keys(&source), "{before}");
    let outcome = stage.restore(&addr, &[]).run();
    resumed += usize::from(
        outcome
            .stderr
            .contains("going on where the same command stopped"),
    );
    let report = proven(outcome);
    assert_eq!((resumed, &report["is_resumed"]), (1, &true.into()));
    assert_eq!(keys(&servers), keys(&source));
    assert_eq!(report["proof"]["keys_equal"], keys(&source));
}

/// What becomes of the first master of three in the middle; the address named is its own.
fn failed_over(how: impl FnOnce(&mut Server)) -> (Value, Fleet) {
    let stage = sown(6000);
    // Of two masters the one that is left could not elect anybody.
    let mut target = Fleet::cluster(3, 1);
    let addr = target[0].addr();
    let running = stage.restore(&addr, &["--rate", "300KiB"]).spawn();
    until("keys arrive", LIMIT, || keys(&[&target[0]]) > 100);
    how(&mut target[0]);
    let report = proven(running.wait());
    (report, target)
}

#[test]
fn a_failover_of_the_target_in_the_middle_is_survived() {
    let (report, target) = failed_over(Server::kill);
    assert!(report["sent_again"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(target[3].cli(&["ROLE"]).lines().next(), Some("master"));
}

#[test]
fn a_master_that_freezes_is_not_waited_for_once_another_has_its_slots() {
    let (report, target) = failed_over(|server| server.pause());
    assert!(report["sent_again"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(target[3].cli(&["ROLE"]).lines().next(), Some("master"));
    target[0].resume();
}

#[test]
fn where_nobody_can_take_over_it_says_so_and_the_same_command_goes_on() {
    let stage = sown(6000);
    let mut target = empty(2);
    let addr = target[1].addr();
    let running = stage.restore(&addr, &["--rate", "300KiB"]).spawn();
    until("keys arrive", LIMIT, || keys(&[&target[0]]) > 100);
    target[0].kill();
    std::thread::sleep(Duration::from_secs(4));
    target[0].start_again();
    let outcome = running.wait();
    for said in ["without a master that answers", "has a master again"] {
        assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
    }
    // It came back empty: what it had taken is found missing and sent again.
    proven(outcome);
}

#[test]
fn a_target_that_is_out_of_memory_stops_it_half_way_and_more_memory_lets_it_go_on() {
    let stage = sown(6000);
    let target = empty(1);
    let addr = target[0].addr();
    // Enough by the plan, whose figure is the source's own; too little with what else is in the way.
    let running = stage.restore(&addr, &["--rate", "500KiB"]).spawn();
    until("keys arrive", LIMIT, || keys(&[&target[0]]) > 100);
    target[0].cli(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let outcome = running.wait().expect(6);
    assert!(
        outcome.stderr.contains("raise maxmemory"),
        "{}",
        outcome.stderr
    );
    let told = outcome.stderr;
    assert!(told.contains("keys were sent; "), "{told}");
    assert!(told.contains("of the snapshot are in"), "{told}");
    target[0].cli(&["CONFIG", "SET", "maxmemory", "0"]);
    proven(stage.restore(&addr, &[]).run());
}

#[test]
fn a_slot_that_moves_in_the_middle_is_followed() {
    let stage = sown(6000);
    let target = empty(2);
    let (from, to) = (&target[0], &target[1]);
    let running = stage.restore(&from.addr(), &["--rate", "400KiB"]).spawn();
    until("keys arrive", LIMIT, || keys(&[from]) > 100);
    for slot in [100, 200, 300] {
        let slot = slot.to_string();
        to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from.id()]);
        from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to.id()]);
        let port = to.port().to_string();
        for key in from
            .cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"])
            .lines()
        {
            from.cli(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]);
        }
        for node in [to, from] {
            node.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &to.id()]);
        }
    }
    proven(running.wait());
}

#[test]
fn a_poisoned_piece_is_never_sent() {
    let stage = Stage::new();
    let folder = std::path::PathBuf::from(stage.repository()).join("data");
    let snapshot = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    let piece = snapshot.path().join("00/base-000000");
    let mut bytes = std::fs::read(&piece).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&piece, bytes).unwrap();
    let target = empty(1);
    let outcome = stage.restore(&target[0].addr(), &[]).run().expect(6);
    assert!(outcome.stderr.contains("base-000000"), "{}", outcome.stderr);
    let of_others = keys(&[&target[0]]);
    let own = keys(&[&stage.source[0]]);
    let all: Vec<&Server> = stage.source.iter().collect();
    assert!(of_others <= keys(&all) - own, "{of_others}");
}

#[test]
fn interrupted_it_says_how_to_go_on() {
    let stage = sown(4000);
    let target = empty(1);
    let running = stage
        .restore(&target[0].addr(), &["--rate", "200KiB"])
        .spawn();
    until("keys arrive", LIMIT, || keys(&[&target[0]]) > 50);
    running.interrupt();
    let outcome = running.wait().expect(130);
    assert!(
        outcome.stderr.contains("goes on where it stopped"),
        "{}",
        outcome.stderr
    );
    let (_, told) = outcome.stderr.split_once("stopped half-way (").unwrap();
    let (done, rest) = told.split_once(" of ").unwrap();
    let (all, _) = rest.split_once(" pieces are in);").unwrap();
    let (done, all): (usize, usize) = (done.parse().unwrap(), all.parse().unwrap());
    assert!(done < all && all > 0, "{told}");
    proven(stage.restore(&target[0].addr(), &[]).run());
}
