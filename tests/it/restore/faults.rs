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

#[test]
fn killed_until_one_run_ends_by_itself_it_holds_the_same_data() {
    let stage = sown(6000);
    let target = empty(2);
    let addr = target[0].addr();
    let servers: Vec<&Server> = target.iter().collect();
    let mut kills = 0;
    let outcome = loop {
        let before = keys(&servers);
        let mut running = stage.restore(&addr, &["--rate", "500KiB"]).spawn();
        until("more keys are there, or all", LIMIT, || {
            keys(&servers) > before + 500 || running.is_over()
        });
        if running.is_over() {
            break running.wait();
        }
        running.kill();
        kills += 1;
        assert!(kills < 50);
    };
    // Some six thousand keys, and each run but the last brought five hundred.
    assert!(kills >= 5, "{kills}");
    let report = proven(outcome);
    let source: Vec<&Server> = stage.source.iter().collect();
    assert_eq!(report["is_resumed"], true, "{report:#}");
    assert_eq!(report["proof"]["keys_equal"], keys(&source));
    assert_eq!(keys(&servers), keys(&source));
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

/// A snapshot with small keys and a large one in the slot of `h`.
fn with_a_slot_of_its_own() -> Stage {
    let stage = Stage {
        home: Home::new(),
        source: empty(1),
    };
    stage.fill();
    let script = "for i = 1, 4000 do
            redis.call('HSET', '{h}large', 'field:' .. i, redis.sha1hex(i))
        end
        for i = 1, 50 do
            redis.call('SET', '{h}' .. i, 'v')
        end
        redis.call('PEXPIREAT', '{h}large', 4102444800000)";
    stage.source[0].cli(&["EVAL", script, "1", "{h}"]);
    stage.backup();
    stage
}

#[test]
fn a_slot_that_stays_half_moved_is_filled_where_it_goes_to() {
    let stage = with_a_slot_of_its_own();
    let all = keys(&[&stage.source[0]]);
    let target = empty(2);
    let servers: Vec<&Server> = target.iter().collect();
    let (_, to) = half_move(&target, "h");
    let addr = target[0].addr();
    let parts = ["--max-stall", "1ms"];
    let report = proven(stage.restore(&addr, &parts).run());
    assert!(report["sent_again"].as_u64().unwrap() >= 50, "{report:#}");
    assert_eq!((&report["in_parts"], keys(&servers)), (&1.into(), all));
    let fields = || asked(&target[to], &["HLEN", "{h}large"]);
    assert!(fields().contains("4000"), "{}", fields());
    let replaced = ["--max-stall", "1ms", "--replace", "--confirm", &addr];
    let report = proven(stage.restore(&addr, &replaced).run());
    assert_eq!((&report["keys"], keys(&servers)), (&all.into(), all));
    assert!(fields().contains("4000"), "{}", fields());
    let kept = ["--max-stall", "1ms", "--skip-existing"];
    let report = proven(stage.restore(&addr, &kept).run());
    assert_eq!((&report["kept"], keys(&servers)), (&all.into(), all));
}

#[test]
fn a_slot_that_begins_to_move_under_a_large_value_is_followed() {
    let stage = with_a_slot_of_its_own();
    let target = empty(2);
    let addr = target[0].addr();
    let words = ["--max-stall", "1ms", "--rate", "100KiB", "--keys", "{h}*"];
    let running = stage.restore(&addr, &words).spawn();
    until("it is being built up", LIMIT, || {
        let beside = |server: &Server| server.cli(&["KEYS", "*goodcache-restore:*"]);
        target.iter().any(|server| !beside(server).is_empty())
    });
    let (from, to) = half_move(&target, "h");
    let report = proven(running.wait());
    assert_eq!(report["in_parts"], 1, "{report:#}");
    assert_eq!(asked(&target[to], &["HLEN", "{h}large"]), "4000");
    for server in [&target[from], &target[to]] {
        assert_eq!(server.cli(&["KEYS", "*goodcache-restore:*"]), "");
    }
}

#[test]
fn what_a_half_moved_slot_has_left_is_replaced_or_stays() {
    let stage = with_a_slot_of_its_own();
    let all = keys(&[&stage.source[0]]);
    for (more, kept) in [("--skip-existing", 2), ("--replace", 0)] {
        let target = empty(2);
        let servers: Vec<&Server> = target.iter().collect();
        let addr = target[0].addr();
        for server in &servers {
            for key in ["{h}large", "{h}1"] {
                // The other one refuses it.
                let _ = server.ask(&["SET", key, "old"]).unwrap();
            }
        }
        let (from, _) = half_move(&target, "h");
        let words = ["--max-stall", "1ms", more, "--confirm", &addr];
        let report = proven(stage.restore(&addr, &words).run());
        assert_eq!((&report["kept"], keys(&servers)), (&kept.into(), all));
        let is_old = target[from].ask(&["GET", "{h}large"]).unwrap().text();
        assert_eq!(is_old.is_ok_and(|said| said == "old"), kept > 0, "{more}");
    }
}

#[test]
fn a_mark_that_a_killed_run_left_is_no_key_of_anybody() {
    let stage = with_a_slot_of_its_own();
    let target = empty(1);
    let addr = target[0].addr();
    let hash = xxhash_rust::xxh3::xxh3_64(b"{h}large");
    let slot = goodcache::model::Slot::of_key(b"{h}");
    let tag = goodcache::cluster::key_in(&goodcache::model::SlotSet::range(slot, slot)).unwrap();
    let mark = format!("{{{tag}}}goodcache-restore:{hash:016x}");
    target[0].cli(&["SET", "{h}large", &mark]);
    let words = ["--max-stall", "1ms", "--skip-existing"];
    let report = proven(stage.restore(&addr, &words).run());
    assert_eq!(report["kept"], 0, "{report:#}");
    assert_eq!(target[0].cli(&["HLEN", "{h}large"]).trim(), "4000");
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
fn a_poisoned_piece_of_a_protected_repository_is_never_sent() {
    let stage = Stage {
        home: Home::new(),
        source: empty(1),
    };
    stage.fill();
    let (addr, url) = (stage.source[0].addr(), stage.repository());
    let words = ["backup", &addr, "--repo", &url];
    let guarded = |run: Goodcache| run.env("GOODCACHE_PASSPHRASE", "pl4nted-long-enough");
    let backup = stage.home.goodcache(&words).within(LIMIT);
    guarded(backup).run().expect(0);
    let files = |folder: std::path::PathBuf| {
        let found = std::fs::read_dir(folder).unwrap();
        found.map(|file| file.unwrap().path()).collect::<Vec<_>>()
    };
    let repository = std::path::PathBuf::from(&url);
    let snapshot = files(repository.join("data")).remove(0);
    // The sums of pieces stand in the manifest, which has nothing but what authenticates it.
    let manifests = files(repository.join("snapshots"));
    let all = [manifests, files(snapshot.join("00"))].concat();
    assert!(all.len() >= 3, "{all:?}");
    let target = empty(1);
    let target_addr = target[0].addr();
    for piece in all {
        let whole = std::fs::read(&piece).unwrap();
        // In the header, among what is encrypted, and in what proves it.
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&piece, bytes).unwrap();
            let run = guarded(stage.restore(&target_addr, &[])).run();
            assert!([3, 6].contains(&run.code), "{} {}", run.code, run.stderr);
            let name = piece.file_name().unwrap().to_str().unwrap();
            let is_named = run.stderr.contains(name) || run.stderr.contains("manifest");
            assert!(is_named, "{name}: {}", run.stderr);
            assert_eq!(keys(&[&target[0]]), 0, "{name}");
        }
        std::fs::write(&piece, whole).unwrap();
    }
    proven(guarded(stage.restore(&target_addr, &[])).run());
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

/// How many keys it was sent.
fn restored(server: &Server) -> u64 {
    // Strings come by SET.
    let line = server.field(&["INFO", "commandstats"], "cmdstat_set");
    let calls = line.and_then(|line| line.strip_prefix("calls=")?.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}

#[test]
fn a_failover_to_a_replica_with_old_values_is_survived_where_they_are_replaced() {
    let stage = sown(6000);
    let old = |_| Spec::with_args(&["--cluster-replica-validity-factor", "0"]);
    let mut target = Fleet::start_with(6, old);
    target.join(3);
    for server in target.iter().take(3) {
        let mut wire = server.connect().unwrap();
        for n in 0..6000 {
            let _ = wire.ask(&["SET", &format!("seed:{n}"), "old"]).unwrap();
        }
        server.cli(&["CONFIG", "RESETSTAT"]);
    }
    let addr = target[0].addr();
    let words = ["--rate", "300KiB", "--replace", "--confirm", &addr];
    let running = stage.restore(&addr, &words).spawn();
    until("keys arrive", LIMIT, || restored(&target[0]) > 50);
    // From now on its replica gets nothing, and asks in vain.
    target[0].cli(&["ACL", "SETUSER", "default", "-sync", "-psync"]);
    target[0].cli(&["CLIENT", "KILL", "TYPE", "replica"]);
    let before = restored(&target[0]);
    until("more keys are replaced", LIMIT, || {
        restored(&target[0]) > before + 200
    });
    target[0].kill();
    let outcome = running.wait();
    assert_eq!(target[3].cli(&["ROLE"]).lines().next(), Some("master"));
    let told = "hold something else";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    let report = proven(outcome);
    let source: Vec<&Server> = stage.source.iter().collect();
    assert_eq!(report["proof"]["keys_equal"], keys(&source));
}
